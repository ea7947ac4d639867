/* SPDX-License-Identifier: MIT */
/*
 * A place on a screen (surface.h) for macOS: a swapchain of a CAMetalLayer's over a view (surface-layer.h).
 *
 * Drivers (MoltenVK, KosmicKrisp) take the size of a surface from the layer's bounds and contentsScale, older ones of
 * Mesa's from its drawableSize. So all of these say the same, in whole pixels of the display's; a surface whose extent is
 * never what dispatch() says would be made anew without end.
 *
 * A driver waits for a drawable of a layer that nobody sees, though a second at most (allowsNextDrawableTimeout); and
 * unlike Wayland, the window server says when it is seen no more. So this kind does not pace frames: it is presented to
 * in FIFO mode, and not at all while it is not visible.
 */
#import "present/surface-layer.h"

#include <vulkan/vulkan_metal.h>

@interface VenusGPUMetalCover : VenusGPUCover
@end

@implementation VenusGPUMetalCover

- (CALayer *)newLayer
{
    return [[CAMetalLayer alloc] init];
}

- (void)resizedTo:(NSSize)pixels
{
    [(CAMetalLayer *)layer setDrawableSize:pixels];
}

@end

static struct surface *create(const struct venus_gpu_target *target, char **error)
{
    return layer_create(&surface_metal, [VenusGPUMetalCover class], target, error);
}

static VkResult create_vulkan(struct surface *base, const struct vulkan *vk,
                              VkSurfaceKHR *vk_surface)
{
    PFN_vkCreateMetalSurfaceEXT create_surface =
        (PFN_vkCreateMetalSurfaceEXT)vk->GetInstanceProcAddr(vk->instance,
                                                             "vkCreateMetalSurfaceEXT");
    if (!create_surface)
        return VK_ERROR_EXTENSION_NOT_PRESENT;
    const VkMetalSurfaceCreateInfoEXT info = {
        .sType = VK_STRUCTURE_TYPE_METAL_SURFACE_CREATE_INFO_EXT,
        .pLayer = (CAMetalLayer *)((struct surface_in_layer *)base)->cover->layer,
    };
    return create_surface(vk->instance, &info, NULL, vk_surface);
}

const struct surface_kind surface_metal = {
    .name = "a view of macOS",
    .extension = "VK_EXT_metal_surface",
    .with_sheets = &surface_iosurface,
    .create = create,
    .destroy = layer_destroy,
    .create_vulkan = create_vulkan,
    .fd = layer_fd,
    .dispatch = layer_dispatch,
    .show = layer_show,
};
