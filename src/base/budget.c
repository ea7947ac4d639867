/* SPDX-License-Identifier: MIT */
/* See budget.h. */
#include "base/budget.h"

#include <sys/resource.h>
#include <unistd.h>

#include "base/pages.h"

/* Defaults: what a large desktop comes nowhere near, and a host does not notice. */
enum {
    DEFAULT_MAX_CONTEXTS = 256, /* each is a process of the render server */
    DEFAULT_MAX_RESOURCES = 65536,
    DEFAULT_MAX_CALL_MS = 15000, /* a driver may compile a large pipeline for so long */
};
static const uint64_t default_max_memory = (uint64_t)1 << 30; /* 30 pictures of 3840 x 2160 */

/* What a GPU's driver may have of the host's memory, as Linux sees it too; the rest keeps the host alive. */
static uint64_t half_of_memory(void)
{
    long pages = sysconf(_SC_PHYS_PAGES);
    return pages > 0 ? (uint64_t)pages * page_size_here() / 2 : default_max_memory;
}

/*
 * Linux allows a process 65530 address ranges unless told otherwise (vm.max_map_count). Half of them
 * for the guest leaves the other half to the monitor, whose own allocations fail when they run out.
 */
enum { MAX_RANGES = 32768 };

/*
 * 64 pictures of 16384 x 16384, where each guest has few buffers of a screen's size: an eighth of the smallest address
 * space that a 64-bit kernel has. A monitor that finds no more of it ends.
 */
static const uint64_t max_address_space = (uint64_t)64 << 30;

/* 16 for each resource, of which most are one context's or two's. Each takes some 100 bytes, virglrenderer's among them. */
enum { MAX_ATTACHMENTS = 16 * DEFAULT_MAX_RESOURCES };

/*
 * Half of the threads that a Linux kernel has numbers for unless told otherwise (pid_max, 32768 where nobody raised it):
 * 64 for each of 256 contexts. And 1024 descriptors for each, of a KB or so of the kernel's memory.
 */
enum { MAX_PROCESS_THREADS = 16384, MAX_PROCESS_DESCRIPTORS = 262144 };

/* Half of the host's, unless an option gives more, as blobs are memory of these processes too; and an eighth of it for what
 * drivers need themselves. */
static uint64_t memory_of_processes(const struct venus_gpu_config *config)
{
    uint64_t most = half_of_memory();
    if (most < config->max_blob_memory)
        most = config->max_blob_memory;
    if (most < config->max_context_memory)
        most = config->max_context_memory;
    return most < UINT64_MAX - half_of_memory() ? most + half_of_memory() / 4 : most;
}

/*
 * How many descriptors of this process resources may take. Those that a context takes, and as many again for
 * the monitor as a small one needs, are not the guest's.
 */
static uint32_t descriptors_for_resources(const struct venus_gpu_config *config)
{
    const rlim_t per_context = 9, reserve = 256;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
        return UINT32_MAX;
    /* Half of it at least, where there are so few that the reserve takes it all. */
    rlim_t kept = reserve + per_context * config->max_contexts;
    rlim_t rest = limit.rlim_cur > 2 * kept ? limit.rlim_cur - kept : limit.rlim_cur / 2;
    return rest < UINT32_MAX ? (uint32_t)rest : UINT32_MAX;
}

/* Replace 0 by the default. */
static void fill_in_limits(struct venus_gpu_config *config)
{
    if (!config->max_contexts)
        config->max_contexts = DEFAULT_MAX_CONTEXTS;
    if (!config->max_resources)
        config->max_resources = DEFAULT_MAX_RESOURCES;
    if (!config->max_memory)
        config->max_memory = default_max_memory;
    if (!config->max_call_ms)
        config->max_call_ms = DEFAULT_MAX_CALL_MS;
    if (!config->max_blob_memory)
        config->max_blob_memory = half_of_memory();
    if (!config->max_context_memory)
        config->max_context_memory = config->max_blob_memory;
}

void budget_init(struct budget *budget, struct venus_gpu_config *config)
{
    fill_in_limits(config);
    uint32_t descriptors = descriptors_for_resources(config);
    if (config->max_resources > descriptors) /* each has one at least */
        config->max_resources = descriptors;
    *budget = (struct budget){ .most = {
                                   [BUDGET_CONTEXTS] = config->max_contexts,
                                   [BUDGET_RESOURCES] = config->max_resources,
                                   [BUDGET_MEMORY] = config->max_memory,
                                   [BUDGET_BLOB_MEMORY] = config->max_blob_memory,
                                   [BUDGET_ADDRESS_SPACE] = max_address_space,
                                   [BUDGET_ATTACHMENTS] = MAX_ATTACHMENTS,
                                   [BUDGET_RANGES] = MAX_RANGES,
                                   [BUDGET_DESCRIPTORS] = descriptors,
                               },
                               .most_of_processes = {
                                   [PROCESS_MEMORY] = memory_of_processes(config),
                                   [PROCESS_THREADS] = MAX_PROCESS_THREADS,
                                   [PROCESS_DESCRIPTORS] = MAX_PROCESS_DESCRIPTORS,
                               } };
}

bool budget_take(struct budget *budget, enum budget_item item, uint64_t n)
{
    uint64_t most = budget->most[item], taken = budget_taken(budget, item);
    do {
        if (n > most || taken > most - n)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&budget->taken[item], &taken, taken + n,
                                                    memory_order_relaxed, memory_order_relaxed));
    return true;
}

void budget_give_back(struct budget *budget, enum budget_item item, uint64_t n)
{
    atomic_fetch_sub_explicit(&budget->taken[item], n, memory_order_relaxed);
}

uint64_t budget_taken(const struct budget *budget, enum budget_item item)
{
    return atomic_load_explicit(&budget->taken[item], memory_order_relaxed);
}
