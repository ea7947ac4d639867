/* SPDX-License-Identifier: MIT */
/*
 * What the processes of all contexts take of the host together: memory, threads, descriptors.
 *
 * A context's process does what the guest's stream says, and that no command tells us: Vulkan memory that is never a
 * blob, threads of rings and devices, descriptors of memory. One process has limits of the kernel's, but many
 * contexts may each keep theirs and take all of the host together. So it is looked, once a second and more often where
 * half is taken, and the context whose process has most of it is ended. Between two looks they may go
 * over it by what they can take in that time; of a host's memory, three eighths are left for that, and for pages of
 * blobs that only the guest touches: these are no process' here, and bounded by themselves (budget.h).
 *
 * It is known only of processes of a server that the library started, on Linux.
 */
#ifndef PROCESSES_H
#define PROCESSES_H

#include <stdint.h>

struct venus_gpu;

/* Look, and end one that has too much. Returns when to look again, on the clock in ns. Device thread. */
uint64_t processes_check(struct venus_gpu *gpu);

#endif
