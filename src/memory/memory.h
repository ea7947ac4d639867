/* SPDX-License-Identifier: MIT */
/*
 * Host memory that holds a resource's pixels or a blob's bytes as one linear range, reference counted.
 *
 * A resource, its place in the window and every frame that shows it hold one reference each, so that
 * the memory outlives the resource for as long as somebody looks at it. All of it is mapped by us, apart
 * from the renderer's own mappings (pinned.h).
 */
#ifndef MEMORY_H
#define MEMORY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "renderer/renderer.h"
#include "venus-gpu.h"

struct memory;
struct services;

/* Something that was made of memory and ends with it. First member of what it is. */
struct memory_companion {
    void (*memory_gone)(struct memory_companion *companion); /* any thread */
};

/* To whom memory goes back that is not simply unmapped and freed. Any thread. */
struct memory_owner {
    void (*let_go)(struct memory *memory);  /* the last reference is gone */
    void (*abandon)(struct memory *memory); /* it never will be */
};

struct memory {
    atomic_uint refs;
    void *ptr;   /* NULL: it cannot be mapped, there is but the descriptor */
    size_t size; /* of the mapping: whole pages */
    size_t tail; /* bytes at its end that are pages of nothing: a guest's last page is larger than ours (placement.h) */
    int fd;      /* the memory's descriptor, or -1 where there is none to hand on */
    enum renderer_fd fd_type;
    uint32_t map_info; /* of a renderer's blob: VIRTIO_GPU_MAP_CACHE_*; 0: not known */
    struct memory_companion *companion; /* NULL: none. Under the services' lock */
    const struct memory_owner *owner;   /* NULL: none */

    /* What it takes of the budget. */
    struct services *services;
    size_t accounted; /* bytes of BUDGET_MEMORY, or 0 */
    size_t space;     /* bytes of BUDGET_ADDRESS_SPACE, or 0 */
    bool counts_fd;   /* fd is one of BUDGET_DESCRIPTORS */
    unsigned ranges;
};

/* For those who make memory: of a mapping, which it takes over, or of none. With one reference. The first
 * fills in what is part of something else; the second returns NULL if there is no memory. */
void memory_init(struct memory *memory, struct services *services, void *ptr, size_t size);
struct memory *memory_new(struct services *services, void *ptr, size_t size);

/* Zeroed memory that can be shared by its descriptor; takes its size of BUDGET_MEMORY. NULL on failure. */
struct memory *memory_create(struct services *services, size_t size);

/* The first size bytes of some pages, side by side, in place; takes them of BUDGET_ADDRESS_SPACE. NULL where the pages
 * cannot be aliased. */
struct memory *memory_alias_pages(struct services *services, const struct iovec *pages,
                                  unsigned num_pages, size_t size);

/*
 * What the memory is made of, from that offset on; device: what allocates the renderer's, which stays. false: there is no
 * descriptor. It is valid as long as the memory. Any thread.
 */
bool memory_describe(const struct memory *memory, uint64_t offset,
                     const struct renderer_device *device, struct venus_gpu_handle *handle);

/* How much of it is the memory that its descriptor is of, so that somebody else can have it. */
static inline size_t memory_own_size(const struct memory *memory)
{
    return memory->size - memory->tail;
}

/* A GPU that hangs may read it still: it stays for ever, with the reference that is given up here, and nobody
 * waits for it any more. Any thread. */
void memory_abandon(struct memory *memory);

/* Any thread. */
struct memory *memory_ref(struct memory *memory);
void memory_unref(struct memory *memory); /* takes NULL */

#endif
