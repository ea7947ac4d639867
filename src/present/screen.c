/* SPDX-License-Identifier: MIT */
/*
 * See screen.h.
 *
 * Surfaces change under us at any time, and Vulkan says so late, in what acquiring and presenting return.
 * So painting is a loop: make the images if there are none that fit, acquire, paint, present; out of date
 * means once more with new images, a lost surface once more with a new VkSurfaceKHR of the same window,
 * and what still fails then ends the presenter.
 */
#include "present/screen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/message.h"
#include "present/sheets.h"
#include "vk/shared-vulkan.h"

enum { MAX_TRIES = 4 };

/* So long a frame waits for the display before it is dropped: a few refreshes of a slow one. */
static const uint64_t acquire_timeout_ns = 100ull * 1000 * 1000;

static const struct surface_kind *surface_kind_of(enum venus_gpu_target_kind kind)
{
    switch (kind) {
    case VENUS_GPU_TARGET_HEADLESS:
        return &surface_headless;
#ifdef HAVE_XCB
    case VENUS_GPU_TARGET_X11:
        return &surface_xcb;
#endif
#ifdef HAVE_WAYLAND
    case VENUS_GPU_TARGET_WAYLAND:
        return &surface_wayland;
#endif
#ifdef HAVE_METAL
    case VENUS_GPU_TARGET_METAL:
        return &surface_metal;
#endif
    default:
        return NULL;
    }
}

int screen_check_target(const struct venus_gpu_target *target)
{
    enum venus_gpu_target_kind kind = target->kind;
    bool has_display = kind == VENUS_GPU_TARGET_X11 || kind == VENUS_GPU_TARGET_WAYLAND;
    if ((unsigned)kind > VENUS_GPU_TARGET_METAL || (has_display && !target->display) ||
        (kind == VENUS_GPU_TARGET_X11 && !target->window) ||
        (kind == VENUS_GPU_TARGET_METAL && !target->view) ||
        (kind == VENUS_GPU_TARGET_WAYLAND && (!target->width || !target->height)) ||
        !target->width != !target->height)
        return -EINVAL;
    return kind == VENUS_GPU_TARGET_OFFSCREEN || surface_kind_of(kind) ? 0 : -ENOTSUP;
}

int screen_init(struct screen *screen, struct shared_vulkan *shared,
                enum venus_gpu_present_mode mode, const struct venus_gpu_target *target)
{
    *screen = (struct screen){ .shared = shared, .mode = mode, .target = *target };
    if (target->display)
        screen->target.display = screen->display = strdup(target->display);
    if (target->title)
        screen->target.title = screen->title = strdup(target->title);
    return (target->display && !screen->display) || (target->title && !screen->title) ? -ENOMEM : 0;
}

void screen_finish(struct screen *screen)
{
    free(screen->pointer_pixels);
    free(screen->display);
    free(screen->title);
}

static VkResult create_vk_surface(struct screen *screen)
{
    const struct vulkan *vk = screen->vk;
    VkResult result =
        screen->surface->kind->create_vulkan(screen->surface, vk, &screen->vk_surface);
    if (result != VK_SUCCESS) {
        screen->vk_surface = VK_NULL_HANDLE;
        return result;
    }
    VkBool32 supported = VK_FALSE;
    result = vk->GetPhysicalDeviceSurfaceSupportKHR(vk->physical, vk->family, screen->vk_surface,
                                                    &supported);
    return result == VK_SUCCESS && !supported ? VK_ERROR_EXTENSION_NOT_PRESENT : result;
}

/* The kind with sheets, if that was asked for and the device can paint in them. */
static const struct surface_kind *choose_kind(struct screen *screen)
{
    const struct surface_kind *kind = screen->shared->window_system;
    if (!kind)
        kind = surface_kind_of(screen->target.kind);
    const struct surface_kind *other = kind ? kind->with_sheets : NULL;
    screen->lacks = NULL;
    if (!other || !getenv("VENUS_GPU_IOSURFACE"))
        return kind;
    if (vulkan_has_extension(screen->vk, other->sheets->extension))
        return other;
    screen->lacks = other->sheets->extension;
    return kind;
}

bool screen_open(struct screen *screen, const struct surface_listener *listener, void *opaque,
                 char **why)
{
    screen->vk = shared_vulkan_open(screen->shared, screen->target.only_gpu, why);
    if (!screen->vk)
        return false;

    const struct surface_kind *kind = choose_kind(screen);
    if (kind && kind->extension && !vulkan_has_surface_kind(screen->vk, kind->extension)) {
        if (screen->target.kind != VENUS_GPU_TARGET_HEADLESS)
            return refuse(why, "%s cannot present in %s: it lacks %s.",
                          screen->vk->properties.deviceName, kind->name, kind->extension);
        kind = NULL;
    }
    if (!kind)
        return true;

    screen->surface = kind->create(&screen->target, why);
    if (!screen->surface)
        return false;
    screen->surface->listener = listener;
    screen->surface->opaque = opaque;
    VkResult result = kind->sheets ? VK_SUCCESS : create_vk_surface(screen);
    return result == VK_SUCCESS ||
           refuse(why, "%s cannot present in %s: %s.", screen->vk->properties.deviceName,
                  kind->name, vulkan_result_name(result));
}

char *screen_describe(const struct screen *screen)
{
    return message("%s in %s", screen->vk->properties.deviceName,
                   screen->surface ? screen->surface->kind->name : "images that nobody sees");
}

static void drop_images(struct screen *screen)
{
    if (screen->images)
        screen->images->kind->destroy(screen->images);
    screen->images = NULL;
}

static void drop_vk_surface(struct screen *screen)
{
    drop_images(screen);
    if (screen->vk_surface && vulkan_hangs(screen->vk))
        vulkan_abandon(screen->vk, (void *)(uintptr_t)screen->vk_surface);
    else if (screen->vk_surface)
        screen->vk->DestroySurfaceKHR(screen->vk->instance, screen->vk_surface, NULL);
    screen->vk_surface = VK_NULL_HANDLE;
}

/* Of a device that hangs: the driver may use the window still, but nobody is to see it. */
static void abandon_surface(struct vulkan *vk, struct surface *surface)
{
    if (surface->kind->show && !surface->kind->leave)
        surface->kind->show(surface, false);
    vulkan_abandon(vk, surface);
}

void screen_close(struct screen *screen)
{
    if (screen->surface && screen->surface->kind->leave)
        screen->surface->kind->leave(screen->surface);
    painter_destroy(screen->painter);
    screen->painter = NULL;
    drop_vk_surface(screen);
    if (screen->surface && vulkan_hangs(screen->vk))
        abandon_surface(screen->vk, screen->surface);
    else if (screen->surface)
        screen->surface->kind->destroy(screen->surface);
    screen->surface = NULL;
    vulkan_unref(screen->vk);
    screen->vk = NULL;
}

void screen_follow(struct screen *screen, const struct venus_gpu_frame *frame)
{
    if (screen->frame_width == frame->width && screen->frame_height == frame->height)
        return;
    screen->frame_width = frame->width;
    screen->frame_height = frame->height;
    bool fixed = screen->target.kind <= VENUS_GPU_TARGET_HEADLESS && screen->target.width;
    if (screen->surface && screen->surface->kind->resize && !fixed)
        screen->surface->kind->resize(screen->surface, frame->width, frame->height);
}

static void size_wanted(const struct screen *screen, uint32_t *width, uint32_t *height)
{
    if (screen->surface) {
        *width = screen->surface->width;
        *height = screen->surface->height;
    } else {
        *width = screen->target.width ? screen->target.width : screen->frame_width;
        *height = screen->target.width ? screen->target.height : screen->frame_height;
    }
}

bool screen_is_outdated(const struct screen *screen)
{
    uint32_t width, height;
    size_wanted(screen, &width, &height);
    const struct images *images = screen->images;
    if (!images || (images->then_width == width && images->then_height == height))
        return false; /* if the driver says another size, others that are made now would be the same */
    return images->for_width != width || images->for_height != height;
}

/* See to it that there are images that fit, and a painter for them. */
static VkResult prepare(struct screen *screen)
{
    if (screen->surface && screen->surface->lost)
        return VK_ERROR_SURFACE_LOST_KHR;
    if (screen->surface && !screen->surface->kind->sheets && !screen->vk_surface) {
        VkResult result = create_vk_surface(screen);
        if (result != VK_SUCCESS)
            return result;
    }
    if (!screen->images || screen->outdated || screen_is_outdated(screen)) {
        struct images *former = screen->images;
        screen->images = NULL;
        screen->outdated = false;
        VkResult result;
        uint32_t width, height;
        size_wanted(screen, &width, &height);
        if (screen->surface && screen->surface->kind->sheets) {
            result = sheets_create(screen->vk, screen->surface, screen->mode, &screen->images);
        } else if (screen->surface) {
            result = swapchain_create(screen->vk, screen->surface, screen->vk_surface, screen->mode,
                                      former, &screen->images);
        } else {
            result = offscreen_create(screen->vk, width, height, &screen->images);
        }
        if (former)
            former->kind->destroy(former);
        if (result != VK_SUCCESS) {
            screen->images = NULL;
            return result;
        }
        screen->images->then_width = width;
        screen->images->then_height = height;
    }
    VkResult result = VK_SUCCESS;
    if (!screen->painter || painter_format(screen->painter) != screen->images->format) {
        painter_destroy(screen->painter);
        screen->painter = painter_create(screen->vk, screen->images->format, &result);
        if (screen->painter && screen->pointer_pixels)
            result = painter_set_pointer(screen->painter, screen->pointer_pixels,
                                         screen->pointer_width, screen->pointer_height);
    }
    return result;
}

static VkResult paint_once(struct screen *screen, const struct painting *painting)
{
    VkResult result = prepare(screen);
    if (vulkan_hangs(screen->vk)) /* as another presenter found out, or prepare() */
        return VK_ERROR_DEVICE_LOST;
    if (result != VK_SUCCESS)
        return result;

    struct images *images = screen->images;
    unsigned index;
    VkSemaphore ready;
    VkResult acquired = images->kind->acquire(images, acquire_timeout_ns, &index, &ready);
    if (acquired != VK_SUCCESS && acquired != VK_SUBOPTIMAL_KHR)
        return acquired;
    VkSemaphore painted = images->kind->painted(images, index);
    result = painter_paint(screen->painter, images, index, painting, ready, painted);
    if (result == VK_SUCCESS && !painted)
        result = painter_wait(screen->painter);
    if (result != VK_SUCCESS) {
        screen->outdated = true; /* an acquired image that was not presented */
        return result;
    }
    VkResult presented = images->kind->present(images, index);
    result = painter_wait(screen->painter);
    if (result != VK_SUCCESS)
        return result;
    /* Suboptimal: shown all the same. Where the size is why, the surface will tell us. */
    return presented == VK_SUBOPTIMAL_KHR ? VK_SUCCESS : presented;
}

VkResult screen_paint(struct screen *screen, const struct painting *painting)
{
    /* Each image has to catch up with the frame when its turn comes. */
    for (unsigned i = 0; screen->images && i < screen->images->count; i++)
        rect_add(&screen->images->image[i].stale, &painting->damage);

    VkResult result = VK_SUCCESS;
    bool surface_was_lost = false;
    for (int i = 0; i < MAX_TRIES; i++) {
        result = paint_once(screen, painting);
        if (result == VK_ERROR_OUT_OF_DATE_KHR) {
            screen->outdated = true;
        } else if (result == VK_ERROR_SURFACE_LOST_KHR && !surface_was_lost && screen->surface &&
                   !screen->surface->lost) {
            surface_was_lost = true;
            drop_vk_surface(screen);
        } else {
            break;
        }
        if (screen->surface)
            screen->surface->kind->dispatch(screen->surface);
    }
    if (result == VK_ERROR_DEVICE_LOST)
        atomic_store(&screen->vk->lost, true);
    if (result == VK_NOT_READY || result == VK_ERROR_OUT_OF_DATE_KHR)
        return VK_TIMEOUT; /* no size, or a window that changes faster than we can follow */
    return result;
}

char *screen_why(const struct screen *screen, VkResult result)
{
    const char *device = screen->vk->properties.deviceName;
    if (screen->surface && screen->surface->lost)
        return message("its window is gone");
    if (result == VK_ERROR_DEVICE_LOST)
        return message("%s was lost", device);
    return message("%s cannot present any more (%s)", device, vulkan_result_name(result));
}

void screen_set_pointer(struct screen *screen, const uint32_t *pixels, uint32_t width,
                        uint32_t height)
{
    size_t size = (size_t)width * height * sizeof(*pixels);
    uint32_t *copy = size ? malloc(size) : NULL;
    free(screen->pointer_pixels);
    screen->pointer_pixels = copy;
    screen->pointer_width = copy ? width : 0;
    screen->pointer_height = copy ? height : 0;
    if (!copy)
        return;
    memcpy(copy, pixels, size);
    if (screen->painter &&
        painter_set_pointer(screen->painter, pixels, width, height) != VK_SUCCESS)
        screen->pointer_width = screen->pointer_height = 0;
}

void screen_to_frame(const struct screen *screen, int32_t *x, int32_t *y)
{
    uint32_t width, height;
    size_wanted(screen, &width, &height);
    VkRect2D place = painter_place(screen->frame_width, screen->frame_height, width, height);
    int64_t frame_x = (int64_t)(*x - place.offset.x) * screen->frame_width / place.extent.width;
    int64_t frame_y = (int64_t)(*y - place.offset.y) * screen->frame_height / place.extent.height;
    int64_t max_x = (int64_t)screen->frame_width - 1, max_y = (int64_t)screen->frame_height - 1;
    *x = (int32_t)(frame_x < 0 ? 0 : frame_x > max_x ? max_x : frame_x);
    *y = (int32_t)(frame_y < 0 ? 0 : frame_y > max_y ? max_y : frame_y);
}
