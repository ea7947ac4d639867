/* SPDX-License-Identifier: MIT */
/* A buffer of the Vulkan device's that the processor writes, as large as was needed so far. */
#ifndef PRESENT_HOST_BUFFER_H
#define PRESENT_HOST_BUFFER_H

#include "vk/vulkan.h"

struct host_buffer {
    VkBuffer buffer;
    VkDeviceMemory memory;
    VkDeviceSize size; /* 0: there is none yet */
    void *ptr;         /* mapped all along, coherent */
};

/* Make it at least that large. What is in it is lost when it grows. */
VkResult host_buffer_grow(const struct vulkan *vk, struct host_buffer *buffer, VkDeviceSize size);
void host_buffer_finish(const struct vulkan *vk, struct host_buffer *buffer);

#endif
