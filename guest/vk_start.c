/* SPDX-License-Identifier: MIT */
/*
 * Times a Vulkan program's first steps, each once, as only a fresh process sees them.
 *
 *   vk_start
 *
 * instance_ms        vkCreateInstance: the loader reads the driver, the driver meets its device
 * devices_ms         vkEnumeratePhysicalDevices and the first one's properties
 * device_ms          vkCreateDevice with one queue, and a command pool
 * first_submit_ms    an empty vkQueueSubmit with a fence, and the wait for it
 * total_ms           from the first call until that wait's end
 */
#include "common.h"
#include "vk.h"

static void submit_and_wait(const struct vk *vk)
{
    VkFence fence;

    VK_CHECK(vkCreateFence(vk->device,
                           &(VkFenceCreateInfo){ .sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO },
                           NULL, &fence));
    VK_CHECK(vkQueueSubmit(vk->queue, 0, NULL, fence));
    VK_CHECK(vkWaitForFences(vk->device, 1, &fence, VK_TRUE, UINT64_C(60000000000)));
    vkDestroyFence(vk->device, fence, NULL);
}

int main(void)
{
    struct vk vk = { 0 };
    double start = now_ms();

    vk_create_instance(&vk);
    double instance = now_ms();
    vk_find_device(&vk);
    double devices = now_ms();
    vk_create_device(&vk, 0, NULL);
    double device = now_ms();
    submit_and_wait(&vk);
    double submit = now_ms();

    printf("{\"program\": \"vk_start\", ");
    vk_print_device(&vk);
    printf(", \"instance_ms\": %.4f, \"devices_ms\": %.4f, \"device_ms\": %.4f, "
           "\"first_submit_ms\": %.4f, \"total_ms\": %.4f}\n",
           instance - start, devices - instance, device - devices, submit - device, submit - start);
    vk_destroy(&vk);
    return 0;
}
