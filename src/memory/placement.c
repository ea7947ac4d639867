/* SPDX-License-Identifier: MIT */
/* See placement.h. */
#include "memory/placement.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/pages.h"
#include "memory/placer.h"
#include "platform/platform.h"

int placement_alias(void *src, size_t size, void *dst)
{
    return platform_alias(src, size, dst);
}

/*
 * Whether the last page of a mapping is there. A guest says how large a blob is; if the memory behind it
 * is smaller, touching its end would end this process. Files have their hole at the end, so if the last
 * page can be read, all can.
 */
bool placement_is_whole(void *ptr, uint64_t size)
{
    return platform_page_exists((char *)ptr + size - page_size());
}

/*
 * A process of the render server that somebody has taken over could take the end of a file away from under our
 * mapping, and end this process with it. virglrenderer seals its shared memory against that, and lavapipe its own; what
 * is not sealed is sealed here.
 */
static bool can_be_cut(int fd)
{
    return platform_can_be_cut(fd);
}

/* How long the file behind a descriptor is, or UINT64_MAX where it does not say. */
static uint64_t file_size(int fd)
{
    struct stat st;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        return (uint64_t)st.st_size;
    off_t end = lseek(fd, 0, SEEK_END); /* a dma-buf tells by seeking */
    return end < 0 ? UINT64_MAX : (uint64_t)end;
}

static uint64_t file_pages(int fd)
{
    uint64_t size = file_size(fd);
    return size == UINT64_MAX ? size : page_round(size);
}

/* What is known of a blob's descriptor. */
struct source {
    enum renderer_fd type;
    int fd;         /* -1: there is none */
    uint64_t pages; /* bytes of them; UINT64_MAX: it does not say */
    bool can_be_cut;
};

static int get_source(const struct renderer *renderer, uint32_t resource_id, struct source *source)
{
    *source = (struct source){ .fd = -1 };
    int ret = renderer->export_fd(resource_id, &source->type, &source->fd);
    if (ret < 0)
        return ret;
    source->can_be_cut = can_be_cut(source->fd); /* before its size is looked at */
    source->pages = file_pages(source->fd);
    return 0;
}

static void close_source(const struct source *source)
{
    if (source->fd >= 0)
        close(source->fd);
}

static int place_by_fd(const struct source *source, uint64_t size, void *dst, void **place)
{
    if (source->can_be_cut)
        return -EOVERFLOW;
    if (source->type != RENDERER_FD_SHM && source->type != RENDERER_FD_DMABUF)
        return -ENOTSUP; /* an opaque descriptor means something to the Vulkan driver only */
    if (source->pages < size)
        return -EOVERFLOW;
    void *ptr =
        mmap(dst, size, PROT_READ | PROT_WRITE, MAP_SHARED | (dst ? MAP_FIXED : 0), source->fd, 0);
    if (ptr == MAP_FAILED)
        return -errno;
    *place = ptr;
    return 0;
}

/* Takes over the descriptor of a source that is for it. */
static int place_by_vulkan(const struct renderer *renderer, struct placer *placer,
                           uint32_t resource_id, struct source *source, uint64_t size, void *dst,
                           struct placement *placement)
{
    if (source->fd < 0 || source->type != RENDERER_FD_OPAQUE || source->can_be_cut ||
        source->pages < size)
        return -ENOTSUP;
    uint32_t map_info;
    if (renderer->map_info(resource_id, &map_info) < 0)
        map_info = 0;
    int fd = source->fd;
    source->fd = -1;
    placement->way = PLACEMENT_VULKAN;
    placement->ptr = dst;
    return placer_place(placer, fd, size, map_info, dst, &placement->placed);
}

static int place_by_alias(const struct renderer *renderer, uint32_t resource_id, uint64_t size,
                          void *dst, void **place)
{
    void *mapped;
    uint64_t mapped_size;
    int ret = renderer->map(resource_id, &mapped, &mapped_size);
    if (ret < 0)
        return ret;

    void *to = dst;
    if ((uintptr_t)mapped % page_size() || page_round(mapped_size) < size) {
        ret = -EINVAL;
    } else if (!dst) {
        to = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        ret = to == MAP_FAILED ? -errno : 0;
    }
    if (!ret) {
        ret = placement_alias(mapped, size, to);
        if (ret < 0 && !dst)
            munmap(to, size);
    }
    renderer->unmap(resource_id);
    if (!ret)
        *place = to;
    return ret;
}

/*
 * A guest that maps a small blob writes all of it, mostly at once, and each page would be a fault of one of
 * its processors. Of a large one it may never use most. Where this fails, pages come when they are touched.
 */
enum { PREPARED_SIZE = 256 << 10 };

static void prepare_pages(void *place, uint64_t size)
{
#ifdef MADV_POPULATE_WRITE
    if (size <= PREPARED_SIZE)
        madvise(place, size, MADV_POPULATE_WRITE);
#else
    (void)place, (void)size;
#endif
}

int placement_place_by_vulkan(const struct renderer *renderer, struct placer *placer,
                              uint32_t resource_id, uint64_t size, void *dst,
                              struct placement *placement)
{
    *placement = (struct placement){ 0 };
    struct source source;
    int ret = get_source(renderer, resource_id, &source);
    if (ret == 0)
        ret = place_by_vulkan(renderer, placer, resource_id, &source, page_round(size), dst,
                              placement);
    close_source(&source);
    return ret;
}

int placement_place(const struct renderer *renderer, struct placer *placer, uint32_t resource_id,
                    uint64_t size, void *dst, struct placement *placement)
{
    *placement = (struct placement){ .way = PLACEMENT_FIXED };
    size = page_round(size);
    if (!size)
        return -EINVAL;

    struct source source;
    int ret = get_source(renderer, resource_id, &source);
    if (ret == 0)
        ret = place_by_fd(&source, size, dst, &placement->ptr);
    bool sized = ret == 0 && source.pages != UINT64_MAX;
    bool is_opaque = source.fd >= 0 && source.type == RENDERER_FD_OPAQUE;
    bool vulkan_first = placer && is_opaque && placer_is_first(placer);
    if (ret < 0 && ret != -EOVERFLOW && vulkan_first)
        ret = place_by_vulkan(renderer, placer, resource_id, &source, size, dst, placement);
    if (ret < 0 && ret != -EOVERFLOW && !(vulkan_first && placer_is_alone(placer))) {
        placement->way = PLACEMENT_ALIAS;
        ret = place_by_alias(renderer, resource_id, size, dst, &placement->ptr);
    }
    /* Looking means a page fault, which is a good part of what a small blob costs. */
    if (ret == 0 && placement->way != PLACEMENT_VULKAN && !sized &&
        !placement_is_whole(placement->ptr, size)) {
        if (!dst)
            munmap(placement->ptr, size);
        ret = -EOVERFLOW;
    }
    if (ret < 0 && ret != -EOVERFLOW && placer && !vulkan_first)
        ret = place_by_vulkan(renderer, placer, resource_id, &source, size, dst, placement);
    close_source(&source);
    if (ret == 0 && dst && placement->way != PLACEMENT_VULKAN)
        prepare_pages(placement->ptr, size);
    return ret;
}
