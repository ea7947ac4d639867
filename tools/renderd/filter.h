/* SPDX-License-Identifier: MIT */
/* The system calls that a render server, and a driver in one, has a use for (calls.h). What else there is is denied. */
#ifndef FILTER_H
#define FILTER_H

#include <stdbool.h>

/*
 * From now on, in this process and those that it starts. Needs PR_SET_NO_NEW_PRIVS. 0, or a negative errno value. *calls becomes
 * readable when a call waits to be denied, which this process must not make itself; it is close-on-exec. -1: the kernel denies them.
 */
int filter_install(int *calls);

/* Which calls somebody was told of. */
struct filter_said {
    bool calls[1024];
};

/* Deny a call that waits. Returns its name the first time, else NULL. */
const char *filter_deny(int calls, struct filter_said *said);

#endif
