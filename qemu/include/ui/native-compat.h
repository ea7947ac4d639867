/*
 * Functions of consoles under the names that they have since QEMU 11.1
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef UI_NATIVE_COMPAT_H
#define UI_NATIVE_COMPAT_H

#include "ui/console.h"

#if QEMU_VERSION_MAJOR < 11 || \
    (QEMU_VERSION_MAJOR == 11 && QEMU_VERSION_MINOR < 1)
#define qemu_console_get_ui_info        dpy_get_ui_info
#define qemu_console_set_cursor         dpy_cursor_define
#define qemu_console_set_mouse          dpy_mouse_set
#define qemu_console_set_surface        dpy_gfx_replace_surface
#define qemu_console_set_ui_info        dpy_set_ui_info
#define qemu_console_update             dpy_gfx_update
#define qemu_console_update_full        dpy_gfx_update_full
#define qemu_graphic_console_set_hwops  graphic_console_set_hwops
#endif

#endif
