/*
 * virtio-gpu-venus: the device on PCI under the name virtio-gpu-gl-pci
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "gl.h"

VENUS_GL_TYPE("virtio-gpu-gl-pci", "virtio-gpu-venus-pci")
