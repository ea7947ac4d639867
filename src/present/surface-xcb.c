/* SPDX-License-Identifier: MIT */
/*
 * A child window that covers a window of the front end's, on a connection of our own.
 *
 * It selects no input. The X server gives what a person types and points at to the nearest ancestor that
 * wants it, which is the front end's window, in that one's coordinates; and a window without a cursor of
 * its own has its parent's. So keyboard, mouse and pointer are the front end's, as if we were not there.
 *
 * We ask for the parent's structure events, to follow its size and see when it is unmapped (minimised) or
 * destroyed, and for our own visibility and exposure, to draw nothing while we are covered, and again what
 * another window has wiped out. Other clients may ask for the same of the same window without getting in
 * each other's way.
 */
#include <stdlib.h>
#include <string.h>

#include <xcb/xcb.h>

#include "base/message.h"
#include "present/surface.h"

#include <vulkan/vulkan_xcb.h>

struct surface_xcb {
    struct surface base;
    xcb_connection_t *connection;
    xcb_window_t parent, window;
    bool shown, mapped, parent_mapped, covered;
};

static void update_visible(struct surface_xcb *surface)
{
    surface->base.visible =
        surface->shown && surface->mapped && surface->parent_mapped && !surface->covered;
}

static bool watch_parent(struct surface_xcb *surface, uint8_t *depth, xcb_visualid_t *visual)
{
    xcb_connection_t *connection = surface->connection;
    const uint32_t events = XCB_EVENT_MASK_STRUCTURE_NOTIFY;
    xcb_void_cookie_t watch = xcb_change_window_attributes_checked(connection, surface->parent,
                                                                   XCB_CW_EVENT_MASK, &events);
    xcb_generic_error_t *error = xcb_request_check(connection, watch);
    if (error) {
        free(error);
        return false;
    }
    xcb_get_geometry_reply_t *geometry =
        xcb_get_geometry_reply(connection, xcb_get_geometry(connection, surface->parent), NULL);
    xcb_get_window_attributes_reply_t *attributes = xcb_get_window_attributes_reply(
        connection, xcb_get_window_attributes(connection, surface->parent), NULL);
    bool there = geometry && attributes;
    if (there) {
        *depth = geometry->depth;
        *visual = attributes->visual;
        surface->base.width = geometry->width;
        surface->base.height = geometry->height;
        surface->parent_mapped = attributes->map_state != XCB_MAP_STATE_UNMAPPED;
    }
    free(geometry);
    free(attributes);
    return there;
}

static void end(struct surface_xcb *surface)
{
    if (surface->connection) {
        if (surface->window && !surface->base.lost)
            xcb_destroy_window(surface->connection, surface->window);
        xcb_disconnect(surface->connection); /* sends what was not sent yet */
    }
    free(surface);
}

static void destroy(struct surface *base)
{
    end((struct surface_xcb *)base);
}

static struct surface *create(const struct venus_gpu_target *target, char **error)
{
    struct surface_xcb *surface = calloc(1, sizeof(*surface));
    if (!surface)
        return NULL;
    surface->base.kind = &surface_xcb;
    surface->parent = target->window;
    surface->connection = xcb_connect(target->display, NULL);
    if (xcb_connection_has_error(surface->connection)) {
        *error = message("Cannot connect to the X server at %s.", target->display);
        goto fail;
    }
    uint8_t depth;
    xcb_visualid_t visual;
    if (!watch_parent(surface, &depth, &visual)) {
        *error = message("The X server at %s has no window 0x%x.", target->display, target->window);
        goto fail;
    }
    /* No background: what was there stays until the first frame comes. */
    const uint32_t values[] = { XCB_BACK_PIXMAP_NONE, XCB_EVENT_MASK_EXPOSURE |
                                                          XCB_EVENT_MASK_VISIBILITY_CHANGE |
                                                          XCB_EVENT_MASK_STRUCTURE_NOTIFY };
    surface->window = xcb_generate_id(surface->connection);
    xcb_create_window(surface->connection, depth, surface->window, surface->parent, 0, 0,
                      (uint16_t)surface->base.width, (uint16_t)surface->base.height, 0,
                      XCB_WINDOW_CLASS_INPUT_OUTPUT, visual, XCB_CW_BACK_PIXMAP | XCB_CW_EVENT_MASK,
                      values);
    static const char name[] = "virtio-gpu-venus";
    xcb_change_property(surface->connection, XCB_PROP_MODE_REPLACE, surface->window,
                        XCB_ATOM_WM_NAME, XCB_ATOM_STRING, 8, sizeof(name) - 1, name);
    xcb_flush(surface->connection);
    return &surface->base;

fail:
    end(surface);
    return NULL;
}

static VkResult create_vulkan(struct surface *base, const struct vulkan *vk,
                              VkSurfaceKHR *vk_surface)
{
    struct surface_xcb *surface = (struct surface_xcb *)base;
    PFN_vkCreateXcbSurfaceKHR create_surface =
        (PFN_vkCreateXcbSurfaceKHR)vk->GetInstanceProcAddr(vk->instance, "vkCreateXcbSurfaceKHR");
    if (!create_surface)
        return VK_ERROR_EXTENSION_NOT_PRESENT;
    const VkXcbSurfaceCreateInfoKHR info = {
        .sType = VK_STRUCTURE_TYPE_XCB_SURFACE_CREATE_INFO_KHR,
        .connection = surface->connection,
        .window = surface->window,
    };
    return create_surface(vk->instance, &info, NULL, vk_surface);
}

static int fd(struct surface *base)
{
    return xcb_get_file_descriptor(((struct surface_xcb *)base)->connection);
}

static void follow_parent(struct surface_xcb *surface, const xcb_configure_notify_event_t *event)
{
    if (surface->base.width == event->width && surface->base.height == event->height)
        return;
    surface->base.width = event->width;
    surface->base.height = event->height;
    const uint32_t size[] = { event->width, event->height };
    xcb_configure_window(surface->connection, surface->window,
                         XCB_CONFIG_WINDOW_WIDTH | XCB_CONFIG_WINDOW_HEIGHT, size);
}

static void handle(struct surface_xcb *surface, const xcb_generic_event_t *generic)
{
    /* The highest bit: sent by another client, as window managers do with sizes. */
    switch (generic->response_type & 0x7f) {
    case XCB_CONFIGURE_NOTIFY: {
        const xcb_configure_notify_event_t *event = (const void *)generic;
        if (event->window == surface->parent)
            follow_parent(surface, event);
        break;
    }
    case XCB_MAP_NOTIFY: {
        const xcb_map_notify_event_t *event = (const void *)generic;
        if (event->window == surface->parent)
            surface->parent_mapped = true;
        else if (event->window == surface->window)
            surface->mapped = true;
        break;
    }
    case XCB_UNMAP_NOTIFY: {
        const xcb_unmap_notify_event_t *event = (const void *)generic;
        if (event->window == surface->parent)
            surface->parent_mapped = false;
        else if (event->window == surface->window)
            surface->mapped = false;
        break;
    }
    case XCB_VISIBILITY_NOTIFY: {
        const xcb_visibility_notify_event_t *event = (const void *)generic;
        if (event->window == surface->window)
            surface->covered = event->state == XCB_VISIBILITY_FULLY_OBSCURED;
        break;
    }
    case XCB_EXPOSE: {
        const xcb_expose_event_t *event = (const void *)generic;
        if (event->window == surface->window)
            surface->base.exposed = true;
        break;
    }
    case XCB_DESTROY_NOTIFY: {
        const xcb_destroy_notify_event_t *event = (const void *)generic;
        if (event->window == surface->parent || event->window == surface->window)
            surface->base.lost = true;
        break;
    }
    default:
        break;
    }
    update_visible(surface);
}

static void dispatch(struct surface *base)
{
    struct surface_xcb *surface = (struct surface_xcb *)base;
    xcb_generic_event_t *event;
    while ((event = xcb_poll_for_event(surface->connection))) {
        handle(surface, event);
        free(event);
    }
    xcb_flush(surface->connection);
    if (xcb_connection_has_error(surface->connection))
        base->lost = true;
}

static void show(struct surface *base, bool shown)
{
    struct surface_xcb *surface = (struct surface_xcb *)base;
    surface->shown = shown;
    if (shown)
        xcb_map_window(surface->connection, surface->window);
    else
        xcb_unmap_window(surface->connection, surface->window);
    xcb_flush(surface->connection);
    update_visible(surface);
}

const struct surface_kind surface_xcb = {
    .name = "an X11 window",
    .extension = "VK_KHR_xcb_surface",
    .create = create,
    .destroy = destroy,
    .create_vulkan = create_vulkan,
    .fd = fd,
    .dispatch = dispatch,
    .show = show,
};
