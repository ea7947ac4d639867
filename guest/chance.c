/* SPDX-License-Identifier: MIT */
/* A counter whose bits are mixed until nothing of it can be seen: see chance.h. */
#include "chance.h"

#define ODD UINT64_C(0x9e3779b97f4a7c15) /* 2^64 over the golden ratio */

static uint64_t mix(uint64_t x)
{
    for (int i = 0; i < 3; i++) {
        x ^= x >> 32;
        x *= ODD;
    }
    return x ^ x >> 32;
}

/* Mixed as well: otherwise seed 2 would be seed 1, one number later. */
struct chance chance_start(uint64_t seed)
{
    return (struct chance){ mix(seed + 1) };
}

uint64_t chance_next(struct chance *chance)
{
    return mix(chance->state += ODD);
}

uint32_t chance_below(struct chance *chance, uint32_t limit)
{
    return (uint32_t)((chance_next(chance) >> 32) * limit >> 32);
}

void chance_shuffle(struct chance *chance, uint32_t *numbers, uint32_t count)
{
    for (uint32_t i = count; i > 1; i--) {
        uint32_t other = chance_below(chance, i), held = numbers[i - 1];
        numbers[i - 1] = numbers[other];
        numbers[other] = held;
    }
}
