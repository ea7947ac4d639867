/* SPDX-License-Identifier: MIT */
/*
 * Makes memories, buffers and images, uses them and frees them, at random: what a long-running
 * program does to a device. Each is filled with numbers of its own when it is made and must still
 * hold them when it is freed, whatever came and went meanwhile.
 *
 *   resource_churn [--frames 10000] [--seconds 0] [--alive 100] [--seed 1] [--json FILE]
 *
 * --frames is how many things are made, --alive how many there may be at once. There are four kinds:
 * memory that the CPU has mapped; buffers that the CPU fills and the device reads; buffers that a
 * shader fills by their address; and images that the device clears.
 */
#include <stdlib.h>

#include "chance.h"
#include "example.h"
#include "kernel.h"
#include "stamp.comp.h"

#define FACTOR     2654435761u
#define MOST_ALIVE 4096
#define MOST_WORDS 65536u /* of one thing: 256 KiB */
#define MOST_SIDE  256u   /* of an image, which so has as many words at most */
#define COPIED     (VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT)

enum kind { MEMORY, MAPPED, ADDRESSED, IMAGE, KINDS };

static const char *const kind_names[KINDS] = { "memories", "mapped", "addressed", "images" };

struct thing {
    bool alive;
    enum kind kind;
    uint32_t owner, words; /* the number that its contents are made of, and how many there are */
    uint32_t width;        /* of an image */
    VkDeviceMemory memory; /* of a memory, and where that is mapped */
    void *data;
    struct vk_buffer buffer;
    struct vk_image image;
};

struct churn {
    struct vk vk;
    struct chance chance;
    struct kernel stamp;
    struct vk_buffer readback;
    uint32_t made[KINDS];
    uint64_t bytes;
    struct samples make_ms, free_ms;
};

/* As shaders/stamp.comp has it. */
struct push {
    VkDeviceAddress words;
    uint32_t owner, count;
};

static void fill(const struct thing *thing, uint32_t *words)
{
    for (uint32_t i = 0; i < thing->words; i++)
        words[i] = (thing->owner + i) * FACTOR;
}

static void check(const struct thing *thing, const uint32_t *words)
{
    for (uint32_t i = 0; i < thing->words; i++) {
        /* An image has one colour all over. */
        uint32_t wanted = (thing->owner + (thing->kind == IMAGE ? 0 : i)) * FACTOR;
        if (words[i] != wanted)
            die("number %u, one of %s: word %u of %u is %08x, not %08x", thing->owner,
                kind_names[thing->kind], i, thing->words, words[i], wanted);
    }
}

static void make_memory(struct churn *c, struct thing *thing)
{
    VK_CHECK(vkAllocateMemory(
        c->vk.device,
        &(VkMemoryAllocateInfo){ .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                 .allocationSize = 4 * (VkDeviceSize)thing->words,
                                 .memoryTypeIndex =
                                     vk_memory_type(&c->vk, UINT32_MAX,
                                                    VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT |
                                                        VK_MEMORY_PROPERTY_HOST_COHERENT_BIT) },
        NULL, &thing->memory));
    VK_CHECK(vkMapMemory(c->vk.device, thing->memory, 0, VK_WHOLE_SIZE, 0, &thing->data));
    fill(thing, thing->data);
}

static void make_addressed(struct churn *c, struct thing *thing)
{
    thing->buffer = vk_local_create(&c->vk, 4 * (VkDeviceSize)thing->words,
                                    COPIED | VK_BUFFER_USAGE_STORAGE_BUFFER_BIT |
                                        VK_BUFFER_USAGE_SHADER_DEVICE_ADDRESS_BIT);
    const struct push push = { vk_address(&c->vk, &thing->buffer), thing->owner, thing->words };
    VkCommandBuffer commands = vk_begin(&c->vk);
    kernel_run(&c->stamp, commands, &push, (thing->words + 63) / 64, 1);
    vk_end(&c->vk, commands);
}

static void make_image(struct churn *c, struct thing *thing)
{
    const VkImageSubresourceRange all = { VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1 };
    const VkClearColorValue colour = { .uint32 = { thing->owner * FACTOR } };

    thing->width = 1 + chance_below(&c->chance, MOST_SIDE);
    uint32_t height = 1 + chance_below(&c->chance, MOST_SIDE);
    thing->words = thing->width * height;
    thing->image =
        vk_image_create(&c->vk, VK_FORMAT_R32_UINT, thing->width, height,
                        VK_IMAGE_USAGE_TRANSFER_SRC_BIT | VK_IMAGE_USAGE_TRANSFER_DST_BIT |
                            VK_IMAGE_USAGE_SAMPLED_BIT);
    VkCommandBuffer commands = vk_begin(&c->vk);
    vk_change_layout(commands, thing->image.image, VK_IMAGE_LAYOUT_UNDEFINED,
                     VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL);
    vkCmdClearColorImage(commands, thing->image.image, VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL,
                         &colour, 1, &all);
    vk_change_layout(commands, thing->image.image, VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL,
                     VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL);
    vk_end(&c->vk, commands);
}

static void make(struct churn *c, struct thing *thing, uint32_t owner)
{
    *thing = (struct thing){
        .alive = true,
        .kind = (enum kind)chance_below(&c->chance, KINDS),
        .owner = owner,
        .words = 1 + chance_below(&c->chance, MOST_WORDS),
    };
    switch (thing->kind) {
    case MEMORY:
        make_memory(c, thing);
        break;
    case MAPPED:
        thing->buffer = vk_buffer_create(&c->vk, 4 * (VkDeviceSize)thing->words, COPIED);
        fill(thing, thing->buffer.data);
        break;
    case ADDRESSED:
        make_addressed(c, thing);
        break;
    case IMAGE:
    default:
        make_image(c, thing);
        break;
    }
    c->made[thing->kind]++;
    c->bytes += 4 * (uint64_t)thing->words;
}

/* Has the device copy what a thing holds to where the CPU reads it. */
static const uint32_t *read_back(struct churn *c, const struct thing *thing)
{
    VkCommandBuffer commands = vk_begin(&c->vk);

    if (thing->kind == IMAGE) {
        const VkBufferImageCopy whole = vk_whole(thing->width, thing->words / thing->width);
        vkCmdCopyImageToBuffer(commands, thing->image.image, VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL,
                               c->readback.buffer, 1, &whole);
    } else {
        const VkBufferCopy whole = { .size = 4 * (VkDeviceSize)thing->words };
        vkCmdCopyBuffer(commands, thing->buffer.buffer, c->readback.buffer, 1, &whole);
    }
    vk_show_to_cpu(commands);
    vk_end(&c->vk, commands);
    return c->readback.data;
}

static void check_and_free(struct churn *c, struct thing *thing)
{
    if (thing->kind == MEMORY) {
        check(thing, thing->data);
        vkUnmapMemory(c->vk.device, thing->memory);
        vkFreeMemory(c->vk.device, thing->memory, NULL);
    } else {
        check(thing, read_back(c, thing));
        if (thing->kind == IMAGE)
            vk_image_destroy(&c->vk, &thing->image);
        else
            vk_buffer_destroy(&c->vk, &thing->buffer);
    }
    thing->alive = false;
}

static void churn_once(struct churn *c, struct thing *thing, uint32_t owner)
{
    double start = now_ms();

    if (thing->alive) {
        check_and_free(c, thing);
        samples_add(&c->free_ms, now_ms() - start);
        start = now_ms();
    }
    make(c, thing, owner);
    samples_add(&c->make_ms, now_ms() - start);
}

int main(int argc, char **argv)
{
    struct example example = example_options(argc, argv, 10000);
    const long alive = option(argc, argv, "--alive", 100);
    struct churn c = { .chance = chance_start((uint64_t)option(argc, argv, "--seed", 1)) };
    long made = 0;

    if (alive < 1 || alive > MOST_ALIVE)
        die("--alive is 1 to %d", MOST_ALIVE);
    example_without_picture(&example);
    struct thing *things = calloc((size_t)alive, sizeof *things);
    if (!things)
        die("no memory for %ld things", alive);
    vk_open(&c.vk);
    vk_want(&c.vk, VK_WANT_ADDRESSES);
    vk_create_device(&c.vk, 0, NULL);
    c.readback = vk_readback_create(&c.vk, 4 * MOST_WORDS);
    kernel_create(&c.stamp, &c.vk, stamp_comp, sizeof stamp_comp, sizeof(struct push));
    for (; example_goes_on(&example, made); made++)
        churn_once(&c, &things[chance_below(&c.chance, (uint32_t)alive)], (uint32_t)made + 1);
    for (long i = 0; i < alive; i++) {
        if (things[i].alive)
            check_and_free(&c, &things[i]);
    }

    example_begin_report(&example, &c.vk);
    printf(", \"made\": %ld, \"mib\": %.1f, ", made, (double)c.bytes / 1048576);
    for (int i = 0; i < KINDS; i++)
        printf("\"%s\": %u, ", kind_names[i], c.made[i]);
    samples_print(&c.make_ms, "make_ms");
    printf(", ");
    samples_print(&c.free_ms, "free_ms");
    example_end_report();
    kernel_destroy(&c.stamp, &c.vk);
    vk_buffer_destroy(&c.vk, &c.readback);
    vk_destroy(&c.vk);
    free(things);
    samples_finish(&c.make_ms);
    samples_finish(&c.free_ms);
    return 0;
}
