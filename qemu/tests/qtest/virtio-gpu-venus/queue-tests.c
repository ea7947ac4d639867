/*
 * virtio-gpu-venus: virtqueues that are used badly, and resets
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "standard-headers/linux/virtio_config.h"
#include "driver.h"
#include "monitor.h"
#include "picture.h"
#include "tests.h"

static void test_malformed(const void *options)
{
    Venus *v = venus_start(options);
    uint8_t junk[PAGE];
    struct virtio_gpu_ctrl_hdr resp;
    const struct virtio_gpu_resource_create_2d create = {
        .hdr.type = VIRTIO_GPU_CMD_RESOURCE_CREATE_2D,
        .resource_id = 1,
        .format = formats[0].virtio,
        .width = 4,
        .height = 4,
    };
    size_t size;
    int i;

    /* every length that is too short */
    for (size = 1; size < sizeof(create); size++) {
        assert_error(INVALID_PARAMETER, run_sized(v, &create, size));
    }
    assert_error(INVALID_RESOURCE_ID, unref(v, 1));

    /* no command; no response; a response with too little room */
    venus_call(v, CONTROL, NULL, 0, &resp, sizeof(resp));
    assert_error(INVALID_PARAMETER, resp.type);
    g_assert_cmpuint(venus_call(v, CONTROL, &create, sizeof(create), NULL, 0),
                     ==, 0);
    g_assert_cmpuint(venus_call(v, CONTROL, &create, sizeof(create), &resp, 23),
                     ==, 23);
    assert_error(INVALID_PARAMETER, resp.type);
    assert_error(INVALID_RESOURCE_ID, unref(v, 1));

    /* commands that do not exist */
    for (i = 0; i < 0x600; i += 0x0b) {
        if (i < 0x100 || i > 0x3ff) {
            assert_error(UNSPEC, header_only(v, i, 0));
        }
    }
    assert_error(UNSPEC, header_only(v, 0xffffffff, 0));

    /* every command, full of ones and of zeroes */
    for (i = 0x100; i < 0x400; i++) {
        memset(junk, 0xff, sizeof(junk));
        stl_le_p(junk, i);
        stl_le_p(junk + 4, 0);          /* no fence */
        run_sized(v, junk, sizeof(junk));
        memset(junk + 4, 0, sizeof(junk) - 4);
        run_sized(v, junk, sizeof(junk));
        if ((i & 0xff) == 0x20) {
            i += 0xff - 0x20;
        }
    }
    g_assert_cmpuint(get_stat(v, "resources"), ==, 0);
    g_assert_cmpuint(get_stat(v, "contexts"), ==, 0);

    /* and it still works */
    assert_ok(run(v, create));
    venus_stop(v);
}

/* A command in many small pieces, and a response in two */
static void test_scattered(void)
{
    Venus *v = venus_start("");
    QVirtQueue *vq = v->vq[CONTROL];
    const struct virtio_gpu_resource_create_2d create = {
        .hdr.type = VIRTIO_GPU_CMD_RESOURCE_CREATE_2D,
        .resource_id = 1,
        .format = formats[0].virtio,
        .width = 4,
        .height = 4,
    };
    uint64_t ram = guest_alloc(&v->alloc, PAGE);
    struct virtio_gpu_ctrl_hdr resp;
    uint32_t head = vq->free_head, written;
    int i;

    qtest_memwrite(v->qts, ram, &create, sizeof(create));
    for (i = 0; i < sizeof(create); i++) {
        qvirtqueue_add(v->qts, vq, ram + i, 1, false, true);
    }
    qvirtqueue_add(v->qts, vq, ram + 1024, 5, true, true);
    qvirtqueue_add(v->qts, vq, ram + 2048, sizeof(resp), true, false);
    qvirtqueue_kick(v->qts, &v->dev->vdev, vq, head);
    g_assert_cmpuint(venus_wait_any(v, CONTROL, &written), ==, head);
    g_assert_cmpuint(written, ==, sizeof(resp));
    qtest_memread(v->qts, ram + 1024, &resp, 5);
    qtest_memread(v->qts, ram + 2048, (char *)&resp + 5, sizeof(resp) - 5);
    assert_ok(resp.type);
    venus_queue_is_empty(v, CONTROL);
    assert_ok(unref(v, 1));
    venus_stop(v);
}

/*
 * A command stream of so many pages, each a piece of its own, as Linux sends
 * what lies scattered.  Returns the response's type.
 */
static uint32_t submit_pages(Venus *v, uint32_t context, uint32_t pages)
{
    QVirtQueue *vq = v->vq[CONTROL];
    const struct virtio_gpu_cmd_submit submit = {
        .hdr.type = VIRTIO_GPU_CMD_SUBMIT_3D,
        .hdr.flags = VIRTIO_GPU_FLAG_FENCE,
        .hdr.fence_id = 7,
        .hdr.ctx_id = context,
        .size = pages * PAGE,
    };
    uint32_t num = pages + 2, written, head, i;
    size_t size = num * sizeof(struct vring_desc);
    g_autofree struct vring_desc *descs = g_new0(struct vring_desc, num);
    uint64_t ram = guest_alloc(&v->alloc, 2 * PAGE);
    QVRingIndirectDesc table = {
        .desc = guest_alloc(&v->alloc, size),
        .elem = vq->size,       /* it is longer than the queue */
        .index = vq->size,
    };
    struct virtio_gpu_ctrl_hdr resp;

    for (i = 0; i < num; i++) {
        descs[i].addr = cpu_to_le64(ram + PAGE);
        descs[i].len = cpu_to_le32(PAGE);
        descs[i].flags = cpu_to_le16(VRING_DESC_F_NEXT);
        descs[i].next = cpu_to_le16(i + 1);
    }
    descs[0].addr = cpu_to_le64(ram);
    descs[0].len = cpu_to_le32(sizeof(submit));
    descs[num - 1].addr = cpu_to_le64(ram + sizeof(submit));
    descs[num - 1].len = cpu_to_le32(sizeof(resp));
    descs[num - 1].flags = cpu_to_le16(VRING_DESC_F_WRITE);
    qtest_memwrite(v->qts, table.desc, descs, size);
    qtest_memwrite(v->qts, ram, &submit, sizeof(submit));
    qtest_memset(v->qts, ram + PAGE, 0, PAGE);

    head = qvirtqueue_add_indirect(v->qts, vq, &table);
    qtest_writel(v->qts, vq->desc + 16 * head + 8, size);
    qvirtqueue_kick(v->qts, &v->dev->vdev, vq, head);
    g_assert_cmpuint(venus_wait_any(v, CONTROL, &written), ==, head);
    g_assert_cmpuint(written, ==, sizeof(resp));
    qtest_memread(v->qts, ram + sizeof(submit), &resp, sizeof(resp));
    g_assert_cmphex(resp.flags, ==, VIRTIO_GPU_FLAG_FENCE);
    g_assert_cmphex(resp.fence_id, ==, 7);
    venus_queue_is_empty(v, CONTROL);
    guest_free(&v->alloc, table.desc);
    guest_free(&v->alloc, ram);
    return resp.type;
}

/* A command in more pieces than QEMU takes is refused, and nothing else is. */
static void test_too_many_pieces(void)
{
    Venus *v = venus_start("");

    assert_ok(create_context(v, 1, 0));
    assert_error(UNSPEC, submit_pages(v, 1, 900)); /* it is not for Venus */
    assert_error(UNSPEC, submit_pages(v, 1, 4 * MiB / PAGE));
    assert_error(UNSPEC, submit_pages(v, 1, 64 * MiB / PAGE));
    assert_ok(destroy_context(v, 1));

    assert_ok(create_context(v, 2, VIRTIO_GPU_CAPSET_VENUS));
    assert_error(INVALID_PARAMETER, submit_pages(v, 2, 4 * MiB / PAGE));
    assert_error(INVALID_PARAMETER, submit_pages(v, 2, 16 * MiB / PAGE));
    assert_error(INVALID_PARAMETER, submit_pages(v, 2, 64 * MiB / PAGE));
    g_assert_cmpuint(get_stat(v, "contexts-lost"), ==, 0);
    assert_ok(create_2d(v, 1, formats[0].virtio, 4, 4));
    assert_ok(destroy_context(v, 2));
    venus_stop(v);
}

/* A chain that no virtqueue can have: the device stops until it is reset. */
static void test_broken_queue(void)
{
    Venus *v = venus_start("");
    QVirtQueue *vq = v->vq[CONTROL];
    uint64_t ram = guest_alloc(&v->alloc, PAGE);
    uint32_t head = vq->free_head;

    /* a descriptor that is its own successor */
    qvirtqueue_add(v->qts, vq, ram, 16, false, true);
    qtest_writew(v->qts, vq->desc + 16 * head + 14, head);
    qvirtqueue_kick(v->qts, &v->dev->vdev, vq, head);
    g_assert_cmphex(v->dev->vdev.bus->get_status(&v->dev->vdev) &
                    VIRTIO_CONFIG_S_NEEDS_RESET, !=, 0);

    venus_stop_driver(v);
    venus_start_driver(v);
    assert_ok(create_2d(v, 1, formats[0].virtio, 4, 4));
    venus_stop(v);
}

/* Reset with commands of all sorts on their way, many times */
static void test_reset(const void *options)
{
    Venus *v = venus_start(options);
    const struct virtio_gpu_rect all = RECT(0, 0, 64, 64);
    int round, i;

    for (round = 0; round < 8; round++) {
        make_picture(v, 1, &formats[0], 64, 64);
        assert_ok(set_scanout(v, 0, 1, all));
        assert_ok(create_context(v, 1, VIRTIO_GPU_CAPSET_VENUS));
        for (i = 0; i < 20; i++) {
            const struct virtio_gpu_ctx_create context = {
                .hdr.type = VIRTIO_GPU_CMD_CTX_CREATE,
                .hdr.ctx_id = 2 + i,
                .context_init = VIRTIO_GPU_CAPSET_VENUS,
            };
            const struct virtio_gpu_resource_create_blob blob = {
                .hdr.type = VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB,
                .hdr.ctx_id = 1,
                .resource_id = 100 + i,
                .blob_mem = VIRTIO_GPU_BLOB_MEM_HOST3D,
                .blob_flags = VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE,
                .size = PAGE,
            };
            const struct virtio_gpu_resource_map_blob map = {
                .hdr.type = VIRTIO_GPU_CMD_RESOURCE_MAP_BLOB,
                .resource_id = 100 + i,
                .offset = i * PAGE,
            };
            const struct virtio_gpu_resource_flush flush_cmd = {
                .hdr.type = VIRTIO_GPU_CMD_RESOURCE_FLUSH,
                .hdr.flags = VIRTIO_GPU_FLAG_FENCE,
                .r = all,
                .resource_id = 1,
            };
            const struct virtio_gpu_cmd_submit fence = {
                .hdr.type = VIRTIO_GPU_CMD_SUBMIT_3D,
                .hdr.ctx_id = 1,
                .hdr.flags = VIRTIO_GPU_FLAG_FENCE |
                             VIRTIO_GPU_FLAG_INFO_RING_IDX,
                .hdr.fence_id = i,
            };
            size_t room = sizeof(struct virtio_gpu_resp_map_info);

            if (i % 8 == 0) {
                venus_post(v, CONTROL, &context, sizeof(context), room);
            }
            venus_post(v, CONTROL, &blob, sizeof(blob), room);
            venus_post(v, CONTROL, &map, sizeof(map), room);
            venus_post(v, CONTROL, &flush_cmd, sizeof(flush_cmd), room);
            venus_post(v, CONTROL, &fence, sizeof(fence), room);
        }
        /* without waiting for any */
        venus_stop_driver(v);
        venus_start_driver(v);
        g_assert_cmpuint(get_stat(v, "resources"), ==, 0);
        g_assert_cmpuint(get_stat(v, "contexts"), ==, 0);
        g_assert_cmpuint(get_stat(v, "mapped"), ==, 0);
    }
    make_picture(v, 1, &formats[0], 64, 64);
    assert_ok(set_scanout(v, 0, 1, all));
    assert_ok(transfer(v, 1, all, 0));
    assert_ok(flush(v, 1, all));
    assert_picture(v, 0, 0, 0, 64, 64);

    /* the whole machine */
    qtest_system_reset(v->qts);
    qvirtio_pci_device_disable(v->dev);
    g_free(v->dev->pdev);
    g_free(v->dev);
    qtest_quit(v->qts);
    g_free(v);
}

void venus_add_queue_tests(void)
{
    qtest_add_data_func("virtio-gpu-venus/malformed", "", test_malformed);
    qtest_add_data_func("virtio-gpu-venus/malformed-platform", PLATFORM,
                        test_malformed);
    qtest_add_func("virtio-gpu-venus/scattered", test_scattered);
    qtest_add_func("virtio-gpu-venus/too-many-pieces", test_too_many_pieces);
    qtest_add_func("virtio-gpu-venus/broken-queue", test_broken_queue);
    qtest_add_data_func("virtio-gpu-venus/reset/auto", "", test_reset);
    qtest_add_data_func("virtio-gpu-venus/reset/regions", REGIONS, test_reset);
}
