/* SPDX-License-Identifier: MIT */
/* The virtio-gpu ioctls, one function each: see virtgpu.h. */
#define _GNU_SOURCE
#include "virtgpu.h"

#include <drm/drm.h>
#include <drm/virtgpu_drm.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common.h"

static void call(int fd, unsigned long request, void *arg, const char *what)
{
    int ret;

    do {
        ret = ioctl(fd, request, arg);
    } while (ret < 0 && (errno == EINTR || errno == EAGAIN));
    if (ret < 0)
        die("%s: %s", what, strerror(errno));
}

/* The first of 64 nodes from that minor number on which is virtio_gpu's, or -1. */
static int open_node(const char *kind, int first)
{
    for (int minor = first; minor < first + 64; minor++) {
        char path[32], name[32] = "";
        struct drm_version version = { .name = name, .name_len = sizeof name - 1 };

        snprintf(path, sizeof path, "/dev/dri/%s%d", kind, minor);
        int fd = open(path, O_RDWR | O_CLOEXEC);
        if (fd < 0)
            continue;
        if (ioctl(fd, DRM_IOCTL_VERSION, &version) == 0 && strcmp(name, "virtio_gpu") == 0)
            return fd;
        close(fd);
    }
    return -1;
}

int virtgpu_open(void)
{
    int fd = open_node("renderD", 128);

    if (fd < 0)
        die("no render node under /dev/dri belongs to virtio_gpu");
    return fd;
}

int virtgpu_open_card(void)
{
    int fd = open_node("card", 0);

    if (fd < 0)
        die("no card under /dev/dri belongs to virtio_gpu");
    return fd;
}

void virtgpu_init_venus(int fd)
{
    struct drm_virtgpu_context_set_param params[] = {
        { VIRTGPU_CONTEXT_PARAM_CAPSET_ID, VIRTGPU_CAPSET_VENUS },
        { VIRTGPU_CONTEXT_PARAM_NUM_RINGS, 64 },
        { VIRTGPU_CONTEXT_PARAM_POLL_RINGS_MASK, 0 },
    };
    struct drm_virtgpu_context_init init = {
        .num_params = sizeof params / sizeof *params,
        .ctx_set_params = (uintptr_t)params,
    };

    call(fd, DRM_IOCTL_VIRTGPU_CONTEXT_INIT, &init, "CONTEXT_INIT for Venus");
}

struct virtgpu_blob virtgpu_create_host_blob(int fd, uint64_t size, uint64_t blob_id)
{
    struct drm_virtgpu_resource_create_blob create = {
        .blob_mem = VIRTGPU_BLOB_MEM_HOST3D,
        .blob_flags = VIRTGPU_BLOB_FLAG_USE_MAPPABLE,
        .size = size,
        .blob_id = blob_id,
    };

    call(fd, DRM_IOCTL_VIRTGPU_RESOURCE_CREATE_BLOB, &create, "RESOURCE_CREATE_BLOB");
    return (struct virtgpu_blob){ create.bo_handle, create.res_handle, size };
}

void *virtgpu_map(int fd, const struct virtgpu_blob *blob)
{
    struct drm_virtgpu_map map = { .handle = blob->handle };

    call(fd, DRM_IOCTL_VIRTGPU_MAP, &map, "MAP");
    void *address = mmap(NULL, blob->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)map.offset);
    if (address == MAP_FAILED)
        die("mmap of a blob of %llu bytes: %s", (unsigned long long)blob->size, strerror(errno));
    return address;
}

void virtgpu_unmap(const struct virtgpu_blob *blob, void *address)
{
    if (munmap(address, blob->size))
        die("munmap: %s", strerror(errno));
}

void virtgpu_close_blob(int fd, const struct virtgpu_blob *blob)
{
    struct drm_gem_close close_args = { .handle = blob->handle };

    call(fd, DRM_IOCTL_GEM_CLOSE, &close_args, "GEM_CLOSE");
}

int virtgpu_fence(int fd, uint32_t ring)
{
    struct drm_virtgpu_execbuffer exec = {
        .flags = VIRTGPU_EXECBUF_FENCE_FD_OUT | VIRTGPU_EXECBUF_RING_IDX,
        .ring_idx = ring,
        .fence_fd = -1,
    };

    call(fd, DRM_IOCTL_VIRTGPU_EXECBUFFER, &exec, "EXECBUFFER with a fence");
    return exec.fence_fd;
}

void virtgpu_wait(int fence_fd, int timeout_ms)
{
    struct pollfd p = { .fd = fence_fd, .events = POLLIN };
    int ret;

    do {
        ret = poll(&p, 1, timeout_ms);
    } while (ret < 0 && errno == EINTR);
    if (ret == 0)
        die("a fence did not signal within %d ms", timeout_ms);
    if (ret < 0 || !(p.revents & POLLIN))
        die("waiting for a fence: revents %#x, %s", p.revents, strerror(errno));
}
