/* SPDX-License-Identifier: MIT */
/*
 * Creation and destruction of a device, and its features.
 */
#include "device/device.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/message.h"
#include "base/pages.h"
#include "base/sized.h"
#include "command/command.h"
#include "command/fence.h"
#include "command/frame.h"
#include "device/dispatch.h"
#include "device/park.h"
#include "device/thread.h"
#include "memory/pinned.h"
#include "memory/placer.h"
#include "nouns/context.h"
#include "nouns/cursor.h"
#include "nouns/display.h"
#include "nouns/ledger.h"
#include "nouns/resource.h"
#include "nouns/scanout.h"
#include "nouns/window.h"
#include "platform/platform.h"
#include "present/present.h"
#include "renderer/broker.h"
#include "renderer/session.h"
#include "vk/shared-vulkan.h"

/*
 * virglrenderer has one state per process, so a process can have one device at a time. The flag is set
 * while there is one.
 */
static atomic_flag device_lives = ATOMIC_FLAG_INIT;

static bool is_server_socket(int fd)
{
    int type;
    socklen_t len = sizeof(type);
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
           type == platform_server_socket();
}

static char *config_mistake(const struct venus_gpu_config *config, const struct venus_gpu_ops *ops)
{
    if (!ops->map_guest || !ops->unmap_guest || !ops->command_done)
        return message("map_guest, unmap_guest and command_done are required.");
    if (config->num_outputs < 1 || config->num_outputs > VENUS_GPU_MAX_SCANOUTS)
        return message("A device has 1 to %u outputs, not %u.", VENUS_GPU_MAX_SCANOUTS,
                       config->num_outputs);
    if ((unsigned)config->present_mode > VENUS_GPU_PRESENT_IMMEDIATE)
        return message("There is no present mode %u.", (unsigned)config->present_mode);
    if (config->window_size % page_size())
        return message("The host-visible window must be a multiple of %zu bytes.", page_size());
    if (config->blob_alignment & (config->blob_alignment - 1) || config->blob_alignment > 1 << 30)
        return message("Blobs cannot be multiples of %llu bytes: use a power of two up to 1 GiB.",
                       (unsigned long long)config->blob_alignment);
    if (config->render_server && config->render_server_fd >= 0)
        return message("Give the render server as a program or as a descriptor, not both.");
    const char *broker = broker_path(config->render_server);
    if (broker)
        return broker_path_mistake(broker);
    if (config->render_server && access(config->render_server, X_OK) < 0)
        return message("Cannot run the render server %s: %s.\n"
                       "Give the path of virgl_render_server, which comes with virglrenderer.",
                       config->render_server, strerror(errno));
    if (config->render_server_fd >= 0 && !is_server_socket(config->render_server_fd))
        return message("Descriptor %d is no socket to a render server.\n"
                       "Give one end of a socketpair of the kind SOCK_SEQPACKET, the other being "
                       "virgl_render_server's --socket-fd.",
                       config->render_server_fd);
    return NULL;
}

static void close_fd(int fd)
{
    if (fd >= 0)
        close(fd);
}

struct life {
    struct venus_gpu gpu;
    atomic_uint
        refs; /* the front end's, and one for each presenter's thread that never came back */
};

/* After venus_gpu_destroy() it is but memory, for a thread that may look at it. Any thread. */
static void keep(void *opaque)
{
    struct venus_gpu *gpu = opaque;
    atomic_fetch_add_explicit(&gpu->life->refs, 1, memory_order_relaxed);
}

static void let_go(void *opaque)
{
    struct venus_gpu *gpu = opaque;
    /* Whoever is the last sees what all others did with it. */
    if (atomic_fetch_sub_explicit(&gpu->life->refs, 1, memory_order_acq_rel) != 1)
        return;
    thread_destroy(gpu->thread);
    present_destroy(gpu->present);
    placer_destroy(gpu->placer);
    shared_vulkan_destroy(gpu->vulkan);
    displays_destroy(gpu->displays);
    cursors_destroy(gpu->cursors);
    scanouts_destroy(gpu->scanouts);
    window_destroy(gpu->window);
    resources_destroy(gpu->resources);
    contexts_destroy(gpu->contexts);
    ledger_destroy(gpu->ledger);
    pins_destroy(gpu->pins);
    flushes_destroy(gpu->flushes);
    parking_destroy(gpu->parking);
    fences_destroy(gpu->fences);
    session_destroy(gpu->session);
    bell_finish(&gpu->bell);
    commands_destroy(gpu->commands);
    services_finish(&gpu->services);
    free(gpu->life);
}

static struct venus_gpu_frame *shown_locked(void *opaque, unsigned scanout,
                                            const struct venus_gpu_cursor **cursor)
{
    struct venus_gpu *gpu = opaque;
    *cursor = cursor_now_locked(gpu, scanout);
    return scanout_frame_locked(gpu, scanout);
}

/* What uses the host's Vulkan, should it be needed. */
static int create_vulkan(struct venus_gpu *gpu)
{
    const struct present_callbacks callbacks = {
        .shown_locked = shown_locked,
        .owner = { .keep = keep, .let_go = let_go, .opaque = gpu },
        .opaque = gpu,
    };
    gpu->vulkan =
        shared_vulkan_create(gpu->services.config.vulkan_device, session_device(gpu->session));
    if (!gpu->vulkan)
        return -ENOMEM;
    uint64_t size;
    const void *window = venus_gpu_window(gpu, &size);
    gpu->placer = placer_create(&gpu->services, gpu->vulkan, window, size);
    gpu->present = present_create(&gpu->services, gpu->vulkan, &callbacks);
    return gpu->placer && gpu->present ? 0 : -ENOMEM;
}

int venus_gpu_present(struct venus_gpu *gpu, unsigned scanout,
                      const struct venus_gpu_target *target)
{
    return present_set_target(gpu->present, scanout, target);
}

/* Before the device thread waits. */
static void deliver(void *commands)
{
    commands_deliver(commands);
}

/* Returns 0 or -ENOMEM. */
static int create_parts(struct venus_gpu *gpu)
{
    gpu->commands = commands_create(&gpu->services);
    bell_init(&gpu->bell, &gpu->services.lock, deliver, gpu->commands);
    gpu->fences = fences_create(&gpu->services, &gpu->bell);
    gpu->parking = parking_create(dispatch);
    gpu->flushes = flushes_create(&gpu->services);
    gpu->pins = pins_create(&gpu->services, &gpu->bell);
    gpu->ledger = ledger_create(&gpu->services);
    gpu->contexts = contexts_create();
    gpu->resources = resources_create();
    gpu->scanouts = scanouts_create();
    gpu->cursors = cursors_create();
    gpu->displays = displays_create();
    gpu->thread = thread_create(gpu);
    bool all = gpu->commands && gpu->fences && gpu->parking && gpu->flushes && gpu->pins &&
               gpu->ledger && gpu->contexts && gpu->resources && gpu->scanouts && gpu->cursors && gpu->displays &&
               gpu->thread;
    return all ? 0 : -ENOMEM;
}

static int create_window(struct venus_gpu *gpu, char **mistake)
{
    uint64_t size = gpu->services.config.window_size;
    int ret = window_create(&gpu->window, size);
    if (ret < 0)
        *mistake = message("No room for a host-visible window of %llu MiB: %s.\n"
                           "Make it smaller (window_size, in QEMU hostmem).",
                           (unsigned long long)size >> 20, strerror(-ret));
    return ret;
}

/* Make it all, and start it. Returns 0 or a negative errno value, and then *mistake may say why. */
static int start(struct venus_gpu *gpu, const struct venus_gpu_config *config,
                 const struct venus_gpu_ops *ops, void *opaque, const struct renderer *renderer,
                 char **mistake)
{
    int ret = services_init(&gpu->services, config, ops, opaque);
    int parts = create_parts(gpu);
    if (ret == 0)
        ret = parts;
    if (ret == 0)
        ret = create_window(gpu, mistake);
    if (ret == 0) {
        const struct session_events events = { .fence = fence_signal, .opaque = gpu->fences };
        ret = session_create(&gpu->session, &gpu->services, renderer, &events);
    }
    if (ret == 0)
        ret = create_vulkan(gpu);
    if (ret == 0)
        ret = thread_start(gpu->thread, mistake);
    if (ret < 0 && !*mistake)
        *mistake = ret == -ENOMEM ? message("Out of memory.")
                                  : message("The device did not start: %s.", strerror(-ret));
    return ret;
}

/* Take in what the caller has, be it built for another release. Returns a message where that cannot be. */
static char *take_in(struct venus_gpu_config *config, const struct venus_gpu_config *their_config,
                     struct venus_gpu_ops *ops, const struct venus_gpu_ops *their_ops)
{
    int ret =
        sized_take(config, sizeof(*config), CONFIG_SIZE_LEAST, their_config, their_config->size);
    if (ret < 0) {
        /* Of one that we cannot read we do not know that it has a descriptor. */
        *config = (struct venus_gpu_config){ .render_server_fd = -1 };
        return sized_mistake(ret, "venus_gpu_config", their_config->size);
    }
    ret = sized_take(ops, sizeof(*ops), OPS_SIZE_LEAST, their_ops, their_ops->size);
    return ret < 0 ? sized_mistake(ret, "venus_gpu_ops", their_ops->size)
                   : config_mistake(config, ops);
}

struct venus_gpu *device_create(const struct venus_gpu_config *their_config,
                                const struct venus_gpu_ops *their_ops, void *opaque,
                                const struct renderer *renderer, char **error)
{
    struct venus_gpu_config config;
    struct venus_gpu_ops ops;
    char *mistake = take_in(&config, their_config, &ops, their_ops);
    struct venus_gpu *gpu = NULL;
    if (!mistake && atomic_flag_test_and_set(&device_lives))
        mistake =
            message("There is a virtio-gpu-venus device already, and virglrenderer allows one "
                    "in a process.\nGive it more outputs instead (max_outputs).");
    if (mistake)
        goto fail;

    struct life *life = calloc(1, sizeof(*life));
    if (!life) {
        atomic_flag_clear(&device_lives);
        mistake = message("Out of memory.");
        goto fail;
    }
    atomic_init(&life->refs, 1);
    gpu = &life->gpu;
    gpu->life = life;
    if (start(gpu, &config, &ops, opaque, renderer, &mistake) == 0) {
        log_line(&gpu->services.log, VENUS_GPU_LOG_INFO, "Venus on %s",
                 session_device(gpu->session)->name);
        return gpu;
    }

fail:
    close_fd(gpu ? gpu->services.config.render_server_fd : config.render_server_fd);
    if (gpu) {
        let_go(gpu);
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
    present_stop_all(gpu->present);
    thread_stop(gpu->thread);
    session_close(gpu->session);
    let_go(gpu);
    atomic_flag_clear(&device_lives);
}

uint64_t venus_gpu_features(const struct venus_gpu *gpu)
{
    uint64_t features = 1 << VIRTIO_GPU_F_VIRGL | 1 << VIRTIO_GPU_F_EDID |
                        1 << VIRTIO_GPU_F_RESOURCE_UUID | 1 << VIRTIO_GPU_F_CONTEXT_INIT;
    if (window_blob_alignment(gpu))
        features |= 1 << VIRTIO_GPU_F_BLOB_ALIGNMENT;
    /* VIRGL is the specification's name for "has contexts". Blobs are of use with a window only. */
    return gpu->services.config.window_size ? features | 1 << VIRTIO_GPU_F_RESOURCE_BLOB : features;
}

const char *venus_gpu_renderer_name(const struct venus_gpu *gpu)
{
    return session_device(gpu->session)->name;
}

unsigned venus_gpu_renderer_type(const struct venus_gpu *gpu)
{
    return session_device(gpu->session)->type;
}

const char *venus_gpu_version(void)
{
    return VENUS_GPU_VERSION;
}

size_t venus_gpu_stats_sized(const struct venus_gpu *gpu, struct venus_gpu_stat *stats, size_t max,
                             size_t stat_size)
{
    return stats_read(&gpu->services.stats, &gpu->services.budget, stats, max, stat_size);
}

size_t venus_gpu_contexts_sized(const struct venus_gpu *gpu, struct venus_gpu_context *contexts,
                                size_t max, size_t context_size)
{
    return ledger_read(gpu->ledger, contexts, max, context_size);
}

char *venus_gpu_save_obstacle(struct venus_gpu *gpu)
{
    return ledger_obstacle(gpu->ledger);
}
