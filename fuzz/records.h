/* SPDX-License-Identifier: MIT */
/*
 * An input made of records of 16 bytes, behind a header of 16: what a target does, one record a step.
 *
 * A record has a kind, by which the target chooses what to do, and a few numbers, of which it takes what it needs. No
 * value is wrong. Numbers that name something are taken modulo a small number, so that most of them name what is there.
 * All of one size, records can be moved, copied and left out, and the rest means what it meant: that is what the mutator
 * here does, besides changing single numbers. What is left over at the end is ignored.
 */
#ifndef RECORDS_H
#define RECORDS_H

#include <stddef.h>
#include <stdint.h>

struct record {
    uint8_t kind, id, other, flags;
    uint32_t a, b, c; /* little-endian */
};

enum { RECORD_SIZE = sizeof(struct record), MOST_RECORDS = 256 };

/* The header is zeroes where the input is too short for one. Returns how many records there are. */
size_t records_read(const uint8_t *data, size_t size, struct record *header, struct record *records);

/* For libFuzzer's functions of that name; kinds: how many there are. */
size_t records_mutate(uint8_t *data, size_t size, size_t most, unsigned seed, unsigned kinds);
size_t records_cross(const uint8_t *one, size_t one_size, const uint8_t *two, size_t two_size, uint8_t *out, size_t most,
                     unsigned seed);

#endif
