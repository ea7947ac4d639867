/* SPDX-License-Identifier: MIT */
/* Tests of fences on the rings of contexts. For their place among commands see test-command.c. */
#include <errno.h>

#include "harness.h"

static void start(enum fake_fences fences)
{
    vm_start(NULL);
    fake_set_fences(fences);
    assert_ok(create_context(1));
    assert_ok(create_context(2));
}

static void test_signalled_in_the_call(void **state)
{
    (void)state;
    start(FAKE_FENCES_AT_ONCE);
    for (uint8_t ring = 0; ring < 64; ring++)
        assert_ok(wait_for(send_fence(1, ring, ring)));
    assert_int_equal(stat_value("fences"), 64);
    assert_int_equal(stat_value("fences-pending"), 0);
}

static void test_signalled_by_a_thread(void **state)
{
    (void)state;
    start(FAKE_FENCES_SOON);
    enum { AT_A_TIME = 100, MANY = 5 * AT_A_TIME };
    struct sent *sent[MANY];
    for (unsigned i = 0; i < MANY; i++) {
        sent[i] = send_fence(1 + i % 2, (uint8_t)(i % 63 + 1), i);
        if (i >= AT_A_TIME)
            assert_ok(wait_for(sent[i - AT_A_TIME]));
    }
    for (unsigned i = MANY - AT_A_TIME; i < MANY; i++)
        assert_ok(wait_for(sent[i]));
    assert_int_equal(stat_value("fences"), MANY);
    assert_int_equal(stat_value("fences-pending"), 0);
    assert_int_equal(fake_count(FAKE_FENCE), MANY);
}

/* Rings are independent of each other, and of contexts. */
static void test_rings_are_independent(void **state)
{
    (void)state;
    start(FAKE_FENCES_WHEN_SAID);
    struct sent *a = send_fence(1, 1, 1), *b = send_fence(1, 2, 1), *c = send_fence(2, 1, 1);
    settle();
    assert_int_equal(stat_value("fences-pending"), 3);
    assert_true(fake_signal(2, 1));
    assert_ok(wait_for(c));
    assert_true(fake_signal(1, 2));
    assert_ok(wait_for(b));
    assert_false(is_done(a));
    assert_true(fake_signal(1, 1));
    assert_ok(wait_for(a));
    assert_false(fake_signal(1, 1));
}

/* The guest's ids need not differ: the renderer is given ours. */
static void test_same_guest_id(void **state)
{
    (void)state;
    start(FAKE_FENCES_WHEN_SAID);
    struct sent *first = send_fence(1, 1, 7), *second = send_fence(1, 1, 7);
    settle();
    assert_true(fake_signal(1, 1));
    assert_ok(wait_for(first));
    assert_false(is_done(second));
    assert_true(fake_signal(1, 1));
    assert_ok(wait_for(second));
}

static void test_after_the_submission(void **state)
{
    (void)state;
    start(FAKE_FENCES_SOON);
    struct {
        struct virtio_gpu_cmd_submit request;
        uint8_t data[8];
    } request = {
        .request = { REQUEST(SUBMIT_3D), .size = le32(8) },
    };
    request.request.hdr.flags = le32(VIRTIO_GPU_FLAG_FENCE | VIRTIO_GPU_FLAG_INFO_RING_IDX);
    request.request.hdr.ctx_id = le32(1);
    request.request.hdr.ring_idx = 1;
    fake_forget_calls();
    assert_ok(run_request(request));
    enum fake_call calls[4];
    /* The library's own fences may come between. */
    size_t count = fake_calls(calls, COUNT(calls));
    assert_uint_in_range(count, 2, COUNT(calls));
    assert_int_equal(calls[count - 1], FAKE_FENCE);
    assert_int_equal(fake_count(FAKE_SUBMIT), 1);
}

/* A renderer that takes no fence has lost the context; no driver waits for it. */
static void test_fence_fails(void **state)
{
    (void)state;
    start(FAKE_FENCES_WHEN_SAID);
    struct sent *earlier = send_fence(1, 3, 1), *other = send_fence(2, 3, 1);
    settle();
    fake_fail(FAKE_FENCE, -EIO, 0, 1);
    assert_ok(wait_for(send_fence(1, 1, 2)));
    assert_ok(wait_for(earlier));
    assert_false(is_done(other));
    assert_int_equal(stat_value("contexts-lost"), 1);
    static const uint32_t data;
    assert_error(submit(1, &data, sizeof(data)), UNSPEC);
    assert_ok(submit(2, &data, sizeof(data)));
    assert_true(fake_signal(2, 3));
    assert_ok(wait_for(other));
    assert_int_equal(stat_value("fences-pending"), 0);
}

static void test_context_destroyed(void **state)
{
    (void)state;
    start(FAKE_FENCES_WHEN_SAID);
    struct sent *sent[3] = { send_fence(1, 1, 1), send_fence(1, 1, 2), send_fence(1, 9, 3) };
    struct sent *other = send_fence(2, 1, 1);
    settle();
    assert_ok(destroy_context(1));
    for (unsigned i = 0; i < COUNT(sent); i++)
        assert_ok(wait_for(sent[i]));
    assert_false(is_done(other));
    /* The same id again is another context. */
    assert_ok(create_context(1));
    struct sent *again = send_fence(1, 1, 1);
    settle();
    assert_false(is_done(again));
    assert_true(fake_signal(1, 1));
    assert_ok(wait_for(again));
    assert_int_equal(stat_value("fences-pending"), 1);
}

/* A fence on a ring of the context that the command destroys. */
static void test_destroying_command(void **state)
{
    (void)state;
    start(FAKE_FENCES_WHEN_SAID);
    struct virtio_gpu_ctx_destroy request = { REQUEST(CTX_DESTROY) };
    request.hdr.flags = le32(VIRTIO_GPU_FLAG_FENCE | VIRTIO_GPU_FLAG_INFO_RING_IDX);
    request.hdr.ctx_id = le32(1);
    request.hdr.ring_idx = 1;
    assert_ok(run_request(request));
    assert_int_equal(fake_count(FAKE_FENCE), 0);
}

/* On the cursor queue too, where there is room for an answer or none. */
static void test_cursor_queue(void **state)
{
    (void)state;
    start(FAKE_FENCES_WHEN_SAID);
    struct virtio_gpu_update_cursor request = { REQUEST(MOVE_CURSOR) };
    request.hdr.flags = le32(VIRTIO_GPU_FLAG_FENCE | VIRTIO_GPU_FLAG_INFO_RING_IDX);
    request.hdr.ctx_id = le32(1);
    request.hdr.ring_idx = 1;
    struct sent *sent = send_on(VENUS_GPU_QUEUE_CURSOR, &request, sizeof(request), 0);
    settle();
    assert_false(is_done(sent));
    assert_true(fake_signal(1, 1));
    wait_for(sent);
    assert_int_equal(sent->written, 0);
}

static void test_unknown_ids(void **state)
{
    (void)state;
    start(FAKE_FENCES_WHEN_SAID);
    struct sent *sent = send_fence(1, 1, 1);
    settle();
    fake_signal_id(0);
    fake_signal_id(UINT64_MAX);
    fake_signal_id(fake_last(FAKE_FENCE).id + 1);
    assert_false(is_done(sent));
    fake_signal_id(fake_last(FAKE_FENCE).id);
    assert_ok(wait_for(sent));
    fake_signal_id(fake_last(FAKE_FENCE).id);
    assert_int_equal(stat_value("fences"), 1);
}

/* Contexts come and go while fences signal on another thread. */
static void test_race_with_destruction(void **state)
{
    (void)state;
    start(FAKE_FENCES_SOON);
    for (unsigned round = 0; round < 50; round++) {
        struct sent *sent[10];
        for (unsigned i = 0; i < COUNT(sent); i++)
            sent[i] = send_fence(1, (uint8_t)(i + 1), round);
        assert_ok(destroy_context(1));
        for (unsigned i = 0; i < COUNT(sent); i++)
            assert_ok(wait_for(sent[i]));
        assert_ok(create_context(1));
    }
    assert_int_equal(stat_value("fences"), 500);
    assert_int_equal(stat_value("fences-pending"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_signalled_in_the_call), TEST(test_signalled_by_a_thread),
        TEST(test_rings_are_independent), TEST(test_same_guest_id),
        TEST(test_after_the_submission),  TEST(test_fence_fails),
        TEST(test_context_destroyed),     TEST(test_destroying_command),
        TEST(test_cursor_queue),          TEST(test_unknown_ids),
        TEST(test_race_with_destruction),
    };
    return RUN_TESTS(tests);
}
