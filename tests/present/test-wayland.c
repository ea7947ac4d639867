/* SPDX-License-Identifier: MIT */
/*
 * On a real Wayland compositor: weston, with an X server in memory for its screen and its input. Its shell
 * gives one window the whole screen, so what the X server shows is that window to the bit.
 */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "device/device.h"
#include "screen.h"
#include "x-server.h"

enum { WIDTH = 400, HEIGHT = 300 };

static struct {
    pid_t pid;
    char folder[64]; /* its XDG_RUNTIME_DIR */
    char socket[80]; /* in there */
    unsigned keys_down, keys_up, buttons, motions;
    uint32_t last_key;
} weston;

static void start_weston(void)
{
    snprintf(weston.folder, sizeof(weston.folder), "/tmp/venus-weston-XXXXXX");
    assert_non_null(mkdtemp(weston.folder));
    snprintf(weston.socket, sizeof(weston.socket), "%s/wayland", weston.folder);
    setenv("XDG_RUNTIME_DIR", weston.folder, 1);
    weston.pid = fork();
    if (weston.pid == 0) {
        char width[32], height[32];
        snprintf(width, sizeof(width), "--width=%d", WIDTH);
        snprintf(height, sizeof(height), "--height=%d", HEIGHT);
        setenv("DISPLAY", x_server.display, 1);
        if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr))
            _exit(126);
        execlp("weston", "weston", "--backend=x11", "--renderer=pixman", "--shell=kiosk", width,
               height, "--no-config", "--socket=wayland", "--idle-time=0", NULL);
        _exit(127);
    }
    eventually(access(weston.socket, F_OK) == 0 || waitpid(weston.pid, NULL, WNOHANG));
    assert_int_equal(access(weston.socket, F_OK), 0);
}

static void end_weston(int signal)
{
    if (weston.pid > 0) {
        kill(weston.pid, SIGCONT);
        kill(weston.pid, signal);
        waitpid(weston.pid, NULL, 0);
    }
    weston.pid = 0;
}

static void remove_folder(void)
{
    DIR *folder = opendir(weston.folder);
    struct dirent *entry;
    while (folder && (entry = readdir(folder)))
        unlinkat(dirfd(folder), entry->d_name, 0);
    if (folder)
        closedir(folder);
    rmdir(weston.folder);
}

static void on_input(void *opaque, unsigned scanout, const struct venus_gpu_input *input)
{
    (void)opaque;
    assert_int_equal(scanout, 0);
    pthread_mutex_lock(&vm.lock);
    if (input->type == VENUS_GPU_INPUT_KEY && input->pressed) {
        weston.keys_down++;
        weston.last_key = input->code;
    } else if (input->type == VENUS_GPU_INPUT_KEY) {
        weston.keys_up++;
    } else if (input->type == VENUS_GPU_INPUT_BUTTON) {
        weston.buttons++;
    } else if (input->type == VENUS_GPU_INPUT_MOTION) {
        weston.motions++;
    }
    pthread_mutex_unlock(&vm.lock);
}

static unsigned count_of(const unsigned *counter)
{
    pthread_mutex_lock(&vm.lock);
    unsigned count = *counter;
    pthread_mutex_unlock(&vm.lock);
    return count;
}

static void present_wayland(void)
{
    const struct venus_gpu_target target = {
        .size = sizeof(target),
        .kind = VENUS_GPU_TARGET_WAYLAND,
        .display = weston.socket,
        .title = "a test",
        .width = 320,
        .height = 200,
    };
    assert_int_equal(venus_gpu_present(vm.gpu, 0, &target), 0);
}

static void start_without_frame(enum venus_gpu_present_mode mode)
{
    const struct vm_options options = { .present_mode = mode };
    memset(&weston, 0, sizeof(weston));
    x_server_start(WIDTH, HEIGHT);
    start_weston();
    present_start(&options);
    vm.gpu->services.ops.input = on_input;
    present_wayland();
}

static void start(enum venus_gpu_present_mode mode)
{
    start_without_frame(mode);
    show_2d(1, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, WIDTH, HEIGHT, 1);
    eventually(x_server_shows(0, 0, WIDTH, HEIGHT, 1));
}

static int end(void **state)
{
    int ret = vm_teardown(state);
    end_weston(SIGTERM);
    remove_folder();
    x_server_stop();
    return ret;
}

static void fill_and_flush(uint32_t seed)
{
    fill_pattern(ram_at(RAM_ADDR), venus_gpu_format_lookup(VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM), WIDTH,
                 HEIGHT, WIDTH * 4, 0, 0, seed);
    assert_ok(transfer(1, rect(0, 0, WIDTH, HEIGHT), 0));
    assert_ok(flush(1, rect(0, 0, WIDTH, HEIGHT)));
}

/* Frames, then the window hidden and shown again in many rhythms. */
static void show_and_hide(enum venus_gpu_present_mode mode)
{
    enum { FRAMES = 60, ROUNDS = 30 };
    start(mode);
    for (uint32_t i = 2; i < FRAMES; i++)
        fill_and_flush(i);
    eventually(x_server_shows(0, 0, WIDTH, HEIGHT, FRAMES - 1));
    for (unsigned i = 0; i < ROUNDS; i++) {
        for (int k = 0; k < 3; k++)
            assert_ok(flush(1, rect(0, 0, WIDTH, HEIGHT)));
        assert_ok(set_scanout(0, 0, rect(0, 0, 0, 0)));
        if (i % 3)
            usleep(3000 * i);
        assert_ok(set_scanout(0, 1, rect(0, 0, WIDTH, HEIGHT)));
        fill_and_flush(200 + i);
        if (i % 2)
            usleep(20000);
    }
    eventually(x_server_shows(0, 0, WIDTH, HEIGHT, 200 + ROUNDS - 1));
    assert_int_equal(count_present_ends(), 0);
    assert_int_equal(stat_value("present-staging"), 0);
}

static void test_fifo(void **state)
{
    (void)state;
    show_and_hide(VENUS_GPU_PRESENT_FIFO);
}

static void test_mailbox(void **state)
{
    (void)state;
    show_and_hide(VENUS_GPU_PRESENT_MAILBOX);
}

/* The compositor gives the window the whole screen: the front end hears of it, so that the guest can. */
static void test_size(void **state)
{
    (void)state;
    start_without_frame(VENUS_GPU_PRESENT_MAILBOX);
    show_2d(1, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, WIDTH / 2, HEIGHT / 2, 1);
    eventually(count_of(&vm.window_resizes) > 0);
    assert_int_equal(count_of(&vm.window_width), WIDTH);
    assert_int_equal(count_of(&vm.window_height), HEIGHT);
    show_2d(2, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, WIDTH, HEIGHT, 2);
    eventually(x_server_shows(0, 0, WIDTH, HEIGHT, 2));
}

/* And of the monitor's rate: weston says 60 Hz of an X server's. */
static void test_refresh(void **state)
{
    (void)state;
    start(VENUS_GPU_PRESENT_MAILBOX);
    eventually(count_of(&vm.window_refresh) > 0);
    assert_int_equal(count_of(&vm.window_refresh), 60000);
}

static void xdotool(const char *arguments)
{
    char command[256];
    snprintf(command, sizeof(command), "DISPLAY=%s xdotool %s", x_server.display, arguments);
    assert_int_equal(system(command), 0);
}

/* What a person types and points at comes as the codes of Linux' input layer, and every press ends. */
static void test_input(void **state)
{
    (void)state;
    start(VENUS_GPU_PRESENT_MAILBOX);
    xdotool("mousemove 100 100");
    eventually(count_of(&weston.motions) > 0);
    xdotool("click 1");
    eventually(count_of(&weston.buttons) == 2);
    for (int i = 0; i < 100 && !count_of(&weston.keys_down); i++)
        xdotool("key k"); /* until weston's own window has the focus */
    assert_true(count_of(&weston.keys_down) > 0);
    assert_int_equal(count_of(&weston.last_key), 37); /* KEY_K */
    eventually(count_of(&weston.keys_up) == count_of(&weston.keys_down));

    xdotool("keydown k");
    unsigned released = count_of(&weston.keys_up);
    assert_int_equal(venus_gpu_present(vm.gpu, 0, NULL), 0);
    assert_int_equal(count_of(&weston.keys_up), released + 1);
    xdotool("keyup k");
}

static void assert_ended(void)
{
    wait_for_present_ends(1);
    assert_string_not_equal(vm.present_why, "-");
    unsigned before = count_flushes();
    assert_ok(flush(1, rect(0, 0, WIDTH, HEIGHT)));
    assert_int_equal(count_flushes(), before + 1);
    present_offscreen(0, 0, 0, false);
    fill_and_flush(9);
    assert_shows_pattern(0, WIDTH, HEIGHT, 0, 0, 9);
    assert_int_equal(count_present_ends(), 1);
}

static void test_compositor_killed(void **state)
{
    (void)state;
    start(VENUS_GPU_PRESENT_FIFO);
    end_weston(SIGKILL);
    assert_ended();
}

/* One that stands still answers nothing and asks for no frame: flushes are answered all the same. */
static void test_compositor_stopped(void **state)
{
    (void)state;
    start(VENUS_GPU_PRESENT_FIFO);
    kill(weston.pid, SIGSTOP);
    uint64_t dropped = stat_value("present-dropped");
    for (uint32_t i = 0; i < 20; i++)
        fill_and_flush(i);
    assert_true(stat_value("present-dropped") > dropped);
    assert_int_equal(venus_gpu_present(vm.gpu, 0, NULL), 0);
}

static void test_no_compositor(void **state)
{
    (void)state;
    start(VENUS_GPU_PRESENT_FIFO);
    end_weston(SIGTERM);
    wait_for_present_ends(1);
    present_wayland();
    wait_for_present_ends(2);
    assert_non_null(strstr(vm.present_why, weston.socket));
}

#undef TEST
#define TEST(function) cmocka_unit_test_teardown(function, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_fifo),          TEST(test_mailbox),           TEST(test_size),
        TEST(test_input),         TEST(test_compositor_killed), TEST(test_compositor_stopped),
        TEST(test_no_compositor), TEST(test_refresh),
    };
    return RUN_TESTS(tests);
}
