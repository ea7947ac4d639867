/* SPDX-License-Identifier: MIT */
/* A window on a Wayland compositor: a surface with a title, and the size that it is to have. */
#ifndef GUEST_WINDOW_H
#define GUEST_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

struct wl_display;
struct wl_surface;

struct window {
    struct wl_display *display;
    struct wl_surface *surface;
    struct wl_registry *registry;
    struct wl_compositor *compositor;
    struct xdg_wm_base *base;
    struct xdg_surface *xdg_surface;
    struct xdg_toplevel *toplevel;
    uint32_t width, height; /* as the compositor wishes, once it has said so */
    bool ready, closed;
};

/* Connects to WAYLAND_DISPLAY and asks for a window of this size, or one that fills the screen. */
void window_create(struct window *window, const char *title, uint32_t width, uint32_t height,
                   bool maximized);
void window_destroy(struct window *window);

/* Answers what the compositor has asked; does not wait. The driver reads the connection. */
void window_answer(struct window *window);

/* Answers until the compositor closes the window or a signal ends the program. */
void window_hold(struct window *window);

#endif
