/*
 * virtio-gpu-venus: what to say to a user whose KVM ignores the guest's memory
 * types, by facts that a test can make up
 *
 * Memory of a discrete GPU is write-combined for the GPU's driver.  The guest's
 * driver maps it alike, but on Intel's processors KVM makes all that is RAM to
 * it write-back, unless it is told not to.  Then the guest's cache hides what
 * the GPU wrote, and the GPU does not see what the guest did.  AMD's processors
 * follow the guest.  Memory of other GPUs is the host's, and coherent.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef VENUS_MEMORY_TYPES_H
#define VENUS_MEMORY_TYPES_H

typedef struct VenusMemoryTypeFacts {
    bool uses_kvm;
    bool is_intel;      /* the host's processor */
    bool is_discrete;   /* the GPU that renders */
    bool has_property;  /* QEMU's -accel kvm knows honor-guest-pat */
    bool honors_guest;  /* and it is on */
} VenusMemoryTypeFacts;

typedef enum VenusMemoryTypeAdvice {
    VENUS_MEMORY_TYPES_ARE_RIGHT,
    VENUS_TURN_GUEST_PAT_ON,
    VENUS_NEEDS_NEWER_QEMU,
} VenusMemoryTypeAdvice;

static inline VenusMemoryTypeAdvice
venus_memory_type_advice(const VenusMemoryTypeFacts *facts)
{
    if (!facts->uses_kvm || !facts->is_intel || !facts->is_discrete ||
        facts->honors_guest) {
        return VENUS_MEMORY_TYPES_ARE_RIGHT;
    }
    return facts->has_property ? VENUS_TURN_GUEST_PAT_ON :
                                 VENUS_NEEDS_NEWER_QEMU;
}

#endif
