/* SPDX-License-Identifier: MIT */
/*
 * Whether the processor and the Vulkan device see what the other has written to memory that both have, and at once.
 *
 *   coherency [--rounds 50] [--size 1048576] [--seconds 0]
 *
 * device_to_cpu  the device fills a mapped buffer, another value in each round, and the processor looks at every page.
 * cpu_to_device  the processor writes to a mapped buffer, the device copies that to its own memory and from there to
 *                a second mapped buffer, and the processor looks at every page there.
 *
 * `stale` counts the pages that still hold what was there before, `wrong` those that hold something else, and `later`
 * those of both that were right 100 ms after. The memory is coherent by Vulkan's word, so each of these is to be 0; if not,
 * the program ends with status 1. A guest on a Mac was reported to see stale pages (docs/macos.md).
 */
#define _GNU_SOURCE
#include <time.h>
#include <unistd.h>

#include "common.h"
#include "vk.h"

#define PAGE  4096u
#define FIRST 0x11111111u /* no round's value */

struct counts {
    long pages, stale, wrong, later;
};

/* Every 32-bit word of a page is the same, and says page and round. */
static uint32_t value(long round, uint64_t page)
{
    return (uint32_t)(round + 1) * 2654435761u + (uint32_t)page * 40503u;
}

static uint32_t word_of(const struct vk_buffer *buffer, uint64_t page)
{
    return ((const volatile uint32_t *)buffer->data)[(page + 1) * (PAGE / 4) - 1];
}

static uint32_t expected(long round, uint64_t page, bool by_page)
{
    return round < 0 ? FIRST : value(round, by_page ? page : 0);
}

static void look(struct counts *counts, const struct vk_buffer *buffer, long round, bool by_page)
{
    uint64_t pages = buffer->size / PAGE;
    long bad = 0, still_bad = 0;

    for (uint64_t page = 0; page < pages; page++) {
        uint32_t seen = word_of(buffer, page);

        if (seen == expected(round, page, by_page))
            continue;
        bad++;
        if (seen == expected(round - 1, page, by_page) || seen == FIRST)
            counts->stale++;
        else
            counts->wrong++;
    }
    counts->pages += (long)pages;
    if (!bad)
        return;
    nanosleep(&(struct timespec){ .tv_nsec = 100 * 1000 * 1000 }, NULL);
    for (uint64_t page = 0; page < pages; page++)
        still_bad += word_of(buffer, page) != expected(round, page, by_page);
    counts->later += bad - still_bad;
}

static void write_pages(const struct vk_buffer *buffer, long round)
{
    uint32_t *words = buffer->data;

    for (uint64_t page = 0; page < buffer->size / PAGE; page++) {
        for (uint32_t i = 0; i < PAGE / 4; i++)
            words[page * (PAGE / 4) + i] = value(round, page);
    }
}

static void copy(VkCommandBuffer commands, const struct vk_buffer *from, const struct vk_buffer *to)
{
    vkCmdCopyBuffer(commands, from->buffer, to->buffer, 1,
                    &(VkBufferCopy){ .size = from->size < to->size ? from->size : to->size });
}

static void print_counts(const struct counts *counts, const char *name)
{
    printf("\"%s\": {\"pages\": %ld, \"stale\": %ld, \"wrong\": %ld, \"later\": %ld}", name,
           counts->pages, counts->stale, counts->wrong, counts->later);
}

int main(int argc, char **argv)
{
    long rounds = option(argc, argv, "--rounds", 50), done = 0;
    uint64_t size = (uint64_t)option(argc, argv, "--size", 1 << 20);
    const VkBufferUsageFlags both =
        VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT;
    struct counts from_device = { 0 }, from_cpu = { 0 };
    const char *stopped = NULL;
    struct vk vk;

    if (rounds < 1 || size < PAGE || size % PAGE)
        die("--rounds must be at least 1 and --size a multiple of %u", PAGE);
    struct deadline deadline = deadline_option(argc, argv);
    vk_create(&vk, 0, NULL);
    struct vk_buffer filled = vk_buffer_create(&vk, size, both);
    struct vk_buffer written = vk_buffer_create(&vk, size, both);
    struct vk_buffer local = vk_local_create(&vk, size, both);
    struct vk_buffer seen = vk_buffer_create(&vk, size, both);
    const struct vk_buffer *mapped[] = { &filled, &seen };

    for (size_t i = 0; i < 2; i++) {
        for (uint64_t word = 0; word < size / 4; word++)
            ((uint32_t *)mapped[i]->data)[word] = FIRST;
    }
    for (; done < rounds && !stopped; done++) {
        write_pages(&written, done);
        VkCommandBuffer commands = vk_begin(&vk);
        vkCmdFillBuffer(commands, filled.buffer, 0, VK_WHOLE_SIZE, value(done, 0));
        copy(commands, &written, &local);
        vk_order(commands);
        copy(commands, &local, &seen);
        vk_show_to_cpu(commands);
        vk_end(&vk, commands); /* and waits until it is done */
        look(&from_device, &filled, done, false);
        look(&from_cpu, &seen, done, true);
        if (deadline_passed(&deadline))
            stopped = "rounds";
    }

    bool bad = from_device.stale || from_device.wrong || from_cpu.stale || from_cpu.wrong;
    printf("{\"program\": \"coherency\", ");
    vk_print_device(&vk);
    printf(", \"page_size\": %ld, \"rounds\": %ld, ", sysconf(_SC_PAGESIZE), done);
    deadline_print(&deadline, stopped);
    printf(", ");
    print_counts(&from_device, "device_to_cpu");
    printf(", ");
    print_counts(&from_cpu, "cpu_to_device");
    printf("}\n");
    vk_buffer_destroy(&vk, &seen);
    vk_buffer_destroy(&vk, &local);
    vk_buffer_destroy(&vk, &written);
    vk_buffer_destroy(&vk, &filled);
    vk_destroy(&vk);
    return bad;
}
