/* SPDX-License-Identifier: MIT */
/* The names of the counters in stats.h. */
#include "base/stats.h"

#include "base/sized.h"

/* Upper bounds of the histogram's classes in microseconds: three a decade or so, and whole frames of 60 Hz. */
static const uint32_t present_us[] = { 100,  200,  300,  500,  750,   1000, 1500,
                                       2000, 3000, 5000, 8000, 16667, 33333 };

#define PRESENT_US(index, us)                                                              \
    [STAT_PRESENT_US_FIRST + (index)] = {                                                  \
        "present-us-" us,                                                                  \
        "frames shown at most " us " microseconds after their flush, but not sooner than " \
        "the counter before this",                                                         \
    }

static const struct {
    const char *name, *help;
} stat_names[] = {
    [STAT_COMMANDS] = { "commands", "commands executed" },
    [STAT_COMMAND_ERRORS] = { "command-errors", "commands answered with an error" },
    [STAT_SUBMITS] = { "submits", "SUBMIT_3D commands executed" },
    [STAT_SUBMIT_BYTES] = { "submit-bytes", "bytes in them" },
    [STAT_CONTEXTS] = { "contexts", "contexts alive" },
    [STAT_CONTEXTS_CREATED] = { "contexts-created", "contexts created since the start" },
    [STAT_CONTEXTS_LOST] = { "contexts-lost", "contexts whose render server process failed" },
    [STAT_RESOURCES] = { "resources", "resources alive" },
    [STAT_RESOURCES_2D] = { "resources-2d", "2D resources alive" },
    [STAT_BLOBS] = { "blobs", "blob resources alive" },
    [STAT_BLOBS_CREATED] = { "blobs-created", "blob resources created since the start" },
    [STAT_MEMORY_BYTES] = { "memory-bytes",
                            "bytes of 2D resources, copies of guest blobs, page lists" },
    [STAT_BLOB_BYTES] = { "blob-bytes", "bytes of HOST3D and HOST3D_GUEST blobs" },
    [STAT_ADDRESS_RANGES] = { "address-ranges", "address ranges that mapped memory takes up" },
    [STAT_ADDRESS_SPACE_BYTES] = { "address-space-bytes",
                                   "bytes of address space taken by guest memory that is seen in place" },
    [STAT_ATTACHMENTS] = { "attachments", "resources that contexts have, once for each" },
    [STAT_DESCRIPTORS] = { "descriptors",
                           "descriptors that resources may take up in this process" },
    [STAT_MAPPED] = { "mapped", "blobs in the host-visible window" },
    [STAT_MAPPED_BYTES] = { "mapped-bytes", "bytes of them" },
    [STAT_MAPPED_BYTES_MOST] = { "mapped-bytes-most",
                                 "the most of them at a time since the start" },
    [STAT_MAPPED_LARGEST] = { "mapped-largest", "bytes of the largest blob that was among them" },
    [STAT_MAPS_FIXED] = { "maps-fixed", "blobs placed by mapping their descriptor" },
    [STAT_MAPS_ALIAS] = { "maps-alias", "blobs placed by aliasing the renderer's mapping" },
    [STAT_MAPS_VULKAN] = { "maps-vulkan", "blobs placed by the host's Vulkan" },
    [STAT_MAPS_REGION] = { "maps-region", "blobs placed by the front end as memory regions" },
    [STAT_MAPS_PADDED] = { "maps-padded", "those of them that end before a guest page does" },
    [STAT_FENCES] = { "fences", "context fences signalled" },
    [STAT_FENCES_PENDING] = { "fences-pending", "context fences not signalled yet" },
    [STAT_FLUSHES] = { "flushes", "RESOURCE_FLUSH commands that reached a scanout" },
    [STAT_PRESENT_FRAMES] = { "present-frames", "frames presented with Vulkan" },
    [STAT_PRESENT_DROPPED] = { "present-dropped",
                               "frames not presented, as a newer one came or nobody could see them" },
    [STAT_PRESENT_REDRAWS] = { "present-redraws",
                               "frames presented once more, as the window or the pointer changed" },
    [STAT_PRESENT_DMA_BUF] = { "present-dma-buf", "frames presented from an imported dma-buf" },
    [STAT_PRESENT_OPAQUE_FD] = { "present-opaque-fd",
                                 "frames presented from an imported opaque descriptor" },
    [STAT_PRESENT_HOST_POINTER] = { "present-host-pointer",
                                    "frames presented from an imported host pointer" },
    [STAT_PRESENT_STAGING] = { "present-staging", "frames copied by a processor to be presented" },
    [STAT_PRESENT_STAGING_BYTES] = { "present-staging-bytes", "bytes copied for that" },
    [STAT_PRESENT_IMPORTS] = { "present-imports", "imports made of a resource's memory" },
    [STAT_PRESENT_GPU_COPIES] = { "present-gpu-copies", "frames copied by the GPU as they are" },
    [STAT_PRESENT_GPU_DRAWS] = { "present-gpu-draws",
                                 "frames drawn by the GPU, scaled or in another format" },
    PRESENT_US(0, "100"),
    PRESENT_US(1, "200"),
    PRESENT_US(2, "300"),
    PRESENT_US(3, "500"),
    PRESENT_US(4, "750"),
    PRESENT_US(5, "1000"),
    PRESENT_US(6, "1500"),
    PRESENT_US(7, "2000"),
    PRESENT_US(8, "3000"),
    PRESENT_US(9, "5000"),
    PRESENT_US(10, "8000"),
    PRESENT_US(11, "16667"),
    PRESENT_US(12, "33333"),
    [STAT_PRESENT_US_LAST] = { "present-us-more", "frames shown later than that" },
    [STAT_GUEST_ALIASES] = { "guest-aliases", "guest blobs seen in place, without a copy" },
    [STAT_GUEST_COPIES] = { "guest-copies", "copies made of guest blobs to show them" },
    [STAT_GUEST_COPY_BYTES] = { "guest-copy-bytes", "bytes in them" },
    [STAT_TRANSFERS] = { "transfers", "TRANSFER_TO_HOST_2D commands executed" },
    [STAT_TRANSFER_BYTES] = { "transfer-bytes", "bytes copied by them" },
    [STAT_SHARES] = { "shares", "2D resources that the guest's Vulkan got as dma-bufs" },
    [STAT_SHARES_REFUSED] = { "shares-refused",
                              "2D resources that it asked for where the host has no dma-buf of them" },
    [STAT_CURSOR_UPDATES] = { "cursor-updates", "pointer images received" },
    [STAT_RESETS] = { "resets", "device resets" },
};

_Static_assert(sizeof(stat_names) / sizeof(stat_names[0]) == STAT_COUNT, "a name for each counter");

_Static_assert(STAT_PRESENT_US_FIRST + sizeof(present_us) / sizeof(present_us[0]) ==
                   STAT_PRESENT_US_LAST,
               "a counter for each class, and one for what is longer");

void stat_add_present_time(struct stats *stats, uint64_t ns)
{
    unsigned i = 0;
    while (i < sizeof(present_us) / sizeof(present_us[0]) && ns > present_us[i] * 1000ull)
        i++;
    stat_add(stats, STAT_PRESENT_US_FIRST + i, 1);
}

/* What the budget counts anyway. */
static const enum stat_id budget_stats[] = {
    [BUDGET_CONTEXTS] = STAT_CONTEXTS,       [BUDGET_RESOURCES] = STAT_RESOURCES,
    [BUDGET_MEMORY] = STAT_MEMORY_BYTES,     [BUDGET_BLOB_MEMORY] = STAT_BLOB_BYTES,
    [BUDGET_RANGES] = STAT_ADDRESS_RANGES,   [BUDGET_DESCRIPTORS] = STAT_DESCRIPTORS,
    [BUDGET_ATTACHMENTS] = STAT_ATTACHMENTS, [BUDGET_ADDRESS_SPACE] = STAT_ADDRESS_SPACE_BYTES,
};

_Static_assert(sizeof(budget_stats) / sizeof(budget_stats[0]) == BUDGET_ITEMS,
               "a counter for each item");

static uint64_t value_of(const struct stats *stats, const struct budget *budget, enum stat_id stat)
{
    for (size_t i = 0; i < BUDGET_ITEMS; i++) {
        if (budget_stats[i] == stat)
            return budget_taken(budget, i);
    }
    return stat_get(stats, stat);
}

size_t stats_read(const struct stats *stats, const struct budget *budget,
                  struct venus_gpu_stat *list, size_t max, size_t stat_size)
{
    if (stat_size < STAT_SIZE_LEAST)
        return 0;
    for (size_t i = 0; i < STAT_COUNT && i < max; i++) {
        const struct venus_gpu_stat stat = {
            .name = stat_names[i].name,
            .help = stat_names[i].help,
            .value = value_of(stats, budget, i),
        };
        sized_give((char *)list + i * stat_size, stat_size, &stat, sizeof(stat));
    }
    return STAT_COUNT;
}
