/* SPDX-License-Identifier: MIT */
/*
 * The capability sets: Venus, and nothing else (specification, 5.7.6.8, GET_CAPSET_INFO and
 * GET_CAPSET). What is in it is between the guest's driver and virglrenderer.
 */
#include "nouns/capset.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/stream.h"
#include "nouns/handlers.h"
#include "nouns/parts.h"
#include "renderer/session.h"

enum virtio_gpu_ctrl_type capset_get_info(struct venus_gpu *gpu, struct command *cmd,
                                          const void *request)
{
    const struct virtio_gpu_get_capset_info *req = request;
    if (le32(req->capset_index) != 0)
        return command_error(cmd, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
                             "capability set number %u of 1", le32(req->capset_index));

    cmd->response.capset_info.capset_id = le32(VIRTIO_GPU_CAPSET_VENUS);
    cmd->response.capset_info.capset_max_version = le32(session_capset_version(gpu->session));
    cmd->response.capset_info.capset_max_size = le32(session_capset_size(gpu->session));
    cmd->response.capset_info.padding = 0;
    cmd->response_size = sizeof(cmd->response.capset_info);
    return VIRTIO_GPU_RESP_OK_CAPSET_INFO;
}

enum virtio_gpu_ctrl_type capset_get(struct venus_gpu *gpu, struct command *cmd,
                                     const void *request)
{
    const struct virtio_gpu_get_capset *req = request;
    uint32_t id = le32(req->capset_id), version = le32(req->capset_version);
    uint32_t latest = session_capset_version(gpu->session),
             size = session_capset_size(gpu->session);

    if (id != VIRTIO_GPU_CAPSET_VENUS || version > latest)
        return command_error(cmd, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
                             "capability set %u version %u is not Venus (%u) up to version %u", id,
                             version, VIRTIO_GPU_CAPSET_VENUS, latest);
    if (cmd->writable - sizeof(cmd->response.hdr) < size)
        return command_error(cmd, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
                             "room for %zu bytes of response, the set has %u", cmd->writable, size);

    const void *capset;
    int ret = session_capset(gpu->session, version, &capset);
    if (ret == -ENOTCONN)
        return command_error(cmd, VIRTIO_GPU_RESP_ERR_UNSPEC, "there is no renderer to ask");
    cmd->payload = ret == 0 ? malloc(size) : NULL;
    if (!cmd->payload)
        return command_error(cmd, VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY, "out of memory");
    cmd->payload_size = size;
    memcpy(cmd->payload, capset, size);
    return VIRTIO_GPU_RESP_OK_CAPSET;
}

/* Of the newest version, which drivers take; NULL: there is no renderer to ask, or no memory. */
static const void *newest(struct venus_gpu *gpu)
{
    const void *capset;
    return session_capset(gpu->session, session_capset_version(gpu->session), &capset) < 0 ? NULL
                                                                                           : capset;
}

static void compare(struct venus_gpu *gpu, uint32_t version, uint32_t size, const void *told)
{
    const void *ours = newest(gpu);
    if (ours && version == session_capset_version(gpu->session) &&
        size == session_capset_size(gpu->session) && memcmp(ours, told, size) == 0)
        return;
    log_line(
        &gpu->services.log, VENUS_GPU_LOG_WARNING,
        "the guest's kernel knows another virglrenderer's Venus: Vulkan programs that it starts may fail until "
        "it is rebooted");
}

void capset_stream(struct venus_gpu *gpu, struct stream *stream)
{
    assert_device_thread(&gpu->services);
    const void *ours = stream->saves ? newest(gpu) : NULL;
    uint32_t version = session_capset_version(gpu->session);
    uint32_t size = ours ? session_capset_size(gpu->session) : 0;
    stream_u32(stream, &version);
    stream_u32(stream, &size);
    if (!size || !stream_holds(stream, size, 1))
        return;
    void *told = malloc(size);
    if (!told) {
        stream_fail(stream, -ENOMEM, "out of memory");
        return;
    }
    if (ours)
        memcpy(told, ours, size);
    stream_bytes(stream, told, size);
    if (!stream->saves)
        compare(gpu, version, size, told);
    free(told);
}
