/* SPDX-License-Identifier: MIT */
/* The Wayland of a window, which has to be answered: see window.h. */
#include "window.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <wayland-client.h>

#include "common.h"
#include "xdg-shell.h"

static void got_ping(void *data, struct xdg_wm_base *base, uint32_t serial)
{
    (void)data;
    xdg_wm_base_pong(base, serial);
}

static const struct xdg_wm_base_listener base_listener = { .ping = got_ping };

static void got_global(void *data, struct wl_registry *registry, uint32_t name,
                       const char *interface, uint32_t version)
{
    struct window *window = data;

    (void)version;
    if (strcmp(interface, wl_compositor_interface.name) == 0) {
        window->compositor = wl_registry_bind(registry, name, &wl_compositor_interface, 1);
    } else if (strcmp(interface, xdg_wm_base_interface.name) == 0) {
        window->base = wl_registry_bind(registry, name, &xdg_wm_base_interface, 1);
        xdg_wm_base_add_listener(window->base, &base_listener, NULL);
    }
}

static void lost_global(void *data, struct wl_registry *registry, uint32_t name)
{
    (void)data, (void)registry, (void)name;
}

static const struct wl_registry_listener registry_listener = { got_global, lost_global };

static void got_configure(void *data, struct xdg_surface *surface, uint32_t serial)
{
    struct window *window = data;

    xdg_surface_ack_configure(surface, serial);
    window->ready = true;
}

static const struct xdg_surface_listener surface_listener = { got_configure };

/* Only before the first picture: after that the window keeps its size. */
static void got_size(void *data, struct xdg_toplevel *toplevel, int32_t width, int32_t height,
                     struct wl_array *states)
{
    struct window *window = data;

    (void)toplevel, (void)states;
    if (!window->ready && width > 0 && height > 0) {
        window->width = (uint32_t)width;
        window->height = (uint32_t)height;
    }
}

static void got_close(void *data, struct xdg_toplevel *toplevel)
{
    struct window *window = data;

    (void)toplevel;
    window->closed = true;
}

static const struct xdg_toplevel_listener toplevel_listener = { .configure = got_size,
                                                                .close = got_close };

void window_create(struct window *window, const char *title, uint32_t width, uint32_t height,
                   bool maximized)
{
    const char *name = getenv("WAYLAND_DISPLAY");

    *window = (struct window){ .width = width, .height = height };
    window->display = wl_display_connect(NULL);
    if (!window->display)
        die("there is no Wayland compositor (WAYLAND_DISPLAY=%s): %s", name ? name : "",
            strerror(errno));
    window->registry = wl_display_get_registry(window->display);
    wl_registry_add_listener(window->registry, &registry_listener, window);
    wl_display_roundtrip(window->display);
    if (!window->compositor || !window->base)
        die("the Wayland compositor has no xdg_wm_base");
    window->surface = wl_compositor_create_surface(window->compositor);
    window->xdg_surface = xdg_wm_base_get_xdg_surface(window->base, window->surface);
    xdg_surface_add_listener(window->xdg_surface, &surface_listener, window);
    window->toplevel = xdg_surface_get_toplevel(window->xdg_surface);
    xdg_toplevel_add_listener(window->toplevel, &toplevel_listener, window);
    xdg_toplevel_set_title(window->toplevel, title);
    xdg_toplevel_set_app_id(window->toplevel, title);
    if (maximized)
        xdg_toplevel_set_maximized(window->toplevel);
    /* A commit without a picture says that the window is described; a configure answers it. */
    wl_surface_commit(window->surface);
    while (!window->ready) {
        if (wl_display_dispatch(window->display) < 0)
            die("the Wayland compositor is gone: %s", strerror(errno));
    }
}

void window_destroy(struct window *window)
{
    xdg_toplevel_destroy(window->toplevel);
    xdg_surface_destroy(window->xdg_surface);
    wl_surface_destroy(window->surface);
    xdg_wm_base_destroy(window->base);
    wl_compositor_destroy(window->compositor);
    wl_registry_destroy(window->registry);
    wl_display_disconnect(window->display);
}

void window_answer(struct window *window)
{
    if (wl_display_dispatch_pending(window->display) < 0)
        die("the Wayland compositor is gone: %s", strerror(errno));
    wl_display_flush(window->display);
}

void window_hold(struct window *window)
{
    while (!window->closed && wl_display_dispatch(window->display) >= 0)
        ;
}
