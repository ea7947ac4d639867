/* SPDX-License-Identifier: MIT */
/* See import.h. */
#include "present/import.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/protocol.h"
#include "base/services.h"

static const VkBufferUsageFlags usage =
    VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_STORAGE_BUFFER_BIT;

/* Whether a buffer can be made of such memory, and whether it needs an allocation to itself. */
static bool is_importable(const struct vulkan *vk, VkExternalMemoryHandleTypeFlagBits type,
                          bool *dedicated)
{
    const VkPhysicalDeviceExternalBufferInfo info = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_BUFFER_INFO,
        .usage = usage,
        .handleType = type,
    };
    VkExternalBufferProperties properties = {
        .sType = VK_STRUCTURE_TYPE_EXTERNAL_BUFFER_PROPERTIES,
    };
    vk->GetPhysicalDeviceExternalBufferProperties(vk->physical, &info, &properties);
    VkExternalMemoryFeatureFlags features =
        properties.externalMemoryProperties.externalMemoryFeatures;
    *dedicated = features & VK_EXTERNAL_MEMORY_FEATURE_DEDICATED_ONLY_BIT;
    return features & VK_EXTERNAL_MEMORY_FEATURE_IMPORTABLE_BIT;
}

/*
 * The memory type of what is imported. An opaque descriptor does not say of which type it is, though Vulkan
 * wants to be told: so guess. What can be shown was mappable for the one who exported it, and the renderer
 * says whether its mapping is cached, which leaves one type on all drivers that we know.
 */
static int choose_type(const struct vulkan *vk, uint32_t types, uint32_t map_info)
{
    const VkMemoryPropertyFlags cached = VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
    const VkMemoryPropertyFlags visible =
        VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    uint32_t fitting = types;
    for (uint32_t i = 0; map_info && i < vk->memory.memoryTypeCount; i++) {
        bool is_cached = vk->memory.memoryTypes[i].propertyFlags & cached;
        if (is_cached != (map_info == VIRTIO_GPU_MAP_CACHE_CACHED))
            fitting &= ~(1u << i);
    }
    if (map_info && map_info != VIRTIO_GPU_MAP_CACHE_CACHED) {
        int type = vulkan_memory_type(vk, fitting, visible, VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT);
        if (type >= 0)
            return type;
    }
    int type = vulkan_memory_type(vk, fitting, visible, cached);
    return type >= 0 ? type : vulkan_memory_type(vk, types, 0, visible | cached);
}

/* A blob can be larger than any buffer, however small the frame in it is. */
static bool fits_a_buffer(const struct vulkan *vk, const struct memory *memory)
{
    return memory_own_size(memory) <= vk->max_buffer_size;
}

/* Make the buffer, of the memory types that the handle can be and `source`, which ends an allocation's
 * chain, describes. fd: the one that is in there, or NULL; as vulkan_import() has it, once it comes to that. */
static bool make_buffer(struct import *import, const struct memory *memory,
                        VkExternalMemoryHandleTypeFlagBits type, uint32_t types, const void *source,
                        int *fd)
{
    struct vulkan *vk = import->vk;
    bool dedicated;
    if (!fits_a_buffer(vk, memory) || !is_importable(vk, type, &dedicated))
        return false;

    const VkExternalMemoryBufferCreateInfo external = {
        .sType = VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO,
        .handleTypes = type,
    };
    const VkBufferCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
        .pNext = &external,
        .size = memory_own_size(memory),
        .usage = usage,
        .sharingMode = VK_SHARING_MODE_EXCLUSIVE,
    };
    if (vk->CreateBuffer(vk->device, &info, NULL, &import->buffer) != VK_SUCCESS)
        return false;

    VkMemoryRequirements needed;
    vk->GetBufferMemoryRequirements(vk->device, import->buffer, &needed);
    const VkMemoryDedicatedAllocateInfo alone = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_DEDICATED_ALLOCATE_INFO,
        .pNext = source,
        .buffer = import->buffer,
    };
    int index = choose_type(vk, types & needed.memoryTypeBits, memory->map_info);
    const VkMemoryAllocateInfo allocation = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
        .pNext = dedicated ? &alone : source,
        .allocationSize = memory_own_size(memory),
        .memoryTypeIndex = (uint32_t)index,
    };
    if (index < 0 || needed.size > memory_own_size(memory) ||
        vulkan_import(vk, &allocation, fd, &import->device_memory) != VK_SUCCESS)
        goto fail;
    if (vk->BindBufferMemory(vk->device, import->buffer, import->device_memory, 0) == VK_SUCCESS)
        return true;

fail:
    vk->DestroyBuffer(vk->device, import->buffer, NULL);
    vk->FreeMemory(vk->device, import->device_memory, NULL);
    import->buffer = VK_NULL_HANDLE;
    import->device_memory = VK_NULL_HANDLE;
    return false;
}

static bool import_fd(struct import *import, const struct memory *memory,
                      VkExternalMemoryHandleTypeFlagBits type, uint32_t types)
{
    if (!budget_take(&memory->services->budget, BUDGET_DESCRIPTORS, 1))
        return false;
    const VkImportMemoryFdInfoKHR source = {
        .sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_FD_INFO_KHR,
        .handleType = type,
        .fd = fcntl(memory->fd, F_DUPFD_CLOEXEC, 0),
    };
    int fd = source.fd;
    if (fd >= 0 && make_buffer(import, memory, type, types, &source, &fd)) {
        import->services = memory->services;
        return true;
    }
    if (fd >= 0)
        close(fd);
    budget_give_back(&memory->services->budget, BUDGET_DESCRIPTORS, 1);
    return false;
}

static bool import_dma_buf(struct import *import, const struct memory *memory)
{
    const struct vulkan *vk = import->vk;
    if (!vk->imports_dma_buf || memory->fd < 0 || memory->fd_type != RENDERER_FD_DMABUF)
        return false;
    VkMemoryFdPropertiesKHR properties = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_FD_PROPERTIES_KHR,
    };
    return vk->GetMemoryFdPropertiesKHR(vk->device, VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT,
                                        memory->fd, &properties) == VK_SUCCESS &&
           import_fd(import, memory, VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT,
                     properties.memoryTypeBits);
}

static bool import_opaque_fd(struct import *import, const struct memory *memory)
{
    return import->vk->imports_opaque && memory->fd >= 0 && memory->fd_type == RENDERER_FD_OPAQUE &&
           import_fd(import, memory, VK_EXTERNAL_MEMORY_HANDLE_TYPE_OPAQUE_FD_BIT, UINT32_MAX);
}

static bool import_host_pointer(struct import *import, const struct memory *memory)
{
    const struct vulkan *vk = import->vk;
    const VkExternalMemoryHandleTypeFlagBits type =
        VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT;
    VkDeviceSize alignment = vk->host_pointer_alignment;
    if (!vk->imports_host_pointer || !alignment || !memory->ptr ||
        (uintptr_t)memory->ptr % alignment || memory_own_size(memory) % alignment)
        return false;
    VkMemoryHostPointerPropertiesEXT properties = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_HOST_POINTER_PROPERTIES_EXT,
    };
    const VkImportMemoryHostPointerInfoEXT source = {
        .sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_HOST_POINTER_INFO_EXT,
        .handleType = type,
        .pHostPointer = memory->ptr,
    };
    return vk->GetMemoryHostPointerPropertiesEXT(vk->device, type, memory->ptr, &properties) ==
               VK_SUCCESS &&
           make_buffer(import, memory, type, properties.memoryTypeBits, &source, NULL);
}

void import_unref(struct import *import)
{
    /* Whoever is the last sees what all others did with it. */
    if (!import || atomic_fetch_sub_explicit(&import->refs, 1, memory_order_acq_rel) != 1)
        return;
    struct vulkan *vk = import->vk;
    if (vulkan_hangs(vk)) {
        vulkan_abandon(vk, import);
        return;
    }
    vk->DestroyBuffer(vk->device, import->buffer, NULL);
    vk->FreeMemory(vk->device, import->device_memory, NULL);
    if (import->services)
        budget_give_back(&import->services->budget, BUDGET_DESCRIPTORS, 1);
    vulkan_unref(import->vk);
    free(import);
}

static void memory_gone(struct memory_companion *companion)
{
    import_unref((struct import *)companion);
}

static struct import *import_create(struct vulkan *vk, const struct memory *memory)
{
    struct import *import = calloc(1, sizeof(*import));
    if (!import)
        return NULL;
    import->companion.memory_gone = memory_gone;
    atomic_init(&import->refs, 1);
    import->vk = vulkan_ref(vk);
    if (import_dma_buf(import, memory))
        import->tier = IMPORT_DMA_BUF;
    else if (import_opaque_fd(import, memory))
        import->tier = IMPORT_OPAQUE_FD;
    else if (import_host_pointer(import, memory))
        import->tier = IMPORT_HOST_POINTER;
    else
        import->tier = IMPORT_STAGING;
    stat_add(&memory->services->stats, STAT_PRESENT_IMPORTS, 1);
    return import;
}

/* What is cached with the memory, if it belongs to this device. */
static struct import *cached(struct vulkan *vk, struct memory *memory)
{
    pthread_mutex_lock(&memory->services->lock);
    struct import *import = (struct import *)memory->companion;
    if (import && import->vk == vk)
        atomic_fetch_add_explicit(&import->refs, 1, memory_order_relaxed);
    else
        import = NULL;
    pthread_mutex_unlock(&memory->services->lock);
    return import;
}

struct import *import_get(struct vulkan *vk, struct memory *memory)
{
    struct import *import = cached(vk, memory);
    if (import)
        return import;
    import = import_create(vk, memory);
    if (!import)
        return NULL;

    /* Another presenter may have been faster, or the import there is of a device that was lost. */
    atomic_fetch_add_explicit(&import->refs, 1, memory_order_relaxed);
    pthread_mutex_lock(&memory->services->lock);
    struct memory_companion *old = memory->companion;
    memory->companion = &import->companion;
    pthread_mutex_unlock(&memory->services->lock);
    if (old)
        old->memory_gone(old);
    return import;
}
