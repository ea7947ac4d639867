/* SPDX-License-Identifier: MIT */
/* See ways.h. */
#include "base/ways.h"

#include <stdlib.h>

static bool is_set(const char *value)
{
    return value && *value;
}

bool ways_poll_fences(void)
{
    return is_set(getenv("VENUS_GPU_POLL_FENCES"));
}

bool ways_shm_only(void)
{
    return is_set(getenv("VENUS_GPU_SHM_ONLY"));
}

bool ways_window_regions(void)
{
    return is_set(getenv("VENUS_GPU_WINDOW_REGIONS"));
}
