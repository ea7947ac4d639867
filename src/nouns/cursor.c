/* SPDX-License-Identifier: MIT */
/*
 * The pointer: UPDATE_CURSOR and MOVE_CURSOR on the cursor queue (specification, 5.7.6.10).
 *
 * A pointer image is 64 by 64 pixels of a 2D resource, or of a blob that holds just these. It is
 * copied when it is set, as the specification has no command that says it changed.
 *
 * Guests have images of other sizes all the same. Smaller ones are put into the upper left corner;
 * larger ones, up to four times, are made smaller, so that the pointer is whole. Of a blob only the size
 * is known, in bytes: too few for 64 by 64 pixels are a square if they can be one, and what is beyond
 * these pixels is not looked at.
 *
 * What cannot be shown hides the pointer: drivers do not ask what became of these commands, and the
 * image before that one would point at nothing.
 *
 * MOVE_CURSOR only moves by the specification, whatever else it says, and drivers such as Redox' always
 * name no resource in it. Windows' driver names the pointer's, and none to hide it, since QEMU's own
 * device hides it then. So naming none means that from a driver that has named one before.
 *
 * Its fourth byte is alpha in every format, the X formats too: Linux' dumb buffers and all buffers of
 * Redox are B8G8R8X8, and what they hold as a pointer is B8G8R8A8. A pointer without alpha would be a
 * square, which nobody wants.
 */
#include "nouns/cursor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/stream.h"
#include "memory/memory.h"
#include "nouns/handlers.h"
#include "nouns/parts.h"
#include "nouns/resource.h"
#include "nouns/scanout.h"
#include "present/present.h"

struct pointer {
    struct venus_gpu_cursor now; /* with pixels: UPDATE_CURSOR gave it an image, the next */
    uint32_t pixels[CURSOR_SIZE * CURSOR_SIZE];
    bool moves_name_image; /* of this driver, a MOVE_CURSOR without one hides */
};

struct cursors {
    struct pointer
        of[VENUS_GPU_MAX_SCANOUTS]; /* written under the services' lock: others look at them */
};

struct cursors *cursors_create(void)
{
    return calloc(1, sizeof(struct cursors));
}

void cursors_destroy(struct cursors *cursors)
{
    free(cursors);
}

const struct venus_gpu_cursor *cursor_now_locked(struct venus_gpu *gpu, unsigned scanout)
{
    return &gpu->cursors->of[scanout].now;
}

static uint32_t channel(uint32_t pixel, uint32_t mask)
{
    return (pixel & mask) >> __builtin_ctz(mask);
}

/* How a resource's bytes are a pointer image. */
struct image {
    const struct venus_gpu_format *format;
    uint32_t width, height, stride;
};

/* The side of a square that a blob of so many bytes is. */
static uint32_t side_of_blob(uint64_t size)
{
    uint32_t side = CURSOR_SIZE;
    while (side && sizeof(uint32_t) * side * side > size)
        side /= 2;
    return side == CURSOR_SIZE || sizeof(uint32_t) * side * side == size ? side : 0;
}

static struct image image_of(const struct resource *resource)
{
    if (resource->mem == RESOURCE_2D)
        return (struct image){ resource->format, resource->width, resource->height,
                               resource->stride };
    uint32_t side = side_of_blob(resource->size);
    return (struct image){ venus_gpu_format_lookup(VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM), side, side,
                           sizeof(uint32_t) * side };
}

/* How many pixels of the image make one of the pointer; 0: it is none. */
static uint32_t scale_of(const struct image *image)
{
    uint32_t longer = image->width > image->height ? image->width : image->height;
    return longer <= 4 * CURSOR_SIZE ? (longer + CURSOR_SIZE - 1) / CURSOR_SIZE : 0;
}

/* As an A8R8G8B8 word. */
static uint32_t read_pixel(const struct venus_gpu_format *format, const uint32_t *at)
{
    uint32_t pixel = le32(*at), alpha = ~(format->red | format->green | format->blue);
    return channel(pixel, alpha) << 24 | channel(pixel, format->red) << 16 |
           channel(pixel, format->green) << 8 | channel(pixel, format->blue);
}

/* Read a resource's image, and return its scale as above. */
static uint32_t read_image(struct venus_gpu *gpu, struct resource *resource,
                           uint32_t pixels[CURSOR_SIZE * CURSOR_SIZE])
{
    const struct image image = image_of(resource);
    uint32_t scale = scale_of(&image);
    const struct memory *memory = scale ? resource_memory(gpu, resource) : NULL;
    if (!memory || (uint64_t)image.stride * image.height > memory_own_size(memory))
        return 0;
    resource_refresh(gpu, resource, 0, (uint64_t)image.stride * image.height);

    memset(pixels, 0, sizeof(uint32_t) * CURSOR_SIZE * CURSOR_SIZE);
    for (uint32_t y = 0; y * scale < image.height; y++) {
        const uint32_t *row =
            (const uint32_t *)((const char *)memory->ptr + (size_t)y * scale * image.stride);
        for (uint32_t x = 0; x * scale < image.width; x++)
            pixels[y * CURSOR_SIZE + x] = read_pixel(image.format, row + (size_t)x * scale);
    }
    return scale;
}

/* Tell all who show the pointer. */
static void show(struct venus_gpu *gpu, unsigned scanout, const struct venus_gpu_cursor *cursor)
{
    struct pointer *pointer = &gpu->cursors->of[scanout];
    pthread_mutex_lock(&gpu->services.lock);
    if (cursor->image_changed) {
        pointer->now = *cursor;
        if (cursor->pixels)
            pointer->now.pixels = memcpy(pointer->pixels, cursor->pixels, sizeof(pointer->pixels));
    } else {
        pointer->now.visible = cursor->visible;
        pointer->now.x = cursor->x;
        pointer->now.y = cursor->y;
    }
    pthread_mutex_unlock(&gpu->services.lock);
    present_pointer(gpu->present, scanout, cursor);
    if (gpu->services.ops.cursor_changed)
        gpu->services.ops.cursor_changed(gpu->services.opaque, scanout, cursor);
}

void cursor_forget_all(struct venus_gpu *gpu)
{
    assert_device_thread(&gpu->services);
    const struct venus_gpu_cursor none = { .image_changed = true };
    for (unsigned i = 0; i < gpu->services.config.num_outputs; i++) {
        if (gpu->cursors->of[i].now.pixels)
            show(gpu, i, &none);
        gpu->cursors->of[i].moves_name_image = false;
    }
}

/* Front ends and window systems want a hot spot that is a pixel of the image. */
static uint32_t inside_image(uint32_t hot)
{
    return hot < CURSOR_SIZE ? hot : CURSOR_SIZE - 1;
}

/* Make the cursor that of the request, with the image in pixels; or leave it hidden. */
static enum virtio_gpu_ctrl_type load_image(struct venus_gpu *gpu, struct command *cmd,
                                            const struct virtio_gpu_update_cursor *req,
                                            uint32_t pixels[CURSOR_SIZE * CURSOR_SIZE],
                                            struct venus_gpu_cursor *cursor)
{
    struct resource *resource = resource_find_or_refuse(gpu, cmd, le32(req->resource_id));
    if (!resource)
        return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
    uint32_t scale = read_image(gpu, resource, pixels);
    if (!scale)
        return command_error(cmd, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
                             "resource %u holds no picture for a pointer, of up to %u x %u pixels",
                             resource->id, 4 * CURSOR_SIZE, 4 * CURSOR_SIZE);
    cursor->visible = true;
    cursor->hot_x = inside_image(le32(req->hot_x) / scale);
    cursor->hot_y = inside_image(le32(req->hot_y) / scale);
    cursor->width = cursor->height = CURSOR_SIZE;
    cursor->pixels = pixels;
    return VIRTIO_GPU_RESP_OK_NODATA;
}

enum virtio_gpu_ctrl_type cursor_update(struct venus_gpu *gpu, struct command *cmd,
                                        const void *request)
{
    const struct virtio_gpu_update_cursor *req = request;
    enum virtio_gpu_ctrl_type answer = VIRTIO_GPU_RESP_OK_NODATA;
    uint32_t scanout = le32(req->pos.scanout_id);
    uint32_t pixels[CURSOR_SIZE * CURSOR_SIZE];
    struct venus_gpu_cursor cursor = {
        .image_changed = true,
        .x = le32(req->pos.x),
        .y = le32(req->pos.y),
    };

    if (!scanout_exists(gpu, cmd, scanout))
        return VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID;
    if (le32(req->resource_id))
        answer = load_image(gpu, cmd, req, pixels, &cursor);
    if (answer == VIRTIO_GPU_RESP_OK_NODATA)
        stat_add(&gpu->services.stats, STAT_CURSOR_UPDATES, 1);
    show(gpu, scanout, &cursor);
    return answer;
}

enum virtio_gpu_ctrl_type cursor_move(struct venus_gpu *gpu, struct command *cmd,
                                      const void *request)
{
    const struct virtio_gpu_update_cursor *req = request;
    uint32_t scanout = le32(req->pos.scanout_id);
    if (!scanout_exists(gpu, cmd, scanout))
        return VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID;

    struct pointer *moved = &gpu->cursors->of[scanout];
    bool names_image = le32(req->resource_id);
    moved->moves_name_image |= names_image;
    const struct venus_gpu_cursor cursor = {
        .visible = moved->now.pixels && (names_image || !moved->moves_name_image),
        .x = le32(req->pos.x),
        .y = le32(req->pos.y),
    };
    show(gpu, scanout, &cursor);
    return VIRTIO_GPU_RESP_OK_NODATA;
}

/* ---- saving and loading -------------------------------------------------------------------------- */

static void stream_one(struct venus_gpu *gpu, unsigned scanout, struct stream *stream)
{
    const struct pointer *pointer = &gpu->cursors->of[scanout];
    struct venus_gpu_cursor cursor = pointer->now;
    uint32_t pixels[CURSOR_SIZE * CURSOR_SIZE];
    bool has_image = cursor.pixels, moves_name_image = pointer->moves_name_image;
    stream_bool(stream, &moves_name_image);
    stream_bool(stream, &cursor.visible);
    stream_u32(stream, &cursor.x);
    stream_u32(stream, &cursor.y);
    stream_bool(stream, &has_image);
    if (has_image) {
        stream_u32(stream, &cursor.hot_x);
        stream_u32(stream, &cursor.hot_y);
        if (stream->saves)
            memcpy(pixels, cursor.pixels, sizeof(pixels));
        for (unsigned i = 0; i < CURSOR_SIZE * CURSOR_SIZE && !stream->error; i++)
            stream_u32(stream, &pixels[i]);
    }
    if (stream->saves || stream->error)
        return;
    if (cursor.hot_x >= CURSOR_SIZE || cursor.hot_y >= CURSOR_SIZE ||
        (cursor.visible && !has_image))
        stream_fail(stream, -EINVAL, "a pointer on output %u that cannot be", scanout);
    if (stream->only_looks || stream->error)
        return;
    gpu->cursors->of[scanout].moves_name_image = moves_name_image;
    if (!has_image)
        return; /* there is none, as after a reset */
    cursor.image_changed = true;
    cursor.width = cursor.height = CURSOR_SIZE;
    cursor.pixels = pixels;
    show(gpu, scanout, &cursor);
}

void cursor_stream(struct venus_gpu *gpu, struct stream *stream)
{
    assert_device_thread(&gpu->services);
    for (unsigned i = 0; i < gpu->services.config.num_outputs && !stream->error; i++)
        stream_one(gpu, i, stream);
}
