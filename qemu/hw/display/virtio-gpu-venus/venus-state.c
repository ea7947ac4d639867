/*
 * virtio-gpu-venus: snapshots and migration
 *
 * The library saves the device, all but what the guest has in Vulkan.  While
 * that is in the way, a migration blocker says so and names the programs: the
 * library tells of each change on its device thread, and a bottom half asks it
 * what there is to say.  Where a guest is quicker than that, or a migration is
 * under way already and no blocker can be added, the state is not saved: then
 * the migration fails, and the guest goes on here.
 *
 * Commands are not saved.  So when the machine has stopped, the last ones are
 * waited for: their answers are memory of the guest's, which is saved next.
 *
 * In the stream the library's bytes are one field, behind their size.  They
 * have a version of their own, so that this description need not change when
 * they do.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "hw/virtio/virtio-bus.h"
#include "migration/blocker.h"
#include "migration/postcopy-ram.h"
#include "migration/qemu-file-types.h"
#include "migration/vmstate.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "qemu/lockable.h"
#include "qemu/units.h"
#include "trace.h"
#include "venus-compat.h"
#include "venus-internal.h"

/* How long a stop of the machine may wait for commands, in ms */
#define VENUS_MAX_DRAIN_MS 5000

/* When a blocker is tried again that a migration under way has no room for */
#define VENUS_BLOCK_AGAIN_MS 1000

/* What programs of the guest have in Vulkan */

static void venus_state_update(void *opaque)
{
    VirtIOGPUVenus *v = opaque;
    char *obstacle = venus_gpu_save_obstacle(v->gpu);

    migrate_del_blocker(&v->state.blocker);
    if (obstacle) {
        error_setg(&v->state.blocker, "virtio-gpu-venus: %s", obstacle);
        if (migrate_add_blocker(&v->state.blocker, NULL) < 0) {
            timer_mod(v->state.timer,
                      qemu_clock_get_ms(QEMU_CLOCK_REALTIME) +
                      VENUS_BLOCK_AGAIN_MS);
        }
    }
    trace_virtio_gpu_venus_obstacle(obstacle ?: "none");
    free(obstacle);
}

void venus_state_obstacle_changed(void *opaque)
{
    VirtIOGPUVenus *v = opaque;

    qemu_bh_schedule(v->state.bh);
}

/*
 * Pages of a blob that have not come yet would be seen, and made, through the
 * library's own mapping of them.
 */
static int venus_state_postcopy(NotifierWithReturn *notifier, void *data,
                                Error **errp)
{
    struct PostcopyNotifyData *d = data;

    if (d->reason == POSTCOPY_NOTIFY_PROBE) {
        error_setg(errp, "virtio-gpu-venus has to have all of the guest's "
                   "memory from the start: leave postcopy-ram off");
        return -ENOTSUP;
    }
    return 0;
}

/* Commands in flight */

void venus_state_drain(VirtIOGPUVenus *v)
{
    int64_t end = g_get_monotonic_time() + VENUS_MAX_DRAIN_MS * 1000;
    g_autofree char *obstacle = NULL;

    /* What Vulkan is waited for is not saved anyway. */
    while (!venus_queue_is_idle(v) && g_get_monotonic_time() < end) {
        obstacle = venus_gpu_save_obstacle(v->gpu);
        if (obstacle) {
            return;
        }
        venus_iommu_flush(v);
        venus_window_flush(v);
        venus_display_flush(v);
        venus_queue_flush(v);
    }
    trace_virtio_gpu_venus_drained(venus_queue_is_idle(v));
}

/* The stream */

static void venus_state_forget(VirtIOGPUVenus *v)
{
    free(v->state.data);
    v->state.data = NULL;
    v->state.size = 0;
}

static int venus_state_pre_save(void *opaque)
{
    VirtIOGPUVenus *v = opaque;
    char *why = NULL;
    size_t size;
    int ret;

    venus_state_forget(v);
    ret = venus_gpu_save(v->gpu, &v->state.data, &size, &why);
    if (ret < 0) {
        error_report("virtio-gpu-venus: %s", why ?: strerror(-ret));
        free(why);
        return ret;
    }
    v->state.size = size;
    trace_virtio_gpu_venus_save(size);
    return 0;
}

static int venus_state_post_save(void *opaque)
{
    venus_state_forget(opaque);
    return 0;
}

static int venus_state_put(QEMUFile *f, void *pv, size_t size,
                           const VMStateField *field, JSONWriter *vmdesc)
{
    VirtIOGPUVenus *v = pv;

    qemu_put_be64(f, v->state.size);
    qemu_put_buffer(f, v->state.data, v->state.size);
    return 0;
}

/* More than the library may have of pictures, twice, is none of its states. */
static uint64_t venus_state_max_size(VirtIOGPUVenus *v)
{
    return 2 * MAX(v->max_memory, 1 * GiB) + 64 * MiB;
}

static int venus_state_get(QEMUFile *f, void *pv, size_t unused,
                           const VMStateField *field)
{
    VirtIOGPUVenus *v = pv;
    uint64_t size = qemu_get_be64(f);
    g_autofree uint8_t *data = NULL;
    char *why = NULL;
    int ret;

    if (size <= venus_state_max_size(v)) {
        data = g_try_malloc(MAX(size, 1));
    }
    if (!data) {
        error_report("virtio-gpu-venus: %" PRIu64 " bytes are no saved state",
                     size);
        return -EINVAL;
    }
    if (qemu_get_buffer(f, data, size) != size) {
        error_report("virtio-gpu-venus: the saved state is cut off");
        return -EINVAL;
    }
    v->state.loading = true;
    ret = venus_gpu_load(v->gpu, data, size, &why);
    v->state.loading = false;
    trace_virtio_gpu_venus_load(size, ret);
    if (ret < 0) {
        error_report("virtio-gpu-venus: %s", why ?: strerror(-ret));
        free(why);
    }
    return ret;
}

static const VMStateInfo venus_state_info = {
    .name = "virtio-gpu-venus-state",
    .get = venus_state_get,
    .put = venus_state_put,
};

const VMStateDescription vmstate_virtio_gpu_venus = {
    .name = "virtio-gpu-venus",
    .version_id = 1,
    .minimum_version_id = 1,
    .pre_save = venus_state_pre_save,
    .post_save = venus_state_post_save,
    .fields = (const VMStateField[]) {
        VMSTATE_VIRTIO_DEVICE,
        VMSTATE_INT32(parent_obj.enable, VirtIOGPUVenus),
        {
            .name = "state",
            .info = &venus_state_info,
            .flags = VMS_SINGLE,
        },
        VMSTATE_END_OF_LIST()
    },
};

/* Life */

bool venus_state_init(VirtIOGPUVenus *v, Error **errp)
{
    /* With -only-migratable there can be no such blocker: then say so now. */
    error_setg(&v->state.blocker, "virtio-gpu-venus cannot be migrated while "
               "programs of the guest use Vulkan");
    if (migrate_add_blocker(&v->state.blocker, errp) < 0) {
        return false;
    }
    migrate_del_blocker(&v->state.blocker);
    v->state.bh = virtio_bh_new_guarded(DEVICE(v), venus_state_update, v);
    v->state.timer = timer_new_ms(QEMU_CLOCK_REALTIME, venus_state_update, v);
    v->state.postcopy.notify = venus_state_postcopy;
    postcopy_add_notifier(&v->state.postcopy);
    return true;
}

void venus_state_finish(VirtIOGPUVenus *v)
{
    postcopy_remove_notifier(&v->state.postcopy);
    timer_free(v->state.timer);
    qemu_bh_delete(v->state.bh);
    migrate_del_blocker(&v->state.blocker);
    venus_state_forget(v);
}
