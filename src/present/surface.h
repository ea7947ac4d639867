/* SPDX-License-Identifier: MIT */
/*
 * A place on a screen: the seam between presenting and a window system. One const table per kind.
 *
 * Everything here runs on the presenter's thread. A surface tells its state in its fields, which
 * dispatch() brings up to date, and what a person does through the listener, called from dispatch() and,
 * to release what is pressed, from show() and leave(). The listener must not destroy the surface.
 */
#ifndef PRESENT_SURFACE_H
#define PRESENT_SURFACE_H

#include <stdbool.h>
#include <stdint.h>

#include "vk/vulkan.h"
#include "venus-gpu.h"

struct sheet_kind;

struct surface_listener {
    /* The person, or the window system, made the window this large, in pixels. */
    void (*resized)(void *opaque, uint32_t width, uint32_t height);
    /* The monitor that the window is on has that rate, in millihertz. Only where there is one. */
    void (*refreshed)(void *opaque, uint32_t refresh_mhz);
    /* The person wants the window closed. */
    void (*closed)(void *opaque);
    /* x and y are in pixels of the surface. */
    void (*input)(void *opaque, const struct venus_gpu_input *input);
};

struct surface {
    const struct surface_kind *kind;
    const struct surface_listener *listener;
    void *opaque;

    uint32_t width, height; /* pixels */
    bool visible;           /* false while nobody can see it: minimised, covered, hidden */
    bool
        exposed; /* parts of what it showed are lost: dispatch() says so, the presenter takes it back */
    bool busy; /* pacing kinds: the window system has not asked for another frame yet */
    bool lost; /* the window or its server is gone */
};

struct surface_kind {
    const char *name;      /* for messages: "an X11 window" */
    const char *extension; /* of the instance: "VK_KHR_xcb_surface"; NULL: none */

    /* Not NULL: the window system is handed memory (sheets.h) instead of a swapchain, so there is no create_vulkan(). */
    const struct sheet_kind *sheets;
    /* The same place as a kind that has sheets, for who asks for it. NULL: there is no such kind. */
    const struct surface_kind *with_sheets;

    /*
     * Presenting must never wait inside Vulkan for a window that nobody sees. A kind whose windows can
     * do that paces frames itself: it is never presented to in FIFO mode, but sets busy in
     * about_to_present() and clears it in dispatch() when the next frame is due.
     */
    bool paces;

    /* Open it, hidden. NULL on failure with a message of one or two lines in *error, to be freed. */
    struct surface *(*create)(const struct venus_gpu_target *target, char **error);
    void (*destroy)(struct surface *surface); /* after the VkSurfaceKHR is gone */
    VkResult (*create_vulkan)(struct surface *surface, const struct vulkan *vk,
                              VkSurfaceKHR *vk_surface);

    /* A descriptor that becomes readable when there is something to dispatch, or -1. Vulkan may have
     * read it before us: so call dispatch() before every wait for it. */
    int (*fd)(struct surface *surface);
    /* Take what the window system has sent, without waiting, and send what is to be sent. */
    void (*dispatch)(struct surface *surface);
    /* Show or hide it. May be NULL. */
    void (*show)(struct surface *surface, bool shown);
    /* Called right before each vkQueuePresentKHR(). May be NULL. */
    void (*about_to_present)(struct surface *surface);
    /*
     * The frame has another size now: make the window that large too, before a frame of that size is
     * presented. May be NULL: the size is not ours to choose. Where it is not at the moment, as the
     * window fills the screen, width and height stay what they are. resized() is not called.
     */
    void (*resize)(struct surface *surface, uint32_t width, uint32_t height);
    /*
     * The last thing before the Vulkan objects of the window are destroyed: hide it, release what is
     * pressed, and see to it that destroying them does not wait for a window system that hangs. May be
     * NULL: there is nothing of that to be done.
     */
    void (*leave)(struct surface *surface);
};

extern const struct surface_kind surface_headless;
#ifdef HAVE_XCB
extern const struct surface_kind surface_xcb;
#endif
#ifdef HAVE_WAYLAND
extern const struct surface_kind surface_wayland;
#endif
#ifdef HAVE_METAL
extern const struct surface_kind surface_metal, surface_iosurface;
#endif

#endif
