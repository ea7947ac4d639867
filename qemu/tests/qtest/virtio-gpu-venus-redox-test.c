/*
 * virtio-gpu-venus, driven as Redox OS drives it
 *
 * A replay of what its driver virtio-gpud sends, command for command, since no
 * Redox can be booted here. What sets it apart from Linux: it accepts
 * VIRTIO_F_VERSION_1 and no other feature; one MSI-X vector serves both queues;
 * one command is on its way at a time, and the next is sent when its interrupt
 * has come; descriptors are used round and round; the entries of a backing are
 * in a descriptor of their own, each rounded up to pages; there is no room for
 * an answer on the cursor queue; and answers go where a header is already,
 * which may have the fence flag on. It ends at the first answer that is not OK.
 *
 * There were two orders. At first every picture was 1920x1080 whatever the
 * output said, and a scanout was set before the transfer; now the picture has
 * the output's size, and is transferred first. Both are replayed.
 *
 * Each virtual terminal has a resource and a pointer, which stay. Drawing
 * transfers all of a picture, however little was damaged, and flushes the
 * damage.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <glib/gstdio.h>
#include "libqtest.h"
#include "libqos/libqos-malloc.h"
#include "libqos/malloc-pc.h"
#include "libqos/pci-pc.h"
#include "libqos/virtio.h"
#include "libqos/virtio-pci.h"
#include "qemu/bswap.h"
#include "qemu/host-utils.h"
#include "qemu/units.h"
#include "qobject/qdict.h"
#include "qobject/qnum.h"
#include "standard-headers/linux/pci_regs.h"
#include "standard-headers/linux/virtio_config.h"
#include "standard-headers/linux/virtio_gpu.h"

#define TIMEOUT_US (30 * G_USEC_PER_SEC)
#define PAGE 4096
#define MAX_CHUNK (4 * MiB)
#define CURSOR_SIDE 64
#define QOM_PATH "/machine/peripheral/gpu/virtio-backend"

enum { CONTROL, CURSOR, NUM_QUEUES };

/* Which Redox, and what the device is told */
typedef struct Replay {
    const char *options;
    uint32_t width, height;     /* of the output */
    bool old;
} Replay;

typedef struct Redox {
    const Replay *replay;
    QTestState *qts;
    QGuestAllocator alloc;
    QPCIBus *bus;
    QVirtioPCIDevice *dev;
    QVirtQueue *vq[NUM_QUEUES];
    uint32_t width, height;     /* of its pictures */
    uint32_t last_id;           /* of a resource */
    uint32_t active;            /* resource on the scanout */
    uint64_t requests, answers; /* pages, used again and again */
} Redox;

/* A contiguous piece of guest memory */
typedef struct Chunk {
    uint64_t addr;
    size_t size;
} Chunk;

typedef struct Buffer {
    uint32_t id;
    size_t size;
    Chunk chunks[16];
    int num_chunks;
    uint8_t *pixels;            /* what was drawn into it, in B, G, R, X */
} Buffer;

/* A virtual terminal */
typedef struct Terminal {
    Buffer picture, pointer;
} Terminal;

/*
 * The device
 */

static void redox_start(Redox *r)
{
    QVirtioDevice *vdev = &r->dev->vdev;
    QVirtQueuePCI *vqpci[NUM_QUEUES];
    int i;

    qpci_msix_enable(r->dev->pdev);
    qvirtio_start_device(vdev);
    g_assert_cmphex(qvirtio_get_features(vdev) & (1ull << VIRTIO_F_VERSION_1),
                    !=, 0);
    qvirtio_set_features(vdev, 1ull << VIRTIO_F_VERSION_1);
    for (i = 0; i < NUM_QUEUES; i++) {
        r->vq[i] = qvirtqueue_setup(vdev, &r->alloc, i);
        vqpci[i] = container_of(r->vq[i], QVirtQueuePCI, vq);
        qvirtqueue_pci_msix_setup(r->dev, vqpci[i], &r->alloc, 0);
        /* the last descriptor's successor is the first */
        qtest_writew(r->qts, r->vq[i]->desc + 16 * (r->vq[i]->size - 1) + 14,
                     0);
    }
    /* The table's one entry has the address that came last. */
    vqpci[CONTROL]->msix_addr = vqpci[CURSOR]->msix_addr;
    qtest_writel(r->qts, vqpci[CURSOR]->msix_addr, 0);
    qvirtio_set_driver_ok(vdev);
}

static Redox *redox_new(const Replay *replay)
{
    Redox *r = g_new0(Redox, 1);
    QPCIAddress addr = { .devfn = QPCI_DEVFN(4, 0) };

    r->replay = replay;
    r->qts = qtest_initf("-M pc -m 64 -nodefaults -device virtio-gpu-venus-pci,"
                         "id=gpu,addr=04.0,hostmem=16M,xres=%u,yres=%u%s",
                         replay->width, replay->height, replay->options);
    pc_alloc_init(&r->alloc, r->qts, 0);
    r->bus = qpci_new_pc(r->qts, &r->alloc);
    r->dev = virtio_pci_new(r->bus, &addr);
    g_assert_nonnull(r->dev);
    /* virtio 1, and what the driver knows the device by */
    g_assert_cmphex(qpci_config_readw(r->dev->pdev, PCI_VENDOR_ID), ==, 0x1af4);
    g_assert_cmphex(qpci_config_readw(r->dev->pdev, PCI_DEVICE_ID), ==, 0x1050);
    qvirtio_pci_device_enable(r->dev);
    r->requests = guest_alloc(&r->alloc, PAGE);
    r->answers = guest_alloc(&r->alloc, PAGE);
    redox_start(r);
    return r;
}

static void redox_free(Redox *r)
{
    int i;

    qvirtio_reset(&r->dev->vdev);
    for (i = 0; i < NUM_QUEUES; i++) {
        qvirtqueue_cleanup(r->dev->vdev.bus, r->vq[i], &r->alloc);
    }
    qpci_msix_disable(r->dev->pdev);
    qvirtio_pci_device_disable(r->dev);
    g_free(r->dev->pdev);
    g_free(r->dev);
    qpci_free_pc(r->bus);
    alloc_destroy(&r->alloc);
    qtest_quit(r->qts);
    g_free(r);
}

static uint64_t get_stat(Redox *r, const char *name)
{
    QDict *resp = qtest_qmp(r->qts, "{'execute': 'qom-get', 'arguments': "
                            "{'path': %s, 'property': %s}}", QOM_PATH, name);
    uint64_t value = qnum_get_uint(qobject_to(QNum, qdict_get(resp, "return")));

    qobject_unref(resp);
    return value;
}

/*
 * Commands
 */

static void add(Redox *r, QVirtQueue *vq, uint64_t addr, size_t size,
                bool write, bool next)
{
    qvirtqueue_add(r->qts, vq, addr, size, write, next);
    vq->free_head %= vq->size;
    vq->num_free = vq->size;    /* nothing else is on its way */
}

/*
 * Send a command, perhaps in two parts, and wait for the interrupt; then it has
 * been done.  No room for an answer: @answer is NULL.
 */
static void send_parts(Redox *r, int queue, const void *cmd, size_t size,
                       uint64_t more, size_t more_size,
                       void *answer, size_t answer_size)
{
    QVirtioDevice *vdev = &r->dev->vdev;
    QVirtQueue *vq = r->vq[queue];
    uint32_t head = vq->free_head, done, written;

    qtest_memwrite(r->qts, r->requests, cmd, size);
    add(r, vq, r->requests, size, false, more || answer);
    if (more) {
        add(r, vq, more, more_size, false, answer != NULL);
    }
    if (answer) {
        qtest_memwrite(r->qts, r->answers, answer, answer_size);
        add(r, vq, r->answers, answer_size, true, false);
    }
    qvirtqueue_kick(r->qts, vdev, vq, head);
    qvirtio_wait_queue_isr(r->qts, vdev, vq, TIMEOUT_US);
    g_assert_true(qvirtqueue_get_buf(r->qts, vq, &done, &written));
    g_assert_cmpuint(done, ==, head);
    g_assert_cmpuint(written, ==, answer_size);
    g_assert_false(qvirtqueue_get_buf(r->qts, vq, &done, &written));
    if (answer) {
        qtest_memread(r->qts, r->answers, answer, answer_size);
    }
}

/* All of the answer is the device's: nothing is left of what was there. */
static void send_control(Redox *r, const void *cmd, size_t size,
                         uint64_t more, size_t more_size, bool fenced)
{
    struct virtio_gpu_ctrl_hdr answer = {
        .flags = cpu_to_le32(fenced ? VIRTIO_GPU_FLAG_FENCE : 0),
    };

    send_parts(r, CONTROL, cmd, size, more, more_size, &answer, sizeof(answer));
    g_assert_cmphex(le32_to_cpu(answer.type), ==, VIRTIO_GPU_RESP_OK_NODATA);
    g_assert_cmphex(le32_to_cpu(answer.flags), ==, 0);
    g_assert_cmpuint(le64_to_cpu(answer.fence_id), ==, 0);
    g_assert_cmpuint(le32_to_cpu(answer.ctx_id), ==, 0);
}

#define send_plain(r, cmd) send_control(r, &(cmd), sizeof(cmd), 0, 0, false)

static void get_display_info(Redox *r)
{
    const struct virtio_gpu_ctrl_hdr cmd = {
        .type = cpu_to_le32(VIRTIO_GPU_CMD_GET_DISPLAY_INFO),
    };
    struct virtio_gpu_resp_display_info info = {
        .hdr.type = cpu_to_le32(VIRTIO_GPU_CMD_GET_DISPLAY_INFO),
    };

    g_assert_cmpuint(qvirtio_config_readl(&r->dev->vdev, 8), ==, 1);
    send_parts(r, CONTROL, &cmd, sizeof(cmd), 0, 0, &info, sizeof(info));
    g_assert_cmphex(le32_to_cpu(info.hdr.type), ==,
                    VIRTIO_GPU_RESP_OK_DISPLAY_INFO);
    r->width = le32_to_cpu(info.pmodes[0].r.width);
    r->height = le32_to_cpu(info.pmodes[0].r.height);
    g_assert_cmpuint(r->width, ==, r->replay->width);
    g_assert_cmpuint(r->height, ==, r->replay->height);
    if (r->replay->old) {
        r->width = 1920;
        r->height = 1080;
    }
}

static void transfer(Redox *r, uint32_t id, uint32_t width, uint32_t height,
                     bool fenced)
{
    const struct virtio_gpu_transfer_to_host_2d cmd = {
        .hdr.type = cpu_to_le32(VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D),
        .r.width = cpu_to_le32(width),
        .r.height = cpu_to_le32(height),
        .resource_id = cpu_to_le32(id),
    };

    send_control(r, &cmd, sizeof(cmd), 0, 0, fenced);
}

static void set_scanout(Redox *r, uint32_t id)
{
    const struct virtio_gpu_set_scanout cmd = {
        .hdr.type = cpu_to_le32(VIRTIO_GPU_CMD_SET_SCANOUT),
        .r.width = cpu_to_le32(r->width),
        .r.height = cpu_to_le32(r->height),
        .resource_id = cpu_to_le32(id),
    };

    send_plain(r, cmd);
    r->active = id;
}

static void flush(Redox *r, uint32_t id, uint32_t x, uint32_t y,
                  uint32_t width, uint32_t height)
{
    const struct virtio_gpu_resource_flush cmd = {
        .hdr.type = cpu_to_le32(VIRTIO_GPU_CMD_RESOURCE_FLUSH),
        .r.x = cpu_to_le32(x),
        .r.y = cpu_to_le32(y),
        .r.width = cpu_to_le32(width),
        .r.height = cpu_to_le32(height),
        .resource_id = cpu_to_le32(id),
    };

    send_plain(r, cmd);
}

/*
 * Memory
 */

/*
 * As much as @size bytes need, in pieces of powers of two that lie apart, and
 * the other way round: who took them for one piece would see another picture.
 */
static void allocate(Redox *r, Buffer *buffer, size_t size, uint8_t fill)
{
    size_t left = ROUND_UP(size, PAGE);
    int i;

    buffer->size = size;
    buffer->pixels = g_malloc(size);
    memset(buffer->pixels, fill, size);
    while (left) {
        size_t chunk = MIN(MAX_CHUNK, pow2floor(left));

        g_assert_cmpint(buffer->num_chunks, <, ARRAY_SIZE(buffer->chunks));
        buffer->chunks[buffer->num_chunks++].size = chunk;
        left -= chunk;
    }
    for (i = buffer->num_chunks - 1; i >= 0; i--) {
        Chunk *chunk = &buffer->chunks[i];

        chunk->addr = guest_alloc(&r->alloc, chunk->size);
        guest_alloc(&r->alloc, PAGE);
        qtest_memset(r->qts, chunk->addr, fill, chunk->size);
    }
}

/* What was drawn at @offset of the buffer is written to guest memory. */
static void write_back(Redox *r, Buffer *buffer, size_t offset, size_t size)
{
    const Chunk *chunk = buffer->chunks;
    size_t at = offset, end = offset + size;

    while (size) {
        size_t part;

        for (; at >= chunk->size; chunk++) {
            at -= chunk->size;
        }
        part = MIN(chunk->size - at, size);
        qtest_bufwrite(r->qts, chunk->addr + at, buffer->pixels + end - size,
                       part);
        at += part;
        size -= part;
    }
}

static void create(Redox *r, Buffer *buffer, uint32_t width, uint32_t height,
                   uint8_t fill, bool fenced)
{
    const struct virtio_gpu_resource_create_2d create_2d = {
        .hdr.type = cpu_to_le32(VIRTIO_GPU_CMD_RESOURCE_CREATE_2D),
        .resource_id = cpu_to_le32(r->last_id + 1),
        .format = cpu_to_le32(VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM),
        .width = cpu_to_le32(width),
        .height = cpu_to_le32(height),
    };
    struct virtio_gpu_resource_attach_backing attach = {
        .hdr.type = cpu_to_le32(VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING),
        .resource_id = cpu_to_le32(r->last_id + 1),
    };
    struct virtio_gpu_mem_entry entries[ARRAY_SIZE(buffer->chunks)] = {};
    uint64_t there = guest_alloc(&r->alloc, sizeof(entries));
    size_t size;
    int i;

    buffer->id = ++r->last_id;
    allocate(r, buffer, width * height * 4, fill);
    send_control(r, &create_2d, sizeof(create_2d), 0, 0, fenced);

    for (i = 0; i < buffer->num_chunks; i++) {
        entries[i].addr = cpu_to_le64(buffer->chunks[i].addr);
        entries[i].length = cpu_to_le32(buffer->chunks[i].size);
    }
    attach.nr_entries = cpu_to_le32(buffer->num_chunks);
    size = buffer->num_chunks * sizeof(entries[0]);
    qtest_memwrite(r->qts, there, entries, size);
    send_control(r, &attach, sizeof(attach), there, size, fenced);
    guest_free(&r->alloc, there);
}

/*
 * Pictures
 */

static void assert_shown(Redox *r, const Terminal *vt)
{
    g_autofree char *path = NULL;
    g_autofree char *file = NULL;
    const uint8_t *drawn = vt->picture.pixels, *shown;
    int fd = g_file_open_tmp("venus-redox-XXXXXX.ppm", &path, NULL);
    uint32_t width, height, i;
    int header = 0;
    gsize size;

    g_assert_cmpint(fd, >=, 0);
    close(fd);
    qtest_qmp_assert_success(r->qts, "{'execute': 'screendump', 'arguments': "
                             "{'filename': %s, 'device': 'gpu'}}", path);
    g_assert_true(g_file_get_contents(path, &file, &size, NULL));
    g_unlink(path);
    g_assert_cmpint(sscanf(file, "P6\n%u %u\n255%n", &width, &height, &header),
                    ==, 2);
    header++;                   /* one white space */
    g_assert_cmpuint(width, ==, r->width);
    g_assert_cmpuint(height, ==, r->height);
    g_assert_cmpuint(size, ==, header + width * height * 3);
    shown = (uint8_t *)file + header;
    for (i = 0; i < width * height; i++) {
        const uint8_t *pixel = drawn + i * 4, *rgb = shown + i * 3;

        if (rgb[0] != pixel[2] || rgb[1] != pixel[1] || rgb[2] != pixel[0]) {
            g_error("pixel %u,%u is %02x%02x%02x instead of %02x%02x%02x",
                    i % width, i / width, rgb[0], rgb[1], rgb[2],
                    pixel[2], pixel[1], pixel[0]);
        }
    }
}

/* Draw into the terminal's memory; the device is not told. */
static void draw(Redox *r, Terminal *vt, uint32_t left, uint32_t top,
                 uint32_t width, uint32_t height, uint8_t seed)
{
    uint32_t x, y;

    for (y = top; y < top + height; y++) {
        size_t row = (y * r->width + left) * 4;

        for (x = left; x < left + width; x++) {
            uint8_t *pixel = vt->picture.pixels + (y * r->width + x) * 4;

            pixel[0] = x * 3 + y + seed;
            pixel[1] = x + y * 5 + seed * 7;
            pixel[2] = (x ^ y) + seed * 13;
            pixel[3] = x * 11 + y;
        }
        write_back(r, &vt->picture, row, width * 4);
    }
}

/* Show the terminal, as far as it is damaged. */
static void update(Redox *r, Terminal *vt, uint32_t x, uint32_t y,
                   uint32_t width, uint32_t height)
{
    uint32_t id = vt->picture.id;

    transfer(r, id, r->width, r->height, false);
    if (r->active != id) {
        set_scanout(r, id);
    }
    flush(r, id, x, y, width, height);
    assert_shown(r, vt);
}

static void paint(Redox *r, Terminal *vt, uint32_t x, uint32_t y,
                  uint32_t width, uint32_t height, uint8_t seed)
{
    draw(r, vt, x, y, width, height, seed);
    update(r, vt, x, y, width, height);
}

/*
 * Pointers and terminals
 */

/* All of a pointer's life is on the cursor queue, but for its pixels. */
static void send_cursor(Redox *r, uint32_t type, uint32_t id, int32_t x,
                        int32_t y, uint32_t hot_x, uint32_t hot_y)
{
    const struct virtio_gpu_update_cursor cmd = {
        .hdr.type = cpu_to_le32(type),
        .pos.x = cpu_to_le32(x),
        .pos.y = cpu_to_le32(y),
        .resource_id = cpu_to_le32(id),
        .hot_x = cpu_to_le32(hot_x),
        .hot_y = cpu_to_le32(hot_y),
    };

    send_parts(r, CURSOR, &cmd, sizeof(cmd), 0, 0, NULL, 0);
}

static void update_pointer(Redox *r, Terminal *vt, int32_t x, int32_t y,
                           uint32_t hot_x, uint32_t hot_y)
{
    uint64_t before = get_stat(r, "stat-cursor-updates");

    transfer(r, vt->pointer.id, CURSOR_SIDE, CURSOR_SIDE, true);
    send_cursor(r, VIRTIO_GPU_CMD_UPDATE_CURSOR, vt->pointer.id, x, y, hot_x,
                hot_y);
    g_assert_cmpuint(get_stat(r, "stat-cursor-updates"), ==, before + 1);
}

static void move_pointer(Redox *r, int32_t x, int32_t y)
{
    send_cursor(r, VIRTIO_GPU_CMD_MOVE_CURSOR, 0, x, y, 0, 0);
}

/* White, with a pointer that is nothing yet */
static Terminal *terminal_new(Redox *r)
{
    Terminal *vt = g_new0(Terminal, 1);

    create(r, &vt->picture, r->width, r->height, 0xff, false);
    create(r, &vt->pointer, CURSOR_SIDE, CURSOR_SIDE, 0, true);
    transfer(r, vt->pointer.id, CURSOR_SIDE, CURSOR_SIDE, true);
    return vt;
}

static void terminal_free(Redox *r, Terminal *vt)
{
    const struct virtio_gpu_resource_unref cmd = {
        .hdr.type = cpu_to_le32(VIRTIO_GPU_CMD_RESOURCE_UNREF),
        .resource_id = cpu_to_le32(vt->picture.id),
    };

    send_plain(r, cmd);
    g_free(vt->picture.pixels);
    g_free(vt->pointer.pixels);
    g_free(vt);
}

/* The user comes to a terminal. */
static void activate(Redox *r, Terminal *vt)
{
    if (r->replay->old) {
        set_scanout(r, vt->picture.id);
    }
    update(r, vt, 0, 0, r->width, r->height);
    update_pointer(r, vt, 0, 0, 0, 0);
}

static void test_replay(const void *data)
{
    Redox *r = redox_new(data);
    Terminal *log, *desktop;
    int i;

    get_display_info(r);

    /* the first terminal: the boot log, a line at a time */
    log = terminal_new(r);
    activate(r, log);
    for (i = 0; i < 4; i++) {
        paint(r, log, 0, i * 16, r->width, 16, i);
    }

    /* the second: a desktop; a window, and the picture's last pixels */
    desktop = terminal_new(r);
    activate(r, desktop);
    paint(r, desktop, 0, 0, r->width, r->height, 40);
    paint(r, desktop, 101, 57, 333, 211, 41);
    paint(r, desktop, r->width - 1, r->height - 1, 1, 1, 42);
    /* damage that is clipped away, as of a window beyond the edge */
    update(r, desktop, r->width, r->height, 0, 0);

    /* its pointer gets an image, moves, and leaves at the left and the top */
    memset(desktop->pointer.pixels, 0x80, CURSOR_SIDE * 4 * 24);
    write_back(r, &desktop->pointer, 0, desktop->pointer.size);
    update_pointer(r, desktop, 300, 200, 3, 4);
    for (i = 0; i < 100; i++) {
        move_pointer(r, 300 - i * 4, 200 - i * 3);
    }
    g_assert_cmpuint(get_stat(r, "stat-cursor-updates"), ==, 3);
    assert_shown(r, desktop);

    /* what is drawn behind it is seen when it is back, and not before */
    draw(r, log, 0, 64, r->width, 16, 4);
    paint(r, desktop, 500, 300, 64, 64, 43);
    activate(r, log);
    paint(r, log, 0, 80, r->width, 16, 5);
    activate(r, desktop);

    /* more commands than the table has descriptors, one at a time */
    for (i = 0; i < 150; i++) {
        draw(r, desktop, i * 4, 400, 4, 4, i);
        transfer(r, desktop->picture.id, r->width, r->height, false);
        flush(r, desktop->picture.id, i * 4, 400, 4, 4);
    }
    assert_shown(r, desktop);

    g_assert_cmpuint(get_stat(r, "stat-resources"), ==, 4);
    terminal_free(r, log);
    assert_shown(r, desktop);
    terminal_free(r, desktop);
    g_assert_cmpuint(get_stat(r, "stat-resources"), ==, 2);
    redox_free(r);
}

static void test_skipped(const void *messages)
{
    g_test_skip(messages);
}

/* Why there can be no device, or NULL */
static char *why_not(void)
{
    /* Two cannot be in one QEMU: the second fails once the first is there. */
    g_autofree char *command = g_strdup_printf(
        "%s -M pc -accel qtest -display none -nodefaults "
        "-device virtio-gpu-venus-pci -device nothing",
        getenv("QTEST_QEMU_BINARY"));
    char *messages;

    g_assert_true(g_spawn_command_line_sync(command, NULL, &messages, NULL,
                                            NULL));
    if (!HOST_BIG_ENDIAN && strstr(messages, "'nothing' is not a valid")) {
        g_clear_pointer(&messages, g_free);
    }
    return messages;
}

int main(int argc, char **argv)
{
    static const Replay old = { "", 1280, 800, true };
    /* 1722 pages and a half */
    static const Replay now = { "", 1680, 1050, false };
    static const Replay full = { "", 1920, 1080, false };
    static const Replay presented = {
        ",present=swapchain,present-target=offscreen", 1920, 1080, false,
    };
    g_autofree char *messages = NULL;

    g_test_init(&argc, &argv, NULL);
    messages = why_not();
    if (messages) {
        qtest_add_data_func("virtio-gpu-venus/redox/skipped", messages,
                            test_skipped);
        return g_test_run();
    }
    qtest_add_data_func("virtio-gpu-venus/redox/fixed-size", &old, test_replay);
    qtest_add_data_func("virtio-gpu-venus/redox/half-page", &now, test_replay);
    qtest_add_data_func("virtio-gpu-venus/redox/1920x1080", &full, test_replay);
    qtest_add_data_func("virtio-gpu-venus/redox/presented", &presented,
                        test_replay);
    return g_test_run();
}
