/* SPDX-License-Identifier: MIT */
/* Tests of the device as a whole: creation, what is said when it fails, features, counters, log. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/sized.h"
#include "device/device.h"
#include "harness.h"
#include "nouns/context.h"
#include "platform/platform.h"

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Creation, with vm as vm_prepare() and the test made it, must fail with a message of this text. */
static void check_refused(const char *text)
{
    char *error = NULL;
    struct venus_gpu *gpu = device_create(&vm.config, &vm.ops, &vm, &fake_renderer, &error);
    assert_null(gpu);
    assert_non_null(error);
    if (!strstr(error, text))
        fail_msg("\"%s\" says nothing of \"%s\"", error, text);
    /* One or two lines, without a newline at the end. */
    char *newline = strchr(error, '\n');
    assert_true(!newline || (newline[1] && !strchr(newline + 1, '\n')));
    free(error);
    /* A front end may not care. */
    assert_null(device_create(&vm.config, &vm.ops, &vm, &fake_renderer, NULL));
}

/* Sizes that no release had, or will have. */
static void test_wrong_sizes(void **state)
{
    static const size_t sizes[] = {
        0, 1, sizeof(size_t), CONFIG_SIZE_LEAST - 1, SIZE_MOST + 1, SIZE_MAX
    };
    (void)state;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        vm_prepare(NULL);
        vm.config.size = sizes[i];
        check_refused("venus_gpu_config");
        check_refused(venus_gpu_version());
        vm_prepare(NULL);
        vm.ops.size = sizes[i];
        check_refused("venus_gpu_ops");
    }
}

/* Of those nothing is read but the size. */
static void test_nothing_behind_the_size_is_read(void **state)
{
    static const size_t sizes[] = { 0, sizeof(size_t), CONFIG_SIZE_LEAST - 1, SIZE_MAX };
    (void)state;
    vm_prepare(NULL);
    for (size_t i = 0; i < COUNT(sizes); i++) {
        vm.config.size = sizes[i];
        struct venus_gpu_config *config = at_end_of_memory(&vm.config, sizeof(size_t));
        char *error = NULL;
        assert_null(device_create(config, &vm.ops, &vm, &fake_renderer, &error));
        assert_non_null(strstr(error, "in no version"));
        free(error);
    }
    vm.config.size = sizeof(vm.config);
    vm.ops.size = 0;
    struct venus_gpu_ops *ops = at_end_of_memory(&vm.ops, sizeof(size_t));
    assert_null(device_create(&vm.config, ops, &vm, &fake_renderer, NULL));
}

/* An older front end's structures end where theirs do, and what they lack is nothing. */
static void test_older_front_end(void **state)
{
    (void)state;
    for (size_t more = 0;
         CONFIG_SIZE_LEAST + more <= sizeof(vm.config) || OPS_SIZE_LEAST + more <= sizeof(vm.ops);
         more += sizeof(size_t)) {
        vm_prepare(NULL);
        vm.config.size = smaller(CONFIG_SIZE_LEAST + more, sizeof(vm.config));
        vm.ops.size = smaller(OPS_SIZE_LEAST + more, sizeof(vm.ops));
        char *error = NULL;
        vm.gpu = device_create(at_end_of_memory(&vm.config, vm.config.size),
                               at_end_of_memory(&vm.ops, vm.ops.size), &vm, &fake_renderer, &error);
        assert_non_null(vm.gpu);
        static const struct venus_gpu_config none;
        static const struct venus_gpu_ops no_ops;
        assert_memory_equal((char *)&vm.gpu->services.config + vm.config.size,
                            (const char *)&none + vm.config.size, sizeof(none) - vm.config.size);
        assert_memory_equal((char *)&vm.gpu->services.ops + vm.ops.size,
                            (const char *)&no_ops + vm.ops.size, sizeof(no_ops) - vm.ops.size);
        assert_ok(create_context(1));
        vm_stop();
    }
}

/* A newer one's are larger, which is well as long as nothing is set that we do not know. */
static void test_newer_front_end(void **state)
{
    struct {
        struct venus_gpu_config known;
        char unknown[64];
    } config = { .unknown = "" };
    struct {
        struct venus_gpu_ops known;
        char unknown[64];
    } ops = { .unknown = "" };
    (void)state;
    vm_prepare(NULL);
    config.known = vm.config;
    config.known.size = sizeof(config);
    ops.known = vm.ops;
    ops.known.size = sizeof(ops);
    struct venus_gpu_config *their_config = at_end_of_memory(&config, sizeof(config));
    struct venus_gpu_ops *their_ops = at_end_of_memory(&ops, sizeof(ops));
    vm.gpu = device_create(their_config, their_ops, &vm, &fake_renderer, NULL);
    assert_non_null(vm.gpu);
    assert_ok(create_context(1));
    vm_stop();

    for (size_t at = 0; at < 64; at += 63) {
        char *error = NULL;
        ((char *)their_config)[sizeof(struct venus_gpu_config) + at] = 1;
        assert_null(device_create(their_config, their_ops, &vm, &fake_renderer, &error));
        assert_non_null(strstr(error, "struct venus_gpu_config that this one does not know"));
        free(error);
        ((char *)their_config)[sizeof(struct venus_gpu_config) + at] = 0;
        ((char *)their_ops)[sizeof(struct venus_gpu_ops) + at] = 1;
        assert_null(device_create(their_config, their_ops, &vm, &fake_renderer, &error));
        assert_non_null(strstr(error, "struct venus_gpu_ops that this one does not know"));
        free(error);
        ((char *)their_ops)[sizeof(struct venus_gpu_ops) + at] = 0;
    }
}

/* The same of what comes with its size as an argument. */
static void test_sizes_as_arguments(void **state)
{
    struct {
        struct venus_gpu_request known;
        char unknown[16];
    } request = { .unknown = "" };
    struct {
        struct venus_gpu_output known;
        char unknown[16];
    } output = { .known = { .enabled = true, .width = 800, .height = 600 }, .unknown = "" };
    (void)state;
    vm_start(NULL);
    const struct venus_gpu_request *old_request = at_end_of_memory(&request, REQUEST_SIZE_LEAST);
    const struct venus_gpu_output *old_output = at_end_of_memory(&output, OUTPUT_SIZE_LEAST);
    struct venus_gpu *gpu = vm.gpu;

    assert_int_equal(venus_gpu_set_output_sized(gpu, 0, old_output, OUTPUT_SIZE_LEAST), 0);
    assert_int_equal(venus_gpu_set_output_sized(gpu, 0, old_output, OUTPUT_SIZE_LEAST - 1),
                     -EINVAL);
    assert_true(was_logged(VENUS_GPU_LOG_ERROR, "venus_gpu_output has"));
    assert_int_equal(venus_gpu_set_output_sized(gpu, 0, &output.known, sizeof(output)), 0);
    output.unknown[15] = 1;
    output.known.width = 1024;
    unsigned changes = vm.config_changes;
    assert_int_equal(venus_gpu_set_output_sized(gpu, 0, &output.known, sizeof(output)), -E2BIG);
    assert_int_equal(vm.config_changes, changes);
    assert_true(was_logged(VENUS_GPU_LOG_ERROR, "struct venus_gpu_output that this one"));

    assert_int_equal(
        venus_gpu_submit_sized(gpu, VENUS_GPU_QUEUE_CONTROL, old_request, REQUEST_SIZE_LEAST - 1),
        -EINVAL);
    request.unknown[0] = 1;
    assert_int_equal(
        venus_gpu_submit_sized(gpu, VENUS_GPU_QUEUE_CONTROL, &request.known, sizeof(request)),
        -E2BIG);
    settle();
    assert_int_equal(stat_value("commands"), 1); /* settle()'s own */
}

/* Counters, too, lie as far from each other as the caller says, and no byte beyond is written. */
static void test_counters_of_other_releases(void **state)
{
    struct {
        struct venus_gpu_stat known;
        uint64_t unknown;
    } newer[2];
    (void)state;
    vm_start(NULL);
    memset(newer, 0xee, sizeof(newer));
    size_t count = venus_gpu_stats_sized(vm.gpu, &newer[0].known, 2, sizeof(newer[0]));
    struct venus_gpu_stat ours[2];
    assert_int_equal(venus_gpu_stats(vm.gpu, ours, 2), count);
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(newer[i].known.name, ours[i].name);
        assert_int_equal(newer[i].unknown, 0);
    }
    static const char nothing[2 * STAT_SIZE_LEAST];
    char *older = at_end_of_memory(nothing, sizeof(nothing));
    assert_int_equal(venus_gpu_stats_sized(vm.gpu, (void *)older, 2, STAT_SIZE_LEAST), count);
    assert_memory_equal(older + STAT_SIZE_LEAST, &ours[1], STAT_SIZE_LEAST);
    assert_int_equal(venus_gpu_stats_sized(vm.gpu, (void *)older, 2, STAT_SIZE_LEAST - 1), 0);
}

/* And what may be a descriptor there stays the caller's: 0 in a configuration of zeros is the standard
 * input. */
static void test_descriptor_of_unknown_config_is_left(void **state)
{
    static const size_t sizes[] = { 0, CONFIG_SIZE_LEAST - 1, SIZE_MAX };
    (void)state;
    vm_prepare(NULL);
    int fd = vm.config.render_server_fd = socket(AF_UNIX, platform_server_socket(), 0);
    for (size_t i = 0; i < COUNT(sizes); i++) {
        vm.config.size = sizes[i];
        assert_null(device_create(&vm.config, &vm.ops, &vm, &fake_renderer, NULL));
        assert_true(fcntl(fd, F_GETFD) >= 0);
    }
    assert_int_equal(close(fd), 0);
}

static void test_required_callbacks(void **state)
{
    (void)state;
    vm_prepare(NULL);
    vm.ops.map_guest = NULL;
    check_refused("required");
    vm_prepare(NULL);
    vm.ops.unmap_guest = NULL;
    check_refused("required");
    vm_prepare(NULL);
    vm.ops.command_done = NULL;
    check_refused("required");
}

static void test_wrong_config(void **state)
{
    (void)state;
    vm_prepare(NULL);
    vm.config.num_outputs = 0;
    check_refused("1 to 16 outputs, not 0");
    vm.config.num_outputs = 17;
    check_refused("1 to 16 outputs, not 17");
    vm.config.num_outputs = 16;
    vm.config.window_size = WINDOW_SIZE + 1;
    check_refused("multiple of");
    vm.config.window_size = UINT64_C(1) << 60;
    check_refused("No room");
    check_refused("hostmem");
    assert_int_equal(fake_count(FAKE_INIT), 0);
}

static void test_wrong_server(void **state)
{
    (void)state;
    vm_prepare(NULL);
    vm.config.render_server = "/nowhere/virgl_render_server";
    check_refused("/nowhere/virgl_render_server");
    vm.config.render_server = "/dev/null";
    check_refused("/dev/null");
    vm.config.render_server = "unix:";
    check_refused("needs a path");
    char path[200] = "unix:";
    memset(path + strlen(path), '/', sizeof(path) - 1 - strlen(path));
    path[sizeof(path) - 1] = '\0';
    vm.config.render_server = path; /* longer than a socket's address */
    check_refused("needs a path");
    vm.config.render_server = "/bin/true";
    vm.config.render_server_fd = STDERR_FILENO + 1000; /* not looked at, but closed */
    check_refused("not both");
}

static void test_wrong_descriptor(void **state)
{
    (void)state;
    vm_prepare(NULL);
    vm.config.render_server_fd = dup(STDERR_FILENO);
    check_refused("SOCK_SEQPACKET");
    vm.config.render_server_fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    check_refused("SOCK_SEQPACKET");
}

/* A descriptor belongs to the device from the call on, also if that fails. */
static void test_descriptor_is_taken(void **state)
{
    (void)state;
    vm_prepare(NULL);
    for (unsigned i = 0; i < 3; i++) {
        int fd = vm.config.render_server_fd = socket(AF_UNIX, platform_server_socket(), 0);
        assert_true(fd >= 0);
        char *error = NULL;
        if (i == 0)
            vm.config.num_outputs = 0;
        if (i == 1)
            fake_fail(FAKE_DEVICE_NAME, -EIO, 0, 1);
        struct venus_gpu *gpu = device_create(&vm.config, &vm.ops, &vm, &fake_renderer, &error);
        assert_int_equal(gpu != NULL, i == 2);
        venus_gpu_destroy(gpu);
        free(error);
        assert_int_equal(fcntl(fd, F_GETFD), -1);
        vm.config.num_outputs = 1;
    }
}

static void test_renderer_fails(void **state)
{
    (void)state;
    vm_prepare(NULL);
    fake_fail(FAKE_INIT, -EIO, 0, 2);
    check_refused("virgl_render_server");
    assert_int_equal(fake_count(FAKE_FINI), 0);
    fake_fail(FAKE_CAPSET_INFO, -ENODEV, 0, 2);
    check_refused("without Venus");
    assert_int_equal(fake_count(FAKE_FINI), 2);
    fake_fail(FAKE_DEVICE_NAME, -ENODEV, 0, 2);
    check_refused("no Vulkan device");
    fake_fail(FAKE_DEVICE_NAME, -EIO, 0, 2);
    check_refused("does not answer");
    assert_int_equal(fake_count(FAKE_FINI), 6);
    assert_int_equal(vm.threads_started, 8);
}

static void test_second_device(void **state)
{
    (void)state;
    vm_start(NULL);
    check_refused("one in a process");
    /* The first one does not notice. */
    assert_ok(create_context(1));
    venus_gpu_reset(vm.gpu);
    venus_gpu_destroy(vm.gpu);
    vm.gpu = NULL;
    vm_stop();
    vm_start(NULL);
    assert_ok(create_context(1));
}

static void test_start_and_stop(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        vm_start(NULL);
        assert_true(was_logged(VENUS_GPU_LOG_INFO, "a renderer in memory"));
        assert_string_equal(venus_gpu_renderer_name(vm.gpu), "a renderer in memory");
        assert_int_equal(venus_gpu_renderer_type(vm.gpu), 3); /* a virtual GPU */
        assert_int_equal(vm.threads_started, 1);
        vm_stop();
        assert_int_equal(fake_count(FAKE_FINI), 1);
    }
}

/* The monitor's signals are none of the device thread's business, nor of those that the renderer starts. */
static void test_signals_stay_away(void **state)
{
    sigset_t before, after;
    (void)state;
    vm_prepare(NULL);
    sigemptyset(&before);
    sigemptyset(&after);
    pthread_sigmask(SIG_BLOCK, NULL, &before);
    threads_mark();
    fake_set_fences(FAKE_FENCES_SOON); /* from a thread of its own */
    char *error = NULL;
    vm.gpu = device_create(&vm.config, &vm.ops, &vm, &fake_renderer, &error);
    assert_non_null(vm.gpu);
    assert_ok(create_context(1));
    assert_ok(wait_for(send_fence(1, 1, 1)));
    assert_true(threads_are_deaf());
    assert_true(threads_hear_faults());
    pthread_sigmask(SIG_BLOCK, NULL, &after);
    for (int signal = 1; signal < 32; signal++)
        assert_int_equal(sigismember(&before, signal), sigismember(&after, signal));
}

/* What belongs to the device thread says so when another comes. */
static void test_other_threads_are_caught(void **state)
{
    (void)state;
    vm_start(NULL);
    assert_ok(create_context(1));
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        const struct rlimit none = { 0, 0 }; /* no core file */
        setrlimit(RLIMIT_CORE, &none);
        signal(SIGABRT, SIG_DFL);
        close(STDERR_FILENO);
        context_find(vm.gpu, 1);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void test_defaults(void **state)
{
    (void)state;
    struct venus_gpu_config config;
    memset(&config, 0xee, sizeof(config));
    venus_gpu_config_init(&config);
    assert_int_equal(config.size, sizeof(config));
    assert_int_equal(config.num_outputs, 1);
    assert_int_equal(config.window_size, 0);
    assert_int_equal(config.window_mode, VENUS_GPU_WINDOW_AUTO);
    assert_int_equal(config.render_server_fd, -1);
    assert_null(config.render_server);

    /* The limits' defaults let a usual guest in. */
    vm_start(NULL);
    assert_ok(create_2d(1, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, 7680, 4320));
    for (uint32_t id = 1; id <= 100; id++)
        assert_ok(create_context(id));
}

static void test_features(void **state)
{
    (void)state;
    vm_start(NULL);
    assert_int_equal(venus_gpu_features(vm.gpu), 0x1f); /* all of VIRTIO 1.3 */
    vm_stop();
    vm_start(&(struct vm_options){ .no_window = true });
    assert_int_equal(venus_gpu_features(vm.gpu), 0x17);
    vm_stop();
    vm_start(&(struct vm_options){ .no_window = true, .blob_alignment = 1 });
    assert_int_equal(venus_gpu_features(vm.gpu), 0x17); /* nothing that could be placed */
    vm_stop();
    vm_start(&(struct vm_options){ .blob_alignment = 1 });
    assert_int_equal(venus_gpu_features(vm.gpu), 0x3f);
}

static void test_version(void **state)
{
    (void)state;
    unsigned major, minor, micro;
    char end;
    assert_int_equal(sscanf(venus_gpu_version(), "%u.%u.%u%c", &major, &minor, &micro, &end), 3);
}

static void test_counters(void **state)
{
    (void)state;
    vm_start(NULL);
    struct venus_gpu_stat stats[128];
    size_t count = venus_gpu_stats(vm.gpu, stats, COUNT(stats));
    assert_uint_in_range(count, 10, COUNT(stats));
    for (size_t i = 0; i < count; i++) {
        assert_true(stats[i].name[0] && stats[i].help[0]);
        for (const char *c = stats[i].name; *c; c++)
            assert_true(islower((unsigned char)*c) || isdigit((unsigned char)*c) || *c == '-');
        assert_int_equal(stats[i].value, 0);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(stats[i].name, stats[j].name);
    }
    /* Fewer than there are, and none. */
    struct venus_gpu_stat few[3] = { { .name = NULL } };
    assert_int_equal(venus_gpu_stats(vm.gpu, few, 2), count);
    assert_string_equal(few[1].name, stats[1].name);
    assert_null(few[2].name);
    assert_int_equal(venus_gpu_stats(vm.gpu, NULL, 0), count);

    assert_error(unref(1), INVALID_RESOURCE_ID);
    settle();
    assert_int_equal(stat_value("commands"), 2);
    assert_int_equal(stat_value("command-errors"), 1);
}

static void test_renderer_log(void **state)
{
    (void)state;
    vm_start(NULL);
    fake_log(true, "it hurts");
    fake_log(false, "it goes on");
    assert_true(was_logged(VENUS_GPU_LOG_WARNING, "it hurts"));
    assert_true(was_logged(VENUS_GPU_LOG_DEBUG, "it goes on"));
}

static void test_mistakes_are_logged_with_ids(void **state)
{
    (void)state;
    vm_start(NULL);
    struct virtio_gpu_resource_unref request = {
        REQUEST(RESOURCE_UNREF),
        .resource_id = le32(123456),
    };
    request.hdr.ctx_id = le32(789);
    assert_error(run_request(request), INVALID_RESOURCE_ID);
    assert_true(was_logged(VENUS_GPU_LOG_GUEST, "RESOURCE_UNREF"));
    assert_true(was_logged(VENUS_GPU_LOG_GUEST, "123456"));
    assert_true(was_logged(VENUS_GPU_LOG_GUEST, "789"));
    assert_int_equal(lines_logged(VENUS_GPU_LOG_GUEST), 1);
}

/* Until ten lines have been paid for, each of which costs a tenth of a second. */
static void sleep_for_ten_lines(void)
{
    const struct timespec time = { .tv_sec = 1, .tv_nsec = 100 * 1000 * 1000 };
    nanosleep(&time, NULL);
}

static void test_log_is_held_to_a_rate(void **state)
{
    (void)state;
    vm_start(NULL);
    for (unsigned i = 0; i < 200; i++)
        assert_error(unref(1), INVALID_RESOURCE_ID);
    /* Ten, or more if the machine was so slow that seconds went by. */
    unsigned lines = lines_logged(VENUS_GPU_LOG_GUEST);
    assert_uint_in_range(lines, 10, 100);
    fake_log(true, "another level"); /* is not held up by these */
    assert_true(was_logged(VENUS_GPU_LOG_WARNING, "another level"));

    forget_lines();
    sleep_for_ten_lines();
    assert_error(unref(1), INVALID_RESOURCE_ID);
    assert_int_equal(lines_logged(VENUS_GPU_LOG_GUEST), 2);
    if (lines == 10)
        assert_true(was_logged(VENUS_GPU_LOG_GUEST, "190 more lines like the next"));
    assert_true(was_logged(VENUS_GPU_LOG_GUEST, "no resource 1"));

    /* Lines of the host's are fewer: a guest can provoke some for days. The renderer's do not hold up our own. */
    forget_lines();
    for (unsigned i = 0; i < 200; i++)
        fake_log(true, "x");
    assert_uint_in_range(lines_logged(VENUS_GPU_LOG_WARNING), 19, 40); /* one is above */
    fake_fail(FAKE_CONTEXT_CREATE, -EIO, 0, 1);
    fake_fail(FAKE_INIT, -EIO, 0, 1);
    forget_lines();
    assert_error(create_context(1), OUT_OF_MEMORY);
    assert_true(was_logged(VENUS_GPU_LOG_WARNING, "the render server is gone"));

    /* What is only for information is not held up. */
    forget_lines();
    for (unsigned i = 0; i < 50; i++)
        fake_log(false, "x");
    assert_int_equal(lines_logged(VENUS_GPU_LOG_DEBUG), 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_wrong_sizes),
        TEST(test_nothing_behind_the_size_is_read),
        TEST(test_older_front_end),
        TEST(test_newer_front_end),
        TEST(test_sizes_as_arguments),
        TEST(test_counters_of_other_releases),
        TEST(test_descriptor_of_unknown_config_is_left),
        TEST(test_required_callbacks),
        TEST(test_wrong_config),
        TEST(test_wrong_server),
        TEST(test_wrong_descriptor),
        TEST(test_descriptor_is_taken),
        TEST(test_renderer_fails),
        TEST(test_second_device),
        TEST(test_start_and_stop),
        TEST(test_signals_stay_away),
        TEST(test_other_threads_are_caught),
        TEST(test_defaults),
        TEST(test_features),
        TEST(test_version),
        TEST(test_counters),
        TEST(test_renderer_log),
        TEST(test_mistakes_are_logged_with_ids),
        TEST(test_log_is_held_to_a_rate),
    };
    return RUN_TESTS(tests);
}
