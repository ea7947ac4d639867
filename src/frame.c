/* SPDX-License-Identifier: MIT */
/* See frame.h. */
#include "frame.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "command.h"
#include "device.h"
#include "memory.h"

struct frame {
    struct venus_gpu_frame base; /* first: the public part */
    atomic_uint refs;
    struct memory *memory;
    uint64_t offset; /* of the first pixel in it */
};

struct venus_gpu_frame *frame_create(struct memory *memory, uint64_t offset, uint32_t resource_id,
                                     const struct venus_gpu_rect *rect, uint32_t stride,
                                     const struct venus_gpu_format *format)
{
    struct frame *frame = malloc(sizeof(*frame));
    if (!frame)
        return NULL;
    frame->base = (struct venus_gpu_frame){
        .pixels = memory->ptr ? (const char *)memory->ptr + offset : NULL,
        .width = rect->width,
        .height = rect->height,
        .stride = stride,
        .format = format,
        .resource_id = resource_id,
    };
    atomic_init(&frame->refs, 1);
    frame->memory = memory_ref(memory);
    frame->offset = offset;
    return &frame->base;
}

struct venus_gpu_frame *venus_gpu_frame_ref(struct venus_gpu_frame *base)
{
    struct frame *frame = (struct frame *)base;
    atomic_fetch_add_explicit(&frame->refs, 1, memory_order_relaxed);
    return base;
}

void venus_gpu_frame_unref(struct venus_gpu_frame *base)
{
    struct frame *frame = (struct frame *)base;
    /* Pairs with the same call in other threads: the last one sees all that they did. */
    if (!frame || atomic_fetch_sub_explicit(&frame->refs, 1, memory_order_acq_rel) != 1)
        return;
    memory_unref(frame->memory);
    free(frame);
}

struct memory *frame_memory(struct venus_gpu_frame *base)
{
    return ((struct frame *)base)->memory;
}

uint64_t frame_offset(const struct venus_gpu_frame *base)
{
    return ((const struct frame *)base)->offset;
}

struct venus_gpu_flush *flush_create(struct venus_gpu *gpu, struct command *cmd)
{
    struct venus_gpu_flush *flush = malloc(sizeof(*flush));
    if (!flush)
        return NULL;
    flush->gpu = gpu;
    flush->cmd = cmd;
    pthread_mutex_lock(&gpu->services.lock);
    command_hold(cmd);
    LIST_INSERT_HEAD(&gpu->flushes, flush, link);
    pthread_mutex_unlock(&gpu->services.lock);
    return flush;
}

void venus_gpu_flush_done(struct venus_gpu_flush *flush)
{
    struct venus_gpu *gpu = flush->gpu;
    pthread_mutex_lock(&gpu->services.lock);
    LIST_REMOVE(flush, link);
    if (flush->cmd)
        command_release(flush->cmd);
    pthread_mutex_unlock(&gpu->services.lock);
    free(flush);
}

void flush_forget_all_locked(struct venus_gpu *gpu)
{
    struct venus_gpu_flush *flush;
    LIST_FOREACH(flush, &gpu->flushes, link)
        flush->cmd = NULL;
}
