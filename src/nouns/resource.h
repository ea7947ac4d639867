/* SPDX-License-Identifier: MIT */
/* Resources: 2D pictures and blobs, found by the guest's id. */
#ifndef RESOURCE_H
#define RESOURCE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/table.h"
#include "command/command.h"
#include "nouns/window.h"

struct account;
struct attachment;
struct backing;
struct memory;
struct placed;
struct resources;
struct stream;
struct window_region;

enum { RESOURCE_2D = 0 }; /* the mem of a resource that is no blob */

struct resource {
    uint32_t id;
    uint32_t mem;  /* VIRTIO_GPU_BLOB_MEM_*, or RESOURCE_2D */
    uint64_t size; /* bytes */

    struct account *account; /* on which it is, and with how many bytes (ledger.h) */
    uint64_t held;

    /* 2D */
    const struct venus_gpu_format *format;
    uint32_t width, height, stride;

    /* Blobs */
    uint32_t blob_flags; /* VIRTIO_GPU_BLOB_FLAG_* */
    uint32_t context_id; /* the context that created it, or 0 */
    bool in_renderer;    /* the renderer has a resource of this id */
    bool mapped;         /* in the window, at `range` */
    struct window_range range;
    struct window_region *region; /* what the front end mapped there for us, or NULL */
    struct placed *placed;        /* what Vulkan mapped there, or NULL */

    struct backing *backing; /* guest pages, or NULL */
    struct memory *memory;   /* one linear view of it all, or NULL while nobody needed one */
    bool memory_is_copy;     /* of the guest pages: to be refreshed before it is shown */
    char *transferred;       /* 2D, and Vulkan may write it: see share.c; else NULL */

    bool has_uuid;
    uint8_t uuid[16];
    LIST_HEAD(, attachment) attachments; /* the contexts that it is attached to */
    UT_hash_handle hh;
};

/* The resources of a device. NULL if there is no memory. */
struct resources *resources_create(void);
void resources_destroy(struct resources *resources); /* takes NULL; all were destroyed */

/* The one after that, or the first after NULL; NULL: there is no other. Device thread, as all that follows. */
struct resource *resource_next(struct venus_gpu *gpu, struct resource *resource);

/* NULL if there is none; the second one logs it too. */
struct resource *resource_find(struct venus_gpu *gpu, uint32_t id);
struct resource *resource_find_or_refuse(struct venus_gpu *gpu, struct command *cmd, uint32_t id);

/*
 * The resource's bytes as one linear range, made on first use and kept. NULL if the host cannot see
 * them: a blob that is not mappable, no backing, no memory.
 */
struct memory *resource_memory(struct venus_gpu *gpu, struct resource *resource);

/* The same; placed_in_vain: a blob's memory could not be placed a moment ago. */
struct memory *resource_mapping(struct venus_gpu *gpu, struct resource *resource,
                                bool placed_in_vain);

/* The same for a GPU only: also of blobs that are not mappable, and then without a pointer. */
struct memory *resource_gpu_memory(struct venus_gpu *gpu, struct resource *resource);

/* Bring the linear range up to date where it is a copy of guest pages. */
void resource_refresh(struct venus_gpu *gpu, struct resource *resource, uint64_t offset,
                      uint64_t size);

void resource_destroy_all(struct venus_gpu *gpu);

/* Save all resources, none of which is the renderer's, with the contexts that they are attached to; or load them. */
void resource_stream(struct venus_gpu *gpu, struct stream *stream);

#endif
