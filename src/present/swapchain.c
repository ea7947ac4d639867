/* SPDX-License-Identifier: MIT */
/* See images.h: the swapchain of a surface. */
#include <stdlib.h>

#include "present/images.h"

struct swapchain {
    struct images base;
    struct surface *surface;
    VkSwapchainKHR chain;
    VkFence idle;      /* for destroy(); made before anything is presented */
    VkSemaphore ready; /* an image can be painted; waited for before the next acquire */
    VkSemaphore
        painted[MAX_IMAGES]; /* presenting waits for it; free again once the image comes back */
};

static VkResult acquire(struct images *images, uint64_t timeout_ns, unsigned *index,
                        VkSemaphore *ready)
{
    struct swapchain *swapchain = (struct swapchain *)images;
    const struct vulkan *vk = images->vk;
    uint32_t next;
    VkResult result = vk->AcquireNextImageKHR(vk->device, swapchain->chain, timeout_ns,
                                              swapchain->ready, VK_NULL_HANDLE, &next);
    *index = next;
    *ready = swapchain->ready;
    return result == VK_NOT_READY ? VK_TIMEOUT : result;
}

static VkSemaphore painted(struct images *images, unsigned index)
{
    return ((struct swapchain *)images)->painted[index];
}

static VkResult present(struct images *images, unsigned index)
{
    struct swapchain *swapchain = (struct swapchain *)images;
    struct vulkan *vk = images->vk;
    const uint32_t image = index;
    const VkPresentInfoKHR info = {
        .sType = VK_STRUCTURE_TYPE_PRESENT_INFO_KHR,
        .waitSemaphoreCount = 1,
        .pWaitSemaphores = &swapchain->painted[index],
        .swapchainCount = 1,
        .pSwapchains = &swapchain->chain,
        .pImageIndices = &image,
    };
    if (swapchain->surface->kind->about_to_present)
        swapchain->surface->kind->about_to_present(swapchain->surface);
    pthread_mutex_lock(&vk->queue_lock);
    VkResult result = vk->QueuePresentKHR(vk->queue, &info);
    pthread_mutex_unlock(&vk->queue_lock);
    return result;
}

static void destroy(struct images *images)
{
    struct swapchain *swapchain = (struct swapchain *)images;
    struct vulkan *vk = images->vk;
    /* Presenting has no fence of its own that would tell when its semaphores are free. */
    if (swapchain->idle && !vulkan_hangs(vk))
        vulkan_wait_idle(vk, swapchain->idle);
    if (vulkan_hangs(vk)) {
        vulkan_abandon(vk, swapchain);
        return;
    }
    images_destroy_views(images);
    for (unsigned i = 0; i < MAX_IMAGES; i++)
        vk->DestroySemaphore(vk->device, swapchain->painted[i], NULL);
    vk->DestroySemaphore(vk->device, swapchain->ready, NULL);
    vk->DestroyFence(vk->device, swapchain->idle, NULL);
    vk->DestroySwapchainKHR(vk->device, swapchain->chain, NULL);
    free(swapchain);
}

static const struct images_kind swapchain_kind = {
    .layout = VK_IMAGE_LAYOUT_PRESENT_SRC_KHR,
    .acquire = acquire,
    .painted = painted,
    .present = present,
    .destroy = destroy,
};

/* A format whose bytes a frame's can be copied into as they are. */
static VkResult choose_format(const struct vulkan *vk, VkSurfaceKHR surface,
                              VkSurfaceFormatKHR *chosen)
{
    static const VkFormat liked[] = { VK_FORMAT_B8G8R8A8_UNORM, VK_FORMAT_R8G8B8A8_UNORM,
                                      VK_FORMAT_A8B8G8R8_UNORM_PACK32 };
    VkSurfaceFormatKHR formats[64];
    uint32_t count = sizeof(formats) / sizeof(formats[0]);
    VkResult result =
        vk->GetPhysicalDeviceSurfaceFormatsKHR(vk->physical, surface, &count, formats);
    if (result != VK_SUCCESS && result != VK_INCOMPLETE)
        return result;
    for (size_t i = 0; i < sizeof(liked) / sizeof(liked[0]); i++) {
        for (uint32_t k = 0; k < count; k++) {
            if (formats[k].format == liked[i] &&
                formats[k].colorSpace == VK_COLOR_SPACE_SRGB_NONLINEAR_KHR) {
                *chosen = formats[k];
                return VK_SUCCESS;
            }
        }
    }
    return VK_ERROR_INITIALIZATION_FAILED;
}

/* The mode that was asked for, or the nearest that there is. FIFO is always there. */
static VkPresentModeKHR choose_mode(const struct vulkan *vk, const struct surface_kind *kind,
                                    VkSurfaceKHR surface, enum venus_gpu_present_mode wanted)
{
    VkPresentModeKHR modes[16];
    uint32_t count = sizeof(modes) / sizeof(modes[0]);
    VkResult result =
        vk->GetPhysicalDeviceSurfacePresentModesKHR(vk->physical, surface, &count, modes);
    bool immediate = false, mailbox = false;
    for (uint32_t i = 0; result >= 0 && i < count; i++) {
        immediate = immediate || modes[i] == VK_PRESENT_MODE_IMMEDIATE_KHR;
        mailbox = mailbox || modes[i] == VK_PRESENT_MODE_MAILBOX_KHR;
    }
    if (wanted == VENUS_GPU_PRESENT_FIFO && !kind->paces)
        return VK_PRESENT_MODE_FIFO_KHR;
    if (immediate && (wanted == VENUS_GPU_PRESENT_IMMEDIATE || !mailbox) &&
        (wanted == VENUS_GPU_PRESENT_IMMEDIATE || kind->paces))
        return VK_PRESENT_MODE_IMMEDIATE_KHR;
    return mailbox ? VK_PRESENT_MODE_MAILBOX_KHR : VK_PRESENT_MODE_FIFO_KHR;
}

static uint32_t clamp(uint32_t value, uint32_t least, uint32_t most)
{
    return value < least ? least : value > most ? most : value;
}

static VkResult create_chain(struct swapchain *swapchain, VkSurfaceKHR surface,
                             enum venus_gpu_present_mode mode, VkSwapchainKHR former)
{
    struct images *images = &swapchain->base;
    const struct vulkan *vk = images->vk;
    VkSurfaceCapabilitiesKHR caps;
    VkSurfaceFormatKHR format;
    VkResult result = vk->GetPhysicalDeviceSurfaceCapabilitiesKHR(vk->physical, surface, &caps);
    if (result == VK_SUCCESS)
        result = choose_format(vk, surface, &format);
    if (result != VK_SUCCESS)
        return result;

    VkExtent2D extent = caps.currentExtent;
    images->for_width = extent.width;
    images->for_height = extent.height;
    if (extent.width == UINT32_MAX) { /* the surface takes on the size of its swapchain */
        images->for_width = swapchain->surface->width;
        images->for_height = swapchain->surface->height;
        extent.width =
            clamp(swapchain->surface->width, caps.minImageExtent.width, caps.maxImageExtent.width);
        extent.height = clamp(swapchain->surface->height, caps.minImageExtent.height,
                              caps.maxImageExtent.height);
    }
    if (!extent.width || !extent.height)
        return VK_NOT_READY;

    bool opaque = caps.supportedCompositeAlpha & VK_COMPOSITE_ALPHA_OPAQUE_BIT_KHR;
    images->format = format.format;
    images->width = extent.width;
    images->height = extent.height;
    images->can_copy = opaque && caps.supportedUsageFlags & VK_IMAGE_USAGE_TRANSFER_DST_BIT;

    /* One to show, one to wait for it, and one to paint on. */
    uint32_t wanted = caps.minImageCount + 1 < 3 ? 3 : caps.minImageCount + 1;
    const VkSwapchainCreateInfoKHR info = {
        .sType = VK_STRUCTURE_TYPE_SWAPCHAIN_CREATE_INFO_KHR,
        .surface = surface,
        .minImageCount =
            clamp(wanted, caps.minImageCount, caps.maxImageCount ? caps.maxImageCount : UINT32_MAX),
        .imageFormat = format.format,
        .imageColorSpace = format.colorSpace,
        .imageExtent = extent,
        .imageArrayLayers = 1,
        .imageUsage = VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT |
                      (images->can_copy ? VK_IMAGE_USAGE_TRANSFER_DST_BIT : 0),
        .imageSharingMode = VK_SHARING_MODE_EXCLUSIVE,
        .preTransform = caps.currentTransform,
        .compositeAlpha = opaque ? VK_COMPOSITE_ALPHA_OPAQUE_BIT_KHR
                                 /* The lowest that there is. */
                                 : caps.supportedCompositeAlpha & -caps.supportedCompositeAlpha,
        .presentMode = choose_mode(vk, swapchain->surface->kind, surface, mode),
        .clipped = VK_TRUE,
        .oldSwapchain = former,
    };
    result = vk->CreateSwapchainKHR(vk->device, &info, NULL, &swapchain->chain);
    if (result != VK_SUCCESS) {
        swapchain->chain = VK_NULL_HANDLE;
        return result;
    }

    VkImage handles[MAX_IMAGES];
    uint32_t count = MAX_IMAGES;
    result = vk->GetSwapchainImagesKHR(vk->device, swapchain->chain, &count, handles);
    if (result != VK_SUCCESS) /* VK_INCOMPLETE: more than we could number */
        return result < 0 ? result : VK_ERROR_OUT_OF_HOST_MEMORY;
    images->count = count;
    for (uint32_t i = 0; i < count; i++)
        images->image[i].image = handles[i];
    return images_create_views(images);
}

static VkResult create_semaphores(struct swapchain *swapchain)
{
    const struct vulkan *vk = swapchain->base.vk;
    const VkSemaphoreCreateInfo info = { .sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO };
    const VkFenceCreateInfo fence = { .sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO };
    VkResult result = vk->CreateFence(vk->device, &fence, NULL, &swapchain->idle);
    if (result == VK_SUCCESS)
        result = vk->CreateSemaphore(vk->device, &info, NULL, &swapchain->ready);
    for (unsigned i = 0; i < swapchain->base.count && result == VK_SUCCESS; i++)
        result = vk->CreateSemaphore(vk->device, &info, NULL, &swapchain->painted[i]);
    return result;
}

VkResult swapchain_create(struct vulkan *vk, struct surface *surface, VkSurfaceKHR vk_surface,
                          enum venus_gpu_present_mode mode, struct images *former,
                          struct images **images)
{
    struct swapchain *swapchain = calloc(1, sizeof(*swapchain));
    if (!swapchain)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    swapchain->base.kind = &swapchain_kind;
    swapchain->base.vk = vk;
    swapchain->surface = surface;
    VkSwapchainKHR former_chain = former ? ((struct swapchain *)former)->chain : VK_NULL_HANDLE;
    VkResult result = create_chain(swapchain, vk_surface, mode, former_chain);
    if (result == VK_SUCCESS)
        result = create_semaphores(swapchain);
    if (result != VK_SUCCESS) {
        destroy(&swapchain->base);
        return result;
    }
    *images = &swapchain->base;
    return VK_SUCCESS;
}
