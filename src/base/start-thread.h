/* SPDX-License-Identifier: MIT */
/* How the library starts its threads: deaf to the monitor's signals. */
#ifndef START_THREAD_H
#define START_THREAD_H

#include <pthread.h>

/* As pthread_create(), but returns 0 or a negative errno value. */
int start_thread(pthread_t *thread, void *(*run)(void *), void *opaque);

#endif
