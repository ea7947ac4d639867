/* SPDX-License-Identifier: MIT */
/*
 * A renderer in memory, for tests: no GPU, no processes, and everything can be made to fail.
 *
 * It is as strict as virglrenderer, and stricter: whatever the library must never do (map a mapped
 * blob, use what is gone, end the renderer while something lives) is *misuse*, remembered and
 * reported by fake_complaint(). Like virglrenderer it has one state per process, so a test that
 * starts begins with fake_reset().
 *
 * Functions may be called from any thread.
 */
#ifndef FAKE_RENDERER_H
#define FAKE_RENDERER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "renderer/renderer.h"

extern const struct renderer fake_renderer;

enum fake_call {
    FAKE_INIT,
    FAKE_FINI,
    FAKE_DEVICE_NAME,
    FAKE_LIMIT_MEMORY,
    FAKE_CAPSET_INFO,
    FAKE_CAPSET_FILL,
    FAKE_CONTEXT_CREATE,
    FAKE_CONTEXT_DESTROY,
    FAKE_SUBMIT,
    FAKE_FENCE,   /* on any ring but 0 */
    FAKE_FENCE_0, /* on ring 0 */
    FAKE_BLOB_CREATE,
    FAKE_IMPORT,
    FAKE_RESOURCE_UNREF,
    FAKE_ATTACH,
    FAKE_DETACH,
    FAKE_MAP,
    FAKE_UNMAP,
    FAKE_MAP_INFO,
    FAKE_EXPORT,
    FAKE_INTERRUPT, /* counted, no more */
    FAKE_CALLS,
};

/* What a call was about; fields that it does not have are 0. */
struct fake_record {
    enum fake_call call;
    uint32_t context_id, resource_id;
    uint32_t ring_idx;   /* FENCE */
    uint32_t mem, flags; /* BLOB_CREATE */
    uint64_t id;         /* BLOB_CREATE: the blob's; FENCE: the fence's */
    enum renderer_fd fd; /* IMPORT */
    uint64_t size;       /* bytes: BLOB_CREATE, IMPORT, SUBMIT, LIMIT_MEMORY, the name of CONTEXT_CREATE */
    unsigned num_iov;    /* BLOB_CREATE */
    char name[65];       /* CONTEXT_CREATE */
};

/* What the memory of a blob is like. */
enum fake_memory {
    FAKE_SHM,        /* a descriptor that can be mapped */
    FAKE_DMABUF,     /* likewise */
    FAKE_OPAQUE,     /* a descriptor of no use, but the renderer's mapping can be aliased */
    FAKE_PINNED,     /* nor that: there is the renderer's own mapping and nothing else */
    FAKE_UNSEALABLE, /* SHM whose file can be made shorter at any time */
    FAKE_SHORT,      /* SHM whose file is shorter than the blob */
    FAKE_HOLE,       /* OPAQUE with a mapping that claims more than is there */
    FAKE_SMALL,      /* OPAQUE whose mapping is shorter than the blob */
    FAKE_SMALL_PINNED, /* PINNED likewise */
    FAKE_LENT,       /* what fake_lend() gave */
};

/*
 * When fences signal. The library makes fences of its own on ring 0, now and then, to ask whether a
 * context is well. So they are told apart from others here: they always signal without being asked
 * for, and tests that count fences or hold them use other rings.
 */
enum fake_fences {
    FAKE_FENCES_AT_ONCE,  /* before fence() returns */
    FAKE_FENCES_SOON,     /* from a thread of the renderer */
    FAKE_FENCES_WHEN_SAID /* fake_signal() */
};

/* Forget everything, the settings below included. */
void fake_reset(void);

/* What was misused or has leaked, or NULL. Ends the test's last device first. */
const char *fake_complaint(void);

/* The memory of the blobs that are made from now on. */
void fake_set_memory(enum fake_memory memory);
/* By how many bytes those of them are shorter that are said to be; 0: by a page. */
void fake_set_missing(size_t size);
/* Have blob_create() fail for what is larger than the memory, as virglrenderer does for dma-bufs. */
void fake_refuse_larger(uint64_t size);
/* The next blobs are that memory, which stays the caller's: a descriptor of that type and a mapping. */
void fake_lend(enum renderer_fd type, int fd, void *ptr);
/* What first_device() answers from now on. */
void fake_set_device(const struct renderer_device *device);
/* The process that serves contexts which are created from now on; 0: this one. */
void fake_set_process(pid_t process);
/* A GPU hangs that uses some: they may live when the renderer ends. */
void fake_let_blobs_be_left(void);
/* What map_info answers from now on. */
void fake_set_map_info(uint32_t map_info);
void fake_set_fences(enum fake_fences fences);

/* Have the `after`th call from now (0: the next) and `times` in all of that kind fail. */
void fake_fail(enum fake_call call, int error, unsigned after, unsigned times);

/* This context's process reads nothing from now on, so that fences on its ring 0 do not signal; 0: all read. */
void fake_keep_busy(uint32_t context_id);

/* Have the next call of that kind hang until it is interrupted, and fail then. */
void fake_hang(enum fake_call call);

/* How often it was called since fake_reset(), and the newest record of it (zeroes if none). */
unsigned fake_count(enum fake_call call);
struct fake_record fake_last(enum fake_call call);

/* The first calls' kinds since the last fake_forget_calls(), as far as they fit. */
size_t fake_calls(enum fake_call *calls, size_t max);
void fake_forget_calls(void);

/* Copy the bytes of the newest submit. */
size_t fake_submitted(void *data, size_t max);

/* Signal the oldest fence of a ring that waits. Returns whether there was one. */
bool fake_signal(uint32_t context_id, uint32_t ring_idx);
/* Report a fence that the library does not know (any more). */
void fake_signal_id(uint64_t fence_id);

/* Write a line to the renderer's log. */
void fake_log(bool is_error, const char *line);

/* Make the file of a blob a page long, as a render server that means ill may. Returns whether it could. */
bool fake_cut(uint32_t resource_id);

/* The bytes of a blob, or of what was imported, as the GPU sees them; NULL if there is no such blob. */
void *fake_blob(uint32_t resource_id);
unsigned fake_blobs(void);
unsigned fake_contexts(void);
bool fake_attached(uint32_t context_id, uint32_t resource_id);

#endif
