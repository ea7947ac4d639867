/* SPDX-License-Identifier: MIT */
/*
 * Another user of the host's Vulkan, as the render server is one: it allocates memory and exports it.
 */
#ifndef EXPORTER_H
#define EXPORTER_H

#include "vk/vulkan.h"
#include "renderer/renderer.h"

struct exporter {
    struct vulkan *vk;
    struct renderer_device device; /* as the renderer would describe it */
};

struct exported {
    VkDeviceMemory memory;
    size_t size;
    void *ptr; /* its mapping */
    int fd;
    int memory_type;
};

/* false: the host has no Vulkan. */
bool exporter_init(struct exporter *exporter);
void exporter_finish(struct exporter *exporter);

/* Host-visible memory behind a descriptor of that kind: opaque or dma-buf. false: the driver has none. */
bool exporter_allocate(struct exporter *exporter, size_t size, enum renderer_fd type,
                       struct exported *exported);
/* The same, of a memory type with `wanted` and none of `unwanted`. */
bool exporter_allocate_with(struct exporter *exporter, size_t size, enum renderer_fd type,
                            VkMemoryPropertyFlags wanted, VkMemoryPropertyFlags unwanted,
                            struct exported *exported);
void exporter_free(struct exporter *exporter, struct exported *exported);

#endif
