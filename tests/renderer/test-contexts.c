/* SPDX-License-Identifier: MIT */
/* Contexts: their processes, many at once, how many there may be. */
#include <signal.h>
#include <unistd.h>

#include "process.h"
#include "venus.h"

enum { MANY = 32 };

static void context_is_a_process_of_the_server(void **state)
{
    struct guest *guest = *state;
    pid_t server = process_server();

    process_wait_for_children(server, 0); /* the device had one to begin with, to look around */
    assert_ok(guest_context_create(guest, 7));
    process_wait_for_children(server, 1);
    assert_int_equal(guest_context_create(guest, 7), VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID);
    assert_ok(guest_context_destroy(guest, 7));
    assert_int_equal(guest_context_destroy(guest, 7), VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID);
    process_wait_for_children(server, 0);
    /* Its id is free. */
    assert_ok(guest_context_create(guest, 7));
}

static struct venus_gpu_context what_it_holds(struct guest *guest, uint32_t id)
{
    struct venus_gpu_context list[16];
    size_t count = venus_gpu_contexts(guest->gpu, list, 16);
    assert_true(count <= 16);
    for (size_t i = 0; i < count; i++) {
        if (list[i].id == id)
            return list[i];
    }
    fail_msg("context %u is not listed", id);
    return list[0];
}

/* The server's newest child is taken for a context's process: here it is shown that it is. */
static void each_knows_its_process(void **state)
{
    struct guest *guest = *state;
    pid_t server = process_server(), known[3] = { 0 };

    process_wait_for_children(server, 0);
    for (uint32_t i = 0; i < 3; i++) {
        assert_ok(guest_context_create(guest, 7 - i));
        known[i] = process_new_worker(server, known, i);
    }
    for (uint32_t i = 0; i < 3; i++) {
        struct venus_gpu_context context = what_it_holds(guest, 7 - i);
        assert_int_equal(context.process_id, known[i]);
        assert_true(context.process_bytes > 0);
    }
    /* What it says of a process that somebody killed is no more than that it has no memory. */
    kill(known[1], SIGKILL);
    process_wait_for_end(known[1]);
    assert_int_equal(what_it_holds(guest, 6).process_bytes, 0);
}

static void many_contexts_at_once(void **state)
{
    struct guest *guest = *state;
    struct venus venus[MANY];

    for (uint32_t i = 0; i < MANY; i++)
        venus_open(&venus[i], guest, 100 + i);
    assert_int_equal(guest_stat(guest, "contexts"), MANY);
    process_wait_for_children(process_server(), MANY);
    /* All of them live, and none has another one's replies. */
    for (uint32_t i = 0; i < MANY; i++) {
        char name[256];
        venus_device_name(&venus[i * 7 % MANY], name);
        assert_string_equal(name, venus_gpu_renderer_name(guest->gpu));
    }
    for (uint32_t i = 0; i < MANY; i += 2)
        venus_close(&venus[i]);
    for (uint32_t i = 1; i < MANY; i += 2)
        venus_close(&venus[i]);
    assert_int_equal(guest_stat(guest, "contexts"), 0);
    assert_int_equal(guest_stat(guest, "contexts-created"), MANY);
}

static void limit_of_contexts_is_kept(void **state)
{
    struct guest *guest = *state;
    struct venus_gpu_config config;
    guest_config(&config);
    config.max_contexts = 3;
    guest_start(guest, &config);

    for (uint32_t i = 1; i <= 3; i++)
        assert_ok(guest_context_create(guest, i));
    assert_int_equal(guest_context_create(guest, 4), VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
    assert_ok(guest_context_destroy(guest, 2));
    assert_ok(guest_context_create(guest, 4));
    assert_int_equal(guest_context_create(guest, 2), VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
}

static void ids_are_any_numbers(void **state)
{
    struct guest *guest = *state;
    static const uint32_t ids[] = { 1, 0x7fffffff, 0x80000000, 0xffffffff };

    assert_int_equal(guest_context_create(guest, 0), VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID);
    for (unsigned i = 0; i < 4; i++) {
        struct venus venus;
        guest->last_resource = ids[i] - 1; /* so that the resource has that id, too */
        venus_open_all(&venus, guest, ids[i]);
        assert_ok(guest_wait(venus_submit_nothing(&venus)));
        venus_close(&venus);
    }
}

/* What is made once per context, and what it costs; the numbers are for people to read. */
static void contexts_come_and_go(void **state)
{
    struct guest *guest = *state;
    unsigned fds = 0, threads = 0;
    uint64_t start = now_ns();

    for (uint32_t i = 0; i < 200; i++) {
        assert_ok(guest_context_create(guest, i + 1));
        assert_ok(guest_context_destroy(guest, i + 1));
        if (i == 10) {
            fds = process_fds();
            threads = process_threads();
        }
    }
    print_message("# a context is created and destroyed in %.2f ms\n",
                  (double)(now_ns() - start) / 200e6);
    /* The link and virglrenderer's threads end a moment after the context does, here as at the tenth. */
    for (unsigned ms = 0; ms < 5000 && (process_fds() > fds || process_threads() > threads); ms++)
        usleep(1000);
    assert_true(process_fds() <= fds);
    assert_true(process_threads() <= threads);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(context_is_a_process_of_the_server, guest_setup,
                                        guest_teardown),
        cmocka_unit_test_setup_teardown(each_knows_its_process, guest_setup, guest_teardown),
        cmocka_unit_test_setup_teardown(many_contexts_at_once, guest_setup, guest_teardown),
        cmocka_unit_test_setup_teardown(limit_of_contexts_is_kept, guest_setup_without_device,
                                        guest_teardown),
        cmocka_unit_test_setup_teardown(ids_are_any_numbers, guest_setup, guest_teardown),
        cmocka_unit_test_setup_teardown(contexts_come_and_go, guest_setup, guest_teardown),
    };
    return cmocka_run_group_tests_name("contexts", tests, NULL, NULL);
}
