/* SPDX-License-Identifier: MIT */
/*
 * See scanout.h. Commands SET_SCANOUT, SET_SCANOUT_BLOB and RESOURCE_FLUSH (specification, 5.7.6.8).
 *
 * A scanout hands the front end a frame: a pointer into the very memory of the resource, with a
 * reference that keeps it mapped. Nothing is copied, with one exception: a guest blob whose pages
 * cannot be aliased, which is copied row by row when it is flushed (resource_refresh).
 */
#include "nouns/scanout.h"

#include <errno.h>
#include <stdlib.h>

#include "base/stream.h"
#include "command/frame.h"
#include "memory/memory.h"
#include "nouns/handlers.h"
#include "nouns/parts.h"
#include "nouns/resource.h"
#include "present/present.h"
#include "renderer/session.h"

struct scanout {
    struct resource *resource;     /* NULL: nothing is shown */
    struct venus_gpu_rect rect;    /* of the resource */
    uint64_t offset;               /* of the rectangle's first pixel in the resource's bytes */
    struct venus_gpu_frame *frame; /* written under the services' lock: others look at it */
};

struct scanouts {
    struct scanout scanout[VENUS_GPU_MAX_SCANOUTS];
};

struct scanouts *scanouts_create(void)
{
    return calloc(1, sizeof(struct scanouts));
}

void scanouts_destroy(struct scanouts *scanouts)
{
    free(scanouts);
}

struct venus_gpu_frame *scanout_frame_locked(struct venus_gpu *gpu, unsigned index)
{
    return gpu->scanouts->scanout[index].frame;
}

/* Bytes from the first pixel of a row to the last one of the height-th row from there. */
static uint64_t rows_size(const struct venus_gpu_frame *frame, uint32_t height)
{
    return (uint64_t)(height - 1) * frame->stride +
           (uint64_t)frame->width * frame->format->bytes_per_pixel;
}

/* Show a frame, which the scanout takes over, or nothing. */
static void show(struct venus_gpu *gpu, unsigned index, struct resource *resource,
                 struct venus_gpu_frame *frame)
{
    struct scanout *scanout = &gpu->scanouts->scanout[index];
    struct venus_gpu_frame *old = scanout->frame;
    scanout->resource = resource;
    pthread_mutex_lock(&gpu->services.lock);
    scanout->frame = frame;
    pthread_mutex_unlock(&gpu->services.lock);
    present_show(gpu->present, index, frame);
    if (gpu->services.ops.scanout_changed)
        gpu->services.ops.scanout_changed(gpu->services.opaque, index, frame);
    venus_gpu_frame_unref(old);
}

void scanout_forget_resource(struct venus_gpu *gpu, struct resource *resource)
{
    assert_device_thread(&gpu->services);
    for (unsigned i = 0; i < gpu->services.config.num_outputs; i++) {
        if (gpu->scanouts->scanout[i].resource == resource)
            show(gpu, i, NULL, NULL);
    }
}

static bool rect_within(const struct venus_gpu_rect *rect, uint32_t width, uint32_t height)
{
    return rect->x <= width && rect->width <= width - rect->x && rect->y <= height &&
           rect->height <= height - rect->y;
}

static struct venus_gpu_rect read_rect(const struct virtio_gpu_rect *rect)
{
    return (struct venus_gpu_rect){ le32(rect->x), le32(rect->y), le32(rect->width),
                                    le32(rect->height) };
}

/*
 * A picture inside a resource's bytes, and the part of it that is to be shown. The picture may be larger
 * than a frame can be: then several scanouts show it.
 */
struct picture {
    uint32_t width, height, stride;
    uint64_t offset;
    const struct venus_gpu_format *format;
    struct venus_gpu_rect rect;
};

/* Whether the part keeps the bounds of struct venus_gpu_frame. A sparse blob can be of any size. */
static bool fits_a_frame(const struct picture *picture)
{
    return picture->rect.width <= VENUS_GPU_MAX_SIDE &&
           picture->rect.height <= VENUS_GPU_MAX_SIDE &&
           (uint64_t)picture->rect.height * picture->stride <= INT32_MAX;
}

/* A rectangle of a resource, as its bytes are. */
struct part {
    struct venus_gpu_rect rect;
    uint64_t offset; /* of its first pixel */
    uint32_t stride;
    const struct venus_gpu_format *format;
};

/* Whether the host can see that part. Returns 0; -ENXIO: the host cannot see the memory; -ERANGE: there is less of it. */
static int find_memory(struct venus_gpu *gpu, unsigned index, struct resource *resource,
                       const struct part *part)
{
    /* A guest's blob can always be seen: at worst by a copy, which takes memory. */
    if (!(present_is_on(gpu->present, index) ? resource_gpu_memory(gpu, resource)
                                             : resource_memory(gpu, resource)))
        return -ENXIO;
    /* The blob may be larger than its memory by a part of a guest's page. */
    uint64_t end = part->offset + (uint64_t)(part->rect.height - 1) * part->stride +
                   (uint64_t)part->rect.width * part->format->bytes_per_pixel;
    return end > memory_own_size(resource->memory) ? -ERANGE : 0;
}

/* Show it. Returns 0 or -ENOMEM. */
static int show_part(struct venus_gpu *gpu, unsigned index, struct resource *resource,
                     const struct part *part)
{
    struct venus_gpu_frame *frame =
        frame_create(resource->memory, part->offset, session_device(gpu->session), resource->id,
                     &part->rect, part->stride, part->format);
    if (!frame)
        return -ENOMEM;
    resource_refresh(gpu, resource, part->offset, rows_size(frame, frame->height));
    gpu->scanouts->scanout[index].rect = part->rect;
    gpu->scanouts->scanout[index].offset = part->offset;
    show(gpu, index, resource, frame);
    return 0;
}

static enum virtio_gpu_ctrl_type set_scanout(struct venus_gpu *gpu, struct command *cmd,
                                             unsigned index, struct resource *resource,
                                             const struct picture *picture)
{
    const struct venus_gpu_rect *rect = &picture->rect;
    if (!rect->width || !rect->height || !rect_within(rect, picture->width, picture->height))
        return command_error(cmd, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
                             "the rectangle %u x %u at (%u, %u) is not within %u x %u", rect->width,
                             rect->height, rect->x, rect->y, picture->width, picture->height);
    if (!fits_a_frame(picture))
        return command_error(cmd, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
                             "%u x %u pixels, %u bytes a row, are more than can be shown",
                             rect->width, rect->height, picture->stride);
    const struct part part = {
        .rect = *rect,
        .offset = picture->offset + (uint64_t)rect->y * picture->stride +
                  (uint64_t)rect->x * picture->format->bytes_per_pixel,
        .stride = picture->stride,
        .format = picture->format,
    };
    int ret = find_memory(gpu, index, resource, &part);
    if (ret == -ENXIO)
        return command_error(cmd,
                             resource->in_renderer ? VIRTIO_GPU_RESP_ERR_UNSPEC
                                                   : VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY,
                             "the host cannot see the memory of resource %u", resource->id);
    if (ret < 0)
        return command_error(cmd, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
                             "%u x %u pixels reach beyond the memory of resource %u", rect->width,
                             rect->height, resource->id);
    if (show_part(gpu, index, resource, &part) < 0)
        return command_error(cmd, VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY, "out of memory");
    return VIRTIO_GPU_RESP_OK_NODATA;
}

bool scanout_exists(struct venus_gpu *gpu, struct command *cmd, uint32_t index)
{
    assert_device_thread(&gpu->services);
    if (index < gpu->services.config.num_outputs)
        return true;
    command_error(cmd, VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID, "scanout %u of %u", index,
                  gpu->services.config.num_outputs);
    return false;
}

/* The resource that a scanout is to show. NULL: there is nothing more to do, and *result says why;
 * resource 0 blanks the scanout. */
static struct resource *find_shown(struct venus_gpu *gpu, struct command *cmd, uint32_t index,
                                   uint32_t resource_id, enum virtio_gpu_ctrl_type *result)
{
    *result = VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID;
    if (!scanout_exists(gpu, cmd, index))
        return NULL;
    if (resource_id == 0) {
        show(gpu, index, NULL, NULL);
        *result = VIRTIO_GPU_RESP_OK_NODATA;
        return NULL;
    }
    *result = VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
    return resource_find_or_refuse(gpu, cmd, resource_id);
}

enum virtio_gpu_ctrl_type scanout_set(struct venus_gpu *gpu, struct command *cmd,
                                      const void *request)
{
    const struct virtio_gpu_set_scanout *req = request;
    uint32_t index = le32(req->scanout_id);

    enum virtio_gpu_ctrl_type result;
    struct resource *resource = find_shown(gpu, cmd, index, le32(req->resource_id), &result);
    if (!resource)
        return result;
    if (resource->mem != RESOURCE_2D)
        return command_error(cmd, VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID,
                             "resource %u is a blob: SET_SCANOUT_BLOB shows it", resource->id);

    const struct picture picture = {
        .width = resource->width,
        .height = resource->height,
        .stride = resource->stride,
        .format = resource->format,
        .rect = read_rect(&req->r),
    };
    return set_scanout(gpu, cmd, index, resource, &picture);
}

enum virtio_gpu_ctrl_type scanout_set_blob(struct venus_gpu *gpu, struct command *cmd,
                                           const void *request)
{
    const struct virtio_gpu_set_scanout_blob *req = request;
    uint32_t index = le32(req->scanout_id);

    enum virtio_gpu_ctrl_type result;
    struct resource *resource = find_shown(gpu, cmd, index, le32(req->resource_id), &result);
    if (!resource)
        return result;
    if (resource->mem == RESOURCE_2D)
        return command_error(cmd, VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID,
                             "resource %u is no blob: SET_SCANOUT shows it", resource->id);

    const struct picture picture = {
        .width = le32(req->width),
        .height = le32(req->height),
        .stride = le32(req->strides[0]),
        .offset = le32(req->offsets[0]),
        .format = venus_gpu_format_lookup(le32(req->format)),
        .rect = read_rect(&req->r),
    };
    if (!picture.format)
        return command_error(cmd, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER, "no format %u",
                             le32(req->format));
    /* Nothing overflows: the products of 32-bit numbers, and one more, fit into 64 bits. */
    uint64_t row = (uint64_t)picture.width * picture.format->bytes_per_pixel;
    uint64_t size = picture.height ? (uint64_t)picture.stride * (picture.height - 1) + row : 0;
    if (picture.stride < row || picture.stride % picture.format->bytes_per_pixel ||
        picture.offset % picture.format->bytes_per_pixel || picture.offset > resource->size ||
        size > resource->size - picture.offset)
        return command_error(cmd, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
                             "%u x %u pixels, stride %u, offset %llu in a blob of %llu bytes",
                             picture.width, picture.height, picture.stride,
                             (unsigned long long)picture.offset,
                             (unsigned long long)resource->size);
    return set_scanout(gpu, cmd, index, resource, &picture);
}

/* The part of a rectangle of the resource that the scanout shows, relative to the frame. */
static bool visible_part(const struct scanout *scanout, const struct venus_gpu_rect *rect,
                         struct venus_gpu_rect *part)
{
    const struct venus_gpu_rect *all = &scanout->rect;
    uint64_t left = rect->x > all->x ? rect->x : all->x;
    uint64_t top = rect->y > all->y ? rect->y : all->y;
    uint64_t right = (uint64_t)rect->x + rect->width;
    uint64_t bottom = (uint64_t)rect->y + rect->height;
    if (right > (uint64_t)all->x + all->width)
        right = (uint64_t)all->x + all->width;
    if (bottom > (uint64_t)all->y + all->height)
        bottom = (uint64_t)all->y + all->height;
    if (left >= right || top >= bottom)
        return false;
    *part = (struct venus_gpu_rect){
        .x = (uint32_t)(left - all->x),
        .y = (uint32_t)(top - all->y),
        .width = (uint32_t)(right - left),
        .height = (uint32_t)(bottom - top),
    };
    return true;
}

/* Hand a flush to whoever shows the scanout. */
static void flush_scanout(struct venus_gpu *gpu, struct command *cmd, unsigned index,
                          const struct venus_gpu_rect *part)
{
    struct venus_gpu_flush *flush = flush_create(gpu->flushes, cmd);
    if (!flush) {
        log_line(&gpu->services.log, VENUS_GPU_LOG_WARNING,
                 "no memory to show a frame: it is skipped");
        return;
    }
    if (present_flush(gpu->present, index, part, flush))
        return;
    if (gpu->services.ops.scanout_flush)
        gpu->services.ops.scanout_flush(gpu->services.opaque, index, part, flush);
    else
        venus_gpu_flush_done(flush);
}

enum virtio_gpu_ctrl_type scanout_flush(struct venus_gpu *gpu, struct command *cmd,
                                        const void *request)
{
    const struct virtio_gpu_resource_flush *req = request;
    const struct venus_gpu_rect rect = read_rect(&req->r);
    struct resource *resource = resource_find_or_refuse(gpu, cmd, le32(req->resource_id));
    if (!resource)
        return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
    /* A blob has no width and height of its own; there the scanout clips. */
    if (resource->mem == RESOURCE_2D && !rect_within(&rect, resource->width, resource->height))
        return command_error(cmd, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
                             "the rectangle %u x %u at (%u, %u) is not within %u x %u", rect.width,
                             rect.height, rect.x, rect.y, resource->width, resource->height);

    bool shown = false;
    for (unsigned i = 0; i < gpu->services.config.num_outputs; i++) {
        struct scanout *scanout = &gpu->scanouts->scanout[i];
        struct venus_gpu_rect part;
        if (scanout->resource != resource || !visible_part(scanout, &rect, &part))
            continue;
        shown = true;
        const struct venus_gpu_frame *frame = scanout->frame;
        uint64_t start = scanout->offset + (uint64_t)part.y * frame->stride;
        resource_refresh(gpu, resource, start, rows_size(frame, part.height));
        flush_scanout(gpu, cmd, i, &part);
    }
    if (shown)
        stat_add(&gpu->services.stats, STAT_FLUSHES, 1);
    return VIRTIO_GPU_RESP_OK_NODATA;
}

/* ---- saving and loading -------------------------------------------------------------------------- */

/* Whether a guest could have made a scanout show that. */
static bool part_is_possible(const struct resource *resource, const struct part *part)
{
    const struct venus_gpu_rect *rect = &part->rect;
    if (!part->format || !rect->width || !rect->height || rect->width > VENUS_GPU_MAX_SIDE ||
        rect->height > VENUS_GPU_MAX_SIDE || (uint64_t)rect->height * part->stride > INT32_MAX)
        return false;
    uint32_t pixel = part->format->bytes_per_pixel;
    uint64_t start = (uint64_t)rect->y * part->stride + (uint64_t)rect->x * pixel;
    if (part->stride % pixel || part->offset % pixel || start > part->offset ||
        !rect_within(rect, part->stride / pixel, UINT32_MAX) || part->offset > resource->size)
        return false;
    return resource->mem != RESOURCE_2D ||
           (part->format == resource->format && part->stride == resource->stride &&
            part->offset == start && rect_within(rect, resource->width, resource->height));
}

static void load_part(struct venus_gpu *gpu, unsigned index, uint32_t resource_id,
                      const struct part *part, struct stream *stream)
{
    struct resource *resource = resource_find(gpu, resource_id);
    if (!resource || !part_is_possible(resource, part)) {
        stream_fail(stream, -EINVAL, "output %u shows what cannot be shown of resource %u", index,
                    resource_id);
        return;
    }
    int ret = find_memory(gpu, index, resource, part);
    if (ret == 0 && !stream->only_looks)
        ret = show_part(gpu, index, resource, part);
    if (ret == -ERANGE)
        stream_fail(stream, -EINVAL, "output %u shows more of resource %u than there is", index,
                    resource_id);
    else if (ret < 0)
        stream_fail(stream, -ENOMEM, "there is no memory to show resource %u (max_memory)",
                    resource_id);
}

void scanout_stream(struct venus_gpu *gpu, struct stream *stream)
{
    assert_device_thread(&gpu->services);
    for (unsigned i = 0; i < gpu->services.config.num_outputs && !stream->error; i++) {
        const struct scanout *scanout = &gpu->scanouts->scanout[i];
        struct part part = { .rect = scanout->rect, .offset = scanout->offset };
        uint32_t resource_id = scanout->resource ? scanout->resource->id : 0, format = 0;
        if (scanout->frame) {
            part.stride = scanout->frame->stride;
            format = scanout->frame->format->virtio;
        }
        stream_u32(stream, &resource_id);
        if (!resource_id)
            continue;
        stream_u32(stream, &part.rect.x);
        stream_u32(stream, &part.rect.y);
        stream_u32(stream, &part.rect.width);
        stream_u32(stream, &part.rect.height);
        stream_u64(stream, &part.offset);
        stream_u32(stream, &part.stride);
        stream_u32(stream, &format);
        part.format = venus_gpu_format_lookup(format);
        if (!stream->saves && !stream->error)
            load_part(gpu, i, resource_id, &part, stream);
    }
}
