/* SPDX-License-Identifier: MIT */
/*
 * Times a fence's round trip: an execbuffer of no bytes with a fence on a ring, until poll() says
 * that its sync file has signalled.
 *
 *   fence_ring [--rounds 1000] [--warmup 20] [--ring 0] [--depth 1] [--seconds 0]
 *
 * Ring 0 is the context's own; other rings belong to Vulkan queues. The renderer refuses a fence on a ring that has
 * no queue, and the context is lost. With a depth, that many fences are in flight; they must come back in order.
 * After --seconds the rounds stop.
 */
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "common.h"
#include "virtgpu.h"

static bool signalled(int fence_fd)
{
    struct pollfd p = { .fd = fence_fd, .events = POLLIN };

    return poll(&p, 1, 0) == 1;
}

int main(int argc, char **argv)
{
    long rounds = option(argc, argv, "--rounds", 1000);
    long warmup = option(argc, argv, "--warmup", 20);
    long ring = option(argc, argv, "--ring", 0);
    long depth = option(argc, argv, "--depth", 1);
    struct samples round_trip = { 0 }, submit = { 0 };
    const char *stopped = NULL;

    if (rounds < 1 || warmup < 0 || ring < 0 || ring > 63 || depth < 1 || depth > 1024)
        die("--rounds must be at least 1, --ring 0 to 63, --depth 1 to 1024");
    int *fences = calloc((size_t)depth, sizeof *fences);
    if (!fences)
        die("no memory");
    struct deadline deadline = deadline_option(argc, argv);
    int fd = virtgpu_open();
    virtgpu_init_venus(fd);
    for (long i = -warmup; i < rounds; i++) {
        if (deadline_passed(&deadline)) {
            stopped = "rounds";
            break;
        }
        double start = now_ms();
        for (long d = 0; d < depth; d++)
            fences[d] = virtgpu_fence(fd, (uint32_t)ring);
        double sent = now_ms();
        virtgpu_wait(fences[depth - 1], 5000);
        double done = now_ms();
        for (long d = 0; d < depth; d++) {
            if (!signalled(fences[d]))
                die("fence %ld of %ld on ring %ld is behind a later one", d + 1, depth, ring);
            close(fences[d]);
        }
        if (i >= 0) {
            samples_add(&round_trip, done - start);
            samples_add(&submit, sent - start);
        }
    }
    printf("{\"program\": \"fence_ring\", \"ring\": %ld, \"depth\": %ld, ", ring, depth);
    deadline_print(&deadline, stopped);
    printf(", ");
    samples_print(&round_trip, "round_trip_ms");
    printf(", ");
    samples_print(&submit, "submit_ms");
    printf("}\n");
    samples_finish(&round_trip);
    samples_finish(&submit);
    free(fences);
    close(fd);
    return 0;
}
