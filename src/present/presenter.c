/* SPDX-License-Identifier: MIT */
/* See presenter.h: the side of those who give it work. */
#include "present/presenter.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/start-thread.h"
#include "platform/platform.h"
#include "present/presenter-state.h"

static void wake_locked(struct presenter *presenter)
{
    if (presenter->awake)
        return;
    presenter->awake = true;
    ssize_t written;
    do {
        written = write(presenter->wake[1], "", 1);
    } while (written < 0 && errno == EINTR);
}

struct presenter *presenter_ref(struct presenter *presenter)
{
    atomic_fetch_add_explicit(&presenter->refs, 1, memory_order_relaxed);
    return presenter;
}

void presenter_unref(struct presenter *presenter)
{
    if (!presenter || atomic_fetch_sub_explicit(&presenter->refs, 1, memory_order_acq_rel) != 1)
        return;
    venus_gpu_frame_unref(presenter->frame);
    screen_finish(&presenter->screen);
    free(presenter->pointer_pixels);
    for (int i = 0; i < 2; i++) {
        if (presenter->wake[i] >= 0)
            close(presenter->wake[i]);
    }
    pthread_cond_destroy(&presenter->idle);
    pthread_mutex_destroy(&presenter->lock);
    free(presenter);
}

static int open_pipe(int fds[2])
{
    int ret = platform_pipe(fds);
    for (int i = 0; i < 2; i++) {
        if (ret < 0)
            fds[i] = -1;
        else
            fcntl(fds[i], F_SETFL, O_NONBLOCK);
    }
    return ret;
}

struct presenter *presenter_create(struct services *services, struct shared_vulkan *shared,
                                   const struct presenter_owner *owner, unsigned scanout,
                                   const struct venus_gpu_target *target)
{
    struct presenter *presenter = calloc(1, sizeof(*presenter));
    if (!presenter)
        return NULL;
    presenter->services = services;
    presenter->owner = *owner;
    presenter->scanout = scanout;
    presenter->hidden = true;
    atomic_init(&presenter->refs, 1);
    pthread_mutex_init(&presenter->lock, NULL);
    clock_cond_init(&presenter->idle);
    if (open_pipe(presenter->wake) < 0 ||
        screen_init(&presenter->screen, shared, services->config.present_mode, target) < 0) {
        presenter_unref(presenter);
        return NULL;
    }
    return presenter;
}

/* Wait for the thread to be done; not while it is in a driver only. Returns whether it is. */
static bool wait_until_done_locked(struct presenter *presenter, unsigned patience_ms)
{
    uint64_t deadline_ns = clock_now_ns() + patience_ms * UINT64_C(1000000);
    while (!presenter->done) {
        if (clock_now_ns() < deadline_ns)
            clock_wait_until(&presenter->idle, &presenter->lock, deadline_ns);
        else if (presenter->calling)
            pthread_cond_wait(&presenter->idle, &presenter->lock);
        else
            break;
    }
    return presenter->done;
}

/* The thread is on its own from now on, with a reference to the presenter and one to its owner. */
static void abandon_locked(struct presenter *presenter)
{
    presenter->abandoned = true;
    if (presenter->opened)
        vulkan_set_hangs(presenter->opened);
    presenter_ref(presenter);
    presenter->owner.keep(presenter->owner.opaque);
}

bool presenter_stop(struct presenter *presenter, unsigned patience_ms)
{
    pthread_mutex_lock(&presenter->lock);
    presenter->stopping = true;
    wake_locked(presenter);
    bool done = wait_until_done_locked(presenter, patience_ms);
    if (!done)
        abandon_locked(presenter);
    pthread_mutex_unlock(&presenter->lock);
    if (done) {
        pthread_join(presenter->thread, NULL);
    } else {
        pthread_detach(presenter->thread);
        presenter_answer_painting(presenter);
        presenter_drop_queue(presenter);
        log_line(&presenter->services->log, VENUS_GPU_LOG_ERROR,
                 "output %u: the Vulkan driver does not come back, so its thread is left behind",
                 presenter->scanout);
    }
    presenter_unref(presenter);
    return done;
}

static void *run(void *opaque)
{
    struct presenter *presenter = opaque;
    platform_name_thread("venus-present");
    presenter_run(presenter);
    pthread_mutex_lock(&presenter->lock);
    presenter->done = true;
    bool abandoned = presenter->abandoned;
    pthread_cond_broadcast(&presenter->idle);
    pthread_mutex_unlock(&presenter->lock);
    if (abandoned) {
        const struct presenter_owner owner = presenter->owner;
        presenter_unref(presenter);
        owner.let_go(owner.opaque);
    }
    return NULL;
}

int presenter_start(struct presenter *presenter)
{
    return start_thread(&presenter->thread, run, presenter);
}

static void show_locked(struct presenter *presenter, struct venus_gpu_frame *frame)
{
    presenter->frame = frame ? venus_gpu_frame_ref(frame) : NULL;
    presenter->frame_changed = true;
    presenter->whole = true;
}

static void take_pointer_locked(struct presenter *presenter, const struct venus_gpu_cursor *cursor)
{
    size_t size = (size_t)cursor->width * cursor->height * sizeof(*cursor->pixels);
    if (!presenter->screen.target.draw_cursor)
        return;
    if (cursor->image_changed) {
        free(presenter->pointer_pixels);
        presenter->pointer_pixels = cursor->pixels && size ? malloc(size) : NULL;
        presenter->pointer_width = cursor->width;
        presenter->pointer_height = cursor->height;
        presenter->hot_x = cursor->hot_x;
        presenter->hot_y = cursor->hot_y;
        if (presenter->pointer_pixels)
            memcpy(presenter->pointer_pixels, cursor->pixels, size);
    }
    presenter->pointer.visible = cursor->visible;
    presenter->pointer.x = (int32_t)(cursor->x - presenter->hot_x);
    presenter->pointer.y = (int32_t)(cursor->y - presenter->hot_y);
    presenter->pointer_changed = true;
}

void presenter_begin_locked(struct presenter *presenter, struct venus_gpu_frame *frame,
                            const struct venus_gpu_cursor *cursor)
{
    pthread_mutex_lock(&presenter->lock);
    show_locked(presenter, frame);
    presenter->redraw = frame;
    if (cursor->pixels)
        take_pointer_locked(presenter, cursor);
    wake_locked(presenter);
    pthread_mutex_unlock(&presenter->lock);
}

void presenter_show(struct presenter *presenter, struct venus_gpu_frame *frame)
{
    assert_device_thread(presenter->services);
    pthread_mutex_lock(&presenter->lock);
    struct venus_gpu_frame *former = presenter->frame;
    show_locked(presenter, frame);
    wake_locked(presenter);
    pthread_mutex_unlock(&presenter->lock);
    venus_gpu_frame_unref(former);
    /* What waits there is of no more interest, and its memory may be wanted back. */
    if (!frame)
        presenter_drop_queue(presenter);
}

bool presenter_is_on(struct presenter *presenter)
{
    pthread_mutex_lock(&presenter->lock);
    bool is_on = !presenter->ended && !presenter->stopping;
    pthread_mutex_unlock(&presenter->lock);
    return is_on;
}

/* Put the frame on the queue. *dropped becomes the one whose place it took, if any. */
static void enqueue_locked(struct presenter *presenter, const struct venus_gpu_rect *rect,
                           struct venus_gpu_flush *flush, struct job *dropped)
{
    struct venus_gpu_frame *frame = presenter->frame;
    struct venus_gpu_rect damage = *rect;
    if (presenter->whole)
        damage = (struct venus_gpu_rect){ .width = frame->width, .height = frame->height };
    presenter->whole = false;

    unsigned max =
        presenter->services->config.present_mode == VENUS_GPU_PRESENT_FIFO ? FIFO_QUEUE : 1;
    struct job *last = presenter->queued ? &presenter->queue[presenter->queued - 1] : NULL;
    if (last && last->frame == frame) {
        rect_add(&last->damage, &damage); /* it shows both */
        SLIST_INSERT_HEAD(&last->flushes, flush, presented_link);
        return;
    }
    if (presenter->queued == max)
        *dropped = presenter->queue[--presenter->queued];
    struct job *job = &presenter->queue[presenter->queued++];
    *job = (struct job){
        .frame = venus_gpu_frame_ref(frame),
        .damage = damage,
        .time_ns = clock_now_ns(),
    };
    SLIST_INSERT_HEAD(&job->flushes, flush, presented_link);
}

bool presenter_flush(struct presenter *presenter, const struct venus_gpu_rect *rect,
                     struct venus_gpu_flush *flush)
{
    assert_device_thread(presenter->services);
    struct job dropped = { .frame = NULL };
    pthread_mutex_lock(&presenter->lock);
    bool taken = !presenter->ended && !presenter->stopping && presenter->frame;
    if (taken) {
        enqueue_locked(presenter, rect, flush, &dropped);
        wake_locked(presenter);
    }
    pthread_mutex_unlock(&presenter->lock);
    if (dropped.frame)
        presenter_drop(presenter, &dropped);
    return taken;
}

void presenter_set_pointer(struct presenter *presenter, const struct venus_gpu_cursor *cursor)
{
    assert_device_thread(presenter->services);
    pthread_mutex_lock(&presenter->lock);
    take_pointer_locked(presenter, cursor);
    wake_locked(presenter);
    pthread_mutex_unlock(&presenter->lock);
}

int presenter_read(struct presenter *presenter, void *pixels, uint32_t width, uint32_t height)
{
    pthread_mutex_lock(&presenter->lock);
    int ret = -EINVAL;
    if (!presenter->ended) {
        presenter->read_pixels = pixels;
        presenter->read_width = width;
        presenter->read_height = height;
        wake_locked(presenter);
        while (presenter->read_pixels)
            pthread_cond_wait(&presenter->idle, &presenter->lock);
        ret = presenter->read_result;
    }
    pthread_mutex_unlock(&presenter->lock);
    return ret;
}
