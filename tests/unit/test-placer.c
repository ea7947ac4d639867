/* SPDX-License-Identifier: MIT */
/*
 * Blobs in the window by a driver's own hand (VK_EXT_map_memory_placed): that they are what the guest sees, and what
 * becomes of the window where the driver fails. It has no hole at any time, and the next way is taken.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fake-vulkan.h"
#include "harness.h"
#include "nouns/parts.h"
#include "vk/shared-vulkan.h"

enum { OK_MAP = VIRTIO_GPU_RESP_OK_MAP_INFO, PAGES = 16, OFFSET = 32 * PAGE };

static struct renderer_device gpu = { .name = "a GPU", .is_only = true };
static int file = -1;  /* the GPU's memory */
static char *theirs;   /* how the GPU sees it */
static char *no_alias; /* how virglrenderer does: in pages that have no second address */

static void use_vulkan(void)
{
    vm.gpu->vulkan->get_instance_proc_addr = fake_vulkan_get_instance_proc_addr;
}

/* A device on a GPU whose blobs are all the same memory, and that Vulkan. */
static void start(enum vulkan_fault fault, const struct vm_options *options)
{
    struct vm_options mine = options ? *options : (struct vm_options){ 0 };
    memcpy(gpu.device_uuid, fake_vulkan_device_uuid, sizeof(gpu.device_uuid));
    memcpy(gpu.driver_uuid, fake_vulkan_driver_uuid, sizeof(gpu.driver_uuid));
    if (!mine.device)
        mine.device = &gpu;
    fake_vulkan_start(fault);
    file = memfd_create("gpu", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_true(file >= 0);
    assert_int_equal(ftruncate(file, PAGES * PAGE), 0);
    theirs = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    no_alias = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(theirs, MAP_FAILED);
    assert_ptr_not_equal(no_alias, MAP_FAILED);
    vm_start(&mine);
    use_vulkan();
    fake_lend(RENDERER_FD_OPAQUE, file, no_alias);
    assert_ok(create_context(1));
    assert_int_equal(fake_vulkan_instances(), 0); /* none before it is needed */
}

static int finish(void **state)
{
    int ret = vm_teardown(state);
    const char *complaint = fake_vulkan_complaint();
    if (complaint)
        print_error("%s\n", complaint);
    munmap(theirs, PAGES * PAGE);
    munmap(no_alias, PAGES * PAGE);
    close(file);
    unsetenv("VENUS_GPU_PLACE");
    unsetenv("VENUS_GPU_PAGE_SIZE");
    return ret || complaint;
}

static unsigned first_gap(const char *start, uint64_t size, const char *rights)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    assert_non_null(maps);
    const char *at = start, *end = start + size;
    char line[512];
    while (at < end && fgets(line, sizeof(line), maps)) {
        unsigned long from, to;
        char flags[8];
        if (sscanf(line, "%lx-%lx %7s", &from, &to, flags) != 3)
            continue;
        if ((const char *)from <= at && at < (const char *)to) {
            if (strncmp(flags, rights, strlen(rights)) != 0)
                break;
            at = (const char *)to;
        }
    }
    fclose(maps);
    return at >= end ? UINT32_MAX : (unsigned)((at - start) / PAGE);
}

/* The guest can touch all of the window, and nobody what the driver was told. */
static void check_no_hole(void)
{
    assert_int_equal(first_gap(vm.window, WINDOW_SIZE, "rw"), UINT32_MAX);
    const char *slot = fake_vulkan_last_address();
    if (slot)
        assert_int_equal(first_gap(slot, fake_vulkan_last_size(), "---p"), UINT32_MAX);
}

static void check_shared(uint64_t offset, uint64_t size)
{
    for (uint64_t at = 0; at < size; at += PAGE / 2) {
        theirs[at] = (char)(at / 100 + 1);
        assert_int_equal(guest_sees(offset + at), (uint8_t)(at / 100 + 1));
        guest_writes(offset + at + 1, (uint8_t)(at / 100 + 2));
        assert_int_equal((uint8_t)theirs[at + 1], (uint8_t)(at / 100 + 2));
    }
}

/* The driver unmaps when nobody waits for it. */
static void wait_for_memories(unsigned count)
{
    for (unsigned i = 0; i < 5000 && fake_vulkan_memories() != count; i++)
        usleep(1000);
    assert_int_equal(fake_vulkan_memories(), count);
}

static void test_placed(void **state)
{
    (void)state;
    start(VULKAN_WORKS, NULL);
    assert_ok(create_host_blob(1, PAGES * PAGE));
    assert_int_equal(fake_vulkan_instances(), 0);
    for (unsigned i = 1; i <= 3; i++) {
        assert_int_equal(map_blob(1, OFFSET), OK_MAP);
        assert_int_equal(stat_value("maps-vulkan"), i);
        assert_int_equal(fake_vulkan_memories(), 1);
        check_shared(OFFSET, PAGES * PAGE);
        check_no_hole();
        assert_int_equal(guest_sees(OFFSET - 1), 0);
        assert_int_equal(guest_sees(OFFSET + PAGES * PAGE), 0);
        assert_ok(unmap_blob(1));
        assert_int_equal(guest_sees(OFFSET), 0);
        check_no_hole();
        if (i > 1) /* else its place is wanted again at once */
            wait_for_memories(0);
    }
    assert_int_equal(fake_vulkan_devices(), 1);
    assert_int_equal(fake_count(FAKE_MAP), 0); /* virglrenderer had no reason to load one */
    assert_int_equal(
        stat_value("maps-fixed") + stat_value("maps-alias") + stat_value("maps-region"), 0);
    assert_int_equal(stat_value("address-ranges"), 0);
}

/* Never is it the window that the driver maps or unmaps. */
static void test_driver_is_kept_out_of_the_window(void **state)
{
    (void)state;
    start(VULKAN_WORKS, NULL);
    assert_ok(create_host_blob(1, PAGES * PAGE));
    assert_int_equal(map_blob(1, OFFSET), OK_MAP);
    const char *slot = fake_vulkan_last_address();
    assert_true(slot + PAGES * PAGE <= vm.window || slot >= vm.window + WINDOW_SIZE);
}

static void test_several(void **state)
{
    (void)state;
    start(VULKAN_WORKS, NULL);
    for (uint32_t id = 1; id <= 4; id++) {
        assert_ok(create_host_blob(id, PAGES * PAGE));
        assert_int_equal(map_blob(id, OFFSET * (id - 1)), OK_MAP);
    }
    assert_int_equal(fake_vulkan_mapped(), 4);
    for (uint32_t id = 1; id <= 4; id++)
        check_shared(OFFSET * (id - 1), PAGES * PAGE);
    assert_ok(unref(2));
    wait_for_memories(3);
    check_shared(0, PAGES * PAGE);
    check_shared(OFFSET * 2, PAGES * PAGE);
    assert_int_equal(guest_sees(OFFSET), 0);
    vm_reset();
    assert_int_equal(fake_vulkan_memories(), 0);
    check_no_hole();
}

/* A blob is whole pages for the guest's kernel, and so it is for the driver. */
static void test_size_is_rounded_up(void **state)
{
    (void)state;
    start(VULKAN_WORKS, NULL);
    assert_ok(create_host_blob(1, 2 * PAGE + 17));
    assert_int_equal(map_blob(1, OFFSET), OK_MAP);
    assert_int_equal(stat_value("maps-vulkan"), 1);
    assert_int_equal(fake_vulkan_last_size(), 3 * PAGE);
    check_shared(OFFSET, 3 * PAGE);
}

/* A guest's program says that its memory is smaller than it is, at the window's end; and its driver maps all of it. */
static void test_larger_than_it_says(void **state)
{
    (void)state;
    start(VULKAN_MAPS_ALL, NULL);
    for (uint32_t id = 1; id <= 2; id++) {
        assert_ok(create_host_blob(id, PAGE));
        assert_int_equal(map_blob(id, WINDOW_SIZE - id * PAGE), OK_MAP);
        check_shared(WINDOW_SIZE - id * PAGE, PAGE);
    }
    assert_int_equal(stat_value("maps-vulkan"), 2);
    assert_null(fake_vulkan_complaint());
    assert_ok(unref(1));
    wait_for_memories(1);
    check_shared(WINDOW_SIZE - 2 * PAGE, PAGE);
    assert_int_equal(first_gap(vm.window, WINDOW_SIZE, "rw"), UINT32_MAX);
}

/* Nobody says which type a descriptor is of, but whether it is cached. */
static void test_memory_type(void **state)
{
    (void)state;
    start(VULKAN_WORKS, NULL);
    assert_ok(create_host_blob(1, PAGE));
    fake_set_map_info(VIRTIO_GPU_MAP_CACHE_CACHED);
    assert_int_equal(map_blob(1, OFFSET), OK_MAP);
    assert_int_equal(fake_vulkan_last_type(), 3);
    assert_ok(unmap_blob(1));
    fake_set_map_info(VIRTIO_GPU_MAP_CACHE_WC);
    assert_int_equal(map_blob(1, OFFSET), OK_MAP);
    assert_int_equal(fake_vulkan_last_type(), 2);
    assert_int_equal(stat_value("maps-vulkan"), 2);
    assert_ok(unmap_blob(1));
}

/* The driver knows better, and the next type is tried. */
static void test_other_memory_type(void **state)
{
    (void)state;
    start(VULKAN_WANTS_THE_TYPE, NULL);
    fake_set_map_info(VIRTIO_GPU_MAP_CACHE_WC);
    assert_ok(create_host_blob(1, PAGES * PAGE));
    assert_int_equal(map_blob(1, OFFSET), OK_MAP);
    assert_int_equal(fake_vulkan_last_type(), 1);
    assert_int_equal(stat_value("maps-vulkan"), 1);
    check_shared(OFFSET, PAGES * PAGE);
    assert_ok(unmap_blob(1));
}

/* A guest's page is larger than ours, and the GPU has allocated less: behind that come the window's own pages. */
static void check_padded(uint64_t there, uint64_t blob_size, uint64_t whole)
{
    assert_int_equal(ftruncate(file, (off_t)there), 0);
    assert_ok(create_host_blob(1, blob_size));
    assert_int_equal(map_blob(1, OFFSET), OK_MAP);
    assert_int_equal(stat_value("maps-vulkan"), 1);
    assert_int_equal(stat_value("maps-padded"), 1);
    assert_int_equal(fake_vulkan_last_size(), there);
    check_shared(OFFSET, there);
    guest_writes(OFFSET + whole - 1, 7);
    assert_int_equal(guest_sees(OFFSET + whole - 1), 7);
    check_no_hole();
    assert_ok(unmap_blob(1));
    assert_int_equal(guest_sees(OFFSET + whole - 1), 0);
    check_no_hole();
}

static void test_memory_ends_before_the_guest_s_page(void **state)
{
    (void)state;
    start(VULKAN_WORKS, NULL);
    check_padded((PAGES - 3) * PAGE, PAGES * PAGE, PAGES * PAGE);
}

static void test_window_of_larger_pages(void **state)
{
    (void)state;
    char larger[16];
    snprintf(larger, sizeof(larger), "%d", 4 * PAGE);
    setenv("VENUS_GPU_PAGE_SIZE", larger, 1);
    start(VULKAN_WORKS, NULL);
    check_padded(PAGE, PAGE, 4 * PAGE);
}

/* The guest says that it is longer than the GPU's memory. */
static void test_longer_than_its_memory(void **state)
{
    (void)state;
    start(VULKAN_WORKS, NULL);
    assert_ok(create_host_blob(1, (PAGES + 1) * PAGE));
    map_blob(1, OFFSET);
    assert_int_equal(stat_value("maps-vulkan"), 0);
    assert_int_equal(fake_vulkan_last_size(), 0); /* it was not even asked */
    check_no_hole();
}

/* Vulkan cannot do it, or shall not: a region as ever. */
static void check_region(enum vulkan_fault fault, const struct vm_options *options,
                         unsigned devices)
{
    start(fault, options);
    assert_ok(create_host_blob(1, PAGES * PAGE));
    for (unsigned i = 1; i <= 3; i++) {
        assert_int_equal(map_blob(1, OFFSET), OK_MAP);
        assert_int_equal(stat_value("maps-region"), i);
        assert_int_equal(fake_vulkan_memories(), 0);
        assert_int_equal(guest_sees(OFFSET), 0);
        check_no_hole();
        assert_ok(unmap_blob(1));
        check_no_hole();
    }
    assert_int_equal(stat_value("maps-vulkan"), 0);
    assert_int_equal(fake_vulkan_devices(), devices);
}

/* Once the driver has closed it, its number is anybody's. */
static void check_bystander(enum vulkan_fault fault)
{
    int bystander = fake_vulkan_bystander();
    assert_int_equal(bystander >= 0, fault == VULKAN_CLOSES_IMPORT);
    if (bystander < 0)
        return;
    assert_true(fcntl(bystander, F_GETFD) >= 0);
    close(bystander);
}

#define REGION(name, fault, options, devices)  \
    static void test_##name(void **state)      \
    {                                          \
        (void)state;                           \
        check_region(fault, options, devices); \
        check_bystander(fault);                \
    }
REGION(no_vulkan, VULKAN_HAS_NO_LOADER, NULL, 0)
REGION(no_extension, VULKAN_LACKS_PLACING, NULL, 1)
REGION(no_reserving, VULKAN_LACKS_RESERVING, NULL, 1)
REGION(other_device, VULKAN_IS_ANOTHER, NULL, 1)
REGION(import_fails, VULKAN_REFUSES_IMPORT, NULL, 1)
REGION(import_closes_its_descriptor_all_the_same, VULKAN_CLOSES_IMPORT, NULL, 1)
REGION(map_fails, VULKAN_REFUSES_MAP, NULL, 1)
REGION(map_fails_half_way, VULKAN_MAP_LEAVES_HOLE, NULL, 1)
REGION(mapped_elsewhere, VULKAN_MAPS_ELSEWHERE, NULL, 1)
REGION(lost_always, VULKAN_IS_LOST_ALWAYS, NULL, 3)
REGION(regions_by_order, VULKAN_WORKS,
       &((struct vm_options){ .window_mode = VENUS_GPU_WINDOW_REGIONS }), 0)
#undef REGION

/* Of several devices nobody says which one has a blob's memory. */
static void test_several_devices(void **state)
{
    (void)state;
    static struct renderer_device several = { .name = "one of several" };
    check_region(VULKAN_WORKS, &(struct vm_options){ .device = &several }, 0);
}

static void test_large_pages(void **state)
{
    (void)state;
    start(VULKAN_HAS_LARGE_PAGES, NULL);
    assert_ok(create_host_blob(1, PAGES * PAGE));
    assert_ok(create_host_blob(2, PAGE));
    assert_int_equal(map_blob(2, OFFSET), OK_MAP);
    assert_int_equal(stat_value("maps-region"), 1);
    assert_int_equal(map_blob(1, 3 * PAGE), OK_MAP);
    check_no_hole();
}

/* The next blob gets a new device. */
static void test_lost_once(void **state)
{
    (void)state;
    start(VULKAN_IS_LOST, NULL);
    assert_ok(create_host_blob(1, PAGES * PAGE));
    assert_int_equal(map_blob(1, OFFSET), OK_MAP);
    assert_int_equal(stat_value("maps-region"), 1);
    assert_ok(unmap_blob(1));
    assert_int_equal(map_blob(1, OFFSET), OK_MAP);
    assert_int_equal(stat_value("maps-vulkan"), 1);
    check_shared(OFFSET, PAGES * PAGE);
    assert_int_equal(fake_vulkan_devices(), 2);
}

/* The window is the guest's again, whatever the driver says; and the driver is never made to unmap it by itself. */
static void test_unmap_fails(void **state)
{
    (void)state;
    start(VULKAN_WORKS, NULL);
    vm.leaves_files = true;
    static const char stays[] = "stay with the GPU's driver";
    assert_ok(create_host_blob(1, PAGES * PAGE));
    assert_int_equal(map_blob(1, OFFSET), OK_MAP);
    check_shared(OFFSET, PAGES * PAGE);
    fake_vulkan_set(VULKAN_REFUSES_UNMAP);
    assert_ok(unmap_blob(1));
    assert_int_equal(guest_sees(OFFSET), 0);
    guest_writes(OFFSET, 7);
    assert_int_equal(guest_sees(OFFSET), 7);
    check_no_hole();
    for (unsigned i = 0; i < 5000 && !was_logged(VENUS_GPU_LOG_WARNING, stays); i++)
        usleep(1000);
    assert_true(was_logged(VENUS_GPU_LOG_WARNING, stays));
    assert_int_equal(fake_vulkan_mapped(), 1); /* for good */
    fake_vulkan_set(VULKAN_WORKS);
    const void *kept = fake_vulkan_last_address();
    assert_int_equal(map_blob(1, OFFSET), OK_MAP);
    assert_int_equal(stat_value("maps-vulkan"), 2);
    assert_ptr_not_equal(fake_vulkan_last_address(), kept);
    check_shared(OFFSET, PAGES * PAGE);
}

/* What the renderer has mapped for a display can be mapped by Vulkan too. */
static void test_shown_before_it_is_mapped(void **state)
{
    (void)state;
    start(VULKAN_WORKS, NULL);
    assert_ok(create_host_blob(1, PAGES * PAGE));
    const struct virtio_gpu_set_scanout_blob shown = blob_scanout(0, 1, 64, 64);
    assert_ok(set_scanout_blob(&shown));
    assert_int_equal(map_blob(1, OFFSET), OK_MAP);
    assert_int_equal(stat_value("maps-vulkan"), 1);
    check_shared(OFFSET, PAGES * PAGE);
    assert_ok(unmap_blob(1));
    check_no_hole();
}

/* Where a processor renders, an alias is cheaper; with the variable Vulkan is all there is. */
static void test_processor(void **state)
{
    (void)state;
    static struct renderer_device processor = { .name = "a processor",
                                                .is_only = true,
                                                .is_processor = true };
    memcpy(processor.device_uuid, fake_vulkan_device_uuid, sizeof(gpu.device_uuid));
    memcpy(processor.driver_uuid, fake_vulkan_driver_uuid, sizeof(gpu.driver_uuid));
    start(VULKAN_WORKS, &(struct vm_options){ .device = &processor });
    fake_lend(RENDERER_FD_OPAQUE, file, theirs);
    assert_ok(create_host_blob(1, PAGES * PAGE));
    assert_int_equal(map_blob(1, OFFSET), OK_MAP);
    assert_int_equal(stat_value("maps-alias"), 1);
    assert_int_equal(fake_vulkan_instances(), 0);
    check_shared(OFFSET, PAGES * PAGE);
    assert_ok(unmap_blob(1));
}

static void test_variable(void **state)
{
    (void)state;
    static struct renderer_device processor = { .name = "a processor",
                                                .is_only = true,
                                                .is_processor = true };
    memcpy(processor.device_uuid, fake_vulkan_device_uuid, sizeof(gpu.device_uuid));
    memcpy(processor.driver_uuid, fake_vulkan_driver_uuid, sizeof(gpu.driver_uuid));
    setenv("VENUS_GPU_PLACE", "vulkan", 1);
    start(VULKAN_WORKS, &(struct vm_options){ .device = &processor });
    fake_lend(RENDERER_FD_OPAQUE, file, theirs);
    assert_ok(create_host_blob(1, PAGES * PAGE));
    assert_int_equal(map_blob(1, OFFSET), OK_MAP);
    assert_int_equal(stat_value("maps-vulkan"), 1);
    assert_ok(unmap_blob(1));
    fake_vulkan_set(VULKAN_REFUSES_IMPORT);
    assert_int_equal(map_blob(1, OFFSET), OK_MAP);
    assert_int_equal(stat_value("maps-alias"), 0);
    assert_int_equal(stat_value("maps-region"), 1);
}

static int begin(void **state)
{
    (void)state;
    linux_ways();
    return 0;
}

#define PLACER(function) cmocka_unit_test_setup_teardown(function, begin, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLACER(test_placed),
        PLACER(test_driver_is_kept_out_of_the_window),
        PLACER(test_several),
        PLACER(test_size_is_rounded_up),
        PLACER(test_larger_than_it_says),
        PLACER(test_memory_type),
        PLACER(test_other_memory_type),
        PLACER(test_memory_ends_before_the_guest_s_page),
        PLACER(test_window_of_larger_pages),
        PLACER(test_longer_than_its_memory),
        PLACER(test_no_vulkan),
        PLACER(test_no_extension),
        PLACER(test_no_reserving),
        PLACER(test_other_device),
        PLACER(test_several_devices),
        PLACER(test_import_fails),
        PLACER(test_import_closes_its_descriptor_all_the_same),
        PLACER(test_map_fails),
        PLACER(test_map_fails_half_way),
        PLACER(test_mapped_elsewhere),
        PLACER(test_lost_once),
        PLACER(test_lost_always),
        PLACER(test_regions_by_order),
        PLACER(test_large_pages),
        PLACER(test_unmap_fails),
        PLACER(test_shown_before_it_is_mapped),
        PLACER(test_processor),
        PLACER(test_variable),
    };
    return RUN_TESTS(tests);
}
