/* SPDX-License-Identifier: MIT */
/*
 * Times a context's life: open the device, make it a Venus context, have a fence answered on ring
 * 0 so that the context is known to exist on the host, close.
 *
 *   context_open [--rounds 100] [--warmup 3] [--seconds 0]
 *
 * After --seconds the rounds stop. Another file of the device stays open meanwhile, as under any window
 * system: when the last one is closed, the kernel puts its console on the display again, and a host that
 * draws that would be what is timed.
 */
#include <unistd.h>

#include "common.h"
#include "virtgpu.h"

int main(int argc, char **argv)
{
    long rounds = option(argc, argv, "--rounds", 100);
    long warmup = option(argc, argv, "--warmup", 3);
    struct samples open_ms = { 0 }, answer_ms = { 0 }, close_ms = { 0 };
    const char *stopped = NULL;

    if (rounds < 1 || warmup < 0)
        die("--rounds must be at least 1");
    struct deadline deadline = deadline_option(argc, argv);
    int other = virtgpu_open();
    for (long i = -warmup; i < rounds; i++) {
        if (deadline_passed(&deadline)) {
            stopped = "rounds";
            break;
        }
        double t0 = now_ms();
        int fd = virtgpu_open();
        virtgpu_init_venus(fd);
        double t1 = now_ms();
        int fence = virtgpu_fence(fd, 0);
        virtgpu_wait(fence, 5000);
        close(fence);
        double t2 = now_ms();
        close(fd);
        double t3 = now_ms();
        if (i >= 0) {
            samples_add(&open_ms, t1 - t0);
            samples_add(&answer_ms, t2 - t0);
            samples_add(&close_ms, t3 - t2);
        }
    }
    printf("{\"program\": \"context_open\", ");
    deadline_print(&deadline, stopped);
    printf(", ");
    samples_print(&open_ms, "open_ms");
    printf(", ");
    samples_print(&answer_ms, "open_and_answer_ms");
    printf(", ");
    samples_print(&close_ms, "close_ms");
    printf("}\n");
    samples_finish(&open_ms);
    samples_finish(&answer_ms);
    samples_finish(&close_ms);
    close(other);
    return 0;
}
