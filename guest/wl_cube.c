/* SPDX-License-Identifier: MIT */
/*
 * The turning cube in a window: Vulkan's swapchain on a Wayland compositor. guest/compositor runs two
 * of them at once.
 *
 *   wl_cube [--frames 300] [--seconds 0] [--size 320x240 | --maximized] [--start 0]
 *           [--background 304050] [--png FILE] [--json FILE] [--hold]
 *
 * Frame n is the cube turned --start + n times. The colour behind it tells several windows apart.
 * --png is the last frame, drawn once more; with --hold the window then stays.
 */
#define VK_USE_PLATFORM_WAYLAND_KHR
#include <stdlib.h>

#include "cube.h"
#include "example.h"
#include "target.h"
#include "window.h"

#define FORMAT      VK_FORMAT_B8G8R8A8_UNORM
#define MOST_IMAGES 8

/* One of the swapchain's images, and the semaphore that says that it is drawn. */
struct screen {
    VkImage image;
    VkImageView view;
    struct vk_pass pass;
    VkSemaphore drawn;
};

struct show {
    struct vk vk;
    struct window window;
    struct cube cube;
    struct mat4 turned;
    float background[4];
    VkSurfaceKHR surface;
    VkSwapchainKHR swapchain;
    struct screen screens[MOST_IMAGES];
    uint32_t screen_count;
    VkSemaphore acquired;
    struct samples frame_ms;
};

static void turn(struct show *s)
{
    s->turned = mat4_multiply(s->turned, mat4_turn_y(1599.0f / 1601.0f, 80.0f / 1601.0f));
}

static void open_device(struct show *s)
{
    const char *const for_surfaces[] = { VK_KHR_SURFACE_EXTENSION_NAME,
                                         VK_KHR_WAYLAND_SURFACE_EXTENSION_NAME };
    const char *const swapchain = VK_KHR_SWAPCHAIN_EXTENSION_NAME;
    VkBool32 presents = VK_FALSE;

    vk_create_instance_with(&s->vk, 2, for_surfaces);
    vk_find_device(&s->vk);
    vk_create_device(&s->vk, 1, &swapchain);
    VK_CHECK(
        vkCreateWaylandSurfaceKHR(s->vk.instance,
                                  &(VkWaylandSurfaceCreateInfoKHR){
                                      .sType = VK_STRUCTURE_TYPE_WAYLAND_SURFACE_CREATE_INFO_KHR,
                                      .display = s->window.display,
                                      .surface = s->window.surface },
                                  NULL, &s->surface));
    VK_CHECK(
        vkGetPhysicalDeviceSurfaceSupportKHR(s->vk.physical, s->vk.family, s->surface, &presents));
    if (!presents)
        die("%s cannot present to Wayland", s->vk.device_name);
}

static void check_format(const struct show *s)
{
    VkSurfaceFormatKHR formats[64];
    uint32_t count = 64;
    VkResult result =
        vkGetPhysicalDeviceSurfaceFormatsKHR(s->vk.physical, s->surface, &count, formats);

    if (result != VK_INCOMPLETE)
        vk_check(result, "vkGetPhysicalDeviceSurfaceFormatsKHR");
    for (uint32_t i = 0; i < count; i++) {
        if (formats[i].format == FORMAT)
            return;
    }
    die("the window cannot be drawn in B8G8R8A8_UNORM");
}

static VkSemaphore create_semaphore(const struct vk *vk)
{
    VkSemaphore semaphore;

    VK_CHECK(vkCreateSemaphore(
        vk->device, &(VkSemaphoreCreateInfo){ .sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO },
        NULL, &semaphore));
    return semaphore;
}

static struct screen create_screen(const struct vk *vk, VkImage image, uint32_t width,
                                   uint32_t height)
{
    struct screen screen = { .image = image, .drawn = create_semaphore(vk) };

    VK_CHECK(vkCreateImageView(
        vk->device,
        &(VkImageViewCreateInfo){ .sType = VK_STRUCTURE_TYPE_IMAGE_VIEW_CREATE_INFO,
                                  .image = image,
                                  .viewType = VK_IMAGE_VIEW_TYPE_2D,
                                  .format = FORMAT,
                                  .subresourceRange = { VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1 } },
        NULL, &screen.view));
    screen.pass =
        vk_pass_create(vk, FORMAT, screen.view, VK_FORMAT_UNDEFINED, VK_NULL_HANDLE, width, height);
    return screen;
}

/* In Wayland the swapchain decides how large the window is. */
static void create_swapchain(struct show *s)
{
    VkImage images[MOST_IMAGES];
    VkSurfaceCapabilitiesKHR can;

    check_format(s);
    VK_CHECK(vkGetPhysicalDeviceSurfaceCapabilitiesKHR(s->vk.physical, s->surface, &can));
    VK_CHECK(vkCreateSwapchainKHR(
        s->vk.device,
        &(VkSwapchainCreateInfoKHR){ .sType = VK_STRUCTURE_TYPE_SWAPCHAIN_CREATE_INFO_KHR,
                                     .surface = s->surface,
                                     .minImageCount = can.minImageCount,
                                     .imageFormat = FORMAT,
                                     .imageColorSpace = VK_COLOR_SPACE_SRGB_NONLINEAR_KHR,
                                     .imageExtent = { s->window.width, s->window.height },
                                     .imageArrayLayers = 1,
                                     .imageUsage = VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT,
                                     .preTransform = can.currentTransform,
                                     .compositeAlpha = VK_COMPOSITE_ALPHA_OPAQUE_BIT_KHR,
                                     .presentMode = VK_PRESENT_MODE_FIFO_KHR,
                                     .clipped = VK_TRUE },
        NULL, &s->swapchain));
    s->screen_count = MOST_IMAGES;
    VK_CHECK(vkGetSwapchainImagesKHR(s->vk.device, s->swapchain, &s->screen_count, images));
    for (uint32_t i = 0; i < s->screen_count; i++)
        s->screens[i] = create_screen(&s->vk, images[i], s->window.width, s->window.height);
    s->acquired = create_semaphore(&s->vk);
}

static void destroy(struct show *s)
{
    VK_CHECK(vkDeviceWaitIdle(s->vk.device));
    for (uint32_t i = 0; i < s->screen_count; i++) {
        vk_pass_destroy(&s->vk, &s->screens[i].pass);
        vkDestroyImageView(s->vk.device, s->screens[i].view, NULL);
        vkDestroySemaphore(s->vk.device, s->screens[i].drawn, NULL);
    }
    vkDestroySemaphore(s->vk.device, s->acquired, NULL);
    vkDestroySwapchainKHR(s->vk.device, s->swapchain, NULL);
    vkDestroySurfaceKHR(s->vk.instance, s->surface, NULL);
    cube_destroy(&s->cube, &s->vk);
    vk_destroy(&s->vk);
    window_destroy(&s->window);
    samples_finish(&s->frame_ms);
}

static void draw(const struct show *s, VkCommandBuffer commands, const struct screen *screen)
{
    vk_change_layout(commands, screen->image, VK_IMAGE_LAYOUT_UNDEFINED,
                     VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL);
    vk_begin_rendering(commands, &screen->pass, s->background);
    cube_draw(&s->cube, commands, &s->turned, (float)s->window.width / (float)s->window.height);
    vk_end_rendering(commands);
    vk_change_layout(commands, screen->image, VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL,
                     VK_IMAGE_LAYOUT_PRESENT_SRC_KHR);
}

/* The image is drawn on when the compositor is done with it, and presented when that is done. The
 * window never changes its size, so a swapchain that no longer fits is as good as any. */
static void show_frame(struct show *s)
{
    const double start = now_ms();
    uint32_t i;
    VkResult result = vkAcquireNextImageKHR(s->vk.device, s->swapchain, UINT64_MAX, s->acquired,
                                            VK_NULL_HANDLE, &i);

    if (result != VK_SUBOPTIMAL_KHR)
        vk_check(result, "vkAcquireNextImageKHR");
    VkCommandBuffer commands = vk_begin(&s->vk);
    draw(s, commands, &s->screens[i]);
    struct vk_work work = vk_submit_between(&s->vk, commands, s->acquired, s->screens[i].drawn);
    result = vkQueuePresentKHR(s->vk.queue,
                               &(VkPresentInfoKHR){ .sType = VK_STRUCTURE_TYPE_PRESENT_INFO_KHR,
                                                    .waitSemaphoreCount = 1,
                                                    .pWaitSemaphores = &s->screens[i].drawn,
                                                    .swapchainCount = 1,
                                                    .pSwapchains = &s->swapchain,
                                                    .pImageIndices = &i });
    if (result != VK_SUBOPTIMAL_KHR)
        vk_check(result, "vkQueuePresentKHR");
    vk_finish(&s->vk, &work);
    window_answer(&s->window);
    samples_add(&s->frame_ms, now_ms() - start);
}

static void write_png(const struct show *s, const char *path)
{
    struct target target;

    target_create(&target, &s->vk, FORMAT, VK_FORMAT_UNDEFINED, s->window.width, s->window.height);
    VkCommandBuffer commands = vk_begin(&s->vk);
    target_begin(&target, commands, s->background);
    cube_draw(&s->cube, commands, &s->turned, (float)target.width / (float)target.height);
    target_end(&target, commands);
    vk_end(&s->vk, commands);
    target_write_png(&target, path);
    target_destroy(&target, &s->vk);
}

int main(int argc, char **argv)
{
    struct example example = example_options(argc, argv, 300);
    const char *behind = option_text(argc, argv, "--background", "304050");
    struct show s = { .turned = cube_start() };
    char *end;
    unsigned long rgb = strtoul(behind, &end, 16);

    if (*end || rgb > 0xffffff)
        die("--background is RRGGBB in hexadecimal, not \"%s\"", behind);
    for (int i = 0; i < 3; i++)
        s.background[i] = (float)(rgb >> (16 - 8 * i) & 0xff) / 255.0f;
    s.background[3] = 1.0f;
    for (long i = option(argc, argv, "--start", 0); i > 0; i--)
        turn(&s);
    example_size(&example, argc, argv, 320, 240);
    window_create(&s.window, example.program, example.width, example.height,
                  option_flag(argc, argv, "--maximized"));
    example.width = s.window.width;
    example.height = s.window.height;
    open_device(&s);
    create_swapchain(&s);
    cube_create(&s.cube, &s.vk, FORMAT, s.window.width, s.window.height);

    double start = now_ms();
    for (long frame = 0; example_goes_on(&example, frame) && !s.window.closed; frame++) {
        if (frame > 0)
            turn(&s);
        show_frame(&s);
        if (frame == 0) {
            printf("shown\n"); /* for a script that wants to know */
            fflush(stdout);
        }
    }
    double seconds = (now_ms() - start) / 1e3;

    if (example.png)
        write_png(&s, example.png);
    example_begin_report(&example, &s.vk);
    printf(", \"frames\": %zu, \"seconds\": %.3f, \"fps\": %.2f, ", s.frame_ms.count, seconds,
           (double)s.frame_ms.count / seconds);
    samples_print(&s.frame_ms, "frame_ms");
    example_end_report();
    if (option_flag(argc, argv, "--hold"))
        window_hold(&s.window);
    destroy(&s);
    return 0;
}
