/* SPDX-License-Identifier: MIT */
/*
 * What travels on the queues: the structures and numbers of the virtio-gpu device.
 *
 * Source: VIRTIO 1.3, section 5.7. Every number on the wire is little-endian; fields are read with
 * le32() and le64() below and written with the same. Names are the specification's.
 */
#ifndef PROTOCOL_H
#define PROTOCOL_H

#include <stdint.h>

enum {
    VIRTIO_GPU_F_VIRGL = 0,
    VIRTIO_GPU_F_EDID = 1,
    VIRTIO_GPU_F_RESOURCE_UUID = 2,
    VIRTIO_GPU_F_RESOURCE_BLOB = 3,
    VIRTIO_GPU_F_CONTEXT_INIT = 4,
    VIRTIO_GPU_F_BLOB_ALIGNMENT = 5, /* newer than 1.3: oasis-tcs/virtio-spec issue 223 */
};

enum virtio_gpu_ctrl_type {
    /* 2D commands */
    VIRTIO_GPU_CMD_GET_DISPLAY_INFO = 0x0100,
    VIRTIO_GPU_CMD_RESOURCE_CREATE_2D,
    VIRTIO_GPU_CMD_RESOURCE_UNREF,
    VIRTIO_GPU_CMD_SET_SCANOUT,
    VIRTIO_GPU_CMD_RESOURCE_FLUSH,
    VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D,
    VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING,
    VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING,
    VIRTIO_GPU_CMD_GET_CAPSET_INFO,
    VIRTIO_GPU_CMD_GET_CAPSET,
    VIRTIO_GPU_CMD_GET_EDID,
    VIRTIO_GPU_CMD_RESOURCE_ASSIGN_UUID,
    VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB,
    VIRTIO_GPU_CMD_SET_SCANOUT_BLOB,

    /* 3D commands */
    VIRTIO_GPU_CMD_CTX_CREATE = 0x0200,
    VIRTIO_GPU_CMD_CTX_DESTROY,
    VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE,
    VIRTIO_GPU_CMD_CTX_DETACH_RESOURCE,
    VIRTIO_GPU_CMD_RESOURCE_CREATE_3D,
    VIRTIO_GPU_CMD_TRANSFER_TO_HOST_3D,
    VIRTIO_GPU_CMD_TRANSFER_FROM_HOST_3D,
    VIRTIO_GPU_CMD_SUBMIT_3D,
    VIRTIO_GPU_CMD_RESOURCE_MAP_BLOB,
    VIRTIO_GPU_CMD_RESOURCE_UNMAP_BLOB,

    /* cursor commands */
    VIRTIO_GPU_CMD_UPDATE_CURSOR = 0x0300,
    VIRTIO_GPU_CMD_MOVE_CURSOR,

    /* success */
    VIRTIO_GPU_RESP_OK_NODATA = 0x1100,
    VIRTIO_GPU_RESP_OK_DISPLAY_INFO,
    VIRTIO_GPU_RESP_OK_CAPSET_INFO,
    VIRTIO_GPU_RESP_OK_CAPSET,
    VIRTIO_GPU_RESP_OK_EDID,
    VIRTIO_GPU_RESP_OK_RESOURCE_UUID,
    VIRTIO_GPU_RESP_OK_MAP_INFO,

    /* failure */
    VIRTIO_GPU_RESP_ERR_UNSPEC = 0x1200,
    VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY,
    VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID,
    VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID,
    VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID,
    VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
};

enum {
    VIRTIO_GPU_FLAG_FENCE = 1 << 0,
    VIRTIO_GPU_FLAG_INFO_RING_IDX = 1 << 1,
};

/* 5.7.6.7 */
struct virtio_gpu_ctrl_hdr {
    uint32_t type;
    uint32_t flags;
    uint64_t fence_id;
    uint32_t ctx_id;
    uint8_t ring_idx;
    uint8_t padding[3];
};

enum { VIRTIO_GPU_MAX_RING_IDX = 63 };

/* 5.7.4 */
struct virtio_gpu_config {
    uint32_t events_read;
    uint32_t events_clear;
    uint32_t num_scanouts;
    uint32_t num_capsets;
    uint32_t blob_alignment; /* with VIRTIO_GPU_F_BLOB_ALIGNMENT */
};

enum { VIRTIO_GPU_EVENT_DISPLAY = 1 << 0 };

struct virtio_gpu_rect {
    uint32_t x, y, width, height;
};

enum { VIRTIO_GPU_MAX_SCANOUTS = 16 };

/* 5.7.6.8 */
struct virtio_gpu_resp_display_info {
    struct virtio_gpu_ctrl_hdr hdr;
    struct virtio_gpu_display_one {
        struct virtio_gpu_rect r;
        uint32_t enabled;
        uint32_t flags;
    } pmodes[VIRTIO_GPU_MAX_SCANOUTS];
};

struct virtio_gpu_get_edid {
    struct virtio_gpu_ctrl_hdr hdr;
    uint32_t scanout;
    uint32_t padding;
};

struct virtio_gpu_resp_edid {
    struct virtio_gpu_ctrl_hdr hdr;
    uint32_t size;
    uint32_t padding;
    uint8_t edid[1024];
};

enum virtio_gpu_formats {
    VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM = 1,
    VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM = 2,
    VIRTIO_GPU_FORMAT_A8R8G8B8_UNORM = 3,
    VIRTIO_GPU_FORMAT_X8R8G8B8_UNORM = 4,
    VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM = 67,
    VIRTIO_GPU_FORMAT_X8B8G8R8_UNORM = 68,
    VIRTIO_GPU_FORMAT_A8B8G8R8_UNORM = 121,
    VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM = 134,
};

struct virtio_gpu_resource_create_2d {
    struct virtio_gpu_ctrl_hdr hdr;
    uint32_t resource_id;
    uint32_t format;
    uint32_t width;
    uint32_t height;
};

struct virtio_gpu_resource_unref {
    struct virtio_gpu_ctrl_hdr hdr;
    uint32_t resource_id;
    uint32_t padding;
};

struct virtio_gpu_set_scanout {
    struct virtio_gpu_ctrl_hdr hdr;
    struct virtio_gpu_rect r;
    uint32_t scanout_id;
    uint32_t resource_id;
};

struct virtio_gpu_resource_flush {
    struct virtio_gpu_ctrl_hdr hdr;
    struct virtio_gpu_rect r;
    uint32_t resource_id;
    uint32_t padding;
};

struct virtio_gpu_transfer_to_host_2d {
    struct virtio_gpu_ctrl_hdr hdr;
    struct virtio_gpu_rect r;
    uint64_t offset;
    uint32_t resource_id;
    uint32_t padding;
};

struct virtio_gpu_resource_attach_backing {
    struct virtio_gpu_ctrl_hdr hdr;
    uint32_t resource_id;
    uint32_t nr_entries;
    /* followed by struct virtio_gpu_mem_entry[nr_entries] */
};

struct virtio_gpu_mem_entry {
    uint64_t addr;
    uint32_t length;
    uint32_t padding;
};

struct virtio_gpu_resource_detach_backing {
    struct virtio_gpu_ctrl_hdr hdr;
    uint32_t resource_id;
    uint32_t padding;
};

struct virtio_gpu_get_capset_info {
    struct virtio_gpu_ctrl_hdr hdr;
    uint32_t capset_index;
    uint32_t padding;
};

enum { VIRTIO_GPU_CAPSET_VENUS = 4 };

struct virtio_gpu_resp_capset_info {
    struct virtio_gpu_ctrl_hdr hdr;
    uint32_t capset_id;
    uint32_t capset_max_version;
    uint32_t capset_max_size;
    uint32_t padding;
};

struct virtio_gpu_get_capset {
    struct virtio_gpu_ctrl_hdr hdr;
    uint32_t capset_id;
    uint32_t capset_version;
};

struct virtio_gpu_resource_assign_uuid {
    struct virtio_gpu_ctrl_hdr hdr;
    uint32_t resource_id;
    uint32_t padding;
};

struct virtio_gpu_resp_resource_uuid {
    struct virtio_gpu_ctrl_hdr hdr;
    uint8_t uuid[16];
};

enum {
    VIRTIO_GPU_BLOB_MEM_GUEST = 1,
    VIRTIO_GPU_BLOB_MEM_HOST3D = 2,
    VIRTIO_GPU_BLOB_MEM_HOST3D_GUEST = 3,
};

enum {
    VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE = 1 << 0,
    VIRTIO_GPU_BLOB_FLAG_USE_SHAREABLE = 1 << 1,
    VIRTIO_GPU_BLOB_FLAG_USE_CROSS_DEVICE = 1 << 2,
};

struct virtio_gpu_resource_create_blob {
    struct virtio_gpu_ctrl_hdr hdr;
    uint32_t resource_id;
    uint32_t blob_mem;
    uint32_t blob_flags;
    uint32_t nr_entries;
    uint64_t blob_id;
    uint64_t size;
    /* followed by struct virtio_gpu_mem_entry[nr_entries] */
};

struct virtio_gpu_set_scanout_blob {
    struct virtio_gpu_ctrl_hdr hdr;
    struct virtio_gpu_rect r;
    uint32_t scanout_id;
    uint32_t resource_id;
    uint32_t width;
    uint32_t height;
    uint32_t format;
    uint32_t padding;
    uint32_t strides[4];
    uint32_t offsets[4];
};

/* 5.7.6.9 */
struct virtio_gpu_ctx_create {
    struct virtio_gpu_ctrl_hdr hdr;
    uint32_t nlen;
    uint32_t context_init;
    char debug_name[64];
};

enum { VIRTIO_GPU_CONTEXT_INIT_CAPSET_ID_MASK = 0xff };

struct virtio_gpu_ctx_destroy {
    struct virtio_gpu_ctrl_hdr hdr;
};

/* CTX_ATTACH_RESOURCE and CTX_DETACH_RESOURCE */
struct virtio_gpu_ctx_resource {
    struct virtio_gpu_ctrl_hdr hdr;
    uint32_t resource_id;
    uint32_t padding;
};

struct virtio_gpu_cmd_submit {
    struct virtio_gpu_ctrl_hdr hdr;
    uint32_t size;
    uint32_t padding;
    /* followed by size bytes */
};

struct virtio_gpu_resource_map_blob {
    struct virtio_gpu_ctrl_hdr hdr;
    uint32_t resource_id;
    uint32_t padding;
    uint64_t offset;
};

struct virtio_gpu_resource_unmap_blob {
    struct virtio_gpu_ctrl_hdr hdr;
    uint32_t resource_id;
    uint32_t padding;
};

#define VIRTIO_GPU_MAP_CACHE_CACHED   1
#define VIRTIO_GPU_MAP_CACHE_UNCACHED 2
#define VIRTIO_GPU_MAP_CACHE_WC       3

struct virtio_gpu_resp_map_info {
    struct virtio_gpu_ctrl_hdr hdr;
    uint32_t map_info;
    uint32_t padding;
};

/* 5.7.6.10 */
struct virtio_gpu_cursor_pos {
    uint32_t scanout_id;
    uint32_t x;
    uint32_t y;
    uint32_t padding;
};

struct virtio_gpu_update_cursor {
    struct virtio_gpu_ctrl_hdr hdr;
    struct virtio_gpu_cursor_pos pos;
    uint32_t resource_id;
    uint32_t hot_x;
    uint32_t hot_y;
    uint32_t padding;
};

/* Conversions between little-endian and the host's order, either way. */
static inline uint32_t le32(uint32_t v)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return __builtin_bswap32(v);
#else
    return v;
#endif
}

static inline uint64_t le64(uint64_t v)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return __builtin_bswap64(v);
#else
    return v;
#endif
}

/* Sizes are the specification's, by the fields of each structure in 5.7.4 and 5.7.6: no padding is the compiler's. */
#define WIRE_SIZE(name, size) \
    _Static_assert(sizeof(struct virtio_gpu_##name) == (size), "a size of the specification's")
WIRE_SIZE(ctrl_hdr, 24);
WIRE_SIZE(config, 20);
WIRE_SIZE(rect, 16);
WIRE_SIZE(resp_display_info, 408);
WIRE_SIZE(get_edid, 32);
WIRE_SIZE(resp_edid, 1056);
WIRE_SIZE(resource_create_2d, 40);
WIRE_SIZE(resource_unref, 32);
WIRE_SIZE(set_scanout, 48);
WIRE_SIZE(resource_flush, 48);
WIRE_SIZE(transfer_to_host_2d, 56);
WIRE_SIZE(resource_attach_backing, 32);
WIRE_SIZE(mem_entry, 16);
WIRE_SIZE(resource_detach_backing, 32);
WIRE_SIZE(get_capset_info, 32);
WIRE_SIZE(resp_capset_info, 40);
WIRE_SIZE(get_capset, 32);
WIRE_SIZE(resource_assign_uuid, 32);
WIRE_SIZE(resp_resource_uuid, 40);
WIRE_SIZE(resource_create_blob, 56);
WIRE_SIZE(set_scanout_blob, 96);
WIRE_SIZE(ctx_create, 96);
WIRE_SIZE(ctx_destroy, 24);
WIRE_SIZE(ctx_resource, 32);
WIRE_SIZE(cmd_submit, 32);
WIRE_SIZE(resource_map_blob, 40);
WIRE_SIZE(resource_unmap_blob, 32);
WIRE_SIZE(resp_map_info, 32);
WIRE_SIZE(cursor_pos, 16);
WIRE_SIZE(update_cursor, 56);
#undef WIRE_SIZE

#endif
