/* SPDX-License-Identifier: MIT */
/*
 * A device is its parts. What is in a part only the file knows that it is named after; this is for those
 * who need several of them.
 *
 * All belong to the device thread, unless their headers say other. The device thread runs commands one after the
 * other (thread.c); handlers, one per command, live in the file of the noun they are about.
 */
#ifndef PARTS_H
#define PARTS_H

#include "base/bell.h"
#include "base/services.h"

struct venus_gpu {
    struct services services;
    struct bell bell;
    struct session *session;   /* the renderer */
    struct commands *commands; /* in flight */
    struct fences *fences;
    struct parking *parking;
    struct flushes *flushes;
    struct pins *pins;
    struct contexts *contexts;
    struct resources *resources;
    struct window *window;
    struct scanouts *scanouts;
    struct cursors *cursors;
    struct displays *displays;
    struct present *present;
    struct thread *thread; /* the device thread */
    struct life *life;     /* of all this (device.c) */
};

#endif
