/* SPDX-License-Identifier: MIT */
/* A venus-gpu-renderd of a test's own, and clients that speak to it without the library. A failure fails the test. */
#ifndef DAEMON_H
#define DAEMON_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* cmocka.h wants these to be included before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../cmocka-both.h"
#include "renderer/broker-wire.h"

/* How it is started. Where the tests run as root, servers are user nobody's. */
struct daemon_options {
    const char *server;    /* --render-server; NULL: the usual one */
    const char *more[4];   /* words for the command line, up to a NULL */
    const char *program;   /* another than the one that was built; NULL: that */
    bool is_ordinary;      /* as user nobody, where we are root */
    bool has_other_dev;    /* a /dev of the test's own, with a GPU's two nodes, as root */
    bool has_no_namespace; /* the kernel gives it none */
    bool by_systemd;       /* the socket is handed over, as systemd does */
};

struct daemon {
    pid_t pid;
    char folder[64];  /* anybody can look into it */
    char socket[100]; /* in there */
    char probe[100];  /* a copy of probe.c's program, which servers can see */
};

/* Setup and teardown of a test: *state is one whose folder is there, and that does not run. Teardown stops it. */
int daemon_setup(void **state);
int daemon_teardown(void **state);

/*
 * For the one that is started next: a Vulkan driver that is called as NVIDIA's is, and the object that keeps servers from
 * loading it too early; copies of both, in the environment of this process from now on.
 */
void daemon_add_driver(const struct daemon *daemon, const char *driver, const char *object);

void daemon_start(struct daemon *daemon, const struct daemon_options *options);
void daemon_stop(struct daemon *daemon);

/* Whether it has written that, within a while. */
bool daemon_logged(const struct daemon *daemon, const char *text);

/* The only child of a process, once it is there: daemon, keeper, server, process of a context. */
pid_t child_of(pid_t pid);

int client_connect(const struct daemon *daemon);
void client_say(int connection, uint32_t version, enum broker_what what, uint64_t bytes);
/* The answer, with its descriptors or -1. False: the connection is closed instead. */
bool client_hear(int connection, struct broker_reply *reply, int *fds);
/* All of that; an answer that is not BROKER_OK fails the test. Returns the connection. */
int client_start(const struct daemon *daemon, int *fds);
/* The same, and what that server prints, up to a text: lines, with an empty one before them. */
int client_read(const struct daemon *daemon, char *lines, size_t room, const char *until);
/* Until the other end is closed. */
void client_wait_for_end(int connection);

#endif
