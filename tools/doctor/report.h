/* SPDX-License-Identifier: MIT */
/*
 * What the doctor found: a list of findings, each a tick, a warning or a cross, and of facts, which one
 * examination learns and another, or the command line at the end, needs.
 *
 * An examination runs in a process of its own (bounded.h) and says what it finds through report_finding() and
 * report_fact(), which write to a pipe; the doctor reads them with report_read_line().
 */
#ifndef DOCTOR_REPORT_H
#define DOCTOR_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum level {
    LEVEL_OK,
    LEVEL_WARNING, /* it works, but not as well as it could */
    LEVEL_ERROR,   /* it does not work */
};

struct finding {
    enum level level;
    char *id;      /* one of docs/doctor.md; stable */
    char *subject; /* which driver, device or program; "" where there is only one */
    char *reason;  /* what is so */
    char *remedy;  /* what to do; "" with LEVEL_OK */
};

struct fact {
    char *name, *value;
};

struct report {
    struct finding *findings;
    size_t num_findings;
    struct fact *facts;
    size_t num_facts;
};

/* In an examination: where the next two functions write. */
void report_to(int fd);

/* One finding; remedy: NULL or "" with LEVEL_OK. Control characters become spaces. */
void report_finding(enum level level, const char *id, const char *subject, const char *remedy,
                    const char *reason, ...) __attribute__((format(printf, 5, 6)));
void report_fact(const char *name, const char *value);

/* In the doctor: take over what an examination wrote, a line; or add a finding of the doctor's own. */
void report_read_line(struct report *report, char *line);
void report_add(struct report *report, enum level level, const char *id, const char *subject,
                const char *reason, const char *remedy);

/* Everything in it. */
void report_free(struct report *report);

/* The value of a fact, or NULL. */
const char *report_get_fact(const struct report *report, const char *name);

/* The worst level there is: also the exit status. */
enum level report_worst(const struct report *report);

/* For a person, with marks beyond ASCII or without; as JSON (docs/doctor.md). command: what to run. */
void report_print(const struct report *report, const char *command, bool utf8, FILE *file);
void report_print_json(const struct report *report, const char *command, FILE *file);

#endif
