/* SPDX-License-Identifier: MIT */
/*
 * Included before all else in the library's files, as they are compiled for the targets that step its threads: what they
 * ask of the C library they ask of steps.h and faults.h. The headers come first, so that these names are changed in
 * the library's own lines only. The renderer in memory has steps too, but what it needs it gets (WITHOUT_FAULTS).
 */
#ifndef REDIRECT_H
#define REDIRECT_H

#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "faults.h"
#include "steps.h"

static inline int faulty_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
                                        void *opaque)
{
    int error = faults_thread();
    return error ? error : steps_pthread_create(thread, attr, run, opaque);
}

#ifdef WITHOUT_FAULTS
#define pthread_create steps_pthread_create
#else
#define pthread_create faulty_pthread_create
#endif
#define pthread_join           steps_pthread_join
#define pthread_detach         steps_pthread_detach
#define pthread_mutex_lock     steps_pthread_mutex_lock
#define pthread_mutex_unlock   steps_pthread_mutex_unlock
#define pthread_cond_wait      steps_pthread_cond_wait
#define pthread_cond_timedwait steps_pthread_cond_timedwait
#define pthread_cond_signal    steps_pthread_cond_signal
#define pthread_cond_broadcast steps_pthread_cond_broadcast
#define poll                   steps_poll
#define nanosleep              steps_nanosleep
#define clock_gettime          steps_clock_gettime

#ifndef WITHOUT_FAULTS
#undef strdup
#define malloc       faults_malloc
#define calloc       faults_calloc
#define realloc      faults_realloc
#define strdup       faults_strdup
#define vasprintf    faults_vasprintf
#define mmap         faults_mmap
#define mremap       faults_mremap
#define mprotect     faults_mprotect
#define memfd_create faults_memfd_create
#define fcntl        faults_fcntl
#define pipe2        faults_pipe2
#define getentropy   faults_getentropy
#define dlopen       faults_dlopen
#define dlsym        faults_dlsym
#define dlclose      faults_dlclose
#endif

#endif
