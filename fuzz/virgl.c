/* SPDX-License-Identifier: MIT */
/*
 * Target: the real virglrenderer, its render server and a Vulkan driver, through the library.
 *
 * The input is records (records.h). Where the header's a is even they are commands of a guest (commands.c). Where it is
 * odd, a guest program of tests/renderer/venus.c runs, chosen by b, and each record changes one of the Venus streams that
 * it sends: id which one (modulo 32), kind what is done to it, a where, b with what number. Whatever that
 * does to the program's context, another context, which has been there all the time, is as it was.
 *
 * The device lives as long as the process, and is reset behind each input. What other processes do, and when, is not the
 * input's: here an input may do one thing and then another.
 */
#include <stdio.h>
#include <stdlib.h>

#include "commands.h"
#include "complain.h"
#include "recorded.h"

enum { BYSTANDER = 7, PROGRAM = 2, KINDS = 6, BUFFER_SIZE = 64 << 10, MOST_PATIENCE_MS = 3000 };

static struct guest *guest;
static const struct record *records;
static size_t num_records;

/* ---- the machine --------------------------------------------------------------------------------- */

static void start_guest(void)
{
    struct venus_gpu_config config;
    void *state;
    guest_setup_without_device(&state);
    guest = state;
    guest_config(&config);
    config.window_size = 64 << 20;
    config.max_call_ms = 10000; /* a machine that does other things is slow */
    config.max_blob_memory = 256 << 20;
    config.max_context_memory = 512 << 20;
    config.max_contexts = 8;
    guest_start(guest, &config);
}

/* ---- streams ------------------------------------------------------------------------------------- */

static void change(unsigned index, char *data, size_t *size, size_t room)
{
    for (size_t i = 0; i < num_records; i++) {
        const struct record *r = &records[i];
        if (r->id % 32 != index % 32)
            continue;
        size_t at = r->a % (*size / 4 + 1) * 4;
        uint32_t word = 0;
        if (at + 4 <= *size)
            memcpy(&word, data + at, sizeof(word));
        switch (r->kind % KINDS) {
        case 0:
            word = r->b;
            break;
        case 1:
            word += (uint32_t)(int8_t)r->b;
            break;
        case 2:
            word ^= UINT32_C(1) << (r->b & 31);
            break;
        case 3: /* cut short, in whole words or not */
            *size = r->flags & 1 ? r->a % (*size + 1) : at;
            continue;
        case 4: /* and once more */
            if (*size * 2 <= room) {
                memcpy(data + *size, data, *size);
                *size *= 2;
            }
            continue;
        default: /* a number of this field stands in another one's place */
            if (at + 4 <= *size && r->b % (*size / 4 + 1) * 4 + 4 <= *size)
                memcpy(&word, data + r->b % (*size / 4 + 1) * 4, sizeof(word));
        }
        if (at + 4 <= *size)
            memcpy(data + at, &word, sizeof(word));
    }
}

static void run_program(uint32_t which)
{
    struct venus venus;
    recorded_streams = 0;
    recorded_change = change;
    if (!RECORDED_BEGINS())
        return;
    venus_open(&venus, guest, PROGRAM);
    if (which & 1) {
        char name[256];
        venus_device_name(&venus, name);
    }
    venus_open_device(&venus);
    uint64_t memory, other;
    venus_blob(&venus, BUFFER_SIZE, &memory);
    other = venus_allocate(&venus, BUFFER_SIZE);
    uint64_t buffer = venus_buffer(&venus, memory, BUFFER_SIZE);
    uint64_t second = venus_buffer(&venus, other, BUFFER_SIZE);
    uint64_t event = which & 2 ? venus_event(&venus) : 0;
    venus_submit_nothing(&venus);
    struct ticket *fill = venus_fill(&venus, buffer, 0x11223344, event);
    if (event)
        venus_set_event(&venus, event);
    guest_wait_for(fill, 1000);
    guest_wait_for(venus_copy(&venus, buffer, second, BUFFER_SIZE), 1000);
    venus_destroy_buffer(&venus, second);
    venus_free(&venus, other);
    if (which & 4)
        venus_deadlock(guest, PROGRAM);
    venus_close(&venus);
}

/* ---- commands ------------------------------------------------------------------------------------ */

static void run_commands(void)
{
    static uint8_t bytes[MOST_COMMAND + 64];
    uint64_t patient_until = now_ns() + MOST_PATIENCE_MS * UINT64_C(1000000);
    commands_forget();
    for (size_t i = 0; i < num_records; i++) {
        struct built built = { .bytes = bytes };
        if (!command_build(&records[i], 0, &built))
            continue;
        struct ticket *ticket = guest_send(guest, built.bytes, built.size, NULL, 0, built.room);
        if (!(records[i].flags & FLAG_AT_ONCE) && now_ns() < patient_until)
            guest_wait_for(ticket, 100);
    }
}

/* ---- inputs -------------------------------------------------------------------------------------- */

/* The device answers, and so does the bystander's process. */
static void check_bystander(void)
{
    struct ticket *ticket = guest_submit_fenced(guest, BYSTANDER, 0, NULL, 0);
    uint32_t type = guest_wait(ticket);
    if (type != VIRTIO_GPU_RESP_OK_NODATA)
        complain("the bystander's fence is answered with 0x%x", type);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct record all[MOST_RECORDS];
    struct record header;
    if (!guest)
        start_guest();
    num_records = records_read(data, size, &header, all);
    records = all;
    if (guest_context_create(guest, BYSTANDER) != VIRTIO_GPU_RESP_OK_NODATA)
        complain("the bystander has no context");
    uint64_t lost = guest_stat(guest, "contexts-lost");
    if (header.a & 1)
        run_program(header.b);
    else
        run_commands();
    if (getenv("FUZZ_LOG"))
        fprintf(stderr, "%u streams; log: %s\n", recorded_streams, guest->log);
    check_bystander();
    /* All that the guest has in other contexts goes without the bystander's. */
    for (uint32_t context = 1; context < 5; context++)
        guest_context_destroy(guest, context);
    check_bystander();
    if (guest_stat(guest, "contexts-lost") - lost > num_records + 1)
        complain("more contexts are lost than there were");
    guest_reset(guest);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed)
{
    return records_mutate(data, size, most, seed, size > 4 && data[4] & 1 ? KINDS : COMMANDS);
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *one, size_t one_size, const uint8_t *two,
                                 size_t two_size, uint8_t *out, size_t most, unsigned seed)
{
    return records_cross(one, one_size, two, two_size, out, most, seed);
}
