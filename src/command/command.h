/* SPDX-License-Identifier: MIT */
/* A command on its way from a queue to its response. */
#ifndef COMMAND_H
#define COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#include "base/protocol.h"
#include "venus-gpu.h"

struct commands;
struct services;

struct command {
    struct commands *commands;
    enum venus_gpu_queue queue;
    struct venus_gpu_request request;
    size_t readable, writable; /* bytes in the request's iovecs */

    struct virtio_gpu_ctrl_hdr hdr;  /* native-endian copy; zero until executed */
    const struct command_type *type; /* its row of the table; NULL until executed */
    const char *name;                /* the command's name, for the log */
    uint32_t waits_for;              /* a context that it waits for, or 0, and since when (places.c) */
    uint64_t waits_since_ns;
    uint32_t parked_resource;        /* what it is about, while it is parked (park.c); 0: nothing */

    /*
     * The response, to be written when `waits` falls to 0: execution holds one, and every fence and
     * flush that the response waits for. Guarded by the services' lock.
     */
    unsigned waits;
    bool ordered;  /* on the device's list of that name */
    bool finished; /* all waits are over; ordered and not first: kept until it is */
    size_t response_size;
    union {
        struct virtio_gpu_ctrl_hdr hdr;
        struct virtio_gpu_resp_display_info display_info;
        struct virtio_gpu_resp_edid edid;
        struct virtio_gpu_resp_capset_info capset_info;
        struct virtio_gpu_resp_resource_uuid uuid;
        struct virtio_gpu_resp_map_info map_info;
    } response;
    void *payload; /* follows the response, malloc'ed, may be NULL */
    size_t payload_size;
    uint32_t written; /* of the response, to the request; valid once it was answered */

    TAILQ_ENTRY(command) queued_link, in_flight_link, ordered_link;
};

/* The commands of a device. NULL if there is no memory. */
struct commands *commands_create(struct services *services);
void commands_destroy(struct commands *commands); /* takes NULL; none is in flight any more */

/* A command to be submitted next. NULL if there is no memory. Any thread. */
struct command *command_create(struct commands *commands, enum venus_gpu_queue queue,
                               const struct venus_gpu_request *request);
/* From now on it is in flight, until it is done or forgotten. With the services' lock held. */
void command_submit_locked(struct command *cmd);

/* From now on it waits for that context, which may be blamed for it (places.c); 0: for none. Device thread. */
void command_waits_for(struct command *cmd, uint32_t context_id);

/* It has been executed: respond, when nothing is left to wait for. Device thread. */
void command_finish(struct command *cmd, enum virtio_gpu_ctrl_type result);

/* Whether it asks for a fence on a ring of its context. */
bool command_wants_ring_fence(const struct command *cmd);

/* The command is executed later. If it has a fence of the device's timeline, that fence comes before the fences of
 * commands that are executed from now on. */
void command_take_place(struct command *cmd);

/* Make the response wait for one thing more, or one less. The last one may free the command.
 * With the services' lock held. */
void command_hold(struct command *cmd);
void command_release(struct command *cmd);

/*
 * Tell the front end of all answers, in their order. Some answers wait for later ones (command.c); they must not
 * while the device thread waits for somebody. This and the functions up to commands_forget_locked() are called
 * with the services' lock held.
 */
void commands_deliver(struct commands *commands);

/* Whether some answers wait for others. */
bool commands_wait_for_company_locked(const struct commands *commands);

/* How many are in flight; and those of them that wait for a context: for which, and since when. */
unsigned commands_in_flight_locked(const struct commands *commands);
void commands_each_waiting_locked(const struct commands *commands,
                                  void (*visit)(void *opaque, uint32_t context_id,
                                                uint64_t since_ns),
                                  void *opaque);

/* Forget all, as nobody will hear of them. What they wait for has forgotten them. */
void commands_forget_locked(struct commands *commands);

/* Copy from the device-readable part. False if it is not that long. */
bool command_read(const struct command *cmd, size_t offset, void *data, size_t size);

/* Log a guest's mistake with the command's name. Returns type, so that a handler can return it. */
enum virtio_gpu_ctrl_type command_error(struct command *cmd, enum virtio_gpu_ctrl_type type,
                                        const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
