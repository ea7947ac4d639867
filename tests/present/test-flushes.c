/* SPDX-License-Identifier: MIT */
/*
 * When the guest's flushes are answered: not before the GPU has read the frame, and always in the end,
 * whatever becomes of the frame, the resource, the target and the device meanwhile.
 */
#include <stdlib.h>
#include <unistd.h>

#include "screen.h"

enum { WIDTH = 64, HEIGHT = 48, MOST = 8 };

static void start(enum venus_gpu_present_mode mode)
{
    const struct vm_options options = { .num_outputs = 3, .present_mode = mode };
    present_start(&options);
    present_offscreen(0, 0, 0, false);
    for (uint32_t id = 1; id <= MOST; id++)
        make_2d(id, WIDTH, HEIGHT, id);
    /* What the scanout shows when the target opens would be a frame by itself. */
    for (unsigned i = 0; i < 2000 && !was_logged(VENUS_GPU_LOG_INFO, "is presented by"); i++)
        usleep(5000);
    assert_true(was_logged(VENUS_GPU_LOG_INFO, "is presented by"));
}

static struct sent *send_resource(uint32_t id)
{
    return send_frame(id, WIDTH, HEIGHT);
}

static void assert_shows(uint32_t id)
{
    assert_shows_pattern(0, WIDTH, HEIGHT, 0, 0, id);
}

/* Have the presenter's thread stop short of the GPU, with resource 1. */
static struct sent *hold_first(void)
{
    shim_hold_submits(true);
    struct sent *sent = send_resource(1);
    shim_wait_held();
    return sent;
}

static void *let_go(void *opaque)
{
    (void)opaque;
    shim_hold_submits(false);
    return NULL;
}

/* Let the held thread go while the caller waits for it. */
static pthread_t let_go_meanwhile(void)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, let_go, NULL), 0);
    return thread;
}

/* ---- when it was read ---------------------------------------------------------------------------- */

static void test_not_before_submit(void **state)
{
    (void)state;
    start(VENUS_GPU_PRESENT_FIFO);
    struct sent *sent = hold_first();
    settle();
    assert_false(is_done(sent));
    shim_hold_submits(false);
    assert_ok(wait_for(sent));
    assert_shows(1);
    assert_int_equal(count_flushes(), 0);
}

/* What was submitted was not read yet. */
static void test_not_before_wait(void **state)
{
    (void)state;
    start(VENUS_GPU_PRESENT_FIFO);
    shim_hold_waits(true);
    struct sent *sent = send_resource(1);
    shim_wait_held();
    settle();
    assert_false(is_done(sent));
    shim_hold_waits(false);
    assert_ok(wait_for(sent));
    assert_shows(1);
}

/* The guest's other commands do not wait with it. */
static void test_commands_go_on(void **state)
{
    (void)state;
    start(VENUS_GPU_PRESENT_FIFO);
    struct sent *sent = hold_first();
    assert_ok(transfer(2, rect(0, 0, WIDTH, HEIGHT), 0));
    assert_ok(create_2d(20, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, 10, 10));
    assert_ok(set_scanout(1, 2, rect(0, 0, WIDTH, HEIGHT)));
    assert_ok(flush(2, rect(0, 0, WIDTH, HEIGHT))); /* which nobody presents */
    assert_int_equal(count_flushes(), 1);
    assert_false(is_done(sent));
    shim_hold_submits(false);
    assert_ok(wait_for(sent));
}

/* ---- the queue ------------------------------------------------------------------------------------ */

/* In both modes the newest frame takes the place of one that waits, which is answered then. */
static void newest_wins(enum venus_gpu_present_mode mode)
{
    struct sent *sent[5];
    start(mode);
    sent[1] = hold_first();
    for (uint32_t id = 2; id <= 4; id++)
        sent[id] = send_resource(id);
    assert_ok(wait_for(sent[2]));
    assert_ok(wait_for(sent[3]));
    settle();
    assert_false(is_done(sent[1]));
    assert_false(is_done(sent[4]));
    assert_int_equal(stat_value("present-dropped"), 2);
    shim_hold_submits(false);
    assert_ok(wait_for(sent[1]));
    assert_ok(wait_for(sent[4]));
    assert_int_equal(stat_value("present-frames"), 2);
    assert_int_equal(stat_value("present-dropped"), 2);
    assert_shows(4);
}

static void test_mailbox(void **state)
{
    (void)state;
    newest_wins(VENUS_GPU_PRESENT_MAILBOX);
}

static void test_immediate(void **state)
{
    (void)state;
    newest_wins(VENUS_GPU_PRESENT_IMMEDIATE);
}

/* Three wait; of more, only the newest. */
static void test_fifo(void **state)
{
    struct sent *sent[MOST + 1];
    (void)state;
    start(VENUS_GPU_PRESENT_FIFO);
    sent[1] = hold_first();
    for (uint32_t id = 2; id <= MOST; id++)
        sent[id] = send_resource(id);
    for (uint32_t id = 4; id < MOST; id++)
        assert_ok(wait_for(sent[id]));
    settle();
    assert_false(is_done(sent[1]) || is_done(sent[2]) || is_done(sent[3]) || is_done(sent[MOST]));
    assert_int_equal(stat_value("present-dropped"), MOST - 4);
    shim_hold_submits(false);
    assert_ok(wait_for(sent[MOST]));
    assert_true(is_done(sent[1]) && is_done(sent[2]) && is_done(sent[3]));
    assert_true(sent[1]->order < sent[2]->order && sent[2]->order < sent[3]->order);
    assert_int_equal(stat_value("present-frames"), 4);
    assert_int_equal(stat_value("present-dropped"), MOST - 4);
    assert_shows(MOST);
}

/* Flushes of one frame that waits become one: of all that changed. */
static void test_merging(void **state)
{
    static const enum venus_gpu_present_mode modes[] = { VENUS_GPU_PRESENT_FIFO,
                                                         VENUS_GPU_PRESENT_MAILBOX };
    const uint32_t format = VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM;
    (void)state;
    for (size_t i = 0; i < COUNT(modes); i++) {
        struct sent *sent[HEIGHT];
        start(modes[i]);
        assert_ok(wait_for(send_resource(1)));
        for (int k = 0; k < 5; k++) /* until each image shows all of it */
            assert_ok(flush(1, rect(0, 0, 1, 1)));
        shim_hold_submits(true);
        struct sent *first = send_flush(1, rect(0, 0, 1, 1), 0, 0);
        shim_wait_held();
        fill_pattern(ram_at(RAM_ADDR), venus_gpu_format_lookup(format), WIDTH, HEIGHT, WIDTH * 4, 0,
                     0, 99);
        for (uint32_t row = 0; row < HEIGHT; row++) {
            assert_ok(transfer(1, rect(0, row, WIDTH, 1), row * WIDTH * 4));
            sent[row] = send_flush(1, rect(0, row, WIDTH, 1), 0, 0);
        }
        settle();
        for (uint32_t row = 0; row < HEIGHT; row++)
            assert_false(is_done(sent[row]));
        shim_hold_submits(false);
        assert_ok(wait_for(first));
        for (uint32_t row = 0; row < HEIGHT; row++)
            assert_ok(wait_for(sent[row]));
        assert_int_equal(stat_value("present-frames"), 6 + 2);
        assert_int_equal(stat_value("present-dropped"), 0);
        assert_shows(99);
        vm_stop();
    }
}

/* ---- what goes away meanwhile ----------------------------------------------------------------------- */

/* Frames that wait when their scanout is blanked are answered then, and one that is being read later. */
static void test_blanking(void **state)
{
    (void)state;
    start(VENUS_GPU_PRESENT_FIFO);
    struct sent *held = hold_first(), *second = send_resource(2), *third = send_resource(3);
    assert_ok(set_scanout(0, 0, rect(0, 0, 0, 0)));
    assert_ok(wait_for(second));
    assert_ok(wait_for(third));
    assert_false(is_done(held));
    shim_hold_submits(false);
    assert_ok(wait_for(held));
    assert_int_equal(stat_value("present-frames"), 1);
    assert_ok(flush(3, rect(0, 0, WIDTH, HEIGHT))); /* which no scanout shows */
    assert_ok(wait_for(send_resource(4)));
    assert_shows(4);
}

/* The frame that is shown goes, with those that wait: the scanout is blank. */
static void test_unref_of_shown(void **state)
{
    (void)state;
    start(VENUS_GPU_PRESENT_FIFO);
    struct sent *held = hold_first(), *second = send_resource(2);
    assert_ok(unref(2));
    assert_ok(wait_for(second));
    assert_ok(unref(1));
    assert_false(is_done(held));
    shim_hold_submits(false);
    assert_ok(wait_for(held));
    assert_ok(wait_for(send_resource(3)));
    assert_shows(3);
}

/* A frame that waits is read, though its resource is gone. */
static void test_unref_of_waiting(void **state)
{
    (void)state;
    start(VENUS_GPU_PRESENT_FIFO);
    struct sent *held = hold_first(), *second = send_resource(2), *third = send_resource(3);
    assert_ok(unref(1));
    assert_ok(unref(2));
    settle();
    assert_false(is_done(second));
    shim_hold_submits(false);
    assert_ok(wait_for(held));
    assert_ok(wait_for(second));
    assert_ok(wait_for(third));
    assert_int_equal(stat_value("present-frames"), 3);
    assert_int_equal(stat_value("present-dropped"), 0);
    assert_shows(3);
}

/* Memory that is the renderer's own stays there until it was read; its id is not given out before. */
static void test_unref_of_pinned(void **state)
{
    (void)state;
    start(VENUS_GPU_PRESENT_FIFO);
    fake_set_memory(FAKE_PINNED);
    assert_ok(create_context(1));
    assert_ok(create_host_blob(40, 4 * PAGE));
    const struct virtio_gpu_set_scanout_blob show = blob_scanout(0, 40, 64, 64);
    assert_ok(set_scanout_blob(&show));
    shim_hold_submits(true);
    struct sent *held = send_flush(40, rect(0, 0, 64, 64), 0, 0);
    shim_wait_held();
    assert_ok(unref(40));
    assert_int_equal(fake_blobs(), 1);
    pthread_t thread = let_go_meanwhile();
    assert_ok(create_host_blob(40, 4 * PAGE));
    pthread_join(thread, NULL);
    assert_ok(wait_for(held));
    assert_int_equal(fake_blobs(), 1);
    assert_ok(wait_for(send_resource(1)));
    assert_shows(1);
}

static void test_reset(void **state)
{
    (void)state;
    start(VENUS_GPU_PRESENT_FIFO);
    hold_first();
    send_resource(2);
    send_resource(3);
    settle();
    vm_reset(); /* none of these may be answered now */
    shim_hold_submits(false);
    assert_int_equal(stat_value("resources"), 0);
    make_2d(5, WIDTH, HEIGHT, 5);
    assert_ok(wait_for(send_resource(5)));
    assert_shows(5);
    assert_int_equal(count_present_ends(), 0);
}

static void test_destroy(void **state)
{
    (void)state;
    start(VENUS_GPU_PRESENT_FIFO);
    hold_first();
    for (uint32_t id = 2; id <= MOST; id++)
        send_resource(id);
    pthread_t thread = let_go_meanwhile();
    vm_stop();
    pthread_join(thread, NULL);
}

/* The same in the middle of things, 30 times. */
static void test_destroy_at_once(void **state)
{
    (void)state;
    for (int i = 0; i < 30; i++) {
        start(i % 2 ? VENUS_GPU_PRESENT_FIFO : VENUS_GPU_PRESENT_MAILBOX);
        for (uint32_t id = 1; id <= MOST; id++)
            send_resource(id);
        if (i % 3 == 0)
            wait_for(send_resource(1));
        vm_stop();
    }
}

/* ---- other targets ------------------------------------------------------------------------------------- */

static void test_stop(void **state)
{
    struct sent *sent[MOST + 1];
    (void)state;
    start(VENUS_GPU_PRESENT_FIFO);
    sent[1] = hold_first();
    for (uint32_t id = 2; id <= MOST; id++)
        sent[id] = send_resource(id);
    settle();
    pthread_t thread = let_go_meanwhile();
    assert_int_equal(venus_gpu_present(vm.gpu, 0, NULL), 0);
    pthread_join(thread, NULL);
    for (uint32_t id = 1; id <= MOST; id++)
        assert_ok(wait_for(sent[id]));
    assert_int_equal(count_present_ends(), 0); /* it was not the target's fault */
    assert_int_equal(count_flushes(), 0);
    assert_ok(wait_for(send_resource(1)));
    assert_int_equal(count_flushes(), 1);
}

/* A new target shows the frame that there is, without a flush. */
static void test_shows_at_once(void **state)
{
    (void)state;
    start(VENUS_GPU_PRESENT_FIFO);
    assert_ok(wait_for(send_resource(3)));
    present_offscreen(0, 0, 0, false);
    assert_shows(3);
    assert_int_equal(venus_gpu_present(vm.gpu, 0, NULL), 0);
    assert_ok(wait_for(send_resource(4)));
    present_offscreen(0, 0, 0, false);
    assert_shows(4);
}

static struct {
    pthread_mutex_t lock; /* as the front end has one: one call at a time */
    pthread_cond_t changed;
    bool stop;
    unsigned flushes, failed;
} guest = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static void *flush_on_and_on(void *opaque)
{
    (void)opaque;
    for (;;) {
        struct sent *sent[3];
        pthread_mutex_lock(&guest.lock);
        bool stop = guest.stop;
        for (size_t i = 0; i < COUNT(sent) && !stop; i++)
            sent[i] = send_flush(1, rect(0, 0, WIDTH, HEIGHT), 0, 0);
        pthread_mutex_unlock(&guest.lock);
        if (stop)
            return NULL;
        for (size_t i = 0; i < COUNT(sent); i++) {
            bool failed = wait_for(sent[i]) != VIRTIO_GPU_RESP_OK_NODATA;
            pthread_mutex_lock(&guest.lock);
            guest.failed += failed;
            guest.flushes++;
            pthread_cond_signal(&guest.changed);
            pthread_mutex_unlock(&guest.lock);
        }
    }
}

static void test_targets_change(void **state)
{
    (void)state;
    guest.stop = false;
    guest.flushes = guest.failed = 0;
    start(VENUS_GPU_PRESENT_MAILBOX);
    assert_ok(wait_for(send_resource(1)));
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, flush_on_and_on, NULL), 0);
    for (int i = 0; i < 50; i++) {
        pthread_mutex_lock(&guest.lock);
        if (i % 5 == 4)
            assert_int_equal(venus_gpu_present(vm.gpu, 0, NULL), 0);
        else if (i % 5 == 2)
            present_headless(0);
        else
            present_offscreen(0, 0, 0, false);
        unsigned before = guest.flushes;
        while (guest.flushes == before)
            pthread_cond_wait(&guest.changed, &guest.lock);
        pthread_mutex_unlock(&guest.lock);
    }
    pthread_mutex_lock(&guest.lock);
    guest.stop = true;
    pthread_mutex_unlock(&guest.lock);
    pthread_join(thread, NULL);
    assert_int_equal(guest.failed, 0);
    assert_int_equal(count_present_ends(), 0);
    present_offscreen(0, 0, 0, false);
    assert_shows(1);
}

/* ---- several scanouts ------------------------------------------------------------------------------------ */

/* Two scanouts show parts of one resource: a flush waits for both. */
static void test_shared_resource(void **state)
{
    (void)state;
    start(VENUS_GPU_PRESENT_FIFO);
    present_offscreen(1, 0, 0, false);
    assert_ok(set_scanout(0, 1, rect(0, 0, 40, HEIGHT)));
    assert_ok(set_scanout(1, 1, rect(20, 10, 44, 38)));
    shim_hold_submits(true);
    struct sent *sent = send_flush(1, rect(0, 0, WIDTH, HEIGHT), 0, 0);
    shim_wait_held();
    settle();
    assert_false(is_done(sent));
    shim_hold_submits(false);
    assert_ok(wait_for(sent));
    assert_int_equal(stat_value("present-frames"), 2);
    assert_shows_pattern(0, 40, HEIGHT, 0, 0, 1);
    assert_shows_pattern(1, 44, 38, 20, 10, 1);
}

/* One of the two is not presented: the front end answers for it. */
static void test_shared_with_front_end(void **state)
{
    (void)state;
    start(VENUS_GPU_PRESENT_FIFO);
    assert_ok(set_scanout(0, 1, rect(0, 0, WIDTH, HEIGHT)));
    assert_ok(set_scanout(1, 1, rect(0, 0, WIDTH, HEIGHT)));
    vm.hold_flushes = true;
    struct sent *sent = send_flush(1, rect(0, 0, WIDTH, HEIGHT), 0, 0);
    wait_for_flushes(1);
    assert_shows(1); /* so the presenter has answered */
    assert_false(is_done(sent));
    answer_flush(0);
    assert_ok(wait_for(sent));
}

static void test_three_sizes(void **state)
{
    static const uint32_t sizes[][2] = { { 320, 200 }, { 64, 300 }, { 641, 77 } };
    (void)state;
    start(VENUS_GPU_PRESENT_FIFO);
    for (uint32_t i = 0; i < 3; i++) {
        present_offscreen(i, 0, 0, false);
        make_2d(20 + i, sizes[i][0], sizes[i][1], 20 + i);
        assert_ok(set_scanout(i, 20 + i, rect(0, 0, sizes[i][0], sizes[i][1])));
    }
    struct sent *sent[60];
    for (uint32_t i = 0; i < COUNT(sent); i++)
        sent[i] = send_flush(20 + i % 3, rect(0, 0, sizes[i % 3][0], sizes[i % 3][1]), 0, 0);
    for (uint32_t i = 0; i < COUNT(sent); i++)
        assert_ok(wait_for(sent[i]));
    for (uint32_t i = 0; i < 3; i++)
        assert_shows_pattern(i, sizes[i][0], sizes[i][1], 0, 0, 20 + i);
    assert_int_equal(stat_value("present-imports"), 3);
    assert_int_equal(shim_count(SHIM_CREATE_DEVICE), 1); /* they share it */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PRESENT_TEST(test_not_before_submit),
        PRESENT_TEST(test_not_before_wait),
        PRESENT_TEST(test_commands_go_on),
        PRESENT_TEST(test_mailbox),
        PRESENT_TEST(test_immediate),
        PRESENT_TEST(test_fifo),
        PRESENT_TEST(test_merging),
        PRESENT_TEST(test_blanking),
        PRESENT_TEST(test_unref_of_shown),
        PRESENT_TEST(test_unref_of_waiting),
        PRESENT_TEST(test_unref_of_pinned),
        PRESENT_TEST(test_reset),
        PRESENT_TEST(test_destroy),
        PRESENT_TEST(test_destroy_at_once),
        PRESENT_TEST(test_stop),
        PRESENT_TEST(test_shows_at_once),
        PRESENT_TEST(test_targets_change),
        PRESENT_TEST(test_shared_resource),
        PRESENT_TEST(test_shared_with_front_end),
        PRESENT_TEST(test_three_sizes),
    };
    return RUN_TESTS(tests);
}
