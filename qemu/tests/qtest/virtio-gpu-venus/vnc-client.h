/*
 * virtio-gpu-venus: just enough of a VNC client for the tests
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef VENUS_TEST_VNC_CLIENT_H
#define VENUS_TEST_VNC_CLIENT_H

#include "picture.h"

typedef struct VncFrame {
    uint16_t width, height;
    uint8_t pixels[256 * 256 * 4];      /* B, G, R, 0 */
} VncFrame;

void vnc_write(int fd, const void *data, size_t size);
int vnc_connect(const char *path);
/* Ask for all of the screen.  False: it is another size, or only a part. */
bool vnc_get_frame(int fd, VncFrame *frame);
/*
 * The client has a screen of that size, sooner or later, with the test picture
 * in its upper left corner.
 */
void vnc_wait_part(int fd, VncFrame *frame, uint32_t screen_width,
                   uint32_t screen_height, uint32_t width,
                   uint32_t height);
/* The client sees the test picture, all of it, sooner or later. */
void vnc_wait_picture(int fd, VncFrame *frame, uint32_t width,
                      uint32_t height);
/* What a client does when its window is resized */
void vnc_resize(int fd, uint16_t width, uint16_t height);
/* QEMU has taken what the client sent before. */
void vnc_wait_taken(int fd, VncFrame *frame);

#endif
