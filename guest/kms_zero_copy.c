/* SPDX-License-Identifier: MIT */
/*
 * Shows what Vulkan draws with no copy on the way: the display scans out the images' own memory.
 *
 *   kms_zero_copy [--frames 120] [--size WxH] [--format XRGB8888] [--json FILE] [--hold]
 *
 * Two linear images with dma-bufs behind them are drawn to in turn; the kernel's display makes
 * framebuffers of the dma-bufs and flips between them, which the device sees as SET_SCANOUT_BLOB
 * and RESOURCE_FLUSH of host blobs. The picture is computable: shaders/pattern.frag. The numbers
 * go out when the last frame is up; with --hold it then stays until SIGTERM. Needs a display that
 * nobody owns, and a host whose Vulkan driver exports dma-bufs.
 */
#include <drm/drm_fourcc.h>
#include <string.h>

#include "example.h"
#include "kms.h"
#include "linear.h"
#include "pattern.frag.h"
#include "pattern.vert.h"

#define BUFFERS 2u

/* DRM names bits from the highest down, Vulkan bytes as they stand in memory. */
static const struct format {
    const char *name;
    uint32_t fourcc;
    VkFormat vk;
} formats[] = {
    { "XRGB8888", DRM_FORMAT_XRGB8888, VK_FORMAT_B8G8R8A8_UNORM },
    { "ARGB8888", DRM_FORMAT_ARGB8888, VK_FORMAT_B8G8R8A8_UNORM },
    { "XBGR8888", DRM_FORMAT_XBGR8888, VK_FORMAT_R8G8B8A8_UNORM },
    { "ABGR8888", DRM_FORMAT_ABGR8888, VK_FORMAT_R8G8B8A8_UNORM },
};

struct painter {
    struct vk vk;
    const struct format *format;
    uint32_t width, height;
    struct linear linear;
    VkPipelineLayout layout;
    VkPipeline pipeline;
    struct linear_image targets[BUFFERS];
};

static const struct format *find_format(const char *name)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        if (strcmp(formats[i].name, name) == 0)
            return &formats[i];
    }
    die("--format is XRGB8888, ARGB8888, XBGR8888 or ABGR8888, not \"%s\"", name);
}

static void create_painter(struct painter *p, const struct kms *kms)
{
    linear_open(&p->linear, &p->vk, p->format->vk, VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT);
    VK_CHECK(vkCreatePipelineLayout(
        p->vk.device,
        &(VkPipelineLayoutCreateInfo){
            .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
            .pushConstantRangeCount = 1,
            .pPushConstantRanges =
                &(VkPushConstantRange){ VK_SHADER_STAGE_FRAGMENT_BIT, 0, sizeof(uint32_t) } },
        NULL, &p->layout));
    p->pipeline = vk_pipeline_create(&p->vk, &(struct vk_pipeline_needs){
                                                 .layout = p->layout,
                                                 .format = p->format->vk,
                                                 .width = p->width,
                                                 .height = p->height,
                                                 .vertex = pattern_vert,
                                                 .vertex_size = sizeof pattern_vert,
                                                 .fragment = pattern_frag,
                                                 .fragment_size = sizeof pattern_frag,
                                             });
    for (uint32_t i = 0; i < BUFFERS; i++)
        p->targets[i] = linear_create(&p->linear, &p->vk, kms, p->format->vk, p->format->fourcc,
                                      p->width, p->height);
}

static void destroy_painter(struct painter *p)
{
    for (uint32_t i = 0; i < BUFFERS; i++)
        linear_destroy(&p->vk, &p->targets[i]);
    vkDestroyPipeline(p->vk.device, p->pipeline, NULL);
    vkDestroyPipelineLayout(p->vk.device, p->layout, NULL);
    vk_destroy(&p->vk);
}

/* Draws the pattern of a frame and waits until it is there. */
static void paint(const struct painter *p, const struct linear_image *t, uint32_t frame)
{
    const float black[4] = { 0 };
    VkCommandBuffer commands = vk_begin(&p->vk);

    vk_change_layout(commands, t->image, VK_IMAGE_LAYOUT_UNDEFINED,
                     VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL);
    vk_begin_rendering(commands, &t->pass, black);
    vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_GRAPHICS, p->pipeline);
    vkCmdPushConstants(commands, p->layout, VK_SHADER_STAGE_FRAGMENT_BIT, 0, sizeof frame, &frame);
    vkCmdDraw(commands, 3, 1, 0, 0);
    vk_end_rendering(commands);
    linear_hand_over(&p->linear, &p->vk, commands, t->image,
                     VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL);
    vk_end(&p->vk, commands);
}

int main(int argc, char **argv)
{
    struct example example = example_options(argc, argv, 120);
    struct painter p = {
        .format = find_format(option_text(argc, argv, "--format", "XRGB8888")),
    };
    struct samples draw = { 0 }, flip = { 0 };
    struct kms kms;

    example_size(&example, argc, argv, 0, 0);
    kms_open(&kms, example.width, example.height);
    p.width = kms.mode.hdisplay;
    p.height = kms.mode.vdisplay;
    create_painter(&p, &kms);

    double start = 0; /* when the first frame was up: it compiles the shaders */
    for (uint32_t frame = 0; example_goes_on(&example, frame); frame++) {
        const struct linear_image *t = &p.targets[frame % BUFFERS];
        double before = now_ms();
        paint(&p, t, frame);
        double drawn = now_ms();
        samples_add(&draw, drawn - before);
        if (frame == 0) {
            kms_show(&kms, t->framebuffer);
            start = now_ms();
            continue;
        }
        kms_flip(&kms, t->framebuffer);
        samples_add(&flip, now_ms() - drawn);
    }
    double seconds = (now_ms() - start) / 1e3;
    long frames = (long)draw.count;

    example.width = p.width;
    example.height = p.height;
    example_begin_report(&example, &p.vk);
    printf(", \"frames\": %ld, \"fps\": %.2f, \"stride\": %llu, \"offset\": %llu, "
           "\"format\": \"%s\", \"modifier\": %s, \"foreign\": %s, ",
           frames, frames > 1 ? (double)(frames - 1) / seconds : 0,
           (unsigned long long)p.targets[0].layout.rowPitch,
           (unsigned long long)p.targets[0].layout.offset, p.format->name,
           p.linear.modifier ? "true" : "false", p.linear.foreign ? "true" : "false");
    samples_print(&draw, "draw_ms");
    printf(", ");
    samples_print(&flip, "flip_ms");
    example_end_report();
    if (option_flag(argc, argv, "--hold"))
        example_hold();
    kms_close(&kms);
    destroy_painter(&p);
    samples_finish(&draw);
    samples_finish(&flip);
    return 0;
}
