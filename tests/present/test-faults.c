/* SPDX-License-Identifier: MIT */
/*
 * What can go wrong between a frame and a screen. Whatever it is, the guest's flush is answered; and the
 * presenter either goes on as if nothing had been, or ends, once, with a reason, and another can be had.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/sized.h"
#include "device/device.h"
#include "exporter.h"
#include "present/present.h"
#include "vk/shared-vulkan.h"
#include "screen.h"

enum { WIDTH = 96, HEIGHT = 64, SEED = 6 };

/* ---- the C library, in place of the real one ------------------------------------------------------ */

/* Of the test's own thread. */
static _Thread_local unsigned strings_until_failure; /* 0: none fails */
static _Thread_local unsigned inheritable_pipes;

char *strdup(const char *string)
{
    if (strings_until_failure && !--strings_until_failure) {
        errno = ENOMEM;
        return NULL;
    }
    size_t size = strlen(string) + 1;
    char *copy = malloc(size);
    return copy ? memcpy(copy, string, size) : NULL;
}

/* A pipe that another thread's fork() hands on, if that comes before an fcntl(). */
int pipe(int fds[2])
{
    inheritable_pipes++;
    return pipe2(fds, 0);
}

/* A machine that shows a picture on scanout 0, and nobody presents it. */
static void start(void)
{
    const struct vm_options options = { .num_outputs = 3 };
    present_start(&options);
    make_2d(1, WIDTH, HEIGHT, SEED);
    assert_ok(set_scanout(0, 1, rect(0, 0, WIDTH, HEIGHT)));
}

static uint32_t flush_it(void)
{
    return flush(1, rect(0, 0, WIDTH, HEIGHT));
}

static void present_on(enum venus_gpu_target_kind kind)
{
    if (kind == VENUS_GPU_TARGET_HEADLESS)
        present_headless(0);
    else
        present_offscreen(0, 0, 0, false);
}

/* Presenting has ended that often, the last time for a reason that a person can read and that has this. */
static void assert_ended(unsigned times, const char *why)
{
    wait_for_present_ends(times);
    if (!strstr(vm.present_why, why) || strchr(vm.present_why, '\n'))
        fail_msg("it ended since: %s", vm.present_why);
    /* From now on flushes are the front end's, and nothing else comes. */
    unsigned flushes = count_flushes();
    for (unsigned i = 1; i <= 3; i++) {
        assert_ok(flush_it());
        assert_int_equal(count_flushes(), flushes + i);
    }
    assert_int_equal(count_present_ends(), times);
}

/* A new target shows the picture, and takes flushes. */
static void assert_can_present_again(void)
{
    unsigned ends = count_present_ends(), flushes = count_flushes();
    present_offscreen(0, 0, 0, false);
    assert_shows_pattern(0, WIDTH, HEIGHT, 0, 0, SEED);
    assert_ok(flush_it());
    assert_shows_pattern(0, WIDTH, HEIGHT, 0, 0, SEED);
    assert_int_equal(count_present_ends(), ends);
    assert_int_equal(count_flushes(), flushes);
}

/* ---- it goes on ------------------------------------------------------------------------------------- */

/* All of these happen to a frame that is shown in the end. */
static void test_recovers(void **state)
{
    static const struct {
        enum shim_call call;
        VkResult result;
        unsigned times, new_swapchains, new_surfaces;
    } faults[] = {
        { SHIM_ACQUIRE, VK_SUBOPTIMAL_KHR, 1, 0, 0 },
        { SHIM_PRESENT, VK_SUBOPTIMAL_KHR, 1, 0, 0 },
        { SHIM_ACQUIRE, VK_ERROR_OUT_OF_DATE_KHR, 1, 1, 0 },
        { SHIM_PRESENT, VK_ERROR_OUT_OF_DATE_KHR, 1, 1, 0 },
        { SHIM_ACQUIRE, VK_ERROR_OUT_OF_DATE_KHR, 3, 3, 0 },
        { SHIM_PRESENT, VK_ERROR_OUT_OF_DATE_KHR, 3, 3, 0 },
        { SHIM_ACQUIRE, VK_ERROR_SURFACE_LOST_KHR, 1, 1, 1 },
        { SHIM_PRESENT, VK_ERROR_SURFACE_LOST_KHR, 1, 1, 1 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(faults); i++) {
        start();
        present_headless(0);
        assert_ok(flush_it());
        unsigned swapchains = shim_count(SHIM_CREATE_SWAPCHAIN);
        unsigned surfaces = shim_count(SHIM_CREATE_SURFACE);
        uint64_t frames = stat_value("present-frames");
        shim_fail(faults[i].call, faults[i].result, 0, faults[i].times);
        for (int k = 0; k < 5; k++)
            assert_ok(flush_it());
        assert_int_equal(shim_count(SHIM_CREATE_SWAPCHAIN) - swapchains, faults[i].new_swapchains);
        assert_int_equal(shim_count(SHIM_CREATE_SURFACE) - surfaces, faults[i].new_surfaces);
        assert_int_equal(stat_value("present-frames") - frames, 5);
        assert_int_equal(stat_value("present-dropped"), 0);
        assert_int_equal(count_present_ends(), 0);
        assert_int_equal(count_flushes(), 0);
        vm_stop();
    }
}

/* What the driver says of a window's size, and what the window says, may differ for a while or for good. */
static void test_sizes_differ(void **state)
{
    (void)state;
    start();
    shim_size_surfaces(WIDTH + 10, HEIGHT + 10);
    present_headless(0);
    assert_ok(flush_it());
    unsigned swapchains = shim_count(SHIM_CREATE_SWAPCHAIN);
    for (int i = 0; i < 5; i++)
        assert_ok(flush_it());
    assert_int_equal(shim_count(SHIM_CREATE_SWAPCHAIN), swapchains);
    assert_int_equal(stat_value("present-frames"), 6);
    assert_int_equal(count_present_ends(), 0);
}

/* What was out of date, or lost, once, may be so again later: each frame starts anew. */
static void test_recovers_often(void **state)
{
    (void)state;
    start();
    present_headless(0);
    for (int i = 0; i < 20; i++) {
        shim_fail(i % 2 ? SHIM_ACQUIRE : SHIM_PRESENT,
                  i % 3 ? VK_ERROR_SURFACE_LOST_KHR : VK_ERROR_OUT_OF_DATE_KHR, 0, 1);
        assert_ok(flush_it());
    }
    assert_int_equal(stat_value("present-frames"), 20);
    assert_int_equal(count_present_ends(), 0);
}

/* No image in time: the frame is dropped, and shown later without the guest's doing. */
static void test_no_image(void **state)
{
    static const VkResult results[] = { VK_TIMEOUT, VK_NOT_READY };
    (void)state;
    for (size_t i = 0; i < COUNT(results); i++) {
        start();
        present_headless(0);
        assert_ok(flush_it());
        unsigned presented = shim_count(SHIM_PRESENT);
        shim_fail(SHIM_ACQUIRE, results[i], 0, 3);
        assert_ok(flush_it());
        assert_int_equal(stat_value("present-dropped"), 1);
        shim_wait_count(SHIM_PRESENT, presented + 1);
        assert_ok(flush_it());
        assert_int_equal(stat_value("present-dropped"), 1);
        assert_int_equal(count_present_ends(), 0);
        vm_stop();
    }
}

/* A window that changes faster than swapchains can be made: frames are dropped until it rests. */
static void test_always_out_of_date(void **state)
{
    (void)state;
    start();
    present_headless(0);
    assert_ok(flush_it());
    shim_fail(SHIM_ACQUIRE, VK_ERROR_OUT_OF_DATE_KHR, 0, UINT_MAX);
    for (int i = 0; i < 5; i++)
        assert_ok(flush_it());
    assert_int_equal(stat_value("present-dropped"), 5);
    assert_int_equal(count_present_ends(), 0);
    unsigned presented = shim_count(SHIM_PRESENT);
    shim_fail(SHIM_ACQUIRE, VK_SUCCESS, 0, 0);
    shim_wait_count(SHIM_PRESENT, presented + 1);
    assert_ok(flush_it());
    assert_int_equal(stat_value("present-dropped"), 5);
}

/* ---- it ends ---------------------------------------------------------------------------------------- */

struct fault {
    enum venus_gpu_target_kind kind;
    enum shim_call call;
    VkResult result;
    const char *why;
};

#define HEADLESS  VENUS_GPU_TARGET_HEADLESS
#define OFFSCREEN VENUS_GPU_TARGET_OFFSCREEN

/* While a frame is presented. From the second frame on, or with the first one. */
static void ends_with_frame(const struct fault *fault, bool at_first)
{
    start();
    if (at_first)
        shim_fail(fault->call, fault->result, 0, UINT_MAX);
    present_on(fault->kind);
    if (!at_first) {
        assert_ok(flush_it());
        assert_int_equal(stat_value("present-frames"), 1);
        shim_fail(fault->call, fault->result, 0, UINT_MAX);
    }
    /* Another size, for which new images are needed. */
    assert_ok(set_scanout(0, 1, rect(0, 0, WIDTH / 2, HEIGHT / 2)));
    struct sent *sent[5];
    for (size_t i = 0; i < COUNT(sent); i++)
        sent[i] = send_flush(1, rect(0, 0, WIDTH, HEIGHT), 0, 0);
    for (size_t i = 0; i < COUNT(sent); i++)
        assert_ok(wait_for(sent[i]));
    assert_ended(1, fault->why);
    assert_ok(set_scanout(0, 1, rect(0, 0, WIDTH, HEIGHT)));
    shim_reset();
    assert_can_present_again();
    /* Only a device that was lost is opened again. */
    assert_int_equal(shim_count(SHIM_CREATE_DEVICE), !strcmp(fault->why, "was lost"));
    bool may_hang = fault->call == SHIM_WAIT && fault->result != VK_ERROR_DEVICE_LOST;
    vm.leaves_files = may_hang;
    vm_stop();
    if (may_hang)
        shim_forget_memories();
}

static void test_ends(void **state)
{
    static const struct fault faults[] = {
        { HEADLESS, SHIM_SUBMIT, VK_ERROR_DEVICE_LOST, "was lost" },
        { HEADLESS, SHIM_WAIT, VK_ERROR_DEVICE_LOST, "was lost" },
        { HEADLESS, SHIM_WAIT, VK_TIMEOUT, "was lost" },
        { HEADLESS, SHIM_ACQUIRE, VK_ERROR_DEVICE_LOST, "was lost" },
        { HEADLESS, SHIM_PRESENT, VK_ERROR_DEVICE_LOST, "was lost" },
        { HEADLESS, SHIM_CREATE_SWAPCHAIN, VK_ERROR_DEVICE_LOST, "was lost" },
        { HEADLESS, SHIM_CREATE_SWAPCHAIN, VK_ERROR_INITIALIZATION_FAILED,
          "INITIALIZATION_FAILED" },
        { HEADLESS, SHIM_CREATE_SWAPCHAIN, VK_ERROR_SURFACE_LOST_KHR, "SURFACE_LOST" },
        { HEADLESS, SHIM_CREATE_SWAPCHAIN, VK_ERROR_NATIVE_WINDOW_IN_USE_KHR, "IN_USE" },
        { HEADLESS, SHIM_ACQUIRE, VK_ERROR_SURFACE_LOST_KHR, "SURFACE_LOST" },
        { HEADLESS, SHIM_PRESENT, VK_ERROR_SURFACE_LOST_KHR, "SURFACE_LOST" },
        { HEADLESS, SHIM_SUBMIT, VK_ERROR_OUT_OF_DEVICE_MEMORY, "OUT_OF_DEVICE_MEMORY" },
        { HEADLESS, SHIM_ACQUIRE, VK_ERROR_OUT_OF_DEVICE_MEMORY, "OUT_OF_DEVICE_MEMORY" },
        { HEADLESS, SHIM_PRESENT, VK_ERROR_OUT_OF_HOST_MEMORY, "OUT_OF_HOST_MEMORY" },
        { HEADLESS, SHIM_WAIT, VK_ERROR_OUT_OF_DEVICE_MEMORY, "was lost" },
        { OFFSCREEN, SHIM_SUBMIT, VK_ERROR_DEVICE_LOST, "was lost" },
        { OFFSCREEN, SHIM_WAIT, VK_ERROR_DEVICE_LOST, "was lost" },
        { OFFSCREEN, SHIM_SUBMIT, VK_ERROR_OUT_OF_DEVICE_MEMORY, "OUT_OF_DEVICE_MEMORY" },
        { OFFSCREEN, SHIM_WAIT, VK_ERROR_OUT_OF_HOST_MEMORY, "was lost" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(faults); i++) {
        ends_with_frame(&faults[i], true);
        ends_with_frame(&faults[i], false);
    }
}

/* ---- the GPU hangs ---------------------------------------------------------------------------------- */

/* Nobody knows when, or whether, it will be done with what it was given: so nothing of that goes away. */
static void hangs_with_frame(enum venus_gpu_target_kind kind, VkResult result)
{
    start();
    vm.leaves_files = true;
    present_on(kind);
    assert_ok(flush_it());
    shim_fail(SHIM_WAIT, result, 0, 1);
    struct sent *sent = send_flush(1, rect(0, 0, WIDTH, HEIGHT), 0, 0);
    assert_ok(wait_for(sent));
    unsigned destroyed = shim_destroyed();
    wait_for_present_ends(1);
    shim_hold_waits(true); /* it would be for ever */
    assert_int_equal(venus_gpu_present(vm.gpu, 0, NULL), 0);
    assert_ok(unref(1));
    vm_stop();
    shim_hold_waits(false);
    assert_int_equal(shim_destroyed(), destroyed);
    assert_true(shim_memories() > 0);
    shim_forget_memories();
}

static void test_hang(void **state)
{
    (void)state;
    hangs_with_frame(HEADLESS, VK_TIMEOUT);
    hangs_with_frame(OFFSCREEN, VK_TIMEOUT);
    /* Whatever else a wait says that does not end: it tells no more of the GPU. */
    hangs_with_frame(OFFSCREEN, VK_ERROR_OUT_OF_HOST_MEMORY);
}

/* What it shows is in the memory of the guest's resource, which stays mapped, however the guest goes on. */
static void test_hang_keeps_memory(void **state)
{
    (void)state;
    start();
    vm.leaves_files = true;
    present_offscreen(0, 0, 0, false);
    assert_ok(flush_it());
    const volatile uint32_t *pixels = shown(0)->pixels;
    shim_fail(SHIM_WAIT, VK_TIMEOUT, 0, 1);
    assert_ok(flush_it());
    wait_for_present_ends(1);
    vm_stop();
    assert_int_equal(le32(pixels[0]) & 0xffffff, pattern(0, 0, SEED) & 0xffffff);
    shim_forget_memories();
}

/* The renderer's own mapping is its resource's: that id is not to be had again, which nobody waits for. */
static void test_hang_with_pinned_memory(void **state)
{
    (void)state;
    start();
    vm.leaves_files = true;
    fake_set_memory(FAKE_PINNED);
    fake_let_blobs_be_left();
    assert_ok(create_context(1));
    assert_ok(create_host_blob(2, WIDTH * HEIGHT * 4));
    present_offscreen(0, 0, 0, false);
    show_blob(2, WIDTH, HEIGHT);
    shim_fail(SHIM_WAIT, VK_TIMEOUT, 0, 1);
    assert_ok(flush(2, rect(0, 0, WIDTH, HEIGHT)));
    wait_for_present_ends(1);
    assert_ok(unref(2));
    assert_error(create_host_blob(2, WIDTH * HEIGHT * 4), INVALID_RESOURCE_ID);
    assert_ok(create_host_blob(3, WIDTH * HEIGHT * 4));
    shim_forget_memories();
}

/* A window that goes waits for what is still presented in it: not for ever, and not with the queue locked. */
static void test_hang_at_the_end(void **state)
{
    (void)state;
    start();
    vm.leaves_files = true;
    assert_ok(set_scanout(1, 1, rect(0, 0, WIDTH, HEIGHT)));
    present_offscreen(1, 0, 0, false);
    present_headless(0);
    assert_ok(flush_it());
    shim_fail(SHIM_WAIT, VK_TIMEOUT, 0, 1);
    assert_int_equal(venus_gpu_present(vm.gpu, 0, NULL), 0);
    assert_int_equal(shim_count(SHIM_DESTROY_SWAPCHAIN), 0);
    /* Who has that device too finds out with the next frame. */
    assert_ok(flush_it());
    wait_for_present_ends(1);
    assert_ok(set_scanout(1, 0, rect(0, 0, 0, 0)));
    assert_can_present_again();
    vm_stop();
    shim_forget_memories();
}

/* A thread that does not come back from the driver, in the middle of a frame; and another one that waits. */
static void trap_presenter(struct sent *sent[2])
{
    start();
    vm.leaves_files = true;
    present_set_patience(vm.gpu->present, 100);
    present_headless(0);
    assert_ok(flush_it());
    shim_trap_submit();
    sent[0] = send_frame(1, WIDTH, HEIGHT);
    shim_wait_trapped();
    sent[1] = send_frame(1, WIDTH / 2, HEIGHT);
    settle();
}

/* Let it come back, and wait for its end. */
static void untrap(void)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/task/%d", shim_untrap());
    for (int i = 0; i < 60000 && access(path, F_OK) == 0; i++)
        usleep(1000);
    assert_int_equal(access(path, F_OK), -1);
}

/* Nobody waits for it any more, neither the front end nor the guest; another target takes another device. */
static void test_driver_does_not_return(void **state)
{
    struct sent *sent[2];
    (void)state;
    trap_presenter(sent);
    assert_int_equal(venus_gpu_present(vm.gpu, 0, NULL), 0);
    assert_true(was_logged(VENUS_GPU_LOG_ERROR, "does not come back"));
    assert_ok(wait_for(sent[0]));
    assert_ok(wait_for(sent[1]));
    assert_int_equal(count_present_ends(), 0);
    assert_ok(set_scanout(0, 1, rect(0, 0, WIDTH, HEIGHT)));
    assert_can_present_again();
    assert_int_equal(shim_count(SHIM_CREATE_DEVICE), 2);

    /* It comes back when the device is gone, and calls nobody. */
    vm_stop();
    unsigned lines = vm.num_lines;
    untrap();
    assert_int_equal(vm.num_lines, lines);
    assert_int_equal(count_present_ends(), 0);
    shim_forget_memories();
}

/* The same where the device is destroyed as a whole. */
static void test_driver_does_not_return_at_the_end(void **state)
{
    struct sent *sent[2];
    (void)state;
    trap_presenter(sent);
    vm_stop();
    untrap();
    shim_forget_memories();
}

/* It comes back before the device goes, and finds that it was given up. */
static void test_driver_returns_late(void **state)
{
    struct sent *sent[2];
    (void)state;
    trap_presenter(sent);
    assert_int_equal(venus_gpu_present(vm.gpu, 0, NULL), 0);
    untrap();
    assert_ok(wait_for(sent[0]));
    assert_ok(wait_for(sent[1]));
    assert_ok(set_scanout(0, 1, rect(0, 0, WIDTH, HEIGHT)));
    assert_ok(flush_it());
    assert_int_equal(count_present_ends(), 0);
    assert_can_present_again();
    vm_stop();
    shim_forget_memories();
}

/* When the target is opened. */
static void test_cannot_open(void **state)
{
    static const struct fault faults[] = {
        { HEADLESS, SHIM_CREATE_INSTANCE, VK_ERROR_INCOMPATIBLE_DRIVER, "vkCreateInstance" },
        { OFFSCREEN, SHIM_CREATE_INSTANCE, VK_ERROR_OUT_OF_HOST_MEMORY, "OUT_OF_HOST_MEMORY" },
        { HEADLESS, SHIM_CREATE_DEVICE, VK_ERROR_INITIALIZATION_FAILED, "vkCreateDevice" },
        { OFFSCREEN, SHIM_CREATE_DEVICE, VK_ERROR_DEVICE_LOST, "DEVICE_LOST" },
        { HEADLESS, SHIM_CREATE_SURFACE, VK_ERROR_OUT_OF_DEVICE_MEMORY, "OUT_OF_DEVICE_MEMORY" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(faults); i++) {
        start();
        shim_fail(faults[i].call, faults[i].result, 0, UINT_MAX);
        present_on(faults[i].kind);
        struct sent *sent = send_flush(1, rect(0, 0, WIDTH, HEIGHT), 0, 0);
        assert_ok(wait_for(sent)); /* whoever it was handed to */
        assert_ended(1, faults[i].why);
        present_on(faults[i].kind);
        assert_ended(2, faults[i].why);
        shim_reset();
        assert_can_present_again();
        vm_stop();
    }
}

/* All that are presented lose the device that they share, and get one new one. */
static void test_device_of_three(void **state)
{
    (void)state;
    start();
    for (unsigned i = 0; i < 3; i++) {
        assert_ok(set_scanout(i, 1, rect(0, 0, WIDTH, HEIGHT)));
        present_offscreen(i, 0, 0, false);
        assert_shows_pattern(i, WIDTH, HEIGHT, 0, 0, SEED);
    }
    shim_fail(SHIM_SUBMIT, VK_ERROR_DEVICE_LOST, 0, UINT_MAX);
    assert_ok(flush_it());
    wait_for_present_ends(3);
    shim_reset();
    for (unsigned i = 0; i < 3; i++) {
        present_offscreen(i, 0, 0, false);
        assert_shows_pattern(i, WIDTH, HEIGHT, 0, 0, SEED);
        assert_int_equal(vm.present_ends[i], 1);
    }
    assert_int_equal(shim_count(SHIM_CREATE_DEVICE), 1);
    assert_int_equal(count_present_ends(), 3);
}

/* A device that is lost again and again, by another call each time. */
static void test_device_often(void **state)
{
    static const enum shim_call calls[] = { SHIM_SUBMIT, SHIM_WAIT, SHIM_ACQUIRE, SHIM_PRESENT };
    (void)state;
    start();
    for (unsigned i = 0; i < 20; i++) {
        present_headless(0);
        shim_fail(calls[i % 4], VK_ERROR_DEVICE_LOST, i % 3, 1);
        while (count_present_ends() == i)
            assert_ok(flush_it());
    }
    assert_can_present_again();
}

/* Nothing is shown when it ends: there is no frame to be kept, nor to be shown again. */
static void test_ends_while_blank(void **state)
{
    (void)state;
    start();
    assert_ok(unref(1));
    shim_fail(SHIM_CREATE_DEVICE, VK_ERROR_INITIALIZATION_FAILED, 0, 1);
    present_headless(0);
    wait_for_present_ends(1);
    make_2d(1, WIDTH, HEIGHT, SEED);
    assert_ok(set_scanout(0, 1, rect(0, 0, WIDTH, HEIGHT)));
    assert_ended(1, "vkCreateDevice");
    assert_can_present_again();
}

/* ---- which device ------------------------------------------------------------------------------------- */

/* The name of the device that presents if nobody chooses; and whether it is a processor. */
static char *default_device(bool *is_processor)
{
    struct exporter exporter;
    assert_true(exporter_init(&exporter));
    char *name = strdup(exporter.vk->properties.deviceName);
    *is_processor = exporter.vk->properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU;
    exporter_finish(&exporter);
    return name;
}

static void test_only_gpu(void **state)
{
    const struct venus_gpu_target target = {
        .size = sizeof(target),
        .kind = VENUS_GPU_TARGET_HEADLESS,
        .only_gpu = true,
    };
    bool is_processor;
    (void)state;
    free(default_device(&is_processor));
    if (!is_processor) {
        print_message("there is a GPU to present with\n");
        skip();
    }
    start();
    assert_int_equal(venus_gpu_present(vm.gpu, 0, &target), 0);
    assert_ended(1, "No GPU");
    assert_can_present_again();
    /* The same when others present with it already. */
    assert_int_equal(venus_gpu_present(vm.gpu, 0, &target), 0);
    assert_ended(2, "is no GPU");
    assert_can_present_again();
}

/* Where a processor is all that renders, its Vulkan is not even loaded to find that out. */
static void test_only_gpu_beside_processor(void **state)
{
    const struct renderer_device processor = { .name = "a processor",
                                               .is_only = true,
                                               .is_processor = true };
    const struct venus_gpu_target target = {
        .size = sizeof(target),
        .kind = VENUS_GPU_TARGET_OFFSCREEN,
        .only_gpu = true,
    };
    (void)state;
    vm_start(&(struct vm_options){ .device = &processor });
    assert_int_equal(venus_gpu_present(vm.gpu, 0, &target), 0);
    wait_for_present_ends(1);
    assert_string_equal(vm.present_why, "a processor is no GPU.");
    assert_null(present_shared_vulkan(vm.gpu->present)->vulkan);
}

static void test_choice_of_device(void **state)
{
    static const char *const none[] = { "no such device", "99", "1x", "-1" };
    bool is_processor;
    char *name = default_device(&is_processor);
    (void)state;
    name[0] = name[0] ^ ('a' ^ 'A'); /* in whichever case */
    const char *const some[] = { "0", name, name + 1 };
    for (size_t i = 0; i < COUNT(none); i++) {
        start();
        present_shared_vulkan(vm.gpu->present)->name = none[i];
        present_offscreen(0, 0, 0, false);
        assert_ended(1, none[i]);
        vm_stop();
    }
    for (size_t i = 0; i < COUNT(some); i++) {
        start();
        present_shared_vulkan(vm.gpu->present)->name = some[i];
        assert_can_present_again();
        vm_stop();
    }
    free(name);
}

/* Without surfaces a headless target is images that nobody sees. */
static void test_no_surfaces(void **state)
{
    (void)state;
    start();
    shim_hide_extension("VK_KHR_swapchain");
    present_headless(0);
    assert_shows_pattern(0, WIDTH, HEIGHT, 0, 0, SEED);
    assert_int_equal(shim_count(SHIM_CREATE_SURFACE), 0);
}

static void test_targets_that_make_no_sense(void **state)
{
    static const struct venus_gpu_target good = {
        .size = sizeof(good),
        .kind = VENUS_GPU_TARGET_OFFSCREEN,
    };
    struct venus_gpu_target bad[7], other_system = good;
    (void)state;
    start();
    for (size_t i = 0; i < COUNT(bad); i++)
        bad[i] = good;
    bad[0].size = TARGET_SIZE_LEAST - 1;
    bad[1].kind = VENUS_GPU_TARGET_METAL + 1;
    bad[2].width = 10;
    bad[3].height = 10;
    bad[4].kind = VENUS_GPU_TARGET_X11;
    bad[5].kind = VENUS_GPU_TARGET_WAYLAND;
    bad[6].kind = VENUS_GPU_TARGET_METAL;
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_int_equal(venus_gpu_present(vm.gpu, 0, &bad[i]), -EINVAL);
    assert_int_equal(venus_gpu_present(vm.gpu, 3, &good), -EINVAL);
    other_system.kind = VENUS_GPU_TARGET_METAL;
    other_system.view = &other_system;
    assert_int_equal(venus_gpu_present(vm.gpu, 0, &other_system), -ENOTSUP);
    assert_ok(flush_it());
    assert_int_equal(count_flushes(), 1);
    /* Of a size that no release had nothing else is read. */
    static const size_t other_size = 0;
    assert_int_equal(venus_gpu_present(vm.gpu, 0, at_end_of_memory(&other_size, sizeof(size_t))),
                     -EINVAL);
    assert_true(was_logged(VENUS_GPU_LOG_ERROR, "venus_gpu_target has 0 bytes"));
    /* What is presented stays so when another target is refused. */
    present_offscreen(0, 0, 0, false);
    assert_int_equal(venus_gpu_present(vm.gpu, 0, &bad[0]), -EINVAL);
    assert_ok(flush_it());
    assert_int_equal(count_flushes(), 1);
    assert_int_equal(count_present_ends(), 0);
}

/* Of an older release's as much is read as there is; of a newer one's the rest must be zero. */
static void test_targets_of_other_releases(void **state)
{
    struct {
        struct venus_gpu_target known;
        char unknown[8];
    } target = { .known = { .kind = VENUS_GPU_TARGET_OFFSCREEN }, .unknown = "" };
    (void)state;
    start();
    target.known.size = sizeof(target);
    target.unknown[7] = 1;
    assert_int_equal(venus_gpu_present(vm.gpu, 0, &target.known), -E2BIG);
    assert_true(was_logged(VENUS_GPU_LOG_ERROR, "newer libvenusgpu"));
    target.unknown[7] = 0;
    assert_int_equal(venus_gpu_present(vm.gpu, 0, at_end_of_memory(&target, sizeof(target))), 0);
    assert_can_present_again();
    /* Whole words of it, for the strings in it to be aligned. */
    target.known.size = (TARGET_SIZE_LEAST + sizeof(void *) - 1) / sizeof(void *) * sizeof(void *);
    assert_int_equal(venus_gpu_present(vm.gpu, 0, at_end_of_memory(&target, target.known.size)), 0);
    assert_can_present_again();
}

static void test_no_memory_for_strings(void **state)
{
    static const struct venus_gpu_target target = {
        .size = sizeof(target),
        .kind = VENUS_GPU_TARGET_HEADLESS,
        .display = "a display",
        .title = "a title",
    };
    (void)state;
    start();
    for (unsigned i = 1; i <= 2; i++) {
        strings_until_failure = i;
        assert_int_equal(venus_gpu_present(vm.gpu, 0, &target), -ENOMEM);
        assert_int_equal(strings_until_failure, 0);
    }
    assert_int_equal(venus_gpu_present(vm.gpu, 0, &target), 0);
    assert_ok(flush_it());
    assert_int_equal(count_present_ends(), 0);
}

static void test_no_descriptor_is_inherited(void **state)
{
    (void)state;
    start();
    inheritable_pipes = 0;
    present_headless(0);
    assert_ok(flush_it());
    assert_int_equal(inheritable_pipes, 0);
}

/* Neither the presenter's thread nor any that Vulkan starts gets the monitor's signals. */
static void test_signals_stay_away(void **state)
{
    (void)state;
    start();
    threads_mark();
    present_headless(0);
    assert_ok(flush_it());
    assert_true(threads_are_deaf());
}

/* ---- other sizes -------------------------------------------------------------------------------------- */

static unsigned open_files(void)
{
    unsigned count = 0;
    DIR *dir = opendir("/proc/self/fd");
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

/* 500 frames of any size, on three scanouts at once, as fast as the guest can. */
static void test_sizes(void **state)
{
    enum { MOST_WIDTH = 400, MOST_HEIGHT = 300, STEPS = 500, IN_FLIGHT = 9 };
    struct sent *sent[IN_FLIGHT] = { NULL };
    struct virtio_gpu_rect shows[3];
    unsigned files = 0;
    uint32_t random = 7;
    (void)state;
    start();
    for (uint32_t i = 0; i < 3; i++) {
        make_2d(10 + i, MOST_WIDTH, MOST_HEIGHT, 10 + i);
        if (i == 0)
            present_headless(i);
        else
            present_offscreen(i, 0, 0, false);
    }
    for (uint32_t i = 0; i < STEPS; i++) {
        uint32_t scanout = i % 3;
        random = random * 1664525u + 1013904223u;
        uint32_t width = 1 + (random >> 8) % MOST_WIDTH, height = 1 + (random >> 16) % MOST_HEIGHT;
        shows[scanout] = rect((MOST_WIDTH - width) / 2, MOST_HEIGHT - height, width, height);
        if (sent[i % IN_FLIGHT])
            assert_ok(wait_for(sent[i % IN_FLIGHT]));
        assert_ok(set_scanout(scanout, 10 + scanout, shows[scanout]));
        sent[i % IN_FLIGHT] = send_flush(10 + scanout, rect(0, 0, MOST_WIDTH, MOST_HEIGHT), 0, 0);
        if (i == 30 || i == STEPS - 1) {
            for (int k = 0; k < IN_FLIGHT; k++)
                assert_ok(wait_for(sent[k]));
            if (!files)
                files = open_files();
        }
    }
    assert_int_equal(open_files(), files);
    assert_int_equal(count_present_ends(), 0);
    assert_int_equal(count_flushes(), 0);
    present_offscreen(0, 0, 0, false); /* as nobody can look at the headless one */
    for (uint32_t i = 0; i < 3; i++)
        assert_shows_pattern(i, le32(shows[i].width), le32(shows[i].height), le32(shows[i].x),
                             le32(shows[i].y), 10 + i);
}

/* More than the GPU's images can have: it is scaled down, once. */
static void test_larger_than_images(void **state)
{
    static const enum venus_gpu_target_kind kinds[] = { HEADLESS, OFFSCREEN };
    (void)state;
    for (size_t i = 0; i < COUNT(kinds); i++) {
        enum { WIDE = 10000 };
        start();
        shim_limit_images(4096);
        present_on(kinds[i]);
        assert_ok(create_2d(2, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, WIDE, 3));
        assert_ok(set_scanout(0, 2, rect(0, 0, WIDE, 3)));
        for (int k = 0; k < 5; k++)
            assert_ok(flush(2, rect(0, 0, WIDE, 3)));
        assert_int_equal(stat_value("present-gpu-draws"), 5);
        assert_int_equal(stat_value("present-frames"), 5);
        assert_true(shim_count(SHIM_CREATE_SWAPCHAIN) <= 2);
        assert_int_equal(count_present_ends(), 0);
        vm_stop();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PRESENT_TEST(test_recovers),
        PRESENT_TEST(test_recovers_often),
        PRESENT_TEST(test_sizes_differ),
        PRESENT_TEST(test_no_image),
        PRESENT_TEST(test_always_out_of_date),
        PRESENT_TEST(test_ends),
        PRESENT_TEST(test_hang),
        PRESENT_TEST(test_hang_keeps_memory),
        PRESENT_TEST(test_hang_with_pinned_memory),
        PRESENT_TEST(test_hang_at_the_end),
        PRESENT_TEST(test_driver_does_not_return),
        PRESENT_TEST(test_driver_does_not_return_at_the_end),
        PRESENT_TEST(test_driver_returns_late),
        PRESENT_TEST(test_cannot_open),
        PRESENT_TEST(test_device_of_three),
        PRESENT_TEST(test_device_often),
        PRESENT_TEST(test_ends_while_blank),
        PRESENT_TEST(test_only_gpu),
        PRESENT_TEST(test_only_gpu_beside_processor),
        PRESENT_TEST(test_choice_of_device),
        PRESENT_TEST(test_no_surfaces),
        PRESENT_TEST(test_targets_that_make_no_sense),
        PRESENT_TEST(test_targets_of_other_releases),
        PRESENT_TEST(test_no_memory_for_strings),
        PRESENT_TEST(test_no_descriptor_is_inherited),
        PRESENT_TEST(test_signals_stay_away),
        PRESENT_TEST(test_sizes),
        PRESENT_TEST(test_larger_than_images),
    };
    return RUN_TESTS(tests);
}
