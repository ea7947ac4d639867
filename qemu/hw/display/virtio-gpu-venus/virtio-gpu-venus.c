/*
 * virtio-gpu-venus: the device
 *
 * A virtio-gpu device that speaks 2D and one capability set, Venus (Vulkan).
 * All that a command means is in libvenusgpu; this device lends the library
 * what it needs of QEMU: virtqueues (venus-queue.c, venus-iommu.c), consoles
 * (venus-display.c) and what the guest is told of them (venus-outputs.c),
 * places to present them in (venus-present.c), PCI memory (venus-window.c), and
 * here guest memory, properties and configuration space.
 *
 * It is a child of virtio-gpu-base and no relative of virtio-gpu-device, and it
 * leaves the base class's virgl flag alone: that flag would make the consoles
 * ask for a display with OpenGL.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "hw/virtio/virtio-bus.h"
#include "qapi/error.h"
#include "qemu/cutils.h"
#include "qemu/error-report.h"
#include "qemu/log.h"
#include "qemu/module.h"
#include "qemu/rcu.h"
#include "qemu/sockets.h"
#include "qemu/units.h"
#include "system/dma.h"
#include "trace.h"
#include "venus-compat.h"
#include "venus-internal.h"

/* PCI wants a power of two; more than this few hosts can address. */
#define VENUS_MIN_HOSTMEM (1 * MiB)
#define VENUS_MAX_HOSTMEM (1 * TiB)

/* Guest memory */

/*
 * Only plain RAM is mapped.  Anything else would go through a bounce buffer and
 * MMIO handlers, which need the BQL; and the window is what the library itself
 * puts there.  Addresses are physical: venus-iommu.c translates others.
 */
static void *venus_map_guest(void *opaque, uint64_t addr, uint64_t *len)
{
    VirtIOGPUVenus *v = opaque;
    hwaddr offset, mapped = *len;
    MemoryRegion *mr;

    RCU_READ_LOCK_GUARD();
    mr = address_space_translate(&address_space_memory, addr, &offset, &mapped,
                                 false, MEMTXATTRS_UNSPECIFIED);
    if (!mapped || !memory_region_is_ram(mr) ||
        memory_region_is_ram_device(mr) || venus_window_contains(v, mr)) {
        return NULL;
    }
    memory_region_ref(mr);
    *len = mapped;
    return (uint8_t *)memory_region_get_ram_ptr(mr) + offset;
}

static void venus_unmap_guest(void *opaque, void *ptr, uint64_t len)
{
    ram_addr_t offset;

    memory_region_unref(memory_region_from_host(ptr, &offset));
}

/* The library's other needs */

static void venus_config_changed(void *opaque)
{
    VirtIOGPUVenus *v = opaque;

    trace_virtio_gpu_venus_config_changed();
    if (v->state.loading) {
        /* The interrupt controller may not have been loaded yet. */
        v->state.notify = true;
    } else {
        virtio_notify_config(VIRTIO_DEVICE(v));
    }
}

static void venus_log(void *opaque, enum venus_gpu_log_level level,
                      const char *message)
{
    switch (level) {
    case VENUS_GPU_LOG_ERROR:
        error_report("virtio-gpu-venus: %s", message);
        break;
    case VENUS_GPU_LOG_WARNING:
        warn_report("virtio-gpu-venus: %s", message);
        break;
    case VENUS_GPU_LOG_GUEST:
        qemu_log_mask(LOG_GUEST_ERROR, "virtio-gpu-venus: %s\n", message);
        break;
    default:
        trace_virtio_gpu_venus_log(message);
        break;
    }
}

static void venus_thread_started(void *opaque)
{
    rcu_register_thread();
}

static void venus_thread_stopping(void *opaque)
{
    rcu_unregister_thread();
}

static const struct venus_gpu_ops venus_ops = {
    .size = sizeof(venus_ops),
    .map_guest = venus_map_guest,
    .unmap_guest = venus_unmap_guest,
    .command_done = venus_queue_command_done,
    .scanout_changed = venus_display_scanout_changed,
    .scanout_flush = venus_display_scanout_flush,
    .cursor_changed = venus_display_cursor_changed,
    .config_changed = venus_config_changed,
    .region_map = venus_window_region_map,
    .region_unmap = venus_window_region_unmap,
    .log = venus_log,
    .thread_started = venus_thread_started,
    .thread_stopping = venus_thread_stopping,
    .present_ended = venus_present_ended,
    .window_resized = venus_present_window_resized,
    .window_refreshed = venus_present_window_refreshed,
    .window_closed = venus_present_window_closed,
    .input = venus_present_input,
    .save_obstacle_changed = venus_state_obstacle_changed,
};

/* Virtio */

/* VIRTIO_GPU_F_BLOB_ALIGNMENT brings a field that QEMU's headers lack. */
#define VENUS_F_BLOB_ALIGNMENT 5
typedef struct VenusConfigSpace {
    struct virtio_gpu_config base;
    uint32_t blob_alignment;
} VenusConfigSpace;

/*
 * Guests have pages of 4 KiB or more, so no host with such pages needs it.  And
 * a Mesa that does not heed it has no Vulkan with a kernel that does.
 */
static bool venus_offers_blob_alignment(VirtIOGPUVenus *v)
{
    return v->blob_alignment == ON_OFF_AUTO_ON ||
           (v->blob_alignment == ON_OFF_AUTO_AUTO &&
            qemu_real_host_page_size() > 4 * KiB);
}

/* The base class has made the space, and no transport has looked at it yet. */
static void venus_grow_config(VirtIOGPUVenus *v)
{
    VirtIODevice *vdev = VIRTIO_DEVICE(v);

    if (venus_gpu_features(v->gpu) & (1 << VENUS_F_BLOB_ALIGNMENT)) {
        vdev->config = g_realloc(vdev->config, sizeof(VenusConfigSpace));
        vdev->config_len = sizeof(VenusConfigSpace);
    }
}

static uint64_t venus_get_features(VirtIODevice *vdev, uint64_t features,
                                   Error **errp)
{
    VirtIOGPUVenus *v = VIRTIO_GPU_VENUS(vdev);

    features |= venus_gpu_features(v->gpu);
    if (!virtio_gpu_edid_enabled(VIRTIO_GPU_BASE(v)->conf)) {
        virtio_clear_feature(&features, VIRTIO_GPU_F_EDID);
    }
    /* The library resets the device as a whole. */
    virtio_clear_feature(&features, VIRTIO_F_RING_RESET);
    return features;
}

static void venus_get_config(VirtIODevice *vdev, uint8_t *config)
{
    venus_gpu_read_config(VIRTIO_GPU_VENUS(vdev)->gpu, 0, config,
                          vdev->config_len);
}

static void venus_set_config(VirtIODevice *vdev, const uint8_t *config)
{
    /* We get all of it at each write, and this is what a guest can write. */
    size_t offset = offsetof(struct virtio_gpu_config, events_clear);

    venus_gpu_write_config(VIRTIO_GPU_VENUS(vdev)->gpu, offset,
                           config + offset, sizeof(uint32_t));
}

/*
 * A driver that is ready, and has no queues: Linux' after hibernation, up to
 * where it refuses that.  It has reset the device and believes that it has not.
 */
static void venus_warn_of_no_queues(VirtIODevice *vdev, uint8_t status)
{
    if ((status & ~vdev->status & VIRTIO_CONFIG_S_DRIVER_OK) &&
        !virtio_queue_get_desc_addr(vdev, 0)) {
        warn_report("virtio-gpu-venus: the guest's driver has reset the device "
                    "and set up no queues, as after hibernation: nothing will "
                    "be drawn until the guest is rebooted");
    }
}

/*
 * The driver's kernel refuses from now on what is no multiple.  What asks for
 * it gets an error there, of which nothing reaches us.
 */
static void venus_warn_of_alignment(VirtIODevice *vdev, uint8_t status)
{
    VirtIOGPUVenus *v = VIRTIO_GPU_VENUS(vdev);
    uint32_t alignment = 0;

    if (!(status & ~vdev->status & VIRTIO_CONFIG_S_DRIVER_OK) ||
        !virtio_vdev_has_feature(vdev, VENUS_F_BLOB_ALIGNMENT)) {
        return;
    }
    venus_gpu_read_config(v->gpu, offsetof(VenusConfigSpace, blob_alignment),
                          &alignment, sizeof(alignment));
    alignment = le32_to_cpu(alignment);
    if (alignment > 4 * KiB) {
        warn_report_once("virtio-gpu-venus: the guest's kernel takes blobs in "
                         "multiples of %u KiB only: its Vulkan needs a Mesa "
                         "that makes them so (26.2.6 does), or, where its own "
                         "pages are that large, blob-alignment=off",
                         alignment / (unsigned)KiB);
    }
}

/* Comes also when the machine stops or runs on. */
static VenusStatusResult venus_set_status(VirtIODevice *vdev, uint8_t status)
{
    VirtIOGPUVenus *v = VIRTIO_GPU_VENUS(vdev);

    venus_warn_of_no_queues(vdev, status);
    venus_warn_of_alignment(vdev, status);
    if (!vdev->vm_running) {
        if (status & VIRTIO_CONFIG_S_DRIVER_OK) {
            venus_state_drain(v);
        }
    } else if (v->state.notify) {
        v->state.notify = false;
        virtio_notify_config(vdev);
    }
    return (VenusStatusResult)0;
}

static void venus_reset(VirtIODevice *vdev)
{
    VirtIOGPUVenus *v = VIRTIO_GPU_VENUS(vdev);

    trace_virtio_gpu_venus_reset();
    v->state.notify = false;
    venus_gpu_reset(v->gpu);
    venus_iommu_reset(v);
    venus_queue_reset(v);
    venus_window_flush(v);
    venus_display_reset(v);
    venus_present_reset(v);
}

/* Life */

/* @size as one would write it on the command line */
static char *venus_size_option(uint64_t size)
{
    static const char suffixes[] = "\0KMGT";
    int i = 0;

    while (size && size % KiB == 0 && i < 4) {
        size /= KiB;
        i++;
    }
    return g_strdup_printf("%" PRIu64 "%.1s", size, &suffixes[i]);
}

bool virtio_gpu_venus_check_conf(VirtIOGPUVenus *v, Error **errp)
{
    VirtIOGPUBase *g = VIRTIO_GPU_BASE(v);
    uint64_t size = g->conf.hostmem;
    g_autofree char *given = venus_size_option(size);
    g_autofree char *less = NULL, *more = NULL;

    if (!g->conf.max_outputs || g->conf.max_outputs > VENUS_GPU_MAX_SCANOUTS) {
        error_setg(errp, "max_outputs=%u is not possible: use 1 to %d",
                   g->conf.max_outputs, VENUS_GPU_MAX_SCANOUTS);
        return false;
    }
    if (size && (size < VENUS_MIN_HOSTMEM || size > VENUS_MAX_HOSTMEM)) {
        error_setg(errp, "hostmem=%s is not possible: use a power of two "
                   "from 1M to 1T, or 0 for none", given);
        return false;
    }
    if (size && !is_power_of_2(size)) {
        less = venus_size_option(pow2floor(size));
        more = venus_size_option(pow2ceil(size));
        error_setg(errp, "hostmem=%s is not a power of two: use %s or %s",
                   given, less, more);
        return false;
    }
    return venus_outputs_check_conf(v, errp) &&
           venus_present_check_conf(v, errp);
}

/* "fd:" and a number, or what the library takes: a program, "unix:PATH" */
static bool venus_set_render_server(VirtIOGPUVenus *v,
                                    struct venus_gpu_config *config,
                                    Error **errp)
{
    const char *name;
    int fd;

    if (!v->render_server || !strstart(v->render_server, "fd:", &name)) {
        config->render_server = v->render_server;
        return true;
    }
    fd = qemu_parse_fd(name);
    if (fd < 0 || !fd_is_socket(fd)) {
        error_setg(errp, "render-server=%s is not a socket: start "
                   "virgl_render_server --socket-fd with the other end of a "
                   "SOCK_SEQPACKET socket pair", v->render_server);
        return false;
    }
    config->render_server_fd = fd;
    return true;
}

static bool venus_create(VirtIOGPUVenus *v, Error **errp)
{
    ERRP_GUARD();
    VirtIOGPUBase *g = VIRTIO_GPU_BASE(v);
    struct venus_gpu_config config;
    struct venus_gpu_ops ops = venus_ops;
    char *message = NULL, *hint;

    venus_gpu_config_init(&config);
    config.num_outputs = g->conf.max_outputs;
    /* 0 if the transport has no shared memory; only PCI has. */
    config.window_size = memory_region_size(&g->hostmem);
    /* HVF is not known to follow what is mapped under an address. */
    config.window_mode = v->window_regions || hvf_enabled()
        ? VENUS_GPU_WINDOW_REGIONS : VENUS_GPU_WINDOW_AUTO;
    /* 1: the host's page size, which the library knows. */
    config.blob_alignment = venus_offers_blob_alignment(v);
    config.max_contexts = v->max_contexts;
    config.max_resources = v->max_resources;
    config.max_memory = v->max_memory;
    config.max_blob_memory = v->max_blob_memory;
    config.max_context_memory = v->max_context_memory;
    config.max_call_ms = v->render_timeout;
    config.present_mode = v->present.mode;
    config.vulkan_device = v->vulkan_device;
    if (!venus_set_render_server(v, &config, errp)) {
        return false;
    }

    if (v->present.policy == VENUS_PRESENT_OFF) {
        ops.scanout_changed = NULL;
        ops.scanout_flush = NULL;
        ops.cursor_changed = NULL;
    }

    if (venus_iommu_is_wanted(v)) {
        ops.translate = venus_iommu_translate;
    }

    v->gpu = venus_gpu_create(&config, &ops, v, &message);
    if (v->gpu) {
        return true;
    }
    hint = message ? strchr(message, '\n') : NULL;
    if (hint) {
        *hint++ = '\0';
    }
    error_setg(errp, "%s", message ?: "the device could not be created");
    if (hint) {
        error_append_hint(errp, "%s\n", hint);
    }
    free(message);
    return false;
}

static void venus_finish(VirtIOGPUVenus *v)
{
    venus_window_detach(v);
    if (v->gpu) {
        venus_gpu_reset(v->gpu);
        venus_iommu_reset(v);
    }
    venus_gpu_destroy(v->gpu);
    v->gpu = NULL;
    venus_window_finish(v);
    venus_present_finish(v);
    venus_display_finish(v);
    venus_queue_finish(v);
    venus_iommu_finish(v);
    venus_state_finish(v);
}

static void venus_realize(DeviceState *dev, Error **errp)
{
    VirtIOGPUVenus *v = VIRTIO_GPU_VENUS(dev);

    if (!virtio_gpu_venus_check_conf(v, errp) || !venus_state_init(v, errp)) {
        return;
    }
    if (!venus_window_init(v, errp)) {
        venus_state_finish(v);
        return;
    }
    venus_queue_init(v);
    venus_iommu_init(v);
    venus_display_init(v);
    venus_present_init(v);
    /* Before there are consoles, since these cannot be taken back. */
    if (!venus_create(v, errp) ||
        !virtio_gpu_base_device_realize(dev, venus_queue_kick,
                                        venus_queue_kick, errp)) {
        venus_finish(v);
        return;
    }

    venus_grow_config(v);
    venus_resize_control_queue(VIRTIO_DEVICE(dev), venus_queue_kick);
    venus_cut_commands(VIRTIO_DEVICE(dev));
    venus_window_attach(v);
    venus_display_attach(v);
    venus_outputs_attach(v);
    venus_stats_add_properties(v);
    venus_check_memory_types(v);
    trace_virtio_gpu_venus_realize(venus_gpu_version(),
                                   venus_gpu_renderer_name(v->gpu));
}

static void venus_unrealize(DeviceState *dev)
{
    VirtIOGPUVenus *v = VIRTIO_GPU_VENUS(dev);

    venus_reset(VIRTIO_DEVICE(dev));
    virtio_gpu_base_device_unrealize(dev);
    venus_finish(v);
}

QEMU_BUILD_BUG_ON(VENUS_GPU_MAX_SCANOUTS != 16);
#define VENUS_OUTPUT_PROPERTY(i) \
    DEFINE_PROP("output" #i, VirtIOGPUVenus, outputs[i], \
                venus_output_property, VenusOutput)

static const Property venus_properties[] = {
    VIRTIO_GPU_BASE_PROPERTIES(VirtIOGPUBase, conf),
    DEFINE_PROP_SIZE("hostmem", VirtIOGPUBase, conf.hostmem, 8 * GiB),
    DEFINE_PROP_UINT32("max-contexts", VirtIOGPUVenus, max_contexts, 0),
    DEFINE_PROP_UINT32("max-resources", VirtIOGPUVenus, max_resources, 0),
    DEFINE_PROP_SIZE("max-memory", VirtIOGPUVenus, max_memory, 0),
    DEFINE_PROP_SIZE("max-blob-memory", VirtIOGPUVenus, max_blob_memory, 0),
    DEFINE_PROP_SIZE("max-context-memory", VirtIOGPUVenus, max_context_memory,
                     0),
    DEFINE_PROP_UINT32("render-timeout", VirtIOGPUVenus, render_timeout, 0),
    DEFINE_PROP_STRING("render-server", VirtIOGPUVenus, render_server),
    DEFINE_PROP_SIGNED("present", VirtIOGPUVenus, present.policy,
                       VENUS_PRESENT_AUTO, venus_prop_present_policy,
                       VenusPresentPolicy),
    DEFINE_PROP_SIGNED("present-mode", VirtIOGPUVenus, present.mode,
                       VENUS_GPU_PRESENT_FIFO, venus_prop_present_mode,
                       enum venus_gpu_present_mode),
    DEFINE_PROP_SIGNED("present-target", VirtIOGPUVenus, present.target,
                       VENUS_PRESENT_ANY_TARGET, venus_prop_present_target,
                       VenusPresentTarget),
    DEFINE_PROP_STRING("vulkan-device", VirtIOGPUVenus, vulkan_device),
    VENUS_OUTPUT_PROPERTY(0),
    VENUS_OUTPUT_PROPERTY(1),
    VENUS_OUTPUT_PROPERTY(2),
    VENUS_OUTPUT_PROPERTY(3),
    VENUS_OUTPUT_PROPERTY(4),
    VENUS_OUTPUT_PROPERTY(5),
    VENUS_OUTPUT_PROPERTY(6),
    VENUS_OUTPUT_PROPERTY(7),
    VENUS_OUTPUT_PROPERTY(8),
    VENUS_OUTPUT_PROPERTY(9),
    VENUS_OUTPUT_PROPERTY(10),
    VENUS_OUTPUT_PROPERTY(11),
    VENUS_OUTPUT_PROPERTY(12),
    VENUS_OUTPUT_PROPERTY(13),
    VENUS_OUTPUT_PROPERTY(14),
    VENUS_OUTPUT_PROPERTY(15),
    DEFINE_PROP_BOOL("resize", VirtIOGPUVenus, resize, true),
    DEFINE_PROP_ON_OFF_AUTO("blob-alignment", VirtIOGPUVenus, blob_alignment,
                            ON_OFF_AUTO_AUTO),
    DEFINE_PROP_BOOL("x-window-regions", VirtIOGPUVenus, window_regions,
                     false),
    DEFINE_PROP_UINT32("x-max-regions", VirtIOGPUVenus, max_regions, 0),
};

static void venus_class_init(ObjectClass *klass, VenusClassData *data)
{
    DeviceClass *dc = DEVICE_CLASS(klass);
    VirtioDeviceClass *vdc = VIRTIO_DEVICE_CLASS(klass);

    vdc->realize = venus_realize;
    vdc->unrealize = venus_unrealize;
    vdc->reset = venus_reset;
    vdc->get_features = venus_get_features;
    vdc->get_config = venus_get_config;
    vdc->set_config = venus_set_config;
    vdc->set_status = venus_set_status;
    dc->vmsd = &vmstate_virtio_gpu_venus;
    dc->desc = "virtio-gpu for Vulkan (Venus), without OpenGL";
    device_class_set_props(dc, venus_properties);
    venus_choose_control_queue_size(VIRTIO_GPU_BASE_CLASS(klass));
}

static const TypeInfo venus_info = {
    .name = TYPE_VIRTIO_GPU_VENUS,
    .parent = TYPE_VIRTIO_GPU_BASE,
    .instance_size = sizeof(VirtIOGPUVenus),
    .class_init = venus_class_init,
};
module_obj(TYPE_VIRTIO_GPU_VENUS);
module_kconfig(VIRTIO_GPU_VENUS);

static void venus_register_types(void)
{
    type_register_static(&venus_info);
}

type_init(venus_register_types)

module_dep("hw-display-virtio-gpu");
