/*
 * virtio-gpu-venus: the device with VGA under the name virtio-vga-gl
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "gl.h"

VENUS_GL_TYPE("virtio-vga-gl", "virtio-vga-venus")
