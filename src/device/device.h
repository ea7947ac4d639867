/* SPDX-License-Identifier: MIT */
/* Creation of a device over any renderer. For tests; venus_gpu_create() has virglrenderer. */
#ifndef DEVICE_H
#define DEVICE_H

#include "nouns/parts.h"

struct venus_gpu *device_create(const struct venus_gpu_config *config,
                                const struct venus_gpu_ops *ops, void *opaque,
                                const struct renderer *renderer, char **error);

#endif
