/* SPDX-License-Identifier: MIT */
/*
 * Lavapipe, made to behave as NVIDIA's driver does: no device can be created in a process that was forked after the
 * driver was loaded. Its file has a name such as NVIDIA's library has.
 */
#include <dlfcn.h>
#include <string.h>
#include <unistd.h>
#include <vulkan/vulkan.h>

#define EXPORTED __attribute__((visibility("default")))

EXPORTED VKAPI_ATTR VkResult VKAPI_CALL vk_icdNegotiateLoaderICDInterfaceVersion(uint32_t *version);
EXPORTED VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL vk_icdGetInstanceProcAddr(VkInstance instance,
                                                                            const char *name);

static pid_t loaded_in;
static PFN_vkCreateDevice create_device;

static void __attribute__((constructor)) remember_process(void)
{
    loaded_in = getpid();
}

static void *lavapipes(const char *name)
{
    static void *lavapipe;
    if (!lavapipe)
        lavapipe = dlopen("libvulkan_lvp.so", RTLD_NOW | RTLD_LOCAL);
    return lavapipe ? dlsym(lavapipe, name) : NULL;
}

VKAPI_ATTR VkResult VKAPI_CALL vk_icdNegotiateLoaderICDInterfaceVersion(uint32_t *version)
{
    VKAPI_ATTR VkResult(VKAPI_CALL * negotiate)(uint32_t *);
    *(void **)&negotiate = lavapipes("vk_icdNegotiateLoaderICDInterfaceVersion");
    if (!negotiate)
        return VK_ERROR_INCOMPATIBLE_DRIVER;
    if (*version > 5) /* from 7 on functions would be asked for that are not here */
        *version = 5;
    return negotiate(version);
}

static VKAPI_ATTR VkResult VKAPI_CALL create_device_here(VkPhysicalDevice physical,
                                                         const VkDeviceCreateInfo *info,
                                                         const VkAllocationCallbacks *allocator,
                                                         VkDevice *device)
{
    if (getpid() != loaded_in)
        return VK_ERROR_INITIALIZATION_FAILED;
    return create_device(physical, info, allocator, device);
}

VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL vk_icdGetInstanceProcAddr(VkInstance instance,
                                                                   const char *name)
{
    PFN_vkGetInstanceProcAddr get;
    *(void **)&get = lavapipes("vk_icdGetInstanceProcAddr");
    PFN_vkVoidFunction found = get ? get(instance, name) : NULL;
    if (!found || strcmp(name, "vkCreateDevice") != 0)
        return found;
    create_device = (PFN_vkCreateDevice)found;
    return (PFN_vkVoidFunction)create_device_here;
}
