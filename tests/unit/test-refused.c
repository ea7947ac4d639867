/* SPDX-License-Identifier: MIT */
/*
 * A system that refuses a mapping, each of them in turn, while a blob is mapped, shown, unmapped and destroyed: whatever
 * becomes of the commands, the window has no hole, nobody sees there what was another's, and nothing is left.
 *
 * What the library calls are this program's mmap() and mremap(). One that is refused takes away what was in its place, as
 * they may.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fake-vulkan.h"
#include "harness.h"
#include "nouns/parts.h"
#include "vk/shared-vulkan.h"

enum { OK_MAP = VIRTIO_GPU_RESP_OK_MAP_INFO, PAGES = 16, AT = 32 * PAGE };
enum { GUEST_PAGE_MOST = 64 << 10 };

static _Atomic(pthread_t) main_thread;
static atomic_int refuse = -1;              /* so many are done yet; -1: all */
static atomic_bool refused, refused_window; /* it was an order to put the window's own pages back */
static atomic_bool has_driver;

static bool is_in_window(const void *ptr)
{
    return vm.window && (const char *)ptr >= vm.window &&
           (const char *)ptr < vm.window + WINDOW_SIZE;
}

/* Whether this call is the one. Those of the fake Vulkan's driver itself are none of the library's. */
static bool is_refused(void *at, int flags, bool is_fill)
{
    if (refuse < 0 || pthread_equal(pthread_self(), main_thread) ||
        (has_driver && flags & MAP_FIXED && !is_in_window(at)))
        return false;
    if (refuse-- != 0)
        return false;
    refused = true;
    refused_window = is_fill;
    return true;
}

/* What the linker makes of the library's calls, and of their names where files are large. */
void *__real_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap64(void *at, size_t size, int protection, int flags, int fd, off_t offset);
void *__real_mremap(void *from, size_t old_size, size_t size, int flags, ...);
void *__wrap_mremap(void *from, size_t old_size, size_t size, int flags, void *at);

void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    bool fills = flags & MAP_FIXED && flags & MAP_ANONYMOUS;
    if (is_refused(at, flags, fills)) {
        if (flags & MAP_FIXED && !fills)
            munmap(at, size);
        errno = ENOMEM;
        return MAP_FAILED;
    }
    return __real_mmap(at, size, protection, flags, fd, offset);
}

void *__wrap_mmap64(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    return __wrap_mmap(at, size, protection, flags, fd, offset);
}

void *__wrap_mremap(void *from, size_t old_size, size_t size, int flags, void *at)
{
    bool fixed = flags & MREMAP_FIXED, fails = is_refused(fixed ? at : NULL, 0, false);
    if (fixed)
        munmap(at, size); /* as Linux up to 6.16 begins, also where it then fails */
    if (fails) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    return __real_mremap(from, old_size, size, flags, at);
}

static int file = -1;
static char *no_alias;

static struct renderer_device gpu = { .name = "what renders", .is_only = true };

static void prepare(bool vulkan, const struct vm_options *options)
{
    struct vm_options mine = *options;
    memcpy(gpu.device_uuid, fake_vulkan_device_uuid, sizeof(gpu.device_uuid));
    memcpy(gpu.driver_uuid, fake_vulkan_driver_uuid, sizeof(gpu.driver_uuid));
    fake_vulkan_start(VULKAN_WORKS);
    if (vulkan)
        mine.device = &gpu;
    vm_start(&mine);
    vm.gpu->vulkan->get_instance_proc_addr = fake_vulkan_get_instance_proc_addr;
    assert_ok(create_context(1));
}

/* What the kernel has at an address: nothing, if it does not know. */
static void check_no_hole(void)
{
    unsigned char in_core[WINDOW_SIZE / PAGE];
    assert_int_equal(mincore(vm.window, WINDOW_SIZE, in_core), 0);
}

static void check_untouched(void)
{
    check_no_hole();
    for (uint64_t at = 0; at < PAGES * PAGE; at += PAGE / 2)
        assert_int_equal(guest_sees(AT + at), 0);
}

/* Whatever could be mapped is marked, to be found again where it should not be. */
static void touch(uint8_t value)
{
    check_no_hole();
    for (uint64_t at = 0; at < PAGES * PAGE; at += PAGE / 2)
        guest_writes(AT + at, value);
}

static bool try_refusing(int nth, bool vulkan, enum fake_memory memory, size_t missing,
                         const struct vm_options *options)
{
    prepare(vulkan, options);
    has_driver = vulkan;
    fake_set_memory(memory);
    fake_set_missing(missing);
    if (memory == FAKE_LENT)
        fake_lend(RENDERER_FD_OPAQUE, file, no_alias);
    assert_ok(create_host_blob(1, PAGES * PAGE));
    refused = refused_window = false;
    refuse = nth;
    for (unsigned i = 0; i < 2; i++) {
        if (map_blob(1, AT) == OK_MAP) {
            touch(7);
            assert_ok(unmap_blob(1));
            settle();
        }
        if (!refused_window)
            check_untouched();
        else
            touch(0);
    }
    const struct virtio_gpu_set_scanout_blob request = blob_scanout(0, 1, 8, 8);
    set_scanout_blob(&request);
    if (map_blob(1, AT) == OK_MAP)
        touch(7);
    assert_ok(unref(1));
    if (!refused_window)
        check_untouched();
    vm_reset();
    if (!refused_window)
        check_untouched();
    refuse = -1;
    assert_int_equal(stat_value("mapped"), 0);
    assert_int_equal(stat_value("blob-bytes"), 0);
    assert_int_equal(stat_value("address-ranges"), 0);
    /* Memory whose place in the window cannot be taken from it stays for good. */
    vm.leaves_files = vulkan && refused_window;
    assert_int_equal(stat_value("descriptors"), vulkan && refused_window && fake_vulkan_mapped());
    vm_stop();
    assert_true(fake_vulkan_mapped() == 0 || refused_window);
    assert_null(fake_vulkan_complaint());
    return refused;
}

static void check(bool vulkan, enum fake_memory memory, size_t missing,
                  const struct vm_options *options)
{
    int nth = 0;
    while (try_refusing(nth, vulkan, memory, missing, options))
        nth++;
    assert_uint_in_range(nth, 1, 100);
}

static void test_each(void **state)
{
    (void)state;
    main_thread = pthread_self();
    linux_ways();
    const struct vm_options usual = { 0 }, regions = { .window_mode = VENUS_GPU_WINDOW_REGIONS };
    for (size_t missing = PAGE; missing < GUEST_PAGE_MOST; missing *= 2) {
        check(false, FAKE_SHORT, missing, &usual);
        check(false, FAKE_SMALL, missing, &usual);
        check(false, FAKE_SMALL_PINNED, missing, &usual);
        check(false, FAKE_SHORT, missing, &regions);
    }
    check(false, FAKE_SHM, 0, &usual);
    check(false, FAKE_OPAQUE, 0, &usual);
}

static void check_vulkan(bool is_processor)
{
    gpu.is_processor = is_processor;
    main_thread = pthread_self();
    linux_ways();
    for (unsigned pages = PAGES; pages > PAGES - GUEST_PAGE_MOST / PAGE; pages /= 2) {
        file = memfd_create("gpu", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        assert_int_equal(ftruncate(file, pages * PAGE), 0);
        no_alias =
            mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        check(true, FAKE_LENT, 0, &(struct vm_options){ 0 });
        close(file);
        munmap(no_alias, PAGES * PAGE);
    }
}

static void test_vulkan_first(void **state)
{
    (void)state;
    check_vulkan(false);
}

static void test_vulkan_last(void **state)
{
    (void)state;
    check_vulkan(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_each),
        TEST(test_vulkan_first),
        TEST(test_vulkan_last),
    };
    return RUN_TESTS(tests);
}
