/* SPDX-License-Identifier: MIT */
/*
 * Target: the public header's structures, of all sizes and with anything in them, and what a guest reads of them: the
 * configuration, and the EDID, which is taken apart.
 *
 * The input is records (records.h). The header is what venus_gpu_create() is given: a the configuration's size (its lower
 * half) and the callbacks', c what else is in them. A structure's memory ends where its size says, so that
 * AddressSanitizer sees a byte too far; of one whose size no release had there is the member `size` alone. Pointers in
 * them are good ones.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../tests/unit/fake-renderer.h"
#include "base/edid.h"
#include "base/protocol.h"
#include "base/sized.h"
#include "device/device.h"
#include "faults.h"
#include "machine.h"
#include "records.h"
#include "steps.h"

enum kind { SET_OUTPUT, SUBMIT, PRESENT, STATS, EDID, READ_CONFIG, WRITE_CONFIG, ASK, KINDS };

static struct venus_gpu *gpu;

/* ---- structures ---------------------------------------------------------------------------------- */

/* Bytes that a number makes: mostly zeroes, since what is not known must be zero. */
static void fill(void *data, size_t size, uint32_t seed)
{
    uint8_t *bytes = data;
    memset(bytes, 0, size);
    for (size_t i = 0; seed && i < size; i++) {
        seed = seed * 1664525 + 1013904223;
        if (seed >> 30 == 0)
            bytes[i] = (uint8_t)(seed >> 16);
    }
}

/* A size near ours, one of any other release, or none. */
static size_t size_of(uint32_t number, size_t ours)
{
    switch (number & 3) {
    case 0:
        return ours;
    case 1:
        return ours + (number >> 2 & 63) - 32;
    case 2:
        return number >> 2 & 0x1fff;
    default:
        return (size_t)number << 20;
    }
}

/* A structure of that size: ours, and then the tail. `least`: what is read of any. */
static void *make(const void *ours, size_t our_size, size_t size, size_t least, uint32_t tail)
{
    size_t room = size > SIZE_MOST || size < least ? least : size;
    char *made = malloc(room ? room : 1);
    memset(made, 0, room);
    memcpy(made, ours, room < our_size ? room : our_size);
    if (room > our_size)
        fill(made + our_size, room - our_size, tail);
    return made;
}

/* ---- callbacks ----------------------------------------------------------------------------------- */

static void *map_guest(void *opaque, uint64_t addr, uint64_t *len)
{
    (void)opaque, (void)addr, (void)len;
    return NULL;
}

static void unmap_guest(void *opaque, void *ptr, uint64_t len)
{
    (void)opaque, (void)ptr, (void)len;
}

static unsigned answers;

static void command_done(void *opaque, void *tag, uint32_t written)
{
    (void)opaque, (void)tag, (void)written;
    answers++;
}

static void config_changed(void *opaque)
{
    (void)opaque;
}

static void write_line(void *opaque, enum venus_gpu_log_level level, const char *message)
{
    (void)opaque, (void)level;
    (void)strlen(message);
}

static void present_ended(void *opaque, unsigned scanout, const char *why)
{
    (void)opaque, (void)scanout, (void)why;
}

static void thread_happens(void *opaque, enum venus_gpu_thread kind)
{
    (void)opaque, (void)kind;
}

/* ---- a device ------------------------------------------------------------------------------------ */

/* A descriptor as a careless front end may give: none, one of another kind, or a good one. */
static int server_fd(uint32_t seed)
{
    int fds[2];
    switch (seed & 7) {
    case 0:
        return pipe(fds) < 0 || close(fds[1]) < 0 ? -1 : fds[0];
    case 1:
        return socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0 || close(fds[1]) < 0 ? -1 : fds[0];
    case 2:
        return socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds) < 0 || close(fds[1]) < 0 ? -1 : fds[0];
    default:
        return -1 - (int)(seed >> 3 & 3);
    }
}

static void describe(const struct record *header, struct venus_gpu_config *config)
{
    static const char *const servers[] = {
        NULL, NULL, NULL, "/bin/true", "/nowhere", "unix:", "unix:/nowhere", ""
    };
    uint32_t seed = header->c;
    size_t size = size_of(header->a & 0xffff, sizeof(*config));
    venus_gpu_config_init(config);
    if (seed & 1)
        fill(config, sizeof(*config), seed);
    if (seed >> 1 & 3)
        config->num_outputs = seed >> 3 & 31;
    if (!(seed >> 8 & 3))
        config->window_size = (uint64_t)(seed >> 10) << 12; /* whole pages */
    config->window_size %= UINT64_C(1) << 40;
    config->present_mode = (enum venus_gpu_present_mode)(seed >> 12 & 3);
    config->size = size;
    config->render_server = servers[header->id & 7];
    config->vulkan_device = header->id & 8 ? "a name" : NULL;
    config->render_server_fd = header->other < 16 ? server_fd(header->other) : -1;
}

static bool takes_descriptor(size_t size)
{
    return size >= CONFIG_SIZE_LEAST && size <= SIZE_MOST;
}

static bool start(const struct record *header)
{
    struct venus_gpu_ops ops = {
        .size = size_of(header->a >> 16, sizeof(ops)),
        .map_guest = header->b & 1 ? NULL : map_guest,
        .unmap_guest = header->b & 2 ? NULL : unmap_guest,
        .command_done = header->b & 4 ? NULL : command_done,
        .config_changed = header->b & 8 ? NULL : config_changed,
        .log = header->b & 16 ? NULL : write_line,
        .present_ended = header->b & 32 ? NULL : present_ended,
        .thread_begins = header->b & 64 ? thread_happens : NULL,
        .thread_ends = header->b & 128 ? thread_happens : NULL,
    };
    struct venus_gpu_config config;
    describe(header, &config);
    int fd = config.render_server_fd;
    bool taken = fd < 0 || takes_descriptor(config.size);
    void *their_config = make(&config, sizeof(config), config.size, sizeof(size_t), header->flags);
    void *their_ops = make(&ops, sizeof(ops), ops.size, sizeof(size_t), header->flags);
    if (config.size > sizeof(config) && header->flags && config.size <= SIZE_MOST) {
        const char *tail = (const char *)their_config + sizeof(config);
        for (size_t i = 0; i < config.size - sizeof(config); i++)
            taken = taken && !tail[i];
        taken = taken || fd < 0;
    }
    char *error = NULL;
    gpu = device_create(their_config, their_ops, &gpu, &fake_renderer, &error);
    free(their_config);
    free(their_ops);
    if (gpu && error)
        complain("a device, and a message: %s", error);
    if (!gpu && !error)
        complain("no device, and no message");
    free(error);
    if (!taken)
        close(fd);
    return gpu;
}

/* ---- what a guest reads -------------------------------------------------------------------------- */

static void check_edid(const struct venus_gpu_output *output)
{
    uint8_t edid[EDID_SIZE_MAX];
    memset(edid, 0xee, sizeof(edid));
    size_t size = edid_make(output, edid);
    static const uint8_t header[] = { 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0 };
    if (size % 128 || !size || size > sizeof(edid) || memcmp(edid, header, sizeof(header)) != 0)
        complain("an EDID of %zu bytes", size);
    if (edid[126] != size / 128 - 1)
        complain("an EDID of %zu bytes that speaks of %u extensions", size, edid[126]);
    for (size_t block = 0; block < size; block += 128) {
        uint8_t sum = 0;
        for (size_t i = 0; i < 128; i++)
            sum = (uint8_t)(sum + edid[block + i]);
        if (sum)
            complain("block %zu of an EDID has a wrong sum", block / 128);
    }
    for (size_t i = size; i < sizeof(edid); i++) {
        if (edid[i] != 0xee)
            complain("an EDID of %zu bytes was written to byte %zu", size, i);
    }
    /* Where there is a detailed timing, porch and pulse lie within the blanking, and a line has pixels. */
    const uint8_t *t = edid + 54;
    if (t[0] || t[1]) {
        unsigned width = t[2] | (t[4] & 0xf0u) << 4, blank = t[3] | (t[4] & 0x0fu) << 8;
        unsigned front = t[8] | (t[11] & 0xc0u) << 2, pulse = t[9] | (t[11] & 0x30u) << 4;
        unsigned height = t[5] | (t[7] & 0xf0u) << 4;
        if (!width || !height || front + pulse > blank)
            complain("an EDID's timing of %u x %u with %u + %u of %u", width, height, front, pulse,
                     blank);
        if (output->enabled && output->width && output->height && output->width < 4096 &&
            output->height < 4096 && (width != output->width || height != output->height) &&
            edid[126] == 0)
            complain("an EDID of %u x %u for %u x %u", width, height, output->width,
                     output->height);
    }
}

/* Ask for all that there is to know of outputs. */
static void ask(const struct record *r)
{
    static struct virtio_gpu_get_edid edid;
    static uint8_t response[2048];
    edid = (struct virtio_gpu_get_edid){
        .hdr.type = le32(r->a & 1 ? VIRTIO_GPU_CMD_GET_EDID : VIRTIO_GPU_CMD_GET_DISPLAY_INFO),
        .scanout = le32(r->b & 15)
    };
    const struct iovec out = { &edid, sizeof(edid) }, in = { response, sizeof(response) };
    const struct venus_gpu_request request = { .out = &out, .num_out = 1, .in = &in, .num_in = 1 };
    venus_gpu_submit(gpu, VENUS_GPU_QUEUE_CONTROL, &request);
    steps_settle();
}

/* ---- records ------------------------------------------------------------------------------------- */

static void output_of(const struct record *r, struct venus_gpu_output *output)
{
    memset(output, 0, sizeof(*output));
    fill(&output->x, sizeof(*output) - offsetof(struct venus_gpu_output, x),
         r->flags & 1 ? r->c : 0);
    output->enabled = !(r->flags & 2);
    output->fixed = r->flags & 4;
    if (!(r->flags & 8)) {
        output->width = r->b & 0xffff;
        output->height = r->b >> 16;
    }
    if (r->flags & 32)
        output->refresh_mhz = r->c;
    static const char *const names[] = { NULL,           "",
                                         "a name",       "one of more than twelve characters",
                                         "\n\t\x80\xff", "x" };
    output->name = names[r->id % (sizeof(names) / sizeof(names[0]))];
}

static void set_output(const struct record *r)
{
    struct venus_gpu_output output;
    output_of(r, &output);
    size_t size = size_of(r->a, sizeof(output));
    void *theirs = make(&output, sizeof(output), size, 0, r->other);
    venus_gpu_set_output_sized(gpu, r->id & 15, theirs, size);
    free(theirs);
}

static void edid(const struct record *r)
{
    struct venus_gpu_output output;
    output_of(r, &output);
    output.width = output.width > VENUS_GPU_MAX_SIDE ? VENUS_GPU_MAX_SIDE : output.width;
    output.height = output.height > VENUS_GPU_MAX_SIDE ? VENUS_GPU_MAX_SIDE : output.height;
    check_edid(&output);
}

static void submit(const struct record *r)
{
    static uint8_t bytes[64], response[64];
    memset(bytes, 0, sizeof(bytes));
    memcpy(bytes, &r->b, sizeof(r->b));
    const struct iovec out = { bytes, r->c & 63 }, in = { response, r->c >> 8 & 63 };
    const struct venus_gpu_request request = {
        .out = &out, .num_out = r->id & 1, .in = &in, .num_in = r->id >> 1 & 1
    };
    size_t size = size_of(r->a, sizeof(request));
    void *theirs = make(&request, sizeof(request), size, 0, r->other);
    unsigned before = answers;
    int ret = venus_gpu_submit_sized(gpu, r->flags & 1, theirs, size);
    steps_settle();
    free(theirs);
    if (ret == 0 && answers == before && !(bytes[0] == 0 && bytes[1]))
        complain("a command is not answered");
    if (ret < 0 && answers != before)
        complain("a command that was not taken is answered");
}

static void present(const struct record *r)
{
    struct venus_gpu_target target = {
        .kind = (enum venus_gpu_target_kind)(r->flags & 4 ? r->b : VENUS_GPU_TARGET_OFFSCREEN),
        .display = "nowhere",
        .title = r->flags & 2 ? "a title" : NULL,
        .width = r->c,
        .height = r->b,
    };
    target.size = size_of(r->a, sizeof(target));
    if (target.kind == VENUS_GPU_TARGET_X11 || target.kind == VENUS_GPU_TARGET_WAYLAND)
        target.kind = VENUS_GPU_TARGET_HEADLESS;
    void *theirs = make(&target, sizeof(target), target.size, sizeof(size_t), r->other);
    venus_gpu_present(gpu, r->id & 15, theirs);
    free(theirs);
    steps_settle();
}

static void stats(const struct record *r)
{
    size_t size = size_of(r->a, sizeof(struct venus_gpu_stat)), max = r->b & 127;
    if (size > SIZE_MOST)
        max = 0;
    char *list = malloc(size <= SIZE_MOST && max ? size * max : 1);
    venus_gpu_stats_sized(gpu, (struct venus_gpu_stat *)(void *)list, max, size);
    free(list);
}

static void access_config(const struct record *r)
{
    size_t offset = r->flags & 1 ? r->b : r->b & 31, len = r->c & 63;
    char *data = malloc(len ? len : 1);
    memset(data, (int)r->a, len ? len : 1);
    if (r->kind == READ_CONFIG)
        venus_gpu_read_config(gpu, r->flags & 2 ? SIZE_MAX - offset : offset, data, len);
    else
        venus_gpu_write_config(gpu, r->flags & 2 ? SIZE_MAX - offset : offset, data, len);
    free(data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct record header, records[MOST_RECORDS];
    size_t count = records_read(data, size, &header, records);
    steps_begin();
    faults_forget();
    fake_reset();
    unsetenv("VENUS_GPU_POLL_FENCES");
    bool started = start(&header);
    for (size_t i = 0; started && i < count; i++) {
        const struct record *r = &records[i];
        static void (*const run[])(const struct record *) = {
            [SET_OUTPUT] = set_output,
            [SUBMIT] = submit,
            [PRESENT] = present,
            [STATS] = stats,
            [EDID] = edid,
            [READ_CONFIG] = access_config,
            [WRITE_CONFIG] = access_config,
            [ASK] = ask,
        };
        run[r->kind % KINDS](r);
    }
    if (started) {
        venus_gpu_reset(gpu);
        venus_gpu_destroy(gpu);
    }
    steps_end();
    const char *complaint = fake_complaint();
    if (complaint)
        complain("%s", complaint);
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
