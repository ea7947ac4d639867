/* SPDX-License-Identifier: MIT */
/* A context whose process reads nothing for a while: its commands wait, in order, and no others. */
#include <time.h>

#include "device/device.h"
#include "harness.h"

enum { SOON_MS = 1000, NEVER_MS = 1000 * 1000, BUSY = 1, OTHER = 2 };

static void start(uint32_t max_call_ms)
{
    vm_start(&(struct vm_options){ .max_call_ms = max_call_ms });
    assert_ok(create_context(BUSY));
    assert_ok(create_context(OTHER));
}

/* It has something to read, which it does not. */
static void make_busy(void)
{
    fake_keep_busy(BUSY);
    assert_ok(wait_for(send_submit(BUSY, 4, 0)));
}

static struct sent *send_blob(uint32_t context_id, uint32_t id)
{
    const struct virtio_gpu_resource_create_blob request = {
        .hdr = { .type = le32(VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB), .ctx_id = le32(context_id) },
        .resource_id = le32(id),
        .blob_mem = le32(VIRTIO_GPU_BLOB_MEM_HOST3D),
        .blob_flags = le32(VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE),
        .size = le64(PAGE),
    };
    return send_control(&request, sizeof(request), sizeof(struct virtio_gpu_ctrl_hdr));
}

static struct sent *send_map(uint32_t id)
{
    const struct virtio_gpu_resource_map_blob request = {
        .hdr = { .type = le32(VIRTIO_GPU_CMD_RESOURCE_MAP_BLOB) }, .resource_id = le32(id)
    };
    return send_control(&request, sizeof(request), sizeof(struct virtio_gpu_resp_map_info));
}

static struct sent *send_unref(uint32_t id)
{
    const struct virtio_gpu_resource_unref request = {
        .hdr = { .type = le32(VIRTIO_GPU_CMD_RESOURCE_UNREF) }, .resource_id = le32(id)
    };
    return send_control(&request, sizeof(request), sizeof(struct virtio_gpu_ctrl_hdr));
}

static void check_others_go_on(uint32_t id)
{
    assert_ok(wait_for(send_blob(OTHER, id)));
    assert_ok(attach_resource(OTHER, id));
    assert_ok(wait_for(send_submit(OTHER, 64, 0)));
    assert_ok(unref(id));
    assert_ok(create_2d(id, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, 64, 64));
    assert_ok(unref(id));
    assert_ok(create_context(id));
    assert_ok(destroy_context(id));
}

static void test_commands_of_the_context(void **state)
{
    (void)state;
    start(NEVER_MS);
    make_busy();
    struct sent *blob = send_blob(BUSY, 10), *map = send_map(10);
    struct sent *next = send_submit(BUSY, 4, 0), *gone = send_unref(10);
    check_others_go_on(20);
    struct sent *again = send_blob(OTHER, 10); /* the number is free only then */
    assert_ok(create_2d(21, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, 64, 64));
    assert_false(is_done(blob) || is_done(map) || is_done(next) || is_done(gone) || is_done(again));

    fake_keep_busy(0);
    assert_ok(wait_for(blob));
    assert_int_equal(wait_for(map), VIRTIO_GPU_RESP_OK_MAP_INFO);
    assert_ok(wait_for(next));
    assert_ok(wait_for(gone));
    assert_ok(wait_for(again));
    assert_true(blob->order < map->order && map->order < next->order);
    assert_int_equal(stat_value("contexts-lost"), 0);
    assert_ok(wait_for(send_blob(BUSY, 11)));
}

/* The busy one is not waited for where it need not read. */
static void test_what_does_not_wait(void **state)
{
    (void)state;
    start(NEVER_MS);
    assert_ok(wait_for(send_blob(BUSY, 10)));
    make_busy();
    assert_int_equal(wait_for(send_map(10)), VIRTIO_GPU_RESP_OK_MAP_INFO);
    assert_ok(unmap_blob(10));
    for (unsigned i = 0; i < 10; i++)
        assert_ok(wait_for(send_submit(BUSY, 64, 0)));
    assert_ok(attach_resource(BUSY, 10));
    assert_ok(unref(10));
}

/* A socket holds so much, and then whoever writes to it waits. */
static void test_much_unread(void **state)
{
    (void)state;
    enum { SUBMITS = 150 };
    struct sent *sent[SUBMITS];
    start(NEVER_MS);
    assert_ok(wait_for(send_blob(BUSY, 10)));
    assert_ok(attach_resource(BUSY, 10));
    make_busy();
    for (unsigned i = 0; i < SUBMITS; i++)
        sent[i] = send_submit(BUSY, 64, 0);
    check_others_go_on(20);
    assert_true(is_done(sent[0]));
    assert_false(is_done(sent[SUBMITS - 1]));
    struct sent *gone = send_unref(10); /* the busy one has to be told */
    check_others_go_on(21);
    assert_false(is_done(gone));
    fake_keep_busy(0);
    for (unsigned i = 0; i < SUBMITS; i++)
        assert_ok(wait_for(sent[i]));
    assert_ok(wait_for(gone));
    assert_int_equal(fake_count(FAKE_INTERRUPT), 0);
}

static void test_large_submit(void **state)
{
    (void)state;
    start(NEVER_MS);
    make_busy();
    struct sent *large = send_submit(BUSY, 1 << 20, 0);
    check_others_go_on(20);
    assert_false(is_done(large));
    fake_keep_busy(0);
    assert_ok(wait_for(large));
    assert_ok(wait_for(send_submit(OTHER, 1 << 20, 0)));
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Others wait for it for 20 ms, not for as long with each of its commands. */
static void test_slow_again_and_again(void **state)
{
    (void)state;
    uint64_t least = UINT64_MAX;
    start(NEVER_MS);
    for (unsigned i = 0; i < 40; i++) {
        make_busy();
        uint64_t begun = now_ns();
        struct sent *large = send_submit(BUSY, 1 << 20, 0);
        assert_ok(wait_for(send_submit(OTHER, 4, 0)));
        uint64_t taken = now_ns() - begun;
        if (taken < least)
            least = taken;
        assert_false(is_done(large));
        fake_keep_busy(0);
        assert_ok(wait_for(large));
        assert_ok(wait_for(send_blob(BUSY, 10 + i))); /* it has read that too */
    }
    assert_true(least < 20 * 1000 * 1000);
    assert_int_equal(stat_value("contexts-lost"), 0);
}

/* A driver takes a fence of the device's timeline for the signal of all earlier ones. */
static void test_fences_stay_in_order(void **state)
{
    (void)state;
    start(NEVER_MS);
    make_busy();
    struct sent *first = send_submit(BUSY, 1 << 20, VIRTIO_GPU_FLAG_FENCE);
    struct sent *second = send_submit(OTHER, 4, VIRTIO_GPU_FLAG_FENCE);
    assert_ok(wait_for(send_submit(OTHER, 4, 0)));
    assert_false(is_done(first) || is_done(second));
    fake_keep_busy(0);
    assert_ok(wait_for(second));
    assert_true(is_done(first) && first->order < second->order);
}

static void test_destroyed(void **state)
{
    (void)state;
    start(NEVER_MS);
    make_busy();
    struct sent *blob = send_blob(BUSY, 10), *map = send_map(10);
    check_others_go_on(20);
    assert_ok(destroy_context(BUSY));
    assert_error(wait_for(blob), UNSPEC);
    assert_error(wait_for(map), INVALID_RESOURCE_ID);
    assert_int_equal(stat_value("contexts-lost"), 0); /* nobody misses it */
    fake_keep_busy(0);
    assert_ok(create_context(BUSY));
    assert_ok(wait_for(send_blob(BUSY, 10)));
}

/* Each was executed once more for each that was behind it, twice as often with every one. */
static void test_many_destroyed(void **state)
{
    (void)state;
    enum { NOBODY = 77, TIMES = 60 };
    struct sent *sent[TIMES];
    start(NEVER_MS);
    make_busy();
    struct sent *blob = send_blob(BUSY, 10);
    struct virtio_gpu_resource_unref request = {
        .hdr = { .type = le32(VIRTIO_GPU_CMD_RESOURCE_UNREF), .ctx_id = le32(NOBODY) },
        .resource_id = le32(10),
    };
    struct sent *gone = send_control(&request, sizeof(request), sizeof(request.hdr));
    const struct virtio_gpu_ctx_destroy destroy = {
        .hdr = { .type = le32(VIRTIO_GPU_CMD_CTX_DESTROY), .ctx_id = le32(NOBODY) }
    };
    for (unsigned i = 0; i < TIMES; i++)
        sent[i] = send_control(&destroy, sizeof(destroy), sizeof(destroy.hdr));
    for (unsigned i = 0; i < TIMES; i++)
        assert_error(wait_for(sent[i]), INVALID_CONTEXT_ID);
    check_others_go_on(20);
    assert_false(is_done(blob) || is_done(gone));

    /* The same of one that there is. */
    const struct virtio_gpu_ctx_destroy busy = { .hdr = { .type = le32(VIRTIO_GPU_CMD_CTX_DESTROY),
                                                          .ctx_id = le32(BUSY) } };
    for (unsigned i = 0; i < TIMES; i++)
        sent[i] = send_control(&busy, sizeof(busy), sizeof(busy.hdr));
    assert_ok(wait_for(sent[0]));
    for (unsigned i = 1; i < TIMES; i++)
        assert_error(wait_for(sent[i]), INVALID_CONTEXT_ID);
    assert_error(wait_for(blob), UNSPEC);
    assert_error(wait_for(gone), INVALID_RESOURCE_ID);
}

/* Whatever command asks for a fence on a ring, the context's process is sent one. */
static void test_fences_are_messages(void **state)
{
    (void)state;
    enum { TIMES = 120 };
    struct sent *sent[TIMES];
    start(NEVER_MS);
    for (uint32_t i = 0; i < TIMES; i++)
        assert_ok(create_2d(100 + i, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, 1, 1));
    make_busy();
    for (uint32_t i = 0; i < TIMES; i++) {
        const struct virtio_gpu_resource_unref request = {
            .hdr = { .type = le32(VIRTIO_GPU_CMD_RESOURCE_UNREF),
                     .flags = le32(VIRTIO_GPU_FLAG_FENCE | VIRTIO_GPU_FLAG_INFO_RING_IDX),
                     .ctx_id = le32(BUSY),
                     .ring_idx = 1 },
            .resource_id = le32(100 + i),
        };
        sent[i] = send_control(&request, sizeof(request), sizeof(request.hdr));
    }
    check_others_go_on(20);
    assert_true(fake_count(FAKE_FENCE) < 100);
    fake_keep_busy(0);
    for (uint32_t i = 0; i < TIMES; i++)
        assert_ok(wait_for(sent[i]));
}

static void test_too_long(void **state)
{
    (void)state;
    start(SOON_MS);
    make_busy();
    struct sent *blob = send_blob(BUSY, 10);
    check_others_go_on(20);
    assert_error(wait_for(blob), UNSPEC);
    assert_int_equal(stat_value("contexts-lost"), 1);
    assert_true(was_logged(VENUS_GPU_LOG_WARNING, "context 1 does not answer"));
    check_others_go_on(20);
    assert_ok(destroy_context(BUSY));
}

static void test_reset(void **state)
{
    (void)state;
    start(NEVER_MS);
    make_busy();
    for (uint32_t id = 10; id < 20; id++)
        send_blob(BUSY, id);
    check_others_go_on(20);
    vm_reset();
    fake_keep_busy(0);
    assert_ok(create_context(BUSY));
    assert_ok(wait_for(send_blob(BUSY, 10)));
    make_busy();
    send_blob(BUSY, 11);
    vm_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_commands_of_the_context),
        TEST(test_what_does_not_wait),
        TEST(test_much_unread),
        TEST(test_large_submit),
        TEST(test_slow_again_and_again),
        TEST(test_fences_stay_in_order),
        TEST(test_destroyed),
        TEST(test_many_destroyed),
        TEST(test_fences_are_messages),
        TEST(test_too_long),
        TEST(test_reset),
    };
    return RUN_TESTS(tests);
}
