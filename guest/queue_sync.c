/* SPDX-License-Identifier: MIT */
/*
 * Times a queue's synchronisation with no work in the way: an empty vkQueueSubmit and the wait for
 * it, in the two ways that a guest's programs use.
 *
 *   queue_sync [--rounds 1000] [--warmup 20] [--seconds 0]
 *
 * wait_ms      vkQueueSubmit with a fence, vkWaitForFences. Venus answers this from memory that the
 *              host writes, so it need not involve the virtio queue at all.
 * sync_fd_ms   vkQueueSubmit with an exportable fence, vkGetFenceFdKHR as a sync file, poll(). This
 *              is what window systems do, and it is a virtio fence on the queue's ring.
 * submit_ms    vkQueueSubmit alone, out of the first loop.
 *
 * After --seconds the rounds stop; each way has half of that time.
 */
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "common.h"
#include "virtgpu.h"
#include "vk.h"

#define SECONDS(n) (UINT64_C(1000000000) * (n))

static VkFence create_fence(struct vk *vk, const void *next)
{
    VkFence fence;

    VK_CHECK(vkCreateFence(
        vk->device,
        &(VkFenceCreateInfo){ .sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO, .pNext = next }, NULL,
        &fence));
    return fence;
}

/* Returns whether all rounds were made. */
static bool time_wait(struct vk *vk, long rounds, long warmup, const struct deadline *deadline,
                      struct samples *wait, struct samples *submit)
{
    VkFence fence = create_fence(vk, NULL);
    bool late = false;

    for (long i = -warmup; i < rounds && !(late = deadline_passed(deadline)); i++) {
        double start = now_ms();
        VK_CHECK(vkQueueSubmit(vk->queue, 0, NULL, fence));
        double sent = now_ms();
        VK_CHECK(vkWaitForFences(vk->device, 1, &fence, VK_TRUE, SECONDS(10)));
        double done = now_ms();
        VK_CHECK(vkResetFences(vk->device, 1, &fence));
        if (i >= 0) {
            samples_add(wait, done - start);
            samples_add(submit, sent - start);
        }
    }
    vkDestroyFence(vk->device, fence, NULL);
    return !late;
}

/* The same. */
static bool time_sync_fd(struct vk *vk, long rounds, long warmup, const struct deadline *deadline,
                         struct samples *sync_fd)
{
    PFN_vkGetFenceFdKHR get_fence_fd =
        (PFN_vkGetFenceFdKHR)(void (*)(void))vkGetDeviceProcAddr(vk->device, "vkGetFenceFdKHR");
    VkFence fence = create_fence(
        vk, &(VkExportFenceCreateInfo){ .sType = VK_STRUCTURE_TYPE_EXPORT_FENCE_CREATE_INFO,
                                        .handleTypes = VK_EXTERNAL_FENCE_HANDLE_TYPE_SYNC_FD_BIT });
    bool late = false;

    for (long i = -warmup; i < rounds && !(late = deadline_passed(deadline)); i++) {
        int fd = -1;
        double start = now_ms();
        VK_CHECK(vkQueueSubmit(vk->queue, 0, NULL, fence));
        VK_CHECK(get_fence_fd(
            vk->device,
            &(VkFenceGetFdInfoKHR){ .sType = VK_STRUCTURE_TYPE_FENCE_GET_FD_INFO_KHR,
                                    .fence = fence,
                                    .handleType = VK_EXTERNAL_FENCE_HANDLE_TYPE_SYNC_FD_BIT },
            &fd));
        /* Exporting resets the fence; -1 says that it had signalled already. */
        if (fd >= 0) {
            virtgpu_wait(fd, 10000);
            close(fd);
        }
        if (i >= 0)
            samples_add(sync_fd, now_ms() - start);
    }
    vkDestroyFence(vk->device, fence, NULL);
    return !late;
}

int main(int argc, char **argv)
{
    long rounds = option(argc, argv, "--rounds", 1000);
    long warmup = option(argc, argv, "--warmup", 20);
    const char *const fence_fd = VK_KHR_EXTERNAL_FENCE_FD_EXTENSION_NAME;
    struct samples wait = { 0 }, submit = { 0 }, sync_fd = { 0 };
    struct vk vk;

    if (rounds < 1 || warmup < 0)
        die("--rounds must be at least 1");
    vk_open(&vk);
    bool exports = vk_exports_sync_files(&vk);
    vk_create_device(&vk, exports ? 1 : 0, &fence_fd);
    struct deadline deadline = deadline_option(argc, argv), half = deadline;
    half.limit_ms /= 2;
    bool all = time_wait(&vk, rounds, warmup, &half, &wait, &submit);
    if (exports)
        all &= time_sync_fd(&vk, rounds, warmup, &deadline, &sync_fd);
    printf("{\"program\": \"queue_sync\", ");
    vk_print_device(&vk);
    printf(", ");
    deadline_print(&deadline, all ? NULL : "rounds");
    printf(", ");
    samples_print(&wait, "wait_ms");
    printf(", ");
    samples_print(&submit, "submit_ms");
    printf(", ");
    samples_print(&sync_fd, "sync_fd_ms");
    printf("}\n");
    samples_finish(&wait);
    samples_finish(&submit);
    samples_finish(&sync_fd);
    vk_destroy(&vk);
    return 0;
}
