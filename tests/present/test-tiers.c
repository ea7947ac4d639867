/* SPDX-License-Identifier: MIT */
/*
 * By which way the GPU gets at a frame's memory: a dma-buf, an opaque descriptor, a host pointer or a copy.
 * The best one that there is, and once for each memory. Whatever the way, the picture is the same.
 */
#include "device/device.h"
#include "exporter.h"
#include "screen.h"

enum { WIDTH = 160, HEIGHT = 128, SIZE = WIDTH * HEIGHT * 4 };

static struct exporter exporter;

static int start_exporter(void **state)
{
    (void)state;
    return exporter_init(&exporter) ? 0 : -1;
}

static int stop_exporter(void **state)
{
    (void)state;
    exporter_finish(&exporter);
    return 0;
}

/* A machine whose renderer is that Vulkan device, presented offscreen. */
static void start(const struct renderer_device *device)
{
    const struct vm_options options = { .device = device };
    present_start(&options);
    present_offscreen(0, 0, 0, false);
}

static void fill(void *ptr, uint32_t seed)
{
    fill_pattern(ptr, venus_gpu_format_lookup(VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM), WIDTH, HEIGHT,
                 WIDTH * 4, 0, 0, seed);
}

/* Have the renderer make a blob of what was exported. */
static void create_lent_blob(uint32_t id, enum renderer_fd type, const struct exported *exported)
{
    fake_lend(type, exported->fd, exported->ptr);
    if (id == 1)
        assert_ok(create_context(1));
    assert_ok(create_host_blob(id, SIZE));
}

static void show_and_compare(uint32_t id, uint32_t seed)
{
    show_blob(id, WIDTH, HEIGHT);
    assert_shows_pattern(0, WIDTH, HEIGHT, 0, 0, seed);
}

/* All frames came that way. */
static void assert_only(const char *tier)
{
    static const char *const tiers[] = { "present-dma-buf", "present-opaque-fd",
                                         "present-host-pointer", "present-staging" };
    for (size_t i = 0; i < COUNT(tiers); i++) {
        bool is_it = !strcmp(tiers[i], tier);
        assert_int_equal(stat_value(tiers[i]), is_it ? stat_value("present-frames") : 0);
    }
    assert_true(stat_value("present-frames") > 0);
    assert_int_equal(stat_value("present-staging-bytes") > 0, !strcmp(tier, "present-staging"));
}

/* Show a blob of exported memory as often as it takes to use every image twice. */
static void show_exported(enum renderer_fd type, const struct renderer_device *device,
                          const char *tier)
{
    struct exported exported;
    assert_true(exporter_allocate(&exporter, SIZE, type, &exported));
    start(device);
    create_lent_blob(1, type, &exported);
    for (uint32_t seed = 0; seed < 6; seed++) {
        fill(exported.ptr, seed);
        show_and_compare(1, seed);
    }
    assert_only(tier);
    assert_int_equal(stat_value("present-imports"), 1);
    assert_int_equal(shim_inheritable_imports(), 0);
    /* The resource's, its memory's, and the driver's. */
    assert_int_equal(stat_value("descriptors"), strcmp(tier, "present-host-pointer") ? 3 : 2);
    vm_stop();
    exporter_free(&exporter, &exported);
}

static void test_opaque(void **state)
{
    (void)state;
    show_exported(RENDERER_FD_OPAQUE, &exporter.device, "present-opaque-fd");
}

/* Only the device and driver that exported an opaque descriptor can take it. */
static void test_opaque_of_others(void **state)
{
    struct renderer_device other = exporter.device;
    (void)state;
    other.device_uuid[3] ^= 1;
    show_exported(RENDERER_FD_OPAQUE, &other, "present-host-pointer");
    other = exporter.device;
    other.driver_uuid[15] ^= 1;
    show_exported(RENDERER_FD_OPAQUE, &other, "present-host-pointer");
}

/* With two devices to render with, nobody knows from which one a blob is. */
static void test_opaque_of_one_of_two(void **state)
{
    struct renderer_device one = exporter.device;
    (void)state;
    one.is_only = false;
    show_exported(RENDERER_FD_OPAQUE, &one, "present-host-pointer");
}

static void test_dma_buf(void **state)
{
    struct exported exported;
    (void)state;
    if (!exporter_allocate(&exporter, SIZE, RENDERER_FD_DMABUF, &exported)) {
        print_message("no dma-bufs here: preload the stand-in for /dev/udmabuf\n");
        skip();
    }
    exporter_free(&exporter, &exported);
    show_exported(RENDERER_FD_DMABUF, &exporter.device, "present-dma-buf");
    /* Anybody can take those. */
    struct renderer_device other = exporter.device;
    other.device_uuid[3] ^= 1;
    show_exported(RENDERER_FD_DMABUF, &other, "present-dma-buf");
}

/* From whom memory is taken over: a dma-buf may be of another driver, where that can be said at all. */
static void test_whose_queues(void **state)
{
    struct exported exported;
    (void)state;
    show_exported(RENDERER_FD_OPAQUE, &exporter.device, "present-opaque-fd");
    assert_true(shim_acquired_from_external() > 0);
    assert_int_equal(shim_acquired_from_foreign(), 0);
    if (!exporter_allocate(&exporter, SIZE, RENDERER_FD_DMABUF, &exported))
        skip();
    exporter_free(&exporter, &exported);
    show_exported(RENDERER_FD_DMABUF, &exporter.device, "present-dma-buf");
    bool has_foreign = exporter.vk->foreign_family == VK_QUEUE_FAMILY_FOREIGN_EXT;
    assert_int_equal(shim_acquired_from_foreign() > 0, has_foreign);
    assert_int_equal(shim_acquired_from_external() > 0, !has_foreign);
}

/* A guest that flips between two buffers costs two imports, however long it does. */
static void test_flips(void **state)
{
    struct exported exported[2];
    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_true(exporter_allocate(&exporter, SIZE, RENDERER_FD_OPAQUE, &exported[i]));
        fill(exported[i].ptr, (uint32_t)i);
    }
    start(&exporter.device);
    create_lent_blob(1, RENDERER_FD_OPAQUE, &exported[0]);
    create_lent_blob(2, RENDERER_FD_OPAQUE, &exported[1]);
    for (uint32_t i = 0; i < 50; i++)
        show_and_compare(1 + i % 2, i % 2);
    assert_only("present-opaque-fd");
    assert_int_equal(stat_value("present-frames"), 50);
    assert_int_equal(stat_value("present-imports"), 2);
    assert_int_equal(stat_value("present-gpu-copies"), 50);
    vm_stop();
    for (int i = 0; i < 2; i++)
        exporter_free(&exporter, &exported[i]);
}

/* Where the driver refuses a memory, the next best way is taken, and the last one cannot be refused. */
static void test_refused(void **state)
{
    static const char *const tiers[] = { "present-opaque-fd", "present-host-pointer",
                                         "present-staging" };
    struct exported exported;
    (void)state;
    for (unsigned refusals = 0; refusals < COUNT(tiers); refusals++) {
        assert_true(exporter_allocate(&exporter, SIZE, RENDERER_FD_OPAQUE, &exported));
        fill(exported.ptr, refusals);
        start(&exporter.device);
        shim_fail(SHIM_ALLOCATE_IMPORT, VK_ERROR_INVALID_EXTERNAL_HANDLE, 0, refusals);
        create_lent_blob(1, RENDERER_FD_OPAQUE, &exported);
        for (int i = 0; i < 5; i++)
            show_and_compare(1, refusals);
        assert_only(tiers[refusals]);
        assert_int_equal(shim_count(SHIM_ALLOCATE_IMPORT), refusals < 2 ? refusals + 1 : 2);
        vm_stop();
        exporter_free(&exporter, &exported);
    }
}

/* The renderer's own mapping: there is nothing else of such memory. */
static void test_pinned(void **state)
{
    (void)state;
    start(NULL);
    fake_set_memory(FAKE_PINNED);
    assert_ok(create_context(1));
    assert_ok(create_host_blob(1, SIZE));
    fill(fake_blob(1), 3);
    show_and_compare(1, 3);
    fill(fake_blob(1), 4);
    show_and_compare(1, 4);
    assert_only("present-host-pointer");
    assert_int_equal(stat_value("present-imports"), 1);
}

static void test_2d(void **state)
{
    (void)state;
    start(NULL);
    show_2d(1, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, WIDTH, HEIGHT, 5);
    assert_shows_pattern(0, WIDTH, HEIGHT, 0, 0, 5);
    assert_only("present-host-pointer");
}

static void create_scattered_blob(uint32_t id)
{
    const struct virtio_gpu_mem_entry pages[] = {
        entry(RAM_ADDR + 4 * SIZE, PAGE),
        entry(RAM_ADDR, SIZE - PAGE),
    };
    assert_ok(create_guest_blob(id, SIZE, pages, COUNT(pages)));
}

/* Into the guest's pages, the first of which lies behind the others. */
static void fill_scattered_blob(uint32_t seed)
{
    static uint32_t picture[WIDTH * HEIGHT];
    fill(picture, seed);
    memcpy(ram_at(RAM_ADDR + 4 * SIZE), picture, PAGE);
    memcpy(ram_at(RAM_ADDR), (char *)picture + PAGE, SIZE - PAGE);
}

/* The guest's pages are seen in place. */
static void test_guest_blob(void **state)
{
    (void)state;
    start(NULL);
    create_scattered_blob(1);
    for (uint32_t seed = 0; seed < 4; seed++) {
        fill_scattered_blob(seed);
        show_and_compare(1, seed);
    }
    assert_only("present-host-pointer");
    assert_int_equal(stat_value("guest-copies"), 0);
    assert_int_equal(stat_value("present-imports"), 1);
}

/* Where they cannot be, each flush copies them, once; the GPU takes the copy by its pointer. */
static void test_private_ram(void **state)
{
    const struct vm_options options = { .private_ram = true };
    (void)state;
    present_start(&options);
    present_offscreen(0, 0, 0, false);
    create_scattered_blob(1);
    for (uint32_t seed = 0; seed < 4; seed++) {
        fill_scattered_blob(seed);
        show_and_compare(1, seed);
    }
    assert_only("present-host-pointer");
    assert_int_equal(stat_value("guest-copies"), 2 * 4); /* SET_SCANOUT_BLOB copies too */
    fill_scattered_blob(9);
    assert_ok(flush(1, rect(0, 0, WIDTH, HEIGHT)));
    assert_shows_pattern(0, WIDTH, HEIGHT, 0, 0, 9);
    assert_int_equal(stat_value("guest-copies"), 2 * 4 + 1);
    assert_int_equal(stat_value("present-imports"), 1);
}

/* Blob 1 of what was exported, which the guest says it will not map. */
static void create_unmappable_blob(enum renderer_fd type, const struct exported *exported,
                                   uint64_t size)
{
    fake_lend(type, exported->fd, exported->ptr);
    assert_ok(create_context(1));
    const struct virtio_gpu_resource_create_blob request = {
        REQUEST(RESOURCE_CREATE_BLOB),
        .hdr.ctx_id = le32(1),
        .resource_id = le32(1),
        .blob_mem = le32(VIRTIO_GPU_BLOB_MEM_HOST3D),
        .blob_flags = le32(VIRTIO_GPU_BLOB_FLAG_USE_SHAREABLE),
        .blob_id = le64(1),
        .size = le64(size),
    };
    assert_ok(create_blob(&request, NULL, 0));
}

/* Memory that no processor can map: a GPU can show it all the same, and nobody else. */
static void test_not_mappable(void **state)
{
    struct exported exported;
    (void)state;
    assert_true(exporter_allocate(&exporter, SIZE, RENDERER_FD_OPAQUE, &exported));
    start(&exporter.device);
    create_unmappable_blob(RENDERER_FD_OPAQUE, &exported, SIZE);
    fill(exported.ptr, 1);
    show_and_compare(1, 1);
    assert_null(shown(0)->pixels);
    assert_only("present-opaque-fd");
    assert_int_equal(fake_count(FAKE_MAP), 0);

    struct virtio_gpu_set_scanout_blob elsewhere = blob_scanout(1, 1, WIDTH, HEIGHT);
    assert_error(set_scanout_blob(&elsewhere), UNSPEC);
    vm_stop();
    exporter_free(&exporter, &exported);
}

/*
 * A guest's larger pages reach beyond the memory: the GPU is told of what there is, and nothing behind it is shown. What is
 * shorter by more is not shown at all.
 */
static void test_not_mappable_and_padded(void **state)
{
    struct exported exported;
    (void)state;
    if (!exporter_allocate(&exporter, SIZE, RENDERER_FD_DMABUF, &exported))
        skip();
    start(&exporter.device);
    create_unmappable_blob(RENDERER_FD_DMABUF, &exported, SIZE + (16 << 10));
    fill(exported.ptr, 1);
    show_and_compare(1, 1);
    assert_only("present-dma-buf");
    struct virtio_gpu_set_scanout_blob larger = blob_scanout(0, 1, WIDTH, HEIGHT + 1);
    assert_error(set_scanout_blob(&larger), INVALID_PARAMETER);
    assert_ok(unref(1));
    assert_ok(destroy_context(1));
    create_unmappable_blob(RENDERER_FD_DMABUF, &exported, 2 * SIZE);
    larger = blob_scanout(0, 1, WIDTH, HEIGHT);
    assert_error(set_scanout_blob(&larger), UNSPEC);
    vm_stop();
    exporter_free(&exporter, &exported);
}

/* And where it cannot be imported, that frame is not shown, and the next one is. */
static void test_not_mappable_nor_importable(void **state)
{
    struct exported exported;
    (void)state;
    assert_true(exporter_allocate(&exporter, SIZE, RENDERER_FD_OPAQUE, &exported));
    start(&exporter.device);
    shim_fail(SHIM_ALLOCATE_IMPORT, VK_ERROR_OUT_OF_DEVICE_MEMORY, 0, 1);
    create_unmappable_blob(RENDERER_FD_OPAQUE, &exported, SIZE);
    show_blob(1, WIDTH, HEIGHT);
    assert_int_equal(stat_value("present-frames"), 0);
    show_2d(2, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, WIDTH, HEIGHT, 5);
    assert_shows_pattern(0, WIDTH, HEIGHT, 0, 0, 5);
    assert_int_equal(count_present_ends(), 0);
    vm_stop();
    exporter_free(&exporter, &exported);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PRESENT_TEST(test_opaque),
        PRESENT_TEST(test_opaque_of_others),
        PRESENT_TEST(test_opaque_of_one_of_two),
        PRESENT_TEST(test_dma_buf),
        PRESENT_TEST(test_whose_queues),
        PRESENT_TEST(test_flips),
        PRESENT_TEST(test_refused),
        PRESENT_TEST(test_pinned),
        PRESENT_TEST(test_2d),
        PRESENT_TEST(test_guest_blob),
        PRESENT_TEST(test_private_ram),
        TEST(test_not_mappable),
        TEST(test_not_mappable_and_padded),
        TEST(test_not_mappable_nor_importable),
    };
    return cmocka_run_group_tests(tests, start_exporter, stop_exporter);
}
