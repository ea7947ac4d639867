/*
 * virtio-gpu-venus: which outputs are connected, and how large they are
 *
 * A display says so of its windows, by way of a console's QemuUIInfo.  Outputs
 * that have no window yet are up to the user: the properties output0, output1
 * and so on, on the command line and at run time.  They change what the console
 * has, so that whoever speaks last is heard, be it a display or a user.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "hw/virtio/virtio-bus.h"
#include "qapi/error.h"
#include "qapi/visitor.h"
#include "qemu/ctype.h"
#include "qemu/cutils.h"
#include "trace.h"
#include "venus-compat.h"
#include "venus-internal.h"

void venus_outputs_ui_info(void *opaque, uint32_t index, QemuUIInfo *info)
{
    VirtIOGPUVenus *v = opaque;
    VirtIOGPUBase *g = VIRTIO_GPU_BASE(v);
    const struct venus_gpu_output output = {
        .enabled = info->width && info->height,
        .x = info->xoff,
        .y = info->yoff,
        .width = info->width,
        .height = info->height,
        .width_mm = info->width_mm,
        .height_mm = info->height_mm,
        .refresh_mhz = info->refresh_rate,
        .name = venus_output_name(g, index),
    };

    if (index < g->conf.max_outputs) {
        trace_virtio_gpu_venus_output(index, output.enabled, output.x,
                                      output.y, output.width, output.height);
        venus_gpu_set_output(v->gpu, index, &output);
    }
}

/* What was asked for before there were consoles */
static QemuUIInfo venus_first_info(VirtIOGPUVenus *v, unsigned index)
{
    VirtIOGPUBase *g = VIRTIO_GPU_BASE(v);
    const VenusOutput *output = &v->outputs[index];
    bool by_size = index == 0 && !output->given;
    QemuUIInfo info = {
        .width = by_size ? g->conf.xres : output->width,
        .height = by_size ? g->conf.yres : output->height,
    };

    return info;
}

void venus_outputs_attach(VirtIOGPUVenus *v)
{
    VirtIOGPUBase *g = VIRTIO_GPU_BASE(v);
    unsigned i;

    for (i = 0; i < g->conf.max_outputs; i++) {
        QemuUIInfo info = venus_first_info(v, i);

        venus_outputs_ui_info(v, i, &info);
        /* That it is so already, for whoever asks the console */
        dpy_set_ui_info(g->scanout[i].con, &info, false);
    }
}

/* Properties */

static bool venus_output_exists(VirtIOGPUVenus *v, unsigned index,
                                const char *name, Error **errp)
{
    unsigned max = VIRTIO_GPU_BASE(v)->conf.max_outputs;

    if (index >= max) {
        error_setg(errp, "There is no %s with max_outputs=%u: use "
                   "max_outputs=%u or more", name, max, index + 1);
        return false;
    }
    return true;
}

bool venus_outputs_check_conf(VirtIOGPUVenus *v, Error **errp)
{
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(v->outputs); i++) {
        g_autofree char *name = g_strdup_printf("output%u", i);

        if (v->outputs[i].given && !venus_output_exists(v, i, name, errp)) {
            return false;
        }
    }
    return true;
}

/* One side of an output, at the start of @text. */
static bool venus_parse_size(const char *text, const char **end, uint32_t *size)
{
    return qemu_isdigit(*text) && !qemu_strtoui(text, end, 10, size) &&
           *size > 0 && *size <= VENUS_GPU_MAX_SIDE;
}

static bool venus_parse_output(const char *text, VenusOutput *output)
{
    VenusOutput o = { .given = true };

    if (strcmp(text, "off") &&
        (!venus_parse_size(text, &text, &o.width) || *text++ != 'x' ||
         !venus_parse_size(text, &text, &o.height) || *text)) {
        return false;
    }
    *output = o;
    return true;
}

static void venus_get_output(Object *obj, Visitor *visitor, const char *name,
                             void *opaque, Error **errp)
{
    VirtIOGPUVenus *v = VIRTIO_GPU_VENUS(obj);
    VenusOutput *output = object_field_prop_ptr(obj, opaque);
    unsigned index = output - v->outputs;
    g_autofree char *text = NULL;
    QemuUIInfo info;

    if (!venus_output_exists(v, index, name, errp)) {
        return;
    }
    info = qdev_is_realized(DEVICE(v))
        ? *dpy_get_ui_info(VIRTIO_GPU_BASE(v)->scanout[index].con)
        : venus_first_info(v, index);
    text = info.width && info.height
        ? g_strdup_printf("%ux%u", info.width, info.height)
        : g_strdup("off");
    visit_type_str(visitor, name, &text, errp);
}

static void venus_set_output(Object *obj, Visitor *visitor, const char *name,
                             void *opaque, Error **errp)
{
    VirtIOGPUVenus *v = VIRTIO_GPU_VENUS(obj);
    VenusOutput *output = object_field_prop_ptr(obj, opaque);
    unsigned index = output - v->outputs;
    g_autofree char *text = NULL;
    QemuConsole *con;
    QemuUIInfo info;

    if (!visit_type_str(visitor, name, &text, errp)) {
        return;
    }
    if (qdev_is_realized(DEVICE(v)) &&
        !venus_output_exists(v, index, name, errp)) {
        return;
    }
    if (!venus_parse_output(text, output)) {
        error_setg(errp, "%s=%s is not possible: use a size such as 1024x768, "
                   "up to %ux%u, or off", name, text, VENUS_GPU_MAX_SIDE,
                   VENUS_GPU_MAX_SIDE);
        return;
    }
    if (qdev_is_realized(DEVICE(v))) {
        con = VIRTIO_GPU_BASE(v)->scanout[index].con;
        info = *dpy_get_ui_info(con);
        info.width = output->width;
        info.height = output->height;
        /* These were the size of another screen. */
        info.width_mm = info.height_mm = 0;
        dpy_set_ui_info(con, &info, false);
    }
}

const PropertyInfo venus_output_property = {
    .type = "str",
    .description = "Size of the output, such as 1024x768, or off",
    .realized_set_allowed = true,
    .get = venus_get_output,
    .set = venus_set_output,
};
