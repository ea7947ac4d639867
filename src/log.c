/* SPDX-License-Identifier: MIT */
/* See log.h. */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

/*
 * A hostile guest can make a mistake, or use a broken host, once per command; a person needs to see the
 * first few of each level. What is only for information comes from ourselves.
 */
enum { LINES_PER_SECOND = 10 };

void log_init(struct log *log, const struct venus_gpu_ops *ops, void *opaque)
{
    *log = (struct log){ .write = ops->log, .opaque = opaque };
    pthread_mutex_init(&log->lock, NULL);
}

void log_finish(struct log *log)
{
    pthread_mutex_destroy(&log->lock);
}

/* Whether a line may be logged now; *suppressed: how many were not, before this one. */
static bool line_allowed(struct log *log, enum venus_gpu_log_level level, unsigned *suppressed)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);

    *suppressed = 0;
    pthread_mutex_lock(&log->lock);
    struct log_rate *rate = &log->rate[level];
    if (rate->second != (int64_t)now.tv_sec) {
        *suppressed = rate->suppressed;
        *rate = (struct log_rate){ .second = now.tv_sec };
    }
    bool allowed = rate->in_second < LINES_PER_SECOND;
    if (allowed)
        rate->in_second++;
    else
        rate->suppressed++;
    pthread_mutex_unlock(&log->lock);
    return allowed;
}

void log_line(struct log *log, enum venus_gpu_log_level level, const char *format, ...)
{
    if (!log->write)
        return;

    char line[512];
    unsigned suppressed = 0;
    if (level <= VENUS_GPU_LOG_GUEST && !line_allowed(log, level, &suppressed))
        return;
    if (suppressed) {
        snprintf(line, sizeof(line), "%u more lines like the next were not logged", suppressed);
        log->write(log->opaque, level, line);
    }

    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    log->write(log->opaque, level, line);
}
