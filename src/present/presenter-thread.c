/* SPDX-License-Identifier: MIT */
/* See presenter.h: the thread. */
#include "present/presenter-state.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "memory/memory.h"
#include "platform/platform.h"

enum {
    OCCLUDED_MS = 100, /* a window system that asks for no frame for so long shows none */
    RETRY_MS = 50,     /* when there was nothing to paint on */
    NICE = -10,
};

static void answer(struct flushes *flushes)
{
    while (!SLIST_EMPTY(flushes)) {
        struct venus_gpu_flush *flush = SLIST_FIRST(flushes);
        SLIST_REMOVE_HEAD(flushes, presented_link);
        venus_gpu_flush_done(flush);
    }
}

void presenter_answer_painting(struct presenter *presenter)
{
    pthread_mutex_lock(&presenter->lock);
    struct flushes flushes = presenter->painting;
    SLIST_INIT(&presenter->painting);
    pthread_mutex_unlock(&presenter->lock);
    answer(&flushes);
}

/* Before a callback: whether there is a front end still, which then stays until end_call(). */
static bool begin_call(struct presenter *presenter)
{
    pthread_mutex_lock(&presenter->lock);
    bool may = presenter->calling = !presenter->abandoned;
    pthread_mutex_unlock(&presenter->lock);
    return may;
}

static void end_call(struct presenter *presenter)
{
    pthread_mutex_lock(&presenter->lock);
    presenter->calling = false;
    pthread_cond_broadcast(&presenter->idle);
    pthread_mutex_unlock(&presenter->lock);
}

/* A line about this output. */
static void say(struct presenter *presenter, enum venus_gpu_log_level level, const char *what,
                const char *more)
{
    if (!begin_call(presenter))
        return;
    log_line(&presenter->services->log, level, "output %u %s%s", presenter->scanout, what, more);
    end_call(presenter);
}

void presenter_drop(struct presenter *presenter, struct job *job)
{
    stat_add(&presenter->services->stats, STAT_PRESENT_DROPPED, 1);
    answer(&job->flushes);
    venus_gpu_frame_unref(job->frame);
}

void presenter_drop_queue(struct presenter *presenter)
{
    struct job jobs[FIFO_QUEUE];
    pthread_mutex_lock(&presenter->lock);
    unsigned count = presenter->queued;
    memcpy(jobs, presenter->queue, sizeof(jobs));
    presenter->queued = 0;
    pthread_mutex_unlock(&presenter->lock);
    for (unsigned i = 0; i < count; i++)
        presenter_drop(presenter, &jobs[i]);
}

static const enum stat_id tier_stats[] = {
    [IMPORT_DMA_BUF] = STAT_PRESENT_DMA_BUF,
    [IMPORT_OPAQUE_FD] = STAT_PRESENT_OPAQUE_FD,
    [IMPORT_HOST_POINTER] = STAT_PRESENT_HOST_POINTER,
    [IMPORT_STAGING] = STAT_PRESENT_STAGING,
};

_Static_assert(sizeof(tier_stats) / sizeof(tier_stats[0]) == IMPORT_TIERS, "a counter for each way");

static VkResult paint(struct presenter *presenter, struct venus_gpu_frame *frame,
                      const struct venus_gpu_rect *damage, enum import_tier *tier)
{
    struct screen *screen = &presenter->screen;
    struct memory *memory = frame_memory(frame);
    struct painting painting = {
        .frame = frame,
        .import = import_get(screen->vk, memory),
        .offset = frame_offset(frame),
        .damage = *damage,
    };
    if (!painting.import)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    pthread_mutex_lock(&presenter->lock);
    painting.pointer = presenter->pointer;
    pthread_mutex_unlock(&presenter->lock);
    painting.pointer.width = screen->pointer_width;
    painting.pointer.height = screen->pointer_height;

    bool hung = vulkan_hangs(screen->vk);
    screen_follow(screen, frame);
    VkResult result = screen_paint(screen, &painting);
    if (result == VK_SUCCESS)
        presenter->presented_ns = clock_now_ns();
    if (!hung && vulkan_hangs(screen->vk)) { /* it may read the frame still */
        memory_abandon(memory_ref(memory));
        vulkan_abandon(screen->vk, memory);
    }
    *tier = painting.import->tier;
    import_unref(painting.import);
    return result;
}

/* Whether it is this frame that cannot be shown, and not the target that is lost. */
static bool is_of_frame(struct presenter *presenter, VkResult result)
{
    bool of_frame =
        result == VK_ERROR_INVALID_EXTERNAL_HANDLE || result == VK_ERROR_FORMAT_NOT_SUPPORTED;
    if (of_frame)
        say(presenter, VENUS_GPU_LOG_WARNING,
            "has a frame that cannot be presented: its memory is ",
            result == VK_ERROR_FORMAT_NOT_SUPPORTED ? "larger than the GPU can read"
                                                    : "of no use to this GPU");
    return of_frame;
}

/* What the guest asked for, once for each frame: how often that is painted again depends on the window. */
static void count_frame(struct presenter *presenter, const struct job *job, enum import_tier tier)
{
    struct stats *stats = &presenter->services->stats;
    const struct painter *painter = presenter->screen.painter;
    stat_add(stats, STAT_PRESENT_FRAMES, 1);
    stat_add(stats, tier_stats[tier], 1);
    stat_add(stats, STAT_PRESENT_STAGING_BYTES, painter_staged(painter));
    stat_add(stats, painter_copied(painter) ? STAT_PRESENT_GPU_COPIES : STAT_PRESENT_GPU_DRAWS, 1);
    stat_add_present_time(stats, presenter->presented_ns - job->time_ns);
}

/* Returns VK_SUCCESS also if the frame could not be shown for the moment. */
static VkResult paint_job(struct presenter *presenter, struct job *job)
{
    enum import_tier tier;
    VkResult result = paint(presenter, job->frame, &job->damage, &tier);
    if (result != VK_SUCCESS) {
        presenter_drop(presenter, job);
        presenter_answer_painting(presenter);
        presenter->redraw_wanted = result == VK_TIMEOUT;
        return result == VK_TIMEOUT || is_of_frame(presenter, result) ? VK_SUCCESS : result;
    }
    count_frame(presenter, job, tier);
    presenter_answer_painting(presenter);
    venus_gpu_frame_unref(job->frame);
    presenter->redraw_wanted = false;
    return VK_SUCCESS;
}

static VkResult paint_again(struct presenter *presenter)
{
    const struct venus_gpu_rect all = { .width = presenter->shown->width,
                                        .height = presenter->shown->height };
    enum import_tier tier;
    VkResult result = paint(presenter, presenter->shown, &all, &tier);
    if (result == VK_SUCCESS)
        stat_add(&presenter->services->stats, STAT_PRESENT_REDRAWS, 1);
    presenter->redraw_wanted = result == VK_TIMEOUT;
    return result == VK_TIMEOUT || is_of_frame(presenter, result) ? VK_SUCCESS : result;
}

static void show_surface(struct presenter *presenter, bool shown)
{
    struct surface *surface = presenter->screen.surface;
    if (presenter->hidden == !shown)
        return;
    presenter->hidden = !shown;
    if (surface && surface->kind->show)
        surface->kind->show(surface, shown);
}

/* Take over what the other threads left for us. Returns whether there is a job in *job. */
static bool take(struct presenter *presenter, bool can_paint, struct job *job)
{
    struct venus_gpu_frame *former = NULL;
    uint32_t *pixels = NULL;
    uint32_t width = 0, height = 0;
    bool changed, has_job = false;

    pthread_mutex_lock(&presenter->lock);
    changed = presenter->frame_changed;
    if (changed) {
        presenter->frame_changed = false;
        former = presenter->shown;
        presenter->shown = presenter->frame ? venus_gpu_frame_ref(presenter->frame) : NULL;
    }
    if (presenter->redraw) {
        presenter->redraw = false;
        presenter->redraw_wanted = true;
    }
    if (presenter->pointer_changed) {
        presenter->pointer_changed = false;
        presenter->redraw_wanted = true;
        pixels = presenter->pointer_pixels;
        presenter->pointer_pixels = NULL;
        width = presenter->pointer_width;
        height = presenter->pointer_height;
    }
    /* Not while nothing is shown: what is queued is about to be dropped, and the window hidden. */
    if (can_paint && presenter->queued && presenter->frame) {
        *job = presenter->queue[0];
        presenter->painting = job->flushes;
        SLIST_INIT(&job->flushes);
        presenter->queued--;
        memmove(presenter->queue, presenter->queue + 1, presenter->queued * sizeof(*job));
        has_job = true;
    }
    pthread_mutex_unlock(&presenter->lock);

    venus_gpu_frame_unref(former);
    if (changed) {
        if (presenter->shown)
            screen_follow(&presenter->screen, presenter->shown);
        show_surface(presenter, presenter->shown);
    }
    if (pixels) {
        screen_set_pointer(&presenter->screen, pixels, width, height);
        free(pixels);
    }
    return has_job;
}

/* For tests: read the image back once there is nothing else to be done. */
static void answer_read(struct presenter *presenter)
{
    struct screen *screen = &presenter->screen;
    pthread_mutex_lock(&presenter->lock);
    bool has_news = presenter->queued || presenter->frame_changed || presenter->redraw ||
                    presenter->pointer_changed;
    bool will_paint = presenter->redraw_wanted && presenter->shown;
    if (presenter->read_pixels && !has_news && !will_paint) {
        struct image *image =
            screen->images && !screen->surface ? offscreen_shown(screen->images) : NULL;
        if (!image)
            presenter->read_result = screen->surface ? -EINVAL : -EAGAIN;
        else if (screen->images->width != presenter->read_width ||
                 screen->images->height != presenter->read_height)
            presenter->read_result = -EINVAL;
        else
            presenter->read_result = painter_read(screen->painter, screen->images, image,
                                                  presenter->read_pixels) == VK_SUCCESS
                                         ? 0
                                         : -EIO;
        presenter->read_pixels = NULL;
        pthread_cond_broadcast(&presenter->idle);
    }
    pthread_mutex_unlock(&presenter->lock);
}

/* Sleep until somebody wakes us, the window system has news, or for so long; -1: for ever. */
static void wait_for_news(struct presenter *presenter, int timeout_ms)
{
    struct surface *surface = presenter->screen.surface;
    struct pollfd fds[] = {
        { .fd = presenter->wake[0], .events = POLLIN },
        { .fd = surface ? surface->kind->fd(surface) : -1, .events = POLLIN },
    };
    if (poll(fds, 2, timeout_ms) > 0 && fds[0].revents) {
        char bytes[16];
        pthread_mutex_lock(&presenter->lock);
        presenter->awake = false;
        while (read(presenter->wake[0], bytes, sizeof(bytes)) > 0)
            ;
        pthread_mutex_unlock(&presenter->lock);
    }
}

static bool is_stopping(struct presenter *presenter)
{
    pthread_mutex_lock(&presenter->lock);
    bool stopping = presenter->stopping;
    pthread_mutex_unlock(&presenter->lock);
    return stopping;
}

static bool has_jobs(struct presenter *presenter)
{
    pthread_mutex_lock(&presenter->lock);
    bool has = presenter->queued;
    pthread_mutex_unlock(&presenter->lock);
    return has;
}

/* Whether the window system, where that sets the pace, has not asked for another frame yet. */
static bool is_paced(const struct presenter *presenter)
{
    const struct surface *surface = presenter->screen.surface;
    return surface && surface->kind->paces && surface->busy &&
           presenter->services->config.present_mode == VENUS_GPU_PRESENT_FIFO;
}

/* One turn. false: the target is lost, for the reason in *result. */
static bool turn(struct presenter *presenter, VkResult *result)
{
    struct surface *surface = presenter->screen.surface;
    if (surface)
        surface->kind->dispatch(surface);
    if (surface && surface->lost) {
        *result = VK_ERROR_SURFACE_LOST_KHR;
        return false;
    }

    bool visible = !surface || surface->visible;
    bool paced = is_paced(presenter);
    bool occluded = paced && clock_now_ns() - presenter->presented_ns > OCCLUDED_MS * 1000000ull;
    if ((visible && !presenter->was_visible) || screen_is_outdated(&presenter->screen) ||
        (surface && surface->exposed))
        presenter->redraw_wanted = true;
    presenter->was_visible = visible;
    if (surface)
        surface->exposed = false;

    struct job job;
    *result = VK_SUCCESS;
    if (take(presenter, visible && !paced, &job)) {
        *result = paint_job(presenter, &job);
        return *result == VK_SUCCESS;
    }
    /* What take() did to the surface may have changed that. */
    visible = !surface || surface->visible;
    if (has_jobs(presenter) && (!visible || occluded)) {
        presenter_drop_queue(presenter);
        presenter->redraw_wanted = true;
    }
    bool tried = false;
    if (presenter->redraw_wanted && presenter->shown && visible && !paced) {
        *result = paint_again(presenter);
        tried = true;
        if (*result != VK_SUCCESS)
            return false;
        /* Vulkan may have read what the window system sent for us: look before we sleep. */
        if (!presenter->redraw_wanted)
            return true;
    }
    answer_read(presenter);
    if (paced && has_jobs(presenter))
        wait_for_news(presenter, OCCLUDED_MS / 2);
    else
        wait_for_news(presenter, tried && presenter->redraw_wanted ? RETRY_MS : -1);
    return true;
}

static void on_resized(void *opaque, uint32_t width, uint32_t height)
{
    struct presenter *presenter = opaque;
    struct services *services = presenter->services;
    if (!services->ops.window_resized || !begin_call(presenter))
        return;
    services->ops.window_resized(services->opaque, presenter->scanout, width, height);
    end_call(presenter);
}

static void on_refreshed(void *opaque, uint32_t refresh_mhz)
{
    struct presenter *presenter = opaque;
    struct services *services = presenter->services;
    if (!services->ops.window_refreshed || !begin_call(presenter))
        return;
    services->ops.window_refreshed(services->opaque, presenter->scanout, refresh_mhz);
    end_call(presenter);
}

static void on_closed(void *opaque)
{
    struct presenter *presenter = opaque;
    struct services *services = presenter->services;
    if (!services->ops.window_closed || !begin_call(presenter))
        return;
    services->ops.window_closed(services->opaque, presenter->scanout);
    end_call(presenter);
}

static void on_input(void *opaque, const struct venus_gpu_input *event)
{
    struct presenter *presenter = opaque;
    struct services *services = presenter->services;
    struct venus_gpu_input input = *event;
    if (input.type == VENUS_GPU_INPUT_MOTION)
        screen_to_frame(&presenter->screen, &input.x, &input.y);
    if (!services->ops.input || !begin_call(presenter))
        return;
    services->ops.input(services->opaque, presenter->scanout, &input);
    end_call(presenter);
}

static const struct surface_listener listener = {
    .resized = on_resized,
    .refreshed = on_refreshed,
    .closed = on_closed,
    .input = on_input,
};

/* Nothing more is taken on; what there is goes back. */
static void end(struct presenter *presenter)
{
    pthread_mutex_lock(&presenter->lock);
    presenter->ended = true;
    if (presenter->read_pixels)
        presenter->read_result = -EINVAL;
    presenter->read_pixels = NULL;
    pthread_cond_broadcast(&presenter->idle);
    pthread_mutex_unlock(&presenter->lock);
    presenter_drop_queue(presenter);
}

/*
 * A frame is a short job that somebody waits for, among long ones: the guest's processors, and a renderer
 * without a GPU. So ask to be served before these, and with us the threads that the driver starts. Where
 * that takes a privilege that we lack, it stays as it is.
 */
static void ask_for_priority(void)
{
    platform_hurry_thread(NICE);
}

static void tell_of_end(struct presenter *presenter, const char *why)
{
    struct services *services = presenter->services;
    if (!services->ops.present_ended || !begin_call(presenter))
        return;
    services->ops.present_ended(services->opaque, presenter->scanout, why);
    end_call(presenter);
}

/* Which device it is that the thread is in, if it does not come back. */
static void set_opened(struct presenter *presenter, struct vulkan *vk)
{
    pthread_mutex_lock(&presenter->lock);
    presenter->opened = vk;
    pthread_mutex_unlock(&presenter->lock);
}

static void enter(struct presenter *presenter)
{
    if (!begin_call(presenter))
        return;
    threads_enter(&presenter->services->threads, VENUS_GPU_THREAD_PRESENTER);
    end_call(presenter);
}

static void leave(struct presenter *presenter)
{
    if (!begin_call(presenter)) {
        threads_forget(&presenter->services->threads);
        return;
    }
    threads_leave(&presenter->services->threads);
    end_call(presenter);
}

void presenter_run(struct presenter *presenter)
{
    struct screen *screen = &presenter->screen;
    VkResult result = VK_SUCCESS;
    char *why = NULL;

    ask_for_priority();
    enter(presenter);
    bool lives = screen_open(screen, &listener, presenter, &why);
    set_opened(presenter, screen->vk);
    if (lives) {
        char *what = screen_describe(screen);
        say(presenter, VENUS_GPU_LOG_INFO, "is presented by ", what ? what : "Vulkan");
        free(what);
    }
    if (lives && screen->lacks)
        say(presenter, VENUS_GPU_LOG_WARNING,
            "is presented by a swapchain, in spite of VENUS_GPU_IOSURFACE: the GPU's driver lacks ",
            screen->lacks);
    while (lives && !is_stopping(presenter))
        lives = turn(presenter, &result);

    end(presenter);
    if (!lives && !why && screen->vk)
        why = screen_why(screen, result);
    if (why)
        why[strcspn(why, "\n")] = '\0'; /* what to do about it does not fit here */
    bool quietly = !lives && screen->surface && screen->surface->lost && presenter->hidden;
    set_opened(presenter, NULL);
    screen_close(screen);
    venus_gpu_frame_unref(presenter->shown);
    presenter->shown = NULL;
    if (!lives) {
        const char *reason = why ? why : "out of memory";
        say(presenter, VENUS_GPU_LOG_INFO, "is not presented: ", reason);
        tell_of_end(presenter, quietly ? NULL : reason);
    }
    leave(presenter);
    free(why);
}
