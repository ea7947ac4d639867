/*
 * virtio-gpu-venus: the QEMU that the module was built for
 *
 * QEMU asks a module for a function that has the name of its own stamp, and so
 * do those of QEMU's modules that we are linked to.  It would find theirs, and
 * take a module of ours that was built for another QEMU.  So we have none, but
 * use theirs: what does not fit cannot be loaded.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/module.h"

/* A pointer is filled in as the module is loaded, a call when it is made. */
void (*const venus_stamp)(void) = DSO_STAMP_FUN;
