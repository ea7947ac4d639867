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
    bell->was_rung = true;
    pthread_cond_signal(&bell->rung);
}

enum { POLL_LEAST_NS = 50 * 1000, POLL_MOST_NS = 1000 * 1000 };

void bell_set_poll(struct bell *bell, bool (*poll)(void *opaque), void *opaque)
{
    bell->poll = poll;
    bell->poll_opaque = opaque;
    bell->poll_ns = POLL_LEAST_NS;
}

/* Returns whether there is more to ask for. */
static bool ask(struct bell *bell)
{
    pthread_mutex_unlock(bell->lock);
    bool more = bell->poll(bell->poll_opaque);
    pthread_mutex_lock(bell->lock);
    return more;
}

void bell_poll(struct bell *bell)
{
    if (!bell->poll || clock_now_ns() < bell->next_poll_ns)
        return;
    ask(bell);
    bell->next_poll_ns = clock_now_ns() + POLL_LEAST_NS;
}

static bool sleep_until(struct bell *bell, uint64_t time_ns)
{
    if (time_ns)
        return clock_wait_until(&bell->rung, bell->lock, time_ns) == 0;
    pthread_cond_wait(&bell->rung, bell->lock);
    return true;
}

bool bell_sleep(struct bell *bell, uint64_t time_ns)
{
    bell->was_rung = false;
    bool more = bell->poll && ask(bell);
    if (bell->was_rung) /* meanwhile, while nobody slept */
        return true;
    if (!more) {
        bell->poll_ns = POLL_LEAST_NS;
        return sleep_until(bell, time_ns);
    }
    uint64_t next_ns = clock_now_ns() + bell->poll_ns;
    bell->poll_ns = bell->poll_ns * 2 < POLL_MOST_NS ? bell->poll_ns * 2 : POLL_MOST_NS;
    if (time_ns && time_ns <= next_ns)
        return sleep_until(bell, time_ns);
    if (sleep_until(bell, next_ns))
        bell->poll_ns = POLL_LEAST_NS;
    return true; /* to look again */
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
