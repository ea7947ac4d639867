/* SPDX-License-Identifier: MIT */
/*
 * The device: what one virtio-gpu consists of, and who may touch which part of it.
 *
 * Everything belongs to the device thread unless it stands under a lock below or is constant after
 * creation. The device thread runs commands one after the other (thread.c); handlers, one per
 * command, live in the file of the noun they are about.
 */
#ifndef DEVICE_H
#define DEVICE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/queue.h>

#include "bell.h"
#include "command.h"
#include "edid.h"
#include "protocol.h"
#include "scanout.h"
#include "services.h"
#include "venus-gpu.h"
#include "window.h"

struct contexts;
struct fences;
struct parking;
struct pins;
struct present;
struct session;
struct thread;
struct resource;

/* One output as the guest is told of it. */
/*
 * How much the guest knows of a display event that it has not cleared. Linux asks for the outputs first and
 * clears the event after that: what changes in between would be lost on it.
 */
enum display_news {
    DISPLAY_NEWS_UNREAD, /* it has not asked for the outputs since */
    DISPLAY_NEWS_READ,
    DISPLAY_NEWS_LATE, /* it has, and they have changed again: needs another event once this is cleared */
};

struct output {
    struct venus_gpu_output info; /* info.name points to name, or is NULL */
    char name[EDID_NAME_MAX + 1];
};

struct venus_gpu {
    struct services services;
    struct bell bell;
    struct session *session;
    struct present *present;
    struct thread *thread;
    struct commands *commands;
    struct contexts *contexts;
    struct fences *fences;
    struct parking *parking;
    struct pins *pins;
    atomic_uint
        refs; /* the front end's, and one for each thread that never came back (present.c) */

    /* Constant after creation. */


    /* Under the services' lock. */
    LIST_HEAD(, venus_gpu_flush) flushes; /* not answered yet (frame.c) */
    LIST_HEAD(, window_region) regions;   /* not taken away yet (window.c) */
    struct output outputs[VENUS_GPU_MAX_SCANOUTS];
    uint32_t events_read; /* VIRTIO_GPU_EVENT_* not cleared by the guest yet */
    enum display_news display_news;

    /* The device thread's own. */
    struct resource *resources; /* by id */
    struct scanout scanouts[VENUS_GPU_MAX_SCANOUTS];
    struct window window;
};

/* As venus_gpu_create(), over that renderer. For tests; the public one uses virgl_renderer. */
struct venus_gpu *device_create(const struct venus_gpu_config *config,
                                const struct venus_gpu_ops *ops, void *opaque,
                                const struct renderer *renderer, char **error);

/* After venus_gpu_destroy() it is but memory, for a thread that may look at it. Any thread. */
void device_ref(struct venus_gpu *gpu);
void device_unref(struct venus_gpu *gpu);

#endif
