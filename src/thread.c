/* SPDX-License-Identifier: MIT */
/*
 * The device thread: takes commands off the queues, in order, and does what others ask of it.
 *
 * Both queues feed one list, so that a pointer image set after a transfer sees the transfer's pixels.
 * Three requests besides commands reach the thread: reset, stop, and memory to give back to the
 * renderer. Whoever asks for a reset waits until it is done, so nothing that the thread does in the
 * meantime may wait for the front end (bell.h), and what waits for the
 * renderer is interrupted (watchdog.h).
 */
#include "thread.h"

#include <errno.h>

#include "clock.h"
#include "context.h"
#include "device.h"
#include "dispatch.h"
#include "fence.h"
#include "frame.h"
#include "park.h"
#include "pinned.h"
#include "places.h"
#include "session.h"
#include "start-thread.h"
#include "watchdog.h"

int venus_gpu_submit(struct venus_gpu *gpu, enum venus_gpu_queue queue,
                     const struct venus_gpu_request *request)
{
    struct command *cmd = command_create(gpu, queue, request);
    if (!cmd)
        return -ENOMEM;
    cmd->waits = 1; /* its execution */

    pthread_mutex_lock(&gpu->services.lock);
    TAILQ_INSERT_TAIL(&gpu->queued, cmd, queued_link);
    gpu->pipelined |= !TAILQ_EMPTY(&gpu->in_flight);
    TAILQ_INSERT_TAIL(&gpu->in_flight, cmd, in_flight_link);
    gpu->num_in_flight++;
    if (gpu->sleeping)
        bell_ring(&gpu->bell);
    pthread_mutex_unlock(&gpu->services.lock);
    return 0;
}

void venus_gpu_reset(struct venus_gpu *gpu)
{
    pthread_mutex_lock(&gpu->services.lock);
    gpu->resetting = gpu->bell.urgent = true;
    watchdog_hurry(true);
    bell_ring(&gpu->bell);
    while (gpu->resetting)
        pthread_cond_wait(&gpu->idle, &gpu->services.lock);
    pthread_mutex_unlock(&gpu->services.lock);
}

/* Drop every command in flight: nobody will hear of them. With the lock held. */
static void forget_commands_locked(struct venus_gpu *gpu)
{
    fence_forget_all_locked(gpu->fences);
    flush_forget_all_locked(gpu);
    while (!TAILQ_EMPTY(&gpu->in_flight)) {
        struct command *cmd = TAILQ_FIRST(&gpu->in_flight);
        TAILQ_REMOVE(&gpu->in_flight, cmd, in_flight_link);
        command_destroy(cmd);
    }
    gpu->num_in_flight = 0;
    TAILQ_INIT(&gpu->queued);
    TAILQ_INIT(&gpu->answered);
    gpu->num_answered = 0;
    gpu->pipelined = false;
    TAILQ_INIT(&gpu->ordered);
    park_forget_locked(gpu);
}

static void reset_locked(struct venus_gpu *gpu)
{
    forget_commands_locked(gpu);
    pthread_mutex_unlock(&gpu->services.lock);
    device_clear(gpu);
    stat_add(&gpu->services.stats, STAT_RESETS, 1);
    pthread_mutex_lock(&gpu->services.lock);
    gpu->resetting = false;
    gpu->bell.urgent = gpu->stopping;
    watchdog_hurry(false);
    pthread_cond_broadcast(&gpu->idle);
}

/*
 * virglrenderer does not tell when a context's process ends. Mostly the next command for it fails, but a
 * guest may send none, while virglrenderer's thread for that context turns without rest until the
 * context is destroyed. So ask now and then, also while the guest keeps other contexts busy.
 */
enum { CHECK_CONTEXTS_S = 5 };

/* How long answers that nobody waits for may wait for company. */
enum { ANSWER_DELAY_NS = 200 * 1000 };

static time_t seconds(void)
{
    return (time_t)(clock_now_ns() / NS_PER_S);
}

/* How often it is looked whether contexts that others wait for have taken too long, or hold too much. */
enum { PARK_POLL_NS = 100 * 1000 * 1000 };

/* Wait for something to do, or until contexts are to be checked. */
static void wait_for_work_locked(struct venus_gpu *gpu)
{
    gpu->sleeping = true;
    if (gpu->num_answered) {
        if (!bell_sleep(&gpu->bell, clock_now_ns() + ANSWER_DELAY_NS))
            command_deliver(gpu);
    } else if (!park_is_empty(gpu) || places_are_few_locked(gpu)) {
        bell_sleep(&gpu->bell, clock_now_ns() + PARK_POLL_NS);
    } else if (gpu->contexts) {
        bell_sleep(&gpu->bell, clock_now_ns() + (uint64_t)CHECK_CONTEXTS_S * NS_PER_S);
    } else {
        bell_sleep(&gpu->bell, 0);
    }
    gpu->sleeping = false;
}

static bool park_is_due_locked(struct venus_gpu *gpu, uint64_t *next_poll)
{
    if (park_is_empty(gpu))
        return false;
    uint64_t now = clock_now_ns();
    if (!fences_have_rung_locked(gpu->fences) && now < *next_poll)
        return false;
    *next_poll = now + PARK_POLL_NS;
    return true;
}

static bool places_are_due_locked(const struct venus_gpu *gpu, uint64_t *next_check)
{
    if (!places_are_few_locked(gpu))
        return false;
    uint64_t now = clock_now_ns();
    if (now < *next_check)
        return false;
    *next_check = now + PARK_POLL_NS;
    return true;
}

static void *run(void *opaque)
{
    struct venus_gpu *gpu = opaque;
    char *message = NULL;

    if (gpu->services.ops.thread_started)
        gpu->services.ops.thread_started(gpu->services.opaque);
    int error = session_start(gpu->session, &message);

    pthread_mutex_lock(&gpu->services.lock);
    gpu->start_error = error;
    gpu->start_message = message;
    gpu->started = true;
    pthread_cond_broadcast(&gpu->idle);

    time_t next_check = seconds() + CHECK_CONTEXTS_S;
    uint64_t next_poll = 0, next_places = 0;
    while (!error && !gpu->stopping) {
        struct command *cmd = TAILQ_FIRST(&gpu->queued);
        if (gpu->resetting) {
            reset_locked(gpu);
        } else if (pins_have_released(gpu->pins)) {
            pthread_mutex_unlock(&gpu->services.lock);
            pins_reap(gpu->pins);
            pthread_mutex_lock(&gpu->services.lock);
        } else if (park_is_due_locked(gpu, &next_poll)) {
            pthread_mutex_unlock(&gpu->services.lock);
            park_poll(gpu);
            pthread_mutex_lock(&gpu->services.lock);
        } else if (places_are_due_locked(gpu, &next_places)) {
            pthread_mutex_unlock(&gpu->services.lock);
            places_check(gpu);
            pthread_mutex_lock(&gpu->services.lock);
        } else if (gpu->contexts && seconds() >= next_check) {
            pthread_mutex_unlock(&gpu->services.lock);
            context_check_all(gpu);
            next_check = seconds() + CHECK_CONTEXTS_S;
            pthread_mutex_lock(&gpu->services.lock);
        } else if (cmd) {
            TAILQ_REMOVE(&gpu->queued, cmd, queued_link);
            pthread_mutex_unlock(&gpu->services.lock);
            dispatch(gpu, cmd);
            pthread_mutex_lock(&gpu->services.lock);
        } else {
            wait_for_work_locked(gpu);
        }
    }
    forget_commands_locked(gpu);
    pthread_mutex_unlock(&gpu->services.lock);

    if (!error) {
        device_clear(gpu);
        session_stop(gpu->session);
    }
    if (gpu->services.ops.thread_stopping)
        gpu->services.ops.thread_stopping(gpu->services.opaque);
    return NULL;
}

int thread_start(struct venus_gpu *gpu)
{
    int ret = start_thread(&gpu->thread, run, gpu);
    if (ret < 0)
        return ret;
    pthread_mutex_lock(&gpu->services.lock);
    while (!gpu->started)
        pthread_cond_wait(&gpu->idle, &gpu->services.lock);
    ret = gpu->start_error;
    pthread_mutex_unlock(&gpu->services.lock);
    if (ret)
        pthread_join(gpu->thread, NULL);
    return ret;
}

void thread_stop(struct venus_gpu *gpu)
{
    pthread_mutex_lock(&gpu->services.lock);
    gpu->stopping = gpu->bell.urgent = true;
    watchdog_hurry(true);
    bell_ring(&gpu->bell);
    pthread_mutex_unlock(&gpu->services.lock);
    pthread_join(gpu->thread, NULL);
}
