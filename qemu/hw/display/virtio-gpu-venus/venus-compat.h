/*
 * virtio-gpu-venus: the differences between QEMU 10.0 and later releases, and
 * between these and one with our patches
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef VENUS_COMPAT_H
#define VENUS_COMPAT_H

#include "hw/virtio/virtio-gpu.h"
#include "hw/qdev-properties.h"
#include "hw/qdev-properties-system.h"

/* A class_init function's second parameter points to this. */
#if QEMU_VERSION_MAJOR == 10 && QEMU_VERSION_MINOR == 0
typedef void VenusClassData;
#else
typedef const void VenusClassData;
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
