/* SPDX-License-Identifier: MIT */
/* Tests of scanouts: what may be shown and how, flushes, frames, and guest blobs without a copy. */
#include <sys/mman.h>

#include "harness.h"

enum { WIDTH = 64, HEIGHT = 48, STRIDE = WIDTH * 4 };

static const uint32_t format = VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM;

static void start_with_picture(void)
{
    vm_start(NULL);
    assert_ok(create_2d(1, format, WIDTH, HEIGHT));
}

static void test_set(void **state)
{
    (void)state;
    start_with_picture();
    assert_null(shown(0));
    assert_ok(set_scanout(0, 1, rect(0, 0, WIDTH, HEIGHT)));
    const struct venus_gpu_frame *frame = shown(0);
    assert_int_equal(frame->width, WIDTH);
    assert_int_equal(frame->height, HEIGHT);
    assert_int_equal(frame->stride, STRIDE);
    assert_int_equal(frame->resource_id, 1);
    assert_int_equal(frame->format->virtio, format);
    assert_null(shown(1));
    assert_ok(set_scanout(0, 0, rect(0, 0, 0, 0)));
    assert_null(shown(0));
    /* Off stays off, whatever the rectangle says. */
    assert_ok(set_scanout(0, 0, rect(1, 2, 3, 4)));
    assert_int_equal(vm.frame_changes[0], 3);
}

static void test_part_of_a_resource(void **state)
{
    (void)state;
    start_with_picture();
    assert_ok(attach_ram(1, RAM_ADDR, STRIDE * HEIGHT));
    fill_ram();
    assert_ok(transfer(1, rect(0, 0, WIDTH, HEIGHT), 0));
    assert_ok(set_scanout(0, 1, rect(10, 20, 30, 15)));
    const struct venus_gpu_frame *frame = shown(0);
    assert_int_equal(frame->width, 30);
    assert_int_equal(frame->height, 15);
    assert_int_equal(frame->stride, STRIDE);
    for (uint32_t row = 0; row < 15; row++)
        assert_memory_equal((const char *)frame->pixels + row * STRIDE,
                            vm.ram + (20 + row) * STRIDE + 10 * 4, 30 * 4);
}

static void test_set_errors(void **state)
{
    (void)state;
    start_with_picture();
    assert_error(set_scanout(2, 1, rect(0, 0, 8, 8)), INVALID_SCANOUT_ID);
    assert_error(set_scanout(16, 1, rect(0, 0, 8, 8)), INVALID_SCANOUT_ID);
    assert_error(set_scanout(UINT32_MAX, 0, rect(0, 0, 8, 8)), INVALID_SCANOUT_ID);
    assert_error(set_scanout(0, 2, rect(0, 0, 8, 8)), INVALID_RESOURCE_ID);
    static const struct {
        uint32_t x, y, width, height;
    } wrong[] = {
        { 0, 0, 0, 0 },
        { 0, 0, 0, 8 },
        { 0, 0, 8, 0 },
        { 0, 0, WIDTH + 1, 1 },
        { 0, 0, 1, HEIGHT + 1 },
        { 1, 0, WIDTH, 1 },
        { 0, 1, 1, HEIGHT },
        { WIDTH, 0, 1, 1 },
        { UINT32_MAX, 0, 2, 1 },
        { 0, UINT32_MAX, 1, 2 },
        { 2, 2, UINT32_MAX, UINT32_MAX },
    };
    for (unsigned i = 0; i < COUNT(wrong); i++)
        assert_error(
            set_scanout(0, 1, rect(wrong[i].x, wrong[i].y, wrong[i].width, wrong[i].height)),
            INVALID_PARAMETER);
    assert_int_equal(vm.frame_changes[0], 0);
    /* The last pixel is one. */
    assert_ok(set_scanout(0, 1, rect(WIDTH - 1, HEIGHT - 1, 1, 1)));
}

/* A picture may be larger than a frame: a row of monitors. */
static void test_larger_than_a_frame(void **state)
{
    (void)state;
    enum { MOST = VENUS_GPU_MAX_SIDE };
    vm_start(NULL);
    assert_ok(create_2d(1, format, 2 * MOST, 2));
    assert_ok(create_2d(2, format, 2, 2 * MOST));
    assert_error(set_scanout(0, 1, rect(0, 0, MOST + 1, 1)), INVALID_PARAMETER);
    assert_error(set_scanout(0, 2, rect(0, 0, 1, MOST + 1)), INVALID_PARAMETER);
    assert_int_equal(vm.frame_changes[0], 0);
    assert_ok(set_scanout(0, 1, rect(0, 0, MOST, 2)));
    assert_ok(set_scanout(1, 1, rect(MOST, 0, MOST, 2)));
    assert_int_equal((const char *)shown(1)->pixels - (const char *)shown(0)->pixels, MOST * 4);
    assert_ok(set_scanout(0, 2, rect(0, 0, 2, MOST)));
    assert_ok(set_scanout(1, 2, rect(0, MOST, 2, MOST)));
    assert_int_equal(shown(1)->height, MOST);
}

/* ---- blobs ----------------------------------------------------------------------------------- */

enum { BLOB_SIZE = 64 * 64 * 4 }; /* whole pages */

static void start_with_blob(void)
{
    vm_start(NULL);
    assert_ok(create_context(1));
    assert_ok(create_host_blob(1, BLOB_SIZE));
}

static void test_blob(void **state)
{
    (void)state;
    start_with_blob();
    struct virtio_gpu_set_scanout_blob request = blob_scanout(1, 1, 64, 64);
    request.format = le32(VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM);
    assert_ok(set_scanout_blob(&request));
    const struct venus_gpu_frame *frame = shown(1);
    assert_int_equal(frame->width, 64);
    assert_int_equal(frame->height, 64);
    assert_int_equal(frame->stride, 256);
    assert_int_equal(frame->format->virtio, VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM);
    memset(fake_blob(1), 0x77, BLOB_SIZE);
    assert_memory_equal(frame->pixels, fake_blob(1), BLOB_SIZE);
    /* Shown twice, the memory is the same. */
    request.scanout_id = 0;
    assert_ok(set_scanout_blob(&request));
    assert_ptr_equal(shown(0)->pixels, shown(1)->pixels);
    request.resource_id = 0;
    assert_ok(set_scanout_blob(&request));
    assert_null(shown(0));
    assert_non_null(shown(1));
}

/* The frame's pixels through what it is made of, in this process or another. */
static void check_handle(const struct venus_gpu_frame *frame, enum venus_gpu_handle_kind kind)
{
    const struct venus_gpu_handle *handle = frame->handle;
    assert_non_null(handle);
    assert_int_equal(handle->kind, kind);
    assert_int_equal(handle->modifier, 0);
    assert_true(handle->offset + (uint64_t)(frame->height - 1) * frame->stride < handle->size);
    char *memory = mmap(NULL, handle->size, PROT_READ | PROT_WRITE, MAP_SHARED, handle->fd, 0);
    assert_ptr_not_equal(memory, MAP_FAILED);
    size_t row = (size_t)frame->width * frame->format->bytes_per_pixel;
    for (uint32_t y = 0; y < frame->height; y++) {
        memory[handle->offset + y * frame->stride] = (char)(y + 1);
        assert_memory_equal(memory + handle->offset + y * frame->stride,
                            (const char *)frame->pixels + y * frame->stride, row);
    }
    munmap(memory, handle->size);
}

static void test_handles(void **state)
{
    (void)state;
    linux_ways();
    static const struct renderer_device device = {
        .name = "one", .is_only = true, .device_uuid = { 1, 2 }, .driver_uuid = { 3 }
    };
    vm_start(&(struct vm_options){ .device = &device });
    assert_ok(create_context(1));
    assert_ok(create_2d(1, format, 64, 32));
    assert_ok(set_scanout(0, 1, rect(8, 4, 16, 8)));
    check_handle(shown(0), VENUS_GPU_HANDLE_SHM);
    assert_int_equal(shown(0)->handle->offset, 4 * 64 * 4 + 8 * 4);
    assert_null(shown(0)->handle->device_uuid);

    static const struct {
        enum fake_memory memory;
        enum venus_gpu_handle_kind kind;
    } blobs[] = { { FAKE_SHM, VENUS_GPU_HANDLE_SHM }, { FAKE_DMABUF, VENUS_GPU_HANDLE_DMA_BUF } };
    for (uint32_t i = 0; i < COUNT(blobs); i++) {
        fake_set_memory(blobs[i].memory);
        assert_ok(create_host_blob(10 + i, 4 * PAGE));
        struct virtio_gpu_set_scanout_blob request = blob_scanout(0, 10 + i, 32, 16);
        request.offsets[0] = le32(PAGE);
        assert_ok(set_scanout_blob(&request));
        check_handle(shown(0), blobs[i].kind);
        assert_int_equal(shown(0)->handle->offset, PAGE);
    }

    fake_set_memory(FAKE_OPAQUE);
    assert_ok(create_host_blob(20, 4 * PAGE));
    const struct virtio_gpu_set_scanout_blob opaque = blob_scanout(0, 20, 32, 16);
    assert_ok(set_scanout_blob(&opaque));
    assert_int_equal(shown(0)->handle->kind, VENUS_GPU_HANDLE_OPAQUE);
    assert_memory_equal(shown(0)->handle->device_uuid, device.device_uuid, 16);
    assert_memory_equal(shown(0)->handle->driver_uuid, device.driver_uuid, 16);
}

static void test_blob_offset_and_rectangle(void **state)
{
    (void)state;
    start_with_blob();
    for (uint32_t i = 0; i < BLOB_SIZE; i++)
        ((uint8_t *)fake_blob(1))[i] = (uint8_t)(i * 31 + i / 256);
    struct virtio_gpu_set_scanout_blob request = blob_scanout(0, 1, 20, 30);
    request.strides[0] = le32(100);
    request.offsets[0] = le32(36);
    request.r = rect(3, 4, 10, 12);
    assert_ok(set_scanout_blob(&request));
    const struct venus_gpu_frame *frame = shown(0);
    assert_int_equal(frame->width, 10);
    assert_int_equal(frame->height, 12);
    assert_int_equal(frame->stride, 100);
    for (uint32_t row = 0; row < 12; row++)
        assert_memory_equal((const char *)frame->pixels + row * 100,
                            (const char *)fake_blob(1) + 36 + (4 + row) * 100 + 3 * 4, 40);
}

static void test_blob_formats(void **state)
{
    (void)state;
    start_with_blob();
    unsigned good = 0;
    for (uint32_t code = 0; code < 200; code++) {
        struct virtio_gpu_set_scanout_blob request = blob_scanout(0, 1, 64, 64);
        request.format = le32(code);
        if (venus_gpu_format_lookup(code)) {
            assert_ok(set_scanout_blob(&request));
            good++;
        } else {
            assert_error(set_scanout_blob(&request), INVALID_PARAMETER);
        }
    }
    assert_int_equal(good, 8);
}

static void test_blob_errors(void **state)
{
    (void)state;
    start_with_blob();
    struct virtio_gpu_set_scanout_blob request = blob_scanout(2, 1, 64, 64);
    assert_error(set_scanout_blob(&request), INVALID_SCANOUT_ID);
    request = blob_scanout(0, 2, 64, 64);
    assert_error(set_scanout_blob(&request), INVALID_RESOURCE_ID);
    assert_ok(create_2d(2, format, 64, 64));
    assert_error(set_scanout_blob(&request), INVALID_RESOURCE_ID);

    static const struct {
        uint32_t width, height, stride, offset;
    } wrong[] = {
        { 0, 64, 256, 0 },
        { 64, 0, 256, 0 },
        { 64, 64, 252, 0 }, /* rows would overlap */
        { 64, 64, 0, 0 },
        { 64, 64, 258, 0 }, /* not a multiple of a pixel */
        { 64, 32, 256, 2 },
        { 64, 65, 256, 0 }, /* larger than the blob */
        { 64, 64, 260, 0 },
        { 64, 64, 256, 4 },
        { 64, 1, 256, BLOB_SIZE },
        { 1, 1, 4, UINT32_MAX - 3 },
        { 1, UINT32_MAX, UINT32_MAX - 3, 0 },
        { UINT32_MAX, UINT32_MAX, UINT32_MAX - 3, 0 },
        { 0x40000000, 1, 0, 0 }, /* a row whose bytes do not fit 32 bits */
        { 0x40000001, 4, 4, 0 },
    };
    for (unsigned i = 0; i < COUNT(wrong); i++) {
        request = blob_scanout(0, 1, wrong[i].width, wrong[i].height);
        request.r = rect(0, 0, 1, 1);
        request.strides[0] = le32(wrong[i].stride);
        request.offsets[0] = le32(wrong[i].offset);
        assert_error(set_scanout_blob(&request), INVALID_PARAMETER);
    }

    static const struct {
        uint32_t x, y, width, height;
    } rects[] = {
        { 0, 0, 0, 0 },   { 0, 0, 65, 1 },         { 0, 0, 1, 65 },         { 1, 0, 64, 1 },
        { 64, 64, 1, 1 }, { UINT32_MAX, 1, 2, 1 }, { 0, UINT32_MAX, 1, 1 },
    };
    for (unsigned i = 0; i < COUNT(rects); i++) {
        request = blob_scanout(0, 1, 64, 64);
        request.r = rect(rects[i].x, rects[i].y, rects[i].width, rects[i].height);
        assert_error(set_scanout_blob(&request), INVALID_PARAMETER);
    }
    assert_int_equal(vm.frame_changes[0], 0);

    /* The last row needs no padding. */
    request = blob_scanout(0, 1, 60, 64);
    request.strides[0] = le32(256);
    request.offsets[0] = le32(16);
    assert_ok(set_scanout_blob(&request));
    request.offsets[0] = le32(20);
    assert_error(set_scanout_blob(&request), INVALID_PARAMETER);
}

/* A blob's memory may be sparse, so its size is no bound for what a front end has to compute with. */
static void test_bounds_of_a_frame(void **state)
{
    (void)state;
    const uint64_t size = UINT64_C(1) << 36;
    vm_start(&(struct vm_options){ .max_blob_memory = size });
    assert_ok(create_context(1));
    assert_ok(create_host_blob(1, size));
    static const struct {
        uint32_t width, height, stride;
    } wrong[] = {
        { 64, 1, 0x80000000 },
        { 64, 4, 0x80000000 },
        { 64, 4, 0x7ffffffc },
        { 64, 5, 0x20000000 },
        { 64, 4, 0x20000000 }, /* 2 GiB, one more than an int holds */
        { 64, 4, 0xfffffc00 },
        { 0x8000000, 4, 0x20000000 },
        { VENUS_GPU_MAX_SIDE + 1, 1, (VENUS_GPU_MAX_SIDE + 1) * 4 },
        { 1, 0x80000010, 4 },
        { 1, VENUS_GPU_MAX_SIDE + 1, 4 },
        { 1, VENUS_GPU_MAX_SIDE, 0x20000 },
    };
    for (unsigned i = 0; i < COUNT(wrong); i++) {
        struct virtio_gpu_set_scanout_blob request =
            blob_scanout(0, 1, wrong[i].width, wrong[i].height);
        request.strides[0] = le32(wrong[i].stride);
        assert_error(set_scanout_blob(&request), INVALID_PARAMETER);
    }
    assert_int_equal(vm.frame_changes[0], 0);

    static const struct {
        uint32_t width, height, stride;
    } right[] = {
        { 64, 1, 0x7ffffffc },
        { 64, 4, 0x1ffffffc },
        { VENUS_GPU_MAX_SIDE, VENUS_GPU_MAX_SIDE, VENUS_GPU_MAX_SIDE * 4 },
        { 1, VENUS_GPU_MAX_SIDE, 0x1fffc },
    };
    for (unsigned i = 0; i < COUNT(right); i++) {
        struct virtio_gpu_set_scanout_blob request =
            blob_scanout(0, 1, right[i].width, right[i].height);
        request.strides[0] = le32(right[i].stride);
        assert_ok(set_scanout_blob(&request));
        const struct venus_gpu_frame *frame = shown(0);
        int last = ((int)frame->height - 1) * (int)frame->stride + (int)frame->width * 4 - 1;
        assert_int_equal(((const volatile char *)frame->pixels)[last], 0);
    }
}

/* ---- flushes --------------------------------------------------------------------------------- */

static void check_flush(unsigned index, unsigned scanout, uint32_t x, uint32_t y, uint32_t width,
                        uint32_t height)
{
    const struct flush_event event = flush_event(index);
    assert_int_equal(event.scanout, scanout);
    assert_int_equal(event.rect.x, x);
    assert_int_equal(event.rect.y, y);
    assert_int_equal(event.rect.width, width);
    assert_int_equal(event.rect.height, height);
}

static void test_flush(void **state)
{
    (void)state;
    start_with_picture();
    assert_ok(flush(1, rect(0, 0, WIDTH, HEIGHT))); /* shown nowhere */
    assert_int_equal(count_flushes(), 0);
    assert_int_equal(stat_value("flushes"), 0);
    assert_ok(set_scanout(0, 1, rect(0, 0, WIDTH, HEIGHT)));
    assert_ok(flush(1, rect(0, 0, WIDTH, HEIGHT)));
    assert_ok(flush(1, rect(3, 4, 5, 6)));
    assert_int_equal(count_flushes(), 2);
    check_flush(0, 0, 0, 0, WIDTH, HEIGHT);
    check_flush(1, 0, 3, 4, 5, 6);
    assert_int_equal(stat_value("flushes"), 2);
    assert_ok(flush(1, rect(3, 4, 0, 0)));
    assert_int_equal(count_flushes(), 2);
}

/* Damage is clipped to what a scanout shows, and told in the frame's own coordinates. */
static void test_flush_is_clipped(void **state)
{
    (void)state;
    start_with_picture();
    assert_ok(create_2d(2, format, WIDTH, HEIGHT));
    assert_ok(set_scanout(0, 1, rect(10, 10, 20, 20)));
    assert_ok(set_scanout(1, 1, rect(25, 5, 30, 30)));
    assert_ok(flush(1, rect(0, 0, WIDTH, HEIGHT)));
    check_flush(0, 0, 0, 0, 20, 20);
    check_flush(1, 1, 0, 0, 30, 30);
    assert_ok(flush(1, rect(0, 0, 26, 12)));
    check_flush(2, 0, 0, 0, 16, 2);
    check_flush(3, 1, 0, 0, 1, 7);
    assert_ok(flush(1, rect(29, 29, 1, 1)));
    check_flush(4, 0, 19, 19, 1, 1);
    check_flush(5, 1, 4, 24, 1, 1);
    assert_ok(flush(1, rect(30, 30, 30, 18)));
    check_flush(6, 1, 5, 25, 25, 5);
    assert_int_equal(count_flushes(), 7);
    assert_ok(flush(1, rect(0, 0, 10, HEIGHT)));
    assert_ok(flush(1, rect(0, 40, WIDTH, 8)));
    assert_ok(flush(2, rect(0, 0, WIDTH, HEIGHT)));
    assert_int_equal(count_flushes(), 7);
}

static void test_flush_errors(void **state)
{
    (void)state;
    start_with_picture();
    assert_ok(set_scanout(0, 1, rect(0, 0, WIDTH, HEIGHT)));
    assert_error(flush(2, rect(0, 0, 1, 1)), INVALID_RESOURCE_ID);
    assert_error(flush(0, rect(0, 0, 1, 1)), INVALID_RESOURCE_ID);
    assert_error(flush(1, rect(0, 0, WIDTH + 1, 1)), INVALID_PARAMETER);
    assert_error(flush(1, rect(0, 0, 1, HEIGHT + 1)), INVALID_PARAMETER);
    assert_error(flush(1, rect(1, 0, WIDTH, 1)), INVALID_PARAMETER);
    assert_error(flush(1, rect(UINT32_MAX, 0, 2, 1)), INVALID_PARAMETER);
    assert_error(flush(1, rect(0, UINT32_MAX, 1, UINT32_MAX)), INVALID_PARAMETER);
    assert_int_equal(count_flushes(), 0);
}

/* A blob has no size in pixels; what lies outside of the picture is cut. */
static void test_flush_of_blob(void **state)
{
    (void)state;
    start_with_blob();
    struct virtio_gpu_set_scanout_blob request = blob_scanout(0, 1, 64, 64);
    request.r = rect(8, 8, 50, 50);
    assert_ok(set_scanout_blob(&request));
    assert_ok(flush(1, rect(0, 0, UINT32_MAX, UINT32_MAX)));
    check_flush(0, 0, 0, 0, 50, 50);
    assert_ok(flush(1, rect(10, 20, UINT32_MAX, UINT32_MAX)));
    check_flush(1, 0, 2, 12, 48, 38);
    assert_ok(flush(1, rect(UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX)));
    assert_int_equal(count_flushes(), 2);
}

static void test_flush_waits(void **state)
{
    (void)state;
    start_with_picture();
    vm.hold_flushes = true;
    assert_ok(set_scanout(0, 1, rect(0, 0, WIDTH, HEIGHT)));
    assert_ok(set_scanout(1, 1, rect(0, 0, WIDTH, HEIGHT)));
    struct sent *sent = send_flush(1, rect(0, 0, WIDTH, HEIGHT), VIRTIO_GPU_FLAG_FENCE, 1);
    wait_for_flushes(2);
    settle();
    assert_false(is_done(sent));
    answer_flush(1);
    settle();
    assert_false(is_done(sent)); /* the other scanout reads still */
    answer_flush(0);
    assert_ok(wait_for(sent));
}

static void test_no_callbacks(void **state)
{
    (void)state;
    vm_start(&(struct vm_options){ .no_callbacks = true });
    assert_ok(create_2d(1, format, WIDTH, HEIGHT));
    assert_ok(set_scanout(0, 1, rect(0, 0, WIDTH, HEIGHT)));
    assert_ok(flush(1, rect(0, 0, WIDTH, HEIGHT)));
    assert_int_equal(stat_value("flushes"), 1);
    const struct virtio_gpu_update_cursor cursor = { REQUEST(UPDATE_CURSOR) };
    struct sent *sent = send_on(VENUS_GPU_QUEUE_CURSOR, &cursor, sizeof(cursor), 24);
    assert_ok(wait_for(sent));
}

/* ---- frames ---------------------------------------------------------------------------------- */

static void test_frame_outlives_resource(void **state)
{
    (void)state;
    start_with_picture();
    vm.keep_frames = true;
    fill_ram();
    assert_ok(attach_ram(1, RAM_ADDR, STRIDE * HEIGHT));
    assert_ok(transfer(1, rect(0, 0, WIDTH, HEIGHT), 0));
    assert_ok(set_scanout(0, 1, rect(0, 0, WIDTH, HEIGHT)));
    const void *pixels = shown(0)->pixels;
    assert_ok(unref(1));
    assert_null(shown(0));
    assert_memory_equal(pixels, vm.ram, STRIDE * HEIGHT);
    /* It counts for as long as it is there. */
    assert_int_equal(stat_value("memory-bytes"), (STRIDE * HEIGHT + PAGE - 1) / PAGE * PAGE);
    drop_frames();
    assert_int_equal(stat_value("memory-bytes"), 0);
}

static void test_blob_frame_outlives_everything(void **state)
{
    (void)state;
    static const enum fake_memory memories[] = { FAKE_SHM, FAKE_OPAQUE, FAKE_PINNED };
    for (unsigned i = 0; i < COUNT(memories); i++) {
        vm_start(NULL);
        fake_set_memory(memories[i]);
        vm.keep_frames = true;
        assert_ok(create_context(1));
        assert_ok(create_host_blob(1, BLOB_SIZE));
        memset(fake_blob(1), 0x5a, BLOB_SIZE);
        const struct virtio_gpu_set_scanout_blob request = blob_scanout(0, 1, 64, 64);
        assert_ok(set_scanout_blob(&request));
        const uint8_t *pixels = shown(0)->pixels;
        assert_ok(destroy_context(1));
        assert_ok(unref(1));
        for (unsigned at = 0; at < BLOB_SIZE; at++)
            assert_int_equal(pixels[at], 0x5a);
        drop_frames();
        settle();
        assert_int_equal(fake_blobs(), 0);
        vm_stop();
    }
}

/* ---- guest blobs ----------------------------------------------------------------------------- */

/* What the blobs show is 64 pixels wide, a page is that many rows, and all of them fill the blob. */
enum { PAGES = 4, PAGE_ROWS = PAGE / 256, ROWS = PAGES * PAGE_ROWS };

/* Pages in no order. (The numbers are little-endian, as the hosts are that tests run on.) */
static const struct virtio_gpu_mem_entry scattered[PAGES] = {
    { RAM_ADDR + 7 * PAGE, PAGE, 0 },
    { RAM_ADDR + 3 * PAGE, PAGE, 0 },
    { RAM_ADDR + 9 * PAGE, PAGE, 0 },
    { RAM_ADDR + 1 * PAGE, PAGE, 0 },
};

static void check_pages(const void *pixels, size_t size)
{
    for (unsigned i = 0; i * PAGE < size; i++)
        assert_memory_equal((const char *)pixels + i * PAGE, ram_at(le64(scattered[i].addr)),
                            size - i * PAGE < PAGE ? size - i * PAGE : PAGE);
}

static void test_guest_blob_in_place(void **state)
{
    (void)state;
    linux_ways();
    vm_start(NULL);
    vm.keep_frames = true;
    fill_ram();
    assert_ok(create_guest_blob(1, PAGES * PAGE, scattered, PAGES));
    const struct virtio_gpu_set_scanout_blob request = blob_scanout(0, 1, 64, ROWS);
    assert_ok(set_scanout_blob(&request));
    const uint32_t *pixels = shown(0)->pixels;
    assert_null(shown(0)->handle);
    check_pages(pixels, PAGES * PAGE);
    assert_int_equal(stat_value("guest-aliases"), 1);
    assert_int_equal(stat_value("guest-copies"), 0);
    /* No flush is needed for the host to see it. */
    *(uint32_t *)ram_at(RAM_ADDR + 3 * PAGE) = 0x12345678;
    assert_int_equal(pixels[PAGE / 4], 0x12345678);
    assert_ok(flush(1, rect(0, 0, 64, ROWS)));
    assert_int_equal(stat_value("guest-copies"), 0);
    /* Our view of the pages does not need the front end's mappings. */
    assert_ok(unref(1));
    assert_int_equal(guest_mappings(), 0);
    check_pages(pixels, PAGES * PAGE);
    drop_frames();
    assert_int_equal(stat_value("address-ranges"), 0);
}

static void test_guest_blob_merged_entries(void **state)
{
    (void)state;
    linux_ways();
    vm_start(NULL);
    fill_ram();
    const struct virtio_gpu_mem_entry entries[] = {
        entry(RAM_ADDR + 5 * PAGE, PAGE),
        entry(RAM_ADDR + 6 * PAGE, PAGE),
        entry(RAM_ADDR + 7 * PAGE, 100 * PAGE),
    };
    assert_ok(create_guest_blob(1, 4 * PAGE, entries, 3));
    const struct virtio_gpu_set_scanout_blob request = blob_scanout(0, 1, 64, ROWS);
    assert_ok(set_scanout_blob(&request));
    assert_memory_equal(shown(0)->pixels, ram_at(RAM_ADDR + 5 * PAGE), 4 * PAGE);
    assert_int_equal(stat_value("guest-aliases"), 1);
}

/* Set up a copied blob, whose last row has no padding. */
static void start_with_copy(void)
{
    vm_start(&(struct vm_options){ .private_ram = true });
    fill_ram();
    assert_ok(create_guest_blob(1, PAGES * PAGE - 16, scattered, PAGES));
    struct virtio_gpu_set_scanout_blob request = blob_scanout(0, 1, 60, ROWS);
    request.strides[0] = le32(256);
    assert_ok(set_scanout_blob(&request));
}

static void test_guest_blob_copied(void **state)
{
    (void)state;
    start_with_copy();
    const uint32_t *pixels = shown(0)->pixels;
    check_pages(pixels, PAGES * PAGE - 16);
    assert_int_equal(stat_value("guest-aliases"), 0);
    assert_int_equal(stat_value("guest-copies"), 1);
    assert_int_equal(stat_value("guest-copy-bytes"), PAGES * PAGE - 16);
    assert_true(stat_value("memory-bytes") >= PAGES * PAGE);

    /* Only what is flushed is copied again. */
    uint32_t *second = ram_at(RAM_ADDR + 3 * PAGE), *third = ram_at(RAM_ADDR + 9 * PAGE);
    uint32_t before = pixels[2 * PAGE / 4];
    second[0] = 0x11111111;
    third[0] = 0x22222222;
    assert_ok(flush(1, rect(0, PAGE_ROWS, 60, 1)));
    assert_int_equal(pixels[PAGE / 4], 0x11111111);
    assert_int_equal(pixels[2 * PAGE / 4], before);
    assert_int_equal(stat_value("guest-copies"), 2);
    assert_int_equal(stat_value("guest-copy-bytes"), PAGES * PAGE - 16 + 240);
    assert_ok(flush(1, rect(0, 0, 60, ROWS)));
    check_pages(pixels, PAGES * PAGE - 16);
    assert_int_equal(stat_value("guest-copies"), 3);
    assert_ok(unref(1));
    assert_int_equal(stat_value("memory-bytes"), 0);
}

/* A part of a copied blob, far from its start. */
static void test_guest_blob_copied_part(void **state)
{
    (void)state;
    vm_start(&(struct vm_options){ .private_ram = true });
    fill_ram();
    assert_ok(create_guest_blob(1, PAGES * PAGE, scattered, PAGES));
    struct virtio_gpu_set_scanout_blob request = blob_scanout(0, 1, 32, 16);
    request.offsets[0] = le32(2 * PAGE);
    request.r = rect(8, 4, 16, 8);
    assert_ok(set_scanout_blob(&request));
    const struct venus_gpu_frame *frame = shown(0);
    for (unsigned row = 0; row < 8; row++)
        assert_memory_equal((const char *)frame->pixels + row * 128,
                            (const char *)ram_at(RAM_ADDR + 9 * PAGE) + (4 + row) * 128 + 32, 64);
    memset(ram_at(RAM_ADDR + 9 * PAGE), 0x99, PAGE);
    assert_ok(flush(1, rect(0, 0, 32, 16)));
    for (unsigned row = 0; row < 8; row++)
        assert_memory_equal((const char *)frame->pixels + row * 128,
                            (const char *)ram_at(RAM_ADDR + 9 * PAGE), 64);
}

/* Pages that do not start or end where pages do cannot lie side by side. */
static void test_guest_blob_unaligned(void **state)
{
    (void)state;
    vm_start(NULL);
    fill_ram();
    const struct virtio_gpu_mem_entry entries[][2] = {
        { entry(RAM_ADDR + 100, 2 * PAGE), entry(RAM_ADDR + 9 * PAGE, 2 * PAGE) },
        { entry(RAM_ADDR, 2 * PAGE - 4), entry(RAM_ADDR + 9 * PAGE, 2 * PAGE + 4) },
        { entry(RAM_ADDR, 2 * PAGE), entry(RAM_ADDR + 9 * PAGE + 4, 2 * PAGE) },
    };
    for (unsigned i = 0; i < COUNT(entries); i++) {
        assert_ok(create_guest_blob(1, 4 * PAGE, entries[i], 2));
        const struct virtio_gpu_set_scanout_blob request = blob_scanout(0, 1, 64, ROWS);
        assert_ok(set_scanout_blob(&request));
        const char *pixels = shown(0)->pixels;
        size_t first = le32(entries[i][0].length);
        assert_memory_equal(pixels, ram_at(le64(entries[i][0].addr)), first);
        assert_memory_equal(pixels + first, ram_at(le64(entries[i][1].addr)), 4 * PAGE - first);
        assert_int_equal(stat_value("guest-copies"), i + 1);
        assert_ok(unref(1));
    }
    assert_int_equal(stat_value("guest-aliases"), 0);
}

/* A blob that ends within the page of a run which it goes on behind: that page is not the rest of it. */
static void test_guest_blob_smaller_than_a_page(void **state)
{
    enum { HALF = 128 };
    (void)state;
    linux_ways();
    vm_start(NULL);
    fill_ram();
    const struct virtio_gpu_mem_entry entries[] = { entry(RAM_ADDR, HALF),
                                                    entry(RAM_ADDR + 9 * PAGE, HALF) };
    assert_ok(create_guest_blob(1, 2 * HALF, entries, 2));
    const struct virtio_gpu_set_scanout_blob request = blob_scanout(0, 1, 16, 4);
    assert_ok(set_scanout_blob(&request));
    const char *pixels = shown(0)->pixels;
    assert_memory_equal(pixels, ram_at(RAM_ADDR), HALF);
    assert_memory_equal(pixels + HALF, ram_at(RAM_ADDR + 9 * PAGE), HALF);
    assert_int_equal(stat_value("guest-copies"), 1);

    /* All of it in the first run can be seen in place. */
    assert_ok(create_guest_blob(2, HALF, entries, 2));
    const struct virtio_gpu_set_scanout_blob second = blob_scanout(0, 2, 16, 2);
    assert_ok(set_scanout_blob(&second));
    assert_memory_equal(shown(0)->pixels, ram_at(RAM_ADDR), HALF);
    assert_int_equal(stat_value("guest-aliases"), 1);
}

static void test_guest_blob_with_many_runs(void **state)
{
    (void)state;
    linux_ways();
    vm_start(NULL);
    fill_ram();
    /* Twice over the same pages, every other one of them. */
    static struct virtio_gpu_mem_entry entries[4097];
    for (unsigned i = 0; i < COUNT(entries); i++)
        entries[i] = entry(RAM_ADDR + (i * 2 % (RAM_SIZE / PAGE)) * PAGE, PAGE);
    struct virtio_gpu_set_scanout_blob request = blob_scanout(0, 1, 1024, PAGE / 4);
    assert_ok(create_guest_blob(1, 4096 * PAGE, entries, 4096));
    assert_ok(set_scanout_blob(&request));
    assert_int_equal(stat_value("guest-aliases"), 1);
    assert_ok(create_guest_blob(2, 4097 * PAGE, entries, 4097));
    request.resource_id = le32(2);
    assert_ok(set_scanout_blob(&request));
    assert_int_equal(stat_value("guest-aliases"), 1);
    assert_int_equal(stat_value("guest-copies"), 1);
    for (unsigned i = 0; i < 1024; i++)
        assert_memory_equal((const char *)shown(0)->pixels + i * PAGE,
                            ram_at(le64(entries[i].addr)), PAGE);
}

/* One blob on two scanouts is seen and refreshed once for each, from one view. */
static void test_shared_guest_blob(void **state)
{
    (void)state;
    start_with_copy();
    struct virtio_gpu_set_scanout_blob request = blob_scanout(1, 1, 60, ROWS);
    request.strides[0] = le32(256);
    assert_ok(set_scanout_blob(&request));
    assert_ptr_equal(shown(0)->pixels, shown(1)->pixels);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_set),
        TEST(test_part_of_a_resource),
        TEST(test_set_errors),
        TEST(test_larger_than_a_frame),
        TEST(test_blob),
        TEST(test_handles),
        TEST(test_blob_offset_and_rectangle),
        TEST(test_blob_formats),
        TEST(test_blob_errors),
        TEST(test_bounds_of_a_frame),
        TEST(test_flush),
        TEST(test_flush_is_clipped),
        TEST(test_flush_errors),
        TEST(test_flush_of_blob),
        TEST(test_flush_waits),
        TEST(test_no_callbacks),
        TEST(test_frame_outlives_resource),
        TEST(test_blob_frame_outlives_everything),
        TEST(test_guest_blob_in_place),
        TEST(test_guest_blob_merged_entries),
        TEST(test_guest_blob_copied),
        TEST(test_guest_blob_copied_part),
        TEST(test_guest_blob_unaligned),
        TEST(test_guest_blob_smaller_than_a_page),
        TEST(test_guest_blob_with_many_runs),
        TEST(test_shared_guest_blob),
    };
    return RUN_TESTS(tests);
}
