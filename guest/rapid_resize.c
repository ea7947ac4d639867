/* SPDX-License-Identifier: MIT */
/*
 * Changes the display's mode over and over while it draws: the next picture is being drawn, for
 * another size, when the display changes to the one before.
 *
 *   rapid_resize [--modes 50] [--seconds 0] [--size WxH] [--scanout dumb|blob] [--seed 1]
 *                [--png FILE] [--json FILE] [--hold]
 *
 * Each round takes one of the display's modes at random. Half of the pictures are larger than their
 * mode, which then shows a part of them, somewhere. The last round is in the mode of --size, or the
 * preferred one; --png is what should then be seen. Picture n is the n-th of shaders/pattern.frag.
 */
#include <drm/drm_fourcc.h>
#include <stdlib.h>
#include <string.h>

#include "chance.h"
#include "example.h"
#include "linear.h"
#include "pattern.frag.h"
#include "pattern.vert.h"
#include "png.h"
#include "target.h"

#define FORMAT      VK_FORMAT_B8G8R8A8_UNORM /* XRGB8888 in memory */
#define MOST_SIDE   2560u                    /* larger modes are left out */
#define MOST_MARGIN 200u                     /* by which a picture is larger than its mode */

struct picture {
    struct drm_mode_modeinfo mode;
    uint32_t width, height, x, y; /* its size, and where the part begins that is shown */
    struct target target;
    struct kms_canvas canvas;
    struct linear_image image;
    VkPipeline pipeline;
    struct vk_work work;
};

struct resizer {
    struct vk vk;
    struct kms kms;
    struct linear linear;
    bool blob;
    struct drm_mode_modeinfo last, *modes;
    uint32_t mode_count;
    struct chance chance;
    VkPipelineLayout layout;
    struct samples draw_ms, change_ms;
    uint32_t larger; /* pictures than their modes, so far */
};

static void create(struct resizer *r, const struct example *example)
{
    const VkImageUsageFlags usage =
        VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT | VK_IMAGE_USAGE_TRANSFER_DST_BIT;
    uint32_t count = 0;

    kms_open(&r->kms, example->width, example->height);
    r->last = r->kms.mode;
    r->modes = kms_modes(&r->kms, &count);
    for (uint32_t i = 0; i < count; i++) {
        if (r->modes[i].hdisplay <= MOST_SIDE && r->modes[i].vdisplay <= MOST_SIDE)
            r->modes[r->mode_count++] = r->modes[i];
    }
    if (r->mode_count == 0)
        die("the display has no mode of at most %ux%u", MOST_SIDE, MOST_SIDE);
    if (r->blob)
        linear_open(&r->linear, &r->vk, FORMAT, usage);
    else
        vk_create(&r->vk, 0, NULL);
    VK_CHECK(vkCreatePipelineLayout(
        r->vk.device,
        &(VkPipelineLayoutCreateInfo){
            .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
            .pushConstantRangeCount = 1,
            .pPushConstantRanges =
                &(VkPushConstantRange){ VK_SHADER_STAGE_FRAGMENT_BIT, 0, sizeof(uint32_t) } },
        NULL, &r->layout));
}

static void choose_size(struct resizer *r, struct picture *p, bool last)
{
    p->mode = last ? r->last : r->modes[chance_below(&r->chance, r->mode_count)];
    p->width = p->mode.hdisplay;
    p->height = p->mode.vdisplay;
    if (chance_below(&r->chance, 2)) {
        p->width += chance_below(&r->chance, MOST_MARGIN);
        p->height += chance_below(&r->chance, MOST_MARGIN);
        p->x = chance_below(&r->chance, p->width - p->mode.hdisplay + 1);
        p->y = chance_below(&r->chance, p->height - p->mode.vdisplay + 1);
        r->larger++;
    }
}

/* Has everything made for another size, and drawing begun. */
static struct picture start(struct resizer *r, uint32_t n, bool last)
{
    const float black[4] = { 0 };
    struct picture p = { 0 };

    choose_size(r, &p, last);
    target_create(&p.target, &r->vk, FORMAT, VK_FORMAT_UNDEFINED, p.width, p.height);
    if (r->blob)
        p.image = linear_create(&r->linear, &r->vk, &r->kms, FORMAT, DRM_FORMAT_XRGB8888, p.width,
                                p.height);
    else
        p.canvas = kms_create_canvas_of(&r->kms, p.width, p.height);
    p.pipeline = vk_pipeline_create(&r->vk, &(struct vk_pipeline_needs){
                                                .layout = r->layout,
                                                .format = FORMAT,
                                                .width = p.width,
                                                .height = p.height,
                                                .vertex = pattern_vert,
                                                .vertex_size = sizeof pattern_vert,
                                                .fragment = pattern_frag,
                                                .fragment_size = sizeof pattern_frag,
                                            });
    VkCommandBuffer commands = vk_begin(&r->vk);
    target_begin(&p.target, commands, black);
    vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_GRAPHICS, p.pipeline);
    vkCmdPushConstants(commands, r->layout, VK_SHADER_STAGE_FRAGMENT_BIT, 0, sizeof n, &n);
    vkCmdDraw(commands, 3, 1, 0, 0);
    target_end(&p.target, commands);
    if (r->blob) {
        const VkImageSubresourceLayers all = { VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, 1 };
        const VkImageCopy whole = { all, { 0 }, all, { 0 }, { p.width, p.height, 1 } };
        vk_change_layout(commands, p.image.image, VK_IMAGE_LAYOUT_UNDEFINED,
                         VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL);
        vkCmdCopyImage(commands, p.target.colour.image, VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL,
                       p.image.image, VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL, 1, &whole);
        linear_hand_over(&r->linear, &r->vk, commands, p.image.image,
                         VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL);
    }
    p.work = vk_submit(&r->vk, commands);
    return p;
}

static void show(struct resizer *r, const struct picture *p)
{
    const uint32_t framebuffer = r->blob ? p->image.framebuffer : p->canvas.framebuffer;
    const size_t row = 4 * (size_t)p->width;

    for (uint32_t y = 0; y < p->height && !r->blob; y++)
        memcpy((char *)p->canvas.pixels + (size_t)y * p->canvas.stride,
               (char *)p->target.pixels.data + y * row, row);
    r->kms.mode = p->mode;
    double start = now_ms();
    int error = kms_try_show(&r->kms, framebuffer, p->x, p->y);
    if (error)
        die("mode %s with %u,%u of a framebuffer of %ux%u: %s", p->mode.name, p->x, p->y, p->width,
            p->height, strerror(error));
    samples_add(&r->change_ms, now_ms() - start);
}

static void drop(struct resizer *r, struct picture *p)
{
    if (r->blob) {
        kms_remove_framebuffer(&r->kms, p->image.framebuffer);
        linear_destroy(&r->vk, &p->image);
    } else {
        kms_destroy_canvas(&r->kms, &p->canvas);
    }
    vkDestroyPipeline(r->vk.device, p->pipeline, NULL);
    target_destroy(&p->target, &r->vk);
}

/* The part that is shown. */
static void write_png(const struct picture *p, const char *path)
{
    const uint32_t width = p->mode.hdisplay, height = p->mode.vdisplay;
    const uint8_t *pixels = p->target.pixels.data;
    uint8_t *rgba = malloc(4 * (size_t)width * height), *to = rgba;

    if (!rgba)
        die("no memory for a picture of %ux%u", width, height);
    for (uint32_t y = 0; y < height; y++) {
        const uint8_t *from = pixels + 4 * ((size_t)(p->y + y) * p->width + p->x);
        for (uint32_t x = 0; x < width; x++, from += 4, to += 4) {
            to[0] = from[2];
            to[1] = from[1];
            to[2] = from[0];
            to[3] = from[3];
        }
    }
    png_write(path, rgba, width, height);
    free(rgba);
}

/* Returns the last picture, which is still shown. */
static struct picture run(struct resizer *r, const struct example *example)
{
    bool last = example->frames == 1;
    struct picture next = start(r, 0, last), now, shown = { 0 };

    for (uint32_t n = 0;; n++) {
        double begin = now_ms();
        vk_finish(&r->vk, &next.work);
        samples_add(&r->draw_ms, now_ms() - begin);
        bool more = !last;
        now = next;
        if (more) {
            last = !example_goes_on(example, n + 2);
            next = start(r, n + 1, last);
        }
        show(r, &now);
        if (n > 0)
            drop(r, &shown);
        if (!more)
            return now;
        shown = now;
    }
}

int main(int argc, char **argv)
{
    struct example example = example_options(argc, argv, 1);
    const char *scanout = option_text(argc, argv, "--scanout", "dumb");
    struct resizer r = { .chance = chance_start((uint64_t)option(argc, argv, "--seed", 1)),
                         .blob = strcmp(scanout, "blob") == 0 };

    example.frames = option(argc, argv, "--modes", 50);
    if (example.frames < 1 || (!r.blob && strcmp(scanout, "dumb") != 0))
        die("--modes is 1 or more, --scanout is dumb or blob");
    example_size(&example, argc, argv, 0, 0);
    create(&r, &example);
    struct picture last = run(&r, &example);
    if (example.png)
        write_png(&last, example.png);

    example.width = last.mode.hdisplay;
    example.height = last.mode.vdisplay;
    example_begin_report(&example, &r.vk);
    printf(
        ", \"scanout\": \"%s\", \"modes\": %zu, \"of\": %u, \"larger\": %u, \"x\": %u, \"y\": %u, ",
        scanout, r.change_ms.count, r.mode_count, r.larger, last.x, last.y);
    samples_print(&r.change_ms, "change_ms");
    printf(", ");
    samples_print(&r.draw_ms, "wait_for_drawing_ms");
    example_end_report();
    if (option_flag(argc, argv, "--hold"))
        example_hold();
    drop(&r, &last);
    kms_close(&r.kms);
    free(r.modes);
    vkDestroyPipelineLayout(r.vk.device, r.layout, NULL);
    vk_destroy(&r.vk);
    samples_finish(&r.change_ms);
    samples_finish(&r.draw_ms);
    return 0;
}
