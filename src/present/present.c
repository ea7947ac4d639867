/* SPDX-License-Identifier: MIT */
/* See present.h: presenters come and go, and get their work. */
#include "present/present.h"

#include <errno.h>
#include <stdlib.h>

#include "base/services.h"
#include "base/sized.h"
#include "present/screen.h"
#include "vk/shared-vulkan.h"

/*
 * A thread that waits for a GPU comes back after ten seconds at most, and goes. One that does not is in a
 * driver that never will; after the first one there is less to be hoped of others.
 */
enum { PATIENCE_MS = 30000, LITTLE_PATIENCE_MS = 1000 };

struct present {
    struct services *services;
    struct present_callbacks callbacks;
    struct shared_vulkan *shared;                         /* not ours */
    unsigned patience_ms;                                 /* the front end's */
    struct presenter *presenters[VENUS_GPU_MAX_SCANOUTS]; /* under the services' lock */
};

struct present *present_create(struct services *services, struct shared_vulkan *shared,
                               const struct present_callbacks *callbacks)
{
    struct present *present = calloc(1, sizeof(*present));
    if (!present)
        return NULL;
    present->services = services;
    present->callbacks = *callbacks;
    present->patience_ms = PATIENCE_MS;
    present->shared = shared;
    return present;
}

void present_destroy(struct present *present)
{
    free(present);
}

/* The presenter of a scanout, with a reference, or NULL. */
static struct presenter *presenter_of(struct present *present, unsigned scanout)
{
    pthread_mutex_lock(&present->services->lock);
    struct presenter *presenter = present->presenters[scanout];
    if (presenter)
        presenter_ref(presenter);
    pthread_mutex_unlock(&present->services->lock);
    return presenter;
}

/* Take the scanout's presenter away, if it has one. */
static void take_away(struct present *present, unsigned scanout)
{
    pthread_mutex_lock(&present->services->lock);
    struct presenter *presenter = present->presenters[scanout];
    present->presenters[scanout] = NULL;
    pthread_mutex_unlock(&present->services->lock);
    if (presenter && !presenter_stop(presenter, present->patience_ms))
        present->patience_ms = LITTLE_PATIENCE_MS;
}

/* Returns 0, or what venus_gpu_present() does for a target that cannot be. */
static int take_target(struct services *services, struct venus_gpu_target *target,
                       const struct venus_gpu_target *theirs)
{
    int ret = sized_take(target, sizeof(*target), TARGET_SIZE_LEAST, theirs, theirs->size);
    if (ret < 0)
        return sized_log(&services->log, ret, "venus_gpu_target", theirs->size);
    return screen_check_target(target);
}

int present_set_target(struct present *present, unsigned scanout,
                       const struct venus_gpu_target *their_target)
{
    struct services *services = present->services;
    if (scanout >= services->config.num_outputs)
        return -EINVAL;
    struct venus_gpu_target target;
    int ret = their_target ? take_target(services, &target, their_target) : 0;
    if (ret < 0)
        return ret;
    struct presenter *presenter = NULL;
    if (their_target) {
        presenter = presenter_create(services, present->shared, &present->callbacks.owner, scanout,
                                     &target);
        if (!presenter)
            return -ENOMEM;
    }

    /* Take the old presenter away first: two cannot have one window. */
    take_away(present, scanout);
    if (!presenter)
        return 0;
    ret = presenter_start(presenter);
    if (ret < 0) {
        presenter_unref(presenter);
        return ret;
    }
    pthread_mutex_lock(&services->lock);
    const struct venus_gpu_cursor *cursor;
    struct venus_gpu_frame *frame =
        present->callbacks.shown_locked(present->callbacks.opaque, scanout, &cursor);
    presenter_begin_locked(presenter, frame, cursor);
    present->presenters[scanout] = presenter;
    pthread_mutex_unlock(&services->lock);
    return 0;
}

void present_stop_all(struct present *present)
{
    for (unsigned i = 0; i < present->services->config.num_outputs; i++)
        take_away(present, i);
}

void present_show(struct present *present, unsigned scanout, struct venus_gpu_frame *frame)
{
    assert_device_thread(present->services);
    struct presenter *presenter = presenter_of(present, scanout);
    if (presenter)
        presenter_show(presenter, frame);
    presenter_unref(presenter);
}

bool present_is_on(struct present *present, unsigned scanout)
{
    struct presenter *presenter = presenter_of(present, scanout);
    bool is_on = presenter && presenter_is_on(presenter);
    presenter_unref(presenter);
    return is_on;
}

bool present_flush(struct present *present, unsigned scanout, const struct venus_gpu_rect *rect,
                   struct venus_gpu_flush *flush)
{
    assert_device_thread(present->services);
    struct presenter *presenter = presenter_of(present, scanout);
    bool taken = presenter && presenter_flush(presenter, rect, flush);
    presenter_unref(presenter);
    return taken;
}

void present_pointer(struct present *present, unsigned scanout,
                     const struct venus_gpu_cursor *cursor)
{
    assert_device_thread(present->services);
    struct presenter *presenter = presenter_of(present, scanout);
    if (presenter)
        presenter_set_pointer(presenter, cursor);
    presenter_unref(presenter);
}

int present_read(struct present *present, unsigned scanout, void *pixels, uint32_t width,
                 uint32_t height)
{
    struct presenter *presenter = presenter_of(present, scanout);
    int ret = presenter ? presenter_read(presenter, pixels, width, height) : -EINVAL;
    presenter_unref(presenter);
    return ret;
}

void present_set_patience(struct present *present, unsigned patience_ms)
{
    present->patience_ms = patience_ms;
}

struct shared_vulkan *present_shared_vulkan(struct present *present)
{
    return present->shared;
}
