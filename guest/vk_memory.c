/* SPDX-License-Identifier: MIT */
/*
 * Times memory that a Vulkan program and its device share: vkAllocateMemory, vkMapMemory, every
 * page written and read, vkUnmapMemory, vkFreeMemory.
 *
 *   vk_memory [--rounds 200] [--others 0] [--size 65536] [--warmup 10] [--seconds 0]
 *
 * cycle_ms is all of it; allocate_ms, map_ms and free_ms are the calls by those names (unmapping
 * is part of free_ms). `others` allocations of the same size stay mapped meanwhile, and at the end
 * still hold what they were given. After --seconds it stops as blob_cycle does.
 *
 * Mesa's Venus makes one blob of the device for each allocation that is mapped, from one page on,
 * and lets go of it when it is freed, so that every round reaches the device: its counters say so
 * (blobs-created). It does not wait for the answers to vkAllocateMemory and vkFreeMemory; what they
 * take on the host shows in the next vkMapMemory, and so in cycle_ms. A device that never answers
 * leaves the program asleep in the kernel, which no --seconds ends: who runs it needs a limit too.
 */
#include <stdlib.h>
#include <unistd.h>

#include "common.h"
#include "vk.h"

#define PAGE 4096u

struct allocation {
    VkDeviceMemory memory;
    uint64_t *words;
};

/* A value that no other page of any other allocation has. */
static uint64_t pattern(uint64_t id, uint64_t page)
{
    return (id << 32 | page) * UINT64_C(0x9e3779b97f4a7c15) + 1;
}

static void fill(uint64_t *words, uint64_t size, uint64_t id)
{
    for (uint64_t page = 0; page < size / PAGE; page++)
        words[page * (PAGE / sizeof *words)] = pattern(id, page);
}

static void check(const uint64_t *words, uint64_t size, uint64_t id)
{
    for (uint64_t page = 0; page < size / PAGE; page++) {
        uint64_t seen = words[page * (PAGE / sizeof *words)];
        if (seen != pattern(id, page))
            die("page %llu of allocation %llu holds %#llx where %#llx was written",
                (unsigned long long)page, (unsigned long long)id, (unsigned long long)seen,
                (unsigned long long)pattern(id, page));
    }
}

static VkDeviceMemory allocate(const struct vk *vk, uint64_t size, uint32_t type)
{
    VkDeviceMemory memory;

    VK_CHECK(
        vkAllocateMemory(vk->device,
                         &(VkMemoryAllocateInfo){ .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                                  .allocationSize = size,
                                                  .memoryTypeIndex = type },
                         NULL, &memory));
    return memory;
}

static uint64_t *map(const struct vk *vk, VkDeviceMemory memory)
{
    void *data;

    VK_CHECK(vkMapMemory(vk->device, memory, 0, VK_WHOLE_SIZE, 0, &data));
    return data;
}

static void release(const struct vk *vk, VkDeviceMemory memory)
{
    vkUnmapMemory(vk->device, memory);
    vkFreeMemory(vk->device, memory, NULL);
}

int main(int argc, char **argv)
{
    long rounds = option(argc, argv, "--rounds", 200);
    long warmup = option(argc, argv, "--warmup", 10);
    long count = option(argc, argv, "--others", 0);
    uint64_t size = (uint64_t)option(argc, argv, "--size", 65536);
    struct samples cycle = { 0 }, allocate_ms = { 0 }, map_ms = { 0 }, free_ms = { 0 };
    const char *stopped = NULL;
    long mapped = 0;
    struct vk vk;

    if (rounds < 1 || warmup < 0 || count < 0 || size < PAGE || size % PAGE)
        die("--rounds must be at least 1 and --size a multiple of %u", PAGE);
    struct allocation *others = calloc((size_t)count + 1, sizeof *others);
    if (!others)
        die("no memory for %ld allocations", count);
    vk_create(&vk, 0, NULL);
    uint32_t type =
        vk_memory_type(&vk, UINT32_MAX,
                       VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT);
    struct deadline deadline = deadline_option(argc, argv);
    for (; mapped < count; mapped++) {
        if (deadline_passed(&deadline)) {
            stopped = "setup";
            break;
        }
        others[mapped].memory = allocate(&vk, size, type);
        others[mapped].words = map(&vk, others[mapped].memory);
        fill(others[mapped].words, size, (uint64_t)mapped);
    }

    for (long i = -warmup; i < rounds && !stopped; i++) {
        if (deadline_passed(&deadline)) {
            stopped = "rounds";
            break;
        }
        uint64_t id = (uint64_t)(count + warmup + i);
        double t0 = now_ms();
        VkDeviceMemory memory = allocate(&vk, size, type);
        double t1 = now_ms();
        uint64_t *words = map(&vk, memory);
        double t2 = now_ms();
        fill(words, size, id);
        check(words, size, id);
        double t3 = now_ms();
        release(&vk, memory);
        double t4 = now_ms();
        if (i >= 0) {
            samples_add(&cycle, t4 - t0);
            samples_add(&allocate_ms, t1 - t0);
            samples_add(&map_ms, t2 - t1);
            samples_add(&free_ms, t4 - t3);
        }
    }

    for (long i = 0; i < mapped && !stopped; i++) {
        check(others[i].words, size, (uint64_t)i);
        release(&vk, others[i].memory);
    }
    printf("{\"program\": \"vk_memory\", ");
    vk_print_device(&vk);
    printf(", \"others\": %ld, \"others_mapped\": %ld, \"size\": %llu, ", count, mapped,
           (unsigned long long)size);
    deadline_print(&deadline, stopped);
    printf(", ");
    samples_print(&cycle, "cycle_ms");
    printf(", ");
    samples_print(&allocate_ms, "allocate_ms");
    printf(", ");
    samples_print(&map_ms, "map_ms");
    printf(", ");
    samples_print(&free_ms, "free_ms");
    printf("}\n");
    if (stopped) { /* the process's end frees the others, without Vulkan going through them */
        fflush(stdout);
        _exit(0);
    }
    struct samples *all[] = { &cycle, &allocate_ms, &map_ms, &free_ms };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        samples_finish(all[i]);
    free(others);
    vk_destroy(&vk);
    return 0;
}
