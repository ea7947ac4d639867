/* SPDX-License-Identifier: MIT */
/* Fences on the rings of contexts: what makes a response wait for the renderer. */
#ifndef FENCE_H
#define FENCE_H

#include <stdbool.h>
#include <stdint.h>

struct bell;
struct command;
struct fences;
struct services;

/* The fences of a device. NULL if there is no memory. */
struct fences *fences_create(struct services *services, struct bell *bell);
void fences_destroy(struct fences *fences); /* takes NULL; all were signalled or forgotten */

/*
 * Make the command's response wait for its context's ring, and store the fence's number, by which it can be
 * asked for; 0: there was no memory for it, and nothing waits. A negative errno value: the context takes no
 * fences, since what its header names is good, and is lost; the fence is to signal with it. Device thread.
 */
int fence_create(struct fences *fences, struct command *cmd, uint64_t *id);

/*
 * Whether a context still takes fences: one that nobody waits for is made. Not while the one that was
 * made before, *last, is pending: a process that hangs would not read them, and sending would block
 * one day. Device thread.
 */
bool fence_can_be_made(struct fences *fences, uint32_t context_id, uint64_t *last);

/* Make one in any case, and remember it in *last: it signals once the context's process has read all that it was
 * sent before. Where there is no memory for it, it has signalled. False: the context has failed. Device thread. */
bool fence_ask(struct fences *fences, uint32_t context_id, uint64_t *last);

/* Whether a fence has not signalled yet. fence_is_pending_locked() is called with the services' lock held. */
/* Whether any is. */
bool fences_are_pending(struct fences *fences);
bool fence_is_pending(struct fences *fences, uint64_t id);
bool fence_is_pending_locked(struct fences *fences, uint64_t id);

/* Have each fence that signals ring the bell, or stop that. With the lock held. */
void fences_ring_locked(struct fences *fences, bool ring);
/* Whether a fence has rung the bell since the last call. With the lock held. */
bool fences_have_rung_locked(struct fences *fences);

/* The renderer's event: respond to the command that waits for it. Any thread. */
void fence_signal(void *fences, uint64_t fence_id);

/* Signal every fence of a context that will not be heard of again. Device thread. */
void fence_signal_context(struct fences *fences, uint32_t context_id);

/* Forget all fences, without responding. With the lock held. */
void fence_forget_all_locked(struct fences *fences);

#endif
