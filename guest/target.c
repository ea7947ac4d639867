/* SPDX-License-Identifier: MIT */
/* An image, a depth image and a buffer to read them back: see target.h. */
#include "target.h"

#include <stdlib.h>

#include "common.h"
#include "png.h"

void target_create(struct target *target, const struct vk *vk, VkFormat format, VkFormat depth,
                   uint32_t width, uint32_t height)
{
    *target = (struct target){ .format = format, .width = width, .height = height };
    target->colour =
        vk_image_create(vk, format, width, height,
                        VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT | VK_IMAGE_USAGE_TRANSFER_SRC_BIT);
    if (depth != VK_FORMAT_UNDEFINED)
        target->depth =
            vk_image_create(vk, depth, width, height, VK_IMAGE_USAGE_DEPTH_STENCIL_ATTACHMENT_BIT);
    target->pass =
        vk_pass_create(vk, format, target->colour.view, depth, target->depth.view, width, height);
    target->pixels = vk_readback_create(vk, 4 * (VkDeviceSize)width * height);
}

void target_destroy(struct target *target, const struct vk *vk)
{
    vk_buffer_destroy(vk, &target->pixels);
    vk_pass_destroy(vk, &target->pass);
    vk_image_destroy(vk, &target->depth);
    vk_image_destroy(vk, &target->colour);
}

void target_begin(const struct target *target, VkCommandBuffer commands, const float colour[4])
{
    vk_change_layout(commands, target->colour.image, VK_IMAGE_LAYOUT_UNDEFINED,
                     VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL);
    if (target->depth.image)
        vk_change_layout_of(commands, target->depth.image, VK_IMAGE_ASPECT_DEPTH_BIT,
                            VK_IMAGE_LAYOUT_UNDEFINED,
                            VK_IMAGE_LAYOUT_DEPTH_STENCIL_ATTACHMENT_OPTIMAL);
    vk_begin_rendering(commands, &target->pass, colour);
}

void target_end(const struct target *target, VkCommandBuffer commands)
{
    const VkBufferImageCopy region = vk_whole(target->width, target->height);

    vk_end_rendering(commands);
    vk_change_layout(commands, target->colour.image, VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL,
                     VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL);
    vkCmdCopyImageToBuffer(commands, target->colour.image, VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL,
                           target->pixels.buffer, 1, &region);
    vk_show_to_cpu(commands);
}

uint32_t target_crc(const struct target *target)
{
    return png_crc(0, target->pixels.data, target->pixels.size);
}

void target_write_png(const struct target *target, const char *path)
{
    const size_t count = (size_t)target->width * target->height;
    const bool swap = target->format == VK_FORMAT_B8G8R8A8_UNORM;
    const uint8_t *from = target->pixels.data;
    uint8_t *rgba = malloc(4 * count);

    if (!rgba)
        die("no memory for a picture of %zu pixels", count);
    for (size_t i = 0; i < 4 * count; i += 4) {
        rgba[i] = from[i + (swap ? 2 : 0)];
        rgba[i + 1] = from[i + 1];
        rgba[i + 2] = from[i + (swap ? 0 : 2)];
        rgba[i + 3] = from[i + 3];
    }
    png_write(path, rgba, target->width, target->height);
    free(rgba);
}
