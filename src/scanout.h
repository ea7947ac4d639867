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

struct scanout {
    struct resource *resource;  /* NULL: nothing is shown */
    struct venus_gpu_rect rect; /* of the resource */
    uint64_t offset;            /* of the rectangle's first pixel in the resource's bytes */
    struct venus_gpu_frame *frame;
    bool cursor_visible; /* UPDATE_CURSOR gave it an image */
};

/* Whether there is a scanout of that number. Logs it if there is none. */
bool scanout_exists(struct venus_gpu *gpu, struct command *cmd, uint32_t index);

/* The resource is about to go: blank the scanouts that show it. Device thread. */
void scanout_forget_resource(struct venus_gpu *gpu, struct resource *resource);

/* Forget who waits for flushes, whose front end may still answer them. With the device's lock held. */
void scanout_forget_flushes_locked(struct venus_gpu *gpu);

#endif
