/* SPDX-License-Identifier: MIT */
/* Starts and stops the device thread. */
#ifndef THREAD_H
#define THREAD_H

#include <pthread.h>
#include <stdint.h>

struct venus_gpu;

/*
 * Start the device thread and wait until it has started the renderer. On an error the thread is gone
 * again and gpu->start_message may say why.
 */
int thread_start(struct venus_gpu *gpu);

/* Have it destroy all that the guest created, stop the renderer, and wait for its end. */
void thread_stop(struct venus_gpu *gpu);

#endif
