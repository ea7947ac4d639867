/* SPDX-License-Identifier: MIT */
/*
 * See wayland-output.h. A surface can be on several outputs: the one that it came to last counts, as
 * with window systems that move a window from one to the next.
 */
#include "present/wayland-output.h"

#include <stdlib.h>

struct wayland_output {
    struct wl_list link;
    struct surface *surface;
    struct wl_output *proxy;
    uint32_t name;
    uint32_t refresh_mhz; /* 0: it has none, as a compositor's that shows nothing by itself */
    bool entered;         /* the surface is on it */
};

static void tell(const struct wayland_output *output)
{
    const struct surface *surface = output->surface;
    if (output->entered && output->refresh_mhz)
        surface->listener->refreshed(surface->opaque, output->refresh_mhz);
}

static void on_geometry(void *data, struct wl_output *proxy, int32_t x, int32_t y, int32_t width_mm,
                        int32_t height_mm, int32_t subpixel, const char *make, const char *model,
                        int32_t transform)
{
    (void)data, (void)proxy, (void)x, (void)y, (void)width_mm, (void)height_mm;
    (void)subpixel, (void)make, (void)model, (void)transform;
}

static void on_mode(void *data, struct wl_output *proxy, uint32_t flags, int32_t width,
                    int32_t height, int32_t refresh)
{
    (void)proxy, (void)width, (void)height;
    struct wayland_output *output = data;
    if (!(flags & WL_OUTPUT_MODE_CURRENT))
        return;
    output->refresh_mhz = refresh > 0 ? (uint32_t)refresh : 0;
    tell(output);
}

static const struct wl_output_listener listener = {
    .geometry = on_geometry,
    .mode = on_mode,
};

static void destroy(struct wayland_output *output)
{
    wl_list_remove(&output->link);
    wl_output_destroy(output->proxy);
    free(output);
}

void wayland_outputs_add(struct wl_list *outputs, struct surface *surface, struct wl_output *proxy,
                         uint32_t name)
{
    struct wayland_output *output = calloc(1, sizeof(*output));
    if (!output) {
        wl_output_destroy(proxy);
        return;
    }
    output->surface = surface;
    output->proxy = proxy;
    output->name = name;
    wl_list_insert(outputs, &output->link);
    wl_output_add_listener(proxy, &listener, output);
}

void wayland_outputs_remove(struct wl_list *outputs, uint32_t name)
{
    struct wayland_output *output, *next;
    wl_list_for_each_safe(output, next, outputs, link) {
        if (output->name == name)
            destroy(output);
    }
}

static void set_entered(struct wl_list *outputs, const struct wl_output *proxy, bool entered)
{
    struct wayland_output *output;
    wl_list_for_each(output, outputs, link) {
        if (output->proxy == proxy) {
            output->entered = entered;
            tell(output);
        }
    }
}

void wayland_outputs_enter(struct wl_list *outputs, struct wl_output *proxy)
{
    set_entered(outputs, proxy, true);
}

void wayland_outputs_leave(struct wl_list *outputs, struct wl_output *proxy)
{
    set_entered(outputs, proxy, false);
}

void wayland_outputs_destroy(struct wl_list *outputs)
{
    struct wayland_output *output, *next;
    wl_list_for_each_safe(output, next, outputs, link)
        destroy(output);
}
