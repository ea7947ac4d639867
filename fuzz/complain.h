/* SPDX-License-Identifier: MIT */
/* How a target says that something is wrong. */
#ifndef COMPLAIN_H
#define COMPLAIN_H

/* Say what, and abort: libFuzzer takes that as a find. */
void complain(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

#endif
