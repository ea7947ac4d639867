/* SPDX-License-Identifier: MIT */
/*
 * See window.h. Commands RESOURCE_MAP_BLOB and RESOURCE_UNMAP_BLOB (specification, 5.7.6.9).
 *
 * The window is one anonymous mapping for the life of the device. A blob is mapped by replacing the
 * pages at its offset with the blob's own (placement_place), and unmapped by putting anonymous
 * pages back. The kernel does either in one step, for every thread and every virtual processor at
 * once, and it costs the same however much else is mapped. The address range never has a hole: a
 * guest that touches an offset where nothing is mapped sees zeroes or what it wrote there itself. So it does
 * between the end of a blob's memory and the end of its own last page, where that is larger than ours.
 *
 * Some pages are a Vulkan driver's, which is told that they are mapped no longer once others are there.
 *
 * Where the pages cannot be replaced, by order (VENUS_GPU_WINDOW_REGIONS) or because the memory does
 * not allow it, the front end lays a region over the window. That takes its time and its own thread,
 * so the device thread waits for the answer, unless the device is being reset: then the front end may
 * be the one who waits for us, and answers later. A region holds its memory until it is answered.
 */
#include "nouns/window.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/pages.h"
#include "memory/memory.h"
#include "memory/placement.h"
#include "memory/placer.h"
#include "nouns/handlers.h"
#include "nouns/parts.h"
#include "nouns/resource.h"
#include "platform/platform.h"
#include "renderer/session.h"

/* A blob in the window is an address range, and may split the one that was there. */
enum { RANGES_PER_BLOB = 2 };

struct window_region {
    struct venus_gpu_region base; /* first: the public part */
    struct memory *memory;
    struct venus_gpu_handle handle;
    bool answered; /* region_map() was, with `error` */
    int error;     /* and even then it lives until region_unmap() is answered */
    LIST_ENTRY(window_region) link;
};

struct window {
    char *base; /* NULL: the device has no window */
    uint64_t size;
    bool locks_memory;     /* the process does: mlockall(), also of what it maps from now on */
    void *ranges;          /* struct window_range, in a tree of tsearch() */
    uint64_t num_fills;    /* since it was tidied up */
    uint64_t tidied_to;    /* while it is */
    bool hint_given;       /* since the last reset */
    bool pages_hint_given; /* likewise: of a guest's pages */
    LIST_HEAD(, window_region) regions; /* not taken away yet; under the services' lock */
};

/* Anonymous pages, at dst or, if that is NULL, anywhere. NULL on failure. */
static void *map_pages(void *dst, uint64_t size, int protection)
{
    void *ptr = mmap(dst, size, protection,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (dst ? MAP_FIXED : 0), -1, 0);
    return ptr == MAP_FAILED ? NULL : ptr;
}

/*
 * Pages that come when they are touched, also in a process that locks its memory. The kernel gives such a
 * process all pages of a mapping at once, unless nobody may touch them; and then they are unlocked.
 */
static void *map_untouched(uint64_t size)
{
    void *ptr = map_pages(NULL, size, PROT_NONE);
    if (!ptr)
        return NULL;
    munlock(ptr, size);
    if (mprotect(ptr, size, PROT_READ | PROT_WRITE) == 0)
        return ptr;
    int error = errno;
    munmap(ptr, size);
    errno = error;
    return NULL;
}

/* Put anonymous pages at an offset of the window: in one step, as guests may be touching what is there. */
static int window_fill(struct window *window, uint64_t offset, uint64_t size)
{
    char *dst = window->base + offset;
    window->num_fills++;
    void *pages = window->locks_memory ? map_untouched(size) : NULL;
    if (pages && platform_move(pages, size, dst) == 0)
        return 0;
    if (pages)
        munmap(pages, size);
    return map_pages(dst, size, PROT_READ | PROT_WRITE) ? 0 : -errno;
}

/*
 * The kernel does not join anonymous pages that were touched apart from each other. So what a guest touches between blobs
 * would stay address ranges of their own when the blobs are gone, of which this process has only so many. Now and then what
 * lies between blobs gets new pages, all at once: the guest sees zeroes there.
 */
enum { MOST_FILLS = 1000 };

/* The device thread's, for tidy_before(), to which twalk() gives no pointer of ours. */
static struct window *tidied;

static void fill_gap(struct window *window, uint64_t end)
{
    if (end > window->tidied_to)
        window_fill(window, window->tidied_to, end - window->tidied_to);
}

static void tidy_before(const void *node, VISIT visit, int depth)
{
    const struct window_range *range = *(struct window_range *const *)node;
    (void)depth;
    if (visit != postorder && visit != leaf) /* the visits that come in order */
        return;
    fill_gap(tidied, range->start);
    tidied->tidied_to = range->end;
}

static void tidy(struct window *window)
{
    window->tidied_to = 0;
    tidied = window;
    twalk(window->ranges, tidy_before);
    fill_gap(window, window->size);
    window->num_fills = 0;
}

int window_create(struct window **out, uint64_t size)
{
    struct window *window = *out = calloc(1, sizeof(*window));
    if (!window)
        return -ENOMEM;
    LIST_INIT(&window->regions);
    window->size = size;
    if (!size)
        return 0;
    window->base = map_untouched(size);
    if (!window->base)
        return -errno;
    window->locks_memory = platform_locks_memory();
    return 0;
}

void window_destroy(struct window *window)
{
    if (window && window->base)
        munmap(window->base, window->size);
    free(window);
}

void window_forget(struct venus_gpu *gpu)
{
    assert_device_thread(&gpu->services);
    tidy(gpu->window); /* what the last one wrote between its blobs takes memory */
    gpu->window->hint_given = false;
    gpu->window->pages_hint_given = false;
}

void *venus_gpu_window(const struct venus_gpu *gpu, uint64_t *size)
{
    *size = gpu->window->size;
    return gpu->window->base;
}

uint32_t window_blob_alignment(const struct venus_gpu *gpu)
{
    uint64_t wanted = gpu->services.config.blob_alignment;
    if (!wanted || !gpu->window->size)
        return 0;
    return (uint32_t)(wanted > page_size() ? wanted : page_size());
}

/* Ranges in the tree are disjoint, so they are ordered, and any that overlap are "equal". */
static int compare_ranges(const void *a, const void *b)
{
    const struct window_range *left = a, *right = b;
    if (left->end <= right->start)
        return -1;
    return left->start >= right->end;
}

static void region_free(struct window_region *region)
{
    memory_unref(region->memory);
    free(region);
}

static bool region_exists_locked(struct venus_gpu *gpu, const struct window_region *region)
{
    const struct window_region *other;
    LIST_FOREACH(other, &gpu->window->regions, link) {
        if (other == region)
            return true;
    }
    return false;
}

static void unmap_region(struct venus_gpu *gpu, struct window_region *region)
{
    gpu->services.ops.region_unmap(gpu->services.opaque, &region->base);

    /* Only this thread makes regions, so no other can be at that address before we return. */
    pthread_mutex_lock(&gpu->services.lock);
    while (region_exists_locked(gpu, region) && bell_wait(&gpu->bell))
        ;
    pthread_mutex_unlock(&gpu->services.lock);
}

/* in_vain: its memory could not be placed a moment ago. */
static int map_region(struct venus_gpu *gpu, struct resource *resource, bool in_vain)
{
    if (!gpu->services.ops.region_map || !resource_mapping(gpu, resource, in_vain))
        return -ENOTSUP;
    struct window_region *region = calloc(1, sizeof(*region));
    if (!region)
        return -ENOMEM;
    region->base.offset = resource->range.start;
    /* Memory that ends before its range does is pinned: behind it the guest sees the window's own pages. */
    region->base.size = resource->memory->size;
    region->base.ptr = resource->memory->ptr;
    region->memory = memory_ref(resource->memory);
    if (memory_describe(region->memory, 0, session_device(gpu->session), &region->handle))
        region->base.handle = &region->handle;
    pthread_mutex_lock(&gpu->services.lock);
    LIST_INSERT_HEAD(&gpu->window->regions, region, link);
    pthread_mutex_unlock(&gpu->services.lock);

    gpu->services.ops.region_map(gpu->services.opaque, &region->base);

    pthread_mutex_lock(&gpu->services.lock);
    while (!region->answered && bell_wait(&gpu->bell))
        ;
    int error = region->answered ? region->error : 0;
    pthread_mutex_unlock(&gpu->services.lock);
    if (error)
        unmap_region(gpu, region);
    else
        resource->region = region;
    return error;
}

void venus_gpu_region_mapped(struct venus_gpu *gpu, struct venus_gpu_region *base, int error)
{
    struct window_region *region = (struct window_region *)base;
    pthread_mutex_lock(&gpu->services.lock);
    region->answered = true;
    region->error = error;
    bell_ring(&gpu->bell);
    pthread_mutex_unlock(&gpu->services.lock);
}

void venus_gpu_region_unmapped(struct venus_gpu *gpu, struct venus_gpu_region *base)
{
    struct window_region *region = (struct window_region *)base;
    pthread_mutex_lock(&gpu->services.lock);
    LIST_REMOVE(region, link);
    bell_ring(&gpu->bell);
    pthread_mutex_unlock(&gpu->services.lock);
    region_free(region);
}

static int place(struct venus_gpu *gpu, struct resource *resource)
{
    struct window *window = gpu->window;
    uint64_t offset = resource->range.start;

    bool in_vain = false;
    if (gpu->services.config.window_mode == VENUS_GPU_WINDOW_AUTO) {
        static const enum stat_id ways[] = {
            [PLACEMENT_FIXED] = STAT_MAPS_FIXED,
            [PLACEMENT_ALIAS] = STAT_MAPS_ALIAS,
            [PLACEMENT_VULKAN] = STAT_MAPS_VULKAN,
        };
        /* Pinned memory is the renderer's own mapping, and the renderer gives no other. */
        bool pinned = resource->memory && resource->memory->owner;
        struct placement placement;
        int ret = (pinned ? placement_place_by_vulkan
                          : placement_place)(gpu->services.renderer, gpu->placer, resource->id,
                                             resource->size, window->base + offset, &placement);
        if (ret == 0) {
            resource->placed = placement.placed;
            stat_add(&gpu->services.stats, ways[placement.way], 1);
            if (placement.size < resource->range.end - offset)
                stat_add(&gpu->services.stats, STAT_MAPS_PADDED, 1);
            return 0;
        }
        in_vain = true;
        /* A failed attempt may have taken the old pages away, or put wrong ones there. */
        int fill = window_fill(window, offset, resource->range.end - offset);
        (fill < 0 ? placed_keep : placed_free)(placement.placed);
        if (fill < 0)
            log_line(&gpu->services.log, VENUS_GPU_LOG_ERROR,
                     "the window has a hole at offset 0x%llx: no pages could be put there (%d)",
                     (unsigned long long)offset, fill);
        if (fill < 0 || ret == -EOVERFLOW)
            return ret;
    }
    int ret = map_region(gpu, resource, in_vain);
    if (ret == 0)
        stat_add(&gpu->services.stats, STAT_MAPS_REGION, 1);
    if (ret == 0 && memory_own_size(resource->memory) < resource->range.end - offset)
        stat_add(&gpu->services.stats, STAT_MAPS_PADDED, 1);
    return ret;
}

static uint64_t window_room(const struct venus_gpu *gpu)
{
    return gpu->window->size - stat_get(&gpu->services.stats, STAT_MAPPED_BYTES);
}

/* The size for a window that has run out, when so many bytes more are wanted: a power of two, in MiB. */
static unsigned long long better_size(const struct venus_gpu *gpu, uint64_t wanted)
{
    unsigned long long mib = 1, least = (gpu->window->size >> 20) + (wanted >> 20);
    while (mib <= least && mib < 1 << 20)
        mib *= 2;
    return mib;
}

/*
 * The guest's kernel shares out the window and knows what is left: what does not fit fails there, and
 * the device hears nothing of it. So a person is told while one can still tell, once until the next reset.
 */
static void hint(struct venus_gpu *gpu, const char *what, uint64_t wanted)
{
    if (gpu->window->hint_given || !gpu->window->size)
        return;
    gpu->window->hint_given = true;
    log_line(&gpu->services.log, VENUS_GPU_LOG_WARNING,
             "%s: %llu of its %llu MiB are mapped, and what does not fit fails in the guest; "
             "make it larger (window_size, in QEMU hostmem=%lluM)",
             what, (unsigned long long)stat_get(&gpu->services.stats, STAT_MAPPED_BYTES) >> 20,
             (unsigned long long)gpu->window->size >> 20, better_size(gpu, wanted));
}

void window_expect(struct venus_gpu *gpu, uint64_t size)
{
    assert_device_thread(&gpu->services);
    if (size > window_room(gpu))
        hint(gpu, "the guest has a blob that does not fit into the host-visible window", size);
}

/* The guest's kernel puts its blobs side by side, in whole pages of its own, and has smaller ones than this host. */
static void hint_at_pages(struct venus_gpu *gpu, uint64_t offset)
{
    enum { GUEST_PAGE_LEAST = 4096 };
    size_t page = page_size();
    if (gpu->window->pages_hint_given || offset % page == 0 || offset % GUEST_PAGE_LEAST)
        return;
    gpu->window->pages_hint_given = true;
    log_line(
        &gpu->services.log, VENUS_GPU_LOG_WARNING,
        "the guest's pages are smaller than this host's, of %zu KiB, so its Vulkan cannot work: "
        "it needs a kernel with such pages (Debian: linux-image-arm64-16k), or Linux 7.2 with a "
        "Mesa that makes its blobs multiples of VIRTGPU_PARAM_BLOB_ALIGNMENT",
        page >> 10);
}

static void count_mapped(struct venus_gpu *gpu, uint64_t size)
{
    stat_add(&gpu->services.stats, STAT_MAPPED, 1);
    stat_add(&gpu->services.stats, STAT_MAPPED_BYTES, size);
    stat_raise(&gpu->services.stats, STAT_MAPPED_BYTES_MOST,
               stat_get(&gpu->services.stats, STAT_MAPPED_BYTES));
    stat_raise(&gpu->services.stats, STAT_MAPPED_LARGEST, size);
    if (window_room(gpu) < gpu->window->size / 8)
        hint(gpu, "the host-visible window is nearly full", 0);
}

enum virtio_gpu_ctrl_type window_map_blob(struct venus_gpu *gpu, struct command *cmd,
                                          const void *request)
{
    const struct virtio_gpu_resource_map_blob *req = request;
    const struct window *window = gpu->window;
    uint64_t offset = le64(req->offset);

    struct resource *resource = resource_find_or_refuse(gpu, cmd, le32(req->resource_id));
    if (!resource)
        return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
    if (!resource->in_renderer || !(resource->blob_flags & VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE))
        return command_error(cmd, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
                             "resource %u is not a mappable blob of the host", resource->id);
    if (resource->mapped)
        return command_error(cmd, VIRTIO_GPU_RESP_ERR_UNSPEC, "resource %u is mapped already",
                             resource->id);

    uint64_t size = page_round(resource->size);
    hint_at_pages(gpu, offset);
    if (offset % page_size() || size > window->size || offset > window->size - size)
        return command_error(cmd, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
                             "0x%llx bytes at offset 0x%llx of a window of 0x%llx",
                             (unsigned long long)size, (unsigned long long)offset,
                             (unsigned long long)window->size);
    /* Not more often than there are blobs, so that it costs each of them next to nothing. */
    if (window->num_fills > MOST_FILLS + stat_get(&gpu->services.stats, STAT_MAPPED))
        tidy(gpu->window);
    resource->range = (struct window_range){ offset, offset + size };
    struct window_range **found = tsearch(&resource->range, &gpu->window->ranges, compare_ranges);
    if (!found)
        return command_error(cmd, VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY, "out of memory");
    if (*found != &resource->range)
        return command_error(cmd, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
                             "offset 0x%llx is where another blob is mapped",
                             (unsigned long long)offset);

    uint32_t map_info = 0;
    int ret = budget_take(&gpu->services.budget, BUDGET_RANGES, RANGES_PER_BLOB) ? 0 : -ENOMEM;
    if (ret == 0) {
        ret = gpu->services.renderer->map_info(resource->id, &map_info);
        if (ret == 0)
            ret = place(gpu, resource);
        if (ret < 0)
            budget_give_back(&gpu->services.budget, BUDGET_RANGES, RANGES_PER_BLOB);
    }
    if (ret < 0) {
        tdelete(&resource->range, &gpu->window->ranges, compare_ranges);
        return command_error(
            cmd, ret == -ENOMEM ? VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY : VIRTIO_GPU_RESP_ERR_UNSPEC,
            "the host cannot map resource %u (%d)", resource->id, ret);
    }
    resource->mapped = true;
    count_mapped(gpu, size);

    cmd->response.map_info.map_info = le32(map_info);
    cmd->response.map_info.padding = 0;
    cmd->response_size = sizeof(cmd->response.map_info);
    return VIRTIO_GPU_RESP_OK_MAP_INFO;
}

void window_unmap(struct venus_gpu *gpu, struct resource *resource)
{
    assert_device_thread(&gpu->services);
    if (!resource->mapped)
        return;
    uint64_t size = resource->range.end - resource->range.start;

    if (resource->region) {
        unmap_region(gpu, resource->region);
        resource->region = NULL;
        /* What the guest wrote behind it, in the window's own pages, another of its programs is not to see. */
        if (resource->memory->size < size)
            memset(gpu->window->base + resource->range.start + resource->memory->size, 0,
                   size - resource->memory->size);
    } else if (window_fill(gpu->window, resource->range.start, size) == 0) {
        placed_free(resource->placed);
        resource->placed = NULL;
    } else {
        /* The old pages are still there, and stay mapped; the guest sees them until it maps others. */
        placed_keep(resource->placed);
        resource->placed = NULL;
        log_line(&gpu->services.log, VENUS_GPU_LOG_ERROR,
                 "resource %u cannot be taken out of the window", resource->id);
    }
    tdelete(&resource->range, &gpu->window->ranges, compare_ranges);
    budget_give_back(&gpu->services.budget, BUDGET_RANGES, RANGES_PER_BLOB);
    resource->mapped = false;
    stat_sub(&gpu->services.stats, STAT_MAPPED, 1);
    stat_sub(&gpu->services.stats, STAT_MAPPED_BYTES, size);
}

enum virtio_gpu_ctrl_type window_unmap_blob(struct venus_gpu *gpu, struct command *cmd,
                                            const void *request)
{
    const struct virtio_gpu_resource_unmap_blob *req = request;
    struct resource *resource = resource_find_or_refuse(gpu, cmd, le32(req->resource_id));
    if (!resource)
        return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
    if (!resource->mapped)
        return command_error(cmd, VIRTIO_GPU_RESP_ERR_UNSPEC, "resource %u is not mapped",
                             resource->id);
    window_unmap(gpu, resource);
    return VIRTIO_GPU_RESP_OK_NODATA;
}
