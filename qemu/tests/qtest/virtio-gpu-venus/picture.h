/*
 * virtio-gpu-venus: the test picture, and whether it is shown
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef VENUS_TEST_PICTURE_H
#define VENUS_TEST_PICTURE_H

#include "driver.h"

typedef struct Format {
    uint32_t virtio;
    const char *bytes;          /* of a pixel in memory */
} Format;

#define NUM_FORMATS 8

extern const Format formats[NUM_FORMATS];

/* Who shows the pictures of a test, and what the test needs of QEMU for it */
typedef struct Shown {
    const char *options;        /* of the device */
    const char *args;
    bool presented;             /* by the host's Vulkan too */
} Shown;

extern const Shown drawn, drawn_shared, presented, presented_shared;

/* The test picture: each pixel differs from its neighbours in all channels. */
uint8_t picture_channel(char channel, uint32_t x, uint32_t y);
void draw_picture(uint8_t *pixels, const char *bytes, uint32_t width,
                  uint32_t height, uint32_t stride);
/*
 * What a head shows, as rows of RGB bytes.  g_free() it.
 *
 * Take pictures of a width that is a multiple of 4: screendump pads rows to
 * four bytes, which the PPM format does not know.
 */
uint8_t *screendump(Venus *v, int head, uint32_t *width,
                    uint32_t *height);
/* The head shows the part of the test picture that is at left, top. */
void assert_picture(Venus *v, int head, uint32_t left, uint32_t top,
                    uint32_t width, uint32_t height);
/* A 2D resource with the test picture in its backing, which is returned. */
uint64_t make_picture(Venus *v, uint32_t id, const Format *format,
                      uint32_t width, uint32_t height);
Venus *venus_start_shown(const Shown *shown);
/* Since there were @before, frames have been presented, or not, with no copy */
void assert_presented(Venus *v, const Shown *shown, uint64_t before);

#endif
