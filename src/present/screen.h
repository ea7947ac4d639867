/* SPDX-License-Identifier: MIT */
/*
 * One target, opened: its surface, images and painter, made anew as windows change and get lost.
 *
 * On the presenter's thread only.
 */
#ifndef PRESENT_SCREEN_H
#define PRESENT_SCREEN_H

#include "present/images.h"
#include "present/painter.h"
#include "present/surface.h"
#include "vk/vulkan.h"

struct shared_vulkan;

struct screen {
    struct shared_vulkan *shared;
    enum venus_gpu_present_mode mode;
    struct venus_gpu_target target; /* with strings of its own */
    char *display, *title;
    struct vulkan *vk;
    const char *lacks;       /* the extension that sheets take, if they were asked for in vain; or NULL */
    struct surface *surface; /* NULL: offscreen */
    VkSurfaceKHR vk_surface; /* none where the surface has sheets */
    struct images *images;              /* NULL until the first frame, and after a loss */
    struct painter *painter;            /* for the format of the images that there were last */
    bool outdated;                      /* the images cannot be used any more */
    uint32_t frame_width, frame_height; /* of the frame shown last */
    uint32_t *pointer_pixels;           /* the pointer's picture, for a new painter */
    uint32_t pointer_width, pointer_height;
};

/* Whether the target makes sense: 0, -EINVAL, or -ENOTSUP where this kind was not built. */
int screen_check_target(const struct venus_gpu_target *target);

/* Copies the target. Returns 0 or -ENOMEM. What was made is left to screen_finish(), also on failure. */
int screen_init(struct screen *screen, struct shared_vulkan *shared,
                enum venus_gpu_present_mode mode, const struct venus_gpu_target *target);
void screen_finish(struct screen *screen);

/* Connect to the Vulkan device and to the window system. false: *why says why not, to be freed. */
bool screen_open(struct screen *screen, const struct surface_listener *listener, void *opaque,
                 char **why);
void screen_close(struct screen *screen);

/* What it is, for a person: "lavapipe in an X11 window". */
char *screen_describe(const struct screen *screen);

/* The frame is of another size than the one before: let the window follow. */
void screen_follow(struct screen *screen, const struct venus_gpu_frame *frame);

/* The window is of another size than the one that the images were made for. */
bool screen_is_outdated(const struct screen *screen);

/*
 * Paint the frame and present it. VK_SUCCESS: it was read, and handed to the window system. VK_TIMEOUT:
 * it was not read, since there is nothing to paint on at the moment; try again later. Anything else:
 * the target is lost; screen_why() says why.
 */
VkResult screen_paint(struct screen *screen, const struct painting *painting);
char *screen_why(const struct screen *screen, VkResult result);

/* A new picture of the pointer, copied. */
void screen_set_pointer(struct screen *screen, const uint32_t *pixels, uint32_t width,
                        uint32_t height);

/* Where a point of the surface is on the frame, and inside it. */
void screen_to_frame(const struct screen *screen, int32_t *x, int32_t *y);

#endif
