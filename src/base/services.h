/* SPDX-License-Identifier: MIT */
/* What every part of a device uses. */
#ifndef SERVICES_H
#define SERVICES_H

#include <pthread.h>

#include "base/budget.h"
#include "base/log.h"
#include "base/stats.h"
#include "venus-gpu.h"

struct renderer;

struct services {
    /* Constant after the device's creation. */
    struct venus_gpu_config config; /* with the defaults filled in, and strings of our own */
    struct venus_gpu_ops ops;
    void *opaque;                    /* for these */
    const struct renderer *renderer; /* watched (watchdog.h); on the device thread only */

    struct log log;     /* any thread, as the next two */
    struct stats stats;
    struct budget budget;

    /* Guards what several threads see of all parts, which say so. Never held while calling the renderer. */
    pthread_mutex_t lock;
};

/* All but the renderer. Returns 0 or -ENOMEM; to be finished in any case. */
int services_init(struct services *services, const struct venus_gpu_config *config,
                  const struct venus_gpu_ops *ops, void *opaque);
void services_finish(struct services *services);

#endif
