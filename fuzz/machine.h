/* SPDX-License-Identifier: MIT */
/*
 * A virtual machine for targets: one device over the renderer in memory (tests/unit/fake-renderer.h), with a front end
 * that keeps the contract of venus-gpu.h, and holds the library to it.
 *
 * Whatever the library must not do, as to answer a command twice or to write beyond what it said that it wrote, is said
 * on stderr, and the process aborts: libFuzzer takes that as a find. All runs in steps (steps.h).
 */
#ifndef MACHINE_H
#define MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "complain.h"
#include "venus-gpu.h"

#define RAM_ADDR UINT64_C(0x40000000)
enum { PAGE = 4096, RAM_SIZE = 64 * PAGE, MOST_HELD = 64 };

/* What the front end does not answer at once. */
enum machine_hold {
    HOLD_FLUSHES = 1,
    HOLD_REGIONS = 2,
    HOLD_FRAMES = 4,
    HOLD_TRANSLATIONS = 8,
    FAIL_REGIONS = 16,
};

/* How the machine differs from the usual one. */
struct machine_options {
    struct venus_gpu_config config;
    bool private_ram; /* guest memory that cannot be aliased */
    bool no_callbacks, no_regions, translates, tells_threads;
};

struct machine {
    struct venus_gpu *gpu;
    char *ram;
    unsigned hold;
    uint64_t map_piece;                  /* the longest piece that map_guest() gives, 0: any */
    unsigned map_fails_after, map_fails; /* so many calls fail after so many */
    bool gpu_hangs;                      /* what it was given stays for good */
    unsigned translate_piece;            /* pages that an answer is about, 0: all */
};

extern struct machine machine;

/* The usual machine. */
void machine_describe(struct machine_options *options);
/* False: the device did not start, which is no mistake where something was made to fail. */
bool machine_start(const struct machine_options *options);
/* Reset, give everything back, destroy, and look for what is left. */
void machine_stop(void);
void machine_reset(void);

/* Queue a command: copies the request. Both sides in pieces of so many bytes; 0: in one. */
void machine_send(enum venus_gpu_queue queue, const void *request, size_t size, size_t room, unsigned out_piece,
                  unsigned in_piece);
/* How many commands are not answered. */
unsigned machine_pending(void);
/* The newest answered command's response, or 0. */
uint32_t machine_response(void);

/* The frame that a scanout shows, or NULL. */
const struct venus_gpu_frame *machine_shown(unsigned scanout);

/* Answer the index'th of what is held, if there is one, or give it back. */
void machine_answer_flush(unsigned index);
void machine_answer_region(unsigned index, int error);
void machine_answer_translation(unsigned index, unsigned pages);
void machine_drop_frame(unsigned index);
/* Read what the guest and a display can see. */
void machine_look(void);

#endif
