/*
 * virtio-gpu-venus: consoles, their surfaces and cursors
 *
 * A console's surface lies over the very memory that the guest or the GPU
 * writes.  It keeps the library's frame for as long as anybody (a VNC client, a
 * screendump) keeps its pixman image, whatever the guest does to its resource.
 *
 * The library reports frames, flushes and cursors on its device thread.  They
 * are merged into one VenusPending per output, and the bottom half applies what
 * has gathered there: a display that is slow misses frames in between, and
 * delays nobody.
 *
 * An output that is presented (venus-present.c) shows its frames without us.
 * Its surface then gets each frame's image, for screendump, but the displays
 * are not told of it: they would read all of it, and nobody would see it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "hw/virtio/virtio-bus.h"
#include "hw/virtio/virtio-gpu-pixman.h"
#include "qemu/lockable.h"
#include "qemu/log.h"
#include "trace.h"
#include "ui/native-compat.h"
#include "venus-compat.h"
#include "venus-internal.h"

static void venus_image_destroyed(pixman_image_t *image, void *frame)
{
    venus_gpu_frame_unref(frame);
}

/* What is on a screen has nothing behind it: alpha means nothing there. */
static pixman_format_code_t venus_pixman_format(
    const struct venus_gpu_frame *frame)
{
    pixman_format_code_t format =
        virtio_gpu_get_pixman_format(frame->format->virtio);

    return PIXMAN_FORMAT(PIXMAN_FORMAT_BPP(format), PIXMAN_FORMAT_TYPE(format),
                         0, PIXMAN_FORMAT_R(format), PIXMAN_FORMAT_G(format),
                         PIXMAN_FORMAT_B(format));
}

/*
 * Pixman, and all who read an image, compute places in it with ints.  The
 * library promises that these do.
 */
static bool venus_frame_is_sane(const struct venus_gpu_frame *frame)
{
    return frame->width <= VENUS_GPU_MAX_SIDE &&
           frame->height <= VENUS_GPU_MAX_SIDE &&
           (uint64_t)frame->stride * frame->height <= INT_MAX;
}

/* An image over the frame's memory, which it keeps a reference to, or NULL. */
static pixman_image_t *venus_create_image(struct venus_gpu_frame *frame)
{
    pixman_image_t *image = NULL;
    bool is_sane = venus_frame_is_sane(frame);

    /* Only a GPU sees the pixels: they are presented; here it is black. */
    if (is_sane && !frame->pixels) {
        return pixman_image_create_bits(venus_pixman_format(frame),
                                        frame->width, frame->height, NULL, 0);
    }
    /* Pixman reads pixels as aligned 32-bit words. */
    if (is_sane &&
        QEMU_IS_ALIGNED(frame->stride | (uintptr_t)frame->pixels, 4)) {
        image = pixman_image_create_bits(venus_pixman_format(frame),
                                         frame->width, frame->height,
                                         (uint32_t *)frame->pixels,
                                         frame->stride);
    }
    if (!image) {
        qemu_log_mask(LOG_GUEST_ERROR,
                      "virtio-gpu-venus: resource %u cannot be shown: "
                      "%ux%u pixels %s, %u bytes a row\n", frame->resource_id,
                      frame->width, frame->height, frame->format->name,
                      frame->stride);
        return NULL;
    }
    pixman_image_set_destroy_function(image, venus_image_destroyed,
                                      venus_gpu_frame_ref(frame));
    return image;
}

static bool venus_surface_is_like(DisplaySurface *surface,
                                  const struct venus_gpu_frame *frame)
{
    return surface_width(surface) == frame->width &&
           surface_height(surface) == frame->height &&
           surface_format(surface) == venus_pixman_format(frame);
}

static bool venus_surface_is_over(DisplaySurface *surface,
                                  const struct venus_gpu_frame *frame)
{
    return surface_data(surface) == frame->pixels &&
           surface_stride(surface) == frame->stride &&
           venus_surface_is_like(surface, frame);
}

/* Give QEMU's displays a surface over @image; NULL: nothing. */
static void venus_set_image(VirtIOGPUVenus *v, unsigned index,
                            pixman_image_t *image)
{
    struct virtio_gpu_scanout *s = &VIRTIO_GPU_BASE(v)->scanout[index];
    DisplaySurface *surface = image ? qemu_create_displaysurface_pixman(image)
                                    : NULL;

    if (surface || s->ds) {
        qemu_console_set_surface(s->con, surface);
    }
    s->ds = surface;
    g_clear_pointer(&v->display.known[index], qemu_pixman_image_unref);
}

/*
 * Put @image, which is like the one before, behind the surface that QEMU's
 * displays have.  They may keep the address of the former one.
 */
static void venus_exchange_image(VirtIOGPUVenus *v, unsigned index,
                                 pixman_image_t *image)
{
    DisplaySurface *surface = VIRTIO_GPU_BASE(v)->scanout[index].ds;

    if (v->display.known[index]) {
        qemu_pixman_image_unref(surface->image);
    } else {
        v->display.known[index] = surface->image;
    }
    surface->image = pixman_image_ref(image);
}

/* Show @frame; NULL: nothing. */
static void venus_apply_frame(VirtIOGPUVenus *v, unsigned index,
                              struct venus_gpu_frame *frame)
{
    VirtIOGPUBase *g = VIRTIO_GPU_BASE(v);
    struct virtio_gpu_scanout *s = &g->scanout[index];
    pixman_image_t *image = NULL;

    if (frame) {
        if (s->ds && venus_surface_is_over(s->ds, frame)) {
            return;
        }
        image = venus_create_image(frame);
        /* From now on virtio-vga shows our surface, not the VGA's. */
        g->enable = 1;
    }
    if (image && s->ds && venus_present_is_on(v, index) &&
        venus_surface_is_like(s->ds, frame)) {
        venus_exchange_image(v, index, image);
    } else {
        if (!image) {
            venus_present_prepare_off(v, index);
        }
        venus_set_image(v, index, image);
        /* Now QEMU's window has come or gone. */
        venus_present_update(v, index);
    }
    qemu_pixman_image_unref(image);
}

void venus_display_show_again(VirtIOGPUVenus *v, unsigned index)
{
    struct virtio_gpu_scanout *s = &VIRTIO_GPU_BASE(v)->scanout[index];
    pixman_image_t *image;

    if (v->display.known[index]) {
        image = pixman_image_ref(s->ds->image);
        venus_set_image(v, index, image);
        qemu_pixman_image_unref(image);
    } else if (s->ds) {
        qemu_console_update_full(s->con);
    }
}

static void venus_apply_damage(VirtIOGPUVenus *v, unsigned index,
                               const struct venus_gpu_rect *damage)
{
    VirtIOGPUBase *g = VIRTIO_GPU_BASE(v);
    struct virtio_gpu_scanout *s = &g->scanout[index];
    uint32_t width, height;

    if (!s->ds) {
        return;
    }
    width = surface_width(s->ds);
    height = surface_height(s->ds);
    if (damage->x >= width || damage->y >= height) {
        return;
    }
    qemu_console_update(s->con, damage->x, damage->y,
                        MIN(damage->width, width - damage->x),
                        MIN(damage->height, height - damage->y));
}

/*
 * A coordinate of the pointer's, which is any number of the guest's, as one
 * that can be computed with.  What is left of the screen or above it is
 * negative.
 */
static int venus_pointer_place(uint32_t place)
{
    return CLAMP((int32_t)place, -VENUS_GPU_MAX_SIDE, VENUS_GPU_MAX_SIDE);
}

static void venus_apply_cursor(VirtIOGPUVenus *v, unsigned index,
                               const VenusPending *p)
{
    QemuConsole *con = VIRTIO_GPU_BASE(v)->scanout[index].con;

    if (p->image) {
        qemu_console_set_cursor(con, p->image);
    }
    qemu_console_set_mouse(con, venus_pointer_place(p->cursor.x),
                           venus_pointer_place(p->cursor.y),
                           p->cursor.visible);
}

/* Apply @p, which is ours alone, and release what it holds. */
static void venus_apply(VirtIOGPUVenus *v, unsigned index, VenusPending *p)
{
    unsigned i;

    if (p->changed) {
        trace_virtio_gpu_venus_apply_scanout(
            index, p->frame ? p->frame->resource_id : 0);
        venus_apply_frame(v, index, p->frame);
        venus_gpu_frame_unref(p->frame);
    }
    if (p->damage.width) {
        venus_apply_damage(v, index, &p->damage);
    }
    if (p->flushes) {
        trace_virtio_gpu_venus_flushed(index, p->flushes->len);
        for (i = 0; i < p->flushes->len; i++) {
            venus_gpu_flush_done(g_ptr_array_index(p->flushes, i));
        }
        g_ptr_array_free(p->flushes, true);
    }
    if (p->cursor_changed) {
        venus_apply_cursor(v, index, p);
        cursor_unref(p->image);
    }
}

static void venus_display_bh(void *opaque)
{
    VirtIOGPUVenus *v = opaque;
    VirtIOGPUBase *g = VIRTIO_GPU_BASE(v);
    unsigned i;

    for (i = 0; i < g->conf.max_outputs; i++) {
        VenusPending p;

        WITH_QEMU_LOCK_GUARD(&v->display.lock) {
            p = v->display.pending[i];
            memset(&v->display.pending[i], 0, sizeof(p));
        }
        venus_apply(v, i, &p);
    }
}

void venus_display_flush(VirtIOGPUVenus *v)
{
    venus_display_bh(v);
}

void venus_display_scanout_changed(void *opaque, unsigned scanout,
                                   struct venus_gpu_frame *frame)
{
    VirtIOGPUVenus *v = opaque;
    VenusPending *p = &v->display.pending[scanout];
    struct venus_gpu_frame *old;

    if (frame) {
        trace_virtio_gpu_venus_scanout(scanout, frame->resource_id,
                                       frame->width, frame->height,
                                       frame->stride, frame->format->name);
        venus_gpu_frame_ref(frame);
    } else {
        trace_virtio_gpu_venus_scanout_off(scanout);
    }
    WITH_QEMU_LOCK_GUARD(&v->display.lock) {
        old = p->frame;
        p->frame = frame;
        p->changed = true;
        /* It was about the old frame's pixels. */
        memset(&p->damage, 0, sizeof(p->damage));
    }
    venus_gpu_frame_unref(old);
    qemu_bh_schedule(v->display.bh);
}

static void venus_rect_add(struct venus_gpu_rect *sum,
                           const struct venus_gpu_rect *rect)
{
    uint32_t right, bottom;

    if (!sum->width) {
        *sum = *rect;
        return;
    }
    right = MAX(sum->x + sum->width, rect->x + rect->width);
    bottom = MAX(sum->y + sum->height, rect->y + rect->height);
    sum->x = MIN(sum->x, rect->x);
    sum->y = MIN(sum->y, rect->y);
    sum->width = right - sum->x;
    sum->height = bottom - sum->y;
}

void venus_display_scanout_flush(void *opaque, unsigned scanout,
                                 const struct venus_gpu_rect *rect,
                                 struct venus_gpu_flush *flush)
{
    VirtIOGPUVenus *v = opaque;
    VenusPending *p = &v->display.pending[scanout];

    trace_virtio_gpu_venus_flush(scanout, rect->x, rect->y,
                                 rect->width, rect->height);
    WITH_QEMU_LOCK_GUARD(&v->display.lock) {
        venus_rect_add(&p->damage, rect);
        if (!p->flushes) {
            p->flushes = g_ptr_array_new();
        }
        g_ptr_array_add(p->flushes, flush);
    }
    qemu_bh_schedule(v->display.bh);
}

void venus_display_cursor_changed(void *opaque, unsigned scanout,
                                  const struct venus_gpu_cursor *cursor)
{
    VirtIOGPUVenus *v = opaque;
    VenusPending *p = &v->display.pending[scanout];
    QEMUCursor *image = NULL, *old = NULL;

    trace_virtio_gpu_venus_cursor(scanout, cursor->x, cursor->y,
                                  cursor->visible, cursor->image_changed);
    if (cursor->image_changed && cursor->pixels) {
        image = cursor_alloc(cursor->width, cursor->height);
    }
    if (image) {
        image->hot_x = cursor->hot_x;
        image->hot_y = cursor->hot_y;
        memcpy(image->data, cursor->pixels,
               sizeof(uint32_t) * cursor->width * cursor->height);
    }
    WITH_QEMU_LOCK_GUARD(&v->display.lock) {
        if (image) {
            old = p->image;
            p->image = image;
        }
        p->cursor = *cursor;
        p->cursor_changed = true;
    }
    cursor_unref(old);
    qemu_bh_schedule(v->display.bh);
}

/* Console operations */

static int venus_get_flags(void *opaque)
{
    return GRAPHIC_FLAGS_NONE;
}

static void venus_invalidate(void *opaque)
{
}

static void venus_gfx_update(void *opaque)
{
    /* Surfaces are current: the guest tells about changes, we do not look. */
}

static const GraphicHwOps venus_hw_ops = {
    .get_flags = venus_get_flags,
    .invalidate = venus_invalidate,
    .gfx_update = venus_gfx_update,
    .ui_info = venus_outputs_ui_info,
};

void venus_display_init(VirtIOGPUVenus *v)
{
    qemu_mutex_init(&v->display.lock);
    v->display.bh = virtio_bh_new_guarded(DEVICE(v), venus_display_bh, v);
}

void venus_display_attach(VirtIOGPUVenus *v)
{
    VirtIOGPUBase *g = VIRTIO_GPU_BASE(v);
    unsigned i;

    g->hw_ops = &venus_hw_ops;
    for (i = 0; i < g->conf.max_outputs; i++) {
        qemu_graphic_console_set_hwops(g->scanout[i].con, &venus_hw_ops, v);
    }
}

void venus_display_reset(VirtIOGPUVenus *v)
{
    VirtIOGPUBase *g = VIRTIO_GPU_BASE(v);
    unsigned i;

    venus_display_bh(v);
    for (i = 0; i < g->conf.max_outputs; i++) {
        venus_apply_frame(v, i, NULL);
        qemu_console_set_mouse(g->scanout[i].con, 0, 0, false);
    }
    virtio_gpu_base_reset(g);
}

void venus_display_finish(VirtIOGPUVenus *v)
{
    qemu_bh_delete(v->display.bh);
    qemu_mutex_destroy(&v->display.lock);
}
