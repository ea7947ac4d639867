/* SPDX-License-Identifier: MIT */
/* One line for the front end's log, where what a guest can provoke is held to a rate. */
#ifndef LOG_H
#define LOG_H

#include <pthread.h>
#include <stdint.h>

#include "venus-gpu.h"

struct log {
    void (*write)(void *opaque, enum venus_gpu_log_level level, const char *message);
    void *opaque;

    /* Guards what follows: how many lines of each level were logged in the current second. */
    pthread_mutex_t lock;
    struct log_rate {
        int64_t second;
        unsigned in_second;
        unsigned suppressed;
    } rate[VENUS_GPU_LOG_GUEST + 1];
};

void log_init(struct log *log, const struct venus_gpu_ops *ops, void *opaque);
void log_finish(struct log *log);

/* Any thread. */
void log_line(struct log *log, enum venus_gpu_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
