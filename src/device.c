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
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "context.h"
#include "fence.h"
#include "message.h"
#include "pages.h"
#include "pinned.h"
#include "resource.h"
#include "share.h"
#include "thread.h"
#include "watchdog.h"

/*
 * virglrenderer has one state per process, so one device can live in a process. This flag is the one
 * variable of ours that is shared by all devices.
 */
static atomic_flag device_lives = ATOMIC_FLAG_INIT;

void venus_gpu_config_init(struct venus_gpu_config *config)
{
    *config = (struct venus_gpu_config){
        .size = sizeof(*config),
        .num_outputs = 1,
        .render_server_fd = -1,
    };
}

static bool is_packet_socket(int fd)
{
    int type;
    socklen_t len = sizeof(type);
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_SEQPACKET;
}

static bool is_of_this_version(const struct venus_gpu_config *config)
{
    return config->size == sizeof(*config);
}

static char *config_mistake(const struct venus_gpu_config *config, const struct venus_gpu_ops *ops)
{
    if (!is_of_this_version(config) || ops->size != sizeof(*ops))
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

static void renderer_log(void *opaque, bool is_error, const char *line)
{
    struct venus_gpu *gpu = opaque;
    if (is_error)
        log_renderer_line(&gpu->services.log, line);
    else
        log_line(&gpu->services.log, VENUS_GPU_LOG_DEBUG, "%s", line);
}

int device_start_renderer(struct venus_gpu *gpu, char **error)
{
    static const struct renderer_events events = { .fence = fence_signal, .log = renderer_log };

    const struct renderer_config config = { .events = &events,
                                            .opaque = gpu,
                                            .server_path = gpu->services.config.render_server,
                                            .server_fd = gpu->services.config.render_server_fd };
    gpu->services.config.render_server_fd = -1;
    int ret = gpu->services.renderer->init(&config, error);
    if (ret < 0) {
        if (!*error)
            *error = message("virglrenderer could not be started.\n"
                             "Is virgl_render_server, which comes with it, installed?");
        return ret;
    }
    gpu->renderer_runs = true;

    /* What was learnt at the first start stays: others read it, and the guest relies on it. */
    uint32_t version, size;
    struct renderer_device device;
    ret = gpu->services.renderer->capset_info(&version, &size);
    if (ret < 0) {
        *error = message("This virglrenderer was built without Venus.\n"
                         "Install one that has it: 1.0 or newer, configured with -Dvenus=true.");
    } else {
        ret = gpu->services.renderer->first_device(&device, error);
        if (ret == -ENODEV)
            *error = message("The host has no Vulkan device for the guest.\n"
                             "Install a Vulkan driver; mesa-vulkan-drivers has lavapipe for any "
                             "processor. vulkaninfo tells what there is.");
        else if (ret < 0 && !*error)
            *error = message("The render server does not answer.\n"
                             "Is virgl_render_server installed, and allowed to run?");
    }
    if (ret == 0 && device.is_only && device.is_processor)
        gpu->services.renderer->limit_memory(gpu->services.config.max_context_memory);
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
        gpu->services.renderer->fini();
    gpu->renderer_runs = false;
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
    /* If it was the server that went, contexts went with it that we have not asked since. */
    context_check_all(gpu);
    /* Only the program can be started anew, not a connection that was handed to us. */
    if (has_rendering_context(gpu) || budget_taken(&gpu->services.budget, BUDGET_BLOB_MEMORY) ||
        pins_have_any(gpu->pins) || gpu->server_was_given)
        return false;

    log_line(&gpu->services.log, VENUS_GPU_LOG_WARNING,
             "the render server is gone: starting a new one");
    char *error = NULL;
    share_take_back_all(gpu);
    device_stop_renderer(gpu);
    if (device_start_renderer(gpu, &error) == 0)
        return true;
    log_line(&gpu->services.log, VENUS_GPU_LOG_ERROR, "%s",
             error ? error : "it could not be started");
    free(error);
    return false;
}

void device_clear(struct venus_gpu *gpu)
{
    for (unsigned i = 0; i < gpu->services.config.num_outputs; i++) {
        const struct venus_gpu_cursor none = { .image_changed = true };
        if (gpu->scanouts[i].cursor.pixels)
            cursor_show(gpu, i, &none);
        gpu->scanouts[i].moves_name_image = false;
    }
    /* Contexts first: what a resource is attached to need not be told of its end one by one. */
    context_destroy_all(gpu);
    resource_destroy_all(gpu);
    pins_reap(gpu->pins);
    gpu->window.hint_given = false;
}

static void close_fd(int fd)
{
    if (fd >= 0)
        close(fd);
}

void device_ref(struct venus_gpu *gpu)
{
    atomic_fetch_add_explicit(&gpu->refs, 1, memory_order_relaxed);
}

void device_unref(struct venus_gpu *gpu)
{
    /* Whoever is the last sees what all others did with it. */
    if (atomic_fetch_sub_explicit(&gpu->refs, 1, memory_order_acq_rel) != 1)
        return;
    window_finish(&gpu->window);
    free(gpu->capsets);
    free(gpu->scratch);
    free(gpu->server_path);
    free(gpu->vulkan_device);
    present_finish(gpu);
    pthread_cond_destroy(&gpu->idle);
    pins_destroy(gpu->pins);
    bell_finish(&gpu->bell);
    pthread_mutex_destroy(&gpu->services.lock);
    log_finish(&gpu->services.log);
    free(gpu);
}

static void call_interrupted(void *opaque, unsigned context_id)
{
    struct venus_gpu *gpu = opaque;
    if (context_id)
        log_line(&gpu->services.log, VENUS_GPU_LOG_WARNING,
                 "context %u does not answer: its process is ended", context_id);
    else
        log_line(&gpu->services.log, VENUS_GPU_LOG_ERROR,
                 "the render server does not answer: it is ended, with all contexts");
}

static int start_watchdog(struct venus_gpu *gpu, const struct renderer *renderer)
{
    const struct watchdog_config config = {
        .call_ms = gpu->services.config.max_call_ms,
        .server_can_be_replaced = !gpu->server_was_given,
        .interrupted = call_interrupted,
        .opaque = gpu,
    };
    gpu->services.renderer = watchdog_start(renderer, &config);
    return gpu->services.renderer ? 0 : -EAGAIN;
}

/* Nobody calls the renderer any more. Takes a device without one. */
static void stop_watchdog(struct venus_gpu *gpu)
{
    if (gpu->services.renderer)
        watchdog_stop();
}

/* Before the device thread waits. */
static void deliver(void *opaque)
{
    command_deliver(opaque);
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
    atomic_init(&gpu->refs, 1);
    gpu->services.config = *config;
    budget_init(&gpu->services.budget, &gpu->services.config);
    gpu->server_was_given = config->render_server_fd >= 0;
    if (config->render_server)
        gpu->services.config.render_server = gpu->server_path = strdup(config->render_server);
    if (config->vulkan_device)
        gpu->services.config.vulkan_device = gpu->vulkan_device = strdup(config->vulkan_device);
    gpu->services.ops = *ops;
    gpu->services.opaque = opaque;
    log_init(&gpu->services.log, ops, opaque);
    pthread_mutex_init(&gpu->services.lock, NULL);
    present_init(&gpu->present);
    bell_init(&gpu->bell, &gpu->services.lock, deliver, gpu);
    gpu->pins = pins_create(&gpu->services, &gpu->bell);
    pthread_cond_init(&gpu->idle, NULL);
    TAILQ_INIT(&gpu->queued);
    TAILQ_INIT(&gpu->in_flight);
    TAILQ_INIT(&gpu->answered);
    TAILQ_INIT(&gpu->ordered);
    TAILQ_INIT(&gpu->parked);
    gpu->outputs[0].info =
        (struct venus_gpu_output){ .enabled = true, .width = 1280, .height = 800 };

    bool copied = gpu->pins && (!config->render_server || gpu->server_path) &&
                  (!config->vulkan_device || gpu->vulkan_device);
    int ret = copied ? 0 : -ENOMEM;
    if (ret < 0)
        mistake = message("Out of memory.");
    else
        ret = window_init(&gpu->window, gpu->services.config.window_size);
    if (ret < 0 && !mistake)
        mistake =
            message("No room for a host-visible window of %llu MiB: %s.\n"
                    "Make it smaller (window_size, in QEMU hostmem).",
                    (unsigned long long)gpu->services.config.window_size >> 20, strerror(-ret));
    if (ret == 0)
        ret = start_watchdog(gpu, renderer);
    if (ret == 0) {
        ret = thread_start(gpu);
        mistake = gpu->start_message;
    }
    if (ret < 0 && !mistake)
        mistake = message("The device did not start: %s.", strerror(-ret));
    if (ret == 0) {
        log_line(&gpu->services.log, VENUS_GPU_LOG_INFO, "Venus on %s", gpu->renderer_device.name);
        return gpu;
    }

fail:
    if (gpu)
        close_fd(gpu->services.config.render_server_fd);
    else if (is_of_this_version(config)) /* of any other we do not know that it has one */
        close_fd(config->render_server_fd);
    if (gpu) {
        stop_watchdog(gpu);
        device_unref(gpu);
        atomic_flag_clear(&device_lives);
    }
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
    stop_watchdog(gpu);
    device_unref(gpu);
    atomic_flag_clear(&device_lives);
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

size_t venus_gpu_stats(const struct venus_gpu *gpu, struct venus_gpu_stat *stats, size_t max)
{
    return stats_read(&gpu->services.stats, &gpu->services.budget, stats, max);
}
