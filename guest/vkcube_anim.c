/* SPDX-License-Identifier: MIT */
/*
 * A turning cube on the guest's display, drawn by Vulkan and shown by the kernel, with no window
 * system. While one frame is on its way to the screen the next is being drawn.
 *
 *   vkcube_anim [--scanout dumb|blob|none] [--frames 300] [--seconds 0] [--size WxH]
 *               [--png FILE] [--json FILE] [--hold]
 *
 * dumb  draws on an image, copies that to a buffer that the CPU sees, and the CPU copies it to one
 *       of two buffers of the display: what works with every display and every Vulkan driver
 * blob  draws on one of three images that the display scans out itself: nothing is copied, but the
 *       host's driver has to export dma-bufs
 * none  the same drawing with no display: what the screen is compared with
 *
 * Frame n is the cube turned n times, so a frame's picture is always the same. The first frame is
 * not timed: the driver compiles its shaders in it. With --hold the last one stays until SIGTERM.
 */
#include <drm/drm_fourcc.h>
#include <string.h>

#include "cube.h"
#include "example.h"
#include "linear.h"
#include "target.h"

#define FORMAT  VK_FORMAT_B8G8R8A8_UNORM /* XRGB8888 in memory */
#define BUFFERS 3u

enum scanout { SCANOUT_DUMB, SCANOUT_BLOB, SCANOUT_NONE };

struct animation {
    struct vk vk;
    struct kms kms;
    enum scanout scanout;
    uint32_t width, height;
    struct mat4 turned;
    struct cube cube;
    struct linear linear;
    struct target targets[2]; /* what is drawn on unless that is scanned out itself */
    struct kms_canvas canvases[2];
    struct linear_image images[BUFFERS];
    struct samples frame, draw, copy, flip;
};

static enum scanout find_scanout(const char *name)
{
    if (strcmp(name, "dumb") == 0)
        return SCANOUT_DUMB;
    if (strcmp(name, "blob") == 0)
        return SCANOUT_BLOB;
    if (strcmp(name, "none") == 0)
        return SCANOUT_NONE;
    die("--scanout is dumb, blob or none, not \"%s\"", name);
}

static void create(struct animation *a)
{
    if (a->scanout == SCANOUT_BLOB)
        linear_open(&a->linear, &a->vk, FORMAT,
                    VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT | VK_IMAGE_USAGE_TRANSFER_SRC_BIT);
    else
        vk_create(&a->vk, 0, NULL);
    cube_create(&a->cube, &a->vk, FORMAT, a->width, a->height);
    a->turned = cube_start();
    for (uint32_t i = 0; i < 2; i++)
        target_create(&a->targets[i], &a->vk, FORMAT, VK_FORMAT_UNDEFINED, a->width, a->height);
    for (uint32_t i = 0; i < 2 && a->scanout == SCANOUT_DUMB; i++)
        a->canvases[i] = kms_create_canvas(&a->kms);
    for (uint32_t i = 0; i < BUFFERS && a->scanout == SCANOUT_BLOB; i++)
        a->images[i] = linear_create(&a->linear, &a->vk, &a->kms, FORMAT, DRM_FORMAT_XRGB8888,
                                     a->width, a->height);
}

static void destroy(struct animation *a)
{
    if (a->scanout != SCANOUT_NONE)
        kms_close(&a->kms);
    for (uint32_t i = 0; i < BUFFERS; i++)
        linear_destroy(&a->vk, &a->images[i]);
    for (uint32_t i = 0; i < 2; i++)
        target_destroy(&a->targets[i], &a->vk);
    cube_destroy(&a->cube, &a->vk);
    vk_destroy(&a->vk);
    samples_finish(&a->frame);
    samples_finish(&a->draw);
    samples_finish(&a->copy);
    samples_finish(&a->flip);
}

/* Starts drawing a frame. The angle's sine and cosine are 80/1601 and 1599/1601. */
static struct vk_work start_frame(struct animation *a, long frame)
{
    VkCommandBuffer commands = vk_begin(&a->vk);
    const float aspect = (float)a->width / (float)a->height;

    if (frame > 0)
        a->turned = mat4_multiply(a->turned, mat4_turn_y(1599.0f / 1601.0f, 80.0f / 1601.0f));
    if (a->scanout == SCANOUT_BLOB) {
        const struct linear_image *image = &a->images[frame % BUFFERS];
        vk_change_layout(commands, image->image, VK_IMAGE_LAYOUT_UNDEFINED,
                         VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL);
        vk_begin_rendering(commands, &image->pass, cube_background);
        cube_draw(&a->cube, commands, &a->turned, aspect);
        vk_end_rendering(commands);
        linear_hand_over(&a->linear, &a->vk, commands, image->image,
                         VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL);
    } else {
        const struct target *target = &a->targets[frame % 2];
        target_begin(target, commands, cube_background);
        cube_draw(&a->cube, commands, &a->turned, aspect);
        target_end(target, commands);
    }
    return vk_submit(&a->vk, commands);
}

/* By the CPU, out of the memory that Vulkan wrote into the display's. */
static void copy_to_canvas(const struct target *target, const struct kms_canvas *canvas)
{
    const size_t row = 4 * (size_t)target->width;
    const char *from = target->pixels.data;
    char *to = (char *)canvas->pixels;

    if (canvas->stride == row) {
        memcpy(to, from, row * target->height);
        return;
    }
    for (uint32_t y = 0; y < target->height; y++)
        memcpy(to + (size_t)y * canvas->stride, from + y * row, row);
}

static void show(struct animation *a, long frame)
{
    uint32_t framebuffer = a->scanout == SCANOUT_DUMB ? a->canvases[frame % 2].framebuffer
                                                      : a->images[frame % BUFFERS].framebuffer;

    if (a->scanout == SCANOUT_NONE)
        return;
    if (a->scanout == SCANOUT_DUMB) {
        double start = now_ms();
        copy_to_canvas(&a->targets[frame % 2], &a->canvases[frame % 2]);
        samples_add(&a->copy, now_ms() - start);
    }
    double start = now_ms();
    if (frame == 0) {
        kms_show(&a->kms, framebuffer);
    } else {
        kms_flip(&a->kms, framebuffer);
        samples_add(&a->flip, now_ms() - start);
    }
}

/* Returns how many frames were shown. Frame n + 1 is being drawn while frame n is copied and shown:
 * the two never share a buffer, nor with frame n - 1, which is on the screen until then. */
static long run(struct animation *a, const struct example *example)
{
    struct vk_work work = start_frame(a, 0);
    double shown = 0;

    for (long frame = 0;; frame++) {
        double start = now_ms();
        vk_finish(&a->vk, &work);
        samples_add(&a->draw, now_ms() - start);
        bool more = example_goes_on(example, frame + 1);
        if (more)
            work = start_frame(a, frame + 1);
        show(a, frame);
        double now = now_ms();
        if (frame > 0)
            samples_add(&a->frame, now - shown);
        shown = now;
        if (!more)
            return frame + 1;
    }
}

static void write_png(struct animation *a, long frame, const char *path)
{
    const struct target *target = &a->targets[frame % 2];

    if (a->scanout == SCANOUT_BLOB) {
        const VkBufferImageCopy region = vk_whole(a->width, a->height);
        const VkImage image = a->images[frame % BUFFERS].image;
        VkCommandBuffer commands = vk_begin(&a->vk);
        linear_take_back(&a->linear, &a->vk, commands, image, VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL);
        vkCmdCopyImageToBuffer(commands, image, VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL,
                               target->pixels.buffer, 1, &region);
        vk_show_to_cpu(commands);
        vk_end(&a->vk, commands);
    }
    target_write_png(target, path);
}

int main(int argc, char **argv)
{
    const char *scanout = option_text(argc, argv, "--scanout", "dumb");
    struct animation a = { .scanout = find_scanout(scanout) };
    bool none = a.scanout == SCANOUT_NONE;
    struct example example = example_options(argc, argv, 300);

    example_size(&example, argc, argv, none ? 800 : 0, none ? 600 : 0);
    if (!none) {
        kms_open(&a.kms, example.width, example.height);
        example.width = a.kms.mode.hdisplay;
        example.height = a.kms.mode.vdisplay;
    }
    a.width = example.width;
    a.height = example.height;
    create(&a);
    long frames = run(&a, &example);
    double ms = 0;
    for (size_t i = 0; i < a.frame.count; i++)
        ms += a.frame.ms[i];

    if (example.png)
        write_png(&a, frames - 1, example.png);
    example_begin_report(&example, &a.vk);
    printf(", \"scanout\": \"%s\", \"frames\": %ld, \"fps\": %.2f, ", scanout, frames,
           a.frame.count ? 1e3 * (double)a.frame.count / ms : 0);
    samples_print(&a.frame, "frame_ms");
    printf(", ");
    samples_print(&a.draw, "wait_for_drawing_ms");
    printf(", ");
    samples_print(&a.copy, "copy_ms");
    printf(", ");
    samples_print(&a.flip, "flip_ms");
    example_end_report();
    if (option_flag(argc, argv, "--hold"))
        example_hold();
    destroy(&a);
    return 0;
}
