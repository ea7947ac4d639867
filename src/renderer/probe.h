/* SPDX-License-Identifier: MIT */
/* Asks a Venus renderer, in its own language, which Vulkan device it has. */
#ifndef PROBE_H
#define PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct renderer;
struct renderer_device;

/* See first_device() in renderer.h. Needs a renderer that calls probe_fence(), by itself or in its poll(). */
int probe_first_device(const struct renderer *renderer, bool polls, struct renderer_device *device);

/* Whether the fence that signalled was the probe's. Any thread. */
bool probe_fence(uint64_t fence_id);

#endif
