/* SPDX-License-Identifier: MIT */
/*
 * What is painted where: only what changed, on each image of the ring; frames that are scaled to their
 * target; and the pointer on top of it all.
 */
#include <stdlib.h>

#include "screen.h"

/* The same numbers in each run. */
static uint32_t random_below(uint32_t limit)
{
    static uint32_t state = 1;
    state = state * 1664525u + 1013904223u;
    return (state >> 8) % limit;
}

/* ---- what the screen should show --------------------------------------------------------------- */

enum { MAX_PIXELS = 640 * 480, POINTER = 64, POINTER_ID = 90 };
#define POINTER_ADDR (RAM_ADDR + (12 << 20))

/* The frame that the guest shows: 0xffRRGGBB words in rows. */
static struct {
    uint32_t width, height;
    const struct venus_gpu_format *format;
    uint32_t pixels[MAX_PIXELS];
} frame;

/* The pointer on it, by its first pixel; and premultiplied 0xAARRGGBB words. */
static struct {
    bool visible;
    int32_t x, y;
    uint32_t pixels[POINTER * POINTER];
} pointer;

static int32_t channel(uint32_t colour, int shift)
{
    return (int32_t)(colour >> shift & 0xff);
}

/* Whether two colours are alike but for so much in each channel. */
static bool is_near(uint32_t a, uint32_t b, int32_t tolerance)
{
    for (int shift = 0; shift < 32; shift += 8) {
        if (abs(channel(a, shift) - channel(b, shift)) > tolerance)
            return false;
    }
    return true;
}

/* A premultiplied colour over an opaque one. */
static uint32_t over(uint32_t top, uint32_t bottom)
{
    uint32_t result = 0xff000000;
    for (int shift = 0; shift < 24; shift += 8) {
        int32_t shows = channel(bottom, shift) * (255 - channel(top, 24));
        result |= (uint32_t)(channel(top, shift) + (shows + 127) / 255) << shift;
    }
    return result;
}

/* A pixel of a frame that is not scaled. *tolerance: how exactly it is known. */
static uint32_t expected(uint32_t x, uint32_t y, int32_t *tolerance)
{
    uint32_t under = frame.pixels[y * frame.width + x];
    int64_t column = (int64_t)x - pointer.x, row = (int64_t)y - pointer.y;
    *tolerance = 0;
    if (!pointer.visible || column < 0 || column >= POINTER || row < 0 || row >= POINTER)
        return under;
    *tolerance = 1;
    return over(pointer.pixels[row * POINTER + column], under);
}

static void assert_pixel(uint32_t x, uint32_t y, uint32_t seen, uint32_t wanted, int32_t tolerance)
{
    if (is_near(seen, wanted, tolerance))
        return;
    print_error("pixel (%u, %u): expected %08x, seen %08x\n", x, y, wanted, seen);
    fail();
}

static void assert_screen(void)
{
    uint32_t *seen = read_screen(0, frame.width, frame.height);
    for (uint32_t y = 0; y < frame.height; y++) {
        for (uint32_t x = 0; x < frame.width; x++) {
            int32_t tolerance;
            uint32_t wanted = expected(x, y, &tolerance);
            assert_pixel(x, y, seen[y * frame.width + x], wanted, tolerance);
        }
    }
    free(seen);
}

/* ---- what the guest does ------------------------------------------------------------------------ */

static uint32_t *guest_pixel(uint32_t x, uint32_t y)
{
    return (uint32_t *)ram_at(RAM_ADDR) + y * frame.width + x;
}

/* Change a rectangle of the guest's picture to the pattern, or to one colour. */
static void draw_rect(uint32_t left, uint32_t top, uint32_t width, uint32_t height, uint32_t seed,
                      const uint32_t *colour)
{
    for (uint32_t y = top; y < top + height; y++) {
        for (uint32_t x = left; x < left + width; x++) {
            uint32_t value = colour ? *colour : pattern(x, y, seed);
            frame.pixels[y * frame.width + x] = value | 0xff000000;
            *guest_pixel(x, y) = le32(pixel_of(frame.format, value));
        }
    }
}

/* Scanout 0 shows resource 1 from now on: a picture of that size, filled with the pattern or a colour. */
static void show_picture(uint32_t format, uint32_t width, uint32_t height, uint32_t seed,
                         const uint32_t *colour)
{
    frame.format = venus_gpu_format_lookup(format);
    frame.width = width;
    frame.height = height;
    if (shown(0))
        assert_ok(unref(1));
    assert_ok(create_2d(1, format, width, height));
    assert_ok(attach_ram(1, RAM_ADDR, width * height * 4));
    draw_rect(0, 0, width, height, seed, colour);
    assert_ok(transfer(1, rect(0, 0, width, height), 0));
    assert_ok(set_scanout(0, 1, rect(0, 0, width, height)));
    assert_ok(flush(1, rect(0, 0, width, height)));
}

static void show_pattern(uint32_t width, uint32_t height, uint32_t seed)
{
    show_picture(VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, width, height, seed, NULL);
}

static void show_colour(uint32_t width, uint32_t height, uint32_t colour)
{
    show_picture(VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, width, height, 0, &colour);
}

/* Change a rectangle somewhere, and nothing else is transferred and flushed. */
static void change_something(uint32_t seed)
{
    uint32_t width = 1 + random_below(40), height = 1 + random_below(30);
    uint32_t x = random_below(frame.width - width + 1), y = random_below(frame.height - height + 1);
    draw_rect(x, y, width, height, seed, NULL);
    assert_ok(transfer(1, rect(x, y, width, height), ((uint64_t)y * frame.width + x) * 4));
    assert_ok(flush(1, rect(x, y, width, height)));
}

static void send_pointer(uint32_t type, uint32_t x, uint32_t y, uint32_t id, uint32_t hot_x,
                         uint32_t hot_y)
{
    struct virtio_gpu_update_cursor request = {
        .pos = { .x = le32(x), .y = le32(y) },
        .resource_id = le32(id),
        .hot_x = le32(hot_x),
        .hot_y = le32(hot_y),
    };
    request.hdr.type = le32(type);
    assert_ok(wait_for(send_on(VENUS_GPU_QUEUE_CURSOR, &request, sizeof(request), 24)));
}

static uint32_t hot_x, hot_y;

/* Put the pointer's hot spot there. */
static void move_pointer(uint32_t x, uint32_t y)
{
    send_pointer(VIRTIO_GPU_CMD_MOVE_CURSOR, x, y, 0, 0, 0);
    pointer.x = (int32_t)(x - hot_x);
    pointer.y = (int32_t)(y - hot_y);
}

/* A picture for the pointer: one colour, or if there is none, one in which each pixel has another. */
static void set_pointer(uint32_t x, uint32_t y, uint32_t new_hot_x, uint32_t new_hot_y,
                        const uint32_t *colour)
{
    uint32_t *guest = ram_at(POINTER_ADDR);
    for (uint32_t i = 0; i < POINTER * POINTER; i++) {
        uint32_t random = pattern(i % POINTER, i / POINTER, 77), alpha = random >> 24;
        pointer.pixels[i] = alpha << 24 | (random >> 16 & 0xff) * alpha / 255 << 16 |
                            (random >> 8 & 0xff) * alpha / 255 << 8 | (random & 0xff) * alpha / 255;
        if (colour)
            pointer.pixels[i] = *colour;
        guest[i] = le32(pointer.pixels[i]);
    }
    assert_ok(create_2d(POINTER_ID, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, POINTER, POINTER));
    assert_ok(attach_ram(POINTER_ID, POINTER_ADDR, POINTER * POINTER * 4));
    assert_ok(transfer(POINTER_ID, rect(0, 0, POINTER, POINTER), 0));
    send_pointer(VIRTIO_GPU_CMD_UPDATE_CURSOR, x, y, POINTER_ID, new_hot_x, new_hot_y);
    assert_ok(unref(POINTER_ID));
    pointer.visible = true;
    /* A hot spot is a pixel of the image. */
    hot_x = new_hot_x < POINTER ? new_hot_x : POINTER - 1;
    hot_y = new_hot_y < POINTER ? new_hot_y : POINTER - 1;
    pointer.x = (int32_t)(x - hot_x);
    pointer.y = (int32_t)(y - hot_y);
}

static void hide_pointer(void)
{
    send_pointer(VIRTIO_GPU_CMD_UPDATE_CURSOR, 0, 0, 0, 0, 0);
    pointer.visible = false;
}

/* A machine presented offscreen, with the pointer drawn. 0 x 0: as large as the frame. */
static void start(uint32_t width, uint32_t height)
{
    present_start(NULL);
    present_offscreen(0, width, height, true);
    pointer.visible = false;
}

/* ---- only what changed --------------------------------------------------------------------------- */

enum { CHANGES = 60 };

/* Every third change is not looked at, so that images catch up with more than one. */
static void change_and_compare(uint32_t format)
{
    show_picture(format, 200, 150, 0, NULL);
    assert_screen();
    for (uint32_t seed = 1; seed <= CHANGES; seed++) {
        change_something(seed);
        if (seed % 3)
            assert_screen();
    }
    assert_screen();
}

static void test_changes(void **state)
{
    (void)state;
    start(0, 0);
    change_and_compare(VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM);
    assert_int_equal(stat_value("present-gpu-copies"), CHANGES + 1);
}

static void test_changes_drawn(void **state)
{
    (void)state;
    start(0, 0);
    change_and_compare(VIRTIO_GPU_FORMAT_A8R8G8B8_UNORM);
    assert_int_equal(stat_value("present-gpu-draws"), CHANGES + 1);
}

/* Only the rows that an image needs are copied by the processor. */
static void test_changes_staged(void **state)
{
    (void)state;
    start(0, 0);
    shim_hide_extension("VK_EXT_external_memory_host");
    change_and_compare(VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM);
    assert_int_equal(stat_value("present-staging"), CHANGES + 1);
    assert_uint_in_range(stat_value("present-staging-bytes"), 1,
                         (CHANGES + 1) * frame.width * frame.height * 4 * 3 / 4);
}

static void test_changes_staged_drawn(void **state)
{
    (void)state;
    start(0, 0);
    shim_hide_extension("VK_EXT_external_memory_host");
    change_and_compare(VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM);
}

/* ---- scaled ---------------------------------------------------------------------------------------- */

static double frame_channel(int32_t x, int32_t y, int shift)
{
    int32_t right = (int32_t)frame.width - 1, bottom = (int32_t)frame.height - 1;
    x = x < 0 ? 0 : x > right ? right : x;
    y = y < 0 ? 0 : y > bottom ? bottom : y;
    return channel(frame.pixels[y * (int32_t)frame.width + x], shift);
}

/* Between four pixels of the frame, each counting for as much as it is near. */
static uint32_t between_pixels(double x, double y)
{
    uint32_t colour = 0xff000000;
    int32_t left = (int32_t)(x + 1) - 1, top = (int32_t)(y + 1) - 1; /* x, y > -1 */
    double right_part = x - left, lower_part = y - top;
    for (int shift = 0; shift < 24; shift += 8) {
        double upper = frame_channel(left, top, shift) * (1 - right_part) +
                       frame_channel(left + 1, top, shift) * right_part;
        double lower = frame_channel(left, top + 1, shift) * (1 - right_part) +
                       frame_channel(left + 1, top + 1, shift) * right_part;
        colour |= (uint32_t)(upper * (1 - lower_part) + lower * lower_part + 0.5) << shift;
    }
    return colour;
}

/* The frame is at that place of the target, and all around it is black. */
static void assert_scaled(uint32_t width, uint32_t height, uint32_t left, uint32_t top,
                          uint32_t place_width, uint32_t place_height)
{
    uint32_t *seen = read_screen(0, width, height);
    double x_scale = (double)frame.width / place_width;
    double y_scale = (double)frame.height / place_height;
    for (uint32_t y = 0; y < height; y++) {
        for (uint32_t x = 0; x < width; x++) {
            bool inside = x >= left && x - left < place_width && y >= top && y - top < place_height;
            uint32_t wanted = inside ? between_pixels((x - left + 0.5) * x_scale - 0.5,
                                                      (y - top + 0.5) * y_scale - 0.5)
                                     : 0xff000000;
            assert_pixel(x, y, seen[y * width + x], wanted, inside ? 1 : 0);
        }
    }
    free(seen);
}

/* As often as there are images, with a change each time. */
static void show_scaled(uint32_t width, uint32_t height, uint32_t left, uint32_t top,
                        uint32_t place_width, uint32_t place_height)
{
    for (uint32_t seed = 0; seed < 4; seed++) {
        change_something(seed);
        assert_scaled(width, height, left, top, place_width, place_height);
    }
}

static void test_twice_as_large(void **state)
{
    (void)state;
    start(240, 160);
    show_pattern(120, 80, 1);
    show_scaled(240, 160, 0, 0, 240, 160);
    assert_int_equal(stat_value("present-gpu-copies"), 0);
}

static void test_smaller(void **state)
{
    (void)state;
    start(97, 70);
    show_pattern(200, 150, 1);
    show_scaled(97, 70, 2, 0, 93, 70);
}

/* 4:3 on 16:9: bars on the left and on the right. */
static void test_bars_beside(void **state)
{
    (void)state;
    start(320, 180);
    show_pattern(80, 60, 2);
    show_scaled(320, 180, 40, 0, 240, 180);
}

/* 16:9 on 4:3: above and below. */
static void test_bars_above(void **state)
{
    (void)state;
    start(240, 180);
    show_pattern(320, 180, 3);
    show_scaled(240, 180, 0, 22, 240, 135);
}

/* One colour stays that colour up to the edge. */
static void test_solid(void **state)
{
    (void)state;
    start(320, 180);
    show_colour(80, 60, 0xff3480c7);
    uint32_t *seen = read_screen(0, 320, 180);
    for (uint32_t y = 0; y < 180; y++) {
        for (uint32_t x = 0; x < 320; x++)
            assert_pixel(x, y, seen[y * 320 + x], x >= 40 && x < 280 ? 0xff3480c7 : 0xff000000, 0);
    }
    free(seen);
}

/* Frames of other sizes come and go on a target whose size is its own. */
static void test_other_sizes(void **state)
{
    (void)state;
    start(320, 200);
    for (uint32_t i = 0; i < 3; i++) {
        show_pattern(640, 400, i);
        show_scaled(320, 200, 0, 0, 320, 200);
        show_pattern(320, 200, i + 10);
        for (uint32_t k = 0; k < 4; k++) {
            assert_screen();
            change_something(k);
        }
        show_pattern(80, 60, i + 20);
        show_scaled(320, 200, 27, 0, 266, 200);
    }
}

/* The same where the processor copies rows. */
static void test_other_sizes_staged(void **state)
{
    (void)state;
    start(320, 200);
    shim_hide_extension("VK_EXT_external_memory_host");
    for (uint32_t i = 0; i < 3; i++) {
        show_pattern(640, 400, i);
        for (uint32_t k = 0; k < 4; k++)
            change_something(k);
        show_pattern(320, 200, i);
        for (uint32_t k = 0; k < 4; k++) {
            assert_screen();
            change_something(k);
        }
    }
}

/* One pixel wide or high is a frame too. */
static void test_thin(void **state)
{
    (void)state;
    start(0, 0);
    show_pattern(1, 1, 4);
    assert_screen();
    show_pattern(1, 300, 5);
    assert_screen();
    show_pattern(640, 1, 6);
    assert_screen();
    vm_stop();
    start(100, 100);
    show_pattern(640, 1, 7); /* less than a row of the target, so one */
    free(read_screen(0, 100, 100));
}

/* ---- the pointer ----------------------------------------------------------------------------------- */

static void test_pointer(void **state)
{
    (void)state;
    start(0, 0);
    show_colour(200, 150, 0xff204060);
    set_pointer(50, 40, 0, 0, NULL);
    assert_screen();
    show_pattern(200, 150, 1);
    assert_screen();
    hide_pointer();
    assert_screen();
    set_pointer(10, 20, 0, 0, &(uint32_t){ 0x80402010 });
    assert_screen();
}

/* What was under it comes back. */
static void test_pointer_moves(void **state)
{
    (void)state;
    start(0, 0);
    show_pattern(200, 150, 2);
    set_pointer(0, 0, 0, 0, NULL);
    for (uint32_t i = 0; i < 20; i++) {
        move_pointer(random_below(200), random_below(150));
        assert_screen();
    }
}

static void test_pointer_at_edges(void **state)
{
    (void)state;
    start(0, 0);
    show_pattern(200, 150, 3);
    set_pointer(0, 0, 20, 30, NULL);
    assert_screen();
    static const uint32_t places[][2] = {
        { 199, 0 },
        { 0, 149 },
        { 199, 149 },
        { 100, 0 },
        { 100, 149 },
        { 0, 75 },
        { 199, 75 },
        { (uint32_t)-40, 75 },
        { 100, (uint32_t)-30 },
        { 219, 75 },
        { 220, 75 },
        { 100, 179 },
        { 100, 180 },
    };
    for (size_t i = 0; i < COUNT(places); i++) {
        move_pointer(places[i][0], places[i][1]);
        assert_screen();
    }
}

/* A target that comes later has the pointer that there is. */
static void test_pointer_of_before(void **state)
{
    (void)state;
    start(0, 0);
    show_pattern(200, 150, 5);
    set_pointer(50, 40, 3, 2, NULL);
    move_pointer(70, 60);
    assert_screen();
    present_offscreen(0, 0, 0, true);
    assert_screen();
}

/* One that is hidden for a while is there again, also where the target is another one by then. */
static void test_pointer_hidden_by_move(void **state)
{
    (void)state;
    start(0, 0);
    show_pattern(200, 150, 5);
    set_pointer(50, 40, 0, 0, NULL);
    send_pointer(VIRTIO_GPU_CMD_MOVE_CURSOR, 50, 40, POINTER_ID, 0, 0);
    assert_screen();
    send_pointer(VIRTIO_GPU_CMD_MOVE_CURSOR, 50, 40, 0, 0, 0);
    pointer.visible = false;
    assert_screen();
    present_offscreen(0, 0, 0, true);
    assert_screen();
    send_pointer(VIRTIO_GPU_CMD_MOVE_CURSOR, 50, 40, POINTER_ID, 0, 0);
    pointer.visible = true;
    assert_screen();
}

/* A guest may say that it is anywhere. */
static void test_pointer_far_away(void **state)
{
    (void)state;
    start(0, 0);
    show_pattern(200, 150, 4);
    set_pointer(0, 0, 5, 5, NULL);
    static const uint32_t far[] = { 0x7fffffff, 0x80000000, 0x80000004, 0xffffffff };
    for (size_t i = 0; i < COUNT(far); i++) {
        move_pointer(far[i], 20);
        assert_screen();
        move_pointer(20, far[i]);
        assert_screen();
    }
    set_pointer(30, 30, 0xffffffff, 0x80000000, NULL);
    assert_screen();
    set_pointer(0x80000000, 0x80000000, 0x80000000, 0x80000000, NULL);
    assert_screen();
}

/* The hot spot is what is at the pointer's place. */
static void test_pointer_hot_spot(void **state)
{
    (void)state;
    start(0, 0);
    show_colour(200, 150, 0xff000000);
    set_pointer(100, 70, 31, 7, &(uint32_t){ 0xffffffff });
    uint32_t *seen = read_screen(0, 200, 150);
    assert_int_equal(seen[63 * 200 + 69], 0xffffffff);
    assert_int_equal(seen[63 * 200 + 68], 0xff000000);
    assert_int_equal(seen[62 * 200 + 69], 0xff000000);
    assert_int_equal(seen[126 * 200 + 132], 0xffffffff);
    assert_int_equal(seen[127 * 200 + 132], 0xff000000);
    free(seen);
}

/* The frame changes under it, near it and far from it, while it moves. */
static void test_pointer_and_changes(void **state)
{
    (void)state;
    start(0, 0);
    show_pattern(200, 150, 5);
    set_pointer(60, 60, 10, 10, NULL);
    for (uint32_t seed = 1; seed <= CHANGES; seed++) {
        change_something(seed);
        if (seed % 4 == 0)
            move_pointer(random_below(200), random_below(150));
        if (seed % 3)
            assert_screen();
    }
    hide_pointer();
    assert_screen();
}

/* A frame that is drawn, not copied. */
static void test_pointer_drawn(void **state)
{
    (void)state;
    start(0, 0);
    show_picture(VIRTIO_GPU_FORMAT_X8B8G8R8_UNORM, 200, 150, 6, NULL);
    set_pointer(60, 60, 10, 10, NULL);
    for (uint32_t seed = 1; seed <= 8; seed++) {
        change_something(seed);
        move_pointer(seed * 20, seed * 15);
        assert_screen();
    }
}

/* It goes with the frame: twice as large, at twice the place, behind the bar. */
static void test_pointer_scaled(void **state)
{
    const uint32_t under = 0xff204060, on_top = 0x80402010;
    (void)state;
    start(500, 300);
    show_colour(200, 150, under);
    set_pointer(40, 30, 0, 0, &on_top);
    static const uint32_t places[][2] = {
        { 40, 30 }, { (uint32_t)-10, 20 }, { 60, (uint32_t)-50 }, { 70, 120 }, { 130, 80 }
    };
    for (size_t i = 0; i < COUNT(places); i++) {
        move_pointer(places[i][0], places[i][1]);
        int32_t left = 50 + 2 * pointer.x, top = 2 * pointer.y;
        uint32_t *seen = read_screen(0, 500, 300);
        for (int32_t y = 0; y < 300; y++) {
            for (int32_t x = 50; x < 450; x++) {
                bool covered = x >= left && x < left + 128 && y >= top && y < top + 128;
                assert_pixel((uint32_t)x, (uint32_t)y, seen[y * 500 + x],
                             covered ? over(on_top, under) : under, covered ? 1 : 0);
            }
            /* And the bars stay black, also where it leaves the frame. */
            for (int32_t x = 0; x < 50; x++) {
                assert_pixel((uint32_t)x, (uint32_t)y, seen[y * 500 + x], 0xff000000, 0);
                assert_pixel((uint32_t)x + 450, (uint32_t)y, seen[y * 500 + x + 450], 0xff000000,
                             0);
            }
        }
        free(seen);
    }
}

/* In a large window a tiny frame's pointer is larger than any viewport can be; what is seen of it is not. */
static void test_pointer_over_tiny_frame(void **state)
{
    enum { WIDTH = 1200, HEIGHT = 600 };
    const uint32_t under = 0xff204060, on_top = 0xff80c010;
    (void)state;
    start(WIDTH, HEIGHT);
    show_colour(2, 1, under);
    set_pointer(1, 0, 0, 0, &on_top);
    uint32_t *seen = read_screen(0, WIDTH, HEIGHT);
    for (uint32_t y = 0; y < HEIGHT; y++) {
        for (uint32_t x = 0; x < WIDTH; x++)
            assert_pixel(x, y, seen[y * WIDTH + x], x < WIDTH / 2 ? under : on_top, 0);
    }
    free(seen);
    assert_true(shim_largest_viewport() <= WIDTH);
}

/* A smaller frame under a pointer that was where no frame is now. */
static void test_pointer_and_other_sizes(void **state)
{
    (void)state;
    start(200, 150);
    show_pattern(400, 300, 7);
    set_pointer(330, 230, 0, 0, NULL);
    for (uint32_t i = 0; i < 4; i++)
        change_something(i);
    show_pattern(200, 150, 8);
    assert_screen();
    move_pointer(150, 100);
    assert_screen();
}

/* Somebody else draws it: then it is not on the picture. */
static void test_pointer_of_others(void **state)
{
    (void)state;
    present_start(NULL);
    present_offscreen(0, 0, 0, false);
    show_pattern(200, 150, 9);
    set_pointer(20, 20, 0, 0, NULL);
    pointer.visible = false;
    assert_screen();
    change_something(1);
    assert_screen();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PRESENT_TEST(test_changes),
        PRESENT_TEST(test_changes_drawn),
        PRESENT_TEST(test_changes_staged),
        PRESENT_TEST(test_changes_staged_drawn),
        PRESENT_TEST(test_twice_as_large),
        PRESENT_TEST(test_smaller),
        PRESENT_TEST(test_bars_beside),
        PRESENT_TEST(test_bars_above),
        PRESENT_TEST(test_solid),
        PRESENT_TEST(test_other_sizes),
        PRESENT_TEST(test_other_sizes_staged),
        PRESENT_TEST(test_thin),
        PRESENT_TEST(test_pointer),
        PRESENT_TEST(test_pointer_moves),
        PRESENT_TEST(test_pointer_at_edges),
        PRESENT_TEST(test_pointer_of_before),
        PRESENT_TEST(test_pointer_hidden_by_move),
        PRESENT_TEST(test_pointer_far_away),
        PRESENT_TEST(test_pointer_hot_spot),
        PRESENT_TEST(test_pointer_and_changes),
        PRESENT_TEST(test_pointer_drawn),
        PRESENT_TEST(test_pointer_scaled),
        PRESENT_TEST(test_pointer_over_tiny_frame),
        PRESENT_TEST(test_pointer_and_other_sizes),
        PRESENT_TEST(test_pointer_of_others),
    };
    return RUN_TESTS(tests);
}
