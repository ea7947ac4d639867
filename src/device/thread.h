/* SPDX-License-Identifier: MIT */
/* Starts and stops the device thread. */
#ifndef THREAD_H
#define THREAD_H

struct thread;
struct venus_gpu;

/* NULL if there is no memory. */
struct thread *thread_create(struct venus_gpu *gpu);
void thread_destroy(struct thread *thread); /* takes NULL; it was stopped, or never started */

/*
 * Start the device thread and wait until it has started the renderer. On an error the thread is gone
 * again and *message may say why, to be freed.
 */
int thread_start(struct thread *thread, char **message);

/* Have it destroy all that the guest created, stop the renderer, and wait for its end. */
void thread_stop(struct thread *thread);

#endif
