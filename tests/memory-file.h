/* SPDX-License-Identifier: MIT */
/* A nameless file of memory that nobody has sealed, as a driver hands one over; elsewhere than on Linux, a nameless file. */
#ifndef MEMORY_FILE_H
#define MEMORY_FILE_H

#include <stdbool.h>
#include <sys/mman.h>

#include "platform/platform.h"

/* An empty one; a descriptor or -1. Not sealable: what has it can cut it, always. */
static inline int memory_file(bool sealable)
{
#ifdef MFD_CLOEXEC
    return memfd_create("test", MFD_CLOEXEC | (sealable ? MFD_ALLOW_SEALING : 0));
#else
    (void)sealable;
    return platform_shared_memory(0);
#endif
}

#endif
