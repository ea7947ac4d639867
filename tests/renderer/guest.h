/* SPDX-License-Identifier: MIT */
/*
 * A guest and its front end, for tests that drive the library through its public header.
 *
 * It has some memory of its own, sends commands and waits for their answers, and keeps what the
 * device showed and logged. A function here that cannot do its work fails the test that runs, so
 * callers check only what they test. Not for more than one thread.
 */
#ifndef GUEST_H
#define GUEST_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

/* cmocka.h wants these to be included before it. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "../cmocka-both.h"
#include "../linux-ways.h"
#include "base/protocol.h"
#include "venus-gpu.h"

enum {
    PAGE = TEST_PAGE, /* the host's, as meson's option says */
    GUEST_MEMORY_SIZE = 16 << 20,
    GUEST_WINDOW_SIZE = 1 << 30,
    GUEST_MAX_REGIONS = 256,
};

/* A command that was sent. Lives until guest_stop(), unless it was waited for. */
struct ticket {
    struct guest *guest;
    bool done;
    unsigned order;       /* 1: the first one of all to be answered */
    uint64_t answered_ns; /* on the monotonic clock */
    uint32_t written;
    struct iovec out[2], in;
    LIST_ENTRY(ticket) link;
};

struct guest {
    struct venus_gpu *gpu;
    char *window; /* the host-visible window */

    char *memory; /* what the guest has: its address 0 is memory[0] */
    uint64_t memory_used;
    uint32_t last_resource;
    uint64_t window_used;

    LIST_HEAD(, ticket) tickets;

    /* What the device's threads write. */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned answers;
    struct venus_gpu_frame *frames[VENUS_GPU_MAX_SCANOUTS]; /* references */
    unsigned flushes;
    bool hold_flushes; /* answer none, keep the last one in `flush` */
    struct venus_gpu_flush *flush;
    unsigned regions;                /* in the window now */
    struct venus_gpu_region *region; /* the last one */
    struct venus_gpu_region *region_list[GUEST_MAX_REGIONS];
    bool no_regions;                 /* refuse them */
    char log[1 << 16];               /* all lines, newest last */
    size_t log_size;

    /* Threads that called back: how many are known now and how often one was not; who was known at all. */
    int threads, strangers;
    unsigned threads_of[VENUS_GPU_THREAD_RENDERER + 1];
};

/* Setup and teardown of a test: *state is a guest with a default device, or without one. */
int guest_setup(void **state);
int guest_setup_by_linux_ways(void **state); /* see tests/linux-ways.h */
int guest_setup_without_device(void **state);
int guest_teardown(void **state);

/* The configuration of guest_setup(). */
void guest_config(struct venus_gpu_config *config);

/* Create the device; NULL: of the default configuration. Then destroy it with all that is left. */
void guest_start(struct guest *guest, const struct venus_gpu_config *config);
char *guest_try_start(struct guest *guest, const struct venus_gpu_config *config);
void guest_stop(struct guest *guest);

/* Reset the device. What was sent before is not to be waited for. */
void guest_reset(struct guest *guest);

/* Send a command of one or two parts, with room for an answer of that size. */
struct ticket *guest_send(struct guest *guest, const void *request, size_t request_size,
                          const void *more, size_t more_size, size_t answer_size);
/* Wait for the answer and return its type. With an answer_size, copies so much of it first. */
uint32_t guest_wait(struct ticket *ticket);
uint32_t guest_finish(struct ticket *ticket, void *answer, size_t answer_size);
/* Whether it is answered within that time. */
bool guest_wait_for(struct ticket *ticket, unsigned milliseconds);

/* The commands. Each waits for the answer and returns its type, unless it returns a ticket. */
uint32_t guest_context_create(struct guest *guest, uint32_t context);
uint32_t guest_context_destroy(struct guest *guest, uint32_t context);
uint32_t guest_attach(struct guest *guest, uint32_t context, uint32_t resource);
uint32_t guest_detach(struct guest *guest, uint32_t context, uint32_t resource);
uint32_t guest_submit(struct guest *guest, uint32_t context, const void *data, size_t size);
/* The same with a fence on a ring; size may be 0. */
struct ticket *guest_submit_fenced(struct guest *guest, uint32_t context, unsigned ring,
                                   const void *data, size_t size);

uint32_t guest_blob_create(struct guest *guest, uint32_t context, uint32_t resource, uint32_t mem,
                           uint64_t blob_id, uint64_t size,
                           const struct virtio_gpu_mem_entry *entries, unsigned num_entries);
/* A 2D resource, B8G8R8X8, that has all of the entry's memory behind it, and of it all: */
uint32_t guest_create_2d(struct guest *guest, uint32_t resource, uint32_t width, uint32_t height,
                         const struct virtio_gpu_mem_entry *entry);
uint32_t guest_transfer(struct guest *guest, uint32_t resource, uint32_t width, uint32_t height);
uint32_t guest_set_scanout(struct guest *guest, unsigned scanout, uint32_t resource, uint32_t width,
                           uint32_t height);
uint32_t guest_unref(struct guest *guest, uint32_t resource);
uint32_t guest_map(struct guest *guest, uint32_t resource, uint64_t offset);
uint32_t guest_unmap(struct guest *guest, uint32_t resource);

/* The blob's first bytes as rows of 32-bit pixels; resource 0: nothing. */
uint32_t guest_set_scanout_blob(struct guest *guest, unsigned scanout, uint32_t resource,
                                uint32_t width, uint32_t height);
uint32_t guest_flush(struct guest *guest, uint32_t resource, uint32_t width, uint32_t height);

/* Shared memory of the renderer as a new resource, attached and mapped. */
uint32_t guest_shm(struct guest *guest, uint32_t context, uint64_t size, char **mapped);
/* Map a blob at an offset that nothing else uses. Returns where the guest sees it: in the window, or in the region that
 * the front end has laid over it. */
char *guest_map_anywhere(struct guest *guest, uint32_t resource, uint64_t size);

uint32_t guest_new_resource(struct guest *guest);
uint64_t guest_new_offset(struct guest *guest, uint64_t size);
/* Whole pages of the guest's memory, as an entry. */
struct virtio_gpu_mem_entry guest_new_memory(struct guest *guest, uint32_t size);
char *guest_memory(struct guest *guest, const struct virtio_gpu_mem_entry *entry);

/* A statistic by its name. */
uint64_t guest_stat(struct guest *guest, const char *name);

/* What the scanout shows now, or NULL. Valid until the next command. */
const struct venus_gpu_frame *guest_frame(struct guest *guest, unsigned scanout);
/* The same as a reference, given back with venus_gpu_frame_unref(). */
struct venus_gpu_frame *guest_keep_frame(struct guest *guest, unsigned scanout);

/* Whether a line with that text was logged. */
bool guest_logged(struct guest *guest, const char *text);

uint64_t now_ns(void);
void sleep_ms(unsigned milliseconds);

#define assert_ok(type) assert_int_equal((type), VIRTIO_GPU_RESP_OK_NODATA)

#endif
