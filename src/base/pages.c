/* SPDX-License-Identifier: MIT */
/* See pages.h. */
#include "base/pages.h"

#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

/* The largest that Linux has on any processor, and so the largest that a guest's blob may be padded to (placement.c). */
enum { PAGE_MOST = 64 << 10 };

static uint64_t round_up(uint64_t size, uint64_t page)
{
    return size > UINT64_MAX - (page - 1) ? 0 : (size + page - 1) & ~(page - 1);
}

/* Read each time: it costs next to nothing, and tests change it. */
size_t page_size(void)
{
    const char *said = getenv("VENUS_GPU_PAGE_SIZE");
    char *end = NULL;
    size_t here = page_size_here(), size = said ? strtoul(said, &end, 10) : 0;
    bool is_one = size > here && size <= PAGE_MOST && !(size & (size - 1)) && end && !*end;
    return is_one ? size : here;
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
