/* SPDX-License-Identifier: MIT */
/* Pointers: one of each scanout. */
#ifndef CURSOR_H
#define CURSOR_H

#include "venus-gpu.h"

enum { CURSOR_SIZE = 64 }; /* of a pointer's image, in pixels each way */

struct cursors;
struct stream;
struct venus_gpu;

/* The pointers of a device. NULL if there is no memory. */
struct cursors *cursors_create(void);
void cursors_destroy(struct cursors *cursors); /* takes NULL */

/* The pointer as it is now, for whoever comes to show it. Any thread, with the services' lock held. */
const struct venus_gpu_cursor *cursor_now_locked(struct venus_gpu *gpu, unsigned scanout);

/* Hide them, and forget what the driver does: another one may come. Device thread. */
void cursor_forget_all(struct venus_gpu *gpu);

/* Save all pointers, or load them. Device thread. */
void cursor_stream(struct venus_gpu *gpu, struct stream *stream);

#endif
