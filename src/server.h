/* SPDX-License-Identifier: MIT */
/* Starts and ends a render server of the user's choice. */
#ifndef SERVER_H
#define SERVER_H

/*
 * Start the program at path as a render server. Returns a connected socket and its process id, or a
 * negative errno value.
 */
int server_start(const char *path, int *pid);

/* End it and wait for it. Takes 0. */
void server_stop(int pid);

#endif
