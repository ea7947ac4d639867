/* SPDX-License-Identifier: MIT */
/*
 * The host's Vulkan as presenting uses it: one instance, one device, one queue, loaded at run time.
 *
 * It is counted by reference: each presenter holds one, and each import of memory, so that the device
 * outlives whatever was made with it. Where it is lost (VK_ERROR_DEVICE_LOST), it stays until the last
 * of those is gone; the next presenter opens a new one.
 *
 * A GPU that does not end its work in time *hangs*. What it was given it may still use: destroying that is
 * forbidden, and waiting for it could last for ever. So nothing of such a device is destroyed or waited for
 * any more; all that is left of it is abandoned, and the process keeps it to its end.
 */
#ifndef VK_VULKAN_H
#define VK_VULKAN_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#define VK_NO_PROTOTYPES
#include <vulkan/vulkan_core.h>

/* Every function that is used, by the object that it is looked up with. */
#define VULKAN_INSTANCE_FUNCTIONS(X)             \
    X(DestroyInstance)                           \
    X(EnumeratePhysicalDevices)                  \
    X(EnumerateDeviceExtensionProperties)        \
    X(GetPhysicalDeviceProperties2)              \
    X(GetPhysicalDeviceExternalBufferProperties) \
    X(GetPhysicalDeviceFeatures2)                \
    X(GetPhysicalDeviceMemoryProperties)         \
    X(GetPhysicalDeviceQueueFamilyProperties)    \
    X(CreateDevice)                              \
    X(GetDeviceProcAddr)

#define VULKAN_SURFACE_FUNCTIONS(X)            \
    X(DestroySurfaceKHR)                       \
    X(GetPhysicalDeviceSurfaceSupportKHR)      \
    X(GetPhysicalDeviceSurfaceCapabilitiesKHR) \
    X(GetPhysicalDeviceSurfaceFormatsKHR)      \
    X(GetPhysicalDeviceSurfacePresentModesKHR)

#define VULKAN_DEVICE_FUNCTIONS(X) \
    X(AllocateCommandBuffers)      \
    X(AllocateDescriptorSets)      \
    X(AllocateMemory)              \
    X(BeginCommandBuffer)          \
    X(BindBufferMemory)            \
    X(BindImageMemory)             \
    X(CmdBeginRendering)           \
    X(CmdBindDescriptorSets)       \
    X(CmdBindPipeline)             \
    X(CmdCopyBufferToImage)        \
    X(CmdCopyImageToBuffer)        \
    X(CmdDraw)                     \
    X(CmdEndRendering)             \
    X(CmdPipelineBarrier)          \
    X(CmdPushConstants)            \
    X(CmdSetScissor)               \
    X(CmdSetViewport)              \
    X(CreateBuffer)                \
    X(CreateCommandPool)           \
    X(CreateDescriptorPool)        \
    X(CreateDescriptorSetLayout)   \
    X(CreateFence)                 \
    X(CreateGraphicsPipelines)     \
    X(CreateImage)                 \
    X(CreateImageView)             \
    X(CreatePipelineLayout)        \
    X(CreateSemaphore)             \
    X(CreateShaderModule)          \
    X(DestroyBuffer)               \
    X(DestroyCommandPool)          \
    X(DestroyDescriptorPool)       \
    X(DestroyDescriptorSetLayout)  \
    X(DestroyDevice)               \
    X(DestroyFence)                \
    X(DestroyImage)                \
    X(DestroyImageView)            \
    X(DestroyPipeline)             \
    X(DestroyPipelineLayout)       \
    X(DestroySemaphore)            \
    X(DestroyShaderModule)         \
    X(EndCommandBuffer)            \
    X(FreeMemory)                  \
    X(GetBufferMemoryRequirements) \
    X(GetDeviceQueue)              \
    X(GetImageMemoryRequirements)  \
    X(MapMemory)                   \
    X(QueueSubmit)                 \
    X(ResetFences)                 \
    X(UpdateDescriptorSets)        \
    X(WaitForFences)

/* VK_EXT_map_memory_placed, and what it stands on. Older headers have neither. */
#ifdef VK_EXT_map_memory_placed
#define VULKAN_PLACING_FUNCTIONS(X) \
    X(MapMemory2KHR)                \
    X(UnmapMemory2KHR)
#else
#define VULKAN_PLACING_FUNCTIONS(X)
#endif

#define VULKAN_SWAPCHAIN_FUNCTIONS(X) \
    X(AcquireNextImageKHR)            \
    X(CreateSwapchainKHR)             \
    X(DestroySwapchainKHR)            \
    X(GetSwapchainImagesKHR)          \
    X(QueuePresentKHR)

struct vulkan {
    atomic_uint refs;
    atomic_bool lost;  /* the device is; set by whoever saw VK_ERROR_DEVICE_LOST */
    atomic_bool hangs; /* and it is not known to have ended its work */
    void *library;     /* of dlopen(), or NULL if the functions came from elsewhere */

    PFN_vkGetInstanceProcAddr GetInstanceProcAddr;
#define VULKAN_MEMBER(name) PFN_vk##name name;
    VULKAN_INSTANCE_FUNCTIONS(VULKAN_MEMBER)
    VULKAN_SURFACE_FUNCTIONS(VULKAN_MEMBER)
    VULKAN_DEVICE_FUNCTIONS(VULKAN_MEMBER)
    VULKAN_PLACING_FUNCTIONS(VULKAN_MEMBER)
    VULKAN_SWAPCHAIN_FUNCTIONS(VULKAN_MEMBER)
    PFN_vkGetMemoryFdPropertiesKHR GetMemoryFdPropertiesKHR;
    PFN_vkGetMemoryHostPointerPropertiesEXT GetMemoryHostPointerPropertiesEXT;
#undef VULKAN_MEMBER

    VkInstance instance;
    VkPhysicalDevice physical;
    VkDevice device;
    uint32_t family; /* of the one queue: graphics */

    /* One thread at a time for the queue: QueueSubmit, QueuePresentKHR. Never held for a wait. */
    pthread_mutex_t queue_lock;
    VkQueue queue;

    /* Constant after creation. */
    unsigned surface_kinds; /* which extensions of the instance are enabled, see vulkan.c */
    unsigned extensions;    /* and which of the device */
    bool has_surfaces;      /* VK_KHR_surface and VK_KHR_swapchain */
    bool imports_dma_buf, imports_opaque, imports_host_pointer;
    bool places; /* maps memory at an address that it is given, and reserves that when it unmaps it */
    VkDeviceSize placing_alignment;
    VkDeviceSize host_pointer_alignment, max_buffer_size;
    uint32_t foreign_family; /* of queues of other drivers, as far as it can be said */
    VkPhysicalDeviceProperties properties;
    bool is_renderer; /* the guest's Vulkan is on the same device, by the same driver */
    VkPhysicalDeviceMemoryProperties memory;

    struct abandoned *abandoned; /* see vulkan.c */
    struct vulkan *next_abandoned;
};

/* Which device to present with. */
struct vulkan_choice {
    const char *name; /* a part of its name, or its number; NULL: the best one */
    /* The device and driver that render for the guest: preferred, and only they can import its opaque
     * descriptors. NULL: not known. */
    const uint8_t *device_uuid, *driver_uuid;
    bool only_gpu;                                    /* a processor that draws will not do */
    PFN_vkGetInstanceProcAddr get_instance_proc_addr; /* NULL: the loader's */
    const char *const *loaders; /* names of it, the last one being NULL; NULL: the system's */
};

/* NULL on failure, with a message of one or two lines in *error, to be freed. */
struct vulkan *vulkan_create(const struct vulkan_choice *choice, char **error);
struct vulkan *vulkan_ref(struct vulkan *vk);
void vulkan_unref(struct vulkan *vk); /* takes NULL */

/* Wait for a fence, and reset it. VK_ERROR_DEVICE_LOST also if the GPU is not known to have ended its work: it
 * takes so long that it must hang. */
VkResult vulkan_wait(struct vulkan *vk, VkFence fence);
/* Wait, by that unsignalled fence, until the queue has ended all that it was given: as vkDeviceWaitIdle(),
 * but not for ever. */
VkResult vulkan_wait_idle(struct vulkan *vk, VkFence fence);

/* The GPU hangs, or a thread that called its driver does. */
void vulkan_set_hangs(struct vulkan *vk);
bool vulkan_hangs(const struct vulkan *vk);
/* Keep an object, allocated in whichever way, with Vulkan's objects that may be in use. Any thread. */
void vulkan_abandon(struct vulkan *vk, void *object);

/* Whether an extension of the instance is enabled; used for the kinds of surfaces. */
bool vulkan_has_surface_kind(const struct vulkan *vk, const char *extension);

/* The same of the device. */
bool vulkan_has_extension(const struct vulkan *vk, const char *extension);

/* The first memory type among `types` that has all of `wanted`, and of those the one with most of
 * `liked`; -1: none. */
int vulkan_memory_type(const struct vulkan *vk, uint32_t types, VkMemoryPropertyFlags wanted,
                       VkMemoryPropertyFlags liked);

/*
 * vkAllocateMemory() of what is imported, by that descriptor if fd is not NULL; it is taken over in any case, and
 * *fd is -1 then. By Vulkan's rules the driver takes it on success only, but NVIDIA's (580) closes it on failure too.
 */
VkResult vulkan_import(struct vulkan *vk, const VkMemoryAllocateInfo *info, int *fd,
                       VkDeviceMemory *memory);

/* "VK_ERROR_DEVICE_LOST" and so on, for messages. Static storage. */
const char *vulkan_result_name(VkResult result);

#endif
