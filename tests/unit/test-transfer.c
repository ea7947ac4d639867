/* SPDX-License-Identifier: MIT */
/* Tests of TRANSFER_TO_HOST_2D, pixel by pixel against a slow but plain model of it. */
#include <stdlib.h>

#include "harness.h"

enum { WIDTH = 37, HEIGHT = 29, STRIDE = WIDTH * 4, SIZE = STRIDE * HEIGHT };

static const uint32_t format = VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM;

/* What the picture is to look like, and the backing's bytes as one piece. */
static uint8_t expected[SIZE];
static uint8_t backing[4 * SIZE];
static uint64_t backing_size;

static void start(const struct virtio_gpu_mem_entry *entries, uint32_t count)
{
    vm_start(NULL);
    fill_ram();
    assert_ok(create_2d(1, format, WIDTH, HEIGHT));
    assert_ok(set_scanout(0, 1, rect(0, 0, WIDTH, HEIGHT)));
    memset(expected, 0, sizeof(expected));
    backing_size = 0;
    for (uint32_t i = 0; i < count; i++) {
        assert_true(backing_size + le32(entries[i].length) <= sizeof(backing));
        memcpy(backing + backing_size, ram_at(le64(entries[i].addr)), le32(entries[i].length));
        backing_size += le32(entries[i].length);
    }
    assert_ok(attach_backing(1, entries, count));
}

static void start_plain(void)
{
    const struct virtio_gpu_mem_entry one = entry(RAM_ADDR + 24, SIZE);
    start(&one, 1);
}

/* Transfer, do the same in the model, and compare everything. */
static void transfer_and_check(uint32_t x, uint32_t y, uint32_t width, uint32_t height,
                               uint64_t offset)
{
    assert_ok(transfer(1, rect(x, y, width, height), offset));
    for (uint32_t row = 0; row < height; row++)
        memcpy(expected + (y + row) * STRIDE + x * 4, backing + offset + (uint64_t)row * STRIDE,
               width * 4);
    assert_memory_equal(shown(0)->pixels, expected, SIZE);
}

static void test_whole(void **state)
{
    (void)state;
    start_plain();
    transfer_and_check(0, 0, WIDTH, HEIGHT, 0);
    assert_int_equal(stat_value("transfers"), 1);
    assert_int_equal(stat_value("transfer-bytes"), SIZE);
}

static void test_parts(void **state)
{
    (void)state;
    start_plain();
    transfer_and_check(3, 5, 1, 1, 5 * STRIDE + 3 * 4);
    transfer_and_check(10, 7, 20, 11, 7 * STRIDE + 10 * 4);
    transfer_and_check(0, 20, WIDTH, 9, 20 * STRIDE);
    transfer_and_check(WIDTH - 1, 0, 1, HEIGHT, (WIDTH - 1) * 4);
    transfer_and_check(0, HEIGHT - 1, WIDTH, 1, (HEIGHT - 1) * STRIDE);
    assert_int_equal(stat_value("transfer-bytes"), 4 * (1 + 20 * 11 + WIDTH * 9 + HEIGHT + WIDTH));
}

/* The offset is a place in the backing of its own; nothing ties it to the rectangle's. */
static void test_other_offsets(void **state)
{
    (void)state;
    start_plain();
    transfer_and_check(10, 7, 20, 11, 0);
    transfer_and_check(0, 0, 5, 5, 3 * STRIDE + 17);
    transfer_and_check(2, 2, WIDTH - 2, HEIGHT - 2, 1);
    transfer_and_check(0, 0, WIDTH, 3, 7);
    /* The last byte that there is. */
    transfer_and_check(0, 0, 1, 1, SIZE - 4);
    transfer_and_check(5, 5, WIDTH - 5, 2, SIZE - STRIDE - (WIDTH - 5) * 4);
}

static void test_nothing(void **state)
{
    (void)state;
    start_plain();
    assert_ok(transfer(1, rect(0, 0, 0, 0), 0));
    assert_ok(transfer(1, rect(3, 3, 0, 5), 0));
    assert_ok(transfer(1, rect(WIDTH, HEIGHT, 0, 0), SIZE + 100));
    assert_int_equal(stat_value("transfers"), 0);
    assert_memory_equal(shown(0)->pixels, expected, SIZE);
}

static void test_bad_rectangles(void **state)
{
    (void)state;
    start_plain();
    static const struct {
        uint32_t x, y, width, height;
    } wrong[] = {
        { 0, 0, WIDTH + 1, 1 },  { 0, 0, 1, HEIGHT + 1 },
        { 1, 0, WIDTH, 1 },      { 0, 1, 1, HEIGHT },
        { WIDTH, 0, 1, 1 },      { WIDTH + 1, 0, 0, 1 },
        { 0, HEIGHT + 1, 1, 0 }, { UINT32_MAX, 0, 2, 1 },
        { 2, 0, UINT32_MAX, 1 }, { 0, UINT32_MAX, 1, 2 },
        { 0, 2, 1, UINT32_MAX }, { UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX },
    };
    for (unsigned i = 0; i < COUNT(wrong); i++)
        assert_error(transfer(1, rect(wrong[i].x, wrong[i].y, wrong[i].width, wrong[i].height), 0),
                     INVALID_PARAMETER);
    assert_memory_equal(shown(0)->pixels, expected, SIZE);
}

static void test_bad_offsets(void **state)
{
    (void)state;
    start_plain();
    static const uint64_t wrong[] = { SIZE - 3,   SIZE,           SIZE + 1,         UINT32_MAX,
                                      UINT64_MAX, UINT64_MAX - 3, UINT64_MAX - SIZE };
    for (unsigned i = 0; i < COUNT(wrong); i++)
        assert_error(transfer(1, rect(0, 0, 1, 1), wrong[i]), INVALID_PARAMETER);
    assert_error(transfer(1, rect(0, 0, WIDTH, HEIGHT), 1), INVALID_PARAMETER);
    assert_error(transfer(1, rect(0, 0, 1, 2), SIZE - STRIDE), INVALID_PARAMETER);
    assert_ok(transfer(1, rect(0, 0, 1, 2), SIZE - STRIDE - 4));
}

static void test_short_backing(void **state)
{
    (void)state;
    const struct virtio_gpu_mem_entry half = entry(RAM_ADDR, SIZE / 2);
    start(&half, 1);
    assert_error(transfer(1, rect(0, 0, WIDTH, HEIGHT), 0), INVALID_PARAMETER);
    assert_memory_equal(shown(0)->pixels, expected, SIZE);
    transfer_and_check(0, 0, WIDTH, HEIGHT / 2, 0);
    transfer_and_check(0, HEIGHT / 2, WIDTH, HEIGHT / 2, 0);
}

static void test_no_backing(void **state)
{
    (void)state;
    vm_start(NULL);
    assert_error(transfer(1, rect(0, 0, 1, 1), 0), INVALID_RESOURCE_ID);
    assert_ok(create_2d(1, format, WIDTH, HEIGHT));
    assert_error(transfer(1, rect(0, 0, 1, 1), 0), UNSPEC);
    assert_ok(attach_ram(1, RAM_ADDR, SIZE));
    assert_ok(transfer(1, rect(0, 0, 1, 1), 0));
    assert_ok(detach_backing(1));
    assert_error(transfer(1, rect(0, 0, 1, 1), 0), UNSPEC);
}

/* Entries that end in the middle of rows and of pixels. */
static void test_rows_across_entries(void **state)
{
    (void)state;
    struct virtio_gpu_mem_entry entries[2 * SIZE / 61];
    for (uint32_t i = 0; i < COUNT(entries); i++)
        entries[i] = entry(RAM_ADDR + i * 777 + i % 3, 61);
    start(entries, COUNT(entries));
    transfer_and_check(0, 0, WIDTH, HEIGHT, 0);
    transfer_and_check(0, 0, WIDTH, HEIGHT, 61);
    transfer_and_check(4, 4, 30, 20, 333);
    transfer_and_check(WIDTH - 1, 0, 1, HEIGHT, 60);
    transfer_and_check(0, 0, WIDTH, 1, 2 * SIZE - 2 * SIZE % 61 - STRIDE);
}

static void test_random(void **state)
{
    (void)state;
    struct virtio_gpu_mem_entry entries[64];
    srand(1);
    uint64_t size = 0;
    uint32_t count = 0;
    while (size < 2 * SIZE && count < COUNT(entries)) {
        uint32_t length = (uint32_t)rand() % 400 + 1;
        entries[count++] = entry(RAM_ADDR + (uint32_t)rand() % (RAM_SIZE - 400), length);
        size += length;
    }
    start(entries, count);
    for (unsigned i = 0; i < 300; i++) {
        uint32_t x = (uint32_t)rand() % WIDTH, y = (uint32_t)rand() % HEIGHT;
        uint32_t width = (uint32_t)rand() % (WIDTH - x) + 1;
        uint32_t height = (uint32_t)rand() % (HEIGHT - y) + 1;
        uint64_t need = (uint64_t)STRIDE * (height - 1) + width * 4;
        uint64_t offset = (uint64_t)rand() % (backing_size + 1);
        if (need <= backing_size - offset)
            transfer_and_check(x, y, width, height, offset);
        else
            assert_error(transfer(1, rect(x, y, width, height), offset), INVALID_PARAMETER);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_whole),         TEST(test_parts),          TEST(test_other_offsets),
        TEST(test_nothing),       TEST(test_bad_rectangles), TEST(test_bad_offsets),
        TEST(test_short_backing), TEST(test_no_backing),     TEST(test_rows_across_entries),
        TEST(test_random),
    };
    return RUN_TESTS(tests);
}
