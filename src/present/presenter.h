/* SPDX-License-Identifier: MIT */
/*
 * A presenter: a thread that shows one scanout in one target, and those who give it work.
 *
 * The device thread puts flushed frames on a short queue; the presenter's thread takes them off, paints
 * and presents. Nothing waits for a display but this thread, and no flush waits for one without end:
 *
 *  - in mailbox and immediate mode the queue holds one frame, and a newer one takes its place;
 *  - in fifo mode it holds a few, and the newest one is replaced when it is full;
 *  - frames for a window that nobody can see are dropped, and so is one that found no image to be painted
 *    on within a tenth of a second. The window catches up when it can be seen again.
 *
 * And nobody waits for the thread without end. One that does not come back from its Vulkan driver is
 * abandoned: its flushes are answered, it calls the front end no more, and the device's memory stays until
 * it ends, if it ever does.
 *
 * A flush whose frame is dropped is answered then: nobody is going to read it. The frame shown last is
 * kept, to be painted again when the window or the pointer changes, until the scanout shows another.
 */
#ifndef PRESENT_PRESENTER_H
#define PRESENT_PRESENTER_H

#include <stdbool.h>

#include "venus-gpu.h"

struct presenter;
struct services;
struct shared_vulkan;

/* Whose a presenter is: it stays, with the services and the Vulkan device, while a thread that was left behind
 * may still come back. Any thread. */
struct presenter_owner {
    void (*keep)(void *opaque);
    void (*let_go)(void *opaque);
    void *opaque;
};

/* NULL if there is no memory. With one reference. Front end. */
struct presenter *presenter_create(struct services *services, struct shared_vulkan *shared,
                                   const struct presenter_owner *owner, unsigned scanout,
                                   const struct venus_gpu_target *target);
struct presenter *presenter_ref(struct presenter *presenter);
void presenter_unref(struct presenter *presenter); /* takes NULL */

/* Start its thread. Returns 0 or a negative errno value. Front end. */
int presenter_start(struct presenter *presenter);

/*
 * Have the thread end, and give up the caller's reference. Waits for that, but not longer than it takes the
 * front end to come back from a callback, or so many milliseconds. false: the thread was left behind, in its
 * driver. Front end.
 */
bool presenter_stop(struct presenter *presenter, unsigned patience_ms);

/* What is shown already when it comes, which will not be sent again: a frame, or NULL, and the pointer. With the
 * services' lock held. */
void presenter_begin_locked(struct presenter *presenter, struct venus_gpu_frame *frame,
                            const struct venus_gpu_cursor *cursor);

/* The scanout shows that frame from now on; NULL: nothing. Device thread. */
void presenter_show(struct presenter *presenter, struct venus_gpu_frame *frame);
/* Take over a flush. false: it shows nothing any more. Device thread. */
bool presenter_flush(struct presenter *presenter, const struct venus_gpu_rect *rect,
                     struct venus_gpu_flush *flush);
void presenter_set_pointer(struct presenter *presenter, const struct venus_gpu_cursor *cursor);

/* Whether it presents, and is not about to end. Any thread. */
bool presenter_is_on(struct presenter *presenter);

/* present_read(). */
int presenter_read(struct presenter *presenter, void *pixels, uint32_t width, uint32_t height);

#endif
