/* SPDX-License-Identifier: MIT */
/* See memory.h. */
#include "memory/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/pages.h"
#include "base/services.h"
#include "memory/placement.h"
#include "platform/platform.h"

void memory_init(struct memory *memory, struct services *services, void *ptr, size_t size)
{
    *memory = (struct memory){ .ptr = ptr, .size = size, .fd = -1, .services = services };
    atomic_init(&memory->refs, 1);
}

struct memory *memory_new(struct services *services, void *ptr, size_t size)
{
    struct memory *memory = calloc(1, sizeof(*memory));
    if (memory)
        memory_init(memory, services, ptr, size);
    return memory;
}

struct memory *memory_create(struct services *services, size_t size)
{
    size = page_round(size);
    if (!size || !budget_take(&services->budget, BUDGET_RANGES, 1))
        return NULL;
    if (!budget_take(&services->budget, BUDGET_MEMORY, size))
        goto fail_ranges;

    int fd = platform_shared_memory(size);
    if (fd < 0)
        goto fail_account;
    void *ptr = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (ptr == MAP_FAILED)
        goto fail_fd;
    struct memory *memory = memory_new(services, ptr, size);
    if (!memory)
        goto fail_map;
    memory->fd = fd;
    memory->fd_type = RENDERER_FD_SHM;
    memory->accounted = size;
    memory->ranges = 1;
    return memory;

fail_map:
    munmap(ptr, size);
fail_fd:
    close(fd);
fail_account:
    budget_give_back(&services->budget, BUDGET_MEMORY, size);
fail_ranges:
    budget_give_back(&services->budget, BUDGET_RANGES, 1);
    return NULL;
}

/* A guest that scatters its pages more than this gets a copy: showing it must not take up all ranges. */
enum { ALIAS_MAX_RUNS = 4096 };

static bool take_addresses(struct services *services, size_t size, unsigned ranges)
{
    if (!budget_take(&services->budget, BUDGET_ADDRESS_SPACE, size))
        return false;
    if (budget_take(&services->budget, BUDGET_RANGES, ranges))
        return true;
    budget_give_back(&services->budget, BUDGET_ADDRESS_SPACE, size);
    return false;
}

static void give_back_addresses(struct services *services, size_t size, unsigned ranges)
{
    budget_give_back(&services->budget, BUDGET_ADDRESS_SPACE, size);
    budget_give_back(&services->budget, BUDGET_RANGES, ranges);
}

struct memory *memory_alias_pages(struct services *services, const struct iovec *pages,
                                  unsigned num_pages, size_t size)
{
    size_t page = page_size();
    unsigned ranges = num_pages;
    size_t wanted = size;
    size = page_round_here(size);
    if (!size || ranges > ALIAS_MAX_RUNS || !take_addresses(services, size, ranges))
        return NULL;

    char *ptr = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (ptr == MAP_FAILED) {
        give_back_addresses(services, size, ranges);
        return NULL;
    }

    size_t done = 0;
    for (unsigned i = 0; i < num_pages && done < size; i++) {
        const struct iovec *iov = &pages[i];
        size_t len = page_round_here(iov->iov_len);
        if (len > size - done)
            len = size - done;
        /* Of a piece that is no whole pages others may follow: only the last one's end is of no interest. */
        if ((uintptr_t)iov->iov_base % page ||
            (iov->iov_len % page && iov->iov_len < wanted - done) ||
            placement_alias(iov->iov_base, len, ptr + done) < 0)
            goto fail;
        done += len;
    }
    struct memory *memory = done == size ? memory_new(services, ptr, size) : NULL;
    if (memory) {
        memory->ranges = ranges;
        memory->space = size;
        return memory;
    }
fail:
    munmap(ptr, size);
    give_back_addresses(services, size, ranges);
    return NULL;
}

bool memory_describe(const struct memory *memory, uint64_t offset,
                     const struct renderer_device *device, struct venus_gpu_handle *handle)
{
    static const enum venus_gpu_handle_kind kinds[] = {
        [RENDERER_FD_DMABUF] = VENUS_GPU_HANDLE_DMA_BUF,
        [RENDERER_FD_OPAQUE] = VENUS_GPU_HANDLE_OPAQUE,
        [RENDERER_FD_SHM] = VENUS_GPU_HANDLE_SHM,
    };
    if (memory->fd < 0)
        return false;
    *handle = (struct venus_gpu_handle){
        .kind = kinds[memory->fd_type],
        .fd = memory->fd,
        .offset = offset,
        .size = memory_own_size(memory),
    };
    if (handle->kind == VENUS_GPU_HANDLE_OPAQUE && device->is_only) {
        handle->device_uuid = device->device_uuid;
        handle->driver_uuid = device->driver_uuid;
    }
    return true;
}

struct memory *memory_ref(struct memory *memory)
{
    atomic_fetch_add_explicit(&memory->refs, 1, memory_order_relaxed);
    return memory;
}

void memory_unref(struct memory *memory)
{
    /* Release: what this thread did to the memory comes before its end, in whichever thread. */
    if (!memory || atomic_fetch_sub_explicit(&memory->refs, 1, memory_order_acq_rel) != 1)
        return;

    struct budget *budget = &memory->services->budget;
    give_back_addresses(memory->services, memory->space, memory->ranges);
    if (memory->companion)
        memory->companion->memory_gone(memory->companion);
    if (memory->fd >= 0)
        close(memory->fd);
    if (memory->counts_fd)
        budget_give_back(budget, BUDGET_DESCRIPTORS, 1);
    if (memory->owner) {
        memory->owner->let_go(memory);
        return;
    }
    if (memory->ptr)
        munmap(memory->ptr, memory->size);
    budget_give_back(budget, BUDGET_MEMORY, memory->accounted);
    free(memory);
}

void memory_abandon(struct memory *memory)
{
    if (memory->owner)
        memory->owner->abandon(memory);
}
