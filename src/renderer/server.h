/* SPDX-License-Identifier: MIT */
/* Starts and ends the render server, whose processes serve the contexts. */
#ifndef SERVER_H
#define SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "renderer/late-driver.h"

/* One that we started. */
struct server {
    pid_t pid;       /* 0: there is none */
    bool is_a_group; /* it and the contexts' processes are a process group of their own */
    enum late_driver late;
};

/*
 * The program to start where none was asked for: $RENDER_SERVER_EXEC_PATH, or the one that comes with the
 * virglrenderer that this library was built with, or where distributions put it. NULL: it is nowhere.
 */
const char *server_find(void);

/*
 * Start the program at path as a render server. Returns a connected socket, and in *messages a pipe that
 * it and the contexts' processes write their messages to; both are the caller's to close. On an error
 * returns a negative errno value.
 */
int server_start(const char *path, struct server *server, int *messages);

/* What processes that it starts from now on may have of memory, in bytes, besides what they need to run. */
void server_limit_memory(const struct server *server, uint64_t bytes);

/* Whether it has ended, and by which signal; 0: none. */
bool server_has_ended(const struct server *server, int *signal);

/* End it and the contexts' processes, also those that hang. Never waits. Takes one that is not there. */
void server_kill(const struct server *server);

/* The same, and wait for its end, but not for ever. */
void server_stop(struct server *server);

#endif
