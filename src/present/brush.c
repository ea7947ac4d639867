/* SPDX-License-Identifier: MIT */
/* See brush.h. */
#include "present/brush.h"

#include "picture_frag.h"
#include "picture_vert.h"

/* As the shader has it. */
struct push_constants {
    int32_t origin[2], size[2], source[2];
    uint32_t first, stride, shift[4];
};

static VkResult create_sets(struct brush *brush, const struct vulkan *vk)
{
    const VkDescriptorSetLayoutBinding binding = {
        .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
        .descriptorCount = 1,
        .stageFlags = VK_SHADER_STAGE_FRAGMENT_BIT,
    };
    const VkDescriptorSetLayoutCreateInfo set_layout = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
        .bindingCount = 1,
        .pBindings = &binding,
    };
    VkResult result =
        vk->CreateDescriptorSetLayout(vk->device, &set_layout, NULL, &brush->set_layout);
    if (result != VK_SUCCESS)
        return result;
    const VkDescriptorPoolSize size = { VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, NUM_BRUSH_USES };
    const VkDescriptorPoolCreateInfo pool = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
        .maxSets = NUM_BRUSH_USES,
        .poolSizeCount = 1,
        .pPoolSizes = &size,
    };
    result = vk->CreateDescriptorPool(vk->device, &pool, NULL, &brush->set_pool);
    if (result != VK_SUCCESS)
        return result;
    const VkDescriptorSetLayout layouts[NUM_BRUSH_USES] = { brush->set_layout, brush->set_layout };
    const VkDescriptorSetAllocateInfo sets = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
        .descriptorPool = brush->set_pool,
        .descriptorSetCount = NUM_BRUSH_USES,
        .pSetLayouts = layouts,
    };
    result = vk->AllocateDescriptorSets(vk->device, &sets, brush->sets);
    if (result != VK_SUCCESS)
        return result;
    const VkPushConstantRange constants = {
        .stageFlags = VK_SHADER_STAGE_FRAGMENT_BIT,
        .size = sizeof(struct push_constants),
    };
    const VkPipelineLayoutCreateInfo layout = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
        .setLayoutCount = 1,
        .pSetLayouts = &brush->set_layout,
        .pushConstantRangeCount = 1,
        .pPushConstantRanges = &constants,
    };
    return vk->CreatePipelineLayout(vk->device, &layout, NULL, &brush->layout);
}

static VkResult create_shader(const struct vulkan *vk, const uint32_t *code, size_t size,
                              VkShaderModule *module)
{
    const VkShaderModuleCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
        .codeSize = size,
        .pCode = code,
    };
    return vk->CreateShaderModule(vk->device, &info, NULL, module);
}

static VkResult create_pipeline(struct brush *brush, const struct vulkan *vk, VkFormat format,
                                const VkShaderModule modules[2], bool blended, VkPipeline *pipeline)
{
    const VkPipelineShaderStageCreateInfo stages[] = {
        {
            .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
            .stage = VK_SHADER_STAGE_VERTEX_BIT,
            .module = modules[0],
            .pName = "main",
        },
        {
            .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
            .stage = VK_SHADER_STAGE_FRAGMENT_BIT,
            .module = modules[1],
            .pName = "main",
        },
    };
    const VkPipelineVertexInputStateCreateInfo vertices = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_VERTEX_INPUT_STATE_CREATE_INFO,
    };
    const VkPipelineInputAssemblyStateCreateInfo assembly = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_INPUT_ASSEMBLY_STATE_CREATE_INFO,
        .topology = VK_PRIMITIVE_TOPOLOGY_TRIANGLE_LIST,
    };
    const VkPipelineViewportStateCreateInfo viewport = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_VIEWPORT_STATE_CREATE_INFO,
        .viewportCount = 1,
        .scissorCount = 1,
    };
    const VkPipelineRasterizationStateCreateInfo rasterization = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_RASTERIZATION_STATE_CREATE_INFO,
        .lineWidth = 1.0f,
    };
    const VkPipelineMultisampleStateCreateInfo multisample = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_MULTISAMPLE_STATE_CREATE_INFO,
        .rasterizationSamples = VK_SAMPLE_COUNT_1_BIT,
    };
    const VkPipelineColorBlendAttachmentState attachment = {
        .blendEnable = blended,
        .srcColorBlendFactor = VK_BLEND_FACTOR_ONE,
        .dstColorBlendFactor = VK_BLEND_FACTOR_ONE_MINUS_SRC_ALPHA,
        .srcAlphaBlendFactor = VK_BLEND_FACTOR_ONE,
        .dstAlphaBlendFactor = VK_BLEND_FACTOR_ONE_MINUS_SRC_ALPHA,
        .colorWriteMask = VK_COLOR_COMPONENT_R_BIT | VK_COLOR_COMPONENT_G_BIT |
                          VK_COLOR_COMPONENT_B_BIT | VK_COLOR_COMPONENT_A_BIT,
    };
    const VkPipelineColorBlendStateCreateInfo blend = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_COLOR_BLEND_STATE_CREATE_INFO,
        .attachmentCount = 1,
        .pAttachments = &attachment,
    };
    const VkDynamicState dynamic_states[] = { VK_DYNAMIC_STATE_VIEWPORT, VK_DYNAMIC_STATE_SCISSOR };
    const VkPipelineDynamicStateCreateInfo dynamic = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_DYNAMIC_STATE_CREATE_INFO,
        .dynamicStateCount = 2,
        .pDynamicStates = dynamic_states,
    };
    const VkPipelineRenderingCreateInfo rendering = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_RENDERING_CREATE_INFO,
        .colorAttachmentCount = 1,
        .pColorAttachmentFormats = &format,
    };
    const VkGraphicsPipelineCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_GRAPHICS_PIPELINE_CREATE_INFO,
        .pNext = &rendering,
        .stageCount = 2,
        .pStages = stages,
        .pVertexInputState = &vertices,
        .pInputAssemblyState = &assembly,
        .pViewportState = &viewport,
        .pRasterizationState = &rasterization,
        .pMultisampleState = &multisample,
        .pColorBlendState = &blend,
        .pDynamicState = &dynamic,
        .layout = brush->layout,
    };
    return vk->CreateGraphicsPipelines(vk->device, VK_NULL_HANDLE, 1, &info, NULL, pipeline);
}

static VkResult create_pipelines(struct brush *brush, const struct vulkan *vk, VkFormat format)
{
    VkShaderModule modules[2] = { VK_NULL_HANDLE, VK_NULL_HANDLE };
    VkResult result = create_shader(vk, picture_vert, sizeof(picture_vert), &modules[0]);
    if (result == VK_SUCCESS)
        result = create_shader(vk, picture_frag, sizeof(picture_frag), &modules[1]);
    for (int i = 0; i < NUM_BRUSH_USES && result == VK_SUCCESS; i++)
        result =
            create_pipeline(brush, vk, format, modules, i == BRUSH_POINTER, &brush->pipelines[i]);
    vk->DestroyShaderModule(vk->device, modules[0], NULL);
    vk->DestroyShaderModule(vk->device, modules[1], NULL);
    return result;
}

VkResult brush_init(struct brush *brush, const struct vulkan *vk, VkFormat format)
{
    VkResult result = create_sets(brush, vk);
    return result == VK_SUCCESS ? create_pipelines(brush, vk, format) : result;
}

void brush_finish(struct brush *brush, const struct vulkan *vk)
{
    for (int i = 0; i < NUM_BRUSH_USES; i++)
        vk->DestroyPipeline(vk->device, brush->pipelines[i], NULL);
    vk->DestroyPipelineLayout(vk->device, brush->layout, NULL);
    vk->DestroyDescriptorPool(vk->device, brush->set_pool, NULL);
    vk->DestroyDescriptorSetLayout(vk->device, brush->set_layout, NULL);
}

/* Point a descriptor set at the picture; *first becomes the word of it where that starts. */
static VkResult describe(const struct brush *brush, const struct vulkan *vk, enum brush_use use,
                         const struct brush_picture *picture, uint32_t *first)
{
    const VkPhysicalDeviceLimits *limits = &vk->properties.limits;
    VkDeviceSize start = picture->offset / limits->minStorageBufferOffsetAlignment *
                         limits->minStorageBufferOffsetAlignment;
    const VkDescriptorBufferInfo info = {
        .buffer = picture->buffer,
        .offset = start,
        .range = picture->offset + picture->size - start,
    };
    if (info.range > limits->maxStorageBufferRange)
        return VK_ERROR_FORMAT_NOT_SUPPORTED;
    const VkWriteDescriptorSet write = {
        .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
        .dstSet = brush->sets[use],
        .descriptorCount = 1,
        .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
        .pBufferInfo = &info,
    };
    vk->UpdateDescriptorSets(vk->device, 1, &write, 0, NULL);
    *first = (uint32_t)((picture->offset - start) / 4);
    return VK_SUCCESS;
}

/*
 * What both have in common, in pixels of the image. The shader goes by where a pixel is, so the viewport
 * need be no larger than what is drawn: a pointer over a tiny frame in a large window is scaled to more than
 * any device has.
 */
static VkRect2D common(VkRect2D a, VkRect2D b)
{
    int64_t left = a.offset.x > b.offset.x ? a.offset.x : b.offset.x;
    int64_t top = a.offset.y > b.offset.y ? a.offset.y : b.offset.y;
    int64_t right = (int64_t)a.offset.x + a.extent.width;
    int64_t bottom = (int64_t)a.offset.y + a.extent.height;
    if (right > (int64_t)b.offset.x + b.extent.width)
        right = (int64_t)b.offset.x + b.extent.width;
    if (bottom > (int64_t)b.offset.y + b.extent.height)
        bottom = (int64_t)b.offset.y + b.extent.height;
    VkRect2D both = { .offset = { (int32_t)left, (int32_t)top } };
    if (left < right && top < bottom)
        both.extent = (VkExtent2D){ (uint32_t)(right - left), (uint32_t)(bottom - top) };
    return both;
}

VkResult brush_draw(const struct brush *brush, const struct vulkan *vk, VkCommandBuffer commands,
                    enum brush_use use, const struct brush_picture *picture, VkRect2D to,
                    VkRect2D within)
{
    struct push_constants constants = {
        .origin = { to.offset.x, to.offset.y },
        .size = { (int32_t)to.extent.width, (int32_t)to.extent.height },
        .source = { (int32_t)picture->width, (int32_t)picture->height },
        .stride = picture->stride,
        .shift = { picture->shift[0], picture->shift[1], picture->shift[2], picture->shift[3] },
    };
    VkResult result = describe(brush, vk, use, picture, &constants.first);
    if (result != VK_SUCCESS)
        return result;
    const VkRect2D drawn = common(to, within);
    if (!drawn.extent.width)
        return VK_SUCCESS;
    const VkViewport viewport = {
        .x = (float)drawn.offset.x,
        .y = (float)drawn.offset.y,
        .width = (float)drawn.extent.width,
        .height = (float)drawn.extent.height,
        .maxDepth = 1.0f,
    };
    vk->CmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_GRAPHICS, brush->pipelines[use]);
    vk->CmdBindDescriptorSets(commands, VK_PIPELINE_BIND_POINT_GRAPHICS, brush->layout, 0, 1,
                              &brush->sets[use], 0, NULL);
    vk->CmdPushConstants(commands, brush->layout, VK_SHADER_STAGE_FRAGMENT_BIT, 0,
                         sizeof(constants), &constants);
    vk->CmdSetViewport(commands, 0, 1, &viewport);
    vk->CmdSetScissor(commands, 0, 1, &drawn);
    vk->CmdDraw(commands, 3, 1, 0, 0);
    return VK_SUCCESS;
}
