/* SPDX-License-Identifier: MIT */
/* The host-visible memory window: where the guest sees the blobs that it maps. */
#ifndef WINDOW_H
#define WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct resource;
struct venus_gpu;

/* A part of the window that a blob takes up. */
struct window_range {
    uint64_t start, end; /* offsets; end is the first byte after it */
};

struct window {
    char *base; /* NULL: the device has no window */
    uint64_t size;
    bool locks_memory; /* the process does: mlockall(), also of what it maps from now on */
    void *ranges;      /* struct window_range, in a tree of tsearch() */
    bool hint_given;   /* since the last reset */
};

/* Reserve the window. 0 or a negative errno value. */
int window_init(struct window *window, uint64_t size);
void window_finish(struct window *window);

/* A blob of so many bytes is going to be mapped, as far as one can tell. Device thread. */
void window_expect(struct venus_gpu *gpu, uint64_t size);

/* Take a blob out of the window if it is there. Device thread. */
void window_unmap(struct venus_gpu *gpu, struct resource *resource);

#endif
