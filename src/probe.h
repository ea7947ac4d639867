/* SPDX-License-Identifier: MIT */
/* Asks a Venus renderer, in its own language, which Vulkan device it has. */
#ifndef PROBE_H
#define PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct renderer;

/* See device_name() in renderer.h. Needs a renderer that calls probe_fence(). */
int probe_device_name(const struct renderer *renderer, char *name, size_t size);

/* Whether the fence that signalled was the probe's. Any thread. */
bool probe_fence(uint64_t fence_id);

#endif
