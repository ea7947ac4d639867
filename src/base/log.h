/* SPDX-License-Identifier: MIT */
/* One line for the front end's log, where what a guest can provoke is held to a rate. */
#ifndef LOG_H
#define LOG_H

#include <pthread.h>
#include <stdint.h>

#include "venus-gpu.h"

/* Who writes lines that a guest can provoke; each is held to a rate of its own. */
enum log_source {
    LOG_ERRORS, /* the first three are the levels of that name */
    LOG_WARNINGS,
    LOG_GUEST,
    LOG_RENDERER, /* virglrenderer, the render server, Vulkan drivers: as warnings */
    LOG_SOURCES,
};

struct log {
    void (*write)(void *opaque, enum venus_gpu_log_level level, const char *message);
    void *opaque;

    pthread_mutex_t lock; /* guards what follows */
    struct log_rate {
        uint64_t paid_ns; /* until when what was written is paid for: each line costs some time */
        unsigned suppressed;
    } rate[LOG_SOURCES];
};

void log_init(struct log *log, const struct venus_gpu_ops *ops, void *opaque);
void log_finish(struct log *log);

/* Any thread. */
void log_line(struct log *log, enum venus_gpu_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A warning of the renderer's. Any thread. */
void log_renderer_line(struct log *log, const char *line);

#endif
