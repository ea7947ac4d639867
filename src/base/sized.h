/* SPDX-License-Identifier: MIT */
/* Structures of a caller's who may have been built for another release than this; see docs/abi.md. */
#ifndef SIZED_H
#define SIZED_H

#include <stddef.h>

#include "base/log.h"
#include "venus-gpu.h"

#define SIZE_UP_TO(type, member) (offsetof(type, member) + sizeof(((type *)NULL)->member))

/* What 0.1.0 had, unless a later one is named, up to its last member: no release had less. */
enum {
    CONFIG_SIZE_LEAST = SIZE_UP_TO(struct venus_gpu_config, vulkan_device),
    OPS_SIZE_LEAST = SIZE_UP_TO(struct venus_gpu_ops, window_refreshed),
    OUTPUT_SIZE_LEAST = SIZE_UP_TO(struct venus_gpu_output, fixed),
    REQUEST_SIZE_LEAST = SIZE_UP_TO(struct venus_gpu_request, tag),
    CONTEXT_SIZE_LEAST = SIZE_UP_TO(struct venus_gpu_context, process_bytes), /* of 0.2.0 */
    STAT_SIZE_LEAST = SIZE_UP_TO(struct venus_gpu_stat, value),
    TARGET_SIZE_LEAST = SIZE_UP_TO(struct venus_gpu_target, only_gpu),
};

/* No release will have more, so that a size that was never set is not taken for one. */
enum { SIZE_MOST = 4096 };

/*
 * Make ours of theirs. What theirs lacks becomes 0; what it has beyond ours must be 0 already, and nothing
 * beyond its size is read. Returns 0; -EINVAL: no release has a structure of that size; -E2BIG: a newer one
 * has, and something is set that we do not know. On an error nothing is written.
 */
int sized_take(void *ours, size_t our_size, size_t least, const void *theirs, size_t their_size);

/* What to say of such an error; name: of the structure. To be freed, or NULL without memory. */
char *sized_mistake(int error, const char *name, size_t their_size);

/* The same, as a line in the log. Returns the error. */
int sized_log(struct log *log, int error, const char *name, size_t their_size);

/* Fill in a structure of theirs with so much of ours as it has room for, and with zeros from there on. */
void sized_give(void *theirs, size_t their_size, const void *ours, size_t our_size);

#endif
