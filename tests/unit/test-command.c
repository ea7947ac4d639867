/* SPDX-License-Identifier: MIT */
/* Tests of what all commands share: header, lengths, queues, iovecs, the response and its order. */
#include "harness.h"

enum { HDR = sizeof(struct virtio_gpu_ctrl_hdr) };

static const uint32_t format = VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM;

/* The least request and response of every command on the control queue. */
static const struct {
    uint32_t type;
    size_t request, response;
} commands[] = {
    { VIRTIO_GPU_CMD_GET_DISPLAY_INFO, HDR, 408 },
    { VIRTIO_GPU_CMD_RESOURCE_CREATE_2D, 40, HDR },
    { VIRTIO_GPU_CMD_RESOURCE_UNREF, 32, HDR },
    { VIRTIO_GPU_CMD_SET_SCANOUT, 48, HDR },
    { VIRTIO_GPU_CMD_RESOURCE_FLUSH, 48, HDR },
    { VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D, 56, HDR },
    { VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING, 32, HDR },
    { VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING, 32, HDR },
    { VIRTIO_GPU_CMD_GET_CAPSET_INFO, 32, 40 },
    { VIRTIO_GPU_CMD_GET_CAPSET, 32, HDR },
    { VIRTIO_GPU_CMD_GET_EDID, 32, 1056 },
    { VIRTIO_GPU_CMD_RESOURCE_ASSIGN_UUID, 32, 40 },
    { VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB, 56, HDR },
    { VIRTIO_GPU_CMD_SET_SCANOUT_BLOB, 96, HDR },
    { VIRTIO_GPU_CMD_CTX_CREATE, 96, HDR },
    { VIRTIO_GPU_CMD_CTX_DESTROY, HDR, HDR },
    { VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE, 32, HDR },
    { VIRTIO_GPU_CMD_CTX_DETACH_RESOURCE, 32, HDR },
    { VIRTIO_GPU_CMD_SUBMIT_3D, 32, HDR },
    { VIRTIO_GPU_CMD_RESOURCE_MAP_BLOB, 40, 32 },
    { VIRTIO_GPU_CMD_RESOURCE_UNMAP_BLOB, 32, HDR },
};

static void test_too_short_for_a_header(void **state)
{
    (void)state;
    vm_start(NULL);
    const struct virtio_gpu_ctrl_hdr hdr = { .type = le32(VIRTIO_GPU_CMD_GET_DISPLAY_INFO) };
    for (size_t size = 0; size < sizeof(hdr); size++)
        assert_error(run_command(&hdr, size, NULL, 408), INVALID_PARAMETER);
    assert_int_equal(stat_value("command-errors"), sizeof(hdr));
}

static void test_request_sizes(void **state)
{
    (void)state;
    vm_start(NULL);
    for (unsigned i = 0; i < COUNT(commands); i++) {
        union {
            struct virtio_gpu_ctrl_hdr hdr;
            uint8_t bytes[128];
        } request = { .hdr = { .type = le32(commands[i].type) } };
        for (size_t size = HDR; size < commands[i].request; size++)
            assert_error(run_command(&request, size, NULL, 2048), INVALID_PARAMETER);
        /* Zeroes are valid for few commands, but whatever is wrong now is not the length. */
        forget_lines();
        run_command(&request, commands[i].request, NULL, 2048);
        assert_false(was_logged(VENUS_GPU_LOG_GUEST, "too short"));
    }
}

static void test_response_room(void **state)
{
    (void)state;
    vm_start(NULL);
    for (unsigned i = 0; i < COUNT(commands); i++) {
        union {
            struct virtio_gpu_ctrl_hdr hdr;
            uint8_t bytes[128];
        } request = { .hdr = { .type = le32(commands[i].type) } };
        assert_error(run_command(&request, sizeof(request), NULL, commands[i].response - 1),
                     INVALID_PARAMETER);
    }
    /* With less room than a header the answer is cut, not lost. */
    const struct virtio_gpu_ctrl_hdr hdr = { .type = le32(VIRTIO_GPU_CMD_GET_DISPLAY_INFO) };
    for (size_t room = 0; room < HDR; room++) {
        struct sent *sent = send_control(&hdr, sizeof(hdr), room);
        wait_for(sent);
        assert_int_equal(sent->written, room);
    }
}

static void test_refused_before_execution(void **state)
{
    (void)state;
    vm_start(NULL);
    const struct virtio_gpu_resource_create_2d request = {
        REQUEST(RESOURCE_CREATE_2D), .resource_id = le32(1),
        .format = le32(format),      .width = le32(8),
        .height = le32(8),
    };
    wait_for(send_control(&request, sizeof(request), HDR - 1));
    assert_int_equal(stat_value("resources"), 0);
}

static void test_unknown_types(void **state)
{
    (void)state;
    vm_start(NULL);
    static const uint32_t types[] = { 0,      0x00ff, 0x010e, 0x0200 - 1, 0x020a,
                                      0x0302, 0x1100, 0x1200, UINT32_MAX };
    for (unsigned i = 0; i < COUNT(types); i++) {
        const struct virtio_gpu_ctrl_hdr request = { .type = le32(types[i]) };
        assert_error(run_request(request), UNSPEC);
    }
}

static void test_wrong_queue(void **state)
{
    (void)state;
    vm_start(NULL);
    const struct virtio_gpu_update_cursor cursor = { REQUEST(UPDATE_CURSOR) };
    assert_error(run_request(cursor), UNSPEC);
    const struct virtio_gpu_update_cursor move = { REQUEST(MOVE_CURSOR) };
    assert_error(run_request(move), UNSPEC);

    for (unsigned i = 0; i < COUNT(commands); i++) {
        union {
            struct virtio_gpu_ctrl_hdr hdr;
            uint8_t bytes[128];
        } request = { .hdr = { .type = le32(commands[i].type) } };
        assert_error(wait_for(send_on(VENUS_GPU_QUEUE_CURSOR, &request, sizeof(request), 2048)),
                     UNSPEC);
    }
}

static void test_opengl_commands(void **state)
{
    (void)state;
    vm_start(NULL);
    static const uint32_t types[] = {
        VIRTIO_GPU_CMD_RESOURCE_CREATE_3D,
        VIRTIO_GPU_CMD_TRANSFER_TO_HOST_3D,
        VIRTIO_GPU_CMD_TRANSFER_FROM_HOST_3D,
    };
    for (unsigned i = 0; i < COUNT(types); i++) {
        const struct virtio_gpu_ctrl_hdr request = { .type = le32(types[i]) };
        assert_error(run_request(request), UNSPEC);
    }
    assert_true(was_logged(VENUS_GPU_LOG_GUEST, "OpenGL"));
}

static void test_plain_response_header(void **state)
{
    (void)state;
    vm_start(NULL);
    const struct virtio_gpu_resource_create_2d request = {
        .hdr = {
            .type = le32(VIRTIO_GPU_CMD_RESOURCE_CREATE_2D),
            .fence_id = le64(77), /* of no meaning without the flag */
            .ctx_id = le32(5),
            .ring_idx = 3,
        },
        .resource_id = le32(1), .format = le32(format), .width = le32(8), .height = le32(8),
    };
    struct sent *sent = send_control(&request, sizeof(request), 64);
    assert_ok(wait_for(sent));
    const struct virtio_gpu_ctrl_hdr expected = { .type = le32(VIRTIO_GPU_RESP_OK_NODATA) };
    assert_int_equal(sent->written, sizeof(expected));
    assert_memory_equal(sent->in, &expected, sizeof(expected));
}

/* What a fenced command's response repeats, on success and on failure. */
static void test_fence_is_echoed(void **state)
{
    (void)state;
    vm_start(NULL);
    for (unsigned i = 0; i < 2; i++) {
        struct virtio_gpu_resource_create_2d request = {
            .hdr = {
                .type = le32(VIRTIO_GPU_CMD_RESOURCE_CREATE_2D),
                .flags = le32(VIRTIO_GPU_FLAG_FENCE | 0x80000000),
                .fence_id = le64(UINT64_C(0x123456789abcdef0)),
                .ctx_id = le32(9),
                .ring_idx = 200, /* not looked at without the flag */
                .padding = { 1, 2, 3 },
            },
            .resource_id = le32(1), .format = le32(format), .width = le32(8), .height = le32(8),
        };
        struct sent *sent = send_control(&request, sizeof(request), HDR);
        const struct virtio_gpu_ctrl_hdr expected = {
            .type =
                le32(i == 0 ? VIRTIO_GPU_RESP_OK_NODATA : VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID),
            .flags = le32(VIRTIO_GPU_FLAG_FENCE),
            .fence_id = le64(UINT64_C(0x123456789abcdef0)),
            .ctx_id = le32(9),
            .ring_idx = 200,
        };
        wait_for(sent);
        assert_int_equal(sent->written, sizeof(expected));
        assert_memory_equal(sent->in, &expected, sizeof(expected));
    }
}

/* Every way of cutting a request and a response into pieces gives the same result. */
static void test_split_buffers(void **state)
{
    (void)state;
    vm_start(NULL);
    static const unsigned pieces[] = { 1, 2, 3, 7, 23, 24, 25 };
    struct virtio_gpu_resp_display_info whole, split;
    const struct virtio_gpu_ctrl_hdr hdr = { .type = le32(VIRTIO_GPU_CMD_GET_DISPLAY_INFO) };
    assert_int_equal(run_command(&hdr, sizeof(hdr), &whole, sizeof(whole)),
                     VIRTIO_GPU_RESP_OK_DISPLAY_INFO);

    for (uint32_t i = 0; i < COUNT(pieces); i++) {
        vm.out_split = vm.in_split = pieces[i];
        assert_ok(create_2d(i + 1, format, 4, 4));
        const struct virtio_gpu_mem_entry entries[] = {
            entry(RAM_ADDR, 16),
            entry(RAM_ADDR + PAGE, 16),
            entry(RAM_ADDR + 2 * PAGE, 32),
        };
        assert_ok(attach_backing(i + 1, entries, COUNT(entries)));
        assert_int_equal(run_command(&hdr, sizeof(hdr), &split, sizeof(split)),
                         VIRTIO_GPU_RESP_OK_DISPLAY_INFO);
        assert_memory_equal(&whole, &split, sizeof(whole));
    }
    assert_int_equal(guest_mappings(), 3 * COUNT(pieces));
}

static void test_order_of_commands(void **state)
{
    (void)state;
    vm_start(NULL);
    struct sent *sent[50];
    for (uint32_t i = 0; i < COUNT(sent); i++) {
        const struct virtio_gpu_resource_create_2d request = {
            REQUEST(RESOURCE_CREATE_2D), .resource_id = le32(i + 1),
            .format = le32(format),      .width = le32(1),
            .height = le32(1),
        };
        sent[i] = send_control(&request, sizeof(request), HDR);
    }
    for (uint32_t i = 0; i < COUNT(sent); i++) {
        assert_ok(wait_for(sent[i]));
        assert_int_equal(sent[i]->order, i);
    }
    assert_int_equal(stat_value("commands"), COUNT(sent));
    assert_int_equal(stat_value("command-errors"), 0);
}

/* A flush that the front end has not read yet holds up the fences after it, and nothing else. */
static void test_order_of_fences(void **state)
{
    (void)state;
    vm_start(NULL);
    assert_ok(create_2d(1, format, 8, 8));
    assert_ok(set_scanout(0, 1, rect(0, 0, 8, 8)));
    vm.hold_flushes = true;
    struct sent *first = send_flush(1, rect(0, 0, 8, 8), VIRTIO_GPU_FLAG_FENCE, 1);
    struct virtio_gpu_resource_unref request = {
        .hdr = { .type = le32(VIRTIO_GPU_CMD_RESOURCE_UNREF),
                 .flags = le32(VIRTIO_GPU_FLAG_FENCE),
                 .fence_id = le64(2) },
        .resource_id = le32(99),
    };
    struct sent *second = send_control(&request, sizeof(request), HDR);
    struct sent *third = send_flush(1, rect(0, 0, 8, 8), VIRTIO_GPU_FLAG_FENCE, 3);
    request.hdr.flags = 0;
    struct sent *unfenced = send_control(&request, sizeof(request), HDR);

    assert_error(wait_for(unfenced), INVALID_RESOURCE_ID);
    wait_for_flushes(2);
    settle();
    assert_false(is_done(first));
    assert_false(is_done(second));

    answer_flush(1); /* the third command's: it must wait for the first one all the same */
    settle();
    assert_false(is_done(third));

    answer_flush(0);
    assert_ok(wait_for(first));
    assert_error(wait_for(second), INVALID_RESOURCE_ID);
    assert_ok(wait_for(third));
    assert_true(first->order < second->order && second->order < third->order);
}

/* Without a fence nothing is ordered: a flush is answered when it has been read. */
static void test_unfenced_out_of_order(void **state)
{
    (void)state;
    vm_start(NULL);
    assert_ok(create_2d(1, format, 8, 8));
    assert_ok(set_scanout(0, 1, rect(0, 0, 8, 8)));
    vm.hold_flushes = true;
    struct sent *first = send_flush(1, rect(0, 0, 8, 8), 0, 0);
    struct sent *second = send_flush(1, rect(0, 0, 8, 8), 0, 0);
    wait_for_flushes(2);
    answer_flush(1);
    assert_ok(wait_for(second));
    assert_false(is_done(first));
    answer_flush(0);
    assert_ok(wait_for(first));
}

static void test_ring_fence_waits(void **state)
{
    (void)state;
    vm_start(NULL);
    fake_set_fences(FAKE_FENCES_WHEN_SAID);
    assert_ok(create_context(1));
    struct sent *sent = send_fence(1, 5, 42);
    settle();
    assert_false(is_done(sent));
    assert_int_equal(stat_value("fences-pending"), 1);
    assert_true(fake_signal(1, 5));
    assert_ok(wait_for(sent));

    const struct virtio_gpu_ctrl_hdr expected = {
        .type = le32(VIRTIO_GPU_RESP_OK_NODATA),
        .flags = le32(VIRTIO_GPU_FLAG_FENCE | VIRTIO_GPU_FLAG_INFO_RING_IDX),
        .fence_id = le64(42),
        .ctx_id = le32(1),
        .ring_idx = 5,
    };
    assert_memory_equal(sent->in, &expected, sizeof(expected));
}

static void test_ring_index_range(void **state)
{
    (void)state;
    vm_start(NULL);
    assert_ok(create_context(1));
    assert_ok(wait_for(send_fence(1, 0, 1)));
    assert_ok(wait_for(send_fence(1, 1, 1)));
    assert_ok(wait_for(send_fence(1, 63, 2)));
    assert_error(wait_for(send_fence(1, 64, 3)), INVALID_PARAMETER);
    assert_error(wait_for(send_fence(1, 255, 4)), INVALID_PARAMETER);
    assert_error(wait_for(send_fence(2, 0, 5)), INVALID_CONTEXT_ID);
    assert_error(wait_for(send_fence(0, 0, 6)), INVALID_CONTEXT_ID);
    assert_int_equal(fake_count(FAKE_FENCE), 2);
    assert_int_equal(fake_count(FAKE_SUBMIT), 0);
}

/* The ring flag without the fence flag asks for nothing. */
static void test_ring_without_fence(void **state)
{
    (void)state;
    vm_start(NULL);
    const struct virtio_gpu_resource_create_2d request = {
        .hdr = { .type = le32(VIRTIO_GPU_CMD_RESOURCE_CREATE_2D),
                 .flags = le32(VIRTIO_GPU_FLAG_INFO_RING_IDX),
                 .ctx_id = le32(7),
                 .ring_idx = 99 },
        .resource_id = le32(1),
        .format = le32(format),
        .width = le32(8),
        .height = le32(8),
    };
    assert_ok(run_request(request));
    assert_int_equal(fake_count(FAKE_FENCE), 0);
}

static void test_errors_do_not_wait_for_rings(void **state)
{
    (void)state;
    vm_start(NULL);
    fake_set_fences(FAKE_FENCES_WHEN_SAID);
    assert_ok(create_context(1));
    struct virtio_gpu_resource_unref request = {
        .hdr = { .type = le32(VIRTIO_GPU_CMD_RESOURCE_UNREF),
                 .flags = le32(VIRTIO_GPU_FLAG_FENCE | VIRTIO_GPU_FLAG_INFO_RING_IDX),
                 .ctx_id = le32(1),
                 .ring_idx = 1 },
        .resource_id = le32(99),
    };
    assert_error(run_request(request), INVALID_RESOURCE_ID);
    assert_int_equal(fake_count(FAKE_FENCE), 0);
}

/* A ring's fence and a flush: the response waits for both. */
static void test_waits_for_ring_and_flush(void **state)
{
    (void)state;
    vm_start(NULL);
    fake_set_fences(FAKE_FENCES_WHEN_SAID);
    assert_ok(create_context(1));
    assert_ok(create_2d(1, format, 8, 8));
    assert_ok(set_scanout(0, 1, rect(0, 0, 8, 8)));
    vm.hold_flushes = true;
    struct virtio_gpu_resource_flush request = {
        .hdr = { .type = le32(VIRTIO_GPU_CMD_RESOURCE_FLUSH),
                 .flags = le32(VIRTIO_GPU_FLAG_FENCE | VIRTIO_GPU_FLAG_INFO_RING_IDX),
                 .ctx_id = le32(1),
                 .ring_idx = 7 },
        .r = rect(0, 0, 8, 8),
        .resource_id = le32(1),
    };
    for (unsigned i = 0; i < 2; i++) {
        struct sent *sent = send_control(&request, sizeof(request), HDR);
        wait_for_flushes(i + 1);
        settle();
        if (i == 0)
            answer_flush(i);
        else
            assert_true(fake_signal(1, 7));
        settle();
        assert_false(is_done(sent));
        if (i == 0)
            assert_true(fake_signal(1, 7));
        else
            answer_flush(i);
        assert_ok(wait_for(sent));
    }
}

static void test_trailing_bytes_are_ignored(void **state)
{
    (void)state;
    vm_start(NULL);
    struct {
        struct virtio_gpu_resource_create_2d request;
        uint8_t more[100];
    } request = {
        .request = { REQUEST(RESOURCE_CREATE_2D), .resource_id = le32(1), .format = le32(format),
                     .width = le32(8), .height = le32(8) },
    };
    assert_ok(run_request(request));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_too_short_for_a_header),
        TEST(test_request_sizes),
        TEST(test_response_room),
        TEST(test_refused_before_execution),
        TEST(test_unknown_types),
        TEST(test_wrong_queue),
        TEST(test_opengl_commands),
        TEST(test_plain_response_header),
        TEST(test_fence_is_echoed),
        TEST(test_split_buffers),
        TEST(test_order_of_commands),
        TEST(test_order_of_fences),
        TEST(test_unfenced_out_of_order),
        TEST(test_ring_fence_waits),
        TEST(test_ring_index_range),
        TEST(test_ring_without_fence),
        TEST(test_errors_do_not_wait_for_rings),
        TEST(test_waits_for_ring_and_flush),
        TEST(test_trailing_bytes_are_ignored),
    };
    return RUN_TESTS(tests);
}
