/* SPDX-License-Identifier: MIT */
/* See vulkan.h. */
#include "vk/vulkan.h"

#include <ctype.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/message.h"
#include "platform/platform.h"

/* Vulkan 1.3 for its dynamic rendering: one way to draw, without render passes and framebuffers. */
#define API_VERSION VK_API_VERSION_1_3

/* Extensions that are enabled wherever they are. */
static const char *const surface_extensions[] = {
    "VK_KHR_surface",
    "VK_EXT_headless_surface",
    "VK_KHR_xcb_surface",
    "VK_KHR_wayland_surface",
    "VK_EXT_metal_surface",
    /* Without it the loader keeps those devices to itself that lack parts of Vulkan, as all of macOS' do. */
    "VK_KHR_portability_enumeration",
};
static const char *const device_extensions[] = {
    "VK_KHR_portability_subset", /* must be, where it is; nothing that it may lack is used here */
    "VK_KHR_swapchain",
    "VK_KHR_external_memory_fd",
    "VK_EXT_external_memory_dma_buf",
    "VK_EXT_external_memory_host",
    "VK_EXT_queue_family_foreign",
    "VK_EXT_metal_objects",
    "VK_KHR_map_memory2",
    "VK_EXT_map_memory_placed",
};

enum { MAX_DEVICES = 16, MAX_EXTENSIONS = 16 };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The extensions of `wanted` that are among those there are. */
static uint32_t choose_extensions(const VkExtensionProperties *there, uint32_t num_there,
                                  const char *const *wanted, size_t num_wanted, const char **chosen)
{
    uint32_t count = 0;
    for (size_t i = 0; i < num_wanted; i++) {
        for (uint32_t k = 0; k < num_there; k++) {
            if (!strcmp(there[k].extensionName, wanted[i])) {
                chosen[count++] = wanted[i];
                break;
            }
        }
    }
    return count;
}

static bool is_among(const char *name, const char *const *names, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!strcmp(names[i], name))
            return true;
    }
    return false;
}

static bool load(struct vulkan *vk, const struct vulkan_choice *choice, char **error)
{
    vk->GetInstanceProcAddr = choice->get_instance_proc_addr;
    if (vk->GetInstanceProcAddr)
        return true;
    const char *const *names = choice->loaders ? choice->loaders : platform_vulkan_loaders;
    const char *name = names[0];
    for (size_t i = 0; names[i] && !vk->library; i++) {
        name = names[i];
        vk->library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    }
    if (!vk->library)
        return refuse(error, "There is no Vulkan loader (%s) to present with.", names[0]);
    vk->GetInstanceProcAddr =
        (PFN_vkGetInstanceProcAddr)dlsym(vk->library, "vkGetInstanceProcAddr");
    return vk->GetInstanceProcAddr || refuse(error, "%s is no Vulkan loader.", name);
}

static bool create_instance(struct vulkan *vk, char **error)
{
    PFN_vkEnumerateInstanceExtensionProperties enumerate =
        (PFN_vkEnumerateInstanceExtensionProperties)vk->GetInstanceProcAddr(
            NULL, "vkEnumerateInstanceExtensionProperties");
    PFN_vkCreateInstance create =
        (PFN_vkCreateInstance)vk->GetInstanceProcAddr(NULL, "vkCreateInstance");
    if (!enumerate || !create)
        return refuse(error, "The Vulkan loader lacks what every loader has.");

    uint32_t count = 0;
    enumerate(NULL, &count, NULL);
    VkExtensionProperties *there = calloc(count + 1, sizeof(*there));
    if (!there)
        return refuse(error, "Out of memory.");
    enumerate(NULL, &count, there);
    const char *names[MAX_EXTENSIONS];
    uint32_t num_names =
        choose_extensions(there, count, surface_extensions, COUNT(surface_extensions), names);
    free(there);
    VkInstanceCreateFlags flags = 0;
    for (uint32_t i = 0; i < num_names; i++) {
        if (!strcmp(names[i], "VK_KHR_portability_enumeration"))
            flags |= VK_INSTANCE_CREATE_ENUMERATE_PORTABILITY_BIT_KHR;
        for (size_t k = 0; k < COUNT(surface_extensions); k++) {
            if (names[i] == surface_extensions[k])
                vk->surface_kinds |= 1u << k;
        }
    }

    const VkApplicationInfo application = {
        .sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
        .pApplicationName = "virtio-gpu-venus",
        .apiVersion = API_VERSION,
    };
    const VkInstanceCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
        .flags = flags,
        .pApplicationInfo = &application,
        .enabledExtensionCount = num_names,
        .ppEnabledExtensionNames = names,
    };
    VkResult result = create(&info, NULL, &vk->instance);
    if (result != VK_SUCCESS)
        return refuse(error, "No Vulkan to present with: vkCreateInstance says %s.",
                      vulkan_result_name(result));

    bool complete = true;
#define LOAD(name)                                                              \
    vk->name = (PFN_vk##name)vk->GetInstanceProcAddr(vk->instance, "vk" #name); \
    complete = complete && vk->name;
    VULKAN_INSTANCE_FUNCTIONS(LOAD)
    if (vk->surface_kinds & 1) {
        VULKAN_SURFACE_FUNCTIONS(LOAD)
    }
#undef LOAD
    return complete || refuse(error, "The Vulkan loader is too old: 1.3 is needed.");
}

/* The family of queues that can draw, or -1. */
static int graphics_family(const struct vulkan *vk, VkPhysicalDevice physical)
{
    VkQueueFamilyProperties families[32];
    uint32_t count = COUNT(families);
    vk->GetPhysicalDeviceQueueFamilyProperties(physical, &count, families);
    for (uint32_t i = 0; i < count; i++) {
        if (families[i].queueFlags & VK_QUEUE_GRAPHICS_BIT)
            return (int)i;
    }
    return -1;
}

struct placing_features {
#ifdef VK_EXT_map_memory_placed
    VkPhysicalDeviceMapMemoryPlacedFeaturesEXT placed;
#else
    char none;
#endif
};

struct candidate {
    VkPhysicalDevice physical;
    VkPhysicalDeviceProperties properties;
    VkPhysicalDeviceIDProperties id;
    VkPhysicalDeviceExternalMemoryHostPropertiesEXT host_memory;
    VkPhysicalDeviceMaintenance4Properties maintenance4;
    int family;
};

static void examine(const struct vulkan *vk, VkPhysicalDevice physical, struct candidate *candidate)
{
    *candidate = (struct candidate){
        .physical = physical,
        .host_memory.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_MEMORY_HOST_PROPERTIES_EXT,
        .maintenance4.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_4_PROPERTIES,
        .id.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES,
        .family = graphics_family(vk, physical),
    };
    candidate->host_memory.pNext = &candidate->maintenance4;
    candidate->id.pNext = &candidate->host_memory;
    VkPhysicalDeviceProperties2 properties = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
        .pNext = &candidate->id,
    };
    vk->GetPhysicalDeviceProperties2(physical, &properties);
    candidate->properties = properties.properties;
}

static bool has_needed_features(const struct vulkan *vk, const struct candidate *candidate)
{
    if (candidate->properties.apiVersion < API_VERSION || candidate->family < 0)
        return false;
    VkPhysicalDeviceVulkan13Features features13 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES,
    };
    VkPhysicalDeviceFeatures2 features = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2,
        .pNext = &features13,
    };
    vk->GetPhysicalDeviceFeatures2(candidate->physical, &features);
    return features13.dynamicRendering;
}

/* Whether a person's choice, a part of the name or a number, means this device. */
static bool is_meant(const char *choice, const struct candidate *candidate, uint32_t index)
{
    char *end;
    unsigned long number = strtoul(choice, &end, 10);
    if (isdigit((unsigned char)choice[0]) && !*end)
        return number == index;
    return strcasestr(candidate->properties.deviceName, choice);
}

/* Whether it is the device and the driver that render for the guest. */
static bool is_renderer(const struct vulkan_choice *choice, const struct candidate *candidate)
{
    return choice->device_uuid && choice->driver_uuid &&
           !memcmp(candidate->id.deviceUUID, choice->device_uuid, VK_UUID_SIZE) &&
           !memcmp(candidate->id.driverUUID, choice->driver_uuid, VK_UUID_SIZE);
}

/* The higher the better; 0: will not do. */
static int suitability(const struct vulkan *vk, const struct vulkan_choice *choice,
                       const struct candidate *candidate, uint32_t index)
{
    static const int by_type[] = {
        [VK_PHYSICAL_DEVICE_TYPE_OTHER] = 2,        [VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU] = 4,
        [VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU] = 5, [VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU] = 3,
        [VK_PHYSICAL_DEVICE_TYPE_CPU] = 1,
    };
    VkPhysicalDeviceType type = candidate->properties.deviceType;
    if (!has_needed_features(vk, candidate) ||
        (choice->only_gpu && type == VK_PHYSICAL_DEVICE_TYPE_CPU))
        return 0;
    if (choice->name)
        return is_meant(choice->name, candidate, index);
    if (choice->device_uuid && !memcmp(candidate->id.deviceUUID, choice->device_uuid, VK_UUID_SIZE))
        return 100;
    return (size_t)type < COUNT(by_type) ? by_type[type] : 1;
}

static bool choose_device(struct vulkan *vk, const struct vulkan_choice *choice, char **error)
{
    VkPhysicalDevice devices[MAX_DEVICES];
    uint32_t count = MAX_DEVICES;
    VkResult result = vk->EnumeratePhysicalDevices(vk->instance, &count, devices);
    if (result != VK_SUCCESS && result != VK_INCOMPLETE)
        count = 0;

    struct candidate best = { .family = -1 };
    int best_suitability = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct candidate candidate;
        examine(vk, devices[i], &candidate);
        int suits = suitability(vk, choice, &candidate, i);
        if (suits > best_suitability) {
            best_suitability = suits;
            best = candidate;
        }
    }
    if (!best_suitability && choice->name)
        return refuse(error,
                      "No Vulkan 1.3 %s '%s' to present with; vulkaninfo --summary tells "
                      "which there are.",
                      choice->only_gpu ? "GPU" : "device", choice->name);
    if (!best_suitability)
        return refuse(error, choice->only_gpu ? "No GPU with Vulkan 1.3 to present with."
                                              : "No Vulkan 1.3 device to present with.");
    vk->physical = best.physical;
    vk->family = (uint32_t)best.family;
    vk->properties = best.properties;
    vk->is_renderer = is_renderer(choice, &best);
    vk->max_buffer_size = best.maintenance4.maxBufferSize;
    vk->host_pointer_alignment = best.host_memory.minImportedHostPointerAlignment;
    vk->GetPhysicalDeviceMemoryProperties(vk->physical, &vk->memory);
    return true;
}

/* Ask for it where the driver can do all of it, in features at the start of *chain. */
static void choose_placing(struct vulkan *vk, const char *const *names, uint32_t num_names,
                           struct placing_features *wanted, void **chain)
{
    *wanted = (struct placing_features){ 0 };
#ifdef VK_EXT_map_memory_placed
    if (!vk->is_renderer || !is_among("VK_KHR_map_memory2", names, num_names) ||
        !is_among("VK_EXT_map_memory_placed", names, num_names))
        return;
    wanted->placed.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAP_MEMORY_PLACED_FEATURES_EXT;
    VkPhysicalDeviceFeatures2 features = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2,
        .pNext = &wanted->placed,
    };
    vk->GetPhysicalDeviceFeatures2(vk->physical, &features);
    VkPhysicalDeviceMapMemoryPlacedPropertiesEXT placed = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAP_MEMORY_PLACED_PROPERTIES_EXT,
    };
    VkPhysicalDeviceProperties2 properties = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
        .pNext = &placed,
    };
    vk->GetPhysicalDeviceProperties2(vk->physical, &properties);
    vk->placing_alignment = placed.minPlacedMemoryMapAlignment;
    vk->places = vk->imports_opaque && wanted->placed.memoryMapPlaced &&
                 wanted->placed.memoryUnmapReserve && vk->placing_alignment;
    wanted->placed.memoryMapRangePlaced = VK_FALSE;
    wanted->placed.pNext = *chain;
    if (vk->places)
        *chain = &wanted->placed;
#else
    (void)vk, (void)names, (void)num_names, (void)chain;
#endif
}

static bool create_device(struct vulkan *vk, char **error)
{
    uint32_t count = 0;
    vk->EnumerateDeviceExtensionProperties(vk->physical, NULL, &count, NULL);
    VkExtensionProperties *there = calloc(count + 1, sizeof(*there));
    if (!there)
        return refuse(error, "Out of memory.");
    vk->EnumerateDeviceExtensionProperties(vk->physical, NULL, &count, there);
    const char *names[MAX_EXTENSIONS];
    uint32_t num_names =
        choose_extensions(there, count, device_extensions, COUNT(device_extensions), names);
    free(there);
    for (uint32_t i = 0; i < num_names; i++) {
        for (size_t k = 0; k < COUNT(device_extensions); k++) {
            if (names[i] == device_extensions[k])
                vk->extensions |= 1u << k;
        }
    }

    vk->has_surfaces = (vk->surface_kinds & 1) && is_among("VK_KHR_swapchain", names, num_names);
    bool imports_fds = is_among("VK_KHR_external_memory_fd", names, num_names);
    vk->imports_opaque = imports_fds && vk->is_renderer;
    vk->imports_dma_buf =
        imports_fds && is_among("VK_EXT_external_memory_dma_buf", names, num_names);
    vk->imports_host_pointer = is_among("VK_EXT_external_memory_host", names, num_names);
    vk->foreign_family = is_among("VK_EXT_queue_family_foreign", names, num_names)
                             ? VK_QUEUE_FAMILY_FOREIGN_EXT
                             : VK_QUEUE_FAMILY_EXTERNAL;
    if (!(vk->surface_kinds & 1)) {
        /* The swapchain extension may not be enabled without that of the instance. */
        for (uint32_t i = 0; i < num_names; i++) {
            if (!strcmp(names[i], "VK_KHR_swapchain"))
                names[i] = names[--num_names];
        }
    }

    const float priority = 1.0f;
    const VkDeviceQueueCreateInfo queue = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
        .queueFamilyIndex = vk->family,
        .queueCount = 1,
        .pQueuePriorities = &priority,
    };
    VkPhysicalDeviceVulkan13Features features = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES,
        .dynamicRendering = VK_TRUE,
    };
    struct placing_features placing;
    void *chain = &features;
    choose_placing(vk, names, num_names, &placing, &chain);
    const VkDeviceCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
        .pNext = chain,
        .queueCreateInfoCount = 1,
        .pQueueCreateInfos = &queue,
        .enabledExtensionCount = num_names,
        .ppEnabledExtensionNames = names,
    };
    VkResult result = vk->CreateDevice(vk->physical, &info, NULL, &vk->device);
    if (result != VK_SUCCESS)
        return refuse(error, "Cannot present with %s: vkCreateDevice says %s.",
                      vk->properties.deviceName, vulkan_result_name(result));

    bool complete = true;
#define LOAD(name)                                                          \
    vk->name = (PFN_vk##name)vk->GetDeviceProcAddr(vk->device, "vk" #name); \
    complete = complete && vk->name;
    VULKAN_DEVICE_FUNCTIONS(LOAD)
    if (vk->has_surfaces) {
        VULKAN_SWAPCHAIN_FUNCTIONS(LOAD)
    }
    if (vk->places) {
        VULKAN_PLACING_FUNCTIONS(LOAD)
    }
    if (vk->imports_dma_buf) {
        LOAD(GetMemoryFdPropertiesKHR)
    }
    if (vk->imports_host_pointer) {
        LOAD(GetMemoryHostPointerPropertiesEXT)
    }
#undef LOAD
    if (!complete)
        return refuse(error, "The Vulkan driver of %s lacks functions.", vk->properties.deviceName);
    vk->GetDeviceQueue(vk->device, vk->family, 0, &vk->queue);
    return true;
}

/* Whatever may be in use, by object and by device, for as long as the process lives. */
struct abandoned {
    void *object;
    struct abandoned *next;
};

static pthread_mutex_t abandoned_lock = PTHREAD_MUTEX_INITIALIZER;
static struct vulkan *abandoned_devices;

void vulkan_abandon(struct vulkan *vk, void *object)
{
    struct abandoned *abandoned = malloc(sizeof(*abandoned));
    if (!abandoned)
        return; /* it stays where it is, only nobody remembers */
    pthread_mutex_lock(&abandoned_lock);
    *abandoned = (struct abandoned){ .object = object, .next = vk->abandoned };
    vk->abandoned = abandoned;
    pthread_mutex_unlock(&abandoned_lock);
}

void vulkan_set_hangs(struct vulkan *vk)
{
    atomic_store(&vk->lost, true);
    if (atomic_exchange(&vk->hangs, true))
        return;
    pthread_mutex_lock(&abandoned_lock);
    vk->next_abandoned = abandoned_devices;
    abandoned_devices = vk;
    pthread_mutex_unlock(&abandoned_lock);
}

bool vulkan_hangs(const struct vulkan *vk)
{
    return atomic_load(&vk->hangs);
}

/* A GPU that does not end a frame within this time hangs. */
static const uint64_t gpu_timeout_ns = 10ull * 1000 * 1000 * 1000;

VkResult vulkan_wait(struct vulkan *vk, VkFence fence)
{
    VkResult result = vk->WaitForFences(vk->device, 1, &fence, VK_TRUE, gpu_timeout_ns);
    if (result == VK_SUCCESS)
        return vk->ResetFences(vk->device, 1, &fence);
    /* A device that is lost has ended its work. Any other error tells nothing of it. */
    if (result != VK_ERROR_DEVICE_LOST)
        vulkan_set_hangs(vk);
    return VK_ERROR_DEVICE_LOST;
}

VkResult vulkan_wait_idle(struct vulkan *vk, VkFence fence)
{
    pthread_mutex_lock(&vk->queue_lock);
    VkResult result = vk->QueueSubmit(vk->queue, 0, NULL, fence);
    pthread_mutex_unlock(&vk->queue_lock);
    return result == VK_SUCCESS ? vulkan_wait(vk, fence) : result;
}

static void destroy(struct vulkan *vk)
{
    if (vulkan_hangs(vk))
        return;
    if (vk->DestroyDevice)
        vk->DestroyDevice(vk->device, NULL);
    if (vk->DestroyInstance)
        vk->DestroyInstance(vk->instance, NULL);
    if (vk->library)
        dlclose(vk->library);
    pthread_mutex_destroy(&vk->queue_lock);
    free(vk);
}

struct vulkan *vulkan_create(const struct vulkan_choice *choice, char **error)
{
    struct vulkan *vk = calloc(1, sizeof(*vk));
    if (!vk) {
        *error = message("Out of memory.");
        return NULL;
    }
    atomic_init(&vk->refs, 1);
    pthread_mutex_init(&vk->queue_lock, NULL);
    if (load(vk, choice, error) && create_instance(vk, error) && choose_device(vk, choice, error) &&
        create_device(vk, error))
        return vk;
    destroy(vk);
    return NULL;
}

struct vulkan *vulkan_ref(struct vulkan *vk)
{
    atomic_fetch_add_explicit(&vk->refs, 1, memory_order_relaxed);
    return vk;
}

void vulkan_unref(struct vulkan *vk)
{
    /* Whoever is the last sees what all others did with the device. */
    if (vk && atomic_fetch_sub_explicit(&vk->refs, 1, memory_order_acq_rel) == 1)
        destroy(vk);
}

bool vulkan_has_surface_kind(const struct vulkan *vk, const char *extension)
{
    for (size_t i = 0; i < COUNT(surface_extensions); i++) {
        if (!strcmp(surface_extensions[i], extension))
            return vk->has_surfaces && vk->surface_kinds >> i & 1;
    }
    return false;
}

bool vulkan_has_extension(const struct vulkan *vk, const char *extension)
{
    for (size_t i = 0; i < COUNT(device_extensions); i++) {
        if (!strcmp(device_extensions[i], extension))
            return vk->extensions >> i & 1;
    }
    return false;
}

int vulkan_memory_type(const struct vulkan *vk, uint32_t types, VkMemoryPropertyFlags wanted,
                       VkMemoryPropertyFlags liked)
{
    int best = -1, best_likes = -1;
    for (uint32_t i = 0; i < vk->memory.memoryTypeCount; i++) {
        VkMemoryPropertyFlags flags = vk->memory.memoryTypes[i].propertyFlags;
        if (!(types >> i & 1) || (flags & wanted) != wanted)
            continue;
        int likes = __builtin_popcount(flags & liked);
        if (likes > best_likes) {
            best = (int)i;
            best_likes = likes;
        }
    }
    return best;
}

VkResult vulkan_import(struct vulkan *vk, const VkMemoryAllocateInfo *info, int *fd,
                       VkDeviceMemory *memory)
{
    /* Its number may be another thread's by the time that we look. */
    int twin = fd ? fcntl(*fd, F_DUPFD_CLOEXEC, 0) : -1;
    VkResult result = VK_ERROR_TOO_MANY_OBJECTS;
    if (!fd || twin >= 0)
        result = vk->AllocateMemory(vk->device, info, NULL, memory);
    if (result == VK_ERROR_DEVICE_LOST)
        atomic_store(&vk->lost, true);
    if (result != VK_SUCCESS)
        *memory = VK_NULL_HANDLE;
    if (!fd)
        return result;
    if (result != VK_SUCCESS && (twin < 0 || platform_same_file(*fd, twin)))
        close(*fd);
    if (twin >= 0)
        close(twin);
    *fd = -1;
    return result;
}

const char *vulkan_result_name(VkResult result)
{
#define NAME(name) \
    case name:     \
        return #name;
    switch (result) {
        NAME(VK_SUCCESS)
        NAME(VK_NOT_READY)
        NAME(VK_TIMEOUT)
        NAME(VK_SUBOPTIMAL_KHR)
        NAME(VK_ERROR_OUT_OF_HOST_MEMORY)
        NAME(VK_ERROR_OUT_OF_DEVICE_MEMORY)
        NAME(VK_ERROR_INITIALIZATION_FAILED)
        NAME(VK_ERROR_DEVICE_LOST)
        NAME(VK_ERROR_LAYER_NOT_PRESENT)
        NAME(VK_ERROR_EXTENSION_NOT_PRESENT)
        NAME(VK_ERROR_FEATURE_NOT_PRESENT)
        NAME(VK_ERROR_INCOMPATIBLE_DRIVER)
        NAME(VK_ERROR_FORMAT_NOT_SUPPORTED)
        NAME(VK_ERROR_SURFACE_LOST_KHR)
        NAME(VK_ERROR_NATIVE_WINDOW_IN_USE_KHR)
        NAME(VK_ERROR_OUT_OF_DATE_KHR)
        NAME(VK_ERROR_INVALID_EXTERNAL_HANDLE)
    default:
        return "an unknown error";
    }
#undef NAME
}
