/*
 * virtio-gpu-venus: the test picture, and whether it is shown
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <glib/gstdio.h>
#include "monitor.h"
#include "picture.h"

const Format formats[NUM_FORMATS] = {
    { VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, "BGRA" },
    { VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, "BGRX" },
    { VIRTIO_GPU_FORMAT_A8R8G8B8_UNORM, "ARGB" },
    { VIRTIO_GPU_FORMAT_X8R8G8B8_UNORM, "XRGB" },
    { VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM, "RGBA" },
    { VIRTIO_GPU_FORMAT_X8B8G8R8_UNORM, "XBGR" },
    { VIRTIO_GPU_FORMAT_A8B8G8R8_UNORM, "ABGR" },
    { VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM, "RGBX" },
};

#define SHARED "-object memory-backend-memfd,id=mem,size=64M,share=on " \
               "-machine memory-backend=mem"
#define SWAPCHAIN ",present=swapchain,present-target=offscreen"

const Shown drawn = { ",present=surface", "", false };
const Shown drawn_shared = { ",present=surface", SHARED, false };
const Shown presented = { SWAPCHAIN, "", true };
const Shown presented_shared = { SWAPCHAIN, SHARED, true };

uint8_t picture_channel(char channel, uint32_t x, uint32_t y)
{
    switch (channel) {
    case 'R':
        return x * 7 + y + 1;
    case 'G':
        return x + y * 5 + 2;
    case 'B':
        return (x ^ y) * 3 + 3;
    case 'A':
        return x * 11 + y * 13 + 0x40;
    default:
        return x * 17 + y * 3 + 0x99;
    }
}

void draw_picture(uint8_t *pixels, const char *bytes, uint32_t width,
                  uint32_t height, uint32_t stride)
{
    uint32_t x, y, i;

    for (y = 0; y < height; y++) {
        for (x = 0; x < width; x++) {
            for (i = 0; i < 4; i++) {
                pixels[y * stride + x * 4 + i] =
                    picture_channel(bytes[i], x, y);
            }
        }
    }
}

uint8_t *screendump(Venus *v, int head, uint32_t *width,
                    uint32_t *height)
{
    g_autofree char *path = NULL;
    g_autofree char *file = NULL;
    gsize size;
    int fd = g_file_open_tmp("venus-qtest-XXXXXX.ppm", &path, NULL);
    int header = 0;

    g_assert_cmpint(fd, >=, 0);
    close(fd);
    qtest_qmp_assert_success(v->qts, "{'execute': 'screendump', 'arguments': "
                             "{'filename': %s, 'device': 'gpu', 'head': %d}}",
                             path, head);
    g_assert_true(g_file_get_contents(path, &file, &size, NULL));
    g_unlink(path);
    g_assert_cmpint(sscanf(file, "P6\n%u %u\n255%n", width, height, &header),
                    ==, 2);
    header++;                   /* one white space */
    g_assert_cmpuint(size, ==, header + *width * *height * 3);
    return g_memdup2(file + header, size - header);
}

void assert_picture(Venus *v, int head, uint32_t left, uint32_t top,
                    uint32_t width, uint32_t height)
{
    uint32_t w, h, x, y;
    g_autofree uint8_t *rgb = screendump(v, head, &w, &h);
    const uint8_t *pixel = rgb;

    g_assert_cmpuint(w, ==, width);
    g_assert_cmpuint(h, ==, height);
    for (y = top; y < top + height; y++) {
        for (x = left; x < left + width; x++, pixel += 3) {
            g_assert_cmphex(pixel[0], ==, picture_channel('R', x, y));
            g_assert_cmphex(pixel[1], ==, picture_channel('G', x, y));
            g_assert_cmphex(pixel[2], ==, picture_channel('B', x, y));
        }
    }
}

uint64_t make_picture(Venus *v, uint32_t id, const Format *format,
                      uint32_t width, uint32_t height)
{
    size_t size = width * height * 4;
    g_autofree uint8_t *pixels = g_malloc(size);
    uint64_t backing = guest_alloc(&v->alloc, size);

    draw_picture(pixels, format->bytes, width, height, width * 4);
    qtest_memwrite(v->qts, backing, pixels, size);
    assert_ok(create_2d(v, id, format->virtio, width, height));
    assert_ok(attach(v, id, backing, size));
    return backing;
}

Venus *venus_start_shown(const Shown *shown)
{
    g_autofree char *device = g_strdup_printf(DEVICE "%s", shown->options);

    return venus_start_args(device, shown->args);
}

void assert_presented(Venus *v, const Shown *shown, uint64_t before)
{
    gint64 end = g_get_monotonic_time() + TIMEOUT_US;

    /* A flush is answered once its frame has been read: before it is shown. */
    while (shown->presented && get_stat(v, "present-frames") == before) {
        g_assert_cmpint(g_get_monotonic_time(), <, end);
    }
    if (!shown->presented) {
        g_assert_cmpuint(get_stat(v, "present-frames"), ==, 0);
    }
    g_assert_cmpuint(get_stat(v, "present-staging"), ==, 0);
}
