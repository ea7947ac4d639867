/* SPDX-License-Identifier: MIT */
/* The host-visible window: what the guest and the GPU write there, and how memory gets there. */
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "process.h"
#include "venus.h"

static void assert_filled(const char *window, uint64_t size, uint32_t value)
{
    for (uint64_t i = 0; i < size; i += sizeof(value)) {
        uint32_t found;
        memcpy(&found, window + i, sizeof(found));
        if (found != value)
            fail_msg("0x%x at byte %llu, not 0x%x", found, (unsigned long long)i, value);
    }
}

static void fill(char *window, uint64_t size, uint32_t value)
{
    for (uint64_t i = 0; i < size; i += sizeof(value))
        memcpy(window + i, &value, sizeof(value));
}

/* How many blobs were placed, by whatever way. */
static uint64_t all_maps(struct guest *guest)
{
    return guest_stat(guest, "maps-fixed") + guest_stat(guest, "maps-alias") +
           guest_stat(guest, "maps-vulkan") + guest_stat(guest, "maps-region");
}

static void shm_is_mapped_by_its_descriptor(void **state)
{
    struct guest *guest = *state;

    assert_ok(guest_context_create(guest, 1));
    uint32_t resource = guest_shm(guest, 1, 4 * PAGE, NULL);
    assert_int_equal(guest_stat(guest, "maps-fixed"), 1);
    assert_int_equal(all_maps(guest), 1);
    assert_int_equal(guest_stat(guest, "mapped"), 1);
    assert_int_equal(guest_stat(guest, "mapped-bytes"), 4 * PAGE);
    assert_ok(guest_unmap(guest, resource));
    assert_int_equal(guest_stat(guest, "mapped"), 0);
    assert_int_equal(guest_stat(guest, "mapped-bytes"), 0);
}

/* By what way depends on the driver: dma-buf by its descriptor, opaque memory as an alias. */
static void gpu_s_writes_appear_in_the_window(void **state)
{
    struct guest *guest = *state;
    struct venus venus;
    uint64_t memory, size = 64 * PAGE;

    venus_open_all(&venus, guest, 1);
    uint64_t fixed = guest_stat(guest, "maps-fixed");
    uint32_t resource = venus_blob(&venus, size, &memory);
    uint64_t buffer = venus_buffer(&venus, memory, size);
    char *window = guest_map_anywhere(guest, resource, size);
    assert_int_equal(all_maps(guest), fixed + 1);
    print_message("# Vulkan memory is mapped %s\n",
                  guest_stat(guest, "maps-fixed") > fixed ? "by its descriptor"
                  : guest_stat(guest, "maps-alias")       ? "as an alias"
                  : guest_stat(guest, "maps-vulkan")      ? "by Vulkan"
                                                          : "as a region");
    if (strstr(venus_gpu_renderer_name(guest->gpu), "llvmpipe"))
        assert_int_equal(guest_stat(guest, "maps-region"), 0);

    for (uint32_t i = 0; i < 8; i++) {
        assert_ok(guest_wait(venus_fill(&venus, buffer, 0xcafe0000 + i, 0)));
        assert_filled(window, size, 0xcafe0000 + i);
    }
    /* What the GPU writes while it is not mapped is there afterwards. */
    assert_ok(guest_unmap(guest, resource));
    assert_ok(guest_wait(venus_fill(&venus, buffer, 0xbeef, 0)));
    window = guest_map_anywhere(guest, resource, size);
    assert_filled(window, size, 0xbeef);
}

/* A kernel with pages of 16 or 64 KiB makes its blobs whole ones; Vulkan has allocated what the program asked for. */
static void memory_ends_before_the_guest_s_page(void **state)
{
    struct guest *guest = *state;
    static const uint64_t sizes[][2] = { { PAGE, 4 * PAGE },
                                         { 9 * PAGE, 12 * PAGE },
                                         { PAGE, 64 << 10 } };
    struct venus venus;

    venus_open_all(&venus, guest, 1);
    uint64_t before = guest_stat(guest, "maps-padded");
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        uint64_t memory, size = sizes[i][0], blob_size = sizes[i][1];
        uint32_t resource = venus_padded_blob(&venus, size, blob_size, &memory);
        uint64_t buffer = venus_buffer(&venus, memory, size);
        char *window = guest_map_anywhere(guest, resource, blob_size);
        assert_ok(guest_wait(venus_fill(&venus, buffer, 0xface + i, 0)));
        assert_filled(window, size, 0xface + i);
        fill(window + size, blob_size - size, 0xaffe); /* up to its last byte */
        assert_filled(window + size, blob_size - size, 0xaffe);
        assert_ok(guest_unmap(guest, resource));
        assert_filled(window, blob_size, 0);
    }
    assert_int_equal(guest_stat(guest, "maps-padded"), before + sizeof(sizes) / sizeof(*sizes));
}

static void gpu_reads_what_the_guest_wrote(void **state)
{
    struct guest *guest = *state;
    struct venus venus;
    uint64_t memory[2], buffer[2], size = 16 * PAGE;
    char *window[2];

    venus_open_all(&venus, guest, 1);
    for (int i = 0; i < 2; i++) {
        uint32_t resource = venus_blob(&venus, size, &memory[i]);
        buffer[i] = venus_buffer(&venus, memory[i], size);
        window[i] = guest_map_anywhere(guest, resource, size);
    }
    fill(window[0], size, 0x12345678);
    fill(window[1], size, 0);
    assert_ok(guest_wait(venus_copy(&venus, buffer[0], buffer[1], size)));
    assert_filled(window[1], size, 0x12345678);
}

static void unmapped_range_does_not_fault(void **state)
{
    struct guest *guest = *state;
    const uint64_t size = 4 * PAGE, offset = 512 << 20;

    assert_ok(guest_context_create(guest, 1));
    uint32_t resource = guest_new_resource(guest);
    assert_ok(guest_blob_create(guest, 1, resource, VIRTIO_GPU_BLOB_MEM_HOST3D, 0, size, NULL, 0));
    char *window = guest->window + offset;
    assert_int_equal(guest_map(guest, resource, offset), VIRTIO_GPU_RESP_OK_MAP_INFO);
    fill(window, size, 0xaaaaaaaa);
    assert_ok(guest_unmap(guest, resource));
    assert_filled(window, size, 0); /* nothing is left of it */
    fill(window, size, 0xbbbbbbbb);

    /* Somewhere else it is as it was, and its old place and its neighbours are not concerned. */
    assert_int_equal(guest_map(guest, resource, offset + 2 * size), VIRTIO_GPU_RESP_OK_MAP_INFO);
    fill(window + size, size, 1);
    fill(window + 3 * size, size, 3);
    assert_filled(window + 2 * size, size, 0xaaaaaaaa);
    assert_filled(window, size, 0xbbbbbbbb);
    guest->window[0] = guest->window[GUEST_WINDOW_SIZE - 1] = 1;
}

static void memory_stays_while_it_is_mapped(void **state)
{
    struct guest *guest = *state;
    struct venus venus;
    uint64_t memory, size = 8 * PAGE;

    venus_open_all(&venus, guest, 1);
    uint32_t resource = venus_blob(&venus, size, &memory);
    uint64_t buffer = venus_buffer(&venus, memory, size);
    char *window = guest_map_anywhere(guest, resource, size);
    bool is_region = guest->region && guest->region->ptr == window;
    assert_ok(guest_wait(venus_fill(&venus, buffer, 0x600d, 0)));
    venus_destroy_buffer(&venus, buffer);
    venus_free(&venus, memory);
    assert_filled(window, size, 0x600d);
    venus_close(&venus);
    assert_filled(window, size, 0x600d);
    fill(window, size, 0x900d);
    assert_ok(guest_unref(guest, resource));
    if (is_region)
        assert_int_equal(guest->regions, 0);
    else
        assert_filled(window, size, 0);
}

enum { MANY = 1024 };

static void many_blobs_at_once(void **state)
{
    struct guest *guest = *state;
    uint32_t resources[MANY];
    char *windows[MANY];

    assert_ok(guest_context_create(guest, 1));
    for (uint32_t i = 0; i < MANY; i++) {
        resources[i] = guest_shm(guest, 1, 2 * PAGE, &windows[i]);
        fill(windows[i], 2 * PAGE, i);
    }
    assert_int_equal(guest_stat(guest, "mapped"), MANY);
    /* Every third one, to make holes between the others. */
    for (uint32_t i = 0; i < MANY; i += 3)
        assert_ok(guest_unref(guest, resources[i]));
    for (uint32_t i = 0; i < MANY; i++)
        assert_filled(windows[i], 2 * PAGE, i % 3 ? i : 0);
    guest_reset(guest);
    for (uint32_t i = 0; i < MANY; i++)
        assert_filled(windows[i], 2 * PAGE, 0);
}

/* The same blobs through the front end's regions, as on a host that cannot replace pages. */
static void start_with_regions(struct guest *guest)
{
    struct venus_gpu_config config;
    guest_config(&config);
    config.window_mode = VENUS_GPU_WINDOW_REGIONS;
    guest_start(guest, &config);
}

static void regions_hold_the_same_memory(void **state)
{
    struct guest *guest = *state;
    uint64_t size = 3 * PAGE, offset = 64 * PAGE;
    start_with_regions(guest);

    /* A client needs its replies: in a region, too. */
    assert_ok(guest_context_create(guest, 1));
    uint32_t shm = guest_new_resource(guest);
    assert_ok(guest_blob_create(guest, 1, shm, VIRTIO_GPU_BLOB_MEM_HOST3D, 0, size, NULL, 0));
    assert_int_equal(guest_map(guest, shm, offset), VIRTIO_GPU_RESP_OK_MAP_INFO);
    assert_int_equal(guest->regions, 1);
    assert_int_equal(guest->region->offset, offset);
    assert_int_equal(guest->region->size, size);
    assert_int_equal((uintptr_t)guest->region->ptr % PAGE, 0);
    fill(guest->region->ptr, size, 0x1dea);
    assert_int_equal(guest_stat(guest, "maps-region"), 1);
    assert_int_equal(all_maps(guest), 1);

    /* The window's own pages there are untouched, and come back. */
    assert_filled(guest->window + offset, size, getenv("VENUS_GPU_WINDOW_REGIONS") ? 0x1dea : 0);
    assert_ok(guest_unmap(guest, shm));
    assert_int_equal(guest->regions, 0);
    assert_int_equal(guest_map(guest, shm, offset), VIRTIO_GPU_RESP_OK_MAP_INFO);
    assert_filled(guest->region->ptr, size, 0x1dea);
    assert_ok(guest_unref(guest, shm));
    assert_int_equal(guest->regions, 0);
}

static void refused_region_is_an_error_and_no_more(void **state)
{
    struct guest *guest = *state;
    start_with_regions(guest);

    assert_ok(guest_context_create(guest, 1));
    uint32_t shm = guest_new_resource(guest);
    assert_ok(guest_blob_create(guest, 1, shm, VIRTIO_GPU_BLOB_MEM_HOST3D, 0, PAGE, NULL, 0));
    guest->no_regions = true;
    assert_int_equal(guest_map(guest, shm, 0), VIRTIO_GPU_RESP_ERR_UNSPEC);
    guest->no_regions = false;
    assert_int_equal(guest_map(guest, shm, 0), VIRTIO_GPU_RESP_OK_MAP_INFO);
    guest_reset(guest);
    assert_int_equal(guest->regions, 0);
}

/* Many blobs take a descriptor each; a shell's limit is 1024, and what it may be raised to is more. */
static void raise_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 4 * MANY) {
        limit.rlim_cur = limit.rlim_max < 4 * MANY ? limit.rlim_max : 4 * MANY;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int main(void)
{
    raise_limit();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(shm_is_mapped_by_its_descriptor, guest_setup_by_linux_ways,
                                        guest_teardown),
        cmocka_unit_test_setup_teardown(gpu_s_writes_appear_in_the_window,
                                        guest_setup_by_linux_ways, guest_teardown),
        cmocka_unit_test_setup_teardown(memory_ends_before_the_guest_s_page, guest_setup,
                                        guest_teardown),
        cmocka_unit_test_setup_teardown(gpu_reads_what_the_guest_wrote, guest_setup,
                                        guest_teardown),
        cmocka_unit_test_setup_teardown(unmapped_range_does_not_fault, guest_setup, guest_teardown),
        cmocka_unit_test_setup_teardown(memory_stays_while_it_is_mapped, guest_setup,
                                        guest_teardown),
        cmocka_unit_test_setup_teardown(many_blobs_at_once, guest_setup, guest_teardown),
        cmocka_unit_test_setup_teardown(regions_hold_the_same_memory, guest_setup_without_device,
                                        guest_teardown),
        cmocka_unit_test_setup_teardown(refused_region_is_an_error_and_no_more,
                                        guest_setup_without_device, guest_teardown),
    };
    return cmocka_run_group_tests_name("window", tests, NULL, NULL);
}
