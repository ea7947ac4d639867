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

/*
 * Have it do something while no command is in flight, and wait for it. Returns what that returns; -EAGAIN: there are
 * commands in flight. Front end.
 */
int thread_do(struct thread *thread, int (*job)(struct venus_gpu *gpu, void *opaque), void *opaque);

/* Destroy all that the guest created. Device thread. */
void thread_clear(struct venus_gpu *gpu);

/* Have it destroy all that the guest created, stop the renderer, and wait for its end. */
void thread_stop(struct thread *thread);

#endif
