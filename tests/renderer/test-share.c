/* SPDX-License-Identifier: MIT */
/*
 * 2D resources that Vulkan imports and draws into, as a guest does with a buffer of its window system.
 *
 * lavapipe knows dma-bufs only where it finds a /dev/udmabuf. This program and, where a test says so, the
 * render server have a stand-in for it (tests/standin/udmabuf.c tells what that cannot show).
 */
#include <stdlib.h>
#include <string.h>
#include <vulkan/vulkan_core.h>

#include "venus.h"

enum { WIDTH = 64, HEIGHT = 50, PIXELS = WIDTH * HEIGHT, SIZE = PIXELS * 4 }; /* no whole pages */
enum { WHOLE = (SIZE + PAGE - 1) / PAGE * PAGE };

extern bool standin_udmabuf_missing;

static void start(struct guest *guest, bool dma_bufs)
{
    standin_udmabuf_missing = !dma_bufs;
    if (dma_bufs) {
        linux_ways();
        setenv("LD_PRELOAD", getenv("STANDIN_UDMABUF"), 1); /* for the render server */
    }
    guest_start(guest, NULL);
    unsetenv("LD_PRELOAD");
    /* A GPU cannot import the stand-in's. */
    if (dma_bufs && !strstr(venus_gpu_renderer_name(guest->gpu), "llvmpipe"))
        skip();
}

static uint32_t create_picture(struct guest *guest, struct virtio_gpu_mem_entry *entry)
{
    uint32_t resource = guest_new_resource(guest);
    *entry = guest_new_memory(guest, WHOLE);
    assert_ok(guest_create_2d(guest, resource, WIDTH, HEIGHT, entry));
    return resource;
}

static void assert_shown(struct guest *guest, uint32_t value)
{
    const uint32_t *pixels = guest_frame(guest, 0)->pixels;
    for (unsigned i = 0; i < PIXELS; i++)
        assert_int_equal(pixels[i], value);
}

static void vulkan_draws_into_it(void **state)
{
    struct guest *guest = *state;
    struct virtio_gpu_mem_entry entry;
    struct venus venus;
    uint64_t memory;

    start(guest, true);
    uint32_t resource = create_picture(guest, &entry);
    assert_ok(guest_set_scanout(guest, 0, resource, WIDTH, HEIGHT));
    venus_open_all(&venus, guest, 1);
    assert_ok(guest_attach(guest, 1, resource));
    assert_int_equal(guest_stat(guest, "shares"), 1);
    assert_int_equal(venus_import(&venus, resource, WHOLE, &memory), VK_SUCCESS);
    uint64_t buffer = venus_buffer(&venus, memory, WHOLE);
    assert_ok(guest_wait(venus_fill(&venus, buffer, 0x123456, 0)));
    assert_shown(guest, 0x123456);

    /* The guest's pages, still black, do not come; what it writes there does. */
    assert_ok(guest_transfer(guest, resource, WIDTH, HEIGHT));
    assert_shown(guest, 0x123456);
    uint32_t *pages = (uint32_t *)guest_memory(guest, &entry);
    pages[3] = 0x777777;
    assert_ok(guest_transfer(guest, resource, WIDTH, HEIGHT));
    const uint32_t *pixels = guest_frame(guest, 0)->pixels;
    assert_int_equal(pixels[2], 0x123456);
    assert_int_equal(pixels[3], 0x777777);

    /* Vulkan sees that too. */
    uint64_t other_memory;
    uint32_t other = venus_blob(&venus, WHOLE, &other_memory);
    const uint32_t *copy = (const uint32_t *)guest_map_anywhere(guest, other, WHOLE);
    uint64_t other_buffer = venus_buffer(&venus, other_memory, WHOLE);
    assert_ok(guest_wait(venus_copy(&venus, buffer, other_buffer, WHOLE)));
    assert_int_equal(copy[2], 0x123456);
    assert_int_equal(copy[3], 0x777777);

    /* The guest lets go of it while Vulkan still draws there, and uses the id for another one. */
    assert_ok(guest_unref(guest, resource));
    assert_ok(guest_create_2d(guest, resource, WIDTH, HEIGHT, &entry));
    assert_ok(guest_set_scanout(guest, 0, resource, WIDTH, HEIGHT));
    assert_ok(guest_wait(venus_fill(&venus, buffer, 0x111111, 0)));
    assert_shown(guest, 0);
    assert_ok(guest_attach(guest, 1, resource));
    uint64_t again;
    assert_int_equal(venus_import(&venus, resource, WHOLE, &again), VK_SUCCESS);
    uint64_t again_buffer = venus_buffer(&venus, again, WHOLE);
    assert_ok(guest_wait(venus_fill(&venus, again_buffer, 0x222222, 0)));
    assert_shown(guest, 0x222222);
    assert_int_equal(guest_stat(guest, "contexts-lost"), 0);
    assert_int_equal(guest_stat(guest, "command-errors"), 0);
}

static void two_contexts_draw_into_it(void **state)
{
    struct guest *guest = *state;
    struct virtio_gpu_mem_entry entry;
    struct venus venus[2];

    start(guest, true);
    uint32_t resource = create_picture(guest, &entry);
    assert_ok(guest_set_scanout(guest, 0, resource, WIDTH, HEIGHT));
    for (uint32_t i = 0; i < 2; i++) {
        uint64_t memory;
        venus_open_all(&venus[i], guest, i + 1);
        assert_ok(guest_attach(guest, i + 1, resource));
        assert_int_equal(venus_import(&venus[i], resource, WHOLE, &memory), VK_SUCCESS);
        uint64_t buffer = venus_buffer(&venus[i], memory, WHOLE);
        assert_ok(guest_wait(venus_fill(&venus[i], buffer, i + 1, 0)));
        assert_shown(guest, i + 1);
    }
    assert_int_equal(guest_stat(guest, "shares"), 1);
    guest_reset(guest);
    assert_int_equal(guest_stat(guest, "memory-bytes"), 0);
}

/* lavapipe has no dma-bufs here. The guest is told so, and goes on. */
static void without_dma_bufs_there_is_an_error(void **state)
{
    struct guest *guest = *state;
    struct virtio_gpu_mem_entry entry;
    struct venus venus;
    uint64_t memory;

    start(guest, false);
    uint32_t resource = create_picture(guest, &entry);
    assert_ok(guest_set_scanout(guest, 0, resource, WIDTH, HEIGHT));
    venus_open_all(&venus, guest, 1);
    assert_ok(guest_attach(guest, 1, resource));
    assert_int_equal(guest_stat(guest, "shares"), 0);
    assert_int_equal(guest_stat(guest, "shares-refused"), 1);
    assert_int_equal(venus_import(&venus, resource, WHOLE, &memory),
                     VK_ERROR_INVALID_EXTERNAL_HANDLE);

    assert_ok(guest_wait(venus_submit_nothing(&venus)));
    *(uint32_t *)guest_memory(guest, &entry) = 0x999999;
    assert_ok(guest_transfer(guest, resource, WIDTH, HEIGHT));
    assert_int_equal(*(const uint32_t *)guest_frame(guest, 0)->pixels, 0x999999);
    assert_ok(guest_detach(guest, 1, resource));
    assert_ok(guest_unref(guest, resource));
    venus_close(&venus);
    assert_int_equal(guest_stat(guest, "contexts-lost"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(vulkan_draws_into_it, guest_setup_without_device,
                                        guest_teardown),
        cmocka_unit_test_setup_teardown(two_contexts_draw_into_it, guest_setup_without_device,
                                        guest_teardown),
        cmocka_unit_test_setup_teardown(without_dma_bufs_there_is_an_error,
                                        guest_setup_without_device, guest_teardown),
    };
    return cmocka_run_group_tests_name("share", tests, NULL, NULL);
}
