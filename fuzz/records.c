/* SPDX-License-Identifier: MIT */
/* See records.h. */
#include "records.h"

#include <string.h>

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most);

size_t records_read(const uint8_t *data, size_t size, struct record *header, struct record *records)
{
    memset(header, 0, sizeof(*header));
    if (size < RECORD_SIZE)
        return 0;
    memcpy(header, data, RECORD_SIZE);
    size_t count = size / RECORD_SIZE - 1;
    if (count > MOST_RECORDS)
        count = MOST_RECORDS;
    memcpy(records, data + RECORD_SIZE, count * RECORD_SIZE);
    return count;
}

static uint32_t random_below(unsigned *state, uint32_t limit)
{
    *state = *state * 1664525 + 1013904223;
    return limit ? (*state >> 8) % limit : 0;
}

/* A number that code tends to treat in a way of its own. */
static uint32_t notable(unsigned *state)
{
    static const uint32_t values[] = {
        0,     1,     2,     3,      4,          7,          15,         16,
        63,    64,    65,    255,    256,        4095,       4096,       4097,
        16384, 16385, 65535, 65536,  0x00ffffff, 0x01000000, 0x7fffffff, 0x80000000,
        8192,  32,    128,   262144, 262145,     0xfffff000, 0xfffffffe, 0xffffffff
    };
    return values[random_below(state, sizeof(values) / sizeof(values[0]))];
}

static void change_number(uint32_t *number, unsigned *state)
{
    switch (random_below(state, 5)) {
    case 0:
        *number = notable(state);
        break;
    case 1:
        *number += random_below(state, 33) - 16;
        break;
    case 2:
        *number ^= UINT32_C(1) << random_below(state, 32);
        break;
    case 3: /* a byte of it: many numbers are four of them */
        ((uint8_t *)number)[random_below(state, 4)] = (uint8_t)random_below(state, 256);
        break;
    default:
        *number = random_below(state, 1 << 24) << random_below(state, 9);
    }
}

static void change(struct record *record, unsigned *state, unsigned kinds)
{
    switch (random_below(state, 7)) {
    case 0:
        record->kind = (uint8_t)random_below(state, kinds);
        break;
    case 1:
        record->id = (uint8_t)random_below(state, random_below(state, 8) ? 8 : 256);
        break;
    case 2:
        record->other = (uint8_t)random_below(state, random_below(state, 8) ? 8 : 256);
        break;
    case 3:
        record->flags ^= (uint8_t)(1 << random_below(state, 8));
        break;
    case 4:
        change_number(&record->a, state);
        break;
    case 5:
        change_number(&record->b, state);
        break;
    default:
        change_number(&record->c, state);
    }
}

static struct record new_record(unsigned *state, unsigned kinds)
{
    struct record record = { .kind = (uint8_t)random_below(state, kinds),
                             .id = (uint8_t)random_below(state, 8),
                             .other = (uint8_t)random_below(state, 8),
                             .a = random_below(state, 1 << 24) << random_below(state, 9),
                             .b = random_below(state, 1 << 24),
                             .c = random_below(state, 1 << 24) };
    if (random_below(state, 2))
        record.flags = (uint8_t)random_below(state, 256);
    if (random_below(state, 3) == 0)
        record.a = notable(state);
    if (random_below(state, 3) == 0)
        record.b = notable(state);
    return record;
}

size_t records_mutate(uint8_t *data, size_t size, size_t most, unsigned seed, unsigned kinds)
{
    struct record all[MOST_RECORDS + 2];
    unsigned state = seed;
    if (random_below(&state, 64) == 0)
        return LLVMFuzzerMutate(data, size, most);
    size_t count = records_read(data, size, &all[0], &all[1]);
    size_t room = most / RECORD_SIZE;
    if (room < 2)
        return size;
    if (room > MOST_RECORDS + 1)
        room = MOST_RECORDS + 1;
    count = count + 1 < room ? count + 1 : room; /* with the header */
    for (unsigned times = 1 + random_below(&state, 4); times; times--) {
        size_t at = 1 + random_below(&state, (uint32_t)count - 1),
               to = 1 + random_below(&state, (uint32_t)count);
        switch (random_below(&state, 8)) {
        case 0:
        case 1: /* a new one */
            if (count < room) {
                memmove(&all[to + 1], &all[to], (count - to) * sizeof(all[0]));
                all[to] = new_record(&state, kinds);
                count++;
            }
            break;
        case 2: /* one again, elsewhere */
            if (count < room && count > 1) {
                struct record copy = all[at];
                memmove(&all[to + 1], &all[to], (count - to) * sizeof(all[0]));
                all[to] = copy;
                count++;
            }
            break;
        case 3: /* one less */
            if (count > 1) {
                memmove(&all[at], &all[at + 1], (count - at - 1) * sizeof(all[0]));
                count--;
            }
            break;
        case 4: /* two change places */
            if (count > 1 && to < count) {
                struct record copy = all[at];
                all[at] = all[to];
                all[to] = copy;
            }
            break;
        case 5:
            if (random_below(&state, 4) == 0) {
                change(&all[0], &state, 256);
                break;
            }
            /* fall through */
        default:
            if (count > 1)
                change(&all[at], &state, kinds);
        }
    }
    memcpy(data, all, count * RECORD_SIZE);
    return count * RECORD_SIZE;
}

size_t records_cross(const uint8_t *one, size_t one_size, const uint8_t *two, size_t two_size,
                     uint8_t *out, size_t most, unsigned seed)
{
    unsigned state = seed;
    size_t first = one_size / RECORD_SIZE, second = two_size / RECORD_SIZE;
    size_t head = 1 + random_below(&state, (uint32_t)first);
    size_t tail = second > 1 ? random_below(&state, (uint32_t)second - 1) : 0;
    if (head > first)
        head = first;
    if (head > most / RECORD_SIZE)
        head = most / RECORD_SIZE;
    if (tail > most / RECORD_SIZE - head)
        tail = most / RECORD_SIZE - head;
    memcpy(out, one, head * RECORD_SIZE);
    if (tail)
        memcpy(out + head * RECORD_SIZE, two + (second - tail) * RECORD_SIZE, tail * RECORD_SIZE);
    return (head + tail) * RECORD_SIZE;
}
