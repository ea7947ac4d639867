/* SPDX-License-Identifier: MIT */
/*
 * See steps.h.
 *
 * All that is below is touched only by who has the turn, so it needs no lock. A mutex of the library's is a real one; as
 * turns end where somebody waits, it is mostly free, and who finds it taken lets the others run until it is.
 */
#include "steps.h"

#include <errno.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define NEVER UINT64_MAX
enum { NS_PER_MS = 1000000, MAX_FDS = 4 };
#define START_NS (UINT64_C(1000) * 1000 * NS_PER_MS)

struct actor {
    sem_t turn;
    pthread_t thread;
    void *(*run)(void *);
    void *opaque, *result;
    bool ended, detached;
    bool timed_out;     /* of its last wait */
    const void *cond;   /* waits for it; NULL: for a time or a descriptor */
    uint64_t until;     /* or NEVER */
    struct pollfd *fds; /* waits for these too */
    nfds_t num_fds;
    TAILQ_ENTRY(actor) queue; /* of those that can run, or of those that wait */
    TAILQ_ENTRY(actor) all;
};

TAILQ_HEAD(actors, actor);

static struct {
    struct actors all, ready, waiting;
    struct actor *first;
    uint64_t now;
    unsigned num_polling;
    bool preempts, settling;
    unsigned preempt_after;
} steps;

static _Thread_local struct actor *self;

static struct actor *actor_new(void)
{
    struct actor *actor = calloc(1, sizeof(*actor));
    if (!actor || sem_init(&actor->turn, 0, 0) < 0)
        abort();
    actor->until = NEVER;
    TAILQ_INSERT_TAIL(&steps.all, actor, all);
    return actor;
}

static void actor_free(struct actor *actor)
{
    TAILQ_REMOVE(&steps.all, actor, all);
    sem_destroy(&actor->turn);
    free(actor);
}

void steps_begin(void)
{
    memset(&steps, 0, sizeof(steps));
    TAILQ_INIT(&steps.all);
    TAILQ_INIT(&steps.ready);
    TAILQ_INIT(&steps.waiting);
    steps.now = START_NS;
    self = steps.first = actor_new();
}

void steps_print(void)
{
    struct actor *actor;
    TAILQ_FOREACH(actor, &steps.all, all) {
        fprintf(stderr, "steps: thread %p%s%s: ", (void *)actor,
                actor == steps.first ? " (the target's)" : "", actor == self ? " (running)" : "");
        if (actor->ended)
            fprintf(stderr, "has ended\n");
        else
            fprintf(stderr, "waits for %s %p, until %lld ms from now\n",
                    actor->fds ? "descriptors" : "condition", actor->cond,
                    actor->until == NEVER ? -1LL
                                          : (long long)(actor->until - steps.now) / NS_PER_MS);
    }
}

static void give_up(const char *why)
{
    fprintf(stderr, "steps: %s\n", why);
    steps_print();
    abort();
}

void steps_end(void)
{
    struct actor *actor;
    steps_settle();
    TAILQ_FOREACH(actor, &steps.all, all) {
        if (actor != steps.first && !(actor->ended && actor->detached))
            give_up("a thread is left");
    }
    while (!TAILQ_EMPTY(&steps.all))
        actor_free(TAILQ_FIRST(&steps.all));
    self = steps.first = NULL;
}

static void wake(struct actor *actor, bool timed_out)
{
    TAILQ_REMOVE(&steps.waiting, actor, queue);
    if (actor->fds)
        steps.num_polling--;
    actor->timed_out = timed_out;
    actor->cond = NULL;
    actor->fds = NULL;
    actor->until = NEVER;
    TAILQ_INSERT_TAIL(&steps.ready, actor, queue);
}

static void wake_polling(void)
{
    struct actor *actor, *next;
    if (!steps.num_polling)
        return;
    for (actor = TAILQ_FIRST(&steps.waiting); actor; actor = next) {
        next = TAILQ_NEXT(actor, queue);
        if (actor->fds && poll(actor->fds, actor->num_fds, 0) > 0)
            wake(actor, false);
    }
}

/* Who waits for the earliest time, if there is such. */
static struct actor *earliest(void)
{
    struct actor *actor, *found = NULL;
    TAILQ_FOREACH(actor, &steps.waiting, queue) {
        if (actor->until != NEVER && (!found || actor->until < found->until))
            found = actor;
    }
    return found;
}

/* Give the turn to the next that can run; what becomes of the caller is settled already. */
static void pass_turn(void)
{
    struct actor *me = self;
    wake_polling();
    while (TAILQ_EMPTY(&steps.ready)) {
        struct actor *actor = earliest();
        if (!actor)
            give_up("deadlock: nobody can run, nor waits for a time");
        if (actor->until > steps.now)
            steps.now = actor->until;
        wake(actor, true);
    }
    struct actor *next = TAILQ_FIRST(&steps.ready);
    TAILQ_REMOVE(&steps.ready, next, queue);
    if (next == me)
        return;
    bool ended = me->ended;
    sem_post(&next->turn);
    while (!ended && sem_wait(&me->turn) < 0)
        ;
}

static void yield(void)
{
    TAILQ_INSERT_TAIL(&steps.ready, self, queue);
    pass_turn();
}

/* Returns whether the time had come. */
static bool wait_for(const void *cond, struct pollfd *fds, nfds_t count, uint64_t until)
{
    self->cond = cond;
    self->fds = fds;
    self->num_fds = count;
    self->until = until;
    if (fds)
        steps.num_polling++;
    TAILQ_INSERT_TAIL(&steps.waiting, self, queue);
    pass_turn();
    return self->timed_out;
}

void steps_settle(void)
{
    for (;;) {
        wake_polling();
        if (TAILQ_EMPTY(&steps.ready))
            return;
        yield();
    }
}

void steps_advance(uint64_t ns)
{
    uint64_t target = steps.now + ns;
    steps_settle();
    for (struct actor *actor; (actor = earliest()) && actor->until <= target; steps_settle()) {
        if (actor->until > steps.now)
            steps.now = actor->until;
        wake(actor, true);
    }
    steps.now = target;
}

void steps_preempt(unsigned after)
{
    steps.preempts = true;
    steps.preempt_after = after;
}

/* ---- instead of the C library ------------------------------------------------------------------- */

static void *begin(void *opaque)
{
    struct actor *actor = self = opaque;
    while (sem_wait(&actor->turn) < 0)
        ;
    actor->result = actor->run(actor->opaque);
    actor->ended = true;
    struct actor *other;
    TAILQ_FOREACH(other, &steps.waiting, queue) {
        if (other->cond == actor) {
            wake(other, false);
            break;
        }
    }
    pass_turn();
    return NULL;
}

int steps_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
                         void *opaque)
{
    struct actor *actor = actor_new();
    actor->run = run;
    actor->opaque = opaque;
    int ret = pthread_create(&actor->thread, attr, begin, actor);
    if (ret) {
        actor_free(actor);
        return ret;
    }
    *thread = actor->thread;
    TAILQ_INSERT_TAIL(&steps.ready, actor, queue);
    return 0;
}

static struct actor *find(pthread_t thread)
{
    struct actor *actor;
    TAILQ_FOREACH(actor, &steps.all, all) {
        if (actor != steps.first && !actor->detached && pthread_equal(actor->thread, thread))
            return actor;
    }
    give_up("no such thread");
    return NULL;
}

int steps_pthread_join(pthread_t thread, void **result)
{
    struct actor *actor = find(thread);
    if (!actor->ended)
        wait_for(actor, NULL, 0, NEVER);
    int ret = pthread_join(thread, NULL);
    if (result)
        *result = actor->result;
    actor_free(actor);
    return ret;
}

int steps_pthread_detach(pthread_t thread)
{
    find(thread)->detached = true;
    return pthread_detach(thread);
}

int steps_pthread_mutex_lock(pthread_mutex_t *mutex)
{
    int ret;
    while ((ret = pthread_mutex_trylock(mutex)) == EBUSY) {
        if (TAILQ_EMPTY(&steps.ready))
            give_up("deadlock: a lock is held by somebody who waits");
        yield();
    }
    return ret;
}

int steps_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    int ret = pthread_mutex_unlock(mutex);
    if (steps.preempts && steps.preempt_after-- == 0) {
        steps.preempts = false;
        if (!TAILQ_EMPTY(&steps.ready))
            yield();
    }
    return ret;
}

int steps_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
    pthread_mutex_unlock(mutex);
    wait_for(cond, NULL, 0, NEVER);
    return steps_pthread_mutex_lock(mutex);
}

int steps_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
                                 const struct timespec *time)
{
    uint64_t until = (uint64_t)time->tv_sec * 1000 * NS_PER_MS + (uint64_t)time->tv_nsec;
    pthread_mutex_unlock(mutex);
    bool timed_out = wait_for(cond, NULL, 0, until == NEVER ? NEVER - 1 : until);
    steps_pthread_mutex_lock(mutex);
    return timed_out ? ETIMEDOUT : 0;
}

static bool wake_one(const pthread_cond_t *cond)
{
    struct actor *actor;
    TAILQ_FOREACH(actor, &steps.waiting, queue) {
        if (actor->cond == cond) {
            wake(actor, false);
            return true;
        }
    }
    return false;
}

int steps_pthread_cond_signal(pthread_cond_t *cond)
{
    wake_one(cond);
    return 0;
}

int steps_pthread_cond_broadcast(pthread_cond_t *cond)
{
    while (wake_one(cond))
        ;
    return 0;
}

int steps_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    int ready = poll(fds, count, 0);
    if (ready || !timeout_ms)
        return ready;
    wait_for(NULL, fds, count,
             timeout_ms < 0 ? NEVER : steps.now + (uint64_t)timeout_ms * NS_PER_MS);
    return poll(fds, count, 0);
}

int steps_nanosleep(const struct timespec *duration, struct timespec *rest)
{
    (void)rest;
    wait_for(NULL, NULL, 0,
             steps.now + (uint64_t)duration->tv_sec * 1000 * NS_PER_MS +
                 (uint64_t)duration->tv_nsec);
    return 0;
}

int steps_clock_gettime(clockid_t clock, struct timespec *time)
{
    (void)clock;
    *time = (struct timespec){ .tv_sec = (time_t)(steps.now / (1000 * (uint64_t)NS_PER_MS)),
                               .tv_nsec = (long)(steps.now % (1000 * (uint64_t)NS_PER_MS)) };
    return 0;
}
