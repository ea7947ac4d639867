/* SPDX-License-Identifier: MIT */
/*
 * A virtual machine for tests: one device over the fake renderer, with a front end that remembers
 * what it was told, and a guest that is a handful of functions.
 *
 * There is one virtual machine at a time (the library allows no more), so it is the variable `vm`
 * and not an argument. A test calls vm_start() and says what it wants different; vm_teardown() ends
 * the machine after the test, also after a failed one, and fails the test if anything leaked. So
 *
 *     static void test_something(void **state)
 *     {
 *         vm_start(NULL);
 *         assert_ok(create_2d(1, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, 64, 64));
 *         assert_error(unref(2), INVALID_RESOURCE_ID);
 *     }
 *
 * with TEST(test_something) in the list of tests. A function named after a command sends it, waits
 * for its response and returns the response's type.
 */
#ifndef HARNESS_H
#define HARNESS_H

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../cmocka-both.h"
#include "../linux-ways.h"
#include "base/protocol.h"
#include "fake-renderer.h"
#include "venus-gpu.h"

#define TEST(function)   cmocka_unit_test_teardown(function, vm_teardown)
#define RUN_TESTS(tests) cmocka_run_group_tests(tests, NULL, NULL)

#define assert_ok(response)          assert_int_equal(response, VIRTIO_GPU_RESP_OK_NODATA)
#define assert_error(response, name) assert_int_equal(response, VIRTIO_GPU_RESP_ERR_##name)

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Guest memory: where the guest has it, and how much. */
#define RAM_ADDR UINT64_C(0x40000000)
enum { RAM_SIZE = 16 << 20 };
enum { PAGE = TEST_PAGE }; /* the host's, as meson's option says */
enum { WINDOW_SIZE = 256 * PAGE };

enum { MAX_EVENTS = 64, MAX_LINES = 64 };

/* How the front end answers region_map(). */
enum region_answers { REGIONS_NOW, REGIONS_LATE, REGIONS_FAIL };

/* How a machine differs from the usual one: two outputs, a window, shared memory, regions. */
struct vm_options {
    unsigned num_outputs;
    uint64_t window_size;
    bool no_window;
    enum venus_gpu_window_mode window_mode;
    uint64_t blob_alignment;
    uint32_t max_contexts, max_resources;
    uint64_t max_memory, max_blob_memory, max_context_memory;
    uint32_t max_call_ms;
    const char *render_server;
    enum venus_gpu_present_mode present_mode;
    const struct renderer_device *device; /* what renders; NULL: nothing that Vulkan knows */
    bool private_ram;                     /* guest memory that cannot be aliased */
    bool no_regions;                      /* the front end has no region_map() */
    bool no_callbacks;                    /* it has the required ones only */
    enum region_answers regions;
};

/* A command on its way. */
struct sent {
    uint8_t *out, *in; /* the request's and the response's bytes */
    size_t out_size, in_size;
    struct iovec *out_iov, *in_iov;
    bool done, dropped; /* dropped by a reset: must never be done */
    uint32_t written;
    unsigned order; /* how many were done before it */
    struct sent *next;
};

struct flush_event {
    unsigned scanout;
    struct venus_gpu_rect rect;
    struct venus_gpu_flush *flush; /* NULL: answered */
};

struct region_event {
    bool map;                        /* else: unmap */
    struct venus_gpu_region *region; /* NULL: answered */
    uint64_t offset, size;
    void *ptr;
};

struct vm {
    struct venus_gpu *gpu;
    struct venus_gpu_config config;
    struct venus_gpu_ops ops;
    char *ram;
    char *window;

    /* To be set by a test at any time. */
    bool hold_flushes; /* answer them with answer_flush() */
    bool keep_frames;  /* drop_frames() gives them back */
    bool leaves_files; /* a GPU hangs: what it was given stays open */
    enum region_answers regions;
    uint64_t map_piece;           /* the longest piece that map_guest() gives, 0: any */
    int map_guest_fails_after;    /* that many calls; -1: never */
    unsigned in_split, out_split; /* bytes per iovec, 0: all in one */

    /* What happened. Guarded by the lock; read it with the functions below. */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    char complaint[256];
    struct sent *sent;
    unsigned done;
    struct venus_gpu_frame *frames[VENUS_GPU_MAX_SCANOUTS];
    unsigned frame_changes[VENUS_GPU_MAX_SCANOUTS];
    struct venus_gpu_frame *kept[MAX_EVENTS];
    unsigned num_kept;
    struct flush_event flushes[MAX_EVENTS];
    unsigned num_flushes;
    struct region_event regions_asked[MAX_EVENTS];
    unsigned num_regions;
    struct venus_gpu_region *placed[MAX_EVENTS]; /* regions that lie over the window now */
    struct venus_gpu_cursor cursor; /* the newest; pixels points to the next member or is NULL */
    uint32_t cursor_pixels[64 * 64];
    unsigned cursor_scanout, cursor_changes;
    unsigned config_changes, obstacle_changes;
    unsigned present_ends[VENUS_GPU_MAX_SCANOUTS], num_present_ends;
    char present_why[512]; /* of the newest; "-" where there was none */
    unsigned window_resizes;
    uint32_t window_width, window_height; /* the newest */
    uint32_t window_refresh;
    struct {
        enum venus_gpu_log_level level;
        char text[512];
    } lines[MAX_LINES];
    unsigned num_lines; /* also those that no longer fit */
    unsigned lines_of[VENUS_GPU_LOG_DEBUG + 1];
    unsigned threads_started, threads_stopping;
    struct guest_mapping *mappings;
    unsigned num_mappings;
    unsigned open_files; /* before the start */
};

extern struct vm vm;

/* Start the machine; options may be NULL. Fails the test if it does not start. */
void vm_start(const struct vm_options *options);
/* Only describe it in `vm`, for tests that call device_create() themselves. */
void vm_prepare(const struct vm_options *options);
/* Power off: reset, give everything back, destroy, and look for leaks. Takes a stopped machine. */
void vm_stop(void);
/* venus_gpu_reset(), after which no command in flight may be done. */
void vm_reset(void);
int vm_teardown(void **state);

/* ---- commands -------------------------------------------------------------------------------- */

/* Queue a command with room for in_size bytes of response. Valid until the machine stops. */
struct sent *send_on(enum venus_gpu_queue queue, const void *request, size_t size, size_t in_size);
struct sent *send_control(const void *request, size_t size, size_t in_size);

/* Wait until it is done and return the response's type, 0 if it was too short for one. */
uint32_t wait_for(struct sent *sent);
bool is_done(struct sent *sent);

/* Wait until every command that was sent before has been executed, though perhaps not answered. */
void settle(void);

/* Send, wait and copy the response. */
uint32_t run_command(const void *request, size_t size, void *response, size_t in_size);
#define run_request(request) \
    run_command(&(request), sizeof(request), NULL, sizeof(struct virtio_gpu_ctrl_hdr))

/* A request with that type in its header; the rest is 0. */
#define REQUEST(name) .hdr = { .type = le32(VIRTIO_GPU_CMD_##name) }

uint32_t create_2d(uint32_t id, uint32_t format, uint32_t width, uint32_t height);
uint32_t unref(uint32_t id);
uint32_t attach_backing(uint32_t id, const struct virtio_gpu_mem_entry *entries, uint32_t count);
/* As one entry. */
uint32_t attach_ram(uint32_t id, uint64_t addr, uint32_t length);
uint32_t detach_backing(uint32_t id);
uint32_t transfer(uint32_t id, struct virtio_gpu_rect rect, uint64_t offset);
uint32_t set_scanout(uint32_t scanout, uint32_t id, struct virtio_gpu_rect rect);
uint32_t flush(uint32_t id, struct virtio_gpu_rect rect);
struct sent *send_flush(uint32_t id, struct virtio_gpu_rect rect, uint32_t flags,
                        uint64_t fence_id);
uint32_t create_context(uint32_t context_id);
uint32_t destroy_context(uint32_t context_id);
uint32_t attach_resource(uint32_t context_id, uint32_t id);
uint32_t detach_resource(uint32_t context_id, uint32_t id);
uint32_t submit(uint32_t context_id, const void *data, uint32_t size);
/* A command stream of zeroes, sent without waiting. */
struct sent *send_submit(uint32_t context_id, uint32_t size, uint32_t flags);
/* An empty submission with a fence on a ring of the context. */
struct sent *send_fence(uint32_t context_id, uint8_t ring_idx, uint64_t fence_id);
uint32_t map_blob(uint32_t id, uint64_t offset);
uint32_t unmap_blob(uint32_t id);

/* A blob as the tests want it most: HOST3D, mappable, of context 1. */
uint32_t create_host_blob(uint32_t id, uint64_t size);
/* A GUEST blob over those entries. */
uint32_t create_guest_blob(uint32_t id, uint64_t size, const struct virtio_gpu_mem_entry *entries,
                           uint32_t count);
uint32_t create_blob(const struct virtio_gpu_resource_create_blob *request,
                     const struct virtio_gpu_mem_entry *entries, uint32_t count);

/* A 32-bit picture that fills the blob's width and height without padding. */
struct virtio_gpu_set_scanout_blob blob_scanout(uint32_t scanout, uint32_t id, uint32_t width,
                                                uint32_t height);
uint32_t set_scanout_blob(const struct virtio_gpu_set_scanout_blob *request);

/* ---- what the front end was told ------------------------------------------------------------- */

/* The frame that a scanout shows now, or NULL. Valid until it changes. */
struct venus_gpu_frame *shown(unsigned scanout);
void drop_frames(void);

unsigned count_flushes(void);
struct flush_event flush_event(unsigned index);
void answer_flush(unsigned index);
/* Wait until there were that many in all. */
void wait_for_flushes(unsigned count);

unsigned count_regions(void);
void wait_for_regions(unsigned count);
struct region_event region_event(unsigned index);
void answer_region(unsigned index, int error);

/* Wait until presenting has ended that often in all. */
void wait_for_present_ends(unsigned count);
unsigned count_present_ends(void);

/* A byte of the window as the guest sees it: of the region that lies over it, or of the window. */
uint8_t guest_sees(uint64_t offset);
void guest_writes(uint64_t offset, uint8_t value);

/* Whether a line with that text was logged. */
bool was_logged(enum venus_gpu_log_level level, const char *text);
unsigned lines_logged(enum venus_gpu_log_level level);
void forget_lines(void);

uint64_t stat_value(const char *name);

/* Pieces of guest memory that the library has mapped now. */
unsigned guest_mappings(void);

/* ---- other helpers --------------------------------------------------------------------------- */

struct virtio_gpu_rect rect(uint32_t x, uint32_t y, uint32_t width, uint32_t height);
struct virtio_gpu_mem_entry entry(uint64_t addr, uint32_t length);
/* Guest memory at an address of the guest. */
void *ram_at(uint64_t addr);
/* Whether all threads that were started since threads_mark(), those of drivers included, have the monitor's
 * signals blocked; and none has those of its own faults blocked. */
void threads_mark(void);
bool threads_are_deaf(void);
bool threads_hear_faults(void);
/* A copy of an object's first bytes, behind which nothing can be read. */
void *at_end_of_memory(const void *object, size_t size);
/* Fill guest memory with numbers that differ from one word to the next. */
void fill_ram(void);

#endif
