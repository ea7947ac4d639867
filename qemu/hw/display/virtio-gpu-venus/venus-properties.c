/*
 * virtio-gpu-venus: properties whose values have names
 *
 * As QEMU's own enumerations, but not described in QAPI's schema, and set with
 * functions of our own: a module can bring neither into a QEMU that does not
 * have them.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/visitor.h"
#include "venus-internal.h"

/* They are read and written as such. */
QEMU_BUILD_BUG_ON(sizeof(VenusPresentPolicy) != sizeof(int));
QEMU_BUILD_BUG_ON(sizeof(enum venus_gpu_present_mode) != sizeof(int));
QEMU_BUILD_BUG_ON(sizeof(VenusPresentTarget) != sizeof(int));

/* "a, b or c" */
static char *venus_list_names(const QEnumLookup *table)
{
    GString *list = g_string_new(NULL);
    int i;

    for (i = 0; i < table->size; i++) {
        g_string_append_printf(list, "%s%s", i == 0 ? "" :
                               i < table->size - 1 ? ", " : " or ",
                               table->array[i]);
    }
    return g_string_free(list, false);
}

static void venus_get_enum(Object *obj, Visitor *visitor, const char *name,
                           void *opaque, Error **errp)
{
    const Property *prop = opaque;

    visit_type_enum(visitor, name, object_field_prop_ptr(obj, prop),
                    prop->info->enum_table, errp);
}

static void venus_set_enum(Object *obj, Visitor *visitor, const char *name,
                           void *opaque, Error **errp)
{
    const Property *prop = opaque;
    int *field = object_field_prop_ptr(obj, prop);
    g_autofree char *text = NULL;
    g_autofree char *names = NULL;
    int value;

    if (!visit_type_str(visitor, name, &text, errp)) {
        return;
    }
    value = qapi_enum_parse(prop->info->enum_table, text, -1, NULL);
    if (value < 0) {
        names = venus_list_names(prop->info->enum_table);
        error_setg(errp, "%s=%s is not possible: use %s", name, text, names);
        return;
    }
    *field = value;
}

static void venus_set_default_enum(ObjectProperty *op, const Property *prop)
{
    object_property_set_default_str(
        op, qapi_enum_lookup(prop->info->enum_table, prop->defval.i));
}

const QEnumLookup venus_present_policy_names = {
    .array = (const char *const[]) {
        [VENUS_PRESENT_AUTO] = "auto",
        [VENUS_PRESENT_SURFACE] = "surface",
        [VENUS_PRESENT_SWAPCHAIN] = "swapchain",
        [VENUS_PRESENT_OFF] = "off",
    },
    .size = VENUS_PRESENT_OFF + 1,
};

const PropertyInfo venus_prop_present_policy = {
    .type = "VenusPresentPolicy",
    .description = "Who shows the guest's frames, auto/surface/swapchain/off",
    .enum_table = &venus_present_policy_names,
    .get = venus_get_enum,
    .set = venus_set_enum,
    .set_default_value = venus_set_default_enum,
};

static const QEnumLookup venus_present_mode_names = {
    .array = (const char *const[]) {
        [VENUS_GPU_PRESENT_FIFO] = "fifo",
        [VENUS_GPU_PRESENT_MAILBOX] = "mailbox",
        [VENUS_GPU_PRESENT_IMMEDIATE] = "immediate",
    },
    .size = VENUS_GPU_PRESENT_IMMEDIATE + 1,
};

const PropertyInfo venus_prop_present_mode = {
    .type = "VenusPresentMode",
    .description = "When Vulkan shows a frame, fifo/mailbox/immediate",
    .enum_table = &venus_present_mode_names,
    .get = venus_get_enum,
    .set = venus_set_enum,
    .set_default_value = venus_set_default_enum,
};

const QEnumLookup venus_present_target_names = {
    .array = (const char *const[]) {
        [VENUS_PRESENT_ANY_TARGET] = "auto",
        [VENUS_PRESENT_TARGET(VENUS_GPU_TARGET_OFFSCREEN)] = "offscreen",
        [VENUS_PRESENT_TARGET(VENUS_GPU_TARGET_HEADLESS)] = "headless",
        [VENUS_PRESENT_TARGET(VENUS_GPU_TARGET_X11)] = "x11",
        [VENUS_PRESENT_TARGET(VENUS_GPU_TARGET_WAYLAND)] = "wayland",
        [VENUS_PRESENT_TARGET(VENUS_GPU_TARGET_METAL)] = "metal",
    },
    .size = VENUS_PRESENT_TARGET(VENUS_GPU_TARGET_METAL) + 1,
};

const PropertyInfo venus_prop_present_target = {
    .type = "VenusPresentTarget",
    .description = "Where Vulkan shows frames, "
                   "auto/offscreen/headless/x11/wayland/metal",
    .enum_table = &venus_present_target_names,
    .get = venus_get_enum,
    .set = venus_set_enum,
    .set_default_value = venus_set_default_enum,
};
