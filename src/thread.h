/* SPDX-License-Identifier: MIT */
/* Starts and stops the device thread. */
#ifndef THREAD_H
#define THREAD_H

#include <pthread.h>
#include <stdint.h>

struct venus_gpu;

/*
 * A condition variable to wait on with a timeout, and the wait: until a time on the monotonic clock, in
 * nanoseconds. Returns 0 or ETIMEDOUT. That clock is one that nobody sets: were the host's put back by an
 * hour, a wait that goes by it would take that hour too.
 */
void thread_cond_init(pthread_cond_t *cond);
int thread_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t time_ns);

/* Now, on that clock. */
uint64_t thread_now_ns(void);

/*
 * Start the device thread and wait until it has started the renderer. On an error the thread is gone
 * again and gpu->start_message may say why.
 */
int thread_start(struct venus_gpu *gpu);

/* Have it destroy all that the guest created, stop the renderer, and wait for its end. */
void thread_stop(struct venus_gpu *gpu);

#endif
