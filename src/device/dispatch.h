/* SPDX-License-Identifier: MIT */
/* Executes commands. */
#ifndef DISPATCH_H
#define DISPATCH_H

struct command;
struct venus_gpu;

/* Execute a command and respond, now or when what it waits for has happened; or have it parked (park.h) and
 * execute it then. Device thread. */
void dispatch(struct venus_gpu *gpu, struct command *cmd);

#endif
