/* SPDX-License-Identifier: MIT */
/* See present.h: presenters come and go, and get their work. */
#include "present.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../clock.h"
#include "../start-thread.h"
#include "presenter.h"

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

static void presenter_unref(struct presenter *presenter)
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
#ifdef __linux__
    int ret = pipe2(fds, O_CLOEXEC | O_NONBLOCK);
#else
    int ret = pipe(fds);
    for (int i = 0; i < 2 && ret == 0; i++) {
        fcntl(fds[i], F_SETFD, FD_CLOEXEC);
        fcntl(fds[i], F_SETFL, O_NONBLOCK);
    }
#endif
    if (ret < 0)
        fds[0] = fds[1] = -1;
    return ret;
}

static struct presenter *presenter_create(struct venus_gpu *gpu, unsigned scanout,
                                          const struct venus_gpu_target *target)
{
    struct presenter *presenter = calloc(1, sizeof(*presenter));
    if (!presenter)
        return NULL;
    presenter->gpu = gpu;
    presenter->scanout = scanout;
    presenter->hidden = true;
    atomic_init(&presenter->refs, 1);
    pthread_mutex_init(&presenter->lock, NULL);
    clock_cond_init(&presenter->idle);
    if (open_pipe(presenter->wake) < 0 || screen_init(&presenter->screen, gpu, target) < 0) {
        presenter_unref(presenter);
        return NULL;
    }
    return presenter;
}

/* The presenter of a scanout, with a reference, or NULL. */
static struct presenter *presenter_of(struct venus_gpu *gpu, unsigned scanout)
{
    pthread_mutex_lock(&gpu->services.lock);
    struct presenter *presenter = gpu->present.presenters[scanout];
    if (presenter)
        atomic_fetch_add_explicit(&presenter->refs, 1, memory_order_relaxed);
    pthread_mutex_unlock(&gpu->services.lock);
    return presenter;
}

/*
 * A thread that waits for a GPU comes back after ten seconds at most, and goes. One that does not is in a
 * driver that never will; after the first one there is less to be hoped of others.
 */
enum { PATIENCE_MS = 30000, LITTLE_PATIENCE_MS = 1000 };

/* Wait for the thread to be done; not while it is in a driver only. Returns whether it is. */
static bool wait_until_done_locked(struct presenter *presenter)
{
    uint64_t patience_ns = presenter->gpu->present.patience_ms * UINT64_C(1000000);
    uint64_t deadline_ns = clock_now_ns() + patience_ns;
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

/* The thread is on its own from now on, with a reference to the presenter and one to the device. */
static void abandon_locked(struct presenter *presenter)
{
    presenter->abandoned = true;
    if (presenter->opened)
        vulkan_set_hangs(presenter->opened);
    atomic_fetch_add_explicit(&presenter->refs, 1, memory_order_relaxed);
    device_ref(presenter->gpu);
    presenter->gpu->present.patience_ms = LITTLE_PATIENCE_MS;
}

/* Have the thread end, and give up the caller's reference. */
static void stop(struct presenter *presenter)
{
    pthread_mutex_lock(&presenter->lock);
    presenter->stopping = true;
    wake_locked(presenter);
    bool done = wait_until_done_locked(presenter);
    if (!done)
        abandon_locked(presenter);
    pthread_mutex_unlock(&presenter->lock);
    if (done) {
        pthread_join(presenter->thread, NULL);
    } else {
        pthread_detach(presenter->thread);
        presenter_answer_painting(presenter);
        presenter_drop_queue(presenter);
        log_line(&presenter->gpu->services.log, VENUS_GPU_LOG_ERROR,
                 "output %u: the Vulkan driver does not come back, so its thread is left behind",
                 presenter->scanout);
    }
    presenter_unref(presenter);
}

static void *run(void *opaque)
{
    struct presenter *presenter = opaque;
    presenter_run(presenter);
    pthread_mutex_lock(&presenter->lock);
    presenter->done = true;
    bool abandoned = presenter->abandoned;
    pthread_cond_broadcast(&presenter->idle);
    pthread_mutex_unlock(&presenter->lock);
    if (abandoned) {
        struct venus_gpu *gpu = presenter->gpu;
        presenter_unref(presenter);
        device_unref(gpu);
    }
    return NULL;
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

int venus_gpu_present(struct venus_gpu *gpu, unsigned scanout,
                      const struct venus_gpu_target *target)
{
    if (scanout >= gpu->services.config.num_outputs)
        return -EINVAL;
    struct presenter *presenter = NULL;
    if (target) {
        int ret = screen_check_target(target);
        if (ret < 0)
            return ret;
        presenter = presenter_create(gpu, scanout, target);
        if (!presenter)
            return -ENOMEM;
    }

    /* The former one first, since two cannot have one window. */
    pthread_mutex_lock(&gpu->services.lock);
    struct presenter *former = gpu->present.presenters[scanout];
    gpu->present.presenters[scanout] = NULL;
    pthread_mutex_unlock(&gpu->services.lock);
    if (former)
        stop(former);
    if (!presenter)
        return 0;

    int ret = start_thread(&presenter->thread, run, presenter);
    if (ret < 0) {
        presenter_unref(presenter);
        return ret;
    }
    /* What is shown already, pointer and all, will not be sent again. */
    pthread_mutex_lock(&gpu->services.lock);
    pthread_mutex_lock(&presenter->lock);
    show_locked(presenter, gpu->scanouts[scanout].frame);
    presenter->redraw = presenter->frame;
    if (gpu->scanouts[scanout].cursor.pixels)
        take_pointer_locked(presenter, &gpu->scanouts[scanout].cursor);
    wake_locked(presenter);
    pthread_mutex_unlock(&presenter->lock);
    gpu->present.presenters[scanout] = presenter;
    pthread_mutex_unlock(&gpu->services.lock);
    return 0;
}

void present_init(struct present *present)
{
    pthread_mutex_init(&present->lock, NULL);
    present->patience_ms = PATIENCE_MS;
}

void present_finish(struct venus_gpu *gpu)
{
    screen_vulkan_finish(gpu);
    pthread_mutex_destroy(&gpu->present.lock);
}

void present_stop_all(struct venus_gpu *gpu)
{
    for (unsigned i = 0; i < gpu->services.config.num_outputs; i++)
        venus_gpu_present(gpu, i, NULL);
}

void present_show(struct venus_gpu *gpu, unsigned scanout, struct venus_gpu_frame *frame)
{
    struct presenter *presenter = presenter_of(gpu, scanout);
    if (!presenter)
        return;
    pthread_mutex_lock(&presenter->lock);
    struct venus_gpu_frame *former = presenter->frame;
    show_locked(presenter, frame);
    wake_locked(presenter);
    pthread_mutex_unlock(&presenter->lock);
    venus_gpu_frame_unref(former);
    /* What waits there is of no more interest, and its memory may be wanted back. */
    if (!frame)
        presenter_drop_queue(presenter);
    presenter_unref(presenter);
}

bool present_is_on(struct venus_gpu *gpu, unsigned scanout)
{
    struct presenter *presenter = presenter_of(gpu, scanout);
    if (!presenter)
        return false;
    pthread_mutex_lock(&presenter->lock);
    bool is_on = !presenter->ended && !presenter->stopping;
    pthread_mutex_unlock(&presenter->lock);
    presenter_unref(presenter);
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
        presenter->gpu->services.config.present_mode == VENUS_GPU_PRESENT_FIFO ? FIFO_QUEUE : 1;
    struct job *last = presenter->queued ? &presenter->queue[presenter->queued - 1] : NULL;
    if (last && last->frame == frame) {
        rect_add(&last->damage, &damage); /* it shows both */
        SLIST_INSERT_HEAD(&last->flushes, flush, presented_link);
        return;
    }
    if (presenter->queued == max) {
        *dropped = *last;
        presenter->queued--;
    }
    struct job *job = &presenter->queue[presenter->queued++];
    *job = (struct job){
        .frame = venus_gpu_frame_ref(frame),
        .damage = damage,
        .time_ns = clock_now_ns(),
    };
    SLIST_INSERT_HEAD(&job->flushes, flush, presented_link);
}

bool present_flush(struct venus_gpu *gpu, unsigned scanout, const struct venus_gpu_rect *rect,
                   struct venus_gpu_flush *flush)
{
    struct presenter *presenter = presenter_of(gpu, scanout);
    if (!presenter)
        return false;
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
    presenter_unref(presenter);
    return taken;
}

void present_pointer(struct venus_gpu *gpu, unsigned scanout, const struct venus_gpu_cursor *cursor)
{
    struct presenter *presenter = presenter_of(gpu, scanout);
    if (!presenter)
        return;
    pthread_mutex_lock(&presenter->lock);
    take_pointer_locked(presenter, cursor);
    wake_locked(presenter);
    pthread_mutex_unlock(&presenter->lock);
    presenter_unref(presenter);
}

int present_read(struct venus_gpu *gpu, unsigned scanout, void *pixels, uint32_t width,
                 uint32_t height)
{
    struct presenter *presenter = presenter_of(gpu, scanout);
    if (!presenter)
        return -EINVAL;
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
    presenter_unref(presenter);
    return ret;
}
