/* SPDX-License-Identifier: MIT */
/*
 * What the process of a context was sent and has not read yet, as far as we know.
 *
 * It is asked by a fence on ring 0, which nobody else waits for and which signals when it has read all
 * that was sent before. Device thread.
 */
#ifndef INBOX_H
#define INBOX_H

#include <stdbool.h>
#include <stdint.h>

struct fences;

enum {
    /* What a message takes of a socket's buffer besides its bytes, and what is put into it: half of what
     * Linux gives one by default. */
    MESSAGE_COST = 1024,
    MOST_UNREAD = 96 << 10,
};

struct inbox {
    uint32_t context_id;
    uint64_t asked;                 /* the last fence that was made to ask it something, or 0 */
    uint32_t unread, unread_before; /* bytes that it was sent since that fence, and before it */
};

/* Bytes that it may not have read. */
uint32_t inbox_unread(const struct inbox *inbox, struct fences *fences);

/* It was sent a message of that size. false: the context takes nothing more. */
bool inbox_sent(struct inbox *inbox, struct fences *fences, uint32_t size);

/* It was sent a fence on ring 0 by somebody else. */
void inbox_asked(struct inbox *inbox, struct fences *fences, uint64_t fence_id);

/* It has answered something, and so read all. */
void inbox_answered(struct inbox *inbox);

/* Ask it to say when it has read all, if there is anything. false: the context takes nothing more. */
bool inbox_ask(struct inbox *inbox, struct fences *fences);

#endif
