/* SPDX-License-Identifier: MIT */
/* What a render server can see and do: a process puts itself into a sandbox, and starts the server in there. */
#ifndef SANDBOX_H
#define SANDBOX_H

#include <sys/types.h>

struct settings;

/*
 * fork(), with namespaces for the child where they can be had: processes (it is the first one there, so that all others end
 * with it), network, IPC, host name, mounts, and as an ordinary user a user namespace, which allows the others.
 * *lacks is 0, or why they could not be had (errno).
 */
pid_t sandbox_fork(int *lacks);

/*
 * In the child: give up what a server does not need. Returns a message of one line where that fails and no server must
 * be started, to be freed. What else is missing is written to stderr. *calls is filter_install()'s.
 */
char *sandbox_enter(const struct settings *settings, int lacks, int *calls);

#endif
