/* SPDX-License-Identifier: MIT */
/* A presenter by itself: services, a frame and flushes, and no device. The Vulkan driver is the host's. */
#include "present/presenter.h"

#include <errno.h>
#include <time.h>

#include "../unit/alone.h"
#include "base/protocol.h"
#include "command/command.h"
#include "command/frame.h"
#include "memory/memory.h"
#include "vk/shared-vulkan.h"

enum { WIDTH = 64, HEIGHT = 32, STRIDE = WIDTH * 4 };

static struct services services;
static struct commands *commands;
static struct flushes *flushes;
static struct shared_vulkan *shared;
static struct presenter *presenter;
static struct memory *memory;
static struct venus_gpu_frame *frame;
static const struct renderer_device device; /* nothing that Vulkan knows */
static const struct venus_gpu_rect all = { .width = WIDTH, .height = HEIGHT };
static _Atomic unsigned num_done;

static void on_done(void *opaque, void *tag, uint32_t written)
{
    (void)opaque, (void)tag, (void)written;
    num_done++;
}

static void ignore_fence(void *opaque, uint64_t id)
{
    (void)opaque, (void)id;
}

static void ignore(void *opaque)
{
    (void)opaque;
}

/* A presenter that shows nothing yet, and a frame. */
static void start(void)
{
    const struct presenter_owner owner = { .keep = ignore, .let_go = ignore };
    const struct venus_gpu_target target = { .size = sizeof(target),
                                             .kind = VENUS_GPU_TARGET_OFFSCREEN };
    const struct venus_gpu_cursor none = { .visible = false };
    num_done = 0;
    alone_start(&services, ignore_fence, NULL);
    services.ops.command_done = on_done;
    assert_non_null(commands = commands_create(&services));
    assert_non_null(flushes = flushes_create(&services));
    assert_non_null(shared = shared_vulkan_create(NULL, &device));
    assert_non_null(presenter = presenter_create(&services, shared, &owner, 0, &target));
    assert_int_equal(presenter_start(presenter), 0);
    pthread_mutex_lock(&services.lock);
    presenter_begin_locked(presenter, NULL, &none);
    pthread_mutex_unlock(&services.lock);
    assert_non_null(memory = memory_create(&services, STRIDE * HEIGHT));
    frame = frame_create(memory, 0, &device, 1, &all, STRIDE,
                         venus_gpu_format_lookup(VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM));
    assert_non_null(frame);
}

static int finish(void **state)
{
    (void)state;
    if (presenter)
        presenter_stop(presenter, 10000);
    presenter = NULL;
    venus_gpu_frame_unref(frame);
    memory_unref(memory);
    shared_vulkan_destroy(shared);
    pthread_mutex_lock(&services.lock);
    flush_forget_all_locked(flushes);
    commands_forget_locked(commands);
    pthread_mutex_unlock(&services.lock);
    flushes_destroy(flushes);
    commands_destroy(commands);
    assert_int_equal(budget_taken(&services.budget, BUDGET_MEMORY), 0);
    assert_int_equal(budget_taken(&services.budget, BUDGET_DESCRIPTORS), 0);
    alone_stop_renderer();
    alone_stop(&services);
    return 0;
}

static void draw(uint32_t colour)
{
    uint32_t *pixels = memory->ptr;
    for (unsigned i = 0; i < WIDTH * HEIGHT; i++)
        pixels[i] = colour + i;
}

/* Flush all of the frame. Returns whether the presenter took it. */
static bool flush_all(void)
{
    const struct venus_gpu_request request = { .tag = NULL };
    struct command *cmd = command_create(commands, VENUS_GPU_QUEUE_CONTROL, &request);
    assert_non_null(cmd);
    pthread_mutex_lock(&services.lock);
    command_submit_locked(cmd);
    pthread_mutex_unlock(&services.lock);
    struct venus_gpu_flush *flush = flush_create(flushes, cmd);
    assert_non_null(flush);
    bool taken = presenter_flush(presenter, &all, flush);
    if (!taken)
        venus_gpu_flush_done(flush);
    command_finish(cmd, VIRTIO_GPU_RESP_OK_NODATA);
    return taken;
}

static void wait_for_done(unsigned count)
{
    const struct timespec moment = { .tv_nsec = 2 * 1000 * 1000 };
    for (unsigned i = 0; i < 10000 && num_done < count; i++)
        nanosleep(&moment, NULL);
    assert_int_equal(num_done, count);
}

static void check_shows(uint32_t colour)
{
    static uint32_t pixels[WIDTH * HEIGHT];
    assert_int_equal(presenter_read(presenter, pixels, WIDTH, HEIGHT), 0);
    for (unsigned i = 0; i < WIDTH * HEIGHT; i++)
        assert_int_equal(pixels[i] & 0xffffff, (colour + i) & 0xffffff);
}

static void test_shows_what_is_flushed(void **state)
{
    (void)state;
    start();
    assert_true(presenter_is_on(presenter));
    presenter_show(presenter, frame);
    for (unsigned i = 1; i <= 5; i++) {
        draw(i * 1000);
        assert_true(flush_all());
        wait_for_done(i);
        check_shows(i * 1000);
    }
    assert_int_equal(atomic_load(&services.stats.value[STAT_PRESENT_FRAMES]), 5);
}

static void test_shows_nothing(void **state)
{
    (void)state;
    start();
    assert_false(flush_all()); /* nobody has shown it a frame */
    presenter_show(presenter, frame);
    presenter_show(presenter, NULL);
    assert_false(flush_all());
    wait_for_done(2);
}

/* What it has taken is answered when it goes. */
static void test_stops_in_the_middle(void **state)
{
    (void)state;
    start();
    presenter_show(presenter, frame);
    for (unsigned i = 0; i < 20; i++)
        assert_true(flush_all());
    assert_true(presenter_stop(presenter, 10000));
    presenter = NULL;
    assert_int_equal(num_done, 20);
}

#define PRESENTER(function) cmocka_unit_test_teardown(function, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PRESENTER(test_shows_what_is_flushed),
        PRESENTER(test_shows_nothing),
        PRESENTER(test_stops_in_the_middle),
    };
    return RUN_TESTS(tests);
}
