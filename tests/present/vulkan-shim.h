/* SPDX-License-Identifier: MIT */
/*
 * The host's Vulkan with faults: what a test has the presenter use instead of the system's loader.
 *
 * Every function goes to the real driver, until a test says that the next call of it is to fail. State is
 * one per process, as the test is.
 */
#ifndef VULKAN_SHIM_H
#define VULKAN_SHIM_H

#include "vk/vulkan.h"

struct venus_gpu;

/* Forget all faults. */
void shim_reset(void);

/* Present this device's scanouts with it. Before the first venus_gpu_present(). */
void shim_use(struct venus_gpu *gpu);

/* Where a fault can be: those of the functions whose failing a presenter has to live with. */
enum shim_call {
    SHIM_CREATE_INSTANCE,
    SHIM_CREATE_DEVICE,
    SHIM_CREATE_SURFACE, /* of the headless kind */
    SHIM_CREATE_SWAPCHAIN,
    SHIM_ACQUIRE,
    SHIM_SUBMIT,
    SHIM_PRESENT,
    SHIM_WAIT,
    SHIM_DESTROY_SWAPCHAIN, /* only counted */
    SHIM_ALLOCATE_IMPORT,   /* vkAllocateMemory with imported memory */
    SHIM_CALLS,
};

/* Have the call after `after` more, and `times` in all, return that. Any thread. */
void shim_fail(enum shim_call call, VkResult result, unsigned after, unsigned times);

/* How often it was called since shim_reset(). */
unsigned shim_count(enum shim_call call);

/* Wait until it was called that often. */
void shim_wait_count(enum shim_call call, unsigned count);

/* Hold threads that call vkQueueSubmit() back, until they are let go: the GPU has seen nothing. */
void shim_hold_submits(bool hold);
/* The same for vkWaitForFences(): the GPU may be done, but nobody knows. */
void shim_hold_waits(bool hold);

/* The next thread that calls vkQueueSubmit() does not come back before shim_untrap(), which tells the
 * system's number of it; all others do. */
void shim_trap_submit(void);
void shim_wait_trapped(void);
int shim_untrap(void);

/* Wait until a thread is being held. */
void shim_wait_held(void);

/* How many allocations of memory there are. */
unsigned shim_memories(void);
/* Those that there are are left for good. */
void shim_forget_memories(void);

/* How many descriptors were imported since shim_reset() that a program started by exec() would have. */
unsigned shim_inheritable_imports(void);

/* How often a buffer was acquired from VK_QUEUE_FAMILY_FOREIGN_EXT, and from _EXTERNAL. */
unsigned shim_acquired_from_foreign(void);
unsigned shim_acquired_from_external(void);

/* How many objects that a GPU may use were destroyed so far, or freed; the device is one of them. */
unsigned shim_destroyed(void);

/* The width or height of the largest viewport that was set since shim_reset(). */
float shim_largest_viewport(void);

/* Do as if no device had that extension. */
void shim_hide_extension(const char *name);

/* Do as if every device's and surface's largest image had so many pixels on a side. */
void shim_limit_images(uint32_t side);

/* Do as if every surface had that size, whatever its window says. */
void shim_size_surfaces(uint32_t width, uint32_t height);

/* Do as if every device's largest buffer had so many bytes. */
void shim_limit_buffers(VkDeviceSize max);
/* The largest buffer that was asked for since shim_reset(). */
VkDeviceSize shim_largest_buffer(void);

#endif
