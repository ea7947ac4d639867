/* SPDX-License-Identifier: MIT */
/*
 * What tests of presenting have in common: a machine whose scanouts are presented, patterns in the
 * guest's pictures, and a look at what the target shows.
 */
#ifndef TESTS_PRESENT_SCREEN_H
#define TESTS_PRESENT_SCREEN_H

#include "harness.h"
#include "vulkan-shim.h"

/* A test whose machine ends in order even if it fails with faults, or threads held back. */
#define PRESENT_TEST(function) cmocka_unit_test_teardown(function, present_teardown)
int present_teardown(void **state);

/* Start a machine that is presented by the host's Vulkan through the shim. */
void present_start(const struct vm_options *options);

/* Present scanout 0 offscreen; 0 x 0: as large as the frame. */
void present_offscreen(unsigned scanout, uint32_t width, uint32_t height, bool draw_cursor);
void present_headless(unsigned scanout);

/* A colour that differs from pixel to pixel in every channel, alpha too: 0xAARRGGBB. */
uint32_t pattern(uint32_t x, uint32_t y, uint32_t seed);

/* That colour as a pixel of a format, to be written as a little-endian word. */
uint32_t pixel_of(const struct venus_gpu_format *format, uint32_t colour);

/* Fill width x height pixels at ptr, the first of which is the pattern's at (x, y). */
void fill_pattern(void *ptr, const struct venus_gpu_format *format, uint32_t width, uint32_t height,
                  uint32_t stride, uint32_t x, uint32_t y, uint32_t seed);

/* What the target of a scanout shows: 0xffRRGGBB words in rows; to be freed. */
uint32_t *read_screen(unsigned scanout, uint32_t width, uint32_t height);

/* Fails the test unless the screen shows the pattern from (x, y) on, exactly. */
void assert_shows_pattern(unsigned scanout, uint32_t width, uint32_t height, uint32_t x, uint32_t y,
                          uint32_t seed);

/* A 2D picture of the guest's at ram_at(RAM_ADDR), transferred, on scanout 0; and flushed. */
void show_2d(uint32_t id, uint32_t format, uint32_t width, uint32_t height, uint32_t seed);

/* The same for a blob of that size in B8G8R8X8, which shows what its memory holds. */
void show_blob(uint32_t id, uint32_t width, uint32_t height);

/* A 2D resource of that size, in B8G8R8X8, that holds the pattern. */
void make_2d(uint32_t id, uint32_t width, uint32_t height, uint32_t seed);

/* Have scanout 0 show all of a 2D resource of that size, and send a flush of it. */
struct sent *send_frame(uint32_t id, uint32_t width, uint32_t height);

#endif
