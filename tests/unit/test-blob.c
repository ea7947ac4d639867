/* SPDX-License-Identifier: MIT */
/* Tests of RESOURCE_CREATE_BLOB: its three kinds, its flags, and each field wrong. */
#include <errno.h>

#include "harness.h"

static const uint32_t all_flags = VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE |
                                  VIRTIO_GPU_BLOB_FLAG_USE_SHAREABLE |
                                  VIRTIO_GPU_BLOB_FLAG_USE_CROSS_DEVICE;

static struct virtio_gpu_resource_create_blob blob_request(uint32_t mem, uint64_t size)
{
    struct virtio_gpu_resource_create_blob request = {
        REQUEST(RESOURCE_CREATE_BLOB), .resource_id = le32(1),
        .blob_mem = le32(mem),         .blob_flags = le32(VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE),
        .blob_id = le64(11),           .size = le64(size),
    };
    request.hdr.ctx_id = le32(1);
    if (mem != VIRTIO_GPU_BLOB_MEM_HOST3D)
        request.nr_entries = le32(1);
    return request;
}

static void check_nothing_is_left(void)
{
    assert_int_equal(stat_value("resources"), 0);
    assert_int_equal(stat_value("blobs"), 0);
    assert_int_equal(stat_value("blob-bytes"), 0);
    assert_int_equal(stat_value("memory-bytes"), 0);
    assert_int_equal(stat_value("address-ranges"), 0);
    assert_int_equal(guest_mappings(), 0);
    assert_int_equal(fake_blobs(), 0);
}

static void test_guest(void **state)
{
    (void)state;
    vm_start(NULL);
    const struct virtio_gpu_mem_entry entries[] = { entry(RAM_ADDR, PAGE),
                                                    entry(RAM_ADDR + 5 * PAGE, PAGE) };
    assert_ok(create_guest_blob(1, 2 * PAGE, entries, 2));
    assert_int_equal(stat_value("blobs"), 1);
    assert_int_equal(stat_value("blobs-created"), 1);
    assert_int_equal(stat_value("blob-bytes"), 0); /* the memory is the guest's own */
    assert_int_equal(guest_mappings(), 2);
    assert_int_equal(fake_count(FAKE_BLOB_CREATE), 0);
    assert_ok(unref(1));
    check_nothing_is_left();
    assert_int_equal(stat_value("blobs-created"), 1);
}

static void test_host3d(void **state)
{
    (void)state;
    vm_start(NULL);
    assert_ok(create_context(1));
    struct virtio_gpu_resource_create_blob request =
        blob_request(VIRTIO_GPU_BLOB_MEM_HOST3D, 3 * PAGE);
    request.blob_id = le64(UINT64_C(0x1234567890));
    assert_ok(create_blob(&request, NULL, 0));
    const struct fake_record call = fake_last(FAKE_BLOB_CREATE);
    assert_int_equal(call.resource_id, 1);
    assert_int_equal(call.context_id, 1);
    assert_int_equal(call.mem, VIRTIO_GPU_BLOB_MEM_HOST3D);
    assert_int_equal(call.flags, VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE);
    assert_int_equal(call.id, UINT64_C(0x1234567890));
    assert_int_equal(call.size, 3 * PAGE);
    assert_int_equal(call.num_iov, 0);
    assert_int_equal(stat_value("blob-bytes"), 3 * PAGE);
    assert_ok(unref(1));
    assert_int_equal(fake_last(FAKE_RESOURCE_UNREF).resource_id, 1);
    check_nothing_is_left();
}

static void test_host3d_guest(void **state)
{
    (void)state;
    vm_start(NULL);
    assert_ok(create_context(1));
    struct virtio_gpu_resource_create_blob request =
        blob_request(VIRTIO_GPU_BLOB_MEM_HOST3D_GUEST, 3 * PAGE);
    const struct virtio_gpu_mem_entry entries[] = { entry(RAM_ADDR, PAGE),
                                                    entry(RAM_ADDR + 5 * PAGE, 2 * PAGE) };
    request.nr_entries = le32(2);
    assert_ok(create_blob(&request, entries, 2));
    assert_int_equal(fake_last(FAKE_BLOB_CREATE).num_iov, 2);
    assert_int_equal(fake_last(FAKE_BLOB_CREATE).mem, VIRTIO_GPU_BLOB_MEM_HOST3D_GUEST);
    assert_int_equal(stat_value("blob-bytes"), 3 * PAGE);
    assert_int_equal(map_blob(1, 0), VIRTIO_GPU_RESP_OK_MAP_INFO);
    assert_ok(unref(1));
    check_nothing_is_left();
}

static void test_flags(void **state)
{
    (void)state;
    vm_start(NULL);
    assert_ok(create_context(1));
    for (uint32_t flags = 0; flags <= all_flags; flags++) {
        struct virtio_gpu_resource_create_blob request =
            blob_request(VIRTIO_GPU_BLOB_MEM_HOST3D, PAGE);
        request.blob_flags = le32(flags);
        assert_ok(create_blob(&request, NULL, 0));
        assert_int_equal(fake_last(FAKE_BLOB_CREATE).flags, flags);
        /* Only what is mappable can be seen, by the guest or on a scanout. */
        const struct virtio_gpu_set_scanout_blob scanout = blob_scanout(0, 1, 32, 32);
        if (flags & VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE) {
            assert_int_equal(map_blob(1, 0), VIRTIO_GPU_RESP_OK_MAP_INFO);
            assert_ok(set_scanout_blob(&scanout));
        } else {
            assert_error(map_blob(1, 0), INVALID_PARAMETER);
            assert_error(set_scanout_blob(&scanout), UNSPEC);
        }
        assert_ok(unref(1));
    }
    for (unsigned bit = 3; bit < 32; bit++) {
        struct virtio_gpu_resource_create_blob request =
            blob_request(VIRTIO_GPU_BLOB_MEM_HOST3D, PAGE);
        request.blob_flags = le32(UINT32_C(1) << bit);
        assert_error(create_blob(&request, NULL, 0), INVALID_PARAMETER);
    }
    check_nothing_is_left();
}

static void test_kinds(void **state)
{
    (void)state;
    vm_start(NULL);
    assert_ok(create_context(1));
    static const uint32_t wrong[] = { 0, 4, 5, 0x10001, UINT32_MAX };
    const struct virtio_gpu_mem_entry page = entry(RAM_ADDR, PAGE);
    for (unsigned i = 0; i < COUNT(wrong); i++) {
        const struct virtio_gpu_resource_create_blob request = blob_request(wrong[i], PAGE);
        assert_error(create_blob(&request, &page, 1), INVALID_PARAMETER);
    }
    check_nothing_is_left();
}

static void test_sizes(void **state)
{
    (void)state;
    vm_start(NULL);
    assert_ok(create_context(1));
    static const uint64_t wrong[] = { 0, UINT64_MAX, UINT64_MAX - PAGE + 2, UINT64_C(1) << 63 };
    const struct virtio_gpu_mem_entry page = entry(RAM_ADDR, PAGE);
    for (uint32_t mem = 1; mem <= 3; mem++) {
        for (unsigned i = 0; i < COUNT(wrong); i++) {
            const struct virtio_gpu_resource_create_blob request = blob_request(mem, wrong[i]);
            assert_error(create_blob(&request, &page, mem != VIRTIO_GPU_BLOB_MEM_HOST3D),
                         INVALID_PARAMETER);
        }
    }
    /* More than the guest's pages hold. */
    for (uint32_t mem = 1; mem <= 3; mem += 2) {
        const struct virtio_gpu_resource_create_blob request = blob_request(mem, PAGE + 1);
        assert_error(create_blob(&request, &page, 1), INVALID_PARAMETER);
    }
    check_nothing_is_left();
    /* Less is fine, and a blob need not end with a page. */
    assert_ok(create_guest_blob(1, PAGE - 100, &page, 1));
    const struct virtio_gpu_resource_create_blob request = {
        .hdr = { .type = le32(VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB), .ctx_id = le32(1) },
        .resource_id = le32(2),
        .blob_mem = le32(VIRTIO_GPU_BLOB_MEM_HOST3D),
        .blob_flags = le32(VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE),
        .size = le64(PAGE + 1),
    };
    assert_ok(create_blob(&request, NULL, 0));
    assert_int_equal(map_blob(2, 0), VIRTIO_GPU_RESP_OK_MAP_INFO);
    assert_int_equal(stat_value("mapped-bytes"), 2 * PAGE);
}

static void test_entries(void **state)
{
    (void)state;
    vm_start(NULL);
    assert_ok(create_context(1));
    const struct virtio_gpu_mem_entry page = entry(RAM_ADDR, PAGE);
    struct virtio_gpu_resource_create_blob request = blob_request(VIRTIO_GPU_BLOB_MEM_HOST3D, PAGE);
    request.nr_entries = le32(1);
    assert_error(create_blob(&request, &page, 1), INVALID_PARAMETER);

    for (uint32_t mem = 1; mem <= 3; mem += 2) {
        request = blob_request(mem, PAGE);
        request.nr_entries = 0;
        assert_error(create_blob(&request, NULL, 0), INVALID_PARAMETER);
        request.nr_entries = le32(2); /* more than there are */
        assert_error(create_blob(&request, &page, 1), INVALID_PARAMETER);
        request.nr_entries = le32(UINT32_MAX);
        assert_error(create_blob(&request, &page, 1), INVALID_PARAMETER);
        request.nr_entries = le32(1);
        const struct virtio_gpu_mem_entry nowhere = entry(RAM_ADDR - PAGE, PAGE);
        assert_error(create_blob(&request, &nowhere, 1), INVALID_PARAMETER);
    }
    check_nothing_is_left();
}

static void test_ids(void **state)
{
    (void)state;
    vm_start(NULL);
    assert_ok(create_context(1));
    assert_error(create_host_blob(0, PAGE), INVALID_RESOURCE_ID);
    assert_ok(create_host_blob(1, PAGE));
    assert_error(create_host_blob(1, PAGE), INVALID_RESOURCE_ID);
    assert_error(create_2d(1, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, 8, 8), INVALID_RESOURCE_ID);
    assert_ok(create_2d(2, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, 8, 8));
    assert_error(create_host_blob(2, PAGE), INVALID_RESOURCE_ID);
    assert_int_equal(stat_value("blobs"), 1);
    assert_int_equal(stat_value("resources"), 2);
}

static void test_context(void **state)
{
    (void)state;
    vm_start(NULL);
    const struct virtio_gpu_mem_entry page = entry(RAM_ADDR, PAGE);
    for (uint32_t mem = 2; mem <= 3; mem++) {
        const struct virtio_gpu_resource_create_blob request = blob_request(mem, PAGE);
        assert_error(create_blob(&request, &page, mem == 3), INVALID_CONTEXT_ID);
    }
    check_nothing_is_left();
    /* A guest's blob needs no context. */
    assert_ok(create_guest_blob(1, PAGE, &page, 1));
}

static void test_renderer_refuses(void **state)
{
    (void)state;
    vm_start(NULL);
    assert_ok(create_context(1));
    const struct virtio_gpu_mem_entry page = entry(RAM_ADDR, PAGE);
    for (uint32_t mem = 2; mem <= 3; mem++) {
        const struct virtio_gpu_resource_create_blob request = blob_request(mem, PAGE);
        fake_fail(FAKE_BLOB_CREATE, -EIO, 0, 1);
        assert_error(create_blob(&request, &page, mem == 3), OUT_OF_MEMORY);
    }
    check_nothing_is_left();
    assert_int_equal(fake_count(FAKE_RESOURCE_UNREF), 0);
    assert_ok(create_host_blob(1, PAGE));
}

/* 2D commands are not for blobs. */
static void test_not_a_picture(void **state)
{
    (void)state;
    vm_start(NULL);
    assert_ok(create_context(1));
    assert_ok(create_host_blob(1, 16 * PAGE));
    const struct virtio_gpu_mem_entry entries = entry(RAM_ADDR, 16 * PAGE);
    assert_ok(create_guest_blob(2, 16 * PAGE, &entries, 1));
    for (uint32_t id = 1; id <= 2; id++) {
        assert_error(attach_ram(id, RAM_ADDR, PAGE), UNSPEC);
        assert_error(detach_backing(id), UNSPEC);
        assert_error(transfer(id, rect(0, 0, 8, 8), 0), INVALID_RESOURCE_ID);
        assert_error(set_scanout(0, id, rect(0, 0, 8, 8)), INVALID_RESOURCE_ID);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_guest),         TEST(test_host3d),
        TEST(test_host3d_guest),  TEST(test_flags),
        TEST(test_kinds),         TEST(test_sizes),
        TEST(test_entries),       TEST(test_ids),
        TEST(test_context),       TEST(test_renderer_refuses),
        TEST(test_not_a_picture),
    };
    return RUN_TESTS(tests);
}
