/* SPDX-License-Identifier: MIT */
/* Writes pictures as PNG with no library: the data is stored, not compressed. */
#ifndef GUEST_PNG_H
#define GUEST_PNG_H

#include <stdint.h>

/* Writes rows of R, G, B, A bytes (alpha is dropped) to `path`; dies when it cannot. */
void png_write(const char *path, const uint8_t *rgba, uint32_t width, uint32_t height);

/* The CRC-32 that PNG uses, of any bytes; `crc` is 0 or an earlier call's result. */
uint32_t png_crc(uint32_t crc, const uint8_t *bytes, uint64_t size);

#endif
