/* SPDX-License-Identifier: MIT */
/* A Vulkan driver that ends the process which asks it. */
#include <stdio.h>
#include <stdlib.h>

int vk_icdNegotiateLoaderICDInterfaceVersion(unsigned *version);
void *vk_icdGetInstanceProcAddr(void *instance, const char *name);

int vk_icdNegotiateLoaderICDInterfaceVersion(unsigned *version)
{
    (void)version;
    fputs("the driver's last words\n", stderr);
    abort();
}

void *vk_icdGetInstanceProcAddr(void *instance, const char *name)
{
    (void)instance, (void)name;
    return NULL;
}
