/* SPDX-License-Identifier: MIT */
/* Guest memory behind an IOMMU: what the front end is asked for, and what becomes of its answers. */
#include <assert.h>
#include <stdio.h>

#include "device/device.h"
#include "harness.h"

/* A picture of four pages. */
enum { WIDTH = 64, HEIGHT = PAGE / 64, SIZE = WIDTH * HEIGHT * 4, PAGES = 16 };
enum { MOST_PIECES = 262144 };

/* Where the bus has guest memory: PAGES pages, the last one first. Beyond them there is nothing. */
#define BUS_ADDR UINT64_C(0x900000000)

static const uint32_t format = VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM;
static unsigned asked, answers;
static uint64_t piece; /* the longest that is answered */
static bool later;
static struct venus_gpu_translation *pending; /* under vm.lock */

static uint64_t translate_one(uint64_t bus, uint64_t *len)
{
    uint64_t page = (bus - BUS_ADDR) / PAGE, skip = bus % PAGE;
    if (bus < BUS_ADDR || page >= PAGES) {
        *len = 0;
        return 0;
    }
    if (*len > PAGE - skip)
        *len = PAGE - skip;
    if (*len > piece)
        *len = piece;
    return RAM_ADDR + (PAGES - 1 - page) * PAGE + skip;
}

static bool answer_one(struct venus_gpu_translation *translation)
{
    uint64_t len = translation->len;
    uint64_t addr = translate_one(translation->addr, &len);
    answers++;
    return venus_gpu_translated(translation, addr, len);
}

static void translate(void *opaque, struct venus_gpu_translation *translation)
{
    assert(opaque == &vm && translation->len && !translation->user);
    asked++;
    if (later) {
        pthread_mutex_lock(&vm.lock);
        pending = translation;
        pthread_cond_broadcast(&vm.changed);
        pthread_mutex_unlock(&vm.lock);
    } else {
        while (answer_one(translation))
            ;
    }
}

static struct venus_gpu_translation *wait_for_question(void)
{
    pthread_mutex_lock(&vm.lock);
    while (!pending)
        pthread_cond_wait(&vm.changed, &vm.lock);
    struct venus_gpu_translation *translation = pending;
    pending = NULL;
    pthread_mutex_unlock(&vm.lock);
    return translation;
}

static struct sent *send_attach(uint32_t id, uint64_t addr, uint32_t length)
{
    const struct {
        struct virtio_gpu_resource_attach_backing command;
        struct virtio_gpu_mem_entry entry;
    } request = {
        .command = { REQUEST(RESOURCE_ATTACH_BACKING), .resource_id = le32(id),
                     .nr_entries = le32(1) },
        .entry = entry(addr, length),
    };
    return send_control(&request, sizeof(request), sizeof(struct virtio_gpu_ctrl_hdr));
}

static void start(bool answers_later)
{
    asked = answers = 0;
    piece = UINT64_MAX;
    later = answers_later;
    vm_prepare(NULL);
    vm.ops.translate = translate;
    vm.gpu = device_create(&vm.config, &vm.ops, &vm, &fake_renderer, NULL);
    assert_non_null(vm.gpu);
    fill_ram();
    assert_ok(create_2d(1, format, WIDTH, HEIGHT));
    assert_ok(set_scanout(0, 1, rect(0, 0, WIDTH, HEIGHT)));
}

static void check_contents(void)
{
    assert_ok(transfer(1, rect(0, 0, WIDTH, HEIGHT), 0));
    const char *pixels = shown(0)->pixels;
    for (unsigned page = 0; page < SIZE / PAGE; page++)
        assert_memory_equal(pixels + page * PAGE,
                            ram_at(RAM_ADDR + (uint64_t)(PAGES - 1 - page) * PAGE), PAGE);
}

static void test_pages(void **state)
{
    (void)state;
    start(false);
    assert_ok(attach_ram(1, BUS_ADDR, SIZE));
    assert_int_equal(asked, 1);
    assert_int_equal(answers, SIZE / PAGE);
    assert_int_equal(guest_mappings(), SIZE / PAGE);
    check_contents();
}

/* What is in one piece in the guest's memory is mapped as one, in however many it was translated. */
static void test_neighbours_are_merged(void **state)
{
    (void)state;
    start(false);
    piece = 100;
    assert_ok(attach_ram(1, BUS_ADDR + 8, PAGE - 8));
    assert_int_equal(answers, (PAGE - 8 + 99) / 100);
    assert_int_equal(guest_mappings(), 1);
}

static void test_blob(void **state)
{
    (void)state;
    start(false);
    const struct virtio_gpu_mem_entry entries[] = { entry(BUS_ADDR + PAGE, PAGE), entry(0, 0),
                                                    entry(BUS_ADDR, PAGE) };
    assert_ok(create_guest_blob(2, 2 * PAGE, entries, COUNT(entries)));
    assert_int_equal(asked, 1);
    assert_int_equal(guest_mappings(), 1); /* backwards on the bus is forwards in memory */
}

static void test_nothing_to_translate(void **state)
{
    (void)state;
    start(false);
    const struct virtio_gpu_mem_entry empty = entry(1, 0);
    assert_ok(attach_backing(1, &empty, 1));
    assert_int_equal(asked, 0);
}

static void test_nowhere(void **state)
{
    (void)state;
    start(false);
    assert_error(attach_ram(1, BUS_ADDR + (PAGES - 1) * PAGE, 2 * PAGE), INVALID_PARAMETER);
    char line[64];
    snprintf(line, sizeof(line), "no guest memory at 0x%llx",
             (unsigned long long)BUS_ADDR + PAGES * PAGE);
    assert_true(was_logged(VENUS_GPU_LOG_GUEST, line));
    assert_error(attach_ram(1, RAM_ADDR, SIZE), INVALID_PARAMETER); /* a physical address is none */
    assert_int_equal(guest_mappings(), 0);
    /* The library's own answer, and no question. */
    asked = 0;
    assert_error(attach_ram(1, UINT64_MAX - 1, PAGE), INVALID_PARAMETER);
    assert_int_equal(asked, 0);
    assert_ok(attach_ram(1, BUS_ADDR, SIZE));
}

/* An answer for more than was asked, or beyond the end of all addresses. */
static void test_wrong_answers(void **state)
{
    (void)state;
    start(true);
    struct sent *sent = send_attach(1, BUS_ADDR, PAGE);
    assert_false(venus_gpu_translated(wait_for_question(), RAM_ADDR, PAGE + 1));
    assert_error(wait_for(sent), INVALID_PARAMETER);
    sent = send_attach(1, BUS_ADDR, PAGE);
    assert_false(venus_gpu_translated(wait_for_question(), UINT64_MAX - 8, PAGE));
    assert_error(wait_for(sent), INVALID_PARAMETER);
}

static void test_most_pieces(void **state)
{
    (void)state;
    start(false);
    piece = 1;
    const struct virtio_gpu_mem_entry entries[] = { entry(BUS_ADDR, PAGE * PAGES) };
    static struct virtio_gpu_mem_entry many[MOST_PIECES / (PAGE * PAGES) + 1];
    for (unsigned i = 0; i < COUNT(many); i++)
        many[i] = entries[0];
    assert_ok(attach_backing(1, many, COUNT(many) - 1));
    assert_int_equal(answers, MOST_PIECES);
    assert_ok(detach_backing(1));
    answers = 0;
    assert_error(attach_backing(1, many, COUNT(many)), INVALID_PARAMETER);
    assert_int_equal(answers, MOST_PIECES + 1);
    assert_true(was_logged(VENUS_GPU_LOG_GUEST, "more than 262144 pieces"));
}

/* In turns, as under a lock that others want too; what was sent later waits. */
static void test_later(void **state)
{
    (void)state;
    start(true);
    struct sent *sent = send_attach(1, BUS_ADDR, SIZE);
    struct venus_gpu_translation *translation = wait_for_question();
    const struct virtio_gpu_resource_unref unref = { REQUEST(RESOURCE_UNREF) };
    struct sent *next = send_control(&unref, sizeof(unref), sizeof(struct virtio_gpu_ctrl_hdr));
    translation->user = &vm;
    for (unsigned i = 0; i < SIZE / PAGE; i++) {
        assert_ptr_equal(translation->user, &vm);
        assert_int_equal(translation->addr, BUS_ADDR + i * PAGE);
        assert_int_equal(translation->len, SIZE - i * PAGE);
        assert_false(is_done(sent) || is_done(next));
        assert_int_equal(answer_one(translation), i < SIZE / PAGE - 1);
    }
    assert_ok(wait_for(sent));
    assert_error(wait_for(next), INVALID_RESOURCE_ID);
    check_contents();
}

/* A reset does not wait, since who asks for it may be who has to answer; the answer comes afterwards. */
static void test_reset_meanwhile(void **state)
{
    (void)state;
    start(true);
    send_attach(1, BUS_ADDR, SIZE);
    struct venus_gpu_translation *translation = wait_for_question();
    assert_true(answer_one(translation));
    vm_reset();
    assert_int_equal(lines_logged(VENUS_GPU_LOG_GUEST), 0);
    assert_false(answer_one(translation));
    /* The device is as ever. */
    later = false;
    assert_ok(create_2d(1, format, WIDTH, HEIGHT));
    assert_ok(attach_ram(1, BUS_ADDR, SIZE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_pages),
        TEST(test_neighbours_are_merged),
        TEST(test_blob),
        TEST(test_nothing_to_translate),
        TEST(test_nowhere),
        TEST(test_wrong_answers),
        TEST(test_most_pieces),
        TEST(test_later),
        TEST(test_reset_meanwhile),
    };
    return RUN_TESTS(tests);
}
