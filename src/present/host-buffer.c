/* SPDX-License-Identifier: MIT */
/* See host-buffer.h. */
#include "present/host-buffer.h"

void host_buffer_finish(const struct vulkan *vk, struct host_buffer *buffer)
{
    if (!vulkan_hangs(vk)) {
        vk->DestroyBuffer(vk->device, buffer->buffer, NULL);
        vk->FreeMemory(vk->device, buffer->memory, NULL);
    }
    *buffer = (struct host_buffer){ .buffer = VK_NULL_HANDLE };
}

VkResult host_buffer_grow(const struct vulkan *vk, struct host_buffer *buffer, VkDeviceSize size)
{
    if (buffer->size >= size)
        return VK_SUCCESS;
    host_buffer_finish(vk, buffer);
    if (size > vk->max_buffer_size)
        return VK_ERROR_FORMAT_NOT_SUPPORTED; /* no GPU could read it either */
    const VkBufferCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
        .size = size,
        .usage = VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT |
                 VK_BUFFER_USAGE_STORAGE_BUFFER_BIT,
        .sharingMode = VK_SHARING_MODE_EXCLUSIVE,
    };
    VkResult result = vk->CreateBuffer(vk->device, &info, NULL, &buffer->buffer);
    if (result != VK_SUCCESS)
        return result;
    VkMemoryRequirements needed;
    vk->GetBufferMemoryRequirements(vk->device, buffer->buffer, &needed);
    int type = vulkan_memory_type(vk, needed.memoryTypeBits,
                                  VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT |
                                      VK_MEMORY_PROPERTY_HOST_COHERENT_BIT,
                                  VK_MEMORY_PROPERTY_HOST_CACHED_BIT);
    const VkMemoryAllocateInfo allocation = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
        .allocationSize = needed.size,
        .memoryTypeIndex = (uint32_t)type,
    };
    result = type < 0 ? VK_ERROR_OUT_OF_DEVICE_MEMORY
                      : vk->AllocateMemory(vk->device, &allocation, NULL, &buffer->memory);
    if (result == VK_SUCCESS)
        result = vk->BindBufferMemory(vk->device, buffer->buffer, buffer->memory, 0);
    if (result == VK_SUCCESS)
        result = vk->MapMemory(vk->device, buffer->memory, 0, VK_WHOLE_SIZE, 0, &buffer->ptr);
    if (result == VK_SUCCESS)
        buffer->size = size;
    else
        host_buffer_finish(vk, buffer);
    return result;
}
