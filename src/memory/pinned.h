/* SPDX-License-Identifier: MIT */
/*
 * Pinned memory: the renderer's own mapping of a blob, where the system can place it by no other means.
 *
 * It keeps the renderer's resource alive, also after the guest has unreferenced that; the id cannot be
 * used again before the memory is released. Any thread may release it, and the device thread gives it back.
 */
#ifndef PINNED_H
#define PINNED_H

#include <stdbool.h>
#include <stdint.h>

struct bell;
struct memory;
struct pins;
struct services;

/* The pinned memory of a device. NULL if there is no memory. Destroyed when none of it is left in use. */
struct pins *pins_create(struct services *services, struct bell *bell);
void pins_destroy(struct pins *pins); /* takes NULL */

/* Pin a renderer's blob. NULL on failure. Device thread, as all that follow. */
struct memory *pins_add(struct pins *pins, uint32_t resource_id, uint64_t size);

/*
 * The guest unreferenced a resource. If its memory is pinned and still in use, take over unreferencing
 * it in the renderer and return true.
 */
bool pins_take_over(struct pins *pins, uint32_t resource_id);

/* Whether a resource id is still in use by pinned memory. Waits for it to be released if wait is
 * true, unless the device is reset or stopped, or the memory was abandoned. */
bool pins_have(struct pins *pins, uint32_t resource_id, bool wait);

/* Whether there is any. */
bool pins_have_any(struct pins *pins);

/* Whether some is to be given back. With the services' lock held. */
bool pins_have_released(const struct pins *pins);

/* Give that back to the renderer. Without the lock. */
void pins_reap(struct pins *pins);

#endif
