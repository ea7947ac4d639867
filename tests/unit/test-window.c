/* SPDX-License-Identifier: MIT */
/* Tests of the host-visible window: places, contents, ways to map, regions and their answers. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "harness.h"

enum { OK_MAP = VIRTIO_GPU_RESP_OK_MAP_INFO };

static void start(const struct vm_options *options)
{
    vm_start(options);
    assert_ok(create_context(1));
}

/* What the GPU writes the guest sees, and the other way round. */
static void check_shared(uint32_t id, uint64_t offset, uint64_t size)
{
    volatile uint8_t *gpu = fake_blob(id);
    for (uint64_t at = 0; at < size; at += PAGE / 2) {
        gpu[at] = (uint8_t)(at / 100 + 1);
        assert_int_equal(guest_sees(offset + at), (uint8_t)(at / 100 + 1));
        guest_writes(offset + at + 1, (uint8_t)(at / 100 + 2));
        assert_int_equal(gpu[at + 1], (uint8_t)(at / 100 + 2));
    }
}

static void check_hole(uint64_t offset, uint64_t size)
{
    for (uint64_t at = offset; at < offset + size; at += PAGE / 4)
        assert_int_equal(guest_sees(at), 0);
}

static void test_starts_empty(void **state)
{
    (void)state;
    start(NULL);
    check_hole(0, WINDOW_SIZE);
    uint64_t size;
    assert_non_null(venus_gpu_window(vm.gpu, &size));
    assert_int_equal(size, WINDOW_SIZE);
    /* A hole takes writes: the guest must not be able to fault the host. */
    guest_writes(5, 7);
    assert_int_equal(guest_sees(5), 7);
}

/* Pages of the window's that are memory now, of those of the process. */
static unsigned pages_there(uint64_t offset, uint64_t size)
{
    unsigned char there[WINDOW_SIZE / PAGE];
    unsigned count = 0;
    assert_int_equal(mincore(vm.window + offset, size, (void *)there), 0);
    for (uint64_t i = 0; i < size / PAGE; i++)
        count += there[i] & 1;
    return count;
}

/* Address space is no memory, also where the monitor locks its memory (-overcommit mem-lock=on). */
static void test_locked_memory(void **state)
{
    (void)state;
    if (mlockall(MCL_FUTURE) < 0)
        skip(); /* that takes a privilege */
    start(NULL);
    assert_int_equal(pages_there(0, WINDOW_SIZE), 0);
    assert_ok(create_host_blob(1, 4 * PAGE));
    assert_int_equal(map_blob(1, 8 * PAGE), OK_MAP);
    check_shared(1, 8 * PAGE, 4 * PAGE);
    assert_ok(unmap_blob(1));
    assert_int_equal(pages_there(0, WINDOW_SIZE), 0);
    check_hole(8 * PAGE, 4 * PAGE);
    guest_writes(8 * PAGE, 7);
    assert_int_equal(guest_sees(8 * PAGE), 7);
    assert_int_equal(pages_there(12 * PAGE, WINDOW_SIZE - 12 * PAGE), 0);
}

static int unlock_memory(void **state)
{
    munlockall();
    return vm_teardown(state);
}

static void test_no_window(void **state)
{
    (void)state;
    start(&(struct vm_options){ .no_window = true });
    uint64_t size = 1;
    assert_null(venus_gpu_window(vm.gpu, &size));
    assert_int_equal(size, 0);
    assert_ok(create_host_blob(1, PAGE));
    assert_error(map_blob(1, 0), INVALID_PARAMETER);
}

static void check_map_and_unmap(enum fake_memory memory, const char *counter)
{
    start(NULL);
    fake_set_memory(memory);
    fake_set_map_info(3);
    assert_ok(create_host_blob(1, 4 * PAGE));
    const struct virtio_gpu_resource_map_blob request = {
        REQUEST(RESOURCE_MAP_BLOB),
        .resource_id = le32(1),
        .offset = le64(8 * PAGE),
    };
    struct virtio_gpu_resp_map_info response;
    for (unsigned i = 1; i <= 3; i++) {
        assert_int_equal(run_command(&request, sizeof(request), &response, sizeof(response)),
                         OK_MAP);
        assert_int_equal(le32(response.map_info), 3);
        assert_int_equal(response.padding, 0);
        assert_int_equal(stat_value(counter), i);
        assert_int_equal(stat_value("mapped"), 1);
        assert_int_equal(stat_value("mapped-bytes"), 4 * PAGE);
        check_shared(1, 8 * PAGE, 4 * PAGE);
        check_hole(7 * PAGE, PAGE);
        check_hole(12 * PAGE, PAGE);
        assert_ok(unmap_blob(1));
        check_hole(0, 16 * PAGE);
        assert_int_equal(stat_value("mapped"), 0);
        assert_int_equal(stat_value("mapped-bytes"), 0);
    }
    assert_int_equal(stat_value("maps-fixed") + stat_value("maps-alias") +
                         stat_value("maps-vulkan") + stat_value("maps-region"),
                     3);
}

static void test_fixed(void **state)
{
    (void)state;
    linux_ways();
    check_map_and_unmap(FAKE_SHM, "maps-fixed");
    assert_int_equal(fake_count(FAKE_MAP), 0);
}

static void test_fixed_dmabuf(void **state)
{
    (void)state;
    linux_ways();
    check_map_and_unmap(FAKE_DMABUF, "maps-fixed");
}

static void test_alias(void **state)
{
    (void)state;
    linux_ways();
    check_map_and_unmap(FAKE_OPAQUE, "maps-alias");
    assert_int_equal(fake_count(FAKE_MAP), fake_count(FAKE_UNMAP));
}

static void test_region_for_pinned(void **state)
{
    (void)state;
    check_map_and_unmap(FAKE_PINNED, "maps-region");
    assert_int_equal(count_regions(), 6);
}

/* A way that failed a moment ago is not tried again for the region. */
static void test_each_way_is_tried_once(void **state)
{
    (void)state;
    start(NULL);
    fake_set_memory(FAKE_PINNED);
    assert_ok(create_host_blob(1, PAGE));
    unsigned before = fake_count(FAKE_EXPORT);
    assert_int_equal(map_blob(1, 0), OK_MAP);
    assert_int_equal(stat_value("maps-region"), 1);
    assert_int_equal(fake_count(FAKE_EXPORT) - before, 2); /* to be mapped, and to be presented */
    assert_int_equal(fake_count(FAKE_MAP), 2);             /* to be aliased, and to be pinned */
}

/* Without the descriptor there is still the renderer's mapping. */
static void test_export_fails(void **state)
{
    (void)state;
    linux_ways();
    start(NULL);
    assert_ok(create_host_blob(1, PAGE));
    fake_fail(FAKE_EXPORT, -EIO, 0, 1);
    assert_int_equal(map_blob(1, 0), OK_MAP);
    assert_int_equal(stat_value("maps-alias"), 1);
    check_shared(1, 0, PAGE);
}

static void test_nothing_works(void **state)
{
    (void)state;
    start(NULL);
    assert_ok(create_host_blob(1, PAGE));
    fake_fail(FAKE_EXPORT, -EIO, 0, 10);
    fake_fail(FAKE_MAP, -EINVAL, 0, 10);
    assert_error(map_blob(1, 0), UNSPEC);
    fake_fail(FAKE_EXPORT, 0, 0, 0);
    fake_fail(FAKE_MAP, 0, 0, 0);
    fake_fail(FAKE_MAP_INFO, -EINVAL, 0, 1);
    assert_error(map_blob(1, 0), UNSPEC);
    check_hole(0, 2 * PAGE);
    assert_int_equal(stat_value("mapped"), 0);
    assert_int_equal(stat_value("address-ranges"), 0);
    assert_int_equal(count_regions(), 0);
    assert_int_equal(map_blob(1, 0), OK_MAP);
}

static void test_no_regions(void **state)
{
    (void)state;
    linux_ways();
    start(&(struct vm_options){ .no_regions = true });
    fake_set_memory(FAKE_PINNED);
    assert_ok(create_host_blob(1, PAGE));
    assert_error(map_blob(1, 0), UNSPEC);
    check_hole(0, PAGE);
    assert_int_equal(stat_value("mapped"), 0);
    /* The place is free for others. */
    fake_set_memory(FAKE_SHM);
    assert_ok(create_host_blob(2, PAGE));
    assert_int_equal(map_blob(2, 0), OK_MAP);
}

/* Memory that is shorter than the blob, by more than a guest's page, would fault: it is not mapped in any way. */
static void check_short_memory(enum fake_memory memory)
{
    start(NULL);
    fake_set_memory(memory);
    fake_set_missing(16 * PAGE);
    assert_ok(create_host_blob(1, 32 * PAGE));
    assert_error(map_blob(1, 0), UNSPEC);
    check_hole(0, 33 * PAGE);
    const struct virtio_gpu_set_scanout_blob request = blob_scanout(0, 1, 128, 128);
    assert_error(set_scanout_blob(&request), UNSPEC);
    assert_null(shown(0));
    assert_int_equal(count_regions(), 0);
    vm_stop();
}

static void test_short_memory(void **state)
{
    (void)state;
    check_short_memory(FAKE_SHORT);
    check_short_memory(FAKE_SMALL);
    check_short_memory(FAKE_SMALL_PINNED);
}

/*
 * A guest whose pages are larger makes its blobs whole ones of its own, and the memory ends before: the guest sees
 * pages of nothing there, which are gone when the blob is.
 */
static void check_padded(enum fake_memory memory, enum venus_gpu_window_mode mode, const char *way)
{
    start(&(struct vm_options){ .window_mode = mode });
    fake_set_memory(memory);
    fake_set_missing(3 * PAGE);
    assert_ok(create_host_blob(1, 4 * PAGE));
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(map_blob(1, 4 * PAGE), OK_MAP);
        check_shared(1, 4 * PAGE, PAGE);
        if (i == 0 ||
            mode == VENUS_GPU_WINDOW_AUTO) /* a region of ours is the same memory each time */
            check_hole(5 * PAGE, 3 * PAGE);
        guest_writes(8 * PAGE - 1, 7);
        assert_int_equal(guest_sees(8 * PAGE - 1), 7);
        check_hole(8 * PAGE, PAGE);
        assert_int_equal(stat_value("mapped-bytes"), 4 * PAGE);
        assert_ok(unmap_blob(1));
        check_hole(4 * PAGE, 4 * PAGE);
    }
    assert_int_equal(stat_value(way), 2);
    assert_int_equal(stat_value("maps-padded"), 2);

    /* What is beyond its memory cannot be shown, and is no pointer's image. */
    struct virtio_gpu_set_scanout_blob request = blob_scanout(0, 1, 32, PAGE / 128);
    assert_ok(set_scanout_blob(&request));
    request = blob_scanout(0, 1, 32, PAGE / 128 + 1);
    assert_error(set_scanout_blob(&request), INVALID_PARAMETER);
    assert_ok(unref(1));
    vm_reset();
    assert_int_equal(stat_value("address-ranges"), 0);
    vm_stop();
}

static void test_padded(void **state)
{
    (void)state;
    linux_ways();
    check_padded(FAKE_SHORT, VENUS_GPU_WINDOW_AUTO, "maps-fixed");
    check_padded(FAKE_SMALL, VENUS_GPU_WINDOW_AUTO, "maps-alias");
    check_padded(FAKE_SMALL_PINNED, VENUS_GPU_WINDOW_AUTO, "maps-region");
    check_padded(FAKE_SHORT, VENUS_GPU_WINDOW_REGIONS, "maps-region");
    check_padded(FAKE_SMALL, VENUS_GPU_WINDOW_REGIONS, "maps-region");
}

/* virglrenderer refuses a dma-buf that is smaller than the blob; what it has is found, whatever that is. */
static void test_padded_dma_buf(void **state)
{
    (void)state;
    linux_ways();
    for (uint64_t pages = 1; pages <= 4; pages++) {
        start(NULL);
        fake_set_memory(FAKE_DMABUF);
        fake_refuse_larger(pages * PAGE);
        assert_ok(create_host_blob(1, 4 * PAGE));
        assert_int_equal(map_blob(1, 4 * PAGE), OK_MAP);
        check_shared(1, 4 * PAGE, pages * PAGE);
        check_hole(4 * PAGE + pages * PAGE, (5 - pages) * PAGE);
        assert_int_equal(stat_value("maps-padded"), pages < 4);
        assert_int_equal(fake_count(FAKE_BLOB_CREATE), pages < 4 ? 2 : 1);
        vm_stop();
    }
    /* Shared memory is as large as is asked for, and what is no whole larger page is of no larger page. */
    start(NULL);
    fake_refuse_larger(2 * PAGE);
    assert_error(create_host_blob(1, 3 * PAGE), OUT_OF_MEMORY);
    assert_int_equal(fake_count(FAKE_BLOB_CREATE), 1);
}

/* A region's handle is of what the memory has, not of the pages of nothing behind it. */
static void test_padded_handle(void **state)
{
    (void)state;
    start(NULL);
    fake_set_memory(FAKE_SHORT);
    fake_set_missing(3 * PAGE);
    vm.keep_frames = true;
    assert_ok(create_host_blob(1, 4 * PAGE));
    const struct virtio_gpu_set_scanout_blob request = blob_scanout(0, 1, 32, 32);
    assert_ok(set_scanout_blob(&request));
    assert_non_null(shown(0)->handle);
    assert_int_equal(shown(0)->handle->size, PAGE);
    drop_frames();
}

/* What is mapped stays as long as it is, also if the render server means ill: nobody can cut its file. */
static void test_memory_cannot_be_cut(void **state)
{
    (void)state;
    start(NULL);
    fake_set_memory(FAKE_SHM);
    assert_ok(create_host_blob(1, 4 * PAGE));
    assert_int_equal(map_blob(1, 0), VIRTIO_GPU_RESP_OK_MAP_INFO);
    assert_false(fake_cut(1));
    guest_writes(4 * PAGE - 1, 0x5a);
    assert_int_equal(guest_sees(4 * PAGE - 1), 0x5a);
    /* Also where it is only shown. */
    assert_ok(create_host_blob(2, 4 * PAGE));
    const struct virtio_gpu_set_scanout_blob request = blob_scanout(0, 2, 64, 64);
    assert_ok(set_scanout_blob(&request));
    assert_false(fake_cut(2));
    vm_stop();
    /* And what anybody could cut is mapped in no way. */
    check_short_memory(FAKE_UNSEALABLE);
}

/* The same where only touching the last page tells. */
static void test_hole_in_memory(void **state)
{
    (void)state;
    linux_ways();
#ifdef MADV_POPULATE_READ
    void *page = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bool can_tell = madvise(page, PAGE, MADV_POPULATE_READ) == 0;
    munmap(page, PAGE);
    if (can_tell) {
        check_short_memory(FAKE_HOLE);
        check_padded(FAKE_HOLE, VENUS_GPU_WINDOW_AUTO, "maps-alias");
        return;
    }
#endif
    skip(); /* Linux before 5.14 */
}

static void test_not_mappable(void **state)
{
    (void)state;
    start(NULL);
    assert_error(map_blob(1, 0), INVALID_RESOURCE_ID);
    assert_error(map_blob(0, 0), INVALID_RESOURCE_ID);
    assert_ok(create_2d(1, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, 32, 32));
    assert_error(map_blob(1, 0), INVALID_PARAMETER);
    const struct virtio_gpu_mem_entry page = entry(RAM_ADDR, PAGE);
    const struct virtio_gpu_resource_create_blob guest = {
        REQUEST(RESOURCE_CREATE_BLOB),
        .resource_id = le32(2),
        .blob_mem = le32(VIRTIO_GPU_BLOB_MEM_GUEST),
        .blob_flags = le32(VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE),
        .nr_entries = le32(1),
        .size = le64(PAGE),
    };
    assert_ok(create_blob(&guest, &page, 1));
    assert_error(map_blob(2, 0), INVALID_PARAMETER);
    assert_error(unmap_blob(1), UNSPEC);
    assert_error(unmap_blob(2), UNSPEC);
    assert_error(unmap_blob(3), INVALID_RESOURCE_ID);
    assert_int_equal(stat_value("mapped"), 0);
}

static void test_places(void **state)
{
    (void)state;
    start(NULL);
    assert_ok(create_host_blob(1, 4 * PAGE));
    const uint64_t wrong[] = {
        1,
        8,
        PAGE - 1,
        PAGE + 1,
        (uint64_t)sysconf(_SC_PAGESIZE) / 2,
        WINDOW_SIZE - 3 * PAGE,
        WINDOW_SIZE,
        WINDOW_SIZE + PAGE,
        UINT64_MAX,
        UINT64_MAX - PAGE + 1,
        UINT64_MAX - 4 * PAGE + 1,
        UINT64_C(1) << 63,
    };
    for (unsigned i = 0; i < COUNT(wrong); i++)
        assert_error(map_blob(1, wrong[i]), INVALID_PARAMETER);
    /* The last place there is. */
    assert_int_equal(map_blob(1, WINDOW_SIZE - 4 * PAGE), OK_MAP);
    check_shared(1, WINDOW_SIZE - 4 * PAGE, 4 * PAGE);
    /* As large as the window, and a byte larger. */
    assert_ok(unmap_blob(1));
    assert_ok(create_host_blob(2, WINDOW_SIZE));
    assert_ok(create_host_blob(3, WINDOW_SIZE + 1));
    assert_error(map_blob(3, 0), INVALID_PARAMETER);
    assert_error(map_blob(2, PAGE), INVALID_PARAMETER);
    assert_int_equal(map_blob(2, 0), OK_MAP);
    check_shared(2, 0, WINDOW_SIZE);
}

static void test_overlap(void **state)
{
    (void)state;
    start(NULL);
    assert_ok(create_host_blob(1, 4 * PAGE));
    assert_int_equal(map_blob(1, 10 * PAGE), OK_MAP);
    static const struct {
        uint32_t pages, at;
    } overlaps[] = {
        { 4, 10 },                                  /* the same place */
        { 4, 9 },  { 4, 7 },                        /* its start */
        { 4, 11 }, { 4, 13 },                       /* its end */
        { 1, 10 }, { 1, 12 }, { 1, 13 }, { 2, 11 }, /* inside */
        { 6, 9 },  { 5, 10 }, { 5, 9 },  { 14, 0 }, /* around */
    };
    for (uint32_t i = 0; i < COUNT(overlaps); i++) {
        assert_ok(create_host_blob(2, overlaps[i].pages * PAGE));
        assert_error(map_blob(2, overlaps[i].at * PAGE), INVALID_PARAMETER);
        assert_ok(unref(2));
    }
    check_shared(1, 10 * PAGE, 4 * PAGE);

    /* Right beside it is fine, on either side. */
    assert_ok(create_host_blob(2, 4 * PAGE));
    assert_ok(create_host_blob(3, 4 * PAGE));
    assert_int_equal(map_blob(2, 6 * PAGE), OK_MAP);
    assert_int_equal(map_blob(3, 14 * PAGE), OK_MAP);
    /* Over several. */
    assert_ok(create_host_blob(4, 9 * PAGE));
    assert_error(map_blob(4, 5 * PAGE), INVALID_PARAMETER);
    assert_ok(unmap_blob(2));
    assert_error(map_blob(4, 5 * PAGE), INVALID_PARAMETER);
    assert_ok(unref(1));
    assert_int_equal(map_blob(4, 5 * PAGE), OK_MAP);
    check_shared(4, 5 * PAGE, 9 * PAGE);
    check_shared(3, 14 * PAGE, 4 * PAGE);
}

static void test_map_twice(void **state)
{
    (void)state;
    start(NULL);
    assert_ok(create_host_blob(1, PAGE));
    assert_error(unmap_blob(1), UNSPEC);
    assert_int_equal(map_blob(1, 0), OK_MAP);
    assert_error(map_blob(1, 0), UNSPEC);
    assert_error(map_blob(1, 2 * PAGE), UNSPEC);
    check_shared(1, 0, PAGE);
    check_hole(2 * PAGE, PAGE);
    assert_ok(unmap_blob(1));
    assert_error(unmap_blob(1), UNSPEC);
    assert_int_equal(map_blob(1, 2 * PAGE), OK_MAP);
    check_shared(1, 2 * PAGE, PAGE);
    check_hole(0, PAGE);
}

/* After one blob comes another at the same place, and each is seen in its time. */
static void test_reuse_of_a_place(void **state)
{
    (void)state;
    start(NULL);
    static const enum fake_memory memories[] = { FAKE_SHM, FAKE_OPAQUE, FAKE_PINNED };
    for (uint32_t i = 0; i < 9; i++) {
        fake_set_memory(memories[i % 3]);
        assert_ok(create_host_blob(i + 1, (i + 1) * PAGE));
        assert_int_equal(map_blob(i + 1, 3 * PAGE), OK_MAP);
        check_shared(i + 1, 3 * PAGE, (i + 1) * PAGE);
        assert_ok(i & 1 ? unmap_blob(i + 1) : unref(i + 1));
        check_hole(0, 16 * PAGE);
    }
}

static void test_many(void **state)
{
    (void)state;
    linux_ways();
    start(NULL);
    enum { MANY = WINDOW_SIZE / PAGE };
    for (uint32_t i = 0; i < MANY; i++) {
        uint32_t at = i * 101 % MANY;
        assert_ok(create_host_blob(at + 1, PAGE));
        memset(fake_blob(at + 1), (int)at, PAGE);
        assert_int_equal(map_blob(at + 1, (uint64_t)at * PAGE), OK_MAP);
    }
    for (uint32_t i = 0; i < MANY; i++)
        assert_int_equal(guest_sees((uint64_t)i * PAGE + 9), (uint8_t)i);
    for (uint32_t i = 0; i < MANY; i += 2)
        assert_ok(unmap_blob(i + 1));
    for (uint32_t i = 0; i < MANY; i++)
        assert_int_equal(guest_sees((uint64_t)i * PAGE + 9), i % 2 ? (uint8_t)i : 0);
    assert_int_equal(stat_value("mapped"), MANY / 2);
}

/* A scanout and the guest's mapping of one blob are the same memory, in either order. */
static void test_mapped_and_shown(void **state)
{
    (void)state;
    static const enum fake_memory memories[] = { FAKE_SHM, FAKE_OPAQUE, FAKE_PINNED };
    for (unsigned i = 0; i < 2 * COUNT(memories); i++) {
        start(NULL);
        fake_set_memory(memories[i / 2]);
        assert_ok(create_host_blob(1, 16 * PAGE));
        const struct virtio_gpu_set_scanout_blob request = blob_scanout(0, 1, 128, 128);
        if (i % 2)
            assert_int_equal(map_blob(1, 0), OK_MAP);
        assert_ok(set_scanout_blob(&request));
        if (i % 2 == 0)
            assert_int_equal(map_blob(1, 0), OK_MAP);
        const uint8_t *pixels = shown(0)->pixels;
        guest_writes(5000, 0xab);
        assert_int_equal(pixels[5000], 0xab);
        ((uint8_t *)fake_blob(1))[6000] = 0xcd;
        assert_int_equal(pixels[6000], 0xcd);
        assert_int_equal(guest_sees(6000), 0xcd);

        /* The one lives on without the other. */
        assert_ok(unmap_blob(1));
        assert_int_equal(pixels[5000], 0xab);
        check_hole(0, 16 * PAGE);
        assert_int_equal(map_blob(1, PAGE), OK_MAP);
        assert_ok(set_scanout(0, 0, rect(0, 0, 0, 0)));
        assert_int_equal(guest_sees(PAGE + 5000), 0xab);
        vm_stop();
    }
}

/* ---- when it is full ------------------------------------------------------------------------- */

/* The counters of the most keep what they saw when all is gone. */
static void test_most_mapped(void **state)
{
    (void)state;
    start(NULL);
    assert_ok(create_host_blob(1, 3 * PAGE));
    assert_ok(create_host_blob(2, 5 * PAGE));
    assert_int_equal(stat_value("mapped-largest"), 0);
    assert_int_equal(map_blob(1, 0), OK_MAP);
    assert_int_equal(stat_value("mapped-largest"), 3 * PAGE);
    assert_int_equal(map_blob(2, 8 * PAGE), OK_MAP);
    assert_ok(unmap_blob(1));
    assert_ok(unmap_blob(2));
    assert_int_equal(map_blob(1, 0), OK_MAP);
    assert_int_equal(stat_value("mapped-bytes"), 3 * PAGE);
    assert_int_equal(stat_value("mapped-bytes-most"), 8 * PAGE);
    assert_int_equal(stat_value("mapped-largest"), 5 * PAGE);
    vm_reset();
    assert_int_equal(stat_value("mapped-bytes-most"), 8 * PAGE);
}

static void assert_advised(uint64_t size)
{
    char line[32];
    snprintf(line, sizeof(line), "hostmem=%lluM", (unsigned long long)size >> 20);
    assert_true(was_logged(VENUS_GPU_LOG_WARNING, line));
}

/* One line when an eighth is left, and one more after a reset. */
static void test_nearly_full(void **state)
{
    (void)state;
    start(NULL);
    for (unsigned boot = 1; boot <= 2; boot++) {
        assert_ok(create_host_blob(1, WINDOW_SIZE - WINDOW_SIZE / 8));
        assert_int_equal(map_blob(1, 0), OK_MAP);
        assert_int_equal(lines_logged(VENUS_GPU_LOG_WARNING), boot - 1);
        for (unsigned i = 0; i < 3; i++) {
            assert_ok(create_host_blob(2, PAGE));
            assert_int_equal(map_blob(2, WINDOW_SIZE - PAGE), OK_MAP);
            assert_int_equal(lines_logged(VENUS_GPU_LOG_WARNING), boot);
            assert_ok(unref(2));
        }
        vm_reset();
        assert_ok(create_context(1));
    }
    assert_true(was_logged(VENUS_GPU_LOG_WARNING, "the host-visible window is nearly full"));
    assert_advised(2 * WINDOW_SIZE);
}

/* A kernel that has no room left for a blob does not ask for it to be mapped. */
static void test_no_room(void **state)
{
    (void)state;
    start(NULL);
    assert_ok(create_host_blob(1, WINDOW_SIZE / 2));
    assert_int_equal(map_blob(1, 0), OK_MAP);
    assert_ok(create_host_blob(2, WINDOW_SIZE / 2));
    assert_int_equal(lines_logged(VENUS_GPU_LOG_WARNING), 0);
    assert_ok(unref(2));
    assert_ok(create_host_blob(2, WINDOW_SIZE / 2 + 1));
    assert_int_equal(lines_logged(VENUS_GPU_LOG_WARNING), 1);
    assert_true(was_logged(VENUS_GPU_LOG_WARNING, "does not fit into the host-visible window"));
    assert_ok(create_host_blob(3, 8 * WINDOW_SIZE));
    assert_int_equal(lines_logged(VENUS_GPU_LOG_WARNING), 1);
    vm_reset();
    assert_ok(create_context(1));
    assert_ok(create_host_blob(3, 8 * WINDOW_SIZE));
    assert_advised(16 * WINDOW_SIZE);
}

/* What is not to be mapped needs no room, and where there is no window a larger one is no advice. */
static void test_no_hint(void **state)
{
    (void)state;
    start(NULL);
    struct virtio_gpu_resource_create_blob request = {
        REQUEST(RESOURCE_CREATE_BLOB),
        .resource_id = le32(1),
        .blob_mem = le32(VIRTIO_GPU_BLOB_MEM_HOST3D),
        .blob_flags = le32(VIRTIO_GPU_BLOB_FLAG_USE_SHAREABLE),
        .blob_id = le64(1),
        .size = le64(2 * WINDOW_SIZE),
    };
    request.hdr.ctx_id = le32(1);
    assert_ok(create_blob(&request, NULL, 0));
    assert_int_equal(lines_logged(VENUS_GPU_LOG_WARNING), 0);
    vm_stop();
    start(&(struct vm_options){ .no_window = true });
    assert_ok(create_host_blob(1, PAGE));
    assert_int_equal(lines_logged(VENUS_GPU_LOG_WARNING), 0);
}

/* What one driver wrote where nothing was mapped takes no memory after it, and the next one does not see it. */
static void test_reset_clears_what_is_between_blobs(void **state)
{
    (void)state;
    start(NULL);
    assert_ok(create_host_blob(1, PAGE));
    assert_int_equal(map_blob(1, 4 * PAGE), OK_MAP);
    for (uint64_t page = 0; page < WINDOW_SIZE / PAGE; page++)
        guest_writes(page * PAGE, 7);
    vm_reset();
    check_hole(0, WINDOW_SIZE);
}

/* How many of the kernel's address ranges the window is. */
static unsigned ranges_of_window(void)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    unsigned long from, to;
    unsigned count = 0;
    char line[512];
    uint64_t size;
    const char *window = venus_gpu_window(vm.gpu, &size);
    while (maps && fgets(line, sizeof(line), maps)) {
        if (sscanf(line, "%lx-%lx", &from, &to) == 2 && (const char *)from < window + size &&
            (const char *)to > window)
            count++;
    }
    if (maps)
        fclose(maps);
    return count;
}

/*
 * The kernel does not join pages that were touched apart from each other. What a guest touches between two blobs stays
 * apart when they are gone, and this process may have only so many ranges.
 */
static void test_ranges_are_joined(void **state)
{
    (void)state;
    enum { STEPS = 3000, MOST = 1200 };
    linux_ways();
    start(&(struct vm_options){ .window_size = (2 * STEPS + 4) * PAGE });
    assert_ok(create_host_blob(1, PAGE));
    assert_ok(create_host_blob(2, PAGE));
    assert_int_equal(map_blob(1, 0), OK_MAP);
    if (ranges_of_window() < 2) /* the system does not tell */
        skip();
    char *window = venus_gpu_window(vm.gpu, &(uint64_t){ 0 });
    for (uint64_t i = 1; i <= STEPS; i++) {
        assert_int_equal(map_blob(1 + i % 2, 2 * i * PAGE), OK_MAP);
        window[(2 * i - 1) * PAGE] = 1;
        assert_ok(unmap_blob(2 - i % 2));
    }
    assert_uint_in_range(ranges_of_window(), 2, MOST);
    check_shared(1 + STEPS % 2, 2 * STEPS * PAGE, PAGE);
}

/* ---- pages ----------------------------------------------------------------------------------- */

/*
 * A host with larger pages, and a guest whose kernel puts its blobs side by side in pages of its own: places that are
 * none of the host's are refused, and a person is told once which guest it takes.
 */
static void test_guest_of_smaller_pages(void **state)
{
    (void)state;
    char larger[16];
    snprintf(larger, sizeof(larger), "%d", 4 * PAGE);
    setenv("VENUS_GPU_PAGE_SIZE", larger, 1);
    start(&(struct vm_options){ .blob_alignment = 1 });
    uint32_t alignment;
    venus_gpu_read_config(vm.gpu, 16, &alignment, sizeof(alignment));
    assert_int_equal(le32(alignment), 4 * PAGE);
    for (uint32_t id = 1; id <= 3; id++)
        assert_ok(create_host_blob(id, 33 * PAGE)); /* what Venus' ring takes in such a guest */
    assert_int_equal(map_blob(1, 0), OK_MAP);
    check_shared(1, 0, 33 * PAGE);
    check_hole(33 * PAGE, 3 * PAGE); /* to the end of the host's page */
    assert_false(was_logged(VENUS_GPU_LOG_WARNING, "pages are smaller"));
    assert_error(map_blob(2, 33 * PAGE), INVALID_PARAMETER);
    assert_true(
        was_logged(VENUS_GPU_LOG_WARNING, "the guest's pages are smaller than this host's"));
    assert_true(was_logged(VENUS_GPU_LOG_WARNING, "linux-image-arm64-16k"));
    assert_error(map_blob(2, 34 * PAGE), INVALID_PARAMETER);
    assert_int_equal(lines_logged(VENUS_GPU_LOG_WARNING), 1);
    /* A place within the host's last page of the first one; and one behind it. */
    assert_error(map_blob(2, 32 * PAGE), INVALID_PARAMETER);
    assert_int_equal(map_blob(2, 36 * PAGE), OK_MAP);
    vm_reset();
    assert_ok(create_context(1));
    assert_ok(create_host_blob(1, PAGE));
    assert_error(map_blob(1, PAGE), INVALID_PARAMETER);
    assert_int_equal(lines_logged(VENUS_GPU_LOG_WARNING), 2);
    /* No guest's page ends there: that is a mistake of another kind. */
    vm_reset();
    assert_ok(create_context(1));
    assert_ok(create_host_blob(1, PAGE));
    assert_error(map_blob(1, 100), INVALID_PARAMETER);
    assert_int_equal(lines_logged(VENUS_GPU_LOG_WARNING), 2);
}

static int usual_pages(void **state)
{
    int ret = vm_teardown(state);
    unsetenv("VENUS_GPU_PAGE_SIZE");
    return ret;
}

/* ---- regions --------------------------------------------------------------------------------- */

static const struct vm_options by_regions = { .window_mode = VENUS_GPU_WINDOW_REGIONS };

static void test_regions_by_order(void **state)
{
    (void)state;
    start(&by_regions);
    assert_ok(create_host_blob(1, 3 * PAGE));
    assert_int_equal(map_blob(1, 5 * PAGE), OK_MAP);
    assert_int_equal(stat_value("maps-region"), 1);
    assert_int_equal(stat_value("maps-fixed"), 0);
    assert_int_equal(count_regions(), 1);
    assert_true(region_event(0).map);
    assert_int_equal(region_event(0).offset, 5 * PAGE);
    assert_int_equal(region_event(0).size, 3 * PAGE);
    check_shared(1, 5 * PAGE, 3 * PAGE);
    assert_ok(unmap_blob(1));
    assert_int_equal(count_regions(), 2);
    assert_false(region_event(1).map);
    check_hole(5 * PAGE, 3 * PAGE);
}

static struct sent *send_create_2d(uint32_t id)
{
    const struct virtio_gpu_resource_create_2d request = {
        REQUEST(RESOURCE_CREATE_2D),
        .resource_id = le32(id),
        .format = le32(VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM),
        .width = le32(1),
        .height = le32(1),
    };
    return send_control(&request, sizeof(request), sizeof(struct virtio_gpu_ctrl_hdr));
}

static struct sent *send_map(uint32_t id, uint64_t offset)
{
    const struct virtio_gpu_resource_map_blob request = {
        REQUEST(RESOURCE_MAP_BLOB),
        .resource_id = le32(id),
        .offset = le64(offset),
    };
    return send_control(&request, sizeof(request), sizeof(struct virtio_gpu_resp_map_info));
}

static struct sent *send_unmap(uint32_t id)
{
    const struct virtio_gpu_resource_unmap_blob request = {
        REQUEST(RESOURCE_UNMAP_BLOB),
        .resource_id = le32(id),
    };
    return send_control(&request, sizeof(request), sizeof(struct virtio_gpu_ctrl_hdr));
}

static void test_late_answers(void **state)
{
    (void)state;
    start(&(struct vm_options){ .window_mode = VENUS_GPU_WINDOW_REGIONS, .regions = REGIONS_LATE });
    assert_ok(create_host_blob(1, PAGE));
    struct sent *map = send_map(1, 0), *unmap = send_unmap(1);
    wait_for_regions(1);
    assert_false(is_done(map));
    answer_region(0, 0);
    assert_int_equal(wait_for(map), OK_MAP);
    wait_for_regions(2);
    assert_false(is_done(unmap));
    answer_region(1, 0);
    assert_ok(wait_for(unmap));
    assert_int_equal(stat_value("mapped"), 0);
}

/* The region says what it is made of. */
static void test_region_has_a_handle(void **state)
{
    (void)state;
    start(&(struct vm_options){ .window_mode = VENUS_GPU_WINDOW_REGIONS, .regions = REGIONS_LATE });
    assert_ok(create_host_blob(1, 2 * PAGE));
    struct sent *map = send_map(1, PAGE);
    wait_for_regions(1);
    const struct venus_gpu_region *region = vm.regions_asked[0].region;
    assert_non_null(region->handle);
    assert_int_equal(region->handle->kind, VENUS_GPU_HANDLE_SHM);
    assert_int_equal(region->handle->offset, 0);
    assert_int_equal(region->handle->size, region->size);
    char *memory = mmap(NULL, region->size, PROT_READ, MAP_SHARED, region->handle->fd, 0);
    assert_ptr_not_equal(memory, MAP_FAILED);
    ((char *)region->ptr)[PAGE] = 7;
    assert_int_equal(memory[PAGE], 7);
    munmap(memory, region->size);
    answer_region(0, 0);
    assert_int_equal(wait_for(map), OK_MAP);
    struct sent *unmap = send_unmap(1);
    wait_for_regions(2);
    answer_region(1, 0);
    assert_ok(wait_for(unmap));
}

/*
 * Answers that nobody waits for may come with later ones, or a moment later. But not later than something
 * that waits for the front end, and none is lost.
 */
static void test_answers_before_a_wait(void **state)
{
    (void)state;
    struct sent *plain[20];
    start(&(struct vm_options){ .window_mode = VENUS_GPU_WINDOW_REGIONS, .regions = REGIONS_LATE });
    assert_ok(create_host_blob(1, PAGE));
    assert_ok(create_host_blob(2, PAGE));
    struct sent *first = send_map(1, 0);
    wait_for_regions(1); /* the device thread stands still, and what comes now is a queue */
    for (unsigned i = 0; i < COUNT(plain) - 1; i++)
        plain[i] = send_create_2d(10 + i);
    struct sent *second = send_map(2, PAGE);
    plain[COUNT(plain) - 1] = send_create_2d(10 + COUNT(plain));
    assert_false(is_done(plain[0]));

    answer_region(0, 0);
    wait_for_regions(2);
    for (unsigned i = 0; i < COUNT(plain) - 1; i++) {
        assert_ok(wait_for(plain[i]));
        assert_int_equal(plain[i]->order, first->order + 1 + i);
    }
    assert_false(is_done(second));
    assert_false(is_done(plain[COUNT(plain) - 1]));
    answer_region(1, 0);
    assert_int_equal(wait_for(second), OK_MAP);
    assert_ok(wait_for(plain[COUNT(plain) - 1]));

    /* Nor do they wait for a command that never comes. */
    plain[0] = send_create_2d(100);
    plain[1] = send_create_2d(101);
    assert_ok(wait_for(plain[1]));
    assert_ok(wait_for(plain[0]));
}

/* A region that was refused is unmapped as any other, so that front ends need no second way. */
static void test_region_errors(void **state)
{
    (void)state;
    start(&(struct vm_options){ .window_mode = VENUS_GPU_WINDOW_REGIONS, .regions = REGIONS_FAIL });
    assert_ok(create_host_blob(1, PAGE));
    assert_error(map_blob(1, 0), UNSPEC);
    assert_int_equal(count_regions(), 2);
    assert_false(region_event(1).map);

    vm.regions = REGIONS_LATE;
    struct sent *map = send_map(1, 0);
    wait_for_regions(3);
    answer_region(2, -ENOMEM);
    wait_for_regions(4);
    assert_false(is_done(map));
    assert_false(region_event(3).map);
    memset(region_event(3).ptr, 1, PAGE); /* it is the front end's until that is answered too */
    answer_region(3, 0);
    assert_error(wait_for(map), OUT_OF_MEMORY);
    assert_int_equal(stat_value("mapped"), 0);
    assert_int_equal(stat_value("maps-region"), 0);

    /* Once, and the place is free. */
    vm.regions = REGIONS_NOW;
    assert_ok(unref(1));
    assert_int_equal(count_regions(), 4);
    assert_ok(create_host_blob(1, PAGE));
    assert_int_equal(map_blob(1, 0), OK_MAP);
}

/* A reset meets a region that was refused and is about to be unmapped. */
static void test_reset_after_refusal(void **state)
{
    (void)state;
    start(&(struct vm_options){ .window_mode = VENUS_GPU_WINDOW_REGIONS, .regions = REGIONS_LATE });
    fake_set_memory(FAKE_PINNED);
    assert_ok(create_host_blob(1, PAGE));
    send_map(1, 0);
    wait_for_regions(1);
    answer_region(0, -ENOMEM);
    wait_for_regions(2);
    vm_reset();
    assert_int_equal(count_regions(), 2);
    memset(region_event(1).ptr, 1, PAGE);
    answer_region(1, 0);
    settle();
    assert_int_equal(fake_blobs(), 0);
    assert_int_equal(stat_value("address-ranges"), 0);
}

static void test_unref_takes_region_away(void **state)
{
    (void)state;
    start(&(struct vm_options){ .window_mode = VENUS_GPU_WINDOW_REGIONS });
    assert_ok(create_host_blob(1, PAGE));
    assert_int_equal(map_blob(1, 0), OK_MAP);
    vm.regions = REGIONS_LATE;
    const struct virtio_gpu_resource_unref request = {
        REQUEST(RESOURCE_UNREF),
        .resource_id = le32(1),
    };
    struct sent *sent = send_control(&request, sizeof(request), sizeof(request.hdr));
    wait_for_regions(2);
    assert_false(is_done(sent));
    /* The memory is there for as long as the region is. */
    assert_int_equal(guest_sees(0), 0);
    guest_writes(0, 1);
    answer_region(1, 0);
    assert_ok(wait_for(sent));
    assert_int_equal(fake_blobs(), 0);
}

/* The reset does not wait for answers, which may come from the thread that asked for it. */
static void check_reset(enum fake_memory memory, bool map_is_answered, int error)
{
    start(&(struct vm_options){ .window_mode = VENUS_GPU_WINDOW_REGIONS, .regions = REGIONS_LATE });
    fake_set_memory(memory);
    assert_ok(create_host_blob(1, PAGE));
    struct sent *map = send_map(1, 0);
    wait_for_regions(1);
    if (map_is_answered) {
        answer_region(0, 0);
        wait_for(map);
    }
    vm_reset();
    assert_int_equal(count_regions(), 2); /* region_unmap() was called */
    assert_false(region_event(1).map);
    memset(region_event(0).ptr, 1, PAGE); /* and the memory is there until it is answered */
    answer_region(0, error);
    answer_region(1, 0);
    assert_int_equal(stat_value("mapped"), 0);

    /* The device goes on, at the same place. */
    vm.regions = REGIONS_NOW;
    assert_ok(create_context(1));
    assert_ok(create_host_blob(1, PAGE));
    assert_int_equal(map_blob(1, 0), OK_MAP);
    check_shared(1, 0, PAGE);
    vm_stop();
}

static void test_reset_while_waiting(void **state)
{
    (void)state;
    static const enum fake_memory memories[] = { FAKE_SHM, FAKE_OPAQUE, FAKE_PINNED };
    for (unsigned i = 0; i < COUNT(memories); i++) {
        check_reset(memories[i], false, 0);
        check_reset(memories[i], false, -EIO);
        check_reset(memories[i], true, 0);
    }
}

/* Answers that come after the guest went on. */
static void test_answers_after_reset(void **state)
{
    (void)state;
    start(&(struct vm_options){ .window_mode = VENUS_GPU_WINDOW_REGIONS, .regions = REGIONS_LATE });
    assert_ok(create_host_blob(1, PAGE));
    send_map(1, 0);
    wait_for_regions(1);
    vm_reset();
    assert_ok(create_context(1));
    assert_ok(create_host_blob(1, PAGE));
    struct sent *map = send_map(1, 0);
    wait_for_regions(3);
    answer_region(0, 0);
    answer_region(1, 0);
    answer_region(2, 0);
    assert_int_equal(wait_for(map), OK_MAP);
    check_shared(1, 0, PAGE);
}

/* ---- pinned memory --------------------------------------------------------------------------- */

/* A frame keeps the renderer's mapping and the resource alive; then the id is free again. */
static void test_pinned_id_is_reused(void **state)
{
    (void)state;
    start(NULL);
    fake_set_memory(FAKE_PINNED);
    vm.keep_frames = true;
    assert_ok(create_host_blob(1, 16 * PAGE));
    ((uint8_t *)fake_blob(1))[100] = 42;
    struct virtio_gpu_set_scanout_blob request = blob_scanout(0, 1, 64, 64);
    assert_ok(set_scanout_blob(&request));
    const uint8_t *pixels = shown(0)->pixels;
    assert_ok(unref(1));
    assert_null(shown(0));
    assert_int_equal(fake_blobs(), 1);
    assert_int_equal(pixels[100], 42);

    /* Other resources can take the id, since they do not need the renderer's. */
    assert_ok(create_2d(1, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, 8, 8));
    assert_ok(unref(1));

    const struct virtio_gpu_resource_create_blob create = {
        .hdr = { .type = le32(VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB), .ctx_id = le32(1) },
        .resource_id = le32(1),
        .blob_mem = le32(VIRTIO_GPU_BLOB_MEM_HOST3D),
        .blob_flags = le32(VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE),
        .size = le64(PAGE),
    };
    assert_int_equal(fake_count(FAKE_BLOB_CREATE), 1);
    struct sent *sent = send_control(&create, sizeof(create), sizeof(create.hdr));
    assert_false(is_done(sent));
    assert_int_equal(pixels[100], 42);
    drop_frames();
    assert_ok(wait_for(sent));
    assert_int_equal(fake_blobs(), 1);
    assert_int_equal(fake_count(FAKE_BLOB_CREATE), 2);
}

static void test_pinned_frame_outlives_reset(void **state)
{
    (void)state;
    start(NULL);
    fake_set_memory(FAKE_PINNED);
    vm.keep_frames = true;
    assert_ok(create_host_blob(1, 16 * PAGE));
    ((uint8_t *)fake_blob(1))[100] = 42;
    struct virtio_gpu_set_scanout_blob request = blob_scanout(0, 1, 64, 64);
    assert_ok(set_scanout_blob(&request));
    const uint8_t *pixels = shown(0)->pixels;
    vm_reset();
    assert_int_equal(pixels[100], 42);
    assert_int_equal(fake_blobs(), 1);
    drop_frames();
    settle();
    assert_int_equal(fake_blobs(), 0);
}

/* The reset does not wait for a frame that a command waits for. */
static void test_reset_while_id_is_pinned(void **state)
{
    (void)state;
    start(NULL);
    fake_set_memory(FAKE_PINNED);
    vm.keep_frames = true;
    assert_ok(create_host_blob(1, 16 * PAGE));
    struct virtio_gpu_set_scanout_blob request = blob_scanout(0, 1, 64, 64);
    assert_ok(set_scanout_blob(&request));
    assert_ok(unref(1));
    const struct virtio_gpu_resource_create_blob create = {
        .hdr = { .type = le32(VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB), .ctx_id = le32(1) },
        .resource_id = le32(1),
        .blob_mem = le32(VIRTIO_GPU_BLOB_MEM_HOST3D),
        .blob_flags = le32(VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE),
        .size = le64(PAGE),
    };
    send_control(&create, sizeof(create), sizeof(create.hdr));
    vm_reset();
    assert_int_equal(stat_value("resources"), 0);
    assert_int_equal(fake_blobs(), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_starts_empty),
        cmocka_unit_test_teardown(test_locked_memory, unlock_memory),
        TEST(test_no_window),
        TEST(test_fixed),
        TEST(test_fixed_dmabuf),
        TEST(test_alias),
        TEST(test_region_has_a_handle),
        TEST(test_region_for_pinned),
        TEST(test_each_way_is_tried_once),
        TEST(test_export_fails),
        TEST(test_nothing_works),
        TEST(test_no_regions),
        TEST(test_short_memory),
        TEST(test_padded),
        TEST(test_padded_dma_buf),
        TEST(test_padded_handle),
        TEST(test_memory_cannot_be_cut),
        TEST(test_hole_in_memory),
        TEST(test_not_mappable),
        TEST(test_places),
        TEST(test_overlap),
        TEST(test_map_twice),
        TEST(test_reuse_of_a_place),
        TEST(test_many),
        TEST(test_mapped_and_shown),
        TEST(test_most_mapped),
        TEST(test_nearly_full),
        TEST(test_no_room),
        TEST(test_no_hint),
        TEST(test_reset_clears_what_is_between_blobs),
        TEST(test_ranges_are_joined),
        cmocka_unit_test_teardown(test_guest_of_smaller_pages, usual_pages),
        TEST(test_regions_by_order),
        TEST(test_late_answers),
        TEST(test_answers_before_a_wait),
        TEST(test_region_errors),
        TEST(test_reset_after_refusal),
        TEST(test_unref_takes_region_away),
        TEST(test_reset_while_waiting),
        TEST(test_answers_after_reset),
        TEST(test_pinned_id_is_reused),
        TEST(test_pinned_frame_outlives_reset),
        TEST(test_reset_while_id_is_pinned),
    };
    return RUN_TESTS(tests);
}
