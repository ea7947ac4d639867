/*
 * virtio-gpu-venus: the tests' guest driver
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "libqos/malloc-pc.h"
#include "standard-headers/linux/virtio_config.h"
#include "driver.h"

/*
 * The device, and its virtqueues
 */

void venus_start_driver(Venus *v)
{
    QVirtioDevice *vdev = &v->dev->vdev;
    int i;

    qvirtio_start_device(vdev);
    v->features = qvirtio_get_features(vdev);
    qvirtio_set_features(vdev, v->features &
                         ~(QVIRTIO_F_BAD_FEATURE |
                           (1ull << VIRTIO_RING_F_EVENT_IDX)));
    for (i = 0; i < NUM_QUEUES; i++) {
        v->vq[i] = qvirtqueue_setup(vdev, &v->alloc, i);
    }
    qvirtio_set_driver_ok(vdev);
}

void venus_stop_driver(Venus *v)
{
    int i;

    qvirtio_reset(&v->dev->vdev);
    for (i = 0; i < NUM_QUEUES; i++) {
        qvirtqueue_cleanup(v->dev->vdev.bus, v->vq[i], &v->alloc);
    }
}

Venus *venus_start_args(const char *device, const char *args)
{
    Venus *v = g_new0(Venus, 1);
    QPCIAddress addr = { .devfn = QPCI_DEVFN(4, 0) };

    v->qts = qtest_initf("-M pc -m 64 -nodefaults -device %s %s", device, args);
    pc_alloc_init(&v->alloc, v->qts, 0);
    v->bus = qpci_new_pc(v->qts, &v->alloc);
    v->dev = virtio_pci_new(v->bus, &addr);
    g_assert_nonnull(v->dev);
    qvirtio_pci_device_enable(v->dev);
    v->window = qpci_iomap(v->dev->pdev, 4, NULL);
    venus_start_driver(v);
    return v;
}

Venus *venus_start(const char *options)
{
    g_autofree char *device = g_strdup_printf(DEVICE "%s", options);

    return venus_start_args(device, "");
}

void venus_stop(Venus *v)
{
    venus_stop_driver(v);
    qvirtio_pci_device_disable(v->dev);
    g_free(v->dev->pdev);
    g_free(v->dev);
    qpci_free_pc(v->bus);
    alloc_destroy(&v->alloc);
    qtest_quit(v->qts);
    g_free(v);
}

Request venus_post(Venus *v, int queue, const void *out, size_t out_size,
                   size_t in_size)
{
    QVirtQueue *vq = v->vq[queue];
    Request r = { .queue = queue, .in_size = in_size };
    uint32_t head;

    if (out_size) {
        r.out = guest_alloc(&v->alloc, out_size);
        qtest_memwrite(v->qts, r.out, out, out_size);
    }
    if (in_size) {
        r.in = guest_alloc(&v->alloc, in_size);
        qtest_memset(v->qts, r.in, 0xaa, in_size);
    }
    r.head = vq->free_head;
    if (out_size) {
        qvirtqueue_add(v->qts, vq, r.out, out_size, false, in_size > 0);
    }
    if (in_size) {
        head = qvirtqueue_add(v->qts, vq, r.in, in_size, true, false);
        g_assert_cmpuint(head, >=, r.head);
    }
    qvirtqueue_kick(v->qts, &v->dev->vdev, vq, r.head);
    return r;
}

uint32_t venus_wait_any(Venus *v, int queue, uint32_t *written)
{
    gint64 end = g_get_monotonic_time() + TIMEOUT_US;
    uint32_t head;

    while (!qvirtqueue_get_buf(v->qts, v->vq[queue], &head, written)) {
        g_assert_cmpint(g_get_monotonic_time(), <, end);
    }
    return head;
}

void venus_finish(Venus *v, Request *r, void *in)
{
    if (r->in_size) {
        qtest_memread(v->qts, r->in, in, r->in_size);
        guest_free(&v->alloc, r->in);
    }
    if (r->out) {
        guest_free(&v->alloc, r->out);
    }
}

void venus_queue_is_empty(Venus *v, int queue)
{
    v->vq[queue]->free_head = 0;
    v->vq[queue]->num_free = v->vq[queue]->size;
}

uint32_t venus_call(Venus *v, int queue, const void *out,
                    size_t out_size, void *in, size_t in_size)
{
    Request r = venus_post(v, queue, out, out_size, in_size);
    uint32_t written;

    g_assert_cmpuint(venus_wait_any(v, queue, &written), ==, r.head);
    venus_finish(v, &r, in);
    venus_queue_is_empty(v, queue);
    return written;
}

uint32_t run_sized(Venus *v, const void *cmd, size_t size)
{
    struct virtio_gpu_ctrl_hdr resp;
    uint32_t written = venus_call(v, CONTROL, cmd, size, &resp, sizeof(resp));

    g_assert_cmpuint(written, ==, sizeof(resp));
    return le32_to_cpu(resp.type);
}

/*
 * Commands
 */

uint32_t create_2d(Venus *v, uint32_t id, uint32_t format,
                   uint32_t width, uint32_t height)
{
    const struct virtio_gpu_resource_create_2d cmd = {
        .hdr.type = VIRTIO_GPU_CMD_RESOURCE_CREATE_2D,
        .resource_id = id,
        .format = format,
        .width = width,
        .height = height,
    };
    return run(v, cmd);
}

uint32_t unref(Venus *v, uint32_t id)
{
    const struct virtio_gpu_resource_unref cmd = {
        .hdr.type = VIRTIO_GPU_CMD_RESOURCE_UNREF,
        .resource_id = id,
    };
    return run(v, cmd);
}

uint32_t attach_entries(Venus *v, uint32_t id, uint32_t count,
                        const struct virtio_gpu_mem_entry *entries,
                        uint32_t there)
{
    struct {
        struct virtio_gpu_resource_attach_backing cmd;
        struct virtio_gpu_mem_entry entries[8];
    } cmd = {
        .cmd.hdr.type = VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING,
        .cmd.resource_id = id,
        .cmd.nr_entries = count,
    };

    g_assert_cmpuint(there, <=, ARRAY_SIZE(cmd.entries));
    memcpy(cmd.entries, entries, there * sizeof(*entries));
    return run_sized(v, &cmd, sizeof(cmd.cmd) + there * sizeof(*entries));
}

uint32_t attach(Venus *v, uint32_t id, uint64_t addr, uint32_t size)
{
    const struct virtio_gpu_mem_entry entry = { .addr = addr, .length = size };

    return attach_entries(v, id, 1, &entry, 1);
}

uint32_t detach(Venus *v, uint32_t id)
{
    const struct virtio_gpu_resource_detach_backing cmd = {
        .hdr.type = VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING,
        .resource_id = id,
    };
    return run(v, cmd);
}

uint32_t set_scanout(Venus *v, uint32_t scanout, uint32_t id,
                     struct virtio_gpu_rect rect)
{
    const struct virtio_gpu_set_scanout cmd = {
        .hdr.type = VIRTIO_GPU_CMD_SET_SCANOUT,
        .r = rect,
        .scanout_id = scanout,
        .resource_id = id,
    };
    return run(v, cmd);
}

uint32_t transfer(Venus *v, uint32_t id, struct virtio_gpu_rect rect,
                  uint64_t offset)
{
    const struct virtio_gpu_transfer_to_host_2d cmd = {
        .hdr.type = VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D,
        .r = rect,
        .offset = offset,
        .resource_id = id,
    };
    return run(v, cmd);
}

uint32_t flush(Venus *v, uint32_t id, struct virtio_gpu_rect rect)
{
    const struct virtio_gpu_resource_flush cmd = {
        .hdr.type = VIRTIO_GPU_CMD_RESOURCE_FLUSH,
        .r = rect,
        .resource_id = id,
    };
    return run(v, cmd);
}

uint32_t create_context(Venus *v, uint32_t id, uint32_t capset)
{
    const struct virtio_gpu_ctx_create cmd = {
        .hdr.type = VIRTIO_GPU_CMD_CTX_CREATE,
        .hdr.ctx_id = id,
        .nlen = 5,
        .context_init = capset,
        .debug_name = "qtest",
    };
    return run(v, cmd);
}

uint32_t header_only(Venus *v, uint32_t type, uint32_t context)
{
    const struct virtio_gpu_ctrl_hdr cmd = {
        .type = type,
        .ctx_id = context,
    };
    return run(v, cmd);
}

uint32_t destroy_context(Venus *v, uint32_t id)
{
    return header_only(v, VIRTIO_GPU_CMD_CTX_DESTROY, id);
}

uint32_t context_resource(Venus *v, uint32_t type, uint32_t context,
                          uint32_t id)
{
    const struct virtio_gpu_ctx_resource cmd = {
        .hdr.type = type,
        .hdr.ctx_id = context,
        .resource_id = id,
    };
    return run(v, cmd);
}

uint32_t create_blob(Venus *v, uint32_t context, uint32_t id,
                     uint32_t mem, uint64_t blob_id, uint64_t size,
                     uint64_t guest_addr)
{
    const struct {
        struct virtio_gpu_resource_create_blob cmd;
        struct virtio_gpu_mem_entry entry;
    } cmd = {
        .cmd.hdr.type = VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB,
        .cmd.hdr.ctx_id = context,
        .cmd.resource_id = id,
        .cmd.blob_mem = mem,
        .cmd.blob_flags = mem == VIRTIO_GPU_BLOB_MEM_GUEST
            ? 0 : VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE,
        .cmd.nr_entries = guest_addr ? 1 : 0,
        .cmd.blob_id = blob_id,
        .cmd.size = size,
        .entry.addr = guest_addr,
        .entry.length = size,
    };
    return run_sized(v, &cmd, guest_addr ? sizeof(cmd) : sizeof(cmd.cmd));
}

uint32_t create_shm(Venus *v, uint32_t context, uint32_t id,
                    uint64_t size)
{
    return create_blob(v, context, id, VIRTIO_GPU_BLOB_MEM_HOST3D, 0, size, 0);
}

uint32_t map_blob(Venus *v, uint32_t id, uint64_t offset)
{
    const struct virtio_gpu_resource_map_blob cmd = {
        .hdr.type = VIRTIO_GPU_CMD_RESOURCE_MAP_BLOB,
        .resource_id = id,
        .offset = offset,
    };
    struct virtio_gpu_resp_map_info resp;

    venus_call(v, CONTROL, &cmd, sizeof(cmd), &resp, sizeof(resp));
    return resp.hdr.type;
}

uint32_t unmap_blob(Venus *v, uint32_t id)
{
    const struct virtio_gpu_resource_unmap_blob cmd = {
        .hdr.type = VIRTIO_GPU_CMD_RESOURCE_UNMAP_BLOB,
        .resource_id = id,
    };
    return run(v, cmd);
}

uint32_t set_scanout_blob_part(Venus *v, uint32_t id, uint32_t format,
                               uint32_t width, uint32_t height,
                               uint32_t stride, uint32_t offset,
                               struct virtio_gpu_rect rect)
{
    const struct virtio_gpu_set_scanout_blob cmd = {
        .hdr.type = VIRTIO_GPU_CMD_SET_SCANOUT_BLOB,
        .r = rect,
        .resource_id = id,
        .width = width,
        .height = height,
        .format = format,
        .strides = { stride },
        .offsets = { offset },
    };
    return run(v, cmd);
}

uint32_t set_scanout_blob(Venus *v, uint32_t id, uint32_t format,
                          uint32_t width, uint32_t height,
                          uint32_t stride, uint32_t offset)
{
    return set_scanout_blob_part(v, id, format, width, height, stride, offset,
                                 RECT(0, 0, width, height));
}

uint32_t attach_resource(Venus *v, uint32_t context, uint32_t id)
{
    const struct virtio_gpu_ctx_resource cmd = {
        .hdr.type = VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE,
        .hdr.ctx_id = context,
        .resource_id = id,
    };

    return run(v, cmd);
}

uint32_t submit(Venus *v, uint32_t context, const uint32_t *words,
                size_t count)
{
    size_t size = sizeof(struct virtio_gpu_cmd_submit) + count * 4;
    g_autofree struct virtio_gpu_cmd_submit *cmd = g_malloc0(size);

    cmd->hdr.type = VIRTIO_GPU_CMD_SUBMIT_3D;
    cmd->hdr.ctx_id = context;
    cmd->size = count * 4;
    memcpy(cmd + 1, words, count * 4);
    return run_sized(v, cmd, size);
}

/*
 * The host-visible window
 */

void window_write(Venus *v, uint64_t offset, const char *text)
{
    qpci_memwrite(v->dev->pdev, v->window, offset, text, strlen(text) + 1);
}

void assert_window(Venus *v, uint64_t offset, const char *text)
{
    char there[64];

    qpci_memread(v->dev->pdev, v->window, offset, there, sizeof(there));
    g_assert_cmpint(memcmp(there, text, strlen(text) + 1), ==, 0);
}

/*
 * Outputs
 */

void assert_output(Venus *v, int output, uint32_t width, uint32_t height)
{
    const struct virtio_gpu_ctrl_hdr cmd = {
        .type = VIRTIO_GPU_CMD_GET_DISPLAY_INFO,
    };
    struct virtio_gpu_resp_display_info info;

    venus_call(v, CONTROL, &cmd, sizeof(cmd), &info, sizeof(info));
    g_assert_cmphex(info.hdr.type, ==, VIRTIO_GPU_RESP_OK_DISPLAY_INFO);
    g_assert_cmpuint(info.pmodes[output].enabled, ==, width > 0);
    g_assert_cmpuint(info.pmodes[output].r.width, ==, width);
    g_assert_cmpuint(info.pmodes[output].r.height, ==, height);
}

void clear_display_event(Venus *v)
{
    qpci_io_writel(v->dev->pdev, v->dev->bar, v->dev->device_cfg_offset + 4,
                   VIRTIO_GPU_EVENT_DISPLAY);
    g_assert_cmphex(qvirtio_config_readl(&v->dev->vdev, 0), ==, 0);
}

void wait_display_event(Venus *v)
{
    qvirtio_wait_config_isr(&v->dev->vdev, TIMEOUT_US);
    g_assert_cmphex(qvirtio_config_readl(&v->dev->vdev, 0),
                    ==, VIRTIO_GPU_EVENT_DISPLAY);
    clear_display_event(v);
}
