/* SPDX-License-Identifier: MIT */
/*
 * The device thread: takes commands off the queues, in order, and does what others ask of it.
 *
 * Both queues feed one list, so that a pointer image set after a transfer sees the transfer's pixels.
 * Four requests besides commands reach the thread: reset, stop, memory to give back to the renderer, and to
 * save or load the device. Whoever asks for a reset waits until it is done, so nothing that the thread does in
 * the meantime may wait for the front end (bell.h), and what waits for the renderer is interrupted
 * (watchdog.h).
 */
#include "device/thread.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/sized.h"
#include "base/start-thread.h"
#include "command/command.h"
#include "command/fence.h"
#include "command/frame.h"
#include "device/dispatch.h"
#include "device/park.h"
#include "device/places.h"
#include "device/processes.h"
#include "memory/pinned.h"
#include "memory/placer.h"
#include "nouns/context.h"
#include "nouns/cursor.h"
#include "nouns/parts.h"
#include "nouns/resource.h"
#include "nouns/window.h"
#include "platform/platform.h"
#include "renderer/session.h"
#include "renderer/watchdog.h"

struct thread {
    struct venus_gpu *gpu;
    pthread_t thread;

    /* Under the services' lock. */
    pthread_cond_t idle;               /* others wait here for the device thread */
    bool started, resetting, stopping; /* requests to and answers of the device thread */
    int start_error;
    char *start_message;
    bool sleeping; /* the device thread waits for work */
    /* To be done; NULL: nothing, or it has been done. */
    int (*job)(struct venus_gpu *gpu, void *opaque);
    void *job_opaque;
    int job_result;
    TAILQ_HEAD(, command) queued; /* submitted, not executed yet */
};

struct thread *thread_create(struct venus_gpu *gpu)
{
    struct thread *thread = calloc(1, sizeof(*thread));
    if (!thread)
        return NULL;
    thread->gpu = gpu;
    pthread_cond_init(&thread->idle, NULL);
    TAILQ_INIT(&thread->queued);
    return thread;
}

void thread_destroy(struct thread *thread)
{
    if (thread)
        pthread_cond_destroy(&thread->idle);
    free(thread);
}

int venus_gpu_submit_sized(struct venus_gpu *gpu, enum venus_gpu_queue queue,
                           const struct venus_gpu_request *their_request, size_t request_size)
{
    struct thread *thread = gpu->thread;
    struct venus_gpu_request request;
    int ret =
        sized_take(&request, sizeof(request), REQUEST_SIZE_LEAST, their_request, request_size);
    if (ret < 0)
        return sized_log(&gpu->services.log, ret, "venus_gpu_request", request_size);
    struct command *cmd = command_create(gpu->commands, queue, &request);
    if (!cmd)
        return -ENOMEM;

    pthread_mutex_lock(&gpu->services.lock);
    TAILQ_INSERT_TAIL(&thread->queued, cmd, queued_link);
    command_submit_locked(cmd);
    if (thread->sleeping)
        bell_ring(&gpu->bell);
    pthread_mutex_unlock(&gpu->services.lock);
    return 0;
}

void venus_gpu_reset(struct venus_gpu *gpu)
{
    struct thread *thread = gpu->thread;
    pthread_mutex_lock(&gpu->services.lock);
    thread->resetting = gpu->bell.urgent = true;
    watchdog_hurry(true);
    bell_ring(&gpu->bell);
    while (thread->resetting)
        pthread_cond_wait(&thread->idle, &gpu->services.lock);
    pthread_mutex_unlock(&gpu->services.lock);
}

int thread_do(struct thread *thread, int (*job)(struct venus_gpu *gpu, void *opaque), void *opaque)
{
    struct venus_gpu *gpu = thread->gpu;
    pthread_mutex_lock(&gpu->services.lock);
    int ret = -EAGAIN;
    /* Who waits here may be the one that a command waits for. */
    if (!commands_in_flight_locked(gpu->commands)) {
        thread->job = job;
        thread->job_opaque = opaque;
        bell_ring(&gpu->bell);
        while (thread->job)
            pthread_cond_wait(&thread->idle, &gpu->services.lock);
        ret = thread->job_result;
    }
    pthread_mutex_unlock(&gpu->services.lock);
    return ret;
}

static void do_job_locked(struct thread *thread)
{
    struct venus_gpu *gpu = thread->gpu;
    pthread_mutex_unlock(&gpu->services.lock);
    int ret = thread->job(gpu, thread->job_opaque);
    pthread_mutex_lock(&gpu->services.lock);
    thread->job_result = ret;
    thread->job = NULL;
    pthread_cond_broadcast(&thread->idle);
}

/* Drop every command in flight: nobody will hear of them. With the lock held. */
static void forget_commands_locked(struct thread *thread)
{
    struct venus_gpu *gpu = thread->gpu;
    fence_forget_all_locked(gpu->fences);
    flush_forget_all_locked(gpu->flushes);
    park_forget_locked(gpu);
    TAILQ_INIT(&thread->queued);
    commands_forget_locked(gpu->commands);
}

void thread_clear(struct venus_gpu *gpu)
{
    cursor_forget_all(gpu);
    /* Contexts first: what a resource is attached to need not be told of its end one by one. */
    context_destroy_all(gpu);
    resource_destroy_all(gpu);
    while (placer_has_waiting(gpu->placer))
        placer_work(gpu->placer);
    pins_reap(gpu->pins);
    window_forget(gpu);
}

static void reset_locked(struct thread *thread)
{
    struct venus_gpu *gpu = thread->gpu;
    forget_commands_locked(thread);
    pthread_mutex_unlock(&gpu->services.lock);
    thread_clear(gpu);
    stat_add(&gpu->services.stats, STAT_RESETS, 1);
    pthread_mutex_lock(&gpu->services.lock);
    thread->resetting = false;
    gpu->bell.urgent = thread->stopping;
    watchdog_hurry(false);
    pthread_cond_broadcast(&thread->idle);
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

/* When something is to be looked at again. */
struct due {
    uint64_t park_ns, places_ns, processes_ns;
    time_t contexts_s;
};

/* Wait for something to do, or until contexts are to be checked. */
static void wait_for_work_locked(struct thread *thread, const struct due *due)
{
    struct venus_gpu *gpu = thread->gpu;
    thread->sleeping = true;
    if (commands_wait_for_company_locked(gpu->commands)) {
        if (!bell_sleep(&gpu->bell, clock_now_ns() + ANSWER_DELAY_NS))
            commands_deliver(gpu->commands);
    } else if (!park_is_empty(gpu) || places_are_few_locked(gpu)) {
        bell_sleep(&gpu->bell, clock_now_ns() + PARK_POLL_NS);
    } else if (context_next(gpu, NULL)) {
        bell_sleep(&gpu->bell, due->processes_ns);
    } else {
        bell_sleep(&gpu->bell, 0);
    }
    thread->sleeping = false;
}

static bool park_is_due_locked(struct venus_gpu *gpu, struct due *due)
{
    if (park_is_empty(gpu))
        return false;
    uint64_t now = clock_now_ns();
    if (!fences_have_rung_locked(gpu->fences) && now < due->park_ns)
        return false;
    due->park_ns = now + PARK_POLL_NS;
    return true;
}

static bool places_are_due_locked(const struct venus_gpu *gpu, struct due *due)
{
    if (!places_are_few_locked(gpu))
        return false;
    uint64_t now = clock_now_ns();
    if (now < due->places_ns)
        return false;
    due->places_ns = now + PARK_POLL_NS;
    return true;
}

static bool contexts_are_due(struct venus_gpu *gpu, struct due *due)
{
    if (!context_next(gpu, NULL) || seconds() < due->contexts_s)
        return false;
    due->contexts_s = seconds() + CHECK_CONTEXTS_S;
    return true;
}

static bool processes_are_due(struct venus_gpu *gpu, const struct due *due)
{
    return context_next(gpu, NULL) && clock_now_ns() >= due->processes_ns;
}

static void reap(struct venus_gpu *gpu)
{
    pins_reap(gpu->pins);
}

/* A driver takes its time to unmap something, and no command waits for that. */
static void unmap(struct venus_gpu *gpu)
{
    placer_work(gpu->placer);
}

/* Do what is due first, with the lock given up meanwhile. */
static void turn_locked(struct thread *thread, struct due *due)
{
    struct venus_gpu *gpu = thread->gpu;
    struct command *cmd = TAILQ_FIRST(&thread->queued);
    void (*check)(struct venus_gpu * gpu) = NULL;
    if (pins_have_released(gpu->pins))
        check = reap;
    else if (park_is_due_locked(gpu, due))
        check = park_poll;
    else if (places_are_due_locked(gpu, due))
        check = places_check;
    else if (contexts_are_due(gpu, due))
        check = context_check_all;
    else if (processes_are_due(gpu, due)) {
        pthread_mutex_unlock(&gpu->services.lock);
        due->processes_ns = processes_check(gpu);
        pthread_mutex_lock(&gpu->services.lock);
        return;
    } else if (!cmd && placer_has_waiting(gpu->placer)) {
        commands_deliver(gpu->commands); /* who waits for an answer gets it first */
        check = unmap;
    } else if (!cmd) {
        wait_for_work_locked(thread, due);
        return;
    }
    if (!check)
        TAILQ_REMOVE(&thread->queued, cmd, queued_link);
    pthread_mutex_unlock(&gpu->services.lock);
    if (check)
        check(gpu);
    else
        dispatch(gpu, cmd);
    pthread_mutex_lock(&gpu->services.lock);
}

/* Without the lock. */
static bool poll_fences(void *opaque)
{
    struct venus_gpu *gpu = opaque;
    if (!fences_are_pending(gpu->fences))
        return false;
    session_poll(gpu->session);
    return fences_are_pending(gpu->fences);
}

static void *run(void *opaque)
{
    struct thread *thread = opaque;
    struct venus_gpu *gpu = thread->gpu;
    char *message = NULL;

    platform_name_thread("venus-device");
    services_enter_device_thread(&gpu->services);
    const struct venus_gpu_ops *ops = &gpu->services.ops;
    threads_enter(&gpu->services.threads, VENUS_GPU_THREAD_DEVICE);
    if (ops->thread_started && !ops->thread_begins)
        ops->thread_started(gpu->services.opaque);
    int error = session_start(gpu->session, &message);

    pthread_mutex_lock(&gpu->services.lock);
    if (session_polls_fences(gpu->session))
        bell_set_poll(&gpu->bell, poll_fences, gpu);
    thread->start_error = error;
    thread->start_message = message;
    thread->started = true;
    pthread_cond_broadcast(&thread->idle);

    struct due due = { .contexts_s = seconds() + CHECK_CONTEXTS_S };
    while (!error && !thread->stopping) {
        if (thread->resetting)
            reset_locked(thread);
        else if (thread->job)
            do_job_locked(thread);
        else
            turn_locked(thread, &due);
        bell_poll(&gpu->bell);
    }
    forget_commands_locked(thread);
    pthread_mutex_unlock(&gpu->services.lock);

    if (!error) {
        thread_clear(gpu);
        session_stop(gpu->session);
    }
    if (ops->thread_stopping && !ops->thread_begins)
        ops->thread_stopping(gpu->services.opaque);
    threads_leave(&gpu->services.threads);
    services_leave_device_thread(&gpu->services);
    return NULL;
}

int thread_start(struct thread *thread, char **message)
{
    struct services *services = &thread->gpu->services;
    int ret = start_thread(&thread->thread, run, thread);
    if (ret < 0)
        return ret;
    pthread_mutex_lock(&services->lock);
    while (!thread->started)
        pthread_cond_wait(&thread->idle, &services->lock);
    ret = thread->start_error;
    *message = thread->start_message;
    pthread_mutex_unlock(&services->lock);
    if (ret)
        pthread_join(thread->thread, NULL);
    return ret;
}

void thread_stop(struct thread *thread)
{
    struct venus_gpu *gpu = thread->gpu;
    pthread_mutex_lock(&gpu->services.lock);
    thread->stopping = gpu->bell.urgent = true;
    watchdog_hurry(true);
    bell_ring(&gpu->bell);
    pthread_mutex_unlock(&gpu->services.lock);
    pthread_join(thread->thread, NULL);
}
