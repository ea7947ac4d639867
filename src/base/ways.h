/* SPDX-License-Identifier: MIT */
/*
 * Ways that macOS forces upon the library, which the environment can force upon it anywhere, for tests. Pages of another
 * size are pages.h's. Any thread.
 */
#ifndef WAYS_H
#define WAYS_H

#include <stdbool.h>

/* VENUS_GPU_POLL_FENCES: nobody can wait for fences, they are asked for. */
bool ways_poll_fences(void);

/* VENUS_GPU_SHM_ONLY: there are no dma-bufs, nobody else can do anything with opaque descriptors, and no mapping can be had
 * at a second address. */
bool ways_shm_only(void);

/* VENUS_GPU_WINDOW_REGIONS: the hypervisor does not see it when pages are replaced (VENUS_GPU_WINDOW_REGIONS). */
bool ways_window_regions(void);

#endif
