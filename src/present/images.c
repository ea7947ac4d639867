/* SPDX-License-Identifier: MIT */
/* See images.h: what both kinds have in common. */
#include "present/images.h"

VkResult images_create_views(struct images *images)
{
    const struct vulkan *vk = images->vk;
    for (unsigned i = 0; i < images->count; i++) {
        const VkImageViewCreateInfo info = {
            .sType = VK_STRUCTURE_TYPE_IMAGE_VIEW_CREATE_INFO,
            .image = images->image[i].image,
            .viewType = VK_IMAGE_VIEW_TYPE_2D,
            .format = images->format,
            .subresourceRange = { VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1 },
        };
        VkResult result = vk->CreateImageView(vk->device, &info, NULL, &images->image[i].view);
        if (result != VK_SUCCESS)
            return result;
    }
    return VK_SUCCESS;
}

void images_destroy_views(struct images *images)
{
    for (unsigned i = 0; i < images->count; i++)
        images->vk->DestroyImageView(images->vk->device, images->image[i].view, NULL);
}
