/* SPDX-License-Identifier: MIT */
/* See painter.h. */
#include "present/painter.h"

#include <stdlib.h>
#include <string.h>

#include "present/brush.h"
#include "present/host-buffer.h"

struct painter {
    struct vulkan *vk;
    VkFormat format;
    VkCommandPool pool;
    VkCommandBuffer commands;
    VkFence done;
    bool submitted; /* and not waited for */
    struct brush brush;
    struct host_buffer staging, pointer;
    bool copied;
    uint64_t staged;
};

static VkResult create_commands(struct painter *painter)
{
    const struct vulkan *vk = painter->vk;
    const VkCommandPoolCreateInfo pool = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
        .flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT,
        .queueFamilyIndex = vk->family,
    };
    VkResult result = vk->CreateCommandPool(vk->device, &pool, NULL, &painter->pool);
    if (result != VK_SUCCESS)
        return result;
    const VkCommandBufferAllocateInfo commands = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
        .commandPool = painter->pool,
        .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
        .commandBufferCount = 1,
    };
    result = vk->AllocateCommandBuffers(vk->device, &commands, &painter->commands);
    if (result != VK_SUCCESS)
        return result;
    const VkFenceCreateInfo fence = { .sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO };
    return vk->CreateFence(vk->device, &fence, NULL, &painter->done);
}

struct painter *painter_create(struct vulkan *vk, VkFormat format, VkResult *result)
{
    struct painter *painter = calloc(1, sizeof(*painter));
    if (!painter) {
        *result = VK_ERROR_OUT_OF_HOST_MEMORY;
        return NULL;
    }
    painter->vk = vulkan_ref(vk);
    painter->format = format;
    *result = create_commands(painter);
    if (*result == VK_SUCCESS)
        *result = brush_init(&painter->brush, vk, format);
    if (*result == VK_SUCCESS)
        return painter;
    painter_destroy(painter);
    return NULL;
}

void painter_destroy(struct painter *painter)
{
    if (!painter)
        return;
    struct vulkan *vk = painter->vk;
    painter_wait(painter);
    if (vulkan_hangs(vk)) {
        vulkan_abandon(vk, painter);
        return;
    }
    host_buffer_finish(vk, &painter->staging);
    host_buffer_finish(vk, &painter->pointer);
    brush_finish(&painter->brush, vk);
    vk->DestroyFence(vk->device, painter->done, NULL);
    vk->DestroyCommandPool(vk->device, painter->pool, NULL);
    vulkan_unref(vk);
    free(painter);
}

VkResult painter_set_pointer(struct painter *painter, const uint32_t *pixels, uint32_t width,
                             uint32_t height)
{
    VkDeviceSize size = (VkDeviceSize)width * height * 4;
    if (!size)
        return VK_SUCCESS;
    VkResult result = host_buffer_grow(painter->vk, &painter->pointer, size);
    if (result == VK_SUCCESS)
        memcpy(painter->pointer.ptr, pixels, size);
    return result;
}

void rect_add(struct venus_gpu_rect *sum, const struct venus_gpu_rect *rect)
{
    if (!rect->width || !rect->height)
        return;
    if (!sum->width) {
        *sum = *rect;
        return;
    }
    uint32_t right = sum->x + sum->width, bottom = sum->y + sum->height;
    if (rect->x + rect->width > right)
        right = rect->x + rect->width;
    if (rect->y + rect->height > bottom)
        bottom = rect->y + rect->height;
    sum->x = sum->x < rect->x ? sum->x : rect->x;
    sum->y = sum->y < rect->y ? sum->y : rect->y;
    sum->width = right - sum->x;
    sum->height = bottom - sum->y;
}

VkRect2D painter_place(uint32_t frame_width, uint32_t frame_height, uint32_t width, uint32_t height)
{
    uint32_t image_width = width, image_height = height;
    if (!frame_width || !frame_height)
        frame_width = frame_height = 1;
    if ((uint64_t)width * frame_height > (uint64_t)height * frame_width)
        width = (uint32_t)((uint64_t)height * frame_width / frame_height);
    else
        height = (uint32_t)((uint64_t)width * frame_height / frame_width);
    width = width ? width : 1;
    height = height ? height : 1;
    return (VkRect2D){
        .offset = { (int32_t)(image_width - width) / 2, (int32_t)(image_height - height) / 2 },
        .extent = { width, height },
    };
}

/* A buffer, and where in it the frame starts, and how far apart its rows are, in bytes. Whatever Vulkan's
 * 32-bit numbers have to hold of it they do, by the bounds of struct venus_gpu_frame. */
struct source {
    VkBuffer buffer;
    VkDeviceSize offset;
    uint32_t stride;
};

static uint32_t row_size(const struct venus_gpu_frame *frame)
{
    return frame->width * frame->format->bytes_per_pixel;
}

/* Copy rows of the frame side by side: what is between them can be gigabytes, and is nobody's picture. */
static void copy_rows(char *to, const struct venus_gpu_frame *frame, uint32_t y, uint32_t height)
{
    size_t row = row_size(frame);
    const char *from = (const char *)frame->pixels + (size_t)y * frame->stride;
    to += y * row;
    if (row == frame->stride) {
        memcpy(to, from, row * height);
        return;
    }
    for (uint32_t i = 0; i < height; i++)
        memcpy(to + i * row, from + (size_t)i * frame->stride, row);
}

/* Where the GPU finds the frame. Where it was not imported, copy the rows that are needed. */
static VkResult find_source(struct painter *painter, const struct painting *painting,
                            const struct venus_gpu_rect *needed, struct source *source)
{
    const struct venus_gpu_frame *frame = painting->frame;
    painter->staged = 0;
    if (painting->import->tier != IMPORT_STAGING) {
        source->buffer = painting->import->buffer;
        source->offset = painting->offset;
        source->stride = frame->stride;
        return VK_SUCCESS;
    }
    if (!frame->pixels)
        return VK_ERROR_INVALID_EXTERNAL_HANDLE; /* nobody can read it */
    VkDeviceSize row = row_size(frame);
    VkResult result = host_buffer_grow(painter->vk, &painter->staging, row * frame->height);
    if (result != VK_SUCCESS)
        return result;
    copy_rows(painter->staging.ptr, frame, needed->y, needed->height);
    painter->staged = row * needed->height;
    source->buffer = painter->staging.buffer;
    source->offset = 0;
    source->stride = row_size(frame);
    return VK_SUCCESS;
}

/* Where a mask of 8 bits stands. */
static uint32_t shift_of(uint32_t mask)
{
    return mask ? (uint32_t)__builtin_ctz(mask) : 32;
}

/* Whether the bytes of a frame are those of an image with that format. */
static bool same_bytes(const struct venus_gpu_format *format, VkFormat image)
{
    /* As bytes, on the little-endian machines that we run on, the packed one is the same. */
    if (image == VK_FORMAT_A8B8G8R8_UNORM_PACK32)
        image = VK_FORMAT_R8G8B8A8_UNORM;
    return format->vk == (uint32_t)image;
}

static void image_barrier(const struct vulkan *vk, VkCommandBuffer commands, VkImage image,
                          VkImageLayout from, VkImageLayout to)
{
    const VkImageMemoryBarrier barrier = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_MEMORY_BARRIER,
        .srcAccessMask = VK_ACCESS_MEMORY_READ_BIT | VK_ACCESS_MEMORY_WRITE_BIT,
        .dstAccessMask = VK_ACCESS_MEMORY_READ_BIT | VK_ACCESS_MEMORY_WRITE_BIT,
        .oldLayout = from,
        .newLayout = to,
        .srcQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED,
        .dstQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED,
        .image = image,
        .subresourceRange = { VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1 },
    };
    vk->CmdPipelineBarrier(commands, VK_PIPELINE_STAGE_ALL_COMMANDS_BIT,
                           VK_PIPELINE_STAGE_ALL_COMMANDS_BIT, 0, 0, NULL, 0, NULL, 1, &barrier);
}

/*
 * Who else writes the frame. An opaque descriptor is of the same device and driver, in another process; a
 * dma-buf may be of any. What is left has no queue at all.
 */
static uint32_t family_of_others(const struct vulkan *vk, enum import_tier tier)
{
    return tier == IMPORT_DMA_BUF     ? vk->foreign_family
           : tier == IMPORT_OPAQUE_FD ? VK_QUEUE_FAMILY_EXTERNAL
                                      : VK_QUEUE_FAMILY_IGNORED;
}

/*
 * What another process's GPU or a processor wrote into the frame is to be seen by ours. For memory from
 * another Vulkan that takes an acquisition from outside, and giving it back afterwards.
 */
static void source_barrier(const struct vulkan *vk, VkCommandBuffer commands,
                           const struct source *source, enum import_tier tier, bool acquire)
{
    uint32_t outside = family_of_others(vk, tier);
    bool foreign = outside != VK_QUEUE_FAMILY_IGNORED;
    uint32_t inside = foreign ? vk->family : VK_QUEUE_FAMILY_IGNORED;
    if (!acquire && !foreign)
        return;
    const VkBufferMemoryBarrier barrier = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_MEMORY_BARRIER,
        .srcAccessMask = acquire && !foreign ? VK_ACCESS_HOST_WRITE_BIT : 0,
        .dstAccessMask = acquire ? VK_ACCESS_TRANSFER_READ_BIT | VK_ACCESS_SHADER_READ_BIT : 0,
        .srcQueueFamilyIndex = acquire ? outside : inside,
        .dstQueueFamilyIndex = acquire ? inside : outside,
        .buffer = source->buffer,
        .size = VK_WHOLE_SIZE,
    };
    const VkPipelineStageFlags reading =
        VK_PIPELINE_STAGE_TRANSFER_BIT | VK_PIPELINE_STAGE_FRAGMENT_SHADER_BIT;
    VkPipelineStageFlags writing =
        foreign ? VK_PIPELINE_STAGE_TOP_OF_PIPE_BIT : VK_PIPELINE_STAGE_HOST_BIT;
    vk->CmdPipelineBarrier(commands, acquire ? writing : reading,
                           acquire ? reading : VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, 0, 0, NULL, 1,
                           &barrier, 0, NULL);
}

static void record_copy(const struct painter *painter, VkImage image,
                        const struct venus_gpu_frame *frame, const struct source *source,
                        const struct venus_gpu_rect *rect)
{
    uint32_t pixel = frame->format->bytes_per_pixel;
    const VkBufferImageCopy region = {
        .bufferOffset =
            source->offset + (VkDeviceSize)rect->y * source->stride + (VkDeviceSize)rect->x * pixel,
        .bufferRowLength = source->stride / pixel,
        .imageSubresource = { VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, 1 },
        .imageOffset = { (int32_t)rect->x, (int32_t)rect->y, 0 },
        .imageExtent = { rect->width, rect->height, 1 },
    };
    painter->vk->CmdCopyBufferToImage(painter->commands, source->buffer, image,
                                      VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL, 1, &region);
}

static void begin_rendering(const struct painter *painter, const struct images *images,
                            const struct image *image, bool keep)
{
    const VkRenderingAttachmentInfo attachment = {
        .sType = VK_STRUCTURE_TYPE_RENDERING_ATTACHMENT_INFO,
        .imageView = image->view,
        .imageLayout = VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL,
        .loadOp = keep ? VK_ATTACHMENT_LOAD_OP_LOAD : VK_ATTACHMENT_LOAD_OP_CLEAR,
        .storeOp = VK_ATTACHMENT_STORE_OP_STORE,
        .clearValue.color.float32 = { 0.0f, 0.0f, 0.0f, 1.0f },
    };
    const VkRenderingInfo info = {
        .sType = VK_STRUCTURE_TYPE_RENDERING_INFO,
        .renderArea.extent = { images->width, images->height },
        .layerCount = 1,
        .colorAttachmentCount = 1,
        .pColorAttachments = &attachment,
    };
    painter->vk->CmdBeginRendering(painter->commands, &info);
}

static VkResult record_frame(const struct painter *painter, const struct venus_gpu_frame *frame,
                             const struct source *source, VkRect2D to)
{
    const struct venus_gpu_format *format = frame->format;
    const struct brush_picture picture = {
        .buffer = source->buffer,
        .offset = source->offset,
        .size = (VkDeviceSize)(frame->height - 1) * source->stride + row_size(frame),
        .width = frame->width,
        .height = frame->height,
        .stride = source->stride / format->bytes_per_pixel,
        .shift = { shift_of(format->red), shift_of(format->green), shift_of(format->blue), 32 },
    };
    return brush_draw(&painter->brush, painter->vk, painter->commands, BRUSH_FRAME, &picture, to,
                      to);
}

static int32_t floor_of(double number)
{
    int32_t whole = (int32_t)number; /* towards zero */
    return number < whole ? whole - 1 : whole;
}

/* The pointer goes with the frame: what scales that scales it, and where that ends it ends. */
static VkResult record_pointer(const struct painter *painter, const struct painting *painting,
                               VkRect2D to)
{
    const struct pointer *pointer = &painting->pointer;
    const struct venus_gpu_frame *frame = painting->frame;
    double x_scale = (double)to.extent.width / frame->width;
    double y_scale = (double)to.extent.height / frame->height;
    VkRect2D place = {
        .offset = { to.offset.x + floor_of(pointer->x * x_scale),
                    to.offset.y + floor_of(pointer->y * y_scale) },
        .extent = { (uint32_t)(pointer->width * x_scale + 0.5),
                    (uint32_t)(pointer->height * y_scale + 0.5) },
    };
    if (!place.extent.width || !place.extent.height)
        return VK_SUCCESS;
    const struct brush_picture picture = {
        .buffer = painter->pointer.buffer,
        .size = (VkDeviceSize)pointer->width * pointer->height * 4,
        .width = pointer->width,
        .height = pointer->height,
        .stride = pointer->width,
        .shift = { 16, 8, 0, 24 },
    };
    return brush_draw(&painter->brush, painter->vk, painter->commands, BRUSH_POINTER, &picture,
                      place, to);
}

static bool is_within(const struct venus_gpu_rect *rect, const struct venus_gpu_frame *frame)
{
    return rect->x + rect->width <= frame->width && rect->y + rect->height <= frame->height;
}

/* The part of the frame that the pointer covers. */
static struct venus_gpu_rect covered(const struct pointer *pointer,
                                     const struct venus_gpu_frame *frame)
{
    int64_t left = pointer->x > 0 ? pointer->x : 0, top = pointer->y > 0 ? pointer->y : 0;
    int64_t right = (int64_t)pointer->x + pointer->width;
    int64_t bottom = (int64_t)pointer->y + pointer->height;
    right = right < frame->width ? right : frame->width;
    bottom = bottom < frame->height ? bottom : frame->height;
    if (!pointer->visible || left >= right || top >= bottom)
        return (struct venus_gpu_rect){ .width = 0 };
    return (struct venus_gpu_rect){ (uint32_t)left, (uint32_t)top, (uint32_t)(right - left),
                                    (uint32_t)(bottom - top) };
}

/* Record it all, for an image whose stale part is up to date. */
static VkResult record(struct painter *painter, struct images *images, struct image *image,
                       const struct painting *painting)
{
    const struct vulkan *vk = painter->vk;
    const struct venus_gpu_frame *frame = painting->frame;
    const struct venus_gpu_rect all = { .width = frame->width, .height = frame->height };
    VkRect2D to = painter_place(frame->width, frame->height, images->width, images->height);
    struct venus_gpu_rect under_pointer = covered(&painting->pointer, frame);
    bool points = under_pointer.width;
    painter->copied = images->can_copy && frame->width == images->width &&
                      frame->height == images->height && same_bytes(frame->format, images->format);
    /* What is stale may date from a larger frame. */
    if (!image->painted || !painter->copied || !is_within(&image->stale, frame))
        image->stale = all;

    struct source source;
    VkResult result = find_source(painter, painting, &image->stale, &source);
    if (result != VK_SUCCESS)
        return result;

    VkImageLayout layout = image->painted ? images->kind->layout : VK_IMAGE_LAYOUT_UNDEFINED;
    source_barrier(vk, painter->commands, &source, painting->import->tier, true);
    if (painter->copied && image->stale.width) {
        image_barrier(vk, painter->commands, image->image, layout,
                      VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL);
        layout = VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL;
        record_copy(painter, image->image, frame, &source, &image->stale);
    }
    if (!painter->copied || points) {
        image_barrier(vk, painter->commands, image->image, layout,
                      VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL);
        layout = VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL;
        begin_rendering(painter, images, image, painter->copied);
        if (!painter->copied)
            result = record_frame(painter, frame, &source, to);
        if (result == VK_SUCCESS && points)
            result = record_pointer(painter, painting, to);
        vk->CmdEndRendering(painter->commands);
    }
    source_barrier(vk, painter->commands, &source, painting->import->tier, false);
    if (layout != images->kind->layout)
        image_barrier(vk, painter->commands, image->image, layout, images->kind->layout);
    image->stale = under_pointer;
    return result;
}

static VkResult begin(const struct painter *painter)
{
    const VkCommandBufferBeginInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
        .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT,
    };
    return painter->vk->BeginCommandBuffer(painter->commands, &info);
}

static VkResult submit(struct painter *painter, VkSemaphore ready, VkSemaphore painted)
{
    struct vulkan *vk = painter->vk;
    VkResult result = vk->EndCommandBuffer(painter->commands);
    if (result != VK_SUCCESS)
        return result;
    const VkPipelineStageFlags stage = VK_PIPELINE_STAGE_ALL_COMMANDS_BIT;
    const VkSubmitInfo info = {
        .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
        .waitSemaphoreCount = ready != VK_NULL_HANDLE,
        .pWaitSemaphores = &ready,
        .pWaitDstStageMask = &stage,
        .commandBufferCount = 1,
        .pCommandBuffers = &painter->commands,
        .signalSemaphoreCount = painted != VK_NULL_HANDLE,
        .pSignalSemaphores = &painted,
    };
    pthread_mutex_lock(&vk->queue_lock);
    result = vk->QueueSubmit(vk->queue, 1, &info, painter->done);
    pthread_mutex_unlock(&vk->queue_lock);
    painter->submitted = result == VK_SUCCESS;
    return result;
}

VkResult painter_paint(struct painter *painter, struct images *images, unsigned index,
                       const struct painting *painting, VkSemaphore ready, VkSemaphore painted)
{
    VkResult result = begin(painter);
    if (result == VK_SUCCESS) {
        result = record(painter, images, &images->image[index], painting);
        if (result == VK_SUCCESS)
            result = submit(painter, ready, painted);
        else
            painter->vk->EndCommandBuffer(painter->commands); /* so that others can be recorded */
    }
    images->image[index].painted = result == VK_SUCCESS;
    return result;
}

VkResult painter_wait(struct painter *painter)
{
    if (!painter->submitted)
        return VK_SUCCESS;
    painter->submitted = false;
    return vulkan_wait(painter->vk, painter->done);
}

VkFormat painter_format(const struct painter *painter)
{
    return painter->format;
}

bool painter_copied(const struct painter *painter)
{
    return painter->copied;
}

uint64_t painter_staged(const struct painter *painter)
{
    return painter->staged;
}

VkResult painter_read(struct painter *painter, const struct images *images,
                      const struct image *image, void *pixels)
{
    const struct vulkan *vk = painter->vk;
    struct host_buffer buffer = { .size = 0 };
    VkDeviceSize size = (VkDeviceSize)images->width * images->height * 4;
    VkResult result = host_buffer_grow(vk, &buffer, size);
    if (result == VK_SUCCESS)
        result = begin(painter);
    if (result == VK_SUCCESS) {
        const VkBufferImageCopy region = {
            .imageSubresource = { VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, 1 },
            .imageExtent = { images->width, images->height, 1 },
        };
        vk->CmdCopyImageToBuffer(painter->commands, image->image, images->kind->layout,
                                 buffer.buffer, 1, &region);
        result = submit(painter, VK_NULL_HANDLE, VK_NULL_HANDLE);
    }
    if (result == VK_SUCCESS)
        result = painter_wait(painter);
    if (result == VK_SUCCESS)
        memcpy(pixels, buffer.ptr, size);
    host_buffer_finish(vk, &buffer);
    return result;
}
