/* SPDX-License-Identifier: MIT */
/*
 * See wayland-seat.h.
 *
 * The compositor sends keys as linux/input-event-codes.h has them, and that is what the guest's keyboard
 * driver wants: the keymap is not looked at, since the guest has its own.
 *
 * When the focus goes, the compositor says so and sends no more, not even the releases of what is held
 * down. So each seat keeps what it told the listener to be pressed, and releases that itself. What is
 * held down when the focus comes (Alt, after Alt+Tab) was not pressed for the guest, which never hears
 * of it, nor of its release.
 */
#include "present/wayland-seat.h"

#include <linux/input-event-codes.h>
#include <stdlib.h>
#include <unistd.h>

enum { WORD_BITS = 32 };

/* Which codes are pressed. */
struct pressed {
    uint32_t words[KEY_CNT / WORD_BITS];
};

/*
 * Scrolling along one axis, in 1/SCROLL_STEP steps, so that what each version of the protocol counts in
 * is a whole number of them: 1/120 of a step, steps, or where neither is said 10 units of distance,
 * which come in 1/256. What is not yet a step is kept for the next time.
 */
enum {
    SCROLL_STEP = 120 * 256,
    SCROLL_120TH = SCROLL_STEP / 120,
    SCROLL_FIXED = SCROLL_STEP / (10 * 256),
};
struct scroll {
    int64_t rest;
    /* Of the frame of events that is being received. */
    int64_t distance, steps;
    bool has_steps; /* then the distance says the same again */
};

struct wayland_seat {
    struct wl_list link;
    struct surface *surface;
    struct wl_seat *proxy;
    uint32_t name;

    struct wl_keyboard *keyboard; /* NULL: has none; and likewise: */
    struct wl_pointer *pointer;
    bool has_focus;   /* of the keyboard */
    bool has_pointer; /* it is inside the surface */
    struct pressed keys, buttons;
    struct scroll scroll[2]; /* by WL_POINTER_AXIS_* */
};

/* ---- what the listener hears -------------------------------------------------------------------- */

static void send_input(struct wayland_seat *seat, const struct venus_gpu_input *input)
{
    seat->surface->listener->input(seat->surface->opaque, input);
}

/* One that is pressed twice, or released without having been pressed, is not news. */
static void send_press(struct wayland_seat *seat, struct pressed *all,
                       enum venus_gpu_input_type type, uint32_t code, bool pressed)
{
    if (code >= KEY_CNT)
        return;
    uint32_t *word = &all->words[code / WORD_BITS], bit = UINT32_C(1) << code % WORD_BITS;
    if (!(*word & bit) == !pressed)
        return;
    *word ^= bit;
    const struct venus_gpu_input input = { .type = type, .code = code, .pressed = pressed };
    send_input(seat, &input);
}

static void release_all(struct wayland_seat *seat, struct pressed *all,
                        enum venus_gpu_input_type type)
{
    for (uint32_t code = 0; code < KEY_CNT; code++)
        send_press(seat, all, type, code, false);
}

static void leave_keyboard(struct wayland_seat *seat)
{
    seat->has_focus = false;
    release_all(seat, &seat->keys, VENUS_GPU_INPUT_KEY);
}

/* The compositor may take the pointer in the midst of a click, to move the window with it. */
static void leave_pointer(struct wayland_seat *seat)
{
    seat->has_pointer = false;
    release_all(seat, &seat->buttons, VENUS_GPU_INPUT_BUTTON);
    for (unsigned axis = 0; axis < 2; axis++)
        seat->scroll[axis] = (struct scroll){ 0 };
}

/* While a button is held the pointer is ours outside of the surface also. */
static int32_t inside(wl_fixed_t position, uint32_t size)
{
    int32_t pixel = wl_fixed_to_int(position);
    if (pixel < 0 || !size)
        return 0;
    return (uint32_t)pixel < size ? pixel : (int32_t)(size - 1);
}

static void send_motion(struct wayland_seat *seat, wl_fixed_t x, wl_fixed_t y)
{
    const struct venus_gpu_input input = {
        .type = VENUS_GPU_INPUT_MOTION,
        .x = inside(x, seat->surface->width),
        .y = inside(y, seat->surface->height),
    };
    send_input(seat, &input);
}

/* ---- wl_keyboard -------------------------------------------------------------------------------- */

static void keyboard_keymap(void *data, struct wl_keyboard *keyboard, uint32_t format, int32_t fd,
                            uint32_t size)
{
    (void)data, (void)keyboard, (void)format, (void)size;
    close(fd);
}

static void keyboard_enter(void *data, struct wl_keyboard *keyboard, uint32_t serial,
                           struct wl_surface *surface, struct wl_array *keys)
{
    (void)keyboard, (void)serial, (void)surface, (void)keys;
    struct wayland_seat *seat = data;
    seat->has_focus = true;
}

static void keyboard_leave(void *data, struct wl_keyboard *keyboard, uint32_t serial,
                           struct wl_surface *surface)
{
    (void)keyboard, (void)serial, (void)surface;
    leave_keyboard(data);
}

static void keyboard_key(void *data, struct wl_keyboard *keyboard, uint32_t serial, uint32_t time,
                         uint32_t key, uint32_t state)
{
    (void)keyboard, (void)serial, (void)time;
    struct wayland_seat *seat = data;
    if (seat->has_focus)
        send_press(seat, &seat->keys, VENUS_GPU_INPUT_KEY, key,
                   state == WL_KEYBOARD_KEY_STATE_PRESSED);
}

static void keyboard_modifiers(void *data, struct wl_keyboard *keyboard, uint32_t serial,
                               uint32_t depressed, uint32_t latched, uint32_t locked,
                               uint32_t group)
{
    (void)data, (void)keyboard, (void)serial;
    (void)depressed, (void)latched, (void)locked, (void)group;
}

static void keyboard_repeat_info(void *data, struct wl_keyboard *keyboard, int32_t rate,
                                 int32_t delay)
{
    (void)data, (void)keyboard, (void)rate, (void)delay;
}

static const struct wl_keyboard_listener keyboard_listener = {
    .keymap = keyboard_keymap,
    .enter = keyboard_enter,
    .leave = keyboard_leave,
    .key = keyboard_key,
    .modifiers = keyboard_modifiers,
    .repeat_info = keyboard_repeat_info,
};

/* ---- wl_pointer --------------------------------------------------------------------------------- */

/* No picture for the pointer: the guest's own is in the frame. */
static void pointer_enter(void *data, struct wl_pointer *pointer, uint32_t serial,
                          struct wl_surface *surface, wl_fixed_t x, wl_fixed_t y)
{
    (void)surface;
    struct wayland_seat *seat = data;
    wl_pointer_set_cursor(pointer, serial, NULL, 0, 0);
    seat->has_pointer = true;
    send_motion(seat, x, y);
}

static void pointer_leave(void *data, struct wl_pointer *pointer, uint32_t serial,
                          struct wl_surface *surface)
{
    (void)pointer, (void)serial, (void)surface;
    leave_pointer(data);
}

static void pointer_motion(void *data, struct wl_pointer *pointer, uint32_t time, wl_fixed_t x,
                           wl_fixed_t y)
{
    (void)pointer, (void)time;
    struct wayland_seat *seat = data;
    if (seat->has_pointer)
        send_motion(seat, x, y);
}

static void pointer_button(void *data, struct wl_pointer *pointer, uint32_t serial, uint32_t time,
                           uint32_t button, uint32_t state)
{
    (void)pointer, (void)serial, (void)time;
    struct wayland_seat *seat = data;
    if (seat->has_pointer)
        send_press(seat, &seat->buttons, VENUS_GPU_INPUT_BUTTON, button,
                   state == WL_POINTER_BUTTON_STATE_PRESSED);
}

/* NULL: an axis that was not heard of yet, or no scrolling of ours. */
static struct scroll *find_scroll(struct wayland_seat *seat, uint32_t axis)
{
    return seat->has_pointer && axis < 2 ? &seat->scroll[axis] : NULL;
}

static void pointer_axis(void *data, struct wl_pointer *pointer, uint32_t time, uint32_t axis,
                         wl_fixed_t value)
{
    (void)pointer, (void)time;
    struct scroll *scroll = find_scroll(data, axis);
    if (scroll)
        scroll->distance += (int64_t)value * SCROLL_FIXED;
}

static void add_steps(struct wayland_seat *seat, uint32_t axis, int64_t steps)
{
    struct scroll *scroll = find_scroll(seat, axis);
    if (!scroll)
        return;
    scroll->steps += steps;
    scroll->has_steps = true;
}

static void pointer_axis_discrete(void *data, struct wl_pointer *pointer, uint32_t axis,
                                  int32_t steps)
{
    (void)pointer;
    add_steps(data, axis, (int64_t)steps * SCROLL_STEP);
}

static void pointer_axis_value120(void *data, struct wl_pointer *pointer, uint32_t axis,
                                  int32_t value)
{
    (void)pointer;
    add_steps(data, axis, (int64_t)value * SCROLL_120TH);
}

static void pointer_axis_source(void *data, struct wl_pointer *pointer, uint32_t source)
{
    (void)data, (void)pointer, (void)source;
}

static void pointer_axis_stop(void *data, struct wl_pointer *pointer, uint32_t time, uint32_t axis)
{
    (void)pointer, (void)time;
    struct scroll *scroll = find_scroll(data, axis);
    if (scroll)
        scroll->rest = 0;
}

/* The whole steps along an axis since the last time. */
static int32_t take_steps(struct scroll *scroll)
{
    int64_t sum = scroll->rest + (scroll->has_steps ? scroll->steps : scroll->distance);
    *scroll = (struct scroll){ .rest = sum % SCROLL_STEP };
    return (int32_t)(sum / SCROLL_STEP);
}

static void pointer_frame(void *data, struct wl_pointer *pointer)
{
    (void)pointer;
    struct wayland_seat *seat = data;
    const struct venus_gpu_input input = {
        .type = VENUS_GPU_INPUT_SCROLL,
        .x = take_steps(&seat->scroll[WL_POINTER_AXIS_HORIZONTAL_SCROLL]),
        .y = take_steps(&seat->scroll[WL_POINTER_AXIS_VERTICAL_SCROLL]),
    };
    if (input.x || input.y)
        send_input(seat, &input);
}

static const struct wl_pointer_listener pointer_listener = {
    .enter = pointer_enter,
    .leave = pointer_leave,
    .motion = pointer_motion,
    .button = pointer_button,
    .axis = pointer_axis,
    .frame = pointer_frame,
    .axis_source = pointer_axis_source,
    .axis_stop = pointer_axis_stop,
    .axis_discrete = pointer_axis_discrete,
    .axis_value120 = pointer_axis_value120,
};

/* ---- wl_seat ------------------------------------------------------------------------------------ */

static void get_keyboard(struct wayland_seat *seat)
{
    seat->keyboard = wl_seat_get_keyboard(seat->proxy);
    if (seat->keyboard)
        wl_keyboard_add_listener(seat->keyboard, &keyboard_listener, seat);
}

static void get_pointer(struct wayland_seat *seat)
{
    seat->pointer = wl_seat_get_pointer(seat->proxy);
    if (seat->pointer)
        wl_pointer_add_listener(seat->pointer, &pointer_listener, seat);
}

static void put_keyboard(struct wayland_seat *seat)
{
    if (seat->keyboard)
        wl_keyboard_release(seat->keyboard);
    seat->keyboard = NULL;
}

static void put_pointer(struct wayland_seat *seat)
{
    if (seat->pointer)
        wl_pointer_release(seat->pointer);
    seat->pointer = NULL;
}

static void seat_capabilities(void *data, struct wl_seat *proxy, uint32_t capabilities)
{
    (void)proxy;
    struct wayland_seat *seat = data;
    bool keyboard = capabilities & WL_SEAT_CAPABILITY_KEYBOARD;
    bool pointer = capabilities & WL_SEAT_CAPABILITY_POINTER;
    if (keyboard && !seat->keyboard)
        get_keyboard(seat);
    if (pointer && !seat->pointer)
        get_pointer(seat);
    if (!keyboard && seat->keyboard) {
        leave_keyboard(seat);
        put_keyboard(seat);
    }
    if (!pointer && seat->pointer) {
        leave_pointer(seat);
        put_pointer(seat);
    }
}

static void seat_name(void *data, struct wl_seat *proxy, const char *name)
{
    (void)data, (void)proxy, (void)name;
}

static const struct wl_seat_listener seat_listener = {
    .capabilities = seat_capabilities,
    .name = seat_name,
};

static void destroy_seat(struct wayland_seat *seat)
{
    wl_list_remove(&seat->link);
    put_keyboard(seat);
    put_pointer(seat);
    wl_seat_release(seat->proxy);
    free(seat);
}

/* ---- all of them -------------------------------------------------------------------------------- */

void wayland_seats_add(struct wl_list *seats, struct surface *surface, struct wl_seat *proxy,
                       uint32_t name)
{
    struct wayland_seat *seat = calloc(1, sizeof(*seat));
    if (!seat) {
        wl_seat_release(proxy);
        return;
    }
    seat->surface = surface;
    seat->proxy = proxy;
    seat->name = name;
    wl_list_insert(seats, &seat->link);
    wl_seat_add_listener(proxy, &seat_listener, seat);
}

void wayland_seats_remove(struct wl_list *seats, uint32_t name)
{
    struct wayland_seat *seat, *next;
    wl_list_for_each_safe(seat, next, seats, link) {
        if (seat->name != name)
            continue;
        leave_keyboard(seat);
        leave_pointer(seat);
        destroy_seat(seat);
    }
}

void wayland_seats_leave(struct wl_list *seats)
{
    struct wayland_seat *seat;
    wl_list_for_each(seat, seats, link) {
        leave_keyboard(seat);
        leave_pointer(seat);
    }
}

void wayland_seats_destroy(struct wl_list *seats)
{
    struct wayland_seat *seat, *next;
    wl_list_for_each_safe(seat, next, seats, link)
        destroy_seat(seat);
}
