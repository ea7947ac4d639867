/* SPDX-License-Identifier: MIT */
/* See places.h. Who holds what is counted only when many commands are in flight, which is rare. */
#include "device/places.h"

#include <stddef.h>

#include "base/clock.h"
#include "command/command.h"
#include "nouns/context.h"
#include "nouns/parts.h"

bool places_are_few_locked(const struct venus_gpu *gpu)
{
    return commands_in_flight_locked(gpu->commands) >= MOST_PLACES;
}

struct count {
    struct venus_gpu *gpu;
    uint64_t long_ago_ns;
};

static void count_one(void *opaque, uint32_t context_id, uint64_t since_ns)
{
    struct count *count = opaque;
    struct context *context = context_find(count->gpu, context_id);
    if (!context)
        return;
    context->places++;
    if (since_ns <= count->long_ago_ns)
        context->old_places++;
}

/*
 * Count each context's places. Returns whether too many are held, by those that have something that waits for long: one
 * that waits for a long drawing is not to blame for what another has just sent.
 */
static bool count_places(struct venus_gpu *gpu)
{
    struct count count = {
        .gpu = gpu,
        .long_ago_ns = clock_now_ns() - PLACES_HELD_MS * UINT64_C(1000000),
    };
    struct context *context = NULL;
    while ((context = context_next(gpu, context)))
        context->places = context->old_places = 0;
    pthread_mutex_lock(&gpu->services.lock);
    commands_each_waiting_locked(gpu->commands, count_one, &count);
    pthread_mutex_unlock(&gpu->services.lock);
    unsigned held = 0;
    while ((context = context_next(gpu, context)))
        held += context->old_places ? context->places : 0;
    return held >= MOST_PLACES;
}

/*
 * Many contexts fill the queue too, with a few places each. One that holds no more than a drawing that takes long may
 * is not told from these by what it holds: the newest goes first, or a program could have any other one ended by opening
 * contexts that hold a place less.
 */
enum { FEW_PLACES = 8 };

static unsigned blame(const struct context *context)
{
    return context->places > FEW_PLACES ? context->places : FEW_PLACES;
}

/* Whoever has something that waits for long, and most of all, or else is the newest. */
static struct context *find_holder(struct venus_gpu *gpu)
{
    struct context *context = NULL, *holder = NULL;
    while ((context = context_next(gpu, context))) { /* the older before the newer */
        if (context->old_places && (!holder || blame(context) >= blame(holder)))
            holder = context;
    }
    return holder;
}

void places_check(struct venus_gpu *gpu)
{
    assert_device_thread(&gpu->services);
    struct context *holder = count_places(gpu) ? find_holder(gpu) : NULL;
    if (!holder)
        return;
    log_line(&gpu->services.log, VENUS_GPU_LOG_WARNING,
             "context %u holds %u places of the control queue: its process is ended", holder->id,
             holder->places);
    context_failed(gpu, holder);
}
