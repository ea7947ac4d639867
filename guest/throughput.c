/* SPDX-License-Identifier: MIT */
/*
 * Keeps the device at one kind of work, and says how long each round of it takes.
 *
 *   throughput --what KIND [--in-flight 1] [--count N] [--size N] [--warmup-seconds 1] [--seconds 3]
 *
 * fills    --count (200) times vkCmdFillBuffer of --size (64) MiB of the device's memory, one after the other
 * little   --count (10000) times vkCmdFillBuffer of 256 bytes, each elsewhere
 * draws    --count (10000) triangles, each with its own push constants
 * product  --count (1) products of two matrices of --size (2048) x --size whole numbers; needs Vulkan 1.2
 * up       --count (1) copies of --size (256) MiB from memory that the processor sees to the device's own
 * down     the same the other way, to memory that the processor caches, if there is such
 *
 * A round is recorded, submitted and waited for, with up to --in-flight on their way at a time; round_ms is from one
 * round's end to the next one's, record_ms what the processor recorded in. The first second is not counted, in which the
 * device's clocks rise. gpu_ms is what the device itself took, by its timestamps, in ten more rounds, one at a time.
 */
#include <string.h>

#include "common.h"
#include "kernel.h"
#include "product.comp.h"
#include "target.h"
#include "tint.frag.h"
#include "triangle.vert.h"

#define MIB            ((VkDeviceSize)1 << 20)
#define MOST_IN_FLIGHT 8
#define TIMED_ROUNDS   10
#define SIDE           64u /* of the picture that is drawn on: what is drawn there costs next to nothing */
#define ADDRESSED      (VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_SHADER_DEVICE_ADDRESS_BIT)
#define COPIED         (VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT)

/* As shaders/triangle.vert has it. */
struct push {
    float cosine, sine, aspect;
};

struct load {
    const struct kind *kind;
    struct vk vk;
    long count, size, in_flight;
    struct vk_buffer buffers[3];
    struct kernel product;
    struct target target;
    VkPipelineLayout layout;
    VkPipeline pipeline;
    struct samples round_ms, record_ms, gpu_ms;
};

struct kind {
    const char *name;
    long count, size;
    unsigned wants;
    void (*create)(struct load *l);
    void (*record)(struct load *l, VkCommandBuffer commands);
};

static void create_fills(struct load *l)
{
    l->buffers[0] = vk_local_create(&l->vk, (VkDeviceSize)l->size * MIB, COPIED);
}

static void record_fills(struct load *l, VkCommandBuffer commands)
{
    for (long i = 0; i < l->count; i++) {
        vk_order(commands);
        vkCmdFillBuffer(commands, l->buffers[0].buffer, 0, VK_WHOLE_SIZE, (uint32_t)i);
    }
}

static void create_little(struct load *l)
{
    l->buffers[0] = vk_local_create(&l->vk, 256 * (VkDeviceSize)l->count, COPIED);
}

static void record_little(struct load *l, VkCommandBuffer commands)
{
    for (long i = 0; i < l->count; i++)
        vkCmdFillBuffer(commands, l->buffers[0].buffer, 256 * (VkDeviceSize)i, 256, (uint32_t)i);
}

static void create_draws(struct load *l)
{
    const VkFormat format = VK_FORMAT_R8G8B8A8_UNORM;

    target_create(&l->target, &l->vk, format, VK_FORMAT_UNDEFINED, SIDE, SIDE);
    VK_CHECK(vkCreatePipelineLayout(
        l->vk.device,
        &(VkPipelineLayoutCreateInfo){
            .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
            .pushConstantRangeCount = 1,
            .pPushConstantRanges =
                &(VkPushConstantRange){ VK_SHADER_STAGE_VERTEX_BIT, 0, sizeof(struct push) } },
        NULL, &l->layout));
    l->pipeline = vk_pipeline_create(&l->vk, &(struct vk_pipeline_needs){
                                                 .layout = l->layout,
                                                 .format = format,
                                                 .width = SIDE,
                                                 .height = SIDE,
                                                 .vertex = triangle_vert,
                                                 .vertex_size = sizeof triangle_vert,
                                                 .fragment = tint_frag,
                                                 .fragment_size = sizeof tint_frag,
                                             });
}

static void record_draws(struct load *l, VkCommandBuffer commands)
{
    const float behind[4] = { 0.1f, 0.1f, 0.1f, 1.0f };
    struct push push = { 1, 0, 1 };

    target_begin(&l->target, commands, behind);
    vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_GRAPHICS, l->pipeline);
    for (long i = 0; i < l->count; i++) {
        push.aspect = 1.0f + (float)i / (float)l->count;
        vkCmdPushConstants(commands, l->layout, VK_SHADER_STAGE_VERTEX_BIT, 0, sizeof push, &push);
        vkCmdDraw(commands, 3, 1, 0, 0);
    }
    target_end(&l->target, commands);
}

static void create_product(struct load *l)
{
    for (int i = 0; i < 3; i++)
        l->buffers[i] = vk_local_create(&l->vk, 4 * (VkDeviceSize)l->size * (VkDeviceSize)l->size,
                                        ADDRESSED | COPIED);
    kernel_create(&l->product, &l->vk, product_comp, sizeof product_comp,
                  3 * sizeof(VkDeviceAddress) + sizeof(uint32_t));
}

static void record_product(struct load *l, VkCommandBuffer commands)
{
    const uint32_t groups = ((uint32_t)l->size + 15) / 16;
    struct {
        VkDeviceAddress a, b, c;
        uint32_t n;
    } push = { vk_address(&l->vk, &l->buffers[0]), vk_address(&l->vk, &l->buffers[1]),
               vk_address(&l->vk, &l->buffers[2]), (uint32_t)l->size };

    for (long i = 0; i < l->count; i++)
        kernel_run(&l->product, commands, &push, groups, groups);
}

static void create_up(struct load *l)
{
    const VkDeviceSize size = (VkDeviceSize)l->size * MIB;

    l->buffers[0] = vk_buffer_create(&l->vk, size, COPIED);
    l->buffers[1] = vk_local_create(&l->vk, size, COPIED);
    memset(l->buffers[0].data, 0x5a, size);
}

static void create_down(struct load *l)
{
    const VkDeviceSize size = (VkDeviceSize)l->size * MIB;

    l->buffers[0] = vk_local_create(&l->vk, size, COPIED);
    l->buffers[1] = vk_readback_create(&l->vk, size);
}

static void record_copies(struct load *l, VkCommandBuffer commands)
{
    const VkBufferCopy all = { .size = l->buffers[0].size };

    for (long i = 0; i < l->count; i++) {
        vk_order(commands);
        vkCmdCopyBuffer(commands, l->buffers[0].buffer, l->buffers[1].buffer, 1, &all);
    }
    vk_show_to_cpu(commands);
}

static const struct kind kinds[] = {
    { "fills", 200, 64, 0, create_fills, record_fills },
    { "little", 10000, 1, 0, create_little, record_little },
    { "draws", 10000, 1, 0, create_draws, record_draws },
    { "product", 1, 2048, VK_WANT_ADDRESSES, create_product, record_product },
    { "up", 1, 256, 0, create_up, record_copies },
    { "down", 1, 256, 0, create_down, record_copies },
};

static const struct kind *find_kind(const char *name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    }
    die("--what is fills, little, draws, product, up or down, not \"%s\"", name);
}

static struct vk_work start_round(struct load *l, bool counted)
{
    double start = now_ms();
    VkCommandBuffer commands = vk_begin(&l->vk);

    vk_order(commands); /* the round before it has the same buffers */
    l->kind->record(l, commands);
    if (counted)
        samples_add(&l->record_ms, now_ms() - start);
    return vk_submit(&l->vk, commands);
}

static void measure(struct load *l, double warmup_ms, double ms)
{
    struct vk_work works[MOST_IN_FLIGHT];
    const double start = now_ms();
    double last = start;
    long begun = 0, done = 0;

    for (bool more = true; more || done < begun;) {
        if (begun - done == l->in_flight || !more) {
            vk_finish(&l->vk, &works[done++ % l->in_flight]);
            double now = now_ms();
            if (more && last - start >= warmup_ms)
                samples_add(&l->round_ms, now - last);
            last = now;
            /* One that is counted at least, however slow. */
            more = more && (now - start < warmup_ms + ms || !l->round_ms.count);
            continue;
        }
        works[begun % l->in_flight] = start_round(l, last - start >= warmup_ms);
        begun++;
    }
}

/* Leaves no sample where the queue has no timestamps. */
static void measure_device(struct load *l)
{
    VkQueueFamilyProperties families[16];
    VkPhysicalDeviceProperties properties;
    uint32_t count = 16;
    VkQueryPool pool;

    vkGetPhysicalDeviceQueueFamilyProperties(l->vk.physical, &count, families);
    vkGetPhysicalDeviceProperties(l->vk.physical, &properties);
    if (!families[l->vk.family].timestampValidBits)
        return;
    VK_CHECK(vkCreateQueryPool(
        l->vk.device,
        &(VkQueryPoolCreateInfo){ .sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
                                  .queryType = VK_QUERY_TYPE_TIMESTAMP,
                                  .queryCount = 2 },
        NULL, &pool));
    for (int i = 0; i < TIMED_ROUNDS; i++) {
        uint64_t ticks[2];
        VkCommandBuffer commands = vk_begin(&l->vk);
        vkCmdResetQueryPool(commands, pool, 0, 2);
        vkCmdWriteTimestamp(commands, VK_PIPELINE_STAGE_TOP_OF_PIPE_BIT, pool, 0);
        l->kind->record(l, commands);
        vkCmdWriteTimestamp(commands, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, pool, 1);
        vk_end(&l->vk, commands);
        VK_CHECK(vkGetQueryPoolResults(l->vk.device, pool, 0, 2, sizeof ticks, ticks, sizeof *ticks,
                                       VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WAIT_BIT));
        samples_add(&l->gpu_ms, (double)(ticks[1] - ticks[0]) *
                                    (double)properties.limits.timestampPeriod / 1e6);
    }
    vkDestroyQueryPool(l->vk.device, pool, NULL);
}

static void destroy(struct load *l)
{
    if (l->pipeline) {
        vkDestroyPipeline(l->vk.device, l->pipeline, NULL);
        vkDestroyPipelineLayout(l->vk.device, l->layout, NULL);
        target_destroy(&l->target, &l->vk);
    }
    if (l->product.pipeline)
        kernel_destroy(&l->product, &l->vk);
    for (int i = 0; i < 3; i++)
        vk_buffer_destroy(&l->vk, &l->buffers[i]);
    vk_destroy(&l->vk);
    samples_finish(&l->round_ms);
    samples_finish(&l->record_ms);
    samples_finish(&l->gpu_ms);
}

int main(int argc, char **argv)
{
    struct load l = { .kind = find_kind(option_text(argc, argv, "--what", "fills")) };
    long seconds = option(argc, argv, "--seconds", 3);
    long warmup = option(argc, argv, "--warmup-seconds", 1);

    l.count = option(argc, argv, "--count", l.kind->count);
    l.size = option(argc, argv, "--size", l.kind->size);
    l.in_flight = option(argc, argv, "--in-flight", 1);
    if (l.count < 1 || l.count > 1000000 || l.size < 1 || l.size > 16384 || l.in_flight < 1 ||
        l.in_flight > MOST_IN_FLIGHT || seconds < 0 || warmup < 0)
        die("--count is 1 to 1000000, --size 1 to 16384, --in-flight 1 to %d", MOST_IN_FLIGHT);
    vk_open(&l.vk);
    if (l.kind->wants)
        vk_want(&l.vk, l.kind->wants);
    vk_create_device(&l.vk, 0, NULL);
    l.kind->create(&l);
    measure(&l, 1e3 * (double)warmup, 1e3 * (double)seconds);
    measure_device(&l);
    printf("{\"program\": \"throughput\", ");
    vk_print_device(&l.vk);
    printf(", \"what\": \"%s\", \"count\": %ld, \"size\": %ld, \"in_flight\": %ld, ", l.kind->name,
           l.count, l.size, l.in_flight);
    samples_print(&l.round_ms, "round_ms");
    printf(", ");
    samples_print(&l.record_ms, "record_ms");
    printf(", ");
    samples_print(&l.gpu_ms, "gpu_ms");
    printf("}\n");
    destroy(&l);
    return 0;
}
