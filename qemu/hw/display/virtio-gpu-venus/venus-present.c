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
 * wanted is compared with the one that there is.  An output that goes off keeps
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
#include "qapi/qapi-commands-ui.h"
#include "qemu/config-file.h"
#include "qemu/error-report.h"
#include "qemu/lockable.h"
#include "qemu/option.h"
#include "standard-headers/linux/input-event-codes.h"
#include "system/runstate.h"
#include "system/runstate-action.h"
#include "system/system.h"
#include "trace.h"
#include "ui/input.h"
#include "ui/kbd-state.h"
#include "venus-internal.h"

/* More steps of a wheel at a time are an error of somebody's. */
#define VENUS_MAX_SCROLL 32

typedef enum VenusPresentEventType {
    VENUS_PRESENT_ENDED,
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

/* Properties */

/* In the order of VenusPresentPolicy. */
static const char *const venus_policy_names[] = {
    "auto", "surface", "swapchain", "off",
};

/* In the order of enum venus_gpu_present_mode. */
static const char *const venus_mode_names[] = {
    "fifo", "mailbox", "immediate",
};

/* The first one, and then in the order of enum venus_gpu_target_kind. */
static const char *const venus_target_names[] = {
    "auto", "offscreen", "headless", "x11", "wayland",
};

/* The place of @value among @names, 0 if there is no value, or -1. */
static int venus_choose(const char *property, const char *value,
                        const char *const *names, int count, Error **errp)
{
    g_autoptr(GString) list = g_string_new(NULL);
    int i;

    if (!value) {
        return 0;
    }
    for (i = 0; i < count; i++) {
        if (!strcmp(value, names[i])) {
            return i;
        }
        g_string_append_printf(list, "%s%s",
                               i == 0 ? "" : i < count - 1 ? ", " : " or ",
                               names[i]);
    }
    error_setg(errp, "%s=%s is not possible: use %s", property, value,
               list->str);
    return -1;
}

bool venus_present_check_conf(VirtIOGPUVenus *v, Error **errp)
{
    int policy = venus_choose("present", v->present_policy, venus_policy_names,
                              ARRAY_SIZE(venus_policy_names), errp);
    int mode, target;

    if (policy < 0) {
        return false;
    }
    mode = venus_choose("present-mode", v->present_mode, venus_mode_names,
                        ARRAY_SIZE(venus_mode_names), errp);
    if (mode < 0) {
        return false;
    }
    target = venus_choose("present-target", v->present_target,
                          venus_target_names, ARRAY_SIZE(venus_target_names),
                          errp);
    if (target < 0) {
        return false;
    }
    if (target && policy != VENUS_PRESENT_SWAPCHAIN) {
        error_setg(errp, "present-target=%s is of no use with present=%s: "
                   "use present=swapchain too", v->present_target,
                   venus_policy_names[policy]);
        return false;
    }
    v->present.policy = policy;
    v->present.mode = mode;
    v->present.any_target = !target;
    v->present.target = target ? target - 1 : VENUS_GPU_TARGET_OFFSCREEN;
    return true;
}

/* Where to */

static bool venus_same_place(const VenusPlace *a, const VenusPlace *b)
{
    return a->somewhere == b->somewhere &&
           (!a->somewhere || (a->kind == b->kind && a->window == b->window));
}

/* Whether others want to be told of frames who are no window. */
static bool venus_others_look(void)
{
    static const char *const groups[] = { "vnc", "spice" };
    QemuOptsList *list;
    int i;

    for (i = 0; i < ARRAY_SIZE(groups); i++) {
        list = qemu_find_opts_err(groups[i], NULL);
        if (list && !QTAILQ_EMPTY(&list->head)) {
            return true;
        }
    }
    return false;
}

static bool venus_qemu_has_window(void)
{
    static const char *const windows[] = { "gtk", "sdl", "cocoa", NULL };
    g_autoptr(DisplayOptions) options = qmp_query_display_options(NULL);

    return g_strv_contains(windows, DisplayType_str(options->type));
}

static void venus_warn_once(VirtIOGPUVenus *v, const char *what)
{
    if (!v->present.warned) {
        v->present.warned = true;
        warn_report("virtio-gpu-venus: %s", what);
    }
}

/* Where an output with a frame would best be presented. */
static VenusPlace venus_best_place(VirtIOGPUVenus *v, unsigned index)
{
    int window = qemu_console_get_window_id(
        VIRTIO_GPU_BASE(v)->scanout[index].con);
    VenusPlace nowhere = { 0 };
    VenusPlace cover = {
        .somewhere = true,
        .kind = VENUS_GPU_TARGET_X11,
        .window = window,
    };
    VenusPlace own = {
        .somewhere = true,
        .kind = v->present.target,
    };
    bool can_cover = window > 0 && getenv("DISPLAY");

    switch (v->present.policy) {
    case VENUS_PRESENT_AUTO:
        return can_cover && !venus_others_look() ? cover : nowhere;
    case VENUS_PRESENT_SWAPCHAIN:
        break;
    default:
        return nowhere;
    }

    if (v->present.any_target) {
        if (can_cover) {
            return cover;
        }
        own.kind = VENUS_GPU_TARGET_HEADLESS;
        if (venus_qemu_has_window()) {
            venus_warn_once(v, "QEMU's window is not one of X11, so frames are "
                            "presented where nobody sees them: use "
                            "SDL_VIDEODRIVER=x11 or present-target=wayland");
        } else if (getenv("WAYLAND_DISPLAY")) {
            own.kind = VENUS_GPU_TARGET_WAYLAND;
        }
        return own;
    }
    if (own.kind != VENUS_GPU_TARGET_X11) {
        return own;
    }
    if (!can_cover) {
        venus_warn_once(v, "there is no X11 window to present frames in: "
                        "use -display sdl with SDL_VIDEODRIVER=x11");
        return nowhere;
    }
    return cover;
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
        return o->place.kind == VENUS_GPU_TARGET_X11 &&
               o->place.window != qemu_console_get_window_id(s->con)
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
    if (o->keys) {
        qkbd_state_lift_all_keys(o->keys);
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
    g_autofree char *title = qemu_get_vm_name() ?
        g_strdup_printf("QEMU (%s) - output %u", qemu_get_vm_name(), index) :
        g_strdup_printf("QEMU - output %u", index);
    g_autofree char *why = NULL;
    struct venus_gpu_target target = {
        .size = sizeof(target),
        .kind = place.kind,
        .title = title,
        /* QEMU sets the pointer of its own window. */
        .draw_cursor = place.kind != VENUS_GPU_TARGET_X11,
        .only_gpu = v->present.policy == VENUS_PRESENT_AUTO,
    };
    const char *name = venus_target_names[place.kind + 1];
    int ret;

    if (place.kind == VENUS_GPU_TARGET_X11) {
        target.display = getenv("DISPLAY");
        target.window = place.window;
    } else if (place.kind == VENUS_GPU_TARGET_WAYLAND) {
        target.display = getenv("WAYLAND_DISPLAY") ?: "wayland-0";
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

    /* SDL has a window for the first console always, for others only if on. */
    if (v->present.outputs[index].place.kind == VENUS_GPU_TARGET_X11 &&
        qemu_console_get_index(con) != 0) {
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

    if (shutdown_action == SHUTDOWN_ACTION_PAUSE) {
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

static void venus_handle_resize(QemuConsole *con, VenusPresentEvent *event)
{
    QemuUIInfo info = {
        .width = event->width,
        .height = event->height,
        .refresh_rate = dpy_get_ui_info(con)->refresh_rate,
    };

    if (info.width && info.height) {
        dpy_set_ui_info(con, &info, true);
    }
}

static void venus_handle_refresh(QemuConsole *con, VenusPresentEvent *event)
{
    QemuUIInfo info = *dpy_get_ui_info(con);

    info.refresh_rate = event->refresh_mhz;
    dpy_set_ui_info(con, &info, true);
}

static void venus_handle_close(void)
{
    g_autoptr(DisplayOptions) options = qmp_query_display_options(NULL);

    if (options->has_window_close && !options->window_close) {
        return;
    }
    shutdown_action = SHUTDOWN_ACTION_POWEROFF;
    qemu_system_shutdown_request(SHUTDOWN_CAUSE_HOST_UI);
}

static void venus_handle_key(VenusPresentOutput *o, QemuConsole *con,
                             const struct venus_gpu_input *input)
{
    int qcode = qemu_input_linux_to_qcode(input->code);

    if (!o->keys) {
        o->keys = qkbd_state_init(con);
    }
    if (qcode) {
        qkbd_state_key_event(o->keys, qcode, input->pressed);
    }
}

static void venus_handle_button(QemuConsole *con,
                                const struct venus_gpu_input *input)
{
    InputButton button;

    switch (input->code) {
    case BTN_LEFT:
        button = INPUT_BUTTON_LEFT;
        break;
    case BTN_RIGHT:
        button = INPUT_BUTTON_RIGHT;
        break;
    case BTN_MIDDLE:
        button = INPUT_BUTTON_MIDDLE;
        break;
    case BTN_SIDE:
        button = INPUT_BUTTON_SIDE;
        break;
    case BTN_EXTRA:
        button = INPUT_BUTTON_EXTRA;
        break;
    default:
        return;
    }
    qemu_input_queue_btn(con, button, input->pressed);
    qemu_input_event_sync();
}

static void venus_handle_motion(VenusPresentOutput *o, QemuConsole *con,
                                const struct venus_gpu_input *input)
{
    if (qemu_input_is_absolute(con)) {
        qemu_input_queue_abs(con, INPUT_AXIS_X, input->x, 0,
                             qemu_console_get_width(con, 1));
        qemu_input_queue_abs(con, INPUT_AXIS_Y, input->y, 0,
                             qemu_console_get_height(con, 1));
    } else {
        qemu_input_queue_rel(con, INPUT_AXIS_X, input->x - o->pointer_x);
        qemu_input_queue_rel(con, INPUT_AXIS_Y, input->y - o->pointer_y);
    }
    qemu_input_event_sync();
    o->pointer_x = input->x;
    o->pointer_y = input->y;
}

static void venus_scroll(QemuConsole *con, InputButton button, int steps)
{
    for (steps = MIN(steps, VENUS_MAX_SCROLL); steps > 0; steps--) {
        qemu_input_queue_btn(con, button, true);
        qemu_input_event_sync();
        qemu_input_queue_btn(con, button, false);
        qemu_input_event_sync();
    }
}

static void venus_handle_input(VenusPresentOutput *o, QemuConsole *con,
                               const struct venus_gpu_input *input)
{
    switch (input->type) {
    case VENUS_GPU_INPUT_KEY:
        venus_handle_key(o, con, input);
        break;
    case VENUS_GPU_INPUT_BUTTON:
        venus_handle_button(con, input);
        break;
    case VENUS_GPU_INPUT_MOTION:
        venus_handle_motion(o, con, input);
        break;
    case VENUS_GPU_INPUT_SCROLL:
        venus_scroll(con, INPUT_BUTTON_WHEEL_DOWN, input->y);
        venus_scroll(con, INPUT_BUTTON_WHEEL_UP, -input->y);
        venus_scroll(con, INPUT_BUTTON_WHEEL_RIGHT, input->x);
        venus_scroll(con, INPUT_BUTTON_WHEEL_LEFT, -input->x);
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
    case VENUS_PRESENT_RESIZED:
        venus_handle_resize(con, event);
        break;
    case VENUS_PRESENT_REFRESHED:
        venus_handle_refresh(con, event);
        break;
    case VENUS_PRESENT_CLOSED:
        venus_handle_close();
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
}

void venus_present_finish(VirtIOGPUVenus *v)
{
    VenusPresentEvent *event;
    unsigned i;

    notifier_remove(&v->present.shutdown);
    qemu_bh_delete(v->present.bh);
    while ((event = venus_next_event(v))) {
        venus_free_event(event);
    }
    for (i = 0; i < ARRAY_SIZE(v->present.outputs); i++) {
        g_clear_pointer(&v->present.outputs[i].keys, qkbd_state_free);
    }
    qemu_mutex_destroy(&v->present.lock);
}
