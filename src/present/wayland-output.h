/* SPDX-License-Identifier: MIT */
/*
 * The outputs of a Wayland compositor, which are monitors mostly, for the rate of the one that a surface
 * is on. They come and go: they are a list of struct wayland_output, linked by their `link`.
 */
#ifndef PRESENT_WAYLAND_OUTPUT_H
#define PRESENT_WAYLAND_OUTPUT_H

#include <stdint.h>
#include <wayland-client.h>

#include "present/surface.h"

/* The first version says all that is wanted here. */
enum { WAYLAND_OUTPUT_VERSION = 1 };

/* Takes over the proxy. name: of the global, to remove it by. */
void wayland_outputs_add(struct wl_list *outputs, struct surface *surface, struct wl_output *proxy,
                         uint32_t name);
/* Takes any global's name. */
void wayland_outputs_remove(struct wl_list *outputs, uint32_t name);
/* Tell the listener of the surface, which has come to be on the output, of its rate. */
void wayland_outputs_enter(struct wl_list *outputs, struct wl_output *proxy);
void wayland_outputs_leave(struct wl_list *outputs, struct wl_output *proxy);
/* Calls no listener. */
void wayland_outputs_destroy(struct wl_list *outputs);

#endif
