/* SPDX-License-Identifier: MIT */
/* See backing.h. */
#include "command/backing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/services.h"
#include "base/stream.h"
#include "command/command.h"
#include "command/translation.h"
#include "memory/memory.h"

/*
 * 1 GiB in single 4 KiB pages, a 16384 by 16384 picture: more than any display needs, and 4 MiB of
 * our own memory at most.
 */
enum { MAX_ENTRIES = 262144 };

static bool backing_add(struct backing *backing, unsigned *room, void *ptr, size_t len)
{
    if (backing->num_iov == *room) {
        unsigned more = *room ? *room * 2 : 16;
        struct iovec *iov = realloc(backing->iov, more * sizeof(*iov));
        if (!iov)
            return false;
        backing->iov = iov;
        *room = more;
    }
    backing->iov[backing->num_iov++] = (struct iovec){ .iov_base = ptr, .iov_len = len };
    backing->size += len;
    return true;
}

/* Map one run of guest memory, which may take several pieces. */
static bool map_run(struct services *services, struct backing *backing, unsigned *room,
                    uint64_t addr, uint64_t len)
{
    while (len) {
        uint64_t piece = len;
        void *ptr = services->ops.map_guest(services->opaque, addr, &piece);
        if (!ptr)
            return false;
        if (!piece || piece > len || !backing_add(backing, room, ptr, piece)) {
            services->ops.unmap_guest(services->opaque, ptr, piece);
            return false;
        }
        addr += piece;
        len -= piece;
    }
    return true;
}

/* Map all of its runs. Returns NULL, or the first that is nowhere. */
static const struct run *map(struct services *services, struct backing *backing)
{
    unsigned room = 0;
    for (unsigned i = 0; i < backing->num_runs; i++) {
        const struct run *run = &backing->runs[i];
        if (!map_run(services, backing, &room, run->addr, run->len))
            return run;
    }
    return NULL;
}

/* Take the lists of the budget. */
static bool account(struct services *services, struct backing *backing)
{
    size_t size =
        backing->num_iov * sizeof(*backing->iov) + backing->num_runs * sizeof(*backing->runs);
    if (!budget_take(&services->budget, BUDGET_MEMORY, size))
        return false;
    backing->accounted = size;
    return true;
}

/* The entries of a command, neighbours merged. NULL: no memory. */
static struct run *read_runs(struct command *cmd, size_t offset, uint32_t nr_entries, unsigned *num)
{
    size_t count = nr_entries ? nr_entries : 1;
    struct virtio_gpu_mem_entry *entries = calloc(count, sizeof(*entries));
    struct run *runs = calloc(count, sizeof(*runs));
    if (!entries || !runs) {
        free(entries);
        free(runs);
        return NULL;
    }
    command_read(cmd, offset, entries, nr_entries * sizeof(*entries));
    for (uint32_t i = 0; i < nr_entries;) {
        struct run *run = &runs[(*num)++];
        *run = (struct run){ le64(entries[i].addr), le32(entries[i].length) };
        for (i++; i < nr_entries && le64(entries[i].addr) == run->addr + run->len; i++)
            run->len += le32(entries[i].length);
    }
    free(entries);
    return runs;
}

static void say_nowhere(struct command *cmd, enum virtio_gpu_ctrl_type error, const struct run *run)
{
    command_error(cmd, error, "no guest memory at 0x%llx, length 0x%llx",
                  (unsigned long long)run->addr, (unsigned long long)run->len);
}

static enum virtio_gpu_ctrl_type say_untranslated(struct command *cmd, int ret,
                                                  const struct run *run)
{
    switch (ret) {
    case -EFAULT:
        say_nowhere(cmd, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER, run);
        return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
    case -E2BIG:
        return command_error(cmd, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
                             "its memory is in more than %u pieces", MAX_ENTRIES);
    case -EINTR: /* by a reset, which drops the command */
        return VIRTIO_GPU_RESP_ERR_UNSPEC;
    default:
        return command_error(cmd, VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY, "out of memory");
    }
}

struct backing *backing_create(struct services *services, struct bell *bell, struct command *cmd,
                               size_t offset, uint32_t nr_entries, enum virtio_gpu_ctrl_type *error)
{
    assert_device_thread(services);
    *error = VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
    if (nr_entries > MAX_ENTRIES ||
        (cmd->readable - offset) / sizeof(struct virtio_gpu_mem_entry) < nr_entries) {
        command_error(cmd, *error, "%u memory entries are more than it holds or than %u",
                      nr_entries, MAX_ENTRIES);
        return NULL;
    }

    unsigned num_runs = 0;
    struct run *runs = read_runs(cmd, offset, nr_entries, &num_runs);
    struct backing *backing = calloc(1, sizeof(*backing));
    if (!runs || !backing) {
        *error = command_error(cmd, VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY, "out of memory");
        goto fail;
    }
    for (unsigned i = 0; i < num_runs; i++) {
        if (runs[i].len > UINT64_MAX - runs[i].addr) {
            say_nowhere(cmd, *error, &runs[i]);
            goto fail;
        }
    }
    int ret = translate(services, bell, &runs, &num_runs, MAX_ENTRIES);
    if (ret < 0) {
        *error = say_untranslated(cmd, ret, &runs[0]);
        goto fail;
    }
    backing->runs =
        realloc(runs, (num_runs ? num_runs : 1) * sizeof(*runs)); /* it had room for all entries */
    if (!backing->runs)
        backing->runs = runs;
    backing->num_runs = num_runs;
    const struct run *nowhere = map(services, backing);
    if (nowhere) {
        say_nowhere(cmd, *error, nowhere);
        goto fail_backing;
    }
    if (!account(services, backing)) {
        *error = command_error(cmd, VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY,
                               "no memory for a list of %u pages (max_memory)", backing->num_iov);
        goto fail_backing;
    }
    return backing;

fail:
    free(runs);
fail_backing:
    backing_destroy(services, backing);
    return NULL;
}

/* Load what is in a backing. The stream knows if that fails. */
static void load(struct services *services, struct backing *backing, struct stream *stream)
{
    for (unsigned i = 0; i < backing->num_runs; i++) {
        struct run *run = &backing->runs[i];
        stream_u64(stream, &run->addr);
        stream_u64(stream, &run->len);
        if (run->len > UINT64_MAX - run->addr)
            stream_fail(stream, -EINVAL, "there is no guest memory of %llu bytes at 0x%llx",
                        (unsigned long long)run->len, (unsigned long long)run->addr);
    }
    const struct run *nowhere = stream->error ? NULL : map(services, backing);
    if (nowhere)
        stream_fail(stream, -EINVAL, "this machine has no memory at 0x%llx, length 0x%llx",
                    (unsigned long long)nowhere->addr, (unsigned long long)nowhere->len);
    if (!stream->error && !account(services, backing))
        stream_fail(stream, -ENOMEM, "there is no memory for a list of %u pages (max_memory)",
                    backing->num_iov);
}

struct backing *backing_stream(struct services *services, struct backing *backing,
                               struct stream *stream)
{
    assert_device_thread(services);
    uint32_t num = backing ? backing->num_runs : 0;
    stream_u32(stream, &num);
    if (backing) {
        for (unsigned i = 0; i < num; i++) {
            stream_u64(stream, &backing->runs[i].addr);
            stream_u64(stream, &backing->runs[i].len);
        }
        return backing;
    }
    if (num > MAX_ENTRIES)
        stream_fail(stream, -EINVAL, "a resource's memory is in more than %u pieces", MAX_ENTRIES);
    if (!stream_holds(stream, num, sizeof(struct run)))
        return NULL;
    backing = calloc(1, sizeof(*backing));
    if (backing)
        backing->runs = calloc(num ? num : 1, sizeof(*backing->runs));
    if (backing && backing->runs) {
        backing->num_runs = num;
        load(services, backing, stream);
    } else {
        stream_fail(stream, -ENOMEM, "out of memory");
    }
    if (!stream->error)
        return backing;
    backing_destroy(services, backing);
    return NULL;
}

void backing_destroy(struct services *services, struct backing *backing)
{
    if (!backing)
        return;
    for (unsigned i = 0; i < backing->num_iov; i++)
        services->ops.unmap_guest(services->opaque, backing->iov[i].iov_base,
                                  backing->iov[i].iov_len);
    budget_give_back(&services->budget, BUDGET_MEMORY, backing->accounted);
    free(backing->iov);
    free(backing->runs);
    free(backing);
}

void backing_read(struct backing_cursor *cursor, uint64_t offset, void *data, size_t size)
{
    const struct iovec *iov = cursor->backing->iov;
    char *to = data;

    if (offset < cursor->position) {
        cursor->index = 0;
        cursor->position = 0;
    }
    while (size) {
        while (offset - cursor->position >= iov[cursor->index].iov_len)
            cursor->position += iov[cursor->index++].iov_len;
        size_t skip = offset - cursor->position;
        size_t len = iov[cursor->index].iov_len - skip;
        if (len > size)
            len = size;
        memcpy(to, (const char *)iov[cursor->index].iov_base + skip, len);
        to += len;
        offset += len;
        size -= len;
    }
}
