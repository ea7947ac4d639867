/* SPDX-License-Identifier: MIT */
/*
 * The renderer over virglrenderer's Venus. The only file that knows virglrenderer.
 *
 * virglrenderer has one state per process, reached through no handle; so this file has one too. It is
 * used without OpenGL (NO_VIRGL), with each context in a process of the render server
 * (RENDER_SERVER), and with fences reported from virglrenderer's own thread as they signal
 * (THREAD_SYNC | ASYNC_FENCE_CB): that thread calls context_fence() below, once per fence, in order
 * per ring. It waits for an eventfd; where there is none, poll() calls it. Fences of the device as a whole do not exist without OpenGL (command.h has them).
 */
#include "renderer/renderer.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <virglrenderer.h>

#include "base/message.h"
#include "base/protocol.h"
#include "platform/platform.h"
#include "renderer/broker.h"
#include "renderer/link.h"
#include "renderer/probe.h"
#include "renderer/server.h"

/* Argued for above: virglrenderer's is one per process as well. */
static struct {
    struct renderer_events events;
    void *opaque;
    bool polls;    /* fences are reported by virgl_renderer_poll() */
    int server_fd; /* virglrenderer's end of the link */

    pthread_mutex_t lock; /* guards what follows from interrupt() */
    struct link *link;
    struct server server; /* if it is ours to start and to end */
    int broker; /* the connection that keeps it, if a service started it (broker.h), or -1 */
} state = { .server_fd = -1, .broker = -1, .lock = PTHREAD_MUTEX_INITIALIZER };

static void context_fence(void *cookie, uint32_t context_id, uint32_t ring_idx, uint64_t fence_id)
{
    (void)cookie, (void)context_id, (void)ring_idx;
    if (!probe_fence(fence_id))
        state.events.fence(state.opaque, fence_id);
}

static void device_fence(void *cookie, uint32_t fence_id)
{
    (void)cookie, (void)fence_id;
}

/* virglrenderer takes the descriptor over; it asks once. */
static int get_server_fd(void *cookie, uint32_t version)
{
    (void)cookie, (void)version;
    int fd = state.server_fd;
    state.server_fd = -1;
    return fd;
}

/* A line that the render server, a process of it, or a Vulkan driver there has written. */
static void server_message(void *opaque, const char *line)
{
    char text[400];
    (void)opaque;
    snprintf(text, sizeof(text), "render server: %s", line);
    state.events.log(state.opaque, true, text);
}

#ifdef HAVE_VIRGL_SET_LOG_CALLBACK
static void log_message(enum virgl_log_level_flags level, const char *message, void *data)
{
    (void)data;
    char line[400];
    snprintf(line, sizeof(line), "virglrenderer: %.*s", (int)strcspn(message, "\n"), message);
    if (state.events.log)
        state.events.log(state.opaque, level >= VIRGL_LOG_LEVEL_ERROR, line);
}
#endif

static struct virgl_renderer_callbacks callbacks = {
    .version = 3,
    .write_fence = device_fence,
    .write_context_fence = context_fence,
    .get_server_fd = get_server_fd,
};

/* The callback outlives virglrenderer's state, and must not outlive ours. */
static void listen_to_log(bool on)
{
#ifdef HAVE_VIRGL_SET_LOG_CALLBACK
    virgl_set_log_callback(on ? log_message : NULL, NULL, NULL);
#else
    (void)on;
#endif
}

static const char *sandbox_hint(void)
{
    if (platform_is_in_sandbox())
        return "\nThis process is in a sandbox: have venus-gpu-renderd start the server outside "
               "(render-server=unix:/run/venus-gpu/renderd.sock).";
    return "";
}

/* Returns a socket, and in *messages what it writes comes out of. */
static int start_server(const struct renderer_config *config, struct server *server, int *messages,
                        char **error)
{
    const char *path = config->server_path ? config->server_path : server_find();
    if (!path) {
        *error = message("There is no virgl_render_server.\n"
                         "It comes with virglrenderer (on Debian in virgl-server): install it, or "
                         "name the program.");
        return -ENOENT;
    }
    int fd = server_start(path, server, messages);
    if (fd < 0)
        *error = message("Cannot start the render server %s: %s.%s", path, strerror(-fd),
                         sandbox_hint());
    return fd;
}

static void set_broker(int connection)
{
    pthread_mutex_lock(&state.lock);
    int old = state.broker;
    state.broker = connection;
    pthread_mutex_unlock(&state.lock);
    if (old >= 0)
        close(old);
}

/* The same of a service. interrupt() can end the wait for it. */
static int ask_for_server(const char *path, int *messages, char **error)
{
    int connection = broker_connect(path, error);
    if (connection < 0)
        return connection;
    set_broker(connection);
    int fd = broker_start_server(connection, messages, error);
    if (fd < 0)
        set_broker(-1);
    return fd;
}

static int start_link(const struct renderer_config *config, char **error)
{
    struct server server = { .pid = 0 };
    const char *broker = broker_path(config->server_path);
    int fd = config->server_fd, messages = -1;
    if (fd < 0)
        fd = broker ? ask_for_server(broker, &messages, error)
                    : start_server(config, &server, &messages, error);
    if (fd < 0)
        return fd;
    struct link *link = link_start(fd, messages, server_message, NULL, &state.server_fd);
    if (!link) {
        server_stop(&server);
        set_broker(-1);
        return -ENOMEM;
    }
    pthread_mutex_lock(&state.lock);
    state.link = link;
    state.server = server;
    pthread_mutex_unlock(&state.lock);
    return 0;
}

static void stop_link(void)
{
    if (state.server_fd >= 0)
        close(state.server_fd);
    state.server_fd = -1;
    pthread_mutex_lock(&state.lock);
    struct link *link = state.link;
    struct server server = state.server;
    state.link = NULL;
    state.server.pid = 0;
    pthread_mutex_unlock(&state.lock);
    server_stop(&server);
    set_broker(-1);
    link_stop(link);
}

static int init(const struct renderer_config *config, char **error)
{
    state.events = *config->events;
    state.opaque = config->opaque;
    state.polls = config->polls_fences;
    int ret = start_link(config, error);
    if (ret < 0)
        return ret;
    listen_to_log(true);
    int threaded = state.polls ? 0 : VIRGL_RENDERER_THREAD_SYNC | VIRGL_RENDERER_ASYNC_FENCE_CB;
    ret = virgl_renderer_init(&state,
                              VIRGL_RENDERER_VENUS | VIRGL_RENDERER_NO_VIRGL |
                                  VIRGL_RENDERER_RENDER_SERVER | threaded,
                              &callbacks);
    if (ret == 0)
        return 0;
    listen_to_log(false);
    stop_link();
    return -EIO;
}

/*
 * A server that is not ours ends when it finds its socket closed, which may be before it has read that it is
 * to end this or that context's process. Such a process goes by itself when it finds its own closed,
 * unless it hangs in the driver: then it would be there for ever. Creating one more context is the
 * request that is answered, and so after all earlier ones.
 */
static void wait_for_server(void)
{
    const uint32_t any = 1;
    static const char name[] = "end";
    if (virgl_renderer_context_create_with_flags(any, VIRTIO_GPU_CAPSET_VENUS, sizeof(name) - 1,
                                                 name) == 0)
        virgl_renderer_context_destroy(any);
}

static void fini(void)
{
    if (!state.server.pid && state.broker < 0)
        wait_for_server();
    virgl_renderer_cleanup(&state);
    listen_to_log(false);
    stop_link();
}

static void interrupt(uint32_t context_id)
{
    pthread_mutex_lock(&state.lock);
    if (state.link)
        link_cut(state.link, context_id);
    if (!context_id)
        server_kill(&state.server);
    if (!context_id && state.broker >= 0)
        shutdown(state.broker, SHUT_RDWR);
    pthread_mutex_unlock(&state.lock);
}

static int capset_info(uint32_t *max_version, uint32_t *max_size)
{
    *max_size = 0;
    virgl_renderer_get_cap_set(VIRTIO_GPU_CAPSET_VENUS, max_version, max_size);
    return *max_size ? 0 : -ENODEV;
}

static void capset_fill(uint32_t version, void *data)
{
    virgl_renderer_fill_caps(VIRTIO_GPU_CAPSET_VENUS, version, data);
}

static int context_create(uint32_t context_id, const char *name, uint32_t name_len)
{
    if (!state.link) /* the last attempt to start it anew failed */
        return -EIO;
    link_expect(state.link, context_id);
    int ret = virgl_renderer_context_create_with_flags(context_id, VIRTIO_GPU_CAPSET_VENUS,
                                                       name_len, name);
    link_expect(state.link, 0);
    return ret ? -EIO : 0;
}

/* The server forks for each. */
static pid_t newest_process(void)
{
    return state.server.pid ? platform_newest_child(state.server.pid) : 0;
}

static void context_destroy(uint32_t context_id)
{
    virgl_renderer_context_destroy(context_id);
    link_forget(state.link, context_id);
}

static int submit(uint32_t context_id, void *data, size_t size)
{
    return virgl_renderer_submit_cmd(data, (int)context_id, (int)(size / 4)) ? -EIO : 0;
}

static int fence(uint32_t context_id, uint32_t ring_idx, uint64_t fence_id)
{
    return virgl_renderer_context_create_fence(context_id, 0, ring_idx, fence_id) ? -EIO : 0;
}

static void poll_fences(void)
{
    virgl_renderer_poll();
}

static int blob_create(const struct renderer_blob *blob)
{
    struct virgl_renderer_resource_create_blob_args args = {
        .res_handle = blob->resource_id,
        .ctx_id = blob->context_id,
        .blob_mem = blob->mem,
        .blob_flags = blob->flags,
        .blob_id = blob->id,
        .size = blob->size,
        .iovecs = blob->iov,
        .num_iovs = blob->num_iov,
    };
    return virgl_renderer_resource_create_blob(&args) ? -EIO : 0;
}

static int import_fd(uint32_t resource_id, enum renderer_fd type, int fd, uint64_t size)
{
#ifndef HAVE_VIRGL_SHM_IMPORT
    if (type == RENDERER_FD_SHM)
        return -ENOTSUP;
#endif
    if (type == RENDERER_FD_OPAQUE) /* it would be taken, and then given to no context */
        return -ENOTSUP;
    const struct virgl_renderer_resource_import_blob_args args = {
        .res_handle = resource_id,
        .blob_mem = VIRGL_RENDERER_BLOB_MEM_HOST3D,
        .fd_type = type,
        .fd = fd,
        .size = size,
    };
    return virgl_renderer_resource_import_blob(&args) ? -EIO : 0;
}

static void resource_unref(uint32_t resource_id)
{
    virgl_renderer_resource_unref(resource_id);
}

static void attach(uint32_t context_id, uint32_t resource_id)
{
    virgl_renderer_ctx_attach_resource((int)context_id, (int)resource_id);
}

static void detach(uint32_t context_id, uint32_t resource_id)
{
    virgl_renderer_ctx_detach_resource((int)context_id, (int)resource_id);
}

static int map(uint32_t resource_id, void **ptr, uint64_t *size)
{
    return virgl_renderer_resource_map(resource_id, ptr, size);
}

static void unmap(uint32_t resource_id)
{
    virgl_renderer_resource_unmap(resource_id);
}

static int map_info(uint32_t resource_id, uint32_t *info)
{
    return virgl_renderer_resource_get_map_info(resource_id, info);
}

_Static_assert((int)RENDERER_FD_DMABUF == VIRGL_RENDERER_BLOB_FD_TYPE_DMABUF &&
                   (int)RENDERER_FD_OPAQUE == VIRGL_RENDERER_BLOB_FD_TYPE_OPAQUE &&
                   (int)RENDERER_FD_SHM == VIRGL_RENDERER_BLOB_FD_TYPE_SHM,
               "kinds of descriptors are virglrenderer's");

static int export_fd(uint32_t resource_id, enum renderer_fd *type, int *fd)
{
    uint32_t fd_type;
    int ret = virgl_renderer_resource_export_blob(resource_id, &fd_type, fd);
    if (ret)
        return -EIO;
    *type = (enum renderer_fd)fd_type;
    return 0;
}

/* It does not say so; but each of these has functions that the ones before had not. */
static const char *release(void)
{
    return dlsym(RTLD_DEFAULT, "virgl_renderer_resource_map_fixed") ? "1.2 or newer"
           : dlsym(RTLD_DEFAULT, "virgl_set_log_callback")          ? "1.1"
                                                                    : "1.0";
}

static void describe(struct renderer_device *device)
{
    const char *server = state.server.pid    ? late_driver_words(state.server.late)
                         : state.broker >= 0 ? "its render server is started by a service"
                                             : "its render server was started by somebody else";
    snprintf(device->way, sizeof(device->way), "%s; %s", release(), server);
    device->way_is_bad = state.server.pid && state.server.late == LATE_DRIVER_MISSING;
}

static int first_device(struct renderer_device *device, char **error)
{
    int signal, ret = probe_first_device(&virgl_renderer, state.polls, device);
    describe(device);
    if (ret == -EIO && state.server.pid && server_has_ended(&state.server, &signal) && signal &&
        signal != SIGKILL) /* that was us, since it did not answer */
        *error = message("The render server was ended by signal %d (%s).%s", signal,
                         strsignal(signal), sandbox_hint());
    return ret;
}

/* Contexts' processes inherit it. */
static void limit_memory(uint64_t bytes)
{
    if (state.server.pid)
        server_limit_memory(&state.server, bytes);
    if (state.broker >= 0)
        broker_limit_memory(state.broker, bytes);
}

const struct renderer virgl_renderer = {
    .init = init,
    .fini = fini,
    .interrupt = interrupt,
    .first_device = first_device,
    .limit_memory = limit_memory,
    .capset_info = capset_info,
    .capset_fill = capset_fill,
    .context_create = context_create,
    .newest_process = newest_process,
    .context_destroy = context_destroy,
    .submit = submit,
    .fence = fence,
    .poll = poll_fences,
    .blob_create = blob_create,
    .import_fd = import_fd,
    .resource_unref = resource_unref,
    .attach = attach,
    .detach = detach,
    .map = map,
    .unmap = unmap,
    .map_info = map_info,
    .export_fd = export_fd,
};
