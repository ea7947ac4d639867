/* SPDX-License-Identifier: MIT */
/* See placement.h. */
#include "memory/placement.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/pages.h"
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

/* sized: the descriptor's own size says that all of it is there. */
static int place_by_fd(const struct renderer *renderer, uint32_t resource_id, uint64_t size,
                       void *dst, void **place, bool *sized)
{
    enum renderer_fd type;
    int fd;
    int ret = renderer->export_fd(resource_id, &type, &fd);
    if (ret < 0)
        return ret;

    bool cuttable = can_be_cut(fd); /* before its size is looked at */
    uint64_t pages = file_pages(fd);
    *sized = pages != UINT64_MAX;
    if (cuttable) {
        ret = -EOVERFLOW;
    } else if (type != RENDERER_FD_SHM && type != RENDERER_FD_DMABUF) {
        ret = -ENOTSUP; /* an opaque descriptor means something to the Vulkan driver only */
    } else if (pages < size) {
        ret = -EOVERFLOW;
    } else {
        void *ptr =
            mmap(dst, size, PROT_READ | PROT_WRITE, MAP_SHARED | (dst ? MAP_FIXED : 0), fd, 0);
        if (ptr == MAP_FAILED)
            ret = -errno;
        else
            *place = ptr;
    }
    close(fd);
    return ret;
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

int placement_place(const struct renderer *renderer, uint32_t resource_id, uint64_t size, void *dst,
                    void **place, enum placement_way *way)
{
    size = page_round(size);
    if (!size)
        return -EINVAL;

    bool sized = false;
    *way = PLACEMENT_FIXED;
    int ret = place_by_fd(renderer, resource_id, size, dst, place, &sized);
    if (ret < 0 && ret != -EOVERFLOW) {
        *way = PLACEMENT_ALIAS;
        sized = false;
        ret = place_by_alias(renderer, resource_id, size, dst, place);
    }
    /* Looking means a page fault, which is a good part of what a small blob costs. */
    if (ret == 0 && !sized && !placement_is_whole(*place, size)) {
        if (!dst)
            munmap(*place, size);
        ret = -EOVERFLOW;
    }
    if (ret == 0 && dst)
        prepare_pages(*place, size);
    return ret;
}
