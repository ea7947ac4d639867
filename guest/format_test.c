/* SPDX-License-Identifier: MIT */
/*
 * Which formats the display takes: the eight that a virtio-gpu knows, each in a dumb buffer and in
 * memory of Vulkan's. The kernel is asked for a framebuffer and then to show it.
 *
 *   format_test [--format NAME] [--scanout both|dumb|blob] [--size WxH]
 *               [--png FILE] [--json FILE] [--hold]
 *
 * For each the report says "works", or which step the kernel refused and with what error; that is no
 * failure, as a kernel may know fewer formats than the device. All show one picture, which Vulkan
 * draws (shaders/pattern.frag) and whose bytes are then put into the order of the format, so
 * whichever works must look like --png. With --format there is only that one, and --hold leaves it.
 */
#define _GNU_SOURCE
#include <drm/drm_fourcc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "example.h"
#include "linear.h"
#include "pattern.frag.h"
#include "pattern.vert.h"
#include "target.h"

#define FRAME 1u /* of the pattern */

enum { DUMB, BLOB, SCANOUTS };

static const char *const scanout_names[SCANOUTS] = { "dumb", "blob" };

/* DRM names bits from the highest down, virtio-gpu bytes as they lie in memory: `order` is for each
 * byte which of red, green, blue and the rest it is. */
static const struct format {
    const char *name, *virtio;
    uint32_t fourcc;
    uint8_t order[4];
} formats[] = {
    { "ARGB8888", "B8G8R8A8_UNORM", DRM_FORMAT_ARGB8888, { 2, 1, 0, 3 } },
    { "XRGB8888", "B8G8R8X8_UNORM", DRM_FORMAT_XRGB8888, { 2, 1, 0, 3 } },
    { "BGRA8888", "A8R8G8B8_UNORM", DRM_FORMAT_BGRA8888, { 3, 0, 1, 2 } },
    { "BGRX8888", "X8R8G8B8_UNORM", DRM_FORMAT_BGRX8888, { 3, 0, 1, 2 } },
    { "ABGR8888", "R8G8B8A8_UNORM", DRM_FORMAT_ABGR8888, { 0, 1, 2, 3 } },
    { "RGBX8888", "X8B8G8R8_UNORM", DRM_FORMAT_RGBX8888, { 3, 2, 1, 0 } },
    { "RGBA8888", "A8B8G8R8_UNORM", DRM_FORMAT_RGBA8888, { 3, 2, 1, 0 } },
    { "XBGR8888", "R8G8B8X8_UNORM", DRM_FORMAT_XBGR8888, { 0, 1, 2, 3 } },
};

struct tester {
    struct vk vk;
    struct kms kms;
    struct linear linear;
    const char *no_blobs; /* why there are none, or NULL */
    struct target picture;
    struct vk_buffer bytes; /* the picture in a format's order */
    uint32_t width, height;
};

/* What the kernel said of one format. */
struct answer {
    const char *step; /* that it refused, or NULL */
    int error;
};

static void draw_picture(struct tester *t)
{
    const uint32_t frame = FRAME;
    const float black[4] = { 0 };
    VkPipelineLayout layout;

    VK_CHECK(vkCreatePipelineLayout(
        t->vk.device,
        &(VkPipelineLayoutCreateInfo){
            .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
            .pushConstantRangeCount = 1,
            .pPushConstantRanges =
                &(VkPushConstantRange){ VK_SHADER_STAGE_FRAGMENT_BIT, 0, sizeof frame } },
        NULL, &layout));
    VkPipeline pipeline = vk_pipeline_create(&t->vk, &(struct vk_pipeline_needs){
                                                         .layout = layout,
                                                         .format = t->picture.format,
                                                         .width = t->width,
                                                         .height = t->height,
                                                         .vertex = pattern_vert,
                                                         .vertex_size = sizeof pattern_vert,
                                                         .fragment = pattern_frag,
                                                         .fragment_size = sizeof pattern_frag,
                                                     });
    VkCommandBuffer commands = vk_begin(&t->vk);
    target_begin(&t->picture, commands, black);
    vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_GRAPHICS, pipeline);
    vkCmdPushConstants(commands, layout, VK_SHADER_STAGE_FRAGMENT_BIT, 0, sizeof frame, &frame);
    vkCmdDraw(commands, 3, 1, 0, 0);
    target_end(&t->picture, commands);
    vk_end(&t->vk, commands);
    vkDestroyPipeline(t->vk.device, pipeline, NULL);
    vkDestroyPipelineLayout(t->vk.device, layout, NULL);
}

static void put_in_order(const struct tester *t, const struct format *format)
{
    const uint8_t *from = t->picture.pixels.data;
    uint8_t *to = t->bytes.data;

    for (VkDeviceSize i = 0; i < t->picture.pixels.size; i += 4) {
        for (int k = 0; k < 4; k++)
            to[i + k] = from[i + format->order[k]];
    }
}

/* Asks the kernel for a framebuffer and to show it, and takes the framebuffer back. */
static struct answer ask(const struct tester *t, uint32_t handle, const struct kms_picture *picture,
                         bool keep)
{
    uint32_t framebuffer;
    int error = kms_try_framebuffer(&t->kms, handle, picture, &framebuffer);

    if (error)
        return (struct answer){ "a framebuffer", error };
    error = kms_try_show(&t->kms, framebuffer, 0, 0);
    if (!keep || error)
        kms_remove_framebuffer(&t->kms, framebuffer);
    return (struct answer){ error ? "showing it" : NULL, error };
}

static struct answer try_dumb(const struct tester *t, const struct format *format, bool keep)
{
    struct kms_canvas canvas = kms_create_canvas(&t->kms);
    const size_t row = 4 * (size_t)t->width;

    for (uint32_t y = 0; y < t->height; y++)
        memcpy((char *)canvas.pixels + (size_t)y * canvas.stride, (char *)t->bytes.data + y * row,
               row);
    struct answer answer = ask(t, canvas.handle,
                               &(struct kms_picture){ .fourcc = format->fourcc,
                                                      .width = t->width,
                                                      .height = t->height,
                                                      .stride = canvas.stride },
                               keep);
    if (!keep)
        kms_destroy_canvas(&t->kms, &canvas);
    return answer;
}

/* The image is taken for R8G8B8A8 by Vulkan, whatever the display takes it for. */
static struct answer try_blob(const struct tester *t, const struct format *format, bool keep)
{
    const VkBufferImageCopy whole = vk_whole(t->width, t->height);
    struct linear_image image = linear_create(&t->linear, &t->vk, NULL, VK_FORMAT_R8G8B8A8_UNORM,
                                              format->fourcc, t->width, t->height);
    VkCommandBuffer commands = vk_begin(&t->vk);

    vk_change_layout(commands, image.image, VK_IMAGE_LAYOUT_UNDEFINED,
                     VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL);
    vkCmdCopyBufferToImage(commands, t->bytes.buffer, image.image,
                           VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL, 1, &whole);
    linear_hand_over(&t->linear, &t->vk, commands, image.image,
                     VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL);
    vk_end(&t->vk, commands);
    int fd = linear_export(&t->vk, &image);
    uint32_t handle = kms_import(&t->kms, fd);
    struct answer answer = ask(t, handle,
                               &(struct kms_picture){ .fourcc = format->fourcc,
                                                      .width = t->width,
                                                      .height = t->height,
                                                      .stride = (uint32_t)image.layout.rowPitch,
                                                      .offset = (uint32_t)image.layout.offset },
                               keep);
    kms_close_handle(&t->kms, handle);
    close(fd);
    linear_destroy(&t->vk, &image); /* what is shown holds on to the memory */
    return answer;
}

static void print_answer(const char *name, const struct answer *answer)
{
    if (answer->step)
        printf(", \"%s\": \"refused: %s, %s\"", name, answer->step, strerrorname_np(answer->error));
    else
        printf(", \"%s\": \"works\"", name);
}

static void test(const struct tester *t, const struct format *format, const bool wanted[SCANOUTS],
                 bool keep)
{
    struct answer answer;

    put_in_order(t, format);
    printf("{\"format\": \"%s\", \"virtio\": \"%s\"", format->name, format->virtio);
    if (wanted[DUMB]) {
        answer = try_dumb(t, format, keep);
        print_answer("dumb", &answer);
    }
    if (wanted[BLOB] && t->no_blobs) {
        printf(", \"blob\": \"%s\"", t->no_blobs);
    } else if (wanted[BLOB]) {
        answer = try_blob(t, format, keep);
        print_answer("blob", &answer);
    }
    printf("}");
}

int main(int argc, char **argv)
{
    struct example example = example_options(argc, argv, 1);
    const char *only = option_text(argc, argv, "--format", NULL);
    const char *scanout = option_text(argc, argv, "--scanout", "both");
    const bool hold = option_flag(argc, argv, "--hold");
    struct tester t = { 0 };
    bool wanted[SCANOUTS];
    int tested = 0;

    for (int i = 0; i < SCANOUTS; i++)
        wanted[i] = strcmp(scanout, "both") == 0 || strcmp(scanout, scanout_names[i]) == 0;
    if (!wanted[DUMB] && !wanted[BLOB])
        die("--scanout is both, dumb or blob, not \"%s\"", scanout);
    example_size(&example, argc, argv, 0, 0);
    kms_open(&t.kms, example.width, example.height);
    t.width = example.width = t.kms.mode.hdisplay;
    t.height = example.height = t.kms.mode.vdisplay;
    t.no_blobs =
        linear_try_open(&t.linear, &t.vk, VK_FORMAT_R8G8B8A8_UNORM,
                        VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT | VK_IMAGE_USAGE_TRANSFER_DST_BIT);
    target_create(&t.picture, &t.vk, VK_FORMAT_R8G8B8A8_UNORM, VK_FORMAT_UNDEFINED, t.width,
                  t.height);
    t.bytes = vk_buffer_create(&t.vk, t.picture.pixels.size, VK_BUFFER_USAGE_TRANSFER_SRC_BIT);
    draw_picture(&t);
    if (example.png)
        target_write_png(&t.picture, example.png);

    example_begin_report(&example, &t.vk);
    printf(", \"formats\": [");
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        if (only && strcmp(only, formats[i].name) != 0)
            continue;
        printf("%s", tested++ ? ", " : "");
        test(&t, &formats[i], wanted, hold);
    }
    printf("]");
    if (!tested)
        die("--format is none that virtio-gpu knows: \"%s\"", only);
    example_end_report();
    if (hold)
        example_hold();
    kms_close(&t.kms);
    vk_buffer_destroy(&t.vk, &t.bytes);
    target_destroy(&t.picture, &t.vk);
    vk_destroy(&t.vk);
    return 0;
}
