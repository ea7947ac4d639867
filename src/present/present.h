/* SPDX-License-Identifier: MIT */
/*
 * Presenting scanouts with the host's Vulkan: what the rest of the library sees of it.
 *
 * A presenter is a thread that shows one scanout in one target. The device thread tells it which frame the
 * scanout shows, and hands it flushes; it answers them when the frame was read, or dropped.
 */
#ifndef PRESENT_H
#define PRESENT_H

#include <pthread.h>
#include <stdbool.h>

#include "venus-gpu.h"

struct presenter;
struct vulkan;

/* Part of the device. */
struct present {
    pthread_mutex_t
        lock; /* guards vulkan; held while that is opened. Never with the device's lock. */
    struct vulkan *vulkan; /* what presenters share, or NULL */
    /* Where Vulkan's functions come from, for tests; NULL: the system's loader. A
     * PFN_vkGetInstanceProcAddr. */
    void (*(*get_instance_proc_addr)(void *instance, const char *name))(void);
    unsigned
        patience_ms; /* the longest wait for a presenter's thread; the front end's, and tests' */
    struct presenter *presenters[VENUS_GPU_MAX_SCANOUTS]; /* under the device's lock */
};

void present_init(struct present *present);
/* After every presenter was taken away. */
void present_finish(struct venus_gpu *gpu);

/* Take away all presenters. Front end. */
void present_stop_all(struct venus_gpu *gpu);

/* The scanout shows that frame from now on; NULL: nothing. Device thread, as the next two. */
void present_show(struct venus_gpu *gpu, unsigned scanout, struct venus_gpu_frame *frame);

/* Whether somebody presents it. Any thread. */
bool present_is_on(struct venus_gpu *gpu, unsigned scanout);

/* Take over a flush of what the scanout shows. false: nobody presents it. */
bool present_flush(struct venus_gpu *gpu, unsigned scanout, const struct venus_gpu_rect *rect,
                   struct venus_gpu_flush *flush);

/* The pointer of that scanout. */
void present_pointer(struct venus_gpu *gpu, unsigned scanout,
                     const struct venus_gpu_cursor *cursor);

/*
 * For tests: read back what an offscreen target shows, once all flushes so far were answered: width x
 * height pixels of 4 bytes, B8G8R8A8. Returns 0; -EAGAIN: nothing yet; -EINVAL: no such target, or
 * another size. Front end.
 */
int present_read(struct venus_gpu *gpu, unsigned scanout, void *pixels, uint32_t width,
                 uint32_t height);

#endif
