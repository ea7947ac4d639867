/* SPDX-License-Identifier: MIT */
/*
 * Outputs as the guest is told of them: GET_DISPLAY_INFO, GET_EDID (specification, 5.7.6.8), and the
 * configuration space with its display event (5.7.4).
 */
#include "nouns/display.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/edid.h"
#include "base/sized.h"
#include "base/stream.h"
#include "nouns/handlers.h"
#include "nouns/parts.h"
#include "nouns/window.h"
#include "nouns/scanout.h"

/*
 * How much the guest knows of a display event that it has not cleared. Linux asks for the outputs first and
 * clears the event after that: what changes in between would be lost on it.
 */
enum display_news {
    DISPLAY_NEWS_UNREAD, /* it has not asked for the outputs since */
    DISPLAY_NEWS_READ,
    DISPLAY_NEWS_LATE, /* it has, and they have changed again: needs another event once this is cleared */
};

/* One output as the guest is told of it. */
struct output {
    struct venus_gpu_output info; /* info.name points to name, or is NULL */
    char name[EDID_NAME_MAX + 1];
};

struct displays {
    /* Under the services' lock. */
    struct output outputs[VENUS_GPU_MAX_SCANOUTS];
    uint32_t events_read; /* VIRTIO_GPU_EVENT_* not cleared by the guest yet */
    enum display_news news;
    bool untold; /* loaded, and the interrupt for it has not been raised */
};

struct displays *displays_create(void)
{
    struct displays *displays = calloc(1, sizeof(*displays));
    if (displays)
        displays->outputs[0].info =
            (struct venus_gpu_output){ .enabled = true, .width = 1280, .height = 800 };
    return displays;
}

void displays_destroy(struct displays *displays)
{
    free(displays);
}

enum virtio_gpu_ctrl_type display_get_info(struct venus_gpu *gpu, struct command *cmd,
                                           const void *request)
{
    (void)request;
    struct virtio_gpu_resp_display_info *info = &cmd->response.display_info;
    memset(info, 0, sizeof(*info));

    pthread_mutex_lock(&gpu->services.lock);
    for (unsigned i = 0; i < gpu->services.config.num_outputs; i++) {
        const struct venus_gpu_output *output = &gpu->displays->outputs[i].info;
        if (!output->enabled)
            continue;
        info->pmodes[i].enabled = le32(1);
        info->pmodes[i].r.x = le32(output->x);
        info->pmodes[i].r.y = le32(output->y);
        info->pmodes[i].r.width = le32(output->width);
        info->pmodes[i].r.height = le32(output->height);
    }
    gpu->displays->news = DISPLAY_NEWS_READ;
    pthread_mutex_unlock(&gpu->services.lock);
    cmd->response_size = sizeof(*info);
    return VIRTIO_GPU_RESP_OK_DISPLAY_INFO;
}

enum virtio_gpu_ctrl_type display_get_edid(struct venus_gpu *gpu, struct command *cmd,
                                           const void *request)
{
    const struct virtio_gpu_get_edid *req = request;
    struct virtio_gpu_resp_edid *edid = &cmd->response.edid;
    uint32_t index = le32(req->scanout);
    if (!scanout_exists(gpu, cmd, index))
        return VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID;

    memset(edid, 0, sizeof(*edid));
    pthread_mutex_lock(&gpu->services.lock);
    edid->size = le32((uint32_t)edid_make(&gpu->displays->outputs[index].info, edid->edid));
    pthread_mutex_unlock(&gpu->services.lock);
    cmd->response_size = sizeof(*edid);
    return VIRTIO_GPU_RESP_OK_EDID;
}

static bool same_output(const struct output *a, const struct output *b)
{
    return a->info.enabled == b->info.enabled && a->info.x == b->info.x && a->info.y == b->info.y &&
           a->info.width == b->info.width && a->info.height == b->info.height &&
           a->info.width_mm == b->info.width_mm && a->info.height_mm == b->info.height_mm &&
           a->info.refresh_mhz == b->info.refresh_mhz && a->info.fixed == b->info.fixed &&
           !strcmp(a->name, b->name);
}

/* A window of the host's can be larger than any frame. */
static uint32_t most_of_side(uint32_t pixels)
{
    return pixels < VENUS_GPU_MAX_SIDE ? pixels : VENUS_GPU_MAX_SIDE;
}

static void raise_event_locked(struct displays *displays)
{
    if (!(displays->events_read & VIRTIO_GPU_EVENT_DISPLAY))
        displays->news = DISPLAY_NEWS_UNREAD;
    else if (displays->news == DISPLAY_NEWS_READ)
        displays->news = DISPLAY_NEWS_LATE;
    displays->events_read |= VIRTIO_GPU_EVENT_DISPLAY;
}

int venus_gpu_set_output_sized(struct venus_gpu *gpu, unsigned index,
                               const struct venus_gpu_output *info, size_t output_size)
{
    if (index >= gpu->services.config.num_outputs)
        return -EINVAL;

    struct output *output = &gpu->displays->outputs[index];
    struct output wanted = { .name = "" };
    int ret = sized_take(&wanted.info, sizeof(wanted.info), OUTPUT_SIZE_LEAST, info, output_size);
    if (ret < 0)
        return sized_log(&gpu->services.log, ret, "venus_gpu_output", output_size);
    wanted.info.width = most_of_side(wanted.info.width);
    wanted.info.height = most_of_side(wanted.info.height);
    if (wanted.info.name)
        snprintf(wanted.name, sizeof(wanted.name), "%s", wanted.info.name);

    pthread_mutex_lock(&gpu->services.lock);
    bool changed = !same_output(output, &wanted);
    if (changed) {
        *output = wanted;
        output->info.name = output->name[0] ? output->name : NULL;
        raise_event_locked(gpu->displays);
    }
    pthread_mutex_unlock(&gpu->services.lock);
    if (changed && gpu->services.ops.config_changed)
        gpu->services.ops.config_changed(gpu->services.opaque);
    return 0;
}

void venus_gpu_read_config(struct venus_gpu *gpu, size_t offset, void *data, size_t len)
{
    pthread_mutex_lock(&gpu->services.lock);
    const struct virtio_gpu_config config = {
        .events_read = le32(gpu->displays->events_read),
        .num_scanouts = le32(gpu->services.config.num_outputs),
        .num_capsets = le32(1),
        .blob_alignment = le32(window_blob_alignment(gpu)),
    };
    pthread_mutex_unlock(&gpu->services.lock);

    memset(data, 0, len);
    if (offset < sizeof(config))
        memcpy(data, (const char *)&config + offset,
               len < sizeof(config) - offset ? len : sizeof(config) - offset);
}

void venus_gpu_write_config(struct venus_gpu *gpu, size_t offset, const void *data, size_t len)
{
    struct virtio_gpu_config config = { .events_clear = 0 };
    if (offset >= sizeof(config))
        return;
    memcpy((char *)&config + offset, data,
           len < sizeof(config) - offset ? len : sizeof(config) - offset);

    /* events_clear is the only field that a driver writes; what it clears reads back as 0. */
    pthread_mutex_lock(&gpu->services.lock);
    gpu->displays->events_read &= ~le32(config.events_clear);
    bool again = !(gpu->displays->events_read & VIRTIO_GPU_EVENT_DISPLAY) &&
                 gpu->displays->news == DISPLAY_NEWS_LATE;
    if (again) {
        gpu->displays->events_read |= VIRTIO_GPU_EVENT_DISPLAY;
        gpu->displays->news = DISPLAY_NEWS_UNREAD;
    }
    pthread_mutex_unlock(&gpu->services.lock);
    if (again && gpu->services.ops.config_changed)
        gpu->services.ops.config_changed(gpu->services.opaque);
}

/* ---- saving and loading -------------------------------------------------------------------------- */

static void stream_output(struct output *output, struct stream *stream)
{
    struct venus_gpu_output *info = &output->info;
    stream_bool(stream, &info->enabled);
    stream_u32(stream, &info->x);
    stream_u32(stream, &info->y);
    stream_u32(stream, &info->width);
    stream_u32(stream, &info->height);
    stream_u32(stream, &info->width_mm);
    stream_u32(stream, &info->height_mm);
    stream_u32(stream, &info->refresh_mhz);
    stream_bool(stream, &info->fixed);
    stream_bytes(stream, output->name, sizeof(output->name));
    output->name[sizeof(output->name) - 1] = 0;
}

/* Take over what the guest knows. */
static void take_over_locked(struct displays *displays, const struct output *told, unsigned num,
                             uint32_t events, enum display_news news)
{
    displays->events_read = events;
    displays->news = news;
    for (unsigned i = 0; i < num; i++)
        displays->untold |= !same_output(&displays->outputs[i], &told[i]);
    if (displays->untold)
        raise_event_locked(displays);
}

void display_stream(struct venus_gpu *gpu, struct stream *stream)
{
    assert_device_thread(&gpu->services);
    struct displays *displays = gpu->displays;
    unsigned num = gpu->services.config.num_outputs;
    struct output outputs[VENUS_GPU_MAX_SCANOUTS];
    pthread_mutex_lock(&gpu->services.lock);
    uint32_t events = displays->events_read, news = displays->news;
    memcpy(outputs, displays->outputs, sizeof(outputs));
    pthread_mutex_unlock(&gpu->services.lock);

    stream_u32(stream, &events);
    stream_u32(stream, &news);
    for (unsigned i = 0; i < num; i++)
        stream_output(&outputs[i], stream);
    if (stream->saves || stream->error)
        return;
    if (events & ~(uint32_t)VIRTIO_GPU_EVENT_DISPLAY || news > DISPLAY_NEWS_LATE)
        stream_fail(stream, -EINVAL, "events %u and %u of outputs", events, news);
    if (stream->only_looks || stream->error)
        return;
    pthread_mutex_lock(&gpu->services.lock);
    take_over_locked(displays, outputs, num, events, (enum display_news)news);
    pthread_mutex_unlock(&gpu->services.lock);
}

void display_tell(struct venus_gpu *gpu)
{
    pthread_mutex_lock(&gpu->services.lock);
    bool tell = gpu->displays->untold;
    gpu->displays->untold = false;
    pthread_mutex_unlock(&gpu->services.lock);
    if (tell && gpu->services.ops.config_changed)
        gpu->services.ops.config_changed(gpu->services.opaque);
}
