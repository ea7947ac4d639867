/* SPDX-License-Identifier: MIT */
/* The names of the counters in stats.h. */
#include "stats.h"

#include "device.h"

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
    [STAT_MAPPED] = { "mapped", "blobs in the host-visible window" },
    [STAT_MAPPED_BYTES] = { "mapped-bytes", "bytes of them" },
    [STAT_MAPS_FIXED] = { "maps-fixed", "blobs placed by mapping their descriptor" },
    [STAT_MAPS_ALIAS] = { "maps-alias", "blobs placed by aliasing the renderer's mapping" },
    [STAT_MAPS_REGION] = { "maps-region", "blobs placed by the front end as memory regions" },
    [STAT_FENCES] = { "fences", "context fences signalled" },
    [STAT_FENCES_PENDING] = { "fences-pending", "context fences not signalled yet" },
    [STAT_FLUSHES] = { "flushes", "RESOURCE_FLUSH commands that reached a scanout" },
    [STAT_GUEST_ALIASES] = { "guest-aliases", "guest blobs seen in place, without a copy" },
    [STAT_GUEST_COPIES] = { "guest-copies", "copies made of guest blobs to show them" },
    [STAT_GUEST_COPY_BYTES] = { "guest-copy-bytes", "bytes in them" },
    [STAT_TRANSFERS] = { "transfers", "TRANSFER_TO_HOST_2D commands executed" },
    [STAT_TRANSFER_BYTES] = { "transfer-bytes", "bytes copied by them" },
    [STAT_CURSOR_UPDATES] = { "cursor-updates", "pointer images received" },
    [STAT_RESETS] = { "resets", "device resets" },
};

_Static_assert(sizeof(stat_names) / sizeof(stat_names[0]) == STAT_COUNT, "a name for each counter");

size_t venus_gpu_stats(const struct venus_gpu *gpu, struct venus_gpu_stat *stats, size_t max)
{
    for (size_t i = 0; i < STAT_COUNT && i < max; i++) {
        stats[i] = (struct venus_gpu_stat){
            .name = stat_names[i].name,
            .help = stat_names[i].help,
            .value = stat_get(&gpu->stats, i),
        };
    }
    return STAT_COUNT;
}
