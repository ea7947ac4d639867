/* SPDX-License-Identifier: MIT */
/*
 * An examination in a process of its own, with a bound: a driver that crashes, or never comes back, is a
 * finding and not the end of the doctor.
 */
#ifndef DOCTOR_BOUNDED_H
#define DOCTOR_BOUNDED_H

#include "report.h"

struct examination {
    const char *id; /* of the finding that says that it crashed or hung */
    const char *what; /* for a person: "asking the Vulkan drivers" */
    const char *remedy;
    unsigned seconds; /* the bound */
    void (*run)(void *arg);
};

/* Runs it, and puts what it finds into the report. All that it has started has ended then. */
void bounded_run(struct report *report, const struct examination *examination, void *arg);

/* In an examination: what it and its children have written to standard error so far. To be freed; may be NULL. */
char *bounded_errors(void);

/* A program's standard output, the first line or all of it, or NULL. To be freed. */
char *bounded_output(const char *const *argv);

#endif
