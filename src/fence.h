/* SPDX-License-Identifier: MIT */
/* Fences on the rings of contexts: what makes a response wait for the renderer. */
#ifndef FENCE_H
#define FENCE_H

#include <stdbool.h>
#include <stdint.h>

struct command;
struct venus_gpu;

/*
 * Make the command's response wait for its context's ring, and store the fence's number, by which it can be
 * asked for; 0: there was no memory for it, and nothing waits. A negative errno value: the context takes no
 * fences, since what its header names is good, and is lost; the fence is to signal with it. Device thread.
 */
int fence_create(struct venus_gpu *gpu, struct command *cmd, uint64_t *id);

/*
 * Whether a context still takes fences: one that nobody waits for is made. Not while the one that was
 * made before, *last, is pending: a process that hangs would not read them, and sending would block
 * one day. Device thread.
 */
bool fence_can_be_made(struct venus_gpu *gpu, uint32_t context_id, uint64_t *last);

/* Make one in any case, and remember it in *last: it signals once the context's process has read all that it was
 * sent before. Where there is no memory for it, it has signalled. False: the context has failed. Device thread. */
bool fence_ask(struct venus_gpu *gpu, uint32_t context_id, uint64_t *last);

/* Whether such a fence has not signalled yet. The latter with the device's lock held. */
bool fence_is_pending(struct venus_gpu *gpu, uint64_t id);
bool fence_is_pending_locked(struct venus_gpu *gpu, uint64_t id);

/* The renderer's event: respond to the command that waits for it. Any thread. */
void fence_signal(void *gpu, uint64_t fence_id);

/* Signal every fence of a context that will not be heard of again. Device thread. */
void fence_signal_context(struct venus_gpu *gpu, uint32_t context_id);

/* Forget all fences, without responding. With the device's lock held. */
void fence_forget_all_locked(struct venus_gpu *gpu);

#endif
