/* SPDX-License-Identifier: MIT */
/*
 * Tests of 2D resources in Venus contexts: what the renderer is told, and whose pixels stay.
 *
 * /dev/udmabuf is a stand-in (tests/standin/udmabuf.c), linked in here.
 */
#include <errno.h>
#include <stdlib.h>

#include "harness.h"

enum { WIDTH = 40, HEIGHT = 30, STRIDE = WIDTH * 4, SIZE = STRIDE * HEIGHT };
enum { WHOLE = (SIZE + PAGE - 1) / PAGE * PAGE };

extern bool standin_udmabuf_missing;

static const uint32_t format = VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM;

static void start_with(const struct vm_options *options)
{
    standin_udmabuf_missing = false;
    linux_ways();
    vm_start(options);
    assert_ok(create_context(1));
    assert_ok(create_2d(5, format, WIDTH, HEIGHT));
    assert_ok(attach_ram(5, RAM_ADDR, SIZE));
    assert_ok(set_scanout(0, 5, rect(0, 0, WIDTH, HEIGHT)));
}

static void start(void)
{
    start_with(NULL);
}

static uint32_t *guest_pixels(void)
{
    return ram_at(RAM_ADDR);
}

static uint32_t *gpu_pixels(void)
{
    return fake_blob(5);
}

static const uint32_t *shown_pixels(void)
{
    return shown(0)->pixels;
}

static void transfer_all(void)
{
    assert_ok(transfer(5, rect(0, 0, WIDTH, HEIGHT), 0));
}

static void assert_all(const uint32_t *pixels, uint32_t value)
{
    for (unsigned i = 0; i < WIDTH * HEIGHT; i++)
        assert_int_equal(pixels[i], value);
}

/* Whatever lives in the renderer is an attached resource, or the fake complains. */
static void test_renderer_is_told(void **state)
{
    (void)state;
    start();
    assert_int_equal(fake_count(FAKE_IMPORT), 0);
    fake_forget_calls();
    assert_ok(attach_resource(1, 5));

    enum fake_call calls[4];
    assert_int_equal(fake_calls(calls, COUNT(calls)), 2);
    assert_int_equal(calls[0], FAKE_IMPORT);
    assert_int_equal(calls[1], FAKE_ATTACH);
    const struct fake_record import = fake_last(FAKE_IMPORT);
    assert_int_equal(import.resource_id, 5);
    assert_int_equal(import.fd, RENDERER_FD_DMABUF);
    assert_int_equal(import.size, WHOLE);
    assert_true(fake_attached(1, 5));
    assert_int_equal(stat_value("shares"), 1);
    assert_int_equal(stat_value("blob-bytes"), 0);
    assert_int_equal(stat_value("blobs"), 0);

    fake_forget_calls();
    assert_ok(unref(5));
    assert_int_equal(fake_calls(calls, COUNT(calls)), 2);
    assert_int_equal(calls[0], FAKE_DETACH);
    assert_int_equal(calls[1], FAKE_RESOURCE_UNREF);
    assert_int_equal(stat_value("memory-bytes"), 0);
}

/* Frames are that memory too. */
static void test_what_vulkan_draws_is_shown(void **state)
{
    (void)state;
    start();
    assert_ok(attach_resource(1, 5));
    for (unsigned i = 0; i < WIDTH * HEIGHT; i++)
        gpu_pixels()[i] = i;
    assert_memory_equal(shown_pixels(), gpu_pixels(), SIZE);
}

static void test_once(void **state)
{
    (void)state;
    start();
    assert_ok(create_context(2));
    for (unsigned i = 0; i < 2; i++) {
        assert_ok(attach_resource(1, 5));
        assert_ok(attach_resource(2, 5));
    }
    assert_int_equal(fake_count(FAKE_IMPORT), 1);
    assert_int_equal(fake_count(FAKE_ATTACH), 2);

    /* It stays what it is when a context leaves it, and when all have. */
    gpu_pixels()[0] = 7;
    assert_ok(detach_resource(1, 5));
    assert_ok(destroy_context(2));
    transfer_all();
    assert_int_equal(shown_pixels()[0], 7);
    assert_ok(attach_resource(1, 5));
    assert_int_equal(fake_count(FAKE_IMPORT), 1);
    assert_true(fake_attached(1, 5));
}

static void test_contexts_for_2d_do_not_count(void **state)
{
    (void)state;
    start();
    struct virtio_gpu_ctx_create request = { REQUEST(CTX_CREATE) };
    request.hdr.ctx_id = le32(2);
    assert_ok(run_request(request));
    assert_ok(attach_resource(2, 5));
    assert_int_equal(fake_count(FAKE_IMPORT), 0);
    assert_ok(attach_resource(1, 5));
    assert_int_equal(fake_count(FAKE_IMPORT), 1);
    assert_int_equal(fake_count(FAKE_ATTACH), 1);
    assert_ok(detach_resource(2, 5));
    assert_int_equal(fake_count(FAKE_DETACH), 0);
}

/* Linux transfers before each flush, whoever drew. */
static void test_stale_pages_stay_away(void **state)
{
    (void)state;
    start();
    for (unsigned i = 0; i < WIDTH * HEIGHT; i++)
        guest_pixels()[i] = 1;
    transfer_all();
    assert_ok(attach_resource(1, 5));
    for (unsigned i = 0; i < WIDTH * HEIGHT; i++)
        gpu_pixels()[i] = 2;
    const uint64_t transfers = stat_value("transfers"), bytes = stat_value("transfer-bytes");
    transfer_all();
    assert_ok(transfer(5, rect(3, 3, 10, 10), 3 * STRIDE + 3 * 4));
    assert_all(shown_pixels(), 2);
    assert_all(guest_pixels(), 1);
    assert_int_equal(stat_value("transfers"), transfers + 2);
    assert_int_equal(stat_value("transfer-bytes"), bytes);
}

static void test_what_the_guest_writes_comes(void **state)
{
    (void)state;
    start();
    for (unsigned i = 0; i < WIDTH * HEIGHT; i++)
        guest_pixels()[i] = 1;
    transfer_all();
    guest_pixels()[7] = 3; /* before it is shared, transferred after */
    assert_ok(attach_resource(1, 5));
    for (unsigned i = 0; i < WIDTH * HEIGHT; i++)
        gpu_pixels()[i] = 2;
    guest_pixels()[WIDTH + 4] = 4;
    const uint64_t bytes = stat_value("transfer-bytes");

    /* Only what lies in the rectangle. */
    assert_ok(transfer(5, rect(0, 1, WIDTH, 1), STRIDE));
    assert_int_equal(stat_value("transfer-bytes"), bytes + 4);
    assert_int_equal(shown_pixels()[7], 2);
    assert_int_equal(shown_pixels()[WIDTH + 4], 4);
    transfer_all();
    assert_int_equal(stat_value("transfer-bytes"), bytes + 8);
    for (unsigned i = 0; i < WIDTH * HEIGHT; i++)
        assert_int_equal(shown_pixels()[i], i == 7 ? 3 : i == WIDTH + 4 ? 4 : 2);

    /* Vulkan draws over it, and it stays so; the guest again, and so does that. */
    gpu_pixels()[7] = 5;
    transfer_all();
    assert_int_equal(shown_pixels()[7], 5);
    guest_pixels()[7] = 1;
    transfer_all();
    assert_int_equal(shown_pixels()[7], 1);
}

/* Random writes of both sides against a model, with rectangles and offsets of all kinds. */
static void test_random(void **state)
{
    (void)state;
    static uint32_t last[WIDTH * HEIGHT], expected[WIDTH * HEIGHT];
    start();
    assert_ok(attach_resource(1, 5));
    memset(last, 0, sizeof(last));
    memset(expected, 0, sizeof(expected));
    srand(1);
    for (unsigned i = 0; i < 500; i++) {
        for (unsigned n = 0; n < 20; n++) {
            uint32_t at = (uint32_t)rand() % (WIDTH * HEIGHT);
            gpu_pixels()[at] = expected[at] = (uint32_t)rand() % 4;
            guest_pixels()[(uint32_t)rand() % (WIDTH * HEIGHT)] = (uint32_t)rand() % 4;
        }
        uint32_t x = (uint32_t)rand() % WIDTH, y = (uint32_t)rand() % HEIGHT;
        uint32_t width = (uint32_t)rand() % (WIDTH - x) + 1;
        uint32_t height = (uint32_t)rand() % (HEIGHT - y) + 1;
        /* Mostly where the rectangle is. */
        uint32_t from = y * WIDTH + x;
        if (rand() % 4 == 0)
            from = (uint32_t)rand() % (from + 1);
        assert_ok(transfer(5, rect(x, y, width, height), from * 4));
        for (uint32_t row = 0; row < height; row++) {
            for (uint32_t column = 0; column < width; column++) {
                uint32_t at = (y + row) * WIDTH + x + column;
                uint32_t pixel = guest_pixels()[from + row * WIDTH + column];
                if (pixel != last[at])
                    last[at] = expected[at] = pixel;
            }
        }
        assert_memory_equal(shown_pixels(), expected, SIZE);
    }
}

/* The renderer hears of it all the same, or naming it would end the context. */
static void assert_refused(void)
{
    assert_ok(attach_resource(1, 5));
    assert_int_equal(fake_last(FAKE_IMPORT).fd, RENDERER_FD_SHM);
    assert_int_equal(fake_last(FAKE_IMPORT).size, WHOLE);
    assert_true(fake_attached(1, 5));
    assert_int_equal(stat_value("shares"), 0);
    assert_int_equal(stat_value("shares-refused"), 1);
    assert_true(was_logged(VENUS_GPU_LOG_WARNING, "no dma-buf"));

    /* Vulkan cannot draw there, so transfers are whole. */
    gpu_pixels()[3] = 3;
    transfer_all();
    assert_all(shown_pixels(), 0);
    assert_ok(unref(5));
    assert_int_equal(fake_blobs(), 0);
}

static void test_without_udmabuf(void **state)
{
    (void)state;
    start();
    standin_udmabuf_missing = true;
    assert_refused();
    assert_int_equal(fake_count(FAKE_IMPORT), 1);
}

static void test_dma_buf_refused(void **state)
{
    (void)state;
    start();
    fake_fail(FAKE_IMPORT, -EIO, 0, 1);
    assert_refused();
    assert_int_equal(fake_count(FAKE_IMPORT), 2);
}

static void test_no_room_to_remember(void **state)
{
    (void)state;
    const struct vm_options options = { .max_memory = WHOLE + SIZE - 1 };
    start_with(&options);
    assert_refused();
    assert_int_equal(fake_count(FAKE_IMPORT), 1);
}

static void test_nothing_taken(void **state)
{
    (void)state;
    start();
    const uint64_t bytes = stat_value("memory-bytes");
    fake_fail(FAKE_IMPORT, -EIO, 0, 2);
    assert_error(attach_resource(1, 5), UNSPEC);
    assert_int_equal(fake_count(FAKE_ATTACH), 0);
    assert_error(detach_resource(1, 5), INVALID_RESOURCE_ID);
    assert_int_equal(stat_value("memory-bytes"), bytes);
    assert_int_equal(stat_value("shares-refused"), 0);
    for (unsigned i = 0; i < WIDTH * HEIGHT; i++)
        guest_pixels()[i] = 1;
    transfer_all();
    assert_all(shown_pixels(), 1);
    /* Another time it may work. */
    assert_ok(attach_resource(1, 5));
    assert_true(fake_attached(1, 5));
}

static void test_frame_outlives_it(void **state)
{
    (void)state;
    start();
    assert_ok(attach_resource(1, 5));
    gpu_pixels()[1] = 9;
    vm.keep_frames = true;
    assert_ok(set_scanout(0, 5, rect(0, 0, WIDTH, HEIGHT)));
    struct venus_gpu_frame *frame = shown(0);
    assert_ok(unref(5));
    assert_int_equal(fake_blobs(), 0);
    assert_int_equal(((const uint32_t *)frame->pixels)[1], 9);
    drop_frames();
}

static void test_lost_context(void **state)
{
    (void)state;
    start();
    assert_ok(attach_resource(1, 5));
    gpu_pixels()[0] = 7;
    fake_fail(FAKE_SUBMIT, -EIO, 0, 1);
    static const uint32_t data[2];
    assert_error(submit(1, data, sizeof(data)), UNSPEC);
    assert_ok(detach_resource(1, 5));
    assert_int_equal(fake_count(FAKE_DETACH), 0);
    /* A lost context asks for nothing. */
    assert_ok(create_2d(6, format, WIDTH, HEIGHT));
    assert_ok(attach_resource(1, 6));
    assert_int_equal(fake_count(FAKE_IMPORT), 1);
    assert_ok(create_context(2));
    assert_ok(attach_resource(2, 5));
    assert_true(fake_attached(2, 5));
    transfer_all();
    assert_int_equal(shown_pixels()[0], 7);
}

static void test_reset(void **state)
{
    (void)state;
    start();
    assert_ok(attach_resource(1, 5));
    vm_reset();
    assert_int_equal(fake_blobs(), 0);
    assert_int_equal(stat_value("memory-bytes"), 0);
    assert_ok(create_context(1));
    assert_ok(create_2d(5, format, WIDTH, HEIGHT));
    assert_ok(attach_resource(1, 5));
    assert_int_equal(fake_count(FAKE_IMPORT), 2);
}

/* The new render server gets it when a context asks for it, and its picture stays. */
static void test_renderer_started_anew(void **state)
{
    (void)state;
    start();
    assert_ok(attach_resource(1, 5));
    gpu_pixels()[0] = 7;
    assert_ok(destroy_context(1));
    fake_fail(FAKE_CONTEXT_CREATE, -EIO, 0, 1);
    assert_ok(create_context(1));
    assert_int_equal(fake_count(FAKE_FINI), 1);
    assert_int_equal(fake_count(FAKE_RESOURCE_UNREF), 1);
    transfer_all();
    assert_int_equal(shown_pixels()[0], 7);

    assert_ok(attach_resource(1, 5));
    assert_int_equal(fake_count(FAKE_IMPORT), 2);
    gpu_pixels()[1] = 8;
    transfer_all();
    assert_int_equal(shown_pixels()[0], 7);
    assert_int_equal(shown_pixels()[1], 8);
    assert_ok(unref(5));
    assert_int_equal(stat_value("memory-bytes"), 0);
}

/* It may come before the backing, and may change it. */
static void test_other_backings(void **state)
{
    (void)state;
    start();
    assert_ok(detach_backing(5));
    assert_ok(attach_resource(1, 5));
    for (unsigned i = 0; i < WIDTH * HEIGHT; i++)
        gpu_pixels()[i] = 2;
    assert_error(transfer(5, rect(0, 0, 1, 1), 0), UNSPEC);
    assert_ok(attach_ram(5, RAM_ADDR + 4 * PAGE, SIZE));
    transfer_all();
    assert_all(shown_pixels(), 2);
    *(uint32_t *)ram_at(RAM_ADDR + 4 * PAGE) = 8;
    transfer_all();
    assert_int_equal(shown_pixels()[0], 8);
}

/* What Vulkan drew outlives its program, and the device it was drawn with. */
static void test_saved(void **state)
{
    (void)state;
    start();
    for (unsigned i = 0; i < WIDTH * HEIGHT; i++)
        guest_pixels()[i] = 0xaaaaaaaa;
    transfer_all();
    assert_ok(attach_resource(1, 5));
    for (unsigned i = 0; i < WIDTH * HEIGHT; i++)
        gpu_pixels()[i] = 0xbbbbbbbb;
    assert_ok(destroy_context(1));

    void *data;
    size_t size;
    assert_int_equal(venus_gpu_save(vm.gpu, &data, &size, NULL), 0);
    uint64_t bytes = stat_value("memory-bytes");
    vm_reset();
    assert_int_equal(venus_gpu_load(vm.gpu, data, size, NULL), 0);
    free(data);
    assert_int_equal(stat_value("memory-bytes"), bytes);
    assert_all(shown_pixels(), 0xbbbbbbbb);
    transfer_all(); /* stale pages */
    assert_all(shown_pixels(), 0xbbbbbbbb);
    guest_pixels()[3] = 0xcccccccc;
    transfer_all();
    assert_int_equal(shown_pixels()[3], 0xcccccccc);
    assert_int_equal(shown_pixels()[4], 0xbbbbbbbb);

    assert_ok(create_context(1));
    assert_ok(attach_resource(1, 5));
    assert_int_equal(gpu_pixels()[4], 0xbbbbbbbb);
    assert_ok(unref(5));
    assert_int_equal(stat_value("memory-bytes"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_renderer_is_told),
        TEST(test_what_vulkan_draws_is_shown),
        TEST(test_once),
        TEST(test_contexts_for_2d_do_not_count),
        TEST(test_stale_pages_stay_away),
        TEST(test_what_the_guest_writes_comes),
        TEST(test_random),
        TEST(test_without_udmabuf),
        TEST(test_dma_buf_refused),
        TEST(test_no_room_to_remember),
        TEST(test_nothing_taken),
        TEST(test_frame_outlives_it),
        TEST(test_lost_context),
        TEST(test_reset),
        TEST(test_renderer_started_anew),
        TEST(test_other_backings),
        TEST(test_saved),
    };
    return RUN_TESTS(tests);
}
