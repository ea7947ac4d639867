/* SPDX-License-Identifier: MIT */
/* Makes the EDID of an output: what a monitor with exactly that mode would say of itself. */
#ifndef EDID_H
#define EDID_H

#include <stddef.h>
#include <stdint.h>

#include "venus-gpu.h"

/* Characters of a monitor name (EDID 1.4, display product name descriptor, without the newline). */
enum { EDID_NAME_MAX = 12 };

/* A base block, and two extension blocks for modes that the base block cannot hold. */
enum { EDID_SIZE_MAX = 384 };

/* Write the EDID to data and return its size, a multiple of 128. */
size_t edid_make(const struct venus_gpu_output *output, uint8_t data[EDID_SIZE_MAX]);

#endif
