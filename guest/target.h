/* SPDX-License-Identifier: MIT */
/* Something to draw on that needs no display, and that the CPU can look at afterwards. */
#ifndef GUEST_TARGET_H
#define GUEST_TARGET_H

#include "vk.h"

struct target {
    VkFormat format; /* R8G8B8A8 or B8G8R8A8, UNORM */
    uint32_t width, height;
    struct vk_image colour, depth;
    struct vk_pass pass;
    struct vk_buffer pixels; /* row after row, once what target_end recorded is done */
};

/* `depth` is the format of a depth image beside it, or VK_FORMAT_UNDEFINED for none. */
void target_create(struct target *target, const struct vk *vk, VkFormat format, VkFormat depth,
                   uint32_t width, uint32_t height);
void target_destroy(struct target *target, const struct vk *vk);

/* Begins to draw, on this colour; target_end ends that and copies the picture to the pixels. */
void target_begin(const struct target *target, VkCommandBuffer commands, const float colour[4]);
void target_end(const struct target *target, VkCommandBuffer commands);

/* The CRC-32 of the pixels' bytes, and the pixels as a picture. */
uint32_t target_crc(const struct target *target);
void target_write_png(const struct target *target, const char *path);

#endif
