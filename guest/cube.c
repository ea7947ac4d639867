/* SPDX-License-Identifier: MIT */
/* A cube out of the vertex number, with one texture on all faces: see cube.h and shaders/cube.vert. */
#include "cube.h"

#include "cube.frag.h"
#include "cube.vert.h"

#define TEXTURE 256u /* pixels a side */

const float cube_background[4] = { 0.12f, 0.12f, 0.16f, 1.0f };

/* A chequered face with a gradient and a ring: shows at a glance which way round it is. */
static void paint_texture(uint8_t *rgba)
{
    for (uint32_t y = 0; y < TEXTURE; y++) {
        for (uint32_t x = 0; x < TEXTURE; x++, rgba += 4) {
            long dx = (long)x - TEXTURE / 2, dy = (long)y - TEXTURE / 2, r2 = dx * dx + dy * dy;
            bool dark = (x / 32 + y / 32) % 2, ring = r2 > 70 * 70 && r2 < 90 * 90;

            rgba[0] = ring ? 240 : (uint8_t)(dark ? 40 : 60 + x / 2);
            rgba[1] = ring ? 200 : (uint8_t)(dark ? 60 + y / 2 : 180);
            rgba[2] = ring ? 40 : (uint8_t)(dark ? 120 : 220 - x / 4);
            rgba[3] = 255;
        }
    }
}

static struct vk_image create_texture(const struct vk *vk)
{
    struct vk_image texture =
        vk_image_create(vk, VK_FORMAT_R8G8B8A8_UNORM, TEXTURE, TEXTURE,
                        VK_IMAGE_USAGE_SAMPLED_BIT | VK_IMAGE_USAGE_TRANSFER_DST_BIT);
    struct vk_buffer staging =
        vk_buffer_create(vk, 4 * TEXTURE * TEXTURE, VK_BUFFER_USAGE_TRANSFER_SRC_BIT);
    VkBufferImageCopy region = vk_whole(TEXTURE, TEXTURE);

    paint_texture(staging.data);
    VkCommandBuffer commands = vk_begin(vk);
    vk_change_layout(commands, texture.image, VK_IMAGE_LAYOUT_UNDEFINED,
                     VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL);
    vkCmdCopyBufferToImage(commands, staging.buffer, texture.image,
                           VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL, 1, &region);
    vk_change_layout(commands, texture.image, VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL,
                     VK_IMAGE_LAYOUT_SHADER_READ_ONLY_OPTIMAL);
    vk_end(vk, commands);
    vk_buffer_destroy(vk, &staging);
    return texture;
}

static void create_bindings(struct cube *cube, const struct vk *vk)
{
    VK_CHECK(vkCreateSampler(
        vk->device,
        &(VkSamplerCreateInfo){ .sType = VK_STRUCTURE_TYPE_SAMPLER_CREATE_INFO,
                                .magFilter = VK_FILTER_LINEAR,
                                .minFilter = VK_FILTER_LINEAR,
                                .addressModeU = VK_SAMPLER_ADDRESS_MODE_CLAMP_TO_EDGE,
                                .addressModeV = VK_SAMPLER_ADDRESS_MODE_CLAMP_TO_EDGE },
        NULL, &cube->sampler));
    VK_CHECK(vkCreateDescriptorSetLayout(
        vk->device,
        &(VkDescriptorSetLayoutCreateInfo){
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
            .bindingCount = 1,
            .pBindings =
                &(VkDescriptorSetLayoutBinding){ .descriptorType =
                                                     VK_DESCRIPTOR_TYPE_COMBINED_IMAGE_SAMPLER,
                                                 .descriptorCount = 1,
                                                 .stageFlags = VK_SHADER_STAGE_FRAGMENT_BIT },
        },
        NULL, &cube->set_layout));
    VK_CHECK(vkCreateDescriptorPool(
        vk->device,
        &(VkDescriptorPoolCreateInfo){
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
            .maxSets = 1,
            .poolSizeCount = 1,
            .pPoolSizes = &(VkDescriptorPoolSize){ VK_DESCRIPTOR_TYPE_COMBINED_IMAGE_SAMPLER, 1 } },
        NULL, &cube->descriptors));
    VK_CHECK(vkAllocateDescriptorSets(
        vk->device,
        &(VkDescriptorSetAllocateInfo){ .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                        .descriptorPool = cube->descriptors,
                                        .descriptorSetCount = 1,
                                        .pSetLayouts = &cube->set_layout },
        &cube->set));
    vkUpdateDescriptorSets(
        vk->device, 1,
        &(VkWriteDescriptorSet){
            .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
            .dstSet = cube->set,
            .descriptorCount = 1,
            .descriptorType = VK_DESCRIPTOR_TYPE_COMBINED_IMAGE_SAMPLER,
            .pImageInfo = &(VkDescriptorImageInfo){ cube->sampler, cube->texture.view,
                                                    VK_IMAGE_LAYOUT_SHADER_READ_ONLY_OPTIMAL } },
        0, NULL);
    VK_CHECK(vkCreatePipelineLayout(
        vk->device,
        &(VkPipelineLayoutCreateInfo){
            .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
            .setLayoutCount = 1,
            .pSetLayouts = &cube->set_layout,
            .pushConstantRangeCount = 1,
            .pPushConstantRanges =
                &(VkPushConstantRange){ VK_SHADER_STAGE_VERTEX_BIT, 0, sizeof(struct mat4) } },
        NULL, &cube->layout));
}

void cube_create(struct cube *cube, const struct vk *vk, VkFormat format, uint32_t width,
                 uint32_t height)
{
    cube->texture = create_texture(vk);
    create_bindings(cube, vk);
    /* No depth: a convex shape whose back faces are culled needs none. */
    cube->pipeline = vk_pipeline_create(vk, &(struct vk_pipeline_needs){
                                                .layout = cube->layout,
                                                .format = format,
                                                .width = width,
                                                .height = height,
                                                .vertex = cube_vert,
                                                .vertex_size = sizeof cube_vert,
                                                .fragment = cube_frag,
                                                .fragment_size = sizeof cube_frag,
                                            });
}

void cube_destroy(struct cube *cube, const struct vk *vk)
{
    vkDestroyPipeline(vk->device, cube->pipeline, NULL);
    vkDestroyPipelineLayout(vk->device, cube->layout, NULL);
    vkDestroyDescriptorPool(vk->device, cube->descriptors, NULL);
    vkDestroyDescriptorSetLayout(vk->device, cube->set_layout, NULL);
    vkDestroySampler(vk->device, cube->sampler, NULL);
    vk_image_destroy(vk, &cube->texture);
}

struct mat4 cube_start(void)
{
    return mat4_turn_x(0.8f, 0.6f);
}

void cube_draw(const struct cube *cube, VkCommandBuffer commands, const struct mat4 *turned,
               float aspect)
{
    const struct mat4 view = mat4_multiply(mat4_perspective(2.2f, aspect, 1.0f, 20.0f),
                                           mat4_multiply(mat4_move(0, 0, -6), *turned));

    vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_GRAPHICS, cube->pipeline);
    vkCmdBindDescriptorSets(commands, VK_PIPELINE_BIND_POINT_GRAPHICS, cube->layout, 0, 1,
                            &cube->set, 0, NULL);
    vkCmdPushConstants(commands, cube->layout, VK_SHADER_STAGE_VERTEX_BIT, 0, sizeof view, &view);
    vkCmdDraw(commands, 36, 1, 0, 0);
}
