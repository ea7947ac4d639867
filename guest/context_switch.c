/* SPDX-License-Identifier: MIT */
/*
 * Times work that goes from one live context to another: several Venus contexts are open at once,
 * and each in turn gets a fence on its ring 0 that is waited for.
 *
 *   context_switch [--contexts 2] [--rounds 100] [--warmup 3] [--seconds 0]
 *
 * open_ms     each context's opening until its first fence was answered, in order: the first one
 *             finds the device idle, the last one all others alive
 * switch_ms   a fence's round trip; the one before it was another context's. A round is one fence
 *             for each context
 * close_ms    each context's closing. The kernel does not wait for the device's answer
 *
 * After --seconds the opening or the rounds stop; what is open is closed all the same.
 *
 * The kernel does not say when the device refuses a context: its fences are answered none the less.
 * So before the rounds each context has to give a blob that can be mapped, which is not timed (nor
 * done when the opening was stopped).
 */
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common.h"
#include "virtgpu.h"

#define FENCE_TIMEOUT_MS  30000
#define OTHER_DESCRIPTORS 16 /* the standard ones, a fence, and what a library may hold */

static void need_descriptors(long contexts)
{
    rlim_t need = (rlim_t)contexts + OTHER_DESCRIPTORS;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit))
        die("getrlimit failed");
    if (limit.rlim_cur >= need)
        return;
    if (limit.rlim_max < need)
        die("%ld contexts need %llu descriptors, and %llu is the limit", contexts,
            (unsigned long long)need, (unsigned long long)limit.rlim_max);
    limit.rlim_cur = need;
    if (setrlimit(RLIMIT_NOFILE, &limit))
        die("setrlimit refuses %llu descriptors", (unsigned long long)need);
}

static void fence_answered(int fd)
{
    int fence = virtgpu_fence(fd, 0);

    virtgpu_wait(fence, FENCE_TIMEOUT_MS);
    close(fence);
}

/* Dies unless the context is there on the host. */
static void context_works(int fd)
{
    struct virtgpu_blob blob = virtgpu_create_host_blob(fd, 4096, 0);
    void *memory = virtgpu_map(fd, &blob);

    memset(memory, 1, blob.size);
    virtgpu_unmap(&blob, memory);
    virtgpu_close_blob(fd, &blob);
}

int main(int argc, char **argv)
{
    long contexts = option(argc, argv, "--contexts", 2);
    long rounds = option(argc, argv, "--rounds", 100);
    long warmup = option(argc, argv, "--warmup", 3);
    struct samples open_ms = { 0 }, switch_ms = { 0 }, close_ms = { 0 };
    const char *stopped = NULL;
    long opened = 0;

    if (contexts < 1 || contexts > 65536 || rounds < 1 || warmup < 0)
        die("--contexts is 1 to 65536, --rounds at least 1");
    need_descriptors(contexts);
    int *fds = calloc((size_t)contexts, sizeof *fds);
    if (!fds)
        die("no memory");
    /* When the device's last descriptor is closed the kernel redraws its console; not so here. */
    int spare = virtgpu_open();
    struct deadline deadline = deadline_option(argc, argv);
    for (; opened < contexts; opened++) {
        if (deadline_passed(&deadline)) {
            stopped = "setup";
            break;
        }
        double start = now_ms();
        fds[opened] = virtgpu_open();
        virtgpu_init_venus(fds[opened]);
        fence_answered(fds[opened]);
        samples_add(&open_ms, now_ms() - start);
    }
    for (long c = 0; c < opened && !stopped; c++)
        context_works(fds[c]);
    for (long i = -warmup; i < rounds && !stopped; i++) {
        for (long c = 0; c < contexts && !stopped; c++) {
            if (deadline_passed(&deadline)) {
                stopped = "rounds";
                break;
            }
            double start = now_ms();
            fence_answered(fds[c]);
            if (i >= 0)
                samples_add(&switch_ms, now_ms() - start);
        }
    }
    for (long c = 0; c < opened; c++) {
        double start = now_ms();
        close(fds[c]);
        samples_add(&close_ms, now_ms() - start);
    }
    printf("{\"program\": \"context_switch\", \"contexts\": %ld, \"contexts_opened\": %ld, ",
           contexts, opened);
    deadline_print(&deadline, stopped);
    printf(", ");
    samples_print(&open_ms, "open_ms");
    printf(", ");
    samples_print(&switch_ms, "switch_ms");
    printf(", ");
    samples_print(&close_ms, "close_ms");
    printf("}\n");
    samples_finish(&open_ms);
    samples_finish(&switch_ms);
    samples_finish(&close_ms);
    free(fds);
    close(spare);
    return 0;
}
