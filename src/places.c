/* SPDX-License-Identifier: MIT */
/* See places.h. Who holds what is counted only when many commands are in flight, which is rare. */
#include "places.h"

#include <stddef.h>

#include "clock.h"
#include "command.h"
#include "context.h"
#include "device.h"

bool places_are_few_locked(const struct venus_gpu *gpu)
{
    return gpu->num_in_flight >= MOST_PLACES;
}

/* The command that it waits for: on the device's timeline answers wait for the first one's. */
static const struct command *waits_behind(const struct venus_gpu *gpu, const struct command *cmd)
{
    return cmd->finished ? TAILQ_FIRST(&gpu->ordered) : cmd;
}

/* Count each context's places. Returns those of all of them that have waited for long. */
static unsigned count_locked(struct venus_gpu *gpu)
{
    uint64_t long_ago = clock_now_ns() - PLACES_HELD_MS * UINT64_C(1000000);
    struct context *context;
    for (context = gpu->contexts; context; context = context->hh.next)
        context->places = context->old_places = 0;

    unsigned held = 0, old = 0;
    const struct command *cmd;
    TAILQ_FOREACH(cmd, &gpu->in_flight, in_flight_link) {
        const struct command *first = waits_behind(gpu, cmd);
        context = first->waits_for ? context_find(gpu, first->waits_for) : NULL;
        if (!context)
            continue;
        held++;
        context->places++;
        if (first->waits_since_ns <= long_ago) {
            context->old_places++;
            old++;
        }
    }
    return held >= MOST_PLACES ? old : 0;
}

/* Whoever has something that waits for long, and most of all. */
static struct context *find_holder(struct venus_gpu *gpu)
{
    struct context *context, *holder = NULL;
    for (context = gpu->contexts; context; context = context->hh.next) {
        if (context->old_places && (!holder || context->places > holder->places))
            holder = context;
    }
    return holder;
}

void places_check(struct venus_gpu *gpu)
{
    pthread_mutex_lock(&gpu->services.lock);
    unsigned old = count_locked(gpu);
    pthread_mutex_unlock(&gpu->services.lock);
    struct context *holder = old ? find_holder(gpu) : NULL;
    if (!holder)
        return;
    log_line(&gpu->services.log, VENUS_GPU_LOG_WARNING,
             "context %u holds %u places of the control queue: its process is ended", holder->id,
             holder->places);
    context_failed(gpu, holder);
}
