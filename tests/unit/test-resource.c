/* SPDX-License-Identifier: MIT */
/* Tests of resources that are pictures: creation, ids, UUIDs, their end while they are in use. */
#include "harness.h"

static const uint32_t format = VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM;

static void test_create(void **state)
{
    (void)state;
    vm_start(NULL);
    assert_ok(create_2d(1, format, 640, 480));
    assert_int_equal(stat_value("resources"), 1);
    assert_int_equal(stat_value("resources-2d"), 1);
    assert_int_equal(stat_value("blobs"), 0);
    assert_int_equal(stat_value("memory-bytes"), 640 * 480 * 4);
    assert_ok(unref(1));
    assert_int_equal(stat_value("resources"), 0);
    assert_int_equal(stat_value("resources-2d"), 0);
    assert_int_equal(stat_value("memory-bytes"), 0);
}

static void test_formats(void **state)
{
    (void)state;
    vm_start(NULL);
    static const uint32_t formats[] = { 1, 2, 3, 4, 67, 68, 121, 134 };
    for (uint32_t i = 0; i < COUNT(formats); i++) {
        assert_ok(create_2d(i + 1, formats[i], 16, 8));
        assert_ok(set_scanout(0, i + 1, rect(0, 0, 16, 8)));
        assert_int_equal(shown(0)->format->virtio, formats[i]);
        assert_int_equal(shown(0)->stride, 64);
    }
    static const uint32_t wrong[] = { 0, 5, 66, 69, 120, 135, UINT32_MAX };
    for (uint32_t i = 0; i < COUNT(wrong); i++)
        assert_error(create_2d(100, wrong[i], 16, 8), INVALID_PARAMETER);
}

static void test_ids(void **state)
{
    (void)state;
    vm_start(NULL);
    assert_error(create_2d(0, format, 8, 8), INVALID_RESOURCE_ID);
    assert_ok(create_2d(1, format, 8, 8));
    assert_error(create_2d(1, format, 8, 8), INVALID_RESOURCE_ID);
    assert_ok(create_2d(UINT32_MAX, format, 8, 8));
    assert_error(unref(0), INVALID_RESOURCE_ID);
    assert_error(unref(2), INVALID_RESOURCE_ID);
    assert_ok(unref(UINT32_MAX));
    assert_error(unref(UINT32_MAX), INVALID_RESOURCE_ID);
    assert_ok(create_2d(UINT32_MAX, format, 8, 8));
    assert_int_equal(stat_value("resources"), 2);
}

static void test_sizes(void **state)
{
    (void)state;
    vm_start(NULL);
    assert_error(create_2d(1, format, 0, 8), INVALID_PARAMETER);
    assert_error(create_2d(1, format, 8, 0), INVALID_PARAMETER);
    assert_error(create_2d(1, format, UINT32_MAX, 1), INVALID_PARAMETER);
    assert_error(create_2d(1, format, 0x40000000, 1), INVALID_PARAMETER);
    /* Sizes that can be said, but not had. */
    assert_error(create_2d(1, format, 0x3fffffff, UINT32_MAX), OUT_OF_MEMORY);
    assert_error(create_2d(1, format, 65536, 65536), OUT_OF_MEMORY);
    assert_error(create_2d(1, format, 1, UINT32_MAX), OUT_OF_MEMORY);
    assert_int_equal(stat_value("resources"), 0);
    assert_int_equal(stat_value("resources-2d"), 0);
    assert_int_equal(stat_value("memory-bytes"), 0);
    /* A failed creation leaves the id free. */
    assert_ok(create_2d(1, format, 1, 1));
    assert_ok(create_2d(2, format, 16384, 1));
}

/* A new picture is black, not what another resource left behind. */
static void test_new_is_zero(void **state)
{
    (void)state;
    vm_start(NULL);
    fill_ram();
    for (unsigned i = 0; i < 3; i++) {
        assert_ok(create_2d(1, format, 64, 64));
        assert_ok(set_scanout(0, 1, rect(0, 0, 64, 64)));
        const uint32_t *pixels = shown(0)->pixels;
        for (unsigned at = 0; at < 64 * 64; at++)
            assert_int_equal(pixels[at], 0);
        assert_ok(attach_ram(1, RAM_ADDR, 64 * 64 * 4));
        assert_ok(transfer(1, rect(0, 0, 64, 64), 0));
        assert_int_not_equal(pixels[5], 0);
        assert_ok(unref(1));
    }
}

static uint32_t assign_uuid(uint32_t id, struct virtio_gpu_resp_resource_uuid *response)
{
    const struct virtio_gpu_resource_assign_uuid request = {
        REQUEST(RESOURCE_ASSIGN_UUID),
        .resource_id = le32(id),
    };
    return run_command(&request, sizeof(request), response, sizeof(*response));
}

static void test_uuid(void **state)
{
    (void)state;
    vm_start(NULL);
    struct virtio_gpu_resp_resource_uuid first, again, second, blob;
    const struct virtio_gpu_mem_entry page = entry(RAM_ADDR, PAGE);
    assert_ok(create_2d(1, format, 8, 8));
    assert_ok(create_2d(2, format, 8, 8));
    assert_ok(create_guest_blob(3, PAGE, &page, 1));
    assert_int_equal(assign_uuid(1, &first), VIRTIO_GPU_RESP_OK_RESOURCE_UUID);
    assert_int_equal(assign_uuid(1, &again), VIRTIO_GPU_RESP_OK_RESOURCE_UUID);
    assert_int_equal(assign_uuid(2, &second), VIRTIO_GPU_RESP_OK_RESOURCE_UUID);
    assert_int_equal(assign_uuid(3, &blob), VIRTIO_GPU_RESP_OK_RESOURCE_UUID);
    assert_memory_equal(first.uuid, again.uuid, 16);
    assert_memory_not_equal(first.uuid, second.uuid, 16);
    assert_memory_not_equal(first.uuid, blob.uuid, 16);
    assert_int_equal(first.uuid[6] >> 4, 4); /* random, */
    assert_int_equal(first.uuid[8] >> 6, 2); /* as RFC 9562 has it */

    /* The id's next resource is another one. */
    assert_ok(unref(1));
    assert_error(assign_uuid(1, &again), INVALID_RESOURCE_ID);
    assert_ok(create_2d(1, format, 8, 8));
    assert_int_equal(assign_uuid(1, &again), VIRTIO_GPU_RESP_OK_RESOURCE_UUID);
    assert_memory_not_equal(first.uuid, again.uuid, 16);
    assert_error(assign_uuid(0, &again), INVALID_RESOURCE_ID);
}

static void test_unref_while_shown(void **state)
{
    (void)state;
    vm_start(NULL);
    assert_ok(create_2d(1, format, 8, 8));
    assert_ok(set_scanout(0, 1, rect(0, 0, 8, 8)));
    assert_ok(set_scanout(1, 1, rect(0, 0, 4, 4)));
    assert_non_null(shown(0));
    assert_non_null(shown(1));
    assert_ok(unref(1));
    assert_null(shown(0));
    assert_null(shown(1));
    assert_int_equal(vm.frame_changes[0], 2);
    assert_error(flush(1, rect(0, 0, 8, 8)), INVALID_RESOURCE_ID);
}

static void test_unref_while_flushed(void **state)
{
    (void)state;
    vm_start(NULL);
    vm.hold_flushes = true;
    assert_ok(create_2d(1, format, 8, 8));
    assert_ok(set_scanout(0, 1, rect(0, 0, 8, 8)));
    struct sent *sent = send_flush(1, rect(0, 0, 8, 8), 0, 0);
    assert_ok(unref(1));
    assert_false(is_done(sent));
    answer_flush(0);
    assert_ok(wait_for(sent));
}

static void test_unref_with_backing(void **state)
{
    (void)state;
    vm_start(NULL);
    assert_ok(create_2d(1, format, 8, 8));
    assert_ok(attach_ram(1, RAM_ADDR, PAGE));
    assert_int_equal(guest_mappings(), 1);
    assert_ok(unref(1));
    assert_int_equal(guest_mappings(), 0);
}

static void test_unref_while_mapped(void **state)
{
    (void)state;
    vm_start(NULL);
    assert_ok(create_context(1));
    assert_ok(create_host_blob(1, 2 * PAGE));
    assert_int_equal(map_blob(1, 0), VIRTIO_GPU_RESP_OK_MAP_INFO);
    memset(fake_blob(1), 0x55, 2 * PAGE);
    assert_int_equal(guest_sees(PAGE), 0x55);
    assert_ok(unref(1));
    assert_int_equal(guest_sees(PAGE), 0);
    assert_int_equal(stat_value("mapped"), 0);
    assert_int_equal(stat_value("mapped-bytes"), 0);
    assert_error(unmap_blob(1), INVALID_RESOURCE_ID);
}

static void test_unref_while_attached(void **state)
{
    (void)state;
    vm_start(NULL);
    assert_ok(create_context(1));
    assert_ok(create_host_blob(1, PAGE));
    assert_ok(attach_resource(1, 1));
    assert_ok(unref(1));
    assert_int_equal(fake_count(FAKE_DETACH), 1);
    assert_int_equal(fake_blobs(), 0);
    assert_ok(destroy_context(1));
}

/* Everything at once, for each kind of memory. */
static void test_unref_while_all(void **state)
{
    (void)state;
    static const enum fake_memory memories[] = { FAKE_SHM, FAKE_DMABUF, FAKE_OPAQUE, FAKE_PINNED };
    for (unsigned i = 0; i < COUNT(memories); i++) {
        vm_start(NULL);
        fake_set_memory(memories[i]);
        vm.hold_flushes = true;
        assert_ok(create_context(1));
        assert_ok(create_host_blob(1, 16 * PAGE));
        assert_ok(attach_resource(1, 1));
        assert_int_equal(map_blob(1, PAGE), VIRTIO_GPU_RESP_OK_MAP_INFO);
        const struct virtio_gpu_set_scanout_blob request = blob_scanout(0, 1, 64, 64);
        assert_ok(set_scanout_blob(&request));
        struct sent *sent = send_flush(1, rect(0, 0, 64, 64), 0, 0);
        wait_for_flushes(1);
        assert_ok(unref(1));
        assert_null(shown(0));
        assert_int_equal(guest_sees(PAGE), 0);
        assert_int_equal(fake_blobs(), 0);
        assert_int_equal(stat_value("blob-bytes"), 0);
        answer_flush(0);
        assert_ok(wait_for(sent));
        vm_stop();
    }
}

static void test_many(void **state)
{
    (void)state;
    vm_start(NULL);
    enum { MANY = 500 };
    for (uint32_t id = 1; id <= MANY; id++)
        assert_ok(create_2d(id * 7919, format, 1, 1));
    for (uint32_t id = 1; id <= MANY; id += 2)
        assert_ok(unref(id * 7919));
    assert_int_equal(stat_value("resources"), MANY / 2);
    for (uint32_t id = 2; id <= MANY; id += 2)
        assert_error(create_2d(id * 7919, format, 1, 1), INVALID_RESOURCE_ID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_create),
        TEST(test_formats),
        TEST(test_ids),
        TEST(test_sizes),
        TEST(test_new_is_zero),
        TEST(test_uuid),
        TEST(test_unref_while_shown),
        TEST(test_unref_while_flushed),
        TEST(test_unref_with_backing),
        TEST(test_unref_while_mapped),
        TEST(test_unref_while_attached),
        TEST(test_unref_while_all),
        TEST(test_many),
    };
    return RUN_TESTS(tests);
}
