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
#include "present/present.h"
#include "protocol.h"
#include "scanout.h"
#include "services.h"
#include "venus-gpu.h"
#include "window.h"

struct context;
struct fences;
struct parking;
struct pins;
struct session;
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
    struct fences *fences;
    struct parking *parking;
    struct pins *pins;
    atomic_uint
        refs; /* the front end's, and one for each thread that never came back (present.c) */

    /* Constant after creation. */
    pthread_t thread;

    struct present present; /* says itself what is guarded by what */

    /* Under the services' lock. */
    pthread_cond_t idle;               /* others wait here for the device thread */
    bool started, resetting, stopping; /* requests to and answers of the device thread */
    int start_error;
    char *start_message;
    bool sleeping;                   /* the device thread waits for work */
    TAILQ_HEAD(, command) queued;    /* submitted, not executed yet */
    TAILQ_HEAD(, command) in_flight; /* submitted, not done yet: those above included */
    unsigned num_in_flight;
    TAILQ_HEAD(, command) ordered;   /* fences without a ring, in order (command.c) */
    TAILQ_HEAD(, command) answered;  /* executed, not done: the front end is to hear of them */
    unsigned num_answered;
    bool pipelined; /* since the last reset the guest sent a command while it waited for another */
    LIST_HEAD(, venus_gpu_flush) flushes; /* not answered yet (frame.c) */
    LIST_HEAD(, window_region) regions;   /* not taken away yet (window.c) */
    struct output outputs[VENUS_GPU_MAX_SCANOUTS];
    uint32_t events_read; /* VIRTIO_GPU_EVENT_* not cleared by the guest yet */
    enum display_news display_news;

    /* The device thread's own. */
    struct context *contexts;   /* by id */
    struct resource *resources; /* by id */
    struct scanout scanouts[VENUS_GPU_MAX_SCANOUTS];
    struct window window;
    void *scratch; /* for command streams, grows to what was needed */
    size_t scratch_size;
};

/* As venus_gpu_create(), over that renderer. For tests; the public one uses virgl_renderer. */
struct venus_gpu *device_create(const struct venus_gpu_config *config,
                                const struct venus_gpu_ops *ops, void *opaque,
                                const struct renderer *renderer, char **error);

/* After venus_gpu_destroy() it is but memory, for a thread that may look at it. Any thread. */
void device_ref(struct venus_gpu *gpu);
void device_unref(struct venus_gpu *gpu);

/* Destroy all that the guest created. Device thread. */
void device_clear(struct venus_gpu *gpu);

#endif
