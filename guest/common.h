/* SPDX-License-Identifier: MIT */
/*
 * What every program here needs: a way to give up with a reason, a clock, a time to stop at, and
 * samples that turn into one JSON object.
 */
#ifndef GUEST_COMMON_H
#define GUEST_COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Prints "PROGRAM: the message" on stderr and exits with status 1. */
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Milliseconds on the monotonic clock. */
double now_ms(void);

/* The number after option `name` (as in --rounds 1000), or `otherwise`; dies if it is no number. */
long option(int argc, char **argv, const char *name, long otherwise);

/* The text after option `name`, or `otherwise`. */
const char *option_text(int argc, char **argv, const char *name, const char *otherwise);

/* How long a program may measure: option --seconds, 0 for no limit. It starts when it is made. */
struct deadline {
    double start_ms, limit_ms;
};

struct deadline deadline_option(int argc, char **argv);
bool deadline_passed(const struct deadline *d);

struct samples {
    double *ms;
    size_t count, capacity;
};

void samples_add(struct samples *s, double ms);

/*
 * Prints "name": {"count", "median", "p99", "min", "max", "mean"}, in milliseconds, with no comma
 * or newline around it. Sorts the samples. The 99th percentile is the nearest rank.
 */
void samples_print(struct samples *s, const char *name);
void samples_finish(struct samples *s);

#endif
