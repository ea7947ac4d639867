/* SPDX-License-Identifier: MIT */
/* See processes.h. */
#include "device/processes.h"

#include <stdbool.h>
#include <unistd.h>

#include "base/clock.h"
#include "nouns/context.h"
#include "nouns/ledger.h"
#include "nouns/parts.h"
#include "platform/platform.h"

enum { SELDOM_NS = 1000 * 1000 * 1000, OFTEN_NS = 100 * 1000 * 1000 };

static const char *const names[PROCESS_ITEMS] = {
    [PROCESS_MEMORY] = "bytes of memory",
    [PROCESS_THREADS] = "threads",
    [PROCESS_DESCRIPTORS] = "descriptors",
};

/* What all have of something, and who has most of it. */
struct share {
    uint64_t all, most;
    struct context *context;
};

static void count(struct venus_gpu *gpu, struct share shares[PROCESS_ITEMS])
{
    struct context *context = NULL;
    while ((context = context_next(gpu, context))) {
        pid_t process = account_process(context->account);
        struct platform_usage usage;
        /* A renderer in this very process has none to be ended. */
        if (!context->renders || !process || process == getpid() ||
            !platform_process_usage(process, &usage))
            continue;
        const uint64_t has[PROCESS_ITEMS] = {
            [PROCESS_MEMORY] = usage.memory,
            [PROCESS_THREADS] = usage.threads,
            [PROCESS_DESCRIPTORS] = usage.descriptors,
        };
        for (unsigned i = 0; i < PROCESS_ITEMS; i++) {
            shares[i].all += has[i];
            if (has[i] >= shares[i].most) {
                shares[i].most = has[i];
                shares[i].context = context;
            }
        }
    }
}

uint64_t processes_check(struct venus_gpu *gpu)
{
    assert_device_thread(&gpu->services);
    struct share shares[PROCESS_ITEMS] = { { 0 } };
    bool much = false;
    count(gpu, shares);
    for (unsigned i = 0; i < PROCESS_ITEMS; i++) {
        const struct share *share = &shares[i];
        uint64_t may = gpu->services.budget.most_of_processes[i];
        much |= share->all > may / 2;
        if (share->all <= may || !share->context->renders)
            continue;
        log_line(
            &gpu->services.log, VENUS_GPU_LOG_WARNING,
            "context %u (%s) has %llu of %llu %s that all contexts' processes have, where they may "
            "have %llu: its process is ended",
            share->context->id, account_name(share->context->account),
            (unsigned long long)share->most, (unsigned long long)share->all, names[i],
            (unsigned long long)may);
        context_failed(gpu, share->context);
    }
    return clock_now_ns() + (much ? OFTEN_NS : SELDOM_NS);
}
