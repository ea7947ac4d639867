/* SPDX-License-Identifier: MIT */
/* See exporter.h. */
#include "exporter.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool exporter_init(struct exporter *exporter)
{
    const struct vulkan_choice choice = { .name = getenv("VENUS_TEST_DEVICE") };
    char *why = NULL;
    exporter->vk = vulkan_create(&choice, &why);
    free(why);
    if (!exporter->vk)
        return false;
    VkPhysicalDeviceIDProperties id = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES,
    };
    VkPhysicalDeviceProperties2 properties = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
        .pNext = &id,
    };
    exporter->vk->GetPhysicalDeviceProperties2(exporter->vk->physical, &properties);
    exporter->device = (struct renderer_device){ .name = "the exporter's", .is_only = true };
    memcpy(exporter->device.device_uuid, id.deviceUUID, sizeof(id.deviceUUID));
    memcpy(exporter->device.driver_uuid, id.driverUUID, sizeof(id.driverUUID));
    return true;
}

void exporter_finish(struct exporter *exporter)
{
    vulkan_unref(exporter->vk);
}

bool exporter_allocate(struct exporter *exporter, size_t size, enum renderer_fd type,
                       struct exported *exported)
{
    return exporter_allocate_with(exporter, size, type, 0, 0, exported);
}

/* The memory types that have none of `unwanted`. */
static uint32_t types_without(const struct vulkan *vk, VkMemoryPropertyFlags unwanted)
{
    uint32_t types = 0;
    for (uint32_t i = 0; i < vk->memory.memoryTypeCount; i++) {
        if (!(vk->memory.memoryTypes[i].propertyFlags & unwanted))
            types |= 1u << i;
    }
    return types;
}

bool exporter_allocate_with(struct exporter *exporter, size_t size, enum renderer_fd type,
                            VkMemoryPropertyFlags wanted, VkMemoryPropertyFlags unwanted,
                            struct exported *exported)
{
    struct vulkan *vk = exporter->vk;
    const VkExternalMemoryHandleTypeFlagBits handle =
        type == RENDERER_FD_DMABUF ? VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT
                                   : VK_EXTERNAL_MEMORY_HANDLE_TYPE_OPAQUE_FD_BIT;
    PFN_vkGetMemoryFdKHR get_fd =
        (PFN_vkGetMemoryFdKHR)vk->GetDeviceProcAddr(vk->device, "vkGetMemoryFdKHR");
    const VkExportMemoryAllocateInfo export = {
        .sType = VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO,
        .handleTypes = handle,
    };
    int index = vulkan_memory_type(vk, types_without(vk, unwanted),
                                   VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT |
                                       VK_MEMORY_PROPERTY_HOST_COHERENT_BIT | wanted,
                                   VK_MEMORY_PROPERTY_HOST_CACHED_BIT);
    const VkMemoryAllocateInfo info = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
        .pNext = &export,
        .allocationSize = size,
        .memoryTypeIndex = (uint32_t)index,
    };
    *exported = (struct exported){ .size = size, .fd = -1, .memory_type = index };
    if (!get_fd || index < 0 || (type == RENDERER_FD_DMABUF && !vk->imports_dma_buf) ||
        vk->AllocateMemory(vk->device, &info, NULL, &exported->memory) != VK_SUCCESS)
        return false;
    const VkMemoryGetFdInfoKHR get = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_GET_FD_INFO_KHR,
        .memory = exported->memory,
        .handleType = handle,
    };
    if (vk->MapMemory(vk->device, exported->memory, 0, VK_WHOLE_SIZE, 0, &exported->ptr) ==
            VK_SUCCESS &&
        get_fd(vk->device, &get, &exported->fd) == VK_SUCCESS)
        return true;
    exporter_free(exporter, exported);
    return false;
}

void exporter_free(struct exporter *exporter, struct exported *exported)
{
    exporter->vk->FreeMemory(exporter->vk->device, exported->memory, NULL);
    if (exported->fd >= 0)
        close(exported->fd);
}
