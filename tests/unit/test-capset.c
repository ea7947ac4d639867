/* SPDX-License-Identifier: MIT */
/* Tests of the capability sets: there is one, Venus, and the renderer fills it in. */
#include <errno.h>

#include "harness.h"

enum { VERSION = 2, SIZE = 160 }; /* the fake renderer's */

static uint32_t get_capset(uint32_t id, uint32_t version, uint8_t *data, size_t room)
{
    const struct virtio_gpu_get_capset request = {
        REQUEST(GET_CAPSET),
        .capset_id = le32(id),
        .capset_version = le32(version),
    };
    struct sent *sent =
        send_control(&request, sizeof(request), sizeof(struct virtio_gpu_ctrl_hdr) + room);
    uint32_t type = wait_for(sent);
    if (type == VIRTIO_GPU_RESP_OK_CAPSET) {
        assert_int_equal(sent->written, sizeof(struct virtio_gpu_ctrl_hdr) + SIZE);
        memcpy(data, sent->in + sizeof(struct virtio_gpu_ctrl_hdr), SIZE);
    } else {
        assert_int_equal(sent->written, sizeof(struct virtio_gpu_ctrl_hdr));
    }
    return type;
}

static void test_info(void **state)
{
    (void)state;
    vm_start(NULL);
    struct virtio_gpu_get_capset_info request = { REQUEST(GET_CAPSET_INFO) };
    struct virtio_gpu_resp_capset_info response;
    assert_int_equal(run_command(&request, sizeof(request), &response, sizeof(response)),
                     VIRTIO_GPU_RESP_OK_CAPSET_INFO);
    assert_int_equal(le32(response.capset_id), 4);
    assert_int_equal(le32(response.capset_max_version), VERSION);
    assert_int_equal(le32(response.capset_max_size), SIZE);
    assert_int_equal(response.padding, 0);
    request.capset_index = le32(1);
    assert_error(run_command(&request, sizeof(request), NULL, sizeof(response)), INVALID_PARAMETER);
    request.capset_index = le32(UINT32_MAX);
    assert_error(run_command(&request, sizeof(request), NULL, sizeof(response)), INVALID_PARAMETER);
}

static void test_contents(void **state)
{
    (void)state;
    vm_start(NULL);
    uint8_t data[SIZE];
    for (uint32_t version = 0; version <= VERSION; version++) {
        assert_int_equal(get_capset(4, version, data, SIZE), VIRTIO_GPU_RESP_OK_CAPSET);
        for (unsigned i = 0; i < SIZE; i++)
            assert_int_equal(data[i], (uint8_t)(version * 16 + i));
    }
    /* In pieces, and with more room than it takes. */
    vm.in_split = 5;
    assert_int_equal(get_capset(4, 1, data, SIZE + 300), VIRTIO_GPU_RESP_OK_CAPSET);
    for (unsigned i = 0; i < SIZE; i++)
        assert_int_equal(data[i], (uint8_t)(16 + i));
}

/* The guest may ask when the render server is gone and no new one could be started. */
static void test_without_renderer(void **state)
{
    (void)state;
    vm_start(NULL);
    uint8_t data[SIZE];
    fake_fail(FAKE_CONTEXT_CREATE, -EIO, 0, 1);
    fake_fail(FAKE_INIT, -EIO, 0, 1);
    assert_error(create_context(1), OUT_OF_MEMORY);
    for (uint32_t version = 0; version <= VERSION; version++) {
        assert_int_equal(get_capset(4, version, data, SIZE), VIRTIO_GPU_RESP_OK_CAPSET);
        for (unsigned i = 0; i < SIZE; i++)
            assert_int_equal(data[i], (uint8_t)(version * 16 + i));
    }
    assert_ok(create_context(1));
}

static void test_errors(void **state)
{
    (void)state;
    vm_start(NULL);
    uint8_t data[SIZE];
    assert_error(get_capset(4, VERSION + 1, data, SIZE), INVALID_PARAMETER);
    assert_error(get_capset(4, UINT32_MAX, data, SIZE), INVALID_PARAMETER);
    static const uint32_t others[] = { 0, 1, 2, 3, 5, 6, UINT32_MAX };
    for (unsigned i = 0; i < COUNT(others); i++)
        assert_error(get_capset(others[i], 0, data, SIZE), INVALID_PARAMETER);
    assert_error(get_capset(4, 0, data, SIZE - 1), INVALID_PARAMETER);
    assert_error(get_capset(4, 0, data, 0), INVALID_PARAMETER);
    assert_int_equal(fake_count(FAKE_CAPSET_FILL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_info),
        TEST(test_contents),
        TEST(test_without_renderer),
        TEST(test_errors),
    };
    return RUN_TESTS(tests);
}
