/* SPDX-License-Identifier: MIT */
/* Messages for a person, of one or two lines, made like printf() does. */
#ifndef MESSAGE_H
#define MESSAGE_H

#include <stdbool.h>

/* To be freed by the caller; NULL if there is no memory. */
char *message(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Stores a message in *error and returns false, for functions that return whether they succeeded. */
bool refuse(char **error, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
