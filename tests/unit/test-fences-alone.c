/* SPDX-License-Identifier: MIT */
/* Fences by themselves: commands wait for rings, and nothing but fences, commands and a bell is there. */
#include <errno.h>

#include "alone.h"
#include "base/bell.h"
#include "command/command.h"
#include "command/fence.h"

static struct services services;
static struct commands *commands;
static struct fences *fences;
static struct bell bell;
static unsigned num_done;
static void *last_done;

static void on_done(void *opaque, void *tag, uint32_t written)
{
    (void)opaque, (void)written;
    num_done++;
    last_done = tag;
}

static void on_fence(void *opaque, uint64_t id)
{
    (void)opaque;
    fence_signal(fences, id);
}

static void nothing(void *opaque)
{
    (void)opaque;
}

static void start(void)
{
    num_done = 0;
    alone_start(&services, on_fence, NULL);
    services.ops.command_done = on_done;
    fake_set_fences(FAKE_FENCES_WHEN_SAID);
    bell_init(&bell, &services.lock, nothing, NULL);
    assert_non_null(commands = commands_create(&services));
    assert_non_null(fences = fences_create(&services, &bell));
}

static int finish(void **state)
{
    (void)state;
    alone_stop_renderer();
    pthread_mutex_lock(&services.lock);
    fence_forget_all_locked(fences);
    commands_forget_locked(commands);
    pthread_mutex_unlock(&services.lock);
    fences_destroy(fences);
    commands_destroy(commands);
    bell_finish(&bell);
    alone_stop(&services);
    return 0;
}

/* A command that was executed, but for the fence. */
static struct command *make_command(uint8_t ring_idx, void *tag)
{
    const struct venus_gpu_request request = { .tag = tag };
    struct command *cmd = command_create(commands, VENUS_GPU_QUEUE_CONTROL, &request);
    assert_non_null(cmd);
    cmd->hdr.ctx_id = 1;
    cmd->hdr.flags = VIRTIO_GPU_FLAG_FENCE | VIRTIO_GPU_FLAG_INFO_RING_IDX;
    cmd->hdr.ring_idx = ring_idx;
    pthread_mutex_lock(&services.lock);
    command_submit_locked(cmd);
    pthread_mutex_unlock(&services.lock);
    return cmd;
}

static void test_waits_for_its_ring(void **state)
{
    (void)state;
    int a, b;
    uint64_t first, second;
    start();
    struct command *cmd = make_command(1, &a), *other = make_command(2, &b);
    assert_int_equal(fence_create(fences, cmd, &first), 0);
    assert_int_equal(fence_create(fences, other, &second), 0);
    assert_true(first && second && first != second);
    command_finish(cmd, VIRTIO_GPU_RESP_OK_NODATA);
    command_finish(other, VIRTIO_GPU_RESP_OK_NODATA);
    assert_true(fence_is_pending(fences, first) && fence_is_pending(fences, second));
    assert_int_equal(num_done, 0);
    assert_true(fake_signal(1, 2));
    assert_int_equal(num_done, 1);
    assert_ptr_equal(last_done, &b);
    assert_false(fence_is_pending(fences, second));
    assert_true(fake_signal(1, 1));
    assert_ptr_equal(last_done, &a);
}

/* It says that the context takes no fences; the caller decides, and signals what it made. */
static void test_refused(void **state)
{
    (void)state;
    uint64_t id;
    start();
    struct command *cmd = make_command(1, NULL);
    fake_fail(FAKE_FENCE, -EIO, 0, 1);
    assert_int_equal(fence_create(fences, cmd, &id), -EIO);
    command_finish(cmd, VIRTIO_GPU_RESP_OK_NODATA);
    assert_int_equal(num_done, 0);
    fence_signal_context(fences, 2);
    assert_int_equal(num_done, 0);
    fence_signal_context(fences, 1);
    assert_int_equal(num_done, 1);
}

static void test_questions(void **state)
{
    (void)state;
    uint64_t last = 0;
    start();
    fake_keep_busy(1);
    assert_true(fence_ask(fences, 1, &last));
    assert_true(fence_is_pending(fences, last));
    uint64_t before = last;
    assert_true(fence_can_be_made(fences, 1, &last)); /* not while one is pending */
    assert_int_equal(last, before);
    pthread_mutex_lock(&services.lock);
    fences_ring_locked(fences, true);
    assert_false(fences_have_rung_locked(fences));
    pthread_mutex_unlock(&services.lock);
    fence_signal(fences, last);
    pthread_mutex_lock(&services.lock);
    assert_true(fences_have_rung_locked(fences));
    assert_false(fences_have_rung_locked(fences));
    pthread_mutex_unlock(&services.lock);
    assert_int_equal(num_done, 0); /* nobody waits for these */
    fake_keep_busy(0);
}

#define ALONE(function) cmocka_unit_test_teardown(function, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ALONE(test_waits_for_its_ring),
        ALONE(test_refused),
        ALONE(test_questions),
    };
    return RUN_TESTS(tests);
}
