/*
 * virtio-gpu-venus: which output is presented where
 *
 * Where it can, the library shows frames itself, with the host's Vulkan: in a
 * child that covers QEMU's window, in a window of its own, or nowhere.  QEMU's
 * own displays then hear of new frames no more, and an output's surface stays
 * in place for screendump and for the day that presenting ends.
 *
 * An output is presented in a VenusPlace.  Whenever its surface changes, and
 * QEMU's window may have come or gone with the former one, the place that is
 * wanted is compared with the one that there is.  What windows there are, and
 * what becomes of what users do in them, is the business of ui/native-window.c
 * and ui/native-input.c.  An output that goes off keeps
 * its place, where the library then shows nothing: it may be back at once, in
 * another mode.  Where presenting has ended by itself is not tried again until
 * the device is reset.
 *
 * What happens in a place the library reports on a thread of the presenter.
 * That becomes a VenusPresentEvent, and the bottom half does what is to be
 * done.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "hw/virtio/virtio-bus.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "qemu/lockable.h"
#include "system/runstate.h"
#include "trace.h"
#include "ui/native-input.h"
#include "ui/native-window.h"
#include "venus-internal.h"

typedef enum VenusPresentEventType {
    VENUS_PRESENT_ENDED,
    VENUS_PRESENT_WINDOWS,
    VENUS_PRESENT_RESIZED,
    VENUS_PRESENT_REFRESHED,
    VENUS_PRESENT_CLOSED,
    VENUS_PRESENT_INPUT,
} VenusPresentEventType;

struct VenusPresentEvent {
    VenusPresentEventType type;
    unsigned output;
    char *why;                          /* ended; may be NULL */
    uint32_t width, height;             /* resized */
    uint32_t refresh_mhz;               /* refreshed */
    struct venus_gpu_input input;       /* input */
    QSIMPLEQ_ENTRY(VenusPresentEvent) next;
};

bool venus_present_check_conf(VirtIOGPUVenus *v, Error **errp)
{
    const VenusPresent *p = &v->present;

    if (p->target != VENUS_PRESENT_ANY_TARGET &&
        p->policy != VENUS_PRESENT_SWAPCHAIN) {
        error_setg(errp, "present-target=%s is of no use with present=%s: "
                   "use present=swapchain too",
                   qapi_enum_lookup(&venus_present_target_names, p->target),
                   qapi_enum_lookup(&venus_present_policy_names, p->policy));
        return false;
    }
    return true;
}

/* Where to */

static bool venus_same_place(const VenusPlace *a, const VenusPlace *b)
{
    return a->somewhere == b->somewhere &&
           (!a->somewhere || (a->kind == b->kind && a->window == b->window &&
                              a->view == b->view));
}

static void venus_warn_once(VirtIOGPUVenus *v, const char *what)
{
    if (!v->present.warned) {
        v->present.warned = true;
        warn_report("virtio-gpu-venus: %s", what);
    }
}

/* Over the window in which a display of QEMU's shows the output, if any. */
static VenusPlace venus_cover(VirtIOGPUVenus *v, unsigned index)
{
    QemuConsole *con = VIRTIO_GPU_BASE(v)->scanout[index].con;
    uint32_t window = native_window_x11(con);
    void *view = native_window_cocoa(con);

    return (VenusPlace) {
        .somewhere = window || view,
        .kind = view ? VENUS_GPU_TARGET_METAL : VENUS_GPU_TARGET_X11,
        .window = view ? 0 : window,
        .view = view,
    };
}

static bool venus_is_cover(const VenusPlace *place)
{
    return place->kind == VENUS_GPU_TARGET_X11 ||
           place->kind == VENUS_GPU_TARGET_METAL;
}

/* Where an output with a frame would best be presented. */
static VenusPlace venus_best_place(VirtIOGPUVenus *v, unsigned index)
{
    VenusPlace nowhere = { 0 };
    VenusPlace cover = venus_cover(v, index);
    VenusPlace own = {
        .somewhere = true,
        .kind = VENUS_PRESENT_KIND(v->present.target),
    };

    switch (v->present.policy) {
    case VENUS_PRESENT_AUTO:
        return native_window_is_not_all() ? nowhere : cover;
    case VENUS_PRESENT_SWAPCHAIN:
        break;
    default:
        return nowhere;
    }

    if (v->present.target == VENUS_PRESENT_ANY_TARGET) {
        if (cover.somewhere || native_window_is_cocoa()) {
            return cover;
        }
        own.kind = VENUS_GPU_TARGET_HEADLESS;
        if (native_window_is_given() && !venus_window_is_named(index)) {
            venus_warn_once(v, "this QEMU does not say which window an output "
                            "other than the first is in: showing those through "
                            "QEMU's own display");
            return nowhere;
        }
        if (native_window_is_given()) {
            venus_warn_once(v, "QEMU's window is not one of X11, so frames are "
                            "presented where nobody sees them: use "
                            "SDL_VIDEODRIVER=x11 or present-target=wayland");
        } else if (native_window_is_wayland()) {
            own.kind = VENUS_GPU_TARGET_WAYLAND;
        }
        return own;
    }
    if (!venus_is_cover(&own)) {
        return own;
    }
    if (cover.somewhere && cover.kind == own.kind) {
        return cover;
    }
    if (own.kind == VENUS_GPU_TARGET_METAL && native_window_is_cocoa()) {
        return nowhere;
    }
    venus_warn_once(v, own.kind == VENUS_GPU_TARGET_X11
                    ? "there is no X11 window to present frames in: "
                    "use -display sdl with SDL_VIDEODRIVER=x11"
                    : "there is no window of macOS to present frames in: "
                    "use -display cocoa");
    return nowhere;
}

static VenusPlace venus_wanted_place(VirtIOGPUVenus *v, unsigned index)
{
    VenusPresentOutput *o = &v->present.outputs[index];
    struct virtio_gpu_scanout *s = &VIRTIO_GPU_BASE(v)->scanout[index];
    VenusPlace nowhere = { 0 }, place;

    if (v->present.over) {
        return nowhere;
    }
    if (!s->ds) {
        place = venus_cover(v, index);
        return venus_is_cover(&o->place) && !venus_same_place(&o->place, &place)
               ? nowhere : o->place;
    }
    place = venus_best_place(v, index);
    return venus_same_place(&place, &o->refused) ? nowhere : place;
}

/* Coming and going */

static void venus_free_event(VenusPresentEvent *event)
{
    g_free(event->why);
    g_free(event);
}

/* Forget that presenting has ended, in a place that it is in no more. */
static void venus_forget_end(VirtIOGPUVenus *v, unsigned index)
{
    VenusPresentEvent *event, *next;

    QEMU_LOCK_GUARD(&v->present.lock);
    QSIMPLEQ_FOREACH_SAFE(event, &v->present.events, next, next) {
        if (event->type == VENUS_PRESENT_ENDED && event->output == index) {
            QSIMPLEQ_REMOVE(&v->present.events, event, VenusPresentEvent, next);
            venus_free_event(event);
        }
    }
}

static void venus_leave(VirtIOGPUVenus *v, unsigned index)
{
    VenusPresentOutput *o = &v->present.outputs[index];

    if (!o->place.somewhere) {
        return;
    }
    trace_virtio_gpu_venus_present_off(index);
    venus_gpu_present(v->gpu, index, NULL);
    venus_forget_end(v, index);
    o->place.somewhere = false;
    if (o->input) {
        native_input_lift_all_keys(o->input);
    }
}

/* The place @place, where an output was to be presented, is none. */
static void venus_refused(VirtIOGPUVenus *v, unsigned index, VenusPlace place,
                          const char *why)
{
    VenusPresentOutput *o = &v->present.outputs[index];
    bool at_start = venus_stats_counter(v, "present-frames") == o->frames;

    trace_virtio_gpu_venus_present_ended(index, why ?: "");
    o->refused = place;
    if (why && !(at_start && v->present.policy == VENUS_PRESENT_AUTO)) {
        warn_report("virtio-gpu-venus: output %u: %s; showing it through "
                    "QEMU's own display", index, why);
    }
}

static void venus_enter(VirtIOGPUVenus *v, unsigned index, VenusPlace place)
{
    VenusPresentOutput *o = &v->present.outputs[index];
    DisplaySurface *surface = VIRTIO_GPU_BASE(v)->scanout[index].ds;
    g_autofree char *title = native_window_title(index);
    g_autofree char *why = NULL;
    struct venus_gpu_target target = {
        .size = sizeof(target),
        .kind = place.kind,
        .title = title,
        /* QEMU sets the pointer of its own window. */
        .draw_cursor = !venus_is_cover(&place),
        .only_gpu = v->present.policy == VENUS_PRESENT_AUTO,
        .view = place.view,
    };
    const char *name = qapi_enum_lookup(&venus_present_target_names,
                                        VENUS_PRESENT_TARGET(place.kind));
    int ret;

    if (place.kind == VENUS_GPU_TARGET_X11) {
        target.display = native_window_x11_display();
        target.window = place.window;
    } else if (place.kind == VENUS_GPU_TARGET_WAYLAND) {
        target.display = native_window_wayland_display();
        target.width = surface_width(surface);
        target.height = surface_height(surface);
    }
    trace_virtio_gpu_venus_present(index, name, place.window);
    o->frames = venus_stats_counter(v, "present-frames");
    o->place = place;
    ret = venus_gpu_present(v->gpu, index, &target);
    if (ret < 0) {
        o->place.somewhere = false;
        why = ret == -ENOTSUP
            ? g_strdup_printf("libvenusgpu was built without %s", name)
            : g_strdup_printf("it cannot be presented: %s", strerror(-ret));
        venus_refused(v, index, place, why);
    }
}

void venus_present_update(VirtIOGPUVenus *v, unsigned index)
{
    VenusPresentOutput *o = &v->present.outputs[index];
    VenusPlace wanted = venus_wanted_place(v, index);

    if (venus_same_place(&wanted, &o->place)) {
        return;
    }
    /*
     * In two steps even where one place follows another, so that we know which
     * of them has ended.
     */
    venus_leave(v, index);
    if (wanted.somewhere) {
        venus_enter(v, index, wanted);
    }
}

void venus_present_prepare_off(VirtIOGPUVenus *v, unsigned index)
{
    QemuConsole *con = VIRTIO_GPU_BASE(v)->scanout[index].con;

    if (v->present.outputs[index].place.kind == VENUS_GPU_TARGET_X11 &&
        native_window_goes_with_surface(con)) {
        venus_leave(v, index);
    }
}

bool venus_present_is_on(VirtIOGPUVenus *v, unsigned index)
{
    return v->present.outputs[index].place.somewhere;
}

void venus_present_reset(VirtIOGPUVenus *v)
{
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(v->present.outputs); i++) {
        venus_leave(v, i);
        memset(&v->present.outputs[i].refused, 0, sizeof(VenusPlace));
    }
}

/*
 * QEMU is about to exit.  The host's Vulkan driver must not be at work when its
 * destructors run, and the window is still there.
 */
static void venus_shutdown(Notifier *notifier, void *data)
{
    VirtIOGPUVenus *v = container_of(notifier, VirtIOGPUVenus,
                                     present.shutdown);
    unsigned i;

    if (native_window_outlives_guest()) {
        return;
    }
    v->present.over = true;
    for (i = 0; i < ARRAY_SIZE(v->present.outputs); i++) {
        venus_leave(v, i);
    }
}

/* What the library reports */

/* @template is copied; what it points to is the event's. */
static void venus_post(VirtIOGPUVenus *v, const VenusPresentEvent *template)
{
    VenusPresentEvent *event;

    WITH_QEMU_LOCK_GUARD(&v->present.lock) {
        event = QSIMPLEQ_LAST(&v->present.events, VenusPresentEvent, next);
        /* Of a pointer that moves on, only the last place counts. */
        if (event && event->type == VENUS_PRESENT_INPUT &&
            event->input.type == VENUS_GPU_INPUT_MOTION &&
            template->type == VENUS_PRESENT_INPUT &&
            template->input.type == VENUS_GPU_INPUT_MOTION &&
            event->output == template->output) {
            event->input = template->input;
        } else {
            event = g_memdup2(template, sizeof(*template));
            QSIMPLEQ_INSERT_TAIL(&v->present.events, event, next);
        }
    }
    qemu_bh_schedule(v->present.bh);
}

void venus_present_ended(void *opaque, unsigned scanout, const char *why)
{
    VenusPresentEvent event = {
        .type = VENUS_PRESENT_ENDED,
        .output = scanout,
        /* One line, and the sentence goes on after it. */
        .why = why ? g_strndup(why, strcspn(why, "\n")) : NULL,
    };
    size_t len = why ? strlen(event.why) : 0;

    if (len && event.why[len - 1] == '.') {
        event.why[len - 1] = '\0';
    }
    venus_post(opaque, &event);
}

/*
 * Another console is in the window.  The thread that tells us may be the
 * display's own, which is not to wait for the presenter.
 */
static void venus_windows_changed(Notifier *notifier, void *data)
{
    VirtIOGPUVenus *v = container_of(notifier, VirtIOGPUVenus, present.windows);
    VenusPresentEvent event = { .type = VENUS_PRESENT_WINDOWS };

    venus_post(v, &event);
}

void venus_present_window_resized(void *opaque, unsigned scanout,
                                  uint32_t width, uint32_t height)
{
    VenusPresentEvent event = {
        .type = VENUS_PRESENT_RESIZED,
        .output = scanout,
        .width = width,
        .height = height,
    };

    venus_post(opaque, &event);
}

void venus_present_window_refreshed(void *opaque, unsigned scanout,
                                    uint32_t refresh_mhz)
{
    VenusPresentEvent event = {
        .type = VENUS_PRESENT_REFRESHED,
        .output = scanout,
        .refresh_mhz = refresh_mhz,
    };

    venus_post(opaque, &event);
}

void venus_present_window_closed(void *opaque, unsigned scanout)
{
    VenusPresentEvent event = {
        .type = VENUS_PRESENT_CLOSED,
        .output = scanout,
    };

    venus_post(opaque, &event);
}

void venus_present_input(void *opaque, unsigned scanout,
                         const struct venus_gpu_input *input)
{
    VenusPresentEvent event = {
        .type = VENUS_PRESENT_INPUT,
        .output = scanout,
        .input = *input,
    };

    venus_post(opaque, &event);
}

/* What is done about it */

static void venus_handle_end(VirtIOGPUVenus *v, VenusPresentEvent *event)
{
    VenusPlace place = v->present.outputs[event->output].place;

    if (place.somewhere) {
        venus_leave(v, event->output);
        venus_refused(v, event->output, place, event->why);
        venus_display_show_again(v, event->output);
    }
}

static void venus_handle_windows(VirtIOGPUVenus *v)
{
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(v->present.outputs); i++) {
        bool was_on = venus_present_is_on(v, i);

        if (VIRTIO_GPU_BASE(v)->scanout[i].con) {
            venus_present_update(v, i);
        }
        if (was_on && !venus_present_is_on(v, i)) {
            venus_display_show_again(v, i);
        }
    }
}

static void venus_handle_input(VenusPresentOutput *o, QemuConsole *con,
                               const struct venus_gpu_input *input)
{
    if (!o->input) {
        o->input = native_input_new(con);
    }
    switch (input->type) {
    case VENUS_GPU_INPUT_KEY:
        native_input_key(o->input, input->code, input->pressed);
        break;
    case VENUS_GPU_INPUT_BUTTON:
        native_input_button(o->input, input->code, input->pressed);
        break;
    case VENUS_GPU_INPUT_MOTION:
        native_input_motion(o->input, input->x, input->y);
        break;
    case VENUS_GPU_INPUT_SCROLL:
        native_input_scroll(o->input, input->x, input->y);
        break;
    }
}

static void venus_handle_event(VirtIOGPUVenus *v, VenusPresentEvent *event)
{
    VenusPresentOutput *o = &v->present.outputs[event->output];
    QemuConsole *con = VIRTIO_GPU_BASE(v)->scanout[event->output].con;

    switch (event->type) {
    case VENUS_PRESENT_ENDED:
        venus_handle_end(v, event);
        break;
    case VENUS_PRESENT_WINDOWS:
        venus_handle_windows(v);
        break;
    case VENUS_PRESENT_RESIZED:
        native_window_resized(con, event->width, event->height);
        break;
    case VENUS_PRESENT_REFRESHED:
        native_window_refreshed(con, event->refresh_mhz);
        break;
    case VENUS_PRESENT_CLOSED:
        native_window_closed();
        break;
    case VENUS_PRESENT_INPUT:
        venus_handle_input(o, con, &event->input);
        break;
    }
}

static VenusPresentEvent *venus_next_event(VirtIOGPUVenus *v)
{
    VenusPresentEvent *event;

    QEMU_LOCK_GUARD(&v->present.lock);
    event = QSIMPLEQ_FIRST(&v->present.events);
    if (event) {
        QSIMPLEQ_REMOVE_HEAD(&v->present.events, next);
    }
    return event;
}

/* One at a time, as an event can make others void that are on the list. */
static void venus_present_bh(void *opaque)
{
    VirtIOGPUVenus *v = opaque;
    VenusPresentEvent *event;

    while ((event = venus_next_event(v))) {
        venus_handle_event(v, event);
        venus_free_event(event);
    }
}

void venus_present_init(VirtIOGPUVenus *v)
{
    QSIMPLEQ_INIT(&v->present.events);
    qemu_mutex_init(&v->present.lock);
    v->present.bh = virtio_bh_new_guarded(DEVICE(v), venus_present_bh, v);
    v->present.shutdown.notify = venus_shutdown;
    qemu_register_shutdown_notifier(&v->present.shutdown);
    v->present.windows.notify = venus_windows_changed;
    native_window_add_notifier(&v->present.windows);
}

void venus_present_finish(VirtIOGPUVenus *v)
{
    VenusPresentEvent *event;
    unsigned i;

    notifier_remove(&v->present.shutdown);
    native_window_remove_notifier(&v->present.windows);
    qemu_bh_delete(v->present.bh);
    while ((event = venus_next_event(v))) {
        venus_free_event(event);
    }
    for (i = 0; i < ARRAY_SIZE(v->present.outputs); i++) {
        g_clear_pointer(&v->present.outputs[i].input, native_input_free);
    }
    qemu_mutex_destroy(&v->present.lock);
}
