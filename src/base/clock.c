/* SPDX-License-Identifier: MIT */
/* See clock.h. */
#include "base/clock.h"

#include <time.h>

uint64_t clock_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

void clock_cond_init(pthread_cond_t *cond)
{
#ifdef __APPLE__
    pthread_cond_init(cond, NULL);
#else
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
#endif
}

int clock_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t time_ns)
{
#ifdef __APPLE__
    uint64_t now = clock_now_ns();
    time_ns = time_ns > now ? time_ns - now : 0;
#endif
    const struct timespec time = { .tv_sec = (time_t)(time_ns / NS_PER_S),
                                   .tv_nsec = (long)(time_ns % NS_PER_S) };
#ifdef __APPLE__
    return pthread_cond_timedwait_relative_np(cond, lock, &time);
#else
    return pthread_cond_timedwait(cond, lock, &time);
#endif
}
