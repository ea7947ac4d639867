/* SPDX-License-Identifier: MIT */
/*
 * A compute shader that finds its buffers by their addresses, which are among its push constants; so
 * there are no descriptors.
 */
#ifndef GUEST_KERNEL_H
#define GUEST_KERNEL_H

#include "vk.h"

struct kernel {
    VkPipelineLayout layout;
    VkPipeline pipeline;
    uint32_t push_size;
};

/* Of SPIR-V of `size` bytes, which takes `push_size` bytes of push constants. */
void kernel_create(struct kernel *kernel, const struct vk *vk, const uint32_t *code, size_t size,
                   uint32_t push_size);
void kernel_destroy(struct kernel *kernel, const struct vk *vk);

/* Records a run of so many groups, which begins when everything recorded before is finished. */
void kernel_run(const struct kernel *kernel, VkCommandBuffer commands, const void *push,
                uint32_t groups_x, uint32_t groups_y);

#endif
