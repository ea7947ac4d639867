/* SPDX-License-Identifier: MIT */
/* Fences: on ring 0, on a queue's ring, and without a ring; their order, and what they wait for. */
#include <stdlib.h>
#include <string.h>

#include "venus.h"

enum {
    BATCH = 200,
    HELD_MS = 50, /* long enough for a fence to signal if it could */
};

static int compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

/* For people to read: there is no limit that holds on every machine. */
static void print_times(const char *what, uint64_t *ns, unsigned count)
{
    qsort(ns, count, sizeof(*ns), compare);
    print_message("# %s: median %.0f us, 99th percentile %.0f us, worst %.0f us\n", what,
                  (double)ns[count / 2] / 1e3, (double)ns[count * 99 / 100] / 1e3,
                  (double)ns[count - 1] / 1e3);
}

static void assert_in_order(struct ticket **tickets, unsigned count)
{
    /* Waiting for the last one is enough, if they signal in order. */
    assert_true(guest_wait_for(tickets[count - 1], 20000));
    for (unsigned i = 0; i < count; i++) {
        assert_true(tickets[i]->done);
        if (i)
            assert_true(tickets[i]->order > tickets[i - 1]->order);
    }
}

/* virglrenderer's threads are known before they report, one for each context, and end with it. */
static void renderer_s_threads_are_known(void **state)
{
    struct guest *guest = *state;
    if (getenv("VENUS_GPU_POLL_FENCES"))
        skip(); /* there are none */
    for (unsigned context = 1; context <= 3; context++) {
        unsigned before = guest->threads_of[VENUS_GPU_THREAD_RENDERER];
        int running = guest->threads;
        assert_ok(guest_context_create(guest, context));
        assert_ok(guest_wait(guest_submit_fenced(guest, context, 0, NULL, 0)));
        assert_uint_in_range(guest->threads_of[VENUS_GPU_THREAD_RENDERER], before + 1, before + 2);
        assert_ok(guest_context_destroy(guest, context));
        assert_uint_in_range(guest->threads, running, running + 1); /* or the link too */
    }
}

static void ring_0_signals_in_order(void **state)
{
    struct guest *guest = *state;
    struct ticket *tickets[BATCH];
    uint64_t ns[BATCH], start = now_ns();

    assert_ok(guest_context_create(guest, 1));
    for (unsigned i = 0; i < BATCH; i++)
        tickets[i] = guest_submit_fenced(guest, 1, 0, NULL, 0);
    assert_in_order(tickets, BATCH);
    print_message("# %u fences on ring 0 at once: %.0f us each\n", BATCH,
                  (double)(now_ns() - start) / 1e3 / BATCH);

    for (unsigned i = 0; i < BATCH; i++) {
        start = now_ns();
        assert_ok(guest_wait(guest_submit_fenced(guest, 1, 0, NULL, 0)));
        ns[i] = now_ns() - start;
    }
    print_times("a fence on ring 0", ns, BATCH);
    assert_int_equal(guest_stat(guest, "fences"), 2 * BATCH);
    assert_int_equal(guest_stat(guest, "fences-pending"), 0);
}

static void queue_s_ring_signals_in_order(void **state)
{
    struct guest *guest = *state;
    struct venus venus;
    struct ticket *tickets[BATCH];
    uint64_t ns[BATCH], start;

    venus_open_all(&venus, guest, 1);
    for (unsigned i = 0; i < BATCH; i++)
        tickets[i] = venus_submit_nothing(&venus);
    assert_in_order(tickets, BATCH);
    for (unsigned i = 0; i < BATCH; i++) {
        start = now_ns();
        assert_ok(guest_wait(venus_submit_nothing(&venus)));
        ns[i] = now_ns() - start;
    }
    print_times("vkQueueSubmit with a fence on its ring", ns, BATCH);
}

static void answer_has_the_guest_s_fence(void **state)
{
    struct guest *guest = *state;
    struct virtio_gpu_cmd_submit request = {
        .hdr = { .type = VIRTIO_GPU_CMD_SUBMIT_3D,
                 .ctx_id = 3,
                 .fence_id = 0x123456789abcdef,
                 .flags = VIRTIO_GPU_FLAG_FENCE | VIRTIO_GPU_FLAG_INFO_RING_IDX },
    };
    struct virtio_gpu_ctrl_hdr answer;

    assert_ok(guest_context_create(guest, 3));
    /* The same one twice: ids are the guest's own affair. */
    for (int i = 0; i < 2; i++) {
        assert_ok(
            guest_finish(guest_send(guest, &request, sizeof(request), NULL, 0, sizeof(answer)),
                         &answer, sizeof(answer)));
        assert_int_equal(answer.flags, request.hdr.flags);
        assert_int_equal(answer.fence_id, request.hdr.fence_id);
        assert_int_equal(answer.ctx_id, 3);
    }
}

/* The GPU waits for an event, so its fence cannot signal before the test lets it. */
static void fence_signals_only_after_the_work(void **state)
{
    struct guest *guest = *state;
    struct venus venus;
    uint64_t memory;
    uint32_t value;

    venus_open_all(&venus, guest, 1);
    uint32_t resource = venus_blob(&venus, 1 << 20, &memory);
    char *window = guest_map_anywhere(guest, resource, 1 << 20);
    uint64_t buffer = venus_buffer(&venus, memory, 1 << 20);
    uint64_t event = venus_event(&venus);

    struct ticket *work = venus_fill(&venus, buffer, 0xf00d, event);
    assert_false(guest_wait_for(work, HELD_MS));
    struct ticket *later = venus_submit_nothing(&venus);
    /* Ring 0 goes on, and so do fences without a ring. */
    assert_ok(guest_wait(guest_submit_fenced(guest, 1, 0, NULL, 0)));
    assert_ok(guest_context_create(guest, 2));
    assert_ok(guest_wait(guest_submit_fenced(guest, 2, 0, NULL, 0)));
    assert_false(guest_wait_for(later, HELD_MS));
    assert_false(work->done);
    memcpy(&value, window, sizeof(value));
    assert_int_not_equal(value, 0xf00d);
    assert_int_equal(guest_stat(guest, "fences-pending"), 2);

    venus_set_event(&venus, event);
    assert_true(guest_wait_for(later, 20000));
    assert_true(work->done);
    assert_true(work->order < later->order);
    memcpy(&value, window + (1 << 20) - sizeof(value), sizeof(value));
    assert_int_equal(value, 0xf00d);
    assert_int_equal(guest_stat(guest, "fences-pending"), 0);
}

static void contexts_do_not_wait_for_each_other(void **state)
{
    struct guest *guest = *state;
    struct venus first, second;
    uint64_t memory;

    venus_open_all(&first, guest, 1);
    venus_open_all(&second, guest, 2);
    venus_blob(&first, PAGE, &memory);
    uint64_t buffer = venus_buffer(&first, memory, PAGE);
    uint64_t event = venus_event(&first);
    struct ticket *held = venus_fill(&first, buffer, 1, event);

    for (unsigned i = 0; i < BATCH; i++)
        assert_ok(guest_wait(venus_submit_nothing(&second)));
    venus_close(&second);
    assert_false(held->done);
    venus_set_event(&first, event);
    assert_ok(guest_wait(held));
}

/* Such a fence tells that the command was executed, which is all that there is to wait for. */
static void fence_without_a_ring_signals_at_once(void **state)
{
    struct guest *guest = *state;
    struct venus venus;
    uint64_t memory;
    struct ticket *tickets[BATCH];

    venus_open_all(&venus, guest, 1);
    venus_blob(&venus, PAGE, &memory);
    uint64_t event = venus_event(&venus);
    struct ticket *held = venus_fill(&venus, venus_buffer(&venus, memory, PAGE), 1, event);

    const struct virtio_gpu_cmd_submit request = {
        .hdr = { .type = VIRTIO_GPU_CMD_SUBMIT_3D, .flags = VIRTIO_GPU_FLAG_FENCE, .ctx_id = 1 },
    };
    for (unsigned i = 0; i < BATCH; i++)
        tickets[i] = guest_send(guest, &request, sizeof(request), NULL, 0,
                                sizeof(struct virtio_gpu_ctrl_hdr));
    assert_in_order(tickets, BATCH);
    assert_false(held->done);
    venus_set_event(&venus, event);
    assert_ok(guest_wait(held));
}

static void fences_of_a_destroyed_context_signal(void **state)
{
    struct guest *guest = *state;
    struct venus venus;
    uint64_t memory;

    venus_open_all(&venus, guest, 1);
    venus_blob(&venus, PAGE, &memory);
    uint64_t event = venus_event(&venus);
    struct ticket *held = venus_fill(&venus, venus_buffer(&venus, memory, PAGE), 1, event);
    struct ticket *later = venus_submit_nothing(&venus);
    assert_ok(guest_context_destroy(guest, 1));
    assert_ok(guest_wait(held));
    assert_ok(guest_wait(later));
    assert_int_equal(guest_stat(guest, "fences-pending"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(renderer_s_threads_are_known, guest_setup, guest_teardown),
        cmocka_unit_test_setup_teardown(ring_0_signals_in_order, guest_setup, guest_teardown),
        cmocka_unit_test_setup_teardown(queue_s_ring_signals_in_order, guest_setup, guest_teardown),
        cmocka_unit_test_setup_teardown(answer_has_the_guest_s_fence, guest_setup, guest_teardown),
        cmocka_unit_test_setup_teardown(fence_signals_only_after_the_work, guest_setup,
                                        guest_teardown),
        cmocka_unit_test_setup_teardown(contexts_do_not_wait_for_each_other, guest_setup,
                                        guest_teardown),
        cmocka_unit_test_setup_teardown(fence_without_a_ring_signals_at_once, guest_setup,
                                        guest_teardown),
        cmocka_unit_test_setup_teardown(fences_of_a_destroyed_context_signal, guest_setup,
                                        guest_teardown),
    };
    return cmocka_run_group_tests_name("fences", tests, NULL, NULL);
}
