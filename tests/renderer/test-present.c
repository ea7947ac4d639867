/* SPDX-License-Identifier: MIT */
/*
 * Memory that the guest's Vulkan drew into, on the other side of the render server, is presented by ours:
 * imported by the descriptor that it was exported with, to the bit, and not copied on the way.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "device/device.h"
#include "present/present.h"
#include "venus.h"

enum { WIDTH = 256, HEIGHT = 128, SIZE = WIDTH * HEIGHT * 4, FLIPS = 50 };

struct buffer {
    uint32_t resource;
    uint64_t memory, handle;
};

static struct buffer create_buffer(struct venus *venus)
{
    struct buffer buffer;
    buffer.resource = venus_blob(venus, SIZE, &buffer.memory);
    buffer.handle = venus_buffer(venus, buffer.memory, SIZE);
    return buffer;
}

static void destroy_buffer(struct guest *guest, struct venus *venus, const struct buffer *buffer)
{
    assert_ok(guest_unref(guest, buffer->resource));
    venus_destroy_buffer(venus, buffer->handle);
    venus_free(venus, buffer->memory);
}

static void present(struct guest *guest)
{
    const struct venus_gpu_target target = {
        .size = sizeof(target),
        .kind = VENUS_GPU_TARGET_OFFSCREEN,
    };
    assert_int_equal(venus_gpu_present(guest->gpu, 0, &target), 0);
}

static void assert_shows(struct guest *guest, uint32_t value)
{
    uint32_t *pixels = malloc(SIZE);
    int ret = -EAGAIN;
    for (int i = 0; i < 2000 && ret == -EAGAIN; i++) {
        ret = present_read(guest->gpu->present, 0, pixels, WIDTH, HEIGHT);
        if (ret == -EAGAIN)
            sleep_ms(1);
    }
    assert_int_equal(ret, 0);
    for (unsigned i = 0; i < WIDTH * HEIGHT; i++)
        assert_int_equal(pixels[i], value);
    free(pixels);
}

static void flip(struct guest *guest, struct venus *venus, const struct buffer *buffer,
                 uint32_t value)
{
    assert_ok(guest_wait(venus_fill(venus, buffer->handle, value, 0)));
    assert_ok(guest_set_scanout_blob(guest, 0, buffer->resource, WIDTH, HEIGHT));
    assert_ok(guest_flush(guest, buffer->resource, WIDTH, HEIGHT));
    assert_shows(guest, value);
}

/* What was imported, by whichever descriptor the driver exports. */
static uint64_t imported(struct guest *guest)
{
    return guest_stat(guest, "present-opaque-fd") + guest_stat(guest, "present-dma-buf");
}

static void test_flips(void **state)
{
    struct guest *guest = *state;
    struct venus venus;
    present(guest);
    venus_open_all(&venus, guest, 1);
    struct buffer buffers[] = { create_buffer(&venus), create_buffer(&venus) };
    for (uint32_t i = 0; i < FLIPS; i++)
        flip(guest, &venus, &buffers[i % 2], 0xff000000 | (i + 1) * 0x010305);
    assert_int_equal(imported(guest), FLIPS);
    assert_int_equal(guest_stat(guest, "present-frames"), FLIPS);
    assert_int_equal(guest_stat(guest, "present-imports"), 2);
    assert_int_equal(guest_stat(guest, "present-staging"), 0);
    assert_int_equal(guest_stat(guest, "guest-copies"), 0);
    destroy_buffer(guest, &venus, &buffers[0]);
    destroy_buffer(guest, &venus, &buffers[1]);
    venus_close(&venus);
}

/* The guest gives its memory back while it is shown: the next picture takes its place. */
static void test_freed_while_shown(void **state)
{
    struct guest *guest = *state;
    struct venus venus;
    present(guest);
    venus_open_all(&venus, guest, 1);
    for (uint32_t i = 0; i < 10; i++) {
        struct buffer buffer = create_buffer(&venus);
        flip(guest, &venus, &buffer, 0xff112233 + i);
        destroy_buffer(guest, &venus, &buffer);
    }
    venus_close(&venus);
}

/* The context, and with it the process that exported the memory, ends under the presenter. */
static void test_context_destroyed(void **state)
{
    struct guest *guest = *state;
    struct venus venus;
    present(guest);
    venus_open_all(&venus, guest, 1);
    struct buffer buffer = create_buffer(&venus);
    flip(guest, &venus, &buffer, 0xff445566);
    assert_ok(guest_context_destroy(guest, 1));
    assert_ok(guest_flush(guest, buffer.resource, WIDTH, HEIGHT));
    assert_shows(guest, 0xff445566);
    assert_ok(guest_unref(guest, buffer.resource));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_flips, guest_setup_by_linux_ways, guest_teardown),
        cmocka_unit_test_setup_teardown(test_freed_while_shown, guest_setup, guest_teardown),
        cmocka_unit_test_setup_teardown(test_context_destroyed, guest_setup, guest_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
