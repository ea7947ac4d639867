/* SPDX-License-Identifier: MIT */
/*
 * The pointer: UPDATE_CURSOR and MOVE_CURSOR on the cursor queue (specification, 5.7.6.10).
 *
 * A pointer image is 64 by 64 pixels of a 2D resource, or of a blob that holds just these. It is
 * copied when it is set, as the specification has no command that says it changed.
 *
 * Its fourth byte is alpha in every format, the X formats too: Linux' dumb buffers and all buffers of
 * Redox are B8G8R8X8, and what they hold as a pointer is B8G8R8A8. A pointer without alpha would be a
 * square, which nobody wants.
 */
#include <string.h>

#include "device.h"
#include "memory.h"
#include "resource.h"

static uint32_t channel(uint32_t pixel, uint32_t mask)
{
    return (pixel & mask) >> __builtin_ctz(mask);
}

/* Read the image as A8R8G8B8 words. False if the resource does not hold one. */
static bool read_image(struct venus_gpu *gpu, struct resource *resource,
                       uint32_t pixels[CURSOR_SIZE * CURSOR_SIZE])
{
    const struct venus_gpu_format *format = resource->format;
    uint32_t stride = resource->stride;
    if (resource->mem == RESOURCE_2D) {
        if (resource->width != CURSOR_SIZE || resource->height != CURSOR_SIZE)
            return false;
    } else {
        if (resource->size < sizeof(uint32_t) * CURSOR_SIZE * CURSOR_SIZE)
            return false;
        format = venus_gpu_format_lookup(VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM);
        stride = sizeof(uint32_t) * CURSOR_SIZE;
    }
    const struct memory *memory = resource_memory(gpu, resource);
    if (!memory)
        return false;
    resource_refresh(gpu, resource, 0, (uint64_t)stride * CURSOR_SIZE);

    const uint32_t alpha = ~(format->red | format->green | format->blue);
    for (unsigned y = 0; y < CURSOR_SIZE; y++) {
        const uint32_t *row = (const uint32_t *)((const char *)memory->ptr + (size_t)y * stride);
        for (unsigned x = 0; x < CURSOR_SIZE; x++) {
            uint32_t pixel = le32(row[x]);
            *pixels++ = channel(pixel, alpha) << 24 | channel(pixel, format->red) << 16 |
                        channel(pixel, format->green) << 8 | channel(pixel, format->blue);
        }
    }
    return true;
}

void cursor_show(struct venus_gpu *gpu, unsigned scanout, const struct venus_gpu_cursor *cursor)
{
    struct scanout *shown = &gpu->scanouts[scanout];
    pthread_mutex_lock(&gpu->lock);
    if (cursor->image_changed) {
        shown->cursor = *cursor;
        shown->cursor.pixels = NULL;
        if (cursor->pixels)
            shown->cursor.pixels =
                memcpy(shown->cursor_pixels, cursor->pixels, sizeof(shown->cursor_pixels));
    } else {
        shown->cursor.x = cursor->x;
        shown->cursor.y = cursor->y;
    }
    pthread_mutex_unlock(&gpu->lock);
    present_pointer(gpu, scanout, cursor);
    if (gpu->ops.cursor_changed)
        gpu->ops.cursor_changed(gpu->opaque, scanout, cursor);
}

/* Front ends and window systems want a hot spot that is a pixel of the image. */
static uint32_t inside_image(uint32_t hot)
{
    return hot < CURSOR_SIZE ? hot : CURSOR_SIZE - 1;
}

enum virtio_gpu_ctrl_type cursor_update(struct venus_gpu *gpu, struct command *cmd,
                                        const void *request)
{
    const struct virtio_gpu_update_cursor *req = request;
    uint32_t scanout = le32(req->pos.scanout_id);
    uint32_t pixels[CURSOR_SIZE * CURSOR_SIZE];
    struct venus_gpu_cursor cursor = {
        .image_changed = true,
        .x = le32(req->pos.x),
        .y = le32(req->pos.y),
    };

    if (!scanout_exists(gpu, cmd, scanout))
        return VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID;
    if (le32(req->resource_id)) {
        struct resource *resource = resource_find_or_refuse(gpu, cmd, le32(req->resource_id));
        if (!resource)
            return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
        if (!read_image(gpu, resource, pixels))
            return command_error(cmd, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
                                 "resource %u holds no picture of %u x %u pixels", resource->id,
                                 CURSOR_SIZE, CURSOR_SIZE);
        cursor.visible = true;
        cursor.hot_x = inside_image(le32(req->hot_x));
        cursor.hot_y = inside_image(le32(req->hot_y));
        cursor.width = cursor.height = CURSOR_SIZE;
        cursor.pixels = pixels;
    }
    stat_add(&gpu->stats, STAT_CURSOR_UPDATES, 1);
    cursor_show(gpu, scanout, &cursor);
    return VIRTIO_GPU_RESP_OK_NODATA;
}

enum virtio_gpu_ctrl_type cursor_move(struct venus_gpu *gpu, struct command *cmd,
                                      const void *request)
{
    const struct virtio_gpu_update_cursor *req = request;
    uint32_t scanout = le32(req->pos.scanout_id);
    if (!scanout_exists(gpu, cmd, scanout))
        return VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID;

    const struct venus_gpu_cursor cursor = {
        .visible = gpu->scanouts[scanout].cursor.visible,
        .x = le32(req->pos.x),
        .y = le32(req->pos.y),
    };
    cursor_show(gpu, scanout, &cursor);
    return VIRTIO_GPU_RESP_OK_NODATA;
}
