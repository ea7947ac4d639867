/* SPDX-License-Identifier: MIT */
/*
 * See late-driver.h; tools/late-driver is the object.
 *
 * Virglrenderer does not tell its version, and its library's would not be its server's: a server can be of another
 * installation, and venus-gpu-renderd has no such library. So the program itself is looked at: one that is linked to the
 * function of Vulkan's that loads the drivers is as 1.0 and 1.1 are. Since 1.2 servers load drivers after they have
 * forked, unless they are built with vulkan-preload; then they look the function up at run time, which no object changes.
 *
 * The object would do no harm to other drivers, but is of no use to them: Mesa's survive a fork, and a context starts
 * sooner where its process has the driver from the server (up to its first device lavapipe took 19 ms, and 36 with the
 * object). So it is for hosts whose loader has NVIDIA's to load.
 */
#include "renderer/late-driver.h"

#include <stdlib.h>
#include <unistd.h>

#include "platform/platform.h"

static const char *object_path(void)
{
    const char *asked = getenv("VENUS_GPU_LATE_DRIVER");
    return asked ? asked : LATE_DRIVER_PATH;
}

enum late_driver late_driver_choose(const char *server, const struct driver_places *places,
                                    const char **object)
{
    *object = NULL;
    if (!platform_preload_variable ||
        !platform_program_uses(server, "vkEnumerateInstanceExtensionProperties"))
        return LATE_DRIVER_BY_ITSELF;
    if (!driver_is_nvidias(places))
        return LATE_DRIVER_NOT;
    const char *path = object_path();
    if (access(path, R_OK) < 0)
        return LATE_DRIVER_MISSING;
    *object = path;
    return LATE_DRIVER_KEPT;
}

const char *late_driver_words(enum late_driver late)
{
    static const char *const words[] = {
        [LATE_DRIVER_BY_ITSELF] = "its render server loads no Vulkan driver before it forks",
        [LATE_DRIVER_NOT] =
            "its render server loads the Vulkan drivers before it forks, which they "
            "survive",
        [LATE_DRIVER_KEPT] =
            "its render server is kept from loading NVIDIA's driver before it forks",
        [LATE_DRIVER_MISSING] =
            "its render server loads NVIDIA's driver before it forks, which that "
            "does not survive",
    };
    return words[late];
}
