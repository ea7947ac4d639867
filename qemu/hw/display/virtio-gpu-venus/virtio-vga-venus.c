/*
 * virtio-gpu-venus: the device on PCI, with VGA until the guest has a driver
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "hw/display/virtio-vga.h"
#include "hw/display/vga.h"
#include "hw/virtio/virtio-gpu-venus.h"
#include "qemu/module.h"
#include "venus-compat.h"

#define TYPE_VIRTIO_VGA_VENUS "virtio-vga-venus"
OBJECT_DECLARE_SIMPLE_TYPE(VirtIOVGAVenus, VIRTIO_VGA_VENUS)

struct VirtIOVGAVenus {
    VirtIOVGABase parent_obj;

    VirtIOGPUVenus vdev;
};

static void venus_vga_realize(VirtIOPCIProxy *proxy, Error **errp)
{
    VirtioPCIClass *parent = VIRTIO_PCI_CLASS(
        object_class_by_name(TYPE_VIRTIO_VGA_BASE));

    if (virtio_gpu_venus_check_conf(&VIRTIO_VGA_VENUS(proxy)->vdev, errp)) {
        parent->realize(proxy, errp);
    }
}

static void venus_vga_class_init(ObjectClass *klass, VenusClassData *data)
{
    VIRTIO_PCI_CLASS(klass)->realize = venus_vga_realize;
    DEVICE_CLASS(klass)->desc =
        "virtio-gpu for Vulkan (Venus), without OpenGL, with VGA";
}

static void venus_vga_init(Object *obj)
{
    VirtIOVGAVenus *dev = VIRTIO_VGA_VENUS(obj);

    virtio_instance_init_common(obj, &dev->vdev, sizeof(dev->vdev),
                                TYPE_VIRTIO_GPU_VENUS);
    /*
     * On by default: else a guest that sleeps finds a device that was reset,
     * and has lost all that was in it.
     */
    VIRTIO_PCI(obj)->flags |= VIRTIO_PCI_FLAG_PM_NO_SOFT_RESET;
    VIRTIO_VGA_BASE(obj)->vgpu = VIRTIO_GPU_BASE(&dev->vdev);
}

static const VirtioPCIDeviceTypeInfo venus_vga_info = {
    .generic_name = TYPE_VIRTIO_VGA_VENUS,
    .parent = TYPE_VIRTIO_VGA_BASE,
    .instance_size = sizeof(VirtIOVGAVenus),
    .instance_init = venus_vga_init,
    .class_init = venus_vga_class_init,
};
module_obj(TYPE_VIRTIO_VGA_VENUS);
module_kconfig(VIRTIO_VGA);

static void venus_vga_register_types(void)
{
    if (have_vga) {
        virtio_pci_types_register(&venus_vga_info);
    }
}

type_init(venus_vga_register_types)

module_dep("hw-display-virtio-vga");
module_dep("hw-display-virtio-gpu-venus");
