/* SPDX-License-Identifier: MIT */
/*
 * What goes wrong on the other side: the process of a context is killed or fed nonsense, or the
 * render server itself is killed. The rest goes on, nobody waits for ever, and no processor is kept
 * busy.
 */
#include <string.h>
#include <unistd.h>

#include "process.h"
#include "venus.h"

enum { PATIENCE_MS = 20000 };

/* virglrenderer's thread polls a lost context's closed socket until the context is destroyed. */
static void assert_idle(void)
{
    uint64_t before = process_cpu_ms();
    sleep_ms(200);
    assert_uint_in_range(process_cpu_ms() - before, 0, 40);
}

static void assert_works(struct guest *guest, uint32_t context)
{
    struct venus venus;
    venus_open_all(&venus, guest, context);
    assert_ok(guest_wait(venus_submit_nothing(&venus)));
    venus_close(&venus);
}

/* A context whose GPU waits for an event, so that its fences are pending. */
struct busy {
    struct venus venus;
    pid_t worker;
    struct ticket *work, *after;
};

static void busy_init(struct busy *busy, struct guest *guest, uint32_t context, const pid_t *known,
                      unsigned num_known)
{
    uint64_t memory;
    venus_open_all(&busy->venus, guest, context);
    busy->worker = process_new_worker(process_server(), known, num_known);
    venus_blob(&busy->venus, PAGE, &memory);
    uint64_t buffer = venus_buffer(&busy->venus, memory, PAGE);
    busy->work = venus_fill(&busy->venus, buffer, 1, venus_event(&busy->venus));
    busy->after = venus_submit_nothing(&busy->venus);
    assert_ok(guest_wait(guest_submit_fenced(guest, context, 0, NULL, 0)));
}

static void killed_context_is_lost_alone(void **state)
{
    struct guest *guest = *state;
    struct busy first, second;

    process_wait_for_children(process_server(), 0);
    busy_init(&first, guest, 1, NULL, 0);
    busy_init(&second, guest, 2, &first.worker, 1);
    process_kill(first.worker);
    assert_true(guest_wait_for(first.work, PATIENCE_MS));
    assert_true(guest_wait_for(first.after, PATIENCE_MS));

    /* It takes no more, of any kind. */
    assert_int_equal(venus_send_garbage(guest, 1), VIRTIO_GPU_RESP_ERR_UNSPEC);
    assert_int_equal(guest_stat(guest, "contexts-lost"), 1);
    assert_true(guest_logged(guest, "context 1 is lost"));
    assert_idle();
    assert_int_equal(guest_wait(guest_submit_fenced(guest, 1, 1, NULL, 0)),
                     VIRTIO_GPU_RESP_ERR_UNSPEC);
    assert_int_equal(guest_blob_create(guest, 1, 99, VIRTIO_GPU_BLOB_MEM_HOST3D, 0, PAGE, NULL, 0),
                     VIRTIO_GPU_RESP_ERR_UNSPEC);

    /* The other one goes on where it was, and there can be new ones. */
    assert_false(second.work->done);
    assert_ok(guest_wait(guest_submit_fenced(guest, 2, 0, NULL, 0)));
    assert_works(guest, 3);

    /* The lost one's memory is still there, and it can be cleared away. */
    memset(first.venus.reply, 1, PAGE);
    assert_ok(guest_unref(guest, first.venus.reply_resource));
    assert_ok(guest_context_destroy(guest, 1));
    assert_works(guest, 1);
    assert_false(second.work->done);
    assert_int_equal(guest_stat(guest, "contexts-lost"), 1);
}

/* Who is the first to notice: each way of using a context is tried on one that is dead. */
static void every_command_notices_a_dead_context(void **state)
{
    struct guest *guest = *state;

    process_wait_for_children(process_server(), 0);
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t context = 10 + i;
        assert_ok(guest_context_create(guest, context));
        process_kill(process_new_worker(process_server(), NULL, 0));
        if (i == 0)
            assert_int_equal(venus_send_garbage(guest, context), VIRTIO_GPU_RESP_ERR_UNSPEC);
        else if (i == 1)
            assert_ok(guest_wait(guest_submit_fenced(guest, context, 0, NULL, 0)));
        else
            assert_true(guest_blob_create(guest, context, 99, VIRTIO_GPU_BLOB_MEM_HOST3D, 0, PAGE,
                                          NULL, 0) >= VIRTIO_GPU_RESP_ERR_UNSPEC);
        assert_int_equal(guest_stat(guest, "contexts-lost"), i + 1);
        assert_idle();
        assert_ok(guest_context_destroy(guest, context));
    }
    assert_works(guest, 1);
}

/* The guest forgets one context and keeps another one busy. */
static void forgotten_context_is_noticed(void **state)
{
    struct guest *guest = *state;
    enum { MS = 10000, STEP_MS = 100 };

    process_wait_for_children(process_server(), 0);
    assert_ok(guest_context_create(guest, 1));
    process_kill(process_new_worker(process_server(), NULL, 0));
    assert_ok(guest_context_create(guest, 2));
    for (int ms = 0; ms < MS && !guest_stat(guest, "contexts-lost"); ms += STEP_MS) {
        assert_ok(guest_wait(guest_submit_fenced(guest, 2, 0, NULL, 0)));
        sleep_ms(STEP_MS);
    }
    assert_int_equal(guest_stat(guest, "contexts-lost"), 1);
    assert_true(guest_logged(guest, "context 1 is lost"));
    assert_idle();
    assert_ok(guest_wait(guest_submit_fenced(guest, 2, 0, NULL, 0)));
}

static void dead_context_is_destroyed_unnoticed(void **state)
{
    struct guest *guest = *state;

    process_wait_for_children(process_server(), 0);
    for (uint32_t i = 0; i < 5; i++) {
        assert_ok(guest_context_create(guest, 1));
        uint32_t shm = guest_shm(guest, 1, PAGE, NULL);
        process_kill(process_new_worker(process_server(), NULL, 0));
        assert_ok(guest_context_destroy(guest, 1));
        assert_ok(guest_unref(guest, shm));
    }
    assert_idle();
    assert_works(guest, 1);
}

static void nonsense_costs_its_context_only(void **state)
{
    struct guest *guest = *state;
    struct venus good;

    venus_open_all(&good, guest, 1);
    assert_ok(guest_context_create(guest, 2));
    /* It is the context's process that finds out, later, and ends. */
    assert_ok(venus_send_garbage(guest, 2));
    assert_true(guest_wait_for(guest_submit_fenced(guest, 2, 0, NULL, 0), PATIENCE_MS));
    process_wait_for_children(process_server(), 1);
    assert_int_equal(venus_send_garbage(guest, 2), VIRTIO_GPU_RESP_ERR_UNSPEC);
    assert_int_equal(guest_stat(guest, "contexts-lost"), 1);
    assert_idle();

    assert_ok(guest_wait(venus_submit_nothing(&good)));
    assert_ok(guest_context_destroy(guest, 2));
    assert_works(guest, 2);
    venus_close(&good);
}

/* Long ones travel in several pieces. */
static void nonsense_of_any_size(void **state)
{
    struct guest *guest = *state;
    static const size_t sizes[] = { 4, 8, 252, 256, 260, 4096, 65536, 1 << 20 };
    static char nonsense[1 << 20];
    memset(nonsense, 0xa5, sizeof(nonsense));

    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        assert_ok(guest_context_create(guest, 1));
        guest_submit(guest, 1, nonsense, sizes[i]);
        assert_true(guest_wait_for(guest_submit_fenced(guest, 1, 0, NULL, 0), PATIENCE_MS));
        assert_ok(guest_context_destroy(guest, 1));
    }
    assert_works(guest, 1);
}

/* The renderer takes that for nonsense as well. */
static void fence_on_a_ring_without_a_queue(void **state)
{
    struct guest *guest = *state;
    assert_ok(guest_context_create(guest, 1));
    assert_ok(guest_context_create(guest, 2));
    assert_true(guest_wait_for(guest_submit_fenced(guest, 1, 5, NULL, 0), PATIENCE_MS));
    assert_true(guest_wait_for(guest_submit_fenced(guest, 1, 0, NULL, 0), PATIENCE_MS));
    assert_ok(guest_context_destroy(guest, 1));
    assert_ok(guest_wait(guest_submit_fenced(guest, 2, 0, NULL, 0)));
    assert_works(guest, 1);
}

/*
 * The contexts' processes do without it. New ones cannot be made as long as there are old ones,
 * since virglrenderer has to be started anew for them.
 */
static void killed_server_is_started_again(void **state)
{
    struct guest *guest = *state;
    struct venus first;
    struct busy second;

    process_wait_for_children(process_server(), 0);
    venus_open_all(&first, guest, 1);
    pid_t worker = process_new_worker(process_server(), NULL, 0);
    busy_init(&second, guest, 2, &worker, 1);
    process_kill(process_server());
    assert_idle();
    assert_ok(guest_wait(venus_submit_nothing(&first)));
    assert_int_equal(guest_context_create(guest, 3), VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
    assert_true(guest_logged(guest, "could not start a process for context 3"));
    assert_false(second.work->done);

    venus_close(&first);
    assert_ok(guest_context_destroy(guest, 2));
    assert_ok(guest_wait(second.work));
    for (uint32_t i = guest->last_resource; i; i--)
        guest_unref(guest, i);
    assert_int_equal(guest_stat(guest, "blob-bytes"), 0);

    assert_ok(guest_context_create(guest, 3));
    assert_true(guest_logged(guest, "the render server is gone: starting a new one"));
    assert_works(guest, 4);
    assert_ok(guest_context_destroy(guest, 3));
    process_wait_for_end(second.worker); /* though it hangs in its driver */
}

static void reset_brings_a_killed_server_back(void **state)
{
    struct guest *guest = *state;
    for (int i = 0; i < 3; i++) {
        struct venus venus;
        venus_open_all(&venus, guest, 1);
        uint32_t resource = venus_blob(&venus, PAGE, NULL);
        guest_map_anywhere(guest, resource, PAGE);
        process_kill(process_server());
        guest_reset(guest);
        assert_works(guest, 1);
    }
    assert_idle();
}

static void device_without_a_server_can_be_destroyed(void **state)
{
    struct guest *guest = *state;
    assert_ok(guest_context_create(guest, 1));
    guest_shm(guest, 1, PAGE, NULL);
    process_kill(process_server());
    guest_stop(guest);
    guest_start(guest, NULL);
    assert_works(guest, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(killed_context_is_lost_alone, guest_setup, guest_teardown),
        cmocka_unit_test_setup_teardown(every_command_notices_a_dead_context, guest_setup,
                                        guest_teardown),
        cmocka_unit_test_setup_teardown(forgotten_context_is_noticed, guest_setup, guest_teardown),
        cmocka_unit_test_setup_teardown(dead_context_is_destroyed_unnoticed, guest_setup,
                                        guest_teardown),
        cmocka_unit_test_setup_teardown(nonsense_costs_its_context_only, guest_setup,
                                        guest_teardown),
        cmocka_unit_test_setup_teardown(nonsense_of_any_size, guest_setup, guest_teardown),
        cmocka_unit_test_setup_teardown(fence_on_a_ring_without_a_queue, guest_setup,
                                        guest_teardown),
        cmocka_unit_test_setup_teardown(killed_server_is_started_again, guest_setup,
                                        guest_teardown),
        cmocka_unit_test_setup_teardown(reset_brings_a_killed_server_back, guest_setup,
                                        guest_teardown),
        cmocka_unit_test_setup_teardown(device_without_a_server_can_be_destroyed, guest_setup,
                                        guest_teardown),
    };
    return cmocka_run_group_tests_name("lost", tests, NULL, NULL);
}
