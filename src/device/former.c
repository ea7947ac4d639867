/* SPDX-License-Identifier: MIT */
/*
 * Functions of 0.1.0 that its programs call still, though today's header has none of them.
 *
 * There the caller's structures had no size, or the library's own. Those of 0.1.0 are known: a program that
 * calls one of these was compiled for it. Today's header has inline functions of these names, so the ones
 * here have other names in C than in the library.
 */
#include <string.h>

#include "base/sized.h"
#include "venus-gpu.h"

#define TEXT_OF(word) #word
#define TEXT(word)    TEXT_OF(word)
#define FORMER(name)  __asm__(TEXT(__USER_LABEL_PREFIX__) #name)

void former_config_init(struct venus_gpu_config *config) FORMER(venus_gpu_config_init);
int former_submit(struct venus_gpu *gpu, enum venus_gpu_queue queue,
                  const struct venus_gpu_request *request) FORMER(venus_gpu_submit);
int former_set_output(struct venus_gpu *gpu, unsigned index, const struct venus_gpu_output *output)
    FORMER(venus_gpu_set_output);
size_t former_stats(const struct venus_gpu *gpu, struct venus_gpu_stat *stats, size_t max)
    FORMER(venus_gpu_stats);

void former_config_init(struct venus_gpu_config *config)
{
    memset(config, 0, CONFIG_SIZE_LEAST);
    config->size = CONFIG_SIZE_LEAST;
    config->num_outputs = 1;
    config->render_server_fd = -1;
}

int former_submit(struct venus_gpu *gpu, enum venus_gpu_queue queue,
                  const struct venus_gpu_request *request)
{
    return venus_gpu_submit_sized(gpu, queue, request, REQUEST_SIZE_LEAST);
}

int former_set_output(struct venus_gpu *gpu, unsigned index, const struct venus_gpu_output *output)
{
    return venus_gpu_set_output_sized(gpu, index, output, OUTPUT_SIZE_LEAST);
}

size_t former_stats(const struct venus_gpu *gpu, struct venus_gpu_stat *stats, size_t max)
{
    return venus_gpu_stats_sized(gpu, stats, max, STAT_SIZE_LEAST);
}
