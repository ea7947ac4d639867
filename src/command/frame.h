/* SPDX-License-Identifier: MIT */
/* Frames, which are what a scanout shows, and flushes, which say that one has changed. */
#ifndef FRAME_H
#define FRAME_H

#include <stdint.h>
#include <sys/queue.h>

#include "venus-gpu.h"

struct command;
struct flushes;
struct memory;
struct renderer_device;
struct services;

/*
 * A rectangle of a resource's memory, which the frame holds a reference to; offset: of its first pixel there, in
 * bytes; device: as of memory_describe(). NULL if there is no memory for it.
 */
struct venus_gpu_frame *frame_create(struct memory *memory, uint64_t offset,
                                     const struct renderer_device *device, uint32_t resource_id,
                                     const struct venus_gpu_rect *rect, uint32_t stride,
                                     const struct venus_gpu_format *format);

/* The memory that a frame is in, which it holds a reference to. Any thread. */
struct memory *frame_memory(struct venus_gpu_frame *frame);
/* Where in it its first pixel is, in bytes. Any thread. */
uint64_t frame_offset(const struct venus_gpu_frame *frame);

/* A flush whose response waits for the front end, or for a presenter. */
struct venus_gpu_flush {
    struct flushes *flushes;
    struct command *cmd;              /* whose response waits, or NULL if it does no more */
    LIST_ENTRY(venus_gpu_flush) link; /* under the services' lock */
    SLIST_ENTRY(venus_gpu_flush) presented_link; /* the presenter's own */
};

/* The flushes of a device that were not answered yet. NULL if there is no memory. */
struct flushes *flushes_create(struct services *services);
void flushes_destroy(struct flushes *flushes); /* takes NULL; all were answered */

/* Have the command's response wait for it. NULL if there is no memory. Device thread. */
struct venus_gpu_flush *flush_create(struct flushes *flushes, struct command *cmd);

/* Forget who waits for flushes, whose front end may still answer them. With the services' lock held. */
void flush_forget_all_locked(struct flushes *flushes);

#endif
