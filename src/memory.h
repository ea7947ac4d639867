/* SPDX-License-Identifier: MIT */
/*
 * Host memory that holds a resource's pixels or a blob's bytes as one linear range, reference counted.
 *
 * A resource, its place in the window and every frame that shows it hold one reference each, so that
 * the memory outlives the resource for as long as somebody looks at it. All of it is mapped by us,
 * apart from the renderer's own mappings, with one exception: *pinned* memory is the renderer's
 * mapping itself, where the system can alias it by no means (memory of a GPU that has neither a
 * mappable descriptor nor ordinary pages). Pinned memory keeps the renderer's resource alive, also
 * after the guest has unreferenced it; its id cannot be used again before it is released.
 */
#ifndef MEMORY_H
#define MEMORY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "renderer.h"

struct backing;
struct venus_gpu;

/* Something that was made of memory and ends with it. First member of what it is. */
struct memory_companion {
    void (*memory_gone)(struct memory_companion *companion); /* any thread */
};

struct memory {
    atomic_uint refs;
    void *ptr;   /* NULL: it cannot be mapped, there is but the descriptor */
    size_t size; /* of the mapping: whole pages */
    int fd;      /* the memory's descriptor, or -1 where there is none to hand on */
    enum renderer_fd fd_type;
    uint32_t map_info; /* of a renderer's blob: VIRTIO_GPU_MAP_CACHE_*; 0: not known */
    struct memory_companion *companion; /* NULL: none. Under the device's lock */

    /* Counted against the device's max_memory: bytes, or 0. */
    struct venus_gpu *gpu;
    size_t accounted;
    bool counts_fd;  /* fd, against the descriptors that resources may have */
    unsigned ranges; /* address ranges of this process that it takes up */

    /* Pinned memory only. */
    bool pinned;
    uint32_t resource_id;
    bool abandoned; /* it will never be released */
    bool orphaned; /* the guest has unreferenced the resource: unreference it in the renderer too */
    LIST_ENTRY(memory) pinned_link;
    SLIST_ENTRY(memory) released_link;
};

enum memory_tier {
    MEMORY_FIXED,  /* the blob's descriptor, mapped */
    MEMORY_ALIAS,  /* an alias of the renderer's mapping */
    MEMORY_PINNED, /* the renderer's mapping itself */
};

/* Zeroed memory that can be shared by its descriptor; counted against max_memory. */
struct memory *memory_create(struct venus_gpu *gpu, size_t size);

/* Guest pages side by side, in place. NULL where they cannot be aliased. */
struct memory *memory_alias_backing(struct venus_gpu *gpu, const struct backing *backing,
                                    size_t size);

/* The bytes of a renderer's blob, by the best tier. NULL on failure. Device thread. */
struct memory *memory_of_blob(struct venus_gpu *gpu, uint32_t resource_id, uint64_t size);

/* A renderer's blob by its descriptor alone, for a GPU to import. NULL on failure. Device thread. */
struct memory *memory_of_unmappable_blob(struct venus_gpu *gpu, uint32_t resource_id,
                                         uint64_t size);

/*
 * Place a renderer's blob at dst, which is part of a mapping of ours, or anywhere if dst is NULL.
 * Returns 0 and the tier, or a negative errno value, and then what is at dst is not defined: put
 * something else there. -EOVERFLOW: the blob is longer than its memory, or could be one day, and
 * must be mapped in no way.
 * Device thread.
 */
int memory_place_blob(struct venus_gpu *gpu, uint32_t resource_id, uint64_t size, void *dst,
                      void **place, enum memory_tier *tier);

/* A GPU that hangs may read it still: it stays for ever, with the reference that is given up here, and nobody
 * waits for it any more. Any thread. */
void memory_abandon(struct memory *memory);

/* Any thread. */
struct memory *memory_ref(struct memory *memory);
void memory_unref(struct memory *memory);

/*
 * The guest unreferenced a resource. If its memory is pinned and still in use, take over unreferencing
 * it in the renderer and return true. Device thread.
 */
bool memory_take_over(struct venus_gpu *gpu, uint32_t resource_id);

/* Whether a resource id is still in use by pinned memory. Waits for it to be released if wait is
 * true, unless the device is reset or stopped, or the memory was abandoned. Device thread. */
bool memory_id_in_use(struct venus_gpu *gpu, uint32_t resource_id, bool wait);

/* Give released pinned memory back to the renderer. Device thread, without the device's lock. */
void memory_reap(struct venus_gpu *gpu);

#endif
