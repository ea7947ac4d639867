/* SPDX-License-Identifier: MIT */
/* The renderer, from its start to its end, and what was learnt of it. Device thread, unless a function says other. */
#ifndef SESSION_H
#define SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "renderer/renderer.h"

struct services;
struct session;

/* What the renderer tells, on a thread of its own. */
struct session_events {
    void (*fence)(void *opaque, uint64_t fence_id);
    void *opaque;
};

/*
 * Have the renderer watched (watchdog.h), and let services->renderer be that. Returns 0, -ENOMEM or -EAGAIN.
 * From here to session_close() the renderer belongs to the device thread. Then there is but what was learnt, until
 * session_destroy(), which takes NULL. Front end.
 */
int session_create(struct session **session, struct services *services,
                   const struct renderer *renderer, const struct session_events *events);
void session_close(struct session *session);
void session_destroy(struct session *session);

/* Start the renderer. On an error, *message says what to do, to be freed. */
int session_start(struct session *session, char **message);
void session_stop(struct session *session);

/* Whether fences have to be asked for (session_poll()): the system has nothing that could tell, or a person wants it so
 * (VENUS_GPU_POLL_FENCES). The answer stays. */
bool session_polls_fences(const struct session *session);
void session_poll(struct session *session);

/* Whether it could be started anew: not if the server was handed to us as a descriptor. */
bool session_can_be_renewed(const struct session *session);

/* What was learnt at the first start, and stays: the Vulkan device, the capability set. Any thread. */
const struct renderer_device *session_device(const struct session *session);
uint32_t session_capset_version(const struct session *session);
uint32_t session_capset_size(const struct session *session); /* bytes */

/* Ask for the capability set in all versions, once: there may be no renderer to ask later. */
void session_learn_capset(struct session *session);
/* 0 and that version of it; -ENOMEM; -ENOTCONN: there is no renderer to ask. */
int session_capset(struct session *session, uint32_t version, const void **capset);

#endif
