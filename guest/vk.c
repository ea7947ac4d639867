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

static void choose_queue(struct vk *vk)
{
    VkQueueFamilyProperties families[16];
    uint32_t count = 16;

    vkGetPhysicalDeviceQueueFamilyProperties(vk->physical, &count, families);
    for (vk->family = 0; vk->family < count; vk->family++) {
        if (families[vk->family].queueFlags & VK_QUEUE_GRAPHICS_BIT)
            return;
    }
    die("%s has no queue that can draw", vk->device_name);
}

void vk_create_instance(struct vk *vk)
{
    *vk = (struct vk){ 0 };
    VkResult result = vkCreateInstance(
        &(VkInstanceCreateInfo){
            .sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
            .pApplicationInfo = &(VkApplicationInfo){ .sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                                                      .apiVersion = VK_API_VERSION_1_3 },
        },
        NULL, &vk->instance);
    if (result == VK_ERROR_INCOMPATIBLE_DRIVER)
        die("the Vulkan loader finds no driver (VK_DRIVER_FILES=%s)",
            getenv("VK_DRIVER_FILES") ? getenv("VK_DRIVER_FILES") : "");
    vk_check(result, "vkCreateInstance");
}

void vk_find_device(struct vk *vk)
{
    VkPhysicalDeviceVulkan12Properties driver = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_PROPERTIES,
    };
    VkPhysicalDeviceProperties2 properties = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
        .pNext = &driver,
    };
    uint32_t one = 1;
    VkResult result = vkEnumeratePhysicalDevices(vk->instance, &one, &vk->physical);

    if ((result != VK_SUCCESS && result != VK_INCOMPLETE) || one == 0)
        die("the Vulkan driver offers no device (VkResult %d)", result);
    vkGetPhysicalDeviceProperties2(vk->physical, &properties);
    strcpy(vk->device_name, properties.properties.deviceName);
    strcpy(vk->driver_name, driver.driverName);
    if (properties.properties.apiVersion < VK_API_VERSION_1_3)
        die("%s has Vulkan %u.%u; 1.3 is needed", vk->device_name,
            VK_API_VERSION_MAJOR(properties.properties.apiVersion),
            VK_API_VERSION_MINOR(properties.properties.apiVersion));
}

void vk_open(struct vk *vk)
{
    vk_create_instance(vk);
    vk_find_device(vk);
}

void vk_create_device(struct vk *vk, uint32_t extension_count, const char *const *extensions)
{
    float priority = 1.0f;

    for (uint32_t i = 0; i < extension_count; i++) {
        if (!vk_has_extension(vk, extensions[i]))
            die("%s has no %s", vk->device_name, extensions[i]);
    }
    choose_queue(vk);
    VK_CHECK(vkCreateDevice(
        vk->physical,
        &(VkDeviceCreateInfo){
            .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
            .pNext =
                &(VkPhysicalDeviceVulkan13Features){
                    .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES,
                    .dynamicRendering = VK_TRUE,
                    .synchronization2 = VK_TRUE,
                },
            .queueCreateInfoCount = 1,
            .pQueueCreateInfos =
                &(VkDeviceQueueCreateInfo){
                    .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                    .queueFamilyIndex = vk->family,
                    .queueCount = 1,
                    .pQueuePriorities = &priority,
                },
            .enabledExtensionCount = extension_count,
            .ppEnabledExtensionNames = extensions,
        },
        NULL, &vk->device));
    vkGetDeviceQueue(vk->device, vk->family, 0, &vk->queue);
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

struct vk_buffer vk_buffer_create(const struct vk *vk, VkDeviceSize size, VkBufferUsageFlags usage)
{
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
            .allocationSize = needs.size,
            .memoryTypeIndex = vk_memory_type(vk, needs.memoryTypeBits,
                                              VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT |
                                                  VK_MEMORY_PROPERTY_HOST_COHERENT_BIT),
        },
        NULL, &b.memory));
    VK_CHECK(vkBindBufferMemory(vk->device, b.buffer, b.memory, 0));
    VK_CHECK(vkMapMemory(vk->device, b.memory, 0, VK_WHOLE_SIZE, 0, &b.data));
    return b;
}

void vk_buffer_destroy(const struct vk *vk, struct vk_buffer *buffer)
{
    vkDestroyBuffer(vk->device, buffer->buffer, NULL);
    vkFreeMemory(vk->device, buffer->memory, NULL);
    *buffer = (struct vk_buffer){ 0 };
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

void vk_end(const struct vk *vk, VkCommandBuffer commands)
{
    VkFence fence;

    VK_CHECK(vkEndCommandBuffer(commands));
    VK_CHECK(vkCreateFence(vk->device,
                           &(VkFenceCreateInfo){ .sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO },
                           NULL, &fence));
    VK_CHECK(vkQueueSubmit(vk->queue, 1,
                           &(VkSubmitInfo){ .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                                            .commandBufferCount = 1,
                                            .pCommandBuffers = &commands },
                           fence));
    VK_CHECK(vkWaitForFences(vk->device, 1, &fence, VK_TRUE, UINT64_C(60000000000)));
    vkDestroyFence(vk->device, fence, NULL);
    vkFreeCommandBuffers(vk->device, vk->pool, 1, &commands);
}

void vk_change_layout(VkCommandBuffer commands, VkImage image, VkImageLayout from, VkImageLayout to)
{
    const VkImageMemoryBarrier2 barrier = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_MEMORY_BARRIER_2,
        .srcStageMask = VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT,
        .srcAccessMask = VK_ACCESS_2_MEMORY_WRITE_BIT,
        .dstStageMask = VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT,
        .dstAccessMask = VK_ACCESS_2_MEMORY_READ_BIT | VK_ACCESS_2_MEMORY_WRITE_BIT,
        .oldLayout = from,
        .newLayout = to,
        .image = image,
        .subresourceRange = { VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1 },
    };

    vkCmdPipelineBarrier2(commands, &(VkDependencyInfo){ .sType = VK_STRUCTURE_TYPE_DEPENDENCY_INFO,
                                                         .imageMemoryBarrierCount = 1,
                                                         .pImageMemoryBarriers = &barrier });
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
    VkPipeline pipeline;

    VK_CHECK(vkCreateGraphicsPipelines(
        vk->device, VK_NULL_HANDLE, 1,
        &(VkGraphicsPipelineCreateInfo){
            .sType = VK_STRUCTURE_TYPE_GRAPHICS_PIPELINE_CREATE_INFO,
            .pNext =
                &(VkPipelineRenderingCreateInfo){
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_RENDERING_CREATE_INFO,
                    .colorAttachmentCount = 1,
                    .pColorAttachmentFormats = &needs->format,
                },
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
            .pColorBlendState =
                &(VkPipelineColorBlendStateCreateInfo){
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_COLOR_BLEND_STATE_CREATE_INFO,
                    .attachmentCount = 1,
                    .pAttachments =
                        &(VkPipelineColorBlendAttachmentState){ .colorWriteMask = 0xf } },
            .layout = needs->layout,
        },
        NULL, &pipeline));
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
