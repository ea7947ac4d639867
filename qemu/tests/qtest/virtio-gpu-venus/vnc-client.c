/*
 * virtio-gpu-venus: just enough of a VNC client for the tests
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <sys/un.h>
#include "vnc-client.h"

static void vnc_read(int fd, void *data, size_t size)
{
    char *to = data;

    while (size) {
        ssize_t len = read(fd, to, size);

        g_assert_cmpint(len, >, 0);
        to += len;
        size -= len;
    }
}

void vnc_write(int fd, const void *data, size_t size)
{
    g_assert_cmpint(write(fd, data, size), ==, size);
}

int vnc_connect(const char *path)
{
    static const uint8_t encodings[] = {
        2, 0, 0, 2,             /* SetEncodings */
        0, 0, 0, 0,             /* raw */
        0xff, 0xff, 0xfe, 0xcc, /* ExtendedDesktopSize, -308 */
    };
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    struct timeval timeout = { .tv_sec = 30 };
    uint8_t buf[256];
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    g_strlcpy(addr.sun_path, path, sizeof(addr.sun_path));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    g_assert_cmpint(connect(fd, (struct sockaddr *)&addr, sizeof(addr)),
                    ==, 0);
    vnc_read(fd, buf, 12);
    vnc_write(fd, "RFB 003.008\n", 12);
    vnc_read(fd, buf, 1);
    g_assert_cmpuint(buf[0], ==, 1);    /* one security type: */
    vnc_read(fd, buf, 1);
    vnc_write(fd, "\1", 1);             /* none */
    vnc_read(fd, buf, 4);
    g_assert_cmpuint(ldl_be_p(buf), ==, 0);
    vnc_write(fd, "\1", 1);             /* ClientInit */
    vnc_read(fd, buf, 24);              /* ServerInit */
    g_assert_cmpuint(buf[4], ==, 32);   /* bits per pixel */
    g_assert_cmpuint(buf[6], ==, 0);    /* little-endian */
    g_assert_cmpuint(ldl_be_p(buf + 20), <, sizeof(buf));
    vnc_read(fd, buf, ldl_be_p(buf + 20));
    vnc_write(fd, encodings, sizeof(encodings));
    return fd;
}

bool vnc_get_frame(int fd, VncFrame *frame)
{
    uint8_t request[10] = { 3 };        /* FramebufferUpdateRequest */
    uint8_t head[4], rect[12], screens[4 + 16];
    uint32_t area = 0;
    int i, y;

    stw_be_p(request + 6, frame->width);
    stw_be_p(request + 8, frame->height);
    vnc_write(fd, request, sizeof(request));
    vnc_read(fd, head, sizeof(head));
    g_assert_cmpuint(head[0], ==, 0);   /* FramebufferUpdate */
    for (i = 0; i < lduw_be_p(head + 2); i++) {
        uint16_t left, top, width, height;

        vnc_read(fd, rect, sizeof(rect));
        left = lduw_be_p(rect);
        top = lduw_be_p(rect + 2);
        width = lduw_be_p(rect + 4);
        height = lduw_be_p(rect + 6);
        if (ldl_be_p(rect + 8) == (uint32_t)-308) {
            vnc_read(fd, screens, sizeof(screens));
            g_assert_cmpuint(screens[0], ==, 1);
            frame->width = width;
            frame->height = height;
            continue;
        }
        g_assert_cmpuint(ldl_be_p(rect + 8), ==, 0);
        for (y = top; y < top + height; y++) {
            g_autofree uint8_t *row = g_malloc(width * 4);

            vnc_read(fd, row, width * 4);
            if (left < 256 && y < 256) {
                memcpy(frame->pixels + (y * 256 + left) * 4, row,
                       MIN(width, 256 - left) * 4);
            }
        }
        area += width * height;
    }
    return area && area == frame->width * frame->height;
}

void vnc_wait_part(int fd, VncFrame *frame, uint32_t screen_width,
                   uint32_t screen_height, uint32_t width,
                   uint32_t height)
{
    gint64 end = g_get_monotonic_time() + TIMEOUT_US;
    bool good = false;

    while (!good) {
        int x, y;

        g_assert_cmpint(g_get_monotonic_time(), <, end);
        good = vnc_get_frame(fd, frame) && frame->width == screen_width &&
               frame->height == screen_height;
        for (y = 0; good && y < height; y++) {
            for (x = 0; good && x < width; x++) {
                const uint8_t *pixel = frame->pixels + (y * 256 + x) * 4;

                good = pixel[0] == picture_channel('B', x, y) &&
                       pixel[1] == picture_channel('G', x, y) &&
                       pixel[2] == picture_channel('R', x, y);
            }
        }
    }
}

void vnc_wait_picture(int fd, VncFrame *frame, uint32_t width,
                      uint32_t height)
{
    vnc_wait_part(fd, frame, width, height, width, height);
}

void vnc_resize(int fd, uint16_t width, uint16_t height)
{
    uint8_t message[8 + 16] = { 251, [6] = 1 };

    stw_be_p(message + 2, width);
    stw_be_p(message + 4, height);
    vnc_write(fd, message, sizeof(message));
}

void vnc_wait_taken(int fd, VncFrame *frame)
{
    frame->width = frame->height = 0;
    while (!frame->width) {
        vnc_get_frame(fd, frame);
    }
}
