/* SPDX-License-Identifier: MIT */
/*
 * Draws a picture out of a buffer of 32-bit pixels: the shader of shaders/picture.frag and what it needs.
 */
#ifndef PRESENT_BRUSH_H
#define PRESENT_BRUSH_H

#include "vk/vulkan.h"

/* Up to so many pictures can be drawn in one command buffer, and how. */
enum brush_use {
    BRUSH_FRAME,   /* covers what was there */
    BRUSH_POINTER, /* blended over it: its colours are multiplied by its alpha already */
    NUM_BRUSH_USES,
};

struct brush {
    VkDescriptorSetLayout set_layout;
    VkDescriptorPool set_pool;
    VkDescriptorSet sets[NUM_BRUSH_USES];
    VkPipelineLayout layout;
    VkPipeline pipelines[NUM_BRUSH_USES];
};

struct brush_picture {
    VkBuffer buffer;
    VkDeviceSize offset, size; /* of its bytes in there */
    uint32_t width, height;
    uint32_t stride;   /* pixels from one row to the next */
    uint32_t shift[4]; /* of red, green, blue and alpha in a pixel; 32: opaque */
};

/* For images of that format. What was made so far is left to brush_finish(), also on failure. */
VkResult brush_init(struct brush *brush, const struct vulkan *vk, VkFormat format);
void brush_finish(struct brush *brush, const struct vulkan *vk);

/*
 * Record it, inside of rendering: scaled to `to`, but nothing outside of `within`. Once per use and command
 * buffer. VK_ERROR_FORMAT_NOT_SUPPORTED: the picture is larger than the device can read.
 */
VkResult brush_draw(const struct brush *brush, const struct vulkan *vk, VkCommandBuffer commands,
                    enum brush_use use, const struct brush_picture *picture, VkRect2D to,
                    VkRect2D within);

#endif
