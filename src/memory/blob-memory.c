/* SPDX-License-Identifier: MIT */
/* See blob-memory.h. */
#include "memory/blob-memory.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/pages.h"
#include "base/services.h"
#include "base/ways.h"
#include "memory/memory.h"
#include "memory/pinned.h"
#include "memory/placement.h"

/* For whoever presents it. */
static bool export_memory(struct services *services, struct memory *memory, uint32_t resource_id)
{
    if (!budget_take(&services->budget, BUDGET_DESCRIPTORS, 1))
        return false;
    memory->counts_fd =
        services->renderer->export_fd(resource_id, &memory->fd_type, &memory->fd) == 0;
    if (memory->counts_fd && ways_shm_only() && memory->fd_type != RENDERER_FD_SHM) {
        close(memory->fd);
        memory->counts_fd = false;
    }
    if (!memory->counts_fd) {
        memory->fd = -1;
        budget_give_back(&services->budget, BUDGET_DESCRIPTORS, 1);
    }
    return memory->counts_fd;
}

/* *ret: a negative errno value if it cannot be placed. */
static struct memory *place(struct services *services, uint32_t resource_id, uint64_t size,
                            int *ret)
{
    struct placement placement;
    *ret = placement_place(services->renderer, NULL, resource_id, size, NULL, &placement);
    if (*ret < 0)
        return NULL;
    struct memory *memory = memory_new(services, placement.ptr, page_round(size));
    if (memory)
        memory->tail = page_round(size) - placement.size;
    else
        munmap(placement.ptr, page_round(size));
    return memory;
}

struct memory *blob_memory_create(struct services *services, struct pins *pins,
                                  uint32_t resource_id, uint64_t size, bool placed_in_vain)
{
    assert_device_thread(services);
    if (!budget_take(&services->budget, BUDGET_RANGES, 1))
        return NULL;
    int ret = -ENOTSUP;
    struct memory *memory = placed_in_vain ? NULL : place(services, resource_id, size, &ret);
    if (ret < 0 && ret != -EOVERFLOW)
        memory = pins_add(pins, resource_id, size);
    if (!memory) {
        budget_give_back(&services->budget, BUDGET_RANGES, 1);
        return NULL;
    }
    memory->ranges = 1;
    if (memory->tail && !budget_take(&services->budget, BUDGET_RANGES, 1)) {
        memory_unref(memory);
        return NULL;
    }
    memory->ranges += memory->tail > 0;
    export_memory(services, memory, resource_id); /* or else the pointer must do */
    if (services->renderer->map_info(resource_id, &memory->map_info) < 0)
        memory->map_info = 0;
    return memory;
}

struct memory *blob_memory_create_unmapped(struct services *services, uint32_t resource_id,
                                           uint64_t size)
{
    assert_device_thread(services);
    struct memory *memory = page_round(size) ? memory_new(services, NULL, page_round(size)) : NULL;
    if (!memory)
        return NULL;
    uint64_t there = 0;
    if (export_memory(services, memory, resource_id))
        there = placement_behind(memory->fd, memory->size);
    if (!there) {
        memory_unref(memory);
        return NULL;
    }
    memory->tail = memory->size - there;
    return memory;
}
