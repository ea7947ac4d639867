/* SPDX-License-Identifier: MIT */
/* The host-visible memory window: where the guest sees the blobs that it maps. */
#ifndef WINDOW_H
#define WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct resource;
struct venus_gpu;
struct window;

/* A part of the window that a blob takes up. */
struct window_range {
    uint64_t start, end; /* offsets; end is the first byte after it */
};

/* Reserve a window of that size; 0: the device has none. Returns 0 or a negative errno value. To be destroyed in any
 * case. */
int window_create(struct window **window, uint64_t size);
void window_destroy(struct window *window); /* takes NULL */

/* What the driver is asked for: multiples of so many bytes. 0: of nothing but its own pages. Any thread. */
uint32_t window_blob_alignment(const struct venus_gpu *gpu);

/* Another driver may come: it finds zeroes where no blob is, and may run out of the window too. Device thread. */
void window_forget(struct venus_gpu *gpu);

/* A blob of so many bytes is going to be mapped, as far as one can tell. Device thread. */
void window_expect(struct venus_gpu *gpu, uint64_t size);

/* Take a blob out of the window if it is there. Device thread. */
void window_unmap(struct venus_gpu *gpu, struct resource *resource);

#endif
