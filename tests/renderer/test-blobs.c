/* SPDX-License-Identifier: MIT */
/* Blobs of every kind: where their memory comes from, who may use it, what is refused. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "process.h"
#include "venus.h"

static void shm_is_shared_memory_of_zeroes(void **state)
{
    struct guest *guest = *state;
    static const char zeroes[3 * PAGE];
    char *shm;

    assert_ok(guest_context_create(guest, 1));
    uint32_t resource = guest_shm(guest, 1, sizeof(zeroes), &shm);
    assert_memory_equal(shm, zeroes, sizeof(zeroes));
    assert_int_equal(guest_stat(guest, "blobs"), 1);
    assert_int_equal(guest_stat(guest, "blob-bytes"), sizeof(zeroes));
    assert_ok(guest_unref(guest, resource));
    assert_int_equal(guest_stat(guest, "blobs"), 0);
    assert_int_equal(guest_stat(guest, "blob-bytes"), 0);
}

/* A driver asks for whole pages, but nothing obliges a guest to: all of the last page is there. */
static void odd_sizes_can_be_touched_to_the_end_of_their_page(void **state)
{
    struct guest *guest = *state;
    static const uint64_t sizes[] = { 1, 100, PAGE - 1, PAGE + 1, 3 * PAGE - 8 };

    assert_ok(guest_context_create(guest, 1));
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        uint64_t whole = (sizes[i] + PAGE - 1) / PAGE * PAGE;
        char *shm;
        guest_shm(guest, 1, sizes[i], &shm);
        memset(shm, 0x5a, whole);
        assert_int_equal(shm[whole - 1], 0x5a);
    }
}

static void vulkan_memory_becomes_a_blob(void **state)
{
    struct guest *guest = *state;
    struct venus venus;
    uint64_t memory;

    venus_open_all(&venus, guest, 1);
    uint32_t resource = venus_blob(&venus, 5 * PAGE, &memory);
    char *window = guest_map_anywhere(guest, resource, 5 * PAGE);
    memset(window, 0x77, 5 * PAGE);
    assert_int_equal(window[5 * PAGE - 1], 0x77);
    assert_ok(guest_unmap(guest, resource));
    assert_ok(guest_unref(guest, resource));
    venus_free(&venus, memory);
    venus_close(&venus);
}

/*
 * A guest maps whole pages, and what an image or a buffer has to itself seldom ends with one. The rest of its last page
 * is there, and is nobody else's.
 */
static void dedicated_memory_can_be_touched_to_the_end_of_its_page(void **state)
{
    struct guest *guest = *state;
    static const uint64_t sizes[] = { 4, 100, PAGE + 4, 17 * PAGE - 4, 17 * PAGE };
    enum { NUM_SIZES = sizeof(sizes) / sizeof(sizes[0]) };
    struct venus venus;
    uint64_t memories[NUM_SIZES], buffers[NUM_SIZES], wholes[NUM_SIZES];
    char *windows[NUM_SIZES];

    venus_open_all(&venus, guest, 1);
    for (unsigned i = 0; i < NUM_SIZES; i++) {
        uint64_t size = sizes[i];
        buffers[i] = venus_dedicated_buffer(&venus, &size, &memories[i]);
        wholes[i] = (size + PAGE - 1) / PAGE * PAGE;
        uint32_t resource = guest_new_resource(guest);
        assert_ok(guest_blob_create(guest, 1, resource, VIRTIO_GPU_BLOB_MEM_HOST3D, memories[i],
                                    wholes[i], NULL, 0));
        assert_ok(guest_attach(guest, 1, resource));
        windows[i] = guest_map_anywhere(guest, resource, wholes[i]);
        memset(windows[i], (int)i + 1, wholes[i]);
    }
    for (unsigned i = 0; i < NUM_SIZES; i++) {
        assert_int_equal(windows[i][0], i + 1);
        assert_int_equal(windows[i][wholes[i] - 1], i + 1);
        assert_ok(guest_wait(venus_fill(&venus, buffers[i], 0x01020304, 0)));
        assert_int_equal(*(uint32_t *)windows[i], 0x01020304);
        venus_destroy_buffer(&venus, buffers[i]);
        venus_free(&venus, memories[i]);
        assert_int_equal(windows[i][wholes[i] - 1], sizes[i] == wholes[i] ? 0x01 : i + 1);
    }
}

/* What virglrenderer maps by a driver, it loads into this process; tests/meson.build says why it stays. */
static void driver_stays_loaded(void **state)
{
    struct guest *guest = *state;
    struct venus venus;
    uint64_t memory;

    if (!getenv("MESON_TEST_ITERATION")) {
        print_message("# meson's environment is not there\n");
        skip();
    }
    venus_open_all(&venus, guest, 1);
    guest_map_anywhere(guest, venus_blob(&venus, PAGE, &memory), PAGE);
    unsigned loaded = process_libraries("libvulkan_"); /* as Mesa's are called */
    venus_free(&venus, memory);
    venus_close(&venus);
    guest_stop(guest);
    assert_int_equal(process_libraries("libvulkan_"), loaded);
}

static void what_is_no_memory_is_refused(void **state)
{
    struct guest *guest = *state;
    struct venus venus;
    uint64_t memory;
    const uint64_t no_such_memory = 4711;

    venus_open_all(&venus, guest, 1);
    uint32_t resource = guest_new_resource(guest);
    assert_int_equal(guest_blob_create(guest, 1, resource, VIRTIO_GPU_BLOB_MEM_HOST3D,
                                       no_such_memory, PAGE, NULL, 0),
                     VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
    /* Something else that has a handle. */
    assert_int_equal(guest_blob_create(guest, 1, resource, VIRTIO_GPU_BLOB_MEM_HOST3D, venus.queue,
                                       PAGE, NULL, 0),
                     VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
    /* Memory that is a blob already. */
    venus_blob(&venus, PAGE, &memory);
    assert_int_equal(
        guest_blob_create(guest, 1, resource, VIRTIO_GPU_BLOB_MEM_HOST3D, memory, PAGE, NULL, 0),
        VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
    /* No such context. */
    assert_int_equal(
        guest_blob_create(guest, 2, resource, VIRTIO_GPU_BLOB_MEM_HOST3D, 0, PAGE, NULL, 0),
        VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID);
    /* The id is free, and the context well. */
    assert_ok(guest_blob_create(guest, 1, resource, VIRTIO_GPU_BLOB_MEM_HOST3D, 0, PAGE, NULL, 0));
    assert_int_equal(guest_stat(guest, "contexts-lost"), 0);
    assert_ok(guest_wait(venus_submit_nothing(&venus)));
}

/* The renderer is asked for whole pages of the memory that it has, and the window shows no more. */
static void blob_is_no_longer_than_its_memory(void **state)
{
    struct guest *guest = *state;
    struct venus venus;

    venus_open_all(&venus, guest, 1);
    uint64_t memory = venus_allocate(&venus, 2 * PAGE);
    uint32_t resource = guest_new_resource(guest);
    uint64_t offset = guest_new_offset(guest, 256 * PAGE);
    uint32_t created = guest_blob_create(guest, 1, resource, VIRTIO_GPU_BLOB_MEM_HOST3D, memory,
                                         256 * PAGE, NULL, 0);
    if (created == VIRTIO_GPU_RESP_OK_NODATA) {
        assert_int_equal(guest_map(guest, resource, offset), VIRTIO_GPU_RESP_ERR_UNSPEC);
        assert_int_equal(guest_set_scanout_blob(guest, 0, resource, 64, 256),
                         VIRTIO_GPU_RESP_ERR_UNSPEC);
    }
    guest->window[offset] = guest->window[offset + 255 * PAGE] = 1; /* no fault */
    assert_ok(guest_wait(venus_submit_nothing(&venus)));
}

static void context_can_use_another_one_s_blob(void **state)
{
    struct guest *guest = *state;
    struct venus first, second;
    char name[256], *shm;

    venus_open(&first, guest, 1);
    venus_open(&second, guest, 2);
    uint32_t resource = guest_shm(guest, 1, PAGE, &shm);
    assert_ok(guest_attach(guest, 2, resource));

    /* Let the second context reply into the first one's memory. */
    uint32_t own = second.reply_resource;
    char *own_reply = second.reply;
    second.reply_resource = resource;
    second.reply = shm;
    venus_device_name(&second, name);
    assert_string_equal(name, venus_gpu_renderer_name(guest->gpu));

    /* It still can when the first one is gone. */
    venus_close(&first);
    memset(shm, 0, PAGE);
    venus_device_name(&second, name);
    assert_string_equal(name, venus_gpu_renderer_name(guest->gpu));

    /* And cannot once it was detached. */
    assert_ok(guest_detach(guest, 2, resource));
    assert_int_equal(guest_detach(guest, 2, resource), VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID);
    second.reply_resource = own;
    second.reply = own_reply;
    venus_device_name(&second, name);
    assert_string_equal(name, venus_gpu_renderer_name(guest->gpu));
    venus_close(&second);
}

static void guest_blob_is_guest_memory(void **state)
{
    struct guest *guest = *state;

    const struct virtio_gpu_mem_entry entry = guest_new_memory(guest, 4 * PAGE);
    uint32_t resource = guest_new_resource(guest);
    assert_ok(
        guest_blob_create(guest, 0, resource, VIRTIO_GPU_BLOB_MEM_GUEST, 0, 4 * PAGE, &entry, 1));
    assert_ok(guest_context_create(guest, 1));
    assert_ok(guest_attach(guest, 1, resource));
    /* It is in the guest already, so there is nothing to map. */
    assert_int_equal(guest_map(guest, resource, 0), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
    assert_ok(guest_detach(guest, 1, resource));
    assert_ok(guest_unref(guest, resource));
    /* The renderer never heard of it. */
    assert_ok(guest_context_destroy(guest, 1));
    assert_int_equal(guest_stat(guest, "contexts-lost"), 0);
}

/* virglrenderer gives it host memory and notes the guest's pages, which nothing transfers. */
static void host3d_guest_blob_is_host_memory(void **state)
{
    struct guest *guest = *state;
    struct venus venus;

    venus_open_all(&venus, guest, 1);
    uint64_t bytes = guest_stat(guest, "blob-bytes");
    const struct virtio_gpu_mem_entry entry = guest_new_memory(guest, 2 * PAGE);
    uint32_t resource = guest_new_resource(guest);
    assert_ok(guest_blob_create(guest, 1, resource, VIRTIO_GPU_BLOB_MEM_HOST3D_GUEST, 0, 2 * PAGE,
                                &entry, 1));
    char *window = guest_map_anywhere(guest, resource, 2 * PAGE);
    memset(window, 0x11, 2 * PAGE);
    assert_ok(guest_unref(guest, resource));

    uint64_t memory = venus_allocate(&venus, 2 * PAGE);
    resource = guest_new_resource(guest);
    assert_ok(guest_blob_create(guest, 1, resource, VIRTIO_GPU_BLOB_MEM_HOST3D_GUEST, memory,
                                2 * PAGE, &entry, 1));
    window = guest_map_anywhere(guest, resource, 2 * PAGE);
    memset(window, 0x22, 2 * PAGE);
    assert_ok(guest_unref(guest, resource));
    assert_int_equal(guest_stat(guest, "blob-bytes"), bytes);
}

static void limit_of_blob_memory_is_kept(void **state)
{
    struct guest *guest = *state;
    struct venus_gpu_config config;
    guest_config(&config);
    config.max_blob_memory = 4 * PAGE;
    guest_start(guest, &config);

    assert_ok(guest_context_create(guest, 1));
    uint32_t resource = guest_shm(guest, 1, 3 * PAGE, NULL);
    uint32_t other = guest_new_resource(guest);
    assert_int_equal(
        guest_blob_create(guest, 1, other, VIRTIO_GPU_BLOB_MEM_HOST3D, 0, 2 * PAGE, NULL, 0),
        VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
    assert_ok(guest_blob_create(guest, 1, other, VIRTIO_GPU_BLOB_MEM_HOST3D, 0, PAGE, NULL, 0));
    assert_ok(guest_unref(guest, resource));
    assert_ok(guest_unref(guest, other));
    assert_ok(guest_blob_create(guest, 1, other, VIRTIO_GPU_BLOB_MEM_HOST3D, 0, 4 * PAGE, NULL, 0));
}

/* What is never mapped, and so no blob, counts too. */
static void limit_of_context_memory_is_kept(void **state)
{
    enum { PIECE = 64 << 20, LIMIT_PIECES = 4 };
    struct guest *guest = *state;
    struct venus_gpu_config config;
    struct venus venus;
    guest_config(&config);
    config.max_context_memory = (uint64_t)LIMIT_PIECES * PIECE;
    guest_start(guest, &config);
    if (!strstr(venus_gpu_renderer_name(guest->gpu), "llvmpipe")) {
        print_message("# a GPU's memory is not bounded\n");
        skip();
    }
    venus_open_all(&venus, guest, 1);

    /* What a driver needs itself comes on top: a GiB, and two pieces and some for each processor. */
    unsigned pieces = 0, most = LIMIT_PIECES + 16 + 3 * (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
    uint64_t memory;
    while (pieces <= most && venus_try_allocate(&venus, PIECE, &memory) == 0)
        pieces++;
    print_message("# %u MiB were to be had\n", pieces * (PIECE >> 20));
    assert_uint_in_range(pieces, LIMIT_PIECES, most);
    assert_ok(guest_wait(venus_submit_nothing(&venus)));
}

/*
 * A guest can make a small blob of large memory and free that: then it lives as long as the blob does, and nobody but
 * the blob has it.
 */
static void memory_behind_a_small_blob_counts(void **state)
{
    enum { PIECE = 16 << 20, LIMIT_PIECES = 4, DRIVER = 64 << 10 /* of its own, at most */ };
    struct guest *guest = *state;
    struct venus_gpu_config config;
    struct venus venus;
    guest_config(&config);
    config.max_blob_memory = config.max_context_memory = (uint64_t)LIMIT_PIECES * PIECE;
    guest_start(guest, &config);
    if (!strstr(venus_gpu_renderer_name(guest->gpu), "llvmpipe")) {
        print_message("# a GPU's descriptors do not say how much memory they are of\n");
        skip();
    }
    venus_open_all(&venus, guest, 1);

    uint64_t before = guest_stat(guest, "blob-bytes"), memory;
    uint32_t resource = venus_padded_blob(&venus, PIECE, PAGE, &memory);
    venus_free(&venus, memory);
    assert_uint_in_range(guest_stat(guest, "blob-bytes") - before, PIECE, PIECE + DRIVER);
    for (unsigned i = 1; i < LIMIT_PIECES - 1; i++) {
        venus_padded_blob(&venus, PIECE, PAGE, &memory);
        venus_free(&venus, memory);
    }
    memory = venus_allocate(&venus, 2 * PIECE);
    uint32_t other = guest_new_resource(guest);
    assert_int_equal(
        guest_blob_create(guest, 1, other, VIRTIO_GPU_BLOB_MEM_HOST3D, memory, PAGE, NULL, 0),
        VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
    assert_ok(guest_unref(guest, resource));
    assert_uint_in_range(guest_stat(guest, "blob-bytes") - before, (LIMIT_PIECES - 2) * PIECE,
                         (LIMIT_PIECES - 2) * (PIECE + DRIVER));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(shm_is_shared_memory_of_zeroes, guest_setup,
                                        guest_teardown),
        cmocka_unit_test_setup_teardown(odd_sizes_can_be_touched_to_the_end_of_their_page,
                                        guest_setup, guest_teardown),
        cmocka_unit_test_setup_teardown(vulkan_memory_becomes_a_blob, guest_setup, guest_teardown),
        cmocka_unit_test_setup_teardown(dedicated_memory_can_be_touched_to_the_end_of_its_page,
                                        guest_setup, guest_teardown),
        cmocka_unit_test_setup_teardown(driver_stays_loaded, guest_setup, guest_teardown),
        cmocka_unit_test_setup_teardown(what_is_no_memory_is_refused, guest_setup, guest_teardown),
        cmocka_unit_test_setup_teardown(blob_is_no_longer_than_its_memory, guest_setup,
                                        guest_teardown),
        cmocka_unit_test_setup_teardown(context_can_use_another_one_s_blob, guest_setup,
                                        guest_teardown),
        cmocka_unit_test_setup_teardown(guest_blob_is_guest_memory, guest_setup, guest_teardown),
        cmocka_unit_test_setup_teardown(host3d_guest_blob_is_host_memory, guest_setup,
                                        guest_teardown),
        cmocka_unit_test_setup_teardown(limit_of_context_memory_is_kept, guest_setup_without_device,
                                        guest_teardown),
        cmocka_unit_test_setup_teardown(memory_behind_a_small_blob_counts,
                                        guest_setup_without_device, guest_teardown),
        cmocka_unit_test_setup_teardown(limit_of_blob_memory_is_kept, guest_setup_without_device,
                                        guest_teardown),
    };
    return cmocka_run_group_tests_name("blobs", tests, NULL, NULL);
}
