/* SPDX-License-Identifier: MIT */
/*
 * A Vulkan layer for tests: counts the frames that an unmodified program presents, and can stop it.
 *
 * VENUS_FRAMES_HOLD=N   the program stands still after its Nth frame, which stays on the display
 * VENUS_FRAMES_LOG=FILE when the program has presented its last frame (or is held), one line goes there:
 *                       {"frames": N, "seconds": S}, S being the time from its first frame to its last
 *
 * The same layer on the host and in the guest makes the two stop at the same frame, whose pictures can
 * then be compared.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <vulkan/vk_layer.h>
#include <vulkan/vulkan.h>

#define EXPORT __attribute__((visibility("default")))

/* One instance, one device: what the programs have that this is for. */
static PFN_vkGetInstanceProcAddr next_instance_proc;
static PFN_vkGetDeviceProcAddr next_device_proc;
static PFN_vkQueuePresentKHR next_present;
static PFN_vkDestroyDevice next_destroy_device;
static PFN_vkDestroyInstance next_destroy_instance;

static long frames;
static struct timespec first, last;

static void write_log(void)
{
    const char *path = getenv("VENUS_FRAMES_LOG");
    FILE *file = path ? fopen(path, "w") : NULL;
    if (!file)
        return;
    double seconds = (double)(last.tv_sec - first.tv_sec) + 1e-9 * (double)(last.tv_nsec - first.tv_nsec);
    fprintf(file, "{\"frames\": %ld, \"seconds\": %.6f}\n", frames, seconds);
    fclose(file);
}

static VKAPI_ATTR VkResult VKAPI_CALL present(VkQueue queue, const VkPresentInfoKHR *info)
{
    VkResult result = next_present(queue, info);
    if (result != VK_SUCCESS && result != VK_SUBOPTIMAL_KHR)
        return result;

    clock_gettime(CLOCK_MONOTONIC, &last);
    if (frames++ == 0)
        first = last;
    const char *hold = getenv("VENUS_FRAMES_HOLD");
    if (hold && frames >= atol(hold)) {
        write_log();
        for (;;)
            pause();
    }
    return result;
}

static VKAPI_ATTR void VKAPI_CALL destroy_device(VkDevice device, const VkAllocationCallbacks *alloc)
{
    write_log();
    next_destroy_device(device, alloc);
}

static VKAPI_ATTR void VKAPI_CALL destroy_instance(VkInstance instance,
                                                   const VkAllocationCallbacks *alloc)
{
    next_destroy_instance(instance, alloc);
}

static VKAPI_ATTR VkResult VKAPI_CALL create_instance(const VkInstanceCreateInfo *info,
                                                      const VkAllocationCallbacks *alloc,
                                                      VkInstance *instance)
{
    VkLayerInstanceCreateInfo *link = (VkLayerInstanceCreateInfo *)info->pNext;
    while (link && (link->sType != VK_STRUCTURE_TYPE_LOADER_INSTANCE_CREATE_INFO ||
                    link->function != VK_LAYER_LINK_INFO))
        link = (VkLayerInstanceCreateInfo *)link->pNext;
    if (!link)
        return VK_ERROR_INITIALIZATION_FAILED;

    next_instance_proc = link->u.pLayerInfo->pfnNextGetInstanceProcAddr;
    link->u.pLayerInfo = link->u.pLayerInfo->pNext;
    PFN_vkCreateInstance create =
        (PFN_vkCreateInstance)next_instance_proc(NULL, "vkCreateInstance");
    VkResult result = create(info, alloc, instance);
    if (result == VK_SUCCESS)
        next_destroy_instance =
            (PFN_vkDestroyInstance)next_instance_proc(*instance, "vkDestroyInstance");
    return result;
}

static VKAPI_ATTR VkResult VKAPI_CALL create_device(VkPhysicalDevice physical,
                                                    const VkDeviceCreateInfo *info,
                                                    const VkAllocationCallbacks *alloc,
                                                    VkDevice *device)
{
    VkLayerDeviceCreateInfo *link = (VkLayerDeviceCreateInfo *)info->pNext;
    while (link && (link->sType != VK_STRUCTURE_TYPE_LOADER_DEVICE_CREATE_INFO ||
                    link->function != VK_LAYER_LINK_INFO))
        link = (VkLayerDeviceCreateInfo *)link->pNext;
    if (!link)
        return VK_ERROR_INITIALIZATION_FAILED;

    PFN_vkGetInstanceProcAddr instance_proc = link->u.pLayerInfo->pfnNextGetInstanceProcAddr;
    next_device_proc = link->u.pLayerInfo->pfnNextGetDeviceProcAddr;
    link->u.pLayerInfo = link->u.pLayerInfo->pNext;
    PFN_vkCreateDevice create = (PFN_vkCreateDevice)instance_proc(NULL, "vkCreateDevice");
    VkResult result = create(physical, info, alloc, device);
    if (result == VK_SUCCESS) {
        next_present = (PFN_vkQueuePresentKHR)next_device_proc(*device, "vkQueuePresentKHR");
        next_destroy_device = (PFN_vkDestroyDevice)next_device_proc(*device, "vkDestroyDevice");
    }
    return result;
}

static PFN_vkVoidFunction ours(const char *name);

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL get_device_proc(VkDevice device, const char *name)
{
    PFN_vkVoidFunction function = ours(name);
    return function ? function : next_device_proc(device, name);
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL get_instance_proc(VkInstance instance, const char *name)
{
    PFN_vkVoidFunction function = ours(name);
    return function ? function : next_instance_proc(instance, name);
}

static PFN_vkVoidFunction ours(const char *name)
{
    static const struct {
        const char *name;
        PFN_vkVoidFunction function;
    } table[] = {
        { "vkGetInstanceProcAddr", (PFN_vkVoidFunction)get_instance_proc },
        { "vkGetDeviceProcAddr", (PFN_vkVoidFunction)get_device_proc },
        { "vkCreateInstance", (PFN_vkVoidFunction)create_instance },
        { "vkDestroyInstance", (PFN_vkVoidFunction)destroy_instance },
        { "vkCreateDevice", (PFN_vkVoidFunction)create_device },
        { "vkDestroyDevice", (PFN_vkVoidFunction)destroy_device },
        { "vkQueuePresentKHR", (PFN_vkVoidFunction)present },
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (!strcmp(table[i].name, name))
            return table[i].function;
    }
    return NULL;
}

EXPORT VKAPI_ATTR VkResult VKAPI_CALL
vkNegotiateLoaderLayerInterfaceVersion(VkNegotiateLayerInterface *interface);

EXPORT VKAPI_ATTR VkResult VKAPI_CALL
vkNegotiateLoaderLayerInterfaceVersion(VkNegotiateLayerInterface *interface)
{
    if (interface->loaderLayerInterfaceVersion > 2)
        interface->loaderLayerInterfaceVersion = 2;
    interface->pfnGetInstanceProcAddr = get_instance_proc;
    interface->pfnGetDeviceProcAddr = get_device_proc;
    interface->pfnGetPhysicalDeviceProcAddr = NULL;
    return VK_SUCCESS;
}
