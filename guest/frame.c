/* SPDX-License-Identifier: MIT */
/*
 * Draws a textured cube offscreen and writes it as a picture: the same on every run, so that the
 * guest's picture can be held against the host's.
 *
 *   frame [--out FILE.png] [--width 640] [--height 480] [--step 7] [--loop 1]
 *
 * The cube is turned `step` times by a fixed angle. Nothing in it depends on a C library's sine or
 * on time: the angle's sine and cosine are 7/25 and 24/25. With --loop the frame is drawn and read
 * back that many times and each is timed; every one must come out the same.
 */
#include <stdlib.h>
#include <string.h>

#include "common.h"
#include "cube.frag.h"
#include "cube.vert.h"
#include "png.h"
#include "vk.h"

#define FORMAT VK_FORMAT_R8G8B8A8_UNORM
#define TEXTURE 256u /* pixels a side */

struct image {
    VkImage image;
    VkDeviceMemory memory;
    VkImageView view;
};

struct mat4 {
    float m[4][4]; /* m[column][row], as GLSL has it */
};

static struct mat4 multiply(struct mat4 a, struct mat4 b)
{
    struct mat4 out = { 0 };

    for (int column = 0; column < 4; column++) {
        for (int row = 0; row < 4; row++) {
            for (int k = 0; k < 4; k++)
                out.m[column][row] += a.m[k][row] * b.m[column][k];
        }
    }
    return out;
}

/* Turned about y `step` times and tipped towards the viewer once, then seen in perspective. */
static struct mat4 view_at(long step, float aspect)
{
    const float c = 24.0f / 25.0f, s = 7.0f / 25.0f, near = 1.0f, far = 20.0f, zoom = 2.2f;
    const struct mat4 turn = { { { c, 0, -s, 0 }, { 0, 1, 0, 0 }, { s, 0, c, 0 }, { 0, 0, 0, 1 } } };
    const struct mat4 tip = { { { 1, 0, 0, 0 }, { 0, 0.8f, 0.6f, 0 }, { 0, -0.6f, 0.8f, 0 },
                                { 0, 0, 0, 1 } } };
    const struct mat4 away = { { { 1, 0, 0, 0 }, { 0, 1, 0, 0 }, { 0, 0, 1, 0 }, { 0, 0, -6, 1 } } };
    /* Vulkan's clip space: y points down, z runs from 0 to w. */
    const struct mat4 perspective = { { { zoom / aspect, 0, 0, 0 },
                                        { 0, -zoom, 0, 0 },
                                        { 0, 0, far / (near - far), -1 },
                                        { 0, 0, near * far / (near - far), 0 } } };
    struct mat4 model = tip;

    for (long i = 0; i < step; i++)
        model = multiply(model, turn);
    return multiply(perspective, multiply(away, model));
}

static struct image create_image(struct vk *vk, uint32_t width, uint32_t height,
                                 VkImageUsageFlags usage)
{
    struct image out = { 0 };
    VkMemoryRequirements needs;

    VK_CHECK(vkCreateImage(vk->device,
                           &(VkImageCreateInfo){ .sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
                                                 .imageType = VK_IMAGE_TYPE_2D,
                                                 .format = FORMAT,
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
                                  .format = FORMAT,
                                  .subresourceRange = { VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1 } },
        NULL, &out.view));
    return out;
}

static void destroy_image(struct vk *vk, struct image *image)
{
    vkDestroyImageView(vk->device, image->view, NULL);
    vkDestroyImage(vk->device, image->image, NULL);
    vkFreeMemory(vk->device, image->memory, NULL);
}

static VkBufferImageCopy whole(uint32_t width, uint32_t height)
{
    return (VkBufferImageCopy){ .imageSubresource = { VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, 1 },
                                .imageExtent = { width, height, 1 } };
}

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

static struct image create_texture(struct vk *vk)
{
    struct image texture = create_image(
        vk, TEXTURE, TEXTURE, VK_IMAGE_USAGE_SAMPLED_BIT | VK_IMAGE_USAGE_TRANSFER_DST_BIT);
    struct vk_buffer staging =
        vk_buffer_create(vk, 4 * TEXTURE * TEXTURE, VK_BUFFER_USAGE_TRANSFER_SRC_BIT);
    VkBufferImageCopy region = whole(TEXTURE, TEXTURE);

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

/* Everything that a draw binds. */
struct scene {
    VkSampler sampler;
    VkDescriptorSetLayout set_layout;
    VkDescriptorPool descriptors;
    VkDescriptorSet set;
    VkPipelineLayout layout;
    VkPipeline pipeline;
};

static void create_bindings(struct vk *vk, struct scene *scene, VkImageView texture)
{
    VK_CHECK(vkCreateSampler(vk->device,
                             &(VkSamplerCreateInfo){
                                 .sType = VK_STRUCTURE_TYPE_SAMPLER_CREATE_INFO,
                                 .magFilter = VK_FILTER_LINEAR,
                                 .minFilter = VK_FILTER_LINEAR,
                                 .addressModeU = VK_SAMPLER_ADDRESS_MODE_CLAMP_TO_EDGE,
                                 .addressModeV = VK_SAMPLER_ADDRESS_MODE_CLAMP_TO_EDGE },
                             NULL, &scene->sampler));
    VK_CHECK(vkCreateDescriptorSetLayout(
        vk->device,
        &(VkDescriptorSetLayoutCreateInfo){
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
            .bindingCount = 1,
            .pBindings =
                &(VkDescriptorSetLayoutBinding){
                    .descriptorType = VK_DESCRIPTOR_TYPE_COMBINED_IMAGE_SAMPLER,
                    .descriptorCount = 1,
                    .stageFlags = VK_SHADER_STAGE_FRAGMENT_BIT },
        },
        NULL, &scene->set_layout));
    VK_CHECK(vkCreateDescriptorPool(
        vk->device,
        &(VkDescriptorPoolCreateInfo){
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
            .maxSets = 1,
            .poolSizeCount = 1,
            .pPoolSizes =
                &(VkDescriptorPoolSize){ VK_DESCRIPTOR_TYPE_COMBINED_IMAGE_SAMPLER, 1 } },
        NULL, &scene->descriptors));
    VK_CHECK(vkAllocateDescriptorSets(
        vk->device,
        &(VkDescriptorSetAllocateInfo){ .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                        .descriptorPool = scene->descriptors,
                                        .descriptorSetCount = 1,
                                        .pSetLayouts = &scene->set_layout },
        &scene->set));
    vkUpdateDescriptorSets(
        vk->device, 1,
        &(VkWriteDescriptorSet){
            .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
            .dstSet = scene->set,
            .descriptorCount = 1,
            .descriptorType = VK_DESCRIPTOR_TYPE_COMBINED_IMAGE_SAMPLER,
            .pImageInfo = &(VkDescriptorImageInfo){ scene->sampler, texture,
                                                    VK_IMAGE_LAYOUT_SHADER_READ_ONLY_OPTIMAL } },
        0, NULL);
    VK_CHECK(vkCreatePipelineLayout(
        vk->device,
        &(VkPipelineLayoutCreateInfo){
            .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
            .setLayoutCount = 1,
            .pSetLayouts = &scene->set_layout,
            .pushConstantRangeCount = 1,
            .pPushConstantRanges = &(VkPushConstantRange){ VK_SHADER_STAGE_VERTEX_BIT, 0,
                                                           sizeof(struct mat4) } },
        NULL, &scene->layout));
}

/* No depth buffer: a convex shape whose back faces are culled needs none. */
static void create_pipeline(struct vk *vk, struct scene *scene, uint32_t width, uint32_t height)
{
    scene->pipeline = vk_pipeline_create(vk, &(struct vk_pipeline_needs){
                                                 .layout = scene->layout,
                                                 .format = FORMAT,
                                                 .width = width,
                                                 .height = height,
                                                 .vertex = cube_vert,
                                                 .vertex_size = sizeof cube_vert,
                                                 .fragment = cube_frag,
                                                 .fragment_size = sizeof cube_frag,
                                             });
}

static void destroy_scene(struct vk *vk, struct scene *scene)
{
    vkDestroyPipeline(vk->device, scene->pipeline, NULL);
    vkDestroyPipelineLayout(vk->device, scene->layout, NULL);
    vkDestroyDescriptorPool(vk->device, scene->descriptors, NULL);
    vkDestroyDescriptorSetLayout(vk->device, scene->set_layout, NULL);
    vkDestroySampler(vk->device, scene->sampler, NULL);
}

static void draw(struct vk *vk, const struct scene *scene, const struct image *target,
                 const struct mat4 *view, uint32_t width, uint32_t height,
                 const struct vk_buffer *pixels)
{
    VkCommandBuffer commands = vk_begin(vk);
    VkBufferImageCopy region = whole(width, height);

    vk_change_layout(commands, target->image, VK_IMAGE_LAYOUT_UNDEFINED,
                     VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL);
    vkCmdBeginRendering(
        commands,
        &(VkRenderingInfo){
            .sType = VK_STRUCTURE_TYPE_RENDERING_INFO,
            .renderArea = { { 0, 0 }, { width, height } },
            .layerCount = 1,
            .colorAttachmentCount = 1,
            .pColorAttachments =
                &(VkRenderingAttachmentInfo){
                    .sType = VK_STRUCTURE_TYPE_RENDERING_ATTACHMENT_INFO,
                    .imageView = target->view,
                    .imageLayout = VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL,
                    .loadOp = VK_ATTACHMENT_LOAD_OP_CLEAR,
                    .storeOp = VK_ATTACHMENT_STORE_OP_STORE,
                    .clearValue.color.float32 = { 0.12f, 0.12f, 0.16f, 1.0f } },
        });
    vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_GRAPHICS, scene->pipeline);
    vkCmdBindDescriptorSets(commands, VK_PIPELINE_BIND_POINT_GRAPHICS, scene->layout, 0, 1,
                            &scene->set, 0, NULL);
    vkCmdPushConstants(commands, scene->layout, VK_SHADER_STAGE_VERTEX_BIT, 0, sizeof *view, view);
    vkCmdDraw(commands, 36, 1, 0, 0);
    vkCmdEndRendering(commands);
    vk_change_layout(commands, target->image, VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL,
                     VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL);
    vkCmdCopyImageToBuffer(commands, target->image, VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL,
                           pixels->buffer, 1, &region);
    vkCmdPipelineBarrier2(
        commands,
        &(VkDependencyInfo){
            .sType = VK_STRUCTURE_TYPE_DEPENDENCY_INFO,
            .memoryBarrierCount = 1,
            .pMemoryBarriers =
                &(VkMemoryBarrier2){ .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER_2,
                                     .srcStageMask = VK_PIPELINE_STAGE_2_COPY_BIT,
                                     .srcAccessMask = VK_ACCESS_2_TRANSFER_WRITE_BIT,
                                     .dstStageMask = VK_PIPELINE_STAGE_2_HOST_BIT,
                                     .dstAccessMask = VK_ACCESS_2_HOST_READ_BIT },
        });
    vk_end(vk, commands);
}

int main(int argc, char **argv)
{
    const char *out = option_text(argc, argv, "--out", NULL);
    uint32_t width = (uint32_t)option(argc, argv, "--width", 640);
    uint32_t height = (uint32_t)option(argc, argv, "--height", 480);
    long step = option(argc, argv, "--step", 7), rounds = option(argc, argv, "--loop", 1);
    struct samples frame = { 0 };
    struct scene scene = { 0 };
    struct vk vk;
    uint32_t crc = 0;

    if (width < 1 || width > 8192 || height < 1 || height > 8192 || step < 0 || rounds < 1)
        die("--width and --height are 1 to 8192, --step 0 or more, --loop 1 or more");
    vk_create(&vk, 0, NULL);
    struct image texture = create_texture(&vk);
    struct image target = create_image(
        &vk, width, height, VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT | VK_IMAGE_USAGE_TRANSFER_SRC_BIT);
    struct vk_buffer pixels =
        vk_buffer_create(&vk, 4 * (VkDeviceSize)width * height, VK_BUFFER_USAGE_TRANSFER_DST_BIT);
    create_bindings(&vk, &scene, texture.view);
    create_pipeline(&vk, &scene, width, height);
    const struct mat4 view = view_at(step, (float)width / (float)height);

    for (long i = 0; i < rounds; i++) {
        memset(pixels.data, 0, pixels.size);
        double start = now_ms();
        draw(&vk, &scene, &target, &view, width, height, &pixels);
        samples_add(&frame, now_ms() - start);
        uint32_t now = png_crc(0, pixels.data, pixels.size);
        if (i && now != crc)
            die("frame %ld has the checksum %08x, the ones before it %08x", i, now, crc);
        crc = now;
    }
    if (out)
        png_write(out, pixels.data, width, height);
    printf("{\"program\": \"frame\", ");
    vk_print_device(&vk);
    printf(", \"width\": %u, \"height\": %u, \"step\": %ld, \"crc32\": \"%08x\", ", width, height,
           step, crc);
    samples_print(&frame, "frame_ms");
    printf("}\n");
    samples_finish(&frame);
    destroy_scene(&vk, &scene);
    vk_buffer_destroy(&vk, &pixels);
    destroy_image(&vk, &target);
    destroy_image(&vk, &texture);
    vk_destroy(&vk);
    return 0;
}
