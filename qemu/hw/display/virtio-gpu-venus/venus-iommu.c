/*
 * virtio-gpu-venus: guest addresses behind an IOMMU
 *
 * With VIRTIO_F_ACCESS_PLATFORM the addresses that a guest sends are the bus's.
 * QEMU translates those of virtqueues.  The pages of a backing or of a guest
 * blob are listed inside commands, which the library reads; it asks here for
 * what it finds.
 *
 * It asks on its own thread, without the BQL.  An IOMMU cannot be asked there:
 * a translation that fails is reported to the guest by an interrupt, which
 * takes the BQL.  So a bottom half answers, in turns: one command can ask for
 * some 260,000 translations, and others get the BQL in between.  A reset, which
 * waits for the library's thread under the BQL, is not held up: the library
 * does not wait for answers then.
 *
 * A mapping that the guest takes back from the IOMMU stays ours for as long as
 * the resource has its backing, as with QEMU's other virtio-gpu devices.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "hw/virtio/virtio-bus.h"
#include "qemu/lockable.h"
#include "qemu/rcu.h"
#include "system/dma.h"
#include "trace.h"
#include "venus-internal.h"

#define VENUS_TURN_US 2000

bool venus_iommu_is_wanted(VirtIOGPUVenus *v)
{
    return virtio_host_has_feature(VIRTIO_DEVICE(v), VIRTIO_F_IOMMU_PLATFORM);
}

void venus_iommu_translate(void *opaque,
                           struct venus_gpu_translation *translation)
{
    VirtIOGPUVenus *v = opaque;

    WITH_QEMU_LOCK_GUARD(&v->iommu.lock) {
        g_queue_push_tail(&v->iommu.asked, translation);
    }
    qemu_bh_schedule(v->iommu.bh);
}

/* Translates the next piece. Returns whether there is more. */
static bool venus_iommu_answer(AddressSpace *as,
                               struct venus_gpu_translation *translation)
{
    IOMMUTLBEntry tlb =
        address_space_get_iotlb_entry(as, translation->addr, false,
                                      MEMTXATTRS_UNSPECIFIED);
    uint64_t skip = translation->addr & tlb.addr_mask;
    uint64_t rest = tlb.addr_mask - skip;   /* after the first byte */
    uint64_t piece = translation->len > rest ? rest + 1 : translation->len;

    if (!(tlb.perm & IOMMU_RO) ||
        (tlb.target_as != as && tlb.target_as != &address_space_memory)) {
        trace_virtio_gpu_venus_no_translation(translation->addr,
                                              translation->len);
        return venus_gpu_translated(translation, 0, 0);
    }
    return venus_gpu_translated(translation, tlb.translated_addr + skip, piece);
}

static void venus_iommu_bh(void *opaque)
{
    VirtIOGPUVenus *v = opaque;
    AddressSpace *as = VIRTIO_DEVICE(v)->dma_as;
    int64_t end = g_get_monotonic_time() + VENUS_TURN_US;
    struct venus_gpu_translation *translation;

    RCU_READ_LOCK_GUARD();
    for (;;) {
        WITH_QEMU_LOCK_GUARD(&v->iommu.lock) {
            translation = g_queue_peek_head(&v->iommu.asked);
        }
        if (!translation) {
            return;
        }
        while (venus_iommu_answer(as, translation)) {
            if (g_get_monotonic_time() > end) {
                qemu_bh_schedule(v->iommu.bh);
                return;
            }
        }
        WITH_QEMU_LOCK_GUARD(&v->iommu.lock) {
            g_queue_pop_head(&v->iommu.asked);
        }
    }
}

void venus_iommu_flush(VirtIOGPUVenus *v)
{
    venus_iommu_bh(v);
}

void venus_iommu_reset(VirtIOGPUVenus *v)
{
    struct venus_gpu_translation *translation;

    /* The library is quiet, so nothing is added any more. */
    while ((translation = g_queue_pop_head(&v->iommu.asked))) {
        while (venus_gpu_translated(translation, 0, 0)) {
            /* nobody waits for it */
        }
    }
}

void venus_iommu_init(VirtIOGPUVenus *v)
{
    g_queue_init(&v->iommu.asked);
    qemu_mutex_init(&v->iommu.lock);
    v->iommu.bh = virtio_bh_new_guarded(DEVICE(v), venus_iommu_bh, v);
}

void venus_iommu_finish(VirtIOGPUVenus *v)
{
    qemu_bh_delete(v->iommu.bh);
    qemu_mutex_destroy(&v->iommu.lock);
}
