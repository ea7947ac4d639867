/* SPDX-License-Identifier: MIT */
/* Presenting scanouts with the host's Vulkan: what the rest of the library sees of it. */
#ifndef PRESENT_H
#define PRESENT_H

#include <stdbool.h>

#include "present/presenter.h"
#include "venus-gpu.h"

struct present;
struct services;
struct shared_vulkan;

/* What presenting asks of those above. */
struct present_callbacks {
    /* What the scanout shows at the moment, or NULL, and its pointer. With the services' lock held. */
    struct venus_gpu_frame *(*shown_locked)(void *opaque, unsigned scanout,
                                            const struct venus_gpu_cursor **cursor);
    struct presenter_owner owner;
    void *opaque;
};

/* shared: the Vulkan to present with, which stays for as long as this. NULL if there is no memory. */
struct present *present_create(struct services *services, struct shared_vulkan *shared,
                               const struct present_callbacks *callbacks);
void present_destroy(struct present *present); /* takes NULL; without presenters */

/* venus_gpu_present(); and take away all presenters. Front end. */
int present_set_target(struct present *present, unsigned scanout,
                       const struct venus_gpu_target *their_target);
void present_stop_all(struct present *present);

/* The scanout shows that frame from now on; NULL: nothing. Device thread. */
void present_show(struct present *present, unsigned scanout, struct venus_gpu_frame *frame);

/* Take over a flush of what the scanout shows. false: nobody presents it.
 * Device thread. */
bool present_flush(struct present *present, unsigned scanout, const struct venus_gpu_rect *rect,
                   struct venus_gpu_flush *flush);

/* The pointer of that scanout. Device thread. */
void present_pointer(struct present *present, unsigned scanout,
                     const struct venus_gpu_cursor *cursor);

/* Whether somebody presents it. Any thread. */
bool present_is_on(struct present *present, unsigned scanout);

/*
 * For tests: read back what an offscreen target shows, once all flushes so far were answered: width x
 * height pixels of 4 bytes, B8G8R8A8. Returns 0; -EAGAIN: nothing yet; -EINVAL: no such target, or
 * another size. Front end.
 */
int present_read(struct present *present, unsigned scanout, void *pixels, uint32_t width,
                 uint32_t height);

/* For tests: how long a presenter's thread is waited for; the Vulkan device. */
void present_set_patience(struct present *present, unsigned patience_ms);
struct shared_vulkan *present_shared_vulkan(struct present *present);

#endif
