/* SPDX-License-Identifier: MIT */
/*
 * The client of venus-gpu-renderd: a render server that a service starts for us, in a sandbox of its own, where this
 * process may start none. What is said is in broker-wire.h.
 */
#ifndef BROKER_H
#define BROKER_H

#include <stdint.h>

/* The path of the service's socket in the name of a render server, "unix:PATH"; NULL: it is a program. */
const char *broker_path(const char *server);

/* What is wrong with such a path, to be freed; NULL: nothing. */
char *broker_path_mistake(const char *path);

/*
 * Connect to the service. Returns a socket, the caller's to close, or a negative errno value, with a message in
 * *error. It waits for nobody but a service with a long queue, and not for long.
 */
int broker_connect(const char *path, char **error);

/*
 * Have a server started, once for a connection. Returns a connected socket, and in *messages a pipe that it writes its
 * messages to, both the caller's to close; or a negative errno value, with a message in *error. It waits for
 * BROKER_PATIENCE_MS at most, and no longer when somebody shuts the connection down (shutdown()).
 *
 * Shutting down or closing the connection kills the server and the contexts' processes. Neither waits.
 */
int broker_start_server(int connection, int *messages, char **error);

/* What processes that it starts from now on may have of memory, in bytes, besides what they need to run. */
void broker_limit_memory(int connection, uint64_t bytes);

#endif
