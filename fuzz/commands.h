/* SPDX-License-Identifier: MIT */
/* Records that are commands of a guest; see records.h and commands.c. */
#ifndef COMMANDS_H
#define COMMANDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "records.h"
#include "venus-gpu.h"

/* The kinds below COMMANDS are those of commands.c. */
enum { COMMANDS = 30, MOST_COMMAND = 1 << 18 };

struct built {
    uint8_t *bytes; /* MOST_COMMAND of them */
    size_t size, room;
    unsigned out_piece, in_piece;
    enum venus_gpu_queue queue;
};

/* Forget what was to be done with the next command. */
void commands_forget(void);

/* What a record makes. False: it is none of a command, or one about the next command. Guest memory begins at ram_addr. */
bool command_build(const struct record *record, uint64_t ram_addr, struct built *built);

/* The record's flag for commands that are sent without a look at what became of the ones before. */
enum { FLAG_AT_ONCE = 16 };

#endif
