/* SPDX-License-Identifier: MIT */
/*
 * A program that means harm, or is broken: everything here but one mode goes to the device by the kernel's
 * ioctls, which any program that may open the render node can call. It says what it did and does not care what became of it;
 * tests/guest/test_hostile.py looks at everybody else.
 *
 *   hostile garbage|edits|sizes|large|strangers|handles|killed|fences|pending|contexts|deadlock
 *           [--rounds N] [--seed 1]
 *
 * garbage   streams of random numbers, each in a context of its own, some behind a valid command
 * edits     a valid command cut short after each word, then with each word changed
 * sizes     blobs of every size that makes no sense, streams of 0 bytes, of 3, and from a page to 1 MiB
 * strangers streams that name the resources of another context, and what is no resource
 * handles   blobs mapped twice, closed while they are mapped and while a fence waits, handles of nothing
 * large     streams of 16 and 64 MiB, in more pieces than QEMU takes
 * killed    processes that work, each killed at some moment
 * fences    fences on rings that have no queue, which ends their context; nobody waits for them
 * pending   fences of a Vulkan queue that waits for ever, as sync files; nobody waits for them
 * contexts  many contexts at once, an instance of Vulkan in every eighth
 * deadlock  a context whose two threads on the host wait for each other, which is then sent more work, in rounds
 *
 * --rounds is how many contexts, processes, fences or commands that is.
 */
#define _GNU_SOURCE
#include <drm/drm.h>
#include <drm/virtgpu_drm.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chance.h"
#include "common.h"
#include "virtgpu.h"
#include "vk.h"

#define PAGE  4096u
#define RINGS 64u

/* What the kernel or the device took, and what they refused. */
static unsigned long taken, refused;

/* As virtgpu.c has it, but that a refusal is nothing special. */
static bool call(int fd, unsigned long request, void *arg)
{
    int ret;

    do {
        ret = ioctl(fd, request, arg);
    } while (ret < 0 && (errno == EINTR || errno == EAGAIN));
    *(ret < 0 ? &refused : &taken) += 1;
    return ret >= 0;
}

static void submit(int fd, const void *commands, size_t size)
{
    struct drm_virtgpu_execbuffer exec = {
        .size = (uint32_t)size,
        .command = (uintptr_t)commands,
        .fence_fd = -1,
    };

    call(fd, DRM_IOCTL_VIRTGPU_EXECBUFFER, &exec);
}

/* A fence, which is forgotten. */
static void leave_fence(int fd, uint32_t ring)
{
    struct drm_virtgpu_execbuffer exec = {
        .flags = VIRTGPU_EXECBUF_FENCE_FD_OUT | VIRTGPU_EXECBUF_RING_IDX,
        .ring_idx = ring,
        .fence_fd = -1,
    };

    if (call(fd, DRM_IOCTL_VIRTGPU_EXECBUFFER, &exec))
        close(exec.fence_fd);
}

/* Returns a GEM handle, or 0. */
static uint32_t create_blob(int fd, uint64_t size, uint64_t blob_id)
{
    struct drm_virtgpu_resource_create_blob create = {
        .blob_mem = VIRTGPU_BLOB_MEM_HOST3D,
        .blob_flags = VIRTGPU_BLOB_FLAG_USE_MAPPABLE,
        .size = size,
        .blob_id = blob_id,
    };

    return call(fd, DRM_IOCTL_VIRTGPU_RESOURCE_CREATE_BLOB, &create) ? create.bo_handle : 0;
}

static int open_context(void)
{
    int fd = virtgpu_open();

    virtgpu_init_venus(fd);
    return fd;
}

/*
 * Until what was submitted has been read, or has ended the context: a closed one reads nothing more. Nobody has to have
 * noticed that it ended until something more is sent to it.
 */
static void wait_until_read(int fd)
{
    int fence = virtgpu_fence(fd, 0);

    virtgpu_wait(fence, 30000);
    close(fence);
}

/*
 * Commands of the Venus protocol. Each is its number, flags and arguments; a pointer to one thing is a 64-bit 1
 * before it, or 0 for NULL; handles that are made are numbers of our choice.
 */
enum {
    CREATE_INSTANCE = 0,
    SET_REPLY_COMMAND_STREAM = 178,
    CREATE_RING = 188,
    WAIT_VIRTQUEUE_SEQNO = 252,
    WAIT_RING_SEQNO = 253,
    INSTANCE_CREATE_INFO = 1,
    RING_CREATE_INFO = 1000384000,
};

struct stream {
    uint32_t words[64];
    size_t count;
};

static size_t size_of(const struct stream *stream)
{
    return stream->count * sizeof *stream->words;
}

static void put32(struct stream *stream, uint32_t value)
{
    if (stream->count == sizeof stream->words / sizeof *stream->words)
        die("a stream is too long");
    stream->words[stream->count++] = value;
}

static void put64(struct stream *stream, uint64_t value)
{
    put32(stream, (uint32_t)value);
    put32(stream, (uint32_t)(value >> 32));
}

static struct stream command(uint32_t number)
{
    struct stream stream = { .count = 0 };

    put32(&stream, number);
    put32(&stream, 0);
    return stream;
}

/* A pointer to a structure of that type, with nothing in its chain. */
static void put_structure(struct stream *stream, uint32_t type)
{
    put64(stream, 1);
    put32(stream, type);
    put64(stream, 0);
}

static struct stream create_instance(uint64_t handle)
{
    struct stream stream = command(CREATE_INSTANCE);

    put_structure(&stream, INSTANCE_CREATE_INFO);
    put32(&stream, 0); /* flags */
    put64(&stream, 0); /* pApplicationInfo */
    put32(&stream, 0); /* layers */
    put64(&stream, 0);
    put32(&stream, 0); /* extensions */
    put64(&stream, 0);
    put64(&stream, 0); /* pAllocator */
    put64(&stream, 1); /* pInstance */
    put64(&stream, handle);
    return stream;
}

static void submit_stream(int fd, const struct stream *stream)
{
    submit(fd, stream->words, size_of(stream));
}

static void garbage(long rounds, struct chance *chance)
{
    static uint32_t words[16384];
    const uint32_t most = sizeof words / sizeof *words;

    for (long i = 0; i < rounds; i++) {
        int fd = open_context();
        uint32_t count = 1 + chance_below(chance, i % 8 ? 128 : most);
        size_t begin = 0;

        if (i % 4 == 0) {
            struct stream valid = create_instance(1);
            memcpy(words, valid.words, size_of(&valid));
            begin = valid.count;
        }
        /* Small numbers are those of commands, lengths and pointers that are there. */
        for (size_t k = begin; k < count; k++)
            words[k] =
                chance_below(chance, 3) ? chance_below(chance, 320) : (uint32_t)chance_next(chance);
        submit(fd, words, count * sizeof *words);
        submit(fd, words, 2 * sizeof *words);
        leave_fence(fd, chance_below(chance, RINGS));
        wait_until_read(fd);
        submit(fd, words, 2 * sizeof *words);
        close(fd);
    }
}

static void edits(long rounds, struct chance *chance)
{
    const struct stream whole = create_instance(1), other = create_instance(2);

    for (long i = 0; i < rounds; i++) {
        int fd = open_context();
        struct stream stream = whole;
        size_t at = (size_t)i % whole.count;

        if (i < (long)whole.count)
            stream.count = at + 1;
        else
            stream.words[at] = UINT32_MAX - chance_below(chance, 8);
        submit_stream(fd, &stream);
        submit_stream(fd, &other);
        wait_until_read(fd);
        submit_stream(fd, &other);
        close(fd);
    }
}

/* Of the guest's own memory: no size that makes sense. (One that is more than there is, the guest's kernel tries to find.) */
static void guest_blobs(int fd)
{
    static const uint64_t sizes[] = { 0, 1, PAGE + 1, UINT64_MAX - PAGE + 1 };

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (uint32_t mem = VIRTGPU_BLOB_MEM_GUEST; mem <= VIRTGPU_BLOB_MEM_HOST3D_GUEST + 1;
             mem++) {
            struct drm_virtgpu_resource_create_blob create = {
                .blob_mem = mem,
                .blob_flags = VIRTGPU_BLOB_FLAG_USE_MAPPABLE,
                .size = sizes[i],
                .blob_id = 4711,
            };

            if (mem != VIRTGPU_BLOB_MEM_HOST3D) /* its sizes have a function of their own */
                call(fd, DRM_IOCTL_VIRTGPU_RESOURCE_CREATE_BLOB, &create);
        }
    }
}

static void sizes(long rounds)
{
    static const uint64_t of_blobs[] = { 0,
                                         1,
                                         PAGE - 1,
                                         PAGE + 1,
                                         UINT64_C(1) << 32,
                                         UINT64_C(1) << 36,
                                         UINT64_C(1) << 40,
                                         UINT64_C(1) << 46,
                                         UINT64_C(1) << 62,
                                         UINT64_C(1) << 63,
                                         UINT64_MAX,
                                         UINT64_MAX - PAGE + 1 };
    const size_t most = 2u << 20; /* more may be more pieces than QEMU takes: see large() */
    void *zeros = mmap(NULL, most, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (zeros == MAP_FAILED)
        die("no memory");
    for (long i = 0; i < rounds; i++) {
        int fd = open_context();
        for (size_t k = 0; k < sizeof of_blobs / sizeof *of_blobs; k++) {
            uint32_t handle = create_blob(fd, of_blobs[k], 0);
            struct drm_virtgpu_map map = { .handle = handle };
            if (handle)
                call(fd, DRM_IOCTL_VIRTGPU_MAP, &map);
        }
        for (uint64_t id = 1; id < 4; id++) /* memory of Vulkan that is not there */
            create_blob(fd, PAGE, id);
        guest_blobs(fd);
        for (size_t size = 0; size < 4; size += 3)
            submit(fd, zeros, size);
        for (size_t size = PAGE; size <= most; size *= 4)
            submit(fd, zeros, size);
        wait_until_read(fd);
        close(fd);
    }
    munmap(zeros, most);
}

/* Ends the queue in a QEMU without our patches: docs/limitations.md. */
static void large(long rounds)
{
    const size_t most = 64u << 20;
    void *zeros = mmap(NULL, most, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (zeros == MAP_FAILED)
        die("no memory");
    for (long i = 0; i < rounds; i++) {
        int fd = open_context();
        for (size_t size = 16u << 20; size <= most; size *= 4)
            submit(fd, zeros, size);
        wait_until_read(fd);
        close(fd);
    }
    munmap(zeros, most);
}

/* What a program does, again and again, until it is killed. It says by a pipe that it has a context. */
static _Noreturn void work(int begun)
{
    const struct stream instance = create_instance(1);

    for (;;) {
        int fd = open_context();
        submit_stream(fd, &instance);
        if (write(begun, "", 1) < 0)
            _exit(1);
        for (int i = 0; i < 4; i++) {
            struct virtgpu_blob blob = virtgpu_create_host_blob(fd, 16 * PAGE, 0);
            memset(virtgpu_map(fd, &blob), 1, blob.size);
            leave_fence(fd, (uint32_t)i);
        }
    }
}

static void killed(long rounds, struct chance *chance)
{
    for (long i = 0; i < rounds; i++) {
        int pipes[2];
        if (pipe(pipes))
            die("pipe: %s", strerror(errno));
        pid_t child = fork();
        if (child < 0)
            die("fork: %s", strerror(errno));
        if (child == 0)
            work(pipes[1]);
        close(pipes[1]);
        char byte;
        if (read(pipes[0], &byte, 1) != 1)
            die("a program ended before it was killed");
        usleep(chance_below(chance, 100000));
        kill(child, SIGKILL);
        if (waitpid(child, NULL, 0) < 0)
            die("waitpid: %s", strerror(errno));
        close(pipes[0]);
        taken++;
    }
}

static void fences(long rounds)
{
    int fd = open_context();

    for (long i = 0; i < rounds; i++)
        leave_fence(fd, 1 + (uint32_t)i % (RINGS - 1));
    close(fd);
}

/* Submits what waits for a semaphore that nobody signals, and fences behind it. */
static _Noreturn void leave_pending(long rounds)
{
    const char *const fence_fd = VK_KHR_EXTERNAL_FENCE_FD_EXTENSION_NAME;
    const VkSemaphoreTypeCreateInfo timeline = { .sType =
                                                     VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO,
                                                 .semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE };
    const VkExportFenceCreateInfo exported = { .sType = VK_STRUCTURE_TYPE_EXPORT_FENCE_CREATE_INFO,
                                               .handleTypes =
                                                   VK_EXTERNAL_FENCE_HANDLE_TYPE_SYNC_FD_BIT };
    const VkPipelineStageFlags stage = VK_PIPELINE_STAGE_ALL_COMMANDS_BIT;
    VkSemaphore semaphore;
    VkFence fence;
    struct vk vk;

    vk_open(&vk);
    vk_want(&vk, VK_WANT_TIMELINES);
    vk_create_device(&vk, 1, &fence_fd);
    PFN_vkGetFenceFdKHR get_fence_fd =
        (PFN_vkGetFenceFdKHR)(void (*)(void))vkGetDeviceProcAddr(vk.device, "vkGetFenceFdKHR");
    VK_CHECK(vkCreateSemaphore(
        vk.device,
        &(VkSemaphoreCreateInfo){ .sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO,
                                  .pNext = &timeline },
        NULL, &semaphore));
    VK_CHECK(vkCreateFence(
        vk.device,
        &(VkFenceCreateInfo){ .sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO, .pNext = &exported },
        NULL, &fence));
    const VkTimelineSemaphoreSubmitInfo value = {
        .sType = VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO,
        .waitSemaphoreValueCount = 1,
        .pWaitSemaphoreValues = &(uint64_t){ 1 }
    };
    VK_CHECK(vkQueueSubmit(vk.queue, 1,
                           &(VkSubmitInfo){ .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                                            .pNext = &value,
                                            .waitSemaphoreCount = 1,
                                            .pWaitSemaphores = &semaphore,
                                            .pWaitDstStageMask = &stage },
                           NULL));
    for (long i = 0; i < rounds; i++) {
        int fd = -1;
        VK_CHECK(vkQueueSubmit(vk.queue, 0, NULL, fence));
        VK_CHECK(get_fence_fd(
            vk.device,
            &(VkFenceGetFdInfoKHR){ .sType = VK_STRUCTURE_TYPE_FENCE_GET_FD_INFO_KHR,
                                    .fence = fence,
                                    .handleType = VK_EXTERNAL_FENCE_HANDLE_TYPE_SYNC_FD_BIT },
            &fd));
        if (fd >= 0)
            close(fd);
    }
    _exit(0); /* to destroy the device would be to wait for it */
}

/* In a process of its own, as the driver ends one that has lost its context. */
static void pending(long rounds)
{
    pid_t child = fork();

    if (child < 0)
        die("fork: %s", strerror(errno));
    if (child == 0)
        leave_pending(rounds);
    if (waitpid(child, NULL, 0) < 0)
        die("waitpid: %s", strerror(errno));
}

static void contexts(long rounds)
{
    const struct stream instance = create_instance(1);
    struct rlimit limit = { (rlim_t)rounds + 16, (rlim_t)rounds + 16 };
    int *fds = calloc((size_t)rounds, sizeof *fds);

    if (!fds || setrlimit(RLIMIT_NOFILE, &limit))
        die("%ld contexts are too many for this process", rounds);
    for (long i = 0; i < rounds; i++) {
        fds[i] = open_context();
        if (i % 8 == 0) /* each would have the host's processors do nothing else for long */
            submit_stream(fds[i], &instance);
    }
    for (long i = 0; i < rounds; i++)
        close(fds[i]);
    free(fds);
}

/* Where what is in the shared memory of the ring. */
enum {
    RING_HEAD = 0,
    RING_TAIL = 64,
    RING_STATUS = 128,
    RING_BUFFER = PAGE,
    RING_EXTRA = 2 * PAGE,
    RING_SIZE = 4 * PAGE,
    RING_ID = 1,
    RING_IDLE_US = 1000000,
};

static void create_ring(int fd, uint32_t resource)
{
    struct stream stream = command(CREATE_RING);

    put64(&stream, RING_ID);
    put_structure(&stream, RING_CREATE_INFO);
    put32(&stream, 0); /* flags */
    put32(&stream, resource);
    put64(&stream, 0); /* offset */
    put64(&stream, RING_SIZE);
    put64(&stream, RING_IDLE_US);
    put64(&stream, RING_HEAD);
    put64(&stream, RING_TAIL);
    put64(&stream, RING_STATUS);
    put64(&stream, RING_BUFFER);
    put64(&stream, PAGE);
    put64(&stream, RING_EXTRA);
    put64(&stream, PAGE);
    submit_stream(fd, &stream);
}

static void set_reply(int fd, uint32_t resource)
{
    struct stream stream = command(SET_REPLY_COMMAND_STREAM);

    put64(&stream, 1);
    put32(&stream, resource);
    put64(&stream, 0); /* offset */
    put64(&stream, PAGE);
    submit_stream(fd, &stream);
}

/* Each in a context of its own, which ends; the one whose resource it is works on. */
static void strangers(long rounds)
{
    const struct stream instance = create_instance(1);
    int victim = open_context();
    struct virtgpu_blob blob = virtgpu_create_host_blob(victim, RING_SIZE, 0);
    char *memory = virtgpu_map(victim, &blob);
    const uint32_t resources[] = { blob.resource, blob.resource + 1, 0, 1, INT32_MAX, UINT32_MAX };

    memset(memory, 0x5a, RING_SIZE);
    submit_stream(victim, &instance);
    for (long i = 0; i < rounds; i++) {
        int fd = open_context();
        uint32_t resource = resources[(size_t)i % (sizeof resources / sizeof *resources)];
        if (i % 2)
            create_ring(fd, resource);
        else
            set_reply(fd, resource);
        submit_stream(fd, &instance);
        wait_until_read(fd);
        submit_stream(fd, &instance);
        close(fd);
    }
    for (size_t i = 0; i < RING_SIZE; i++) {
        if (memory[i] != 0x5a)
            die("another context has written to byte %zu", i);
    }
    wait_until_read(victim);
    set_reply(victim, blob.resource);
    wait_until_read(victim);
    close(victim);
}

/* What the kernel and the device know each other's resources by, used in the wrong order. */
static void handles(long rounds)
{
    for (long i = 0; i < rounds; i++) {
        int fd = open_context();
        struct virtgpu_blob blob = virtgpu_create_host_blob(fd, 4 * PAGE, 0);
        char *first = virtgpu_map(fd, &blob), *second = virtgpu_map(fd, &blob);
        uint32_t objects[] = { blob.handle, blob.handle, blob.handle + 1, 0, UINT32_MAX };
        struct drm_virtgpu_execbuffer exec = {
            .flags = VIRTGPU_EXECBUF_FENCE_FD_OUT | VIRTGPU_EXECBUF_RING_IDX,
            .bo_handles = (uintptr_t)objects,
            .num_bo_handles = 1,
            .fence_fd = -1,
        };
        struct drm_virtgpu_3d_wait wait = { .handle = blob.handle + 1 };
        struct drm_virtgpu_resource_info info = { .bo_handle = UINT32_MAX };

        first[PAGE] = (char)i;
        if (second[PAGE] != (char)i)
            die("a blob that is mapped twice is two");
        if (call(fd, DRM_IOCTL_VIRTGPU_EXECBUFFER, &exec)) /* its fence waits while the blob goes */
            close(exec.fence_fd);
        exec.fence_fd = -1;
        exec.num_bo_handles = 5;
        call(fd, DRM_IOCTL_VIRTGPU_EXECBUFFER, &exec);
        exec.num_bo_handles = 1u << 20; /* most of them where no memory is */
        call(fd, DRM_IOCTL_VIRTGPU_EXECBUFFER, &exec);
        call(fd, DRM_IOCTL_VIRTGPU_WAIT, &wait);
        call(fd, DRM_IOCTL_VIRTGPU_RESOURCE_INFO, &info);
        virtgpu_close_blob(fd, &blob);
        first[2 * PAGE] = 1; /* the mapping keeps it */
        if (i % 2)
            virtgpu_unmap(&blob, first);
        close(fd);
        second[3 * PAGE] = 2;
        virtgpu_unmap(&blob, second);
        if (i % 2 == 0)
            virtgpu_unmap(&blob, first);
    }
}

/* The ring's thread waits for the one that reads what is submitted, which waits for the ring's. */
static void deadlock(long rounds)
{
    const struct stream instance = create_instance(1);
    int fd = open_context();
    struct virtgpu_blob blob = virtgpu_create_host_blob(fd, RING_SIZE, 0);
    char *ring = virtgpu_map(fd, &blob);
    struct stream to_ring = command(WAIT_VIRTQUEUE_SEQNO), to_queue = command(WAIT_RING_SEQNO);

    create_ring(fd, blob.resource);
    wait_until_read(fd); /* until the ring has its thread */
    put64(&to_ring, 1);
    memcpy(ring + RING_BUFFER, to_ring.words, size_of(&to_ring));
    __atomic_store_n((uint32_t *)(void *)(ring + RING_TAIL), (uint32_t)size_of(&to_ring),
                     __ATOMIC_SEQ_CST);
    put64(&to_queue, RING_ID);
    put64(&to_queue, size_of(&to_ring));
    submit_stream(fd, &to_queue);

    create_blob(fd, PAGE, 0);
    for (long i = 0; i < rounds; i++) {
        submit_stream(fd, &instance);
        leave_fence(fd, 0);
    }
    close(fd);
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    const long rounds = option(argc, argv, "--rounds", 64);
    struct chance chance = chance_start((uint64_t)option(argc, argv, "--seed", 1));
    double start = now_ms();

    if (rounds < 1 || rounds > 1000000)
        die("--rounds is 1 to 1000000");
    if (strcmp(mode, "garbage") == 0)
        garbage(rounds, &chance);
    else if (strcmp(mode, "edits") == 0)
        edits(rounds, &chance);
    else if (strcmp(mode, "sizes") == 0)
        sizes(rounds);
    else if (strcmp(mode, "large") == 0)
        large(rounds);
    else if (strcmp(mode, "strangers") == 0)
        strangers(rounds);
    else if (strcmp(mode, "handles") == 0)
        handles(rounds);
    else if (strcmp(mode, "killed") == 0)
        killed(rounds, &chance);
    else if (strcmp(mode, "fences") == 0)
        fences(rounds);
    else if (strcmp(mode, "pending") == 0)
        pending(rounds);
    else if (strcmp(mode, "contexts") == 0)
        contexts(rounds);
    else if (strcmp(mode, "deadlock") == 0)
        deadlock(rounds);
    else
        die("what harm: garbage, edits, sizes, large, strangers, handles, killed, fences, pending, contexts or "
            "deadlock?");
    printf(
        "{\"program\": \"hostile\", \"mode\": \"%s\", \"rounds\": %ld, \"taken\": %lu, \"refused\": %lu, "
        "\"seconds\": %.2f}\n",
        mode, rounds, taken, refused, (now_ms() - start) / 1e3);
    return 0;
}
