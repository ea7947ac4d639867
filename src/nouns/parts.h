/* SPDX-License-Identifier: MIT */
/*
 * A device is its parts. Only the file that is named after a part knows what is in it. This header is for files
 * that need several parts.
 *
 * The parts belong to the device thread, unless their headers say otherwise. The device thread runs commands one
 * after the other (thread.c). Each command has a handler, in the file of the noun that it is about.
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
    struct ledger *ledger; /* what contexts hold */
    struct contexts *contexts;
    struct resources *resources;
    struct window *window;
    struct placer *placer; /* of blobs in the window, by Vulkan */
    struct scanouts *scanouts;
    struct cursors *cursors;
    struct displays *displays;
    struct shared_vulkan *vulkan; /* the host's, opened when it is needed */
    struct present *present;
    struct thread *thread; /* the device thread */
    struct life *life;     /* of all this (device.c) */
};

#endif
