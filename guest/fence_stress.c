/* SPDX-License-Identifier: MIT */
/*
 * Thousands of submits to all queues of a device, tied to one another by timeline semaphores and
 * waited for in every order and by every means, while each checks that the ones it waited for were
 * really done.
 *
 *   fence_stress [--frames 5000] [--seconds 0] [--seed 1] [--json FILE]
 *
 * --frames is how many submits. They go in batches. Each submit writes its number into a slot of its
 * own; many wait for an earlier one and then copy its slot, which shows if they did not wait. Half of
 * the batches also wait for the CPU, so that none of their submits may be done before it says so.
 */
#include <poll.h>
#include <unistd.h>

#include "chance.h"
#include "example.h"

#define BATCH     32u
#define NOBODY    UINT32_MAX
#define PATIENCE  30000 /* ms until something is taken to hang */
#define NS_PER_MS UINT64_C(1000000)
#define SYNC_FD   VK_EXTERNAL_FENCE_HANDLE_TYPE_SYNC_FD_BIT

/* What the commands of one submit write. */
struct slot {
    uint32_t number, seen;
};

struct submit {
    uint32_t number, queue,
        after;      /* `after`: the submit of this batch that it waits for, or NOBODY */
    uint64_t value; /* that its queue's timeline then has */
    VkCommandBuffer commands;
    VkFence fence;
    bool exported; /* to a sync file, which takes the fence's signal with it */
};

struct stress {
    struct vk vk;
    struct chance chance;
    PFN_vkGetFenceFdKHR get_fence_fd; /* NULL if the driver exports no sync files */
    VkSemaphore timelines[VK_MOST_QUEUES], gate;
    uint64_t values[VK_MOST_QUEUES], opened;
    struct vk_buffer slots;
    struct submit submits[BATCH];
    uint32_t numbers; /* given out so far */
    struct samples submit_ms, batch_ms;
};

static VkSemaphore create_timeline(const struct vk *vk)
{
    VkSemaphore semaphore;

    VK_CHECK(vkCreateSemaphore(
        vk->device,
        &(VkSemaphoreCreateInfo){
            .sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO,
            .pNext =
                &(VkSemaphoreTypeCreateInfo){ .sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO,
                                              .semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE } },
        NULL, &semaphore));
    return semaphore;
}

static void create(struct stress *s, long seed)
{
    const char *const extension = VK_KHR_EXTERNAL_FENCE_FD_EXTENSION_NAME;
    const VkExportFenceCreateInfo export = { .sType = VK_STRUCTURE_TYPE_EXPORT_FENCE_CREATE_INFO,
                                             .handleTypes = SYNC_FD };

    vk_open(&s->vk);
    vk_want(&s->vk, VK_WANT_TIMELINES);
    vk_want_queues(&s->vk, VK_MOST_QUEUES);
    bool exports = vk_exports_sync_files(&s->vk);
    vk_create_device(&s->vk, exports ? 1 : 0, &extension);
    if (exports)
        s->get_fence_fd = (PFN_vkGetFenceFdKHR)(void (*)(void))vkGetDeviceProcAddr(
            s->vk.device, "vkGetFenceFdKHR");
    s->chance = chance_start((uint64_t)seed);
    s->gate = create_timeline(&s->vk);
    for (uint32_t i = 0; i < s->vk.queue_count; i++)
        s->timelines[i] = create_timeline(&s->vk);
    for (uint32_t i = 0; i < BATCH; i++)
        VK_CHECK(vkCreateFence(s->vk.device,
                               &(VkFenceCreateInfo){ .sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO,
                                                     .pNext = exports ? &export : NULL },
                               NULL, &s->submits[i].fence));
    s->slots =
        vk_buffer_create(&s->vk, BATCH * sizeof(struct slot),
                         VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT);
}

static void destroy(struct stress *s)
{
    vk_buffer_destroy(&s->vk, &s->slots);
    for (uint32_t i = 0; i < BATCH; i++)
        vkDestroyFence(s->vk.device, s->submits[i].fence, NULL);
    for (uint32_t i = 0; i < s->vk.queue_count; i++)
        vkDestroySemaphore(s->vk.device, s->timelines[i], NULL);
    vkDestroySemaphore(s->vk.device, s->gate, NULL);
    vk_destroy(&s->vk);
    samples_finish(&s->submit_ms);
    samples_finish(&s->batch_ms);
}

static VkCommandBuffer record(struct stress *s, uint32_t i, const struct submit *submit)
{
    VkCommandBuffer commands = vk_begin(&s->vk);

    vkCmdFillBuffer(commands, s->slots.buffer, i * sizeof(struct slot), 4, submit->number);
    if (submit->after != NOBODY)
        vkCmdCopyBuffer(commands, s->slots.buffer, s->slots.buffer, 1,
                        &(VkBufferCopy){ .srcOffset = submit->after * sizeof(struct slot),
                                         .dstOffset = i * sizeof(struct slot) + 4,
                                         .size = 4 });
    vk_show_to_cpu(commands);
    VK_CHECK(vkEndCommandBuffer(commands));
    return commands;
}

/* Submits number i of the batch to any queue, after any earlier one or none; and after the gate. */
static void submit_one(struct stress *s, uint32_t i, bool gated)
{
    struct submit *submit = &s->submits[i];
    const VkPipelineStageFlags stages[2] = { VK_PIPELINE_STAGE_ALL_COMMANDS_BIT,
                                             VK_PIPELINE_STAGE_ALL_COMMANDS_BIT };
    VkSemaphore waits[2];
    uint64_t values[2];
    uint32_t wait_count = 0;

    submit->number = ++s->numbers;
    submit->exported = false;
    submit->queue = chance_below(&s->chance, s->vk.queue_count);
    submit->value = ++s->values[submit->queue];
    submit->after = i > 0 && chance_below(&s->chance, 4) ? chance_below(&s->chance, i) : NOBODY;
    submit->commands = record(s, i, submit);
    if (submit->after != NOBODY) {
        const struct submit *before = &s->submits[submit->after];
        waits[wait_count] = s->timelines[before->queue];
        values[wait_count++] = before->value;
    }
    if (gated) {
        waits[wait_count] = s->gate;
        values[wait_count++] = s->opened + 1;
    }
    const VkTimelineSemaphoreSubmitInfo timelines = {
        .sType = VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO,
        .waitSemaphoreValueCount = wait_count,
        .pWaitSemaphoreValues = values,
        .signalSemaphoreValueCount = 1,
        .pSignalSemaphoreValues = &submit->value,
    };
    double start = now_ms();
    VK_CHECK(vkQueueSubmit(s->vk.queues[submit->queue], 1,
                           &(VkSubmitInfo){
                               .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                               .pNext = &timelines,
                               .waitSemaphoreCount = wait_count,
                               .pWaitSemaphores = waits,
                               .pWaitDstStageMask = stages,
                               .commandBufferCount = 1,
                               .pCommandBuffers = &submit->commands,
                               .signalSemaphoreCount = 1,
                               .pSignalSemaphores = &s->timelines[submit->queue],
                           },
                           submit->fence));
    samples_add(&s->submit_ms, now_ms() - start);
}

static void open_gate(struct stress *s)
{
    for (uint32_t i = 0; i < BATCH; i++) {
        if (vkGetFenceStatus(s->vk.device, s->submits[i].fence) != VK_NOT_READY)
            die("submit %u was done before the CPU let it begin", s->submits[i].number);
    }
    VK_CHECK(vkSignalSemaphore(
        s->vk.device, &(VkSemaphoreSignalInfo){ .sType = VK_STRUCTURE_TYPE_SEMAPHORE_SIGNAL_INFO,
                                                .semaphore = s->gate,
                                                .value = ++s->opened }));
}

static bool is_done(const struct stress *s, const struct submit *submit)
{
    uint64_t value;

    VK_CHECK(vkGetSemaphoreCounterValue(s->vk.device, s->timelines[submit->queue], &value));
    return value >= submit->value;
}

static VkResult wait_for_sync_file(const struct stress *s, struct submit *submit)
{
    struct pollfd file = { .fd = -1, .events = POLLIN };

    VK_CHECK(
        s->get_fence_fd(s->vk.device,
                        &(VkFenceGetFdInfoKHR){ .sType = VK_STRUCTURE_TYPE_FENCE_GET_FD_INFO_KHR,
                                                .fence = submit->fence,
                                                .handleType = SYNC_FD },
                        &file.fd));
    submit->exported = true;
    if (file.fd < 0) /* it had signalled already */
        return VK_SUCCESS;
    int ready = poll(&file, 1, PATIENCE);
    close(file.fd);
    return ready == 1 && file.revents == POLLIN ? VK_SUCCESS : VK_TIMEOUT;
}

/* The ways to wait for one submit. Those of a window system's kind come last; not all drivers can. */
static void wait_for(struct stress *s, struct submit *submit)
{
    const double start = now_ms();
    const uint32_t way = chance_below(&s->chance, s->get_fence_fd ? 5 : 4);
    VkResult result = VK_SUCCESS;

    switch (way) {
    case 0:
        result = vkWaitForFences(s->vk.device, 1, &submit->fence, VK_TRUE, PATIENCE * NS_PER_MS);
        break;
    case 1:
        result =
            vkWaitSemaphores(s->vk.device,
                             &(VkSemaphoreWaitInfo){ .sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO,
                                                     .semaphoreCount = 1,
                                                     .pSemaphores = &s->timelines[submit->queue],
                                                     .pValues = &submit->value },
                             PATIENCE * NS_PER_MS);
        break;
    case 2:
        do
            result = vkGetFenceStatus(s->vk.device, submit->fence);
        while (result == VK_NOT_READY && now_ms() - start < PATIENCE);
        break;
    case 3:
        do
            result = is_done(s, submit) ? VK_SUCCESS : VK_TIMEOUT;
        while (result == VK_TIMEOUT && now_ms() - start < PATIENCE);
        break;
    case 4:
        result = wait_for_sync_file(s, submit);
        break;
    }
    if (result != VK_SUCCESS)
        die("submit %u was not done after %.0f ms (way to wait %u, VkResult %d)", submit->number,
            now_ms() - start, way, result);
}

/* What a submit that is done has written, and so has the one that it waited for. */
static void check(const struct stress *s, uint32_t i)
{
    const struct submit *submit = &s->submits[i];
    const volatile struct slot *slots = s->slots.data;

    if (slots[i].number != submit->number)
        die("submit %u is done, but its slot holds %u", submit->number, slots[i].number);
    if (submit->after == NOBODY)
        return;
    const struct submit *before = &s->submits[submit->after];
    if (slots[i].seen != before->number)
        die("submit %u did not wait for %u: it saw %u", submit->number, before->number,
            slots[i].seen);
    if (!is_done(s, before))
        die("submit %u is done, but %u before it is not", submit->number, before->number);
}

/* All together, or one after the other: in order, backwards or in any order, each in any way. */
static void wait_for_batch(struct stress *s)
{
    const uint32_t order = chance_below(&s->chance, 4);
    uint32_t turns[BATCH], left = 0;
    VkFence fences[BATCH];

    for (uint32_t i = 0; i < BATCH; i++) {
        turns[i] = order == 1 ? BATCH - 1 - i : i;
        fences[i] = s->submits[i].fence;
    }
    if (order == 2)
        chance_shuffle(&s->chance, turns, BATCH);
    if (order == 3)
        VK_CHECK(vkWaitForFences(s->vk.device, BATCH, fences, VK_TRUE, PATIENCE * NS_PER_MS));
    for (uint32_t i = 0; i < BATCH; i++) {
        wait_for(s, &s->submits[turns[i]]);
        check(s, turns[i]);
    }
    /* A timeline can be ahead of the fence of the same submit, which must not be reset too early. */
    for (uint32_t i = 0; i < BATCH; i++) {
        if (!s->submits[i].exported)
            fences[left++] = s->submits[i].fence;
    }
    if (left)
        VK_CHECK(vkWaitForFences(s->vk.device, left, fences, VK_TRUE, PATIENCE * NS_PER_MS));
    for (uint32_t i = 0; i < BATCH; i++) {
        VK_CHECK(vkResetFences(s->vk.device, 1, &s->submits[i].fence));
        vkFreeCommandBuffers(s->vk.device, s->vk.pool, 1, &s->submits[i].commands);
    }
}

int main(int argc, char **argv)
{
    struct example example = example_options(argc, argv, 5000);
    struct stress s = { 0 };

    example_without_picture(&example);
    create(&s, option(argc, argv, "--seed", 1));
    while (example_goes_on(&example, s.numbers)) {
        bool gated = chance_below(&s.chance, 2);
        double start = now_ms();
        for (uint32_t i = 0; i < BATCH; i++)
            submit_one(&s, i, gated);
        if (gated)
            open_gate(&s);
        wait_for_batch(&s);
        samples_add(&s.batch_ms, now_ms() - start);
    }
    example_begin_report(&example, &s.vk);
    printf(", \"queues\": %u, \"submits\": %u, \"gates\": %llu, \"sync_files\": %s, ",
           s.vk.queue_count, s.numbers, (unsigned long long)s.opened,
           s.get_fence_fd ? "true" : "false");
    samples_print(&s.submit_ms, "submit_ms");
    printf(", ");
    samples_print(&s.batch_ms, "batch_ms");
    example_end_report();
    destroy(&s);
    return 0;
}
