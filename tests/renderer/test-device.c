/* SPDX-License-Identifier: MIT */
/* A device's start and end: what it finds, that it can start again, what it leaves behind. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "process.h"
#include "venus.h"

/* Tests may run on any driver; where it is lavapipe, its name is known. */
static void name_is_the_driver_s(void **state)
{
    struct guest *guest = *state;
    struct venus venus;
    char name[256];

    venus_open(&venus, guest, 1);
    venus_device_name(&venus, name);
    assert_string_equal(venus_gpu_renderer_name(guest->gpu), name);
    print_message("# Venus on %s\n", name);
    assert_uint_in_range(venus_gpu_renderer_type(guest->gpu), 0, 4);
    if (strstr(name, "llvmpipe"))
        assert_int_equal(venus_gpu_renderer_type(guest->gpu), 4); /* a processor */
    venus_close(&venus);
}

static void capset_is_that_of_venus(void **state)
{
    struct guest *guest = *state;
    const struct virtio_gpu_get_capset_info info = { .hdr.type = VIRTIO_GPU_CMD_GET_CAPSET_INFO };
    struct virtio_gpu_resp_capset_info info_answer;
    assert_int_equal(
        guest_finish(guest_send(guest, &info, sizeof(info), NULL, 0, sizeof(info_answer)),
                     &info_answer, sizeof(info_answer)),
        VIRTIO_GPU_RESP_OK_CAPSET_INFO);
    assert_int_equal(info_answer.capset_id, VIRTIO_GPU_CAPSET_VENUS);
    assert_int_equal(info_answer.capset_max_version, 0);
    assert_uint_in_range(info_answer.capset_max_size, 160, 4096);

    /* As virglrenderer lays it out (struct virgl_renderer_capset_venus). */
    struct {
        struct virtio_gpu_ctrl_hdr hdr;
        uint32_t wire_format_version, vk_xml_version, command_serialization_version;
        uint32_t protocol_version, supports_blob_id_0, extensions[32], allow_vk_wait_syncs;
        uint32_t supports_multiple_timelines, use_guest_vram;
        char more[4096];
    } answer;
    const size_t size = sizeof(answer.hdr) + info_answer.capset_max_size;
    const struct virtio_gpu_get_capset get = {
        .hdr.type = VIRTIO_GPU_CMD_GET_CAPSET,
        .capset_id = VIRTIO_GPU_CAPSET_VENUS,
    };
    assert_int_equal(
        guest_finish(guest_send(guest, &get, sizeof(get), NULL, 0, size), &answer, size),
        VIRTIO_GPU_RESP_OK_CAPSET);
    assert_int_equal(answer.wire_format_version, 1);
    assert_true(answer.vk_xml_version >= 1 << 22); /* Vulkan 1.0 */
    assert_int_equal(answer.supports_blob_id_0, 1);
    assert_int_equal(answer.supports_multiple_timelines, 1);
}

static void second_device_is_refused(void **state)
{
    struct guest *guest = *state;
    void *other;

    guest_setup_without_device(&other);
    char *error = guest_try_start(other, NULL);
    assert_non_null(error);
    assert_non_null(strstr(error, "There is a virtio-gpu-venus device already"));
    free(error);
    guest_teardown(&other);

    /* The first one is none the worse for it. */
    assert_ok(guest_context_create(guest, 1));
    assert_ok(guest_context_destroy(guest, 1));
}

static void use_everything(struct guest *guest)
{
    struct venus venus;
    uint64_t memory;

    venus_open_all(&venus, guest, 1);
    uint32_t resource = venus_blob(&venus, 2 * PAGE, &memory);
    guest_map_anywhere(guest, resource, 2 * PAGE);
    uint64_t buffer = venus_buffer(&venus, memory, 2 * PAGE);
    assert_ok(guest_wait(venus_fill(&venus, buffer, 1, 0)));
    assert_ok(guest_set_scanout_blob(guest, 0, resource, 16, 16));
}

/* The first rounds pay for what libraries make once per process, so they do not count. */
static void twenty_devices_leave_nothing_behind(void **state)
{
    struct guest *guest = *state;
    unsigned fds = 0, threads = 0, maps = 0;

    for (int i = 0; i < 20; i++) {
        guest_start(guest, NULL);
        use_everything(guest);
        guest_stop(guest);
        process_wait_for_children(getpid(), 0);
        if (i == 4) {
            fds = process_fds();
            threads = process_threads();
            maps = process_maps();
        }
    }
    print_message("# %u descriptors, %u threads, %u mappings; %u, %u, %u after 15 more\n", fds,
                  threads, maps, process_fds(), process_threads(), process_maps());
    assert_int_equal(process_fds(), fds);
    assert_int_equal(process_threads(), threads);
    assert_true(process_maps() < maps + PROCESS_MAPS_OF_HEAPS);
}

static void reset_leaves_nothing_behind(void **state)
{
    struct guest *guest = *state;
    unsigned fds = 0, threads = 0, maps = 0;
    pid_t server = process_server();

    for (int i = 0; i < 12; i++) {
        use_everything(guest);
        guest_reset(guest);
        assert_int_equal(guest_stat(guest, "contexts"), 0);
        assert_int_equal(guest_stat(guest, "resources"), 0);
        assert_int_equal(guest_stat(guest, "mapped"), 0);
        assert_int_equal(guest_stat(guest, "blob-bytes"), 0);
        assert_null(guest_frame(guest, 0));
        if (i == 3) {
            fds = process_fds();
            threads = process_threads();
            maps = process_maps();
        }
    }
    assert_int_equal(process_fds(), fds);
    assert_int_equal(process_threads(), threads);
    assert_true(process_maps() < maps + PROCESS_MAPS_OF_HEAPS);

    /* The server ends its workers on its own time. */
    process_wait_for_children(server, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(name_is_the_driver_s, guest_setup, guest_teardown),
        cmocka_unit_test_setup_teardown(capset_is_that_of_venus, guest_setup, guest_teardown),
        cmocka_unit_test_setup_teardown(second_device_is_refused, guest_setup, guest_teardown),
        cmocka_unit_test_setup_teardown(twenty_devices_leave_nothing_behind,
                                        guest_setup_without_device, guest_teardown),
        cmocka_unit_test_setup_teardown(reset_leaves_nothing_behind, guest_setup, guest_teardown),
    };
    return cmocka_run_group_tests_name("device", tests, NULL, NULL);
}
