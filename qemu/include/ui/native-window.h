/*
 * Windows for pictures that QEMU's displays do not draw
 *
 * A device can present its pictures by itself, such as with Vulkan.  For that
 * it needs a window: that of a display of QEMU's, which it covers, or one of
 * its own.  Here it learns what windows there are, and tells what a user does
 * with its own.
 *
 * Everything runs under the BQL.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef UI_NATIVE_WINDOW_H
#define UI_NATIVE_WINDOW_H

#include "qemu/notify.h"
#include "ui/console.h"

/* The X11 window in which a display shows @con; 0: there is none. */
uint32_t native_window_x11(QemuConsole *con);
/* The X server that it is of; NULL: there is none.  Not to be freed. */
const char *native_window_x11_display(void);

/*
 * The NSView in which QEMU's Cocoa display shows @con; NULL: in none.  It shows
 * one console at a time; @notifier hears when that has become another.
 */
void *native_window_cocoa(QemuConsole *con);
void native_window_add_notifier(Notifier *notifier);
void native_window_remove_notifier(Notifier *notifier);
/* Whether that is the display: a console that it does not show may come. */
bool native_window_is_cocoa(void);

/* Whether the user's session is one of Wayland. */
bool native_window_is_wayland(void);
/* The compositor, be it the usual one.  Not to be freed. */
const char *native_window_wayland_display(void);

/* Whether the user has chosen a display with windows, of whatever system. */
bool native_window_is_given(void);
/*
 * Whether there are displays without a window (VNC, SPICE), which see of a
 * picture only what goes through the console.
 */
bool native_window_is_not_all(void);
/* Whether @con's window goes when the console has no surface any more. */
bool native_window_goes_with_surface(QemuConsole *con);
/* Whether QEMU's windows stay when the guest has shut down. */
bool native_window_outlives_guest(void);

/* A title for output @index's window; free it with g_free(). */
char *native_window_title(unsigned index);

/* The device's own window of @con has another size; 0x0: none yet. */
void native_window_resized(QemuConsole *con, uint32_t width, uint32_t height);
/* It is on a monitor with that rate; 0: unknown. */
void native_window_refreshed(QemuConsole *con, uint32_t refresh_mhz);
/* The user has closed it. */
void native_window_closed(void);

#endif
