/* SPDX-License-Identifier: MIT */
/* See images.h: what the kinds have in common. */
#include "present/images.h"

VkResult images_add_memory(const struct vulkan *vk, VkImage image, const void *more,
                           VkDeviceMemory *memory)
{
    VkMemoryRequirements needed;
    vk->GetImageMemoryRequirements(vk->device, image, &needed);
    const VkMemoryAllocateInfo allocation = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
        .pNext = more,
        .allocationSize = needed.size,
        .memoryTypeIndex = (uint32_t)vulkan_memory_type(vk, needed.memoryTypeBits, 0,
                                                        VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT),
    };
    VkResult result = vk->AllocateMemory(vk->device, &allocation, NULL, memory);
    if (result != VK_SUCCESS) {
        *memory = VK_NULL_HANDLE;
        return result;
    }
    return vk->BindImageMemory(vk->device, image, *memory, 0);
}

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
