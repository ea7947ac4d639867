/* SPDX-License-Identifier: MIT */
/* The bytes of a renderer's blob as memory: placed where we like, or pinned. Device thread. */
#ifndef BLOB_MEMORY_H
#define BLOB_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

struct memory;
struct pins;
struct services;

/* By the best way; placed_in_vain: it could not be placed a moment ago, so pin it at once. NULL on failure. */
struct memory *blob_memory_create(struct services *services, struct pins *pins,
                                  uint32_t resource_id, uint64_t size, bool placed_in_vain);

/* By its descriptor alone, for a GPU to import. NULL on failure. */
struct memory *blob_memory_create_unmapped(struct services *services, uint32_t resource_id,
                                           uint64_t size);

#endif
