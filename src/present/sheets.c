/* SPDX-License-Identifier: MIT */
/*
 * See images.h: memory that the window system shows as it is. Nobody tells when it is done with a sheet, so that is
 * asked for, every millisecond; and it may never be, so not for longer than the caller has time.
 */
#include "present/sheets.h"

#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "present/images.h"

/* One that is read, one that is to be shown next, and one to paint on. */
enum { RING = 3 };

struct sheets {
    struct images base;
    struct surface *surface;
    const struct sheet_kind *kind;
    bool keeps_all; /* none is shown in place of another one that the window system has not taken */
    struct sheet *sheet[RING];
    VkDeviceMemory memory[RING];
    unsigned next;
};

static VkResult create_sheet(struct sheets *sheets, unsigned index)
{
    struct images *images = &sheets->base;
    const VkImageCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
        .imageType = VK_IMAGE_TYPE_2D,
        .format = images->format,
        .extent = { images->width, images->height, 1 },
        .mipLevels = 1,
        .arrayLayers = 1,
        .samples = VK_SAMPLE_COUNT_1_BIT,
        .tiling = VK_IMAGE_TILING_OPTIMAL,
        .usage = VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT,
        .sharingMode = VK_SHARING_MODE_EXCLUSIVE,
        .initialLayout = VK_IMAGE_LAYOUT_UNDEFINED,
    };
    sheets->sheet[index] = sheets->kind->create(images->width, images->height);
    if (!sheets->sheet[index])
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    return sheets->kind->create_image(sheets->sheet[index], images->vk, &info,
                                      &images->image[index].image, &sheets->memory[index]);
}

/* Whether there is one to paint on now. */
static bool find_free(struct sheets *sheets, unsigned *index)
{
    if (sheets->keeps_all && sheets->kind->is_waiting(sheets->surface))
        return false;
    for (unsigned i = 0; i < RING; i++) {
        *index = (sheets->next + i) % RING;
        if (!sheets->kind->in_use(sheets->surface, sheets->sheet[*index]))
            return true;
    }
    return false;
}

static VkResult acquire(struct images *images, uint64_t timeout_ns, unsigned *index,
                        VkSemaphore *ready)
{
    struct sheets *sheets = (struct sheets *)images;
    const struct timespec pause = { .tv_nsec = 1000L * 1000 };
    uint64_t deadline_ns = clock_now_ns() + timeout_ns;
    *ready = VK_NULL_HANDLE;
    while (!find_free(sheets, index)) {
        if (clock_now_ns() >= deadline_ns)
            return VK_TIMEOUT;
        nanosleep(&pause, NULL);
    }
    sheets->next = (*index + 1) % RING;
    return VK_SUCCESS;
}

static VkSemaphore painted(struct images *images, unsigned index)
{
    (void)images, (void)index;
    return VK_NULL_HANDLE;
}

static VkResult present(struct images *images, unsigned index)
{
    struct sheets *sheets = (struct sheets *)images;
    sheets->kind->show(sheets->surface, sheets->sheet[index]);
    return VK_SUCCESS;
}

static void destroy(struct images *images)
{
    struct sheets *sheets = (struct sheets *)images;
    struct vulkan *vk = images->vk;
    if (vulkan_hangs(vk)) {
        vulkan_abandon(vk, sheets);
        return;
    }
    images_destroy_views(images);
    for (unsigned i = 0; i < RING; i++) {
        vk->DestroyImage(vk->device, images->image[i].image, NULL);
        vk->FreeMemory(vk->device, sheets->memory[i], NULL);
        if (sheets->sheet[i])
            sheets->kind->destroy(sheets->sheet[i]);
    }
    free(sheets);
}

static const struct images_kind sheets_kind = {
    .layout = VK_IMAGE_LAYOUT_GENERAL,
    .acquire = acquire,
    .painted = painted,
    .present = present,
    .destroy = destroy,
};

VkResult sheets_create(struct vulkan *vk, struct surface *surface, enum venus_gpu_present_mode mode,
                       struct images **images)
{
    if (!surface->width || !surface->height)
        return VK_NOT_READY;
    struct sheets *sheets = calloc(1, sizeof(*sheets));
    if (!sheets)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    uint32_t most = vk->properties.limits.maxImageDimension2D;
    sheets->base = (struct images){
        .kind = &sheets_kind,
        .vk = vk,
        .format = VK_FORMAT_B8G8R8A8_UNORM,
        .width = surface->width < most ? surface->width : most,
        .height = surface->height < most ? surface->height : most,
        .for_width = surface->width,
        .for_height = surface->height,
        .can_copy = false, /* alpha is looked at, and a frame has anything there */
        .count = RING,
    };
    sheets->surface = surface;
    sheets->kind = surface->kind->sheets;
    sheets->keeps_all = mode == VENUS_GPU_PRESENT_FIFO;
    VkResult result = VK_SUCCESS;
    for (unsigned i = 0; i < RING && result == VK_SUCCESS; i++)
        result = create_sheet(sheets, i);
    if (result == VK_SUCCESS)
        result = images_create_views(&sheets->base);
    if (result != VK_SUCCESS) {
        destroy(&sheets->base);
        return result;
    }
    *images = &sheets->base;
    return VK_SUCCESS;
}
