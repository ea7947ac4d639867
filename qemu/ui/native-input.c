/*
 * Input from a window that is no display's of QEMU's
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "standard-headers/linux/input-event-codes.h"
#include "ui/input.h"
#include "ui/kbd-state.h"
#include "ui/native-input.h"

/* More steps of a wheel at a time are an error of somebody's. */
#define MAX_SCROLL 32

struct NativeInput {
    QemuConsole *con;
    QKbdState *keys;
    int x, y;                   /* where the pointer was last */
};

NativeInput *native_input_new(QemuConsole *con)
{
    NativeInput *in = g_new0(NativeInput, 1);

    in->con = con;
    in->keys = qkbd_state_init(con);
    return in;
}

void native_input_free(NativeInput *in)
{
    qkbd_state_free(in->keys);
    g_free(in);
}

void native_input_key(NativeInput *in, unsigned code, bool pressed)
{
    int qcode = qemu_input_linux_to_qcode(code);

    if (qcode) {
        qkbd_state_key_event(in->keys, qcode, pressed);
    }
}

void native_input_lift_all_keys(NativeInput *in)
{
    qkbd_state_lift_all_keys(in->keys);
}

void native_input_button(NativeInput *in, unsigned code, bool pressed)
{
    InputButton button;

    switch (code) {
    case BTN_LEFT:
        button = INPUT_BUTTON_LEFT;
        break;
    case BTN_RIGHT:
        button = INPUT_BUTTON_RIGHT;
        break;
    case BTN_MIDDLE:
        button = INPUT_BUTTON_MIDDLE;
        break;
    case BTN_SIDE:
        button = INPUT_BUTTON_SIDE;
        break;
    case BTN_EXTRA:
        button = INPUT_BUTTON_EXTRA;
        break;
    default:
        return;
    }
    qemu_input_queue_btn(in->con, button, pressed);
    qemu_input_event_sync();
}

void native_input_motion(NativeInput *in, int x, int y)
{
    if (qemu_input_is_absolute(in->con)) {
        qemu_input_queue_abs(in->con, INPUT_AXIS_X, x, 0,
                             qemu_console_get_width(in->con, 1));
        qemu_input_queue_abs(in->con, INPUT_AXIS_Y, y, 0,
                             qemu_console_get_height(in->con, 1));
    } else {
        qemu_input_queue_rel(in->con, INPUT_AXIS_X, x - in->x);
        qemu_input_queue_rel(in->con, INPUT_AXIS_Y, y - in->y);
    }
    qemu_input_event_sync();
    in->x = x;
    in->y = y;
}

static void scroll(QemuConsole *con, InputButton button, int steps)
{
    for (steps = MIN(steps, MAX_SCROLL); steps > 0; steps--) {
        qemu_input_queue_btn(con, button, true);
        qemu_input_event_sync();
        qemu_input_queue_btn(con, button, false);
        qemu_input_event_sync();
    }
}

void native_input_scroll(NativeInput *in, int x, int y)
{
    scroll(in->con, INPUT_BUTTON_WHEEL_DOWN, y);
    scroll(in->con, INPUT_BUTTON_WHEEL_UP, -y);
    scroll(in->con, INPUT_BUTTON_WHEEL_RIGHT, x);
    scroll(in->con, INPUT_BUTTON_WHEEL_LEFT, -x);
}
