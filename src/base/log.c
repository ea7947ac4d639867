/* SPDX-License-Identifier: MIT */
/* See log.h. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"

/*
 * A hostile guest can make a mistake, or lose a context, once per command, for days: a person needs to see the
 * first few of each kind, and the host's log must not fill up. What one who writes a driver for a guest
 * wants to see comes faster. What is only for information comes from ourselves.
 */
static const struct {
    unsigned burst;     /* lines at once */
    uint64_t period_ns; /* then one in that time */
} rates[LOG_SOURCES] = {
    [LOG_ERRORS] = { 20, UINT64_C(10000000000) },
    [LOG_WARNINGS] = { 20, UINT64_C(10000000000) },
    [LOG_GUEST] = { 10, UINT64_C(100000000) },
    [LOG_RENDERER] = { 20, UINT64_C(10000000000) },
};

_Static_assert((int)LOG_ERRORS == VENUS_GPU_LOG_ERROR &&
                   (int)LOG_WARNINGS == VENUS_GPU_LOG_WARNING &&
                   (int)LOG_GUEST == VENUS_GPU_LOG_GUEST,
               "levels are sources");

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
static bool line_allowed(struct log *log, enum log_source source, unsigned *suppressed)
{
    struct log_rate *rate = &log->rate[source];
    uint64_t now = clock_now_ns();

    pthread_mutex_lock(&log->lock);
    uint64_t paid = rate->paid_ns > now ? rate->paid_ns : now;
    bool allowed = paid - now <= (rates[source].burst - 1) * rates[source].period_ns;
    if (allowed) {
        rate->paid_ns = paid + rates[source].period_ns;
        *suppressed = rate->suppressed;
        rate->suppressed = 0;
    } else {
        rate->suppressed++;
    }
    pthread_mutex_unlock(&log->lock);
    return allowed;
}

/* The same, and say how many were not. */
static bool begin_line(struct log *log, enum log_source source, enum venus_gpu_log_level level)
{
    unsigned suppressed;
    if (!line_allowed(log, source, &suppressed))
        return false;
    if (suppressed) {
        char line[64];
        snprintf(line, sizeof(line), "%u more lines like the next were not logged", suppressed);
        log->write(log->opaque, level, line);
    }
    return true;
}

void log_line(struct log *log, enum venus_gpu_log_level level, const char *format, ...)
{
    if (!log->write ||
        (level <= VENUS_GPU_LOG_GUEST && !begin_line(log, (enum log_source)level, level)))
        return;

    char line[512];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    log->write(log->opaque, level, line);
}

void log_renderer_line(struct log *log, const char *line)
{
    if (log->write && begin_line(log, LOG_RENDERER, VENUS_GPU_LOG_WARNING))
        log->write(log->opaque, VENUS_GPU_LOG_WARNING, line);
}
