/* SPDX-License-Identifier: MIT */
/* Giving up, the clock, the options, the deadline and the samples: see common.h. */
#define _GNU_SOURCE
#include "common.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

_Noreturn void die(const char *format, ...)
{
    va_list args;

    fflush(stdout);
    fprintf(stderr, "%s: ", program_invocation_short_name);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

const char *option_text(int argc, char **argv, const char *name, const char *otherwise)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], name) == 0) {
            if (i + 1 == argc)
                die("%s wants a value after it", name);
            return argv[i + 1];
        }
    }
    return otherwise;
}

bool option_flag(int argc, char **argv, const char *name)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], name) == 0)
            return true;
    }
    return false;
}

long option(int argc, char **argv, const char *name, long otherwise)
{
    const char *text = option_text(argc, argv, name, NULL);
    char *end;

    if (!text)
        return otherwise;
    long value = strtol(text, &end, 0);
    if (*end || end == text)
        die("%s wants a number, not \"%s\"", name, text);
    return value;
}

struct deadline deadline_option(int argc, char **argv)
{
    long seconds = option(argc, argv, "--seconds", 0);

    if (seconds < 0)
        die("--seconds must not be negative");
    return (struct deadline){ now_ms(), (double)seconds * 1e3 };
}

bool deadline_passed(const struct deadline *d)
{
    return d->limit_ms > 0 && now_ms() - d->start_ms >= d->limit_ms;
}

void deadline_print(const struct deadline *d, const char *stopped)
{
    const char *quote = stopped ? "\"" : "";

    printf("\"stopped\": %s%s%s, \"seconds\": %.3f", quote, stopped ? stopped : "null", quote,
           (now_ms() - d->start_ms) / 1e3);
}

void samples_add(struct samples *s, double ms)
{
    if (s->count == s->capacity) {
        s->capacity = s->capacity ? 2 * s->capacity : 1024;
        s->ms = realloc(s->ms, s->capacity * sizeof *s->ms);
        if (!s->ms)
            die("no memory for %zu samples", s->capacity);
    }
    s->ms[s->count++] = ms;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

void samples_print(const struct samples *s, const char *name)
{
    const char *all = getenv("VENUS_SAMPLES");
    double sum = 0;

    if (!s->count) {
        printf("\"%s\": {\"count\": 0}", name);
        return;
    }
    double *sorted = malloc(s->count * sizeof *sorted);
    if (!sorted)
        die("no memory for %zu samples", s->count);
    memcpy(sorted, s->ms, s->count * sizeof *sorted);
    qsort(sorted, s->count, sizeof *sorted, by_value);
    for (size_t i = 0; i < s->count; i++)
        sum += sorted[i];
    size_t rank99 = (s->count * 99 + 99) / 100 - 1; /* nearest rank: the ceiling of 0.99 n, from 1 */
    double median = (sorted[(s->count - 1) / 2] + sorted[s->count / 2]) / 2;
    printf("\"%s\": {\"count\": %zu, \"median\": %.4f, \"p99\": %.4f, \"min\": %.4f, "
           "\"max\": %.4f, \"mean\": %.4f",
           name, s->count, median, sorted[rank99], sorted[0], sorted[s->count - 1],
           sum / (double)s->count);
    free(sorted);
    if (all && strcmp(all, "1") == 0) {
        for (size_t i = 0; i < s->count; i++)
            printf("%s%.4f", i ? ", " : ", \"values\": [", s->ms[i]);
        putchar(']');
    }
    putchar('}');
}

void samples_finish(struct samples *s)
{
    free(s->ms);
    *s = (struct samples){ 0 };
}
