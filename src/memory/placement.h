/* SPDX-License-Identifier: MIT */
/*
 * The ways in which the memory of a renderer's blob comes to an address: each is tried once, best first.
 *
 * The device thread's, but for placement_alias().
 */
#ifndef PLACEMENT_H
#define PLACEMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "renderer/renderer.h"

enum placement_way {
    PLACEMENT_FIXED, /* the blob's descriptor, mapped */
    PLACEMENT_ALIAS, /* an alias of the renderer's mapping */
};

/*
 * Place a renderer's blob at dst, which is part of a mapping of ours, or anywhere if dst is NULL.
 * Returns 0 and the way, or a negative errno value, and then what is at dst is not defined: put
 * something else there. -EOVERFLOW: the blob is longer than its memory, or could be one day, and
 * must be mapped in no way.
 */
int placement_place(const struct renderer *renderer, uint32_t resource_id, uint64_t size, void *dst,
                    void **place, enum placement_way *way);

/* Make dst, which is part of a mapping of ours, show the pages at src too. Returns 0 or a negative errno
 * value. Any thread. */
int placement_alias(void *src, size_t size, void *dst);

/* Whether all pages of a mapping are there, so that touching its end does not end this process. */
bool placement_is_whole(void *ptr, uint64_t size);

#endif
