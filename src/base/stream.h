/* SPDX-License-Identifier: MIT */
/*
 * A saved state as bytes, little-endian.
 *
 * One function says how something lies in it, for both directions: what is given to stream_u32() and its like is
 * written when a state is saved, and read when one is loaded. What is loaded can be anything: a stream that ends too
 * early, or that somebody has found wrong, gives zeroes from there on, and its error stays.
 */
#ifndef STREAM_H
#define STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stream {
    bool saves;      /* else it loads */
    bool only_looks; /* loads, and what others could see is not to change yet */

    uint8_t *made; /* saving: malloc'ed */
    size_t room;
    const uint8_t *given; /* loading */

    size_t at;  /* where the next byte is */
    size_t end; /* loading: behind the last byte that may be read */

    int error; /* 0, or a negative errno value: the first */
    char why[160];
};

/* To save, or to load these bytes. */
void stream_init_save(struct stream *stream);
void stream_init_load(struct stream *stream, const void *data, size_t size);
void stream_finish(struct stream *stream);

void stream_u32(struct stream *stream, uint32_t *value);
void stream_u64(struct stream *stream, uint64_t *value);
void stream_bool(struct stream *stream, bool *value); /* a u32: 0 or 1, nothing else */
void stream_bytes(struct stream *stream, void *bytes, size_t size);

/* Loading: how many bytes are left. What a stream says to be longer than that is wrong, before it is given memory. */
size_t stream_left(const struct stream *stream);
/* Whether that many records of a size can be there; if not, the stream is wrong. Saving: true. */
bool stream_holds(struct stream *stream, uint64_t count, uint64_t size);

/* It is wrong, or there is no memory. The first time counts. */
void stream_fail(struct stream *stream, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
