/* SPDX-License-Identifier: MIT */
/*
 * One thread at a time: what makes an input do the same each time that it is run.
 *
 * The library, compiled for a target, calls these functions instead of the C library's (redirect.h). Whoever runs holds
 * the turn, and gives it up where it has to wait, never in between: the order of things is the input's alone. An input
 * may ask for a turn to end earlier, when a lock is given back (steps_preempt()), which is how other orders are tried.
 *
 * The clock stands still while anybody can run. It goes on when the target says so (steps_advance()), or, to the next
 * time that somebody waits for, when the target itself waits in a call of the library's. If then nobody waits for a
 * time, nobody will ever run again: that is a deadlock, and the process ends with who waits for what.
 */
#ifndef STEPS_H
#define STEPS_H

#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <time.h>

/* The thread that calls this is the first, and has the turn. For each input anew. */
void steps_begin(void);
/* Every other thread has ended, or the process does. */
void steps_end(void);

/* Let all others run until each of them waits. */
void steps_settle(void);
/* The same, and again for each time that somebody waits for until so much later. */
void steps_advance(uint64_t ns);
/* End the turn of whoever gives back the `after`th lock from now (0: the next). */
void steps_preempt(unsigned after);
/* Print who waits for what. */
void steps_print(void);

/* As those of the C library without "steps_". A thread may wait for what becomes readable, with poll(). */
int steps_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *opaque);
int steps_pthread_join(pthread_t thread, void **result);
int steps_pthread_detach(pthread_t thread);
int steps_pthread_mutex_lock(pthread_mutex_t *mutex);
int steps_pthread_mutex_unlock(pthread_mutex_t *mutex);
int steps_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex);
int steps_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *time);
int steps_pthread_cond_signal(pthread_cond_t *cond);
int steps_pthread_cond_broadcast(pthread_cond_t *cond);
int steps_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
int steps_nanosleep(const struct timespec *duration, struct timespec *rest);
int steps_clock_gettime(clockid_t clock, struct timespec *time);

#endif
