/* SPDX-License-Identifier: MIT */
/*
 * Blobs in the window by the host's Vulkan: an opaque descriptor is imported into a device of ours, and mapped at an
 * address that we give (VK_EXT_map_memory_placed).
 *
 * Such a mapping belongs to the driver, which unmaps it where it has mapped it; for a moment nothing can be touched
 * there then. So it is never the window that the driver is given, but an address that nobody else uses. From there
 * the pages are moved to the window, in one step for the guest, and there they are replaced as any others.
 */
#ifndef PLACER_H
#define PLACER_H

#include <stdbool.h>
#include <stdint.h>

struct placed;
struct placer;
struct services;
struct shared_vulkan;

/*
 * For a window at base. Nothing of Vulkan is opened before a blob is to be placed. vulkan: the one that presenting uses,
 * which is used too if it is the device that renders for the guest; it stays for as long as this. NULL if there is no memory.
 */
struct placer *placer_create(struct services *services, struct shared_vulkan *vulkan,
                             const void *base, uint64_t size);
void placer_destroy(struct placer *placer); /* takes NULL; what was placed is freed */

/* Whether this way is to be tried before an alias: where a GPU renders, its memory has none. */
bool placer_is_first(const struct placer *placer);
/* Whether an alias is not to be tried at all (VENUS_GPU_PLACE). */
bool placer_is_alone(const struct placer *placer);

/*
 * Make dst, which is in the window, show so many bytes, whole pages, of the memory behind an opaque descriptor of the
 * renderer's. map_info: as the renderer has it, or 0. Returns 0, or a negative errno value; then what is at dst is not
 * defined. The descriptor is taken over in any case. Device thread.
 */
int placer_place(struct placer *placer, int fd, uint64_t size, uint32_t map_info, void *dst,
                 struct placed **placed);

/* Once something else is at dst. The driver hears of it when placer_work() is called. Takes NULL. Device thread. */
void placed_free(struct placed *placed);
/* Where nothing else can be put there: the memory stays for ever. Takes NULL. Device thread. */
void placed_keep(struct placed *placed);

/* Whether the driver has something to unmap; have it unmap one thing. Device thread, when nobody waits for it. */
bool placer_has_waiting(const struct placer *placer);
void placer_work(struct placer *placer);

#endif
