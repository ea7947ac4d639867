/* SPDX-License-Identifier: MIT */
/* A surface that nobody sees: VK_EXT_headless_surface. All of presenting but a window system. */
#include <stdlib.h>

#include "present/surface.h"

static struct surface *create(const struct venus_gpu_target *target, char **error)
{
    (void)error;
    struct surface *surface = calloc(1, sizeof(*surface));
    if (!surface)
        return NULL;
    surface->kind = &surface_headless;
    surface->width = target->width;
    surface->height = target->height;
    surface->visible = true;
    return surface;
}

static void destroy(struct surface *surface)
{
    free(surface);
}

static VkResult create_vulkan(struct surface *surface, const struct vulkan *vk,
                              VkSurfaceKHR *vk_surface)
{
    (void)surface;
    PFN_vkCreateHeadlessSurfaceEXT create_surface =
        (PFN_vkCreateHeadlessSurfaceEXT)vk->GetInstanceProcAddr(vk->instance,
                                                                "vkCreateHeadlessSurfaceEXT");
    if (!create_surface)
        return VK_ERROR_EXTENSION_NOT_PRESENT;
    const VkHeadlessSurfaceCreateInfoEXT info = {
        .sType = VK_STRUCTURE_TYPE_HEADLESS_SURFACE_CREATE_INFO_EXT,
    };
    return create_surface(vk->instance, &info, NULL, vk_surface);
}

static int fd(struct surface *surface)
{
    (void)surface;
    return -1;
}

static void dispatch(struct surface *surface)
{
    (void)surface;
}

static void resize(struct surface *surface, uint32_t width, uint32_t height)
{
    surface->width = width;
    surface->height = height;
}

const struct surface_kind surface_headless = {
    .name = "a headless surface",
    .extension = "VK_EXT_headless_surface",
    .create = create,
    .destroy = destroy,
    .create_vulkan = create_vulkan,
    .fd = fd,
    .dispatch = dispatch,
    .resize = resize,
};
