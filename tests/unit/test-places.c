/* SPDX-License-Identifier: MIT */
/* A program that fills the control queue with what waits loses its context, and no other does. */
#include <stdio.h>
#include <time.h>

#include "device/device.h"
#include "device/places.h"
#include "harness.h"

/* More than may be held by all, and fewer. */
enum { FLOOD = MOST_PLACES + 20, FEW = 20, HUNG = 1, OTHER = 2, THIRD = 3 };

static void start(void)
{
    vm_start(&(struct vm_options){ .max_call_ms = 1000 * 1000 });
    fake_set_fences(FAKE_FENCES_WHEN_SAID);
    for (uint32_t id = HUNG; id <= THIRD; id++)
        assert_ok(create_context(id));
}

static void check_lost(uint32_t id)
{
    char line[64];
    snprintf(line, sizeof(line), "context %u holds ", id);
    assert_true(was_logged(VENUS_GPU_LOG_WARNING, line));
    assert_int_equal(stat_value("contexts-lost"), 1);
    static const uint32_t data;
    assert_error(submit(id, &data, sizeof(data)), UNSPEC);
}

static void test_fences_that_never_signal(void **state)
{
    (void)state;
    struct sent *flood[FLOOD], *few[FEW];
    start();
    for (unsigned i = 0; i < FEW; i++)
        few[i] = send_fence(OTHER, 1, i);
    for (unsigned i = 0; i < FLOOD; i++)
        flood[i] = send_fence(HUNG, 1, i);
    for (unsigned i = 0; i < FLOOD; i++)
        assert_ok(wait_for(flood[i]));
    check_lost(HUNG);
    for (unsigned i = 0; i < FEW; i++) {
        assert_false(is_done(few[i]));
        assert_true(fake_signal(OTHER, 1));
        assert_ok(wait_for(few[i]));
    }
}

/* Who has waited for long, with one fence, is not to blame for the many that another has just sent. */
static void test_long_is_not_many(void **state)
{
    (void)state;
    struct sent *flood[FLOOD];
    start();
    struct sent *fence = send_fence(OTHER, 1, 1);
    settle();
    struct timespec longer = { .tv_sec = PLACES_HELD_MS / 1000, .tv_nsec = 300 * 1000 * 1000 };
    nanosleep(&longer, NULL);
    for (unsigned i = 0; i < FLOOD; i++)
        flood[i] = send_fence(HUNG, 1, i);
    for (unsigned i = 0; i < FLOOD; i++)
        assert_ok(wait_for(flood[i]));
    check_lost(HUNG);
    assert_false(is_done(fence));
}

/* Large ones have to be read before the next is sent. */
static void test_parked(void **state)
{
    (void)state;
    struct sent *flood[FLOOD];
    start();
    fake_keep_busy(HUNG);
    assert_ok(wait_for(send_submit(HUNG, 4, 0)));
    struct sent *fence = send_fence(OTHER, 1, 1);
    for (unsigned i = 0; i < FLOOD; i++)
        flood[i] = send_submit(HUNG, 64 << 10, 0);
    for (unsigned i = 0; i < FLOOD; i++)
        assert_error(wait_for(flood[i]), UNSPEC);
    check_lost(HUNG);
    assert_false(is_done(fence));
    assert_true(fake_signal(OTHER, 1));
    assert_ok(wait_for(fence));
}

/* What waits on the device's timeline waits for what is first there. */
static void test_behind_the_first(void **state)
{
    (void)state;
    struct sent *flood[FLOOD];
    start();
    fake_keep_busy(HUNG);
    assert_ok(wait_for(send_submit(HUNG, 4, 0)));
    struct sent *first = send_submit(HUNG, 64 << 10, VIRTIO_GPU_FLAG_FENCE);
    for (unsigned i = 0; i < FLOOD; i++)
        flood[i] = send_submit(OTHER, 4, VIRTIO_GPU_FLAG_FENCE);
    for (unsigned i = 0; i < FLOOD; i++)
        assert_ok(wait_for(flood[i]));
    assert_error(wait_for(first), UNSPEC);
    check_lost(HUNG);
}

/* Nobody is ended for many that are answered, nor for few that are not. */
static void test_what_is_allowed(void **state)
{
    (void)state;
    struct sent *old[MOST_PLACES - 1], *many[FLOOD];
    start();
    for (unsigned i = 0; i < COUNT(old); i++)
        old[i] = send_fence(HUNG, 1, i);
    settle();
    struct timespec longer = { .tv_sec = PLACES_HELD_MS / 1000, .tv_nsec = 300 * 1000 * 1000 };
    nanosleep(&longer, NULL);
    assert_false(is_done(old[0]));
    for (unsigned i = 0; i < COUNT(old); i++) {
        assert_true(fake_signal(HUNG, 1));
        assert_ok(wait_for(old[i]));
    }
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < FLOOD; i++)
            many[i] = send_submit(OTHER, 4, VIRTIO_GPU_FLAG_FENCE);
        for (unsigned i = 0; i < FLOOD; i++)
            assert_ok(wait_for(many[i]));
    }
    assert_int_equal(stat_value("contexts-lost"), 0);
}

/* It is the one that holds most. */
static void test_who_holds_most(void **state)
{
    (void)state;
    struct sent *a[FLOOD / 2], *b[FLOOD / 2 + 10], *c;
    start();
    c = send_fence(THIRD, 1, 1);
    /* At each moment: sending all may take longer than they may wait. */
    for (unsigned i = 0; i < COUNT(b); i++)
        b[i] = send_fence(HUNG, 1, i);
    for (unsigned i = 0; i < COUNT(a); i++)
        a[i] = send_fence(OTHER, 1, i);
    for (unsigned i = 0; i < COUNT(b); i++)
        assert_ok(wait_for(b[i]));
    check_lost(HUNG);
    assert_false(is_done(a[0]) || is_done(c));
}

/* Many programs that hold little each do not have one ended that was there before them, and holds a bit more. */
static void test_many_that_hold_little(void **state)
{
    (void)state;
    enum { FIRST = THIRD + 1, MANY = MOST_PLACES / 2, EACH = 2, DRAWING = 5 };
    struct sent *drawing[DRAWING], *little[MANY][EACH];
    start();
    for (unsigned i = 0; i < DRAWING; i++)
        drawing[i] = send_fence(OTHER, 1, i);
    for (uint32_t id = 0; id < MANY; id++) {
        assert_ok(create_context(FIRST + id));
        for (unsigned i = 0; i < EACH; i++)
            little[id][i] = send_fence(FIRST + id, 1, i);
    }
    /* The newest of those that have waited for long, one after the other, until there are places again. */
    const unsigned lost = (DRAWING + MANY * EACH - MOST_PLACES) / EACH + 1;
    for (unsigned i = 0; i < 200 && stat_value("contexts-lost") < lost; i++)
        nanosleep(&(struct timespec){ .tv_nsec = 100 * 1000 * 1000 }, NULL);
    assert_int_equal(stat_value("contexts-lost"), lost);
    for (uint32_t id = 0; id < MANY / 2; id++)
        assert_false(is_done(little[id][0]));
    for (unsigned i = 0; i < DRAWING; i++)
        assert_false(is_done(drawing[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_fences_that_never_signal), TEST(test_long_is_not_many), TEST(test_parked),
        TEST(test_behind_the_first),         TEST(test_what_is_allowed),  TEST(test_who_holds_most),
        TEST(test_many_that_hold_little),
    };
    return RUN_TESTS(tests);
}
