/* SPDX-License-Identifier: MIT */
/*
 * See fence.h.
 *
 * The renderer is given an id of our own for each fence, never the guest's, which need not be
 * unique. It calls back with it on a thread of its own as soon as the render server says so; where the
 * system has nothing that such a thread could wait for, the device thread asks (bell.h). An id that is not in the table any more (its context was destroyed, the device reset)
 * is ignored.
 */
#include "command/fence.h"

#include <stdlib.h>
#include <string.h>

#include "base/bell.h"
#include "base/services.h"
#include "base/table.h"
#include "command/command.h"
#include "renderer/renderer.h"

struct fences {
    struct services *services;
    struct bell *bell;

    /* Under the services' lock. */
    struct fence *by_id;
    uint64_t next_id;
    bool ring, have_rung;
};

struct fence {
    uint64_t id;
    uint32_t context_id;
    struct command *cmd; /* holds it (command_hold); NULL: only asks whether the context is well */
    UT_hash_handle hh;
};

struct fences *fences_create(struct services *services, struct bell *bell)
{
    struct fences *fences = calloc(1, sizeof(*fences));
    if (!fences)
        return NULL;
    fences->services = services;
    fences->bell = bell;
    return fences;
}

void fences_destroy(struct fences *fences)
{
    free(fences);
}

/* Add a fence to the table and return its id, or 0 if there is no memory. */
static uint64_t add(struct fences *fences, uint32_t context_id, struct command *cmd)
{
    struct fence *fence = calloc(1, sizeof(*fence));
    if (!fence)
        return 0;
    fence->context_id = context_id;
    fence->cmd = cmd;

    pthread_mutex_lock(&fences->services->lock);
    uint64_t id = fence->id = ++fences->next_id;
    HASH_ADD(hh, fences->by_id, id, sizeof(fence->id), fence);
    bool added = fence->hh.tbl;
    if (added && cmd) {
        command_hold(cmd);
        command_waits_for(cmd, context_id);
        stat_add(&fences->services->stats, STAT_FENCES_PENDING, 1);
    }
    pthread_mutex_unlock(&fences->services->lock);
    if (!added) {
        free(fence);
        return 0;
    }
    return id;
}

int fence_create(struct fences *fences, struct command *cmd, uint64_t *id)
{
    assert_device_thread(fences->services);
    *id = add(fences, cmd->hdr.ctx_id, cmd);
    if (!*id) {
        log_line(&fences->services->log, VENUS_GPU_LOG_WARNING,
                 "no memory for a fence: it signals at once");
        return 0;
    }
    /* From here on the fence may signal, and be gone, at any time. */
    return fences->services->renderer->fence(cmd->hdr.ctx_id, cmd->hdr.ring_idx, *id);
}

bool fence_is_pending_locked(struct fences *fences, uint64_t id)
{
    struct fence *fence;
    HASH_FIND(hh, fences->by_id, &id, sizeof(id), fence);
    return fence;
}

bool fences_are_pending(struct fences *fences)
{
    pthread_mutex_lock(&fences->services->lock);
    bool pending = fences->by_id;
    pthread_mutex_unlock(&fences->services->lock);
    return pending;
}

bool fence_is_pending(struct fences *fences, uint64_t id)
{
    pthread_mutex_lock(&fences->services->lock);
    bool pending = fence_is_pending_locked(fences, id);
    pthread_mutex_unlock(&fences->services->lock);
    return pending;
}

bool fence_ask(struct fences *fences, uint32_t context_id, uint64_t *last)
{
    assert_device_thread(fences->services);
    *last = add(fences, context_id, NULL);
    return !*last || fences->services->renderer->fence(context_id, 0, *last) == 0;
}

bool fence_can_be_made(struct fences *fences, uint32_t context_id, uint64_t *last)
{
    assert_device_thread(fences->services);
    return fence_is_pending(fences, *last) || fence_ask(fences, context_id, last);
}

void fences_ring_locked(struct fences *fences, bool ring)
{
    fences->ring = ring;
}

bool fences_have_rung_locked(struct fences *fences)
{
    bool have = fences->have_rung;
    fences->have_rung = false;
    return have;
}

static void signal_locked(struct fences *fences, struct fence *fence)
{
    HASH_DEL(fences->by_id, fence);
    if (fence->cmd) {
        stat_sub(&fences->services->stats, STAT_FENCES_PENDING, 1);
        stat_add(&fences->services->stats, STAT_FENCES, 1);
        command_release(fence->cmd);
    }
    if (fences->ring) {
        fences->have_rung = true;
        bell_ring(fences->bell);
    }
    free(fence);
}

void fence_signal(void *opaque, uint64_t fence_id)
{
    struct fences *fences = opaque;
    struct fence *fence;

    pthread_mutex_lock(&fences->services->lock);
    HASH_FIND(hh, fences->by_id, &fence_id, sizeof(fence_id), fence);
    if (fence)
        signal_locked(fences, fence);
    pthread_mutex_unlock(&fences->services->lock);
}

void fence_signal_context(struct fences *fences, uint32_t context_id)
{
    assert_device_thread(fences->services);
    struct fence *fence, *next;

    pthread_mutex_lock(&fences->services->lock);
    HASH_ITER(hh, fences->by_id, fence, next) {
        if (fence->context_id == context_id)
            signal_locked(fences, fence);
    }
    pthread_mutex_unlock(&fences->services->lock);
}

void fence_forget_all_locked(struct fences *fences)
{
    struct fence *fence, *next;

    HASH_ITER(hh, fences->by_id, fence, next) {
        HASH_DEL(fences->by_id, fence);
        free(fence);
    }
    atomic_store(&fences->services->stats.value[STAT_FENCES_PENDING], 0);
}
