/* SPDX-License-Identifier: MIT */
/* See shared-vulkan.h. */
#include "vk/shared-vulkan.h"

#include <stdlib.h>

#include "base/message.h"
#include "renderer/renderer.h"

struct shared_vulkan *shared_vulkan_create(const char *name, const struct renderer_device *renderer)
{
    struct shared_vulkan *shared = calloc(1, sizeof(*shared));
    if (!shared)
        return NULL;
    shared->name = name;
    shared->renderer = renderer;
    pthread_mutex_init(&shared->lock, NULL);
    return shared;
}

void shared_vulkan_destroy(struct shared_vulkan *shared)
{
    if (!shared)
        return;
    vulkan_unref(shared->vulkan);
    pthread_mutex_destroy(&shared->lock);
    free(shared);
}

static struct vulkan *get(struct shared_vulkan *shared, bool only_gpu, char **why)
{
    const struct renderer_device *renderer = shared->renderer;
    pthread_mutex_lock(&shared->lock);
    if (shared->vulkan && atomic_load(&shared->vulkan->lost)) {
        vulkan_unref(shared->vulkan);
        shared->vulkan = NULL;
    }
    if (!shared->vulkan) {
        const struct vulkan_choice choice = {
            .name = shared->name,
            .device_uuid = renderer->is_only ? renderer->device_uuid : NULL,
            .driver_uuid = renderer->is_only ? renderer->driver_uuid : NULL,
            .only_gpu = only_gpu,
            .get_instance_proc_addr = shared->get_instance_proc_addr,
        };
        shared->vulkan = vulkan_create(&choice, why);
    }
    struct vulkan *vk = shared->vulkan ? vulkan_ref(shared->vulkan) : NULL;
    pthread_mutex_unlock(&shared->lock);
    return vk;
}

struct vulkan *shared_vulkan_open(struct shared_vulkan *shared, bool only_gpu, char **why)
{
    /* Loading a processor's Vulkan to find that out takes a second's tenths, and its compiler's memory. */
    const struct renderer_device *renderer = shared->renderer;
    if (only_gpu && !shared->name && renderer->is_only && renderer->is_processor) {
        *why = message("%s is no GPU.", renderer->name);
        return NULL;
    }
    struct vulkan *vk = get(shared, only_gpu, why);
    if (vk && only_gpu && vk->properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU) {
        *why = message("%s is no GPU.", vk->properties.deviceName);
        vulkan_unref(vk);
        vk = NULL;
    }
    return vk;
}
