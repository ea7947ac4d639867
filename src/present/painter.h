/* SPDX-License-Identifier: MIT */
/*
 * Puts a frame on an image, and the pointer on top: the commands for the GPU.
 *
 * A frame that is as large as the image and has its bytes in the same order is copied, and only where the
 * image differs from it. Any other is drawn: by one shader, which reads the frame as a buffer of words, so
 * that every format, stride, offset and scale is the same to it. A frame of another shape than the image
 * is as large as fits, in the middle.
 */
#ifndef PRESENT_PAINTER_H
#define PRESENT_PAINTER_H

#include <stdbool.h>
#include <stdint.h>

#include "present/images.h"
#include "present/import.h"
#include "vk/vulkan.h"

struct painter;

/* The guest's pointer. */
struct pointer {
    bool visible;
    int32_t x, y;           /* of the image's first pixel, on the frame */
    uint32_t width, height; /* pixels; 0 x 0: none */
};

struct painting {
    const struct venus_gpu_frame *frame;
    struct import *import;        /* of the frame's memory */
    uint64_t offset;              /* of the frame's first pixel in it, in bytes */
    struct venus_gpu_rect damage; /* what changed since the last painting, relative to the frame */
    struct pointer pointer;
};

/* For images of that format. NULL on failure, with the reason in *result. */
struct painter *painter_create(struct vulkan *vk, VkFormat format, VkResult *result);
void painter_destroy(struct painter *painter); /* takes NULL */
VkFormat painter_format(const struct painter *painter);

/* The pointer's picture from now on: premultiplied A8R8G8B8 words in rows. */
VkResult painter_set_pointer(struct painter *painter, const uint32_t *pixels, uint32_t width,
                             uint32_t height);

/* Where a frame of that size goes on an image of that size. */
VkRect2D painter_place(uint32_t frame_width, uint32_t frame_height, uint32_t width,
                       uint32_t height);

/* What has to be painted anew, where an image's stale part grows by `damage`. */
void rect_add(struct venus_gpu_rect *sum, const struct venus_gpu_rect *rect);

/*
 * Submit the painting of images->image[index], once `ready` has signalled; `painted` then signals.
 * VK_ERROR_FORMAT_NOT_SUPPORTED: the frame is larger than the device can read.
 */
VkResult painter_paint(struct painter *painter, struct images *images, unsigned index,
                       const struct painting *painting, VkSemaphore ready, VkSemaphore painted);

/* Wait until the GPU is done with what was submitted last: then the frame has been read. */
VkResult painter_wait(struct painter *painter);

/* How it was done, for statistics: by copying, or by drawing; bytes copied by a processor. */
bool painter_copied(const struct painter *painter);
uint64_t painter_staged(const struct painter *painter);

/* Read the pixels of an image of offscreen.c back, in rows of 4 bytes a pixel; for tests. */
VkResult painter_read(struct painter *painter, const struct images *images,
                      const struct image *image, void *pixels);

#endif
