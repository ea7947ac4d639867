/* SPDX-License-Identifier: MIT */
/*
 * TRANSFER_TO_HOST_2D: from the guest's pages to the host's picture (specification, 5.7.6.8).
 *
 * The offset is that of the rectangle's first pixel in the backing, whose rows are as far apart as
 * the resource's.
 */
#include "command/backing.h"
#include "memory/memory.h"
#include "nouns/handlers.h"
#include "nouns/parts.h"
#include "nouns/resource.h"
#include "nouns/share.h"

enum virtio_gpu_ctrl_type transfer_to_host_2d(struct venus_gpu *gpu, struct command *cmd,
                                              const void *request)
{
    const struct virtio_gpu_transfer_to_host_2d *req = request;
    uint32_t x = le32(req->r.x), y = le32(req->r.y);
    uint32_t width = le32(req->r.width), height = le32(req->r.height);
    uint64_t offset = le64(req->offset);

    struct resource *resource = resource_find_or_refuse(gpu, cmd, le32(req->resource_id));
    if (!resource)
        return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
    if (resource->mem != RESOURCE_2D)
        return command_error(cmd, VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID,
                             "resource %u is a blob: it has nothing to transfer", resource->id);
    if (!resource->backing)
        return command_error(cmd, VIRTIO_GPU_RESP_ERR_UNSPEC, "resource %u has no backing",
                             resource->id);
    if (x > resource->width || width > resource->width - x || y > resource->height ||
        height > resource->height - y)
        return command_error(cmd, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
                             "the rectangle %u x %u at (%u, %u) is not within %u x %u", width,
                             height, x, y, resource->width, resource->height);
    if (!width || !height)
        return VIRTIO_GPU_RESP_OK_NODATA;

    /* Within the resource, so within its size, and no product overflows. */
    uint32_t stride = resource->stride, bytes_per_pixel = resource->format->bytes_per_pixel;
    uint64_t row = (uint64_t)width * bytes_per_pixel;
    uint64_t size = (uint64_t)stride * (height - 1) + row;
    if (offset > resource->backing->size || size > resource->backing->size - offset)
        return command_error(cmd, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
                             "%llu bytes at offset %llu of a backing of %llu",
                             (unsigned long long)size, (unsigned long long)offset,
                             (unsigned long long)resource->backing->size);

    stat_add(&gpu->services.stats, STAT_TRANSFERS, 1);
    if (resource->transferred) {
        uint64_t to = (uint64_t)y * stride + (uint64_t)x * bytes_per_pixel;
        stat_add(&gpu->services.stats, STAT_TRANSFER_BYTES,
                 share_transfer(resource, offset, to, row, height));
        return VIRTIO_GPU_RESP_OK_NODATA;
    }

    char *to = (char *)resource->memory->ptr + (uint64_t)y * stride + (uint64_t)x * bytes_per_pixel;
    struct backing_cursor cursor = { .backing = resource->backing };
    if (row == stride) {
        backing_read(&cursor, offset, to, size);
    } else {
        for (uint32_t i = 0; i < height; i++)
            backing_read(&cursor, offset + (uint64_t)i * stride, to + (uint64_t)i * stride, row);
    }
    stat_add(&gpu->services.stats, STAT_TRANSFER_BYTES, row * height);
    return VIRTIO_GPU_RESP_OK_NODATA;
}
