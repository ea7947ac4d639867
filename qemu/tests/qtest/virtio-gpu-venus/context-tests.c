/*
 * virtio-gpu-venus: contexts, their fences, and one that hangs
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "driver.h"
#include "monitor.h"
#include "picture.h"
#include "tests.h"

static void test_contexts(void)
{
    Venus *v = venus_start(",max-contexts=2");
    const struct virtio_gpu_cmd_submit too_long = {
        .hdr.type = VIRTIO_GPU_CMD_SUBMIT_3D,
        .hdr.ctx_id = 1,
        .size = 4,
    };

    assert_error(INVALID_CONTEXT_ID,
                 create_context(v, 0, VIRTIO_GPU_CAPSET_VENUS));
    assert_error(INVALID_PARAMETER,
                 create_context(v, 1, VIRTIO_GPU_CAPSET_VIRGL2));
    assert_ok(create_context(v, 1, VIRTIO_GPU_CAPSET_VENUS));
    assert_error(INVALID_CONTEXT_ID,
                 create_context(v, 1, VIRTIO_GPU_CAPSET_VENUS));
    assert_ok(create_context(v, 7, VIRTIO_GPU_CAPSET_VENUS));
    assert_error(OUT_OF_MEMORY,
                 create_context(v, 2, VIRTIO_GPU_CAPSET_VENUS));
    assert_ok(destroy_context(v, 7));
    assert_error(INVALID_CONTEXT_ID, destroy_context(v, 7));
    assert_ok(create_context(v, 2, VIRTIO_GPU_CAPSET_VENUS));
    g_assert_cmpuint(get_stat(v, "contexts"), ==, 2);

    assert_ok(create_shm(v, 1, 10, PAGE));
    assert_ok(context_resource(v, VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE, 2, 10));
    assert_error(INVALID_CONTEXT_ID, context_resource(v,
                 VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE, 3, 10));
    assert_error(INVALID_RESOURCE_ID, context_resource(v,
                 VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE, 2, 11));
    assert_ok(context_resource(v, VIRTIO_GPU_CMD_CTX_DETACH_RESOURCE, 2, 10));
    assert_error(INVALID_RESOURCE_ID, context_resource(v,
                 VIRTIO_GPU_CMD_CTX_DETACH_RESOURCE, 2, 10));
    assert_error(INVALID_CONTEXT_ID, context_resource(v,
                 VIRTIO_GPU_CMD_CTX_DETACH_RESOURCE, 3, 10));

    assert_error(INVALID_PARAMETER, run(v, too_long));

    /* a resource outlives the context that made it */
    assert_ok(destroy_context(v, 1));
    assert_mapped(map_blob(v, 10, 0));
    assert_ok(unref(v, 10));
    assert_error(INVALID_CONTEXT_ID, run(v, too_long));
    venus_stop(v);
}

static void assert_context(Venus *v, uint32_t id, const char *state,
                           int64_t resources, int64_t bytes)
{
    QDict *context = get_context(v, id);

    g_assert_cmpstr(qdict_get_str(context, "state"), ==, state);
    g_assert_cmpint(qdict_get_int(context, "resources"), ==, resources);
    g_assert_cmpint(qdict_get_int(context, "bytes"), ==, bytes);
    qobject_unref(context);
}

/* One that takes more than its share is ended, and all can see who holds what. */
static void test_shares(void)
{
    Venus *v = venus_start(",max-context-memory=256M,max-blob-memory=1G");
    QDict *context;

    assert_ok(create_context(v, 1, VIRTIO_GPU_CAPSET_VENUS));
    assert_ok(create_context(v, 2, VIRTIO_GPU_CAPSET_VENUS));
    assert_ok(create_2d(v, 10, formats[0].virtio, 4, 4));
    assert_ok(create_shm(v, 1, 11, 200 * MiB));
    assert_context(v, 0, "plain", 1, 4 * 4 * 4);
    assert_context(v, 1, "renders", 1, 200 * MiB);
    assert_context(v, 2, "renders", 0, 0);
    context = get_context(v, 1);
    g_assert_cmpint(qdict_get_int(context, "process"), >, 1);
    g_assert_cmpint(qdict_get_int(context, "process-bytes"), >, 0);
    qobject_unref(context);

    assert_error(OUT_OF_MEMORY, create_shm(v, 1, 12, 57 * MiB));
    assert_context(v, 1, "lost", 1, 200 * MiB);
    assert_ok(create_shm(v, 2, 12, 57 * MiB));
    assert_context(v, 2, "renders", 1, 57 * MiB);
    assert_ok(destroy_context(v, 1));
    assert_context(v, 1, "gone", 1, 200 * MiB);
    venus_stop(v);
}

/* Linux makes such a context for a client that has nothing but 2D buffers. */
static void test_context_without_capset(void)
{
    Venus *v = venus_start("");
    struct virtio_gpu_cmd_submit cmd = {
        .hdr.type = VIRTIO_GPU_CMD_SUBMIT_3D,
        .hdr.ctx_id = 1,
    };

    assert_ok(create_context(v, 1, 0));
    assert_ok(create_2d(v, 10, formats[0].virtio, 4, 4));
    assert_ok(context_resource(v, VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE, 1, 10));
    assert_ok(context_resource(v, VIRTIO_GPU_CMD_CTX_DETACH_RESOURCE, 1, 10));
    assert_error(UNSPEC, run(v, cmd));
    assert_error(UNSPEC, create_shm(v, 1, 11, PAGE));
    assert_ok(destroy_context(v, 1));
    venus_stop(v);
}

static void test_opengl_commands(void)
{
    Venus *v = venus_start("");
    const struct virtio_gpu_resource_create_3d create = {
        .hdr.type = VIRTIO_GPU_CMD_RESOURCE_CREATE_3D,
        .resource_id = 1,
        .width = 16,
        .height = 16,
        .depth = 1,
    };
    struct virtio_gpu_transfer_host_3d transfer_3d = {
        .hdr.type = VIRTIO_GPU_CMD_TRANSFER_TO_HOST_3D,
        .resource_id = 1,
    };

    assert_error(UNSPEC, run(v, create));
    assert_error(INVALID_RESOURCE_ID, unref(v, 1));
    assert_error(UNSPEC, run(v, transfer_3d));
    transfer_3d.hdr.type = VIRTIO_GPU_CMD_TRANSFER_FROM_HOST_3D;
    assert_error(UNSPEC, run(v, transfer_3d));
    venus_stop(v);
}

/* Many fences: each response says which it is, and they come in order. */
static void test_fences(void)
{
    Venus *v = venus_start("");
    const int count = 40;
    Request requests[40];
    int i;

    assert_ok(create_context(v, 1, VIRTIO_GPU_CAPSET_VENUS));
    for (i = 0; i < count; i++) {
        const struct virtio_gpu_cmd_submit cmd = {
            .hdr.type = VIRTIO_GPU_CMD_SUBMIT_3D,
            .hdr.ctx_id = 1,
            .hdr.flags = VIRTIO_GPU_FLAG_FENCE,
            .hdr.fence_id = 1000 + i,
        };
        requests[i] = venus_post(v, CONTROL, &cmd, sizeof(cmd),
                                 sizeof(struct virtio_gpu_ctrl_hdr));
    }
    for (i = 0; i < count; i++) {
        struct virtio_gpu_ctrl_hdr resp;

        g_assert_cmpuint(venus_wait_any(v, CONTROL, NULL), ==,
                         requests[i].head);
        venus_finish(v, &requests[i], &resp);
        assert_ok(resp.type);
        g_assert_cmphex(resp.flags, ==, VIRTIO_GPU_FLAG_FENCE);
        g_assert_cmpuint(resp.fence_id, ==, 1000 + i);
        g_assert_cmpuint(resp.ctx_id, ==, 1);
    }
    venus_queue_is_empty(v, CONTROL);

    /* the same on ring 0 of the context, which the renderer signals */
    for (i = 0; i < count; i++) {
        const struct virtio_gpu_cmd_submit cmd = {
            .hdr.type = VIRTIO_GPU_CMD_SUBMIT_3D,
            .hdr.ctx_id = 1,
            .hdr.flags = VIRTIO_GPU_FLAG_FENCE | VIRTIO_GPU_FLAG_INFO_RING_IDX,
            .hdr.fence_id = 2000 + i,
            .hdr.ring_idx = 0,
        };
        requests[i] = venus_post(v, CONTROL, &cmd, sizeof(cmd),
                                 sizeof(struct virtio_gpu_ctrl_hdr));
    }
    for (i = 0; i < count; i++) {
        struct virtio_gpu_ctrl_hdr resp;

        g_assert_cmpuint(venus_wait_any(v, CONTROL, NULL), ==,
                         requests[i].head);
        venus_finish(v, &requests[i], &resp);
        assert_ok(resp.type);
        g_assert_cmphex(resp.flags, ==, VIRTIO_GPU_FLAG_FENCE |
                        VIRTIO_GPU_FLAG_INFO_RING_IDX);
        g_assert_cmpuint(resp.fence_id, ==, 2000 + i);
    }
    venus_queue_is_empty(v, CONTROL);
    venus_stop(v);
}

static void test_bad_fences(void)
{
    Venus *v = venus_start("");
    struct virtio_gpu_cmd_submit cmd = {
        .hdr.type = VIRTIO_GPU_CMD_SUBMIT_3D,
        .hdr.ctx_id = 1,
        .hdr.flags = VIRTIO_GPU_FLAG_FENCE | VIRTIO_GPU_FLAG_INFO_RING_IDX,
        .hdr.fence_id = 77,
        .hdr.ring_idx = 0,
    };
    struct virtio_gpu_ctrl_hdr resp;

    /* An error is answered with the fence, and does not wait for it. */
    venus_call(v, CONTROL, &cmd, sizeof(cmd), &resp, sizeof(resp));
    assert_error(INVALID_CONTEXT_ID, resp.type);
    g_assert_cmpuint(resp.fence_id, ==, 77);

    assert_ok(create_context(v, 1, VIRTIO_GPU_CAPSET_VENUS));
    cmd.hdr.ring_idx = 200;
    venus_call(v, CONTROL, &cmd, sizeof(cmd), &resp, sizeof(resp));
    assert_error(INVALID_PARAMETER, resp.type);
    g_assert_cmpuint(resp.fence_id, ==, 77);
    venus_stop(v);
}

/*
 * Have two threads of a context's process wait for each other: that of a ring,
 * in shared memory at offset 0 of the window, for a number on the virtqueue;
 * and that of the virtqueue for the ring.  Numbers are the Venus protocol's.
 */
static void deadlock(Venus *v, uint32_t context, uint32_t shm)
{
    const uint32_t create_ring[] = {
        188, 0, 7, 0, 1, 0,          /* vkCreateRingMESA, its flags, the ring */
        1000384000, 0, 0, 0,         /* sType, pNext, flags */
        shm, 0, 0, 16 * PAGE, 0,     /* resource, offset, size */
        1000000, 0, 0, 0, 64, 0,     /* idle time, where head and tail are, */
        128, 0, PAGE, 0, PAGE, 0,    /* status, buffer and its size, */
        2 * PAGE, 0, PAGE, 0,        /* extra and its size */
    };
    const uint32_t wait_virtqueue[] = { 252, 0, 1, 0 };
    const uint32_t wait_ring[] = { 253, 0, 7, 0, sizeof(wait_virtqueue), 0 };
    const uint32_t tail = sizeof(wait_virtqueue);

    assert_ok(submit(v, context, create_ring, ARRAY_SIZE(create_ring)));
    qpci_memwrite(v->dev->pdev, v->window, PAGE, wait_virtqueue,
                  sizeof(wait_virtqueue));
    qpci_memwrite(v->dev->pdev, v->window, 64, &tail, sizeof(tail));
    assert_ok(submit(v, context, wait_ring, ARRAY_SIZE(wait_ring)));
}

/* It costs its own context, and nobody waits for it for ever. */
static void test_hang(void)
{
    const struct virtio_gpu_resource_create_blob blob = {
        .hdr.type = VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB,
        .hdr.ctx_id = 1,
        .resource_id = 11,
        .blob_mem = VIRTIO_GPU_BLOB_MEM_HOST3D,
        .size = PAGE,
    };
    Venus *v = venus_start(",render-timeout=4000");
    int round;

    for (round = 0; round < 2; round++) {
        assert_ok(create_context(v, 1, VIRTIO_GPU_CAPSET_VENUS));
        assert_ok(create_context(v, 2, VIRTIO_GPU_CAPSET_VENUS));
        assert_ok(create_shm(v, 1, 10, 16 * PAGE));
        assert_ok(attach_resource(v, 1, 10));
        assert_mapped(map_blob(v, 10, 0));
        deadlock(v, 1, 10);
        if (round == 0) {
            g_assert_cmpuint(run(v, blob), >=, VIRTIO_GPU_RESP_ERR_UNSPEC);
            g_assert_cmpuint(get_stat(v, "contexts-lost"), ==, 1);
            assert_ok(create_shm(v, 2, 12, PAGE));
        } else {
            /* the device is in it when it is reset, and the monitor answers */
            venus_post(v, CONTROL, &blob, sizeof(blob), 24);
        }
        venus_stop_driver(v);
        g_assert_cmpuint(get_stat(v, "contexts"), ==, 0);
        venus_start_driver(v);
    }
    assert_ok(create_context(v, 1, VIRTIO_GPU_CAPSET_VENUS));
    venus_stop(v);
}

void venus_add_context_tests(void)
{
    qtest_add_func("virtio-gpu-venus/contexts", test_contexts);
    qtest_add_func("virtio-gpu-venus/shares", test_shares);
    qtest_add_func("virtio-gpu-venus/context-without-capset",
                   test_context_without_capset);
    qtest_add_func("virtio-gpu-venus/opengl-commands", test_opengl_commands);
    qtest_add_func("virtio-gpu-venus/fences", test_fences);
    qtest_add_func("virtio-gpu-venus/bad-fences", test_bad_fences);
    qtest_add_func("virtio-gpu-venus/hang", test_hang);
}
