/* SPDX-License-Identifier: MIT */
/*
 * Pages: those that the host is said to have, by which the window is shared out, and those that this process has.
 *
 * They are the same, unless VENUS_GPU_PAGE_SIZE says that the host's are larger, a power of two, so that what is particular to
 * hosts of such pages can be tested elsewhere. What the kernel does with a mapping is a matter of the process's.
 */
#ifndef PAGES_H
#define PAGES_H

#include <stddef.h>
#include <stdint.h>

size_t page_size(void);

/* Round up to whole pages; 0 on overflow. */
uint64_t page_round(uint64_t size);

/* The same of this process's pages. */
size_t page_size_here(void);
uint64_t page_round_here(uint64_t size);

#endif
