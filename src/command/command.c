/* SPDX-License-Identifier: MIT */
/*
 * Commands: reading, and the response.
 *
 * A command is answered when it has been executed (dispatch.c) and nothing is left for the answer to wait
 * for. Two things can be waited for: a fence on a context's ring (fence.c), where the header asks for
 * one, and the front end reading a flushed frame (frame.c).
 *
 * A fence without VIRTIO_GPU_FLAG_INFO_RING_IDX belongs to one timeline of the whole device, and a
 * driver takes the signal of a later one as the signal of all earlier ones. So these are answered
 * in the order of their execution, even where an earlier one waits for longer.
 *
 * The front end hears of answers in the order in which they were given, of several at a time where nobody
 * waits for the first of them: each time costs it a turn of its main loop, and the guest an interrupt.
 */
#include "command/command.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/services.h"

struct commands {
    struct services *services;

    /* Under the services' lock. */
    TAILQ_HEAD(, command) in_flight; /* submitted, not done yet */
    unsigned num_in_flight;
    TAILQ_HEAD(, command) ordered;  /* fences without a ring, in order */
    TAILQ_HEAD(, command) answered; /* executed, not done: the front end is to hear of them */
    unsigned num_answered;
    bool pipelined; /* since the last reset the guest sent a command while it waited for another */
};

struct commands *commands_create(struct services *services)
{
    struct commands *commands = calloc(1, sizeof(*commands));
    if (!commands)
        return NULL;
    commands->services = services;
    TAILQ_INIT(&commands->in_flight);
    TAILQ_INIT(&commands->ordered);
    TAILQ_INIT(&commands->answered);
    return commands;
}

void commands_destroy(struct commands *commands)
{
    free(commands);
}

static size_t iov_size(const struct iovec *iov, unsigned num)
{
    size_t size = 0;
    for (unsigned i = 0; i < num; i++)
        size += iov[i].iov_len;
    return size;
}

struct command *command_create(struct commands *commands, enum venus_gpu_queue queue,
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
    cmd->commands = commands;
    cmd->queue = queue;
    cmd->request = *request;
    cmd->readable = iov_size(request->out, request->num_out);
    cmd->writable = iov_size(request->in, request->num_in);
    cmd->name = "command";
    cmd->waits = 1; /* its execution */
    return cmd;
}

void command_submit_locked(struct command *cmd)
{
    struct commands *commands = cmd->commands;
    commands->pipelined |= !TAILQ_EMPTY(&commands->in_flight);
    TAILQ_INSERT_TAIL(&commands->in_flight, cmd, in_flight_link);
    commands->num_in_flight++;
}

static void command_destroy(struct command *cmd)
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
    log_line(&cmd->commands->services->log, VENUS_GPU_LOG_GUEST, "%s (context %u): %s", cmd->name,
             cmd->hdr.ctx_id, text);
    return type;
}

static void respond(struct command *cmd)
{
    struct commands *commands = cmd->commands;
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
    TAILQ_INSERT_TAIL(&commands->answered, cmd, queued_link);
    commands->num_answered++;
}

void commands_deliver(struct commands *commands)
{
    struct command *cmd;
    while ((cmd = TAILQ_FIRST(&commands->answered))) {
        TAILQ_REMOVE(&commands->answered, cmd, queued_link);
        TAILQ_REMOVE(&commands->in_flight, cmd, in_flight_link);
        commands->num_in_flight--;
        commands->services->ops.command_done(commands->services->opaque, cmd->request.tag,
                                             cmd->written);
        command_destroy(cmd);
    }
    commands->num_answered = 0;
}

void command_waits_for(struct command *cmd, uint32_t context_id)
{
    assert_device_thread(cmd->commands->services);
    if (cmd->waits_for != context_id)
        cmd->waits_since_ns = clock_now_ns();
    cmd->waits_for = context_id;
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
    struct commands *commands = cmd->commands;
    cmd->finished = true;
    while ((cmd = TAILQ_FIRST(&commands->ordered)) && cmd->finished) {
        TAILQ_REMOVE(&commands->ordered, cmd, ordered_link);
        respond(cmd);
    }
}

void command_release(struct command *cmd)
{
    struct commands *commands = cmd->commands;
    release(cmd);
    commands_deliver(commands);
}

/*
 * An answer of nothing but "done", and without a fence, is one that nobody waits for, unless the driver
 * waits for each (firmware does). So it can come with the next one, or a moment later (thread.c); but a
 * driver wants its descriptors back.
 */
enum { MAX_ANSWERED = 8 };

static bool can_be_late(const struct command *cmd)
{
    return cmd->commands->pipelined && cmd->response.hdr.type == le32(VIRTIO_GPU_RESP_OK_NODATA) &&
           !(cmd->hdr.flags & VIRTIO_GPU_FLAG_FENCE) && cmd->commands->num_answered < MAX_ANSWERED;
}

bool command_wants_ring_fence(const struct command *cmd)
{
    uint32_t flags = VIRTIO_GPU_FLAG_FENCE | VIRTIO_GPU_FLAG_INFO_RING_IDX;
    return (cmd->hdr.flags & flags) == flags;
}

static void take_place_locked(struct command *cmd)
{
    if (cmd->ordered || !(cmd->hdr.flags & VIRTIO_GPU_FLAG_FENCE) || command_wants_ring_fence(cmd))
        return;
    cmd->ordered = true;
    TAILQ_INSERT_TAIL(&cmd->commands->ordered, cmd, ordered_link);
}

void command_take_place(struct command *cmd)
{
    pthread_mutex_lock(&cmd->commands->services->lock);
    take_place_locked(cmd);
    pthread_mutex_unlock(&cmd->commands->services->lock);
}

void command_finish(struct command *cmd, enum virtio_gpu_ctrl_type result)
{
    assert_device_thread(cmd->commands->services);
    struct commands *commands = cmd->commands;
    bool failed = result >= VIRTIO_GPU_RESP_ERR_UNSPEC;
    stat_add(&commands->services->stats, STAT_COMMANDS, 1);
    if (failed)
        stat_add(&commands->services->stats, STAT_COMMAND_ERRORS, 1);

    if (failed || !cmd->response_size)
        cmd->response_size = sizeof(cmd->response.hdr);
    cmd->response.hdr.type = le32(result);

    pthread_mutex_lock(&commands->services->lock);
    take_place_locked(cmd);
    bool late = can_be_late(cmd);
    release(cmd);
    if (!late)
        commands_deliver(commands);
    pthread_mutex_unlock(&commands->services->lock);
}

bool commands_wait_for_company_locked(const struct commands *commands)
{
    return commands->num_answered;
}

unsigned commands_in_flight_locked(const struct commands *commands)
{
    return commands->num_in_flight;
}

void commands_each_waiting_locked(const struct commands *commands,
                                  void (*visit)(void *opaque, uint32_t context_id,
                                                uint64_t since_ns),
                                  void *opaque)
{
    const struct command *cmd;
    TAILQ_FOREACH(cmd, &commands->in_flight, in_flight_link) {
        /* On the device's timeline answers wait for the first one's. */
        const struct command *first = cmd->finished ? TAILQ_FIRST(&commands->ordered) : cmd;
        if (first->waits_for)
            visit(opaque, first->waits_for, first->waits_since_ns);
    }
}

void commands_forget_locked(struct commands *commands)
{
    struct command *cmd;
    while ((cmd = TAILQ_FIRST(&commands->in_flight))) {
        TAILQ_REMOVE(&commands->in_flight, cmd, in_flight_link);
        command_destroy(cmd);
    }
    TAILQ_INIT(&commands->answered);
    TAILQ_INIT(&commands->ordered);
    commands->num_in_flight = commands->num_answered = 0;
    commands->pipelined = false;
}
