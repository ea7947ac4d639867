/* SPDX-License-Identifier: MIT */
/*
 * For tests of what macOS has not: an alias of pages, a dma-buf, a blob that is placed and no region. Where all suites run in the
 * ways of macOS (make check-darwin-ways), these run in those of Linux, whose tests they are.
 */
#ifndef LINUX_WAYS_H
#define LINUX_WAYS_H

#include <stdio.h>
#include <stdlib.h>

static const char *const darwin_ways[] = { "VENUS_GPU_SHM_ONLY", "VENUS_GPU_WINDOW_REGIONS" };

static inline void move_way(const char *from, const char *to)
{
    const char *value = getenv(from);
    if (!value)
        return;
    setenv(to, value, 1);
    unsetenv(from);
}

static inline void linux_ways(void)
{
    for (unsigned i = 0; i < sizeof(darwin_ways) / sizeof(*darwin_ways); i++) {
        char aside[64];
        snprintf(aside, sizeof(aside), "LEFT_%s", darwin_ways[i]);
        move_way(darwin_ways[i], aside);
    }
}

/* Called when a test ends, whichever it was. */
static inline void usual_ways(void)
{
    for (unsigned i = 0; i < sizeof(darwin_ways) / sizeof(*darwin_ways); i++) {
        char aside[64];
        snprintf(aside, sizeof(aside), "LEFT_%s", darwin_ways[i]);
        move_way(aside, darwin_ways[i]);
    }
}

#endif
