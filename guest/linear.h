/* SPDX-License-Identifier: MIT */
/*
 * Linear images with a dma-buf behind each, for the display to scan out where Vulkan draws. What the
 * host's driver cannot do ends the program with a reason.
 */
#ifndef GUEST_LINEAR_H
#define GUEST_LINEAR_H

#include "kms.h"
#include "vk.h"

/* How this device makes such images. */
struct linear {
    VkImageUsageFlags usage;
    bool modifier; /* linear by a DRM format modifier, not by the tiling */
    bool foreign;  /* memory can be handed to who is no Vulkan */
};

struct linear_image {
    VkImage image;
    VkDeviceMemory memory;
    VkImageView view;
    struct vk_pass pass; /* if it can be drawn on */
    VkSubresourceLayout layout;
    uint32_t framebuffer;
};

/* The Vulkan device, with what it takes to export images of this format and usage. */
void linear_open(struct linear *linear, struct vk *vk, VkFormat format, VkImageUsageFlags usage);
/* The same if it can, or else without; says why it cannot, or NULL. */
const char *linear_try_open(struct linear *linear, struct vk *vk, VkFormat format,
                            VkImageUsageFlags usage);

/* An image, and unless `kms` is NULL a framebuffer that is the same memory, of that DRM format. */
struct linear_image linear_create(const struct linear *linear, const struct vk *vk,
                                  const struct kms *kms, VkFormat format, uint32_t fourcc,
                                  uint32_t width, uint32_t height);
/* Another descriptor of that memory, for the caller to close. */
int linear_export(const struct vk *vk, const struct linear_image *image);
void linear_destroy(const struct vk *vk, struct linear_image *image);

/*
 * Records that what was drawn in layout `from` goes to the display, which is no Vulkan queue. It need
 * not come back if what is drawn next on this image begins with contents undefined; linear_take_back
 * is for who wants to read it, in layout `to`.
 */
void linear_hand_over(const struct linear *linear, const struct vk *vk, VkCommandBuffer commands,
                      VkImage image, VkImageLayout from);
void linear_take_back(const struct linear *linear, const struct vk *vk, VkCommandBuffer commands,
                      VkImage image, VkImageLayout to);

#endif
