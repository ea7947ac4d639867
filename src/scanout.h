/* SPDX-License-Identifier: MIT */
/* Scanouts: which part of which resource each output shows. */
#ifndef SCANOUT_H
#define SCANOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "venus-gpu.h"

struct command;
struct resource;
struct venus_gpu;

enum { CURSOR_SIZE = 64 }; /* of a pointer's image, in pixels each way */

struct scanout {
    struct resource *resource;     /* NULL: nothing is shown */
    struct venus_gpu_rect rect;    /* of the resource */
    uint64_t offset;               /* of the rectangle's first pixel in the resource's bytes */
    struct venus_gpu_frame *frame; /* written under the device's lock: others look at it */
    /* The pointer as it is now, for whoever comes to show it; written under the device's lock. */
    struct venus_gpu_cursor cursor; /* with pixels: UPDATE_CURSOR gave it an image, the next */
    bool moves_name_image;          /* of this driver, a MOVE_CURSOR without one hides */
    uint32_t cursor_pixels[CURSOR_SIZE * CURSOR_SIZE];
};

/* Whether there is a scanout of that number. Logs it if there is none. */
bool scanout_exists(struct venus_gpu *gpu, struct command *cmd, uint32_t index);

/* Tell all who show the pointer (cursor.c). Device thread. */
void cursor_show(struct venus_gpu *gpu, unsigned scanout, const struct venus_gpu_cursor *cursor);

/* The resource is about to go: blank the scanouts that show it. Device thread. */
void scanout_forget_resource(struct venus_gpu *gpu, struct resource *resource);

#endif
