/* SPDX-License-Identifier: MIT */
/* The socket that clients connect to: systemd's, or one of our own. */
#ifndef LISTENER_H
#define LISTENER_H

#include <sys/types.h>

/* What systemd handed over ($LISTEN_FDS), or -1. */
int listener_inherited(void);

/*
 * Make one at path, with that mode. A socket there that nobody listens on any more is replaced. Returns a descriptor, or a
 * negative errno value; -EADDRINUSE: somebody listens there.
 */
int listener_open(const char *path, mode_t mode);

#endif
