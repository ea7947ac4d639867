/* SPDX-License-Identifier: MIT */
/* See stream.h. */
#include "base/stream.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void stream_init_save(struct stream *stream)
{
    *stream = (struct stream){ .saves = true };
}

void stream_init_load(struct stream *stream, const void *data, size_t size)
{
    *stream = (struct stream){ .given = data, .end = size };
}

void stream_finish(struct stream *stream)
{
    free(stream->made);
    stream->made = NULL;
}

void stream_fail(struct stream *stream, int error, const char *format, ...)
{
    if (stream->error)
        return;
    stream->error = error;
    va_list args;
    va_start(args, format);
    vsnprintf(stream->why, sizeof(stream->why), format, args);
    va_end(args);
}

size_t stream_left(const struct stream *stream)
{
    return stream->error ? 0 : stream->end - stream->at;
}

bool stream_holds(struct stream *stream, uint64_t count, uint64_t size)
{
    if (stream->error)
        return false;
    if (stream->saves || count <= stream_left(stream) / size)
        return true;
    stream_fail(stream, -EINVAL, "it ends too early");
    return false;
}

static bool make_room(struct stream *stream, size_t size)
{
    if (stream->error)
        return false;
    if (size <= stream->room - stream->at)
        return true;
    /* A picture is copied into room for it, not for twice as much. */
    size_t room = size > SIZE_MAX - stream->at ? 0 : stream->at + size;
    if (room && room < 2 * stream->room && size < (1 << 20))
        room = 2 * stream->room;
    uint8_t *made = room ? realloc(stream->made, room) : NULL;
    if (!made) {
        stream_fail(stream, -ENOMEM, "out of memory");
        return false;
    }
    stream->made = made;
    stream->room = room;
    return true;
}

void stream_bytes(struct stream *stream, void *bytes, size_t size)
{
    if (!size)
        return;
    if (stream->saves) {
        if (!make_room(stream, size))
            return;
        memcpy(stream->made + stream->at, bytes, size);
    } else if (stream_holds(stream, size, 1)) {
        memcpy(bytes, stream->given + stream->at, size);
    } else {
        memset(bytes, 0, size);
        return;
    }
    stream->at += size;
}

static uint64_t number(struct stream *stream, uint64_t value, unsigned size)
{
    uint8_t bytes[8];
    for (unsigned i = 0; i < size; i++)
        bytes[i] = (uint8_t)(value >> 8 * i);
    stream_bytes(stream, bytes, size);
    value = 0;
    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)bytes[i] << 8 * i;
    return value;
}

void stream_u64(struct stream *stream, uint64_t *value)
{
    uint64_t read = number(stream, *value, sizeof(*value));
    if (!stream->saves)
        *value = read;
}

void stream_u32(struct stream *stream, uint32_t *value)
{
    uint64_t read = number(stream, *value, sizeof(*value));
    if (!stream->saves)
        *value = (uint32_t)read;
}

void stream_bool(struct stream *stream, bool *value)
{
    uint32_t number = *value;
    stream_u32(stream, &number);
    if (number > 1)
        stream_fail(stream, -EINVAL, "%u stands where only 0 or 1 can", number);
    *value = number == 1;
}
