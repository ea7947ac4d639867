/* SPDX-License-Identifier: MIT */
/* See screen.h. */
#include "screen.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "device/device.h"
#include "present/present.h"

void present_start(const struct vm_options *options)
{
    shim_reset();
    vm_start(options);
    shim_use(vm.gpu);
}

int present_teardown(void **state)
{
    shim_reset();
    int ret = vm_teardown(state);
    unsigned left = shim_memories();
    shim_forget_memories(); /* whose they are, the next test need not know */
    if (left)
        fail_msg("%u allocations of the GPU's memory are left", left);
    return ret;
}

static void present_to(unsigned scanout, enum venus_gpu_target_kind kind, uint32_t width,
                       uint32_t height, bool draw_cursor)
{
    const struct venus_gpu_target target = {
        .size = sizeof(target),
        .kind = kind,
        .width = width,
        .height = height,
        .draw_cursor = draw_cursor,
    };
    assert_int_equal(venus_gpu_present(vm.gpu, scanout, &target), 0);
}

void present_offscreen(unsigned scanout, uint32_t width, uint32_t height, bool draw_cursor)
{
    present_to(scanout, VENUS_GPU_TARGET_OFFSCREEN, width, height, draw_cursor);
}

void present_headless(unsigned scanout)
{
    present_to(scanout, VENUS_GPU_TARGET_HEADLESS, 0, 0, false);
}

uint32_t pattern(uint32_t x, uint32_t y, uint32_t seed)
{
    uint32_t value = (x * 2654435761u) ^ (y * 2246822519u) ^ (seed * 3266489917u);
    value ^= value >> 15;
    value *= 2246822519u;
    return value ^ value >> 13;
}

static uint32_t channel(uint32_t mask, uint32_t value)
{
    return mask ? (value & 0xff) << __builtin_ctz(mask) : 0;
}

uint32_t pixel_of(const struct venus_gpu_format *format, uint32_t colour)
{
    uint32_t unused = ~(format->red | format->green | format->blue | format->alpha);
    return channel(format->red, colour >> 16) | channel(format->green, colour >> 8) |
           channel(format->blue, colour) | channel(format->alpha, colour >> 24) |
           (unused & 0x5a5a5a5a);
}

void fill_pattern(void *ptr, const struct venus_gpu_format *format, uint32_t width, uint32_t height,
                  uint32_t stride, uint32_t x, uint32_t y, uint32_t seed)
{
    for (uint32_t row = 0; row < height; row++) {
        uint32_t *pixels = (uint32_t *)((char *)ptr + (size_t)row * stride);
        for (uint32_t i = 0; i < width; i++)
            pixels[i] = le32(pixel_of(format, pattern(x + i, y + row, seed)));
    }
}

uint32_t *read_screen(unsigned scanout, uint32_t width, uint32_t height)
{
    uint32_t *pixels = malloc((size_t)width * height * sizeof(*pixels));
    int ret = -EAGAIN;
    for (int i = 0; i < 2000 && ret == -EAGAIN; i++) {
        ret = present_read(vm.gpu->present, scanout, pixels, width, height);
        if (ret == -EAGAIN)
            usleep(1000);
    }
    if (ret)
        print_error("present_read() says %d; %s\n", ret, vm.present_why);
    assert_int_equal(ret, 0);
    for (size_t i = 0; i < (size_t)width * height; i++)
        pixels[i] = le32(pixels[i]) | 0xff000000;
    return pixels;
}

void assert_shows_pattern(unsigned scanout, uint32_t width, uint32_t height, uint32_t x, uint32_t y,
                          uint32_t seed)
{
    uint32_t *pixels = read_screen(scanout, width, height);
    for (uint32_t row = 0; row < height; row++) {
        for (uint32_t i = 0; i < width; i++) {
            uint32_t wanted = pattern(x + i, y + row, seed) | 0xff000000;
            uint32_t seen = pixels[(size_t)row * width + i];
            if (seen != wanted) {
                print_error("pixel (%u, %u): expected %08x, seen %08x\n", i, row, wanted, seen);
                free(pixels);
                fail();
            }
        }
    }
    free(pixels);
}

void show_2d(uint32_t id, uint32_t format, uint32_t width, uint32_t height, uint32_t seed)
{
    fill_pattern(ram_at(RAM_ADDR), venus_gpu_format_lookup(format), width, height, width * 4, 0, 0,
                 seed);
    assert_ok(create_2d(id, format, width, height));
    assert_ok(attach_ram(id, RAM_ADDR, width * height * 4));
    assert_ok(transfer(id, rect(0, 0, width, height), 0));
    assert_ok(set_scanout(0, id, rect(0, 0, width, height)));
    assert_ok(flush(id, rect(0, 0, width, height)));
}

void show_blob(uint32_t id, uint32_t width, uint32_t height)
{
    const struct virtio_gpu_set_scanout_blob request = blob_scanout(0, id, width, height);
    assert_ok(set_scanout_blob(&request));
    assert_ok(flush(id, rect(0, 0, width, height)));
}

void make_2d(uint32_t id, uint32_t width, uint32_t height, uint32_t seed)
{
    const uint32_t format = VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM;
    fill_pattern(ram_at(RAM_ADDR), venus_gpu_format_lookup(format), width, height, width * 4, 0, 0,
                 seed);
    assert_ok(create_2d(id, format, width, height));
    assert_ok(attach_ram(id, RAM_ADDR, width * height * 4));
    assert_ok(transfer(id, rect(0, 0, width, height), 0));
}

struct sent *send_frame(uint32_t id, uint32_t width, uint32_t height)
{
    assert_ok(set_scanout(0, id, rect(0, 0, width, height)));
    return send_flush(id, rect(0, 0, width, height), 0, 0);
}
