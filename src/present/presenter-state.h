/* SPDX-License-Identifier: MIT */
/* What a presenter's thread (presenter-thread.c) shares with those who give it work (presenter.c). */
#ifndef PRESENT_PRESENTER_STATE_H
#define PRESENT_PRESENTER_STATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/services.h"
#include "command/frame.h"
#include "present/presenter.h"
#include "present/screen.h"

/* Frames in fifo mode; a guest that wants more of them in flight has other problems. */
enum { FIFO_QUEUE = 3 };

/* Flushes that one painting answers. */
SLIST_HEAD(flushes, venus_gpu_flush);

struct job {
    struct venus_gpu_frame *frame; /* a reference of ours */
    struct venus_gpu_rect damage;
    struct flushes flushes;
    uint64_t time_ns; /* of its first flush */
};

struct presenter {
    struct services *services;
    struct presenter_owner owner;
    unsigned scanout;
    atomic_uint refs;
    pthread_t thread;
    int wake[2]; /* a pipe: something in it makes the thread look */

    /* Guards this block. Taken alone, or inside the device's lock. */
    pthread_mutex_t lock;
    pthread_cond_t idle; /* presenter_read() and whoever stops it wait here for the thread */
    bool stopping, ended, awake;
    struct venus_gpu_frame *frame; /* what the scanout shows; a reference of ours */
    bool frame_changed;            /* the thread has not seen it yet */
    bool whole;                    /* the next flush is the first of that frame */
    bool redraw;                   /* paint it without a flush */
    struct job queue[FIFO_QUEUE];
    unsigned queued;
    struct pointer pointer;
    bool pointer_changed;
    uint32_t *pointer_pixels; /* a new picture for the thread to take, or NULL */
    uint32_t pointer_width, pointer_height;
    uint32_t hot_x, hot_y;
    void *read_pixels; /* presenter_read() waits for its answer there */
    uint32_t read_width, read_height;
    int read_result;
    struct flushes painting; /* of the frame that is being painted: who takes them answers them */
    struct vulkan *opened;   /* the thread's device while it uses it, or NULL */
    bool calling;            /* the thread is inside a callback of the front end's */
    bool done;               /* it has nothing to do any more but to end */
    bool abandoned;          /* it did not end in time: there is no front end for it any more */

    /* The thread's own. */
    struct screen screen;
    struct venus_gpu_frame *shown; /* what is to be painted again when need be; a reference */
    bool hidden;                   /* the surface is */
    bool was_visible;
    bool redraw_wanted;
    uint64_t presented_ns; /* when a frame was presented last */
};

/* What the thread does, until it is to stop or its target is lost. */
void presenter_run(struct presenter *presenter);

/* Answer the flushes of the frame that is being painted, if nobody else has taken them. */
void presenter_answer_painting(struct presenter *presenter);

/* Nobody is going to see that frame: answer its flushes and forget it; the same for all that wait. Any
 * thread, without the presenter's lock. */
void presenter_drop(struct presenter *presenter, struct job *job);
void presenter_drop_queue(struct presenter *presenter);

#endif
