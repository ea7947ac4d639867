/* SPDX-License-Identifier: MIT */
/* Tests of the ceilings on what a guest can make the host allocate. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "../memory-file.h"
#include "device/device.h"
#include "harness.h"

static const uint32_t format = VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM;

static void test_contexts(void **state)
{
    (void)state;
    vm_start(&(struct vm_options){ .max_contexts = 3 });
    for (uint32_t id = 1; id <= 3; id++)
        assert_ok(create_context(id));
    assert_error(create_context(4), OUT_OF_MEMORY);
    assert_error(create_context(3), INVALID_CONTEXT_ID);
    assert_int_equal(stat_value("contexts"), 3);
    assert_ok(destroy_context(2));
    assert_ok(create_context(4));
    assert_error(create_context(2), OUT_OF_MEMORY);
    vm_reset();
    for (uint32_t id = 1; id <= 3; id++)
        assert_ok(create_context(id));
}

static void test_resources(void **state)
{
    (void)state;
    vm_start(&(struct vm_options){ .max_resources = 3 });
    const struct virtio_gpu_mem_entry page = entry(RAM_ADDR, PAGE);
    assert_ok(create_context(1));
    assert_ok(create_2d(1, format, 8, 8));
    assert_ok(create_guest_blob(2, PAGE, &page, 1));
    assert_ok(create_host_blob(3, PAGE));
    assert_error(create_2d(4, format, 8, 8), OUT_OF_MEMORY);
    assert_error(create_guest_blob(4, PAGE, &page, 1), OUT_OF_MEMORY);
    assert_error(create_host_blob(4, PAGE), OUT_OF_MEMORY);
    assert_int_equal(stat_value("resources"), 3);
    assert_ok(unref(2));
    assert_ok(create_host_blob(4, PAGE));
    assert_error(create_2d(2, format, 8, 8), OUT_OF_MEMORY);
}

static struct rlimit usual_limit;

static void start_with_few_descriptors(void)
{
    struct rlimit low;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual_limit), 0);
    low = usual_limit;
    low.rlim_cur = 300;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    vm_start(NULL);
}

static void stop_with_few_descriptors(void)
{
    vm_stop();
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual_limit), 0);
}

/* The monitor needs some too. */
static void assert_descriptors_left(void)
{
    int fds[100];
    for (size_t i = 0; i < COUNT(fds); i++) {
        fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        assert_true(fds[i] >= 0);
    }
    for (size_t i = 0; i < COUNT(fds); i++)
        close(fds[i]);
}

/* Each resource may take a descriptor, which the monitor needs too. */
static void test_descriptors(void **state)
{
    (void)state;
    start_with_few_descriptors();
    uint32_t id = 1;
    while (id < 1000 && create_2d(id, format, 1, 1) == VIRTIO_GPU_RESP_OK_NODATA)
        id++;
    assert_uint_in_range(id, 50, 250);
    assert_error(create_2d(id, format, 1, 1), OUT_OF_MEMORY);
    assert_true(was_logged(VENUS_GPU_LOG_GUEST, "max_resources"));
    assert_ok(unref(1));
    assert_ok(create_2d(id, format, 1, 1));
    assert_descriptors_left();
    stop_with_few_descriptors();
}

/* A blob that is shown takes a second one, if it can have that; if not it is shown all the same. */
static void test_descriptors_of_shown_blobs(void **state)
{
    (void)state;
    start_with_few_descriptors();
    assert_ok(create_context(1));
    uint32_t id = 1;
    while (id < 1000 && create_host_blob(id, PAGE) == VIRTIO_GPU_RESP_OK_NODATA) {
        const struct virtio_gpu_set_scanout_blob request = blob_scanout(0, id, 32, 32);
        assert_ok(set_scanout_blob(&request));
        id++;
    }
    assert_uint_in_range(id, 50, 100);
    assert_true(was_logged(VENUS_GPU_LOG_GUEST, "RLIMIT_NOFILE"));
    assert_descriptors_left();
    /* Each that goes makes room for two that are not shown. */
    assert_ok(unref(1));
    assert_ok(create_host_blob(1, PAGE));
    assert_ok(create_host_blob(1000, PAGE));
    assert_error(create_host_blob(1001, PAGE), OUT_OF_MEMORY);
    const struct virtio_gpu_set_scanout_blob request = blob_scanout(0, 1000, 32, 32);
    assert_ok(set_scanout_blob(&request));
    assert_non_null(shown(0)->pixels);
    vm_reset();
    assert_int_equal(stat_value("descriptors"), 0);
    stop_with_few_descriptors();
}

/* So does a 2D resource that the renderer has; one that can have none is not shared. */
static void test_descriptors_of_shared_resources(void **state)
{
    (void)state;
    start_with_few_descriptors();
    assert_ok(create_context(1));
    uint32_t id = 1;
    while (id < 1000 && create_2d(id, format, 8, 8) == VIRTIO_GPU_RESP_OK_NODATA) {
        attach_resource(1, id);
        id++;
    }
    assert_uint_in_range(id, 50, 100);
    assert_descriptors_left();
    assert_ok(unref(1));
    assert_ok(create_2d(1, format, 8, 8));
    assert_ok(create_2d(1000, format, 8, 8));
    unsigned imports = fake_count(FAKE_IMPORT);
    attach_resource(1, 1000);
    assert_int_equal(fake_count(FAKE_IMPORT), imports);
    vm_reset();
    assert_int_equal(stat_value("descriptors"), 0);
    stop_with_few_descriptors();
}

static void test_memory(void **state)
{
    (void)state;
    vm_start(&(struct vm_options){ .max_memory = 10 * PAGE });
    assert_ok(create_2d(1, format, PAGE / 4, 4)); /* 4 pages */
    assert_ok(create_2d(2, format, PAGE / 4, 5));
    assert_ok(create_2d(3, format, 1, 1)); /* whole pages count */
    assert_error(create_2d(4, format, 1, 1), OUT_OF_MEMORY);
    assert_int_equal(stat_value("memory-bytes"), 10 * PAGE);
    assert_int_equal(stat_value("resources"), 3);
    assert_ok(unref(1));
    assert_error(create_2d(4, format, PAGE / 4, 5), OUT_OF_MEMORY);
    assert_ok(create_2d(4, format, PAGE / 4, 4));
    vm_stop();

    vm_start(&(struct vm_options){ .max_memory = PAGE - 1 });
    assert_error(create_2d(1, format, 1, 1), OUT_OF_MEMORY);
}

/* A guest blob that has to be copied to be seen. */
static void test_memory_of_copies(void **state)
{
    (void)state;
    vm_start(&(struct vm_options){ .private_ram = true, .max_memory = 9 * PAGE });
    const struct virtio_gpu_mem_entry entries = entry(RAM_ADDR, 4 * PAGE);
    for (uint32_t id = 1; id <= 3; id++)
        assert_ok(create_guest_blob(id, 4 * PAGE, &entries, 1));
    struct virtio_gpu_set_scanout_blob request = blob_scanout(0, 1, 64, 64);
    assert_ok(set_scanout_blob(&request));
    request.resource_id = le32(2);
    assert_ok(set_scanout_blob(&request));
    request.resource_id = le32(3);
    assert_error(set_scanout_blob(&request), OUT_OF_MEMORY);
    assert_int_equal(shown(0)->resource_id, 2);
    assert_ok(unref(1));
    assert_ok(set_scanout_blob(&request));
}

static void test_memory_of_lists(void **state)
{
    (void)state;
    vm_start(&(struct vm_options){ .max_memory = 2 * PAGE });
    static struct virtio_gpu_mem_entry entries[2 * PAGE / 16];
    for (unsigned i = 0; i < COUNT(entries); i++)
        entries[i] = entry(RAM_ADDR + i * 32, 16);
    assert_ok(create_2d(1, format, 1, 1));
    assert_error(attach_backing(1, entries, COUNT(entries)), OUT_OF_MEMORY);
    assert_int_equal(guest_mappings(), 0);
    assert_int_equal(stat_value("memory-bytes"), PAGE);
    assert_ok(attach_backing(1, entries, PAGE / 32)); /* an address for each, and a pointer */
    assert_error(create_guest_blob(2, 16, entries, 1), OUT_OF_MEMORY);
    assert_int_equal(stat_value("resources"), 1);
    assert_ok(detach_backing(1));
    assert_ok(create_guest_blob(2, 16, entries, 1));
}

static void test_blob_memory(void **state)
{
    (void)state;
    vm_start(&(struct vm_options){ .max_blob_memory = 10 * PAGE });
    assert_ok(create_context(1));
    assert_ok(create_host_blob(1, 9 * PAGE));
    assert_error(create_host_blob(2, PAGE + 1), OUT_OF_MEMORY);
    assert_ok(create_host_blob(2, PAGE));
    assert_error(create_host_blob(3, 1), OUT_OF_MEMORY);
    assert_error(create_host_blob(3, UINT64_C(1) << 62), OUT_OF_MEMORY);
    assert_int_equal(stat_value("blob-bytes"), 10 * PAGE);
    assert_int_equal(fake_count(FAKE_BLOB_CREATE), 2);
    /* The guest's own memory does not count. */
    const struct virtio_gpu_mem_entry page = entry(RAM_ADDR, PAGE);
    assert_ok(create_guest_blob(3, PAGE, &page, 1));
    assert_ok(unref(1));
    assert_ok(create_host_blob(1, 9 * PAGE));
}

/* A blob that is smaller than what it is made of keeps all of that. */
static void test_memory_behind_blobs(void **state)
{
    (void)state;
    int fd = memory_file(true);
    assert_int_equal(ftruncate(fd, 8 * PAGE), 0);
    void *ptr = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(ptr, MAP_FAILED);
    vm_start(&(struct vm_options){ .max_blob_memory = 10 * PAGE, .max_context_memory = 10 * PAGE });
    assert_ok(create_context(1));
    fake_lend(RENDERER_FD_OPAQUE, fd, ptr);
    assert_ok(create_host_blob(1, PAGE));
    assert_int_equal(stat_value("blob-bytes"), 8 * PAGE);
    assert_error(create_host_blob(2, 2 * PAGE), OUT_OF_MEMORY); /* it keeps as much */
    assert_int_equal(stat_value("blob-bytes"), 8 * PAGE);
    assert_int_equal(fake_blobs(), 1);
    fake_set_memory(FAKE_SHM);
    assert_error(create_host_blob(2, 3 * PAGE), OUT_OF_MEMORY);
    assert_ok(create_host_blob(2, 2 * PAGE));
    assert_ok(unref(2));
    assert_ok(unref(1));
    assert_int_equal(stat_value("blob-bytes"), 0);
    vm_stop();

    /* The share of its context: at it, and over. */
    vm_start(&(struct vm_options){ .max_blob_memory = 20 * PAGE, .max_context_memory = 8 * PAGE });
    assert_ok(create_context(1));
    fake_lend(RENDERER_FD_OPAQUE, fd, ptr);
    assert_ok(create_host_blob(1, PAGE));
    assert_ok(unref(1));
    fake_set_memory(FAKE_SHM);
    assert_ok(create_host_blob(2, PAGE));
    fake_lend(RENDERER_FD_OPAQUE, fd, ptr);
    assert_error(create_host_blob(1, PAGE), OUT_OF_MEMORY);
    assert_int_equal(stat_value("contexts-lost"), 1);
    assert_int_equal(stat_value("blob-bytes"), PAGE);
    assert_int_equal(fake_blobs(), 1);
    vm_stop();
    munmap(ptr, 8 * PAGE);
    close(fd);
}

/*
 * A list of guest memory can name the same gigabytes again and again: what is seen in place takes address space, of which
 * a monitor that runs out ends.
 */
static void test_address_space(void **state)
{
    (void)state;
    linux_ways();
    vm_start(&(struct vm_options){ .max_memory = 2 * PAGE });
    assert_int_equal(vm.gpu->services.budget.most[BUDGET_ADDRESS_SPACE], UINT64_C(64) << 30);
    vm.gpu->services.budget.most[BUDGET_ADDRESS_SPACE] = 2 * RAM_SIZE;
    struct virtio_gpu_mem_entry entries[3];
    for (unsigned i = 0; i < COUNT(entries); i++)
        entries[i] = entry(RAM_ADDR, RAM_SIZE);
    const struct virtio_gpu_set_scanout_blob first = blob_scanout(0, 1, 32, 32),
                                             second = blob_scanout(0, 2, 32, 32);
    assert_ok(create_guest_blob(1, 2 * RAM_SIZE, entries, 2)); /* all there is */
    assert_ok(set_scanout_blob(&first));
    assert_int_equal(stat_value("guest-aliases"), 1);
    assert_ok(create_guest_blob(2, PAGE, entries, 1));
    assert_ok(set_scanout_blob(&second)); /* so it is copied */
    assert_int_equal(stat_value("guest-aliases"), 1);
    assert_ok(unref(2));
    assert_ok(unref(1));
    assert_int_equal(stat_value("address-space-bytes"), 0);
    assert_ok(create_guest_blob(1, 2 * RAM_SIZE + PAGE, entries, 3)); /* more than there is */
    assert_error(set_scanout_blob(&first), OUT_OF_MEMORY);
    assert_ok(create_guest_blob(2, RAM_SIZE, entries, 1)); /* less */
    assert_ok(set_scanout_blob(&second));
    assert_int_equal(stat_value("guest-aliases"), 2);
}

/* That a context has a resource takes memory too: of few resources and few contexts, much. */
static void test_attachments(void **state)
{
    (void)state;
    vm_start(NULL);
    assert_int_equal(vm.gpu->services.budget.most[BUDGET_ATTACHMENTS], 1 << 20);
    vm.gpu->services.budget.most[BUDGET_ATTACHMENTS] = 3;
    for (uint32_t id = 1; id <= 2; id++) {
        assert_ok(create_context(id));
        assert_ok(create_2d(id, format, 1, 1));
        assert_ok(attach_resource(id, 1));
    }
    assert_ok(attach_resource(1, 1)); /* it has it */
    assert_ok(attach_resource(1, 2));
    assert_error(attach_resource(2, 2), OUT_OF_MEMORY);
    assert_ok(detach_resource(2, 1));
    assert_ok(attach_resource(2, 2));
    assert_error(attach_resource(2, 1), OUT_OF_MEMORY);
    assert_ok(unref(1));
    assert_ok(destroy_context(2));
    assert_int_equal(stat_value("attachments"), 1);
    vm_reset();
    assert_int_equal(stat_value("attachments"), 0);
}

/* A guest cannot have all of the host's memory unless somebody says so. */
static void test_defaults_of_memory(void **state)
{
    (void)state;
    uint64_t half = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE) / 2;
    vm_start(NULL);
    assert_int_equal(vm.gpu->services.config.max_blob_memory, half);
    assert_int_equal(vm.gpu->services.config.max_context_memory, half);
    assert_int_equal(fake_count(FAKE_LIMIT_MEMORY), 0); /* a GPU for all that is known */
    assert_ok(create_context(1));
    assert_error(create_host_blob(1, half + PAGE), OUT_OF_MEMORY);
    vm_stop();

    static const struct renderer_device processor = { .is_only = true, .is_processor = true };
    vm_start(&(struct vm_options){ .device = &processor, .max_blob_memory = 64 * PAGE });
    assert_int_equal(fake_last(FAKE_LIMIT_MEMORY).size, 64 * PAGE);
}

/* The address ranges of the process: guest blobs in many pieces are copied when they run out. */
static void test_address_ranges(void **state)
{
    (void)state;
    linux_ways();
    vm_start(NULL);
    enum { RUNS = 4000, SIZE = RUNS * PAGE, BLOBS = 32768 / RUNS };
    static struct virtio_gpu_mem_entry entries[RUNS];
    for (unsigned i = 0; i < RUNS; i++)
        entries[i] = entry(RAM_ADDR + (i * 2 % (RAM_SIZE / PAGE)) * PAGE, PAGE);
    for (uint32_t id = 1; id <= BLOBS + 1; id++) {
        assert_ok(create_guest_blob(id, SIZE, entries, RUNS));
        const struct virtio_gpu_set_scanout_blob request = blob_scanout(0, id, 1024, 1000);
        assert_ok(set_scanout_blob(&request));
    }
    assert_true(stat_value("address-ranges") <= 32768);
    assert_int_equal(stat_value("guest-aliases"), BLOBS);
    assert_int_equal(stat_value("guest-copies"), 1);
    vm_reset();
    assert_int_equal(stat_value("address-ranges"), 0);
}

/* A blob in the window takes two of them, whatever it is. */
static void test_address_ranges_of_the_window(void **state)
{
    (void)state;
    linux_ways();
    vm_start(NULL);
    vm.gpu->services.budget.most[BUDGET_RANGES] = 5;
    assert_ok(create_context(1));
    for (uint32_t id = 1; id <= 3; id++)
        assert_ok(create_host_blob(id, PAGE));
    assert_int_equal(map_blob(1, 0), VIRTIO_GPU_RESP_OK_MAP_INFO);
    assert_int_equal(map_blob(2, PAGE), VIRTIO_GPU_RESP_OK_MAP_INFO);
    assert_error(map_blob(3, 2 * PAGE), OUT_OF_MEMORY);
    assert_int_equal(stat_value("mapped"), 2);
    assert_int_equal(stat_value("address-ranges"), 4);
    assert_ok(unmap_blob(1));
    assert_int_equal(map_blob(3, 2 * PAGE), VIRTIO_GPU_RESP_OK_MAP_INFO);
    assert_error(map_blob(1, 0), OUT_OF_MEMORY);
    assert_ok(unref(2));
    assert_int_equal(map_blob(1, 0), VIRTIO_GPU_RESP_OK_MAP_INFO);
}

static void test_command_streams(void **state)
{
    (void)state;
    vm_start(NULL);
    assert_ok(create_context(1));
    enum { MOST = 16 << 20 };
    static uint8_t data[MOST + 4];
    assert_ok(submit(1, data, MOST));
    assert_error(submit(1, data, MOST + 4), INVALID_PARAMETER);
    assert_int_equal(fake_count(FAKE_SUBMIT), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_descriptors_of_shown_blobs),
        TEST(test_descriptors_of_shared_resources),
        TEST(test_contexts),
        TEST(test_resources),
        TEST(test_descriptors),
        TEST(test_memory),
        TEST(test_memory_of_copies),
        TEST(test_memory_of_lists),
        TEST(test_blob_memory),
        TEST(test_memory_behind_blobs),
        TEST(test_address_ranges),
        TEST(test_address_ranges_of_the_window),
        TEST(test_address_space),
        TEST(test_attachments),
        TEST(test_defaults_of_memory),
        TEST(test_command_streams),
    };
    return RUN_TESTS(tests);
}
