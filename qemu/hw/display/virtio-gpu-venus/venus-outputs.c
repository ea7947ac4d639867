/*
 * virtio-gpu-venus: which outputs are connected, and how large they are
 *
 * A display says so of its windows, by way of a console's QemuUIInfo.  Outputs
 * that have no window yet are up to the user: the properties output0, output1
 * and so on, on the command line and at run time.  They change what the console
 * has, so that whoever speaks last is heard, be it a display or a user.  With
 * resize=off it is the user alone: windows then show outputs in another size.
 *
 * A rate that the user gave stays, whatever becomes of the size.  Otherwise it
 * is that of the monitor that the window is on, if the display tells.
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
#include "ui/native-compat.h"
#include "venus-compat.h"
#include "venus-internal.h"

/* More is no monitor's, and a slip of somebody's. */
#define VENUS_MAX_REFRESH_MHZ (1000 * 1000)

void venus_outputs_ui_info(void *opaque, uint32_t index, QemuUIInfo *info)
{
    VirtIOGPUVenus *v = opaque;
    VirtIOGPUBase *g = VIRTIO_GPU_BASE(v);
    const VenusOutput *user = &v->outputs[index];
    struct venus_gpu_output output = {
        .x = info->xoff,
        .y = info->yoff,
        .width = v->resize ? MIN(info->width, VENUS_GPU_MAX_SIDE) : user->width,
        .height = v->resize ? MIN(info->height, VENUS_GPU_MAX_SIDE)
                            : user->height,
        .width_mm = v->resize ? info->width_mm : 0,
        .height_mm = v->resize ? info->height_mm : 0,
        .refresh_mhz = user->refresh_mhz ?: info->refresh_rate,
        .name = venus_output_name(g, index),
        .fixed = !v->resize,
    };

    if (index < g->conf.max_outputs) {
        output.enabled = output.width && output.height;
        trace_virtio_gpu_venus_output(index, output.enabled, output.x,
                                      output.y, output.width, output.height,
                                      output.refresh_mhz);
        venus_gpu_set_output(v->gpu, index, &output);
    }
}

/* What was asked for before there were consoles */
static void venus_first_size(VirtIOGPUVenus *v, unsigned index,
                             uint32_t *width, uint32_t *height)
{
    VirtIOGPUBase *g = VIRTIO_GPU_BASE(v);
    const VenusOutput *output = &v->outputs[index];
    bool by_size = index == 0 && !output->given;

    *width = by_size ? g->conf.xres : output->width;
    *height = by_size ? g->conf.yres : output->height;
}

/* Outputs are as the user has it.  Also tells whoever asks the console. */
static void venus_apply_output(VirtIOGPUVenus *v, unsigned index)
{
    QemuConsole *con = VIRTIO_GPU_BASE(v)->scanout[index].con;
    const VenusOutput *output = &v->outputs[index];
    QemuUIInfo info = *qemu_console_get_ui_info(con);

    info.width = output->width;
    info.height = output->height;
    /* These were the size of another screen. */
    info.width_mm = info.height_mm = 0;
    qemu_console_set_ui_info(con, &info, false);
    /* It does nothing where only that has changed which it does not know. */
    venus_outputs_ui_info(v, index, &info);
}

void venus_outputs_attach(VirtIOGPUVenus *v)
{
    unsigned i;

    for (i = 0; i < VIRTIO_GPU_BASE(v)->conf.max_outputs; i++) {
        VenusOutput *output = &v->outputs[i];

        venus_first_size(v, i, &output->width, &output->height);
        venus_apply_output(v, i);
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

/* Hertz, with up to three digits after a point. */
static bool venus_parse_refresh(const char *text, uint32_t *refresh_mhz)
{
    uint32_t hertz, unit = 1000;

    if (!qemu_isdigit(*text) || qemu_strtoui(text, &text, 10, &hertz) ||
        hertz > VENUS_MAX_REFRESH_MHZ / 1000) {
        return false;
    }
    *refresh_mhz = hertz * 1000;
    if (*text == '.') {
        while (qemu_isdigit(*++text) && unit > 1) {
            unit /= 10;
            *refresh_mhz += unit * (*text - '0');
        }
        if (unit == 1000) {
            return false;
        }
    }
    return !*text && *refresh_mhz >= 1000 &&
           *refresh_mhz <= VENUS_MAX_REFRESH_MHZ;
}

static bool venus_parse_output(const char *text, VenusOutput *output)
{
    VenusOutput o = { .given = true };

    if (strcmp(text, "off") &&
        (!venus_parse_size(text, &text, &o.width) || *text++ != 'x' ||
         !venus_parse_size(text, &text, &o.height) ||
         (*text && (*text != '@' ||
                    !venus_parse_refresh(text + 1, &o.refresh_mhz))))) {
        return false;
    }
    *output = o;
    return true;
}

static char *venus_output_text(const VenusOutput *output)
{
    if (!output->width || !output->height) {
        return g_strdup("off");
    }
    if (!output->refresh_mhz) {
        return g_strdup_printf("%ux%u", output->width, output->height);
    }
    return g_strdup_printf("%ux%u@%.7g", output->width, output->height,
                           output->refresh_mhz / 1000.0);
}

static void venus_get_output(Object *obj, Visitor *visitor, const char *name,
                             void *opaque, Error **errp)
{
    VirtIOGPUVenus *v = VIRTIO_GPU_VENUS(obj);
    VenusOutput *output = object_field_prop_ptr(obj, opaque);
    unsigned index = output - v->outputs;
    VenusOutput told = *output;
    g_autofree char *text = NULL;
    const QemuUIInfo *info;

    if (!venus_output_exists(v, index, name, errp)) {
        return;
    }
    if (!qdev_is_realized(DEVICE(v))) {
        venus_first_size(v, index, &told.width, &told.height);
    } else if (v->resize) {
        info = qemu_console_get_ui_info(VIRTIO_GPU_BASE(v)->scanout[index].con);
        told.width = info->width;
        told.height = info->height;
    }
    text = venus_output_text(&told);
    visit_type_str(visitor, name, &text, errp);
}

static void venus_set_output(Object *obj, Visitor *visitor, const char *name,
                             void *opaque, Error **errp)
{
    VirtIOGPUVenus *v = VIRTIO_GPU_VENUS(obj);
    VenusOutput *output = object_field_prop_ptr(obj, opaque);
    unsigned index = output - v->outputs;
    g_autofree char *text = NULL;

    if (!visit_type_str(visitor, name, &text, errp)) {
        return;
    }
    if (qdev_is_realized(DEVICE(v)) &&
        !venus_output_exists(v, index, name, errp)) {
        return;
    }
    if (!venus_parse_output(text, output)) {
        error_setg(errp, "%s=%s is not possible: use a size such as 1024x768, "
                   "up to %ux%u, or one with a rate such as 1024x768@60, "
                   "or off", name, text, VENUS_GPU_MAX_SIDE,
                   VENUS_GPU_MAX_SIDE);
        return;
    }
    if (qdev_is_realized(DEVICE(v))) {
        venus_apply_output(v, index);
    }
}

const PropertyInfo venus_output_property = {
    .type = "str",
    .description = "Size of the output, such as 1024x768, with a rate such as "
                   "1024x768@59.94, or off",
    .realized_set_allowed = true,
    .get = venus_get_output,
    .set = venus_set_output,
};
