/* SPDX-License-Identifier: MIT */
/*
 * Memory that a window system shows as it is, and that Vulkan paints in: an IOSurface of macOS. The seam between
 * the ring of sheets (sheets.c) and the window system that makes and shows them. One const table per kind.
 *
 * All on the presenter's thread, and nothing here waits for anybody.
 */
#ifndef PRESENT_SHEETS_H
#define PRESENT_SHEETS_H

#include "present/surface.h"
#include "vk/vulkan.h"

struct sheet;

struct sheet_kind {
    const char *extension; /* of the device, that painting in them takes */

    /* Of so many pixels, in VK_FORMAT_B8G8R8A8_UNORM. NULL: there is no memory for it. */
    struct sheet *(*create)(uint32_t width, uint32_t height);
    /* It stays where it is shown, until another one is. After its image is gone. */
    void (*destroy)(struct sheet *sheet);

    /* An image as `info` has it, whose memory is the sheet's, and what Vulkan wants bound to it. Both are the caller's
     * to destroy, on failure too as far as they were made. */
    VkResult (*create_image)(struct sheet *sheet, const struct vulkan *vk,
                             const VkImageCreateInfo *info, VkImage *image, VkDeviceMemory *memory);

    /* Show that from now on. It is painted: the GPU is done with it. */
    void (*show)(struct surface *surface, struct sheet *sheet);
    /* The window system has not taken yet what is to be shown: another one now would come in its place. */
    bool (*is_waiting)(struct surface *surface);
    /* It is shown, or to be shown, or the window system reads it still: it must not be painted in. */
    bool (*in_use)(struct surface *surface, struct sheet *sheet);
};

#endif
