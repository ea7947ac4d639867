/* SPDX-License-Identifier: MIT */
/* See placement.h. */
#include "memory/placement.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/pages.h"
#include "base/ways.h"
#include "memory/placer.h"
#include "platform/platform.h"

int placement_alias(void *src, size_t size, void *dst)
{
    return ways_shm_only() ? -ENOTSUP : platform_alias(src, size, dst);
}

/* The largest pages that Linux has on any processor. */
enum { GUEST_PAGE_MOST = 64 << 10 };

static uint64_t guest_page(uint64_t size)
{
    uint64_t page = size & -size; /* the largest power of two that divides it */
    return page < GUEST_PAGE_MOST ? page : GUEST_PAGE_MOST;
}

/*
 * Whether memory may end so far before a blob of that size does: within the last page of a guest, whose pages are as
 * large as the blob's size allows. Whatever is missing beyond that is a guest's false word, or a fault.
 */
static bool is_tail(uint64_t missing, uint64_t size)
{
    return missing < guest_page(size);
}

uint64_t placement_least(uint64_t size)
{
    uint64_t page = guest_page(size);
    return page > page_size() ? size - page + page_size() : size;
}

/*
 * A guest says how large a blob is; if the memory behind it is smaller, touching its end would end this process. Files
 * have their hole at the end, so if a page can be read, all before it can.
 */
uint64_t placement_there(void *ptr, uint64_t mapped_size, uint64_t size)
{
    uint64_t there = mapped_size < size ? mapped_size : size;
    while (there && is_tail(size - there, size)) {
        /* Looking means a page fault, which is a good part of what a small blob costs. */
        if (platform_page_exists((char *)ptr + there - page_size_here()))
            return there;
        there -= page_size_here();
    }
    return 0;
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
    return size == UINT64_MAX ? size : page_round_here(size);
}

uint64_t placement_memory_size(const struct renderer *renderer, uint32_t resource_id)
{
    enum renderer_fd type;
    int fd;
    if (renderer->export_fd(resource_id, &type, &fd) < 0)
        return 0;
    uint64_t size = file_size(fd);
    close(fd);
    return size == UINT64_MAX ? 0 : size;
}

/* Where there is no place yet, an address range that nobody can touch. It begins with a page, as regions have to. */
static int make_place(uint64_t size, void *dst, void **place)
{
    *place = dst;
    if (dst)
        return 0;
    size_t more = page_size() - page_size_here();
    char *range =
        mmap(NULL, size + more, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (range == MAP_FAILED)
        return -errno;
    size_t before = -(uintptr_t)range % page_size();
    if (before)
        munmap(range, before);
    if (more - before)
        munmap(range + before + size, more - before);
    *place = range + before;
    return 0;
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
    if (ret < 0) {
        source->fd = -1;
        return ret;
    }
    source->can_be_cut = can_be_cut(source->fd); /* before its size is looked at */
    source->pages = file_pages(source->fd);
    return 0;
}

static void close_source(const struct source *source)
{
    if (source->fd >= 0)
        close(source->fd);
}

/* How much of a blob of that size so many pages are: 0, if they are less than it allows. */
static uint64_t pages_of_blob(uint64_t pages, uint64_t size)
{
    uint64_t there = pages < size ? pages : size;
    return is_tail(size - there, size) ? there : 0;
}

static uint64_t size_of_source(const struct source *source, uint64_t size)
{
    return pages_of_blob(source->pages, size);
}

uint64_t placement_behind(int fd, uint64_t size)
{
    return pages_of_blob(file_pages(fd), size);
}

/*
 * Where something could not be put into the window: what it was to be put over may be gone by then, and the guest can touch
 * it at any time.
 */
static void put_back(void *dst, uint64_t size)
{
    if (dst && mmap(dst, size, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED)
        return; /* window.c tries that again, and says so */
}

static int place_by_fd(const struct source *source, uint64_t size, void *dst,
                       struct placement *placement)
{
    if (source->can_be_cut)
        return -EOVERFLOW;
    if (source->type != RENDERER_FD_SHM && (source->type != RENDERER_FD_DMABUF || ways_shm_only()))
        return -ENOTSUP; /* an opaque descriptor means something to the Vulkan driver only */
    placement->size = size_of_source(source, size);
    if (!placement->size)
        return -EOVERFLOW;
    int ret = make_place(size, dst, &placement->ptr);
    if (ret < 0)
        return ret;
    ret = platform_map_fd(source->fd, placement->size, placement->ptr);
    if (ret < 0) {
        put_back(dst, placement->size);
        if (!dst)
            munmap(placement->ptr, size);
    }
    return ret;
}

/* Takes over the descriptor of a source that is for it. most: how much of it there is, as far as is known. */
static int place_by_vulkan(const struct renderer *renderer, struct placer *placer,
                           uint32_t resource_id, struct source *source, uint64_t most,
                           uint64_t size, void *dst, struct placement *placement)
{
    if (most < source->pages)
        source->pages = most;
    uint64_t there = size_of_source(source, size);
    if (source->fd < 0 || source->type != RENDERER_FD_OPAQUE || source->can_be_cut || !there ||
        ways_shm_only())
        return -ENOTSUP;
    uint32_t map_info;
    if (renderer->map_info(resource_id, &map_info) < 0)
        map_info = 0;
    int fd = source->fd;
    source->fd = -1;
    placement->way = PLACEMENT_VULKAN;
    placement->ptr = dst;
    placement->size = there;
    return placer_place(placer, fd, there, map_info, dst, &placement->placed);
}

/*
 * The same where the memory may end within a guest's larger page, and the driver knows of no such thing: how much there is
 * the renderer tells, for the price of a mapping.
 */
static int place_rest_by_vulkan(const struct renderer *renderer, struct placer *placer,
                                uint32_t resource_id, uint64_t size, void *dst,
                                struct placement *placement)
{
    void *mapped;
    uint64_t mapped_size;
    if (placement_least(size) == size || renderer->map(resource_id, &mapped, &mapped_size) < 0)
        return -ENOTSUP;
    renderer->unmap(resource_id);
    mapped_size = page_round_here(mapped_size);
    struct source source;
    int ret = mapped_size < size ? get_source(renderer, resource_id, &source) : -ENOTSUP;
    if (ret < 0)
        return ret;
    ret =
        place_by_vulkan(renderer, placer, resource_id, &source, mapped_size, size, dst, placement);
    close_source(&source);
    return ret;
}

static int place_by_alias(const struct renderer *renderer, uint32_t resource_id, uint64_t size,
                          void *dst, struct placement *placement)
{
    void *mapped;
    uint64_t mapped_size;
    int ret = renderer->map(resource_id, &mapped, &mapped_size);
    if (ret < 0)
        return ret;

    mapped_size = page_round_here(mapped_size);
    placement->size = mapped_size < size ? mapped_size : size;
    if ((uintptr_t)mapped % page_size_here() || !mapped_size ||
        !is_tail(size - placement->size, size))
        ret = -EINVAL;
    if (!ret)
        ret = make_place(size, dst, &placement->ptr);
    if (!ret) {
        ret = placement_alias(mapped, placement->size, placement->ptr);
        if (ret < 0)
            put_back(dst, placement->size);
        if (ret < 0 && !dst)
            munmap(placement->ptr, size);
    }
    renderer->unmap(resource_id);
    return ret;
}

/*
 * What a guest's page has beyond the memory: pages that are nobody else's, zeroes until the guest writes there. It can
 * write as many already by touching the window where nothing is mapped, and they are part of the size that it stated,
 * which was taken of its budget. They go with the mapping. What was there does not do: a way that failed may have left
 * a hole, and a blob that could not be taken out of the window its pages.
 */
static int make_tail(const struct placement *placement, uint64_t size)
{
    char *at = (char *)placement->ptr + placement->size;
    if (placement->size == size)
        return 0;
    void *tail = mmap(at, size - placement->size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    return tail == MAP_FAILED ? -errno : 0;
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
    size = page_round(size);
    struct source source;
    int ret = get_source(renderer, resource_id, &source);
    if (ret == 0)
        ret = place_by_vulkan(renderer, placer, resource_id, &source, UINT64_MAX, size, dst,
                              placement);
    close_source(&source);
    return ret == 0 ? make_tail(placement, size) : ret;
}

/* Whether a placement that was not told how much memory there is has it; ends it if not. */
static int look_at(struct placement *placement, bool sized, uint64_t size, void *dst)
{
    if (!sized)
        placement->size = placement_there(placement->ptr, placement->size, size);
    int ret = placement->size ? make_tail(placement, size) : -EOVERFLOW;
    if (ret < 0 && !dst)
        munmap(placement->ptr, size);
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
        ret = place_by_fd(&source, size, dst, placement);
    bool sized = ret == 0 && source.pages != UINT64_MAX;
    bool is_opaque = source.fd >= 0 && source.type == RENDERER_FD_OPAQUE;
    bool vulkan_first = placer && is_opaque && placer_is_first(placer);
    if (ret < 0 && ret != -EOVERFLOW && vulkan_first)
        ret = place_by_vulkan(renderer, placer, resource_id, &source, UINT64_MAX, size, dst,
                              placement);
    if (ret < 0 && ret != -EOVERFLOW && vulkan_first)
        ret = place_rest_by_vulkan(renderer, placer, resource_id, size, dst, placement);
    if (ret < 0 && ret != -EOVERFLOW && !(vulkan_first && placer_is_alone(placer))) {
        placement->way = PLACEMENT_ALIAS;
        ret = place_by_alias(renderer, resource_id, size, dst, placement);
    }
    if (ret == 0)
        ret = look_at(placement, sized || placement->way == PLACEMENT_VULKAN, size, dst);
    if (ret < 0 && ret != -EOVERFLOW && placer && !vulkan_first) {
        ret = place_by_vulkan(renderer, placer, resource_id, &source, UINT64_MAX, size, dst,
                              placement);
        if (ret == 0)
            ret = look_at(placement, true, size, dst);
    }
    close_source(&source);
    if (ret == 0 && dst && placement->way != PLACEMENT_VULKAN)
        prepare_pages(placement->ptr, placement->size);
    return ret;
}
