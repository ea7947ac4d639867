/* SPDX-License-Identifier: MIT */
/*
 * The guest programs of tests/renderer/venus.c, whose command streams a target may change on the way.
 *
 * They are included here, with what sends a stream replaced, and with assertions that end the program instead
 * of a test: after a stream was changed nothing is sure any more. All that they do is to be done within
 * `if (RECORDED_BEGINS())`, which is false the second time that it returns, when the program was ended.
 */
#ifndef RECORDED_H
#define RECORDED_H

#include <setjmp.h>

#include "../tests/renderer/venus.h"

/* What a stream becomes before it is sent. */
extern void (*recorded_change)(unsigned index, char *data, size_t *size, size_t room);

extern jmp_buf recorded_ends;
/* How many streams were sent so far. */
extern unsigned recorded_streams;

#define RECORDED_BEGINS() (setjmp(recorded_ends) == 0)

#endif
