/* SPDX-License-Identifier: MIT */
/* Tests of contexts: their life, what is attached to them, submissions, and losing one. */
#include <errno.h>

#include "harness.h"

static struct virtio_gpu_ctx_create create_request(uint32_t id)
{
    struct virtio_gpu_ctx_create request = {
        REQUEST(CTX_CREATE),
        .nlen = le32(4),
        .context_init = le32(VIRTIO_GPU_CAPSET_VENUS),
        .debug_name = "name",
    };
    request.hdr.ctx_id = le32(id);
    return request;
}

static void test_create_and_destroy(void **state)
{
    (void)state;
    vm_start(NULL);
    const struct virtio_gpu_ctx_create request = create_request(7);
    assert_ok(run_request(request));
    assert_int_equal(stat_value("contexts"), 1);
    assert_int_equal(stat_value("contexts-created"), 1);
    const struct fake_record call = fake_last(FAKE_CONTEXT_CREATE);
    assert_int_equal(call.context_id, 7);
    assert_int_equal(call.size, 4);
    assert_string_equal(call.name, "name");

    assert_ok(destroy_context(7));
    assert_int_equal(fake_last(FAKE_CONTEXT_DESTROY).context_id, 7);
    assert_int_equal(stat_value("contexts"), 0);
    assert_int_equal(stat_value("contexts-created"), 1);
    assert_ok(create_context(7));
}

static void test_ids(void **state)
{
    (void)state;
    vm_start(NULL);
    assert_error(create_context(0), INVALID_CONTEXT_ID);
    assert_ok(create_context(1));
    assert_error(create_context(1), INVALID_CONTEXT_ID);
    assert_ok(create_context(UINT32_MAX));
    assert_error(destroy_context(2), INVALID_CONTEXT_ID);
    assert_error(destroy_context(0), INVALID_CONTEXT_ID);
    assert_ok(destroy_context(1));
    assert_error(destroy_context(1), INVALID_CONTEXT_ID);
    assert_int_equal(fake_contexts(), 1);
}

static void test_only_venus(void **state)
{
    (void)state;
    vm_start(NULL);
    static const uint32_t capsets[] = { 1, 2, 3, 5, 6, 255 };
    for (unsigned i = 0; i < COUNT(capsets); i++) {
        struct virtio_gpu_ctx_create request = create_request(1);
        request.context_init = le32(capsets[i]);
        assert_error(run_request(request), INVALID_PARAMETER);
    }
    assert_int_equal(fake_count(FAKE_CONTEXT_CREATE), 0);
}

/* A context for 2D clients: an id, of which the renderer does not hear. */
static void test_without_capset(void **state)
{
    (void)state;
    vm_start(NULL);
    struct virtio_gpu_ctx_create request = create_request(1);
    request.context_init = 0;
    assert_ok(run_request(request));
    assert_error(run_request(request), INVALID_CONTEXT_ID);
    assert_ok(create_context(2));
    assert_ok(create_2d(3, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, 8, 8));
    struct virtio_gpu_resource_create_blob blob = {
        REQUEST(RESOURCE_CREATE_BLOB),
        .resource_id = le32(4),
        .blob_mem = le32(VIRTIO_GPU_BLOB_MEM_HOST3D),
        .size = le64(PAGE),
    };
    blob.hdr.ctx_id = le32(2);
    assert_ok(create_blob(&blob, NULL, 0));
    for (uint32_t id = 3; id <= 4; id++) {
        assert_ok(attach_resource(1, id));
        assert_ok(detach_resource(1, id));
        assert_ok(attach_resource(1, id));
    }
    static const uint32_t data;
    assert_error(submit(1, &data, sizeof(data)), UNSPEC);
    blob.resource_id = le32(5);
    blob.hdr.ctx_id = le32(1);
    assert_error(create_blob(&blob, NULL, 0), UNSPEC);
    assert_int_equal(fake_count(FAKE_CONTEXT_CREATE), 1);
    assert_int_equal(fake_count(FAKE_ATTACH), 0);
    assert_ok(unref(4));
    assert_ok(destroy_context(1));
    assert_int_equal(fake_count(FAKE_CONTEXT_DESTROY), 0);
    assert_int_equal(stat_value("contexts"), 1);
}

static void test_names(void **state)
{
    (void)state;
    vm_start(NULL);
    struct virtio_gpu_ctx_create request = create_request(1);
    request.nlen = le32(65);
    assert_error(run_request(request), INVALID_PARAMETER);
    request.nlen = le32(UINT32_MAX);
    assert_error(run_request(request), INVALID_PARAMETER);
    request.nlen = 0;
    assert_ok(run_request(request));
    assert_int_equal(fake_last(FAKE_CONTEXT_CREATE).size, 0);

    /* The whole field, without a zero at its end. */
    request = create_request(2);
    request.nlen = le32(64);
    memset(request.debug_name, 'x', sizeof(request.debug_name));
    assert_ok(run_request(request));
    assert_int_equal(fake_last(FAKE_CONTEXT_CREATE).size, 64);
}

static void test_renderer_refuses(void **state)
{
    (void)state;
    vm_start(NULL);
    assert_ok(create_context(1)); /* so that the renderer is not started anew */
    fake_fail(FAKE_CONTEXT_CREATE, -EIO, 0, 1);
    assert_error(create_context(2), OUT_OF_MEMORY);
    assert_int_equal(fake_count(FAKE_FINI), 0);
    assert_int_equal(stat_value("contexts"), 1);
    assert_ok(create_context(2));
}

static void test_attach(void **state)
{
    (void)state;
    vm_start(NULL);
    assert_ok(create_context(1));
    assert_ok(create_context(2));
    assert_ok(create_host_blob(5, PAGE));
    assert_ok(attach_resource(1, 5));
    assert_ok(attach_resource(2, 5));
    assert_true(fake_attached(1, 5) && fake_attached(2, 5));
    assert_int_equal(fake_count(FAKE_ATTACH), 2);

    assert_ok(detach_resource(1, 5));
    assert_false(fake_attached(1, 5));
    assert_true(fake_attached(2, 5));
    assert_error(detach_resource(1, 5), INVALID_RESOURCE_ID);
}

/* Linux sends a pair for each handle: the renderer hears of the first and of the last. */
static void test_attachments_count(void **state)
{
    (void)state;
    vm_start(NULL);
    assert_ok(create_context(1));
    assert_ok(create_context(2));
    assert_ok(create_host_blob(5, PAGE));
    assert_ok(attach_resource(2, 5));
    for (unsigned i = 0; i < 3; i++)
        assert_ok(attach_resource(1, 5));
    assert_int_equal(fake_count(FAKE_ATTACH), 2);
    for (unsigned i = 0; i < 2; i++) {
        assert_ok(detach_resource(1, 5));
        assert_true(fake_attached(1, 5));
    }
    assert_ok(attach_resource(1, 5));
    assert_ok(detach_resource(1, 5));
    assert_true(fake_attached(1, 5));
    assert_ok(detach_resource(1, 5));
    assert_false(fake_attached(1, 5));
    assert_true(fake_attached(2, 5));
    assert_error(detach_resource(1, 5), INVALID_RESOURCE_ID);
    assert_int_equal(fake_count(FAKE_DETACH), 1);
}

/* However often it is attached, the end of either ends it all. */
static void test_end_of_many_attachments(void **state)
{
    (void)state;
    vm_start(NULL);
    assert_ok(create_context(1));
    assert_ok(create_context(2));
    assert_ok(create_host_blob(5, PAGE));
    for (uint32_t i = 0; i < 4; i++)
        assert_ok(attach_resource(1 + i % 2, 5));
    assert_ok(destroy_context(2));
    assert_ok(create_context(2));
    assert_error(detach_resource(2, 5), INVALID_RESOURCE_ID);
    assert_true(fake_attached(1, 5));
    assert_ok(unref(5));
    assert_int_equal(fake_count(FAKE_DETACH), 1);

    assert_ok(create_host_blob(5, PAGE));
    assert_error(detach_resource(1, 5), INVALID_RESOURCE_ID);
}

static void test_attach_errors(void **state)
{
    (void)state;
    vm_start(NULL);
    assert_ok(create_context(1));
    assert_ok(create_host_blob(5, PAGE));
    assert_error(attach_resource(2, 5), INVALID_CONTEXT_ID);
    assert_error(attach_resource(1, 6), INVALID_RESOURCE_ID);
    assert_error(attach_resource(1, 0), INVALID_RESOURCE_ID);
    assert_error(detach_resource(2, 5), INVALID_CONTEXT_ID);
    assert_error(detach_resource(1, 6), INVALID_RESOURCE_ID);
    assert_error(detach_resource(1, 5), INVALID_RESOURCE_ID);
    assert_int_equal(fake_count(FAKE_ATTACH) + fake_count(FAKE_DETACH), 0);
}

/* What the renderer does not have is attached in our books only. */
static void test_attach_without_renderer(void **state)
{
    (void)state;
    vm_start(NULL);
    assert_ok(create_context(1));
    const struct virtio_gpu_mem_entry page = entry(RAM_ADDR, PAGE);
    for (uint32_t id = 3; id <= 4; id++) {
        assert_ok(create_guest_blob(id, PAGE, &page, 1));
        assert_ok(attach_resource(1, id));
        assert_ok(detach_resource(1, id));
        assert_ok(attach_resource(1, id));
    }
    assert_ok(unref(3));
    assert_ok(destroy_context(1));
    assert_int_equal(fake_count(FAKE_ATTACH) + fake_count(FAKE_DETACH), 0);
}

static void test_unref_detaches_everywhere(void **state)
{
    (void)state;
    vm_start(NULL);
    for (uint32_t id = 1; id <= 3; id++)
        assert_ok(create_context(id));
    assert_ok(create_host_blob(5, PAGE));
    for (uint32_t id = 1; id <= 3; id++)
        assert_ok(attach_resource(id, 5));
    assert_ok(destroy_context(2));
    assert_ok(unref(5));
    assert_int_equal(fake_count(FAKE_DETACH), 2);
    assert_int_equal(fake_blobs(), 0);
    for (uint32_t id = 1; id <= 3; id += 2)
        assert_error(detach_resource(id, 5), INVALID_RESOURCE_ID);
}

/* A blob outlives the context that made it. */
static void test_blob_outlives_context(void **state)
{
    (void)state;
    vm_start(NULL);
    assert_ok(create_context(1));
    assert_ok(create_context(2));
    assert_ok(create_host_blob(5, PAGE));
    assert_ok(attach_resource(1, 5));
    assert_ok(destroy_context(1));
    assert_int_equal(fake_blobs(), 1);
    assert_ok(attach_resource(2, 5));
    assert_int_equal(map_blob(5, 0), VIRTIO_GPU_RESP_OK_MAP_INFO);
    assert_ok(unref(5));
}

static void test_submit(void **state)
{
    (void)state;
    vm_start(NULL);
    assert_ok(create_context(1));
    uint8_t data[20000], seen[20000];
    for (unsigned i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 7);
    static const uint32_t sizes[] = { 4, 12, 20000, 8 };
    uint64_t bytes = 0;
    for (unsigned i = 0; i < COUNT(sizes); i++) {
        vm.out_split = i == 2 ? 37 : 0;
        assert_ok(submit(1, data, sizes[i]));
        assert_int_equal(fake_submitted(seen, sizeof(seen)), sizes[i]);
        assert_memory_equal(seen, data, sizes[i]);
        assert_int_equal(fake_last(FAKE_SUBMIT).context_id, 1);
        bytes += sizes[i];
    }
    assert_int_equal(stat_value("submits"), COUNT(sizes));
    assert_int_equal(stat_value("submit-bytes"), bytes);

    /* Nothing to submit is no reason to bother the renderer. */
    assert_ok(submit(1, NULL, 0));
    assert_int_equal(fake_count(FAKE_SUBMIT), COUNT(sizes));
}

static void test_submit_errors(void **state)
{
    (void)state;
    vm_start(NULL);
    assert_ok(create_context(1));
    static const uint8_t data[64];
    assert_error(submit(2, data, 8), INVALID_CONTEXT_ID);
    for (uint32_t size = 1; size < 4; size++)
        assert_error(submit(1, data, size), INVALID_PARAMETER);

    /* More than the command holds. */
    struct {
        struct virtio_gpu_cmd_submit request;
        uint8_t data[8];
    } request = { .request = { REQUEST(SUBMIT_3D), .size = le32(12) } };
    request.request.hdr.ctx_id = le32(1);
    assert_error(run_request(request), INVALID_PARAMETER);
    request.request.size = le32(UINT32_MAX - 3);
    assert_error(run_request(request), INVALID_PARAMETER);
    /* Less is fine. */
    request.request.size = le32(4);
    assert_ok(run_request(request));
    assert_int_equal(fake_count(FAKE_SUBMIT), 1);
    assert_int_equal(fake_last(FAKE_SUBMIT).size, 4);
}

static void lose_context(uint32_t id)
{
    static const uint32_t data;
    fake_fail(FAKE_SUBMIT, -EIO, 0, 1);
    assert_error(submit(id, &data, sizeof(data)), UNSPEC);
}

static void test_lost_context(void **state)
{
    (void)state;
    vm_start(NULL);
    fake_set_fences(FAKE_FENCES_WHEN_SAID);
    assert_ok(create_context(1));
    assert_ok(create_context(2));
    assert_ok(create_host_blob(5, PAGE));
    assert_ok(attach_resource(1, 5));
    struct sent *fence = send_fence(1, 3, 1), *other = send_fence(2, 3, 1);
    settle();

    lose_context(1);
    assert_int_equal(stat_value("contexts-lost"), 1);
    assert_true(was_logged(VENUS_GPU_LOG_ERROR, "context 1 is lost"));
    assert_ok(wait_for(fence)); /* nobody waits for a dead process */
    assert_false(is_done(other));

    /* It takes nothing any more, and the rest goes on. */
    static const uint32_t data;
    assert_error(submit(1, &data, sizeof(data)), UNSPEC);
    assert_error(create_host_blob(6, PAGE), UNSPEC);
    assert_ok(submit(2, &data, sizeof(data)));
    assert_int_equal(map_blob(5, 0), VIRTIO_GPU_RESP_OK_MAP_INFO);
    assert_ok(detach_resource(1, 5));
    assert_ok(attach_resource(1, 5));
    assert_int_equal(fake_count(FAKE_ATTACH), 1);
    assert_ok(unref(5));

    assert_true(fake_signal(2, 3));
    assert_ok(wait_for(other));
    assert_error(create_context(1), INVALID_CONTEXT_ID);
    assert_ok(destroy_context(1));
    assert_int_equal(fake_count(FAKE_CONTEXT_DESTROY), 1);
    assert_ok(create_context(1));
    assert_ok(submit(1, &data, sizeof(data)));
}

/* A fence of a lost context signals at once, and the renderer is not asked. */
static void test_fence_of_lost_context(void **state)
{
    (void)state;
    vm_start(NULL);
    assert_ok(create_context(1));
    lose_context(1);
    const struct virtio_gpu_resource_create_2d request = {
        .hdr = { .type = le32(VIRTIO_GPU_CMD_RESOURCE_CREATE_2D),
                 .flags = le32(VIRTIO_GPU_FLAG_FENCE | VIRTIO_GPU_FLAG_INFO_RING_IDX),
                 .ctx_id = le32(1),
                 .ring_idx = 1 },
        .resource_id = le32(1),
        .format = le32(1),
        .width = le32(8),
        .height = le32(8),
    };
    assert_ok(run_request(request));
    assert_int_equal(fake_count(FAKE_FENCE), 0);
}

/* A blob that cannot be made may be the guest's fault, or say that the context is lost. */
static void test_check_after_blob(void **state)
{
    (void)state;
    vm_start(NULL);
    fake_set_fences(FAKE_FENCES_AT_ONCE);
    assert_ok(create_context(1));
    fake_fail(FAKE_BLOB_CREATE, -EINVAL, 0, 1);
    assert_error(create_host_blob(1, PAGE), OUT_OF_MEMORY);
    assert_int_equal(stat_value("contexts-lost"), 0);
    assert_ok(create_host_blob(1, PAGE));

    fake_fail(FAKE_BLOB_CREATE, -EINVAL, 0, 1);
    fake_fail(FAKE_FENCE_0, -EIO, 0, 1000);
    assert_error(create_host_blob(2, PAGE), OUT_OF_MEMORY);
    assert_int_equal(stat_value("contexts-lost"), 1);
    assert_error(create_host_blob(2, PAGE), UNSPEC);
    assert_int_equal(stat_value("resources"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_create_and_destroy),
        TEST(test_ids),
        TEST(test_only_venus),
        TEST(test_without_capset),
        TEST(test_names),
        TEST(test_renderer_refuses),
        TEST(test_attach),
        TEST(test_attachments_count),
        TEST(test_end_of_many_attachments),
        TEST(test_attach_errors),
        TEST(test_attach_without_renderer),
        TEST(test_unref_detaches_everywhere),
        TEST(test_blob_outlives_context),
        TEST(test_submit),
        TEST(test_submit_errors),
        TEST(test_lost_context),
        TEST(test_fence_of_lost_context),
        TEST(test_check_after_blob),
    };
    return RUN_TESTS(tests);
}
