/*
 * virtio-gpu-venus: whether the guest sees the GPU's memory as the host does
 *
 * venus-memory-types.h has the rule; here are its facts, of this host.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "system/kvm.h"
#include "venus-internal.h"
#include "venus-memory-types.h"
/* What was configured for the host says nothing of a compiler for others. */
#if defined(CONFIG_CPUID_H) && (defined(__x86_64__) || defined(__i386__))
#include "qemu/cpuid.h"
#define VENUS_ASKS_CPUID
#endif

/* VkPhysicalDeviceType */
#define VENUS_DISCRETE_GPU 2

static bool venus_host_is_intel(void)
{
#ifdef VENUS_ASKS_CPUID
    unsigned max, vendor[3];

    return __get_cpuid(0, &max, &vendor[0], &vendor[2], &vendor[1]) &&
           !memcmp(vendor, "GenuineIntel", sizeof(vendor));
#else
    return false;
#endif
}

static void venus_ask_kvm(VenusMemoryTypeFacts *facts)
{
    static const char property[] = "honor-guest-pat";
    Object *kvm = OBJECT(kvm_state);
    g_autofree char *value = NULL;

    facts->uses_kvm = kvm_enabled();
    if (!facts->uses_kvm || !object_property_find(kvm, property)) {
        return;
    }
    facts->has_property = true;
    value = object_property_print(kvm, property, false, NULL);
    facts->honors_guest = value && (!strcmp(value, "true") ||
                                    !strcmp(value, "on"));
}

void venus_check_memory_types(VirtIOGPUVenus *v)
{
    VenusMemoryTypeFacts facts = {
        .is_intel = venus_host_is_intel(),
        .is_discrete = venus_gpu_renderer_type(v->gpu) == VENUS_DISCRETE_GPU,
    };

    venus_ask_kvm(&facts);
    switch (venus_memory_type_advice(&facts)) {
    case VENUS_MEMORY_TYPES_ARE_RIGHT:
        break;
    case VENUS_TURN_GUEST_PAT_ON:
        warn_report_once("virtio-gpu-venus: on this Intel processor KVM "
                         "ignores the guest's memory types, so the guest may "
                         "see stale memory of the GPU: use -accel kvm,"
                         "honor-guest-pat=on (Linux 6.16 or newer on the "
                         "host)");
        break;
    case VENUS_NEEDS_NEWER_QEMU:
        warn_report_once("virtio-gpu-venus: on this Intel processor KVM "
                         "ignores the guest's memory types, so the guest may "
                         "see stale memory of the GPU: use QEMU 11.0 or newer "
                         "with -accel kvm,honor-guest-pat=on, and Linux 6.16 "
                         "or newer on the host");
        break;
    }
}
