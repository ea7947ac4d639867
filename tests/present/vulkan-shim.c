/* SPDX-License-Identifier: MIT */
/* See vulkan-shim.h. */
#include "vulkan-shim.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "device/device.h"
#include "present/present.h"
#include "vk/shared-vulkan.h"

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    PFN_vkGetInstanceProcAddr get_instance_proc_addr;
    PFN_vkGetDeviceProcAddr get_device_proc_addr;
    struct {
        VkResult result;
        unsigned after, times, count;
    } calls[SHIM_CALLS];
    bool hold[SHIM_CALLS];
    bool trap_set, trapped; /* for one thread that calls vkQueueSubmit() */
    int trapped_thread;
    unsigned held; /* threads */
    const char *hidden;
    unsigned memories;
    uint32_t max_image_side;      /* 0: the driver's */
    VkExtent2D surface_extent;    /* 0 x 0: the driver's */
    VkDeviceSize max_buffer_size; /* likewise */
    VkDeviceSize largest_buffer;
    unsigned inheritable;
    unsigned from_foreign, from_external;
    float largest_viewport;
    unsigned destroyed;

    PFN_vkCreateInstance CreateInstance;
    PFN_vkCreateDevice CreateDevice;
    PFN_vkEnumerateDeviceExtensionProperties EnumerateDeviceExtensionProperties;
    PFN_vkCreateHeadlessSurfaceEXT CreateHeadlessSurfaceEXT;
    PFN_vkCreateSwapchainKHR CreateSwapchainKHR;
    PFN_vkAcquireNextImageKHR AcquireNextImageKHR;
    PFN_vkQueueSubmit QueueSubmit;
    PFN_vkQueuePresentKHR QueuePresentKHR;
    PFN_vkWaitForFences WaitForFences;
    PFN_vkGetPhysicalDeviceProperties2 GetPhysicalDeviceProperties2;
    PFN_vkGetPhysicalDeviceSurfaceCapabilitiesKHR GetPhysicalDeviceSurfaceCapabilitiesKHR;
    PFN_vkCreateBuffer CreateBuffer;
    PFN_vkAllocateMemory AllocateMemory;
    PFN_vkFreeMemory FreeMemory;
    PFN_vkCmdPipelineBarrier CmdPipelineBarrier;
    PFN_vkCmdSetViewport CmdSetViewport;
    PFN_vkDestroyBuffer DestroyBuffer;
    PFN_vkDestroyCommandPool DestroyCommandPool;
    PFN_vkDestroyDevice DestroyDevice;
    PFN_vkDestroyFence DestroyFence;
    PFN_vkDestroyImage DestroyImage;
    PFN_vkDestroySurfaceKHR DestroySurfaceKHR;
    PFN_vkDestroySwapchainKHR DestroySwapchainKHR;
} shim = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

/* What this call is to return instead of being made, or VK_SUCCESS. */
static VkResult fault(enum shim_call call)
{
    VkResult result = VK_SUCCESS;
    pthread_mutex_lock(&shim.lock);
    shim.calls[call].count++;
    if (shim.calls[call].after) {
        shim.calls[call].after--;
    } else if (shim.calls[call].times) {
        shim.calls[call].times--;
        result = shim.calls[call].result;
    }
    pthread_cond_broadcast(&shim.changed);
    pthread_mutex_unlock(&shim.lock);
    return result;
}

/* Stay here for as long as such calls are held back. */
static void wait_if_held(enum shim_call call)
{
    pthread_mutex_lock(&shim.lock);
    shim.held++;
    while (shim.hold[call]) {
        pthread_cond_broadcast(&shim.changed);
        pthread_cond_wait(&shim.changed, &shim.lock);
    }
    shim.held--;
    pthread_mutex_unlock(&shim.lock);
}

static VkResult create_instance(const VkInstanceCreateInfo *info,
                                const VkAllocationCallbacks *allocator, VkInstance *instance)
{
    VkResult result = fault(SHIM_CREATE_INSTANCE);
    return result ? result : shim.CreateInstance(info, allocator, instance);
}

static VkResult create_device(VkPhysicalDevice physical, const VkDeviceCreateInfo *info,
                              const VkAllocationCallbacks *allocator, VkDevice *device)
{
    VkResult result = fault(SHIM_CREATE_DEVICE);
    return result ? result : shim.CreateDevice(physical, info, allocator, device);
}

static VkResult enumerate_device_extensions(VkPhysicalDevice physical, const char *layer,
                                            uint32_t *count, VkExtensionProperties *properties)
{
    VkResult result = shim.EnumerateDeviceExtensionProperties(physical, layer, count, properties);
    for (uint32_t i = 0; properties && shim.hidden && i < *count; i++) {
        if (!strcmp(properties[i].extensionName, shim.hidden))
            strcpy(properties[i].extensionName, "VK_TEST_hidden");
    }
    return result;
}

static VkResult create_surface(VkInstance instance, const VkHeadlessSurfaceCreateInfoEXT *info,
                               const VkAllocationCallbacks *allocator, VkSurfaceKHR *surface)
{
    VkResult result = fault(SHIM_CREATE_SURFACE);
    return result ? result : shim.CreateHeadlessSurfaceEXT(instance, info, allocator, surface);
}

static VkResult create_swapchain(VkDevice device, const VkSwapchainCreateInfoKHR *info,
                                 const VkAllocationCallbacks *allocator, VkSwapchainKHR *swapchain)
{
    VkResult result = fault(SHIM_CREATE_SWAPCHAIN);
    return result ? result : shim.CreateSwapchainKHR(device, info, allocator, swapchain);
}

/* VK_SUBOPTIMAL_KHR is a success: there is an image. */
static VkResult acquire(VkDevice device, VkSwapchainKHR swapchain, uint64_t timeout,
                        VkSemaphore semaphore, VkFence fence, uint32_t *index)
{
    VkResult instead = fault(SHIM_ACQUIRE);
    if (instead != VK_SUCCESS && instead != VK_SUBOPTIMAL_KHR)
        return instead;
    VkResult result = shim.AcquireNextImageKHR(device, swapchain, timeout, semaphore, fence, index);
    return result == VK_SUCCESS ? instead : result;
}

static void wait_if_trapped(void)
{
    pthread_mutex_lock(&shim.lock);
    if (shim.trap_set) {
        shim.trap_set = false;
        shim.trapped = true;
        shim.trapped_thread = gettid();
        pthread_cond_broadcast(&shim.changed);
        while (shim.trapped)
            pthread_cond_wait(&shim.changed, &shim.lock);
    }
    pthread_mutex_unlock(&shim.lock);
}

static VkResult submit(VkQueue queue, uint32_t count, const VkSubmitInfo *submits, VkFence fence)
{
    wait_if_trapped();
    wait_if_held(SHIM_SUBMIT);
    VkResult result = fault(SHIM_SUBMIT);
    return result ? result : shim.QueueSubmit(queue, count, submits, fence);
}

/* A presentation that fails has been made all the same: so what it waited for is over. */
static VkResult present(VkQueue queue, const VkPresentInfoKHR *info)
{
    VkResult result = shim.QueuePresentKHR(queue, info), instead = fault(SHIM_PRESENT);
    return instead ? instead : result;
}

static VkResult wait_for_fences(VkDevice device, uint32_t count, const VkFence *fences,
                                VkBool32 all, uint64_t timeout)
{
    wait_if_held(SHIM_WAIT);
    VkResult result = shim.WaitForFences(device, count, fences, all, timeout);
    VkResult instead = fault(SHIM_WAIT);
    return instead ? instead : result;
}

static void get_properties(VkPhysicalDevice physical, VkPhysicalDeviceProperties2 *properties)
{
    shim.GetPhysicalDeviceProperties2(physical, properties);
    if (shim.max_image_side)
        properties->properties.limits.maxImageDimension2D = shim.max_image_side;
    for (VkBaseOutStructure *next = properties->pNext; next; next = next->pNext) {
        if (next->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_4_PROPERTIES &&
            shim.max_buffer_size)
            ((VkPhysicalDeviceMaintenance4Properties *)next)->maxBufferSize = shim.max_buffer_size;
    }
}

static VkResult get_surface_capabilities(VkPhysicalDevice physical, VkSurfaceKHR surface,
                                         VkSurfaceCapabilitiesKHR *caps)
{
    VkResult result = shim.GetPhysicalDeviceSurfaceCapabilitiesKHR(physical, surface, caps);
    if (shim.max_image_side)
        caps->maxImageExtent = (VkExtent2D){ shim.max_image_side, shim.max_image_side };
    if (shim.surface_extent.width)
        caps->currentExtent = shim.surface_extent;
    return result;
}

static VkResult create_buffer(VkDevice device, const VkBufferCreateInfo *info,
                              const VkAllocationCallbacks *allocator, VkBuffer *buffer)
{
    pthread_mutex_lock(&shim.lock);
    if (info->size > shim.largest_buffer)
        shim.largest_buffer = info->size;
    pthread_mutex_unlock(&shim.lock);
    return shim.CreateBuffer(device, info, allocator, buffer);
}

/* A descriptor that is imported belongs to the driver, which never asks how it was made. */
static void look_at_descriptor(const VkMemoryAllocateInfo *info)
{
    for (const VkBaseInStructure *part = info->pNext; part; part = part->pNext) {
        if (part->sType != VK_STRUCTURE_TYPE_IMPORT_MEMORY_FD_INFO_KHR)
            continue;
        int flags = fcntl(((const VkImportMemoryFdInfoKHR *)part)->fd, F_GETFD);
        pthread_mutex_lock(&shim.lock);
        shim.inheritable += !(flags & FD_CLOEXEC);
        pthread_mutex_unlock(&shim.lock);
    }
}

static VkResult allocate_memory(VkDevice device, const VkMemoryAllocateInfo *info,
                                const VkAllocationCallbacks *allocator, VkDeviceMemory *memory)
{
    look_at_descriptor(info);
    VkResult result = info->pNext ? fault(SHIM_ALLOCATE_IMPORT) : VK_SUCCESS;
    if (result == VK_SUCCESS)
        result = shim.AllocateMemory(device, info, allocator, memory);
    pthread_mutex_lock(&shim.lock);
    shim.memories += result == VK_SUCCESS;
    pthread_mutex_unlock(&shim.lock);
    return result;
}

static void free_memory(VkDevice device, VkDeviceMemory memory,
                        const VkAllocationCallbacks *allocator)
{
    shim.FreeMemory(device, memory, allocator);
    pthread_mutex_lock(&shim.lock);
    shim.destroyed += memory != VK_NULL_HANDLE;
    shim.memories -= memory != VK_NULL_HANDLE;
    pthread_mutex_unlock(&shim.lock);
}

static void pipeline_barrier(VkCommandBuffer commands, VkPipelineStageFlags from,
                             VkPipelineStageFlags to, VkDependencyFlags flags, uint32_t num_memory,
                             const VkMemoryBarrier *memory, uint32_t num_buffers,
                             const VkBufferMemoryBarrier *buffers, uint32_t num_images,
                             const VkImageMemoryBarrier *images)
{
    pthread_mutex_lock(&shim.lock);
    for (uint32_t i = 0; i < num_buffers; i++) {
        shim.from_foreign += buffers[i].srcQueueFamilyIndex == VK_QUEUE_FAMILY_FOREIGN_EXT;
        shim.from_external += buffers[i].srcQueueFamilyIndex == VK_QUEUE_FAMILY_EXTERNAL;
    }
    pthread_mutex_unlock(&shim.lock);
    shim.CmdPipelineBarrier(commands, from, to, flags, num_memory, memory, num_buffers, buffers,
                            num_images, images);
}

static void set_viewport(VkCommandBuffer commands, uint32_t first, uint32_t count,
                         const VkViewport *viewports)
{
    pthread_mutex_lock(&shim.lock);
    for (uint32_t i = 0; i < count; i++) {
        float width = viewports[i].width, height = viewports[i].height;
        float larger = width > height ? width : height;
        if (shim.largest_viewport < larger)
            shim.largest_viewport = larger;
    }
    pthread_mutex_unlock(&shim.lock);
    shim.CmdSetViewport(commands, first, count, viewports);
}

static void count_destroyed(bool exists)
{
    pthread_mutex_lock(&shim.lock);
    shim.destroyed += exists;
    pthread_mutex_unlock(&shim.lock);
}

#define DESTROY(function, ours, owner_type, type)                                           \
    static void ours(owner_type owner, type object, const VkAllocationCallbacks *allocator) \
    {                                                                                       \
        count_destroyed(object != VK_NULL_HANDLE);                                          \
        shim.function(owner, object, allocator);                                            \
    }
DESTROY(DestroyBuffer, destroy_buffer, VkDevice, VkBuffer)
DESTROY(DestroyCommandPool, destroy_command_pool, VkDevice, VkCommandPool)
DESTROY(DestroyFence, destroy_fence, VkDevice, VkFence)
DESTROY(DestroyImage, destroy_image, VkDevice, VkImage)
DESTROY(DestroySurfaceKHR, destroy_surface, VkInstance, VkSurfaceKHR)
#undef DESTROY

static void destroy_swapchain(VkDevice device, VkSwapchainKHR swapchain,
                              const VkAllocationCallbacks *allocator)
{
    fault(SHIM_DESTROY_SWAPCHAIN);
    count_destroyed(swapchain != VK_NULL_HANDLE);
    shim.DestroySwapchainKHR(device, swapchain, allocator);
}

static void destroy_device(VkDevice device, const VkAllocationCallbacks *allocator)
{
    count_destroyed(true);
    shim.DestroyDevice(device, allocator);
}

static PFN_vkVoidFunction get_device_proc_addr(VkDevice device, const char *name);

/* Ours for some names, with the driver's behind it. */
static PFN_vkVoidFunction replace(const char *name, PFN_vkVoidFunction real)
{
#define REPLACE(function, ours)                 \
    if (!strcmp(name, "vk" #function)) {        \
        shim.function = (PFN_vk##function)real; \
        return (PFN_vkVoidFunction)(ours);      \
    }
    REPLACE(CreateInstance, create_instance)
    REPLACE(CreateDevice, create_device)
    REPLACE(EnumerateDeviceExtensionProperties, enumerate_device_extensions)
    REPLACE(CreateHeadlessSurfaceEXT, create_surface)
    REPLACE(CreateSwapchainKHR, create_swapchain)
    REPLACE(AcquireNextImageKHR, acquire)
    REPLACE(QueueSubmit, submit)
    REPLACE(QueuePresentKHR, present)
    REPLACE(WaitForFences, wait_for_fences)
    REPLACE(GetPhysicalDeviceProperties2, get_properties)
    REPLACE(GetPhysicalDeviceSurfaceCapabilitiesKHR, get_surface_capabilities)
    REPLACE(CreateBuffer, create_buffer)
    REPLACE(AllocateMemory, allocate_memory)
    REPLACE(FreeMemory, free_memory)
    REPLACE(CmdPipelineBarrier, pipeline_barrier)
    REPLACE(CmdSetViewport, set_viewport)
    REPLACE(DestroyBuffer, destroy_buffer)
    REPLACE(DestroyCommandPool, destroy_command_pool)
    REPLACE(DestroyDevice, destroy_device)
    REPLACE(DestroyFence, destroy_fence)
    REPLACE(DestroyImage, destroy_image)
    REPLACE(DestroySurfaceKHR, destroy_surface)
    REPLACE(DestroySwapchainKHR, destroy_swapchain)
#undef REPLACE
    if (!strcmp(name, "vkGetDeviceProcAddr")) {
        shim.get_device_proc_addr = (PFN_vkGetDeviceProcAddr)real;
        return (PFN_vkVoidFunction)get_device_proc_addr;
    }
    return real;
}

static PFN_vkVoidFunction get_device_proc_addr(VkDevice device, const char *name)
{
    return replace(name, shim.get_device_proc_addr(device, name));
}

static PFN_vkVoidFunction get_instance_proc_addr(VkInstance instance, const char *name)
{
    return replace(name, shim.get_instance_proc_addr(instance, name));
}

void shim_reset(void)
{
    pthread_mutex_lock(&shim.lock);
    memset(shim.calls, 0, sizeof(shim.calls));
    memset(shim.hold, 0, sizeof(shim.hold));
    shim.trap_set = shim.trapped = false;
    shim.hidden = NULL;
    shim.max_image_side = 0;
    shim.surface_extent = (VkExtent2D){ 0, 0 };
    shim.max_buffer_size = shim.largest_buffer = 0;
    shim.inheritable = shim.from_foreign = shim.from_external = 0;
    shim.largest_viewport = 0;
    pthread_cond_broadcast(&shim.changed);
    pthread_mutex_unlock(&shim.lock);
}

void shim_use(struct venus_gpu *gpu)
{
    if (!shim.get_instance_proc_addr) {
        void *library = dlopen("libvulkan.so.1", RTLD_NOW);
        shim.get_instance_proc_addr =
            library ? (PFN_vkGetInstanceProcAddr)dlsym(library, "vkGetInstanceProcAddr") : NULL;
    }
    present_shared_vulkan(gpu->present)->get_instance_proc_addr = get_instance_proc_addr;
}

void shim_fail(enum shim_call call, VkResult result, unsigned after, unsigned times)
{
    pthread_mutex_lock(&shim.lock);
    shim.calls[call].result = result;
    shim.calls[call].after = after;
    shim.calls[call].times = times;
    pthread_mutex_unlock(&shim.lock);
}

unsigned shim_count(enum shim_call call)
{
    pthread_mutex_lock(&shim.lock);
    unsigned count = shim.calls[call].count;
    pthread_mutex_unlock(&shim.lock);
    return count;
}

void shim_wait_count(enum shim_call call, unsigned count)
{
    pthread_mutex_lock(&shim.lock);
    while (shim.calls[call].count < count)
        pthread_cond_wait(&shim.changed, &shim.lock);
    pthread_mutex_unlock(&shim.lock);
}

static void hold_calls(enum shim_call call, bool hold)
{
    pthread_mutex_lock(&shim.lock);
    shim.hold[call] = hold;
    pthread_cond_broadcast(&shim.changed);
    pthread_mutex_unlock(&shim.lock);
}

void shim_hold_submits(bool hold)
{
    hold_calls(SHIM_SUBMIT, hold);
}

void shim_hold_waits(bool hold)
{
    hold_calls(SHIM_WAIT, hold);
}

void shim_trap_submit(void)
{
    pthread_mutex_lock(&shim.lock);
    shim.trap_set = true;
    pthread_mutex_unlock(&shim.lock);
}

void shim_wait_trapped(void)
{
    pthread_mutex_lock(&shim.lock);
    while (!shim.trapped)
        pthread_cond_wait(&shim.changed, &shim.lock);
    pthread_mutex_unlock(&shim.lock);
}

int shim_untrap(void)
{
    pthread_mutex_lock(&shim.lock);
    int thread = shim.trapped_thread;
    shim.trapped = false;
    pthread_cond_broadcast(&shim.changed);
    pthread_mutex_unlock(&shim.lock);
    return thread;
}

void shim_wait_held(void)
{
    pthread_mutex_lock(&shim.lock);
    while (!shim.held)
        pthread_cond_wait(&shim.changed, &shim.lock);
    pthread_mutex_unlock(&shim.lock);
}

static unsigned read_count(const unsigned *count)
{
    pthread_mutex_lock(&shim.lock);
    unsigned value = *count;
    pthread_mutex_unlock(&shim.lock);
    return value;
}

unsigned shim_memories(void)
{
    return read_count(&shim.memories);
}

void shim_forget_memories(void)
{
    pthread_mutex_lock(&shim.lock);
    shim.memories = 0;
    pthread_mutex_unlock(&shim.lock);
}

unsigned shim_inheritable_imports(void)
{
    return read_count(&shim.inheritable);
}

unsigned shim_acquired_from_foreign(void)
{
    return read_count(&shim.from_foreign);
}

unsigned shim_acquired_from_external(void)
{
    return read_count(&shim.from_external);
}

unsigned shim_destroyed(void)
{
    return read_count(&shim.destroyed);
}

float shim_largest_viewport(void)
{
    pthread_mutex_lock(&shim.lock);
    float largest = shim.largest_viewport;
    pthread_mutex_unlock(&shim.lock);
    return largest;
}

void shim_hide_extension(const char *name)
{
    shim.hidden = name;
}

void shim_limit_images(uint32_t side)
{
    shim.max_image_side = side;
}

void shim_size_surfaces(uint32_t width, uint32_t height)
{
    pthread_mutex_lock(&shim.lock);
    shim.surface_extent = (VkExtent2D){ width, height };
    pthread_mutex_unlock(&shim.lock);
}

void shim_limit_buffers(VkDeviceSize max)
{
    shim.max_buffer_size = max;
}

VkDeviceSize shim_largest_buffer(void)
{
    pthread_mutex_lock(&shim.lock);
    VkDeviceSize size = shim.largest_buffer;
    pthread_mutex_unlock(&shim.lock);
    return size;
}
