/* SPDX-License-Identifier: MIT */
/*
 * See threads.h.
 *
 * We start some threads ourselves, and virglrenderer starts others that we first see when they report a fence.
 * So what a thread is known by is a value of its own, which has a destructor: the system calls it as the
 * last thing on a thread that ends, also on one that we have not started.
 */
#include "base/threads.h"

#include <errno.h>

static void leave(void *value)
{
    const struct thread_note *note = value;
    const struct threads *threads = note->threads;
    if (threads->ops->thread_ends)
        threads->ops->thread_ends(threads->opaque, note->kind);
}

int threads_init(struct threads *threads, const struct venus_gpu_ops *ops, void *opaque)
{
    *threads = (struct threads){ .ops = ops, .opaque = opaque };
    for (unsigned kind = 0; kind <= VENUS_GPU_THREAD_RENDERER; kind++)
        threads->notes[kind] = (struct thread_note){ threads, (enum venus_gpu_thread)kind };
    if (!ops->thread_begins && !ops->thread_ends)
        return 0;
    threads->has_key = pthread_key_create(&threads->key, leave) == 0;
    return threads->has_key ? 0 : -ENOMEM;
}

void threads_finish(struct threads *threads)
{
    if (threads->has_key)
        pthread_key_delete(threads->key);
    threads->has_key = false;
}

void threads_enter(struct threads *threads, enum venus_gpu_thread kind)
{
    if (!threads->has_key || pthread_getspecific(threads->key))
        return;
    /* Without memory for it the thread stays unknown, as there is no way to tell of its end. */
    if (pthread_setspecific(threads->key, &threads->notes[kind]) != 0)
        return;
    if (threads->ops->thread_begins)
        threads->ops->thread_begins(threads->opaque, kind);
}

void threads_leave(struct threads *threads)
{
    if (!threads->has_key)
        return;
    void *note = pthread_getspecific(threads->key);
    threads_forget(threads);
    if (note)
        leave(note);
}

void threads_forget(struct threads *threads)
{
    if (threads->has_key)
        pthread_setspecific(threads->key, NULL);
}
