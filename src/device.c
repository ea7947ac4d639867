/* SPDX-License-Identifier: MIT */
/*
 * Creation and destruction of a device, its features, and the renderer's start and end.
 */
#include "device.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "context.h"
#include "fence.h"
#include "memory.h"
#include "message.h"
#include "resource.h"
#include "server.h"
#include "share.h"
#include "thread.h"

/*
 * virglrenderer has one state per process, so one device can live in a process. This flag is the one
 * variable of ours that is shared by all devices.
 */
static atomic_flag device_lives = ATOMIC_FLAG_INIT;

/* Defaults: what a large desktop comes nowhere near, and a host does not notice. */
enum {
    DEFAULT_MAX_CONTEXTS = 256, /* each is a process of the render server */
    DEFAULT_MAX_RESOURCES = 65536,
};
static const uint64_t default_max_memory = (uint64_t)1 << 30; /* 30 pictures of 3840 x 2160 */

void venus_gpu_config_init(struct venus_gpu_config *config)
{
    *config = (struct venus_gpu_config){
        .size = sizeof(*config),
        .num_outputs = 1,
        .render_server_fd = -1,
    };
}

/*
 * Every resource takes a descriptor of this process, ours or virglrenderer's. Those that a context
 * takes, and as many again for the monitor as a small one needs, are not the guest's.
 */
static uint32_t resources_by_descriptors(const struct venus_gpu_config *config)
{
    const rlim_t per_context = 8, reserve = 256;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
        return UINT32_MAX;
    /* Half of it at least, where there are so few that the reserve takes it all. */
    rlim_t kept = reserve + per_context * config->max_contexts;
    rlim_t rest = limit.rlim_cur > 2 * kept ? limit.rlim_cur - kept : limit.rlim_cur / 2;
    return rest < UINT32_MAX ? (uint32_t)rest : UINT32_MAX;
}

/* Replace 0 by the default. */
static void fill_in_limits(struct venus_gpu_config *config)
{
    if (!config->max_contexts)
        config->max_contexts = DEFAULT_MAX_CONTEXTS;
    if (!config->max_resources)
        config->max_resources = DEFAULT_MAX_RESOURCES;
    if (!config->max_memory)
        config->max_memory = default_max_memory;
    if (!config->max_blob_memory)
        config->max_blob_memory = UINT64_MAX;
    if (config->max_resources > resources_by_descriptors(config))
        config->max_resources = resources_by_descriptors(config);
}

static bool is_packet_socket(int fd)
{
    int type;
    socklen_t len = sizeof(type);
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_SEQPACKET;
}

static char *config_mistake(const struct venus_gpu_config *config, const struct venus_gpu_ops *ops)
{
    if (config->size != sizeof(*config) || ops->size != sizeof(*ops))
        return message("The front end was built for another version of libvenusgpu than %s.",
                       venus_gpu_version());
    if (!ops->map_guest || !ops->unmap_guest || !ops->command_done)
        return message("map_guest, unmap_guest and command_done are required.");
    if (config->num_outputs < 1 || config->num_outputs > VENUS_GPU_MAX_SCANOUTS)
        return message("A device has 1 to %u outputs, not %u.", VENUS_GPU_MAX_SCANOUTS,
                       config->num_outputs);
    if ((unsigned)config->present_mode > VENUS_GPU_PRESENT_IMMEDIATE)
        return message("There is no present mode %u.", (unsigned)config->present_mode);
    if (config->window_size % page_size())
        return message("The host-visible window must be a multiple of %zu bytes.", page_size());
    if (config->render_server && config->render_server_fd >= 0)
        return message("Give the render server as a program or as a descriptor, not both.");
    if (config->render_server && access(config->render_server, X_OK) < 0)
        return message("Cannot run the render server %s: %s.\n"
                       "Give the path of virgl_render_server, which comes with virglrenderer.",
                       config->render_server, strerror(errno));
    if (config->render_server_fd >= 0 && !is_packet_socket(config->render_server_fd))
        return message("Descriptor %d is no socket to a render server.\n"
                       "Give one end of a socketpair of the kind SOCK_SEQPACKET, the other being "
                       "virgl_render_server's --socket-fd.",
                       config->render_server_fd);
    return NULL;
}

static int start_server(struct venus_gpu *gpu, char **error)
{
    if (!gpu->config.render_server) {
        int fd = gpu->config.render_server_fd;
        gpu->config.render_server_fd = -1;
        return fd;
    }
    int fd = server_start(gpu->config.render_server, &gpu->server_pid);
    if (fd < 0)
        *error = message("Cannot start the render server %s: %s.", gpu->config.render_server,
                         strerror(-fd));
    return fd;
}

static void renderer_log(void *opaque, bool is_error, const char *line)
{
    struct venus_gpu *gpu = opaque;
    log_line(&gpu->log, is_error ? VENUS_GPU_LOG_WARNING : VENUS_GPU_LOG_DEBUG, "%s", line);
}

int device_start_renderer(struct venus_gpu *gpu, char **error)
{
    static const struct renderer_events events = { .fence = fence_signal, .log = renderer_log };

    int fd = start_server(gpu, error);
    if (*error)
        return fd;
    const struct renderer_config config = { .events = &events, .opaque = gpu, .server_fd = fd };
    int ret = gpu->renderer->init(&config);
    if (ret < 0) {
        *error = message("virglrenderer could not be started.\n"
                         "Is virgl_render_server, which comes with it, installed?");
        server_stop(gpu->server_pid);
        gpu->server_pid = 0;
        return ret;
    }
    gpu->renderer_runs = true;

    /* What was learnt at the first start stays: others read it, and the guest relies on it. */
    uint32_t version, size;
    struct renderer_device device;
    ret = gpu->renderer->capset_info(&version, &size);
    if (ret < 0) {
        *error = message("This virglrenderer was built without Venus.\n"
                         "Install one that has it: 1.0 or newer, configured with -Dvenus=true.");
    } else {
        ret = gpu->renderer->first_device(&device);
        if (ret == -ENODEV)
            *error = message("The host has no Vulkan device for the guest.\n"
                             "Install a Vulkan driver; mesa-vulkan-drivers has lavapipe for any "
                             "processor. vulkaninfo tells what there is.");
        else if (ret < 0)
            *error = message("The render server does not answer.\n"
                             "Is virgl_render_server installed, and allowed to run?");
    }
    if (ret < 0) {
        device_stop_renderer(gpu);
    } else if (!gpu->started) {
        gpu->capset_version = version;
        gpu->capset_size = size;
        gpu->renderer_device = device;
    }
    return ret;
}

void device_stop_renderer(struct venus_gpu *gpu)
{
    /* Not where an attempt to start it anew failed. */
    if (gpu->renderer_runs)
        gpu->renderer->fini();
    gpu->renderer_runs = false;
    server_stop(gpu->server_pid);
    gpu->server_pid = 0;
}

static bool has_rendering_context(const struct venus_gpu *gpu)
{
    const struct context *context;
    for (context = gpu->contexts; context; context = context->hh.next) {
        if (context->renders)
            return true;
    }
    return false;
}

bool device_revive_renderer(struct venus_gpu *gpu)
{
    /* Only the program can be started anew, not a connection that was handed to us. */
    if (has_rendering_context(gpu) || stat_get(&gpu->stats, STAT_BLOB_BYTES) ||
        !LIST_EMPTY(&gpu->pinned) || gpu->server_was_given)
        return false;

    log_line(&gpu->log, VENUS_GPU_LOG_WARNING, "the render server is gone: starting a new one");
    char *error = NULL;
    share_take_back_all(gpu);
    device_stop_renderer(gpu);
    if (device_start_renderer(gpu, &error) == 0)
        return true;
    log_line(&gpu->log, VENUS_GPU_LOG_ERROR, "%s", error ? error : "it could not be started");
    free(error);
    return false;
}

void device_clear(struct venus_gpu *gpu)
{
    for (unsigned i = 0; i < gpu->config.num_outputs; i++) {
        const struct venus_gpu_cursor none = { .image_changed = true };
        if (gpu->scanouts[i].cursor.visible)
            cursor_show(gpu, i, &none);
    }
    /* Contexts first: what a resource is attached to need not be told of its end one by one. */
    context_destroy_all(gpu);
    resource_destroy_all(gpu);
    memory_reap(gpu);
    gpu->window.hint_given = false;
}

static void close_fd(int fd)
{
    if (fd >= 0)
        close(fd);
}

static void device_free(struct venus_gpu *gpu)
{
    window_finish(&gpu->window);
    free(gpu->scratch);
    free(gpu->server_path);
    free(gpu->vulkan_device);
    present_finish(gpu);
    pthread_cond_destroy(&gpu->idle);
    pthread_cond_destroy(&gpu->work);
    pthread_mutex_destroy(&gpu->lock);
    log_finish(&gpu->log);
    free(gpu);
    atomic_flag_clear(&device_lives);
}

struct venus_gpu *device_create(const struct venus_gpu_config *config,
                                const struct venus_gpu_ops *ops, void *opaque,
                                const struct renderer *renderer, char **error)
{
    char *mistake = config_mistake(config, ops);
    struct venus_gpu *gpu = NULL;
    if (!mistake && atomic_flag_test_and_set(&device_lives))
        mistake =
            message("There is a virtio-gpu-venus device already, and virglrenderer allows one "
                    "in a process.\nGive it more outputs instead (max_outputs).");
    if (mistake)
        goto fail;

    gpu = calloc(1, sizeof(*gpu));
    if (!gpu) {
        atomic_flag_clear(&device_lives);
        mistake = message("Out of memory.");
        goto fail;
    }
    gpu->config = *config;
    fill_in_limits(&gpu->config);
    gpu->server_was_given = config->render_server_fd >= 0;
    if (config->render_server)
        gpu->config.render_server = gpu->server_path = strdup(config->render_server);
    if (config->vulkan_device)
        gpu->config.vulkan_device = gpu->vulkan_device = strdup(config->vulkan_device);
    gpu->ops = *ops;
    gpu->opaque = opaque;
    gpu->renderer = renderer;
    log_init(&gpu->log, ops, opaque);
    pthread_mutex_init(&gpu->lock, NULL);
    present_init(&gpu->present);
    thread_cond_init(&gpu->work);
    pthread_cond_init(&gpu->idle, NULL);
    TAILQ_INIT(&gpu->queued);
    TAILQ_INIT(&gpu->in_flight);
    TAILQ_INIT(&gpu->answered);
    TAILQ_INIT(&gpu->ordered);
    gpu->outputs[0].info =
        (struct venus_gpu_output){ .enabled = true, .width = 1280, .height = 800 };

    bool copied = (!config->render_server || gpu->server_path) &&
                  (!config->vulkan_device || gpu->vulkan_device);
    int ret = copied ? 0 : -ENOMEM;
    if (ret < 0)
        mistake = message("Out of memory.");
    else
        ret = window_init(&gpu->window, gpu->config.window_size);
    if (ret < 0 && !mistake)
        mistake = message("No room for a host-visible window of %llu MiB: %s.\n"
                          "Make it smaller (window_size, in QEMU hostmem).",
                          (unsigned long long)gpu->config.window_size >> 20, strerror(-ret));
    if (ret == 0) {
        ret = thread_start(gpu);
        if (ret < 0)
            mistake = gpu->start_message ? gpu->start_message
                                         : message("The device did not start: %s.", strerror(-ret));
    }
    if (ret == 0) {
        log_line(&gpu->log, VENUS_GPU_LOG_INFO, "Venus on %s", gpu->renderer_device.name);
        return gpu;
    }

fail:
    close_fd(gpu ? gpu->config.render_server_fd : config->render_server_fd);
    if (gpu)
        device_free(gpu);
    if (error)
        *error = mistake;
    else
        free(mistake);
    return NULL;
}

struct venus_gpu *venus_gpu_create(const struct venus_gpu_config *config,
                                   const struct venus_gpu_ops *ops, void *opaque, char **error)
{
    return device_create(config, ops, opaque, &virgl_renderer, error);
}

void venus_gpu_destroy(struct venus_gpu *gpu)
{
    if (!gpu)
        return;
    present_stop_all(gpu);
    thread_stop(gpu);
    device_free(gpu);
}

uint64_t venus_gpu_features(const struct venus_gpu *gpu)
{
    uint64_t features = 1 << VIRTIO_GPU_F_VIRGL | 1 << VIRTIO_GPU_F_EDID |
                        1 << VIRTIO_GPU_F_RESOURCE_UUID | 1 << VIRTIO_GPU_F_CONTEXT_INIT;
    /* VIRGL is the specification's name for "has contexts". Blobs are of use with a window only. */
    return gpu->window.base ? features | 1 << VIRTIO_GPU_F_RESOURCE_BLOB : features;
}

const char *venus_gpu_renderer_name(const struct venus_gpu *gpu)
{
    return gpu->renderer_device.name;
}

const char *venus_gpu_version(void)
{
    return VENUS_GPU_VERSION;
}
