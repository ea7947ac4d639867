/* SPDX-License-Identifier: MIT */
/*
 * See commands.h.
 *
 * In each record: id is a resource (0 to 7; 255: one that never is), other a context (0 to 4; 255: likewise). flags: 1 a
 * fence, 2 on a ring, 4 and 8 which ring (3: 63), 16 do not wait, 32 numbers as they are instead of small ones. The
 * kinds from ALTER on change the command that comes next: a field of it, how long it is, what room its answer has, in
 * how many pieces both are, and on which queue it comes.
 */
#include "commands.h"

#include <string.h>

#include "base/protocol.h"

enum kind {
    GET_DISPLAY_INFO,
    RESOURCE_CREATE_2D,
    RESOURCE_UNREF,
    SET_SCANOUT,
    RESOURCE_FLUSH,
    TRANSFER_TO_HOST_2D,
    RESOURCE_ATTACH_BACKING,
    RESOURCE_DETACH_BACKING,
    GET_CAPSET_INFO,
    GET_CAPSET,
    GET_EDID,
    RESOURCE_ASSIGN_UUID,
    RESOURCE_CREATE_BLOB,
    SET_SCANOUT_BLOB,
    CTX_CREATE,
    CTX_DESTROY,
    CTX_ATTACH_RESOURCE,
    CTX_DETACH_RESOURCE,
    OPENGL,
    SUBMIT_3D,
    RESOURCE_MAP_BLOB,
    RESOURCE_UNMAP_BLOB,
    UPDATE_CURSOR,
    MOVE_CURSOR,
    BYTES, /* no command: a, b and c as a header begins */
    ALTER, /* other & 3: set, add, or; 32 bits at a of the next command: b */
    SHORTEN,
    ROOM,
    PIECES,
    OTHER_QUEUE,
};
_Static_assert(OTHER_QUEUE == COMMANDS - 1, "a kind for each");

enum { FLAG_AS_IT_IS = 32, PAGE = 4096, MOST_ALTERS = 8 };

static struct {
    struct {
        uint32_t at, value;
        unsigned how;
    } alters[MOST_ALTERS];
    unsigned num_alters;
    bool shortens, has_room, other_queue;
    uint32_t size, room;
    unsigned out_piece, in_piece;
} next;

void commands_forget(void)
{
    memset(&next, 0, sizeof(next));
}

static uint32_t resource_id(const struct record *r)
{
    return le32(r->id == 255 ? UINT32_MAX : r->id & 7);
}

static uint32_t context_id(uint8_t other)
{
    return le32(other == 255 ? UINT32_MAX : other % 5);
}

static struct virtio_gpu_rect rect_of(const struct record *r)
{
    if (r->flags & FLAG_AS_IT_IS)
        return (struct virtio_gpu_rect){ le32(r->a), le32(r->b), le32(r->c), le32(r->a ^ r->b) };
    return (struct virtio_gpu_rect){ le32(r->a & 63), le32(r->a >> 8 & 63), le32(r->a >> 16 & 127),
                                     le32(r->a >> 24 & 127) };
}

static uint32_t format_of(uint32_t number)
{
    static const uint8_t formats[] = { 1, 2, 3, 4, 67, 68, 121, 134 };
    return le32(number & 8 ? number : formats[number & 7]);
}

/* Runs of pages: next to each other, far apart, the same once more, and, now and then, outside. */
static uint32_t add_entries(struct built *built, uint32_t count, uint64_t ram_addr,
                            const struct record *r)
{
    uint32_t page = r->b & 63, pages = (r->b >> 8 & 7) + 1, step = r->b >> 12 & 63;
    for (uint32_t i = 0;
         i < count && built->size + sizeof(struct virtio_gpu_mem_entry) <= MOST_COMMAND; i++) {
        struct virtio_gpu_mem_entry entry = { .addr = le64(ram_addr + (uint64_t)(page % 64) * PAGE),
                                              .length = le32(pages * PAGE) };
        if (r->b >> 20 & 1)
            entry.addr = le64(le64(entry.addr) + (r->c & 0xfff));
        if (r->b >> 21 & 1)
            entry.length = le32(r->c);
        if (r->b >> 22 & 1 && i == r->c % (count + 1))
            entry.addr = le64((uint64_t)r->c << 32 | r->a);
        memcpy(built->bytes + built->size, &entry, sizeof(entry));
        built->size += sizeof(entry);
        page += step ? step : pages;
    }
    return count;
}

/* How many memory entries follow. */
static uint32_t entries_of(uint32_t number, const struct record *r)
{
    return r->flags & FLAG_AS_IT_IS ? number & 0x3fff : number & 15;
}

#define COMMAND(name_, type_)                                \
    struct virtio_gpu_##type_ *name_ = (void *)built->bytes; \
    built->size = sizeof(*name_)

static uint32_t build(const struct record *r, uint64_t ram_addr, struct built *built)
{
    switch ((enum kind)(r->kind % COMMANDS)) {
    case GET_DISPLAY_INFO: {
        built->size = sizeof(struct virtio_gpu_ctrl_hdr);
        built->room = sizeof(struct virtio_gpu_resp_display_info);
        return VIRTIO_GPU_CMD_GET_DISPLAY_INFO;
    }
    case RESOURCE_CREATE_2D: {
        COMMAND(cmd, resource_create_2d);
        cmd->resource_id = resource_id(r);
        cmd->format = format_of(r->b);
        cmd->width = le32(r->flags & FLAG_AS_IT_IS ? r->a : r->a & 127);
        cmd->height = le32(r->flags & FLAG_AS_IT_IS ? r->c : r->a >> 8 & 127);
        return VIRTIO_GPU_CMD_RESOURCE_CREATE_2D;
    }
    case RESOURCE_UNREF: {
        COMMAND(cmd, resource_unref);
        cmd->resource_id = resource_id(r);
        return VIRTIO_GPU_CMD_RESOURCE_UNREF;
    }
    case SET_SCANOUT: {
        COMMAND(cmd, set_scanout);
        cmd->r = rect_of(r);
        cmd->scanout_id = le32(r->other & 3);
        cmd->resource_id = resource_id(r);
        return VIRTIO_GPU_CMD_SET_SCANOUT;
    }
    case RESOURCE_FLUSH: {
        COMMAND(cmd, resource_flush);
        cmd->r = rect_of(r);
        cmd->resource_id = resource_id(r);
        return VIRTIO_GPU_CMD_RESOURCE_FLUSH;
    }
    case TRANSFER_TO_HOST_2D: {
        COMMAND(cmd, transfer_to_host_2d);
        cmd->r = rect_of(r);
        cmd->offset = le64(r->flags & FLAG_AS_IT_IS ? (uint64_t)r->c << 32 | r->b : r->b & 0xffff);
        cmd->resource_id = resource_id(r);
        return VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D;
    }
    case RESOURCE_ATTACH_BACKING: {
        COMMAND(cmd, resource_attach_backing);
        cmd->resource_id = resource_id(r);
        cmd->nr_entries = le32(add_entries(built, entries_of(r->a, r), ram_addr, r));
        return VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING;
    }
    case RESOURCE_DETACH_BACKING: {
        COMMAND(cmd, resource_detach_backing);
        cmd->resource_id = resource_id(r);
        return VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING;
    }
    case GET_CAPSET_INFO: {
        COMMAND(cmd, get_capset_info);
        cmd->capset_index = le32(r->a & 1);
        built->room = sizeof(struct virtio_gpu_resp_capset_info);
        return VIRTIO_GPU_CMD_GET_CAPSET_INFO;
    }
    case GET_CAPSET: {
        COMMAND(cmd, get_capset);
        cmd->capset_id = le32(r->a & 3 ? VIRTIO_GPU_CAPSET_VENUS : r->b);
        cmd->capset_version = le32(r->a >> 2 & 3);
        built->room = 24 + (r->a >> 8 & 1 ? r->b & 255 : 160);
        return VIRTIO_GPU_CMD_GET_CAPSET;
    }
    case GET_EDID: {
        COMMAND(cmd, get_edid);
        cmd->scanout = le32(r->a & 3);
        built->room = sizeof(struct virtio_gpu_resp_edid);
        return VIRTIO_GPU_CMD_GET_EDID;
    }
    case RESOURCE_ASSIGN_UUID: {
        COMMAND(cmd, resource_assign_uuid);
        cmd->resource_id = resource_id(r);
        built->room = sizeof(struct virtio_gpu_resp_resource_uuid);
        return VIRTIO_GPU_CMD_RESOURCE_ASSIGN_UUID;
    }
    case RESOURCE_CREATE_BLOB: {
        COMMAND(cmd, resource_create_blob);
        cmd->resource_id = resource_id(r);
        cmd->blob_mem = le32(r->a & 3);
        cmd->blob_flags = le32(r->a >> 2 & 7);
        cmd->blob_id = le64(r->c);
        cmd->size = le64((uint64_t)(r->a >> 8 & 31) * PAGE + (r->a >> 13 & 7));
        uint32_t count = (r->a & 3) == VIRTIO_GPU_BLOB_MEM_HOST3D ? r->a >> 30 : r->a >> 16 & 15;
        if (r->flags & FLAG_AS_IT_IS) {
            cmd->blob_flags = le32(r->a >> 2);
            cmd->size = le64((uint64_t)r->c << 32 | r->b);
        }
        cmd->nr_entries = le32(add_entries(built, count, ram_addr, r));
        return VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB;
    }
    case SET_SCANOUT_BLOB: {
        COMMAND(cmd, set_scanout_blob);
        cmd->r = rect_of(r);
        cmd->scanout_id = le32(r->other & 3);
        cmd->resource_id = resource_id(r);
        cmd->width = le32(r->b & 127);
        cmd->height = le32(r->b >> 8 & 127);
        cmd->format = format_of(r->c & 15);
        cmd->strides[0] = le32(r->c >> 4 & 1 ? r->b >> 16 : (r->b & 127) * 4);
        cmd->offsets[0] = le32(r->c >> 8);
        return VIRTIO_GPU_CMD_SET_SCANOUT_BLOB;
    }
    case CTX_CREATE: {
        COMMAND(cmd, ctx_create);
        cmd->nlen = le32(r->a & 127);
        cmd->context_init = le32(r->b & 1 ? r->c : VIRTIO_GPU_CAPSET_VENUS);
        memset(cmd->debug_name, 'a', sizeof(cmd->debug_name));
        return VIRTIO_GPU_CMD_CTX_CREATE;
    }
    case CTX_DESTROY: {
        built->size = sizeof(struct virtio_gpu_ctx_destroy);
        return VIRTIO_GPU_CMD_CTX_DESTROY;
    }
    case CTX_ATTACH_RESOURCE:
    case CTX_DETACH_RESOURCE: {
        COMMAND(cmd, ctx_resource);
        cmd->resource_id = resource_id(r);
        return r->kind % COMMANDS == CTX_ATTACH_RESOURCE ? VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE
                                                         : VIRTIO_GPU_CMD_CTX_DETACH_RESOURCE;
    }
    case OPENGL: {
        built->size = sizeof(struct virtio_gpu_ctrl_hdr) + (r->b & 127);
        return VIRTIO_GPU_CMD_RESOURCE_CREATE_3D + r->a % 3;
    }
    case SUBMIT_3D: {
        COMMAND(cmd, cmd_submit);
        uint32_t size = r->flags & FLAG_AS_IT_IS ? r->a & (MOST_COMMAND / 2 - 1) : r->a & 0xffc;
        cmd->size = le32(size);
        memset(built->bytes + built->size, (uint8_t)r->b, size);
        built->size += size;
        return VIRTIO_GPU_CMD_SUBMIT_3D;
    }
    case RESOURCE_MAP_BLOB: {
        COMMAND(cmd, resource_map_blob);
        cmd->resource_id = resource_id(r);
        cmd->offset = le64(r->flags & FLAG_AS_IT_IS ? (uint64_t)r->c << 32 | r->b
                                                    : (uint64_t)(r->a & 63) * PAGE);
        built->room = sizeof(struct virtio_gpu_resp_map_info);
        return VIRTIO_GPU_CMD_RESOURCE_MAP_BLOB;
    }
    case RESOURCE_UNMAP_BLOB: {
        COMMAND(cmd, resource_unmap_blob);
        cmd->resource_id = resource_id(r);
        return VIRTIO_GPU_CMD_RESOURCE_UNMAP_BLOB;
    }
    case UPDATE_CURSOR:
    case MOVE_CURSOR: {
        COMMAND(cmd, update_cursor);
        cmd->pos.scanout_id = le32(r->other & 3);
        cmd->pos.x = le32(r->a);
        cmd->pos.y = le32(r->b);
        cmd->resource_id = resource_id(r);
        cmd->hot_x = le32(r->c & 255);
        cmd->hot_y = le32(r->c >> 8);
        built->queue = VENUS_GPU_QUEUE_CURSOR;
        built->room = r->flags & FLAG_AS_IT_IS ? sizeof(struct virtio_gpu_ctrl_hdr) : 0;
        return r->kind % COMMANDS == UPDATE_CURSOR ? VIRTIO_GPU_CMD_UPDATE_CURSOR
                                                   : VIRTIO_GPU_CMD_MOVE_CURSOR;
    }
    default:
        built->size = sizeof(struct virtio_gpu_ctrl_hdr);
        memcpy(built->bytes, &r->a, 3 * sizeof(r->a));
        return r->a;
    }
}

/* Keep what is to be done with the next command. Returns whether the record is of that kind. */
static bool is_about_next(const struct record *r)
{
    switch ((enum kind)(r->kind % COMMANDS)) {
    case ALTER:
        if (next.num_alters < MOST_ALTERS) {
            next.alters[next.num_alters].at = r->a;
            next.alters[next.num_alters].value = r->b;
            next.alters[next.num_alters++].how = r->other & 3;
        }
        return true;
    case SHORTEN:
        next.shortens = true;
        next.size = r->a;
        return true;
    case ROOM:
        next.has_room = true;
        next.room = r->a % 2048;
        return true;
    case PIECES:
        next.out_piece = r->a & 63;
        next.in_piece = r->b & 63;
        return true;
    case OTHER_QUEUE:
        next.other_queue = true;
        return true;
    default:
        return false;
    }
}

static void alter(struct built *built)
{
    for (unsigned i = 0; i < next.num_alters; i++) {
        uint32_t at = next.alters[i].at % (uint32_t)(built->size / 4 + 1) * 4, word;
        if (at + sizeof(word) > built->size)
            continue;
        memcpy(&word, built->bytes + at, sizeof(word));
        uint32_t value = next.alters[i].value;
        word = next.alters[i].how == 0   ? value
               : next.alters[i].how == 1 ? word + value
                                         : word | value;
        memcpy(built->bytes + at, &word, sizeof(word));
    }
    if (next.shortens)
        built->size = next.size % (built->size + 1);
    if (next.has_room)
        built->room = next.room;
    if (next.other_queue)
        built->queue = built->queue == VENUS_GPU_QUEUE_CONTROL ? VENUS_GPU_QUEUE_CURSOR
                                                               : VENUS_GPU_QUEUE_CONTROL;
    built->out_piece = next.out_piece;
    built->in_piece = next.in_piece;
    commands_forget();
}

bool command_build(const struct record *r, uint64_t ram_addr, struct built *built)
{
    if (is_about_next(r))
        return false;
    memset(built->bytes, 0, 128);
    built->room = sizeof(struct virtio_gpu_ctrl_hdr);
    built->queue = VENUS_GPU_QUEUE_CONTROL;
    uint32_t type = build(r, ram_addr, built);
    if (r->kind % COMMANDS != BYTES) {
        static const uint8_t rings[] = { 0, 1, 2, VIRTIO_GPU_MAX_RING_IDX };
        struct virtio_gpu_ctrl_hdr *hdr = (void *)built->bytes;
        hdr->type = le32(type);
        hdr->flags = le32(r->flags & (VIRTIO_GPU_FLAG_FENCE | VIRTIO_GPU_FLAG_INFO_RING_IDX));
        hdr->fence_id = le64(r->c);
        hdr->ctx_id = context_id(r->other);
        hdr->ring_idx = rings[r->flags >> 2 & 3];
    }
    alter(built);
    return true;
}
