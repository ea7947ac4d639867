/* SPDX-License-Identifier: MIT */
/* See services.h. */
#include "base/services.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/ways.h"

/* A copy of a string, or of none. Returns whether there was memory for it. */
static bool copy(const char **string)
{
    if (*string)
        *string = strdup(*string);
    else
        return true;
    return *string;
}

int services_init(struct services *services, const struct venus_gpu_config *config,
                  const struct venus_gpu_ops *ops, void *opaque)
{
    *services = (struct services){ .config = *config, .ops = *ops, .opaque = opaque };
    if (ways_window_regions())
        services->config.window_mode = VENUS_GPU_WINDOW_REGIONS;
    budget_init(&services->budget, &services->config);
    log_init(&services->log, ops, opaque);
    pthread_mutex_init(&services->lock, NULL);
    bool copied = copy(&services->config.render_server);
    copied &= copy(&services->config.vulkan_device);
    int ret = threads_init(&services->threads, &services->ops, opaque);
    return copied ? ret : -ENOMEM;
}

void services_finish(struct services *services)
{
    free((char *)services->config.render_server);
    free((char *)services->config.vulkan_device);
    threads_finish(&services->threads);
    pthread_mutex_destroy(&services->lock);
    log_finish(&services->log);
}

void services_enter_device_thread(struct services *services)
{
    services->device_thread = pthread_self();
    atomic_store(&services->device_thread_runs, true);
}

void services_leave_device_thread(struct services *services)
{
    atomic_store(&services->device_thread_runs, false);
}

#ifdef CHECK_THREADS
void assert_device_thread(const struct services *services)
{
    assert(!atomic_load(&services->device_thread_runs) ||
           pthread_equal(services->device_thread, pthread_self()));
}
#endif
