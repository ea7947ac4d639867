/* SPDX-License-Identifier: MIT */
/* Tests of the pointer: its image in every format, where it is, and what is no image. */
#include "harness.h"

enum { SIDE = 64, IMAGE_SIZE = SIDE * SIDE * 4 };

static struct virtio_gpu_update_cursor cursor_request(uint32_t type, uint32_t scanout, uint32_t id)
{
    struct virtio_gpu_update_cursor request = {
        .pos = { .scanout_id = le32(scanout), .x = le32(100), .y = le32(200) },
        .resource_id = le32(id),
        .hot_x = le32(5),
        .hot_y = le32(6),
    };
    request.hdr.type = le32(type);
    return request;
}

/* With room for an answer, which real drivers do not give. */
static uint32_t update(uint32_t scanout, uint32_t id)
{
    const struct virtio_gpu_update_cursor request =
        cursor_request(VIRTIO_GPU_CMD_UPDATE_CURSOR, scanout, id);
    return wait_for(send_on(VENUS_GPU_QUEUE_CURSOR, &request, sizeof(request), 24));
}

/* Which resource it names does not matter, but for 0. */
static uint32_t move_as(uint32_t scanout, uint32_t id)
{
    const struct virtio_gpu_update_cursor request =
        cursor_request(VIRTIO_GPU_CMD_MOVE_CURSOR, scanout, id);
    return wait_for(send_on(VENUS_GPU_QUEUE_CURSOR, &request, sizeof(request), 24));
}

static uint32_t move(uint32_t scanout)
{
    return move_as(scanout, 99);
}

/* An image whose bytes say alpha (or X) 0x44, red 0x11, green 0x22, blue 0x33 in that format. */
static void make_image(uint32_t id, uint32_t code)
{
    const char *name = venus_gpu_format_lookup(code)->name;
    uint8_t *bytes = (uint8_t *)vm.ram;
    for (unsigned i = 0; i < IMAGE_SIZE; i++) {
        char channel = name[2 * (i % 4)];
        bytes[i] = channel == 'R' ? 0x11 : channel == 'G' ? 0x22 : channel == 'B' ? 0x33 : 0x44;
    }
    /* The last pixel is nothing at all, to see the order of pixels. */
    memset(bytes + IMAGE_SIZE - 4, 0, 4);
    assert_ok(create_2d(id, code, SIDE, SIDE));
    assert_ok(attach_ram(id, RAM_ADDR, IMAGE_SIZE));
    assert_ok(transfer(id, rect(0, 0, SIDE, SIDE), 0));
}

/* Drivers have no X format in mind for a pointer, whatever their buffers are made with. */
static void test_formats(void **state)
{
    (void)state;
    vm_start(NULL);
    static const uint32_t formats[] = { 1, 2, 3, 4, 67, 68, 121, 134 };
    for (uint32_t i = 0; i < COUNT(formats); i++) {
        make_image(i + 1, formats[i]);
        assert_ok(update(0, i + 1));
        assert_non_null(vm.cursor.pixels);
        for (unsigned at = 0; at < SIDE * SIDE - 1; at++)
            assert_int_equal(vm.cursor_pixels[at], 0x44112233);
        assert_int_equal(vm.cursor_pixels[SIDE * SIDE - 1], 0);
    }
}

static void test_update(void **state)
{
    (void)state;
    vm_start(NULL);
    make_image(1, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM);
    assert_ok(update(1, 1));
    assert_int_equal(vm.cursor_changes, 1);
    assert_int_equal(vm.cursor_scanout, 1);
    assert_true(vm.cursor.visible && vm.cursor.image_changed);
    assert_int_equal(vm.cursor.x, 100);
    assert_int_equal(vm.cursor.y, 200);
    assert_int_equal(vm.cursor.hot_x, 5);
    assert_int_equal(vm.cursor.hot_y, 6);
    assert_int_equal(vm.cursor.width, SIDE);
    assert_int_equal(vm.cursor.height, SIDE);
    assert_int_equal(stat_value("cursor-updates"), 1);
}

/* Window systems refuse a hot spot outside of the image; a place outside of the scanout is nothing odd. */
static void test_hot_spot_is_inside(void **state)
{
    (void)state;
    vm_start(NULL);
    make_image(1, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM);
    static const uint32_t spots[] = { SIDE - 1, SIDE, 0x7fffffff, 0x80000000, UINT32_MAX };
    for (unsigned i = 0; i < COUNT(spots); i++) {
        struct virtio_gpu_update_cursor request =
            cursor_request(VIRTIO_GPU_CMD_UPDATE_CURSOR, 0, 1);
        request.hot_x = request.hot_y = request.pos.x = request.pos.y = le32(spots[i]);
        assert_ok(wait_for(send_on(VENUS_GPU_QUEUE_CURSOR, &request, sizeof(request), 24)));
        assert_int_equal(vm.cursor.hot_x, SIDE - 1);
        assert_int_equal(vm.cursor.hot_y, SIDE - 1);
        assert_int_equal(vm.cursor.x, spots[i]);
        assert_int_equal(vm.cursor.y, spots[i]);
    }
}

static void test_hide(void **state)
{
    (void)state;
    vm_start(NULL);
    make_image(1, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM);
    assert_ok(update(0, 1));
    assert_ok(update(0, 0));
    assert_false(vm.cursor.visible);
    assert_true(vm.cursor.image_changed);
    assert_null(vm.cursor.pixels);
    assert_ok(move(0));
    assert_false(vm.cursor.visible);
}

static void test_move(void **state)
{
    (void)state;
    vm_start(NULL);
    assert_ok(move(1)); /* one that was never shown */
    assert_false(vm.cursor.visible);
    make_image(1, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM);
    assert_ok(update(1, 1));
    /* The resource is not looked at: the image was copied. */
    assert_ok(unref(1));
    assert_ok(move(1));
    assert_true(vm.cursor.visible);
    assert_false(vm.cursor.image_changed);
    assert_int_equal(vm.cursor_scanout, 1);
    assert_int_equal(vm.cursor.x, 100);
    assert_int_equal(vm.cursor.y, 200);
    assert_int_equal(stat_value("cursor-updates"), 1);
}

/* As Windows' driver hides the pointer for a while, and QEMU's own device does it. */
static void test_move_hides(void **state)
{
    (void)state;
    vm_start(NULL);
    make_image(1, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM);
    assert_ok(update(0, 1));
    assert_ok(move_as(0, 1));
    assert_ok(move_as(0, 0));
    assert_false(vm.cursor.visible);
    assert_false(vm.cursor.image_changed);
    assert_ok(move_as(0, 1));
    assert_true(vm.cursor.visible);
    assert_false(vm.cursor.image_changed);

    /* A new driver does not see the former one's image, and may have other manners. */
    assert_ok(move_as(0, 0));
    vm_reset();
    assert_ok(move_as(0, 0));
    assert_false(vm.cursor.visible);
    make_image(1, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM);
    assert_ok(update(0, 1));
    assert_ok(move_as(0, 0));
    assert_true(vm.cursor.visible);
}

/* As Redox' driver moves it, and the specification has it. */
static void test_move_names_nothing(void **state)
{
    (void)state;
    vm_start(NULL);
    make_image(1, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM);
    assert_ok(update(0, 1));
    for (unsigned i = 0; i < 3; i++) {
        assert_ok(move_as(0, 0));
        assert_true(vm.cursor.visible);
    }
    assert_ok(update(0, 0));
    assert_ok(move_as(0, 0));
    assert_false(vm.cursor.visible);
}

/* As drivers do it: no room for an answer, on both queues at once. */
static void test_no_response(void **state)
{
    (void)state;
    vm_start(NULL);
    make_image(1, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM);
    const struct virtio_gpu_update_cursor request =
        cursor_request(VIRTIO_GPU_CMD_UPDATE_CURSOR, 0, 1);
    struct sent *sent = send_on(VENUS_GPU_QUEUE_CURSOR, &request, sizeof(request), 0);
    wait_for(sent);
    assert_int_equal(sent->written, 0);
    assert_int_equal(vm.cursor_changes, 1);
}

/* What cannot be shown does not leave the image before it on the screen. */
static void check_refused(uint32_t id, uint32_t code)
{
    assert_ok(update(0, 1));
    assert_true(vm.cursor.visible);
    assert_int_equal(update(0, id), code);
    assert_false(vm.cursor.visible);
    assert_null(vm.cursor.pixels);
    assert_ok(move(0));
    assert_false(vm.cursor.visible);
}

static void test_errors(void **state)
{
    (void)state;
    vm_start(NULL);
    make_image(1, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM);
    assert_error(update(2, 1), INVALID_SCANOUT_ID);
    assert_error(update(UINT32_MAX, 0), INVALID_SCANOUT_ID);
    assert_error(move(2), INVALID_SCANOUT_ID);
    assert_int_equal(vm.cursor_changes, 0);
    assert_int_equal(stat_value("cursor-updates"), 0);
    check_refused(2, VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID);
    static const uint32_t sizes[][2] = { { 257, 64 }, { 1, 257 }, { 512, 512 } };
    for (uint32_t i = 0; i < COUNT(sizes); i++) {
        assert_ok(create_2d(10 + i, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, sizes[i][0], sizes[i][1]));
        check_refused(10 + i, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
    }
}

/* The pixel at x, y of a picture in which each differs from all others. */
static uint32_t pixel_at(uint32_t x, uint32_t y)
{
    return 0x80000000 | y << 12 | x;
}

/* Every `scale`th pixel of it, in the upper left corner, and nothing elsewhere. */
static void check_corner(uint32_t width, uint32_t height, uint32_t scale)
{
    assert_true(vm.cursor.visible);
    assert_int_equal(vm.cursor.width, SIDE);
    assert_int_equal(vm.cursor.height, SIDE);
    assert_int_equal(vm.cursor.hot_x, 5 / scale);
    assert_int_equal(vm.cursor.hot_y, 6 / scale);
    for (uint32_t y = 0; y < SIDE; y++)
        for (uint32_t x = 0; x < SIDE; x++)
            assert_int_equal(vm.cursor_pixels[y * SIDE + x], x * scale < width && y * scale < height
                                                                 ? pixel_at(x * scale, y * scale)
                                                                 : 0);
}

static void test_sizes(void **state)
{
    (void)state;
    vm_start(NULL);
    static const struct {
        uint32_t width, height, scale;
    } images[] = {
        { 1, 1, 1 },    { 32, 32, 1 },   { 63, 64, 1 },  { 64, 63, 1 },   { 65, 64, 2 },
        { 64, 128, 2 }, { 128, 128, 2 }, { 129, 20, 3 }, { 192, 192, 3 }, { 256, 256, 4 },
    };
    for (uint32_t i = 0; i < COUNT(images); i++) {
        uint32_t width = images[i].width, height = images[i].height;
        for (uint32_t at = 0; at < width * height; at++)
            ((uint32_t *)vm.ram)[at] = le32(pixel_at(at % width, at / width));
        assert_ok(create_2d(i + 1, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, width, height));
        assert_ok(attach_ram(i + 1, RAM_ADDR, 4 * width * height));
        assert_ok(transfer(i + 1, rect(0, 0, width, height), 0));
        assert_ok(update(0, i + 1));
        check_corner(width, height, images[i].scale);
    }
}

/* A blob has no width: a square of a page is one of 32 by 32, what is larger than 64 by 64 begins with it. */
static void test_sizes_of_blobs(void **state)
{
    (void)state;
    vm_start(NULL);
    assert_ok(create_context(1));
    static const uint32_t sides[] = { 32, 64, 128 };
    for (uint32_t i = 0; i < COUNT(sides); i++) {
        uint32_t side = sides[i] < SIDE ? sides[i] : SIDE;
        assert_ok(create_host_blob(i + 1, (uint64_t)4 * sides[i] * sides[i]));
        for (uint32_t at = 0; at < side * side; at++)
            ((uint32_t *)fake_blob(i + 1))[at] = le32(pixel_at(at % side, at / side));
        assert_ok(update(0, i + 1));
        check_corner(side, side, 1);
    }
}

static void check_blob_image(void)
{
    assert_ok(update(0, 1));
    for (unsigned at = 0; at < SIDE * SIDE; at++)
        assert_int_equal(vm.cursor_pixels[at], at * 0x01010101);
}

static void fill_image(void *memory)
{
    for (uint32_t at = 0; at < SIDE * SIDE; at++)
        ((uint32_t *)memory)[at] = le32(at * 0x01010101);
}

static void test_guest_blob(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        vm_start(&(struct vm_options){ .private_ram = i == 1 });
        const struct virtio_gpu_mem_entry entries = entry(RAM_ADDR, IMAGE_SIZE);
        assert_ok(create_guest_blob(1, IMAGE_SIZE, &entries, 1));
        fill_image(vm.ram);
        check_blob_image();
        /* A new image in the same memory is seen when the guest says so. */
        memset(vm.ram, 0, IMAGE_SIZE);
        assert_ok(update(0, 1));
        assert_int_equal(vm.cursor_pixels[77], 0);
        fill_image(vm.ram);
        check_blob_image();

        assert_ok(create_guest_blob(2, IMAGE_SIZE - 1, &entries, 1));
        assert_error(update(0, 2), INVALID_PARAMETER);
        vm_stop();
    }
}

static void test_host_blob(void **state)
{
    (void)state;
    vm_start(NULL);
    assert_ok(create_context(1));
    assert_ok(create_host_blob(1, IMAGE_SIZE));
    fill_image(fake_blob(1));
    check_blob_image();
    assert_ok(create_host_blob(2, IMAGE_SIZE / 2));
    assert_error(update(0, 2), INVALID_PARAMETER);
}

static void test_reset_hides(void **state)
{
    (void)state;
    vm_start(NULL);
    make_image(1, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM);
    assert_ok(update(1, 1));
    vm_reset();
    assert_int_equal(vm.cursor_changes, 2);
    assert_int_equal(vm.cursor_scanout, 1);
    assert_false(vm.cursor.visible);
    vm_reset(); /* nothing to hide */
    assert_int_equal(vm.cursor_changes, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_formats),
        TEST(test_update),
        TEST(test_hide),
        TEST(test_move),
        TEST(test_no_response),
        TEST(test_errors),
        TEST(test_guest_blob),
        TEST(test_host_blob),
        TEST(test_reset_hides),
        TEST(test_move_hides),
        TEST(test_move_names_nothing),
        TEST(test_sizes),
        TEST(test_sizes_of_blobs),
        TEST(test_hot_spot_is_inside),
    };
    return RUN_TESTS(tests);
}
