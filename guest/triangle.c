/* SPDX-License-Identifier: MIT */
/*
 * The first triangle: what it takes to have Vulkan draw one picture and to look at it. A pipeline
 * out of two shaders, an image to draw on, commands that say what to draw, and the wait for them.
 *
 *   triangle [--frames 60] [--seconds 0] [--size 640x480] [--png FILE] [--json FILE]
 *
 * Each frame turns it a little further; the turn reaches the vertex shader as push constants.
 */
#include "example.h"
#include "target.h"
#include "tint.frag.h"
#include "triangle.vert.h"

#define FORMAT VK_FORMAT_R8G8B8A8_UNORM

/* As shaders/triangle.vert has it. */
struct push {
    float cosine, sine, aspect;
};

static VkPipelineLayout create_layout(const struct vk *vk)
{
    VkPipelineLayout layout;

    VK_CHECK(vkCreatePipelineLayout(
        vk->device,
        &(VkPipelineLayoutCreateInfo){
            .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
            .pushConstantRangeCount = 1,
            .pPushConstantRanges =
                &(VkPushConstantRange){ VK_SHADER_STAGE_VERTEX_BIT, 0, sizeof(struct push) } },
        NULL, &layout));
    return layout;
}

static void draw(const struct vk *vk, const struct target *target, VkPipelineLayout layout,
                 VkPipeline pipeline, const struct push *push)
{
    const float behind[4] = { 0.1f, 0.1f, 0.1f, 1.0f };
    VkCommandBuffer commands = vk_begin(vk);

    target_begin(target, commands, behind);
    vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_GRAPHICS, pipeline);
    vkCmdPushConstants(commands, layout, VK_SHADER_STAGE_VERTEX_BIT, 0, sizeof *push, push);
    vkCmdDraw(commands, 3, 1, 0, 0);
    target_end(target, commands);
    vk_end(vk, commands); /* and waits until it is done */
}

int main(int argc, char **argv)
{
    const float c = 399.0f / 401.0f, s = 40.0f / 401.0f; /* each frame's angle, without a sine */
    struct example example = example_options(argc, argv, 60);
    struct samples frame_ms = { 0 };
    struct target target;
    struct vk vk;

    example_size(&example, argc, argv, 640, 480);
    vk_create(&vk, 0, NULL);
    target_create(&target, &vk, FORMAT, VK_FORMAT_UNDEFINED, example.width, example.height);
    VkPipelineLayout layout = create_layout(&vk);
    VkPipeline pipeline = vk_pipeline_create(&vk, &(struct vk_pipeline_needs){
                                                      .layout = layout,
                                                      .format = FORMAT,
                                                      .width = example.width,
                                                      .height = example.height,
                                                      .vertex = triangle_vert,
                                                      .vertex_size = sizeof triangle_vert,
                                                      .fragment = tint_frag,
                                                      .fragment_size = sizeof tint_frag,
                                                  });

    struct push push = { 1, 0, (float)example.width / (float)example.height };
    for (long frame = 0; example_goes_on(&example, frame); frame++) {
        double start = now_ms();
        draw(&vk, &target, layout, pipeline, &push);
        samples_add(&frame_ms, now_ms() - start);
        push = (struct push){ push.cosine * c - push.sine * s, push.cosine * s + push.sine * c,
                              push.aspect };
    }

    if (example.png)
        target_write_png(&target, example.png);
    example_begin_report(&example, &vk);
    printf(", \"crc32\": \"%08x\", ", target_crc(&target));
    samples_print(&frame_ms, "frame_ms");
    example_end_report();

    samples_finish(&frame_ms);
    vkDestroyPipeline(vk.device, pipeline, NULL);
    vkDestroyPipelineLayout(vk.device, layout, NULL);
    target_destroy(&target, &vk);
    vk_destroy(&vk);
    return 0;
}
