/* SPDX-License-Identifier: MIT */
/*
 * A window of our own on a Wayland compositor: an xdg_toplevel on a connection of its own.
 *
 * Vulkan drivers use our connection too, from our thread or theirs, with event queues of their own. While
 * they wait for an event of theirs they read ours as well and leave it in our queue, the default one.
 * The descriptor is then quiet though there is something to dispatch: so whoever presents must call
 * dispatch() before it sleeps, and dispatch() looks at the queue before the descriptor.
 *
 * A surface is shown with the first buffer that is committed after the compositor configured it. The
 * buffers are the driver's, and vkQueuePresentKHR() commits them. So showing means asking to be
 * configured, and `visible` turns true with the answer; presenting before is an error of protocol. The
 * role objects (xdg_surface, xdg_toplevel) live only while the window is shown: a configure that was on
 * its way when it was hidden is then not mistaken for the answer to the next showing.
 *
 * The compositor asks for a frame with wl_surface.frame, about once per refresh of the display, and not
 * at all while nobody can see the window.
 *
 * A pixel of the surface is one unit of the compositor: scales are left alone, and on an output with a
 * scale the compositor enlarges what we show.
 */
#include "present/surface.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <wayland-client.h>

#include <vulkan/vulkan_wayland.h>

#include "base/message.h"
#include "present/wayland-output.h"
#include "present/wayland-seat.h"
#include "xdg-decoration-unstable-v1-client-protocol.h"
#include "xdg-shell-client-protocol.h"

/* The versions that are spoken here, where the compositor has no older one. */
enum { COMPOSITOR_VERSION = 4, WM_BASE_VERSION = 6, DECORATION_VERSION = 1 };

/* How long the compositor may take to say what it has, and to take its leave. */
enum { GLOBALS_MS = 5000, LEAVE_MS = 1000 };

static const char default_title[] = "virtio-gpu-venus";
static const char app_id[] = "virtio-gpu-venus";

/* What xdg_toplevel.configure asked for. */
struct configuration {
    int32_t width, height; /* 0: that is ours to choose */
    bool fixed;            /* maximised and the like: what is asked for is to be obeyed */
    bool suspended;        /* nobody can see the window */
};

struct window {
    struct surface base;
    char *title;

    struct wl_display *display;
    struct wl_registry *registry;
    struct wl_compositor *compositor;
    struct xdg_wm_base *wm_base;
    struct zxdg_decoration_manager_v1 *decorations; /* may be NULL */
    struct wl_list seats, outputs;
    struct wl_surface *surface;

    /* NULL while hidden; the last one also where nobody else draws decorations. */
    struct xdg_surface *xdg_surface;
    struct xdg_toplevel *toplevel;
    struct zxdg_toplevel_decoration_v1 *decoration;

    struct wl_callback *frame;              /* what we wait for while busy, or NULL */
    struct configuration asked, configured; /* with the next xdg_surface.configure; the last one */
    uint32_t floating_width, floating_height; /* the size while it is not fixed */
};

static struct window *from_base(struct surface *surface)
{
    return (struct window *)surface;
}

/* ---- size and state ----------------------------------------------------------------------------- */

static void set_size(struct window *window, uint32_t width, uint32_t height)
{
    struct surface *base = &window->base;
    if (base->width == width && base->height == height)
        return;
    base->width = width;
    base->height = height;
    base->listener->resized(base->opaque, width, height);
}

/*
 * Compositors repeat the size that they last asked for when something else changed, the focus for
 * instance, though the guest has changed its mode since then. So one that is not fixed counts only
 * where it differs.
 */
static bool is_new_size(const struct configuration *old, const struct configuration *new)
{
    return new->width != old->width || new->height != old->height || new->fixed != old->fixed;
}

static void configure(struct window *window, const struct configuration *asked)
{
    uint32_t width = window->floating_width, height = window->floating_height;
    if (asked->fixed || is_new_size(&window->configured, asked)) {
        width = asked->width > 0 ? (uint32_t)asked->width : width;
        height = asked->height > 0 ? (uint32_t)asked->height : height;
    }
    if (!asked->fixed) {
        window->floating_width = width;
        window->floating_height = height;
    }
    window->configured = *asked;
    window->base.visible = !asked->suspended;
    set_size(window, width, height);
}

static void window_resize(struct surface *surface, uint32_t width, uint32_t height)
{
    struct window *window = from_base(surface);
    window->floating_width = width;
    window->floating_height = height;
    if (window->configured.fixed)
        return;
    surface->width = width;
    surface->height = height;
}

static bool is_fixed_by(uint32_t state)
{
    switch (state) {
    case XDG_TOPLEVEL_STATE_MAXIMIZED:
    case XDG_TOPLEVEL_STATE_FULLSCREEN:
    case XDG_TOPLEVEL_STATE_TILED_LEFT:
    case XDG_TOPLEVEL_STATE_TILED_RIGHT:
    case XDG_TOPLEVEL_STATE_TILED_TOP:
    case XDG_TOPLEVEL_STATE_TILED_BOTTOM:
        return true;
    default:
        return false;
    }
}

/* ---- xdg_toplevel, xdg_surface ------------------------------------------------------------------ */

static void toplevel_configure(void *data, struct xdg_toplevel *toplevel, int32_t width,
                               int32_t height, struct wl_array *states)
{
    (void)toplevel;
    struct window *window = data;
    struct configuration asked = { .width = width, .height = height };
    uint32_t *state;
    wl_array_for_each(state, states) {
        asked.fixed |= is_fixed_by(*state);
        asked.suspended |= *state == XDG_TOPLEVEL_STATE_SUSPENDED;
    }
    window->asked = asked;
}

static void toplevel_close(void *data, struct xdg_toplevel *toplevel)
{
    (void)toplevel;
    struct window *window = data;
    window->base.listener->closed(window->base.opaque);
}

/* The size of the screen less its panels: the guest's mode may be larger, as it may elsewhere. */
static void toplevel_bounds(void *data, struct xdg_toplevel *toplevel, int32_t width,
                            int32_t height)
{
    (void)data, (void)toplevel, (void)width, (void)height;
}

/* Which buttons a decoration should have; we draw none. */
static void toplevel_capabilities(void *data, struct xdg_toplevel *toplevel,
                                  struct wl_array *capabilities)
{
    (void)data, (void)toplevel, (void)capabilities;
}

static const struct xdg_toplevel_listener toplevel_listener = {
    .configure = toplevel_configure,
    .close = toplevel_close,
    .configure_bounds = toplevel_bounds,
    .wm_capabilities = toplevel_capabilities,
};

/* Ends what toplevel_configure() began. The next commit, with a frame, makes it true. */
static void xdg_surface_configure(void *data, struct xdg_surface *xdg_surface, uint32_t serial)
{
    struct window *window = data;
    xdg_surface_ack_configure(xdg_surface, serial);
    configure(window, &window->asked);
}

static const struct xdg_surface_listener xdg_surface_listener = {
    .configure = xdg_surface_configure,
};

/* ---- the registry and its globals --------------------------------------------------------------- */

static void wm_base_ping(void *data, struct xdg_wm_base *wm_base, uint32_t serial)
{
    (void)data;
    xdg_wm_base_pong(wm_base, serial);
}

static const struct xdg_wm_base_listener wm_base_listener = { .ping = wm_base_ping };

struct global {
    struct wl_registry *registry;
    uint32_t name, version;
};

static void *bind_global(const struct global *global, const struct wl_interface *interface,
                         uint32_t most)
{
    uint32_t version = global->version < most ? global->version : most;
    return wl_registry_bind(global->registry, global->name, interface, version);
}

static void bind_wm_base(struct window *window, const struct global *global)
{
    window->wm_base = bind_global(global, &xdg_wm_base_interface, WM_BASE_VERSION);
    if (window->wm_base)
        xdg_wm_base_add_listener(window->wm_base, &wm_base_listener, window);
}

static void bind_seat(struct window *window, const struct global *global)
{
    if (global->version < WAYLAND_SEAT_LEAST)
        return;
    struct wl_seat *seat = bind_global(global, &wl_seat_interface, WAYLAND_SEAT_MOST);
    if (seat)
        wayland_seats_add(&window->seats, &window->base, seat, global->name);
}

static void bind_output(struct window *window, const struct global *global)
{
    struct wl_output *output = bind_global(global, &wl_output_interface, WAYLAND_OUTPUT_VERSION);
    if (output)
        wayland_outputs_add(&window->outputs, &window->base, output, global->name);
}

static void registry_global(void *data, struct wl_registry *registry, uint32_t name,
                            const char *interface, uint32_t version)
{
    struct window *window = data;
    const struct global global = { registry, name, version };
    if (!strcmp(interface, wl_compositor_interface.name) && !window->compositor)
        window->compositor = bind_global(&global, &wl_compositor_interface, COMPOSITOR_VERSION);
    else if (!strcmp(interface, xdg_wm_base_interface.name) && !window->wm_base)
        bind_wm_base(window, &global);
    else if (!strcmp(interface, zxdg_decoration_manager_v1_interface.name) && !window->decorations)
        window->decorations =
            bind_global(&global, &zxdg_decoration_manager_v1_interface, DECORATION_VERSION);
    else if (!strcmp(interface, wl_seat_interface.name))
        bind_seat(window, &global);
    else if (!strcmp(interface, wl_output_interface.name))
        bind_output(window, &global);
}

static void registry_global_remove(void *data, struct wl_registry *registry, uint32_t name)
{
    (void)registry;
    struct window *window = data;
    wayland_seats_remove(&window->seats, name);
    wayland_outputs_remove(&window->outputs, name);
}

static const struct wl_registry_listener registry_listener = {
    .global = registry_global,
    .global_remove = registry_global_remove,
};

/* ---- wl_surface --------------------------------------------------------------------------------- */

static void surface_enter(void *data, struct wl_surface *surface, struct wl_output *output)
{
    (void)surface;
    struct window *window = data;
    wayland_outputs_enter(&window->outputs, output);
}

static void surface_leave(void *data, struct wl_surface *surface, struct wl_output *output)
{
    (void)surface;
    struct window *window = data;
    wayland_outputs_leave(&window->outputs, output);
}

static const struct wl_surface_listener surface_listener = {
    .enter = surface_enter,
    .leave = surface_leave,
};

/* ---- the connection ----------------------------------------------------------------------------- */

/*
 * Dispatch what is queued, then what the socket has, waiting up to wait_ms for that. False if the
 * connection is lost. Where the socket is full, what is to be sent waits for the next time; any other
 * mishap in sending is found again by reading, which also yields what was sent before it.
 */
static bool take_events(struct wl_display *display, int wait_ms)
{
    while (wl_display_prepare_read(display) < 0) {
        if (wl_display_dispatch_pending(display) < 0)
            return false;
    }
    wl_display_flush(display);
    struct pollfd pollfd = { .fd = wl_display_get_fd(display), .events = POLLIN };
    if (poll(&pollfd, 1, wait_ms) <= 0)
        wl_display_cancel_read(display);
    else if (wl_display_read_events(display) < 0)
        return false;
    if (wl_display_dispatch_pending(display) < 0)
        return false;
    wl_display_flush(display);
    return true;
}

static void sync_done(void *data, struct wl_callback *callback, uint32_t serial)
{
    (void)callback, (void)serial;
    bool *done = data;
    *done = true;
}

static const struct wl_callback_listener sync_listener = { .done = sync_done };

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Wait until the compositor has answered all that was asked. Not wl_display_roundtrip(), which would wait
 * for a compositor that hangs. Returns 0 or an errno value. */
static int wait_for_answers(struct wl_display *display, int64_t most_ms)
{
    bool done = false, connected = true;
    struct wl_callback *callback = wl_display_sync(display);
    if (!callback)
        return ENOMEM;
    wl_callback_add_listener(callback, &sync_listener, &done);
    int64_t wait, end = now_ms() + most_ms;
    while (!done && connected && (wait = end - now_ms()) > 0)
        connected = take_events(display, (int)wait);
    wl_callback_destroy(callback);
    if (!connected)
        return wl_display_get_error(display);
    return done ? 0 : ETIMEDOUT;
}

static int window_fd(struct surface *surface)
{
    return wl_display_get_fd(from_base(surface)->display);
}

static void lose(struct window *window)
{
    window->base.lost = true;
    window->base.visible = false;
    window->base.busy = false;
    wayland_seats_leave(&window->seats);
}

static void window_dispatch(struct surface *surface)
{
    struct window *window = from_base(surface);
    if (!surface->lost && !take_events(window->display, 0))
        lose(window);
}

/* ---- frames ------------------------------------------------------------------------------------- */

static void forget_frame(struct window *window)
{
    if (window->frame)
        wl_callback_destroy(window->frame);
    window->frame = NULL;
    window->base.busy = false;
}

static void frame_done(void *data, struct wl_callback *callback, uint32_t time)
{
    (void)callback, (void)time;
    forget_frame(data);
}

static const struct wl_callback_listener frame_listener = { .done = frame_done };

/*
 * A callback that is still to come does for this frame too, when the presenter has grown tired of waiting
 * for it or its frame was never committed. So a window that nobody sees does not collect them.
 */
static void window_about_to_present(struct surface *surface)
{
    struct window *window = from_base(surface);
    if (!window->frame) {
        window->frame = wl_surface_frame(window->surface);
        if (!window->frame)
            return;
        wl_callback_add_listener(window->frame, &frame_listener, window);
    }
    surface->busy = true;
}

/* ---- showing and hiding ------------------------------------------------------------------------- */

static void destroy_role(struct window *window)
{
    if (window->decoration)
        zxdg_toplevel_decoration_v1_destroy(window->decoration);
    if (window->toplevel)
        xdg_toplevel_destroy(window->toplevel);
    if (window->xdg_surface)
        xdg_surface_destroy(window->xdg_surface);
    window->decoration = NULL;
    window->toplevel = NULL;
    window->xdg_surface = NULL;
}

/* False: no memory. */
static bool create_role(struct window *window)
{
    window->xdg_surface = xdg_wm_base_get_xdg_surface(window->wm_base, window->surface);
    if (!window->xdg_surface)
        return false;
    xdg_surface_add_listener(window->xdg_surface, &xdg_surface_listener, window);
    window->toplevel = xdg_surface_get_toplevel(window->xdg_surface);
    if (!window->toplevel)
        return false;
    xdg_toplevel_add_listener(window->toplevel, &toplevel_listener, window);
    return true;
}

/* Compositors that leave decorations to their clients show the window without any. */
static void ask_for_decoration(struct window *window)
{
    if (!window->decorations)
        return;
    window->decoration =
        zxdg_decoration_manager_v1_get_toplevel_decoration(window->decorations, window->toplevel);
    if (window->decoration)
        zxdg_toplevel_decoration_v1_set_mode(window->decoration,
                                             ZXDG_TOPLEVEL_DECORATION_V1_MODE_SERVER_SIDE);
}

/* A surface that takes on a role must have no buffer, not even one that a driver was late to commit. */
static void take_off_buffer(struct window *window)
{
    wl_surface_attach(window->surface, NULL, 0, 0);
    wl_surface_commit(window->surface);
}

static void map(struct window *window)
{
    take_off_buffer(window);
    if (!create_role(window)) {
        destroy_role(window);
        return;
    }
    xdg_toplevel_set_title(window->toplevel, window->title);
    xdg_toplevel_set_app_id(window->toplevel, app_id);
    ask_for_decoration(window);
    wl_surface_commit(window->surface);
}

static void unmap(struct window *window)
{
    wayland_seats_leave(&window->seats);
    forget_frame(window);
    take_off_buffer(window);
    destroy_role(window);
    window->base.visible = false;
    window->asked = window->configured = (struct configuration){ 0 };
}

static void window_show(struct surface *surface, bool shown)
{
    struct window *window = from_base(surface);
    if (surface->lost || shown == (window->toplevel != NULL))
        return;
    if (shown)
        map(window);
    else
        unmap(window);
    wl_display_flush(window->display);
}

/*
 * Drivers wait for an answer when they destroy a swapchain. One from a compositor that hangs would be
 * waited for without end, and one on a connection that is shut down fails at once.
 */
static void window_leave(struct surface *surface)
{
    struct window *window = from_base(surface);
    if (surface->lost)
        return;
    window_show(surface, false);
    if (wait_for_answers(window->display, LEAVE_MS) == 0)
        return;
    shutdown(wl_display_get_fd(window->display), SHUT_RDWR);
    lose(window);
}

/* ---- creation and destruction ------------------------------------------------------------------- */

static void destroy_globals(struct window *window)
{
    wayland_seats_destroy(&window->seats);
    wayland_outputs_destroy(&window->outputs);
    if (window->decorations)
        zxdg_decoration_manager_v1_destroy(window->decorations);
    if (window->wm_base)
        xdg_wm_base_destroy(window->wm_base);
    if (window->compositor)
        wl_compositor_destroy(window->compositor);
    if (window->registry)
        wl_registry_destroy(window->registry);
}

/* wl_display_disconnect() only closes the socket, and the compositor then does the rest. */
static void window_destroy(struct surface *surface)
{
    struct window *window = from_base(surface);
    if (!surface)
        return;
    if (window->frame)
        wl_callback_destroy(window->frame);
    destroy_role(window);
    if (window->surface)
        wl_surface_destroy(window->surface);
    destroy_globals(window);
    if (window->display)
        wl_display_disconnect(window->display);
    free(window->title);
    free(window);
}

static bool connect_display(struct window *window, const char *name, char **error)
{
    if (!name)
        return refuse(error, "No Wayland compositor was given, such as wayland-0.");
    window->display = wl_display_connect(name);
    if (!window->display)
        return refuse(error,
                      "Cannot connect to the Wayland compositor at %s: %s.\n"
                      "Give the name of its socket in XDG_RUNTIME_DIR, or the socket's full path.",
                      name, strerror(errno));
    return true;
}

static bool bind_globals(struct window *window, const char *name, char **error)
{
    window->registry = wl_display_get_registry(window->display);
    if (!window->registry)
        return refuse(error, "Out of memory.");
    wl_registry_add_listener(window->registry, &registry_listener, window);
    int err = wait_for_answers(window->display, GLOBALS_MS);
    if (err)
        return refuse(error, "The Wayland compositor at %s does not answer: %s.", name,
                      strerror(err));
    if (!window->compositor || !window->wm_base)
        return refuse(error,
                      "The Wayland compositor at %s has no %s, so it shows no windows.\n"
                      "Use one that is made for desktops.",
                      name, window->compositor ? "xdg_wm_base" : "wl_compositor");
    return true;
}

static bool open_window(struct window *window, const struct venus_gpu_target *target, char **error)
{
    window->title = strdup(target->title ? target->title : default_title);
    if (!window->title)
        return refuse(error, "Out of memory.");
    if (!connect_display(window, target->display, error) ||
        !bind_globals(window, target->display, error))
        return false;
    window->surface = wl_compositor_create_surface(window->compositor);
    if (!window->surface)
        return refuse(error, "Out of memory.");
    wl_surface_add_listener(window->surface, &surface_listener, window);
    return true;
}

static struct surface *window_create(const struct venus_gpu_target *target, char **error)
{
    struct window *window = calloc(1, sizeof(*window));
    if (!window) {
        refuse(error, "Out of memory.");
        return NULL;
    }
    window->base.kind = &surface_wayland;
    window->base.width = window->floating_width = target->width;
    window->base.height = window->floating_height = target->height;
    wl_list_init(&window->seats);
    wl_list_init(&window->outputs);
    if (!open_window(window, target, error)) {
        window_destroy(&window->base);
        return NULL;
    }
    return &window->base;
}

static VkResult window_create_vulkan(struct surface *surface, const struct vulkan *vk,
                                     VkSurfaceKHR *vk_surface)
{
    const struct window *window = from_base(surface);
    PFN_vkCreateWaylandSurfaceKHR create = (PFN_vkCreateWaylandSurfaceKHR)vk->GetInstanceProcAddr(
        vk->instance, "vkCreateWaylandSurfaceKHR");
    if (!create)
        return VK_ERROR_EXTENSION_NOT_PRESENT;
    const VkWaylandSurfaceCreateInfoKHR info = {
        .sType = VK_STRUCTURE_TYPE_WAYLAND_SURFACE_CREATE_INFO_KHR,
        .display = window->display,
        .surface = window->surface,
    };
    return create(vk->instance, &info, NULL, vk_surface);
}

const struct surface_kind surface_wayland = {
    .name = "a Wayland window",
    .extension = VK_KHR_WAYLAND_SURFACE_EXTENSION_NAME,
    .paces = true,
    .create = window_create,
    .destroy = window_destroy,
    .create_vulkan = window_create_vulkan,
    .fd = window_fd,
    .dispatch = window_dispatch,
    .show = window_show,
    .about_to_present = window_about_to_present,
    .resize = window_resize,
    .leave = window_leave,
};
