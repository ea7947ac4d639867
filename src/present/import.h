/* SPDX-License-Identifier: MIT */
/*
 * Memory of a frame as a VkBuffer: imported, not copied, by the best way that there is.
 *
 * An import is made once per memory and kept with it (as its companion), so that showing a resource again
 * costs nothing. It is a buffer and not an image, since a guest chooses offset and stride freely, which
 * an image's layout would not allow.
 */
#ifndef PRESENT_IMPORT_H
#define PRESENT_IMPORT_H

#include <stdatomic.h>

#include "memory/memory.h"
#include "vk/vulkan.h"

/* Best first. */
enum import_tier {
    /* A dma-buf. virtio-gpu has no modifiers: what a guest scans out is linear. */
    IMPORT_DMA_BUF,
    /* A descriptor that only the very device and driver that exported it can take. */
    IMPORT_OPAQUE_FD,
    /* VK_EXT_external_memory_host on the mapping that we have. */
    IMPORT_HOST_POINTER,
    /* No way: each frame is copied, by the processor, into memory of the device's. */
    IMPORT_STAGING,
    IMPORT_TIERS,
};

struct import {
    struct memory_companion companion;
    atomic_uint refs; /* the memory's, and one for each user */
    struct vulkan *vk;
    enum import_tier tier;
    struct services *services; /* whose descriptor it has, or NULL */
    VkBuffer buffer;       /* over all of the memory; not for IMPORT_STAGING, as the next */
    VkDeviceMemory device_memory;
};

/* The import of that memory, made on first use. NULL: out of memory. Any thread; to be unreferenced while
 * the memory is still there. */
struct import *import_get(struct vulkan *vk, struct memory *memory);
void import_unref(struct import *import); /* takes NULL */

#endif
