/*
 * virtio-gpu-venus: 2D resources, and what is drawn with them
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "driver.h"
#include "monitor.h"
#include "picture.h"
#include "tests.h"

static void test_2d_resources(void)
{
    Venus *v = venus_start(",max-memory=64M,max-resources=3");
    int i;

    for (i = 0; i < ARRAY_SIZE(formats); i++) {
        assert_ok(create_2d(v, 1, formats[i].virtio, 16, 16));
        assert_error(INVALID_RESOURCE_ID,
                     create_2d(v, 1, formats[i].virtio, 16, 16));
        assert_ok(unref(v, 1));
    }
    assert_error(INVALID_RESOURCE_ID, unref(v, 1));
    assert_error(INVALID_RESOURCE_ID, unref(v, 0));
    assert_error(INVALID_RESOURCE_ID,
                 create_2d(v, 0, formats[0].virtio, 16, 16));
    assert_error(INVALID_PARAMETER, create_2d(v, 1, 0, 16, 16));
    assert_error(INVALID_PARAMETER, create_2d(v, 1, 12345, 16, 16));
    assert_error(INVALID_PARAMETER,
                 create_2d(v, 1, formats[0].virtio, 0, 16));
    assert_error(INVALID_PARAMETER,
                 create_2d(v, 1, formats[0].virtio, 16, 0));
    assert_error(INVALID_PARAMETER,
                 create_2d(v, 1, formats[0].virtio, 0x40000001, 1));

    /* 64 MiB are 4096 by 4096 pixels. */
    assert_error(OUT_OF_MEMORY,
                 create_2d(v, 1, formats[0].virtio, 0x3fffffff, 0xffffffff));
    assert_error(OUT_OF_MEMORY,
                 create_2d(v, 1, formats[0].virtio, 4096, 4097));
    assert_ok(create_2d(v, 1, formats[0].virtio, 4096, 4096));
    assert_error(OUT_OF_MEMORY, create_2d(v, 2, formats[0].virtio, 1, 1));
    assert_ok(unref(v, 1));

    for (i = 1; i <= 3; i++) {
        assert_ok(create_2d(v, i, formats[0].virtio, 1, 1));
    }
    assert_error(OUT_OF_MEMORY, create_2d(v, 4, formats[0].virtio, 1, 1));
    assert_ok(unref(v, 2));
    assert_ok(create_2d(v, 4, formats[0].virtio, 1, 1));
    venus_stop(v);
}

static void test_2d_backing(const void *options)
{
    Venus *v = venus_start(options);
    uint64_t ram = guest_alloc(&v->alloc, 4 * PAGE);
    const struct virtio_gpu_mem_entry entries[] = {
        { .addr = ram, .length = PAGE },
        { .addr = ram, .length = PAGE },        /* the same memory again */
        { .addr = ram + PAGE / 2, .length = PAGE },
        { .addr = ram + 3 * PAGE, .length = 1 },
    };
    const struct virtio_gpu_mem_entry half[] = {
        { .addr = ram, .length = PAGE },
        { .addr = 1ull << 40, .length = PAGE },
    };

    assert_ok(create_2d(v, 1, formats[0].virtio, 16, 16));
    assert_error(INVALID_RESOURCE_ID, attach(v, 2, ram, PAGE));
    assert_error(INVALID_RESOURCE_ID, detach(v, 2));
    assert_error(UNSPEC, detach(v, 1));
    assert_ok(attach(v, 1, ram, PAGE));
    assert_error(UNSPEC, attach(v, 1, ram, PAGE));
    assert_ok(detach(v, 1));
    assert_ok(attach_entries(v, 1, 4, entries, 4));
    assert_ok(detach(v, 1));
    /* the last entry is not memory, and nothing is attached */
    assert_error(INVALID_PARAMETER, attach_entries(v, 1, 2, half, 2));
    assert_error(UNSPEC, detach(v, 1));

    /* more entries than the command has */
    assert_error(INVALID_PARAMETER, attach_entries(v, 1, 5, entries, 4));
    assert_error(INVALID_PARAMETER,
                 attach_entries(v, 1, 0xffffffff, entries, 4));
    assert_error(INVALID_PARAMETER,
                 attach_entries(v, 1, 0x10000001, entries, 4));
    /* no memory; the device's registers; the window; around the end */
    assert_error(INVALID_PARAMETER, attach(v, 1, 1ull << 40, PAGE));
    assert_error(INVALID_PARAMETER, attach(v, 1, 0xfee00000, PAGE));
    assert_error(INVALID_PARAMETER, attach(v, 1, v->dev->bar.addr, PAGE));
    assert_error(INVALID_PARAMETER, attach(v, 1, v->window.addr, PAGE));
    assert_error(INVALID_PARAMETER, attach(v, 1, -(uint64_t)PAGE, PAGE));
    assert_error(INVALID_PARAMETER, attach(v, 1, -(uint64_t)PAGE, 2 * PAGE));
    assert_error(INVALID_PARAMETER, attach(v, 1, 64 * MiB - PAGE, 2 * PAGE));
    /* the last page of memory */
    assert_ok(attach(v, 1, 64 * MiB - PAGE, PAGE));
    assert_ok(unref(v, 1));
    venus_stop(v);
}

/*
 * As many pages as a command can list, in more commands than are translated at
 * a time, and than QEMU takes at once: all are answered.
 */
static void test_many_pages(const void *options)
{
    enum { ENTRIES = 262144, COMMANDS = 40 };
    const size_t size = sizeof(struct virtio_gpu_resource_attach_backing) +
                        ENTRIES * sizeof(struct virtio_gpu_mem_entry);
    g_autofree struct virtio_gpu_resource_attach_backing *cmd = g_malloc0(size);
    struct virtio_gpu_mem_entry *entries = (void *)(cmd + 1);
    Venus *v = venus_start(options);
    QVirtQueue *vq = v->vq[CONTROL];
    uint64_t out = guest_alloc(&v->alloc, size);
    uint64_t in = guest_alloc(&v->alloc, COMMANDS * PAGE);
    uint32_t head = 0, written;
    gint64 begin;

    cmd->hdr.type = VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING;
    cmd->resource_id = 99; /* which there is not */
    cmd->nr_entries = ENTRIES;
    for (int i = 0; i < ENTRIES; i++) {
        entries[i].addr = i % 2 * 2 * PAGE;
        entries[i].length = PAGE;
    }
    qtest_bufwrite(v->qts, out, cmd, size);
    for (int i = 0; i < COMMANDS; i++) {
        head = qvirtqueue_add(v->qts, vq, out, size, false, true);
        qvirtqueue_add(v->qts, vq, in + i * PAGE,
                       sizeof(struct virtio_gpu_ctrl_hdr), true, false);
        if (i < COMMANDS - 1) {
            qtest_writew(v->qts, vq->avail + 4 + 2 * i, head);
        }
    }
    /* The last one is put there, and told of, by the kick. */
    qtest_writew(v->qts, vq->avail + 2, COMMANDS - 1);
    begin = g_get_monotonic_time();
    qvirtqueue_kick(v->qts, &v->dev->vdev, vq, head);
    g_test_message("QEMU was busy for %d ms",
                   (int)(g_get_monotonic_time() - begin) / 1000);
    for (int i = 0; i < COMMANDS; i++) {
        venus_wait_any(v, CONTROL, &written);
        g_assert_cmpuint(written, ==, sizeof(struct virtio_gpu_ctrl_hdr));
        g_assert_cmphex(qtest_readl(v->qts, in + i * PAGE), ==,
                        VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID);
    }
    g_test_message("all took %d ms",
                   (int)(g_get_monotonic_time() - begin) / 1000);
    venus_stop(v);
}

static void test_2d_transfer(void)
{
    Venus *v = venus_start("");
    const struct virtio_gpu_rect all = RECT(0, 0, 16, 16);

    assert_ok(create_2d(v, 1, formats[0].virtio, 16, 16));
    assert_error(UNSPEC, transfer(v, 1, all, 0));
    assert_ok(attach(v, 1, guest_alloc(&v->alloc, PAGE), 1024));
    assert_ok(transfer(v, 1, all, 0));
    assert_ok(transfer(v, 1, RECT(15, 15, 1, 1), 1020));
    assert_ok(transfer(v, 1, RECT(0, 0, 0, 0), 0));
    assert_error(INVALID_RESOURCE_ID, transfer(v, 2, all, 0));
    assert_error(INVALID_PARAMETER, transfer(v, 1, RECT(1, 0, 16, 16), 0));
    assert_error(INVALID_PARAMETER, transfer(v, 1, RECT(0, 0, 16, 17), 0));
    assert_error(INVALID_PARAMETER, transfer(v, 1, RECT(17, 0, 0, 1), 0));
    assert_error(INVALID_PARAMETER,
                 transfer(v, 1, RECT(0xffffffff, 0, 2, 1), 0));
    assert_error(INVALID_PARAMETER,
                 transfer(v, 1, RECT(8, 0, 0xffffffff, 1), 0));
    assert_error(INVALID_PARAMETER, transfer(v, 1, all, 4));
    assert_error(INVALID_PARAMETER, transfer(v, 1, all, -4ull));
    assert_error(INVALID_PARAMETER, transfer(v, 1, RECT(0, 0, 1, 1), 1021));
    venus_stop(v);
}

static void test_scanout(const void *options)
{
    Venus *v = venus_start(options);
    const struct virtio_gpu_rect all = RECT(0, 0, 32, 24);
    uint32_t width, height;

    make_picture(v, 1, &formats[0], 32, 24);
    assert_ok(set_scanout(v, 0, 1, all));
    assert_ok(transfer(v, 1, all, 0));
    assert_ok(flush(v, 1, all));
    assert_picture(v, 0, 0, 0, 32, 24);

    assert_error(INVALID_SCANOUT_ID, set_scanout(v, 2, 1, all));
    assert_error(INVALID_SCANOUT_ID, set_scanout(v, 0xffffffff, 1, all));
    assert_error(INVALID_SCANOUT_ID, set_scanout(v, 2, 0, all));
    assert_error(INVALID_RESOURCE_ID, set_scanout(v, 0, 2, all));
    assert_error(INVALID_PARAMETER, set_scanout(v, 0, 1, RECT(0, 0, 0, 0)));
    assert_error(INVALID_PARAMETER, set_scanout(v, 0, 1, RECT(1, 0, 32, 24)));
    assert_error(INVALID_PARAMETER,
                 set_scanout(v, 0, 1, RECT(0xffffffff, 0, 32, 24)));
    assert_error(INVALID_RESOURCE_ID, flush(v, 2, all));
    assert_error(INVALID_PARAMETER, flush(v, 1, RECT(0, 1, 32, 24)));
    assert_error(INVALID_PARAMETER,
                 flush(v, 1, RECT(0, 0, 32, 0xffffffff)));
    /* none of this changed anything */
    assert_picture(v, 0, 0, 0, 32, 24);

    /* a part of it, and another part on the second head */
    assert_ok(set_scanout(v, 0, 1, RECT(3, 5, 20, 10)));
    assert_ok(set_scanout(v, 1, 1, RECT(12, 8, 20, 16)));
    assert_ok(flush(v, 1, all));
    assert_picture(v, 0, 3, 5, 20, 10);
    assert_picture(v, 1, 12, 8, 20, 16);

    /* off; then gone with the resource */
    assert_ok(set_scanout(v, 0, 0, RECT(0, 0, 0, 0)));
    assert_ok(flush(v, 1, all));
    assert_picture(v, 1, 12, 8, 20, 16);
    assert_ok(unref(v, 1));
    assert_error(INVALID_RESOURCE_ID, flush(v, 1, all));
    g_free(screendump(v, 0, &width, &height));
    g_free(screendump(v, 1, &width, &height));
    venus_stop(v);
}

static void test_formats(const void *data)
{
    const Shown *shown = data;
    Venus *v = venus_start_shown(shown);
    const struct virtio_gpu_rect all = RECT(0, 0, 60, 37);
    int i;

    for (i = 0; i < ARRAY_SIZE(formats); i++) {
        uint64_t before = get_stat(v, "present-frames");

        make_picture(v, i + 1, &formats[i], 60, 37);
        assert_ok(set_scanout(v, 0, i + 1, all));
        assert_ok(transfer(v, i + 1, all, 0));
        assert_ok(flush(v, i + 1, all));
        assert_picture(v, 0, 0, 0, 60, 37);
        assert_presented(v, shown, before);
    }
    /* and flipping back to a picture that was shown before */
    assert_ok(set_scanout(v, 0, 3, RECT(0, 0, 56, 30)));
    assert_ok(flush(v, 3, all));
    assert_picture(v, 0, 0, 0, 56, 30);
    venus_stop(v);
}

static void test_cursor(void)
{
    Venus *v = venus_start("");
    struct virtio_gpu_update_cursor cmd = {
        .hdr.type = VIRTIO_GPU_CMD_UPDATE_CURSOR,
        .pos.x = 10,
        .pos.y = 20,
        .resource_id = 1,
        .hot_x = 1,
        .hot_y = 2,
    };
    struct virtio_gpu_ctrl_hdr resp;

    make_picture(v, 1, &formats[0], 64, 64);
    make_picture(v, 2, &formats[0], 257, 64);
    assert_ok(transfer(v, 1, RECT(0, 0, 64, 64), 0));

    /* as drivers send it: with no room for a response */
    g_assert_cmpuint(venus_call(v, CURSOR, &cmd, sizeof(cmd), NULL, 0), ==, 0);
    g_assert_cmpuint(get_stat(v, "cursor-updates"), ==, 1);
    venus_call(v, CURSOR, &cmd, sizeof(cmd), &resp, sizeof(resp));
    assert_ok(resp.type);
    cmd.resource_id = 2;
    venus_call(v, CURSOR, &cmd, sizeof(cmd), &resp, sizeof(resp));
    assert_error(INVALID_PARAMETER, resp.type);
    cmd.resource_id = 3;
    venus_call(v, CURSOR, &cmd, sizeof(cmd), &resp, sizeof(resp));
    assert_error(INVALID_RESOURCE_ID, resp.type);
    cmd.pos.scanout_id = 1;
    venus_call(v, CURSOR, &cmd, sizeof(cmd), &resp, sizeof(resp));
    assert_error(INVALID_SCANOUT_ID, resp.type);

    cmd.hdr.type = VIRTIO_GPU_CMD_MOVE_CURSOR;
    venus_call(v, CURSOR, &cmd, sizeof(cmd), &resp, sizeof(resp));
    assert_error(INVALID_SCANOUT_ID, resp.type);
    cmd.pos.scanout_id = 0;
    cmd.pos.x = 0xffffffff;
    venus_call(v, CURSOR, &cmd, sizeof(cmd), &resp, sizeof(resp));
    assert_ok(resp.type);

    /* off */
    cmd.hdr.type = VIRTIO_GPU_CMD_UPDATE_CURSOR;
    cmd.resource_id = 0;
    venus_call(v, CURSOR, &cmd, sizeof(cmd), &resp, sizeof(resp));
    assert_ok(resp.type);

    /* each kind of command on the other's queue */
    assert_error(UNSPEC, run(v, cmd));
    cmd.hdr.type = VIRTIO_GPU_CMD_RESOURCE_UNREF;
    venus_call(v, CURSOR, &cmd, sizeof(cmd), &resp, sizeof(resp));
    assert_error(UNSPEC, resp.type);
    assert_ok(unref(v, 1));
    venus_stop(v);
}

static void test_uuid(void)
{
    Venus *v = venus_start("");
    struct virtio_gpu_resource_assign_uuid cmd = {
        .hdr.type = VIRTIO_GPU_CMD_RESOURCE_ASSIGN_UUID,
        .resource_id = 1,
    };
    struct virtio_gpu_resp_resource_uuid first, again, other;

    assert_ok(create_2d(v, 1, formats[0].virtio, 1, 1));
    assert_ok(create_2d(v, 2, formats[0].virtio, 1, 1));
    venus_call(v, CONTROL, &cmd, sizeof(cmd), &first, sizeof(first));
    g_assert_cmphex(first.hdr.type, ==, VIRTIO_GPU_RESP_OK_RESOURCE_UUID);
    venus_call(v, CONTROL, &cmd, sizeof(cmd), &again, sizeof(again));
    g_assert_cmpmem(first.uuid, 16, again.uuid, 16);
    cmd.resource_id = 2;
    venus_call(v, CONTROL, &cmd, sizeof(cmd), &other, sizeof(other));
    g_assert_cmpint(memcmp(first.uuid, other.uuid, 16), !=, 0);
    cmd.resource_id = 3;
    venus_call(v, CONTROL, &cmd, sizeof(cmd), &other, sizeof(other));
    assert_error(INVALID_RESOURCE_ID, other.hdr.type);
    venus_stop(v);
}

void venus_add_2d_tests(void)
{
    qtest_add_func("virtio-gpu-venus/2d/resources", test_2d_resources);
    qtest_add_data_func("virtio-gpu-venus/2d/backing", "", test_2d_backing);
    qtest_add_data_func("virtio-gpu-venus/2d/backing-platform", PLATFORM,
                        test_2d_backing);
    qtest_add_data_func("virtio-gpu-venus/2d/many-pages-platform", PLATFORM,
                        test_many_pages);
    qtest_add_func("virtio-gpu-venus/2d/transfer", test_2d_transfer);
    qtest_add_data_func("virtio-gpu-venus/2d/scanout", ",max_outputs=2",
                        test_scanout);
    qtest_add_data_func("virtio-gpu-venus/2d/scanout-platform",
                        ",max_outputs=2,iommu_platform=on", test_scanout);
    qtest_add_data_func("virtio-gpu-venus/2d/formats", &drawn, test_formats);
    qtest_add_data_func("virtio-gpu-venus/2d/formats-presented", &presented,
                        test_formats);
    qtest_add_func("virtio-gpu-venus/2d/cursor", test_cursor);
    qtest_add_func("virtio-gpu-venus/2d/uuid", test_uuid);
}
