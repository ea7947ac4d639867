/*
 * virtio-gpu-venus: the host-visible memory window (PCI BAR 4)
 *
 * The window is one RAM region over one host mapping, for the life of the
 * device: the library changes what is behind the addresses, while the memory
 * map, KVM's slots and the TLBs of TCG stay as they are.
 *
 * Whoever pins all of RAM (VFIO, vDPA, encrypted guests) would go on with the
 * pages that were there.  To them it is as if RAM were discarded, and QEMU
 * knows how to keep those apart who need that and those who cannot have it.
 *
 * What the library cannot place that way it hands to us as a region.  Each
 * becomes a MemoryRegion that lies over the window, and changes the memory map
 * as it comes and goes.  That needs the BQL, so it is posted as a job to the
 * main loop.  Others (the memory map itself, until after RCU's grace period;
 * somebody's DMA) can use the MemoryRegion for longer than it is mapped.  So it
 * belongs to an object that they hold references to, and the library gets its
 * memory back when that object is finalized.  A region that found no place is
 * unmapped as any other, and has no such object.
 *
 * None of it is the guest's own memory, and most of the window is not memory at
 * all.  So it is said to be non-volatile, which dump-guest-memory leaves out.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "hw/virtio/virtio-bus.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "qemu/lockable.h"
#include "qemu/rcu.h"
#include "system/kvm.h"
#include "trace.h"
#include "venus-internal.h"

/*
 * QEMU cannot have 4096 sections of memory in an address space, and KVM has its
 * slots; it ends the process when either runs out.  A region takes up to two,
 * itself and the part of the window behind it.
 */
#define VENUS_MAX_REGIONS 1024
#define VENUS_SPARE_KVM_SLOTS 64

/*
 * HVF has fewer slots, and RAM, firmware and the devices' own memory take some.
 */
#ifdef HVF_NUM_SLOTS
#define VENUS_HVF_REGIONS ((HVF_NUM_SLOTS - 32) / 2)
#else
#define VENUS_HVF_REGIONS 8
#endif

#define TYPE_VENUS_REGION "virtio-gpu-venus-region"
OBJECT_DECLARE_SIMPLE_TYPE(VenusRegion, VENUS_REGION)

struct VenusRegion {
    Object parent_obj;

    MemoryRegion mr;
    struct venus_gpu *gpu;
    struct venus_gpu_region *region;
};

struct VenusRegionJob {
    struct venus_gpu_region *region;
    bool map;
    QSIMPLEQ_ENTRY(VenusRegionJob) next;
};

static bool venus_region_fits(VirtIOGPUVenus *v)
{
    unsigned most = v->max_regions ?: hvf_enabled() ? VENUS_HVF_REGIONS
                                                    : VENUS_MAX_REGIONS;

    return v->window.num_regions < most &&
           (!kvm_enabled() ||
            kvm_get_free_memslots() > VENUS_SPARE_KVM_SLOTS);
}

/* HVF makes a device of what is no whole page of the host's, or ends. */
static bool venus_region_is_aligned(const struct venus_gpu_region *region)
{
    return QEMU_IS_ALIGNED(region->offset | region->size |
                           (uintptr_t)region->ptr, qemu_real_host_page_size());
}

static void venus_region_map(VirtIOGPUVenus *v, struct venus_gpu_region *region)
{
    VirtIOGPUBase *g = VIRTIO_GPU_BASE(v);
    VenusRegion *r;

    trace_virtio_gpu_venus_region_map(region->offset, region->size,
                                      region->ptr);
    if (!venus_region_is_aligned(region) || !venus_region_fits(v)) {
        venus_gpu_region_mapped(v->gpu, region, -ENOMEM);
        return;
    }
    if (venus_map_is_fragile()) {
        warn_report_once("virtio-gpu-venus: memory regions come and go, and "
                         "this QEMU's TCG can lose accesses to devices "
                         "meanwhile, so that the guest stands still: use KVM");
    }
    v->window.num_regions++;
    r = VENUS_REGION(object_new(TYPE_VENUS_REGION));
    r->gpu = v->gpu;
    r->region = region;
    region->user = r;
    memory_region_init_ram_ptr(&r->mr, OBJECT(r), "virtio-gpu-venus-blob",
                               region->size, region->ptr);
    memory_region_set_nonvolatile(&r->mr, true);
    memory_region_add_subregion_overlap(&g->hostmem, region->offset,
                                        &r->mr, 1);
    venus_gpu_region_mapped(v->gpu, region, 0);
}

static void venus_region_unmap(VirtIOGPUVenus *v,
                               struct venus_gpu_region *region)
{
    VirtIOGPUBase *g = VIRTIO_GPU_BASE(v);
    VenusRegion *r = region->user;

    trace_virtio_gpu_venus_region_unmap(region->offset, region->size);
    if (!r) {
        venus_gpu_region_unmapped(v->gpu, region);
        return;
    }
    region->user = NULL;
    v->window.num_regions--;
    memory_region_del_subregion(&g->hostmem, &r->mr);
    object_unref(OBJECT(r));
}

static void venus_region_finalize(Object *obj)
{
    VenusRegion *r = VENUS_REGION(obj);

    trace_virtio_gpu_venus_region_unmapped(r->region->offset, r->region->size);
    venus_gpu_region_unmapped(r->gpu, r->region);
}

static void venus_window_post(VirtIOGPUVenus *v,
                              struct venus_gpu_region *region, bool map)
{
    VenusRegionJob *job = g_new(VenusRegionJob, 1);

    job->region = region;
    job->map = map;
    WITH_QEMU_LOCK_GUARD(&v->window.lock) {
        QSIMPLEQ_INSERT_TAIL(&v->window.jobs, job, next);
    }
    qemu_bh_schedule(v->window.bh);
}

void venus_window_region_map(void *opaque, struct venus_gpu_region *region)
{
    venus_window_post(opaque, region, true);
}

void venus_window_region_unmap(void *opaque, struct venus_gpu_region *region)
{
    venus_window_post(opaque, region, false);
}

void venus_window_flush(VirtIOGPUVenus *v)
{
    QSIMPLEQ_HEAD(, VenusRegionJob) jobs = QSIMPLEQ_HEAD_INITIALIZER(jobs);
    VenusRegionJob *job;

    WITH_QEMU_LOCK_GUARD(&v->window.lock) {
        QSIMPLEQ_CONCAT(&jobs, &v->window.jobs);
    }
    while ((job = QSIMPLEQ_FIRST(&jobs))) {
        QSIMPLEQ_REMOVE_HEAD(&jobs, next);
        if (job->map) {
            venus_region_map(v, job->region);
        } else {
            venus_region_unmap(v, job->region);
        }
        g_free(job);
    }
}

static void venus_window_bh(void *opaque)
{
    venus_window_flush(opaque);
}

bool venus_window_contains(VirtIOGPUVenus *v, MemoryRegion *mr)
{
    return mr == &v->window.ram ||
           object_dynamic_cast(memory_region_owner(mr), TYPE_VENUS_REGION);
}

/* Pages will be replaced: nobody can have pinned them, or will. */
static bool venus_window_claim_pages(VirtIOGPUVenus *v, Error **errp)
{
    MemoryRegion *hostmem = &VIRTIO_GPU_BASE(v)->hostmem;

    /* With regions only, what is mapped and pinned comes and goes with them. */
    if (v->window_regions || !memory_region_size(hostmem)) {
        return true;
    }
    if (ram_block_discard_require(true) < 0) {
        error_setg(errp, "What is in the device's window changes, but another "
                   "device (of VFIO or vDPA) or the guest's encryption has "
                   "pinned memory: use x-window-regions=on");
        return false;
    }
    v->window.claims_pages = true;
    return true;
}

bool venus_window_init(VirtIOGPUVenus *v, Error **errp)
{
    if (!venus_window_claim_pages(v, errp)) {
        return false;
    }
    QSIMPLEQ_INIT(&v->window.jobs);
    qemu_mutex_init(&v->window.lock);
    v->window.bh = virtio_bh_new_guarded(DEVICE(v), venus_window_bh, v);
    return true;
}

void venus_window_attach(VirtIOGPUVenus *v)
{
    VirtIOGPUBase *g = VIRTIO_GPU_BASE(v);
    uint64_t size;
    void *ptr = venus_gpu_window(v->gpu, &size);

    if (ptr) {
        memory_region_init_ram_ptr(&v->window.ram, OBJECT(v),
                                   "virtio-gpu-venus-window", size, ptr);
        memory_region_set_nonvolatile(&v->window.ram, true);
        memory_region_add_subregion(&g->hostmem, 0, &v->window.ram);
    }
}

void venus_window_detach(VirtIOGPUVenus *v)
{
    VirtIOGPUBase *g = VIRTIO_GPU_BASE(v);

    if (memory_region_is_mapped(&v->window.ram)) {
        memory_region_del_subregion(&g->hostmem, &v->window.ram);
        object_unparent(OBJECT(&v->window.ram));
    }
    /* The last regions are given back when nobody can be using them. */
    drain_call_rcu();
}

void venus_window_finish(VirtIOGPUVenus *v)
{
    qemu_bh_delete(v->window.bh);
    qemu_mutex_destroy(&v->window.lock);
    if (v->window.claims_pages) {
        ram_block_discard_require(false);
        v->window.claims_pages = false;
    }
}

static const TypeInfo venus_region_info = {
    .name = TYPE_VENUS_REGION,
    .parent = TYPE_OBJECT,
    .instance_size = sizeof(VenusRegion),
    .instance_finalize = venus_region_finalize,
};

static void venus_window_register_types(void)
{
    type_register_static(&venus_region_info);
}

type_init(venus_window_register_types)
