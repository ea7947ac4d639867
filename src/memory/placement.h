/* SPDX-License-Identifier: MIT */
/*
 * The ways in which the memory of a renderer's blob comes to an address: each is tried once, best first.
 *
 * A guest's kernel makes its blobs whole pages of its own. Where those are larger than the host's, the memory
 * behind a blob can end before the blob does; after its end come pages of nothing.
 *
 * The device thread's, but for placement_alias(), placement_behind() and placement_there().
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

struct placement {
    void *ptr;
    uint64_t size; /* of the memory: whole pages. From there to the blob's end come pages of nothing */
    enum placement_way way;
    struct placed *placed; /* of PLACEMENT_VULKAN, to be freed once something else is at ptr; else NULL */
};

/*
 * Place a renderer's blob at dst, where there are anonymous pages of ours, or anywhere if dst is NULL: then it is the
 * caller's to unmap, all of the blob's size in whole pages. By Vulkan only with a placer, in its window. Returns 0, or
 * a negative errno value, and then what is at dst is not defined: put something else there, and then free `placed`, which
 * may be set all the same. -EOVERFLOW: the blob is longer than its memory, by more than a guest's pages explain, or could
 * be one day, and must be mapped in no way.
 */
int placement_place(const struct renderer *renderer, struct placer *placer, uint32_t resource_id,
                    uint64_t size, void *dst, struct placement *placement);

/* The same by Vulkan and in no other way: for a blob that is mapped by the renderer. */
int placement_place_by_vulkan(const struct renderer *renderer, struct placer *placer,
                              uint32_t resource_id, uint64_t size, void *dst,
                              struct placement *placement);

/*
 * How much of a blob of whole pages the memory behind its descriptor is: all of it, or less where a guest's page reaches
 * beyond, as far as the descriptor tells. 0: too little to be used.
 */
uint64_t placement_behind(int fd, uint64_t size);

/* The least memory there can be behind a blob of that size, of which a guest's last page is the rest. */
uint64_t placement_least(uint64_t size);

/* Bytes of the memory that a blob is made of, all of which it keeps; 0: its descriptor does not say. */
uint64_t placement_memory_size(const struct renderer *renderer, uint32_t resource_id);

/* Make dst, which is part of a mapping of ours, show the pages at src too. Returns 0 or a negative errno
 * value. Any thread. */
int placement_alias(void *src, size_t size, void *dst);

/*
 * How much of a mapping of whole pages is there for a blob of so many, so that touching its end does not end this process:
 * all of it, or less where a guest's page reaches beyond the memory. 0: too little to be mapped.
 */
uint64_t placement_there(void *ptr, uint64_t mapped_size, uint64_t size);

#endif
