/* SPDX-License-Identifier: MIT */
/*
 * See park.h. A command finds out by itself what it has to wait for: a context that is slow (must_wait), or
 * commands before it that are parked. Parked ones are executed again, all of them in their order,
 * whenever something has changed, and those that still have to wait park themselves again.
 *
 * A parked command with a fence of the device's own timeline takes its place among these when it is parked:
 * drivers take a later fence for the signal of an earlier one.
 */
#include "device/park.h"

#include <stddef.h>
#include <stdlib.h>

#include "base/clock.h"
#include "command/command.h"
#include "command/fence.h"
#include "nouns/context.h"
#include "nouns/parts.h"
#include "nouns/resource.h"

enum {
    /* Such a message fills the buffer by itself: whoever reads it takes it piece by piece. */
    LARGE_MESSAGE = 32 << 10,
    /*
     * How long everybody waits for a process before its commands are parked. Mostly it has read all. What is waited comes
     * back slowly, or a program could have everybody wait for as long with each of its commands.
     */
    GRACE_NS = 20 * 1000 * 1000,
    GRACE_COMES_BACK = 4, /* in so many times as long */
};

struct parking {
    TAILQ_HEAD(, command) parked;
    bool polls; /* they are being executed again */
    void (*execute)(struct venus_gpu *gpu, struct command *cmd);
};

struct parking *parking_create(void (*execute)(struct venus_gpu *gpu, struct command *cmd))
{
    struct parking *parking = calloc(1, sizeof(*parking));
    if (!parking)
        return NULL;
    TAILQ_INIT(&parking->parked);
    parking->execute = execute;
    return parking;
}

void parking_destroy(struct parking *parking)
{
    free(parking);
}

/* What everybody has waited for a context's process of late. */
static uint64_t waited(const struct context *context, uint64_t now)
{
    uint64_t back = (now - context->waited_at_ns) / GRACE_COMES_BACK;
    return context->waited_ns > back ? context->waited_ns - back : 0;
}

/* Wait until a context's process has read all, but not for long. */
static bool wait_for(struct venus_gpu *gpu, struct context *context)
{
    uint64_t begun = clock_now_ns(), before = waited(context, begun), asked;
    uint64_t until = begun + (before < GRACE_NS ? GRACE_NS - before : 0);
    if (!inbox_ask(&context->inbox, gpu->fences))
        context_failed(gpu, context);
    asked = context->inbox.asked;
    pthread_mutex_lock(&gpu->services.lock);
    fences_ring_locked(gpu->fences, true);
    while (fence_is_pending_locked(gpu->fences, asked) && bell_wait_until(&gpu->bell, until))
        ;
    bool read = !fence_is_pending_locked(gpu->fences, asked);
    fences_ring_locked(gpu->fences, !read || !TAILQ_EMPTY(&gpu->parking->parked));
    pthread_mutex_unlock(&gpu->services.lock);
    context->waited_at_ns = clock_now_ns();
    context->waited_ns = before + (context->waited_at_ns - begun);
    return read;
}

/* ---- what a command has to wait for ------------------------------------------------------------- */

/* The resource that a command is about, or 0. */
static uint32_t resource_of(const struct command *cmd)
{
    static const struct {
        enum virtio_gpu_ctrl_type type;
        size_t offset;
    } ids[] = {
#define ID(name, struct_) { VIRTIO_GPU_CMD_##name, offsetof(struct struct_, resource_id) }
        ID(RESOURCE_CREATE_2D, virtio_gpu_resource_create_2d),
        ID(RESOURCE_UNREF, virtio_gpu_resource_unref),
        ID(SET_SCANOUT, virtio_gpu_set_scanout),
        ID(RESOURCE_FLUSH, virtio_gpu_resource_flush),
        ID(TRANSFER_TO_HOST_2D, virtio_gpu_transfer_to_host_2d),
        ID(RESOURCE_ATTACH_BACKING, virtio_gpu_resource_attach_backing),
        ID(RESOURCE_DETACH_BACKING, virtio_gpu_resource_detach_backing),
        ID(RESOURCE_ASSIGN_UUID, virtio_gpu_resource_assign_uuid),
        ID(RESOURCE_CREATE_BLOB, virtio_gpu_resource_create_blob),
        ID(SET_SCANOUT_BLOB, virtio_gpu_set_scanout_blob),
        ID(CTX_ATTACH_RESOURCE, virtio_gpu_ctx_resource),
        ID(CTX_DETACH_RESOURCE, virtio_gpu_ctx_resource),
        ID(RESOURCE_MAP_BLOB, virtio_gpu_resource_map_blob),
        ID(RESOURCE_UNMAP_BLOB, virtio_gpu_resource_unmap_blob),
        ID(UPDATE_CURSOR, virtio_gpu_update_cursor),
#undef ID
    };
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        uint32_t id = 0;
        if (ids[i].type == cmd->hdr.type && command_read(cmd, ids[i].offset, &id, sizeof(id)))
            return le32(id);
    }
    return 0;
}

/* What the context's process is sent by a command, in bytes; LARGE_MESSAGE or more: and it has to read all that
 * came before; 0: nothing. */
static uint32_t message_size(const struct command *cmd)
{
    const uint32_t ring_fence = VIRTIO_GPU_FLAG_FENCE | VIRTIO_GPU_FLAG_INFO_RING_IDX;
    uint32_t fence = (cmd->hdr.flags & ring_fence) == ring_fence ? MESSAGE_COST : 0;
    switch (cmd->hdr.type) {
    case VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB: /* it has to answer */
        return LARGE_MESSAGE;
    case VIRTIO_GPU_CMD_SUBMIT_3D:
        return (cmd->readable < LARGE_MESSAGE ? (uint32_t)cmd->readable : LARGE_MESSAGE) + fence;
    case VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE:
    case VIRTIO_GPU_CMD_CTX_DETACH_RESOURCE:
        return MESSAGE_COST + fence;
    default:
        return fence;
    }
}

/* The context that a command is for, or 0: others name one too, and mean nothing by it. */
static uint32_t context_of(const struct command *cmd)
{
    bool is_for_one = cmd->hdr.type == VIRTIO_GPU_CMD_CTX_CREATE ||
                      cmd->hdr.type == VIRTIO_GPU_CMD_CTX_DESTROY || message_size(cmd);
    return is_for_one ? cmd->hdr.ctx_id : 0;
}

/* Nothing overtakes what is parked for the same context, or is about the same resource. */
static const struct command *find_parked_before(const struct venus_gpu *gpu,
                                                const struct command *cmd)
{
    if (TAILQ_EMPTY(&gpu->parking->parked))
        return NULL;
    uint32_t context_id = context_of(cmd), resource_id = resource_of(cmd);
    const struct command *other;
    TAILQ_FOREACH(other, &gpu->parking->parked, queued_link) {
        if ((context_id && context_of(other) == context_id) ||
            (resource_id && other->parked_resource == resource_id))
            return other;
    }
    return NULL;
}

/* Whether a context's process has to read something first, and takes its time. */
static bool must_wait_for(struct venus_gpu *gpu, struct context *context, uint32_t size)
{
    if (!context->renders)
        return false;
    if (context->slow)
        return true;
    uint32_t before = inbox_unread(&context->inbox, gpu->fences);
    bool fits = size < LARGE_MESSAGE && before + size + MESSAGE_COST <= MOST_UNREAD;
    if (!before || fits || wait_for(gpu, context) || !context->renders)
        return false;
    context->slow = true;
    context->slow_since_ns = clock_now_ns();
    return true;
}

/* A resource that goes is taken from all contexts. Returns the id of one that takes its time, or 0. */
static uint32_t must_wait_for_users(struct venus_gpu *gpu, const struct command *cmd)
{
    struct resource *resource = resource_find(gpu, resource_of(cmd));
    struct attachment *attachment;
    if (!resource || !resource->in_renderer)
        return 0;
    LIST_FOREACH(attachment, &resource->attachments, in_resource) {
        if (must_wait_for(gpu, attachment->context, MESSAGE_COST))
            return attachment->context->id;
    }
    return 0;
}

/* The context that the command waits for, or 0. */
static uint32_t must_wait(struct venus_gpu *gpu, const struct command *cmd)
{
    const struct command *before = find_parked_before(gpu, cmd);
    if (before)
        return before->waits_for;
    bool unref = cmd->hdr.type == VIRTIO_GPU_CMD_RESOURCE_UNREF;
    uint32_t user = unref ? must_wait_for_users(gpu, cmd) : 0;
    if (user)
        return user;
    uint32_t size = message_size(cmd);
    struct context *context = size ? context_find(gpu, cmd->hdr.ctx_id) : NULL;
    return context && must_wait_for(gpu, context, size) ? context->id : 0;
}

/* A context that is destroyed is not waited for: what is parked for it is executed, or fails. */
static void give_up_if_destroyed(struct venus_gpu *gpu, const struct command *cmd)
{
    if (cmd->hdr.type != VIRTIO_GPU_CMD_CTX_DESTROY || !find_parked_before(gpu, cmd))
        return;
    struct context *context = context_find(gpu, cmd->hdr.ctx_id);
    if (context && context->slow)
        context_end(gpu, context);
    if (!gpu->parking->polls)
        park_poll(gpu);
}

bool park(struct venus_gpu *gpu, struct command *cmd)
{
    assert_device_thread(&gpu->services);
    give_up_if_destroyed(gpu, cmd);
    uint32_t context_id = must_wait(gpu, cmd);
    command_waits_for(cmd, context_id);
    if (!context_id)
        return false;
    cmd->parked_resource = resource_of(cmd);
    TAILQ_INSERT_TAIL(&gpu->parking->parked, cmd, queued_link);
    command_take_place(cmd);
    return true;
}

/* ---- later -------------------------------------------------------------------------------------- */

/* Find out which contexts are slow no more, or have been so for too long. */
static void look_at_contexts(struct venus_gpu *gpu)
{
    uint64_t now = clock_now_ns(), most = gpu->services.config.max_call_ms * UINT64_C(1000000);
    struct context *context = NULL;
    while ((context = context_next(gpu, context))) {
        if (!context->slow)
            continue;
        if (!context->renders || !fence_is_pending(gpu->fences, context->inbox.asked)) {
            context->slow = false;
        } else if (now - context->slow_since_ns >= most) {
            context->slow = false;
            log_line(&gpu->services.log, VENUS_GPU_LOG_WARNING,
                     "context %u does not answer: its process is ended", context->id);
            context_failed(gpu, context);
        }
    }
}

void park_poll(struct venus_gpu *gpu)
{
    assert_device_thread(&gpu->services);
    TAILQ_HEAD(, command) parked = TAILQ_HEAD_INITIALIZER(parked);
    struct command *cmd;

    gpu->parking->polls = true;
    look_at_contexts(gpu);
    TAILQ_CONCAT(&parked, &gpu->parking->parked, queued_link);
    while ((cmd = TAILQ_FIRST(&parked))) {
        TAILQ_REMOVE(&parked, cmd, queued_link);
        gpu->parking->execute(gpu, cmd);
    }
    gpu->parking->polls = false;
    pthread_mutex_lock(&gpu->services.lock);
    fences_ring_locked(gpu->fences, !TAILQ_EMPTY(&gpu->parking->parked));
    pthread_mutex_unlock(&gpu->services.lock);
}

void park_forget_locked(struct venus_gpu *gpu)
{
    fences_ring_locked(gpu->fences, false);
    TAILQ_INIT(&gpu->parking->parked);
}

bool park_is_empty(const struct venus_gpu *gpu)
{
    return TAILQ_EMPTY(&gpu->parking->parked);
}
