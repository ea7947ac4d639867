/*
 * virtio-gpu-venus: the device under the name of QEMU's own for OpenGL
 *
 * A module of this name in the directory QEMU_MODULE_DIR is taken instead of
 * QEMU's own, and has to bring the types that QEMU expects there.  So those who
 * ask for "3D acceleration", such as libvirt, get this device.  The types that
 * they are children of come with the modules that this one is linked to.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/module.h"
#include "qom/object.h"

#define VENUS_GL_TYPE(name_, parent_)                   \
    static void venus_gl_register_types(void)           \
    {                                                   \
        static const TypeInfo info = {                  \
            .name = name_,                              \
            .parent = parent_,                          \
        };                                              \
                                                        \
        type_register_static(&info);                    \
    }                                                   \
                                                        \
    type_init(venus_gl_register_types)
