/* SPDX-License-Identifier: MIT */
/* See bell.h. */
#include "base/bell.h"

#include "base/clock.h"

void bell_init(struct bell *bell, pthread_mutex_t *lock, void (*before_wait)(void *), void *opaque)
{
    *bell = (struct bell){ .lock = lock, .before_wait = before_wait, .opaque = opaque };
    clock_cond_init(&bell->rung);
}

void bell_finish(struct bell *bell)
{
    pthread_cond_destroy(&bell->rung);
}

void bell_ring(struct bell *bell)
{
    pthread_cond_signal(&bell->rung);
}

bool bell_sleep(struct bell *bell, uint64_t time_ns)
{
    if (time_ns)
        return clock_wait_until(&bell->rung, bell->lock, time_ns) == 0;
    pthread_cond_wait(&bell->rung, bell->lock);
    return true;
}

bool bell_wait_until(struct bell *bell, uint64_t time_ns)
{
    if (bell->urgent)
        return false;
    bell->before_wait(bell->opaque);
    return bell_sleep(bell, time_ns);
}

bool bell_wait(struct bell *bell)
{
    return bell_wait_until(bell, 0);
}
