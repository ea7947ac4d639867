/* SPDX-License-Identifier: MIT */
/* The Vulkan device that all who need one share, unless it was lost meanwhile. */
#ifndef VK_SHARED_VULKAN_H
#define VK_SHARED_VULKAN_H

#include <pthread.h>
#include <stdbool.h>

#include "vk/vulkan.h"

struct renderer_device;
struct surface_kind;

struct shared_vulkan {
    const char *name; /* of the device that was asked for, or NULL; not ours */
    const struct renderer_device *renderer; /* what renders for the guest; not ours */

    pthread_mutex_t lock; /* guards vulkan; held while that is opened. Never with the services' lock */
    struct vulkan *vulkan; /* or NULL */

    /* Where Vulkan's functions come from, for tests; NULL: the system's loader. */
    PFN_vkGetInstanceProcAddr get_instance_proc_addr;
    /* What every target is shown in, for tests; NULL: what it says. */
    const struct surface_kind *window_system;
};

/* Nothing is opened yet. NULL if there is no memory. */
struct shared_vulkan *shared_vulkan_create(const char *name,
                                           const struct renderer_device *renderer);
/* Imports may keep the device still. After the last presenter. Takes NULL. */
void shared_vulkan_destroy(struct shared_vulkan *shared);

/* A reference to it; opened first if need be. NULL: *why says why not, to be freed. Any thread. */
struct vulkan *shared_vulkan_open(struct shared_vulkan *shared, bool only_gpu, char **why);

#endif
