/* SPDX-License-Identifier: MIT */
/*
 * The keyboards and pointers of a Wayland compositor, as input of one surface. A compositor may have any
 * number of seats, which come and go: they are a list of struct wayland_seat, linked by their `link`.
 */
#ifndef PRESENT_WAYLAND_SEAT_H
#define PRESENT_WAYLAND_SEAT_H

#include <stdint.h>
#include <wayland-client.h>

#include "present/surface.h"

/* Seats before version 5 have no wl_pointer.frame, and are left alone. */
enum { WAYLAND_SEAT_LEAST = 5, WAYLAND_SEAT_MOST = 8 };

/* Takes over the proxy; its events go to the surface's listener. name: of the global, to remove it by. */
void wayland_seats_add(struct wl_list *seats, struct surface *surface, struct wl_seat *proxy,
                       uint32_t name);
/* Takes any global's name. */
void wayland_seats_remove(struct wl_list *seats, uint32_t name);

/* Release whatever is pressed, and take no input until the compositor next says that there is any. */
void wayland_seats_leave(struct wl_list *seats);

/* Calls no listener. */
void wayland_seats_destroy(struct wl_list *seats);

#endif
