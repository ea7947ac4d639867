/* SPDX-License-Identifier: MIT */
/*
 * See watchdog.h.
 *
 * Only calls that talk to another process are watched: what the others wait for, a driver in this
 * process, could not be interrupted. Entering and leaving a call takes an uncontended lock and no system call,
 * unless nothing was called for a second: then the thread sleeps, and is woken.
 */
#include "renderer/watchdog.h"

#include <pthread.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/start-thread.h"
#include "platform/platform.h"
#include "renderer/renderer.h"

/* The server does no more than start and end processes. */
enum { SERVER_MS = 10000 };
/* When there is a hurry. The server's: it is another one's fault that it is slow, on a busy machine. */
enum { HURRY_CONTEXT_MS = 50, HURRY_SERVER_MS = 500 };
enum { TICK_MS = 1000 };

static struct {
    const struct renderer *renderer;
    struct watchdog_config config;
    pthread_t thread;

    pthread_mutex_t lock; /* guards what follows, and is held while a call is interrupted */
    pthread_cond_t changed;
    bool stopping, sleeping, hurry;
    uint64_t calls;      /* so far */
    bool busy;           /* in a call: */
    uint32_t context_id; /* about this context; 0: the server */
    uint64_t deadline;   /* when it is interrupted, on the monotonic clock */
} dog = { .lock = PTHREAD_MUTEX_INITIALIZER };

static uint64_t after_ms(unsigned ms)
{
    return clock_now_ns() + (uint64_t)ms * 1000000;
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static unsigned limit_ms(uint32_t context_id)
{
    if (context_id)
        return dog.hurry ? least(HURRY_CONTEXT_MS, dog.config.call_ms) : dog.config.call_ms;
    bool hurry = dog.hurry && dog.config.server_can_be_replaced;
    return least(hurry ? HURRY_SERVER_MS : SERVER_MS, dog.config.call_ms);
}

/* ---- the thread ------------------------------------------------------------------------------- */

/* Interrupt the call; if it is still there as long again, the server, in case that helps. */
static void interrupt_locked(void)
{
    uint32_t context_id = dog.context_id;
    dog.renderer->interrupt(context_id);
    dog.context_id = 0;
    dog.deadline = context_id ? after_ms(limit_ms(0)) : UINT64_MAX;
    pthread_mutex_unlock(&dog.lock);
    dog.config.interrupted(dog.config.opaque, context_id);
    pthread_mutex_lock(&dog.lock);
}

static void *run(void *unused)
{
    (void)unused;
    platform_name_thread("venus-watchdog");
    uint64_t seen = 0;
    pthread_mutex_lock(&dog.lock);
    while (!dog.stopping) {
        if (dog.busy && clock_now_ns() >= dog.deadline) {
            interrupt_locked();
        } else if (dog.busy || dog.calls != seen) {
            /* The next call may be one with an earlier deadline, and does not wake us. */
            seen = dog.calls;
            uint64_t tick = after_ms(least(TICK_MS, dog.config.call_ms));
            bool first = dog.busy && dog.deadline < tick;
            clock_wait_until(&dog.changed, &dog.lock, first ? dog.deadline : tick);
        } else {
            dog.sleeping = true;
            pthread_cond_wait(&dog.changed, &dog.lock);
            dog.sleeping = false;
        }
    }
    pthread_mutex_unlock(&dog.lock);
    return NULL;
}

void watchdog_hurry(bool hurry)
{
    pthread_mutex_lock(&dog.lock);
    dog.hurry = hurry;
    uint64_t deadline = after_ms(limit_ms(dog.context_id));
    if (dog.busy && deadline < dog.deadline)
        dog.deadline = deadline;
    pthread_cond_signal(&dog.changed);
    pthread_mutex_unlock(&dog.lock);
}

/* ---- calls that are watched -------------------------------------------------------------------- */

static void enter(uint32_t context_id)
{
    pthread_mutex_lock(&dog.lock);
    dog.busy = true;
    dog.calls++;
    dog.context_id = context_id;
    dog.deadline = after_ms(limit_ms(context_id));
    if (dog.sleeping)
        pthread_cond_signal(&dog.changed);
    pthread_mutex_unlock(&dog.lock);
}

/* The call that was entered may take as long as that, unless there is a hurry. */
static void allow_ms(unsigned ms)
{
    pthread_mutex_lock(&dog.lock);
    if (!dog.hurry)
        dog.deadline = after_ms(ms);
    pthread_mutex_unlock(&dog.lock);
}

static void leave(void)
{
    pthread_mutex_lock(&dog.lock);
    dog.busy = false;
    pthread_mutex_unlock(&dog.lock);
}

static int init(const struct renderer_config *config, char **error)
{
    enter(0);
    allow_ms(dog.config.call_ms); /* a service may have to be started first */
    int ret = dog.renderer->init(config, error);
    leave();
    return ret;
}

static void fini(void)
{
    enter(0);
    dog.renderer->fini();
    leave();
}

static int first_device(struct renderer_device *device, char **error)
{
    enter(0);
    allow_ms(dog.config.call_ms); /* a driver is loaded */
    int ret = dog.renderer->first_device(device, error);
    leave();
    return ret;
}

static int context_create(uint32_t context_id, const char *name, uint32_t name_len)
{
    enter(0);
    int ret = dog.renderer->context_create(context_id, name, name_len);
    leave();
    return ret;
}

static void context_destroy(uint32_t context_id)
{
    enter(0);
    dog.renderer->context_destroy(context_id);
    leave();
}

static int submit(uint32_t context_id, void *data, size_t size)
{
    enter(context_id);
    int ret = dog.renderer->submit(context_id, data, size);
    leave();
    return ret;
}

static int fence(uint32_t context_id, uint32_t ring_idx, uint64_t fence_id)
{
    enter(context_id);
    int ret = dog.renderer->fence(context_id, ring_idx, fence_id);
    leave();
    return ret;
}

static int blob_create(const struct renderer_blob *blob)
{
    enter(blob->context_id);
    int ret = dog.renderer->blob_create(blob);
    leave();
    return ret;
}

static void attach(uint32_t context_id, uint32_t resource_id)
{
    enter(context_id);
    dog.renderer->attach(context_id, resource_id);
    leave();
}

static void detach(uint32_t context_id, uint32_t resource_id)
{
    enter(context_id);
    dog.renderer->detach(context_id, resource_id);
    leave();
}

/* The others are passed on as they are. */
static struct renderer watched;

const struct renderer *watchdog_start(const struct renderer *renderer,
                                      const struct watchdog_config *config)
{
    dog.renderer = renderer;
    dog.config = *config;
    dog.stopping = dog.sleeping = dog.hurry = dog.busy = false;
    dog.calls = 0;
    clock_cond_init(&dog.changed);
    watched = *renderer;
    watched.init = init;
    watched.fini = fini;
    watched.first_device = first_device;
    watched.context_create = context_create;
    watched.context_destroy = context_destroy;
    watched.submit = submit;
    watched.fence = fence;
    watched.blob_create = blob_create;
    watched.attach = attach;
    watched.detach = detach;
    if (start_thread(&dog.thread, run, NULL) == 0)
        return &watched;
    pthread_cond_destroy(&dog.changed);
    return NULL;
}

void watchdog_stop(void)
{
    pthread_mutex_lock(&dog.lock);
    dog.stopping = true;
    pthread_cond_signal(&dog.changed);
    pthread_mutex_unlock(&dog.lock);
    pthread_join(dog.thread, NULL);
    pthread_cond_destroy(&dog.changed);
}
