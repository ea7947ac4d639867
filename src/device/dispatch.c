/* SPDX-License-Identifier: MIT */
/*
 * From a command to its handler, through one table.
 *
 * A command's fixed part is copied out of guest memory once, and checked for length, as is the room for its response.
 * Its handler executes it, unless it has to wait for a context (park.c).
 *
 * Where the specification names no error code for a mistake, we answer
 * VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER if a field's value is wrong in itself and
 * VIRTIO_GPU_RESP_ERR_UNSPEC if the command makes no sense at this time.
 */
#include "device/dispatch.h"

#include "command/fence.h"
#include "device/park.h"
#include "nouns/context.h"
#include "nouns/handlers.h"
#include "nouns/parts.h"

struct command_type {
    enum virtio_gpu_ctrl_type type;
    const char *name;
    command_handler *handler;
    size_t request_size;
    size_t response_size; /* the least room for the response */
};

#define COMMAND(name_, request_, response_, handler_)                                       \
    {                                                                                       \
        .type = VIRTIO_GPU_CMD_##name_, .name = #name_, .handler = (handler_),              \
        .request_size = sizeof(struct request_), .response_size = sizeof(struct response_), \
    }

static command_handler not_for_venus;

static const struct command_type control_commands[] = {
    COMMAND(GET_DISPLAY_INFO, virtio_gpu_ctrl_hdr, virtio_gpu_resp_display_info, display_get_info),
    COMMAND(RESOURCE_CREATE_2D, virtio_gpu_resource_create_2d, virtio_gpu_ctrl_hdr,
            resource_create_2d),
    COMMAND(RESOURCE_UNREF, virtio_gpu_resource_unref, virtio_gpu_ctrl_hdr, resource_unref),
    COMMAND(SET_SCANOUT, virtio_gpu_set_scanout, virtio_gpu_ctrl_hdr, scanout_set),
    COMMAND(RESOURCE_FLUSH, virtio_gpu_resource_flush, virtio_gpu_ctrl_hdr, scanout_flush),
    COMMAND(TRANSFER_TO_HOST_2D, virtio_gpu_transfer_to_host_2d, virtio_gpu_ctrl_hdr,
            transfer_to_host_2d),
    COMMAND(RESOURCE_ATTACH_BACKING, virtio_gpu_resource_attach_backing, virtio_gpu_ctrl_hdr,
            resource_attach_backing),
    COMMAND(RESOURCE_DETACH_BACKING, virtio_gpu_resource_detach_backing, virtio_gpu_ctrl_hdr,
            resource_detach_backing),
    COMMAND(GET_CAPSET_INFO, virtio_gpu_get_capset_info, virtio_gpu_resp_capset_info,
            capset_get_info),
    COMMAND(GET_CAPSET, virtio_gpu_get_capset, virtio_gpu_ctrl_hdr, capset_get),
    COMMAND(GET_EDID, virtio_gpu_get_edid, virtio_gpu_resp_edid, display_get_edid),
    COMMAND(RESOURCE_ASSIGN_UUID, virtio_gpu_resource_assign_uuid, virtio_gpu_resp_resource_uuid,
            resource_assign_uuid),
    COMMAND(RESOURCE_CREATE_BLOB, virtio_gpu_resource_create_blob, virtio_gpu_ctrl_hdr,
            resource_create_blob),
    COMMAND(SET_SCANOUT_BLOB, virtio_gpu_set_scanout_blob, virtio_gpu_ctrl_hdr, scanout_set_blob),
    COMMAND(CTX_CREATE, virtio_gpu_ctx_create, virtio_gpu_ctrl_hdr, context_create),
    COMMAND(CTX_DESTROY, virtio_gpu_ctx_destroy, virtio_gpu_ctrl_hdr, context_destroy),
    COMMAND(CTX_ATTACH_RESOURCE, virtio_gpu_ctx_resource, virtio_gpu_ctrl_hdr,
            context_attach_resource),
    COMMAND(CTX_DETACH_RESOURCE, virtio_gpu_ctx_resource, virtio_gpu_ctrl_hdr,
            context_detach_resource),
    COMMAND(RESOURCE_CREATE_3D, virtio_gpu_ctrl_hdr, virtio_gpu_ctrl_hdr, not_for_venus),
    COMMAND(TRANSFER_TO_HOST_3D, virtio_gpu_ctrl_hdr, virtio_gpu_ctrl_hdr, not_for_venus),
    COMMAND(TRANSFER_FROM_HOST_3D, virtio_gpu_ctrl_hdr, virtio_gpu_ctrl_hdr, not_for_venus),
    COMMAND(SUBMIT_3D, virtio_gpu_cmd_submit, virtio_gpu_ctrl_hdr, context_submit),
    COMMAND(RESOURCE_MAP_BLOB, virtio_gpu_resource_map_blob, virtio_gpu_resp_map_info,
            window_map_blob),
    COMMAND(RESOURCE_UNMAP_BLOB, virtio_gpu_resource_unmap_blob, virtio_gpu_ctrl_hdr,
            window_unmap_blob),
};

/* The cursor queue's commands need no answer: drivers give no room for one. */
static const struct command_type cursor_commands[] = {
    { VIRTIO_GPU_CMD_UPDATE_CURSOR, "UPDATE_CURSOR", cursor_update,
      sizeof(struct virtio_gpu_update_cursor), 0 },
    { VIRTIO_GPU_CMD_MOVE_CURSOR, "MOVE_CURSOR", cursor_move,
      sizeof(struct virtio_gpu_update_cursor), 0 },
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static enum virtio_gpu_ctrl_type not_for_venus(struct venus_gpu *gpu, struct command *cmd,
                                               const void *request)
{
    (void)gpu, (void)request;
    return command_error(cmd, VIRTIO_GPU_RESP_ERR_UNSPEC,
                         "it belongs to OpenGL, which is not here");
}

static const struct command_type *find_command(enum venus_gpu_queue queue, uint32_t type)
{
    const struct command_type *table = control_commands;
    size_t count = COUNT(control_commands);
    if (queue == VENUS_GPU_QUEUE_CURSOR) {
        table = cursor_commands;
        count = COUNT(cursor_commands);
    }
    for (size_t i = 0; i < count; i++) {
        if (table[i].type == type)
            return &table[i];
    }
    return NULL;
}

/* Read the header and find out what the command is. */
static const struct command_type *parse(struct command *cmd, enum virtio_gpu_ctrl_type *error)
{
    struct virtio_gpu_ctrl_hdr hdr;
    *error = VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
    if (!command_read(cmd, 0, &hdr, sizeof(hdr))) {
        command_error(cmd, *error, "%zu bytes are too short for a header", cmd->readable);
        return NULL;
    }
    cmd->hdr = (struct virtio_gpu_ctrl_hdr){
        .type = le32(hdr.type),
        .flags = le32(hdr.flags),
        .fence_id = le64(hdr.fence_id),
        .ctx_id = le32(hdr.ctx_id),
        .ring_idx = hdr.ring_idx,
    };

    const struct command_type *type = find_command(cmd->queue, cmd->hdr.type);
    if (!type) {
        *error = VIRTIO_GPU_RESP_ERR_UNSPEC;
        command_error(cmd, *error, "no command 0x%x on the %s queue", cmd->hdr.type,
                      cmd->queue == VENUS_GPU_QUEUE_CURSOR ? "cursor" : "control");
        return NULL;
    }
    cmd->name = type->name;
    if (cmd->readable < type->request_size) {
        command_error(cmd, *error, "%zu bytes are too short, it takes %zu", cmd->readable,
                      type->request_size);
        return NULL;
    }
    if (cmd->writable < type->response_size) {
        command_error(cmd, *error, "room for %zu bytes of response, it takes %zu", cmd->writable,
                      type->response_size);
        return NULL;
    }
    return type;
}

/* Have the answer wait for the context's ring. */
static void wait_for_ring(struct venus_gpu *gpu, struct command *cmd)
{
    /* Gone by this very command, or without a renderer, it has no rings to wait for. */
    struct context *context = context_find(gpu, cmd->hdr.ctx_id);
    if (!context || !context->renders)
        return;
    uint64_t id;
    if (fence_create(gpu->fences, cmd, &id) < 0)
        context_failed(gpu, context); /* its fences signal with it */
    else if (id && cmd->hdr.ring_idx == 0)
        inbox_asked(&context->inbox, gpu->fences, id);
    else if (id)
        context_sent(gpu, context, 0);
}

static enum virtio_gpu_ctrl_type run(struct venus_gpu *gpu, struct command *cmd)
{
    union {
        struct virtio_gpu_ctx_create largest;
        struct virtio_gpu_set_scanout_blob or_this;
        uint64_t alignment;
    } request;

    if (command_wants_ring_fence(cmd)) {
        if (!context_find(gpu, cmd->hdr.ctx_id))
            return command_error(cmd, VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID,
                                 "fence on a ring of a context that does not exist");
        if (cmd->hdr.ring_idx > VIRTIO_GPU_MAX_RING_IDX)
            return command_error(cmd, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
                                 "ring index %u is above %u", cmd->hdr.ring_idx,
                                 VIRTIO_GPU_MAX_RING_IDX);
    }

    command_read(cmd, 0, &request, cmd->type->request_size);
    enum virtio_gpu_ctrl_type result = cmd->type->handler(gpu, cmd, &request);
    if (command_wants_ring_fence(cmd) && result < VIRTIO_GPU_RESP_ERR_UNSPEC)
        wait_for_ring(gpu, cmd);
    return result;
}

void dispatch(struct venus_gpu *gpu, struct command *cmd)
{
    assert_device_thread(&gpu->services);
    enum virtio_gpu_ctrl_type error;
    if (!cmd->type)
        cmd->type = parse(cmd, &error);
    if (!cmd->type)
        command_finish(cmd, error);
    else if (!park(gpu, cmd))
        command_finish(cmd, run(gpu, cmd));
}
