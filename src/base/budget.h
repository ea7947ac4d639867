/* SPDX-License-Identifier: MIT */
/*
 * What a guest may make the host take up, and how much of it is taken.
 *
 * Each item has a limit. Nothing is taken that goes beyond it. Any thread takes and gives back.
 */
#ifndef BUDGET_H
#define BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "venus-gpu.h"

enum budget_item {
    BUDGET_CONTEXTS,
    BUDGET_RESOURCES,
    BUDGET_MEMORY,      /* bytes of this process: 2D resources, copies of guest blobs, page lists */
    BUDGET_BLOB_MEMORY, /* bytes of HOST3D and HOST3D_GUEST blobs */
    BUDGET_ADDRESS_SPACE, /* bytes of it, where guest memory is seen in place: a list may name the same page often */
    BUDGET_ATTACHMENTS,   /* of resources to contexts */
    BUDGET_RANGES,      /* address ranges of this process, of which the kernel allows so many */
    /*
     * Descriptors of this process. Each resource has one at hand: its memory's, ours or virglrenderer's. A blob takes
     * another one when it is shown, and one more when a GPU imports it. A 2D resource takes another one when the
     * renderer gets it. Where none is left, the blob is shown by its pointer, and the renderer does not get the
     * 2D resource.
     */
    BUDGET_DESCRIPTORS,
    BUDGET_ITEMS,
};

/* What the processes of all contexts may have together (device/processes.h). */
enum process_item {
    PROCESS_MEMORY, /* bytes */
    PROCESS_THREADS,
    PROCESS_DESCRIPTORS,
    PROCESS_ITEMS,
};

struct budget {
    uint64_t most[BUDGET_ITEMS]; /* constant */
    _Atomic uint64_t taken[BUDGET_ITEMS];
    uint64_t most_of_processes[PROCESS_ITEMS]; /* constant */
};

/* Take the limits from a configuration, and put the defaults into it where it has none. */
void budget_init(struct budget *budget, struct venus_gpu_config *config);

/* Take so many. false: it would be more than the limit, and nothing was taken. */
bool budget_take(struct budget *budget, enum budget_item item, uint64_t n);
void budget_give_back(struct budget *budget, enum budget_item item, uint64_t n);

uint64_t budget_taken(const struct budget *budget, enum budget_item item);

#endif
