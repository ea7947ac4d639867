/* SPDX-License-Identifier: MIT */
/*
 * Presenting by sheets (src/present/sheets.c), as on macOS by IOSurfaces: over a stand-in (board.h) whose sheets are
 * memory that the host's Vulkan paints in.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "board.h"
#include "device/device.h"
#include "present/present.h"
#include "vk/shared-vulkan.h"
#include "screen.h"

enum { WIDTH = 96, HEIGHT = 64, RING = 3 };

/* A machine that shows a picture on scanout 0, which the board presents. */
static void start_in_mode(enum venus_gpu_present_mode mode)
{
    const struct vm_options options = { .present_mode = mode };
    board_reset(WIDTH, HEIGHT);
    present_start(&options);
    present_shared_vulkan(vm.gpu->present)->window_system = &board_or_swapchain;
    make_2d(1, WIDTH, HEIGHT, 1);
    assert_ok(set_scanout(0, 1, rect(0, 0, WIDTH, HEIGHT)));
}

static void start(void)
{
    start_in_mode(VENUS_GPU_PRESENT_MAILBOX);
}

static void draw(uint32_t seed)
{
    fill_pattern(ram_at(RAM_ADDR), venus_gpu_format_lookup(VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM), WIDTH,
                 HEIGHT, WIDTH * 4, 0, 0, seed);
    assert_ok(transfer(1, rect(0, 0, WIDTH, HEIGHT), 0));
}

static uint32_t show(uint32_t seed)
{
    draw(seed);
    return flush(1, rect(0, 0, WIDTH, HEIGHT));
}

static void present_on_board(void)
{
    present_headless(0);
    assert_ok(show(1));
}

/* What the board shows is still there, and the frame's memory with the machine, but nothing else. */
static void assert_nothing_left(unsigned shown)
{
    assert_int_equal(board_torn(), 0);
    assert_int_equal(board_surfaces(), 0);
    assert_int_equal(board_alive(), shown);
    assert_true(shim_memories() <= (vm.gpu ? 1 : 0));
}

static void end_well(void)
{
    assert_int_equal(count_present_ends(), 0);
    assert_int_equal(count_flushes(), 0);
    vm_stop();
    assert_nothing_left(1);
}

static void wait_until(unsigned (*count)(void), unsigned least)
{
    for (int i = 0; i < 10000 && count() < least; i++)
        usleep(1000);
    assert_true(count() >= least);
}

/* ---- pictures ------------------------------------------------------------------------------------------ */

static void test_shows(void **state)
{
    (void)state;
    start();
    present_on_board();
    for (uint32_t seed = 2; seed < 40; seed++) {
        assert_ok(show(seed));
        board_assert_shows(seed);
    }
    assert_int_equal(board_made(), RING);
    assert_int_equal(shim_count(SHIM_CREATE_SWAPCHAIN), 0);
    assert_int_equal(shim_count(SHIM_CREATE_SURFACE), 0);
    assert_int_equal(stat_value("present-frames"), 39);
    assert_int_equal(stat_value("present-dropped"), 0);
    end_well();
}

/* The window system does not wait for the GPU, so it gets nothing that is not painted. */
static void test_shown_when_painted(void **state)
{
    (void)state;
    start();
    present_on_board();
    unsigned shown = board_shown();
    draw(2);
    shim_hold_waits(true);
    struct sent *sent = send_flush(1, rect(0, 0, WIDTH, HEIGHT), 0, 0);
    shim_wait_held();
    usleep(20000);
    assert_int_equal(board_shown(), shown);
    shim_hold_waits(false);
    assert_ok(wait_for(sent));
    board_assert_shows(2);
    end_well();
}

/* What the window server reads still is not painted in; two of three it may have. */
static void test_reads_two(void **state)
{
    (void)state;
    start();
    present_on_board();
    board_let_go(false);
    assert_ok(show(2));
    board_assert_shows(2);
    assert_ok(show(3));
    board_assert_shows(3);
    uint64_t begin = clock_now_ns();
    assert_ok(show(4)); /* there is none: dropped, in time */
    assert_true(clock_now_ns() - begin < UINT64_C(5000000000));
    assert_int_equal(stat_value("present-dropped"), 1);
    board_assert_shows(3);
    /* It is not forgotten. */
    unsigned taken = board_taken();
    board_let_go(true);
    wait_until(board_taken, taken + 1);
    board_assert_shows(4);
    end_well();
}

/* A window server that never lets go: nobody waits for it, whatever they want. */
static void test_never_lets_go(void **state)
{
    (void)state;
    start();
    present_on_board();
    board_let_go(false);
    assert_ok(show(2));
    assert_ok(show(3));
    for (uint32_t seed = 4; seed < 8; seed++)
        assert_ok(show(seed));
    assert_int_equal(stat_value("present-dropped"), 4);
    uint64_t begin = clock_now_ns();
    assert_int_equal(venus_gpu_present(vm.gpu, 0, NULL), 0);
    assert_true(clock_now_ns() - begin < UINT64_C(5000000000));
    assert_int_equal(board_torn(), 0);
    board_let_go(true);
    end_well();
}

/* A main thread that does not come: the newest picture waits for it, and no flush does. */
static void test_blocked_main_thread(void **state)
{
    (void)state;
    start();
    present_on_board();
    unsigned taken = board_taken();
    board_take(false);
    for (uint32_t seed = 2; seed < 20; seed++)
        assert_ok(show(seed));
    assert_int_equal(stat_value("present-dropped"), 0);
    assert_int_equal(board_taken(), taken);
    board_assert_shows(1);
    board_take(true);
    assert_int_equal(board_taken(), taken + 1);
    board_assert_shows(19);
    end_well();
}

/* In fifo mode none is replaced that is on its way: the next one is late, or dropped where it is too late. */
static void test_fifo(void **state)
{
    (void)state;
    start_in_mode(VENUS_GPU_PRESENT_FIFO);
    present_on_board();
    unsigned taken = board_taken();
    board_take(false);
    assert_ok(show(2));
    assert_ok(show(3));
    assert_int_equal(stat_value("present-dropped"), 1);
    board_take(true);
    board_assert_shows(2);
    wait_until(board_taken, taken + 2);
    board_assert_shows(3);
    end_well();
}

/* ---- sizes ---------------------------------------------------------------------------------------------- */

/* The picture is scaled to whatever there is; the former sheets go, the one that is shown when it is replaced. */
static void test_resize(void **state)
{
    static const uint32_t sizes[][2] = {
        { 2 * WIDTH, 2 * HEIGHT }, { 1, 1 },     { 333, 7 },
        { WIDTH, HEIGHT },         { 17, 1000 }, { WIDTH, HEIGHT }
    };
    (void)state;
    start();
    present_on_board();
    for (unsigned i = 0; i < COUNT(sizes); i++) {
        unsigned taken = board_taken();
        board_resize(sizes[i][0], sizes[i][1]);
        wait_until(board_taken, taken + 1); /* without a frame of the guest's */
        assert_int_equal(board_made(), RING * (i + 2));
        assert_int_equal(board_alive(), RING);
        assert_int_equal(shim_memories(), RING + 1); /* and the frame's */
    }
    board_assert_shows(1);
    end_well();
}

static void test_resize_while_it_waits(void **state)
{
    (void)state;
    start();
    present_on_board();
    board_take(false);
    assert_ok(show(2));
    unsigned shown = board_shown();
    board_resize(2 * WIDTH, 2 * HEIGHT);
    wait_until(board_shown, shown + 1);
    assert_int_equal(board_alive(), RING + 1); /* the one that is seen */
    shown = board_shown();
    board_resize(WIDTH, HEIGHT);
    wait_until(board_shown, shown + 1);
    board_take(true);
    board_assert_shows(2);
    assert_int_equal(board_alive(), RING);
    end_well();
}

static void test_no_size(void **state)
{
    (void)state;
    start();
    board_resize(0, 0);
    present_headless(0);
    assert_ok(show(1));
    assert_int_equal(board_made(), 0);
    board_resize(WIDTH, HEIGHT);
    wait_until(board_taken, 1);
    board_assert_shows(1);
    end_well();
}

static void test_larger_than_images(void **state)
{
    (void)state;
    start();
    shim_limit_images(256);
    board_resize(1000, 10);
    present_headless(0);
    for (uint32_t seed = 1; seed < 5; seed++)
        assert_ok(show(seed));
    assert_int_equal(board_made(), RING);
    assert_int_equal(board_taken(), 4);
    end_well();
}

/* What nobody sees is not painted, and is there at once when somebody does. */
static void test_hidden(void **state)
{
    (void)state;
    start();
    present_on_board();
    board_show(false);
    unsigned shown = board_shown();
    for (uint32_t seed = 2; seed < 5; seed++)
        assert_ok(show(seed));
    assert_int_equal(board_shown(), shown);
    board_show(true);
    wait_until(board_shown, shown + 1);
    board_assert_shows(4);
    end_well();
}

/* ---- the end ----------------------------------------------------------------------------------------------- */

static void test_stop_while_it_waits(void **state)
{
    (void)state;
    start();
    board_take(false);
    present_on_board();
    assert_ok(show(2));
    assert_int_equal(venus_gpu_present(vm.gpu, 0, NULL), 0);
    assert_nothing_left(0);
    vm_stop();
}

/* The window server reads on what it was given, with nobody behind it. */
static void test_stop_while_it_reads(void **state)
{
    (void)state;
    start();
    present_on_board();
    board_let_go(false);
    assert_ok(show(2));
    assert_int_equal(venus_gpu_present(vm.gpu, 0, NULL), 0);
    assert_nothing_left(2);
    board_assert_shows(2);
    board_let_go(true);
    vm_stop();
    assert_nothing_left(1);
}

static void test_often(void **state)
{
    (void)state;
    start();
    for (uint32_t i = 1; i <= 20; i++) {
        present_headless(0);
        if (i % 3)
            assert_ok(show(i));
        if (i % 5 == 0)
            board_resize(WIDTH + i, HEIGHT);
        assert_int_equal(venus_gpu_present(vm.gpu, 0, NULL), 0);
        assert_true(board_alive() <= 1);
    }
    end_well();
}

static void test_lost_window(void **state)
{
    (void)state;
    start();
    present_on_board();
    board_lose();
    wait_for_present_ends(1);
    assert_string_equal(vm.present_why, "its window is gone");
    vm_stop();
    assert_nothing_left(1);
}

/* ---- faults -------------------------------------------------------------------------------------------------- */

static void test_device_lost(void **state)
{
    static const enum shim_call calls[] = { SHIM_SUBMIT, SHIM_WAIT };
    (void)state;
    for (size_t i = 0; i < COUNT(calls); i++) {
        start();
        present_on_board();
        shim_fail(calls[i], VK_ERROR_DEVICE_LOST, 0, 1);
        unsigned shown = board_shown();
        assert_ok(show(2));
        wait_for_present_ends(1);
        assert_non_null(strstr(vm.present_why, "was lost"));
        assert_int_equal(board_shown(), shown);
        assert_nothing_left(1);
        board_assert_shows(1);
        /* A new device, and new sheets. */
        present_headless(0);
        assert_ok(show(3));
        board_assert_shows(3);
        vm_stop();
        assert_nothing_left(1);
    }
}

/* It may paint in them still, so they stay. */
static void test_hang(void **state)
{
    (void)state;
    start();
    vm.leaves_files = true;
    present_on_board();
    unsigned alive = board_alive();
    shim_fail(SHIM_WAIT, VK_TIMEOUT, 0, 1);
    assert_ok(show(2));
    wait_for_present_ends(1);
    unsigned destroyed = shim_destroyed();
    vm_stop();
    assert_int_equal(board_alive(), alive);
    assert_int_equal(shim_destroyed(), destroyed);
    shim_forget_memories();
    board_forget();
}

/* Neither a ring that is half made nor one that cannot be made anew leaves anything. */
static void test_no_memory(void **state)
{
    (void)state;
    for (int i = 0; i <= RING; i++) {
        start();
        board_limit(i);
        present_headless(0);
        assert_ok(show(1));
        if (i < RING) {
            wait_for_present_ends(1);
            assert_non_null(strstr(vm.present_why, "OUT_OF_HOST_MEMORY"));
        } else {
            board_resize(10, 10);
            wait_for_present_ends(1);
        }
        assert_nothing_left(i == RING);
        vm_stop();
    }
    for (unsigned i = 0; i < RING; i++) {
        start();
        present_headless(0);
        /* The first one is the frame's. */
        shim_fail(SHIM_ALLOCATE_IMPORT, VK_ERROR_OUT_OF_DEVICE_MEMORY, 1 + i, 1);
        assert_ok(show(1));
        wait_for_present_ends(1);
        assert_non_null(strstr(vm.present_why, "OUT_OF_DEVICE_MEMORY"));
        assert_nothing_left(0);
        vm_stop();
    }
}

/* ---- the choice ------------------------------------------------------------------------------------------------ */

static void test_not_asked_for(void **state)
{
    (void)state;
    unsetenv("VENUS_GPU_IOSURFACE");
    start();
    present_on_board();
    assert_int_equal(shim_count(SHIM_CREATE_SWAPCHAIN), 1);
    assert_int_equal(lines_logged(VENUS_GPU_LOG_WARNING), 0);
    vm_stop();
    assert_nothing_left(0);
    setenv("VENUS_GPU_IOSURFACE", "1", 1);
}

static void test_device_that_cannot(void **state)
{
    (void)state;
    start();
    shim_hide_extension("VK_EXT_external_memory_host");
    present_on_board();
    assert_int_equal(shim_count(SHIM_CREATE_SWAPCHAIN), 1);
    assert_int_equal(lines_logged(VENUS_GPU_LOG_WARNING), 1);
    assert_true(was_logged(VENUS_GPU_LOG_WARNING,
                           "output 0 is presented by a swapchain, in spite of VENUS_GPU_IOSURFACE: "
                           "the GPU's driver lacks VK_EXT_external_memory_host"));
    vm_stop();
    assert_nothing_left(0);
}

/* Sheets need nothing of Vulkan's window systems. */
static void test_no_surfaces(void **state)
{
    (void)state;
    start();
    shim_hide_extension("VK_KHR_swapchain");
    present_on_board();
    board_assert_shows(1);
    end_well();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PRESENT_TEST(test_shows),
        PRESENT_TEST(test_shown_when_painted),
        PRESENT_TEST(test_reads_two),
        PRESENT_TEST(test_never_lets_go),
        PRESENT_TEST(test_blocked_main_thread),
        PRESENT_TEST(test_fifo),
        PRESENT_TEST(test_resize),
        PRESENT_TEST(test_resize_while_it_waits),
        PRESENT_TEST(test_no_size),
        PRESENT_TEST(test_larger_than_images),
        PRESENT_TEST(test_hidden),
        PRESENT_TEST(test_stop_while_it_waits),
        PRESENT_TEST(test_stop_while_it_reads),
        PRESENT_TEST(test_often),
        PRESENT_TEST(test_lost_window),
        PRESENT_TEST(test_device_lost),
        PRESENT_TEST(test_hang),
        PRESENT_TEST(test_no_memory),
        PRESENT_TEST(test_not_asked_for),
        PRESENT_TEST(test_device_that_cannot),
        PRESENT_TEST(test_no_surfaces),
    };
    setenv("VENUS_GPU_IOSURFACE", "1", 1);
    return RUN_TESTS(tests);
}
