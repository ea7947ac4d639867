/* SPDX-License-Identifier: MIT */
/* See pages.h. */
#include "base/pages.h"

#include <unistd.h>

size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

uint64_t page_round(uint64_t size)
{
    uint64_t mask = page_size() - 1;
    return size > UINT64_MAX - mask ? 0 : (size + mask) & ~mask;
}
