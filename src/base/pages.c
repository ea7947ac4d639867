/* SPDX-License-Identifier: MIT */
/* See pages.h. */
#include "base/pages.h"

#include <stdlib.h>
#include <unistd.h>

enum { PAGE_MOST = 1 << 20 };

static uint64_t round_up(uint64_t size, uint64_t page)
{
    return size > UINT64_MAX - (page - 1) ? 0 : (size + page - 1) & ~(page - 1);
}

/* Read each time: it costs next to nothing, and tests change it. */
size_t page_size(void)
{
    const char *said = getenv("VENUS_GPU_PAGE_SIZE");
    size_t here = page_size_here(), size = said ? strtoul(said, NULL, 10) : 0;
    return size > here && size <= PAGE_MOST && !(size & (size - 1)) ? size : here;
}

uint64_t page_round(uint64_t size)
{
    return round_up(size, page_size());
}

size_t page_size_here(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

uint64_t page_round_here(uint64_t size)
{
    return round_up(size, page_size_here());
}
