/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtio-vga-gl.c expects it beside itself, where it used to be. */
#include "../virtio-vga.h"
