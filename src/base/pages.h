/* SPDX-License-Identifier: MIT */
/* Pages of this process. */
#ifndef PAGES_H
#define PAGES_H

#include <stddef.h>
#include <stdint.h>

size_t page_size(void);

/* Round up to whole pages; 0 on overflow. */
uint64_t page_round(uint64_t size);

#endif
