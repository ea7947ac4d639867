/*
 * Input from a window that is no display's of QEMU's, see ui/native-window.h
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef UI_NATIVE_INPUT_H
#define UI_NATIVE_INPUT_H

#include "ui/console.h"

/* Keyboard and pointer of @con's window.  Everything runs under the BQL. */
typedef struct NativeInput NativeInput;

NativeInput *native_input_new(QemuConsole *con);
/* Keys that are down stay so: lift them before. */
void native_input_free(NativeInput *in);

/* @code is Linux's, KEY_A and so on; others are ignored. */
void native_input_key(NativeInput *in, unsigned code, bool pressed);
void native_input_lift_all_keys(NativeInput *in);
/* @code is Linux's, BTN_LEFT and so on; others are ignored. */
void native_input_button(NativeInput *in, unsigned code, bool pressed);
/* Where the pointer is, in pixels of the surface */
void native_input_motion(NativeInput *in, int x, int y);
/* Steps of a wheel, to the right and downwards */
void native_input_scroll(NativeInput *in, int x, int y);

#endif
