/* SPDX-License-Identifier: MIT */
/* Every format, from every kind of memory, as it comes out of the GPU: to the bit. */
#include "screen.h"

static const uint32_t formats[] = {
    VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM,
    VIRTIO_GPU_FORMAT_A8R8G8B8_UNORM, VIRTIO_GPU_FORMAT_X8R8G8B8_UNORM,
    VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM, VIRTIO_GPU_FORMAT_X8B8G8R8_UNORM,
    VIRTIO_GPU_FORMAT_A8B8G8R8_UNORM, VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM,
};

enum { WIDTH = 320, HEIGHT = 200 };

/* Alpha is of no effect: the pattern has every value of it. */
static void test_2d(void **state)
{
    (void)state;
    present_start(NULL);
    present_offscreen(0, 0, 0, false);
    for (uint32_t i = 0; i < COUNT(formats); i++) {
        show_2d(1, formats[i], WIDTH, HEIGHT, i);
        assert_shows_pattern(0, WIDTH, HEIGHT, 0, 0, i);
        assert_ok(unref(1));
    }
    assert_int_equal(stat_value("present-staging"), 0);
    assert_int_equal(stat_value("present-frames"), COUNT(formats));
    assert_int_equal(count_flushes(), 0);
}

/* A part of a larger picture, which starts somewhere in a blob and has room between its rows. */
static void test_blob(void **state)
{
    enum {
        ALL_WIDTH = 500,
        ALL_HEIGHT = 300,
        STRIDE = ALL_WIDTH * 4 + 52,
        OFFSET = 1236,
        X = 37,
        Y = 51
    };
    const uint64_t size = (OFFSET + STRIDE * ALL_HEIGHT + PAGE - 1) / PAGE * PAGE;
    (void)state;
    present_start(NULL);
    present_offscreen(0, 0, 0, false);
    for (uint32_t i = 0; i < COUNT(formats); i++) {
        const struct venus_gpu_format *format = venus_gpu_format_lookup(formats[i]);
        struct virtio_gpu_mem_entry all = entry(RAM_ADDR, (uint32_t)size);
        fill_pattern((char *)ram_at(RAM_ADDR) + OFFSET, format, ALL_WIDTH, ALL_HEIGHT, STRIDE, 0, 0,
                     i);
        assert_ok(create_guest_blob(1, size, &all, 1));
        struct virtio_gpu_set_scanout_blob request = blob_scanout(0, 1, ALL_WIDTH, ALL_HEIGHT);
        request.format = le32(formats[i]);
        request.strides[0] = le32(STRIDE);
        request.offsets[0] = le32(OFFSET);
        request.r = rect(X, Y, WIDTH, HEIGHT);
        assert_ok(set_scanout_blob(&request));
        assert_ok(flush(1, rect(0, 0, ALL_WIDTH, ALL_HEIGHT)));
        assert_shows_pattern(0, WIDTH, HEIGHT, X, Y, i);
        assert_ok(unref(1));
    }
    assert_int_equal(stat_value("guest-copies"), 0);
    assert_int_equal(stat_value("present-staging"), 0);
    assert_int_equal(stat_value("present-host-pointer"), COUNT(formats));
}

/* The same where nothing can be imported: the rows are copied, and counted. */
static void test_staging(void **state)
{
    (void)state;
    present_start(NULL);
    shim_hide_extension("VK_EXT_external_memory_host");
    present_offscreen(0, 0, 0, false);
    for (uint32_t i = 0; i < COUNT(formats); i++) {
        show_2d(1, formats[i], WIDTH, HEIGHT, i);
        assert_shows_pattern(0, WIDTH, HEIGHT, 0, 0, i);
        assert_ok(unref(1));
    }
    assert_int_equal(stat_value("present-staging"), COUNT(formats));
    assert_int_equal(stat_value("present-staging-bytes"), COUNT(formats) * WIDTH * HEIGHT * 4);
}

enum { STRIDE = 1 << 20 };

/* Show a picture in a large blob whose rows are a megabyte apart. */
static void show_sparse(uint64_t size, uint32_t code, uint32_t seed)
{
    assert_ok(create_host_blob(1, size));
    fill_pattern(fake_blob(1), venus_gpu_format_lookup(code), WIDTH, HEIGHT, STRIDE, 0, 0, seed);
    struct virtio_gpu_set_scanout_blob request = blob_scanout(0, 1, WIDTH, HEIGHT);
    request.format = le32(code);
    request.strides[0] = le32(STRIDE);
    assert_ok(set_scanout_blob(&request));
    assert_ok(flush(1, rect(0, 0, WIDTH, HEIGHT)));
    assert_shows_pattern(0, WIDTH, HEIGHT, 0, 0, seed);
}

/* What lies between the rows is not read: in a sparse blob that would be memory. */
static void test_rows_far_apart(void **state)
{
    (void)state;
    present_start(NULL);
    shim_hide_extension("VK_EXT_external_memory_host");
    present_offscreen(0, 0, 0, false);
    assert_ok(create_context(1));
    for (uint32_t i = 0; i < COUNT(formats); i++) {
        show_sparse(HEIGHT * STRIDE, formats[i], i);
        assert_ok(unref(1));
    }
    assert_int_equal(stat_value("present-staging"), COUNT(formats));
    assert_true(stat_value("present-staging-bytes") < HEIGHT * STRIDE);
}

/* A blob that is larger than the device's largest buffer is not imported, and shown all the same. */
static void test_blob_larger_than_a_buffer(void **state)
{
    enum { MOST = 16 << 20 };
    const uint64_t size = UINT64_C(1) << 36;
    (void)state;
    present_start(&(struct vm_options){ .max_blob_memory = size });
    shim_limit_buffers(MOST);
    present_offscreen(0, 0, 0, false);
    assert_ok(create_context(1));
    show_sparse(size, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, 1);
    assert_true(shim_largest_buffer() <= MOST);
    assert_int_equal(stat_value("present-staging"), 1);
    assert_int_equal(stat_value("present-frames"), 1);
}

/* What is painted again without the guest's asking counts once, and elsewhere: here, since it was shown
 * before there was a target. */
static void test_redraws_are_not_frames(void **state)
{
    (void)state;
    present_start(NULL);
    shim_hide_extension("VK_EXT_external_memory_host");
    show_2d(1, formats[0], WIDTH, HEIGHT, 1);
    present_offscreen(0, 0, 0, false);
    assert_shows_pattern(0, WIDTH, HEIGHT, 0, 0, 1);
    assert_int_equal(stat_value("present-redraws"), 1);
    static const char *const of_frames[] = { "present-frames", "present-staging",
                                             "present-staging-bytes", "present-gpu-copies" };
    for (size_t i = 0; i < COUNT(of_frames); i++)
        assert_int_equal(stat_value(of_frames[i]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_2d),
        TEST(test_blob),
        TEST(test_staging),
        TEST(test_rows_far_apart),
        TEST(test_blob_larger_than_a_buffer),
        TEST(test_redraws_are_not_frames),
    };
    return RUN_TESTS(tests);
}
