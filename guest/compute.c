/* SPDX-License-Identifier: MIT */
/*
 * Computing with Vulkan, each result checked against the CPU's: a product of matrices, running sums
 * over a long row of numbers, and a large buffer that goes there and back.
 *
 *   compute [--matrix 256] [--count 1000003] [--size 256] [--frames 1] [--seconds 0]
 *           [--png FILE] [--json FILE]
 *
 * --matrix is the matrices' side, --count how many numbers are added up, --size the buffer in MiB,
 * --frames how often all is done. Whole numbers wrap around the same way everywhere, so nothing may
 * differ. The picture is the product, a pixel for each of its numbers.
 */
#include <stdint.h>
#include <stdlib.h>

#include "carry.comp.h"
#include "example.h"
#include "kernel.h"
#include "png.h"
#include "product.comp.h"
#include "scan.comp.h"
#include "stir.comp.h"

#define BLOCK    256u /* what one group of scan.comp and carry.comp works on */
#define FACTOR   2654435761u
#define MAX_SIDE 4096   /* of a matrix */
#define MAX_MIB  2048   /* of the buffer: its words are counted in 32 bits, and so are its bytes */
#define GROUPS   65535u /* the most that every driver runs at once, in one direction */
#define SHARED   (VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_SHADER_DEVICE_ADDRESS_BIT)

struct sizes {
    uint32_t side, count, words;
};

static struct sizes sizes_option(int argc, char **argv)
{
    long side = option(argc, argv, "--matrix", 256);
    long count = option(argc, argv, "--count", 1000003);
    long mib = option(argc, argv, "--size", 256);

    if (side < 1 || side > MAX_SIDE || count < 1 || count > (long)(BLOCK * GROUPS) || mib < 1 ||
        mib > MAX_MIB)
        die("--matrix is 1 to %d, --count 1 to %u, --size 1 to %d", MAX_SIDE, BLOCK * GROUPS,
            MAX_MIB);
    return (struct sizes){ (uint32_t)side, (uint32_t)count, (uint32_t)mib << 18 };
}

/* Numbers that look like nothing in particular, the same each time. */
static void fill(uint32_t *words, uint32_t count, uint32_t seed)
{
    for (uint32_t i = 0; i < count; i++)
        words[i] = (i + seed) * FACTOR;
}

static void time_end(const struct vk *vk, VkCommandBuffer commands, struct samples *ms)
{
    vk_show_to_cpu(commands);
    double start = now_ms();
    vk_end(vk, commands);
    samples_add(ms, now_ms() - start);
}

static void check_product(const uint32_t *a, const uint32_t *b, const uint32_t *c, uint32_t n)
{
    uint32_t *row = malloc(n * sizeof *row);

    if (!row)
        die("no memory for %u numbers", n);
    for (uint32_t y = 0; y < n; y++) {
        for (uint32_t x = 0; x < n; x++)
            row[x] = 0;
        for (uint32_t k = 0; k < n; k++) {
            for (uint32_t x = 0; x < n; x++)
                row[x] += a[y * n + k] * b[k * n + x];
        }
        for (uint32_t x = 0; x < n; x++) {
            if (c[y * n + x] != row[x])
                die("the product's row %u, column %u is %u; the CPU says %u", y, x, c[y * n + x],
                    row[x]);
        }
    }
    free(row);
}

static void multiply(const struct vk *vk, uint32_t n, const char *png, struct samples *ms)
{
    struct vk_buffer matrices[3];
    VkDeviceAddress at[3];
    struct kernel product;

    for (int i = 0; i < 3; i++) {
        matrices[i] = vk_buffer_create(vk, 4 * (VkDeviceSize)n * n, SHARED);
        at[i] = vk_address(vk, &matrices[i]);
        fill(matrices[i].data, n * n, (uint32_t)i);
    }
    struct {
        VkDeviceAddress a, b, c;
        uint32_t n;
    } push = { at[0], at[1], at[2], n };
    kernel_create(&product, vk, product_comp, sizeof product_comp, sizeof push);
    VkCommandBuffer commands = vk_begin(vk);
    kernel_run(&product, commands, &push, (n + 15) / 16, (n + 15) / 16);
    time_end(vk, commands, ms);
    check_product(matrices[0].data, matrices[1].data, matrices[2].data, n);
    if (png)
        png_write(png, matrices[2].data, n, n);
    kernel_destroy(&product, vk);
    for (int i = 0; i < 3; i++)
        vk_buffer_destroy(vk, &matrices[i]);
}

/* Running sums: within blocks; then those of the blocks' sums, in the same way; then both added. */
static void add_up(const struct vk *vk, const struct kernel *scan, const struct kernel *carry,
                   VkCommandBuffer commands, VkDeviceAddress words, uint32_t count)
{
    const uint32_t blocks = (count + BLOCK - 1) / BLOCK;
    const struct {
        VkDeviceAddress words, sums;
        uint32_t count;
    } push = { words, words + 4 * (VkDeviceAddress)count, count };

    kernel_run(scan, commands, &push, blocks, 1);
    if (blocks == 1)
        return;
    add_up(vk, scan, carry, commands, push.sums, blocks);
    kernel_run(carry, commands, &push, blocks, 1);
}

static void sum(const struct vk *vk, uint32_t count, struct samples *ms)
{
    const uint32_t push_size = 2 * sizeof(VkDeviceAddress) + sizeof count;
    /* Each level's blocks' sums lie behind it: at most half as many, and one, for 25 levels. */
    struct vk_buffer numbers = vk_buffer_create(vk, 4 * (2 * (VkDeviceSize)count + 25), SHARED);
    const uint32_t *sums = numbers.data;
    struct kernel scan, carry;
    uint32_t seen = 0;

    fill(numbers.data, count, 3);
    kernel_create(&scan, vk, scan_comp, sizeof scan_comp, push_size);
    kernel_create(&carry, vk, carry_comp, sizeof carry_comp, push_size);
    VkCommandBuffer commands = vk_begin(vk);
    add_up(vk, &scan, &carry, commands, vk_address(vk, &numbers), count);
    time_end(vk, commands, ms);
    for (uint32_t i = 0; i < count; i++) {
        seen += (i + 3) * FACTOR;
        if (sums[i] != seen)
            die("the sum up to number %u is %u; the CPU says %u", i, sums[i], seen);
    }
    kernel_destroy(&carry, vk);
    kernel_destroy(&scan, vk);
    vk_buffer_destroy(vk, &numbers);
}

/* The CPU's memory to the device's, every word changed there, and back. In between the CPU's memory
 * is wiped by the device, so that what is found there at the end did come back. */
static void round_trip(const struct vk *vk, uint32_t count, struct samples *ms)
{
    const VkBufferCopy all = { .size = 4 * (VkDeviceSize)count };
    const VkBufferUsageFlags copied =
        VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT;
    struct vk_buffer here = vk_buffer_create(vk, all.size, copied);
    struct vk_buffer there = vk_local_create(vk, all.size, SHARED | copied);
    const uint32_t *words = here.data;
    struct {
        VkDeviceAddress words;
        uint32_t count;
    } push = { vk_address(vk, &there), count };
    struct kernel stir;

    fill(here.data, count, 5);
    kernel_create(&stir, vk, stir_comp, sizeof stir_comp, sizeof push);
    VkCommandBuffer commands = vk_begin(vk);
    vkCmdCopyBuffer(commands, here.buffer, there.buffer, 1, &all);
    vk_order(commands);
    vkCmdFillBuffer(commands, here.buffer, 0, all.size, 0);
    kernel_run(&stir, commands, &push, GROUPS < count / BLOCK ? GROUPS : count / BLOCK, 1);
    vk_order(commands);
    vkCmdCopyBuffer(commands, there.buffer, here.buffer, 1, &all);
    time_end(vk, commands, ms);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t wanted = ((i + 5) * FACTOR ^ i) * FACTOR;
        if (words[i] != wanted)
            die("word %u came back as %u; the CPU says %u", i, words[i], wanted);
    }
    kernel_destroy(&stir, vk);
    vk_buffer_destroy(vk, &there);
    vk_buffer_destroy(vk, &here);
}

int main(int argc, char **argv)
{
    struct example example = example_options(argc, argv, 1);
    const struct sizes sizes = sizes_option(argc, argv);
    struct samples product_ms = { 0 }, sum_ms = { 0 }, round_trip_ms = { 0 };
    struct vk vk;

    vk_open(&vk);
    vk_want(&vk, VK_WANT_ADDRESSES);
    vk_create_device(&vk, 0, NULL);
    for (long i = 0; example_goes_on(&example, i); i++) {
        multiply(&vk, sizes.side, example.png, &product_ms);
        sum(&vk, sizes.count, &sum_ms);
        round_trip(&vk, sizes.words, &round_trip_ms);
    }
    example_begin_report(&example, &vk);
    printf(", \"matrix\": %u, \"count\": %u, \"mib\": %u, ", sizes.side, sizes.count,
           sizes.words >> 18);
    samples_print(&product_ms, "product_ms");
    printf(", ");
    samples_print(&sum_ms, "sum_ms");
    printf(", ");
    samples_print(&round_trip_ms, "round_trip_ms");
    example_end_report();
    samples_finish(&product_ms);
    samples_finish(&sum_ms);
    samples_finish(&round_trip_ms);
    vk_destroy(&vk);
    return 0;
}
