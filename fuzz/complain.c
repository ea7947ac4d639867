/* SPDX-License-Identifier: MIT */
/* See complain.h. */
#include "complain.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void complain(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("complaint: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    abort();
}
