/* SPDX-License-Identifier: MIT */
/*
 * A front end that is compiled with the header of some release, and run with today's library.
 *
 * It gives the library each structure at the end of a page that has none behind it, so that whatever the
 * library reads or writes beyond the size of that time faults. With TODAY, the version that has to run.
 * UNKNOWN is defined where the header is of a release that is yet to come: its structures have a member of that
 * name at their end, which a library that lacks it takes only where it is 0.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <venus-gpu.h>

#include "base/protocol.h"

enum { WIDTH = 64, HEIGHT = 16, FRAME_SIZE = WIDTH * HEIGHT * 4 };

#define CHECK(condition)                                                    \
    do {                                                                    \
        if (!(condition)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            exit(1);                                                        \
        }                                                                   \
    } while (0)

static uint32_t guest_memory[WIDTH * HEIGHT]; /* its address 0 is the first */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done;
    bool shown; /* the frame is what the guest drew, and was flushed */
    struct venus_gpu_frame *frame;
} seen = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

/* Zeros right before an address that faults. Never freed. */
static void *at_end_of_memory(size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = (size + page - 1) / page * page;
    char *memory =
        mmap(NULL, pages + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED && mprotect(memory + pages, page, PROT_NONE) == 0);
    return memory + pages - size;
}

static void *map_guest(void *opaque, uint64_t addr, uint64_t *len)
{
    (void)opaque;
    if (addr >= sizeof(guest_memory))
        return NULL;
    if (*len > sizeof(guest_memory) - addr)
        *len = sizeof(guest_memory) - addr;
    return (char *)guest_memory + addr;
}

static void unmap_guest(void *opaque, void *ptr, uint64_t len)
{
    (void)opaque, (void)ptr, (void)len;
}

static void command_done(void *opaque, void *tag, uint32_t written)
{
    (void)opaque, (void)written;
    pthread_mutex_lock(&seen.lock);
    CHECK(tag == guest_memory);
    seen.done = true;
    pthread_cond_broadcast(&seen.changed);
    pthread_mutex_unlock(&seen.lock);
}

static void scanout_changed(void *opaque, unsigned scanout, struct venus_gpu_frame *frame)
{
    (void)opaque, (void)scanout;
    venus_gpu_frame_unref(seen.frame);
    seen.frame = frame ? venus_gpu_frame_ref(frame) : NULL;
}

static void scanout_flush(void *opaque, unsigned scanout, const struct venus_gpu_rect *rect,
                          struct venus_gpu_flush *flush)
{
    (void)opaque, (void)scanout;
    CHECK(seen.frame && seen.frame->width == WIDTH && seen.frame->height == HEIGHT);
    CHECK(rect->width == WIDTH && rect->height == HEIGHT);
    CHECK(!strcmp(seen.frame->format->name, "B8G8R8X8_UNORM"));
    for (unsigned y = 0; y < HEIGHT; y++)
        CHECK(!memcmp((const char *)seen.frame->pixels + y * seen.frame->stride,
                      guest_memory + y * WIDTH, WIDTH * 4));
    seen.shown = true;
    venus_gpu_flush_done(flush);
}

static void print_line(void *opaque, enum venus_gpu_log_level level, const char *message)
{
    (void)opaque;
    if (level < VENUS_GPU_LOG_INFO)
        fprintf(stderr, "%s\n", message);
}

static struct venus_gpu_config *make_config(void)
{
    struct venus_gpu_config *config = at_end_of_memory(sizeof(*config));
    venus_gpu_config_init(config);
    CHECK(config->size == sizeof(*config) && config->num_outputs == 1);
    CHECK(config->render_server_fd == -1);
    config->window_size = 16 << 20;
    return config;
}

static struct venus_gpu_ops *make_ops(void)
{
    struct venus_gpu_ops *ops = at_end_of_memory(sizeof(*ops));
    ops->size = sizeof(*ops);
    ops->map_guest = map_guest;
    ops->unmap_guest = unmap_guest;
    ops->command_done = command_done;
    ops->scanout_changed = scanout_changed;
    ops->scanout_flush = scanout_flush;
    ops->log = print_line;
    return ops;
}

static struct venus_gpu_request *make_request(struct iovec *out, struct iovec *in)
{
    struct venus_gpu_request *request = at_end_of_memory(sizeof(*request));
    request->out = out;
    request->num_out = 1;
    request->in = in;
    request->num_in = 1;
    request->tag = guest_memory;
    return request;
}

/* Run a command and return the type of its answer. */
static uint32_t run(struct venus_gpu *gpu, const void *command, size_t size)
{
    char copy[128];
    struct virtio_gpu_ctrl_hdr answer = { .type = 0 };
    memcpy(copy, command, size);
    struct iovec out = { copy, size }, in = { &answer, sizeof(answer) };
    seen.done = false;
    CHECK(venus_gpu_submit(gpu, VENUS_GPU_QUEUE_CONTROL, make_request(&out, &in)) == 0);
    pthread_mutex_lock(&seen.lock);
    while (!seen.done)
        pthread_cond_wait(&seen.changed, &seen.lock);
    pthread_mutex_unlock(&seen.lock);
    return le32(answer.type);
}

static void send_frame(struct venus_gpu *gpu)
{
    const struct virtio_gpu_resource_create_2d create = {
        .hdr = { .type = le32(VIRTIO_GPU_CMD_RESOURCE_CREATE_2D) },
        .resource_id = le32(1),
        .format = le32(VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM),
        .width = le32(WIDTH),
        .height = le32(HEIGHT),
    };
    const struct {
        struct virtio_gpu_resource_attach_backing head;
        struct virtio_gpu_mem_entry entry;
    } attach = {
        .head = { .hdr = { .type = le32(VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING) },
                  .resource_id = le32(1),
                  .nr_entries = le32(1) },
        .entry = { .length = le32(FRAME_SIZE) },
    };
    const struct virtio_gpu_rect all = { .width = le32(WIDTH), .height = le32(HEIGHT) };
    const struct virtio_gpu_transfer_to_host_2d transfer = {
        .hdr = { .type = le32(VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D) },
        .r = all,
        .resource_id = le32(1),
    };
    const struct virtio_gpu_set_scanout set = {
        .hdr = { .type = le32(VIRTIO_GPU_CMD_SET_SCANOUT) },
        .r = all,
        .resource_id = le32(1),
    };
    const struct virtio_gpu_resource_flush flush = {
        .hdr = { .type = le32(VIRTIO_GPU_CMD_RESOURCE_FLUSH) },
        .r = all,
        .resource_id = le32(1),
    };
    for (uint32_t i = 0; i < WIDTH * HEIGHT; i++)
        guest_memory[i] = i * UINT32_C(2654435761);
    CHECK(run(gpu, &create, sizeof(create)) == VIRTIO_GPU_RESP_OK_NODATA);
    CHECK(run(gpu, &attach, sizeof(attach)) == VIRTIO_GPU_RESP_OK_NODATA);
    CHECK(run(gpu, &transfer, sizeof(transfer)) == VIRTIO_GPU_RESP_OK_NODATA);
    CHECK(run(gpu, &set, sizeof(set)) == VIRTIO_GPU_RESP_OK_NODATA);
    CHECK(run(gpu, &flush, sizeof(flush)) == VIRTIO_GPU_RESP_OK_NODATA);
    CHECK(seen.shown);
}

static void read_stats(const struct venus_gpu *gpu)
{
    size_t count = venus_gpu_stats(gpu, NULL, 0);
    CHECK(count > 10);
    struct venus_gpu_stat *stats = at_end_of_memory(count * sizeof(*stats));
    CHECK(venus_gpu_stats(gpu, stats, count) == count);
    bool found = false;
    for (size_t i = 0; i < count; i++) {
        CHECK(stats[i].name[0] && stats[i].help[0]);
        found |= !strcmp(stats[i].name, "flushes") && stats[i].value == 1;
    }
    CHECK(found);
}

static void set_output(struct venus_gpu *gpu)
{
    struct venus_gpu_output *output = at_end_of_memory(sizeof(*output));
    output->enabled = true;
    output->width = 640;
    output->height = 480;
    output->name = "abi";
    CHECK(venus_gpu_set_output(gpu, 0, output) == 0);
    CHECK(venus_gpu_set_output(gpu, 1, output) == -EINVAL);
}

static void present(struct venus_gpu *gpu)
{
    struct venus_gpu_target *target = at_end_of_memory(sizeof(*target));
    target->size = sizeof(*target);
    target->kind = VENUS_GPU_TARGET_OFFSCREEN;
    CHECK(venus_gpu_present(gpu, 0, target) == 0);
    CHECK(venus_gpu_present(gpu, 0, NULL) == 0);
}

#ifdef UNKNOWN
static void check_refused(const struct venus_gpu_config *config, const struct venus_gpu_ops *ops,
                          const char *structure)
{
    char *error = NULL;
    CHECK(!venus_gpu_create(config, ops, NULL, &error));
    CHECK(error && strstr(error, structure) && strstr(error, "newer library"));
    free(error);
}

/* Each of them once with something that today's library does not know. */
static void ask_for_the_unknown(struct venus_gpu *gpu)
{
    struct venus_gpu_config *config = make_config();
    struct venus_gpu_ops *ops = make_ops();
    if (!gpu) {
        config->UNKNOWN = 1;
        check_refused(config, ops, "struct venus_gpu_config");
        config->UNKNOWN = 0;
        ops->UNKNOWN = 1;
        check_refused(config, ops, "struct venus_gpu_ops");
        return;
    }
    struct venus_gpu_output *output = at_end_of_memory(sizeof(*output));
    output->UNKNOWN = 1;
    CHECK(venus_gpu_set_output(gpu, 0, output) == -E2BIG);
    struct venus_gpu_target *target = at_end_of_memory(sizeof(*target));
    target->size = sizeof(*target);
    target->UNKNOWN = 1;
    CHECK(venus_gpu_present(gpu, 0, target) == -E2BIG);
    char nothing[sizeof(struct virtio_gpu_ctrl_hdr)] = { 0 };
    struct iovec iov = { nothing, sizeof(nothing) };
    struct venus_gpu_request *request = make_request(&iov, &iov);
    request->UNKNOWN = 1;
    CHECK(venus_gpu_submit(gpu, VENUS_GPU_QUEUE_CONTROL, request) == -E2BIG);
}
#endif

int main(void)
{
    CHECK(!strcmp(venus_gpu_version(), TODAY));
#ifdef UNKNOWN
    ask_for_the_unknown(NULL);
#endif
    char *error = NULL;
    struct venus_gpu *gpu = venus_gpu_create(make_config(), make_ops(), NULL, &error);
    if (!gpu)
        fprintf(stderr, "%s\n", error);
    CHECK(gpu && !error);
    set_output(gpu);
    send_frame(gpu);
    read_stats(gpu);
    present(gpu);
#ifdef UNKNOWN
    ask_for_the_unknown(gpu);
#endif
    uint64_t size = 0;
    CHECK(venus_gpu_window(gpu, &size) && size == 16 << 20);
    venus_gpu_reset(gpu);
    CHECK(!seen.frame);
    venus_gpu_destroy(gpu);
    return 0;
}
