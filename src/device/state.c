/* SPDX-License-Identifier: MIT */
/*
 * The state of a device as a stream of bytes: venus_gpu_save(), venus_gpu_load().
 *
 * It begins with a mark and a version. Then come sections, each with its kind, whether who does not know it may leave it
 * out, and its size. A section's content is laid out in the file of the noun that it is about. docs/migration.md has
 * the rules by which this grows.
 *
 * A stream may come from anywhere. It is gone through twice: first it is looked at, and resources and contexts are
 * made, of which nobody hears; then what others can see is changed. Where something is wrong all of it goes again.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/message.h"
#include "base/stream.h"
#include "device/thread.h"
#include "nouns/capset.h"
#include "nouns/context.h"
#include "nouns/cursor.h"
#include "nouns/display.h"
#include "nouns/ledger.h"
#include "nouns/parts.h"
#include "nouns/resource.h"
#include "nouns/scanout.h"
#include "nouns/window.h"

static const char mark[8] = "venusgpu";
enum { VERSION = 1 };

/* What of a device its guest has been told, or has chosen by, so that another has to be the same. */
static void stream_device(struct venus_gpu *gpu, struct stream *stream)
{
    const struct venus_gpu_config *config = &gpu->services.config;
    uint32_t outputs = config->num_outputs, alignment = (uint32_t)window_blob_alignment(gpu);
    uint64_t window = config->window_size;
    stream_u32(stream, &outputs);
    stream_u64(stream, &window);
    stream_u32(stream, &alignment);
    if (stream->error)
        return;
    if (outputs != config->num_outputs)
        stream_fail(stream, -EINVAL, "it is of a device with %u outputs, and this one has %u",
                    outputs, config->num_outputs);
    else if (window != config->window_size)
        stream_fail(stream, -EINVAL,
                    "it is of a device with a window of %llu MiB, and this one has %llu MiB",
                    (unsigned long long)window >> 20,
                    (unsigned long long)config->window_size >> 20);
    else if (alignment != window_blob_alignment(gpu))
        stream_fail(stream, -EINVAL,
                    "it is of a device with blob_alignment %u, and this one has %u", alignment,
                    (unsigned)window_blob_alignment(gpu));
}

#define KIND(a, b, c, d) \
    ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)

/* In the order in which they stand in a stream: each after what it names. */
static const struct section {
    const char *name;
    void (*stream)(struct venus_gpu *gpu, struct stream *stream);
    uint32_t kind;
    bool is_made_once; /* when the stream is looked at */
} sections[] = {
    { "device", stream_device, KIND('d', 'e', 'v', 'i'), true },
    { "capability set", capset_stream, KIND('c', 'a', 'p', 's'), true },
    { "contexts", context_stream, KIND('c', 'o', 'n', 't'), true },
    { "resources", resource_stream, KIND('r', 'e', 's', 'o'), true },
    { "scanouts", scanout_stream, KIND('s', 'c', 'a', 'n'), false }, /* it may lack memory */
    { "pointers", cursor_stream, KIND('p', 'o', 'i', 'n'), false },
    { "outputs", display_stream, KIND('o', 'u', 't', 'p'), false },
};
enum { SECTIONS = sizeof(sections) / sizeof(sections[0]) };
#define KIND_END KIND('e', 'n', 'd', ' ')

struct section_header {
    uint32_t kind;
    bool may_be_left_out; /* by who does not know it */
    uint64_t size;        /* bytes of what follows */
};

static void stream_section_header(struct stream *stream, struct section_header *header)
{
    stream_u32(stream, &header->kind);
    stream_bool(stream, &header->may_be_left_out);
    stream_u64(stream, &header->size);
}

static void stream_start(struct stream *stream)
{
    char begin[sizeof(mark)];
    uint32_t version = VERSION;
    memcpy(begin, mark, sizeof(mark));
    stream_bytes(stream, begin, sizeof(begin));
    if (!stream->error && memcmp(begin, mark, sizeof(mark)) != 0)
        stream_fail(stream, -EINVAL, "it is none of this device");
    stream_u32(stream, &version);
    if (!stream->error && (!version || version > VERSION))
        stream_fail(stream, -ENOTSUP, "it is of version %u, and libvenusgpu %s reads up to %u",
                    version, VENUS_GPU_VERSION, VERSION);
}

/* ---- saving -------------------------------------------------------------------------------------- */

static void save_section(struct venus_gpu *gpu, struct stream *stream, uint32_t kind,
                         const struct section *section)
{
    struct section_header header = { .kind = kind };
    size_t start = stream->at;
    stream_section_header(stream, &header);
    size_t content = stream->at;
    if (section)
        section->stream(gpu, stream);
    size_t end = stream->at;
    if (stream->error)
        return;
    /* Now its size is known. */
    header.size = end - content;
    stream->at = start;
    stream_section_header(stream, &header);
    stream->at = end;
}

static int save(struct venus_gpu *gpu, void *opaque)
{
    struct stream *stream = opaque;
    if (ledger_is_obstructed(gpu->ledger))
        return -EBUSY;
    stream_start(stream);
    for (unsigned i = 0; i < SECTIONS; i++)
        save_section(gpu, stream, sections[i].kind, &sections[i]);
    save_section(gpu, stream, KIND_END, NULL);
    return stream->error;
}

static int give_up(char **why, int error, char *reason)
{
    if (why)
        *why = reason;
    else
        free(reason);
    return error;
}

int venus_gpu_save(struct venus_gpu *gpu, void **data, size_t *size, char **why)
{
    struct stream stream;
    stream_init_save(&stream);
    int ret = thread_do(gpu->thread, save, &stream);
    if (ret == 0) {
        *data = stream.made;
        *size = stream.at;
        return 0;
    }
    stream_finish(&stream);
    switch (ret) {
    case -EBUSY:
        return give_up(why, ret, venus_gpu_save_obstacle(gpu));
    case -EAGAIN:
        return give_up(why, ret, message("Commands of the guest are still being executed."));
    default:
        return give_up(why, ret, message("The state cannot be saved: %s.", stream.why));
    }
}

/* ---- loading ------------------------------------------------------------------------------------- */

/* The content of one section, which has to be all of it. */
static void load_content(struct venus_gpu *gpu, struct stream *stream,
                         const struct section *section, size_t size)
{
    size_t end = stream->at + size, all = stream->end;
    if (section->is_made_once && !stream->only_looks) {
        stream->at = end;
        return;
    }
    stream->end = end;
    section->stream(gpu, stream);
    stream->end = all;
    if (stream->at != end)
        stream_fail(stream, -EINVAL, "more stands there than is known of");
    if (stream->error) {
        char why[sizeof(stream->why)];
        memcpy(why, stream->why, sizeof(why));
        stream->why[0] = 0;
        snprintf(stream->why, sizeof(stream->why), "%s: %.*s", section->name,
                 (int)(sizeof(why) - 32), why);
    }
}

/* Go to a section's content, past those that are not known and may be left out. Returns its size. */
static size_t find_section(struct stream *stream, uint32_t kind)
{
    for (;;) {
        struct section_header header = { 0 };
        stream_section_header(stream, &header);
        if (!stream_holds(stream, header.size, 1))
            return 0;
        if (header.kind == kind)
            return header.size;
        if (!header.may_be_left_out) {
            stream_fail(stream, -ENOTSUP, "libvenusgpu %s knows nothing of a section 0x%08x there",
                        VENUS_GPU_VERSION, header.kind);
            return 0;
        }
        stream->at += header.size;
    }
}

static void load_all(struct venus_gpu *gpu, struct stream *stream)
{
    stream->at = 0;
    stream_start(stream);
    for (unsigned i = 0; i < SECTIONS && !stream->error; i++) {
        size_t size = find_section(stream, sections[i].kind);
        if (!stream->error)
            load_content(gpu, stream, &sections[i], size);
    }
    if (!stream->error && (find_section(stream, KIND_END) || stream_left(stream)))
        stream_fail(stream, -EINVAL, "something stands behind its end");
}

static int load(struct venus_gpu *gpu, void *opaque)
{
    struct stream *stream = opaque;
    if (resource_next(gpu, NULL) || context_next(gpu, NULL) || ledger_is_obstructed(gpu->ledger))
        return -EBUSY;
    stream->only_looks = true;
    load_all(gpu, stream);
    stream->only_looks = false;
    if (!stream->error)
        load_all(gpu, stream);
    if (stream->error)
        thread_clear(gpu);
    return stream->error;
}

int venus_gpu_load(struct venus_gpu *gpu, const void *data, size_t size, char **why)
{
    struct stream stream;
    stream_init_load(&stream, data, size);
    int ret = thread_do(gpu->thread, load, &stream);
    switch (ret) {
    case 0:
        display_tell(gpu);
        return 0;
    case -EBUSY:
    case -EAGAIN:
        return give_up(why, -EBUSY, message("The guest uses the device already: reset it first."));
    default:
        return give_up(why, ret, message("The saved state cannot be loaded: %s.", stream.why));
    }
}
