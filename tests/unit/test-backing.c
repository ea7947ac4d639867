/* SPDX-License-Identifier: MIT */
/* Tests of backings: lists of guest memory, how they are mapped, and lists that are wrong. */
#include <stdlib.h>

#include "harness.h"

/* Four pages. */
enum { WIDTH = 64, HEIGHT = PAGE / 64, SIZE = WIDTH * HEIGHT * 4 };

static const uint32_t format = VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM;

static void start_with_picture(void)
{
    vm_start(NULL);
    fill_ram();
    assert_ok(create_2d(1, format, WIDTH, HEIGHT));
    assert_ok(set_scanout(0, 1, rect(0, 0, WIDTH, HEIGHT)));
}

/* Transfer the whole picture and compare it with the entries' bytes, one after the other. */
static void check_contents(const struct virtio_gpu_mem_entry *entries, uint32_t count)
{
    assert_ok(transfer(1, rect(0, 0, WIDTH, HEIGHT), 0));
    const char *pixels = shown(0)->pixels;
    size_t at = 0;
    for (uint32_t i = 0; i < count && at < SIZE; i++) {
        size_t len = le32(entries[i].length);
        if (len > SIZE - at)
            len = SIZE - at;
        assert_memory_equal(pixels + at, ram_at(le64(entries[i].addr)), len);
        at += len;
    }
    assert_int_equal(at, SIZE);
}

static void test_one_entry(void **state)
{
    (void)state;
    start_with_picture();
    const struct virtio_gpu_mem_entry one = entry(RAM_ADDR + 12345, SIZE);
    assert_ok(attach_backing(1, &one, 1));
    assert_int_equal(guest_mappings(), 1);
    check_contents(&one, 1);
    assert_ok(detach_backing(1));
    assert_int_equal(guest_mappings(), 0);
}

static void test_neighbours_are_merged(void **state)
{
    (void)state;
    start_with_picture();
    struct virtio_gpu_mem_entry entries[SIZE / PAGE];
    for (uint32_t i = 0; i < COUNT(entries); i++)
        entries[i] = entry(RAM_ADDR + i * PAGE, PAGE);
    assert_ok(attach_backing(1, entries, COUNT(entries)));
    assert_int_equal(guest_mappings(), 1);
    check_contents(entries, COUNT(entries));
    assert_ok(detach_backing(1));

    /* Two runs, and empty entries that belong to neither. */
    const struct virtio_gpu_mem_entry runs[] = {
        entry(RAM_ADDR, 0),
        entry(RAM_ADDR + PAGE, 1000),
        entry(RAM_ADDR + PAGE + 1000, SIZE - 3000),
        entry(RAM_ADDR + 9 * PAGE, 0),
        entry(RAM_ADDR + 20 * PAGE, 2000),
        entry(RAM_ADDR + 20 * PAGE + 2000, 0),
    };
    assert_ok(attach_backing(1, runs, COUNT(runs)));
    assert_int_equal(guest_mappings(), 2);
    check_contents(runs, COUNT(runs));
}

static void test_scattered(void **state)
{
    (void)state;
    start_with_picture();
    struct virtio_gpu_mem_entry entries[SIZE / PAGE];
    for (uint32_t i = 0; i < COUNT(entries); i++)
        entries[i] = entry(RAM_ADDR + (COUNT(entries) - i) * 2 * PAGE, PAGE);
    assert_ok(attach_backing(1, entries, COUNT(entries)));
    assert_int_equal(guest_mappings(), COUNT(entries));
    check_contents(entries, COUNT(entries));
}

static void test_odd_lengths(void **state)
{
    (void)state;
    start_with_picture();
    struct virtio_gpu_mem_entry entries[300];
    for (uint32_t i = 0; i < COUNT(entries); i++)
        entries[i] = entry(RAM_ADDR + i * 1000 + 1, 1 + i % 200);
    entries[299] = entry(RAM_ADDR + 100 * PAGE + 3, SIZE);
    assert_ok(attach_backing(1, entries, COUNT(entries)));
    check_contents(entries, COUNT(entries));
}

/* The same page may stand there many times. */
static void test_repeated_page(void **state)
{
    (void)state;
    start_with_picture();
    struct virtio_gpu_mem_entry entries[SIZE / PAGE];
    for (uint32_t i = 0; i < COUNT(entries); i++)
        entries[i] = entry(RAM_ADDR, PAGE);
    assert_ok(attach_backing(1, entries, COUNT(entries)));
    check_contents(entries, COUNT(entries));
}

/* A front end that maps less than was asked is asked again for the rest. */
static void test_mapped_in_pieces(void **state)
{
    (void)state;
    start_with_picture();
    const struct virtio_gpu_mem_entry one = entry(RAM_ADDR + 100, SIZE);
    vm.map_piece = 3000;
    assert_ok(attach_backing(1, &one, 1));
    assert_int_equal(guest_mappings(), (SIZE + 2999) / 3000);
    check_contents(&one, 1);
    assert_ok(unref(1));
    assert_int_equal(guest_mappings(), 0);
}

static void test_mapping_fails(void **state)
{
    (void)state;
    start_with_picture();
    const struct virtio_gpu_mem_entry one = entry(RAM_ADDR + 100, SIZE);
    vm.map_piece = 3000;
    for (int after = 0; after < 5; after++) {
        vm.map_guest_fails_after = after;
        assert_error(attach_backing(1, &one, 1), INVALID_PARAMETER);
        assert_int_equal(guest_mappings(), 0);
        assert_error(detach_backing(1), UNSPEC);
    }
    vm.map_guest_fails_after = -1;
    assert_ok(attach_backing(1, &one, 1));
}

static void test_bad_addresses(void **state)
{
    (void)state;
    start_with_picture();
    const struct virtio_gpu_mem_entry wrong[] = {
        entry(0, PAGE),
        entry(RAM_ADDR - 1, 2),
        entry(RAM_ADDR + RAM_SIZE, 1),
        entry(RAM_ADDR + RAM_SIZE - 1, 2),
        entry(UINT64_MAX, 1),
        entry(UINT64_MAX, UINT32_MAX),
        entry(UINT64_MAX - PAGE + 1, PAGE),
        entry(RAM_ADDR, UINT32_MAX),
    };
    for (uint32_t i = 0; i < COUNT(wrong); i++) {
        /* Alone, and after one that was mapped already. */
        const struct virtio_gpu_mem_entry entries[] = { entry(RAM_ADDR + 9 * PAGE, PAGE),
                                                        wrong[i] };
        assert_error(attach_backing(1, &wrong[i], 1), INVALID_PARAMETER);
        assert_error(attach_backing(1, entries, 2), INVALID_PARAMETER);
        assert_int_equal(guest_mappings(), 0);
    }
    /* Neighbours whose sum wraps around the address space. */
    const struct virtio_gpu_mem_entry around[] = {
        entry(UINT64_MAX - PAGE + 1, PAGE),
        entry(0, PAGE),
    };
    assert_error(attach_backing(1, around, 2), INVALID_PARAMETER);
    assert_int_equal(guest_mappings(), 0);
    assert_int_equal(stat_value("memory-bytes"), SIZE);
}

static void test_counts(void **state)
{
    (void)state;
    start_with_picture();
    struct {
        struct virtio_gpu_resource_attach_backing request;
        struct virtio_gpu_mem_entry entries[2];
    } request = {
        .request = { REQUEST(RESOURCE_ATTACH_BACKING), .resource_id = le32(1) },
        .entries = { entry(RAM_ADDR, PAGE), entry(RAM_ADDR + 2 * PAGE, PAGE) },
    };
    static const uint32_t wrong[] = { 3, 262144, 262145, 0x10000000, 0x10000001, UINT32_MAX };
    for (unsigned i = 0; i < COUNT(wrong); i++) {
        request.request.nr_entries = le32(wrong[i]);
        assert_error(run_request(request), INVALID_PARAMETER);
    }
    /* One byte less than it says. */
    request.request.nr_entries = le32(2);
    assert_error(run_command(&request, sizeof(request) - 1, NULL, sizeof(request.request.hdr)),
                 INVALID_PARAMETER);
    /* Fewer than are there, and none at all. */
    request.request.nr_entries = le32(1);
    assert_ok(run_request(request));
    assert_int_equal(guest_mappings(), 1);
    assert_ok(detach_backing(1));
    request.request.nr_entries = 0;
    assert_ok(run_request(request));
    assert_int_equal(guest_mappings(), 0);
    assert_error(transfer(1, rect(0, 0, 1, 1), 0), INVALID_PARAMETER);
    assert_ok(detach_backing(1));
}

static void test_most_entries(void **state)
{
    (void)state;
    start_with_picture();
    enum { MOST = 262144 };
    size_t size = sizeof(struct virtio_gpu_resource_attach_backing) +
                  (MOST + 1) * sizeof(struct virtio_gpu_mem_entry);
    struct virtio_gpu_resource_attach_backing *request = calloc(1, size);
    struct virtio_gpu_mem_entry *entries = (struct virtio_gpu_mem_entry *)(request + 1);
    request->hdr.type = le32(VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING);
    request->resource_id = le32(1);
    /* Neighbours, so that mapping them takes no time. */
    for (uint32_t i = 0; i < MOST + 1; i++)
        entries[i] = entry(RAM_ADDR + i * 32, 32);
    request->nr_entries = le32(MOST + 1);
    assert_error(run_command(request, size, NULL, sizeof(request->hdr)), INVALID_PARAMETER);
    request->nr_entries = le32(MOST);
    assert_ok(run_command(request, size, NULL, sizeof(request->hdr)));
    assert_int_equal(guest_mappings(), 1);
    free(request);
    check_contents(&(struct virtio_gpu_mem_entry){ le64(RAM_ADDR), le32(SIZE), 0 }, 1);
}

static void test_attach_twice(void **state)
{
    (void)state;
    start_with_picture();
    assert_error(detach_backing(1), UNSPEC);
    assert_ok(attach_ram(1, RAM_ADDR, SIZE));
    assert_error(attach_ram(1, RAM_ADDR, SIZE), UNSPEC);
    assert_int_equal(guest_mappings(), 1);
    assert_ok(detach_backing(1));
    assert_error(detach_backing(1), UNSPEC);
    assert_ok(attach_ram(1, RAM_ADDR + PAGE, SIZE));
    assert_error(attach_ram(2, RAM_ADDR, SIZE), INVALID_RESOURCE_ID);
    assert_error(detach_backing(2), INVALID_RESOURCE_ID);
    assert_error(attach_ram(0, RAM_ADDR, SIZE), INVALID_RESOURCE_ID);
}

/* The list itself is the host's memory, and counts. */
static void test_list_is_accounted(void **state)
{
    (void)state;
    start_with_picture();
    struct virtio_gpu_mem_entry entries[1000];
    for (uint32_t i = 0; i < COUNT(entries); i++)
        entries[i] = entry(RAM_ADDR + i * 2 * 64, 64);
    assert_ok(attach_backing(1, entries, COUNT(entries)));
    assert_true(stat_value("memory-bytes") >= SIZE + COUNT(entries) * sizeof(struct iovec));
    assert_ok(detach_backing(1));
    assert_int_equal(stat_value("memory-bytes"), SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_one_entry),     TEST(test_neighbours_are_merged), TEST(test_scattered),
        TEST(test_odd_lengths),   TEST(test_repeated_page),         TEST(test_mapped_in_pieces),
        TEST(test_mapping_fails), TEST(test_bad_addresses),         TEST(test_counts),
        TEST(test_most_entries),  TEST(test_attach_twice),          TEST(test_list_is_accounted),
    };
    return RUN_TESTS(tests);
}
