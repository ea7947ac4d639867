/* SPDX-License-Identifier: MIT */
/* Ordinary shared memory as a dma-buf, so that a GPU can be given it. */
#ifndef UDMABUF_H
#define UDMABUF_H

#include <stdint.h>

/*
 * A dma-buf over the first size bytes, whole pages, of a memfd that is sealed against shrinking: a new
 * descriptor, or a negative errno value. -ENOENT or -EACCES: the host has no /dev/udmabuf for us.
 */
int udmabuf_create(int memfd, uint64_t size);

#endif
