/* SPDX-License-Identifier: MIT */
/* Random numbers that are the same for the same seed on every machine, so that a failure comes back. */
#ifndef GUEST_CHANCE_H
#define GUEST_CHANCE_H

#include <stdint.h>

struct chance {
    uint64_t state;
};

struct chance chance_start(uint64_t seed);

/* 64 bits, and a number from 0 to `limit` - 1. */
uint64_t chance_next(struct chance *chance);
uint32_t chance_below(struct chance *chance, uint32_t limit);

/* Puts `count` numbers in a random order. */
void chance_shuffle(struct chance *chance, uint32_t *numbers, uint32_t count);

#endif
