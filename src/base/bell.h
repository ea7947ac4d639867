/* SPDX-License-Identifier: MIT */
/*
 * What the device thread waits on: for work, and for answers of the front end, of other threads, of contexts.
 *
 * Whoever asks for a reset waits until it is done, and may be the one who owes an answer. So while the
 * device is reset or stopped, and only then, the bell is urgent: nothing is waited for.
 *
 * All functions but the first two are called with the services' lock held.
 */
#ifndef BELL_H
#define BELL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct bell {
    pthread_mutex_t *lock;
    pthread_cond_t rung;
    bool urgent, was_rung;

    /* Where nobody rings for what is waited for: see bell_poll(). */
    bool (*poll)(void *opaque);
    void *poll_opaque;
    uint64_t poll_ns, next_poll_ns;

    /* Called before somebody waits in the middle of something else: others may wait for what is done. */
    void (*before_wait)(void *opaque);
    void *opaque;
};

void bell_init(struct bell *bell, pthread_mutex_t *lock, void (*before_wait)(void *), void *opaque);
void bell_finish(struct bell *bell);

/*
 * Where something has to be asked for, ask again and again, while the device thread waits or sleeps and between its
 * commands: often at first, then every millisecond. poll() is called on the device thread without the lock, and
 * returns whether there is something to ask for.
 */
void bell_set_poll(struct bell *bell, bool (*poll)(void *opaque), void *opaque);
/* Ask, if it is time to. Device thread. */
void bell_poll(struct bell *bell);

/* Wake the device thread. Any thread. */
void bell_ring(struct bell *bell);

/*
 * Wait in the middle of a command until the bell rings, and look again then. Returns false, at once, if
 * nothing may be waited for. Device thread.
 */
bool bell_wait(struct bell *bell);
/* The same, until a time on the clock; false also if that has come. Device thread. */
bool bell_wait_until(struct bell *bell, uint64_t time_ns);

/* Sleep, having nothing to do: until a time, or for ever if that is 0. Returns whether the bell has rung. Device
 * thread. */
bool bell_sleep(struct bell *bell, uint64_t time_ns);

#endif
