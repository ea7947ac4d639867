/*
 * virtio-gpu-venus, driven over its virtqueues
 *
 * These tests run the device with its real library and render server, on
 * whatever Vulkan driver the host has; they are skipped where it has none. What
 * they know of a picture comes from screendump, or from VNC.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <glib/gstdio.h>
#include <sys/mman.h>
#include <sys/un.h>
#include "libqtest.h"
#include "libqos/libqos-malloc.h"
#include "libqos/malloc-pc.h"
#include "libqos/pci-pc.h"
#include "libqos/virtio.h"
#include "libqos/virtio-pci.h"
#include "qemu/bswap.h"
#include "qemu/cutils.h"
#include "qemu/units.h"
#include "qobject/qdict.h"
#include "qobject/qlist.h"
#include "qobject/qnum.h"
#include "qobject/qstring.h"
#include "standard-headers/linux/virtio_config.h"
#include "standard-headers/linux/virtio_gpu.h"

#define TIMEOUT_US (30 * G_USEC_PER_SEC)
#define PAGE 4096
#define DEVICE "virtio-gpu-venus-pci,id=gpu,addr=04.0,hostmem=16M"
#define QOM_PATH "/machine/peripheral/gpu/virtio-backend"

enum { CONTROL, CURSOR, NUM_QUEUES };

typedef struct Venus {
    QTestState *qts;
    QGuestAllocator alloc;
    QPCIBus *bus;
    QVirtioPCIDevice *dev;
    QVirtQueue *vq[NUM_QUEUES];
    QPCIBar window;
    uint64_t features;
} Venus;

/* A command on its way: where it is in guest memory. */
typedef struct Request {
    int queue;
    uint64_t out;
    uint64_t in;
    size_t in_size;
    uint32_t head;
} Request;

/*
 * The device, and its virtqueues
 */

static void venus_start_driver(Venus *v)
{
    QVirtioDevice *vdev = &v->dev->vdev;
    int i;

    qvirtio_start_device(vdev);
    v->features = qvirtio_get_features(vdev);
    qvirtio_set_features(vdev, v->features &
                         ~(QVIRTIO_F_BAD_FEATURE |
                           (1ull << VIRTIO_RING_F_INDIRECT_DESC) |
                           (1ull << VIRTIO_RING_F_EVENT_IDX)));
    for (i = 0; i < NUM_QUEUES; i++) {
        v->vq[i] = qvirtqueue_setup(vdev, &v->alloc, i);
    }
    qvirtio_set_driver_ok(vdev);
}

static void venus_stop_driver(Venus *v)
{
    int i;

    qvirtio_reset(&v->dev->vdev);
    for (i = 0; i < NUM_QUEUES; i++) {
        qvirtqueue_cleanup(v->dev->vdev.bus, v->vq[i], &v->alloc);
    }
}

static Venus *venus_start_args(const char *device, const char *args)
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

static Venus *venus_start(const char *options)
{
    g_autofree char *device = g_strdup_printf(DEVICE "%s", options);

    return venus_start_args(device, "");
}

static void venus_stop(Venus *v)
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

/* Put a command into the queue.  No room for a response: in_size 0. */
static Request venus_post(Venus *v, int queue, const void *out, size_t out_size,
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

/* Wait for the queue's next response, whatever it answers. */
static uint32_t venus_wait_any(Venus *v, int queue, uint32_t *written)
{
    gint64 end = g_get_monotonic_time() + TIMEOUT_US;
    uint32_t head;

    while (!qvirtqueue_get_buf(v->qts, v->vq[queue], &head, written)) {
        g_assert_cmpint(g_get_monotonic_time(), <, end);
    }
    return head;
}

/* Read a request's response, and release its memory. */
static void venus_finish(Venus *v, Request *r, void *in)
{
    if (r->in_size) {
        qtest_memread(v->qts, r->in, in, r->in_size);
        guest_free(&v->alloc, r->in);
    }
    if (r->out) {
        guest_free(&v->alloc, r->out);
    }
}

/* All that was posted has been answered: use the descriptors again. */
static void venus_queue_is_empty(Venus *v, int queue)
{
    v->vq[queue]->free_head = 0;
    v->vq[queue]->num_free = v->vq[queue]->size;
}

/* Post one command and wait for it.  Returns the bytes written. */
static uint32_t venus_call(Venus *v, int queue, const void *out,
                           size_t out_size, void *in, size_t in_size)
{
    Request r = venus_post(v, queue, out, out_size, in_size);
    uint32_t written;

    g_assert_cmpuint(venus_wait_any(v, queue, &written), ==, r.head);
    venus_finish(v, &r, in);
    venus_queue_is_empty(v, queue);
    return written;
}

/* The response's type, of a command that gets a header only. */
static uint32_t run_sized(Venus *v, const void *cmd, size_t size)
{
    struct virtio_gpu_ctrl_hdr resp;
    uint32_t written = venus_call(v, CONTROL, cmd, size, &resp, sizeof(resp));

    g_assert_cmpuint(written, ==, sizeof(resp));
    return le32_to_cpu(resp.type);
}

#define run(v, cmd) run_sized(v, &(cmd), sizeof(cmd))

#define assert_ok(response) \
    g_assert_cmphex(response, ==, VIRTIO_GPU_RESP_OK_NODATA)
#define assert_error(error, response) \
    g_assert_cmphex(response, ==, VIRTIO_GPU_RESP_ERR_##error)

/*
 * Commands
 */

static uint32_t create_2d(Venus *v, uint32_t id, uint32_t format,
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

static uint32_t unref(Venus *v, uint32_t id)
{
    const struct virtio_gpu_resource_unref cmd = {
        .hdr.type = VIRTIO_GPU_CMD_RESOURCE_UNREF,
        .resource_id = id,
    };
    return run(v, cmd);
}

/* count entries, of which as many as fit into the command are there */
static uint32_t attach_entries(Venus *v, uint32_t id, uint32_t count,
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

static uint32_t attach(Venus *v, uint32_t id, uint64_t addr, uint32_t size)
{
    const struct virtio_gpu_mem_entry entry = { .addr = addr, .length = size };

    return attach_entries(v, id, 1, &entry, 1);
}

static uint32_t detach(Venus *v, uint32_t id)
{
    const struct virtio_gpu_resource_detach_backing cmd = {
        .hdr.type = VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING,
        .resource_id = id,
    };
    return run(v, cmd);
}

#define RECT(x_, y_, width_, height_) \
    ((struct virtio_gpu_rect) { \
        .x = (x_), .y = (y_), .width = (width_), .height = (height_) })

static uint32_t set_scanout(Venus *v, uint32_t scanout, uint32_t id,
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

static uint32_t transfer(Venus *v, uint32_t id, struct virtio_gpu_rect rect,
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

static uint32_t flush(Venus *v, uint32_t id, struct virtio_gpu_rect rect)
{
    const struct virtio_gpu_resource_flush cmd = {
        .hdr.type = VIRTIO_GPU_CMD_RESOURCE_FLUSH,
        .r = rect,
        .resource_id = id,
    };
    return run(v, cmd);
}

static uint32_t create_context(Venus *v, uint32_t id, uint32_t capset)
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

/* A command that is nothing but a header with a context's id */
static uint32_t header_only(Venus *v, uint32_t type, uint32_t context)
{
    const struct virtio_gpu_ctrl_hdr cmd = {
        .type = type,
        .ctx_id = context,
    };
    return run(v, cmd);
}

static uint32_t destroy_context(Venus *v, uint32_t id)
{
    return header_only(v, VIRTIO_GPU_CMD_CTX_DESTROY, id);
}

static uint32_t context_resource(Venus *v, uint32_t type, uint32_t context,
                                 uint32_t id)
{
    const struct virtio_gpu_ctx_resource cmd = {
        .hdr.type = type,
        .hdr.ctx_id = context,
        .resource_id = id,
    };
    return run(v, cmd);
}

static uint32_t create_blob(Venus *v, uint32_t context, uint32_t id,
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

/* A blob of shared memory, which needs no Vulkan object */
static uint32_t create_shm(Venus *v, uint32_t context, uint32_t id,
                           uint64_t size)
{
    return create_blob(v, context, id, VIRTIO_GPU_BLOB_MEM_HOST3D, 0, size, 0);
}

static uint32_t map_blob(Venus *v, uint32_t id, uint64_t offset)
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

static uint32_t unmap_blob(Venus *v, uint32_t id)
{
    const struct virtio_gpu_resource_unmap_blob cmd = {
        .hdr.type = VIRTIO_GPU_CMD_RESOURCE_UNMAP_BLOB,
        .resource_id = id,
    };
    return run(v, cmd);
}

/* Show the part at @rect of the picture that is in the blob. */
static uint32_t set_scanout_blob_part(Venus *v, uint32_t id, uint32_t format,
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

static uint32_t set_scanout_blob(Venus *v, uint32_t id, uint32_t format,
                                 uint32_t width, uint32_t height,
                                 uint32_t stride, uint32_t offset)
{
    return set_scanout_blob_part(v, id, format, width, height, stride, offset,
                                 RECT(0, 0, width, height));
}

#define assert_mapped(response) \
    g_assert_cmphex(response, ==, VIRTIO_GPU_RESP_OK_MAP_INFO)

static void window_write(Venus *v, uint64_t offset, const char *text)
{
    qpci_memwrite(v->dev->pdev, v->window, offset, text, strlen(text) + 1);
}

static void assert_window(Venus *v, uint64_t offset, const char *text)
{
    char there[64];

    qpci_memread(v->dev->pdev, v->window, offset, there, sizeof(there));
    g_assert_cmpint(memcmp(there, text, strlen(text) + 1), ==, 0);
}

/*
 * Pictures
 */

typedef struct Format {
    uint32_t virtio;
    const char *bytes;          /* of a pixel in memory */
} Format;

static const Format formats[] = {
    { VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, "BGRA" },
    { VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, "BGRX" },
    { VIRTIO_GPU_FORMAT_A8R8G8B8_UNORM, "ARGB" },
    { VIRTIO_GPU_FORMAT_X8R8G8B8_UNORM, "XRGB" },
    { VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM, "RGBA" },
    { VIRTIO_GPU_FORMAT_X8B8G8R8_UNORM, "XBGR" },
    { VIRTIO_GPU_FORMAT_A8B8G8R8_UNORM, "ABGR" },
    { VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM, "RGBX" },
};

/* The test picture: each pixel differs from its neighbours in all channels. */
static uint8_t picture_channel(char channel, uint32_t x, uint32_t y)
{
    switch (channel) {
    case 'R':
        return x * 7 + y + 1;
    case 'G':
        return x + y * 5 + 2;
    case 'B':
        return (x ^ y) * 3 + 3;
    case 'A':
        return x * 11 + y * 13 + 0x40;
    default:
        return x * 17 + y * 3 + 0x99;
    }
}

static void draw_picture(uint8_t *pixels, const char *bytes, uint32_t width,
                         uint32_t height, uint32_t stride)
{
    uint32_t x, y, i;

    for (y = 0; y < height; y++) {
        for (x = 0; x < width; x++) {
            for (i = 0; i < 4; i++) {
                pixels[y * stride + x * 4 + i] =
                    picture_channel(bytes[i], x, y);
            }
        }
    }
}

/*
 * What a head shows, as rows of RGB bytes.  g_free() it.
 *
 * Take pictures of a width that is a multiple of 4: screendump pads rows to
 * four bytes, which the PPM format does not know.
 */
static uint8_t *screendump(Venus *v, int head, uint32_t *width,
                           uint32_t *height)
{
    g_autofree char *path = NULL;
    g_autofree char *file = NULL;
    gsize size;
    int fd = g_file_open_tmp("venus-qtest-XXXXXX.ppm", &path, NULL);
    int header = 0;

    g_assert_cmpint(fd, >=, 0);
    close(fd);
    qtest_qmp_assert_success(v->qts, "{'execute': 'screendump', 'arguments': "
                             "{'filename': %s, 'device': 'gpu', 'head': %d}}",
                             path, head);
    g_assert_true(g_file_get_contents(path, &file, &size, NULL));
    g_unlink(path);
    g_assert_cmpint(sscanf(file, "P6\n%u %u\n255%n", width, height, &header),
                    ==, 2);
    header++;                   /* one white space */
    g_assert_cmpuint(size, ==, header + *width * *height * 3);
    return g_memdup2(file + header, size - header);
}

/* The head shows the part of the test picture that is at left, top. */
static void assert_picture(Venus *v, int head, uint32_t left, uint32_t top,
                           uint32_t width, uint32_t height)
{
    uint32_t w, h, x, y;
    g_autofree uint8_t *rgb = screendump(v, head, &w, &h);
    const uint8_t *pixel = rgb;

    g_assert_cmpuint(w, ==, width);
    g_assert_cmpuint(h, ==, height);
    for (y = top; y < top + height; y++) {
        for (x = left; x < left + width; x++, pixel += 3) {
            g_assert_cmphex(pixel[0], ==, picture_channel('R', x, y));
            g_assert_cmphex(pixel[1], ==, picture_channel('G', x, y));
            g_assert_cmphex(pixel[2], ==, picture_channel('B', x, y));
        }
    }
}

/* A 2D resource with the test picture in its backing, which is returned. */
static uint64_t make_picture(Venus *v, uint32_t id, const Format *format,
                             uint32_t width, uint32_t height)
{
    size_t size = width * height * 4;
    g_autofree uint8_t *pixels = g_malloc(size);
    uint64_t backing = guest_alloc(&v->alloc, size);

    draw_picture(pixels, format->bytes, width, height, width * 4);
    qtest_memwrite(v->qts, backing, pixels, size);
    assert_ok(create_2d(v, id, format->virtio, width, height));
    assert_ok(attach(v, id, backing, size));
    return backing;
}

/*
 * QMP
 */

/* The device's QOM property as an object, which is the caller's */
static QObject *get_property(Venus *v, const char *property)
{
    QDict *resp = qtest_qmp(v->qts, "{'execute': 'qom-get', 'arguments': "
                            "{'path': %s, 'property': %s}}",
                            QOM_PATH, property);
    QObject *value;

    g_assert_true(qdict_haskey(resp, "return"));
    value = qobject_ref(qdict_get(resp, "return"));
    qobject_unref(resp);
    return value;
}

static uint64_t get_stat(Venus *v, const char *name)
{
    g_autofree char *property = g_strdup_printf("stat-%s", name);
    QObject *object = get_property(v, property);
    uint64_t value = qnum_get_uint(qobject_to(QNum, object));

    qobject_unref(object);
    return value;
}

static char *get_string(Venus *v, const char *property)
{
    QObject *object = get_property(v, property);
    char *value = g_strdup(qstring_get_str(qobject_to(QString, object)));

    qobject_unref(object);
    return value;
}

static void set_string(Venus *v, const char *property, const char *value)
{
    qtest_qmp_assert_success(v->qts, "{'execute': 'qom-set', 'arguments': "
                             "{'path': %s, 'property': %s, 'value': %s}}",
                             QOM_PATH, property, value);
}

/* The property cannot be that, and the device says what it can be. */
static void assert_refused(Venus *v, const char *property, const char *value,
                           const char *message)
{
    QDict *error = qtest_qmp_assert_failure_ref(v->qts, "{'execute': 'qom-set',"
        "'arguments': {'path': %s, 'property': %s, 'value': %s}}",
        QOM_PATH, property, value);

    g_assert_nonnull(strstr(qdict_get_str(error, "desc"), message));
    g_assert_null(strchr(qdict_get_str(error, "desc"), '\n'));
    qobject_unref(error);
}

static void assert_string(Venus *v, const char *property, const char *value)
{
    g_autofree char *there = get_string(v, property);

    g_assert_cmpstr(there, ==, value);
}

/*
 * Tests: what the device says of itself
 */

static void test_features(void)
{
    Venus *v = venus_start("");
    const uint64_t gpu = (1 << VIRTIO_GPU_F_VIRGL) | (1 << VIRTIO_GPU_F_EDID) |
                         (1 << VIRTIO_GPU_F_RESOURCE_UUID) |
                         (1 << VIRTIO_GPU_F_RESOURCE_BLOB) |
                         (1 << VIRTIO_GPU_F_CONTEXT_INIT);

    g_assert_cmphex(v->features & 0x1f, ==, gpu);
    g_assert_cmphex(v->features & (1ull << VIRTIO_F_VERSION_1), !=, 0);
    g_assert_cmphex(v->features & (1ull << VIRTIO_F_RING_RESET), ==, 0);
    /* QEMU 10.0.13 makes every virtqueue as large as it can be. */
    g_assert_cmpuint(v->vq[CONTROL]->size, >=, 256);
    g_assert_cmpuint(v->vq[CURSOR]->size, >=, 16);
    /* events_read, num_scanouts, num_capsets */
    g_assert_cmphex(qvirtio_config_readl(&v->dev->vdev, 0), ==, 0);
    g_assert_cmpuint(qvirtio_config_readl(&v->dev->vdev, 8), ==, 1);
    g_assert_cmpuint(qvirtio_config_readl(&v->dev->vdev, 12), ==, 1);
    venus_stop(v);
}

static void test_no_window_no_edid(void)
{
    g_autofree char *device = g_strdup("virtio-gpu-venus-pci,id=gpu,addr=04.0,"
                                       "hostmem=0,edid=off");
    QTestState *qts = qtest_initf("-M pc -m 64 -nodefaults -device %s", device);
    QPCIAddress addr = { .devfn = QPCI_DEVFN(4, 0) };
    QGuestAllocator alloc;
    QVirtioPCIDevice *dev;
    QPCIBus *bus;
    uint64_t features;

    pc_alloc_init(&alloc, qts, 0);
    bus = qpci_new_pc(qts, &alloc);
    dev = virtio_pci_new(bus, &addr);
    qvirtio_pci_device_enable(dev);
    features = qvirtio_get_features(&dev->vdev);
    g_assert_cmphex(features & (1 << VIRTIO_GPU_F_EDID), ==, 0);
    g_assert_cmphex(features & (1 << VIRTIO_GPU_F_RESOURCE_BLOB), ==, 0);
    qvirtio_pci_device_disable(dev);
    g_free(dev->pdev);
    g_free(dev);
    qpci_free_pc(bus);
    alloc_destroy(&alloc);
    qtest_quit(qts);
}

static void test_display_info(void)
{
    Venus *v = venus_start(",max_outputs=2,xres=1111,yres=777");
    const struct virtio_gpu_ctrl_hdr cmd = {
        .type = VIRTIO_GPU_CMD_GET_DISPLAY_INFO,
    };
    struct virtio_gpu_resp_display_info info;
    int i;

    g_assert_cmpuint(qvirtio_config_readl(&v->dev->vdev, 8), ==, 2);
    g_assert_cmpuint(venus_call(v, CONTROL, &cmd, sizeof(cmd),
                                &info, sizeof(info)), ==, sizeof(info));
    g_assert_cmphex(info.hdr.type, ==, VIRTIO_GPU_RESP_OK_DISPLAY_INFO);
    g_assert_cmpuint(info.pmodes[0].enabled, ==, 1);
    g_assert_cmpuint(info.pmodes[0].r.width, ==, 1111);
    g_assert_cmpuint(info.pmodes[0].r.height, ==, 777);
    for (i = 1; i < VIRTIO_GPU_MAX_SCANOUTS; i++) {
        g_assert_cmpuint(info.pmodes[i].enabled, ==, 0);
    }

    assert_error(INVALID_PARAMETER,
                 header_only(v, VIRTIO_GPU_CMD_GET_DISPLAY_INFO, 0));
    venus_stop(v);
}

/* The guest sees the output in that size; 0x0: disconnected. */
static void assert_output(Venus *v, int output, uint32_t width, uint32_t height)
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

static void clear_display_event(Venus *v)
{
    qpci_io_writel(v->dev->pdev, v->dev->bar, v->dev->device_cfg_offset + 4,
                   VIRTIO_GPU_EVENT_DISPLAY);
    g_assert_cmphex(qvirtio_config_readl(&v->dev->vdev, 0), ==, 0);
}

/* The guest is told that outputs have changed, and acknowledges it. */
static void wait_display_event(Venus *v)
{
    qvirtio_wait_config_isr(&v->dev->vdev, TIMEOUT_US);
    g_assert_cmphex(qvirtio_config_readl(&v->dev->vdev, 0),
                    ==, VIRTIO_GPU_EVENT_DISPLAY);
    clear_display_event(v);
}

static void test_outputs(const void *device)
{
    static const char *const bad[] = {
        "", "on", "1024", "1024x", "x768", "1024x768x1", "1024X768", "0x768",
        "1024x0", "-1024x768", "1024x-768", " 1024x768", "1024x 768",
        "1024x768 ", "16385x768", "1024x16385", "4294968320x768",
        "99999999999999999999x768", "0x10x768", "1024x768@", "1024x768@0",
        "1024x768@.5", "1024x768@0.999", "1024x768@60.", "1024x768@60.0001",
        "1024x768@60.9999", "1024x768@1000.001", "1024x768@1001",
        "1024x768@4295027", "1024x768@-60", "1024x768@60Hz", "1024x768@ 60",
        "1024x768@60@60", "off@60", "@60",
    };
    const char possible[] = "use a size such as 1024x768, up to 16384x16384, "
                            "or one with a rate such as 1024x768@60, or off";
    Venus *v = venus_start_args(device, "");
    struct virtio_gpu_cmd_get_edid cmd = {
        .hdr.type = VIRTIO_GPU_CMD_GET_EDID,
        .scanout = 1,
    };
    struct virtio_gpu_resp_edid resp;
    int i;

    /* as the command line says */
    assert_output(v, 0, 1111, 777);
    assert_output(v, 1, 0, 0);
    assert_output(v, 2, 640, 480);
    assert_string(v, "output0", "1111x777");
    assert_string(v, "output1", "off");
    assert_string(v, "output2", "640x480");
    clear_display_event(v);

    set_string(v, "output1", "1024x768");
    assert_string(v, "output1", "1024x768");
    wait_display_event(v);
    assert_output(v, 1, 1024, 768);
    venus_call(v, CONTROL, &cmd, sizeof(cmd), &resp, sizeof(resp));
    g_assert_cmphex(resp.hdr.type, ==, VIRTIO_GPU_RESP_OK_EDID);
    g_assert_cmpuint(resp.edid[56] | (resp.edid[58] & 0xf0) << 4, ==, 1024);
    g_assert_cmpuint(resp.edid[59] | (resp.edid[61] & 0xf0) << 4, ==, 768);

    /* what cannot be changes nothing */
    for (i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_refused(v, "output1", bad[i], possible);
    }
    assert_refused(v, "output3", "1024x768",
                   "There is no output3 with max_outputs=3: "
                   "use max_outputs=4 or more");
    assert_string(v, "output1", "1024x768");
    assert_output(v, 1, 1024, 768);
    g_assert_cmphex(qvirtio_config_readl(&v->dev->vdev, 0), ==, 0);

    /* the largest; off, be it the first one; and on again */
    set_string(v, "output1", "16384x16384");
    wait_display_event(v);
    assert_output(v, 1, 16384, 16384);
    set_string(v, "output0", "off");
    wait_display_event(v);
    assert_string(v, "output0", "off");
    assert_output(v, 0, 0, 0);
    assert_output(v, 1, 16384, 16384);
    set_string(v, "output2", "off");
    wait_display_event(v);
    assert_output(v, 2, 0, 0);
    set_string(v, "output0", "800x600");
    wait_display_event(v);
    assert_output(v, 0, 800, 600);

    /* a reset of the guest's driver leaves the user's outputs alone */
    venus_stop_driver(v);
    venus_start_driver(v);
    assert_output(v, 0, 800, 600);
    assert_output(v, 1, 16384, 16384);
    assert_output(v, 2, 0, 0);
    venus_stop(v);
}

/* Frames a second of the first detailed timing of @output's EDID */
static double get_refresh(Venus *v, uint32_t output)
{
    struct virtio_gpu_cmd_get_edid cmd = {
        .hdr.type = VIRTIO_GPU_CMD_GET_EDID,
        .scanout = output,
    };
    struct virtio_gpu_resp_edid resp;
    const uint8_t *d = resp.edid + 54;

    venus_call(v, CONTROL, &cmd, sizeof(cmd), &resp, sizeof(resp));
    g_assert_cmphex(resp.hdr.type, ==, VIRTIO_GPU_RESP_OK_EDID);
    return lduw_le_p(d) * 10000.0 /
           (d[2] + d[3] + ((d[4] & 0xf0) << 4) + ((d[4] & 0x0f) << 8)) /
           (d[5] + d[6] + ((d[7] & 0xf0) << 4) + ((d[7] & 0x0f) << 8));
}

/* A clock is a multiple of 10 kHz. */
#define assert_refresh(v, output, wanted) \
    g_assert_cmpfloat_with_epsilon(get_refresh(v, output), wanted, 0.01)

static void test_refresh(void)
{
    Venus *v = venus_start(",max_outputs=3,output0=1280x800@144,"
                           "output1=1024x768");

    assert_string(v, "output0", "1280x800@144");
    assert_refresh(v, 0, 144);
    assert_string(v, "output1", "1024x768");
    assert_refresh(v, 1, 60);
    clear_display_event(v);

    /* a monitor of the same size */
    set_string(v, "output0", "1280x800@59.94");
    wait_display_event(v);
    assert_string(v, "output0", "1280x800@59.94");
    assert_refresh(v, 0, 59.94);
    set_string(v, "output0", "1280x800");
    wait_display_event(v);
    assert_string(v, "output0", "1280x800");
    assert_refresh(v, 0, 60);
    set_string(v, "output2", "1920x1080@119.880");
    wait_display_event(v);
    assert_string(v, "output2", "1920x1080@119.88");
    assert_output(v, 2, 1920, 1080);
    assert_refresh(v, 2, 119.88);
    venus_stop(v);
}

static void test_edid(void)
{
    static const uint8_t magic[] = { 0, 255, 255, 255, 255, 255, 255, 0 };
    Venus *v = venus_start(",xres=1234,yres=600");
    struct virtio_gpu_cmd_get_edid cmd = {
        .hdr.type = VIRTIO_GPU_CMD_GET_EDID,
    };
    struct virtio_gpu_resp_edid resp;
    uint8_t sum = 0;
    int i;

    venus_call(v, CONTROL, &cmd, sizeof(cmd), &resp, sizeof(resp));
    g_assert_cmphex(resp.hdr.type, ==, VIRTIO_GPU_RESP_OK_EDID);
    g_assert_cmpuint(resp.size, >=, 128);
    g_assert_cmpmem(resp.edid, sizeof(magic), magic, sizeof(magic));
    for (i = 0; i < 128; i++) {
        sum += resp.edid[i];
    }
    g_assert_cmphex(sum, ==, 0);
    /* the first detailed timing's width and height */
    g_assert_cmpuint(resp.edid[56] | (resp.edid[58] & 0xf0) << 4, ==, 1234);
    g_assert_cmpuint(resp.edid[59] | (resp.edid[61] & 0xf0) << 4, ==, 600);

    cmd.scanout = 1;
    venus_call(v, CONTROL, &cmd, sizeof(cmd), &resp, sizeof(resp));
    assert_error(INVALID_SCANOUT_ID, resp.hdr.type);
    venus_stop(v);
}

static void test_capsets(void)
{
    Venus *v = venus_start("");
    struct virtio_gpu_get_capset_info info_cmd = {
        .hdr.type = VIRTIO_GPU_CMD_GET_CAPSET_INFO,
    };
    struct virtio_gpu_resp_capset_info info;
    struct virtio_gpu_get_capset cmd = {
        .hdr.type = VIRTIO_GPU_CMD_GET_CAPSET,
        .capset_id = VIRTIO_GPU_CAPSET_VENUS,
    };
    g_autofree struct virtio_gpu_resp_capset *resp = NULL;
    size_t size;

    venus_call(v, CONTROL, &info_cmd, sizeof(info_cmd), &info, sizeof(info));
    g_assert_cmphex(info.hdr.type, ==, VIRTIO_GPU_RESP_OK_CAPSET_INFO);
    g_assert_cmpuint(info.capset_id, ==, VIRTIO_GPU_CAPSET_VENUS);
    g_assert_cmpuint(info.capset_max_size, >=, 4);

    info_cmd.capset_index = 1;
    venus_call(v, CONTROL, &info_cmd, sizeof(info_cmd), &info, sizeof(info));
    assert_error(INVALID_PARAMETER, info.hdr.type);

    info_cmd.capset_index = 0;
    venus_call(v, CONTROL, &info_cmd, sizeof(info_cmd), &info, sizeof(info));
    size = sizeof(*resp) + info.capset_max_size;
    resp = g_malloc(size);
    g_assert_cmpuint(venus_call(v, CONTROL, &cmd, sizeof(cmd), resp, size),
                     ==, size);
    g_assert_cmphex(resp->hdr.type, ==, VIRTIO_GPU_RESP_OK_CAPSET);
    /* The wire format's version, which is not 0 */
    g_assert_cmpuint(ldl_le_p(resp->capset_data), >, 0);

    cmd.capset_id = VIRTIO_GPU_CAPSET_VIRGL2;
    venus_call(v, CONTROL, &cmd, sizeof(cmd), resp, size);
    assert_error(INVALID_PARAMETER, resp->hdr.type);
    cmd.capset_id = VIRTIO_GPU_CAPSET_VENUS;
    cmd.capset_version = info.capset_max_version + 1;
    venus_call(v, CONTROL, &cmd, sizeof(cmd), resp, size);
    assert_error(INVALID_PARAMETER, resp->hdr.type);
    cmd.capset_version = 0;
    venus_call(v, CONTROL, &cmd, sizeof(cmd), resp, sizeof(*resp));
    assert_error(INVALID_PARAMETER, resp->hdr.type);
    venus_stop(v);
}

static void test_properties(void)
{
    Venus *v = venus_start("");
    g_autofree char *renderer = get_string(v, "renderer");
    g_autofree char *version = get_string(v, "library-version");
    QDict *resp = qtest_qmp(v->qts, "{'execute': 'qom-list', 'arguments': "
                            "{'path': %s}}", QOM_PATH);
    const QListEntry *entry;
    int stats = 0;

    g_assert_cmpstr(renderer, !=, "");
    g_assert_cmpstr(renderer, !=, "unknown");
    g_assert_cmpuint(version[0] - '0', <, 10);
    QLIST_FOREACH_ENTRY(qdict_get_qlist(resp, "return"), entry) {
        const char *name = qdict_get_str(qobject_to(QDict, entry->value),
                                         "name");

        if (strstart(name, "stat-", &name)) {
            get_stat(v, name);
            stats++;
        }
    }
    g_assert_cmpint(stats, >, 5);
    qobject_unref(resp);

    g_assert_cmpuint(get_stat(v, "resources"), ==, 0);
    assert_ok(create_2d(v, 1, formats[0].virtio, 4, 4));
    g_assert_cmpuint(get_stat(v, "resources"), ==, 1);
    venus_stop(v);
}

/*
 * Tests: 2D
 */

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

/* Who shows the pictures of a test, and what the test needs of QEMU for it */
typedef struct Shown {
    const char *options;        /* of the device */
    const char *args;
    bool presented;             /* by the host's Vulkan too */
} Shown;

static Venus *venus_start_shown(const Shown *shown)
{
    g_autofree char *device = g_strdup_printf(DEVICE "%s", shown->options);

    return venus_start_args(device, shown->args);
}

/* Since there were @before, frames have been presented, or not, with no copy */
static void assert_presented(Venus *v, const Shown *shown, uint64_t before)
{
    gint64 end = g_get_monotonic_time() + TIMEOUT_US;

    /* A flush is answered once its frame has been read: before it is shown. */
    while (shown->presented && get_stat(v, "present-frames") == before) {
        g_assert_cmpint(g_get_monotonic_time(), <, end);
    }
    if (!shown->presented) {
        g_assert_cmpuint(get_stat(v, "present-frames"), ==, 0);
    }
    g_assert_cmpuint(get_stat(v, "present-staging"), ==, 0);
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

/*
 * Tests: contexts, blobs and fences
 */

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
 * Part of a picture in a guest blob, in each format; the picture does not begin
 * where the blob does, and its rows have a gap between them.
 */
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
 * Tests: a guest that does not keep to the rules
 */

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

/*
 * Tests: the rest of QEMU
 */

static void test_vga(void)
{
    Venus *v = venus_start_args("virtio-vga-venus,id=gpu,addr=04.0,hostmem=16M",
                                "");
    const struct virtio_gpu_rect all = RECT(0, 0, 60, 37);
    uint32_t width, height;

    /* VGA until the driver shows something, and again after a reset */
    g_free(screendump(v, 0, &width, &height));
    g_assert_cmpuint(width, >, 60);
    make_picture(v, 1, &formats[0], 60, 37);
    assert_ok(set_scanout(v, 0, 1, all));
    assert_ok(transfer(v, 1, all, 0));
    assert_ok(flush(v, 1, all));
    assert_picture(v, 0, 0, 0, 60, 37);

    assert_ok(create_context(v, 1, VIRTIO_GPU_CAPSET_VENUS));
    assert_ok(create_shm(v, 1, 10, PAGE));
    assert_mapped(map_blob(v, 10, PAGE));
    window_write(v, PAGE, "vga");
    assert_window(v, PAGE, "vga");

    venus_stop_driver(v);
    g_free(screendump(v, 0, &width, &height));
    venus_start_driver(v);
    make_picture(v, 1, &formats[0], 60, 37);
    assert_ok(set_scanout(v, 0, 1, all));
    assert_ok(transfer(v, 1, all, 0));
    assert_ok(flush(v, 1, all));
    assert_picture(v, 0, 0, 0, 60, 37);
    venus_stop(v);
}

/* What dump-guest-memory writes, in bytes */
static uint64_t dump_size(Venus *v)
{
    g_autofree char *path = NULL;
    g_autofree char *protocol = NULL;
    int fd = g_file_open_tmp("venus-qtest-XXXXXX.dump", &path, NULL);
    GStatBuf st;

    g_assert_cmpint(fd, >=, 0);
    close(fd);
    protocol = g_strdup_printf("file:%s", path);
    qtest_qmp_assert_success(v->qts, "{'execute': 'dump-guest-memory', "
                             "'arguments': {'paging': false, 'protocol': %s}}",
                             protocol);
    g_assert_cmpint(g_stat(path, &st), ==, 0);
    g_unlink(path);
    return st.st_size;
}

/* The window is not the guest's memory, whatever is in it. */
static void test_dump(const void *options)
{
    Venus *v = venus_start(options);

    assert_ok(create_context(v, 1, VIRTIO_GPU_CAPSET_VENUS));
    assert_ok(create_shm(v, 1, 10, 8 * MiB));
    assert_mapped(map_blob(v, 10, 4 * MiB));
    g_assert_cmpuint(dump_size(v), <, (64 + 4) * MiB);
    venus_stop(v);
}

static bool can_lock_memory(size_t size)
{
    void *ptr = mmap(NULL, size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    bool can = ptr != MAP_FAILED && mlock2(ptr, size, MLOCK_ONFAULT) == 0;

    if (ptr != MAP_FAILED) {
        munmap(ptr, size);
    }
    return can;
}

/* How much of its memory is there, in bytes */
static uint64_t resident_size(QTestState *qts)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/status", qtest_pid(qts));
    g_autofree char *status = NULL;
    const char *line;

    g_assert_true(g_file_get_contents(path, &status, NULL, NULL));
    line = strstr(status, "VmRSS:");
    g_assert_nonnull(line);
    return g_ascii_strtoull(line + strlen("VmRSS:"), NULL, 10) * KiB;
}

/* A window is address space, also where QEMU locks its memory. */
static void test_mem_lock(void)
{
    QTestState *qts;

    if (!can_lock_memory(4 * GiB)) {
        g_test_skip("memory cannot be locked here");
        return;
    }
    qts = qtest_init("-M pc -m 64 -nodefaults -overcommit mem-lock=on "
                     "-device virtio-gpu-venus-pci,hostmem=2G");
    g_assert_cmpuint(resident_size(qts), <, 2 * GiB);
    qtest_quit(qts);
}

static void test_migration(void)
{
    Venus *v = venus_start("");
    QDict *error = qtest_qmp_assert_failure_ref(v->qts,
        "{'execute': 'migrate', 'arguments': {'uri': 'exec:cat'}}");

    g_assert_nonnull(strstr(qdict_get_str(error, "desc"), "not migratable"));
    qobject_unref(error);
    venus_stop(v);
}

/* Just enough of a VNC client */

static void vnc_read(int fd, void *data, size_t size)
{
    char *to = data;

    while (size) {
        ssize_t len = read(fd, to, size);

        g_assert_cmpint(len, >, 0);
        to += len;
        size -= len;
    }
}

static void vnc_write(int fd, const void *data, size_t size)
{
    g_assert_cmpint(write(fd, data, size), ==, size);
}

static int vnc_connect(const char *path)
{
    static const uint8_t encodings[] = {
        2, 0, 0, 2,             /* SetEncodings */
        0, 0, 0, 0,             /* raw */
        0xff, 0xff, 0xfe, 0xcc, /* ExtendedDesktopSize, -308 */
    };
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    struct timeval timeout = { .tv_sec = 30 };
    uint8_t buf[256];
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    g_strlcpy(addr.sun_path, path, sizeof(addr.sun_path));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    g_assert_cmpint(connect(fd, (struct sockaddr *)&addr, sizeof(addr)),
                    ==, 0);
    vnc_read(fd, buf, 12);
    vnc_write(fd, "RFB 003.008\n", 12);
    vnc_read(fd, buf, 1);
    g_assert_cmpuint(buf[0], ==, 1);    /* one security type: */
    vnc_read(fd, buf, 1);
    vnc_write(fd, "\1", 1);             /* none */
    vnc_read(fd, buf, 4);
    g_assert_cmpuint(ldl_be_p(buf), ==, 0);
    vnc_write(fd, "\1", 1);             /* ClientInit */
    vnc_read(fd, buf, 24);              /* ServerInit */
    g_assert_cmpuint(buf[4], ==, 32);   /* bits per pixel */
    g_assert_cmpuint(buf[6], ==, 0);    /* little-endian */
    g_assert_cmpuint(ldl_be_p(buf + 20), <, sizeof(buf));
    vnc_read(fd, buf, ldl_be_p(buf + 20));
    vnc_write(fd, encodings, sizeof(encodings));
    return fd;
}

typedef struct VncFrame {
    uint16_t width, height;
    uint8_t pixels[256 * 256 * 4];      /* B, G, R, 0 */
} VncFrame;

/* Ask for all of the screen.  False: it is another size, or only a part. */
static bool vnc_get_frame(int fd, VncFrame *frame)
{
    uint8_t request[10] = { 3 };        /* FramebufferUpdateRequest */
    uint8_t head[4], rect[12], screens[4 + 16];
    uint32_t area = 0;
    int i, y;

    stw_be_p(request + 6, frame->width);
    stw_be_p(request + 8, frame->height);
    vnc_write(fd, request, sizeof(request));
    vnc_read(fd, head, sizeof(head));
    g_assert_cmpuint(head[0], ==, 0);   /* FramebufferUpdate */
    for (i = 0; i < lduw_be_p(head + 2); i++) {
        uint16_t left, top, width, height;

        vnc_read(fd, rect, sizeof(rect));
        left = lduw_be_p(rect);
        top = lduw_be_p(rect + 2);
        width = lduw_be_p(rect + 4);
        height = lduw_be_p(rect + 6);
        if (ldl_be_p(rect + 8) == (uint32_t)-308) {
            vnc_read(fd, screens, sizeof(screens));
            g_assert_cmpuint(screens[0], ==, 1);
            frame->width = width;
            frame->height = height;
            continue;
        }
        g_assert_cmpuint(ldl_be_p(rect + 8), ==, 0);
        for (y = top; y < top + height; y++) {
            g_autofree uint8_t *row = g_malloc(width * 4);

            vnc_read(fd, row, width * 4);
            if (left < 256 && y < 256) {
                memcpy(frame->pixels + (y * 256 + left) * 4, row,
                       MIN(width, 256 - left) * 4);
            }
        }
        area += width * height;
    }
    return area && area == frame->width * frame->height;
}

/*
 * The client has a screen of that size, sooner or later, with the test picture
 * in its upper left corner.
 */
static void vnc_wait_part(int fd, VncFrame *frame, uint32_t screen_width,
                          uint32_t screen_height, uint32_t width,
                          uint32_t height)
{
    gint64 end = g_get_monotonic_time() + TIMEOUT_US;
    bool good = false;

    while (!good) {
        int x, y;

        g_assert_cmpint(g_get_monotonic_time(), <, end);
        good = vnc_get_frame(fd, frame) && frame->width == screen_width &&
               frame->height == screen_height;
        for (y = 0; good && y < height; y++) {
            for (x = 0; good && x < width; x++) {
                const uint8_t *pixel = frame->pixels + (y * 256 + x) * 4;

                good = pixel[0] == picture_channel('B', x, y) &&
                       pixel[1] == picture_channel('G', x, y) &&
                       pixel[2] == picture_channel('R', x, y);
            }
        }
    }
}

/* The client sees the test picture, all of it, sooner or later. */
static void vnc_wait_picture(int fd, VncFrame *frame, uint32_t width,
                             uint32_t height)
{
    vnc_wait_part(fd, frame, width, height, width, height);
}

static void test_vnc(void)
{
    g_autofree char *dir = g_dir_make_tmp("venus-qtest-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "vnc", NULL);
    g_autofree char *args = g_strdup_printf("-vnc unix:%s", path);
    Venus *v = venus_start_args(DEVICE, args);
    g_autofree VncFrame *frame = g_new0(VncFrame, 1);
    uint8_t resize[8 + 16] = {
        251, 0, 800 >> 8, 800 & 0xff, 600 >> 8, 600 & 0xff, 1,
    };
    const Format *format = &formats[6];
    g_autofree uint8_t *black = g_malloc0(64 * 48 * 4);
    uint64_t backing;
    int fd = vnc_connect(path);

    /* two steps: the upper half, and the lower half in a flush of its own */
    backing = make_picture(v, 1, format, 64, 48);
    assert_ok(set_scanout(v, 0, 1, RECT(0, 0, 64, 48)));
    assert_ok(transfer(v, 1, RECT(0, 0, 64, 24), 0));
    assert_ok(flush(v, 1, RECT(0, 0, 64, 24)));
    assert_ok(transfer(v, 1, RECT(0, 24, 64, 24), 24 * 64 * 4));
    assert_ok(flush(v, 1, RECT(0, 24, 64, 24)));
    vnc_wait_picture(fd, frame, 64, 48);

    /* the window's size becomes the output's */
    vnc_write(fd, resize, sizeof(resize));
    wait_display_event(v);
    assert_output(v, 0, 800, 600);
    assert_string(v, "output0", "800x600");

    /* and who speaks last is heard */
    set_string(v, "output0", "640x480");
    wait_display_event(v);
    assert_output(v, 0, 640, 480);
    vnc_write(fd, resize, sizeof(resize));
    wait_display_event(v);
    assert_output(v, 0, 800, 600);

    /* the picture goes while the client has it, another comes */
    assert_ok(unref(v, 1));
    qtest_memwrite(v->qts, backing, black, 64 * 48 * 4);
    make_picture(v, 1, &formats[1], 128, 64);
    assert_ok(set_scanout(v, 0, 1, RECT(0, 0, 128, 64)));
    assert_ok(transfer(v, 1, RECT(0, 0, 128, 64), 0));
    assert_ok(flush(v, 1, RECT(0, 0, 128, 64)));
    vnc_wait_picture(fd, frame, 128, 64);
    close(fd);
    venus_stop(v);
    g_unlink(path);
    g_rmdir(dir);
}

/* What a client does when its window is resized */
static void vnc_resize(int fd, uint16_t width, uint16_t height)
{
    uint8_t message[8 + 16] = { 251, [6] = 1 };

    stw_be_p(message + 2, width);
    stw_be_p(message + 4, height);
    vnc_write(fd, message, sizeof(message));
}

/* QEMU has taken what the client sent before. */
static void vnc_wait_taken(int fd, VncFrame *frame)
{
    frame->width = frame->height = 0;
    while (!frame->width) {
        vnc_get_frame(fd, frame);
    }
}

/* With resize=off nobody but the user says how large an output is. */
static void test_fixed_size(void)
{
    g_autofree char *dir = g_dir_make_tmp("venus-qtest-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "vnc", NULL);
    g_autofree char *args = g_strdup_printf("-vnc unix:%s", path);
    Venus *v = venus_start_args(DEVICE ",max_outputs=2,resize=off,xres=1111,"
                                "yres=777", args);
    struct virtio_gpu_cmd_get_edid cmd = {
        .hdr.type = VIRTIO_GPU_CMD_GET_EDID,
    };
    struct virtio_gpu_resp_edid resp;
    g_autofree VncFrame *frame = g_new0(VncFrame, 1);
    int fd = vnc_connect(path);

    assert_output(v, 0, 1111, 777);
    assert_string(v, "output0", "1111x777");
    assert_output(v, 1, 0, 0);
    vnc_resize(fd, 800, 600);
    vnc_wait_taken(fd, frame);
    /* a timer of QEMU's takes it to the device, and this comes after it */
    set_string(v, "output1", "640x480");
    assert_output(v, 1, 640, 480);
    assert_string(v, "output1", "640x480");
    assert_output(v, 0, 1111, 777);
    assert_string(v, "output0", "1111x777");

    /* no modes to choose either: neither bits nor an extension */
    venus_call(v, CONTROL, &cmd, sizeof(cmd), &resp, sizeof(resp));
    g_assert_cmphex(resp.hdr.type, ==, VIRTIO_GPU_RESP_OK_EDID);
    g_assert_cmpuint(resp.size, ==, 128);
    g_assert_cmphex(resp.edid[35] | resp.edid[36] | resp.edid[37], ==, 0);

    /* the user can, to what the window has already too; and off */
    clear_display_event(v);
    set_string(v, "output0", "800x600@75");
    wait_display_event(v);
    assert_output(v, 0, 800, 600);
    assert_string(v, "output0", "800x600@75");
    set_string(v, "output0", "off");
    wait_display_event(v);
    vnc_resize(fd, 1024, 768);
    vnc_wait_taken(fd, frame);
    set_string(v, "output1", "off");
    assert_output(v, 1, 0, 0);
    assert_output(v, 0, 0, 0);
    close(fd);
    venus_stop(v);
    g_unlink(path);
    g_rmdir(dir);
}

/* More than QEMU's VNC server can show: it says so, and shows what it can. */
static void test_vnc_large(void)
{
    static const uint32_t sizes[][2] = { { 7680, 4320 }, { 16384, 16384 } };
    g_autofree char *dir = g_dir_make_tmp("venus-qtest-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "vnc", NULL);
    g_autofree char *log = g_build_filename(dir, "log", NULL);
    g_autofree char *args = g_strdup_printf("-vnc unix:%s 2>%s", path, log);
    Venus *v = venus_start_args(DEVICE ",max-memory=2G", args);
    g_autofree VncFrame *frame = g_new0(VncFrame, 1);
    g_autofree char *said = NULL;
    int fd = vnc_connect(path);
    uint32_t id, y;

    for (id = 1; id <= ARRAY_SIZE(sizes); id++) {
        uint32_t width = sizes[id - 1][0], height = sizes[id - 1][1];
        g_autofree uint8_t *rows = g_malloc0(width * 4 * 48);
        g_autofree uint8_t *pixels = g_malloc(64 * 48 * 4);
        uint64_t backing = guest_alloc(&v->alloc, width * 4 * 48);

        draw_picture(pixels, formats[0].bytes, 64, 48, 64 * 4);
        for (y = 0; y < 48; y++) {
            memcpy(rows + y * width * 4, pixels + y * 64 * 4, 64 * 4);
        }
        qtest_memwrite(v->qts, backing, rows, width * 4 * 48);
        assert_ok(create_2d(v, id, formats[0].virtio, width, height));
        assert_ok(attach(v, id, backing, width * 4 * 48));
        assert_ok(transfer(v, id, RECT(0, 0, width, 48), 0));
        assert_ok(set_scanout(v, 0, id, RECT(0, 0, width, height)));
        assert_ok(flush(v, id, RECT(0, 0, width, height)));
        vnc_wait_part(fd, frame, 5120, 2160, 64, 48);
        assert_ok(unref(v, id));
        guest_free(&v->alloc, backing);
    }
    close(fd);
    venus_stop(v);
    g_assert_true(g_file_get_contents(log, &said, NULL, NULL));
    g_assert_nonnull(strstr(said, "VNC shows the upper left 5120x2160 pixels "
                                  "of a picture of 7680x4320"));
    g_unlink(log);
    g_unlink(path);
    g_rmdir(dir);
}

static int count_words(const char *text, const char *word)
{
    int count = 0;

    while ((text = strstr(text, word))) {
        text += strlen(word);
        count++;
    }
    return count;
}

/* Without -nodefaults: the VGA that the user adds is the only one. */
static void test_default_vga(void)
{
    QTestState *qts = qtest_init("-M pc -m 64 -vga std "
                                 "-device virtio-gpu-venus-pci");
    g_autofree char *pci = qtest_hmp(qts, "info pci");

    /* how two are seen */
    g_assert_cmpint(count_words(pci, "VGA controller"), ==, 1);
    g_assert_cmpint(count_words(pci, "Display controller"), ==, 1);
    qtest_quit(qts);

    qts = qtest_init("-M pc -m 64 -device virtio-vga-venus,id=gpu");
    g_free(pci);
    pci = qtest_hmp(qts, "info pci");
    g_assert_cmpint(count_words(pci, "VGA controller"), ==, 1);
    g_assert_cmpint(count_words(pci, "isplay controller"), ==, 0);
    g_free(pci);
    pci = qtest_hmp(qts, "qom-get /backend/console[0] device");
    g_assert_nonnull(strstr(pci, "/machine/peripheral/gpu"));
    qtest_quit(qts);
}

/* QEMU's messages when it is started with these arguments, and exits. */
static char *start_and_fail(const char *args)
{
    g_autofree char *command = g_strdup_printf(
        "%s -M pc -accel qtest -display none -nodefaults %s",
        getenv("QTEST_QEMU_BINARY"), args);
    char *messages;
    int status;

    g_assert_true(g_spawn_command_line_sync(command, NULL, &messages, &status,
                                            NULL));
    g_assert_true(WIFEXITED(status));
    g_assert_cmpint(WEXITSTATUS(status), ==, 1);
    return messages;
}

static void test_errors(void)
{
    static const struct {
        const char *args;
        const char *message;
    } errors[] = {
        { "-device virtio-gpu-venus-pci -device virtio-gpu-venus-pci",
          "There is a virtio-gpu-venus device already" },
        { "-device virtio-gpu-venus-pci -device virtio-vga-venus",
          "There is a virtio-gpu-venus device already" },
        { "-device virtio-gpu-venus-pci,hostmem=300M",
          "hostmem=300M is not a power of two: use 256M or 512M" },
        { "-device virtio-vga-venus,hostmem=1537K",
          "hostmem=1537K is not a power of two: use 1M or 2M" },
        { "-device virtio-gpu-venus-pci,hostmem=4K",
          "hostmem=4K is not possible: use a power of two from 1M to 1T" },
        { "-device virtio-gpu-venus-pci,max_outputs=0",
          "max_outputs=0 is not possible: use 1 to 16" },
        { "-device virtio-gpu-venus-pci,max_outputs=17",
          "max_outputs=17 is not possible: use 1 to 16" },
        { "-device virtio-gpu-venus-pci,output0=large",
          "output0=large is not possible: use a size such as 1024x768, up to "
          "16384x16384, or one with a rate such as 1024x768@60, or off" },
        { "-device virtio-gpu-venus-pci,output0=1024x768@0.5",
          "output0=1024x768@0.5 is not possible: use a size such as" },
        { "-device virtio-vga-venus,max_outputs=2,output2=640x480",
          "There is no output2 with max_outputs=2: use max_outputs=3 or more" },
        { "-device virtio-gpu-venus-pci,render-server=/no/such/program",
          "/no/such/program" },
        { "-device virtio-gpu-venus-pci,render-server=fd:0x",
          "render-server=fd:0x is not a socket" },
        { "-device virtio-gpu-venus-pci,render-server=fd:2",
          "render-server=fd:2 is not a socket" },
        { "-only-migratable -device virtio-gpu-venus-pci",
          "virtio-gpu-venus is not migratable" },
    };
    int i;

    for (i = 0; i < ARRAY_SIZE(errors); i++) {
        g_autofree char *messages = start_and_fail(errors[i].args);

        if (!strstr(messages, errors[i].message)) {
            g_test_message("%s: %s", errors[i].args, messages);
            g_test_fail();
        }
    }
}

/* A render server that somebody else started, as a sandbox needs it */
static void test_render_server_fd(void)
{
    const char *server = getenv("VENUS_RENDER_SERVER");
    g_autofree char *options = NULL;
    g_autofree char *number = NULL;
    Venus *v;
    int fds[2];
    pid_t pid;

    server = server ?: "/usr/libexec/virgl_render_server";
    if (access(server, X_OK) < 0) {
        g_test_skip("no render server: set VENUS_RENDER_SERVER to its path");
        return;
    }
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), ==, 0);
    number = g_strdup_printf("%d", fds[1]);
    pid = fork();
    if (pid == 0) {
        close(fds[0]);
        execl(server, server, "--socket-fd", number, NULL);
        _exit(127);
    }
    close(fds[1]);

    options = g_strdup_printf(",render-server=fd:%d", fds[0]);
    v = venus_start(options);
    close(fds[0]);
    assert_ok(create_context(v, 1, VIRTIO_GPU_CAPSET_VENUS));
    assert_ok(create_shm(v, 1, 10, PAGE));
    assert_mapped(map_blob(v, 10, 0));
    window_write(v, 0, "handed over");
    assert_window(v, 0, "handed over");
    venus_stop(v);
    g_assert_cmpint(waitpid(pid, NULL, 0), ==, pid);
}

static uint32_t attach_resource(Venus *v, uint32_t context, uint32_t id)
{
    const struct virtio_gpu_ctx_resource cmd = {
        .hdr.type = VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE,
        .hdr.ctx_id = context,
        .resource_id = id,
    };

    return run(v, cmd);
}

static uint32_t submit(Venus *v, uint32_t context, const uint32_t *words,
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

/* A render server that never answers, and a sandbox that does not let one start */
static void test_no_server(void)
{
    g_autofree char *dir = g_dir_make_tmp("venus-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "server", NULL);
    g_autofree char *args = g_strdup_printf(
        "-device virtio-gpu-venus-pci,render-timeout=1000,render-server=%s",
        path);
    g_autofree char *hung = NULL;
    g_autofree char *denied = NULL;

    g_assert_true(g_file_set_contents(path, "#!/bin/sh\nexec sleep 100000\n",
                                      -1, NULL));
    g_assert_cmpint(g_chmod(path, 0700), ==, 0);
    hung = start_and_fail(args);
    g_assert_nonnull(strstr(hung, "The render server does not answer"));
    g_unlink(path);
    g_rmdir(dir);

#ifdef CONFIG_SECCOMP
    denied = start_and_fail("-sandbox on,spawn=deny "
                            "-device virtio-gpu-venus-pci");
    g_assert_nonnull(strstr(denied, "This process is in a sandbox"));
#endif
}

/* Where only privileges are denied, it starts. */
static void test_sandbox(void)
{
#ifdef CONFIG_SECCOMP
    Venus *v = venus_start_args(DEVICE, "-sandbox on,elevateprivileges=deny,"
                                        "obsolete=deny,resourcecontrol=deny");

    assert_ok(create_context(v, 1, VIRTIO_GPU_CAPSET_VENUS));
    assert_ok(create_shm(v, 1, 10, PAGE));
    venus_stop(v);
#else
    g_test_skip("this QEMU has no -sandbox");
#endif
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

static void test_skipped(const void *messages)
{
    g_test_skip(messages);
}

int main(int argc, char **argv)
{
    static const char regions[] = ",x-window-regions=on";
    /* addresses of the bus, which are the physical ones in this machine */
    static const char platform[] = ",iommu_platform=on";
    static const char shared[] =
        "-object memory-backend-memfd,id=mem,size=64M,share=on "
        "-machine memory-backend=mem";
    static const char swapchain[] =
        ",present=swapchain,present-target=offscreen";
    static const Shown drawn = { ",present=surface", "", false };
    static const Shown drawn_shared = { ",present=surface", shared, false };
    static const Shown presented = { swapchain, "", true };
    static const Shown presented_shared = { swapchain, shared, true };
    g_autofree char *messages = NULL;

    g_test_init(&argc, &argv, NULL);

    /* The second device never exists: does the first one? */
    messages = start_and_fail("-device virtio-gpu-venus-pci -device nothing");
    if (HOST_BIG_ENDIAN || !strstr(messages, "'nothing' is not a valid")) {
        qtest_add_data_func("virtio-gpu-venus/skipped", messages, test_skipped);
        return g_test_run();
    }

    qtest_add_func("virtio-gpu-venus/features", test_features);
    qtest_add_func("virtio-gpu-venus/no-window-no-edid",
                   test_no_window_no_edid);
    qtest_add_func("virtio-gpu-venus/display-info", test_display_info);
    qtest_add_data_func("virtio-gpu-venus/outputs/pci", DEVICE
                        ",max_outputs=3,xres=1111,yres=777,output2=640x480",
                        test_outputs);
    qtest_add_data_func("virtio-gpu-venus/outputs/vga",
                        "virtio-vga-venus,id=gpu,addr=04.0,hostmem=16M,"
                        "max_outputs=3,output0=1111x777,output2=640x480",
                        test_outputs);
    qtest_add_func("virtio-gpu-venus/edid", test_edid);
    qtest_add_func("virtio-gpu-venus/outputs/refresh", test_refresh);
    qtest_add_func("virtio-gpu-venus/outputs/fixed-size", test_fixed_size);
    qtest_add_func("virtio-gpu-venus/capsets", test_capsets);
    qtest_add_func("virtio-gpu-venus/properties", test_properties);
    qtest_add_func("virtio-gpu-venus/2d/resources", test_2d_resources);
    qtest_add_data_func("virtio-gpu-venus/2d/backing", "", test_2d_backing);
    qtest_add_data_func("virtio-gpu-venus/2d/backing-platform", platform,
                        test_2d_backing);
    qtest_add_data_func("virtio-gpu-venus/2d/many-pages-platform", platform,
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
    qtest_add_func("virtio-gpu-venus/contexts", test_contexts);
    qtest_add_func("virtio-gpu-venus/context-without-capset",
                   test_context_without_capset);
    qtest_add_func("virtio-gpu-venus/opengl-commands", test_opengl_commands);
    qtest_add_data_func("virtio-gpu-venus/blobs/auto", "", test_blobs);
    qtest_add_data_func("virtio-gpu-venus/blobs/regions", regions, test_blobs);
    qtest_add_data_func("virtio-gpu-venus/many-blobs/auto", "",
                        test_many_blobs);
    qtest_add_data_func("virtio-gpu-venus/many-blobs/regions", regions,
                        test_many_blobs);
    qtest_add_func("virtio-gpu-venus/blob-limits", test_blob_limits);
    qtest_add_func("virtio-gpu-venus/too-many-regions", test_too_many_regions);
    qtest_add_func("virtio-gpu-venus/refusals-and-reset",
                   test_refusals_and_reset);
    qtest_add_data_func("virtio-gpu-venus/scanout-blob/auto", "",
                        test_scanout_blob);
    qtest_add_data_func("virtio-gpu-venus/scanout-blob/regions", regions,
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
    qtest_add_func("virtio-gpu-venus/fences", test_fences);
    qtest_add_func("virtio-gpu-venus/bad-fences", test_bad_fences);
    qtest_add_data_func("virtio-gpu-venus/malformed", "", test_malformed);
    qtest_add_data_func("virtio-gpu-venus/malformed-platform", platform,
                        test_malformed);
    qtest_add_func("virtio-gpu-venus/scattered", test_scattered);
    qtest_add_func("virtio-gpu-venus/broken-queue", test_broken_queue);
    qtest_add_data_func("virtio-gpu-venus/reset/auto", "", test_reset);
    qtest_add_data_func("virtio-gpu-venus/reset/regions", regions, test_reset);
    qtest_add_func("virtio-gpu-venus/vga", test_vga);
    qtest_add_data_func("virtio-gpu-venus/dump/auto", "", test_dump);
    qtest_add_data_func("virtio-gpu-venus/dump/regions", regions, test_dump);
    qtest_add_func("virtio-gpu-venus/mem-lock", test_mem_lock);
    qtest_add_func("virtio-gpu-venus/default-vga", test_default_vga);
    qtest_add_func("virtio-gpu-venus/migration", test_migration);
#ifdef CONFIG_VNC
    qtest_add_func("virtio-gpu-venus/vnc", test_vnc);
    qtest_add_func("virtio-gpu-venus/vnc-large", test_vnc_large);
#endif
    qtest_add_func("virtio-gpu-venus/errors", test_errors);
    qtest_add_func("virtio-gpu-venus/render-server-fd", test_render_server_fd);
    qtest_add_func("virtio-gpu-venus/hang", test_hang);
    qtest_add_func("virtio-gpu-venus/no-server", test_no_server);
    qtest_add_func("virtio-gpu-venus/sandbox", test_sandbox);
    return g_test_run();
}
