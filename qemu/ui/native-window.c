/*
 * Windows for pictures that QEMU's displays do not draw
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/qapi-commands-ui.h"
#include "qemu/config-file.h"
#include "qemu/option.h"
#include "system/runstate.h"
#include "system/runstate-action.h"
#include "system/system.h"
#include "ui/native-compat.h"
#include "ui/native-window.h"

/* A QEMU that does not have our patches does not say. */
#if defined(CONFIG_COCOA) && !defined(VENUS_UNPATCHED_QEMU)
#define HAVE_COCOA_VIEW
#include "ui/cocoa-view.h"
#endif

/* What is there */

uint32_t native_window_x11(QemuConsole *con)
{
    int id = qemu_console_get_window_id(con);

    return id > 0 && native_window_x11_display() ? id : 0;
}

const char *native_window_x11_display(void)
{
    return getenv("DISPLAY");
}

void *native_window_cocoa(QemuConsole *con)
{
#ifdef HAVE_COCOA_VIEW
    return cocoa_view(con);
#else
    return NULL;
#endif
}

void native_window_add_notifier(Notifier *notifier)
{
#ifdef HAVE_COCOA_VIEW
    cocoa_view_add_notifier(notifier);
#endif
}

void native_window_remove_notifier(Notifier *notifier)
{
#ifdef HAVE_COCOA_VIEW
    notifier_remove(notifier);
#endif
}

bool native_window_is_cocoa(void)
{
#ifdef HAVE_COCOA_VIEW
    g_autoptr(DisplayOptions) options = qmp_query_display_options(NULL);

    return options->type == DISPLAY_TYPE_COCOA;
#else
    return false;
#endif
}

bool native_window_is_wayland(void)
{
    return getenv("WAYLAND_DISPLAY");
}

const char *native_window_wayland_display(void)
{
    return getenv("WAYLAND_DISPLAY") ?: "wayland-0";
}

bool native_window_is_given(void)
{
    static const char *const windows[] = { "gtk", "sdl", "cocoa", NULL };
    g_autoptr(DisplayOptions) options = qmp_query_display_options(NULL);

    return g_strv_contains(windows, DisplayType_str(options->type));
}

bool native_window_is_not_all(void)
{
    static const char *const groups[] = { "vnc", "spice" };
    QemuOptsList *list;
    int i;

    for (i = 0; i < ARRAY_SIZE(groups); i++) {
        list = qemu_find_opts_err(groups[i], NULL);
        if (list && !QTAILQ_EMPTY(&list->head)) {
            return true;
        }
    }
    return false;
}

bool native_window_goes_with_surface(QemuConsole *con)
{
    /* SDL has a window for the first console always, for others only if on. */
    return qemu_console_get_index(con) != 0;
}

bool native_window_outlives_guest(void)
{
    return shutdown_action == SHUTDOWN_ACTION_PAUSE;
}

char *native_window_title(unsigned index)
{
    const char *name = qemu_get_vm_name();

    return name ? g_strdup_printf("QEMU (%s) - output %u", name, index)
                : g_strdup_printf("QEMU - output %u", index);
}

/* What a user does */

void native_window_resized(QemuConsole *con, uint32_t width, uint32_t height)
{
    QemuUIInfo info = {
        .width = width,
        .height = height,
        .refresh_rate = qemu_console_get_ui_info(con)->refresh_rate,
    };

    if (width && height) {
        qemu_console_set_ui_info(con, &info, true);
    }
}

void native_window_refreshed(QemuConsole *con, uint32_t refresh_mhz)
{
    QemuUIInfo info = *qemu_console_get_ui_info(con);

    info.refresh_rate = refresh_mhz;
    qemu_console_set_ui_info(con, &info, true);
}

void native_window_closed(void)
{
    g_autoptr(DisplayOptions) options = qmp_query_display_options(NULL);

    if (options->has_window_close && !options->window_close) {
        return;
    }
    shutdown_action = SHUTDOWN_ACTION_POWEROFF;
    qemu_system_shutdown_request(SHUTDOWN_CAUSE_HOST_UI);
}
