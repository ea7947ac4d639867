/* SPDX-License-Identifier: MIT */
/* See message.h. */
#include "base/message.h"

#include <stdarg.h>
#include <stdio.h>

static char *format_message(const char *format, va_list args)
{
    char *text;
    return vasprintf(&text, format, args) < 0 ? NULL : text;
}

char *message(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = format_message(format, args);
    va_end(args);
    return text;
}

bool refuse(char **error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    *error = format_message(format, args);
    va_end(args);
    return false;
}
