/* SPDX-License-Identifier: MIT */
/* What Linux' virtio_gpu.h takes of Linux' types.h, where that is not: samples are compiled for macOS with it. */
#ifndef LINUX_TYPES_H
#define LINUX_TYPES_H

#include <stdint.h>

typedef uint8_t __u8;
typedef uint32_t __u32;
typedef uint16_t __le16;
typedef uint32_t __le32;
typedef uint64_t __le64;

#endif
