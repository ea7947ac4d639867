/* SPDX-License-Identifier: MIT */
/*
 * Processes that do not answer: that of a context, by a guest's doing or because it was stopped, and the render
 * server. What waits for them comes to an end, they are killed, and all else goes on.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "process.h"
#include "venus.h"

/* A bound that is not met, and what a test waits for something that happens by itself. */
enum { NEVER_MS = 1000 * 1000, PATIENCE_S = 60 };

static void start(struct guest *guest, uint32_t max_call_ms)
{
    struct venus_gpu_config config;
    guest_config(&config);
    config.max_call_ms = max_call_ms;
    guest_start(guest, &config);
    process_wait_for_children(process_server(), 0);
}

static void assert_works(struct guest *guest, uint32_t context)
{
    struct venus venus;
    venus_open_all(&venus, guest, context);
    assert_ok(guest_wait(venus_submit_nothing(&venus)));
    venus_close(&venus);
}

/* With the process: it is still there then. */
static pid_t create_context(struct guest *guest, uint32_t context)
{
    pid_t known[64];
    unsigned count = process_children(process_server(), known, 64);
    assert_ok(guest_context_create(guest, context));
    return process_new_worker(process_server(), known, count);
}

static uint32_t create_shm(struct guest *guest, uint32_t context)
{
    return guest_blob_create(guest, context, guest_new_resource(guest), VIRTIO_GPU_BLOB_MEM_HOST3D,
                             0, PAGE, NULL, 0);
}

/* Sends what context 1 does not answer. */
static struct ticket *hang_in_blob_create(struct guest *guest)
{
    const struct virtio_gpu_resource_create_blob request = {
        .hdr = { .type = VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB, .ctx_id = 1 },
        .resource_id = 1000,
        .blob_mem = VIRTIO_GPU_BLOB_MEM_HOST3D,
        .size = PAGE,
    };
    struct ticket *ticket =
        guest_send(guest, &request, sizeof(request), NULL, 0, sizeof(struct virtio_gpu_ctrl_hdr));
    assert_false(guest_wait_for(ticket, 200));
    return ticket;
}

static void assert_quick(uint64_t begin)
{
    assert_true(now_ns() - begin < PATIENCE_S * UINT64_C(1000000000));
}

static void only_the_context_that_hangs_is_lost(void **state)
{
    struct guest *guest = *state;
    struct venus good;

    start(guest, process_soon_ms());
    pid_t worker = create_context(guest, 1);
    venus_open_all(&good, guest, 2);
    venus_deadlock(guest, 1);
    assert_ok(create_shm(guest, 2));
    assert_true(create_shm(guest, 1) >= VIRTIO_GPU_RESP_ERR_UNSPEC);
    assert_int_equal(guest_stat(guest, "contexts-lost"), 1);
    assert_true(guest_logged(guest, "context 1 does not answer"));
    process_wait_for_end(worker);

    assert_ok(create_shm(guest, 2));
    assert_ok(guest_wait(venus_submit_nothing(&good)));
    assert_works(guest, 3);
    venus_close(&good);
    assert_ok(guest_context_destroy(guest, 1));
    assert_works(guest, 1);
}

/* Nobody waits for it, though nobody says that it takes too long. */
static void others_go_on_meanwhile(void **state)
{
    struct guest *guest = *state;
    struct venus good;

    start(guest, NEVER_MS);
    pid_t worker = create_context(guest, 1);
    venus_open_all(&good, guest, 2);
    venus_deadlock(guest, 1);
    struct ticket *ticket = hang_in_blob_create(guest);
    uint64_t begin = now_ns();
    for (int i = 0; i < 100; i++) {
        assert_ok(create_shm(guest, 2));
        assert_ok(guest_wait(venus_submit_nothing(&good)));
    }
    assert_works(guest, 3);
    assert_quick(begin);
    assert_false(guest_wait_for(ticket, 0));
    assert_ok(guest_context_destroy(guest, 1));
    assert_int_equal(guest_wait(ticket), VIRTIO_GPU_RESP_ERR_UNSPEC);
    process_wait_for_end(worker);
    assert_int_equal(guest_stat(guest, "contexts-lost"), 0);
    venus_close(&good);
}

static void stopped_process_is_lost(void **state)
{
    struct guest *guest = *state;

    start(guest, process_soon_ms());
    pid_t worker = create_context(guest, 1);
    assert_ok(guest_context_create(guest, 2));
    kill(worker, SIGSTOP);
    assert_true(create_shm(guest, 1) >= VIRTIO_GPU_RESP_ERR_UNSPEC);
    assert_int_equal(guest_stat(guest, "contexts-lost"), 1);
    process_wait_for_end(worker);
    assert_ok(create_shm(guest, 2));
}

/* What is sent without an answer fills a socket, one day. */
static void flooded_process_is_lost(void **state)
{
    static char stream[1 << 20];
    struct guest *guest = *state;

    start(guest, process_soon_ms());
    pid_t worker = create_context(guest, 1);
    assert_ok(guest_context_create(guest, 2));
    kill(worker, SIGSTOP);
    assert_int_equal(guest_submit(guest, 1, stream, sizeof(stream)), VIRTIO_GPU_RESP_ERR_UNSPEC);
    assert_int_equal(guest_stat(guest, "contexts-lost"), 1);
    process_wait_for_end(worker);
    assert_ok(create_shm(guest, 2));
}

static void reset_does_not_wait_for_a_context(void **state)
{
    struct guest *guest = *state;

    start(guest, NEVER_MS);
    for (int i = 0; i < 3; i++) {
        pid_t worker = create_context(guest, 1);
        venus_deadlock(guest, 1);
        hang_in_blob_create(guest);
        uint64_t begin = now_ns();
        guest_reset(guest);
        assert_quick(begin);
        process_wait_for_end(worker);
        assert_works(guest, 1);
    }
}

static void device_is_destroyed_while_a_context_hangs(void **state)
{
    struct guest *guest = *state;

    start(guest, NEVER_MS);
    pid_t worker = create_context(guest, 1);
    venus_deadlock(guest, 1);
    hang_in_blob_create(guest);
    uint64_t begin = now_ns();
    guest_stop(guest);
    assert_quick(begin);
    process_wait_for_end(worker);
    process_wait_for_children(getpid(), 0);
}

/* It and all of its processes are killed, also those that are stopped, and there is a new one. */
static void stopped_server_is_replaced(void **state)
{
    struct guest *guest = *state;

    start(guest, process_soon_ms());
    pid_t server = process_server(), worker = create_context(guest, 1);
    kill(worker, SIGSTOP);
    kill(server, SIGSTOP);
    assert_int_equal(guest_context_create(guest, 2), VIRTIO_GPU_RESP_OK_NODATA);
    assert_true(guest_logged(guest, "the render server does not answer"));
    assert_int_equal(guest_stat(guest, "contexts-lost"), 1);
    process_wait_for_end(worker);
    process_wait_for_end(server);
    assert_works(guest, 3);
}

static void reset_does_not_wait_for_the_server(void **state)
{
    struct guest *guest = *state;

    start(guest, NEVER_MS);
    for (int i = 0; i < 3; i++) {
        pid_t server = process_server();
        assert_ok(guest_context_create(guest, 1));
        kill(server, SIGSTOP);
        const struct virtio_gpu_ctx_create request = {
            .hdr = { .type = VIRTIO_GPU_CMD_CTX_CREATE, .ctx_id = 2 },
            .context_init = VIRTIO_GPU_CAPSET_VENUS,
        };
        assert_false(guest_wait_for(guest_send(guest, &request, sizeof(request), NULL, 0,
                                               sizeof(struct virtio_gpu_ctrl_hdr)),
                                    200));
        uint64_t begin = now_ns();
        guest_reset(guest);
        assert_quick(begin);
        assert_works(guest, 1);
        process_wait_for_end(server);
    }
}

static void server_that_never_answers(void **state)
{
    struct guest *guest = *state;
    char path[] = "/tmp/venus-gpu-test-XXXXXX";
    static const char script[] = "#!/bin/sh\nexec sleep 100000\n";
    int fd = mkstemp(path);
    assert_true(fd >= 0 && write(fd, script, sizeof(script) - 1) > 0 && fchmod(fd, 0700) == 0);
    close(fd);

    struct venus_gpu_config config;
    guest_config(&config);
    config.render_server = path;
    config.max_call_ms = process_soon_ms();
    char *error = guest_try_start(guest, &config);
    unlink(path);
    assert_non_null(error);
    print_message("# %s\n", strtok(error, "\n"));
    assert_non_null(strstr(error, "does not answer"));
    free(error);
    process_wait_for_children(getpid(), 0);
}

#define HANG(test) cmocka_unit_test_setup_teardown(test, guest_setup_without_device, guest_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HANG(only_the_context_that_hangs_is_lost),
        HANG(others_go_on_meanwhile),
        HANG(stopped_process_is_lost),
        HANG(flooded_process_is_lost),
        HANG(reset_does_not_wait_for_a_context),
        HANG(device_is_destroyed_while_a_context_hangs),
        HANG(stopped_server_is_replaced),
        HANG(reset_does_not_wait_for_the_server),
        HANG(server_that_never_answers),
    };
    return cmocka_run_group_tests_name("hang", tests, NULL, NULL);
}
