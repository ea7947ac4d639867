/* SPDX-License-Identifier: MIT */
/* Vulkan's side of a dma-buf that the display shows: see linear.h. */
#include "linear.h"

#include <drm/drm_fourcc.h>
#include <unistd.h>

#include "common.h"

#define DMA_BUF VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT

static VkImageTiling tiling(bool modifier)
{
    return modifier ? VK_IMAGE_TILING_DRM_FORMAT_MODIFIER_EXT : VK_IMAGE_TILING_LINEAR;
}

/* Whether a linear image, described in one way or the other, can be drawn to and exported. */
static bool exportable(const struct vk *vk, VkFormat format, VkImageUsageFlags usage, bool modifier)
{
    const VkPhysicalDeviceImageDrmFormatModifierInfoEXT linear = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_IMAGE_DRM_FORMAT_MODIFIER_INFO_EXT,
        .drmFormatModifier = DRM_FORMAT_MOD_LINEAR,
        .sharingMode = VK_SHARING_MODE_EXCLUSIVE,
    };
    const VkPhysicalDeviceExternalImageFormatInfo external = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_IMAGE_FORMAT_INFO,
        .pNext = modifier ? &linear : NULL,
        .handleType = DMA_BUF,
    };
    VkExternalImageFormatProperties seen = {
        .sType = VK_STRUCTURE_TYPE_EXTERNAL_IMAGE_FORMAT_PROPERTIES,
    };
    VkImageFormatProperties2 properties = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_FORMAT_PROPERTIES_2,
        .pNext = &seen,
    };
    VkResult result = vkGetPhysicalDeviceImageFormatProperties2(
        vk->physical,
        &(VkPhysicalDeviceImageFormatInfo2){
            .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_IMAGE_FORMAT_INFO_2,
            .pNext = &external,
            .format = format,
            .type = VK_IMAGE_TYPE_2D,
            .tiling = tiling(modifier),
            .usage = usage,
        },
        &properties);

    return result == VK_SUCCESS && seen.externalMemoryProperties.externalMemoryFeatures &
                                       VK_EXTERNAL_MEMORY_FEATURE_EXPORTABLE_BIT;
}

const char *linear_try_open(struct linear *linear, struct vk *vk, VkFormat format,
                            VkImageUsageFlags usage)
{
    const char *extensions[5] = { "VK_KHR_external_memory_fd", "VK_EXT_external_memory_dma_buf" };
    uint32_t count = 2;

    vk_open(vk);
    bool dma_buf = vk_has_extension(vk, extensions[1]);
    bool modifier = dma_buf && vk_has_extension(vk, "VK_EXT_image_drm_format_modifier") &&
                    exportable(vk, format, usage, true);
    *linear =
        (struct linear){ usage, modifier, vk_has_extension(vk, "VK_EXT_queue_family_foreign") };
    if (!dma_buf || (!modifier && !exportable(vk, format, usage, false))) {
        vk_create_device(vk, 0, NULL);
        return dma_buf ? "the host's driver exports no such linear image as a dma-buf"
                       : "the host's driver exports no dma-bufs";
    }
    if (modifier)
        extensions[count++] = "VK_EXT_image_drm_format_modifier";
    if (modifier && vk->version < VK_API_VERSION_1_2)
        extensions[count++] = "VK_KHR_image_format_list"; /* which that one takes */
    if (linear->foreign)
        extensions[count++] = "VK_EXT_queue_family_foreign";
    vk_create_device(vk, count, extensions);
    return NULL;
}

void linear_open(struct linear *linear, struct vk *vk, VkFormat format, VkImageUsageFlags usage)
{
    const char *problem = linear_try_open(linear, vk, format, usage);

    if (problem)
        die("%s: %s", vk->device_name, problem);
}

static VkImage create_image(const struct linear *linear, const struct vk *vk, VkFormat format,
                            uint32_t width, uint32_t height)
{
    const uint64_t plain = DRM_FORMAT_MOD_LINEAR;
    const VkImageDrmFormatModifierListCreateInfoEXT modifiers = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_DRM_FORMAT_MODIFIER_LIST_CREATE_INFO_EXT,
        .drmFormatModifierCount = 1,
        .pDrmFormatModifiers = &plain,
    };
    const VkExternalMemoryImageCreateInfo external = {
        .sType = VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_IMAGE_CREATE_INFO,
        .pNext = linear->modifier ? &modifiers : NULL,
        .handleTypes = DMA_BUF,
    };
    VkImage image;

    VK_CHECK(vkCreateImage(vk->device,
                           &(VkImageCreateInfo){
                               .sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
                               .pNext = &external,
                               .imageType = VK_IMAGE_TYPE_2D,
                               .format = format,
                               .extent = { width, height, 1 },
                               .mipLevels = 1,
                               .arrayLayers = 1,
                               .samples = VK_SAMPLE_COUNT_1_BIT,
                               .tiling = tiling(linear->modifier),
                               .usage = linear->usage,
                           },
                           NULL, &image));
    return image;
}

/* The image's own memory, with a dma-buf to it. The host must see it, to show it. */
static VkDeviceMemory allocate(const struct vk *vk, VkImage image)
{
    const VkMemoryDedicatedAllocateInfo dedicated = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_DEDICATED_ALLOCATE_INFO,
        .image = image,
    };
    const VkExportMemoryAllocateInfo exported = {
        .sType = VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO,
        .pNext = &dedicated,
        .handleTypes = DMA_BUF,
    };
    VkMemoryRequirements needs;
    VkDeviceMemory memory;

    vkGetImageMemoryRequirements(vk->device, image, &needs);
    VkResult result =
        vkAllocateMemory(vk->device,
                         &(VkMemoryAllocateInfo){
                             .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                             .pNext = &exported,
                             .allocationSize = needs.size,
                             .memoryTypeIndex = vk_memory_type(vk, needs.memoryTypeBits,
                                                               VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT),
                         },
                         NULL, &memory);
    if (result != VK_SUCCESS)
        die("no memory with a dma-buf for the image (VkResult %d): the host's driver exports none",
            result);
    return memory;
}

int linear_export(const struct vk *vk, const struct linear_image *image)
{
    PFN_vkGetMemoryFdKHR get_fd =
        (PFN_vkGetMemoryFdKHR)vkGetDeviceProcAddr(vk->device, "vkGetMemoryFdKHR");
    int fd = -1;
    VkResult result = get_fd(vk->device,
                             &(VkMemoryGetFdInfoKHR){
                                 .sType = VK_STRUCTURE_TYPE_MEMORY_GET_FD_INFO_KHR,
                                 .memory = image->memory,
                                 .handleType = DMA_BUF,
                             },
                             &fd);

    if (result != VK_SUCCESS)
        die("no dma-buf of the image's memory (VkResult %d): the host's driver exports none",
            result);
    return fd;
}

struct linear_image linear_create(const struct linear *linear, const struct vk *vk,
                                  const struct kms *kms, VkFormat format, uint32_t fourcc,
                                  uint32_t width, uint32_t height)
{
    const VkImageSubresource plane = {
        linear->modifier ? VK_IMAGE_ASPECT_MEMORY_PLANE_0_BIT_EXT : VK_IMAGE_ASPECT_COLOR_BIT,
        0,
        0,
    };
    struct linear_image out = { .image = create_image(linear, vk, format, width, height) };

    out.memory = allocate(vk, out.image);
    VK_CHECK(vkBindImageMemory(vk->device, out.image, out.memory, 0));
    vkGetImageSubresourceLayout(vk->device, out.image, &plane, &out.layout);
    VK_CHECK(vkCreateImageView(
        vk->device,
        &(VkImageViewCreateInfo){ .sType = VK_STRUCTURE_TYPE_IMAGE_VIEW_CREATE_INFO,
                                  .image = out.image,
                                  .viewType = VK_IMAGE_VIEW_TYPE_2D,
                                  .format = format,
                                  .subresourceRange = { VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1 } },
        NULL, &out.view));
    if (linear->usage & VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT)
        out.pass = vk_pass_create(vk, format, out.view, VK_FORMAT_UNDEFINED, VK_NULL_HANDLE, width,
                                  height);
    if (!kms)
        return out;
    int fd = linear_export(vk, &out);
    out.framebuffer = kms_add_framebuffer(kms, &(struct kms_picture){
                                                   .dma_buf = fd,
                                                   .fourcc = fourcc,
                                                   .width = width,
                                                   .height = height,
                                                   .stride = (uint32_t)out.layout.rowPitch,
                                                   .offset = (uint32_t)out.layout.offset,
                                               });
    close(fd);
    return out;
}

void linear_destroy(const struct vk *vk, struct linear_image *image)
{
    vk_pass_destroy(vk, &image->pass);
    vkDestroyImageView(vk->device, image->view, NULL);
    vkDestroyImage(vk->device, image->image, NULL);
    vkFreeMemory(vk->device, image->memory, NULL);
    *image = (struct linear_image){ 0 };
}

static void transfer(VkCommandBuffer commands, VkImage image, VkImageLayout from,
                     uint32_t from_family, VkImageLayout to, uint32_t to_family)
{
    const VkImageMemoryBarrier barrier = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_MEMORY_BARRIER,
        .srcAccessMask = VK_ACCESS_MEMORY_WRITE_BIT,
        .dstAccessMask = VK_ACCESS_MEMORY_READ_BIT,
        .oldLayout = from,
        .newLayout = to,
        .srcQueueFamilyIndex = from_family,
        .dstQueueFamilyIndex = to_family,
        .image = image,
        .subresourceRange = { VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1 },
    };

    vkCmdPipelineBarrier(commands, VK_PIPELINE_STAGE_ALL_COMMANDS_BIT,
                         VK_PIPELINE_STAGE_ALL_COMMANDS_BIT, 0, 0, NULL, 0, NULL, 1, &barrier);
}

static uint32_t display_family(const struct linear *linear)
{
    return linear->foreign ? VK_QUEUE_FAMILY_FOREIGN_EXT : VK_QUEUE_FAMILY_EXTERNAL;
}

void linear_hand_over(const struct linear *linear, const struct vk *vk, VkCommandBuffer commands,
                      VkImage image, VkImageLayout from)
{
    transfer(commands, image, from, vk->family, VK_IMAGE_LAYOUT_GENERAL, display_family(linear));
}

void linear_take_back(const struct linear *linear, const struct vk *vk, VkCommandBuffer commands,
                      VkImage image, VkImageLayout to)
{
    transfer(commands, image, VK_IMAGE_LAYOUT_GENERAL, display_family(linear), to, vk->family);
}
