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

/* Whether option `name` is there; it takes no value. */
bool option_flag(int argc, char **argv, const char *name);

/* The text after option `name`, or `otherwise`. */
const char *option_text(int argc, char **argv, const char *name, const char *otherwise);

/* How long a program may measure: option --seconds, 0 for no limit. It starts when it is made. */
struct deadline {
    double start_ms, limit_ms;
};

struct deadline deadline_option(int argc, char **argv);
bool deadline_passed(const struct deadline *d);

/*
 * Prints "stopped" and "seconds" for a JSON object: what the deadline cut short, or null, and how
 * long the program has measured.
 */
void deadline_print(const struct deadline *d, const char *stopped);

struct samples {
    double *ms;
    size_t count, capacity;
};

void samples_add(struct samples *s, double ms);

/*
 * Prints "name": {"count", "median", "p99", "min", "max", "mean"}, in milliseconds, with no comma
 * or newline around it. The 99th percentile is the nearest rank. With VENUS_SAMPLES=1 in the
 * environment also "values", all of them in the order in which they were taken: medians of several
 * runs cannot be put together, samples can.
 */
void samples_print(const struct samples *s, const char *name);
void samples_finish(struct samples *s);

#endif
