/* SPDX-License-Identifier: MIT */
/* Scanouts: which part of which resource each output shows. */
#ifndef SCANOUT_H
#define SCANOUT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "venus-gpu.h"

struct command;
struct memory;
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

/* A flush whose response waits for the front end, or for a presenter. */
struct venus_gpu_flush {
    struct venus_gpu *gpu;
    struct command *cmd;              /* whose response waits, or NULL if it does no more */
    LIST_ENTRY(venus_gpu_flush) link; /* under the device's lock */
    SLIST_ENTRY(venus_gpu_flush) presented_link; /* the presenter's own */
};

/* The memory that a frame is in, which it holds a reference to. Any thread. */
struct memory *frame_memory(struct venus_gpu_frame *frame);
/* Where in it its first pixel is, in bytes. Any thread. */
uint64_t frame_offset(const struct venus_gpu_frame *frame);

/* Whether there is a scanout of that number. Logs it if there is none. */
bool scanout_exists(struct venus_gpu *gpu, struct command *cmd, uint32_t index);

/* Tell all who show the pointer (cursor.c). Device thread. */
void cursor_show(struct venus_gpu *gpu, unsigned scanout, const struct venus_gpu_cursor *cursor);

/* The resource is about to go: blank the scanouts that show it. Device thread. */
void scanout_forget_resource(struct venus_gpu *gpu, struct resource *resource);

/* Forget who waits for flushes, whose front end may still answer them. With the device's lock held. */
void scanout_forget_flushes_locked(struct venus_gpu *gpu);

#endif
