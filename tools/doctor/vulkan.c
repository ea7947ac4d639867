/* SPDX-License-Identifier: MIT */
/*
 * The host's Vulkan: which drivers cannot be loaded and why, which devices there are, and which of the
 * extensions that matter each has. The loader is itself loaded, so that its absence is a finding too.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#define VK_NO_PROTOTYPES
#include <vulkan/vulkan.h>

#include "bounded.h"
#include "examine.h"

enum { MAX_DEVICES = 16 };

/* Functions of an instance, by their names. */
#define LOOK_UP(instance, name) PFN_##name name = (PFN_##name)get(instance, #name)

static PFN_vkGetInstanceProcAddr get;

/* ---- what the loader says ----------------------------------------------------------------------- */

/* A driver whose library cannot be loaded: the loader names the reason, and on its next line the driver. */
static unsigned report_broken_drivers(char *errors)
{
    static const char tag[] = "[Vulkan Loader] ERROR", about[] = "associated with ICD JSON ";
    char *reason = NULL, *seen[MAX_DEVICES];
    unsigned count = 0;
    for (char *line; errors && (line = strsep(&errors, "\n"));) {
        if (strncmp(line, tag, sizeof(tag) - 1) != 0 || !(line = strchr(line, ':')))
            continue;
        line += 1 + strspn(line + 1, " ");
        char *library = strstr(line, about);
        if (!library) {
            reason = line;
            continue;
        }
        library += sizeof(about) - 1;
        library[strcspn(library, " ")] = '\0';
        size_t len = strlen(library);
        if (len && library[len - 1] == '.') /* of the sentence */
            library[len - 1] = '\0';
        bool is_known = false;
        for (unsigned i = 0; i < count; i++)
            is_known |= !strcmp(seen[i], library);
        if (is_known || count == MAX_DEVICES)
            continue;
        seen[count++] = library;
        report_finding(LEVEL_WARNING, "vulkan-driver", library,
                       "Install the library that is missing, or remove the driver's manifest",
                       "the Vulkan loader cannot load it: %s",
                       reason ? reason : "it does not say why");
    }
    return count;
}

/* NVIDIA's kernel module without a Vulkan device of NVIDIA's: what its library looks for by itself. */
static void report_nvidia(void)
{
    static const char *const libraries[] = { "libGLX_nvidia.so.0", "libEGL.so.1", "libX11.so.6",
                                             "libXext.so.6", "libdl.so.2" };
    char missing[200] = "";
    if (access("/proc/driver/nvidia/version", F_OK) != 0)
        return;
    for (unsigned i = 0; i < sizeof(libraries) / sizeof(libraries[0]); i++) {
        if (!dlopen(libraries[i], RTLD_LAZY | RTLD_LOCAL)) {
            strcat(missing, " ");
            strcat(missing, libraries[i]);
        }
    }
    report_finding(
        LEVEL_WARNING, "vulkan-driver", "NVIDIA",
        *missing ? "Install what is missing (Debian: libegl1, libx11-6, libxext6, and the driver's "
                   "own libraries)"
                 : "vulkaninfo and the kernel's log (dmesg) may tell more",
        "NVIDIA's kernel module runs, and its Vulkan driver offers no device%s%s",
        *missing ? "; it lacks" : "", missing);
}

/* ---- a device ------------------------------------------------------------------------------------ */

struct extensions {
    VkExtensionProperties *properties;
    uint32_t count;
};

static bool has(const struct extensions *extensions, const char *name)
{
    for (uint32_t i = 0; i < extensions->count; i++) {
        if (!strcmp(extensions->properties[i].extensionName, name))
            return true;
    }
    return false;
}

static bool exports_sync_fd(VkInstance instance, VkPhysicalDevice device)
{
    LOOK_UP(instance, vkGetPhysicalDeviceExternalSemaphoreProperties);
    VkPhysicalDeviceExternalSemaphoreInfo info = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_SEMAPHORE_INFO,
        .handleType = VK_EXTERNAL_SEMAPHORE_HANDLE_TYPE_SYNC_FD_BIT,
    };
    VkExternalSemaphoreProperties properties = {
        .sType = VK_STRUCTURE_TYPE_EXTERNAL_SEMAPHORE_PROPERTIES
    };
    if (!vkGetPhysicalDeviceExternalSemaphoreProperties)
        return false;
    vkGetPhysicalDeviceExternalSemaphoreProperties(device, &info, &properties);
    return properties.externalSemaphoreFeatures & VK_EXTERNAL_SEMAPHORE_FEATURE_EXPORTABLE_BIT;
}

static void report_memory_extensions(const struct extensions *there, const char *name)
{
    bool fd = has(there, "VK_KHR_external_memory_fd"),
         dma_buf = has(there, "VK_EXT_external_memory_dma_buf"),
         modifiers = has(there, "VK_EXT_image_drm_format_modifier");
    report_finding(fd ? LEVEL_OK : LEVEL_ERROR, "external-memory-fd", name,
                   fd ? "" : "Use another driver, or a newer one",
                   fd ? "its memory can be shared, so a guest can map it"
                      : "it lacks VK_KHR_external_memory_fd: a guest can map none of its memory");
    if (dma_buf && modifiers)
        report_finding(
            LEVEL_OK, "dma-buf", name, "",
            "dma-bufs and modifiers: a guest's window system shares images without copies");
    else
        report_finding(
            LEVEL_WARNING, "dma-buf", name,
            "In the guest set MESA_VK_WSI_DEBUG=sw. lavapipe has dma-bufs where there is a "
            "/dev/udmabuf",
            "it lacks %s%s%s: a guest's window system cannot share images",
            dma_buf ? "" : "VK_EXT_external_memory_dma_buf", dma_buf || modifiers ? "" : " and ",
            modifiers ? "" : "VK_EXT_image_drm_format_modifier");
    bool host = has(there, "VK_EXT_external_memory_host");
    report_finding(
        host ? LEVEL_OK : LEVEL_WARNING, "external-memory-host", name,
        host ? "" : "present=surface lets QEMU's display show them instead",
        host ? "frames in the guest's memory are presented where they are"
             : "it lacks VK_EXT_external_memory_host: frames in the guest's memory are copied "
               "before they are presented");
    report_finding(LEVEL_OK, "map-memory-placed", name, "", "%s",
                   has(there, "VK_EXT_map_memory_placed")
                       ? "there is VK_EXT_map_memory_placed, which this release does not use"
                       : "there is no VK_EXT_map_memory_placed, which this release does not need");
}

static void report_device(VkInstance instance, VkPhysicalDevice device)
{
    LOOK_UP(instance, vkGetPhysicalDeviceProperties2);
    LOOK_UP(instance, vkEnumerateDeviceExtensionProperties);
    VkPhysicalDeviceDriverProperties driver = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES
    };
    VkPhysicalDeviceProperties2 properties = { .sType =
                                                   VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
                                               .pNext = &driver };
    struct extensions there = { NULL, 0 };
    vkGetPhysicalDeviceProperties2(device, &properties);
    const char *name = properties.properties.deviceName;
    uint32_t version = properties.properties.apiVersion;
    bool is_processor = properties.properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU;
    report_finding(is_processor ? LEVEL_WARNING : LEVEL_OK, "vulkan-device", name,
                   is_processor
                       ? "If the host has a GPU, install its Vulkan driver, and let this user open "
                         "/dev/dri/renderD*"
                       : "",
                   "Vulkan %u.%u by %s %s%s", VK_API_VERSION_MAJOR(version),
                   VK_API_VERSION_MINOR(version), driver.driverName, driver.driverInfo,
                   is_processor ? "; it renders on the processor, which is slow" : "");
    if (properties.properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU)
        report_fact("discrete", name);
    if (driver.driverID == VK_DRIVER_ID_NVIDIA_PROPRIETARY)
        report_fact("nvidia", name);

    vkEnumerateDeviceExtensionProperties(device, NULL, &there.count, NULL);
    there.properties = calloc(there.count + 1, sizeof(*there.properties));
    if (!there.properties)
        abort();
    vkEnumerateDeviceExtensionProperties(device, NULL, &there.count, there.properties);
    report_memory_extensions(&there, name);
    bool sync = has(&there, "VK_KHR_external_semaphore_fd") &&
                has(&there, "VK_KHR_external_fence_fd") && exports_sync_fd(instance, device);
    report_finding(
        sync ? LEVEL_OK : LEVEL_WARNING, "sync-fd", name,
        sync
            ? ""
            : "Programs that need no more than Vulkan 1.2 work; otherwise use a driver that has them",
        sync ? "fences and semaphores can be sync files"
             : "no sync files of fences or semaphores: the guest's Vulkan is 1.2");
    free(there.properties);
}

/* ---- all of it ----------------------------------------------------------------------------------- */

static void report_surfaces(PFN_vkEnumerateInstanceExtensionProperties enumerate)
{
    static const char *const names[] = { "VK_KHR_xcb_surface", "VK_KHR_wayland_surface",
                                         "VK_EXT_headless_surface" };
    static const char *const words[] = { "X11 windows", "Wayland windows", "headless" };
    struct extensions there = { NULL, 0 };
    enumerate(NULL, &there.count, NULL);
    there.properties = calloc(there.count + 1, sizeof(*there.properties));
    if (!there.properties)
        abort();
    enumerate(NULL, &there.count, there.properties);
    char can[100] = "", cannot[100] = "";
    for (unsigned i = 0; i < 3; i++) {
        char *list = has(&there, names[i]) ? can : cannot;
        if (*list)
            strcat(list, ", ");
        strcat(list, words[i]);
    }
    bool windows = has(&there, names[0]) || has(&there, names[1]);
    report_finding(windows ? LEVEL_OK : LEVEL_WARNING, "surfaces", "",
                   windows ? "" : "present=surface lets QEMU's display show frames instead",
                   "present=swapchain can have: %s%s%s", *can ? can : "no window",
                   *cannot ? "; not: " : "", cannot);
    free(there.properties);
}

static VkInstance create_instance(VkResult *result)
{
    LOOK_UP(NULL, vkCreateInstance);
    VkApplicationInfo application = { .sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                                      .apiVersion = VK_API_VERSION_1_1 };
    VkInstanceCreateInfo info = { .sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
                                  .pApplicationInfo = &application };
    VkInstance instance = VK_NULL_HANDLE;
    *result = vkCreateInstance ? vkCreateInstance(&info, NULL, &instance)
                               : VK_ERROR_INITIALIZATION_FAILED;
    return *result == VK_SUCCESS ? instance : VK_NULL_HANDLE;
}

void examine_vulkan(void *unused)
{
    (void)unused;
    setenv("VK_LOADER_DEBUG", "error", 1); /* read as it is loaded */
    void *loader = dlopen("libvulkan.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!loader) {
        report_finding(LEVEL_ERROR, "vulkan-loader", "",
                       "Install Vulkan's loader (Debian: libvulkan1)", "%s", dlerror());
        return;
    }
    get = (PFN_vkGetInstanceProcAddr)dlsym(loader, "vkGetInstanceProcAddr");
    if (!get) {
        report_finding(LEVEL_ERROR, "vulkan-loader", "",
                       "Install Vulkan's loader again (Debian: libvulkan1)",
                       "libvulkan.so.1 is no Vulkan loader");
        return;
    }
    VkResult result;
    VkInstance instance = create_instance(&result);
    VkPhysicalDevice devices[MAX_DEVICES];
    uint32_t count = 0;
    if (instance) {
        LOOK_UP(instance, vkEnumeratePhysicalDevices);
        count = MAX_DEVICES;
        result = vkEnumeratePhysicalDevices(instance, &count, devices);
        if (result != VK_SUCCESS && result != VK_INCOMPLETE)
            count = 0;
    }
    char *errors = bounded_errors();
    unsigned broken = report_broken_drivers(errors);
    free(errors);
    bool has_nvidia = false;
    for (uint32_t i = 0; i < count; i++) {
        LOOK_UP(instance, vkGetPhysicalDeviceProperties);
        VkPhysicalDeviceProperties properties;
        vkGetPhysicalDeviceProperties(devices[i], &properties);
        has_nvidia |= properties.vendorID == 0x10de;
    }
    if (!has_nvidia)
        report_nvidia();
    if (count == 0) {
        report_finding(
            LEVEL_ERROR, "vulkan-device", "",
            broken
                ? "Mend the driver above, or install another (Debian: mesa-vulkan-drivers)"
                : "Install a Vulkan driver: Debian's mesa-vulkan-drivers has AMD's, Intel's, and "
                  "lavapipe for any processor",
            "no Vulkan driver offers a device (VkResult %d)", (int)result);
        return;
    }
    for (uint32_t i = 0; i < count; i++)
        report_device(instance, devices[i]);
    PFN_vkEnumerateInstanceExtensionProperties enumerate =
        (PFN_vkEnumerateInstanceExtensionProperties)get(NULL,
                                                        "vkEnumerateInstanceExtensionProperties");
    if (enumerate)
        report_surfaces(enumerate);
}
