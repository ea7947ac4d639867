/* SPDX-License-Identifier: MIT */
/* The guest pages behind a resource: a list of memory entries, mapped. */
#ifndef BACKING_H
#define BACKING_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "command/command.h"

struct bell;
struct run;
struct stream;

struct backing {
    struct iovec *iov; /* in the order of the guest's entries, neighbours merged */
    unsigned num_iov;
    uint64_t size;    /* bytes in all */
    struct run *runs; /* where the guest has them, translated, for another device that is to map them */
    unsigned num_runs;
    size_t accounted; /* bytes of the lists themselves, against max_memory */
};

/*
 * Map the nr_entries struct virtio_gpu_mem_entry that stand at offset in the command. Waits for the front end
 * where that translates their addresses, unless the bell is urgent. Returns NULL
 * with *error set and logged. Device thread.
 */
struct backing *backing_create(struct services *services, struct bell *bell, struct command *cmd,
                               size_t offset, uint32_t nr_entries,
                               enum virtio_gpu_ctrl_type *error);
void backing_destroy(struct services *services, struct backing *backing);

/* Save a backing; or load one, where there is none yet: NULL with the stream's error set. Device thread. */
struct backing *backing_stream(struct services *services, struct backing *backing,
                               struct stream *stream);

/* A place in a backing, so that rows can be read one after the other without searching again. */
struct backing_cursor {
    const struct backing *backing;
    unsigned index;    /* of the iovec */
    uint64_t position; /* of its first byte in the backing */
};

/* Copy size bytes at offset, which must lie within the backing. Fastest with rising offsets. */
void backing_read(struct backing_cursor *cursor, uint64_t offset, void *data, size_t size);

#endif
