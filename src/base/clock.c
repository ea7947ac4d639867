/* SPDX-License-Identifier: MIT */
/* See clock.h. */
#include "base/clock.h"

#include <time.h>

#include "platform/platform.h"

uint64_t clock_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

void clock_cond_init(pthread_cond_t *cond)
{
    platform_cond_init(cond);
}

int clock_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t time_ns)
{
    return platform_cond_wait_until(cond, lock, time_ns);
}
