/* SPDX-License-Identifier: MIT */
/*
 * See share.h.
 *
 * A 2D resource has two memories: the guest's pages, and ours, which is scanned out. What Vulkan renders
 * into is ours, given to the renderer as a dma-buf; from there to the display nothing is copied. But the
 * guest's driver knows nothing of that: Linux sends a TRANSFER_TO_HOST_2D before each flush of such a
 * buffer, and the guest's pages, which Vulkan never wrote, would wipe out the picture.
 *
 * So of a shared resource we remember what the guest has transferred so far, and a transfer takes over
 * the pixels that differ from that: those that the guest's processors have written since. The host's
 * memory is the one that counts, writes of the guest reach it, and stale pages do not. Two things
 * cannot be seen this way. A pixel that the guest writes with the value that it transferred before,
 * after Vulkan has changed it, stays as Vulkan left it; and the guest reads its own pages, never what
 * Vulkan drew.
 *
 * Alternatives: to ignore transfers from now on would be simpler, and would freeze a picture that a
 * compositor without Vulkan draws as soon as some screen recorder imports it. One dma-buf over the
 * guest's own pages (UDMABUF_CREATE_LIST) would need no transfers at all, but also the front end's
 * descriptors of guest memory, fewer runs than udmabuf's list may have (1024, where a screen of scattered
 * pages has thousands), and this file as well where that fails.
 *
 * Without a dma-buf the renderer is given shared memory of the same size. A driver cannot import that: the
 * guest's attempt gets VK_ERROR_INVALID_EXTERNAL_HANDLE. Naming a resource that the render server does
 * not know, on the other hand, ends the context.
 */
#include "nouns/share.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/stream.h"
#include "base/ways.h"
#include "command/backing.h"
#include "memory/memory.h"
#include "memory/pinned.h"
#include "nouns/parts.h"
#include "nouns/resource.h"
#include "platform/platform.h"

/* One block: what was transferred last, as large as the picture, and room for a row. */
static uint64_t block_size(const struct resource *resource)
{
    return resource->size + resource->stride;
}

static char *block_create(struct venus_gpu *gpu, const struct resource *resource)
{
    if (!budget_take(&gpu->services.budget, BUDGET_MEMORY, block_size(resource)))
        return NULL;
    char *block = malloc(block_size(resource));
    if (block)
        memcpy(block, resource->memory->ptr, resource->size);
    else
        budget_give_back(&gpu->services.budget, BUDGET_MEMORY, block_size(resource));
    return block;
}

void share_end(struct venus_gpu *gpu, struct resource *resource)
{
    assert_device_thread(&gpu->services);
    if (!resource->transferred)
        return;
    budget_give_back(&gpu->services.budget, BUDGET_MEMORY, block_size(resource));
    free(resource->transferred);
    resource->transferred = NULL;
}

/* The renderer takes the descriptor over if it takes the resource. */
static int give(struct venus_gpu *gpu, const struct resource *resource, enum renderer_fd type,
                int fd)
{
    if (fd < 0)
        return fd;
    int ret = gpu->services.renderer->import_fd(resource->id, type, fd, resource->memory->size);
    if (ret < 0)
        close(fd);
    return ret;
}

int share_with_renderer(struct venus_gpu *gpu, struct resource *resource)
{
    assert_device_thread(&gpu->services);
    const struct memory *memory = resource->memory;
    if (pins_have(gpu->pins, resource->id, true))
        return -EBUSY; /* while the device is being reset, or for good: see memory_abandon() */

    if (!budget_take(&gpu->services.budget, BUDGET_DESCRIPTORS, 1))
        return -EMFILE;
    int ret = -ENOMEM;
    if (!resource->transferred) /* it may have been shared with an earlier renderer */
        resource->transferred = block_create(gpu, resource);
    if (resource->transferred)
        ret = give(gpu, resource, RENDERER_FD_DMABUF,
                   ways_shm_only() ? -ENOTSUP : platform_dma_buf(memory->fd, memory->size));
    if (ret < 0) {
        share_end(gpu, resource);
        log_line(&gpu->services.log, VENUS_GPU_LOG_WARNING,
                 "Vulkan cannot have 2D resource %u: no dma-buf of it (%s)", resource->id,
                 strerror(-ret));
        int fd = fcntl(memory->fd, F_DUPFD_CLOEXEC, 0);
        ret = give(gpu, resource, RENDERER_FD_SHM, fd < 0 ? -errno : fd);
        if (ret == 0)
            stat_add(&gpu->services.stats, STAT_SHARES_REFUSED, 1);
    } else {
        stat_add(&gpu->services.stats, STAT_SHARES, 1);
    }
    resource->in_renderer = ret == 0;
    if (ret < 0)
        budget_give_back(&gpu->services.budget, BUDGET_DESCRIPTORS, 1);
    return ret;
}

void share_take_back(struct venus_gpu *gpu, struct resource *resource)
{
    assert_device_thread(&gpu->services);
    if (resource->mem != RESOURCE_2D || !resource->in_renderer)
        return;
    gpu->services.renderer->resource_unref(resource->id);
    budget_give_back(&gpu->services.budget, BUDGET_DESCRIPTORS, 1);
    resource->in_renderer = false; /* what Vulkan drew is still there: `transferred` stays */
}

void share_stream(struct venus_gpu *gpu, struct resource *resource, struct stream *stream)
{
    assert_device_thread(&gpu->services);
    bool was_shared = resource->transferred;
    stream_bool(stream, &was_shared);
    if (!was_shared || stream->error)
        return;
    if (!stream->saves) {
        if (!stream_holds(stream, resource->size, 1))
            return;
        resource->transferred = block_create(gpu, resource);
        if (!resource->transferred) {
            stream_fail(stream, -ENOMEM, "there is no memory for %u x %u pixels (max_memory)",
                        resource->width, resource->height);
            return;
        }
    }
    stream_bytes(stream, resource->transferred, resource->size);
}

static uint64_t take_over(char *picture, char *last, const char *row, size_t size, unsigned pixel)
{
    uint64_t taken = 0;
    for (size_t i = 0; i < size; i += pixel) {
        if (memcmp(last + i, row + i, pixel) == 0)
            continue;
        memcpy(last + i, row + i, pixel);
        memcpy(picture + i, row + i, pixel);
        taken += pixel;
    }
    return taken;
}

uint64_t share_transfer(struct resource *resource, uint64_t from, uint64_t to, size_t row,
                        uint32_t height)
{
    struct backing_cursor cursor = { .backing = resource->backing };
    char *picture = resource->memory->ptr, *last = resource->transferred;
    char *room = last + resource->size;
    uint64_t taken = 0;
    for (uint32_t i = 0; i < height; i++) {
        /* A copy, since the guest may write meanwhile. */
        backing_read(&cursor, from, room, row);
        if (memcmp(last + to, room, row) != 0)
            taken +=
                take_over(picture + to, last + to, room, row, resource->format->bytes_per_pixel);
        from += resource->stride;
        to += resource->stride;
    }
    return taken;
}
