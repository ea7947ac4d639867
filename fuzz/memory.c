/* SPDX-License-Identifier: MIT */
/*
 * Target: guest memory in pieces. What a guest describes as runs of its pages, translated or not, aligned or not, is
 * what is transferred and shown, byte by byte; what is not its memory is refused.
 *
 * The input is records (records.h). Of the header: a describes the machine. A record of kind RUN adds a run to a list,
 * and the others use the list: as the backing of 2D resource 1, of which parts are transferred, and as guest blob 2,
 * which is shown as rows of 16 pixels. What must come of it is worked out here, in the plainest way.
 */
#include <stdlib.h>
#include <string.h>

#include "../tests/unit/fake-renderer.h"
#include "base/protocol.h"
#include "faults.h"
#include "machine.h"
#include "records.h"
#include "steps.h"

enum kind {
    RUN,
    FORGET_RUNS,
    CREATE,
    ATTACH,
    DETACH,
    TRANSFER,
    BLOB,
    WRITE,
    FLUSH,
    MAPPING,
    KINDS
};
enum { MOST_RUNS = 64, MOST_SIDE = 48, ROW = 64, MOST_BYTES = MOST_RUNS * 4 * PAGE };

static struct {
    bool translates;
    struct virtio_gpu_mem_entry runs[MOST_RUNS];
    uint32_t num_runs;

    /* The picture: what it must look like, and the memory that it is made of. */
    uint32_t width, height;
    uint8_t pixels[MOST_SIDE * MOST_SIDE * 4];
    bool exists, attached;
    struct virtio_gpu_mem_entry backing[MOST_RUNS];
    uint32_t num_backing;

    bool blob;
    uint32_t blob_size;
    struct virtio_gpu_mem_entry blob_runs[MOST_RUNS];
    uint32_t num_blob_runs;
} guest;

static uint8_t expected[MOST_BYTES];

/* ---- what must come of it ------------------------------------------------------------------------ */

/* Where a byte of the guest's is in its memory; -1: nowhere. */
static int64_t place_of(uint64_t addr)
{
    uint64_t most = guest.translates ? 2 * (uint64_t)RAM_SIZE : RAM_SIZE;
    if (addr < RAM_ADDR || addr - RAM_ADDR >= most)
        return -1;
    return (int64_t)((addr - RAM_ADDR) % RAM_SIZE);
}

/* How many bytes the runs are, copied to `expected`; -1: they are not the guest's memory. */
static int64_t read_runs(const struct virtio_gpu_mem_entry *runs, uint32_t count)
{
    size_t size = 0;
    for (uint32_t i = 0; i < count; i++) {
        for (uint64_t k = 0; k < runs[i].length; k++, size++) {
            int64_t place = runs[i].addr > UINT64_MAX - k ? -1 : place_of(runs[i].addr + k);
            if (place < 0)
                return -1;
            if (size < sizeof(expected))
                expected[size] = (uint8_t)machine.ram[place];
        }
    }
    return (int64_t)size;
}

/* ---- commands ------------------------------------------------------------------------------------ */

static uint32_t send(const void *request, size_t size)
{
    machine_send(VENUS_GPU_QUEUE_CONTROL, request, size, sizeof(struct virtio_gpu_ctrl_hdr), 0, 0);
    steps_settle();
    if (machine_pending())
        complain("a command waits for nothing");
    return machine_response();
}

/* A command, and the list of runs behind it. */
static uint32_t send_with_runs(const void *request, size_t size)
{
    uint8_t bytes[sizeof(struct virtio_gpu_resource_create_blob) + sizeof(guest.runs)];
    memcpy(bytes, request, size);
    memcpy(bytes + size, guest.runs, guest.num_runs * sizeof(guest.runs[0]));
    return send(bytes, size + guest.num_runs * sizeof(guest.runs[0]));
}

static void expect(bool ok, uint32_t response, const char *what)
{
    if (ok != (response == VIRTIO_GPU_RESP_OK_NODATA))
        complain("%s is answered with 0x%x, and should %sdo", what, response, ok ? "" : "not ");
}

static void add_run(const struct record *r)
{
    if (guest.num_runs == MOST_RUNS)
        return;
    struct virtio_gpu_mem_entry *run = &guest.runs[guest.num_runs++];
    const struct virtio_gpu_mem_entry *before = guest.num_runs > 1 ? run - 1 : NULL;
    run->addr = RAM_ADDR + (uint64_t)(r->id & 127) * PAGE;
    run->length = ((r->other & 3) + 1u) * PAGE;
    if (r->flags & 1) /* not whole pages */
        run->addr += r->a & 0xfff;
    if (r->flags & 2)
        run->length = r->b & 0x1fff;
    if (r->flags & 4 && before) /* goes on where the last one ended */
        run->addr = before->addr + before->length;
    if (r->flags & 8 && r->flags & 16) /* nowhere near */
        run->addr = (uint64_t)r->c << 32 | r->a;
    if (r->flags & 32 && r->flags & 64)
        run->length = (r->b & 0xff) == 0 ? 0 : r->b;
    /* More than a machine has would take long to add up here. */
    if (run->length > 4 * PAGE && place_of(run->addr) >= 0)
        run->length = 4 * PAGE;
    run->padding = 0;
}

static void create(const struct record *r)
{
    const struct virtio_gpu_resource_unref unref = { .hdr.type = VIRTIO_GPU_CMD_RESOURCE_UNREF,
                                                     .resource_id = 1 };
    guest.width = r->a % MOST_SIDE + 1;
    guest.height = r->b % MOST_SIDE + 1;
    const struct virtio_gpu_resource_create_2d request = {
        .hdr.type = VIRTIO_GPU_CMD_RESOURCE_CREATE_2D,
        .resource_id = 1,
        .format = VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM,
        .width = guest.width,
        .height = guest.height,
    };
    const struct virtio_gpu_set_scanout show = {
        .hdr.type = VIRTIO_GPU_CMD_SET_SCANOUT,
        .r = { 0, 0, guest.width, guest.height },
        .resource_id = 1,
    };
    if (guest.exists)
        send(&unref, sizeof(unref));
    expect(true, send(&request, sizeof(request)), "RESOURCE_CREATE_2D");
    expect(true, send(&show, sizeof(show)), "SET_SCANOUT");
    guest.exists = true;
    guest.attached = false;
    memset(guest.pixels, 0, sizeof(guest.pixels));
}

static void attach(void)
{
    const struct virtio_gpu_resource_attach_backing request = {
        .hdr.type = VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING,
        .resource_id = 1,
        .nr_entries = guest.num_runs,
    };
    bool ok = guest.exists && !guest.attached && read_runs(guest.runs, guest.num_runs) >= 0;
    expect(ok, send_with_runs(&request, sizeof(request)), "RESOURCE_ATTACH_BACKING");
    if (!ok)
        return;
    guest.attached = true;
    memcpy(guest.backing, guest.runs, sizeof(guest.runs));
    guest.num_backing = guest.num_runs;
}

static void detach(void)
{
    const struct virtio_gpu_resource_detach_backing request = {
        .hdr.type = VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING, .resource_id = 1
    };
    expect(guest.exists && guest.attached, send(&request, sizeof(request)),
           "RESOURCE_DETACH_BACKING");
    guest.attached = false;
}

static void check_picture(void)
{
    const struct venus_gpu_frame *frame = machine_shown(0);
    if (!guest.exists)
        return;
    for (uint32_t y = 0; y < guest.height; y++) {
        if (memcmp((const char *)frame->pixels + (size_t)y * frame->stride,
                   guest.pixels + (size_t)y * guest.width * 4, (size_t)guest.width * 4) != 0)
            complain("row %u of the picture is not what was transferred", y);
    }
}

static void transfer(const struct record *r)
{
    struct virtio_gpu_transfer_to_host_2d request = {
        .hdr.type = VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D,
        .r = { r->a & 63, r->a >> 8 & 63, r->a >> 16 & 63, r->a >> 24 & 63 },
        .offset = r->flags & 1 ? (uint64_t)r->c << 32 | r->b : r->b & 0x7fff,
        .resource_id = 1,
    };
    const struct virtio_gpu_rect *rect = &request.r;
    bool ok = guest.exists && guest.attached && rect->x + rect->width <= guest.width &&
              rect->y + rect->height <= guest.height;
    uint64_t stride = (uint64_t)guest.width * 4, row = (uint64_t)rect->width * 4;
    if (ok && rect->width && rect->height) {
        uint64_t size = stride * (rect->height - 1) + row;
        uint64_t there = (uint64_t)read_runs(guest.backing, guest.num_backing);
        ok = request.offset <= there && size <= there - request.offset;
    }
    expect(ok, send(&request, sizeof(request)), "TRANSFER_TO_HOST_2D");
    for (uint32_t y = 0; ok && rect->width && y < rect->height; y++)
        memcpy(guest.pixels + (rect->y + y) * stride + (uint64_t)rect->x * 4,
               expected + request.offset + y * stride, row);
    check_picture();
}

/* A blob shows what the guest's memory holds now, once it was flushed. */
static void check_blob(void)
{
    const struct venus_gpu_frame *frame = machine_shown(1);
    if (!guest.blob || !frame)
        return;
    read_runs(guest.blob_runs, guest.num_blob_runs);
    uint32_t rows = guest.blob_size / ROW;
    if (frame->height != rows || memcmp(frame->pixels, expected, (size_t)rows * ROW) != 0)
        complain("a blob does not look like the guest's memory");
}

static void make_blob(const struct record *r)
{
    const struct virtio_gpu_resource_unref unref = { .hdr.type = VIRTIO_GPU_CMD_RESOURCE_UNREF,
                                                     .resource_id = 2 };
    const struct virtio_gpu_resource_create_blob request = {
        .hdr.type = VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB,
        .resource_id = 2,
        .blob_mem = VIRTIO_GPU_BLOB_MEM_GUEST,
        .nr_entries = guest.num_runs,
        .size = r->a & 0xffff,
    };
    if (guest.blob)
        send(&unref, sizeof(unref));
    int64_t there = read_runs(guest.runs, guest.num_runs);
    guest.blob = there >= 0 && guest.num_runs && request.size && request.size <= (uint64_t)there;
    expect(guest.blob, send_with_runs(&request, sizeof(request)), "RESOURCE_CREATE_BLOB");
    guest.blob_size = (uint32_t)request.size;
    memcpy(guest.blob_runs, guest.runs, sizeof(guest.runs));
    guest.num_blob_runs = guest.num_runs;
    uint32_t rows = guest.blob_size / ROW;
    const struct virtio_gpu_set_scanout_blob show = {
        .hdr.type = VIRTIO_GPU_CMD_SET_SCANOUT_BLOB,
        .r = { 0, 0, ROW / 4, rows },
        .scanout_id = 1,
        .resource_id = 2,
        .width = ROW / 4,
        .height = rows,
        .format = VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM,
        .strides = { ROW },
    };
    if (guest.blob)
        expect(rows > 0, send(&show, sizeof(show)), "SET_SCANOUT_BLOB");
    check_blob();
}

static void flush(void)
{
    const struct virtio_gpu_resource_flush request = {
        .hdr.type = VIRTIO_GPU_CMD_RESOURCE_FLUSH,
        .r = { 0, 0, ROW / 4, guest.blob_size / ROW },
        .resource_id = 2,
    };
    expect(guest.blob, send(&request, sizeof(request)), "RESOURCE_FLUSH");
    check_blob();
}

static void write_memory(const struct record *r)
{
    size_t at = r->a % RAM_SIZE, size = r->c % (2 * PAGE);
    if (size > RAM_SIZE - at)
        size = RAM_SIZE - at;
    for (size_t i = 0; i < size; i++)
        machine.ram[at + i] = (char)(r->b + i);
}

static void run_record(const struct record *r)
{
    switch ((enum kind)(r->kind % KINDS)) {
    case RUN:
        add_run(r);
        break;
    case FORGET_RUNS:
        guest.num_runs = r->a & 1 ? 0 : guest.num_runs / 2;
        break;
    case CREATE:
        create(r);
        break;
    case ATTACH:
        attach();
        break;
    case DETACH:
        detach();
        break;
    case TRANSFER:
        transfer(r);
        break;
    case BLOB:
        make_blob(r);
        break;
    case WRITE:
        write_memory(r);
        break;
    case FLUSH:
        flush();
        break;
    case MAPPING:
        machine.map_piece = (uint64_t)(r->a & 3) * (r->flags & 1 ? 1000 : PAGE);
        machine.translate_piece = r->b & 3;
        break;
    case KINDS:
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct record header, records[MOST_RECORDS];
    size_t count = records_read(data, size, &header, records);
    struct machine_options options;
    machine_describe(&options);
    options.private_ram = header.a & 1;
    options.translates = header.a >> 1 & 1;
    memset(&guest, 0, sizeof(guest));
    guest.translates = options.translates;
    unsetenv("VENUS_GPU_POLL_FENCES");
    steps_begin();
    faults_forget();
    fake_reset();
    if (!machine_start(&options))
        complain("the machine did not start");
    for (size_t i = 0; i < count; i++)
        run_record(&records[i]);
    machine_stop();
    steps_end();
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed)
{
    return records_mutate(data, size, most, seed, KINDS);
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *one, size_t one_size, const uint8_t *two,
                                 size_t two_size, uint8_t *out, size_t most, unsigned seed)
{
    return records_cross(one, one_size, two, two_size, out, most, seed);
}
