/* SPDX-License-Identifier: MIT */
/*
 * Loaded into a render server before all else, it keeps that from loading the host's Vulkan drivers before it forks.
 *
 * The server of virglrenderer 1.1 asks, as it starts, which extensions Vulkan has, and forgets the answer: it is asked
 * so that the loader loads each driver once, and the processes that are forked for contexts have it already. NVIDIA's
 * driver does not survive a fork. So as long as the server itself asks there are none, and no driver is loaded to find
 * that out; the processes that it forks are answered by the loader, which then loads what they need.
 */
#include <dlfcn.h>
#include <stddef.h>
#include <unistd.h>
#include <vulkan/vulkan.h>

static pid_t server;

static void __attribute__((constructor)) remember_server(void)
{
    server = getpid();
}

__attribute__((visibility("default"))) VKAPI_ATTR VkResult VKAPI_CALL
vkEnumerateInstanceExtensionProperties(const char *layer, uint32_t *count,
                                       VkExtensionProperties *properties)
{
    PFN_vkEnumerateInstanceExtensionProperties next = NULL;
    if (getpid() == server) {
        *count = 0;
        return VK_SUCCESS;
    }
    *(void **)&next = dlsym(RTLD_NEXT, "vkEnumerateInstanceExtensionProperties");
    return next ? next(layer, count, properties) : VK_ERROR_INITIALIZATION_FAILED;
}
