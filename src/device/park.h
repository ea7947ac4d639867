/* SPDX-License-Identifier: MIT */
/*
 * Commands that wait for the process of a context, while those of other contexts go on.
 *
 * The renderer waits for such a process where the process has to answer, or does not read what it is sent. A
 * guest can make it hang, or just keep it busy. So the process is asked first, by a fence that nobody
 * else waits for, whether it has read what was sent before (inbox.h). If a context takes its time, its commands
 * are parked. Later commands about the same resources are parked behind them, and the order is kept.
 */
#ifndef PARK_H
#define PARK_H

#include <stdbool.h>

struct command;
struct parking;
struct venus_gpu;

/* The parked commands of a device, and how to execute one. NULL if there is no memory. */
struct parking *parking_create(void (*execute)(struct venus_gpu *gpu, struct command *cmd));
void parking_destroy(struct parking *parking); /* takes NULL */

/* Whether a command whose header has been read has to wait. Then it is executed later. Device thread, as all
 * of this file. */
bool park(struct venus_gpu *gpu, struct command *cmd);

/* Execute what need not wait any longer, and give up contexts that have taken too long. */
void park_poll(struct venus_gpu *gpu);

/* Forget all, without executing it. With the services' lock held. */
void park_forget_locked(struct venus_gpu *gpu);

bool park_is_empty(const struct venus_gpu *gpu);

#endif
