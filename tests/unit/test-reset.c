/* SPDX-License-Identifier: MIT */
/* Tests of device reset in mid-flight, of the end of a device, and of a render server that died. */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "device/device.h"
#include "harness.h"
#include "platform/platform.h"

static const uint32_t format = VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM;

static void check_nothing_is_left(void)
{
    static const char *const counters[] = {
        "contexts",   "resources",      "resources-2d", "blobs",        "memory-bytes",
        "blob-bytes", "address-ranges", "mapped",       "mapped-bytes", "fences-pending",
    };
    for (unsigned i = 0; i < COUNT(counters); i++)
        assert_int_equal(stat_value(counters[i]), 0);
    assert_int_equal(guest_mappings(), 0);
    assert_int_equal(fake_contexts(), 0);
    assert_int_equal(fake_blobs(), 0);
    for (unsigned i = 0; i < 2; i++)
        assert_null(shown(i));
    for (uint64_t at = 0; at < WINDOW_SIZE; at += PAGE / 2)
        assert_int_equal(guest_sees(at), 0);
}

/* A guest with something of everything. */
static void use_everything(void)
{
    assert_ok(create_context(1));
    assert_ok(create_context(2));
    assert_ok(create_2d(1, format, 64, 64));
    assert_ok(attach_ram(1, RAM_ADDR, 64 * 64 * 4));
    assert_ok(set_scanout(0, 1, rect(0, 0, 64, 64)));
    assert_ok(create_host_blob(2, 4 * PAGE));
    assert_ok(attach_resource(1, 2));
    assert_ok(attach_resource(2, 2));
    assert_int_equal(map_blob(2, PAGE), VIRTIO_GPU_RESP_OK_MAP_INFO);
    memset(fake_blob(2), 0x11, 4 * PAGE);
    const struct virtio_gpu_set_scanout_blob request = blob_scanout(1, 2, 64, 64);
    assert_ok(set_scanout_blob(&request));
    const struct virtio_gpu_mem_entry entries[] = { entry(RAM_ADDR, PAGE),
                                                    entry(RAM_ADDR + 4 * PAGE, PAGE) };
    assert_ok(create_guest_blob(3, 2 * PAGE, entries, 2));
}

static void test_idle(void **state)
{
    (void)state;
    vm_start(NULL);
    vm_reset();
    vm_reset();
    assert_int_equal(stat_value("resets"), 2);
    check_nothing_is_left();
    use_everything();
}

static void test_frees_everything(void **state)
{
    (void)state;
    static const enum fake_memory memories[] = { FAKE_SHM, FAKE_OPAQUE, FAKE_PINNED };
    for (unsigned i = 0; i < COUNT(memories); i++) {
        vm_start(NULL);
        fake_set_memory(memories[i]);
        for (unsigned round = 0; round < 3; round++) {
            use_everything();
            vm_reset();
            check_nothing_is_left();
        }
        vm_stop();
    }
}

/* Commands behind one that waits: none of them is done, ever. */
static void test_queued_commands(void **state)
{
    (void)state;
    vm_start(
        &(struct vm_options){ .window_mode = VENUS_GPU_WINDOW_REGIONS, .regions = REGIONS_LATE });
    assert_ok(create_context(1));
    assert_ok(create_host_blob(1, PAGE));
    const struct virtio_gpu_resource_map_blob map = {
        REQUEST(RESOURCE_MAP_BLOB),
        .resource_id = le32(1),
    };
    send_control(&map, sizeof(map), sizeof(struct virtio_gpu_resp_map_info));
    wait_for_regions(1);
    struct sent *sent[20];
    for (unsigned i = 0; i < COUNT(sent); i++)
        sent[i] = send_flush(99, rect(0, 0, 1, 1), i % 2 ? VIRTIO_GPU_FLAG_FENCE : 0, i);
    vm_reset();
    answer_region(0, 0);
    answer_region(1, 0);
    settle();
    for (unsigned i = 0; i < COUNT(sent); i++)
        assert_false(is_done(sent[i]));
    check_nothing_is_left();
}

static void test_pending_fences(void **state)
{
    (void)state;
    vm_start(NULL);
    fake_set_fences(FAKE_FENCES_WHEN_SAID);
    assert_ok(create_context(1));
    struct sent *sent[10];
    for (unsigned i = 0; i < COUNT(sent); i++)
        sent[i] = send_fence(1, (uint8_t)(i + 1), i);
    settle();
    assert_int_equal(stat_value("fences-pending"), COUNT(sent));
    uint64_t id = fake_last(FAKE_FENCE).id;
    vm_reset();
    check_nothing_is_left();
    /* The renderer may report them still. */
    for (unsigned i = 0; i < COUNT(sent); i++)
        fake_signal_id(id - i);
    settle();
    for (unsigned i = 0; i < COUNT(sent); i++)
        assert_false(is_done(sent[i]));

    assert_ok(create_context(1));
    struct sent *again = send_fence(1, 1, 0);
    settle();
    fake_signal_id(id);
    assert_false(is_done(again)); /* the old one's id is not used again */
    assert_true(fake_signal(1, 1));
    assert_ok(wait_for(again));
}

static void test_pending_flushes(void **state)
{
    (void)state;
    vm_start(NULL);
    vm.hold_flushes = true;
    use_everything();
    struct sent *first = send_flush(1, rect(0, 0, 64, 64), VIRTIO_GPU_FLAG_FENCE, 1);
    struct sent *second = send_flush(2, rect(0, 0, 64, 64), 0, 0);
    struct sent *third = send_flush(99, rect(0, 0, 64, 64), VIRTIO_GPU_FLAG_FENCE, 2);
    wait_for_flushes(2);
    settle();
    answer_flush(1);
    assert_ok(wait_for(second));
    vm_reset();
    check_nothing_is_left();
    answer_flush(0);
    settle();
    assert_false(is_done(first));
    assert_false(is_done(third));

    vm.hold_flushes = false;
    use_everything();
    assert_ok(wait_for(send_flush(1, rect(0, 0, 64, 64), VIRTIO_GPU_FLAG_FENCE, 1)));
}

/* Answered by another thread while the device is being reset. */
static void *answer_all(void *unused)
{
    (void)unused;
    for (unsigned i = 0; i < 16; i++)
        answer_flush(i);
    return NULL;
}

static void test_races(void **state)
{
    (void)state;
    vm_start(NULL);
    for (unsigned round = 0; round < 30; round++) {
        vm.hold_flushes = true;
        vm.num_flushes = 0;
        use_everything();
        for (unsigned i = 0; i < 8; i++) {
            send_flush(1, rect(0, 0, 64, 64), VIRTIO_GPU_FLAG_FENCE, i);
            send_fence(1, (uint8_t)(i + 1), i);
            send_flush(2, rect(0, 0, 64, 64), 0, 0);
        }
        if (round % 2)
            wait_for_flushes(16);
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, answer_all, NULL), 0);
        venus_gpu_reset(vm.gpu);
        pthread_join(thread, NULL);
        vm_reset();
        answer_all(NULL);
        check_nothing_is_left();
    }
}

static void test_frames_survive(void **state)
{
    (void)state;
    vm_start(NULL);
    vm.keep_frames = true;
    fill_ram();
    use_everything();
    assert_ok(transfer(1, rect(0, 0, 64, 64), 0));
    const void *picture = shown(0)->pixels;
    const uint8_t *blob = shown(1)->pixels;
    vm_reset();
    assert_memory_equal(picture, vm.ram, 64 * 64 * 4);
    assert_int_equal(blob[4000], 0x11);
    use_everything();
    assert_memory_equal(picture, vm.ram, 64 * 64 * 4);
}

/* Without a reset before, as long as the front end holds nothing. */
static void test_destroy_in_mid_flight(void **state)
{
    (void)state;
    vm_start(NULL);
    use_everything();
    fake_set_fences(FAKE_FENCES_WHEN_SAID);
    send_fence(1, 1, 1);
    for (unsigned i = 0; i < 20; i++)
        send_flush(1, rect(0, 0, 64, 64), VIRTIO_GPU_FLAG_FENCE, i);
    venus_gpu_destroy(vm.gpu);
    vm.gpu = NULL;
    assert_int_equal(fake_contexts() + fake_blobs(), 0);
    venus_gpu_destroy(NULL);
}

/* ---- a render server that died --------------------------------------------------------------- */

static void test_renderer_is_started_anew(void **state)
{
    (void)state;
    vm_start(NULL);
    fake_fail(FAKE_CONTEXT_CREATE, -EIO, 0, 1);
    assert_ok(create_context(1));
    assert_int_equal(fake_count(FAKE_FINI), 1);
    assert_int_equal(fake_count(FAKE_INIT), 2);
    assert_true(was_logged(VENUS_GPU_LOG_WARNING, "starting a new one"));
    static const uint32_t data;
    assert_ok(submit(1, &data, sizeof(data)));
    assert_string_equal(venus_gpu_renderer_name(vm.gpu), "a renderer in memory");
}

/* What uses the old renderer forbids it: a context, a blob, a frame in its own mapping. */
static void test_not_while_in_use(void **state)
{
    (void)state;
    vm_start(NULL);
    fake_set_memory(FAKE_PINNED);
    vm.keep_frames = true;
    assert_ok(create_context(1));
    fake_fail(FAKE_CONTEXT_CREATE, -EIO, 0, 1);
    assert_error(create_context(2), OUT_OF_MEMORY);
    assert_ok(create_host_blob(1, 4 * PAGE));
    assert_ok(destroy_context(1));
    fake_fail(FAKE_CONTEXT_CREATE, -EIO, 0, 1);
    assert_error(create_context(2), OUT_OF_MEMORY);
    const struct virtio_gpu_set_scanout_blob request = blob_scanout(0, 1, 64, 64);
    assert_ok(set_scanout_blob(&request));
    assert_ok(unref(1));
    fake_fail(FAKE_CONTEXT_CREATE, -EIO, 0, 1);
    assert_error(create_context(2), OUT_OF_MEMORY);
    assert_int_equal(fake_count(FAKE_INIT), 1);

    drop_frames();
    settle();
    fake_fail(FAKE_CONTEXT_CREATE, -EIO, 0, 1);
    assert_ok(create_context(2));
    assert_int_equal(fake_count(FAKE_INIT), 2);
}

/* What does not use it does not: lost contexts, those of 2D clients, pictures and guest blobs. */
static void test_while_others_live(void **state)
{
    (void)state;
    vm_start(NULL);
    static const uint32_t data;
    struct virtio_gpu_ctx_create request = { REQUEST(CTX_CREATE) };
    request.hdr.ctx_id = le32(5);
    assert_ok(run_request(request));
    assert_ok(create_context(1));
    assert_ok(create_2d(1, format, 8, 8));
    const struct virtio_gpu_mem_entry page = entry(RAM_ADDR, PAGE);
    assert_ok(create_guest_blob(2, PAGE, &page, 1));
    fake_fail(FAKE_SUBMIT, -EIO, 0, 1);
    assert_error(submit(1, &data, sizeof(data)), UNSPEC);
    fake_fail(FAKE_CONTEXT_CREATE, -EIO, 0, 1);
    assert_ok(create_context(2));
    assert_int_equal(fake_count(FAKE_INIT), 2);
    assert_error(submit(1, &data, sizeof(data)), UNSPEC);
    assert_ok(submit(2, &data, sizeof(data)));
    assert_ok(destroy_context(1));
    assert_ok(destroy_context(5));
}

static void test_new_renderer_fails(void **state)
{
    (void)state;
    vm_start(NULL);
    static const enum fake_call calls[] = { FAKE_INIT, FAKE_CAPSET_INFO, FAKE_DEVICE_NAME };
    for (unsigned i = 0; i < COUNT(calls); i++) {
        fake_fail(FAKE_CONTEXT_CREATE, -EIO, 0, 1);
        fake_fail(calls[i], -EIO, 0, 1);
        assert_error(create_context(1), OUT_OF_MEMORY);
        /* The next attempt may succeed. */
        if (i != 1)
            assert_ok(create_context(1));
        vm_reset();
    }
    /* What needs no renderer works without one. */
    fake_fail(FAKE_CONTEXT_CREATE, -EIO, 0, 1);
    fake_fail(FAKE_INIT, -EIO, 0, 1);
    assert_error(create_context(1), OUT_OF_MEMORY);
    assert_ok(create_2d(1, format, 8, 8));
    assert_ok(set_scanout(0, 1, rect(0, 0, 8, 8)));
    assert_ok(flush(1, rect(0, 0, 8, 8)));
}

/* A connection that was handed over cannot be made anew. */
static void test_given_server(void **state)
{
    (void)state;
    vm_prepare(NULL);
    vm.config.render_server_fd = socket(AF_UNIX, platform_server_socket(), 0);
    char *error = NULL;
    vm.gpu = device_create(&vm.config, &vm.ops, &vm, &fake_renderer, &error);
    assert_non_null(vm.gpu);
    vm.window = venus_gpu_window(vm.gpu, &(uint64_t){ 0 });
    fake_fail(FAKE_CONTEXT_CREATE, -EIO, 0, 1);
    assert_error(create_context(1), OUT_OF_MEMORY);
    assert_int_equal(fake_count(FAKE_INIT), 1);
    assert_ok(create_context(1));
}

/* A service can be asked for another one. */
static void test_server_of_a_service(void **state)
{
    (void)state;
    vm_prepare(NULL);
    vm.config.render_server = "unix:/nowhere/socket"; /* it is the renderer that connects */
    char *error = NULL;
    vm.gpu = device_create(&vm.config, &vm.ops, &vm, &fake_renderer, &error);
    assert_non_null(vm.gpu);
    vm.window = venus_gpu_window(vm.gpu, &(uint64_t){ 0 });
    fake_fail(FAKE_CONTEXT_CREATE, -EIO, 0, 1);
    assert_ok(create_context(1));
    assert_int_equal(fake_count(FAKE_INIT), 2);
}

/* The program's path is needed again, long after the front end gave it. */
static void test_server_path_is_copied(void **state)
{
    (void)state;
    vm_prepare(NULL);
    char path[64];
    snprintf(path, sizeof(path), "/bin/true");
    vm.config.render_server = path;
    char *error = NULL;
    vm.gpu = device_create(&vm.config, &vm.ops, &vm, &fake_renderer, &error);
    assert_non_null(vm.gpu);
    vm.window = venus_gpu_window(vm.gpu, &(uint64_t){ 0 });
    memset(path, 0, sizeof(path));
    fake_fail(FAKE_CONTEXT_CREATE, -EIO, 0, 1);
    assert_ok(create_context(1));
    assert_int_equal(fake_count(FAKE_INIT), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_idle),
        TEST(test_frees_everything),
        TEST(test_queued_commands),
        TEST(test_pending_fences),
        TEST(test_pending_flushes),
        TEST(test_races),
        TEST(test_frames_survive),
        TEST(test_destroy_in_mid_flight),
        TEST(test_renderer_is_started_anew),
        TEST(test_not_while_in_use),
        TEST(test_while_others_live),
        TEST(test_new_renderer_fails),
        TEST(test_given_server),
        TEST(test_server_of_a_service),
        TEST(test_server_path_is_copied),
    };
    return RUN_TESTS(tests);
}
