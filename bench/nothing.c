/* SPDX-License-Identifier: MIT */
/*
 * A device that does nothing: the floor that a benchmark stands on.
 *
 * Preloaded into QEMU, it takes each command in the place of libvenusgpu, and answers those that make,
 * map, submit or free something at once, on the thread that brought it. What is left is what the guest's
 * kernel, its emulated processor and QEMU's virtqueues take by themselves. Questions of the guest go to
 * the library as ever, and so does everything of 2D, so that the guest boots. No Vulkan program runs on it.
 */
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <venus-gpu.h>

#include "base/protocol.h"

typedef struct venus_gpu *create_fn(const struct venus_gpu_config *, const struct venus_gpu_ops *,
                                    void *, char **);
typedef int submit_fn(struct venus_gpu *, enum venus_gpu_queue, const struct venus_gpu_request *,
                      size_t);

/* One device lives in a process. */
static struct {
    void (*done)(void *opaque, void *tag, uint32_t written);
    void *opaque;
    submit_fn *submit;
} real;

static void *next_symbol(const char *name)
{
    void *symbol = dlsym(RTLD_NEXT, name);
    if (!symbol)
        abort(); /* preloaded into something else than QEMU with libvenusgpu */
    return symbol;
}

struct venus_gpu *venus_gpu_create(const struct venus_gpu_config *config,
                                   const struct venus_gpu_ops *ops, void *opaque, char **error)
{
    union {
        void *symbol;
        create_fn *function;
    } create = { next_symbol("venus_gpu_create") };
    union {
        void *symbol;
        submit_fn *function;
    } submit = { next_symbol("venus_gpu_submit_sized") };

    real.done = ops->command_done;
    real.opaque = opaque;
    real.submit = submit.function;
    return create.function(config, ops, opaque, error);
}

/* Whether there is nothing in it that a guest without Vulkan programs would miss. */
static bool is_ours(uint32_t type)
{
    switch (type) {
    case VIRTIO_GPU_CMD_CTX_CREATE:
    case VIRTIO_GPU_CMD_CTX_DESTROY:
    case VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE:
    case VIRTIO_GPU_CMD_CTX_DETACH_RESOURCE:
    case VIRTIO_GPU_CMD_SUBMIT_3D:
    case VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB:
    case VIRTIO_GPU_CMD_RESOURCE_MAP_BLOB:
    case VIRTIO_GPU_CMD_RESOURCE_UNMAP_BLOB:
    case VIRTIO_GPU_CMD_RESOURCE_UNREF:
        return true;
    default:
        return false;
    }
}

int venus_gpu_submit_sized(struct venus_gpu *gpu, enum venus_gpu_queue queue,
                           const struct venus_gpu_request *request, size_t request_size)
{
    struct virtio_gpu_ctrl_hdr hdr;
    struct virtio_gpu_resp_map_info answer;

    if (queue != VENUS_GPU_QUEUE_CONTROL || request->num_out < 1 || request->num_in < 1 ||
        request->out[0].iov_len < sizeof(hdr))
        return real.submit(gpu, queue, request, request_size);
    memcpy(&hdr, request->out[0].iov_base, sizeof(hdr));
    if (!is_ours(le32(hdr.type)))
        return real.submit(gpu, queue, request, request_size);

    memset(&answer, 0, sizeof(answer)); /* its padding too, which is copied */
    answer.map_info = le32(VIRTIO_GPU_MAP_CACHE_CACHED);
    size_t size = sizeof(answer.hdr);
    answer.hdr = hdr; /* its fence, context and ring index, as an answer repeats them */
    answer.hdr.type = le32(VIRTIO_GPU_RESP_OK_NODATA);
    if (le32(hdr.type) == VIRTIO_GPU_CMD_RESOURCE_MAP_BLOB) {
        answer.hdr.type = le32(VIRTIO_GPU_RESP_OK_MAP_INFO);
        size = sizeof(answer);
    }
    if (size > request->in[0].iov_len)
        size = request->in[0].iov_len;
    memcpy(request->in[0].iov_base, &answer, size);
    real.done(real.opaque, request->tag, (uint32_t)size);
    return 0;
}
