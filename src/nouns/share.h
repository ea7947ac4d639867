/* SPDX-License-Identifier: MIT */
/* 2D resources that the guest's Vulkan uses too, such as a buffer of its window system. */
#ifndef SHARE_H
#define SHARE_H

#include <stddef.h>
#include <stdint.h>

struct resource;
struct stream;
struct venus_gpu;

/*
 * Give the renderer a 2D resource's memory, so that contexts can be told of it. Sets in_renderer. On an
 * error (a negative errno value) nothing has changed. Device thread, as all of this file.
 */
int share_with_renderer(struct venus_gpu *gpu, struct resource *resource);

/* The renderer is about to end, with nothing of it in use: it does not have this one any more, if it is a 2D
 * resource. */
void share_take_back(struct venus_gpu *gpu, struct resource *resource);

/* Free what share_with_renderer() took, but for the renderer's resource. */
void share_end(struct venus_gpu *gpu, struct resource *resource);

/* Save what such a resource has transferred, if the renderer has had it; or load it: it is as after share_take_back(). */
void share_stream(struct venus_gpu *gpu, struct resource *resource, struct stream *stream);

/*
 * Transfer rows from the backing to such a resource: only those pixels that the guest has written since
 * it last transferred them. The rows lie within both. Returns how many bytes of such pixels there were.
 */
uint64_t share_transfer(struct resource *resource, uint64_t from, uint64_t to, size_t row,
                        uint32_t height);

#endif
