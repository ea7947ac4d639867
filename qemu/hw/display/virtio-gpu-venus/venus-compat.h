/*
 * virtio-gpu-venus: the differences between QEMU 10.0 and later releases, and
 * between these and one with our patches
 *
 * Which patches there are a header often cannot tell.  A module for a QEMU that
 * has none is built with VENUS_UNPATCHED_QEMU.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef VENUS_COMPAT_H
#define VENUS_COMPAT_H

#include "hw/virtio/virtio-gpu.h"
#if QEMU_VERSION_MAJOR >= 11
#include "hw/core/qdev-properties.h"
#include "hw/core/qdev-properties-system.h"
#else
#include "hw/qdev-properties.h"
#include "hw/qdev-properties-system.h"
#endif
#include "system/hvf.h"
#include "system/tcg.h"

/* QEMU 10.0 has it for targets' own code only. */
#ifndef hvf_enabled
#define hvf_enabled() false
#endif

/* A class_init function's second parameter points to this. */
#if QEMU_VERSION_MAJOR == 10 && QEMU_VERSION_MINOR == 0
typedef void VenusClassData;
#else
typedef const void VenusClassData;
#endif

/* What a virtio device's set_status() returns: an error, where it can. */
#if QEMU_VERSION_MAJOR == 10 && QEMU_VERSION_MINOR == 0
typedef void VenusStatusResult;
#else
typedef int VenusStatusResult;
#endif

/*
 * The control queue has as many entries as those of other 3D devices.  Where
 * the base class makes it large for virgl only, it is made anew.
 */
#ifdef VIRTIO_GPU_CTRL_QUEUE_SIZE_3D
static inline void venus_choose_control_queue_size(VirtIOGPUBaseClass *vgbc)
{
    vgbc->ctrl_queue_size = VIRTIO_GPU_CTRL_QUEUE_SIZE_3D;
}

static inline void venus_resize_control_queue(VirtIODevice *vdev,
                                              VirtIOHandleOutput kick)
{
}
#else
static inline void venus_choose_control_queue_size(VirtIOGPUBaseClass *vgbc)
{
}

static inline void venus_resize_control_queue(VirtIODevice *vdev,
                                              VirtIOHandleOutput kick)
{
    virtio_del_queue(vdev, 0);
    virtio_add_queue(vdev, 256, kick);
}
#endif

/*
 * A command in more pieces of guest memory than QEMU takes, which any program
 * of the guest's can have its kernel send, comes cut, so that it is refused.
 * By itself QEMU stops the device instead.  A response is one piece or two.
 */
static inline void venus_cut_commands(VirtIODevice *vdev)
{
#ifndef VENUS_UNPATCHED_QEMU
    virtio_queue_set_max_out_num(virtio_get_queue(vdev, 0),
                                 VIRTQUEUE_MAX_SIZE - 8);
#endif
}

/*
 * Whether a processor of the guest's can lose an access to a device while the
 * memory map changes.  Those that TCG emulates can, up to QEMU 10.2 and without
 * our patch of it.
 */
static inline bool venus_map_is_fragile(void)
{
#if defined(VENUS_UNPATCHED_QEMU) && QEMU_VERSION_MAJOR < 11
    return tcg_enabled();
#else
    return false;
#endif
}

/*
 * Whether QEMU's display names the window of output @index, if it has one.  By
 * itself SDL does so for the first only.
 */
static inline bool venus_window_is_named(unsigned index)
{
#ifdef VENUS_UNPATCHED_QEMU
    return index == 0;
#else
    return true;
#endif
}

/* The name that the user gave to output @index's monitor, or NULL. */
static inline const char *venus_output_name(VirtIOGPUBase *g, unsigned index)
{
#ifdef DEFINE_PROP_VIRTIO_GPU_OUTPUT_LIST
    VirtIOGPUOutputList *node = g->conf.outputs;

    while (node && index--) {
        node = node->next;
    }
    return node && node->value ? node->value->name : NULL;
#else
    return NULL;
#endif
}

#endif
