/* SPDX-License-Identifier: MIT */
/*
 * Draws a textured cube offscreen and writes it as a picture: the same on every run, so that the
 * guest's picture can be held against the host's.
 *
 *   frame [--out FILE.png] [--width 640] [--height 480] [--step 7] [--loop 1]
 *         [--until FILE]
 *
 * The cube is turned `step` times by the angle whose sine and cosine are 7/25 and 24/25. With --loop
 * the frame is drawn and read back that many times and each is timed; all must come out the same. With
 * --until one more is drawn once that file is there, and none after it.
 */
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "common.h"
#include "cube.h"
#include "target.h"

#define FORMAT VK_FORMAT_R8G8B8A8_UNORM

static void draw(const struct vk *vk, const struct cube *cube, const struct target *target,
                 const struct mat4 *turned)
{
    VkCommandBuffer commands = vk_begin(vk);

    target_begin(target, commands, cube_background);
    cube_draw(cube, commands, turned, (float)target->width / (float)target->height);
    target_end(target, commands);
    vk_end(vk, commands);
}

int main(int argc, char **argv)
{
    const char *out = option_text(argc, argv, "--out", NULL);
    uint32_t width = (uint32_t)option(argc, argv, "--width", 640);
    uint32_t height = (uint32_t)option(argc, argv, "--height", 480);
    long step = option(argc, argv, "--step", 7), rounds = option(argc, argv, "--loop", 1);
    const char *until = option_text(argc, argv, "--until", NULL);
    bool last = false;
    struct samples frame = { 0 };
    struct mat4 turned = cube_start();
    struct target target;
    struct cube cube;
    struct vk vk;
    uint32_t crc = 0;

    if (width < 1 || width > 8192 || height < 1 || height > 8192 || step < 0 || rounds < 1)
        die("--width and --height are 1 to 8192, --step 0 or more, --loop 1 or more");
    vk_create(&vk, 0, NULL);
    target_create(&target, &vk, FORMAT, VK_FORMAT_UNDEFINED, width, height);
    cube_create(&cube, &vk, FORMAT, width, height);
    for (long i = 0; i < step; i++)
        turned = mat4_multiply(turned, mat4_turn_y(24.0f / 25.0f, 7.0f / 25.0f));

    for (long i = 0; i < rounds && !last; i++) {
        last = until && access(until, F_OK) == 0;
        memset(target.pixels.data, 0, target.pixels.size);
        double start = now_ms();
        draw(&vk, &cube, &target, &turned);
        samples_add(&frame, now_ms() - start);
        uint32_t now = target_crc(&target);
        if (i && now != crc)
            die("frame %ld has the checksum %08x, the ones before it %08x", i, now, crc);
        crc = now;
    }
    if (out)
        target_write_png(&target, out);
    printf("{\"program\": \"frame\", ");
    vk_print_device(&vk);
    printf(", \"width\": %u, \"height\": %u, \"step\": %ld, \"crc32\": \"%08x\", ", width, height,
           step, crc);
    samples_print(&frame, "frame_ms");
    printf("}\n");
    samples_finish(&frame);
    cube_destroy(&cube, &vk);
    target_destroy(&target, &vk);
    vk_destroy(&vk);
    return 0;
}
