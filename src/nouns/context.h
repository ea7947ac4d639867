/* SPDX-License-Identifier: MIT */
/* Contexts: one per Vulkan instance in the guest, each with a process of the render server. */
#ifndef CONTEXT_H
#define CONTEXT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/table.h"
#include "command/inbox.h"

struct contexts;
struct resource;
struct stream;
struct venus_gpu;

/*
 * A resource that is attached to a context; on a list of either. A guest attaches it once for each handle
 * that its processes have of it, and detaches it as often.
 */
struct attachment {
    struct context *context;
    struct resource *resource;
    uint64_t count; /* attachments, less detachments; never 0 */
    LIST_ENTRY(attachment) in_context, in_resource;
};

struct context {
    uint32_t id;
    bool renders;   /* it has a process of the render server: it is Venus, and not lost */
    struct inbox inbox;
    struct account *account; /* what it holds (ledger.h) */

    /* It has taken long to read what it was sent, since when (park.c). */
    bool slow;
    uint64_t slow_since_ns;
    uint64_t waited_ns, waited_at_ns; /* how long others have waited for that, until when */

    unsigned places, old_places; /* of the control queue, when they were counted last (places.c) */

    LIST_HEAD(, attachment) attachments;
    UT_hash_handle hh;
};

/* The contexts of a device. NULL if there is no memory. */
struct contexts *contexts_create(void);
void contexts_destroy(struct contexts *contexts); /* takes NULL; all were destroyed */

/* NULL if there is none. Device thread, as all that follows. */
struct context *context_find(struct venus_gpu *gpu, uint32_t id);

/* The one after that, or the first after NULL; NULL: there is no other. */
struct context *context_next(struct venus_gpu *gpu, struct context *context);

/* Detach a resource from every context. */
void context_detach_everywhere(struct venus_gpu *gpu, struct resource *resource);

/* It was sent a message of that size: keep count. */
void context_sent(struct venus_gpu *gpu, struct context *context, uint32_t size);

/*
 * Whether it may have a blob of that size. If not, it is ended: Venus takes a blob that it asks for as given, and
 * would go on without it.
 */
bool context_may_hold(struct venus_gpu *gpu, struct context *context, uint64_t size);

/* End a context's process, whatever it does. Its fences signal, and what it is sent is refused. */
void context_end(struct venus_gpu *gpu, struct context *context);

/* The renderer takes nothing more for a context: it is lost. */
void context_failed(struct venus_gpu *gpu, struct context *context);

/* The renderer refused something, by the guest's fault or because the context is lost: find out. */
void context_check(struct venus_gpu *gpu, struct context *context);
void context_check_all(struct venus_gpu *gpu);

void context_destroy_all(struct venus_gpu *gpu);

/* Save all contexts, none of which renders, or load them; and the attachments of a resource, once they are there. */
void context_stream(struct venus_gpu *gpu, struct stream *stream);
void context_stream_attachments(struct venus_gpu *gpu, struct resource *resource,
                                struct stream *stream);

#endif
