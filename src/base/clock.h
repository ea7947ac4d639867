/* SPDX-License-Identifier: MIT */
/* The clock that nobody sets, and waiting by it. */
#ifndef CLOCK_H
#define CLOCK_H

#include <pthread.h>
#include <stdint.h>

enum { NS_PER_S = 1000000000 };

/*
 * A condition variable to wait on with a timeout, and the wait: until a time on the monotonic clock, in
 * nanoseconds. Returns 0 or ETIMEDOUT. That clock is one that nobody sets: were the host's put back by an
 * hour, a wait that goes by it would take that hour too.
 */
void clock_cond_init(pthread_cond_t *cond);
int clock_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t time_ns);

/* Now, on that clock. */
uint64_t clock_now_ns(void);

#endif
