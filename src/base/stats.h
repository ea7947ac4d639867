/* SPDX-License-Identifier: MIT */
/* The device's counters: written from any thread, read as a list of names and values. */
#ifndef STATS_H
#define STATS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/budget.h"

enum stat_id {
    STAT_COMMANDS,
    STAT_COMMAND_ERRORS,
    STAT_SUBMITS,
    STAT_SUBMIT_BYTES,
    STAT_CONTEXTS, /* this and some more are the budget's (stats_read) */
    STAT_CONTEXTS_CREATED,
    STAT_CONTEXTS_LOST,
    STAT_RESOURCES,
    STAT_RESOURCES_2D,
    STAT_BLOBS,
    STAT_BLOBS_CREATED,
    STAT_MEMORY_BYTES,
    STAT_BLOB_BYTES,
    STAT_ADDRESS_RANGES,
    STAT_ADDRESS_SPACE_BYTES,
    STAT_ATTACHMENTS,
    STAT_DESCRIPTORS,
    STAT_MAPPED,
    STAT_MAPPED_BYTES,
    STAT_MAPPED_BYTES_MOST,
    STAT_MAPPED_LARGEST,
    STAT_MAPS_FIXED,
    STAT_MAPS_ALIAS,
    STAT_MAPS_VULKAN,
    STAT_MAPS_REGION,
    STAT_MAPS_PADDED,
    STAT_FENCES,
    STAT_FENCES_PENDING,
    STAT_FLUSHES,
    STAT_PRESENT_FRAMES,
    STAT_PRESENT_DROPPED,
    STAT_PRESENT_REDRAWS,
    STAT_PRESENT_DMA_BUF,
    STAT_PRESENT_OPAQUE_FD,
    STAT_PRESENT_HOST_POINTER,
    STAT_PRESENT_STAGING,
    STAT_PRESENT_STAGING_BYTES,
    STAT_PRESENT_IMPORTS,
    STAT_PRESENT_GPU_COPIES,
    STAT_PRESENT_GPU_DRAWS,
    STAT_PRESENT_US_FIRST, /* the histogram of stats.c */
    STAT_PRESENT_US_LAST = STAT_PRESENT_US_FIRST + 13,
    STAT_GUEST_ALIASES,
    STAT_GUEST_COPIES,
    STAT_GUEST_COPY_BYTES,
    STAT_TRANSFERS,
    STAT_TRANSFER_BYTES,
    STAT_SHARES,
    STAT_SHARES_REFUSED,
    STAT_CURSOR_UPDATES,
    STAT_RESETS,
    STAT_COUNT,
};

struct stats {
    _Atomic uint64_t value[STAT_COUNT];
};

/* Counters say how much happened, not in which order: relaxed. */
static inline void stat_add(struct stats *stats, enum stat_id stat, uint64_t n)
{
    atomic_fetch_add_explicit(&stats->value[stat], n, memory_order_relaxed);
}

static inline void stat_sub(struct stats *stats, enum stat_id stat, uint64_t n)
{
    atomic_fetch_sub_explicit(&stats->value[stat], n, memory_order_relaxed);
}

/* For the largest value so far; only the device thread raises one. */
static inline void stat_raise(struct stats *stats, enum stat_id stat, uint64_t value)
{
    if (atomic_load_explicit(&stats->value[stat], memory_order_relaxed) < value)
        atomic_store_explicit(&stats->value[stat], value, memory_order_relaxed);
}

static inline uint64_t stat_get(const struct stats *stats, enum stat_id stat)
{
    return atomic_load_explicit(&stats->value[stat], memory_order_relaxed);
}

/* All of them, and those that the budget counts, as venus_gpu_stats_sized() has them. */
size_t stats_read(const struct stats *stats, const struct budget *budget,
                  struct venus_gpu_stat *list, size_t max, size_t stat_size);

/* A frame was on its way from flush to screen for so long. */
void stat_add_present_time(struct stats *stats, uint64_t ns);

#endif
