/* SPDX-License-Identifier: MIT */
/* The ways of placing a blob by themselves: which is taken for which memory, each once, and what is refused. */
#include "memory/placement.h"

#include <errno.h>
#include <sys/mman.h>

#include "alone.h"
#include "base/pages.h"

enum { BLOB = 7, PAGES = 4 };

static struct services services;
static char *room; /* pages to place it at, with one on either side */

static void ignore_fence(void *opaque, uint64_t id)
{
    (void)opaque, (void)id;
}

static void start_missing(enum fake_memory memory, size_t missing)
{
    alone_start(&services, ignore_fence, NULL);
    fake_set_memory(memory);
    fake_set_missing(missing);
    const struct renderer_blob blob = {
        .resource_id = BLOB,
        .context_id = 1,
        .mem = VIRTIO_GPU_BLOB_MEM_HOST3D,
        .flags = VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE,
        .id = 1,
        .size = PAGES * page_size(),
    };
    assert_int_equal(fake_renderer.blob_create(&blob), 0);
    room = mmap(NULL, (PAGES + 2) * page_size(), PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(room, MAP_FAILED);
    memset(room, 1, (PAGES + 2) * page_size());
}

static void start(enum fake_memory memory)
{
    start_missing(memory, 0);
}

static int finish(void **state)
{
    (void)state;
    if (fake_blobs())
        fake_renderer.resource_unref(BLOB);
    munmap(room, (PAGES + 2) * page_size());
    alone_stop_renderer();
    alone_stop(&services);
    usual_ways();
    return 0;
}

/* Place it, and see that it is the blob's memory, at that address and nowhere beside it. */
static void check_placed(enum placement_way expected)
{
    struct placement placement;
    char *dst = room + page_size();
    assert_int_equal(
        placement_place(&fake_renderer, NULL, BLOB, PAGES * page_size(), dst, &placement), 0);
    assert_ptr_equal(placement.ptr, dst);
    assert_int_equal(placement.way, expected);
    assert_int_equal(placement.size, PAGES * page_size());
    assert_null(placement.placed);
    char *blob = fake_blob(BLOB);
    for (unsigned i = 0; i < PAGES; i++) {
        dst[i * page_size()] = (char)(10 + i);
        assert_int_equal(blob[i * page_size()], 10 + i);
    }
    assert_int_equal(room[page_size() - 1], 1);
    assert_int_equal(dst[PAGES * page_size()], 1);

    /* Anywhere. */
    assert_int_equal(
        placement_place(&fake_renderer, NULL, BLOB, PAGES * page_size(), NULL, &placement), 0);
    assert_int_equal(placement.way, expected);
    assert_int_equal(*(char *)placement.ptr, 10);
    munmap(placement.ptr, PAGES * page_size());
}

static void test_by_descriptor(void **state)
{
    (void)state;
    start(FAKE_SHM);
    check_placed(PLACEMENT_FIXED);
    assert_int_equal(fake_count(FAKE_EXPORT), 2);
    assert_int_equal(fake_count(FAKE_MAP), 0); /* no other way was tried */
}

static void test_by_alias(void **state)
{
    (void)state;
    linux_ways();
    start(FAKE_OPAQUE);
    check_placed(PLACEMENT_ALIAS);
    assert_int_equal(fake_count(FAKE_EXPORT), 2);
    assert_int_equal(fake_count(FAKE_MAP), 2);
    assert_int_equal(fake_count(FAKE_UNMAP), 2);
}

static int try_to_place(void)
{
    struct placement placement;
    return placement_place(&fake_renderer, NULL, BLOB, PAGES * page_size(), room + page_size(),
                           &placement);
}

static void test_in_no_way(void **state)
{
    (void)state;
    start(FAKE_PINNED);
    assert_true(try_to_place() < 0);
    assert_int_equal(fake_count(FAKE_EXPORT), 1);
    assert_int_equal(fake_count(FAKE_MAP), 1);
    assert_int_equal(fake_count(FAKE_UNMAP), 1);
}

/* Whoever touched its end would end this process: no other way will do either. */
static void test_shorter_than_it_says(void **state)
{
    (void)state;
    start_missing(FAKE_SHORT, PAGES * page_size()); /* a guest's page has something in it */
    assert_int_equal(try_to_place(), -EOVERFLOW);
    assert_int_equal(fake_count(FAKE_MAP), 0);
}

/* Pages of nothing: nobody else's, zero until they are written, and there in either place. */
static void check_tail(enum fake_memory memory, size_t missing)
{
    struct placement placement;
    linux_ways();
    start_missing(memory, missing * page_size());
    size_t size = PAGES * page_size(), own = size - missing * page_size();
    char *dst = room + page_size(), *places[2], *blob = fake_blob(BLOB);
    memset(dst, 0, size); /* as the window's pages are */
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(
            placement_place(&fake_renderer, NULL, BLOB, size, i ? NULL : dst, &placement), 0);
        assert_int_equal(placement.size, own);
        places[i] = placement.ptr;
    }
    assert_ptr_equal(places[0], dst);
    memset(blob, 3, own);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(places[i][own - 1], 3);
        for (size_t at = own; at < size; at++)
            assert_int_equal(places[i][at], 0);
        memset(places[i] + own, 4 + (int)i, size - own);
    }
    assert_int_equal(places[0][size - 1], 4);
    assert_int_equal(places[1][size - 1], 5);
    assert_int_equal(room[page_size() - 1], 1);
    assert_int_equal(dst[size], 1);
    munmap(places[1], size);
}

static void test_tail_of_a_larger_page(void **state)
{
    (void)state;
    static const enum fake_memory memories[] = { FAKE_SHORT, FAKE_SMALL };
    for (unsigned i = 0; i < 2 * COUNT(memories); i++) {
        if (i)
            finish(state);
        check_tail(memories[i / 2], i % 2 ? 1 : PAGES - 1);
    }
}

/* No page of a guest explains a tail in a blob of an odd number of pages, nor one of 64 KiB. */
static void test_tails_that_are_none(void **state)
{
    (void)state;
    const size_t page = page_size();
    const struct {
        size_t pages, missing;
        int ret;
    } cases[] = {
        { 5, 1, -EOVERFLOW },
        { 6, 1, 0 },
        { 6, 2, -EOVERFLOW },
        { 8, 7, 7 * page < 64 << 10 ? 0 : -EOVERFLOW },
        { 1024, (64 << 10) / page - 1, 0 },
        { 1024, (64 << 10) / page, -EOVERFLOW },
    };
    start(FAKE_SHORT);
    for (unsigned i = 0; i < COUNT(cases); i++) {
        const struct renderer_blob blob = {
            .resource_id = BLOB + 1,
            .context_id = 1,
            .mem = VIRTIO_GPU_BLOB_MEM_HOST3D,
            .id = 1,
            .size = cases[i].pages * page,
        };
        struct placement placement;
        fake_set_missing(cases[i].missing * page);
        assert_int_equal(fake_renderer.blob_create(&blob), 0);
        assert_int_equal(
            placement_place(&fake_renderer, NULL, BLOB + 1, blob.size, NULL, &placement),
            cases[i].ret);
        if (cases[i].ret == 0)
            munmap(placement.ptr, blob.size);
        fake_renderer.resource_unref(BLOB + 1);
    }
}

static void test_sizes(void **state)
{
    (void)state;
    struct placement placement;
    start(FAKE_SHM);
    assert_int_equal(placement_place(&fake_renderer, NULL, BLOB, 0, NULL, &placement), -EINVAL);
    assert_int_equal(placement_place(&fake_renderer, NULL, BLOB, UINT64_MAX, NULL, &placement),
                     -EINVAL);
    assert_int_equal(
        placement_place(&fake_renderer, NULL, BLOB, (PAGES + 1) * page_size(), NULL, &placement),
        -EOVERFLOW);
}

/* Whatever the variable says, a blob of a page can be placed. */
static void test_variable(void **state)
{
    (void)state;
    static const char *const nonsense[] = { "",        "0",      "-1",
                                            "1048576", "131072", "16384x",
                                            "0x8000",  "12288",  "99999999999999999999" };
    for (unsigned i = 0; i < COUNT(nonsense); i++) {
        setenv("VENUS_GPU_PAGE_SIZE", nonsense[i], 1);
        assert_int_equal(page_size(), page_size_here());
    }
    setenv("VENUS_GPU_PAGE_SIZE", "65536", 1);
    assert_int_equal(page_size(), 64 << 10);
    start(FAKE_SHM);
    const struct renderer_blob blob = {
        .resource_id = BLOB + 1,
        .context_id = 1,
        .mem = VIRTIO_GPU_BLOB_MEM_HOST3D,
        .id = 1,
        .size = 1,
    };
    assert_int_equal(fake_renderer.blob_create(&blob), 0);
    struct placement placement;
    assert_int_equal(placement_place(&fake_renderer, NULL, BLOB + 1, blob.size, NULL, &placement),
                     0);
    munmap(placement.ptr, 64 << 10);
    fake_renderer.resource_unref(BLOB + 1);
}

static int finish_with_variable(void **state)
{
    int ret = finish(state);
    unsetenv("VENUS_GPU_PAGE_SIZE");
    return ret;
}

#define PLACEMENT(function) cmocka_unit_test_teardown(function, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLACEMENT(test_by_descriptor),
        PLACEMENT(test_by_alias),
        PLACEMENT(test_in_no_way),
        PLACEMENT(test_shorter_than_it_says),
        PLACEMENT(test_tail_of_a_larger_page),
        PLACEMENT(test_tails_that_are_none),
        PLACEMENT(test_sizes),
        cmocka_unit_test_teardown(test_variable, finish_with_variable),
    };
    return RUN_TESTS(tests);
}
