/* SPDX-License-Identifier: MIT */
/* What every part of a device uses. */
#ifndef SERVICES_H
#define SERVICES_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/budget.h"
#include "base/log.h"
#include "base/stats.h"
#include "base/threads.h"
#include "venus-gpu.h"

struct renderer;

struct services {
    /* Constant after the device's creation. */
    struct venus_gpu_config config; /* with the defaults filled in, and strings of our own */
    struct venus_gpu_ops ops;
    void *opaque;                    /* for the ops */
    const struct renderer *renderer; /* watched (watchdog.h); on the device thread only */

    /* Any thread. */
    struct log log;
    struct stats stats;
    struct budget budget;
    struct threads threads;

    /* Guards what a part shares between threads; the part says what that is. Not held while calling the renderer. */
    pthread_mutex_t lock;

    /* Who the device thread is, while there is one. */
    pthread_t device_thread;
    atomic_bool device_thread_runs;
};

/* All but the renderer. Returns 0 or -ENOMEM; to be finished in any case. */
int services_init(struct services *services, const struct venus_gpu_config *config,
                  const struct venus_gpu_ops *ops, void *opaque);
void services_finish(struct services *services);

/* The first and the last thing that the device thread does. */
void services_enter_device_thread(struct services *services);
void services_leave_device_thread(struct services *services);

/*
 * What a header promises of the device thread: no other runs this while there is one. Ends the process, so only
 * tests, sanitizers and debug builds have it (CHECK_THREADS).
 */
#ifdef CHECK_THREADS
void assert_device_thread(const struct services *services);
#else
static inline void assert_device_thread(const struct services *services)
{
    (void)services;
}
#endif

#endif
