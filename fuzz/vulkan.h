/* SPDX-License-Identifier: MIT */
/*
 * A Vulkan in memory, for the presenters of targets: it draws nothing, and keeps count of what is made and destroyed.
 *
 * The library loads it as it would the system's (dlopen()). What Vulkan forbids and can be seen here, such as to
 * destroy what is not, to copy what lies outside of a buffer, or to use a swapchain's image that was not acquired, is a
 * complaint (machine.h). Any call that may fail can be made to.
 */
#ifndef FUZZ_VULKAN_H
#define FUZZ_VULKAN_H

#include <stdbool.h>
#include <stdint.h>

/* Forget everything. What it is like is described by bits: extensions, the device's kind, memory, limits. */
void vulkan_forget(void);
void vulkan_describe(uint32_t bits);
/* A size that surfaces have; 0 x 0: that of the swapchain. */
void vulkan_resize(uint32_t width, uint32_t height);
/* The `after`th call that can fail from now (0: the next), and `times` in all, do so with a result chosen by how. */
void vulkan_fail(unsigned how, unsigned after, unsigned times);
/* Complain if something is left, unless the GPU hangs: then the library leaves behind what that has, as it must. */
void vulkan_check(void);

#endif
