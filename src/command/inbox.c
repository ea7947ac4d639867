/* SPDX-License-Identifier: MIT */
/* See inbox.h. */
#include "command/inbox.h"

#include "command/fence.h"

uint32_t inbox_unread(const struct inbox *inbox, struct fences *fences)
{
    return inbox->unread + (fence_is_pending(fences, inbox->asked) ? inbox->unread_before : 0);
}

bool inbox_ask(struct inbox *inbox, struct fences *fences)
{
    if (!inbox->unread)
        return true;
    inbox->unread_before = inbox_unread(inbox, fences);
    inbox->unread = 0;
    return fence_ask(fences, inbox->context_id, &inbox->asked);
}

bool inbox_sent(struct inbox *inbox, struct fences *fences, uint32_t size)
{
    inbox->unread += MESSAGE_COST + size;
    /* In time, so that nobody has to wait for the answer. */
    if (inbox->unread <= MOST_UNREAD / 2 || fence_is_pending(fences, inbox->asked))
        return true;
    return inbox_ask(inbox, fences);
}

void inbox_asked(struct inbox *inbox, struct fences *fences, uint64_t fence_id)
{
    inbox->unread_before = inbox_unread(inbox, fences) + MESSAGE_COST;
    inbox->unread = 0;
    inbox->asked = fence_id;
}

void inbox_answered(struct inbox *inbox)
{
    inbox->unread = inbox->unread_before = 0;
}
