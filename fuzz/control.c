/* SPDX-License-Identifier: MIT */
/*
 * Target: the control and cursor queues over the renderer in memory, with a front end that answers late or not well, and
 * a system that runs out of things.
 *
 * The input is records (records.h). Of the header: a describes the machine (how many outputs, what the front end can do,
 * the window), b and c are ceilings. Records of kinds below COMMANDS are the guest's (commands.c); the others are what
 * the front end, the renderer and the system do, below. After each record all threads run until they wait, unless its
 * flag 16 says that the next record comes at once.
 */
#include <stdlib.h>
#include <string.h>

#include "../tests/unit/fake-renderer.h"
#include "commands.h"
#include "faults.h"
#include "machine.h"
#include "steps.h"
#include "vulkan.h"

extern bool standin_udmabuf_missing;

enum kind {
    RESET = COMMANDS,
    HOLD,
    ANSWER_FLUSH,
    ANSWER_REGION,
    ANSWER_TRANSLATION,
    DROP_FRAME,
    LOOK,
    ADVANCE,
    PREEMPT,
    SET_OUTPUT,
    READ_CONFIG,
    WRITE_CONFIG,
    PRESENT,
    READ_STATS,
    GUEST_MEMORY,
    WRITE_MEMORY,
    FAIL_CALL,
    FAIL_SYSTEM,
    FENCES,
    SIGNAL,
    BUSY,
    HANG,
    BLOB_MEMORY,
    CUT,
    LOG,
    UDMABUF,
    VULKAN,
    FAIL_VULKAN,
    RESIZE,
    KINDS,
};

static void set_output(const struct record *r)
{
    char name[16] = {
        (char)r->b, (char)(r->b >> 8), (char)(r->b >> 16), (char)(r->b >> 24), 'x', 0
    };
    const struct venus_gpu_output output = {
        .enabled = r->flags & 1,
        .x = r->c >> 16,
        .y = r->c & 0xffff,
        .width = r->flags & 2 ? r->a : r->a & 0xffff,
        .height = r->flags & 2 ? r->b : r->a >> 16,
        .width_mm = r->flags & 4 ? r->c : 0,
        .height_mm = r->flags & 4 ? r->b : 0,
        .refresh_mhz = r->flags & 8 ? r->c : 0,
        .name = r->flags & 32 ? name : NULL,
        .fixed = r->flags & 64,
    };
    venus_gpu_set_output(machine.gpu, r->id & 3, &output);
}

static void present(const struct record *r)
{
    struct venus_gpu_target target = {
        .size = sizeof(target),
        .kind = r->a % 3 ? VENUS_GPU_TARGET_OFFSCREEN : VENUS_GPU_TARGET_HEADLESS,
        .width = r->b & 127,
        .height = r->b >> 8 & 127,
        .draw_cursor = r->flags & 1,
        .only_gpu = r->flags & 2,
    };
    if (r->flags & 4)
        target.kind = (enum venus_gpu_target_kind)r->a;
    if (target.kind == VENUS_GPU_TARGET_X11 || target.kind == VENUS_GPU_TARGET_WAYLAND)
        target.kind = VENUS_GPU_TARGET_OFFSCREEN; /* no server of windows is to be asked */
    venus_gpu_present(machine.gpu, r->id & 3, r->flags & 8 ? NULL : &target);
}

static void read_stats(const struct record *r)
{
    struct venus_gpu_stat stats[128];
    venus_gpu_stats(machine.gpu, stats, r->a & 127);
    venus_gpu_features(machine.gpu);
    venus_gpu_renderer_name(machine.gpu);
}

static void access_config(const struct record *r, bool write)
{
    char data[32];
    memset(data, (int)r->b, sizeof(data));
    size_t offset = r->flags & 1 ? r->c : r->c & 31;
    if (write)
        venus_gpu_write_config(machine.gpu, offset, data, r->a & 31);
    else
        venus_gpu_read_config(machine.gpu, offset, data, r->a & 31);
}

static void write_memory(const struct record *r)
{
    size_t at = r->a % RAM_SIZE, size = r->c % PAGE;
    if (size > RAM_SIZE - at)
        size = RAM_SIZE - at;
    memset(machine.ram + at, (int)r->b, size);
}

/* What an opaque descriptor stands for is a driver's, and no file that a render server could cut. */
static bool can_be_cut;

static void set_memory(enum fake_memory memory)
{
    static const bool opaque[FAKE_LENT] = {
        [FAKE_OPAQUE] = true, [FAKE_PINNED] = true, [FAKE_HOLE] = true, [FAKE_SMALL] = true
    };
    can_be_cut = can_be_cut && !opaque[memory];
    fake_set_memory(memory);
}

/* A call that is watched does not come back by itself. */
static void hang(const struct record *r)
{
    static const enum fake_call calls[] = { FAKE_SUBMIT, FAKE_CONTEXT_CREATE,  FAKE_BLOB_CREATE,
                                            FAKE_FENCE,  FAKE_CONTEXT_DESTROY, FAKE_ATTACH };
    fake_hang(calls[r->a % (sizeof(calls) / sizeof(calls[0]))]);
}

/* On a thread of the renderer's, as the library may take it for one. */
static void *report(void *opaque)
{
    const struct record *r = opaque;
    if (r->kind == LOG)
        fake_log(r->a & 1, "a line of the renderer's");
    else if (r->flags & 1)
        fake_signal_id((uint64_t)r->c << 32 | r->b);
    else
        fake_signal(r->other % 5, r->a & 3);
    return NULL;
}

static void have_reported(const struct record *r)
{
    struct record copy = *r;
    pthread_t thread;
    if (steps_pthread_create(&thread, NULL, report, &copy) == 0)
        steps_pthread_join(thread, NULL);
}

static void run_record(const struct record *r)
{
    switch ((enum kind)r->kind) {
    case RESET:
        machine_reset();
        break;
    case HOLD:
        machine.hold = r->a & 31;
        break;
    case ANSWER_FLUSH:
        machine_answer_flush(r->a & 7);
        break;
    case ANSWER_REGION:
        machine_answer_region(r->a & 7, r->b & 1 ? -(int)(r->c & 127) : 0);
        break;
    case ANSWER_TRANSLATION:
        machine_answer_translation(r->a & 7, r->b & 15);
        break;
    case DROP_FRAME:
        machine_drop_frame(r->a & 7);
        break;
    case LOOK:
        machine_look();
        break;
    case ADVANCE:
        steps_advance((uint64_t)(r->a & 0x3fff) * (r->flags & 1 ? 1000000 : 1000));
        break;
    case PREEMPT:
        steps_preempt(r->a & 31);
        break;
    case SET_OUTPUT:
        set_output(r);
        break;
    case READ_CONFIG:
    case WRITE_CONFIG:
        access_config(r, r->kind == WRITE_CONFIG);
        break;
    case PRESENT:
        present(r);
        break;
    case READ_STATS:
        read_stats(r);
        break;
    case GUEST_MEMORY:
        machine.map_piece = (uint64_t)(r->a & 7) * (r->flags & 1 ? 1000 : PAGE);
        machine.translate_piece = r->a >> 8 & 7;
        machine.map_fails_after = r->b & 7;
        machine.map_fails = r->c & 1;
        break;
    case WRITE_MEMORY:
        write_memory(r);
        break;
    case FAIL_CALL:
        fake_fail((enum fake_call)(r->id % FAKE_INTERRUPT), -(int)(r->a & 63) - 1, r->b & 7,
                  (r->c & 3) + 1);
        break;
    case FAIL_SYSTEM:
        if (!machine.gpu_hangs)
            faults_set((enum fault)(r->id % FAULTS), r->a & 15, (r->b & 3) + 1);
        break;
    case FENCES:
        fake_set_fences((enum fake_fences)(r->a % 3));
        break;
    case SIGNAL:
    case LOG:
        have_reported(r);
        break;
    case BUSY:
        fake_keep_busy(r->other % 5);
        break;
    case HANG:
        hang(r);
        break;
    case BLOB_MEMORY:
        set_memory((enum fake_memory)(r->a % FAKE_LENT));
        fake_set_map_info(r->b & 3);
        break;
    case CUT:
        if (can_be_cut)
            fake_cut(r->id & 7);
        break;
    case UDMABUF:
        standin_udmabuf_missing = r->a & 1;
        break;
    case VULKAN:
        vulkan_describe(r->a & r->b);
        break;
    case FAIL_VULKAN:
        vulkan_fail(r->a & 3, r->b & 127, (r->c & 3) + 1);
        break;
    case RESIZE:
        vulkan_resize(r->a & 127, r->b & 127);
        break;
    case KINDS:
        break;
    }
}

static void describe(const struct record *header, struct machine_options *options)
{
    machine_describe(options);
    struct venus_gpu_config *config = &options->config;
    uint32_t a = header->a;
    config->num_outputs = (a & 3) + 1;
    options->private_ram = a >> 2 & 1;
    options->no_callbacks = (a >> 3 & 7) == 7;
    options->no_regions = (a >> 6 & 3) == 3;
    options->translates = a >> 8 & 1;
    options->tells_threads = a >> 9 & 1;
    config->window_mode = a >> 10 & 1 ? VENUS_GPU_WINDOW_REGIONS : VENUS_GPU_WINDOW_AUTO;
    if ((a >> 11 & 7) == 7)
        config->window_size = 0;
    config->present_mode = (a >> 14 & 3) % 3;
    config->max_contexts = header->b & 3;
    config->max_resources = header->b >> 2 & 7;
    if (header->b >> 5 & 1)
        config->max_memory = (uint64_t)(header->b >> 16) * 64;
    if (header->b >> 6 & 1)
        config->max_blob_memory = (uint64_t)(header->c & 0xffff) * 256;
    config->max_call_ms = header->b >> 7 & 1 ? header->c >> 16 : 0;
    if (a >> 16 & 1)
        setenv("VENUS_GPU_POLL_FENCES", "1", 1);
    else
        unsetenv("VENUS_GPU_POLL_FENCES");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t bytes[MOST_COMMAND + 64];
    struct record header, records[MOST_RECORDS];
    size_t count = records_read(data, size, &header, records);
    struct machine_options options;
    describe(&header, &options);
    steps_begin();
    faults_forget();
    commands_forget();
    fake_reset();
    vulkan_forget();
    standin_udmabuf_missing = false;
    can_be_cut = true;
    if (header.a >> 17 & 1)
        faults_set((enum fault)(header.id % FAULTS), header.other, 1);
    if (header.a >> 18 & 1)
        fake_fail((enum fake_call)(header.flags % FAKE_INTERRUPT), -5, 0, 1);
    if (!machine_start(&options)) {
        steps_end();
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        struct built built = { .bytes = bytes };
        if (records[i].kind >= COMMANDS)
            run_record(&records[i]);
        else if (command_build(&records[i], RAM_ADDR, &built))
            machine_send(built.queue, built.bytes, built.size, built.room, built.out_piece,
                         built.in_piece);
        if (!(records[i].flags & FLAG_AT_ONCE))
            steps_settle();
    }
    machine_stop();
    vulkan_check();
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
