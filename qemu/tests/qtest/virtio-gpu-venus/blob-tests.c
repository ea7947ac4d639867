/*
 * virtio-gpu-venus: blobs in the host-visible window
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "driver.h"
#include "monitor.h"
#include "tests.h"

/* In either mode of the window, which the test's data names */
static void test_blobs(const void *options)
{
    Venus *v = venus_start(options);
    uint64_t size = 16 * PAGE;

    assert_ok(create_context(v, 1, VIRTIO_GPU_CAPSET_VENUS));
    assert_ok(create_shm(v, 1, 10, size));
    assert_error(INVALID_RESOURCE_ID, create_shm(v, 1, 10, size));
    assert_error(INVALID_RESOURCE_ID, create_shm(v, 1, 0, size));
    assert_error(INVALID_CONTEXT_ID, create_shm(v, 2, 11, size));
    assert_error(INVALID_PARAMETER, create_shm(v, 1, 11, 0));
    assert_error(INVALID_PARAMETER, create_shm(v, 1, 11, -1ull));
    assert_error(INVALID_PARAMETER, create_blob(v, 1, 11, 4, 0, size, 0));

    assert_mapped(map_blob(v, 10, 0));
    window_write(v, 0, "from the guest");
    assert_window(v, 0, "from the guest");
    window_write(v, size - 8, "end");
    assert_error(UNSPEC, map_blob(v, 10, size));
    assert_error(INVALID_RESOURCE_ID, map_blob(v, 11, size));
    assert_error(INVALID_RESOURCE_ID, unmap_blob(v, 11));

    /* beside it, on it, out of the window */
    assert_ok(create_shm(v, 1, 11, size));
    assert_error(INVALID_PARAMETER, map_blob(v, 11, 0));
    assert_error(INVALID_PARAMETER, map_blob(v, 11, size - PAGE));
    assert_error(INVALID_PARAMETER, map_blob(v, 11, size + 1));
    assert_error(INVALID_PARAMETER, map_blob(v, 11, 16 * MiB - size + PAGE));
    assert_error(INVALID_PARAMETER, map_blob(v, 11, -(uint64_t)PAGE));
    assert_error(UNSPEC, unmap_blob(v, 11));
    assert_mapped(map_blob(v, 11, size));
    window_write(v, size, "the other");
    assert_window(v, size - 8, "end");

    /* what was there is at the new place, and not at the old one */
    assert_ok(unmap_blob(v, 10));
    assert_window(v, 0, "");
    window_write(v, 0, "in a hole");
    assert_window(v, size, "the other");
    assert_mapped(map_blob(v, 10, 16 * MiB - size));
    assert_window(v, 16 * MiB - size, "from the guest");
    assert_window(v, 0, "in a hole");

    /* without being unmapped */
    assert_ok(unref(v, 10));
    assert_window(v, 16 * MiB - size, "");
    assert_ok(destroy_context(v, 1));
    assert_window(v, size, "the other");
    assert_ok(unmap_blob(v, 11));
    assert_ok(unref(v, 11));
    g_assert_cmpuint(get_stat(v, "mapped"), ==, 0);
    venus_stop(v);
}

/* Many maps, in any order, and a reset with all of them there */
static void test_many_blobs(const void *options)
{
    Venus *v = venus_start(options);
    char text[16];
    int i;

    assert_ok(create_context(v, 1, VIRTIO_GPU_CAPSET_VENUS));
    for (i = 0; i < 32; i++) {
        assert_ok(create_shm(v, 1, 10 + i, 4 * PAGE));
        assert_mapped(map_blob(v, 10 + i, i * 4 * PAGE));
        snprintf(text, sizeof(text), "blob %d", i);
        window_write(v, i * 4 * PAGE, text);
    }
    for (i = 0; i < 32; i += 2) {
        assert_ok(unmap_blob(v, 10 + i));
        assert_window(v, i * 4 * PAGE, "");
    }
    for (i = 1; i < 32; i += 2) {
        snprintf(text, sizeof(text), "blob %d", i);
        assert_window(v, i * 4 * PAGE, text);
    }
    for (i = 0; i < 32; i += 2) {
        assert_mapped(map_blob(v, 10 + i, (30 - i) * 4 * PAGE));
        snprintf(text, sizeof(text), "blob %d", i);
        assert_window(v, (30 - i) * 4 * PAGE, text);
    }

    venus_stop_driver(v);
    for (i = 0; i < 32; i++) {
        assert_window(v, i * 4 * PAGE, "");
    }
    venus_start_driver(v);
    g_assert_cmpuint(get_stat(v, "mapped"), ==, 0);
    g_assert_cmpuint(get_stat(v, "resources"), ==, 0);
    assert_ok(create_context(v, 1, VIRTIO_GPU_CAPSET_VENUS));
    assert_ok(create_shm(v, 1, 10, 4 * PAGE));
    assert_mapped(map_blob(v, 10, 0));
    assert_window(v, 0, "");
    venus_stop(v);
}

/* venus-window.c's */
#define MAX_REGIONS 1024

/* More regions than QEMU's memory map could take: the guest is told. */
static void test_too_many_regions(void)
{
    Venus *v = venus_start(",x-window-regions=on");
    uint32_t response = VIRTIO_GPU_RESP_OK_MAP_INFO;
    int i;

    assert_ok(create_context(v, 1, VIRTIO_GPU_CAPSET_VENUS));
    for (i = 0; response == VIRTIO_GPU_RESP_OK_MAP_INFO && i < 2000; i++) {
        assert_ok(create_shm(v, 1, 10 + i, PAGE));
        response = map_blob(v, 10 + i, i * 2 * PAGE);
    }
    g_assert_cmpint(i, ==, MAX_REGIONS + 1);
    assert_error(OUT_OF_MEMORY, response);
    assert_ok(unmap_blob(v, 10));
    assert_mapped(map_blob(v, 10 + MAX_REGIONS, 0));
    window_write(v, 0, "fits");
    assert_window(v, 0, "fits");
    venus_stop(v);
}

/* An accelerator may have few slots: what is more is refused, and goes on. */
static void test_few_regions(void)
{
    Venus *v = venus_start(",x-window-regions=on,x-max-regions=2");

    assert_ok(create_context(v, 1, VIRTIO_GPU_CAPSET_VENUS));
    assert_ok(create_shm(v, 1, 10, PAGE));
    assert_ok(create_shm(v, 1, 11, PAGE));
    assert_ok(create_shm(v, 1, 12, PAGE));
    assert_mapped(map_blob(v, 10, 0));
    assert_mapped(map_blob(v, 11, PAGE));
    assert_error(OUT_OF_MEMORY, map_blob(v, 12, 2 * PAGE));
    window_write(v, PAGE, "stays");
    assert_window(v, PAGE, "stays");
    assert_ok(unmap_blob(v, 10));
    assert_mapped(map_blob(v, 12, 0));
    g_assert_cmpuint(get_stat(v, "contexts-lost"), ==, 0);
    venus_stop(v);
}

/* Commands of one size, of which the device hears at once */
typedef struct Batch {
    unsigned count;
    uint64_t out, in;
    size_t in_size;
} Batch;

static Batch post_batch(Venus *v, const void *commands, size_t size,
                        size_t in_size, unsigned count)
{
    QVirtQueue *vq = v->vq[CONTROL];
    Batch b = {
        .count = count,
        .out = guest_alloc(&v->alloc, count * size),
        .in = guest_alloc(&v->alloc, count * in_size),
        .in_size = in_size,
    };
    g_autofree struct vring_desc *desc = g_new0(struct vring_desc, 2 * count);
    uint16_t idx = qtest_readw(v->qts, vq->avail + 2);
    unsigned i;

    g_assert_cmpuint(2 * count, <=, vq->size);
    for (i = 0; i < count; i++) {
        desc[2 * i] = (struct vring_desc) {
            b.out + i * size, size, VRING_DESC_F_NEXT, 2 * i + 1
        };
        desc[2 * i + 1] = (struct vring_desc) {
            b.in + i * in_size, in_size, VRING_DESC_F_WRITE, 0
        };
        qtest_writew(v->qts, vq->avail + 4 + 2 * ((idx + i) % vq->size), 2 * i);
    }
    qtest_memwrite(v->qts, b.out, commands, count * size);
    qtest_memwrite(v->qts, vq->desc, desc, 2 * count * sizeof(*desc));
    qtest_writew(v->qts, vq->avail + 2, idx + count);
    v->dev->vdev.bus->virtqueue_kick(&v->dev->vdev, vq);
    return b;
}

static void free_batch(Venus *v, Batch *b)
{
    guest_free(&v->alloc, b->out);
    guest_free(&v->alloc, b->in);
}

/* Wait for all of them, which are to be answered with @response. */
static void finish_batch(Venus *v, Batch *b, uint32_t response)
{
    uint32_t written;
    unsigned i;

    for (i = 0; i < b->count; i++) {
        venus_wait_any(v, CONTROL, &written);
    }
    for (i = 0; i < b->count; i++) {
        g_assert_cmphex(qtest_readl(v->qts, b->in + i * b->in_size), ==,
                        response);
    }
    venus_queue_is_empty(v, CONTROL);
    free_batch(v, b);
}

#define BATCH 128

/* Map @count blobs, and make one more. */
static void map_many(Venus *v, int count)
{
    struct virtio_gpu_resource_create_blob create[BATCH];
    struct virtio_gpu_resource_map_blob map[BATCH];
    Batch b;
    int i, k;

    for (i = 0; i < count; i += BATCH) {
        for (k = 0; k < BATCH; k++) {
            create[k] = (struct virtio_gpu_resource_create_blob) {
                .hdr.type = VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB,
                .hdr.ctx_id = 1,
                .resource_id = 10 + i + k,
                .blob_mem = VIRTIO_GPU_BLOB_MEM_HOST3D,
                .blob_flags = VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE,
                .size = PAGE,
            };
            map[k] = (struct virtio_gpu_resource_map_blob) {
                .hdr.type = VIRTIO_GPU_CMD_RESOURCE_MAP_BLOB,
                .resource_id = 10 + i + k,
                .offset = (i + k) * 2 * PAGE,
            };
        }
        b = post_batch(v, create, sizeof(create[0]),
                       sizeof(struct virtio_gpu_ctrl_hdr), BATCH);
        finish_batch(v, &b, VIRTIO_GPU_RESP_OK_NODATA);
        b = post_batch(v, map, sizeof(map[0]),
                       sizeof(struct virtio_gpu_resp_map_info), BATCH);
        finish_batch(v, &b, VIRTIO_GPU_RESP_OK_MAP_INFO);
    }
    assert_ok(create_shm(v, 1, 10 + count, PAGE));
}

/* A reset while regions are asked for that will be refused */
static void test_refusals_and_reset(void)
{
    Venus *v = venus_start(",x-window-regions=on");
    struct virtio_gpu_resource_map_blob one_more[BATCH];
    Batch b;
    int i;

    for (i = 0; i < BATCH; i++) {
        one_more[i] = (struct virtio_gpu_resource_map_blob) {
            .hdr.type = VIRTIO_GPU_CMD_RESOURCE_MAP_BLOB,
            .resource_id = 10 + MAX_REGIONS,
            .offset = MAX_REGIONS * 2 * PAGE,
        };
    }
    assert_ok(create_context(v, 1, VIRTIO_GPU_CAPSET_VENUS));
    map_many(v, MAX_REGIONS);
    b = post_batch(v, one_more, sizeof(one_more[0]),
                   sizeof(struct virtio_gpu_resp_map_info), BATCH);
    venus_stop_driver(v);
    free_batch(v, &b);
    venus_start_driver(v);
    g_assert_cmpuint(get_stat(v, "mapped"), ==, 0);
    g_assert_cmpuint(get_stat(v, "resources"), ==, 0);
    assert_ok(create_context(v, 1, VIRTIO_GPU_CAPSET_VENUS));
    map_many(v, BATCH);
    venus_stop(v);
}

static void test_blob_limits(void)
{
    Venus *v = venus_start(",max-blob-memory=1M");

    assert_ok(create_context(v, 1, VIRTIO_GPU_CAPSET_VENUS));
    assert_error(OUT_OF_MEMORY, create_shm(v, 1, 10, 1 * MiB + PAGE));
    assert_ok(create_shm(v, 1, 10, 1 * MiB));
    assert_error(OUT_OF_MEMORY, create_shm(v, 1, 11, PAGE));
    assert_ok(unref(v, 10));
    assert_ok(create_shm(v, 1, 11, PAGE));
    venus_stop(v);
}

void venus_add_blob_tests(void)
{
    qtest_add_data_func("virtio-gpu-venus/blobs/auto", "", test_blobs);
    qtest_add_data_func("virtio-gpu-venus/blobs/regions", REGIONS, test_blobs);
    qtest_add_data_func("virtio-gpu-venus/many-blobs/auto", "",
                        test_many_blobs);
    qtest_add_data_func("virtio-gpu-venus/many-blobs/regions", REGIONS,
                        test_many_blobs);
    qtest_add_func("virtio-gpu-venus/blob-limits", test_blob_limits);
    qtest_add_func("virtio-gpu-venus/too-many-regions", test_too_many_regions);
    qtest_add_func("virtio-gpu-venus/few-regions", test_few_regions);
    qtest_add_func("virtio-gpu-venus/refusals-and-reset",
                   test_refusals_and_reset);
}
