/*
 * virtio-gpu-venus: the device under the name of QEMU's own for OpenGL
 *
 * A module of this name in the directory QEMU_MODULE_DIR is taken instead of
 * QEMU's own, and has to bring the type that QEMU expects there.  So those who
 * ask for "3D acceleration", such as libvirt, get this device.  The type that
 * it is a child of comes with the module that this one is linked to.
 *
 * The other device's blob and venus, which turn on what this one always does,
 * may be given as well.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/module.h"
#include "qom/object.h"
#include "venus-compat.h"

static bool venus_gl_get_on(Object *obj, Error **errp)
{
    return true;
}

static void venus_gl_set_on(Object *obj, bool value, Error **errp)
{
    if (!value) {
        error_setg(errp, "the device is virtio-gpu-venus, which has venus and "
                   "blob always on: leave it out");
    }
}

static void venus_gl_class_init(ObjectClass *klass, VenusClassData *data)
{
    object_class_property_add_bool(klass, "blob", venus_gl_get_on,
                                   venus_gl_set_on);
    object_class_property_add_bool(klass, "venus", venus_gl_get_on,
                                   venus_gl_set_on);
}

#define VENUS_GL_TYPE(name_, parent_)                   \
    static void venus_gl_register_types(void)           \
    {                                                   \
        static const TypeInfo info = {                  \
            .name = name_,                              \
            .parent = parent_,                          \
            .class_init = venus_gl_class_init,          \
        };                                              \
                                                        \
        type_register_static(&info);                    \
    }                                                   \
                                                        \
    type_init(venus_gl_register_types)
