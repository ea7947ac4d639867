/* SPDX-License-Identifier: MIT */
/* See backing.h. */
#include "command/backing.h"

#include <stdlib.h>
#include <string.h>

#include "base/services.h"
#include "command/command.h"
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

struct backing *backing_create(struct services *services, struct command *cmd, size_t offset,
                               uint32_t nr_entries, enum virtio_gpu_ctrl_type *error)
{
    assert_device_thread(services);
    *error = VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
    if (nr_entries > MAX_ENTRIES ||
        (cmd->readable - offset) / sizeof(struct virtio_gpu_mem_entry) < nr_entries) {
        command_error(cmd, *error, "%u memory entries are more than it holds or than %u",
                      nr_entries, MAX_ENTRIES);
        return NULL;
    }

    struct virtio_gpu_mem_entry *entries = calloc(nr_entries ? nr_entries : 1, sizeof(*entries));
    struct backing *backing = calloc(1, sizeof(*backing));
    unsigned room = 0;
    if (!entries || !backing) {
        *error = command_error(cmd, VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY, "out of memory");
        goto fail;
    }
    command_read(cmd, offset, entries, nr_entries * sizeof(*entries));

    for (uint32_t i = 0; i < nr_entries;) {
        uint64_t addr = le64(entries[i].addr);
        uint64_t len = le32(entries[i].length);
        for (i++; i < nr_entries && le64(entries[i].addr) == addr + len; i++)
            len += le32(entries[i].length);
        if (len > UINT64_MAX - addr || !map_run(services, backing, &room, addr, len)) {
            command_error(cmd, *error, "no guest memory at 0x%llx, length 0x%llx",
                          (unsigned long long)addr, (unsigned long long)len);
            goto fail;
        }
    }
    size_t list_size = backing->num_iov * sizeof(*backing->iov);
    if (!budget_take(&services->budget, BUDGET_MEMORY, list_size)) {
        *error = command_error(cmd, VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY,
                               "no memory for a list of %u pages (max_memory)", backing->num_iov);
        goto fail;
    }
    backing->accounted = list_size;
    free(entries);
    return backing;

fail:
    free(entries);
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
