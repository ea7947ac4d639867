/* SPDX-License-Identifier: MIT */
/* Vulkan's preliminaries: see vk.h. */
#include "vk.h"

#include <stdlib.h>
#include <string.h>

#include "common.h"

void vk_check(VkResult result, const char *call)
{
    if (result != VK_SUCCESS)
        die("%.*s: VkResult %d", (int)strcspn(call, "("), call, result);
}

/* How many queues the chosen family has. */
static uint32_t choose_family(struct vk *vk)
{
    VkQueueFamilyProperties families[16];
    uint32_t count = 16;

    vkGetPhysicalDeviceQueueFamilyProperties(vk->physical, &count, families);
    for (vk->family = 0; vk->family < count; vk->family++) {
        if (families[vk->family].queueFlags & VK_QUEUE_GRAPHICS_BIT)
            return families[vk->family].queueCount;
    }
    die("%s has no queue that can draw", vk->device_name);
}

void vk_want_queues(struct vk *vk, uint32_t most)
{
    uint32_t have = choose_family(vk);

    vk->queue_count = most < have ? most : have;
    if (vk->queue_count > VK_MOST_QUEUES)
        vk->queue_count = VK_MOST_QUEUES;
}

void vk_create_instance_with(struct vk *vk, uint32_t extension_count, const char *const *extensions)
{
    *vk = (struct vk){ 0 };
    VkResult result = vkCreateInstance(
        &(VkInstanceCreateInfo){
            .sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
            .pApplicationInfo = &(VkApplicationInfo){ .sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                                                      .apiVersion = VK_API_VERSION_1_2 },
            .enabledExtensionCount = extension_count,
            .ppEnabledExtensionNames = extensions,
        },
        NULL, &vk->instance);
    if (result == VK_ERROR_INCOMPATIBLE_DRIVER)
        die("the Vulkan loader finds no driver (VK_DRIVER_FILES=%s)",
            getenv("VK_DRIVER_FILES") ? getenv("VK_DRIVER_FILES") : "");
    vk_check(result, "vkCreateInstance");
}

void vk_create_instance(struct vk *vk)
{
    vk_create_instance_with(vk, 0, NULL);
}

static void need_version(const struct vk *vk, uint32_t least, const char *why)
{
    if (vk->version < least)
        die("%s has Vulkan %u.%u; %s", vk->device_name, VK_API_VERSION_MAJOR(vk->version),
            VK_API_VERSION_MINOR(vk->version), why);
}

void vk_find_device(struct vk *vk)
{
    VkPhysicalDeviceDriverProperties driver = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES,
    };
    VkPhysicalDeviceProperties properties;
    uint32_t one = 1;
    VkResult result = vkEnumeratePhysicalDevices(vk->instance, &one, &vk->physical);

    if ((result != VK_SUCCESS && result != VK_INCOMPLETE) || one == 0)
        die("the Vulkan driver offers no device (VkResult %d)", result);
    vkGetPhysicalDeviceProperties(vk->physical, &properties);
    strcpy(vk->device_name, properties.deviceName);
    vk->version = properties.apiVersion;
    need_version(vk, VK_API_VERSION_1_1, "1.1 is needed");
    if (vk->version >= VK_API_VERSION_1_2 ||
        vk_has_extension(vk, VK_KHR_DRIVER_PROPERTIES_EXTENSION_NAME))
        vkGetPhysicalDeviceProperties2(
            vk->physical,
            &(VkPhysicalDeviceProperties2){ .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
                                            .pNext = &driver });
    strcpy(vk->driver_name, driver.driverName);
}

void vk_want(struct vk *vk, unsigned wants)
{
    VkPhysicalDeviceVulkan12Features has = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES,
    };

    need_version(vk, VK_API_VERSION_1_2,
                 wants & VK_WANT_ADDRESSES ? "buffers' addresses need 1.2"
                                           : "timeline semaphores need 1.2");
    vkGetPhysicalDeviceFeatures2(
        vk->physical, &(VkPhysicalDeviceFeatures2){
                          .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, .pNext = &has });
    if (wants & VK_WANT_ADDRESSES && !has.bufferDeviceAddress)
        die("%s has no buffers' addresses (bufferDeviceAddress)", vk->device_name);
    if (wants & VK_WANT_TIMELINES && !has.timelineSemaphore)
        die("%s has no timeline semaphores (timelineSemaphore)", vk->device_name);
    vk->wants |= wants;
}

void vk_open(struct vk *vk)
{
    vk_create_instance(vk);
    vk_find_device(vk);
}

void vk_create_device(struct vk *vk, uint32_t extension_count, const char *const *extensions)
{
    float priorities[VK_MOST_QUEUES];
    VkPhysicalDeviceVulkan12Features features12 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES,
        .timelineSemaphore = vk->wants & VK_WANT_TIMELINES ? VK_TRUE : VK_FALSE,
        .bufferDeviceAddress = vk->wants & VK_WANT_ADDRESSES ? VK_TRUE : VK_FALSE,
    };

    for (uint32_t i = 0; i < extension_count; i++) {
        if (!vk_has_extension(vk, extensions[i]))
            die("%s has no %s", vk->device_name, extensions[i]);
    }
    if (!vk->queue_count)
        vk_want_queues(vk, 1);
    for (uint32_t i = 0; i < vk->queue_count; i++)
        priorities[i] = 1.0f;
    VK_CHECK(vkCreateDevice(vk->physical,
                            &(VkDeviceCreateInfo){
                                .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                                .pNext = vk->wants ? &features12 : NULL,
                                .queueCreateInfoCount = 1,
                                .pQueueCreateInfos =
                                    &(VkDeviceQueueCreateInfo){
                                        .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                        .queueFamilyIndex = vk->family,
                                        .queueCount = vk->queue_count,
                                        .pQueuePriorities = priorities,
                                    },
                                .enabledExtensionCount = extension_count,
                                .ppEnabledExtensionNames = extensions,
                            },
                            NULL, &vk->device));
    for (uint32_t i = 0; i < vk->queue_count; i++)
        vkGetDeviceQueue(vk->device, vk->family, i, &vk->queues[i]);
    vk->queue = vk->queues[0];
    VK_CHECK(vkCreateCommandPool(
        vk->device,
        &(VkCommandPoolCreateInfo){ .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                    .queueFamilyIndex = vk->family },
        NULL, &vk->pool));
}

void vk_create(struct vk *vk, uint32_t extension_count, const char *const *extensions)
{
    vk_open(vk);
    vk_create_device(vk, extension_count, extensions);
}

void vk_destroy(struct vk *vk)
{
    if (vk->device) {
        vkDestroyCommandPool(vk->device, vk->pool, NULL);
        vkDestroyDevice(vk->device, NULL);
    }
    if (vk->instance)
        vkDestroyInstance(vk->instance, NULL);
    *vk = (struct vk){ 0 };
}

bool vk_has_extension(const struct vk *vk, const char *name)
{
    uint32_t count = 0;
    bool found = false;

    VK_CHECK(vkEnumerateDeviceExtensionProperties(vk->physical, NULL, &count, NULL));
    VkExtensionProperties *all = calloc(count + 1, sizeof *all);
    if (!all)
        die("no memory for %u extensions", count);
    VK_CHECK(vkEnumerateDeviceExtensionProperties(vk->physical, NULL, &count, all));
    for (uint32_t i = 0; i < count && !found; i++)
        found = strcmp(all[i].extensionName, name) == 0;
    free(all);
    return found;
}

bool vk_exports_sync_files(const struct vk *vk)
{
    VkExternalFenceProperties seen = { .sType = VK_STRUCTURE_TYPE_EXTERNAL_FENCE_PROPERTIES };

    vkGetPhysicalDeviceExternalFenceProperties(
        vk->physical,
        &(VkPhysicalDeviceExternalFenceInfo){
            .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_FENCE_INFO,
            .handleType = VK_EXTERNAL_FENCE_HANDLE_TYPE_SYNC_FD_BIT },
        &seen);
    return vk_has_extension(vk, VK_KHR_EXTERNAL_FENCE_FD_EXTENSION_NAME) &&
           seen.externalFenceFeatures & VK_EXTERNAL_FENCE_FEATURE_EXPORTABLE_BIT;
}

uint32_t vk_memory_type(const struct vk *vk, uint32_t allowed, VkMemoryPropertyFlags wanted)
{
    VkPhysicalDeviceMemoryProperties memory;

    vkGetPhysicalDeviceMemoryProperties(vk->physical, &memory);
    for (uint32_t i = 0; i < memory.memoryTypeCount; i++) {
        if (allowed & 1u << i && (memory.memoryTypes[i].propertyFlags & wanted) == wanted)
            return i;
    }
    die("%s has no memory type with flags %#x among %#x", vk->device_name, wanted, allowed);
}

static bool has_memory_type(const struct vk *vk, VkMemoryPropertyFlags wanted)
{
    VkPhysicalDeviceMemoryProperties memory;
    bool found = false;

    vkGetPhysicalDeviceMemoryProperties(vk->physical, &memory);
    for (uint32_t i = 0; i < memory.memoryTypeCount; i++)
        found |= (memory.memoryTypes[i].propertyFlags & wanted) == wanted;
    return found;
}

static struct vk_buffer create_buffer(const struct vk *vk, VkDeviceSize size,
                                      VkBufferUsageFlags usage, VkMemoryPropertyFlags flags)
{
    const VkMemoryAllocateFlagsInfo address = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_FLAGS_INFO,
        .flags = VK_MEMORY_ALLOCATE_DEVICE_ADDRESS_BIT,
    };
    struct vk_buffer b = { .size = size };
    VkMemoryRequirements needs;

    VK_CHECK(vkCreateBuffer(vk->device,
                            &(VkBufferCreateInfo){ .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                                                   .size = size,
                                                   .usage = usage },
                            NULL, &b.buffer));
    vkGetBufferMemoryRequirements(vk->device, b.buffer, &needs);
    VK_CHECK(vkAllocateMemory(
        vk->device,
        &(VkMemoryAllocateInfo){
            .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
            .pNext = usage & VK_BUFFER_USAGE_SHADER_DEVICE_ADDRESS_BIT ? &address : NULL,
            .allocationSize = needs.size,
            .memoryTypeIndex = vk_memory_type(vk, needs.memoryTypeBits, flags),
        },
        NULL, &b.memory));
    VK_CHECK(vkBindBufferMemory(vk->device, b.buffer, b.memory, 0));
    if (flags & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT)
        VK_CHECK(vkMapMemory(vk->device, b.memory, 0, VK_WHOLE_SIZE, 0, &b.data));
    return b;
}

#define MAPPABLE (VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT)

struct vk_buffer vk_buffer_create(const struct vk *vk, VkDeviceSize size, VkBufferUsageFlags usage)
{
    return create_buffer(vk, size, usage, MAPPABLE);
}

struct vk_buffer vk_readback_create(const struct vk *vk, VkDeviceSize size)
{
    const VkMemoryPropertyFlags cached = MAPPABLE | VK_MEMORY_PROPERTY_HOST_CACHED_BIT;

    return create_buffer(vk, size, VK_BUFFER_USAGE_TRANSFER_DST_BIT,
                         has_memory_type(vk, cached) ? cached : MAPPABLE);
}

struct vk_buffer vk_local_create(const struct vk *vk, VkDeviceSize size, VkBufferUsageFlags usage)
{
    return create_buffer(vk, size, usage, VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT);
}

VkDeviceAddress vk_address(const struct vk *vk, const struct vk_buffer *buffer)
{
    return vkGetBufferDeviceAddress(
        vk->device,
        &(VkBufferDeviceAddressInfo){ .sType = VK_STRUCTURE_TYPE_BUFFER_DEVICE_ADDRESS_INFO,
                                      .buffer = buffer->buffer });
}

void vk_buffer_destroy(const struct vk *vk, struct vk_buffer *buffer)
{
    vkDestroyBuffer(vk->device, buffer->buffer, NULL);
    vkFreeMemory(vk->device, buffer->memory, NULL);
    *buffer = (struct vk_buffer){ 0 };
}

static VkImageAspectFlags aspect_of(VkFormat format)
{
    return format == VK_FORMAT_D16_UNORM || format == VK_FORMAT_D32_SFLOAT
               ? VK_IMAGE_ASPECT_DEPTH_BIT
               : VK_IMAGE_ASPECT_COLOR_BIT;
}

struct vk_image vk_image_create(const struct vk *vk, VkFormat format, uint32_t width,
                                uint32_t height, VkImageUsageFlags usage)
{
    struct vk_image out = { 0 };
    VkMemoryRequirements needs;

    VK_CHECK(vkCreateImage(vk->device,
                           &(VkImageCreateInfo){ .sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
                                                 .imageType = VK_IMAGE_TYPE_2D,
                                                 .format = format,
                                                 .extent = { width, height, 1 },
                                                 .mipLevels = 1,
                                                 .arrayLayers = 1,
                                                 .samples = VK_SAMPLE_COUNT_1_BIT,
                                                 .usage = usage },
                           NULL, &out.image));
    vkGetImageMemoryRequirements(vk->device, out.image, &needs);
    VK_CHECK(vkAllocateMemory(
        vk->device,
        &(VkMemoryAllocateInfo){ .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                 .allocationSize = needs.size,
                                 .memoryTypeIndex = vk_memory_type(vk, needs.memoryTypeBits, 0) },
        NULL, &out.memory));
    VK_CHECK(vkBindImageMemory(vk->device, out.image, out.memory, 0));
    VK_CHECK(vkCreateImageView(
        vk->device,
        &(VkImageViewCreateInfo){ .sType = VK_STRUCTURE_TYPE_IMAGE_VIEW_CREATE_INFO,
                                  .image = out.image,
                                  .viewType = VK_IMAGE_VIEW_TYPE_2D,
                                  .format = format,
                                  .subresourceRange = { aspect_of(format), 0, 1, 0, 1 } },
        NULL, &out.view));
    return out;
}

void vk_image_destroy(const struct vk *vk, struct vk_image *image)
{
    vkDestroyImageView(vk->device, image->view, NULL);
    vkDestroyImage(vk->device, image->image, NULL);
    vkFreeMemory(vk->device, image->memory, NULL);
    *image = (struct vk_image){ 0 };
}

VkCommandBuffer vk_begin(const struct vk *vk)
{
    VkCommandBuffer commands;

    VK_CHECK(vkAllocateCommandBuffers(
        vk->device,
        &(VkCommandBufferAllocateInfo){ .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                        .commandPool = vk->pool,
                                        .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                        .commandBufferCount = 1 },
        &commands));
    VK_CHECK(vkBeginCommandBuffer(
        commands,
        &(VkCommandBufferBeginInfo){ .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                     .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT }));
    return commands;
}

struct vk_work vk_submit_between(const struct vk *vk, VkCommandBuffer commands, VkSemaphore after,
                                 VkSemaphore then)
{
    const VkPipelineStageFlags all = VK_PIPELINE_STAGE_ALL_COMMANDS_BIT;
    struct vk_work work = { .commands = commands };

    VK_CHECK(vkEndCommandBuffer(commands));
    VK_CHECK(vkCreateFence(vk->device,
                           &(VkFenceCreateInfo){ .sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO },
                           NULL, &work.fence));
    VK_CHECK(vkQueueSubmit(vk->queue, 1,
                           &(VkSubmitInfo){ .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                                            .waitSemaphoreCount = after ? 1 : 0,
                                            .pWaitSemaphores = &after,
                                            .pWaitDstStageMask = &all,
                                            .commandBufferCount = 1,
                                            .pCommandBuffers = &commands,
                                            .signalSemaphoreCount = then ? 1 : 0,
                                            .pSignalSemaphores = &then },
                           work.fence));
    return work;
}

struct vk_work vk_submit(const struct vk *vk, VkCommandBuffer commands)
{
    return vk_submit_between(vk, commands, VK_NULL_HANDLE, VK_NULL_HANDLE);
}

void vk_finish(const struct vk *vk, const struct vk_work *work)
{
    VK_CHECK(vkWaitForFences(vk->device, 1, &work->fence, VK_TRUE, UINT64_C(60000000000)));
    vkDestroyFence(vk->device, work->fence, NULL);
    vkFreeCommandBuffers(vk->device, vk->pool, 1, &work->commands);
}

void vk_end(const struct vk *vk, VkCommandBuffer commands)
{
    struct vk_work work = vk_submit(vk, commands);

    vk_finish(vk, &work);
}

void vk_change_layout_of(VkCommandBuffer commands, VkImage image, VkImageAspectFlags aspect,
                         VkImageLayout from, VkImageLayout to)
{
    const VkImageMemoryBarrier barrier = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_MEMORY_BARRIER,
        .srcAccessMask = VK_ACCESS_MEMORY_WRITE_BIT,
        .dstAccessMask = VK_ACCESS_MEMORY_READ_BIT | VK_ACCESS_MEMORY_WRITE_BIT,
        .oldLayout = from,
        .newLayout = to,
        .image = image,
        .subresourceRange = { aspect, 0, 1, 0, 1 },
    };

    vkCmdPipelineBarrier(commands, VK_PIPELINE_STAGE_ALL_COMMANDS_BIT,
                         VK_PIPELINE_STAGE_ALL_COMMANDS_BIT, 0, 0, NULL, 0, NULL, 1, &barrier);
}

void vk_change_layout(VkCommandBuffer commands, VkImage image, VkImageLayout from, VkImageLayout to)
{
    vk_change_layout_of(commands, image, VK_IMAGE_ASPECT_COLOR_BIT, from, to);
}

/* Everything before it, with what that wrote, before what `to` does. */
static void order(VkCommandBuffer commands, VkPipelineStageFlags to, VkAccessFlags does)
{
    const VkMemoryBarrier barrier = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
        .srcAccessMask = VK_ACCESS_MEMORY_WRITE_BIT,
        .dstAccessMask = does,
    };

    vkCmdPipelineBarrier(commands, VK_PIPELINE_STAGE_ALL_COMMANDS_BIT, to, 0, 1, &barrier, 0, NULL,
                         0, NULL);
}

void vk_order(VkCommandBuffer commands)
{
    order(commands, VK_PIPELINE_STAGE_ALL_COMMANDS_BIT,
          VK_ACCESS_MEMORY_READ_BIT | VK_ACCESS_MEMORY_WRITE_BIT);
}

void vk_show_to_cpu(VkCommandBuffer commands)
{
    order(commands, VK_PIPELINE_STAGE_HOST_BIT, VK_ACCESS_HOST_READ_BIT);
}

VkBufferImageCopy vk_whole(uint32_t width, uint32_t height)
{
    return (VkBufferImageCopy){ .imageSubresource = { VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, 1 },
                                .imageExtent = { width, height, 1 } };
}

/* The layouts are those in which the views are before and after, too: nothing changes them. */
static VkRenderPass create_render_pass(const struct vk *vk, VkFormat format, VkFormat depth)
{
    const VkAttachmentDescription attachments[] = {
        {
            .format = format,
            .samples = VK_SAMPLE_COUNT_1_BIT,
            .loadOp = VK_ATTACHMENT_LOAD_OP_CLEAR,
            .storeOp = VK_ATTACHMENT_STORE_OP_STORE,
            .stencilLoadOp = VK_ATTACHMENT_LOAD_OP_DONT_CARE,
            .stencilStoreOp = VK_ATTACHMENT_STORE_OP_DONT_CARE,
            .initialLayout = VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL,
            .finalLayout = VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL,
        },
        {
            .format = depth,
            .samples = VK_SAMPLE_COUNT_1_BIT,
            .loadOp = VK_ATTACHMENT_LOAD_OP_CLEAR,
            .storeOp = VK_ATTACHMENT_STORE_OP_DONT_CARE,
            .stencilLoadOp = VK_ATTACHMENT_LOAD_OP_DONT_CARE,
            .stencilStoreOp = VK_ATTACHMENT_STORE_OP_DONT_CARE,
            .initialLayout = VK_IMAGE_LAYOUT_DEPTH_STENCIL_ATTACHMENT_OPTIMAL,
            .finalLayout = VK_IMAGE_LAYOUT_DEPTH_STENCIL_ATTACHMENT_OPTIMAL,
        },
    };
    const VkAttachmentReference seen = { 0, VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL };
    const VkAttachmentReference hidden = { 1, VK_IMAGE_LAYOUT_DEPTH_STENCIL_ATTACHMENT_OPTIMAL };
    const bool deep = depth != VK_FORMAT_UNDEFINED;
    VkRenderPass pass;

    VK_CHECK(vkCreateRenderPass(
        vk->device,
        &(VkRenderPassCreateInfo){
            .sType = VK_STRUCTURE_TYPE_RENDER_PASS_CREATE_INFO,
            .attachmentCount = deep ? 2 : 1,
            .pAttachments = attachments,
            .subpassCount = 1,
            .pSubpasses =
                &(VkSubpassDescription){ .pipelineBindPoint = VK_PIPELINE_BIND_POINT_GRAPHICS,
                                         .colorAttachmentCount = 1,
                                         .pColorAttachments = &seen,
                                         .pDepthStencilAttachment = deep ? &hidden : NULL },
        },
        NULL, &pass));
    return pass;
}

struct vk_pass vk_pass_create(const struct vk *vk, VkFormat format, VkImageView view,
                              VkFormat depth_format, VkImageView depth, uint32_t width,
                              uint32_t height)
{
    const VkImageView views[] = { view, depth };
    struct vk_pass out = {
        .pass = create_render_pass(vk, format, depth_format),
        .width = width,
        .height = height,
        .depth = depth_format != VK_FORMAT_UNDEFINED,
    };

    VK_CHECK(vkCreateFramebuffer(
        vk->device,
        &(VkFramebufferCreateInfo){ .sType = VK_STRUCTURE_TYPE_FRAMEBUFFER_CREATE_INFO,
                                    .renderPass = out.pass,
                                    .attachmentCount = out.depth ? 2 : 1,
                                    .pAttachments = views,
                                    .width = width,
                                    .height = height,
                                    .layers = 1 },
        NULL, &out.framebuffer));
    return out;
}

void vk_pass_destroy(const struct vk *vk, struct vk_pass *pass)
{
    vkDestroyFramebuffer(vk->device, pass->framebuffer, NULL);
    vkDestroyRenderPass(vk->device, pass->pass, NULL);
    *pass = (struct vk_pass){ 0 };
}

void vk_begin_rendering(VkCommandBuffer commands, const struct vk_pass *pass, const float colour[4])
{
    const VkClearValue first[] = {
        { .color.float32 = { colour[0], colour[1], colour[2], colour[3] } },
        { .depthStencil = { 1.0f, 0 } },
    };

    vkCmdBeginRenderPass(
        commands,
        &(VkRenderPassBeginInfo){ .sType = VK_STRUCTURE_TYPE_RENDER_PASS_BEGIN_INFO,
                                  .renderPass = pass->pass,
                                  .framebuffer = pass->framebuffer,
                                  .renderArea = { { 0, 0 }, { pass->width, pass->height } },
                                  .clearValueCount = pass->depth ? 2 : 1,
                                  .pClearValues = first },
        VK_SUBPASS_CONTENTS_INLINE);
}

void vk_end_rendering(VkCommandBuffer commands)
{
    vkCmdEndRenderPass(commands);
}

static VkPipelineShaderStageCreateInfo stage(const struct vk *vk, VkShaderStageFlagBits which,
                                             const uint32_t *code, size_t size)
{
    VkPipelineShaderStageCreateInfo out = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
        .stage = which,
        .pName = "main",
    };

    VK_CHECK(vkCreateShaderModule(
        vk->device,
        &(VkShaderModuleCreateInfo){
            .sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO, .codeSize = size, .pCode = code },
        NULL, &out.module));
    return out;
}

VkPipeline vk_pipeline_create(const struct vk *vk, const struct vk_pipeline_needs *needs)
{
    const VkPipelineShaderStageCreateInfo stages[] = {
        stage(vk, VK_SHADER_STAGE_VERTEX_BIT, needs->vertex, needs->vertex_size),
        stage(vk, VK_SHADER_STAGE_FRAGMENT_BIT, needs->fragment, needs->fragment_size),
    };
    /* Any pass of the same formats will do to draw in. */
    VkRenderPass pass = create_render_pass(vk, needs->format, needs->depth);
    VkPipeline pipeline;

    VK_CHECK(vkCreateGraphicsPipelines(
        vk->device, VK_NULL_HANDLE, 1,
        &(VkGraphicsPipelineCreateInfo){
            .sType = VK_STRUCTURE_TYPE_GRAPHICS_PIPELINE_CREATE_INFO,
            .stageCount = 2,
            .pStages = stages,
            .pVertexInputState =
                &(VkPipelineVertexInputStateCreateInfo){
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_VERTEX_INPUT_STATE_CREATE_INFO },
            .pInputAssemblyState =
                &(VkPipelineInputAssemblyStateCreateInfo){
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_INPUT_ASSEMBLY_STATE_CREATE_INFO,
                    .topology = VK_PRIMITIVE_TOPOLOGY_TRIANGLE_LIST },
            .pViewportState =
                &(VkPipelineViewportStateCreateInfo){
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_VIEWPORT_STATE_CREATE_INFO,
                    .viewportCount = 1,
                    .pViewports =
                        &(VkViewport){ 0, 0, (float)needs->width, (float)needs->height, 0, 1 },
                    .scissorCount = 1,
                    .pScissors = &(VkRect2D){ { 0, 0 }, { needs->width, needs->height } } },
            .pRasterizationState =
                &(VkPipelineRasterizationStateCreateInfo){
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_RASTERIZATION_STATE_CREATE_INFO,
                    .cullMode = VK_CULL_MODE_BACK_BIT,
                    .frontFace = VK_FRONT_FACE_COUNTER_CLOCKWISE,
                    .lineWidth = 1.0f },
            .pMultisampleState =
                &(VkPipelineMultisampleStateCreateInfo){
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_MULTISAMPLE_STATE_CREATE_INFO,
                    .rasterizationSamples = VK_SAMPLE_COUNT_1_BIT },
            .pDepthStencilState =
                &(VkPipelineDepthStencilStateCreateInfo){
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_DEPTH_STENCIL_STATE_CREATE_INFO,
                    .depthTestEnable = needs->depth != VK_FORMAT_UNDEFINED,
                    .depthWriteEnable = needs->depth != VK_FORMAT_UNDEFINED,
                    .depthCompareOp = VK_COMPARE_OP_LESS_OR_EQUAL },
            .pColorBlendState =
                &(VkPipelineColorBlendStateCreateInfo){
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_COLOR_BLEND_STATE_CREATE_INFO,
                    .attachmentCount = 1,
                    .pAttachments =
                        &(VkPipelineColorBlendAttachmentState){ .colorWriteMask = 0xf } },
            .layout = needs->layout,
            .renderPass = pass,
        },
        NULL, &pipeline));
    vkDestroyRenderPass(vk->device, pass, NULL);
    vkDestroyShaderModule(vk->device, stages[0].module, NULL);
    vkDestroyShaderModule(vk->device, stages[1].module, NULL);
    return pipeline;
}

/* Names come from drivers: quotes and control bytes must not break the JSON. */
static void print_json_text(const char *text)
{
    putchar('"');
    for (; *text; text++) {
        if ((unsigned char)*text < 0x20 || *text == '"' || *text == '\\')
            printf("\\u%04x", (unsigned char)*text);
        else
            putchar(*text);
    }
    putchar('"');
}

void vk_print_device(const struct vk *vk)
{
    printf("\"device\": ");
    print_json_text(vk->device_name);
    printf(", \"driver\": ");
    print_json_text(vk->driver_name);
}
