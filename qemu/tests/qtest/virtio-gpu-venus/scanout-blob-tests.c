/*
 * virtio-gpu-venus: blobs as pictures
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "driver.h"
#include "monitor.h"
#include "picture.h"
#include "tests.h"

/* A scanout of a host blob that the guest has mapped, and of a guest blob */
static void test_scanout_blob(const void *options)
{
    Venus *v = venus_start(options);
    const struct virtio_gpu_rect all = RECT(0, 0, 40, 30);
    const Format *format = &formats[4];
    uint32_t stride = 192, offset = 256, size = 2 * PAGE;
    g_autofree uint8_t *pixels = g_malloc0(size);
    uint64_t ram = guest_alloc(&v->alloc, size);

    draw_picture(pixels + offset, format->bytes, 40, 30, stride);
    assert_ok(create_context(v, 1, VIRTIO_GPU_CAPSET_VENUS));
    assert_ok(create_shm(v, 1, 10, size));
    assert_mapped(map_blob(v, 10, PAGE));
    qpci_memwrite(v->dev->pdev, v->window, PAGE, pixels, size);

    assert_ok(set_scanout_blob(v, 10, format->virtio, 40, 30, stride, offset));
    assert_ok(flush(v, 10, all));
    assert_picture(v, 0, 0, 0, 40, 30);

    /* bad pictures: format, width, stride, end */
    assert_error(INVALID_PARAMETER,
                 set_scanout_blob(v, 10, 5, 40, 30, stride, offset));
    assert_error(INVALID_PARAMETER,
                 set_scanout_blob(v, 10, format->virtio, 49, 30, stride, 0));
    assert_error(INVALID_PARAMETER,
                 set_scanout_blob(v, 10, format->virtio, 40, 30, 191, 0));
    assert_error(INVALID_PARAMETER,
                 set_scanout_blob(v, 10, format->virtio, 40, 30, stride, size));
    assert_error(INVALID_PARAMETER,
                 set_scanout_blob(v, 10, format->virtio, 40, 0x7fffffff,
                                  0xfffffffc, 0xfffffffc));
    assert_error(INVALID_RESOURCE_ID,
                 set_scanout_blob(v, 11, format->virtio, 40, 30, stride, 0));
    assert_error(INVALID_RESOURCE_ID, set_scanout(v, 0, 10, all));

    /* the guest's unmapping does not take the picture away */
    assert_ok(unmap_blob(v, 10));
    assert_picture(v, 0, 0, 0, 40, 30);

    qtest_memwrite(v->qts, ram, pixels, size);
    assert_ok(create_blob(v, 0, 11, VIRTIO_GPU_BLOB_MEM_GUEST, 0, size, ram));
    assert_ok(set_scanout_blob(v, 11, format->virtio, 40, 30, stride, offset));
    assert_ok(flush(v, 11, all));
    assert_picture(v, 0, 0, 0, 40, 30);
    assert_error(INVALID_PARAMETER, map_blob(v, 11, 0));

    assert_ok(set_scanout_blob(v, 0, 0, 0, 0, 0, 0));
    assert_ok(unref(v, 10));
    assert_ok(unref(v, 11));
    venus_stop(v);
}

/*
 * A sparse blob's size is no bound for the numbers that displays compute with.
 * What is refused leaves what was shown before.
 */
static void test_scanout_bounds(void)
{
    static const struct {
        uint32_t width, height, stride;
    } wrong[] = {
        { 64, 4, 0x80000000 },
        { 64, 4, 0x7ffffffc },
        { 64, 5, 0x20000000 },
        { 64, 4, 0xfffffc00 },
        { 0x8000000, 4, 0x20000000 },
        { 4, 0x80000010, 16 },
        { 16388, 4, 16388 * 4 },
        { 4, 16385, 16 },
    };
    Venus *v = venus_start(",max-blob-memory=1T");
    const Format *format = &formats[1];
    uint32_t width, height;
    int i;

    make_picture(v, 1, format, 40, 30);
    assert_ok(transfer(v, 1, RECT(0, 0, 40, 30), 0));
    assert_ok(set_scanout(v, 0, 1, RECT(0, 0, 40, 30)));
    assert_ok(create_context(v, 1, VIRTIO_GPU_CAPSET_VENUS));
    for (i = 0; i < ARRAY_SIZE(wrong); i++) {
        uint64_t size = (uint64_t)wrong[i].stride * wrong[i].height;

        assert_ok(create_shm(v, 1, 10, size));
        assert_error(INVALID_PARAMETER,
                     set_scanout_blob(v, 10, format->virtio, wrong[i].width,
                                      wrong[i].height, wrong[i].stride, 0));
        assert_picture(v, 0, 0, 0, 40, 30);
        assert_ok(unref(v, 10));
    }

    /* the widest rows that there can be */
    assert_ok(create_shm(v, 1, 10, 2 * GiB));
    assert_ok(set_scanout_blob(v, 10, format->virtio, 64, 4, 0x1ffffffc, 0));
    assert_ok(flush(v, 10, RECT(0, 0, 64, 4)));
    g_free(screendump(v, 0, &width, &height));
    g_assert_cmpuint(width, ==, 64);
    g_assert_cmpuint(height, ==, 4);
    venus_stop(v);
}

/*
 * Part of a picture in a guest blob, in each format; the picture does not begin
 * where the blob does, and its rows have a gap between them.
 */
static void test_blob_formats(const void *data)
{
    const Shown *shown = data;
    Venus *v = venus_start_shown(shown);
    const struct virtio_gpu_rect part = RECT(9, 5, 44, 31);
    const uint32_t width = 64, height = 48, stride = width * 4 + 20;
    const uint32_t offset = PAGE + 1028, size = 5 * PAGE;
    g_autofree uint8_t *pixels = g_malloc(size);
    bool in_place = *shown->args;
    int i;

    g_assert_cmpuint(offset + stride * height, <=, size);
    for (i = 0; i < ARRAY_SIZE(formats); i++) {
        uint64_t before = get_stat(v, "present-frames");
        uint64_t ram = guest_alloc(&v->alloc, size);
        uint32_t id = i + 1;

        memset(pixels, 0xcc, size);
        draw_picture(pixels + offset, formats[i].bytes, width, height, stride);
        qtest_memwrite(v->qts, ram, pixels, size);
        assert_ok(create_blob(v, 0, id, VIRTIO_GPU_BLOB_MEM_GUEST, 0, size,
                              ram));
        assert_ok(set_scanout_blob_part(v, id, formats[i].virtio, width, height,
                                        stride, offset, part));
        assert_ok(flush(v, id, RECT(0, 0, width, height)));
        assert_picture(v, 0, part.x, part.y, part.width, part.height);
        assert_presented(v, shown, before);
    }
    g_assert_cmpint(get_stat(v, "guest-aliases") > 0, ==, in_place);
    g_assert_cmpint(get_stat(v, "guest-copies") > 0, ==, !in_place);
    venus_stop(v);
}

void venus_add_scanout_blob_tests(void)
{
    qtest_add_data_func("virtio-gpu-venus/scanout-blob/auto", "",
                        test_scanout_blob);
    qtest_add_data_func("virtio-gpu-venus/scanout-blob/regions", REGIONS,
                        test_scanout_blob);
    qtest_add_func("virtio-gpu-venus/scanout-blob/bounds", test_scanout_bounds);
    qtest_add_data_func("virtio-gpu-venus/scanout-blob/formats", &drawn,
                        test_blob_formats);
    qtest_add_data_func("virtio-gpu-venus/scanout-blob/formats-in-place",
                        &drawn_shared, test_blob_formats);
    qtest_add_data_func("virtio-gpu-venus/scanout-blob/formats-presented",
                        &presented, test_blob_formats);
    qtest_add_data_func(
        "virtio-gpu-venus/scanout-blob/formats-presented-in-place",
        &presented_shared, test_blob_formats);
}
