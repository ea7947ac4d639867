/* SPDX-License-Identifier: MIT */
/* See memory.h. */
#include "memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backing.h"
#include "device.h"
#include "pages.h"

static struct memory *memory_new(struct venus_gpu *gpu, void *ptr, size_t size)
{
    struct memory *memory = calloc(1, sizeof(*memory));
    if (!memory)
        return NULL;
    atomic_init(&memory->refs, 1);
    memory->gpu = gpu;
    memory->ptr = ptr;
    memory->size = size;
    memory->fd = -1;
    return memory;
}

/* A nameless file of that size, for ever: whom it is given to cannot take pages from under our mapping. */
static int shared_file(size_t size)
{
#ifdef MFD_CLOEXEC
    int fd = memfd_create("venus-gpu", MFD_CLOEXEC | MFD_ALLOW_SEALING);
#else
    char name[] = "/tmp/venus-gpu-XXXXXX";
    int fd = mkostemp(name, O_CLOEXEC);
    if (fd >= 0)
        unlink(name);
#endif
    if (fd >= 0 && ftruncate(fd, (off_t)size) < 0) {
        close(fd);
        fd = -1;
    }
#ifdef F_ADD_SEALS
    if (fd >= 0)
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
#endif
    return fd;
}

struct memory *memory_create(struct venus_gpu *gpu, size_t size)
{
    size = page_round(size);
    if (!size || !budget_take(&gpu->budget, BUDGET_RANGES, 1))
        return NULL;
    if (!budget_take(&gpu->budget, BUDGET_MEMORY, size))
        goto fail_ranges;

    int fd = shared_file(size);
    if (fd < 0)
        goto fail_account;
    void *ptr = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (ptr == MAP_FAILED)
        goto fail_fd;
    struct memory *memory = memory_new(gpu, ptr, size);
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
    budget_give_back(&gpu->budget, BUDGET_MEMORY, size);
fail_ranges:
    budget_give_back(&gpu->budget, BUDGET_RANGES, 1);
    return NULL;
}

/*
 * Make dst show the pages at src too. mremap() of nothing gives a second mapping of the same pages,
 * which works for every shared mapping of ordinary pages and is refused for all others.
 */
static int alias_pages(void *src, size_t size, void *dst)
{
#ifdef MREMAP_FIXED
    void *ptr = mremap(src, 0, size, MREMAP_MAYMOVE | MREMAP_FIXED, dst);
    return ptr == MAP_FAILED ? -errno : 0;
#else
    (void)src, (void)size, (void)dst;
    return -ENOTSUP;
#endif
}

/* A guest that scatters its pages more than this gets a copy: showing it must not take up all ranges. */
enum { ALIAS_MAX_RUNS = 4096 };

struct memory *memory_alias_backing(struct venus_gpu *gpu, const struct backing *backing,
                                    size_t size)
{
    size_t page = page_size();
    unsigned ranges = backing->num_iov;
    if (!size || ranges > ALIAS_MAX_RUNS || backing->size < size ||
        !budget_take(&gpu->budget, BUDGET_RANGES, ranges))
        return NULL;
    size = page_round(size);

    char *ptr = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (ptr == MAP_FAILED) {
        budget_give_back(&gpu->budget, BUDGET_RANGES, ranges);
        return NULL;
    }

    size_t done = 0;
    for (unsigned i = 0; i < backing->num_iov && done < size; i++) {
        const struct iovec *iov = &backing->iov[i];
        size_t len = page_round(iov->iov_len);
        if (len > size - done)
            len = size - done;
        bool last = done + len == size;
        if ((uintptr_t)iov->iov_base % page || (!last && iov->iov_len % page) ||
            alias_pages(iov->iov_base, len, ptr + done) < 0)
            goto fail;
        done += len;
    }
    struct memory *memory = done == size ? memory_new(gpu, ptr, size) : NULL;
    if (memory) {
        memory->ranges = ranges;
        return memory;
    }
fail:
    munmap(ptr, size);
    budget_give_back(&gpu->budget, BUDGET_RANGES, ranges);
    return NULL;
}

/*
 * Whether the last page of a mapping is there. A guest says how large a blob is; if the memory behind it
 * is smaller, touching its end would end this process. Files have their hole at the end, so if the last
 * page can be read, all can.
 */
static bool last_page_is_there(void *ptr, uint64_t size)
{
#ifdef MADV_POPULATE_READ
    char *last = (char *)ptr + size - page_size();
    return madvise(last, page_size(), MADV_POPULATE_READ) == 0 || errno != EFAULT;
#else
    (void)ptr, (void)size;
    return true;
#endif
}

/*
 * Whether a file can become shorter. A process of the render server that somebody has taken over could take
 * the end away from under our mapping, and end this process with it. virglrenderer seals its shared memory
 * against that, and lavapipe its own; what is not sealed is sealed here, unless it is no memory but a file
 * of a disk, say. What is no file, as a dma-buf, has its size for good.
 */
static bool can_be_cut(int fd)
{
#ifdef F_GET_SEALS
    struct stat st;
    int seals = fcntl(fd, F_GET_SEALS);
    if ((seals >= 0 && seals & F_SEAL_SHRINK) || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) == 0)
        return false;
    return fstat(fd, &st) < 0 || S_ISREG(st.st_mode);
#else
    (void)fd;
    return false;
#endif
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
static int place_by_fd(struct venus_gpu *gpu, uint32_t resource_id, uint64_t size, void *dst,
                       void **place, bool *sized)
{
    enum renderer_fd type;
    int fd;
    int ret = gpu->services.renderer->export_fd(resource_id, &type, &fd);
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

static int place_by_alias(struct venus_gpu *gpu, uint32_t resource_id, uint64_t size, void *dst,
                          void **place)
{
    void *mapped;
    uint64_t mapped_size;
    int ret = gpu->services.renderer->map(resource_id, &mapped, &mapped_size);
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
        ret = alias_pages(mapped, size, to);
        if (ret < 0 && !dst)
            munmap(to, size);
    }
    gpu->services.renderer->unmap(resource_id);
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

int memory_place_blob(struct venus_gpu *gpu, uint32_t resource_id, uint64_t size, void *dst,
                      void **place, enum memory_tier *tier)
{
    size = page_round(size);
    if (!size)
        return -EINVAL;

    bool sized = false;
    *tier = MEMORY_FIXED;
    int ret = place_by_fd(gpu, resource_id, size, dst, place, &sized);
    if (ret < 0 && ret != -EOVERFLOW) {
        *tier = MEMORY_ALIAS;
        sized = false;
        ret = place_by_alias(gpu, resource_id, size, dst, place);
    }
    /* Looking means a page fault, which is a good part of what a small blob costs. */
    if (ret == 0 && !sized && !last_page_is_there(*place, size)) {
        if (!dst)
            munmap(*place, size);
        ret = -EOVERFLOW;
    }
    if (ret == 0 && dst)
        prepare_pages(*place, size);
    return ret;
}

static struct memory *memory_pin_blob(struct venus_gpu *gpu, uint32_t resource_id, uint64_t size)
{
    void *ptr;
    uint64_t mapped_size;
    if (gpu->services.renderer->map(resource_id, &ptr, &mapped_size) < 0)
        return NULL;

    struct memory *memory = NULL;
    if ((uintptr_t)ptr % page_size() == 0 && page_round(mapped_size) >= page_round(size) &&
        last_page_is_there(ptr, page_round(size)))
        memory = memory_new(gpu, ptr, page_round(size));
    if (!memory) {
        gpu->services.renderer->unmap(resource_id);
        return NULL;
    }
    memory->pinned = true;
    memory->resource_id = resource_id;
    pthread_mutex_lock(&gpu->services.lock);
    LIST_INSERT_HEAD(&gpu->pinned, memory, pinned_link);
    pthread_mutex_unlock(&gpu->services.lock);
    return memory;
}

/* For whoever presents it. */
static bool export_memory(struct venus_gpu *gpu, struct memory *memory, uint32_t resource_id)
{
    if (!budget_take(&gpu->budget, BUDGET_DESCRIPTORS, 1))
        return false;
    memory->counts_fd =
        gpu->services.renderer->export_fd(resource_id, &memory->fd_type, &memory->fd) == 0;
    if (!memory->counts_fd) {
        memory->fd = -1;
        budget_give_back(&gpu->budget, BUDGET_DESCRIPTORS, 1);
    }
    return memory->counts_fd;
}

struct memory *memory_of_blob(struct venus_gpu *gpu, uint32_t resource_id, uint64_t size)
{
    if (!budget_take(&gpu->budget, BUDGET_RANGES, 1))
        return NULL;
    void *place;
    enum memory_tier tier;
    struct memory *memory = NULL;
    int ret = memory_place_blob(gpu, resource_id, size, NULL, &place, &tier);
    if (ret == 0) {
        memory = memory_new(gpu, place, page_round(size));
        if (!memory)
            munmap(place, page_round(size));
    } else if (ret != -EOVERFLOW) {
        memory = memory_pin_blob(gpu, resource_id, size);
    }
    if (!memory) {
        budget_give_back(&gpu->budget, BUDGET_RANGES, 1);
        return NULL;
    }
    memory->ranges = 1;
    export_memory(gpu, memory, resource_id); /* or else the pointer must do */
    if (gpu->services.renderer->map_info(resource_id, &memory->map_info) < 0)
        memory->map_info = 0;
    return memory;
}

struct memory *memory_of_unmappable_blob(struct venus_gpu *gpu, uint32_t resource_id, uint64_t size)
{
    struct memory *memory = page_round(size) ? memory_new(gpu, NULL, page_round(size)) : NULL;
    if (!memory)
        return NULL;
    if (!export_memory(gpu, memory, resource_id)) {
        free(memory);
        return NULL;
    }
    return memory;
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

    struct venus_gpu *gpu = memory->gpu;
    budget_give_back(&gpu->budget, BUDGET_RANGES, memory->ranges);
    if (memory->companion)
        memory->companion->memory_gone(memory->companion);
    if (memory->fd >= 0)
        close(memory->fd);
    if (memory->counts_fd)
        budget_give_back(&gpu->budget, BUDGET_DESCRIPTORS, 1);
    if (memory->pinned) {
        pthread_mutex_lock(&gpu->services.lock);
        SLIST_INSERT_HEAD(&gpu->released, memory, released_link);
        pthread_cond_signal(&gpu->work);
        pthread_mutex_unlock(&gpu->services.lock);
        return;
    }
    if (memory->ptr)
        munmap(memory->ptr, memory->size);
    budget_give_back(&gpu->budget, BUDGET_MEMORY, memory->accounted);
    free(memory);
}

void memory_abandon(struct memory *memory)
{
    struct venus_gpu *gpu = memory->gpu;
    pthread_mutex_lock(&gpu->services.lock);
    memory->abandoned = true;
    pthread_cond_signal(&gpu->work);
    pthread_mutex_unlock(&gpu->services.lock);
}

static struct memory *find_pinned_locked(struct venus_gpu *gpu, uint32_t resource_id)
{
    struct memory *memory;
    LIST_FOREACH(memory, &gpu->pinned, pinned_link) {
        if (memory->resource_id == resource_id)
            return memory;
    }
    return NULL;
}

bool memory_take_over(struct venus_gpu *gpu, uint32_t resource_id)
{
    memory_reap(gpu);
    pthread_mutex_lock(&gpu->services.lock);
    struct memory *memory = find_pinned_locked(gpu, resource_id);
    if (memory)
        memory->orphaned = true;
    pthread_mutex_unlock(&gpu->services.lock);
    return memory;
}

bool memory_id_in_use(struct venus_gpu *gpu, uint32_t resource_id, bool wait)
{
    for (;;) {
        memory_reap(gpu);
        pthread_mutex_lock(&gpu->services.lock);
        const struct memory *memory = find_pinned_locked(gpu, resource_id);
        bool in_use = memory;
        bool go_on = in_use && wait && !memory->abandoned && !gpu->resetting && !gpu->stopping;
        if (go_on && SLIST_EMPTY(&gpu->released)) {
            command_deliver(gpu);
            pthread_cond_wait(&gpu->work, &gpu->services.lock);
        }
        pthread_mutex_unlock(&gpu->services.lock);
        if (!go_on)
            return in_use;
    }
}

void memory_reap(struct venus_gpu *gpu)
{
    pthread_mutex_lock(&gpu->services.lock);
    while (!SLIST_EMPTY(&gpu->released)) {
        struct memory *memory = SLIST_FIRST(&gpu->released);
        SLIST_REMOVE_HEAD(&gpu->released, released_link);
        LIST_REMOVE(memory, pinned_link);
        pthread_mutex_unlock(&gpu->services.lock);

        gpu->services.renderer->unmap(memory->resource_id);
        if (memory->orphaned)
            gpu->services.renderer->resource_unref(memory->resource_id);
        free(memory);

        pthread_mutex_lock(&gpu->services.lock);
    }
    pthread_mutex_unlock(&gpu->services.lock);
}
