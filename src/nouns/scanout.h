/* SPDX-License-Identifier: MIT */
/* Scanouts: which part of which resource each output shows. */
#ifndef SCANOUT_H
#define SCANOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "venus-gpu.h"

struct command;
struct resource;
struct scanouts;
struct stream;
struct venus_gpu;

/* The scanouts of a device. NULL if there is no memory. */
struct scanouts *scanouts_create(void);
void scanouts_destroy(struct scanouts *scanouts); /* takes NULL; nothing is shown any more */

/* What it shows, or NULL. Any thread, with the services' lock held. */
struct venus_gpu_frame *scanout_frame_locked(struct venus_gpu *gpu, unsigned index);

/* Whether there is a scanout of that number. Logs it if there is none. */
bool scanout_exists(struct venus_gpu *gpu, struct command *cmd, uint32_t index);

/* The resource is about to go: blank the scanouts that show it. Device thread. */
void scanout_forget_resource(struct venus_gpu *gpu, struct resource *resource);

/* Save what all scanouts show, or load it and show it, once the resources are there. Device thread. */
void scanout_stream(struct venus_gpu *gpu, struct stream *stream);

#endif
