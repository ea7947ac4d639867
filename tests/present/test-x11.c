/* SPDX-License-Identifier: MIT */
/*
 * In a real X server (Xvfb): the child window shows the frame to the bit, follows its parent, and its end,
 * the parent's or the server's is not the machine's.
 */
#include <stdlib.h>
#include <unistd.h>

#include "screen.h"
#include "x-server.h"

enum { SCREEN_WIDTH = 1000, SCREEN_HEIGHT = 800, WIDTH = 400, HEIGHT = 300, X = 50, Y = 40 };

static xcb_window_t parent;

static xcb_window_t create_window(int16_t x, int16_t y, uint16_t width, uint16_t height)
{
    xcb_window_t window = xcb_generate_id(x_server.connection);
    xcb_create_window(x_server.connection, XCB_COPY_FROM_PARENT, window, x_server.screen->root, x,
                      y, width, height, 0, XCB_WINDOW_CLASS_INPUT_OUTPUT, XCB_COPY_FROM_PARENT, 0,
                      NULL);
    xcb_map_window(x_server.connection, window);
    x_server_sync();
    return window;
}

static void resize_window(xcb_window_t window, uint16_t width, uint16_t height)
{
    const uint32_t size[] = { width, height };
    xcb_configure_window(x_server.connection, window,
                         XCB_CONFIG_WINDOW_WIDTH | XCB_CONFIG_WINDOW_HEIGHT, size);
    x_server_sync();
}

static void resize_parent(uint16_t width, uint16_t height)
{
    resize_window(parent, width, height);
}

/* The child that the presenter made, or 0. */
static xcb_window_t find_child(void)
{
    xcb_query_tree_reply_t *tree = xcb_query_tree_reply(
        x_server.connection, xcb_query_tree(x_server.connection, parent), NULL);
    xcb_window_t child = 0;
    if (tree && xcb_query_tree_children_length(tree) > 0)
        child = xcb_query_tree_children(tree)[0];
    free(tree);
    return child;
}

/* Whether the screen shows the pattern at the parent's place. */
static bool shows(uint32_t width, uint32_t height, uint32_t seed)
{
    return x_server_shows(X, Y, width, height, seed);
}

static void present_in(unsigned scanout, xcb_window_t window)
{
    const struct venus_gpu_target target = {
        .size = sizeof(target),
        .kind = VENUS_GPU_TARGET_X11,
        .display = x_server.display,
        .window = window,
    };
    assert_int_equal(venus_gpu_present(vm.gpu, scanout, &target), 0);
}

static void present_x11(void)
{
    present_in(0, parent);
}

static void start(void)
{
    x_server_start(SCREEN_WIDTH, SCREEN_HEIGHT);
    parent = create_window(X, Y, WIDTH, HEIGHT);
    present_start(NULL);
    present_x11();
}

static int end(void **state)
{
    int ret = vm_teardown(state);
    x_server_stop();
    return ret;
}

static void fill_and_flush(uint32_t id, uint32_t width, uint32_t height, uint32_t seed)
{
    fill_pattern(ram_at(RAM_ADDR), venus_gpu_format_lookup(VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM), width,
                 height, width * 4, 0, 0, seed);
    assert_ok(transfer(id, rect(0, 0, width, height), 0));
    assert_ok(flush(id, rect(0, 0, width, height)));
}

static void test_shows(void **state)
{
    (void)state;
    start();
    show_2d(1, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, WIDTH, HEIGHT, 1);
    eventually(shows(WIDTH, HEIGHT, 1));
    fill_and_flush(1, WIDTH, HEIGHT, 2);
    eventually(shows(WIDTH, HEIGHT, 2));
    assert_int_equal(stat_value("present-staging"), 0);
    assert_int_equal(count_present_ends(), 0);
}

/* The child wants no input of any kind: it goes to the parent. */
static void test_takes_no_input(void **state)
{
    (void)state;
    start();
    show_2d(1, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, WIDTH, HEIGHT, 1);
    eventually(shows(WIDTH, HEIGHT, 1));
    const uint32_t input = XCB_EVENT_MASK_KEY_PRESS | XCB_EVENT_MASK_KEY_RELEASE |
                           XCB_EVENT_MASK_BUTTON_PRESS | XCB_EVENT_MASK_BUTTON_RELEASE |
                           XCB_EVENT_MASK_POINTER_MOTION | XCB_EVENT_MASK_ENTER_WINDOW |
                           XCB_EVENT_MASK_LEAVE_WINDOW | XCB_EVENT_MASK_FOCUS_CHANGE;
    xcb_get_window_attributes_reply_t *attributes = xcb_get_window_attributes_reply(
        x_server.connection, xcb_get_window_attributes(x_server.connection, find_child()), NULL);
    assert_non_null(attributes);
    assert_int_equal(attributes->all_event_masks & input, 0);
    assert_int_equal(attributes->do_not_propagate_mask, 0);
    free(attributes);
}

/* The window first, as a person does, then the guest, as its driver answers. */
static void test_resize(void **state)
{
    (void)state;
    start();
    show_2d(1, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, WIDTH, HEIGHT, 1);
    eventually(shows(WIDTH, HEIGHT, 1));
    uint64_t redraws = stat_value("present-redraws");
    resize_parent(WIDTH * 2, HEIGHT * 2);
    eventually(stat_value("present-redraws") > redraws); /* scaled */
    show_2d(2, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, WIDTH * 2, HEIGHT * 2, 2);
    eventually(shows(WIDTH * 2, HEIGHT * 2, 2));
    resize_parent(WIDTH / 2, HEIGHT / 2);
    show_2d(3, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, WIDTH / 2, HEIGHT / 2, 3);
    eventually(shows(WIDTH / 2, HEIGHT / 2, 3));
    assert_int_equal(count_present_ends(), 0);
}

/* Nobody waits for a window that nobody sees, and it catches up afterwards. */
static void test_minimised(void **state)
{
    (void)state;
    start();
    show_2d(1, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, WIDTH, HEIGHT, 1);
    eventually(shows(WIDTH, HEIGHT, 1));
    xcb_unmap_window(x_server.connection, parent);
    x_server_sync();
    uint64_t dropped = stat_value("present-dropped");
    for (uint32_t i = 0; stat_value("present-dropped") < dropped + 10; i++)
        fill_and_flush(1, WIDTH, HEIGHT, 10 + i);
    fill_and_flush(1, WIDTH, HEIGHT, 5);
    xcb_map_window(x_server.connection, parent);
    x_server_sync();
    eventually(shows(WIDTH, HEIGHT, 5));
}

static void test_covered(void **state)
{
    (void)state;
    start();
    show_2d(1, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, WIDTH, HEIGHT, 1);
    eventually(shows(WIDTH, HEIGHT, 1));
    xcb_window_t cover = create_window(0, 0, SCREEN_WIDTH, SCREEN_HEIGHT);
    uint64_t dropped = stat_value("present-dropped");
    for (uint32_t i = 0; stat_value("present-dropped") < dropped + 10; i++)
        fill_and_flush(1, WIDTH, HEIGHT, 10 + i);
    fill_and_flush(1, WIDTH, HEIGHT, 5);
    xcb_destroy_window(x_server.connection, cover);
    x_server_sync();
    eventually(shows(WIDTH, HEIGHT, 5));
}

/* What a window that passed over it has wiped out comes back, though the guest draws nothing. */
static void test_exposed(void **state)
{
    (void)state;
    start();
    show_2d(1, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, WIDTH, HEIGHT, 1);
    eventually(shows(WIDTH, HEIGHT, 1));
    uint64_t frames = stat_value("present-frames");
    for (int i = 0; i < 3; i++) {
        xcb_window_t cover = create_window((int16_t)(X + 90 * i), Y + 50, 200, 100);
        xcb_change_window_attributes(x_server.connection, cover, XCB_CW_BACK_PIXEL,
                                     &x_server.screen->white_pixel);
        xcb_clear_area(x_server.connection, 0, cover, 0, 0, 0, 0);
        x_server_sync();
        eventually(!shows(WIDTH, HEIGHT, 1));
        xcb_destroy_window(x_server.connection, cover);
        x_server_sync();
        eventually(shows(WIDTH, HEIGHT, 1));
    }
    assert_int_equal(stat_value("present-frames"), frames);
}

/* When the scanout shows nothing, the parent is to be seen. */
static void test_blank(void **state)
{
    (void)state;
    start();
    show_2d(1, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, WIDTH, HEIGHT, 1);
    eventually(shows(WIDTH, HEIGHT, 1));
    assert_ok(set_scanout(0, 0, rect(0, 0, 0, 0)));
    eventually(find_child());
    xcb_window_t child = find_child();
    bool unmapped = false;
    for (int i = 0; i < 1000 && !unmapped; i++) {
        xcb_get_window_attributes_reply_t *attributes = xcb_get_window_attributes_reply(
            x_server.connection, xcb_get_window_attributes(x_server.connection, child), NULL);
        unmapped = attributes && attributes->map_state == XCB_MAP_STATE_UNMAPPED;
        free(attributes);
        usleep(10000);
    }
    assert_true(unmapped);
    show_2d(2, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, WIDTH, HEIGHT, 2);
    eventually(shows(WIDTH, HEIGHT, 2));
}

/* After the end flushes go to the front end again, and a new target can be had. */
static void assert_ended(void)
{
    wait_for_present_ends(1);
    assert_string_not_equal(vm.present_why, "-");
    unsigned before = count_flushes();
    assert_ok(flush(1, rect(0, 0, WIDTH, HEIGHT)));
    assert_int_equal(count_flushes(), before + 1);
    present_offscreen(0, 0, 0, false);
    fill_and_flush(1, WIDTH, HEIGHT, 9);
    assert_shows_pattern(0, WIDTH, HEIGHT, 0, 0, 9);
    assert_int_equal(count_present_ends(), 1);
}

static void test_child_destroyed(void **state)
{
    (void)state;
    start();
    show_2d(1, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, WIDTH, HEIGHT, 1);
    eventually(shows(WIDTH, HEIGHT, 1));
    xcb_destroy_window(x_server.connection, find_child());
    x_server_sync();
    assert_ended();
}

static void test_parent_destroyed(void **state)
{
    (void)state;
    start();
    show_2d(1, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, WIDTH, HEIGHT, 1);
    eventually(shows(WIDTH, HEIGHT, 1));
    xcb_destroy_window(x_server.connection, parent);
    x_server_sync();
    assert_ended();
}

/* The same while a guest flushes as fast as it can. */
static void test_parent_destroyed_under_load(void **state)
{
    (void)state;
    start();
    show_2d(1, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, WIDTH, HEIGHT, 1);
    eventually(shows(WIDTH, HEIGHT, 1));
    for (int i = 0; i < 20; i++)
        assert_ok(flush(1, rect(0, 0, WIDTH, HEIGHT)));
    xcb_destroy_window(x_server.connection, parent);
    xcb_flush(x_server.connection);
    while (!count_present_ends())
        assert_ok(flush(1, rect(0, 0, WIDTH, HEIGHT)));
    assert_ended();
}

static void test_server_killed(void **state)
{
    (void)state;
    start();
    show_2d(1, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, WIDTH, HEIGHT, 1);
    eventually(shows(WIDTH, HEIGHT, 1));
    x_server_kill();
    assert_ended();
}

static void test_no_server(void **state)
{
    (void)state;
    start();
    show_2d(1, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, WIDTH, HEIGHT, 1);
    x_server_kill();
    wait_for_present_ends(1);
    present_x11();
    wait_for_present_ends(2);
    assert_non_null(strstr(vm.present_why, x_server.display));
}

static void test_no_window(void **state)
{
    (void)state;
    start();
    parent = 0x7fffff;
    present_x11();
    wait_for_present_ends(1);
    assert_non_null(strstr(vm.present_why, "0x7fffff"));
}

/* An output with a window and a resource of its own. */
struct output {
    int16_t x, y;
    uint16_t width, height; /* in the end */
    xcb_window_t window;
};

/* A picture of that size on the scanout, whose resource is number scanout + 1. */
static void show_on(unsigned scanout, uint32_t width, uint32_t height, uint32_t seed)
{
    uint32_t id = scanout + 1;
    fill_pattern(ram_at(RAM_ADDR), venus_gpu_format_lookup(VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM), width,
                 height, width * 4, 0, 0, seed);
    assert_ok(create_2d(id, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, width, height));
    assert_ok(attach_ram(id, RAM_ADDR, width * height * 4));
    assert_ok(transfer(id, rect(0, 0, width, height), 0));
    assert_ok(set_scanout(scanout, id, rect(0, 0, width, height)));
    assert_ok(flush(id, rect(0, 0, width, height)));
}

/* Three outputs. Both sides change sizes as they like; in the end both have the same again. */
static void test_random_resizes(void **state)
{
    enum { ROUNDS = 500 };
    struct output outputs[] = { { 50, 40, 400, 300, 0 },
                                { 500, 40, 320, 240, 0 },
                                { 50, 400, 200, 160, 0 } };
    const struct vm_options options = { .num_outputs = COUNT(outputs) };
    uint32_t random = 12345;
    (void)state;
    x_server_start(SCREEN_WIDTH, SCREEN_HEIGHT);
    for (unsigned i = 0; i < COUNT(outputs); i++)
        outputs[i].window =
            create_window(outputs[i].x, outputs[i].y, outputs[i].width, outputs[i].height);
    present_start(&options);
    for (unsigned i = 0; i < COUNT(outputs); i++) {
        present_in(i, outputs[i].window);
        show_on(i, outputs[i].width, outputs[i].height, i);
    }
    for (uint32_t round = 0; round < ROUNDS; round++) {
        random = random * 1103515245 + 12345;
        uint32_t width = 16 + (random >> 8) % 600, height = 16 + (random >> 18) % 500;
        unsigned which = (random >> 16) % COUNT(outputs);
        if (random >> 30 & 1) {
            resize_window(outputs[which].window, (uint16_t)width, (uint16_t)height);
            assert_ok(flush(which + 1, rect(0, 0, 1, 1)));
        } else {
            assert_ok(unref(which + 1));
            show_on(which, width, height, round);
        }
    }
    for (unsigned i = 0; i < COUNT(outputs); i++) {
        assert_ok(unref(i + 1));
        resize_window(outputs[i].window, outputs[i].width, outputs[i].height);
        show_on(i, outputs[i].width, outputs[i].height, 77 + i);
    }
    for (unsigned i = 0; i < COUNT(outputs); i++)
        eventually(x_server_shows(outputs[i].x, outputs[i].y, outputs[i].width, outputs[i].height,
                                  77 + i));
    assert_int_equal(count_present_ends(), 0);
}

#undef TEST
#define TEST(function) cmocka_unit_test_teardown(function, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_shows),
        TEST(test_takes_no_input),
        TEST(test_resize),
        TEST(test_minimised),
        TEST(test_covered),
        TEST(test_exposed),
        TEST(test_blank),
        TEST(test_child_destroyed),
        TEST(test_parent_destroyed),
        TEST(test_parent_destroyed_under_load),
        TEST(test_server_killed),
        TEST(test_no_server),
        TEST(test_no_window),
        TEST(test_random_resizes),
    };
    return RUN_TESTS(tests);
}
