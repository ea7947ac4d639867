/* SPDX-License-Identifier: MIT */
/* A front end that registers threads hears of each before it is called on it, and of its end. */
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "device/device.h"
#include "harness.h"

enum { KINDS = VENUS_GPU_THREAD_RENDERER + 1 };

static atomic_uint begun[KINDS], ended[KINDS], strangers;
static _Thread_local bool is_ours, is_known;
static _Thread_local enum venus_gpu_thread known_as;
static struct venus_gpu_ops harness_ops;

static void thread_begins(void *opaque, enum venus_gpu_thread kind)
{
    strangers += opaque != &vm || is_ours || is_known;
    is_known = true;
    known_as = kind;
    begun[kind]++;
}

static void thread_ends(void *opaque, enum venus_gpu_thread kind)
{
    strangers += opaque != &vm || !is_known || known_as != kind;
    is_known = false;
    ended[kind]++;
}

static void command_done(void *opaque, void *tag, uint32_t written)
{
    strangers += !is_known && !is_ours;
    harness_ops.command_done(opaque, tag, written);
}

static void logged(void *opaque, enum venus_gpu_log_level level, const char *message)
{
    strangers += !is_known && !is_ours;
    harness_ops.log(opaque, level, message);
}

static void present_ended(void *opaque, unsigned scanout, const char *why)
{
    strangers += !is_known || known_as != VENUS_GPU_THREAD_PRESENTER;
    harness_ops.present_ended(opaque, scanout, why);
}

static void start(enum fake_fences fences)
{
    for (unsigned kind = 0; kind < KINDS; kind++)
        begun[kind] = ended[kind] = 0;
    strangers = 0;
    is_ours = true;
    vm_prepare(NULL);
    harness_ops = vm.ops;
    vm.ops.command_done = command_done;
    vm.ops.log = logged;
    vm.ops.present_ended = present_ended;
    vm.ops.thread_begins = thread_begins;
    vm.ops.thread_ends = thread_ends;
    vm.gpu = device_create(&vm.config, &vm.ops, &vm, &fake_renderer, NULL);
    assert_non_null(vm.gpu);
    fake_set_fences(fences);
    assert_ok(create_context(1));
}

static void stop_and_count(unsigned presenters, unsigned renderers)
{
    vm_stop();
    const unsigned expected[KINDS] = { 1, presenters, renderers };
    for (unsigned kind = 0; kind < KINDS; kind++) {
        assert_int_equal(begun[kind], expected[kind]);
        assert_int_equal(ended[kind], expected[kind]);
    }
    assert_int_equal(strangers, 0);
    assert_int_equal(vm.threads_started, 0); /* or it would be registered twice */
}

static void test_device_thread(void **state)
{
    (void)state;
    start(FAKE_FENCES_AT_ONCE);
    assert_ok(wait_for(send_fence(1, 1, 1))); /* reported on the device thread, which is known */
    assert_error(unref(7), INVALID_RESOURCE_ID);
    stop_and_count(0, 0);
}

static void *report(void *opaque)
{
    struct sent **sent = opaque;
    for (unsigned i = 0; i < 3; i++) {
        strangers += !fake_signal(1, 1);
        wait_for(sent[i]);
    }
    return NULL;
}

/* Not started by the library: known from its first report, once, until it ends. */
static void test_thread_of_the_renderer(void **state)
{
    (void)state;
    start(FAKE_FENCES_WHEN_SAID);
    for (unsigned round = 1; round <= 2; round++) {
        struct sent *sent[3];
        for (unsigned i = 0; i < 3; i++)
            sent[i] = send_fence(1, 1, i);
        settle();
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, report, sent), 0);
        pthread_join(thread, NULL);
        assert_int_equal(begun[VENUS_GPU_THREAD_RENDERER], round);
        assert_int_equal(ended[VENUS_GPU_THREAD_RENDERER], round);
    }
    stop_and_count(0, 2);
}

static void test_presenter(void **state)
{
    (void)state;
    const struct venus_gpu_target target = { .size = sizeof(target),
                                             .kind = VENUS_GPU_TARGET_OFFSCREEN };
    start(FAKE_FENCES_AT_ONCE);
    assert_int_equal(venus_gpu_present(vm.gpu, 0, &target), 0);
    assert_int_equal(venus_gpu_present(vm.gpu, 0, NULL), 0);
    assert_int_equal(begun[VENUS_GPU_THREAD_PRESENTER], 1);
    assert_int_equal(ended[VENUS_GPU_THREAD_PRESENTER], 1);
    stop_and_count(1, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_device_thread),
        TEST(test_thread_of_the_renderer),
        TEST(test_presenter),
    };
    return RUN_TESTS(tests);
}
