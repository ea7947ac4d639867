/* SPDX-License-Identifier: MIT */
/* See session.h. */
#include "renderer/session.h"

#include <errno.h>
#include <stdlib.h>

#include "base/message.h"
#include "base/services.h"
#include "base/ways.h"
#include "platform/platform.h"
#include "renderer/watchdog.h"

struct session {
    struct services *services;
    struct session_events events;
    bool server_was_given; /* as a descriptor */
    bool polls_fences;
    bool runs; /* init() succeeded, fini() is due */

    /* Learnt at the first start. */
    bool is_known;
    uint32_t capset_version, capset_size;
    struct renderer_device device; /* the first one */
    uint8_t
        *capsets; /* all versions of the capability set, one after the other; NULL: not asked yet */
};

static void on_interrupted(void *opaque, unsigned context_id)
{
    struct session *session = opaque;
    threads_enter(&session->services->threads, VENUS_GPU_THREAD_RENDERER);
    if (context_id)
        log_line(&session->services->log, VENUS_GPU_LOG_WARNING,
                 "context %u does not answer: its process is ended", context_id);
    else
        log_line(&session->services->log, VENUS_GPU_LOG_ERROR,
                 "the render server does not answer: it is ended, with all contexts");
}

int session_create(struct session **out, struct services *services, const struct renderer *renderer,
                   const struct session_events *events)
{
    struct session *session = calloc(1, sizeof(*session));
    if (!session)
        return -ENOMEM;
    session->services = services;
    session->events = *events;
    session->server_was_given = services->config.render_server_fd >= 0;
    session->polls_fences = ways_poll_fences() || !platform_has_fence_events();
    const struct watchdog_config config = {
        .call_ms = services->config.max_call_ms,
        .server_can_be_replaced = !session->server_was_given,
        .interrupted = on_interrupted,
        .opaque = session,
    };
    services->renderer = watchdog_start(renderer, &config);
    if (!services->renderer) {
        free(session);
        return -EAGAIN;
    }
    *out = session;
    return 0;
}

void session_close(struct session *session)
{
    watchdog_stop();
    session->services->renderer = NULL;
}

void session_destroy(struct session *session)
{
    if (!session)
        return;
    if (session->services->renderer)
        session_close(session);
    free(session->capsets);
    free(session);
}

static void on_fence(void *opaque, uint64_t fence_id)
{
    struct session *session = opaque;
    threads_enter(&session->services->threads, VENUS_GPU_THREAD_RENDERER);
    session->events.fence(session->events.opaque, fence_id);
}

static void on_line(void *opaque, bool is_error, const char *line)
{
    struct session *session = opaque;
    struct log *log = &session->services->log;
    threads_enter(&session->services->threads, VENUS_GPU_THREAD_RENDERER);
    if (is_error)
        log_renderer_line(log, line);
    else
        log_line(log, VENUS_GPU_LOG_DEBUG, "%s", line);
}

/* Ask the renderer, which runs, for what a guest needs. */
static int learn(struct session *session, char **message_out)
{
    const struct renderer *renderer = session->services->renderer;
    uint32_t version, size;
    struct renderer_device device = { .way = "" };
    int ret = renderer->capset_info(&version, &size);
    if (ret < 0) {
        *message_out =
            message("This virglrenderer was built without Venus.\n"
                    "Install one that has it: 1.0 or newer, configured with -Dvenus=true.");
        return ret;
    }
    ret = renderer->first_device(&device, message_out);
    if (ret == -ENODEV)
        *message_out = message("The host has no Vulkan device for the guest.\n%s",
                               platform_driver_advice);
    else if (ret < 0 && !*message_out)
        *message_out = message("The render server does not answer.\n"
                               "Is virgl_render_server installed, and allowed to run?");
    if (ret < 0)
        return ret;
    if (device.is_only && device.is_processor)
        renderer->limit_memory(session->services->config.max_context_memory);
    /* What was learnt at the first start stays: others read it, and the guest relies on it. */
    if (!session->is_known) {
        session->capset_version = version;
        session->capset_size = size;
        session->device = device;
        session->is_known = true;
        if (device.way_is_bad)
            log_line(&session->services->log, VENUS_GPU_LOG_WARNING,
                     "virglrenderer %s: install 1.2 or newer, or libvenusgpu again", device.way);
        else if (*device.way)
            log_line(&session->services->log, VENUS_GPU_LOG_INFO, "virglrenderer %s", device.way);
    }
    return 0;
}

int session_start(struct session *session, char **message_out)
{
    assert_device_thread(session->services);
    static const struct renderer_events events = { .fence = on_fence, .log = on_line };

    struct venus_gpu_config *config = &session->services->config;
    const struct renderer_config renderer_config = { .events = &events,
                                                     .opaque = session,
                                                     .server_path = config->render_server,
                                                     .server_fd = config->render_server_fd,
                                                     .polls_fences =
                                                         session_polls_fences(session) };
    config->render_server_fd = -1;
    int ret = session->services->renderer->init(&renderer_config, message_out);
    if (ret < 0) {
        if (!*message_out)
            *message_out = message("virglrenderer could not be started.\n"
                                   "Is virgl_render_server, which comes with it, installed?");
        return ret;
    }
    session->runs = true;
    ret = learn(session, message_out);
    if (ret < 0)
        session_stop(session);
    return ret;
}

void session_stop(struct session *session)
{
    assert_device_thread(session->services);
    /* Not where an attempt to start it anew failed. */
    if (session->runs)
        session->services->renderer->fini();
    session->runs = false;
}

bool session_polls_fences(const struct session *session)
{
    return session->polls_fences;
}

void session_poll(struct session *session)
{
    assert_device_thread(session->services);
    if (session->runs)
        session->services->renderer->poll();
}

bool session_can_be_renewed(const struct session *session)
{
    return !session->server_was_given;
}

const struct renderer_device *session_device(const struct session *session)
{
    return &session->device;
}

uint32_t session_capset_version(const struct session *session)
{
    return session->capset_version;
}

uint32_t session_capset_size(const struct session *session)
{
    return session->capset_size;
}

/*
 * Linux keeps what GET_CAPSET brought for as long as it runs, whatever the answer says. So the set is
 * remembered, and given also while there is no renderer: the next one has the same.
 */
void session_learn_capset(struct session *session)
{
    assert_device_thread(session->services);
    if (session->capsets || !session->runs)
        return;
    size_t size = session->capset_size;
    session->capsets = calloc((size_t)session->capset_version + 1, size);
    for (uint32_t version = 0; session->capsets && version <= session->capset_version; version++)
        session->services->renderer->capset_fill(version, session->capsets + version * size);
}

int session_capset(struct session *session, uint32_t version, const void **capset)
{
    assert_device_thread(session->services);
    session_learn_capset(session);
    if (!session->capsets)
        return session->runs ? -ENOMEM : -ENOTCONN;
    *capset = session->capsets + (size_t)version * session->capset_size;
    return 0;
}
