/* SPDX-License-Identifier: MIT */
/*
 * Shows what Vulkan draws with no copy on the way: the display scans out the images' own memory.
 *
 *   kms_zero_copy [--frames 120] [--size WxH] [--format XRGB8888] [--hold]
 *
 * Two linear images with dma-bufs behind them are drawn to in turn; the kernel's display makes
 * framebuffers of the dma-bufs and flips between them, which the device sees as SET_SCANOUT_BLOB
 * and RESOURCE_FLUSH of host blobs. The picture is computable: shaders/pattern.frag. The numbers
 * go out when the last frame is up; with --hold it then stays until SIGTERM. Needs a display that
 * nobody owns, and a host whose Vulkan driver exports dma-bufs.
 */
#define _GNU_SOURCE
#include <drm/drm_fourcc.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "common.h"
#include "kms.h"
#include "pattern.frag.h"
#include "pattern.vert.h"
#include "vk.h"

#define DMA_BUF VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT
#define USAGE   VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT
#define BUFFERS 2u

/* DRM names bits from the highest down, Vulkan bytes as they stand in memory. */
static const struct format {
    const char *name;
    uint32_t fourcc;
    VkFormat vk;
} formats[] = {
    { "XRGB8888", DRM_FORMAT_XRGB8888, VK_FORMAT_B8G8R8A8_UNORM },
    { "ARGB8888", DRM_FORMAT_ARGB8888, VK_FORMAT_B8G8R8A8_UNORM },
    { "XBGR8888", DRM_FORMAT_XBGR8888, VK_FORMAT_R8G8B8A8_UNORM },
    { "ABGR8888", DRM_FORMAT_ABGR8888, VK_FORMAT_R8G8B8A8_UNORM },
};

struct target {
    VkImage image;
    VkDeviceMemory memory;
    VkImageView view;
    VkSubresourceLayout layout;
    uint32_t framebuffer;
};

struct painter {
    struct vk vk;
    const struct format *format;
    uint32_t width, height;
    bool modifier; /* linear by a DRM format modifier, not by the tiling */
    bool foreign;  /* memory can be handed to who is no Vulkan */
    VkPipelineLayout layout;
    VkPipeline pipeline;
    struct target targets[BUFFERS];
};

static const struct format *find_format(const char *name)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        if (strcmp(formats[i].name, name) == 0)
            return &formats[i];
    }
    die("--format is XRGB8888, ARGB8888, XBGR8888 or ABGR8888, not \"%s\"", name);
}

static void parse_size(const char *text, uint32_t *width, uint32_t *height)
{
    char after;

    *width = *height = 0;
    if (text && (sscanf(text, "%ux%u%c", width, height, &after) != 2 || !*width || !*height))
        die("--size is WIDTHxHEIGHT, not \"%s\"", text);
}

/* Whether a linear image, described in one way or the other, can be drawn to and exported. */
static bool exportable(const struct painter *p, bool modifier)
{
    const VkPhysicalDeviceImageDrmFormatModifierInfoEXT linear = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_IMAGE_DRM_FORMAT_MODIFIER_INFO_EXT,
        .drmFormatModifier = DRM_FORMAT_MOD_LINEAR,
        .sharingMode = VK_SHARING_MODE_EXCLUSIVE,
    };
    const VkPhysicalDeviceExternalImageFormatInfo external = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_IMAGE_FORMAT_INFO,
        .pNext = modifier ? &linear : NULL,
        .handleType = DMA_BUF,
    };
    VkExternalImageFormatProperties seen = {
        .sType = VK_STRUCTURE_TYPE_EXTERNAL_IMAGE_FORMAT_PROPERTIES,
    };
    VkImageFormatProperties2 properties = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_FORMAT_PROPERTIES_2,
        .pNext = &seen,
    };
    VkResult result = vkGetPhysicalDeviceImageFormatProperties2(
        p->vk.physical,
        &(VkPhysicalDeviceImageFormatInfo2){
            .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_IMAGE_FORMAT_INFO_2,
            .pNext = &external,
            .format = p->format->vk,
            .type = VK_IMAGE_TYPE_2D,
            .tiling = modifier ? VK_IMAGE_TILING_DRM_FORMAT_MODIFIER_EXT : VK_IMAGE_TILING_LINEAR,
            .usage = USAGE,
        },
        &properties);

    return result == VK_SUCCESS && seen.externalMemoryProperties.externalMemoryFeatures &
                                       VK_EXTERNAL_MEMORY_FEATURE_EXPORTABLE_BIT;
}

/* The Vulkan device, with what it takes to export images. */
static void open_device(struct painter *p)
{
    const char *extensions[4] = { "VK_KHR_external_memory_fd", "VK_EXT_external_memory_dma_buf" };
    uint32_t count = 2;

    vk_open(&p->vk);
    if (!vk_has_extension(&p->vk, extensions[1]))
        die("%s has no %s: the host's driver exports no dma-bufs", p->vk.device_name,
            extensions[1]);
    p->modifier =
        vk_has_extension(&p->vk, "VK_EXT_image_drm_format_modifier") && exportable(p, true);
    if (!p->modifier && !exportable(p, false))
        die("%s exports no linear image of %s as a dma-buf: the host's driver has none to give",
            p->vk.device_name, p->format->name);
    p->foreign = vk_has_extension(&p->vk, "VK_EXT_queue_family_foreign");
    if (p->modifier)
        extensions[count++] = "VK_EXT_image_drm_format_modifier";
    if (p->foreign)
        extensions[count++] = "VK_EXT_queue_family_foreign";
    vk_create_device(&p->vk, count, extensions);
}

static VkImage create_image(const struct painter *p)
{
    const uint64_t linear = DRM_FORMAT_MOD_LINEAR;
    const VkImageDrmFormatModifierListCreateInfoEXT modifiers = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_DRM_FORMAT_MODIFIER_LIST_CREATE_INFO_EXT,
        .drmFormatModifierCount = 1,
        .pDrmFormatModifiers = &linear,
    };
    const VkExternalMemoryImageCreateInfo external = {
        .sType = VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_IMAGE_CREATE_INFO,
        .pNext = p->modifier ? &modifiers : NULL,
        .handleTypes = DMA_BUF,
    };
    VkImage image;

    VK_CHECK(vkCreateImage(p->vk.device,
                           &(VkImageCreateInfo){
                               .sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
                               .pNext = &external,
                               .imageType = VK_IMAGE_TYPE_2D,
                               .format = p->format->vk,
                               .extent = { p->width, p->height, 1 },
                               .mipLevels = 1,
                               .arrayLayers = 1,
                               .samples = VK_SAMPLE_COUNT_1_BIT,
                               .tiling = p->modifier ? VK_IMAGE_TILING_DRM_FORMAT_MODIFIER_EXT
                                                     : VK_IMAGE_TILING_LINEAR,
                               .usage = USAGE,
                           },
                           NULL, &image));
    return image;
}

/* The image's own memory, with a dma-buf to it. The host must see it, to show it. */
static VkDeviceMemory allocate(const struct painter *p, VkImage image)
{
    const VkMemoryDedicatedAllocateInfo dedicated = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_DEDICATED_ALLOCATE_INFO,
        .image = image,
    };
    const VkExportMemoryAllocateInfo exported = {
        .sType = VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO,
        .pNext = &dedicated,
        .handleTypes = DMA_BUF,
    };
    VkMemoryRequirements needs;
    VkDeviceMemory memory;

    vkGetImageMemoryRequirements(p->vk.device, image, &needs);
    VkResult result =
        vkAllocateMemory(p->vk.device,
                         &(VkMemoryAllocateInfo){
                             .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                             .pNext = &exported,
                             .allocationSize = needs.size,
                             .memoryTypeIndex = vk_memory_type(&p->vk, needs.memoryTypeBits,
                                                               VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT),
                         },
                         NULL, &memory);
    if (result != VK_SUCCESS)
        die("no memory with a dma-buf for the image (VkResult %d): the host's driver exports none",
            result);
    return memory;
}

static int export_memory(const struct painter *p, VkDeviceMemory memory)
{
    PFN_vkGetMemoryFdKHR get_fd =
        (PFN_vkGetMemoryFdKHR)vkGetDeviceProcAddr(p->vk.device, "vkGetMemoryFdKHR");
    int fd = -1;
    VkResult result = get_fd(p->vk.device,
                             &(VkMemoryGetFdInfoKHR){
                                 .sType = VK_STRUCTURE_TYPE_MEMORY_GET_FD_INFO_KHR,
                                 .memory = memory,
                                 .handleType = DMA_BUF,
                             },
                             &fd);

    if (result != VK_SUCCESS)
        die("no dma-buf of the image's memory (VkResult %d): the host's driver exports none",
            result);
    return fd;
}

static struct target create_target(const struct painter *p, const struct kms *kms)
{
    const VkImageSubresource plane = {
        p->modifier ? VK_IMAGE_ASPECT_MEMORY_PLANE_0_BIT_EXT : VK_IMAGE_ASPECT_COLOR_BIT,
        0,
        0,
    };
    struct target t = { .image = create_image(p) };

    t.memory = allocate(p, t.image);
    VK_CHECK(vkBindImageMemory(p->vk.device, t.image, t.memory, 0));
    vkGetImageSubresourceLayout(p->vk.device, t.image, &plane, &t.layout);
    VK_CHECK(vkCreateImageView(
        p->vk.device,
        &(VkImageViewCreateInfo){ .sType = VK_STRUCTURE_TYPE_IMAGE_VIEW_CREATE_INFO,
                                  .image = t.image,
                                  .viewType = VK_IMAGE_VIEW_TYPE_2D,
                                  .format = p->format->vk,
                                  .subresourceRange = { VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1 } },
        NULL, &t.view));
    int fd = export_memory(p, t.memory);
    t.framebuffer = kms_add_framebuffer(kms, &(struct kms_picture){
                                                 .dma_buf = fd,
                                                 .fourcc = p->format->fourcc,
                                                 .width = p->width,
                                                 .height = p->height,
                                                 .stride = (uint32_t)t.layout.rowPitch,
                                                 .offset = (uint32_t)t.layout.offset,
                                             });
    close(fd);
    return t;
}

static void create_painter(struct painter *p, const struct kms *kms)
{
    open_device(p);
    VK_CHECK(vkCreatePipelineLayout(
        p->vk.device,
        &(VkPipelineLayoutCreateInfo){
            .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
            .pushConstantRangeCount = 1,
            .pPushConstantRanges =
                &(VkPushConstantRange){ VK_SHADER_STAGE_FRAGMENT_BIT, 0, sizeof(uint32_t) } },
        NULL, &p->layout));
    p->pipeline = vk_pipeline_create(&p->vk, &(struct vk_pipeline_needs){
                                                 .layout = p->layout,
                                                 .format = p->format->vk,
                                                 .width = p->width,
                                                 .height = p->height,
                                                 .vertex = pattern_vert,
                                                 .vertex_size = sizeof pattern_vert,
                                                 .fragment = pattern_frag,
                                                 .fragment_size = sizeof pattern_frag,
                                             });
    for (uint32_t i = 0; i < BUFFERS; i++)
        p->targets[i] = create_target(p, kms);
}

static void destroy_painter(struct painter *p)
{
    for (uint32_t i = 0; i < BUFFERS; i++) {
        vkDestroyImageView(p->vk.device, p->targets[i].view, NULL);
        vkDestroyImage(p->vk.device, p->targets[i].image, NULL);
        vkFreeMemory(p->vk.device, p->targets[i].memory, NULL);
    }
    vkDestroyPipeline(p->vk.device, p->pipeline, NULL);
    vkDestroyPipelineLayout(p->vk.device, p->layout, NULL);
    vk_destroy(&p->vk);
}

/* What was drawn goes to the display, which is no Vulkan queue. It need not come back: the next
 * frame on this image begins with contents undefined. */
static void hand_over(const struct painter *p, VkCommandBuffer commands, VkImage image)
{
    const VkImageMemoryBarrier2 release = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_MEMORY_BARRIER_2,
        .srcStageMask = VK_PIPELINE_STAGE_2_COLOR_ATTACHMENT_OUTPUT_BIT,
        .srcAccessMask = VK_ACCESS_2_COLOR_ATTACHMENT_WRITE_BIT,
        .oldLayout = VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL,
        .newLayout = VK_IMAGE_LAYOUT_GENERAL,
        .srcQueueFamilyIndex = p->vk.family,
        .dstQueueFamilyIndex = p->foreign ? VK_QUEUE_FAMILY_FOREIGN_EXT : VK_QUEUE_FAMILY_EXTERNAL,
        .image = image,
        .subresourceRange = { VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1 },
    };

    vkCmdPipelineBarrier2(commands, &(VkDependencyInfo){ .sType = VK_STRUCTURE_TYPE_DEPENDENCY_INFO,
                                                         .imageMemoryBarrierCount = 1,
                                                         .pImageMemoryBarriers = &release });
}

/* Draws the pattern of a frame and waits until it is there. */
static void paint(const struct painter *p, const struct target *t, uint32_t frame)
{
    VkCommandBuffer commands = vk_begin(&p->vk);

    vk_change_layout(commands, t->image, VK_IMAGE_LAYOUT_UNDEFINED,
                     VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL);
    vkCmdBeginRendering(
        commands,
        &(VkRenderingInfo){
            .sType = VK_STRUCTURE_TYPE_RENDERING_INFO,
            .renderArea = { { 0, 0 }, { p->width, p->height } },
            .layerCount = 1,
            .colorAttachmentCount = 1,
            .pColorAttachments = &(
                VkRenderingAttachmentInfo){ .sType = VK_STRUCTURE_TYPE_RENDERING_ATTACHMENT_INFO,
                                            .imageView = t->view,
                                            .imageLayout = VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL,
                                            .loadOp = VK_ATTACHMENT_LOAD_OP_CLEAR,
                                            .storeOp = VK_ATTACHMENT_STORE_OP_STORE },
        });
    vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_GRAPHICS, p->pipeline);
    vkCmdPushConstants(commands, p->layout, VK_SHADER_STAGE_FRAGMENT_BIT, 0, sizeof frame, &frame);
    vkCmdDraw(commands, 3, 1, 0, 0);
    vkCmdEndRendering(commands);
    hand_over(p, commands, t->image);
    vk_end(&p->vk, commands);
}

static void hold(void)
{
    sigset_t ends;
    int which;

    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    sigwait(&ends, &which);
}

int main(int argc, char **argv)
{
    long frames = option(argc, argv, "--frames", 120);
    struct painter p = {
        .format = find_format(option_text(argc, argv, "--format", "XRGB8888")),
    };
    struct samples draw = { 0 }, flip = { 0 };
    struct kms kms;

    if (frames < 1 || frames > 1000000)
        die("--frames is 1 to 1000000");
    parse_size(option_text(argc, argv, "--size", NULL), &p.width, &p.height);
    kms_open(&kms, p.width, p.height);
    p.width = kms.mode.hdisplay;
    p.height = kms.mode.vdisplay;
    create_painter(&p, &kms);

    double start = 0; /* when the first frame was up: it compiles the shaders */
    for (uint32_t frame = 0; frame < frames; frame++) {
        const struct target *t = &p.targets[frame % BUFFERS];
        double before = now_ms();
        paint(&p, t, frame);
        double drawn = now_ms();
        samples_add(&draw, drawn - before);
        if (frame == 0) {
            kms_show(&kms, t->framebuffer);
            start = now_ms();
            continue;
        }
        kms_flip(&kms, t->framebuffer);
        samples_add(&flip, now_ms() - drawn);
    }
    double seconds = (now_ms() - start) / 1e3;

    printf("{\"program\": \"kms_zero_copy\", ");
    vk_print_device(&p.vk);
    printf(", \"frames\": %ld, \"fps\": %.2f, \"width\": %u, \"height\": %u, \"stride\": %llu, "
           "\"offset\": %llu, \"format\": \"%s\", \"modifier\": %s, \"foreign\": %s, ",
           frames, frames > 1 ? (double)(frames - 1) / seconds : 0, p.width, p.height,
           (unsigned long long)p.targets[0].layout.rowPitch,
           (unsigned long long)p.targets[0].layout.offset, p.format->name,
           p.modifier ? "true" : "false", p.foreign ? "true" : "false");
    samples_print(&draw, "draw_ms");
    printf(", ");
    samples_print(&flip, "flip_ms");
    printf("}\n");
    fflush(stdout);
    if (option_flag(argc, argv, "--hold"))
        hold();
    kms_close(&kms);
    destroy_painter(&p);
    samples_finish(&draw);
    samples_finish(&flip);
    return 0;
}
