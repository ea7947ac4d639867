/* SPDX-License-Identifier: MIT */
/*
 * What the device needs of a Vulkan renderer: the seam between the device and virglrenderer.
 *
 * renderer.c implements it over virglrenderer's Venus; tests/unit/fake-renderer.c in memory; watchdog.c
 * bounds the calls of either. All functions but the events and interrupt() run on the device thread. Contexts and resources go by the guest's ids,
 * since the command streams inside a context name them. Functions that return int give 0 or a
 * negative errno value.
 */
#ifndef RENDERER_H
#define RENDERER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/* What a blob's file descriptor is (virglrenderer's VIRGL_RENDERER_BLOB_FD_TYPE_*). */
enum renderer_fd {
    RENDERER_FD_DMABUF = 1,
    RENDERER_FD_OPAQUE = 2,
    RENDERER_FD_SHM = 3,
};

struct renderer_events {
    /* The fence with that id signalled, or never will. Any thread of the renderer. */
    void (*fence)(void *opaque, uint64_t fence_id);
    /* One line of the renderer's log, or of the render server's messages, without a newline. Any thread. */
    void (*log)(void *opaque, bool is_error, const char *message);
};

struct renderer_config {
    const struct renderer_events *events;
    void *opaque;
    /* The render server: a program to start, NULL for the usual one, "unix:PATH" for one that a service starts
     * (broker.h); or a socket connected to one that runs, which init() takes over also when it fails, else -1. */
    const char *server_path;
    int server_fd;
    /* Fences are reported by poll() only: there is nothing that a thread of the renderer's could wait for. */
    bool polls_fences;
};

struct renderer_blob {
    uint32_t resource_id;
    uint32_t context_id;
    uint32_t mem;   /* VIRTIO_GPU_BLOB_MEM_* */
    uint32_t flags; /* VIRTIO_GPU_BLOB_FLAG_* */
    uint64_t id;    /* 0: shared memory made by the renderer; else what the context calls it */
    uint64_t size;
    const struct iovec *iov; /* guest memory; stays valid until resource_unref() */
    unsigned num_iov;
};

/* A Vulkan device of the renderer's. */
struct renderer_device {
    char name[256];
    uint32_t type; /* VkPhysicalDeviceType */
    /* It is the only one, so that whatever the guest renders with is it; else the next two are unknown. */
    bool is_only;
    bool is_processor;                        /* not a GPU */
    uint8_t device_uuid[16], driver_uuid[16]; /* VkPhysicalDeviceIDProperties */

    /* For the log: which release of virglrenderer it is, and how its server comes by the driver. */
    char way[200];
    bool way_is_bad; /* contexts will fail */
};

struct renderer {
    /* On an error, *error may become a message that says what to do, to be freed. */
    int (*init)(const struct renderer_config *config, char **error);
    void (*fini)(void);

    /*
     * Make the call that waits for a context, or for the render server (0), come back with an error: the
     * context, or all of them, can be used for nothing more but be destroyed. Never waits. Any thread.
     */
    void (*interrupt)(uint32_t context_id);

    /* The first Vulkan device, asked of a context of its own that is gone again when this returns.
     * -EIO: no render server; -ENODEV: it has no Vulkan device. Right after init(), and with its *error. */
    int (*first_device)(struct renderer_device *device, char **error);

    /* Bound the memory of each context's process from now on, in bytes of Vulkan on a processor. Right after
     * first_device(). */
    void (*limit_memory)(uint64_t bytes);

    /* The Venus capability set: its newest version and its size, then its contents. */
    int (*capset_info)(uint32_t *max_version, uint32_t *max_size);
    void (*capset_fill)(uint32_t version, void *data);

    int (*context_create)(uint32_t context_id, const char *name, uint32_t name_len);
    /* The process that serves the context which was created last, or 0: not known. Right after its creation. */
    pid_t (*newest_process)(void);
    void (*context_destroy)(uint32_t context_id);
    /* data is 8-byte aligned, size a multiple of 4. */
    int (*submit)(uint32_t context_id, void *data, size_t size);
    /* Signal fence_id once all that was submitted to that ring before is done. */
    int (*fence)(uint32_t context_id, uint32_t ring_idx, uint64_t fence_id);
    /* Report the fences that have signalled, before it returns. For those who want it so (renderer_config). */
    void (*poll)(void);

    int (*blob_create)(const struct renderer_blob *blob);
    /* Make a resource of size bytes of memory that is not the renderer's. The descriptor is taken over on
     * success. -ENOTSUP: it does not take that type. */
    int (*import_fd)(uint32_t resource_id, enum renderer_fd type, int fd, uint64_t size);
    void (*resource_unref)(uint32_t resource_id);
    void (*attach)(uint32_t context_id, uint32_t resource_id);
    void (*detach)(uint32_t context_id, uint32_t resource_id);

    /* Map the whole blob. -EINVAL while it is mapped already. */
    int (*map)(uint32_t resource_id, void **ptr, uint64_t *size);
    void (*unmap)(uint32_t resource_id);
    /* VIRTIO_GPU_MAP_CACHE_* of the blob's memory. */
    int (*map_info)(uint32_t resource_id, uint32_t *map_info);
    /* A new descriptor of the blob's memory, the caller's to close. */
    int (*export_fd)(uint32_t resource_id, enum renderer_fd *type, int *fd);
};

extern const struct renderer virgl_renderer;

#endif
