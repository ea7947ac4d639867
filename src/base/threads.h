/* SPDX-License-Identifier: MIT */
/* Threads that make themselves known to the front end before they call it. */
#ifndef THREADS_H
#define THREADS_H

#include <pthread.h>

#include "venus-gpu.h"

struct threads;

struct thread_note {
    const struct threads *threads;
    enum venus_gpu_thread kind;
};

struct threads {
    const struct venus_gpu_ops *ops;
    void *opaque;
    pthread_key_t key; /* a thread's value: which of the notes it is known by; NULL: unknown */
    bool has_key;
    struct thread_note notes[VENUS_GPU_THREAD_RENDERER + 1];
};

/* ops is not copied. Returns 0 or -ENOMEM; to be finished in any case, when all known threads have left. */
int threads_init(struct threads *threads, const struct venus_gpu_ops *ops, void *opaque);
void threads_finish(struct threads *threads);

/* Make the calling thread known, if it is not. It leaves when it ends, unless it has left before. No lock held. */
void threads_enter(struct threads *threads, enum venus_gpu_thread kind);
void threads_leave(struct threads *threads);

/* The calling thread is known no longer, and the front end is not told. */
void threads_forget(struct threads *threads);

#endif
