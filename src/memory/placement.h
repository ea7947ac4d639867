/* SPDX-License-Identifier: MIT */
/*
 * The ways in which the memory of a renderer's blob comes to an address: each is tried once, best first.
 *
 * The device thread's, but for placement_alias() and placement_is_whole().
 */
#ifndef PLACEMENT_H
#define PLACEMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "renderer/renderer.h"

struct placed;
struct placer;

enum placement_way {
    PLACEMENT_FIXED, /* the blob's descriptor, mapped */
    PLACEMENT_ALIAS, /* an alias of the renderer's mapping */
    PLACEMENT_VULKAN, /* the descriptor imported into the host's Vulkan, and mapped by that */
};

/* How a blob was placed. */
struct placement {
    void *ptr;
    enum placement_way way;
    struct placed *placed; /* of PLACEMENT_VULKAN, to be freed once something else is at ptr; else NULL */
};

/*
 * Place a renderer's blob at dst, which is part of a mapping of ours, or anywhere if dst is NULL; by Vulkan only with a
 * placer, in its window. Returns 0, or a negative errno value, and then what is at dst is not defined: put
 * something else there. -EOVERFLOW: the blob is longer than its memory, or could be one day, and
 * must be mapped in no way.
 */
int placement_place(const struct renderer *renderer, struct placer *placer, uint32_t resource_id,
                    uint64_t size, void *dst, struct placement *placement);

/* The same by Vulkan and in no other way: for a blob that is mapped by the renderer. */
int placement_place_by_vulkan(const struct renderer *renderer, struct placer *placer,
                              uint32_t resource_id, uint64_t size, void *dst,
                              struct placement *placement);

/* Make dst, which is part of a mapping of ours, show the pages at src too. Returns 0 or a negative errno
 * value. Any thread. */
int placement_alias(void *src, size_t size, void *dst);

/* Whether all pages of a mapping are there, so that touching its end does not end this process. */
bool placement_is_whole(void *ptr, uint64_t size);

#endif
