/* SPDX-License-Identifier: MIT */
/*
 * What frames are painted on: a ring of images, of which one is acquired, painted, and presented.
 *
 * Three kinds behind one table: the swapchain of a surface (swapchain.c), memory that a window system shows
 * as it is (sheets.c), and images that nobody sees (offscreen.c). All on the presenter's thread, one frame at a time: the GPU is done with an image's
 * predecessor before the next one is acquired.
 */
#ifndef PRESENT_IMAGES_H
#define PRESENT_IMAGES_H

#include "present/surface.h"
#include "vk/vulkan.h"

struct image {
    VkImage image;
    VkImageView view;
    bool painted;                /* since its creation: there is something in it to be kept */
    struct venus_gpu_rect stale; /* what of it differs from the frame, in the frame's pixels */
};

enum { MAX_IMAGES = 8 };

struct images {
    const struct images_kind *kind;
    struct vulkan *vk;
    VkFormat format;
    uint32_t width, height;         /* pixels */
    uint32_t for_width, for_height; /* of the target; more, where there are no larger images */
    uint32_t then_width, then_height; /* what the target said when they were made: the driver may have known better */
    bool can_copy; /* bytes can be copied in, alpha included: it will not be looked at */
    unsigned count;
    struct image image[MAX_IMAGES];
};

struct images_kind {
    VkImageLayout layout; /* of an image that is not being painted */

    /*
     * The next image to paint on. VK_SUCCESS or VK_SUBOPTIMAL_KHR: there is one, to be painted once
     * *ready has signalled (VK_NULL_HANDLE: at once). VK_TIMEOUT: none within that time.
     */
    VkResult (*acquire)(struct images *images, uint64_t timeout_ns, unsigned *index,
                        VkSemaphore *ready);
    /* What painting has to signal before image `index` is shown. VK_NULL_HANDLE: nobody waits for a signal,
     * so it is presented once the GPU is done with it. */
    VkSemaphore (*painted)(struct images *images, unsigned index);
    VkResult (*present)(struct images *images, unsigned index);
    void (*destroy)(struct images *images); /* takes those that are half made */
};

/*
 * A swapchain for the surface as large as it is now. `former`: the one that it replaces, which is retired
 * and still to be destroyed, or NULL. VK_NOT_READY: the surface has no size at the moment.
 */
VkResult swapchain_create(struct vulkan *vk, struct surface *surface, VkSurfaceKHR vk_surface,
                          enum venus_gpu_present_mode mode, struct images *former,
                          struct images **images);
/* The same for a surface whose kind has sheets. What they replace is shown until one of these is. */
VkResult sheets_create(struct vulkan *vk, struct surface *surface, enum venus_gpu_present_mode mode,
                       struct images **images);
VkResult offscreen_create(struct vulkan *vk, uint32_t width, uint32_t height,
                          struct images **images);

/* The image that offscreen_present() showed last, or NULL. */
struct image *offscreen_shown(struct images *images);

/* Memory of its own for an image, bound to it. `more`: for the pNext of VkMemoryAllocateInfo. */
VkResult images_add_memory(const struct vulkan *vk, VkImage image, const void *more,
                           VkDeviceMemory *memory);

/* For all kinds: make views of all images. */
VkResult images_create_views(struct images *images);
void images_destroy_views(struct images *images);

#endif
