/* SPDX-License-Identifier: MIT */
/*
 * Images that nobody sees: presenting without a window system, for drivers that lack
 * VK_EXT_headless_surface, for measurements, and for tests, which read them back.
 */
#include <stdlib.h>

#include "present/images.h"

enum { RING = 3 };

struct offscreen {
    struct images base;
    VkDeviceMemory memory[RING];
    unsigned next;
    int shown; /* the image presented last; -1: none */
};

static VkResult create_image(struct offscreen *offscreen, unsigned index)
{
    const struct vulkan *vk = offscreen->base.vk;
    struct image *image = &offscreen->base.image[index];
    const VkImageCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
        .imageType = VK_IMAGE_TYPE_2D,
        .format = offscreen->base.format,
        .extent = { offscreen->base.width, offscreen->base.height, 1 },
        .mipLevels = 1,
        .arrayLayers = 1,
        .samples = VK_SAMPLE_COUNT_1_BIT,
        .tiling = VK_IMAGE_TILING_OPTIMAL,
        .usage = VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT | VK_IMAGE_USAGE_TRANSFER_DST_BIT |
                 VK_IMAGE_USAGE_TRANSFER_SRC_BIT,
        .sharingMode = VK_SHARING_MODE_EXCLUSIVE,
        .initialLayout = VK_IMAGE_LAYOUT_UNDEFINED,
    };
    VkResult result = vk->CreateImage(vk->device, &info, NULL, &image->image);
    if (result != VK_SUCCESS)
        return result;
    return images_add_memory(vk, image->image, NULL, &offscreen->memory[index]);
}

static VkResult acquire(struct images *images, uint64_t timeout_ns, unsigned *index,
                        VkSemaphore *ready)
{
    struct offscreen *offscreen = (struct offscreen *)images;
    (void)timeout_ns;
    *index = offscreen->next;
    *ready = VK_NULL_HANDLE;
    offscreen->next = (offscreen->next + 1) % RING;
    return VK_SUCCESS;
}

static VkSemaphore painted(struct images *images, unsigned index)
{
    (void)images, (void)index;
    return VK_NULL_HANDLE;
}

static VkResult present(struct images *images, unsigned index)
{
    ((struct offscreen *)images)->shown = (int)index;
    return VK_SUCCESS;
}

static void destroy(struct images *images)
{
    struct offscreen *offscreen = (struct offscreen *)images;
    struct vulkan *vk = images->vk;
    if (vulkan_hangs(vk)) {
        vulkan_abandon(vk, offscreen);
        return;
    }
    images_destroy_views(images);
    for (unsigned i = 0; i < RING; i++) {
        vk->DestroyImage(vk->device, images->image[i].image, NULL);
        vk->FreeMemory(vk->device, offscreen->memory[i], NULL);
    }
    free(offscreen);
}

static const struct images_kind offscreen_kind = {
    .layout = VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL,
    .acquire = acquire,
    .painted = painted,
    .present = present,
    .destroy = destroy,
};

VkResult offscreen_create(struct vulkan *vk, uint32_t width, uint32_t height,
                          struct images **images)
{
    struct offscreen *offscreen = calloc(1, sizeof(*offscreen));
    if (!offscreen)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    uint32_t most = vk->properties.limits.maxImageDimension2D;
    offscreen->base = (struct images){
        .kind = &offscreen_kind,
        .vk = vk,
        .format = VK_FORMAT_B8G8R8A8_UNORM,
        .width = width < most ? width : most,
        .height = height < most ? height : most,
        .for_width = width,
        .for_height = height,
        .can_copy = true,
        .count = RING,
    };
    offscreen->shown = -1;
    VkResult result = VK_SUCCESS;
    for (unsigned i = 0; i < RING && result == VK_SUCCESS; i++)
        result = create_image(offscreen, i);
    if (result == VK_SUCCESS)
        result = images_create_views(&offscreen->base);
    if (result != VK_SUCCESS) {
        destroy(&offscreen->base);
        return result;
    }
    *images = &offscreen->base;
    return VK_SUCCESS;
}

struct image *offscreen_shown(struct images *images)
{
    struct offscreen *offscreen = (struct offscreen *)images;
    return offscreen->shown < 0 ? NULL : &images->image[offscreen->shown];
}
