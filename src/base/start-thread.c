/* SPDX-License-Identifier: MIT */
/*
 * See start-thread.h.
 *
 * A signal to the monitor's process is for threads that expect it: its handler may take a lock that one of
 * ours holds, and a system call of the renderer's, or of a driver's, may not survive being interrupted.
 * Threads that these start from ours inherit the mask. Signals that tell of a thread's own fault stay: the
 * kernel ends a process that blocks them, and no crash handler or sanitizer would hear of it.
 */
#include "base/start-thread.h"

#include <signal.h>

static void all_but_faults(sigset_t *set)
{
    static const int faults[] = { SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP };
    sigfillset(set);
    for (unsigned i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
        sigdelset(set, faults[i]);
}

int start_thread(pthread_t *thread, void *(*run)(void *), void *opaque)
{
    sigset_t blocked, former;
    all_but_faults(&blocked);
    pthread_sigmask(SIG_BLOCK, &blocked, &former);
    int ret = pthread_create(thread, NULL, run, opaque);
    pthread_sigmask(SIG_SETMASK, &former, NULL);
    return -ret;
}
