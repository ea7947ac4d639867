/* SPDX-License-Identifier: MIT */
/* A renderer that does not answer: its calls are interrupted, and nobody waits for it for ever. */
#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "device/device.h"
#include "harness.h"

/* Long enough for a thread that gets no processor for a while not to be taken for one that hangs. */
enum { SOON_MS = 1000, NEVER_MS = 1000 * 1000 };

static void start(uint32_t max_call_ms)
{
    vm_start(&(struct vm_options){ .max_call_ms = max_call_ms });
    assert_ok(create_context(1));
    assert_ok(create_context(2));
}

static uint32_t submit_something(uint32_t context_id)
{
    const uint32_t word = 0;
    return submit(context_id, &word, sizeof(word));
}

/* The watchdog says so when the call has been interrupted, which may be answered by then. */
static void wait_until_logged(const char *line)
{
    for (unsigned i = 0; i < 500 && !was_logged(VENUS_GPU_LOG_WARNING, line); i++)
        usleep(10 * 1000);
    assert_true(was_logged(VENUS_GPU_LOG_WARNING, line));
}

static void check_only_1_is_lost(void)
{
    assert_int_equal(stat_value("contexts-lost"), 1);
    assert_int_equal(fake_last(FAKE_INTERRUPT).context_id, 1);
    wait_until_logged("context 1 does not answer");
    assert_error(submit_something(1), UNSPEC);
    assert_ok(submit_something(2));
    assert_ok(create_context(3));
}

static void test_submit(void **state)
{
    (void)state;
    start(SOON_MS);
    fake_hang(FAKE_SUBMIT);
    assert_error(submit_something(1), UNSPEC);
    check_only_1_is_lost();
}

static void test_fence(void **state)
{
    (void)state;
    start(SOON_MS);
    fake_hang(FAKE_FENCE);
    assert_ok(wait_for(send_fence(1, 1, 7)));
    check_only_1_is_lost();
}

/* What the renderer has no blob for may be the guest's fault, so it is asked for a fence too. */
static void test_blob(void **state)
{
    (void)state;
    start(SOON_MS);
    fake_hang(FAKE_BLOB_CREATE);
    fake_fail(FAKE_FENCE_0, -EIO, 0, 1);
    assert_error(create_host_blob(1, PAGE), OUT_OF_MEMORY);
    check_only_1_is_lost();
}

/* There is nothing to see but that the next call fails. */
static void test_attach(void **state)
{
    (void)state;
    start(SOON_MS);
    assert_ok(create_host_blob(1, PAGE));
    fake_hang(FAKE_DETACH);
    assert_ok(attach_resource(1, 1));
    assert_ok(detach_resource(1, 1));
    assert_int_equal(fake_last(FAKE_INTERRUPT).context_id, 1);
    assert_ok(submit_something(2));
    fake_hang(FAKE_ATTACH);
    assert_ok(attach_resource(2, 1));
    assert_int_equal(fake_last(FAKE_INTERRUPT).context_id, 2);
}

static void sleep_ms(unsigned ms)
{
    nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L }, NULL);
}

/* The line comes from the watchdog, and the answer may be before it. */
static void assert_logged_soon(enum venus_gpu_log_level level, const char *text)
{
    for (unsigned i = 0; i < 10000 && !was_logged(level, text); i++)
        sleep_ms(1);
    assert_true(was_logged(level, text));
}

static void test_server(void **state)
{
    (void)state;
    start(SOON_MS);
    fake_hang(FAKE_CONTEXT_CREATE);
    assert_error(create_context(3), OUT_OF_MEMORY);
    assert_int_equal(fake_last(FAKE_INTERRUPT).context_id, 0);
    assert_logged_soon(VENUS_GPU_LOG_ERROR, "the render server does not answer");
    fake_hang(FAKE_CONTEXT_DESTROY);
    assert_ok(destroy_context(2));
    assert_int_equal(fake_last(FAKE_INTERRUPT).context_id, 0);
    assert_true(fake_count(FAKE_INTERRUPT) > 1);
}

/* Wait until the device thread is in the call that hangs. */
static struct sent *hang_in_submit(void)
{
    char request[sizeof(struct virtio_gpu_cmd_submit) + 4] = { 0 };
    const struct virtio_gpu_cmd_submit header = {
        .hdr = { .type = le32(VIRTIO_GPU_CMD_SUBMIT_3D), .ctx_id = le32(1) }, .size = le32(4)
    };
    memcpy(request, &header, sizeof(header));
    unsigned before = fake_count(FAKE_SUBMIT);
    fake_hang(FAKE_SUBMIT);
    struct sent *sent = send_control(request, sizeof(request), sizeof(struct virtio_gpu_ctrl_hdr));
    while (fake_count(FAKE_SUBMIT) == before)
        sleep_ms(1);
    return sent;
}

static void test_reset(void **state)
{
    (void)state;
    start(NEVER_MS);
    for (unsigned i = 0; i < 3; i++) {
        hang_in_submit();
        vm_reset();
        assert_true(fake_count(FAKE_INTERRUPT) > i);
        assert_int_equal(stat_value("contexts"), 0);
        assert_ok(create_context(1));
    }
    /* The hurry is over with the reset. */
    struct sent *sent = hang_in_submit();
    sleep_ms(300);
    assert_false(is_done(sent));
    vm_reset();
}

static void test_end(void **state)
{
    (void)state;
    start(NEVER_MS);
    hang_in_submit();
    vm_stop();
    assert_true(fake_count(FAKE_INTERRUPT) > 0);
}

/* Resets that come while the device is being cleared, and cannot get at the server. */
static void test_reset_without_server(void **state)
{
    (void)state;
    start(NEVER_MS);
    fake_hang(FAKE_CONTEXT_DESTROY);
    vm_reset();
    assert_int_equal(fake_last(FAKE_INTERRUPT).context_id, 0);
    assert_int_equal(stat_value("contexts"), 0);
    assert_ok(create_context(1));
}

static void test_start(void **state)
{
    (void)state;
    vm_prepare(&(struct vm_options){ .max_call_ms = SOON_MS });
    fake_hang(FAKE_DEVICE_NAME);
    char *error = NULL;
    assert_null(device_create(&vm.config, &vm.ops, &vm, &fake_renderer, &error));
    assert_non_null(strstr(error, "does not answer"));
    free(error);
}

/* A service that is asked for a new server, and never answers. */
static void hang_in_init(void)
{
    vm_reset(); /* so that nothing is in use, and it is asked */
    fake_fail(FAKE_CONTEXT_CREATE, -EIO, 0, 1);
    fake_hang(FAKE_INIT);
}

static void test_start_anew(void **state)
{
    (void)state;
    start(SOON_MS);
    hang_in_init();
    assert_error(create_context(1), OUT_OF_MEMORY);
    assert_int_equal(fake_count(FAKE_INIT), 2);
    assert_int_equal(fake_last(FAKE_INTERRUPT).context_id, 0);
}

static void test_reset_while_started_anew(void **state)
{
    (void)state;
    const struct virtio_gpu_ctx_create request = {
        .hdr = { .type = le32(VIRTIO_GPU_CMD_CTX_CREATE), .ctx_id = le32(1) },
        .context_init = le32(VIRTIO_GPU_CAPSET_VENUS),
    };
    start(NEVER_MS);
    hang_in_init();
    send_control(&request, sizeof(request), sizeof(struct virtio_gpu_ctrl_hdr));
    while (fake_count(FAKE_INIT) == 1)
        sleep_ms(1);
    vm_reset();
    fake_fail(FAKE_CONTEXT_CREATE, -EIO, 0, 1); /* there is none: it is asked again */
    assert_ok(create_context(1));
    assert_int_equal(fake_count(FAKE_INIT), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_submit),
        TEST(test_fence),
        TEST(test_blob),
        TEST(test_attach),
        TEST(test_server),
        TEST(test_reset),
        TEST(test_end),
        TEST(test_reset_without_server),
        TEST(test_start),
        TEST(test_start_anew),
        TEST(test_reset_while_started_anew),
    };
    return RUN_TESTS(tests);
}
