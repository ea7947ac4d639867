/* SPDX-License-Identifier: MIT */
/*
 * The Vulkan that every program here would otherwise repeat: an instance, a device with one queue,
 * buffers, and commands that are waited for. Everything dies with a reason when it fails.
 *
 * The device is the first that the loader offers; VK_DRIVER_FILES picks the driver.
 */
#ifndef GUEST_VK_H
#define GUEST_VK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <vulkan/vulkan.h>

#define VK_CHECK(call) vk_check((call), #call)

#define VK_MOST_QUEUES 16

/* What of Vulkan 1.2 a program can ask for: see vk_want. */
enum vk_want {
    VK_WANT_ADDRESSES = 1, /* buffers' addresses */
    VK_WANT_TIMELINES = 2, /* timeline semaphores */
};

struct vk {
    VkInstance instance;
    VkPhysicalDevice physical;
    VkDevice device;
    VkQueue queue; /* of the first family that can draw */
    uint32_t family;
    VkQueue queues[VK_MOST_QUEUES]; /* all that it has, queue being the first */
    uint32_t queue_count;
    VkCommandPool pool;
    unsigned wants;   /* of enum vk_want */
    uint32_t version; /* of Vulkan, as VK_API_VERSION_1_1 is written */
    char device_name[VK_MAX_PHYSICAL_DEVICE_NAME_SIZE];
    char driver_name[VK_MAX_DRIVER_NAME_SIZE];
};

struct vk_buffer {
    VkBuffer buffer;
    VkDeviceMemory memory;
    void *data; /* mapped, coherent; NULL if not for the CPU */
    VkDeviceSize size;
};

/* A picture in the device's memory, one level, optimal tiling. */
struct vk_image {
    VkImage image;
    VkDeviceMemory memory;
    VkImageView view; /* of all of it */
};

/* What a picture is drawn in: one colour view, and perhaps a depth view, seen whole. */
struct vk_pass {
    VkRenderPass pass;
    VkFramebuffer framebuffer;
    uint32_t width, height;
    bool depth;
};

/* Commands on their way. */
struct vk_work {
    VkCommandBuffer commands;
    VkFence fence;
};

void vk_check(VkResult result, const char *call);

/* Vulkan 1.1 or newer, and the device extensions asked for. */
void vk_create(struct vk *vk, uint32_t extension_count, const char *const *extensions);

/* The same in two steps, for who must look at the physical device before choosing extensions. */
void vk_open(struct vk *vk);
void vk_create_device(struct vk *vk, uint32_t extension_count, const char *const *extensions);

/* Between the two: asks for what Vulkan 1.2 has; dies if the device does not have it. */
void vk_want(struct vk *vk, unsigned wants);

/* Between the two: asks for up to so many queues instead of one. */
void vk_want_queues(struct vk *vk, uint32_t most);

/* vk_open's own two steps: the instance, and which physical device it is. */
void vk_create_instance(struct vk *vk);
void vk_create_instance_with(struct vk *vk, uint32_t extension_count,
                             const char *const *extensions);
void vk_find_device(struct vk *vk);

void vk_destroy(struct vk *vk);

bool vk_has_extension(const struct vk *vk, const char *name);
/* Whether a fence can become a sync file, by VK_KHR_external_fence_fd. */
bool vk_exports_sync_files(const struct vk *vk);
uint32_t vk_memory_type(const struct vk *vk, uint32_t allowed, VkMemoryPropertyFlags wanted);

/* A buffer in memory that the CPU sees. */
struct vk_buffer vk_buffer_create(const struct vk *vk, VkDeviceSize size, VkBufferUsageFlags usage);
/* One for the CPU to read what the device copies there: in memory that the CPU caches, if any is. */
struct vk_buffer vk_readback_create(const struct vk *vk, VkDeviceSize size);
/* One in memory of the device's own, which the CPU need not see. */
struct vk_buffer vk_local_create(const struct vk *vk, VkDeviceSize size, VkBufferUsageFlags usage);
void vk_buffer_destroy(const struct vk *vk, struct vk_buffer *buffer);

/* Where shaders find the buffer, which was made with usage SHADER_DEVICE_ADDRESS; wants ADDRESSES. */
VkDeviceAddress vk_address(const struct vk *vk, const struct vk_buffer *buffer);

/* Depth formats are seen as depth, all others as colour. */
struct vk_image vk_image_create(const struct vk *vk, VkFormat format, uint32_t width,
                                uint32_t height, VkImageUsageFlags usage);
void vk_image_destroy(const struct vk *vk, struct vk_image *image);

/* Records once; vk_end submits, waits and frees. */
VkCommandBuffer vk_begin(const struct vk *vk);
void vk_end(const struct vk *vk, VkCommandBuffer commands);

/* vk_end in two steps, for who has something to do meanwhile; vk_finish waits and frees. */
struct vk_work vk_submit(const struct vk *vk, VkCommandBuffer commands);
/* The same, but they begin after one semaphore is signalled and then signal another. */
struct vk_work vk_submit_between(const struct vk *vk, VkCommandBuffer commands, VkSemaphore after,
                                 VkSemaphore then);
void vk_finish(const struct vk *vk, const struct vk_work *work);

/* Changes the layout, with everything before it finished and visible to everything after. */
void vk_change_layout(VkCommandBuffer commands, VkImage image, VkImageLayout from,
                      VkImageLayout to);
/* The same for an image that is no colour. */
void vk_change_layout_of(VkCommandBuffer commands, VkImage image, VkImageAspectFlags aspect,
                         VkImageLayout from, VkImageLayout to);

/* Everything before it is finished and visible to everything after, but for the CPU. */
void vk_order(VkCommandBuffer commands);

/* What was written before it is there for the CPU once the commands are done. */
void vk_show_to_cpu(VkCommandBuffer commands);

/* The copy of a whole picture from or to a buffer, row after row. */
VkBufferImageCopy vk_whole(uint32_t width, uint32_t height);

/*
 * For pictures of a view in layout COLOR_ATTACHMENT_OPTIMAL; and with a depth view in layout
 * DEPTH_STENCIL_ATTACHMENT_OPTIMAL, unless its format is VK_FORMAT_UNDEFINED. The views stay the caller's, and
 * must live as long. Destroying takes one that is all zero.
 */
struct vk_pass vk_pass_create(const struct vk *vk, VkFormat format, VkImageView view,
                              VkFormat depth_format, VkImageView depth, uint32_t width,
                              uint32_t height);
void vk_pass_destroy(const struct vk *vk, struct vk_pass *pass);

/* Begins to draw on the view, which gets this colour all over at first, and the depth is set to 1. */
void vk_begin_rendering(VkCommandBuffer commands, const struct vk_pass *pass,
                        const float colour[4]);
void vk_end_rendering(VkCommandBuffer commands);

/* One colour attachment, seen whole, with nothing bound but the layout's own. */
struct vk_pipeline_needs {
    VkPipelineLayout layout;
    VkFormat format;
    VkFormat depth; /* VK_FORMAT_UNDEFINED: none; otherwise what is farther is hidden */
    uint32_t width, height;
    const uint32_t *vertex, *fragment; /* SPIR-V */
    size_t vertex_size, fragment_size; /* in bytes */
};

/* Triangles out of the vertex number; the ones that are seen run counter-clockwise. */
VkPipeline vk_pipeline_create(const struct vk *vk, const struct vk_pipeline_needs *needs);

/* Prints "device": "...", "driver": "..." for a JSON object. */
void vk_print_device(const struct vk *vk);

#endif
