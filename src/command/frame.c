/* SPDX-License-Identifier: MIT */
/* See frame.h. */
#include "command/frame.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/services.h"
#include "command/command.h"
#include "memory/memory.h"

struct flushes {
    struct services *services;
    LIST_HEAD(, venus_gpu_flush) all; /* not answered yet; under the services' lock */
};

struct frame {
    struct venus_gpu_frame base; /* first: the public part */
    atomic_uint refs;
    struct memory *memory;
    uint64_t offset; /* of the first pixel in it */
    struct venus_gpu_handle handle;
};

struct venus_gpu_frame *frame_create(struct memory *memory, uint64_t offset,
                                     const struct renderer_device *device, uint32_t resource_id,
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
    if (memory_describe(memory, offset, device, &frame->handle))
        frame->base.handle = &frame->handle;
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

struct flushes *flushes_create(struct services *services)
{
    struct flushes *flushes = calloc(1, sizeof(*flushes));
    if (!flushes)
        return NULL;
    flushes->services = services;
    LIST_INIT(&flushes->all);
    return flushes;
}

void flushes_destroy(struct flushes *flushes)
{
    free(flushes);
}

struct venus_gpu_flush *flush_create(struct flushes *flushes, struct command *cmd)
{
    assert_device_thread(flushes->services);
    struct venus_gpu_flush *flush = malloc(sizeof(*flush));
    if (!flush)
        return NULL;
    flush->flushes = flushes;
    flush->cmd = cmd;
    pthread_mutex_lock(&flushes->services->lock);
    command_hold(cmd);
    LIST_INSERT_HEAD(&flushes->all, flush, link);
    pthread_mutex_unlock(&flushes->services->lock);
    return flush;
}

void venus_gpu_flush_done(struct venus_gpu_flush *flush)
{
    struct flushes *flushes = flush->flushes;
    pthread_mutex_lock(&flushes->services->lock);
    LIST_REMOVE(flush, link);
    if (flush->cmd)
        command_release(flush->cmd);
    pthread_mutex_unlock(&flushes->services->lock);
    free(flush);
}

void flush_forget_all_locked(struct flushes *flushes)
{
    struct venus_gpu_flush *flush;
    LIST_FOREACH(flush, &flushes->all, link)
        flush->cmd = NULL;
}
