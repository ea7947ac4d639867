/* SPDX-License-Identifier: MIT */
/*
 * Tests of malformed commands: each one cut at every length, and with random bytes in it.
 *
 * A command that is refused changes nothing: the counters of what exists are compared before and
 * after. Random numbers come from a fixed seed, so that a failure happens again.
 */
#include "harness.h"

enum { MAX_REQUEST = 256, ROUNDS = 400 };

static uint64_t seed;

static uint32_t random32(void)
{
    seed ^= seed << 13; /* xorshift */
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 16);
}

/* ---- a request of each kind, which is valid after prepare() ---------------------------------- */

struct request {
    enum venus_gpu_queue queue;
    size_t size;
    size_t room; /* for the response */
    union {
        struct virtio_gpu_ctrl_hdr hdr;
        uint8_t bytes[MAX_REQUEST];
        uint64_t alignment;
    };
};

/* What the requests below refer to. */
enum {
    CONTEXT = 1,
    NEW_CONTEXT = 2,
    PICTURE = 1,       /* with a backing, shown */
    PICTURE_PLAIN = 2, /* without */
    BLOB = 3,          /* of the host */
    BLOB_MAPPED = 4,
    CURSOR = 5,
    NEW_RESOURCE = 6,
};

static void prepare(void)
{
    static const uint32_t format = VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM;
    assert_ok(create_context(CONTEXT));
    assert_ok(create_2d(PICTURE, format, 32, 32));
    assert_ok(attach_ram(PICTURE, RAM_ADDR, 32 * 32 * 4));
    assert_ok(set_scanout(0, PICTURE, rect(0, 0, 32, 32)));
    assert_ok(create_2d(PICTURE_PLAIN, format, 32, 32));
    assert_ok(create_host_blob(BLOB, 4 * PAGE));
    assert_ok(create_host_blob(BLOB_MAPPED, 4 * PAGE));
    assert_int_equal(map_blob(BLOB_MAPPED, 8 * PAGE), VIRTIO_GPU_RESP_OK_MAP_INFO);
    assert_ok(create_2d(CURSOR, format, 64, 64));
}

#define SET(type_, ...)                            \
    do {                                           \
        const type_ set = { __VA_ARGS__ };         \
        memcpy(request->bytes, &set, sizeof(set)); \
        request->size = sizeof(set);               \
    } while (0)

static void append(struct request *request, const void *data, size_t size)
{
    memcpy(request->bytes + request->size, data, size);
    request->size += size;
}

/* The index-th request. False if there are no more. */
static bool make_request(unsigned index, struct request *request)
{
    const struct virtio_gpu_mem_entry entries[] = {
        entry(RAM_ADDR, PAGE),
        entry(RAM_ADDR + 2 * PAGE, PAGE),
        entry(RAM_ADDR + 5 * PAGE, PAGE),
    };
    static const uint32_t stream[4];

    memset(request, 0, sizeof(*request));
    request->queue = VENUS_GPU_QUEUE_CONTROL;
    request->room = 2048;
    switch (index) {
    case 0:
        SET(struct virtio_gpu_ctrl_hdr, .type = le32(VIRTIO_GPU_CMD_GET_DISPLAY_INFO));
        break;
    case 1:
        SET(struct virtio_gpu_resource_create_2d, REQUEST(RESOURCE_CREATE_2D),
            .resource_id = le32(NEW_RESOURCE), .format = le32(1), .width = le32(16),
            .height = le32(16));
        break;
    case 2:
        SET(struct virtio_gpu_resource_unref, REQUEST(RESOURCE_UNREF),
            .resource_id = le32(PICTURE_PLAIN));
        break;
    case 3:
        SET(struct virtio_gpu_set_scanout, REQUEST(SET_SCANOUT), .r = rect(0, 0, 32, 32),
            .scanout_id = le32(1), .resource_id = le32(PICTURE));
        break;
    case 4:
        SET(struct virtio_gpu_resource_flush, REQUEST(RESOURCE_FLUSH), .r = rect(0, 0, 32, 32),
            .resource_id = le32(PICTURE));
        break;
    case 5:
        SET(struct virtio_gpu_transfer_to_host_2d, REQUEST(TRANSFER_TO_HOST_2D),
            .r = rect(0, 0, 32, 32), .resource_id = le32(PICTURE));
        break;
    case 6:
        SET(struct virtio_gpu_resource_attach_backing, REQUEST(RESOURCE_ATTACH_BACKING),
            .resource_id = le32(PICTURE_PLAIN), .nr_entries = le32(3));
        append(request, entries, sizeof(entries));
        break;
    case 7:
        SET(struct virtio_gpu_resource_detach_backing, REQUEST(RESOURCE_DETACH_BACKING),
            .resource_id = le32(PICTURE));
        break;
    case 8:
        SET(struct virtio_gpu_get_capset_info, REQUEST(GET_CAPSET_INFO));
        break;
    case 9:
        SET(struct virtio_gpu_get_capset, REQUEST(GET_CAPSET), .capset_id = le32(4));
        break;
    case 10:
        SET(struct virtio_gpu_get_edid, REQUEST(GET_EDID), .scanout = le32(1));
        break;
    case 11:
        SET(struct virtio_gpu_resource_assign_uuid, REQUEST(RESOURCE_ASSIGN_UUID),
            .resource_id = le32(PICTURE));
        break;
    case 12:
        SET(struct virtio_gpu_resource_create_blob, REQUEST(RESOURCE_CREATE_BLOB),
            .resource_id = le32(NEW_RESOURCE), .blob_mem = le32(VIRTIO_GPU_BLOB_MEM_GUEST),
            .nr_entries = le32(3), .size = le64(3 * PAGE));
        append(request, entries, sizeof(entries));
        break;
    case 13:
        SET(struct virtio_gpu_resource_create_blob, REQUEST(RESOURCE_CREATE_BLOB),
            .resource_id = le32(NEW_RESOURCE), .blob_mem = le32(VIRTIO_GPU_BLOB_MEM_HOST3D_GUEST),
            .blob_flags = le32(1), .nr_entries = le32(3), .size = le64(3 * PAGE));
        append(request, entries, sizeof(entries));
        request->hdr.ctx_id = le32(CONTEXT);
        break;
    case 14:
        SET(struct virtio_gpu_resource_create_blob, REQUEST(RESOURCE_CREATE_BLOB),
            .resource_id = le32(NEW_RESOURCE), .blob_mem = le32(VIRTIO_GPU_BLOB_MEM_HOST3D),
            .blob_flags = le32(7), .blob_id = le64(9), .size = le64(3 * PAGE));
        request->hdr.ctx_id = le32(CONTEXT);
        break;
    case 15: {
        const struct virtio_gpu_set_scanout_blob set = blob_scanout(1, BLOB, 64, 64);
        append(request, &set, sizeof(set));
        break;
    }
    case 16:
        SET(struct virtio_gpu_ctx_create, REQUEST(CTX_CREATE), .nlen = le32(5),
            .context_init = le32(4), .debug_name = "guest");
        request->hdr.ctx_id = le32(NEW_CONTEXT);
        break;
    case 17:
        SET(struct virtio_gpu_ctx_destroy, REQUEST(CTX_DESTROY));
        request->hdr.ctx_id = le32(CONTEXT);
        break;
    case 18:
        SET(struct virtio_gpu_ctx_resource, REQUEST(CTX_ATTACH_RESOURCE),
            .resource_id = le32(BLOB));
        request->hdr.ctx_id = le32(CONTEXT);
        break;
    case 19:
        SET(struct virtio_gpu_cmd_submit, REQUEST(SUBMIT_3D), .size = le32(sizeof(stream)));
        append(request, stream, sizeof(stream));
        request->hdr.ctx_id = le32(CONTEXT);
        break;
    case 20:
        SET(struct virtio_gpu_resource_map_blob, REQUEST(RESOURCE_MAP_BLOB),
            .resource_id = le32(BLOB), .offset = le64(PAGE));
        break;
    case 21:
        SET(struct virtio_gpu_resource_unmap_blob, REQUEST(RESOURCE_UNMAP_BLOB),
            .resource_id = le32(BLOB_MAPPED));
        break;
    case 22:
    case 23:
        SET(struct virtio_gpu_update_cursor, REQUEST(UPDATE_CURSOR), .resource_id = le32(CURSOR));
        if (index == 23)
            request->hdr.type = le32(VIRTIO_GPU_CMD_MOVE_CURSOR);
        request->queue = VENUS_GPU_QUEUE_CURSOR;
        break;
    case 24: /* only random bytes make sense of these */
    case 25:
    case 26:
    case 27:
        SET(struct virtio_gpu_ctx_resource, .resource_id = le32(BLOB));
        request->hdr.type = le32(index == 24   ? VIRTIO_GPU_CMD_CTX_DETACH_RESOURCE
                                 : index == 25 ? VIRTIO_GPU_CMD_RESOURCE_CREATE_3D
                                 : index == 26 ? VIRTIO_GPU_CMD_TRANSFER_TO_HOST_3D
                                               : VIRTIO_GPU_CMD_TRANSFER_FROM_HOST_3D);
        break;
    default:
        return false;
    }
    return true;
}

enum { VALID_REQUESTS = 24 };

/* ---- what exists ----------------------------------------------------------------------------- */

static const char *const counters[] = {
    "contexts",       "contexts-created",
    "resources",      "resources-2d",
    "blobs",          "blobs-created",
    "memory-bytes",   "blob-bytes",
    "address-ranges", "mapped",
    "mapped-bytes",   "fences-pending",
    "submits",        "transfers",
    "cursor-updates", "flushes",
    "attachments",    "address-space-bytes",
};

struct snapshot {
    uint64_t value[COUNT(counters)];
    unsigned guest_mappings, blobs, contexts, frame_changes[2], flushes;
};

static struct snapshot take_snapshot(void)
{
    struct snapshot snapshot = {
        .guest_mappings = guest_mappings(),
        .blobs = fake_blobs(),
        .contexts = fake_contexts(),
        .frame_changes = { vm.frame_changes[0], vm.frame_changes[1] },
        .flushes = count_flushes(),
    };
    for (unsigned i = 0; i < COUNT(counters); i++)
        snapshot.value[i] = stat_value(counters[i]);
    return snapshot;
}

static void check_unchanged(const struct snapshot *before)
{
    const struct snapshot after = take_snapshot();
    for (unsigned i = 0; i < COUNT(counters); i++) {
        if (before->value[i] != after.value[i])
            fail_msg("%s was %llu, is %llu", counters[i], (unsigned long long)before->value[i],
                     (unsigned long long)after.value[i]);
    }
    assert_memory_equal(before, &after, sizeof(after));
}

static uint32_t run(const struct request *request, size_t size, size_t room)
{
    return wait_for(send_on(request->queue, request->bytes, size, room));
}

static bool is_error(uint32_t type)
{
    return type >= VIRTIO_GPU_RESP_ERR_UNSPEC;
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void test_cut_at_every_length(void **state)
{
    (void)state;
    struct request request;
    for (unsigned i = 0; i < VALID_REQUESTS; i++) {
        vm_start(NULL);
        prepare();
        assert_true(make_request(i, &request));
        const struct snapshot before = take_snapshot();
        for (size_t size = 0; size < request.size; size++)
            assert_error(run(&request, size, request.room), INVALID_PARAMETER);
        check_unchanged(&before);
        /* It was the length only. */
        uint32_t type = run(&request, request.size, request.room);
        if (is_error(type))
            fail_msg("request %u was answered with 0x%x", i, type);
        vm_stop();
    }
}

/* The same with a fence on a ring, which must not be left behind. */
static void test_cut_with_a_fence(void **state)
{
    (void)state;
    struct request request;
    for (unsigned i = 0; i < VALID_REQUESTS; i++) {
        vm_start(NULL);
        prepare();
        fake_set_fences(FAKE_FENCES_WHEN_SAID);
        assert_true(make_request(i, &request));
        request.hdr.flags = le32(VIRTIO_GPU_FLAG_FENCE | VIRTIO_GPU_FLAG_INFO_RING_IDX);
        request.hdr.ctx_id = le32(CONTEXT);
        request.hdr.ring_idx = 2;
        const struct snapshot before = take_snapshot();
        for (size_t size = 0; size < request.size; size++)
            assert_error(run(&request, size, request.room), INVALID_PARAMETER);
        check_unchanged(&before);
        assert_int_equal(fake_count(FAKE_FENCE), 0);
        vm_stop();
    }
}

static void test_no_room_for_the_response(void **state)
{
    (void)state;
    struct request request;
    for (unsigned i = 0; i < VALID_REQUESTS; i++) {
        vm_start(NULL);
        prepare();
        assert_true(make_request(i, &request));
        if (request.queue == VENUS_GPU_QUEUE_CONTROL) {
            const struct snapshot before = take_snapshot();
            for (size_t room = 0; room < sizeof(struct virtio_gpu_ctrl_hdr); room++)
                run(&request, request.size, room);
            check_unchanged(&before);
        }
        vm_stop();
    }
}

/* A number that is more likely to be near something than a random one. */
static uint32_t interesting(void)
{
    static const uint32_t numbers[] = {
        0,    1,     2,     3,          4,          5,          6,          15,         16,
        31,   32,    33,    63,         64,         65,         255,        4095,       4096,
        4097, 65535, 65536, 0x40000000, 0x7fffffff, 0x80000000, 0xfffff000, 0xfffffffe, 0xffffffff
    };
    return random32() % 4 ? numbers[random32() % COUNT(numbers)] : random32();
}

/* Change some of the words, or bytes, after the type. */
static void spoil(struct request *request)
{
    for (unsigned n = random32() % 4 + 1; n; n--) {
        size_t words = request->size / 4 - 1;
        uint32_t value = le32(interesting());
        if (random32() % 3)
            memcpy(request->bytes + 4 + random32() % words * 4, &value, sizeof(value));
        else
            request->bytes[4 + random32() % (request->size - 4)] = (uint8_t)random32();
    }
}

static void run_spoiled(struct request *request)
{
    spoil(request);
    vm.out_split = random32() % 3 ? 0 : random32() % 40 + 1;
    vm.in_split = random32() % 3 ? 0 : random32() % 40 + 1;
    size_t room = random32() % 4 ? request->room : random32() % request->room;
    size_t size = random32() % 4 ? request->size : random32() % request->size;
    const struct snapshot before = take_snapshot();
    uint32_t type = run(request, size, room);
    if (!type)
        return; /* too little room for an answer to look at */
    assert_uint_in_range(type, VIRTIO_GPU_RESP_OK_NODATA, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
    if (is_error(type))
        check_unchanged(&before);
    else
        assert_true(type <= VIRTIO_GPU_RESP_OK_MAP_INFO);
}

/* One device for many spoiled commands of one kind, and one for all kinds in a row. */
static void test_random(void **state)
{
    (void)state;
    struct request request;
    seed = UINT64_C(0x9e3779b97f4a7c15);
    for (unsigned i = 0; make_request(i, &request); i++) {
        vm_start(NULL);
        prepare();
        for (unsigned round = 0; round < ROUNDS; round++) {
            make_request(i, &request);
            run_spoiled(&request);
        }
        vm_stop();
    }
}

static void test_random_sequences(void **state)
{
    (void)state;
    static const enum fake_memory memories[] = { FAKE_SHM, FAKE_OPAQUE, FAKE_PINNED, FAKE_SHORT };
    struct request request;
    seed = 42;
    for (unsigned pass = 0; pass < 8; pass++) {
        vm_start(&(struct vm_options){ .private_ram = pass % 2, .max_blob_memory = 64 * PAGE });
        fake_set_memory(memories[pass % COUNT(memories)]);
        for (unsigned life = 0; life < 2; life++) {
            assert_ok(create_context(CONTEXT));
            for (unsigned round = 0; round < 750; round++) {
                make_request(random32() % 28, &request);
                if (random32() % 2) /* as it is: to get somewhere */
                    run(&request, request.size, request.room);
                else
                    run_spoiled(&request);
            }
            vm_reset();
        }
        vm_stop();
    }
}

static void test_random_bytes(void **state)
{
    (void)state;
    seed = 7;
    vm_start(NULL);
    prepare();
    for (unsigned round = 0; round < 5000; round++) {
        struct request request = { .queue = random32() % 2, .size = random32() % MAX_REQUEST };
        for (unsigned i = 0; i < request.size; i++)
            request.bytes[i] = (uint8_t)random32();
        if (random32() % 2)
            request.hdr.type = le32(0x100 * (random32() % 3 + 1) + random32() % 14);
        if (random32() % 2) {
            request.hdr.flags = le32(random32() % 4);
            request.hdr.ctx_id = le32(random32() % 3);
        }
        uint32_t type = run(&request, request.size, 64);
        if (type)
            assert_uint_in_range(type, VIRTIO_GPU_RESP_OK_NODATA,
                                 VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_cut_at_every_length),      TEST(test_cut_with_a_fence),
        TEST(test_no_room_for_the_response), TEST(test_random),
        TEST(test_random_sequences),         TEST(test_random_bytes),
    };
    return RUN_TESTS(tests);
}
