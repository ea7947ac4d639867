/* SPDX-License-Identifier: MIT */
/* A pipeline of one compute shader: see kernel.h. */
#include "kernel.h"

void kernel_create(struct kernel *kernel, const struct vk *vk, const uint32_t *code, size_t size,
                   uint32_t push_size)
{
    VkShaderModule module;

    kernel->push_size = push_size;
    VK_CHECK(vkCreatePipelineLayout(
        vk->device,
        &(VkPipelineLayoutCreateInfo){
            .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
            .pushConstantRangeCount = 1,
            .pPushConstantRanges =
                &(VkPushConstantRange){ VK_SHADER_STAGE_COMPUTE_BIT, 0, push_size } },
        NULL, &kernel->layout));
    VK_CHECK(vkCreateShaderModule(
        vk->device,
        &(VkShaderModuleCreateInfo){
            .sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO, .codeSize = size, .pCode = code },
        NULL, &module));
    VK_CHECK(vkCreateComputePipelines(
        vk->device, VK_NULL_HANDLE, 1,
        &(VkComputePipelineCreateInfo){
            .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
            .stage = { .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                       .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                       .module = module,
                       .pName = "main" },
            .layout = kernel->layout,
        },
        NULL, &kernel->pipeline));
    vkDestroyShaderModule(vk->device, module, NULL);
}

void kernel_destroy(struct kernel *kernel, const struct vk *vk)
{
    vkDestroyPipeline(vk->device, kernel->pipeline, NULL);
    vkDestroyPipelineLayout(vk->device, kernel->layout, NULL);
}

void kernel_run(const struct kernel *kernel, VkCommandBuffer commands, const void *push,
                uint32_t groups_x, uint32_t groups_y)
{
    vk_order(commands);
    vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, kernel->pipeline);
    vkCmdPushConstants(commands, kernel->layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, kernel->push_size,
                       push);
    vkCmdDispatch(commands, groups_x, groups_y, 1);
}
