/* SPDX-License-Identifier: MIT */
/*
 * Commands: reading, dispatch through one table, and the response.
 *
 * A command is copied out of guest memory once, checked for length, executed by its handler and
 * answered when nothing is left for the answer to wait for. Two things can be waited for: a fence on
 * a context's ring (fence.c), where the header asks for one, and the front end reading a flushed
 * frame (scanout.c). Everything else is answered as soon as it has been executed.
 *
 * A fence without VIRTIO_GPU_FLAG_INFO_RING_IDX belongs to one timeline of the whole device, and a
 * driver takes the signal of a later one as the signal of all earlier ones. So these are answered
 * in the order of their execution, even where an earlier one waits for longer.
 *
 * The front end hears of answers in the order in which they were given, of several at a time where nobody
 * waits for the first of them: each time costs it a turn of its main loop, and the guest an interrupt.
 *
 * Where the specification names no error code for a mistake, we answer
 * VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER if a field's value is wrong in itself and
 * VIRTIO_GPU_RESP_ERR_UNSPEC if the command makes no sense at this time.
 */
#include "command.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "context.h"
#include "device.h"
#include "fence.h"
#include "park.h"

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

static size_t iov_size(const struct iovec *iov, unsigned num)
{
    size_t size = 0;
    for (unsigned i = 0; i < num; i++)
        size += iov[i].iov_len;
    return size;
}

struct command *command_create(struct venus_gpu *gpu, enum venus_gpu_queue queue,
                               const struct venus_gpu_request *request)
{
    struct command *cmd = malloc(sizeof(*cmd));
    if (!cmd)
        return NULL;
    /* Not the whole of it: the response is kilobytes, and most commands use 24 bytes of it. */
    memset(cmd, 0, offsetof(struct command, response));
    memset(&cmd->response.hdr, 0, sizeof(cmd->response.hdr));
    cmd->payload = NULL;
    cmd->payload_size = 0;
    cmd->gpu = gpu;
    cmd->queue = queue;
    cmd->request = *request;
    cmd->readable = iov_size(request->out, request->num_out);
    cmd->writable = iov_size(request->in, request->num_in);
    cmd->name = "command";
    return cmd;
}

void command_destroy(struct command *cmd)
{
    free(cmd->payload);
    free(cmd);
}

bool command_read(const struct command *cmd, size_t offset, void *data, size_t size)
{
    if (offset > cmd->readable || size > cmd->readable - offset)
        return false;

    char *to = data;
    for (const struct iovec *iov = cmd->request.out; size; iov++) {
        if (offset >= iov->iov_len) {
            offset -= iov->iov_len;
            continue;
        }
        size_t len = iov->iov_len - offset;
        if (len > size)
            len = size;
        memcpy(to, (const char *)iov->iov_base + offset, len);
        to += len;
        size -= len;
        offset = 0;
    }
    return true;
}

/* Write at offset of the device-writable part as much as there is room for. */
static size_t command_write(const struct command *cmd, size_t offset, const void *data, size_t size)
{
    const char *from = data;
    size_t written = 0;
    for (unsigned i = 0; i < cmd->request.num_in && written < size; i++) {
        const struct iovec *iov = &cmd->request.in[i];
        if (offset >= iov->iov_len) {
            offset -= iov->iov_len;
            continue;
        }
        size_t len = iov->iov_len - offset;
        if (len > size - written)
            len = size - written;
        memcpy((char *)iov->iov_base + offset, from + written, len);
        written += len;
        offset = 0;
    }
    return written;
}

enum virtio_gpu_ctrl_type command_error(struct command *cmd, enum virtio_gpu_ctrl_type type,
                                        const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    log_line(&cmd->gpu->log, VENUS_GPU_LOG_GUEST, "%s (context %u): %s", cmd->name, cmd->hdr.ctx_id,
             text);
    return type;
}

static void respond(struct command *cmd)
{
    struct venus_gpu *gpu = cmd->gpu;
    struct virtio_gpu_ctrl_hdr *hdr = &cmd->response.hdr;

    if (cmd->hdr.flags & VIRTIO_GPU_FLAG_FENCE) {
        hdr->flags = le32(cmd->hdr.flags & (VIRTIO_GPU_FLAG_FENCE | VIRTIO_GPU_FLAG_INFO_RING_IDX));
        hdr->fence_id = le64(cmd->hdr.fence_id);
        hdr->ctx_id = le32(cmd->hdr.ctx_id);
        hdr->ring_idx = cmd->hdr.ring_idx;
    }
    size_t written = command_write(cmd, 0, &cmd->response, cmd->response_size);
    if (cmd->payload)
        written += command_write(cmd, cmd->response_size, cmd->payload, cmd->payload_size);
    cmd->written = (uint32_t)written;
    TAILQ_INSERT_TAIL(&gpu->answered, cmd, queued_link);
    gpu->num_answered++;
}

void command_deliver(struct venus_gpu *gpu)
{
    struct command *cmd;
    while ((cmd = TAILQ_FIRST(&gpu->answered))) {
        TAILQ_REMOVE(&gpu->answered, cmd, queued_link);
        TAILQ_REMOVE(&gpu->in_flight, cmd, in_flight_link);
        gpu->num_in_flight--;
        gpu->ops.command_done(gpu->opaque, cmd->request.tag, cmd->written);
        command_destroy(cmd);
    }
    gpu->num_answered = 0;
}

void command_hold(struct command *cmd)
{
    cmd->waits++;
}

/* One wait less; answers what waits for nothing more. */
static void release(struct command *cmd)
{
    if (--cmd->waits)
        return;
    if (!cmd->ordered) {
        respond(cmd);
        return;
    }
    struct venus_gpu *gpu = cmd->gpu;
    cmd->finished = true;
    while ((cmd = TAILQ_FIRST(&gpu->ordered)) && cmd->finished) {
        TAILQ_REMOVE(&gpu->ordered, cmd, ordered_link);
        respond(cmd);
    }
}

void command_release(struct command *cmd)
{
    struct venus_gpu *gpu = cmd->gpu;
    release(cmd);
    command_deliver(gpu);
}

/* Read the header and find out what the command is. */
static const struct command_type *command_parse(struct command *cmd,
                                                enum virtio_gpu_ctrl_type *error)
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

/*
 * An answer of nothing but "done", and without a fence, is one that nobody waits for, unless the driver
 * waits for each (firmware does). So it can come with the next one, or a moment later (thread.c); but a
 * driver wants its descriptors back.
 */
enum { MAX_ANSWERED = 8 };

static bool can_be_late(const struct command *cmd)
{
    return cmd->gpu->pipelined && cmd->response.hdr.type == le32(VIRTIO_GPU_RESP_OK_NODATA) &&
           !(cmd->hdr.flags & VIRTIO_GPU_FLAG_FENCE) && cmd->gpu->num_answered < MAX_ANSWERED;
}

static bool wants_ring_fence(const struct command *cmd)
{
    uint32_t flags = VIRTIO_GPU_FLAG_FENCE | VIRTIO_GPU_FLAG_INFO_RING_IDX;
    return (cmd->hdr.flags & flags) == flags;
}

static enum virtio_gpu_ctrl_type command_run(struct command *cmd)
{
    struct venus_gpu *gpu = cmd->gpu;
    union {
        struct virtio_gpu_ctx_create largest;
        struct virtio_gpu_set_scanout_blob or_this;
        uint64_t alignment;
    } request;

    if (wants_ring_fence(cmd)) {
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
    if (wants_ring_fence(cmd) && result < VIRTIO_GPU_RESP_ERR_UNSPEC) {
        /* Gone by this very command, or without a renderer, it has no rings to wait for. */
        const struct context *context = context_find(gpu, cmd->hdr.ctx_id);
        if (context && context->renders)
            fence_create(gpu, cmd);
    }
    return result;
}

static void take_place_locked(struct command *cmd)
{
    if (cmd->ordered || !(cmd->hdr.flags & VIRTIO_GPU_FLAG_FENCE) || wants_ring_fence(cmd))
        return;
    cmd->ordered = true;
    TAILQ_INSERT_TAIL(&cmd->gpu->ordered, cmd, ordered_link);
}

void command_take_place(struct command *cmd)
{
    pthread_mutex_lock(&cmd->gpu->lock);
    take_place_locked(cmd);
    pthread_mutex_unlock(&cmd->gpu->lock);
}

/* Respond, when nothing is left to wait for. */
static void command_finish(struct command *cmd, enum virtio_gpu_ctrl_type result)
{
    struct venus_gpu *gpu = cmd->gpu;
    bool failed = result >= VIRTIO_GPU_RESP_ERR_UNSPEC;
    stat_add(&gpu->stats, STAT_COMMANDS, 1);
    if (failed)
        stat_add(&gpu->stats, STAT_COMMAND_ERRORS, 1);

    if (failed || !cmd->response_size)
        cmd->response_size = sizeof(cmd->response.hdr);
    cmd->response.hdr.type = le32(result);

    pthread_mutex_lock(&gpu->lock);
    take_place_locked(cmd);
    bool late = can_be_late(cmd);
    release(cmd);
    if (!late)
        command_deliver(gpu);
    pthread_mutex_unlock(&gpu->lock);
}

void command_execute(struct command *cmd)
{
    enum virtio_gpu_ctrl_type error;
    if (!cmd->type)
        cmd->type = command_parse(cmd, &error);
    if (!cmd->type)
        command_finish(cmd, error);
    else if (!park(cmd->gpu, cmd))
        command_finish(cmd, command_run(cmd));
}
