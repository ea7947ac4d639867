/* SPDX-License-Identifier: MIT */
/* See vulkan.h. A handle is the address of an object, which knows its kind. */
#include "vulkan.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#define VK_NO_PROTOTYPES
#include <vulkan/vulkan_core.h>

#include "../tests/unit/fake-renderer.h"
#include "faults.h"
#include "machine.h"

enum kind {
    INSTANCE,
    DEVICE,
    SURFACE,
    SWAPCHAIN,
    BUFFER,
    IMAGE,
    MEMORY,
    FENCE,
    SEMAPHORE,
    VIEW,
    POOL,
    OTHER,
};

enum { SWAPCHAIN_IMAGES = 3, MOST_MEMORY = 64 << 20 };

struct object {
    enum kind kind;
    uint64_t size;          /* of a buffer, of memory */
    uint32_t width, height; /* of an image, of a swapchain */
    void *ptr;              /* memory that is mapped, or was imported */
    bool imported;
    bool signalled; /* a fence: it was given to the queue */
    struct object *memory, *images[SWAPCHAIN_IMAGES];
    bool acquired[SWAPCHAIN_IMAGES];
    unsigned next;
    LIST_ENTRY(object) link;
};

static struct {
    LIST_HEAD(, object) objects;
    uint32_t bits, width, height;
    unsigned how, after, times;
} vulkan;

static void forget_all(void)
{
    while (!LIST_EMPTY(&vulkan.objects)) {
        struct object *object = LIST_FIRST(&vulkan.objects);
        LIST_REMOVE(object, link);
        if (!object->imported)
            free(object->ptr);
        free(object);
    }
}

void vulkan_forget(void)
{
    forget_all();
    memset(&vulkan, 0, sizeof(vulkan));
}

void vulkan_describe(uint32_t bits)
{
    vulkan.bits = bits;
}

void vulkan_resize(uint32_t width, uint32_t height)
{
    vulkan.width = width;
    vulkan.height = height;
}

void vulkan_fail(unsigned how, unsigned after, unsigned times)
{
    vulkan.how = how;
    vulkan.after = after;
    vulkan.times = times;
}

void vulkan_check(void)
{
    if (!machine.gpu_hangs && !LIST_EMPTY(&vulkan.objects))
        complain("an object of Vulkan's is left, of kind %d", LIST_FIRST(&vulkan.objects)->kind);
    forget_all();
}

/* ---- objects ------------------------------------------------------------------------------------- */

static VkResult result(void)
{
    static const VkResult results[] = { VK_ERROR_OUT_OF_HOST_MEMORY, VK_ERROR_DEVICE_LOST,
                                        VK_ERROR_OUT_OF_DEVICE_MEMORY,
                                        VK_ERROR_INITIALIZATION_FAILED };
    if (!vulkan.times)
        return VK_SUCCESS;
    if (vulkan.after) {
        vulkan.after--;
        return VK_SUCCESS;
    }
    vulkan.times--;
    return results[vulkan.how % 4];
}

static struct object *make(enum kind kind)
{
    struct object *object = calloc(1, sizeof(*object));
    object->kind = kind;
    LIST_INSERT_HEAD(&vulkan.objects, object, link);
    return object;
}

static struct object *get(const void *handle, enum kind kind)
{
    struct object *object;
    LIST_FOREACH(object, &vulkan.objects, link) {
        if (object == handle && object->kind == kind)
            return object;
    }
    complain("a handle that is none of kind %d", kind);
}

static void drop(const void *handle, enum kind kind)
{
    if (!handle)
        return;
    struct object *object = get(handle, kind);
    LIST_REMOVE(object, link);
    if (!object->imported)
        free(object->ptr);
    free(object);
}

#define CREATE(name, info_type, handle_type, kind_)                                       \
    static VkResult create_##name(VkDevice device, const info_type *info,                 \
                                  const VkAllocationCallbacks *unused, handle_type *made) \
    {                                                                                     \
        (void)info, (void)unused;                                                         \
        get(device, DEVICE);                                                              \
        VkResult ret = result();                                                          \
        if (ret == VK_SUCCESS)                                                            \
            *made = (handle_type)make(kind_);                                             \
        return ret;                                                                       \
    }
#define DESTROY(name, handle_type, kind_)                           \
    static void destroy_##name(VkDevice device, handle_type handle, \
                               const VkAllocationCallbacks *unused) \
    {                                                               \
        (void)unused;                                               \
        get(device, DEVICE);                                        \
        drop((const void *)handle, kind_);                          \
    }

CREATE(command_pool, VkCommandPoolCreateInfo, VkCommandPool, POOL)
DESTROY(command_pool, VkCommandPool, POOL)
CREATE(descriptor_pool, VkDescriptorPoolCreateInfo, VkDescriptorPool, POOL)
DESTROY(descriptor_pool, VkDescriptorPool, POOL)
CREATE(set_layout, VkDescriptorSetLayoutCreateInfo, VkDescriptorSetLayout, OTHER)
DESTROY(set_layout, VkDescriptorSetLayout, OTHER)
CREATE(pipeline_layout, VkPipelineLayoutCreateInfo, VkPipelineLayout, OTHER)
DESTROY(pipeline_layout, VkPipelineLayout, OTHER)
CREATE(shader, VkShaderModuleCreateInfo, VkShaderModule, OTHER)
DESTROY(shader, VkShaderModule, OTHER)
CREATE(fence, VkFenceCreateInfo, VkFence, FENCE)
DESTROY(fence, VkFence, FENCE)
CREATE(semaphore, VkSemaphoreCreateInfo, VkSemaphore, SEMAPHORE)
DESTROY(semaphore, VkSemaphore, SEMAPHORE)
CREATE(view, VkImageViewCreateInfo, VkImageView, VIEW)
DESTROY(view, VkImageView, VIEW)
DESTROY(pipeline, VkPipeline, OTHER)
DESTROY(buffer, VkBuffer, BUFFER)
DESTROY(image, VkImage, IMAGE)

static VkResult create_pipelines(VkDevice device, VkPipelineCache cache, uint32_t count,
                                 const VkGraphicsPipelineCreateInfo *infos,
                                 const VkAllocationCallbacks *unused, VkPipeline *pipelines)
{
    (void)device, (void)cache, (void)infos, (void)unused;
    VkResult ret = result();
    for (uint32_t i = 0; i < count; i++)
        pipelines[i] = ret == VK_SUCCESS ? (VkPipeline)make(OTHER) : VK_NULL_HANDLE;
    return ret;
}

static VkResult create_buffer(VkDevice device, const VkBufferCreateInfo *info,
                              const VkAllocationCallbacks *unused, VkBuffer *buffer)
{
    (void)device, (void)unused;
    VkResult ret = result();
    if (!info->size)
        complain("a buffer of no size");
    if (ret == VK_SUCCESS) {
        struct object *object = make(BUFFER);
        object->size = info->size;
        *buffer = (VkBuffer)object;
    }
    return ret;
}

static VkResult create_image(VkDevice device, const VkImageCreateInfo *info,
                             const VkAllocationCallbacks *unused, VkImage *image)
{
    (void)device, (void)unused;
    VkResult ret = result();
    if (!info->extent.width || !info->extent.height)
        complain("an image of %u x %u", info->extent.width, info->extent.height);
    if (ret == VK_SUCCESS) {
        struct object *object = make(IMAGE);
        object->width = info->extent.width;
        object->height = info->extent.height;
        *image = (VkImage)object;
    }
    return ret;
}

/* ---- memory -------------------------------------------------------------------------------------- */

static void requirements(VkDevice device, VkBuffer buffer, VkMemoryRequirements *needed)
{
    (void)device;
    uint64_t size = get(buffer, BUFFER)->size;
    *needed = (VkMemoryRequirements){ .size = vulkan.bits >> 20 & 1 ? size + 1 : size,
                                      .alignment = 64,
                                      .memoryTypeBits = 7 };
}

static void image_requirements(VkDevice device, VkImage image, VkMemoryRequirements *needed)
{
    (void)device;
    const struct object *object = get(image, IMAGE);
    *needed = (VkMemoryRequirements){ .size = (uint64_t)object->width * object->height * 4,
                                      .alignment = 64,
                                      .memoryTypeBits = 7 };
}

static VkResult allocate(VkDevice device, const VkMemoryAllocateInfo *info,
                         const VkAllocationCallbacks *unused, VkDeviceMemory *memory)
{
    (void)device, (void)unused;
    if (info->memoryTypeIndex >= 3)
        complain("memory of type %u", info->memoryTypeIndex);
    VkResult ret = result();
    if (ret != VK_SUCCESS)
        return ret;
    struct object *object = make(MEMORY);
    object->size = info->allocationSize;
    for (const VkBaseInStructure *next = info->pNext; next; next = next->pNext) {
        if (next->sType == VK_STRUCTURE_TYPE_IMPORT_MEMORY_FD_INFO_KHR) {
            close(((const VkImportMemoryFdInfoKHR *)next)->fd);
            object->imported = true;
        } else if (next->sType == VK_STRUCTURE_TYPE_IMPORT_MEMORY_HOST_POINTER_INFO_EXT) {
            object->ptr = ((const VkImportMemoryHostPointerInfoEXT *)next)->pHostPointer;
            object->imported = true;
        }
    }
    *memory = (VkDeviceMemory)object;
    return VK_SUCCESS;
}

static VkResult bind_buffer(VkDevice device, VkBuffer buffer, VkDeviceMemory memory,
                            VkDeviceSize offset)
{
    (void)device;
    struct object *object = get(buffer, BUFFER), *of = get(memory, MEMORY);
    if (offset + object->size > of->size)
        complain("a buffer that is larger than its memory");
    object->memory = of;
    return result();
}

static VkResult bind_image(VkDevice device, VkImage image, VkDeviceMemory memory,
                           VkDeviceSize offset)
{
    (void)device, (void)offset;
    get(image, IMAGE)->memory = get(memory, MEMORY);
    return result();
}

static void free_memory(VkDevice device, VkDeviceMemory memory, const VkAllocationCallbacks *unused)
{
    (void)device, (void)unused;
    drop((const void *)memory, MEMORY);
}

static VkResult map_memory(VkDevice device, VkDeviceMemory memory, VkDeviceSize offset,
                           VkDeviceSize size, VkMemoryMapFlags flags, void **ptr)
{
    (void)device, (void)size, (void)flags;
    struct object *object = get(memory, MEMORY);
    VkResult ret = object->size > MOST_MEMORY ? VK_ERROR_MEMORY_MAP_FAILED : result();
    if (ret != VK_SUCCESS)
        return ret;
    object->ptr = calloc(1, object->size);
    *ptr = (char *)object->ptr + offset;
    return VK_SUCCESS;
}

/* ---- commands ------------------------------------------------------------------------------------ */

static VkResult allocate_commands(VkDevice device, const VkCommandBufferAllocateInfo *info,
                                  VkCommandBuffer *commands)
{
    (void)device;
    *commands = (VkCommandBuffer)get(info->commandPool, POOL);
    return result();
}

static VkResult allocate_sets(VkDevice device, const VkDescriptorSetAllocateInfo *info,
                              VkDescriptorSet *sets)
{
    (void)device;
    for (uint32_t i = 0; i < info->descriptorSetCount; i++)
        sets[i] = (VkDescriptorSet)get(info->descriptorPool, POOL);
    return result();
}

static VkResult begin(VkCommandBuffer commands, const VkCommandBufferBeginInfo *info)
{
    (void)info;
    get(commands, POOL);
    return result();
}

static VkResult end(VkCommandBuffer commands)
{
    get(commands, POOL);
    return result();
}

static void begin_rendering(VkCommandBuffer commands, const VkRenderingInfo *info)
{
    (void)commands, (void)info;
}

static void end_rendering(VkCommandBuffer commands)
{
    (void)commands;
}

static void bind_sets(VkCommandBuffer commands, VkPipelineBindPoint point, VkPipelineLayout layout,
                      uint32_t first, uint32_t count, const VkDescriptorSet *sets,
                      uint32_t num_offsets, const uint32_t *offsets)
{
    (void)commands, (void)point, (void)first, (void)count, (void)sets, (void)num_offsets;
    (void)offsets;
    get(layout, OTHER);
}

static void bind_pipeline(VkCommandBuffer commands, VkPipelineBindPoint point, VkPipeline pipeline)
{
    (void)commands, (void)point;
    get(pipeline, OTHER);
}

static void check_copy(const struct object *buffer, const struct object *image, uint32_t count,
                       const VkBufferImageCopy *regions)
{
    for (uint32_t i = 0; i < count; i++) {
        const VkBufferImageCopy *r = &regions[i];
        uint64_t row = r->bufferRowLength ? r->bufferRowLength : r->imageExtent.width;
        uint64_t last = (uint64_t)(r->imageExtent.height - 1) * row + r->imageExtent.width;
        if (!r->imageExtent.width || !r->imageExtent.height || row < r->imageExtent.width ||
            r->bufferOffset % 4 || r->bufferOffset + last * 4 > buffer->size)
            complain("a copy that is not within its buffer");
        if (r->imageOffset.x < 0 || r->imageOffset.y < 0 ||
            (uint64_t)r->imageOffset.x + r->imageExtent.width > image->width ||
            (uint64_t)r->imageOffset.y + r->imageExtent.height > image->height)
            complain("a copy that is not within its image");
    }
}

static void copy_to_image(VkCommandBuffer commands, VkBuffer buffer, VkImage image,
                          VkImageLayout layout, uint32_t count, const VkBufferImageCopy *regions)
{
    (void)commands, (void)layout;
    check_copy(get(buffer, BUFFER), get(image, IMAGE), count, regions);
}

static void copy_to_buffer(VkCommandBuffer commands, VkImage image, VkImageLayout layout,
                           VkBuffer buffer, uint32_t count, const VkBufferImageCopy *regions)
{
    (void)commands, (void)layout;
    check_copy(get(buffer, BUFFER), get(image, IMAGE), count, regions);
}

static void draw(VkCommandBuffer commands, uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    (void)commands, (void)a, (void)b, (void)c, (void)d;
}

static void barrier(VkCommandBuffer commands, VkPipelineStageFlags from, VkPipelineStageFlags to,
                    VkDependencyFlags flags, uint32_t num_memory, const VkMemoryBarrier *memory,
                    uint32_t num_buffers, const VkBufferMemoryBarrier *buffers, uint32_t num_images,
                    const VkImageMemoryBarrier *images)
{
    (void)commands, (void)from, (void)to, (void)flags, (void)num_memory, (void)memory;
    for (uint32_t i = 0; i < num_buffers; i++)
        get(buffers[i].buffer, BUFFER);
    for (uint32_t i = 0; i < num_images; i++)
        get(images[i].image, IMAGE);
}

static void push(VkCommandBuffer commands, VkPipelineLayout layout, VkShaderStageFlags stages,
                 uint32_t offset, uint32_t size, const void *values)
{
    (void)commands, (void)stages, (void)offset, (void)size, (void)values;
    get(layout, OTHER);
}

static void set_scissor(VkCommandBuffer commands, uint32_t first, uint32_t count,
                        const VkRect2D *rects)
{
    (void)commands, (void)first;
    for (uint32_t i = 0; i < count; i++) {
        if (rects[i].offset.x < 0 || rects[i].offset.y < 0)
            complain("a scissor at %d, %d", rects[i].offset.x, rects[i].offset.y);
    }
}

static void set_viewport(VkCommandBuffer commands, uint32_t first, uint32_t count,
                         const VkViewport *viewports)
{
    (void)commands, (void)first, (void)count, (void)viewports;
}

static void update_sets(VkDevice device, uint32_t count, const VkWriteDescriptorSet *writes,
                        uint32_t num_copies, const VkCopyDescriptorSet *copies)
{
    (void)device, (void)num_copies, (void)copies;
    for (uint32_t i = 0; i < count; i++) {
        const VkDescriptorBufferInfo *info = writes[i].pBufferInfo;
        uint64_t size = get(info->buffer, BUFFER)->size;
        if (info->offset >= size ||
            (info->range != VK_WHOLE_SIZE && info->range > size - info->offset))
            complain("a descriptor that is not within its buffer");
    }
}

static void get_queue(VkDevice device, uint32_t family, uint32_t index, VkQueue *queue)
{
    (void)family, (void)index;
    *queue = (VkQueue)device;
}

static VkResult submit(VkQueue queue, uint32_t count, const VkSubmitInfo *infos, VkFence fence)
{
    (void)count, (void)infos;
    get(queue, DEVICE);
    VkResult ret = result();
    if (ret == VK_SUCCESS && fence)
        get(fence, FENCE)->signalled = true;
    return ret;
}

static VkResult reset_fences(VkDevice device, uint32_t count, const VkFence *fences)
{
    (void)device;
    for (uint32_t i = 0; i < count; i++)
        get(fences[i], FENCE)->signalled = false;
    return result();
}

/* An error other than that the device is lost says that the GPU hangs. */
static VkResult wait(VkDevice device, uint32_t count, const VkFence *fences, VkBool32 all,
                     uint64_t timeout_ns)
{
    (void)device, (void)all, (void)timeout_ns;
    for (uint32_t i = 0; i < count; i++) {
        if (!get(fences[i], FENCE)->signalled)
            complain("a wait for a fence that nobody signals");
    }
    VkResult ret = result();
    if (ret != VK_SUCCESS && ret != VK_ERROR_DEVICE_LOST) {
        machine.gpu_hangs = true;
        faults_forget(); /* what is abandoned is remembered, if there is memory for that */
        fake_let_blobs_be_left();
    }
    return ret;
}

/* ---- surfaces ------------------------------------------------------------------------------------ */

static VkResult create_surface(VkInstance instance, const VkHeadlessSurfaceCreateInfoEXT *info,
                               const VkAllocationCallbacks *unused, VkSurfaceKHR *surface)
{
    (void)info, (void)unused;
    get(instance, INSTANCE);
    VkResult ret = result();
    if (ret == VK_SUCCESS)
        *surface = (VkSurfaceKHR)make(SURFACE);
    return ret;
}

static void destroy_surface(VkInstance instance, VkSurfaceKHR surface,
                            const VkAllocationCallbacks *unused)
{
    (void)instance, (void)unused;
    drop((const void *)surface, SURFACE);
}

static VkResult surface_support(VkPhysicalDevice physical, uint32_t family, VkSurfaceKHR surface,
                                VkBool32 *supported)
{
    (void)physical, (void)family;
    get(surface, SURFACE);
    *supported = !(vulkan.bits >> 8 & 1);
    return result();
}

static VkResult surface_capabilities(VkPhysicalDevice physical, VkSurfaceKHR surface,
                                     VkSurfaceCapabilitiesKHR *caps)
{
    (void)physical;
    get(surface, SURFACE);
    *caps = (VkSurfaceCapabilitiesKHR){
        .minImageCount = 1 + (vulkan.bits >> 9 & 1),
        .maxImageCount = vulkan.bits >> 10 & 1 ? SWAPCHAIN_IMAGES : 0,
        .currentExtent = { vulkan.width ? vulkan.width : UINT32_MAX,
                           vulkan.width ? vulkan.height : UINT32_MAX },
        .minImageExtent = { 1, 1 },
        .maxImageExtent = { vulkan.bits >> 11 & 1 ? 32 : 4096, 4096 },
        .maxImageArrayLayers = 1,
        .supportedTransforms = VK_SURFACE_TRANSFORM_IDENTITY_BIT_KHR,
        .currentTransform = VK_SURFACE_TRANSFORM_IDENTITY_BIT_KHR,
        .supportedCompositeAlpha = VK_COMPOSITE_ALPHA_OPAQUE_BIT_KHR,
        .supportedUsageFlags = VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT |
                               (vulkan.bits >> 12 & 1 ? 0 : VK_IMAGE_USAGE_TRANSFER_DST_BIT),
    };
    return result();
}

static VkResult surface_formats(VkPhysicalDevice physical, VkSurfaceKHR surface, uint32_t *count,
                                VkSurfaceFormatKHR *formats)
{
    static const VkFormat of[] = { VK_FORMAT_B8G8R8A8_UNORM, VK_FORMAT_R8G8B8A8_UNORM,
                                   VK_FORMAT_R16G16B16A16_SFLOAT, VK_FORMAT_B8G8R8A8_SRGB };
    (void)physical;
    get(surface, SURFACE);
    VkResult ret = result();
    if (ret != VK_SUCCESS)
        return ret;
    if (formats && *count)
        formats[0] =
            (VkSurfaceFormatKHR){ of[vulkan.bits >> 13 & 3], VK_COLOR_SPACE_SRGB_NONLINEAR_KHR };
    *count = 1;
    return VK_SUCCESS;
}

static VkResult surface_modes(VkPhysicalDevice physical, VkSurfaceKHR surface, uint32_t *count,
                              VkPresentModeKHR *modes)
{
    (void)physical;
    get(surface, SURFACE);
    VkResult ret = result();
    if (ret != VK_SUCCESS)
        return ret;
    if (modes && *count)
        modes[0] = (VkPresentModeKHR)(vulkan.bits >> 15 & 3) % 3;
    *count = 1;
    return VK_SUCCESS;
}

static VkResult create_swapchain(VkDevice device, const VkSwapchainCreateInfoKHR *info,
                                 const VkAllocationCallbacks *unused, VkSwapchainKHR *made)
{
    (void)device, (void)unused;
    get(info->surface, SURFACE);
    if (!info->imageExtent.width || !info->imageExtent.height)
        complain("a swapchain of %u x %u", info->imageExtent.width, info->imageExtent.height);
    VkResult ret = result();
    if (ret != VK_SUCCESS)
        return ret;
    struct object *swapchain = make(SWAPCHAIN);
    for (unsigned i = 0; i < SWAPCHAIN_IMAGES; i++) {
        swapchain->images[i] = make(IMAGE);
        swapchain->images[i]->width = info->imageExtent.width;
        swapchain->images[i]->height = info->imageExtent.height;
    }
    *made = (VkSwapchainKHR)swapchain;
    return VK_SUCCESS;
}

static void destroy_swapchain(VkDevice device, VkSwapchainKHR handle,
                              const VkAllocationCallbacks *unused)
{
    (void)device, (void)unused;
    if (!handle)
        return;
    struct object *swapchain = get(handle, SWAPCHAIN);
    for (unsigned i = 0; i < SWAPCHAIN_IMAGES; i++)
        drop(swapchain->images[i], IMAGE);
    drop(swapchain, SWAPCHAIN);
}

static VkResult swapchain_images(VkDevice device, VkSwapchainKHR handle, uint32_t *count,
                                 VkImage *images)
{
    (void)device;
    struct object *swapchain = get(handle, SWAPCHAIN);
    VkResult ret = result();
    uint32_t room = images ? *count : 0;
    for (uint32_t i = 0; i < room && i < SWAPCHAIN_IMAGES; i++)
        images[i] = (VkImage)swapchain->images[i];
    if (!images || room > SWAPCHAIN_IMAGES)
        *count = SWAPCHAIN_IMAGES;
    return ret == VK_SUCCESS && images && room < SWAPCHAIN_IMAGES ? VK_INCOMPLETE : ret;
}

/* What came of a turn with the display: mostly it is as it was. */
static VkResult weather(void)
{
    VkResult ret = result();
    if (ret == VK_ERROR_OUT_OF_HOST_MEMORY)
        return VK_ERROR_OUT_OF_DATE_KHR;
    if (ret == VK_ERROR_OUT_OF_DEVICE_MEMORY)
        return VK_SUBOPTIMAL_KHR;
    return ret == VK_ERROR_INITIALIZATION_FAILED ? VK_ERROR_SURFACE_LOST_KHR : ret;
}

static VkResult acquire(VkDevice device, VkSwapchainKHR handle, uint64_t timeout_ns,
                        VkSemaphore semaphore, VkFence fence, uint32_t *index)
{
    (void)device, (void)timeout_ns;
    struct object *swapchain = get(handle, SWAPCHAIN);
    if (semaphore)
        get(semaphore, SEMAPHORE);
    VkResult ret = weather();
    if (ret < 0)
        return ret;
    if (vulkan.bits >> 17 & 1)
        return VK_TIMEOUT;
    for (unsigned i = 0; i < SWAPCHAIN_IMAGES; i++) {
        unsigned at = (swapchain->next + i) % SWAPCHAIN_IMAGES;
        if (!swapchain->acquired[at]) {
            swapchain->acquired[at] = true;
            swapchain->next = at + 1;
            *index = at;
            if (fence)
                get(fence, FENCE)->signalled = true;
            return ret;
        }
    }
    return VK_TIMEOUT;
}

static VkResult present(VkQueue queue, const VkPresentInfoKHR *info)
{
    get(queue, DEVICE);
    for (uint32_t i = 0; i < info->swapchainCount; i++) {
        struct object *swapchain = get(info->pSwapchains[i], SWAPCHAIN);
        if (info->pImageIndices[i] >= SWAPCHAIN_IMAGES ||
            !swapchain->acquired[info->pImageIndices[i]])
            complain("image %u is presented, but was not acquired", info->pImageIndices[i]);
        swapchain->acquired[info->pImageIndices[i]] = false;
    }
    return weather();
}

/* ---- the system ---------------------------------------------------------------------------------- */

static VkResult list(const char *const *names, unsigned count, uint32_t bits, uint32_t *num,
                     VkExtensionProperties *found)
{
    uint32_t room = found ? *num : 0, there = 0;
    for (unsigned i = 0; i < count; i++) {
        if (bits >> i & 1)
            continue;
        if (there < room) {
            memset(&found[there], 0, sizeof(found[there]));
            strcpy(found[there].extensionName, names[i]);
        }
        there++;
    }
    *num = found && there > room ? room : there;
    return result();
}

static VkResult instance_extensions(const char *layer, uint32_t *count,
                                    VkExtensionProperties *found)
{
    static const char *const names[] = { "VK_KHR_surface", "VK_EXT_headless_surface" };
    (void)layer;
    return list(names, 2, vulkan.bits, count, found);
}

static VkResult device_extensions(VkPhysicalDevice physical, const char *layer, uint32_t *count,
                                  VkExtensionProperties *found)
{
    static const char *const names[] = { "VK_KHR_swapchain", "VK_KHR_external_memory_fd",
                                         "VK_EXT_external_memory_dma_buf",
                                         "VK_EXT_external_memory_host",
                                         "VK_EXT_queue_family_foreign" };
    (void)physical, (void)layer;
    return list(names, 5, vulkan.bits >> 2, count, found);
}

static VkResult create_instance(const VkInstanceCreateInfo *info,
                                const VkAllocationCallbacks *unused, VkInstance *instance)
{
    (void)info, (void)unused;
    VkResult ret = result();
    if (ret == VK_SUCCESS)
        *instance = (VkInstance)make(INSTANCE);
    return ret;
}

static void destroy_instance(VkInstance instance, const VkAllocationCallbacks *unused)
{
    (void)unused;
    drop(instance, INSTANCE);
}

static VkResult enumerate(VkInstance instance, uint32_t *count, VkPhysicalDevice *devices)
{
    VkResult ret = result();
    if (ret == VK_SUCCESS && devices && *count)
        devices[0] = (VkPhysicalDevice)instance;
    *count = ret == VK_SUCCESS;
    return ret;
}

static void properties(VkPhysicalDevice physical, VkPhysicalDeviceProperties2 *props)
{
    static const VkPhysicalDeviceType types[] = { VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU,
                                                  VK_PHYSICAL_DEVICE_TYPE_CPU };
    (void)physical;
    props->properties = (VkPhysicalDeviceProperties){
        .apiVersion = vulkan.bits >> 18 & 1 ? VK_API_VERSION_1_2 : VK_API_VERSION_1_3,
        .deviceType = types[vulkan.bits >> 19 & 1],
        .deviceName = "a Vulkan in memory",
        .limits.maxImageDimension2D = vulkan.bits >> 21 & 1 ? 64 : 16384,
        .limits.maxStorageBufferRange = vulkan.bits >> 22 & 1 ? 4096 : UINT32_MAX,
        .limits.minStorageBufferOffsetAlignment = vulkan.bits >> 23 & 1 ? 256 : 4,
    };
    for (VkBaseOutStructure *next = props->pNext; next; next = next->pNext) {
        if (next->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_MEMORY_HOST_PROPERTIES_EXT)
            ((VkPhysicalDeviceExternalMemoryHostPropertiesEXT *)next)
                ->minImportedHostPointerAlignment = 4096;
        else if (next->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_4_PROPERTIES)
            ((VkPhysicalDeviceMaintenance4Properties *)next)->maxBufferSize =
                vulkan.bits >> 24 & 1 ? 8192 : UINT32_MAX;
    }
}

static void external_buffers(VkPhysicalDevice physical,
                             const VkPhysicalDeviceExternalBufferInfo *info,
                             VkExternalBufferProperties *props)
{
    (void)physical, (void)info;
    props->externalMemoryProperties = (VkExternalMemoryProperties){
        .externalMemoryFeatures =
            (vulkan.bits >> 25 & 1 ? 0 : VK_EXTERNAL_MEMORY_FEATURE_IMPORTABLE_BIT) |
            (vulkan.bits >> 26 & 1 ? VK_EXTERNAL_MEMORY_FEATURE_DEDICATED_ONLY_BIT : 0),
        .compatibleHandleTypes = info->handleType,
    };
}

static void features(VkPhysicalDevice physical, VkPhysicalDeviceFeatures2 *features)
{
    (void)physical;
    for (VkBaseOutStructure *next = features->pNext; next; next = next->pNext) {
        if (next->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES)
            ((VkPhysicalDeviceVulkan13Features *)next)->dynamicRendering = VK_TRUE;
    }
}

static void memory_properties(VkPhysicalDevice physical, VkPhysicalDeviceMemoryProperties *props)
{
    const VkMemoryPropertyFlags visible =
        VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    (void)physical;
    *props = (VkPhysicalDeviceMemoryProperties){
        .memoryTypeCount = 3,
        .memoryTypes = { { VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT, 0 },
                         { vulkan.bits >> 27 & 1 ? 0 : visible, 0 },
                         { vulkan.bits >> 28 & 1 ? 0 : visible | VK_MEMORY_PROPERTY_HOST_CACHED_BIT,
                           0 } },
        .memoryHeapCount = 1,
    };
}

static void families(VkPhysicalDevice physical, uint32_t *count, VkQueueFamilyProperties *props)
{
    (void)physical;
    memset(props, 0, sizeof(*props));
    props->queueFlags = vulkan.bits >> 29 & 1 ? VK_QUEUE_COMPUTE_BIT : VK_QUEUE_GRAPHICS_BIT;
    *count = 1;
}

static VkResult create_device(VkPhysicalDevice physical, const VkDeviceCreateInfo *info,
                              const VkAllocationCallbacks *unused, VkDevice *device)
{
    (void)physical, (void)info, (void)unused;
    VkResult ret = result();
    if (ret == VK_SUCCESS)
        *device = (VkDevice)make(DEVICE);
    return ret;
}

static void destroy_device(VkDevice device, const VkAllocationCallbacks *unused)
{
    (void)unused;
    drop(device, DEVICE);
}

static VkResult fd_properties(VkDevice device, VkExternalMemoryHandleTypeFlagBits type, int fd,
                              VkMemoryFdPropertiesKHR *props)
{
    (void)device, (void)type, (void)fd;
    props->memoryTypeBits = 7;
    return result();
}

static VkResult pointer_properties(VkDevice device, VkExternalMemoryHandleTypeFlagBits type,
                                   const void *ptr, VkMemoryHostPointerPropertiesEXT *props)
{
    (void)device, (void)type, (void)ptr;
    props->memoryTypeBits = vulkan.bits >> 30 & 1 ? 0 : 7;
    return result();
}

static PFN_vkVoidFunction device_function(VkDevice device, const char *name);

static const struct {
    const char *name;
    PFN_vkVoidFunction function;
} functions[] = {
#define FUNCTION(name, ours) { "vk" #name, (PFN_vkVoidFunction)(ours) },
    FUNCTION(EnumerateInstanceExtensionProperties, instance_extensions) FUNCTION(CreateInstance, create_instance) FUNCTION(
        DestroyInstance,
        destroy_instance) FUNCTION(EnumeratePhysicalDevices,
                                   enumerate) FUNCTION(EnumerateDeviceExtensionProperties,
                                                       device_extensions) FUNCTION(GetPhysicalDeviceProperties2,
                                                                                   properties)
        FUNCTION(GetPhysicalDeviceExternalBufferProperties, external_buffers) FUNCTION(
            GetPhysicalDeviceFeatures2,
            features) FUNCTION(GetPhysicalDeviceMemoryProperties,
                               memory_properties) FUNCTION(GetPhysicalDeviceQueueFamilyProperties,
                                                           families) FUNCTION(CreateDevice,
                                                                              create_device)
            FUNCTION(GetDeviceProcAddr, device_function) FUNCTION(CreateHeadlessSurfaceEXT, create_surface) FUNCTION(
                DestroySurfaceKHR,
                destroy_surface) FUNCTION(GetPhysicalDeviceSurfaceSupportKHR, surface_support)
                FUNCTION(GetPhysicalDeviceSurfaceCapabilitiesKHR, surface_capabilities) FUNCTION(
                    GetPhysicalDeviceSurfaceFormatsKHR,
                    surface_formats) FUNCTION(GetPhysicalDeviceSurfacePresentModesKHR,
                                              surface_modes) FUNCTION(AllocateCommandBuffers,
                                                                      allocate_commands) FUNCTION(AllocateDescriptorSets,
                                                                                                  allocate_sets)
                    FUNCTION(AllocateMemory, allocate) FUNCTION(BeginCommandBuffer, begin) FUNCTION(
                        BindBufferMemory,
                        bind_buffer) FUNCTION(BindImageMemory,
                                              bind_image) FUNCTION(CmdBeginRendering, begin_rendering)
                        FUNCTION(CmdBindDescriptorSets, bind_sets) FUNCTION(
                            CmdBindPipeline,
                            bind_pipeline) FUNCTION(CmdCopyBufferToImage, copy_to_image)
                            FUNCTION(CmdCopyImageToBuffer, copy_to_buffer) FUNCTION(
                                CmdDraw,
                                draw) FUNCTION(CmdEndRendering,
                                               end_rendering) FUNCTION(CmdPipelineBarrier, barrier)
                                FUNCTION(CmdPushConstants, push) FUNCTION(CmdSetScissor, set_scissor) FUNCTION(
                                    CmdSetViewport,
                                    set_viewport) FUNCTION(CreateBuffer,
                                                           create_buffer) FUNCTION(CreateCommandPool, create_command_pool)
                                    FUNCTION(CreateDescriptorPool, create_descriptor_pool) FUNCTION(
                                        CreateDescriptorSetLayout,
                                        create_set_layout) FUNCTION(CreateFence, create_fence)
                                        FUNCTION(
                                            CreateGraphicsPipelines,
                                            create_pipelines) FUNCTION(CreateImage,
                                                                       create_image) FUNCTION(CreateImageView,
                                                                                              create_view)
                                            FUNCTION(CreatePipelineLayout, create_pipeline_layout) FUNCTION(
                                                CreateSemaphore,
                                                create_semaphore) FUNCTION(CreateShaderModule,
                                                                           create_shader) FUNCTION(DestroyBuffer, destroy_buffer)
                                                FUNCTION(DestroyCommandPool, destroy_command_pool) FUNCTION(
                                                    DestroyDescriptorPool,
                                                    destroy_descriptor_pool) FUNCTION(DestroyDescriptorSetLayout,
                                                                                      destroy_set_layout)
                                                    FUNCTION(
                                                        DestroyDevice,
                                                        destroy_device) FUNCTION(DestroyFence, destroy_fence)
                                                        FUNCTION(DestroyImage, destroy_image) FUNCTION(
                                                            DestroyImageView,
                                                            destroy_view) FUNCTION(DestroyPipeline,
                                                                                   destroy_pipeline) FUNCTION(DestroyPipelineLayout,
                                                                                                              destroy_pipeline_layout)
                                                            FUNCTION(DestroySemaphore, destroy_semaphore) FUNCTION(
                                                                DestroyShaderModule,
                                                                destroy_shader) FUNCTION(EndCommandBuffer, end)
                                                                FUNCTION(FreeMemory, free_memory) FUNCTION(
                                                                    GetBufferMemoryRequirements,
                                                                    requirements) FUNCTION(GetDeviceQueue,
                                                                                           get_queue)
                                                                    FUNCTION(
                                                                        GetImageMemoryRequirements,
                                                                        image_requirements) FUNCTION(MapMemory, map_memory)
                                                                        FUNCTION(QueueSubmit, submit) FUNCTION(
                                                                            ResetFences,
                                                                            reset_fences) FUNCTION(UpdateDescriptorSets,
                                                                                                   update_sets)
                                                                            FUNCTION(WaitForFences, wait) FUNCTION(
                                                                                AcquireNextImageKHR,
                                                                                acquire) FUNCTION(CreateSwapchainKHR,
                                                                                                  create_swapchain)
                                                                                FUNCTION(
                                                                                    DestroySwapchainKHR,
                                                                                    destroy_swapchain)
                                                                                    FUNCTION(
                                                                                        GetSwapchainImagesKHR,
                                                                                        swapchain_images)
                                                                                        FUNCTION(
                                                                                            QueuePresentKHR,
                                                                                            present)
                                                                                            FUNCTION(
                                                                                                GetMemoryFdPropertiesKHR,
                                                                                                fd_properties)
                                                                                                FUNCTION(
                                                                                                    GetMemoryHostPointerPropertiesEXT,
                                                                                                    pointer_properties)
};

static PFN_vkVoidFunction instance_function(VkInstance instance, const char *name)
{
    (void)instance;
    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
        if (!strcmp(functions[i].name, name))
            return functions[i].function;
    }
    return NULL;
}

static PFN_vkVoidFunction device_function(VkDevice device, const char *name)
{
    (void)device;
    return instance_function(NULL, name);
}

void *faults_dlopen(const char *name, int flags)
{
    (void)name, (void)flags;
    return vulkan.bits >> 31 & 1 ? NULL : &vulkan;
}

void *faults_dlsym(void *library, const char *name)
{
    (void)library;
    return strcmp(name, "vkGetInstanceProcAddr") == 0 ? (void *)instance_function : NULL;
}

int faults_dlclose(void *library)
{
    (void)library;
    return 0;
}
