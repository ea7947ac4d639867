/* SPDX-License-Identifier: MIT */
/*
 * See fence.h.
 *
 * The renderer is given an id of our own for each fence, never the guest's, which need not be
 * unique. It calls back with it on a thread of its own as soon as the render server says so; nothing
 * is polled. An id that is not in the table any more (its context was destroyed, the device reset)
 * is ignored.
 */
#include "fence.h"

#include <stdlib.h>
#include <string.h>

#include "device.h"
#include "places.h"
#include "table.h"

struct fence {
    uint64_t id;
    uint32_t context_id;
    struct command *cmd; /* holds it (command_hold); NULL: only asks whether the context is well */
    UT_hash_handle hh;
};

/* Add a fence to the table and return its id, or 0 if there is no memory. */
static uint64_t add(struct venus_gpu *gpu, uint32_t context_id, struct command *cmd)
{
    struct fence *fence = calloc(1, sizeof(*fence));
    if (!fence)
        return 0;
    fence->context_id = context_id;
    fence->cmd = cmd;

    pthread_mutex_lock(&gpu->services.lock);
    uint64_t id = fence->id = ++gpu->next_fence_id;
    HASH_ADD(hh, gpu->fences, id, sizeof(fence->id), fence);
    bool added = fence->hh.tbl;
    if (added && cmd) {
        command_hold(cmd);
        places_hold(cmd, context_id);
        stat_add(&gpu->services.stats, STAT_FENCES_PENDING, 1);
    }
    pthread_mutex_unlock(&gpu->services.lock);
    if (!added) {
        free(fence);
        return 0;
    }
    return id;
}

int fence_create(struct venus_gpu *gpu, struct command *cmd, uint64_t *id)
{
    *id = add(gpu, cmd->hdr.ctx_id, cmd);
    if (!*id) {
        log_line(&gpu->services.log, VENUS_GPU_LOG_WARNING,
                 "no memory for a fence: it signals at once");
        return 0;
    }
    /* From here on the fence may signal, and be gone, at any time. */
    return gpu->services.renderer->fence(cmd->hdr.ctx_id, cmd->hdr.ring_idx, *id);
}

bool fence_is_pending_locked(struct venus_gpu *gpu, uint64_t id)
{
    struct fence *fence;
    HASH_FIND(hh, gpu->fences, &id, sizeof(id), fence);
    return fence;
}

bool fence_is_pending(struct venus_gpu *gpu, uint64_t id)
{
    pthread_mutex_lock(&gpu->services.lock);
    bool pending = fence_is_pending_locked(gpu, id);
    pthread_mutex_unlock(&gpu->services.lock);
    return pending;
}

bool fence_ask(struct venus_gpu *gpu, uint32_t context_id, uint64_t *last)
{
    *last = add(gpu, context_id, NULL);
    return !*last || gpu->services.renderer->fence(context_id, 0, *last) == 0;
}

bool fence_can_be_made(struct venus_gpu *gpu, uint32_t context_id, uint64_t *last)
{
    return fence_is_pending(gpu, *last) || fence_ask(gpu, context_id, last);
}

static void signal_locked(struct venus_gpu *gpu, struct fence *fence)
{
    HASH_DEL(gpu->fences, fence);
    if (fence->cmd) {
        stat_sub(&gpu->services.stats, STAT_FENCES_PENDING, 1);
        stat_add(&gpu->services.stats, STAT_FENCES, 1);
        command_release(fence->cmd);
    }
    if (gpu->awaits_context) {
        gpu->context_answered = true;
        bell_ring(&gpu->bell);
    }
    free(fence);
}

void fence_signal(void *opaque, uint64_t fence_id)
{
    struct venus_gpu *gpu = opaque;
    struct fence *fence;

    pthread_mutex_lock(&gpu->services.lock);
    HASH_FIND(hh, gpu->fences, &fence_id, sizeof(fence_id), fence);
    if (fence)
        signal_locked(gpu, fence);
    pthread_mutex_unlock(&gpu->services.lock);
}

void fence_signal_context(struct venus_gpu *gpu, uint32_t context_id)
{
    struct fence *fence, *next;

    pthread_mutex_lock(&gpu->services.lock);
    HASH_ITER(hh, gpu->fences, fence, next) {
        if (fence->context_id == context_id)
            signal_locked(gpu, fence);
    }
    pthread_mutex_unlock(&gpu->services.lock);
}

void fence_forget_all_locked(struct venus_gpu *gpu)
{
    struct fence *fence, *next;

    HASH_ITER(hh, gpu->fences, fence, next) {
        HASH_DEL(gpu->fences, fence);
        free(fence);
    }
    atomic_store(&gpu->services.stats.value[STAT_FENCES_PENDING], 0);
}
