/* SPDX-License-Identifier: MIT */
/*
 * The capability sets: Venus, and nothing else (specification, 5.7.6.8, GET_CAPSET_INFO and
 * GET_CAPSET). What is in it is between the guest's driver and virglrenderer.
 */
#include <stdlib.h>
#include <string.h>

#include "device.h"

/*
 * Linux keeps what GET_CAPSET brought for as long as it runs, whatever the answer says. So the set is
 * remembered, and given also while there is no renderer: the next one has the same.
 */
void capset_learn(struct venus_gpu *gpu)
{
    if (gpu->capsets || !gpu->renderer_runs)
        return;
    size_t size = gpu->capset_size;
    gpu->capsets = calloc((size_t)gpu->capset_version + 1, size);
    for (uint32_t version = 0; gpu->capsets && version <= gpu->capset_version; version++)
        gpu->services.renderer->capset_fill(version, gpu->capsets + version * size);
}

enum virtio_gpu_ctrl_type capset_get_info(struct venus_gpu *gpu, struct command *cmd,
                                          const void *request)
{
    const struct virtio_gpu_get_capset_info *req = request;
    if (le32(req->capset_index) != 0)
        return command_error(cmd, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
                             "capability set number %u of 1", le32(req->capset_index));

    cmd->response.capset_info.capset_id = le32(VIRTIO_GPU_CAPSET_VENUS);
    cmd->response.capset_info.capset_max_version = le32(gpu->capset_version);
    cmd->response.capset_info.capset_max_size = le32(gpu->capset_size);
    cmd->response.capset_info.padding = 0;
    cmd->response_size = sizeof(cmd->response.capset_info);
    return VIRTIO_GPU_RESP_OK_CAPSET_INFO;
}

enum virtio_gpu_ctrl_type capset_get(struct venus_gpu *gpu, struct command *cmd,
                                     const void *request)
{
    const struct virtio_gpu_get_capset *req = request;
    uint32_t id = le32(req->capset_id), version = le32(req->capset_version);

    if (id != VIRTIO_GPU_CAPSET_VENUS || version > gpu->capset_version)
        return command_error(cmd, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
                             "capability set %u version %u is not Venus (%u) up to version %u", id,
                             version, VIRTIO_GPU_CAPSET_VENUS, gpu->capset_version);
    if (cmd->writable - sizeof(cmd->response.hdr) < gpu->capset_size)
        return command_error(cmd, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
                             "room for %zu bytes of response, the set has %u", cmd->writable,
                             gpu->capset_size);

    capset_learn(gpu);
    if (!gpu->capsets && !gpu->renderer_runs)
        return command_error(cmd, VIRTIO_GPU_RESP_ERR_UNSPEC, "there is no renderer to ask");
    cmd->payload = malloc(gpu->capset_size);
    if (!cmd->payload || !gpu->capsets)
        return command_error(cmd, VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY, "out of memory");
    cmd->payload_size = gpu->capset_size;
    memcpy(cmd->payload, gpu->capsets + (size_t)version * gpu->capset_size, gpu->capset_size);
    return VIRTIO_GPU_RESP_OK_CAPSET;
}
