/* SPDX-License-Identifier: MIT */
/*
 * A Vulkan layer that gives a driver whose memory is shared memory (lavapipe) VK_EXT_map_memory_placed.
 *
 * Memory is mapped by the driver where that likes, and aliased where it is to be.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <vulkan/vk_layer.h>
#include <vulkan/vulkan_core.h>

#define EXPORTED __attribute__((visibility("default")))

enum { MAX_MEMORIES = 1 << 14 };

/* What the loader has for each instance and device; the first word of their objects says which one it is. */
struct instance {
    void *key;
    VkInstance handle;
    PFN_vkGetInstanceProcAddr get;
};

struct device {
    void *key;
    PFN_vkGetDeviceProcAddr get;
    PFN_vkAllocateMemory AllocateMemory;
    PFN_vkFreeMemory FreeMemory;
    PFN_vkMapMemory2KHR MapMemory2KHR;
    PFN_vkUnmapMemory2KHR UnmapMemory2KHR;
};

enum { MAX_OBJECTS = 64 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct instance instances[MAX_OBJECTS]; /* the newest of a key counts */
static struct device devices[MAX_OBJECTS];
static unsigned num_instances, num_devices;

static struct instance instance_of(const void *object)
{
    struct instance found = { 0 };
    pthread_mutex_lock(&lock);
    for (unsigned i = 0; i < MAX_OBJECTS && i < num_instances; i++) {
        const struct instance *one = &instances[(num_instances - 1 - i) % MAX_OBJECTS];
        if (one->key == *(void *const *)object) {
            found = *one;
            break;
        }
    }
    pthread_mutex_unlock(&lock);
    return found;
}

static struct device device_of(const void *object)
{
    struct device found = { 0 };
    pthread_mutex_lock(&lock);
    for (unsigned i = 0; i < MAX_OBJECTS && i < num_devices; i++) {
        const struct device *one = &devices[(num_devices - 1 - i) % MAX_OBJECTS];
        if (one->key == *(void *const *)object) {
            found = *one;
            break;
        }
    }
    pthread_mutex_unlock(&lock);
    return found;
}

/* Memory that there is. Under the lock. */
static struct {
    VkDeviceMemory memory;
    VkDeviceSize size;
    void *placed;
} memories[MAX_MEMORIES];

static int find(VkDeviceMemory memory)
{
    for (int i = 0; i < MAX_MEMORIES; i++) {
        if (memories[i].memory == memory)
            return i;
    }
    return -1;
}

static const VkBaseInStructure *link_of(const void *info, VkStructureType type)
{
    const VkBaseInStructure *part = info;
    while (part && part->sType != type)
        part = part->pNext;
    return part;
}

static VKAPI_ATTR VkResult VKAPI_CALL create_instance(const VkInstanceCreateInfo *info,
                                                      const VkAllocationCallbacks *allocator,
                                                      VkInstance *instance)
{
    VkLayerInstanceCreateInfo *chain =
        (void *)link_of(info->pNext, VK_STRUCTURE_TYPE_LOADER_INSTANCE_CREATE_INFO);
    while (chain && chain->function != VK_LAYER_LINK_INFO)
        chain = (void *)link_of(chain->pNext, VK_STRUCTURE_TYPE_LOADER_INSTANCE_CREATE_INFO);
    if (!chain)
        return VK_ERROR_INITIALIZATION_FAILED;
    PFN_vkGetInstanceProcAddr get = chain->u.pLayerInfo->pfnNextGetInstanceProcAddr;
    chain->u.pLayerInfo = chain->u.pLayerInfo->pNext;
    PFN_vkCreateInstance create = (PFN_vkCreateInstance)get(NULL, "vkCreateInstance");
    VkResult result = create(info, allocator, instance);
    pthread_mutex_lock(&lock);
    if (result == VK_SUCCESS)
        instances[num_instances++ % MAX_OBJECTS] =
            (struct instance){ *(void **)*instance, *instance, get };
    pthread_mutex_unlock(&lock);
    return result;
}

/* Without what the driver does not know. */
static VKAPI_ATTR VkResult VKAPI_CALL create_device(VkPhysicalDevice physical,
                                                    const VkDeviceCreateInfo *info,
                                                    const VkAllocationCallbacks *allocator,
                                                    VkDevice *device)
{
    VkLayerDeviceCreateInfo *chain =
        (void *)link_of(info->pNext, VK_STRUCTURE_TYPE_LOADER_DEVICE_CREATE_INFO);
    while (chain && chain->function != VK_LAYER_LINK_INFO)
        chain = (void *)link_of(chain->pNext, VK_STRUCTURE_TYPE_LOADER_DEVICE_CREATE_INFO);
    if (!chain)
        return VK_ERROR_INITIALIZATION_FAILED;
    PFN_vkGetInstanceProcAddr get_instance = chain->u.pLayerInfo->pfnNextGetInstanceProcAddr;
    struct device made = { .get = chain->u.pLayerInfo->pfnNextGetDeviceProcAddr };
    chain->u.pLayerInfo = chain->u.pLayerInfo->pNext;
    PFN_vkCreateDevice create =
        (PFN_vkCreateDevice)get_instance(instance_of(physical).handle, "vkCreateDevice");

    const char **names = calloc(info->enabledExtensionCount + 1, sizeof(*names));
    VkDeviceCreateInfo theirs = *info;
    theirs.enabledExtensionCount = 0;
    for (uint32_t i = 0; i < info->enabledExtensionCount; i++) {
        if (strcmp(info->ppEnabledExtensionNames[i], "VK_EXT_map_memory_placed") != 0)
            names[theirs.enabledExtensionCount++] = info->ppEnabledExtensionNames[i];
    }
    theirs.ppEnabledExtensionNames = names;
    VkResult result = create(physical, &theirs, allocator, device);
    free(names);
    if (result != VK_SUCCESS)
        return result;
#define LOAD(name) made.name = (PFN_vk##name)made.get(*device, "vk" #name);
    LOAD(AllocateMemory)
    LOAD(FreeMemory)
    LOAD(MapMemory2KHR)
    LOAD(UnmapMemory2KHR)
#undef LOAD
    made.key = *(void **)*device;
    pthread_mutex_lock(&lock);
    devices[num_devices++ % MAX_OBJECTS] = made;
    pthread_mutex_unlock(&lock);
    return result;
}

static VKAPI_ATTR VkResult VKAPI_CALL enumerate_extensions(VkPhysicalDevice physical,
                                                           const char *layer, uint32_t *count,
                                                           VkExtensionProperties *properties)
{
    struct instance instance = instance_of(physical);
    PFN_vkEnumerateDeviceExtensionProperties enumerate =
        (PFN_vkEnumerateDeviceExtensionProperties)instance.get(
            instance.handle, "vkEnumerateDeviceExtensionProperties");
    if (layer)
        return enumerate(physical, layer, count, properties);
    uint32_t room = *count, theirs = properties && room ? room - 1 : 0;
    VkResult result = enumerate(physical, NULL, &theirs, properties);
    *count = theirs + 1;
    if (result == VK_SUCCESS && properties)
        properties[theirs] = (VkExtensionProperties){ "VK_EXT_map_memory_placed", 1 };
    return result;
}

static VKAPI_ATTR void VKAPI_CALL get_features(VkPhysicalDevice physical,
                                               VkPhysicalDeviceFeatures2 *features)
{
    struct instance instance = instance_of(physical);
    PFN_vkGetPhysicalDeviceFeatures2 get = (PFN_vkGetPhysicalDeviceFeatures2)instance.get(
        instance.handle, "vkGetPhysicalDeviceFeatures2");
    get(physical, features);
    VkPhysicalDeviceMapMemoryPlacedFeaturesEXT *placed = (void *)link_of(
        features->pNext, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAP_MEMORY_PLACED_FEATURES_EXT);
    if (placed)
        placed->memoryMapPlaced = placed->memoryUnmapReserve = VK_TRUE;
}

static VKAPI_ATTR void VKAPI_CALL get_properties(VkPhysicalDevice physical,
                                                 VkPhysicalDeviceProperties2 *properties)
{
    struct instance instance = instance_of(physical);
    PFN_vkGetPhysicalDeviceProperties2 get = (PFN_vkGetPhysicalDeviceProperties2)instance.get(
        instance.handle, "vkGetPhysicalDeviceProperties2");
    get(physical, properties);
    VkPhysicalDeviceMapMemoryPlacedPropertiesEXT *placed = (void *)link_of(
        properties->pNext, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAP_MEMORY_PLACED_PROPERTIES_EXT);
    if (placed)
        placed->minPlacedMemoryMapAlignment = (VkDeviceSize)sysconf(_SC_PAGESIZE);
}

static VKAPI_ATTR VkResult VKAPI_CALL allocate(VkDevice device, const VkMemoryAllocateInfo *info,
                                               const VkAllocationCallbacks *allocator,
                                               VkDeviceMemory *memory)
{
    VkResult result = device_of(device).AllocateMemory(device, info, allocator, memory);
    pthread_mutex_lock(&lock);
    int free_place = result == VK_SUCCESS ? find(VK_NULL_HANDLE) : -1;
    if (free_place >= 0) {
        memories[free_place].size = info->allocationSize;
        memories[free_place].placed = NULL;
        memories[free_place].memory = *memory;
    }
    pthread_mutex_unlock(&lock);
    return result;
}

static VKAPI_ATTR void VKAPI_CALL free_memory(VkDevice device, VkDeviceMemory memory,
                                              const VkAllocationCallbacks *allocator)
{
    pthread_mutex_lock(&lock);
    int i = memory ? find(memory) : -1;
    if (i >= 0) {
        if (memories[i].placed)
            munmap(memories[i].placed, memories[i].size);
        memories[i].memory = VK_NULL_HANDLE;
    }
    pthread_mutex_unlock(&lock);
    device_of(device).FreeMemory(device, memory, allocator);
}

static VKAPI_ATTR VkResult VKAPI_CALL map(VkDevice device, const VkMemoryMapInfoKHR *info,
                                          void **ptr)
{
    const VkMemoryMapPlacedInfoEXT *placed =
        (const void *)link_of(info->pNext, VK_STRUCTURE_TYPE_MEMORY_MAP_PLACED_INFO_EXT);
    pthread_mutex_lock(&lock);
    int i = find(info->memory);
    pthread_mutex_unlock(&lock);
    if (!(info->flags & VK_MEMORY_MAP_PLACED_BIT_EXT) || !placed)
        return device_of(device).MapMemory2KHR(device, info, ptr);
    if (i < 0 || info->offset || info->size != VK_WHOLE_SIZE)
        return VK_ERROR_MEMORY_MAP_FAILED;
    VkMemoryMapInfoKHR theirs = *info;
    theirs.pNext = NULL;
    theirs.flags = 0;
    void *here;
    VkResult result = device_of(device).MapMemory2KHR(device, &theirs, &here);
    if (result != VK_SUCCESS)
        return result;
    if (mremap(here, 0, memories[i].size, MREMAP_MAYMOVE | MREMAP_FIXED, placed->pPlacedAddress) ==
        MAP_FAILED) {
        device_of(device).UnmapMemory2KHR(
            device, &(VkMemoryUnmapInfoKHR){ .sType = VK_STRUCTURE_TYPE_MEMORY_UNMAP_INFO_KHR,
                                             .memory = info->memory });
        return VK_ERROR_MEMORY_MAP_FAILED;
    }
    *ptr = memories[i].placed = placed->pPlacedAddress;
    return VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL unmap(VkDevice device, const VkMemoryUnmapInfoKHR *info)
{
    pthread_mutex_lock(&lock);
    int i = find(info->memory);
    pthread_mutex_unlock(&lock);
    VkMemoryUnmapInfoKHR theirs = *info;
    theirs.flags = 0;
    if (i >= 0 && memories[i].placed) {
        if (info->flags & VK_MEMORY_UNMAP_RESERVE_BIT_EXT)
            mmap(memories[i].placed, memories[i].size, PROT_NONE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
        else
            munmap(memories[i].placed, memories[i].size);
        memories[i].placed = NULL;
    }
    return device_of(device).UnmapMemory2KHR(device, &theirs);
}

static PFN_vkVoidFunction ours(const char *name)
{
    static const struct {
        const char *name;
        PFN_vkVoidFunction function;
    } functions[] = {
        { "vkCreateInstance", (PFN_vkVoidFunction)create_instance },
        { "vkCreateDevice", (PFN_vkVoidFunction)create_device },
        { "vkEnumerateDeviceExtensionProperties", (PFN_vkVoidFunction)enumerate_extensions },
        { "vkGetPhysicalDeviceFeatures2", (PFN_vkVoidFunction)get_features },
        { "vkGetPhysicalDeviceProperties2", (PFN_vkVoidFunction)get_properties },
        { "vkAllocateMemory", (PFN_vkVoidFunction)allocate },
        { "vkFreeMemory", (PFN_vkVoidFunction)free_memory },
        { "vkMapMemory2KHR", (PFN_vkVoidFunction)map },
        { "vkUnmapMemory2KHR", (PFN_vkVoidFunction)unmap },
    };
    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
        if (!strcmp(name, functions[i].name))
            return functions[i].function;
    }
    return NULL;
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL get_device_proc_addr(VkDevice device,
                                                                     const char *name)
{
    PFN_vkVoidFunction function =
        strcmp(name, "vkGetDeviceProcAddr") ? ours(name) : (PFN_vkVoidFunction)get_device_proc_addr;
    return function ? function : device_of(device).get(device, name);
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL get_instance_proc_addr(VkInstance instance,
                                                                       const char *name)
{
    if (!strcmp(name, "vkGetInstanceProcAddr"))
        return (PFN_vkVoidFunction)get_instance_proc_addr;
    if (!strcmp(name, "vkGetDeviceProcAddr"))
        return (PFN_vkVoidFunction)get_device_proc_addr;
    PFN_vkVoidFunction function = ours(name);
    if (function || !instance)
        return function;
    return instance_of(instance).get(instance, name);
}

EXPORTED VKAPI_ATTR VkResult VKAPI_CALL
vkNegotiateLoaderLayerInterfaceVersion(VkNegotiateLayerInterface *interface);

EXPORTED VKAPI_ATTR VkResult VKAPI_CALL
vkNegotiateLoaderLayerInterfaceVersion(VkNegotiateLayerInterface *interface)
{
    interface->loaderLayerInterfaceVersion = 2;
    interface->pfnGetInstanceProcAddr = get_instance_proc_addr;
    interface->pfnGetDeviceProcAddr = get_device_proc_addr;
    interface->pfnGetPhysicalDeviceProcAddr = NULL;
    return VK_SUCCESS;
}
