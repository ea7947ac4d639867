/*
 * virtio-gpu-venus: the device on PCI
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "hw/virtio/virtio-gpu-pci.h"
#include "hw/virtio/virtio-gpu-venus.h"
#include "qemu/module.h"
#include "venus-compat.h"

#define TYPE_VIRTIO_GPU_VENUS_PCI "virtio-gpu-venus-pci"
OBJECT_DECLARE_SIMPLE_TYPE(VirtIOGPUVenusPCI, VIRTIO_GPU_VENUS_PCI)

struct VirtIOGPUVenusPCI {
    VirtIOGPUPCIBase parent_obj;

    VirtIOGPUVenus vdev;
};

static void venus_pci_realize(VirtIOPCIProxy *proxy, Error **errp)
{
    VirtioPCIClass *parent = VIRTIO_PCI_CLASS(
        object_class_by_name(TYPE_VIRTIO_GPU_PCI_BASE));

    if (virtio_gpu_venus_check_conf(&VIRTIO_GPU_VENUS_PCI(proxy)->vdev, errp)) {
        parent->realize(proxy, errp);
    }
}

static void venus_pci_class_init(ObjectClass *klass, VenusClassData *data)
{
    VIRTIO_PCI_CLASS(klass)->realize = venus_pci_realize;
    DEVICE_CLASS(klass)->desc = "virtio-gpu for Vulkan (Venus), without OpenGL";
}

static void venus_pci_init(Object *obj)
{
    VirtIOGPUVenusPCI *dev = VIRTIO_GPU_VENUS_PCI(obj);

    virtio_instance_init_common(obj, &dev->vdev, sizeof(dev->vdev),
                                TYPE_VIRTIO_GPU_VENUS);
    /*
     * On by default: else a guest that sleeps finds a device that was reset,
     * and has lost all that was in it.
     */
    VIRTIO_PCI(obj)->flags |= VIRTIO_PCI_FLAG_PM_NO_SOFT_RESET;
    VIRTIO_GPU_PCI_BASE(obj)->vgpu = VIRTIO_GPU_BASE(&dev->vdev);
}

static const VirtioPCIDeviceTypeInfo venus_pci_info = {
    .generic_name = TYPE_VIRTIO_GPU_VENUS_PCI,
    .parent = TYPE_VIRTIO_GPU_PCI_BASE,
    .instance_size = sizeof(VirtIOGPUVenusPCI),
    .instance_init = venus_pci_init,
    .class_init = venus_pci_class_init,
};
module_obj(TYPE_VIRTIO_GPU_VENUS_PCI);
module_kconfig(VIRTIO_PCI);

static void venus_pci_register_types(void)
{
    virtio_pci_types_register(&venus_pci_info);
}

type_init(venus_pci_register_types)

module_dep("hw-display-virtio-gpu-pci");
module_dep("hw-display-virtio-gpu-venus");
