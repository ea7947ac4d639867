/* SPDX-License-Identifier: MIT */
/*
 * Uses Vulkan wrongly, in a way that drivers let pass: what shows that the validation layer is there and
 * says something, so that its silence about the other programs means something.
 *
 *   misuse usage|hazard|leak
 *
 * usage   copies out of a buffer that was not made to be copied from
 * hazard  writes to a buffer twice, with nothing that orders the two: only synchronization validation
 *         sees that
 * leak    ends its device before a buffer of it
 */
#include <string.h>

#include "common.h"
#include "vk.h"

#define SIZE 4096u

static void copy_what_may_not_be_copied(const struct vk *vk)
{
    struct vk_buffer from = vk_buffer_create(vk, SIZE, VK_BUFFER_USAGE_TRANSFER_DST_BIT);
    struct vk_buffer to = vk_buffer_create(vk, SIZE, VK_BUFFER_USAGE_TRANSFER_DST_BIT);
    VkCommandBuffer commands = vk_begin(vk);

    vkCmdCopyBuffer(commands, from.buffer, to.buffer, 1, &(VkBufferCopy){ .size = SIZE });
    vk_end(vk, commands);
    vk_buffer_destroy(vk, &from);
    vk_buffer_destroy(vk, &to);
}

static void write_twice(const struct vk *vk)
{
    struct vk_buffer to = vk_buffer_create(vk, SIZE, VK_BUFFER_USAGE_TRANSFER_DST_BIT);
    VkCommandBuffer commands = vk_begin(vk);

    vkCmdFillBuffer(commands, to.buffer, 0, SIZE, 1);
    vkCmdFillBuffer(commands, to.buffer, 0, SIZE, 2);
    vk_end(vk, commands);
    vk_buffer_destroy(vk, &to);
}

static void leave_a_buffer(const struct vk *vk)
{
    vk_buffer_create(vk, SIZE, VK_BUFFER_USAGE_TRANSFER_DST_BIT);
}

int main(int argc, char **argv)
{
    const char *mistake = argc == 2 ? argv[1] : "";
    struct vk vk;

    vk_create(&vk, 0, NULL);
    if (strcmp(mistake, "usage") == 0)
        copy_what_may_not_be_copied(&vk);
    else if (strcmp(mistake, "hazard") == 0)
        write_twice(&vk);
    else if (strcmp(mistake, "leak") == 0)
        leave_a_buffer(&vk);
    else
        die("which mistake: usage, hazard or leak?");
    vk_destroy(&vk);
    printf("{\"program\": \"misuse\", \"mistake\": \"%s\"}\n", mistake);
    return 0;
}
