/* SPDX-License-Identifier: MIT */
/*
 * See fake-vulkan.h. What is not atomic is the device thread's, and the questions about it are asked once an answer has
 * come. That thread frees memory after its answer, so what freeing reads or changes is atomic.
 */
#include "fake-vulkan.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LARGE_PAGE = 64 << 10, HEAP_SIZE = 1 << 20 };

const uint8_t fake_vulkan_device_uuid[VK_UUID_SIZE] = { 1, 2, 3 };
const uint8_t fake_vulkan_driver_uuid[VK_UUID_SIZE] = { 4, 5, 6 };

struct memory_object {
    int fd;
    uint64_t size;
    void *mapped; /* NULL: it is not */
};

static struct {
    _Atomic(enum vulkan_fault) fault;
    bool shows_all; /* the instance, also devices that lack parts */
    atomic_uint instances, devices, memories, mapped;
    int bystander;
    uint64_t last_size;
    uint32_t last_type;
    void *last_address;
    _Atomic(const char *) complaint;
} fake;

static int instance, physical, device, queue; /* handles are their addresses */

void fake_vulkan_start(enum vulkan_fault fault)
{
    memset(&fake, 0, sizeof(fake));
    fake.fault = fault;
    fake.bystander = -1;
}

void fake_vulkan_set(enum vulkan_fault fault)
{
    fake.fault = fault;
}

static VkResult enumerate_instance_extensions(const char *layer, uint32_t *count,
                                              VkExtensionProperties *properties)
{
    (void)layer;
    *count = fake.fault == VULKAN_LACKS_PARTS;
    if (properties && *count)
        strcpy(properties->extensionName, "VK_KHR_portability_enumeration");
    return VK_SUCCESS;
}

static bool enables(const char *const *names, uint32_t count, const char *name)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!strcmp(names[i], name))
            return true;
    }
    return false;
}

static VkResult create_instance(const VkInstanceCreateInfo *info,
                                const VkAllocationCallbacks *allocator, VkInstance *out)
{
    (void)allocator;
    if (fake.fault == VULKAN_HAS_NO_LOADER)
        return VK_ERROR_INCOMPATIBLE_DRIVER;
    bool asks = info->flags & VK_INSTANCE_CREATE_ENUMERATE_PORTABILITY_BIT_KHR;
    bool may_ask = enables(info->ppEnabledExtensionNames, info->enabledExtensionCount,
                           "VK_KHR_portability_enumeration");
    if (may_ask && fake.fault != VULKAN_LACKS_PARTS)
        return VK_ERROR_EXTENSION_NOT_PRESENT;
    if (asks && !may_ask)
        fake.complaint = "an instance was to show all devices without the extension for it";
    fake.shows_all = asks && may_ask;
    fake.instances++;
    *out = (VkInstance)&instance;
    return VK_SUCCESS;
}

static void destroy_instance(VkInstance which, const VkAllocationCallbacks *allocator)
{
    (void)which, (void)allocator;
}

static VkResult enumerate_physical_devices(VkInstance which, uint32_t *count,
                                           VkPhysicalDevice *devices)
{
    (void)which;
    *count = fake.fault != VULKAN_LACKS_PARTS || fake.shows_all;
    if (*count)
        devices[0] = (VkPhysicalDevice)&physical;
    return VK_SUCCESS;
}

static VkResult enumerate_device_extensions(VkPhysicalDevice which, const char *layer,
                                            uint32_t *count, VkExtensionProperties *properties)
{
    static const char *const names[] = { "VK_KHR_external_memory_fd", "VK_KHR_map_memory2",
                                         "VK_EXT_map_memory_placed", "VK_KHR_portability_subset" };
    (void)which, (void)layer;
    *count = fake.fault == VULKAN_LACKS_PARTS ? 4 : fake.fault == VULKAN_LACKS_PLACING ? 2 : 3;
    for (uint32_t i = 0; properties && i < *count; i++)
        strcpy(properties[i].extensionName, names[i]);
    return VK_SUCCESS;
}

static void get_properties(VkPhysicalDevice which, VkPhysicalDeviceProperties2 *properties)
{
    (void)which;
    strcpy(properties->properties.deviceName, "fake");
    properties->properties.apiVersion = VK_API_VERSION_1_3;
    properties->properties.deviceType = VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU;
    for (VkBaseOutStructure *next = properties->pNext; next; next = next->pNext) {
        if (next->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES) {
            VkPhysicalDeviceIDProperties *id = (VkPhysicalDeviceIDProperties *)next;
            memcpy(id->deviceUUID, fake_vulkan_device_uuid, VK_UUID_SIZE);
            memcpy(id->driverUUID, fake_vulkan_driver_uuid, VK_UUID_SIZE);
            if (fake.fault == VULKAN_IS_ANOTHER)
                id->deviceUUID[0]++;
        }
        if (next->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAP_MEMORY_PLACED_PROPERTIES_EXT)
            ((VkPhysicalDeviceMapMemoryPlacedPropertiesEXT *)next)->minPlacedMemoryMapAlignment =
                fake.fault == VULKAN_HAS_LARGE_PAGES ? LARGE_PAGE : (VkDeviceSize)getpagesize();
    }
}

static void get_features(VkPhysicalDevice which, VkPhysicalDeviceFeatures2 *features)
{
    (void)which;
    for (VkBaseOutStructure *next = features->pNext; next; next = next->pNext) {
        if (next->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES)
            ((VkPhysicalDeviceVulkan13Features *)next)->dynamicRendering = VK_TRUE;
        if (next->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAP_MEMORY_PLACED_FEATURES_EXT) {
            VkPhysicalDeviceMapMemoryPlacedFeaturesEXT *placed =
                (VkPhysicalDeviceMapMemoryPlacedFeaturesEXT *)next;
            placed->memoryMapPlaced = VK_TRUE;
            placed->memoryUnmapReserve = fake.fault != VULKAN_LACKS_RESERVING;
        }
    }
}

/* Type 1 is the GPU's own memory with pages of 64 KiB, 2 the system's, 3 that with a cache, and 0 cannot be mapped. */
enum { OWN_TYPE = 1 };

static void get_memory_properties(VkPhysicalDevice which, VkPhysicalDeviceMemoryProperties *out)
{
    const VkMemoryPropertyFlags visible =
        VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    (void)which;
    *out = (VkPhysicalDeviceMemoryProperties){
        .memoryTypeCount = 4,
        .memoryTypes = { { VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT, 0 },
                         { visible | VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT, 0 },
                         { visible, 0 },
                         { visible | VK_MEMORY_PROPERTY_HOST_CACHED_BIT, 0 } },
        .memoryHeapCount = 1,
        .memoryHeaps = { { .size = HEAP_SIZE } },
    };
}

static void get_queue_families(VkPhysicalDevice which, uint32_t *count,
                               VkQueueFamilyProperties *families)
{
    (void)which;
    *count = 1;
    families[0] = (VkQueueFamilyProperties){ .queueFlags = VK_QUEUE_GRAPHICS_BIT, .queueCount = 1 };
}

static VkResult create_device(VkPhysicalDevice which, const VkDeviceCreateInfo *info,
                              const VkAllocationCallbacks *allocator, VkDevice *out)
{
    (void)which, (void)allocator;
    bool says_it_lacks = enables(info->ppEnabledExtensionNames, info->enabledExtensionCount,
                                 "VK_KHR_portability_subset");
    if (says_it_lacks && fake.fault != VULKAN_LACKS_PARTS)
        return VK_ERROR_EXTENSION_NOT_PRESENT;
    if (!says_it_lacks && fake.fault == VULKAN_LACKS_PARTS)
        fake.complaint =
            "a device that lacks parts was made without the extension that it must have";
    fake.devices++;
    *out = (VkDevice)&device;
    return VK_SUCCESS;
}

static void destroy_device(VkDevice which, const VkAllocationCallbacks *allocator)
{
    (void)which, (void)allocator;
    if (fake.memories && fake.fault != VULKAN_IS_LOST && fake.fault != VULKAN_IS_LOST_ALWAYS)
        fake.complaint = "a device was destroyed with memory of it";
}

static void get_queue(VkDevice which, uint32_t family, uint32_t index, VkQueue *out)
{
    (void)which, (void)family, (void)index;
    *out = (VkQueue)&queue;
}

static VkResult allocate(VkDevice which, const VkMemoryAllocateInfo *info,
                         const VkAllocationCallbacks *allocator, VkDeviceMemory *out)
{
    const VkImportMemoryFdInfoKHR *source = info->pNext;
    struct stat st;
    (void)which, (void)allocator;
    fake.last_size = info->allocationSize;
    fake.last_type = info->memoryTypeIndex;
    if (!source || source->sType != VK_STRUCTURE_TYPE_IMPORT_MEMORY_FD_INFO_KHR ||
        source->handleType != VK_EXTERNAL_MEMORY_HANDLE_TYPE_OPAQUE_FD_BIT)
        fake.complaint = "memory was allocated of what is no opaque descriptor";
    if (fake.fault == VULKAN_CLOSES_IMPORT) {
        close(source->fd);
        int other = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (fake.bystander < 0 && other == source->fd)
            fake.bystander = other;
        else
            close(other);
        return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    }
    if (fake.fault == VULKAN_REFUSES_IMPORT || fstat(source->fd, &st) < 0 || !S_ISREG(st.st_mode))
        return VK_ERROR_INVALID_EXTERNAL_HANDLE;
    uint64_t page = info->memoryTypeIndex == OWN_TYPE ? LARGE_PAGE : 1;
    uint64_t size = (info->allocationSize + page - 1) / page * page;
    if ((uint64_t)st.st_size < size ||
        (fake.fault == VULKAN_WANTS_THE_TYPE && info->memoryTypeIndex != OWN_TYPE))
        return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    struct memory_object *memory = calloc(1, sizeof(*memory));
    *memory = (struct memory_object){ .fd = source->fd, .size = info->allocationSize };
    fake.memories++;
    *out = (VkDeviceMemory)(uintptr_t)memory;
    return VK_SUCCESS;
}

/* Whether somebody has kept these addresses. */
static bool is_kept(void *at, uint64_t size)
{
    unsigned char in_core[1024];
    return size / (uint64_t)getpagesize() <= sizeof(in_core) &&
           mincore(at, size, (void *)in_core) == 0;
}

static VkResult map(VkDevice which, const VkMemoryMapInfoKHR *info, void **out)
{
    const VkMemoryMapPlacedInfoEXT *placed = info->pNext;
    struct memory_object *memory = (struct memory_object *)(uintptr_t)info->memory;
    (void)which;
    fake.last_address = placed->pPlacedAddress;
    if (!(info->flags & VK_MEMORY_MAP_PLACED_BIT_EXT) || info->offset ||
        info->size != VK_WHOLE_SIZE || memory->mapped)
        fake.complaint = "memory was mapped in a way that it cannot be";
    switch ((enum vulkan_fault)fake.fault) {
    case VULKAN_REFUSES_MAP:
        return VK_ERROR_MEMORY_MAP_FAILED;
    case VULKAN_MAP_LEAVES_HOLE:
        munmap(placed->pPlacedAddress, memory->size);
        return VK_ERROR_MEMORY_MAP_FAILED;
    case VULKAN_IS_LOST:
        fake.fault = VULKAN_WORKS;
        return VK_ERROR_DEVICE_LOST;
    case VULKAN_IS_LOST_ALWAYS:
        return VK_ERROR_DEVICE_LOST;
    default:
        break;
    }
    bool here = fake.fault != VULKAN_MAPS_ELSEWHERE;
    struct stat st;
    if (fake.fault == VULKAN_MAPS_ALL && fstat(memory->fd, &st) == 0)
        memory->size = (uint64_t)st.st_size;
    if (here && !is_kept(placed->pPlacedAddress, memory->size))
        fake.complaint = "memory was mapped where nothing was kept for it";
    memory->mapped =
        mmap(here ? placed->pPlacedAddress : NULL, memory->size, PROT_READ | PROT_WRITE,
             MAP_SHARED | (here ? MAP_FIXED : 0), memory->fd, 0);
    if (memory->mapped == MAP_FAILED)
        abort();
    fake.mapped++;
    *out = memory->mapped;
    return VK_SUCCESS;
}

static VkResult unmap(VkDevice which, const VkMemoryUnmapInfoKHR *info)
{
    struct memory_object *memory = (struct memory_object *)(uintptr_t)info->memory;
    (void)which;
    if (!(info->flags & VK_MEMORY_UNMAP_RESERVE_BIT_EXT) || !memory->mapped)
        fake.complaint = "memory was unmapped in a way that it cannot be";
    if (fake.fault == VULKAN_REFUSES_UNMAP)
        return VK_ERROR_MEMORY_MAP_FAILED;
    if (mmap(memory->mapped, memory->size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
             0) == MAP_FAILED)
        abort();
    memory->mapped = NULL;
    fake.mapped--;
    return VK_SUCCESS;
}

static void free_memory(VkDevice which, VkDeviceMemory handle,
                        const VkAllocationCallbacks *allocator)
{
    struct memory_object *memory = (struct memory_object *)(uintptr_t)handle;
    (void)which, (void)allocator;
    if (!memory)
        return;
    if (memory->mapped) {
        munmap(memory->mapped, memory->size);
        fake.mapped--;
        if (fake.fault != VULKAN_MAPS_ELSEWHERE)
            fake.complaint = "memory was freed while it was mapped, which leaves a hole";
    }
    close(memory->fd);
    free(memory);
    fake.memories--;
}

/* In place of what placing needs not. */
static void unexpected(void)
{
    abort();
}

static PFN_vkVoidFunction get_device_proc_addr(VkDevice which, const char *name)
{
    (void)which;
    return fake_vulkan_get_instance_proc_addr(NULL, name);
}

PFN_vkVoidFunction fake_vulkan_get_instance_proc_addr(VkInstance which, const char *name)
{
    (void)which;
#define FUNCTION(theirs, ours)       \
    if (!strcmp(name, "vk" #theirs)) \
        return (PFN_vkVoidFunction)(ours);
    FUNCTION(EnumerateInstanceExtensionProperties, enumerate_instance_extensions)
    FUNCTION(CreateInstance, create_instance)
    FUNCTION(DestroyInstance, destroy_instance)
    FUNCTION(EnumeratePhysicalDevices, enumerate_physical_devices)
    FUNCTION(EnumerateDeviceExtensionProperties, enumerate_device_extensions)
    FUNCTION(GetPhysicalDeviceProperties2, get_properties)
    FUNCTION(GetPhysicalDeviceFeatures2, get_features)
    FUNCTION(GetPhysicalDeviceMemoryProperties, get_memory_properties)
    FUNCTION(GetPhysicalDeviceQueueFamilyProperties, get_queue_families)
    FUNCTION(CreateDevice, create_device)
    FUNCTION(DestroyDevice, destroy_device)
    FUNCTION(GetDeviceQueue, get_queue)
    FUNCTION(AllocateMemory, allocate)
    FUNCTION(FreeMemory, free_memory)
    FUNCTION(MapMemory2KHR, map)
    FUNCTION(UnmapMemory2KHR, unmap)
    FUNCTION(GetDeviceProcAddr, get_device_proc_addr)
#undef FUNCTION
    return (PFN_vkVoidFunction)unexpected;
}

unsigned fake_vulkan_instances(void)
{
    return fake.instances;
}

unsigned fake_vulkan_devices(void)
{
    return fake.devices;
}

unsigned fake_vulkan_memories(void)
{
    return fake.memories;
}

unsigned fake_vulkan_mapped(void)
{
    return fake.mapped;
}

uint64_t fake_vulkan_last_size(void)
{
    return fake.last_size;
}

uint32_t fake_vulkan_last_type(void)
{
    return fake.last_type;
}

void *fake_vulkan_last_address(void)
{
    return fake.last_address;
}

int fake_vulkan_bystander(void)
{
    return fake.bystander;
}

const char *fake_vulkan_complaint(void)
{
    return fake.complaint;
}
