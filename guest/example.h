/* SPDX-License-Identifier: MIT */
/*
 * The frame of an example: the options that they have in common, the JSON object that each prints at
 * its end, and staying on the screen.
 *
 *   --frames N   how many pictures to draw
 *   --seconds N  stop after that time, even if there are more; 0: no limit
 *   --size WxH   how large they are
 *   --png FILE   writes the last of them
 *   --json FILE  writes the JSON object there instead of printing it
 */
#ifndef GUEST_EXAMPLE_H
#define GUEST_EXAMPLE_H

#include "common.h"
#include "vk.h"

struct example {
    const char *program;
    long frames;
    uint32_t width, height;
    const char *png, *json; /* or NULL */
    struct deadline deadline;
};

/* The options but for the size, or so many frames. */
struct example example_options(int argc, char **argv, long frames);
/* The size, or these values: 0 for none unless --size gives one. */
void example_size(struct example *example, int argc, char **argv, uint32_t width, uint32_t height);

/* For an example that draws nothing: dies if a picture is wanted. */
void example_without_picture(const struct example *example);

/* Whether frame `done` (from 0) is still to be drawn: there are more and there is time. */
bool example_goes_on(const struct example *example, long done);

/* Opens the object with the program, the device and the size; what is printed then goes into it. */
void example_begin_report(const struct example *example, const struct vk *vk);
void example_end_report(void);

/* Waits for SIGTERM or SIGINT. */
void example_hold(void);

#endif
