/* SPDX-License-Identifier: MIT */
/* The process that keeps one render server for one client. */
#ifndef KEEPER_H
#define KEEPER_H

#include <sys/types.h>

#include "renderer/broker-wire.h"

struct settings;

/*
 * Start a keeper for a client. It serves the connection until either side is done, or until nobody has the other end of
 * leash open any more, and ends all that it started. Both descriptors stay the caller's. Returns its id, by which it leads a
 * process group, or a negative errno value.
 */
pid_t keeper_start(const struct settings *settings, int connection, int leash);

/* Tell a client that it gets no server. Never waits. */
void keeper_refuse(int connection, enum broker_status status, const char *text);

#endif
