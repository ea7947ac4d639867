/* SPDX-License-Identifier: MIT */
/* See guest.h. */
#include "guest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "platform/platform.h"

static pthread_t main_thread; /* the test's own */

/* What takes so long hangs. Sanitizers on a busy machine are slow. */
enum { PATIENCE_MS = 60000 };

uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void sleep_ms(unsigned milliseconds)
{
    struct timespec time = { milliseconds / 1000, milliseconds % 1000 * 1000000L };
    nanosleep(&time, NULL);
}

/* ---- the front end --------------------------------------------------------------------------- */

static void *map_guest(void *opaque, uint64_t addr, uint64_t *len)
{
    struct guest *guest = opaque;
    if (addr >= GUEST_MEMORY_SIZE)
        return NULL;
    if (*len > GUEST_MEMORY_SIZE - addr)
        *len = GUEST_MEMORY_SIZE - addr;
    return guest->memory + addr;
}

static void unmap_guest(void *opaque, void *ptr, uint64_t len)
{
    (void)opaque, (void)ptr, (void)len;
}

/* Whether the library made this thread known; the process's first thread is the front end's own. */
static _Thread_local bool is_known;

static void thread_begins(void *opaque, enum venus_gpu_thread kind)
{
    struct guest *guest = opaque;
    is_known = true;
    pthread_mutex_lock(&guest->lock);
    guest->threads++;
    guest->threads_of[kind]++;
    pthread_mutex_unlock(&guest->lock);
}

static void thread_ends(void *opaque, enum venus_gpu_thread kind)
{
    struct guest *guest = opaque;
    (void)kind;
    pthread_mutex_lock(&guest->lock);
    guest->threads--;
    guest->strangers += !is_known;
    pthread_mutex_unlock(&guest->lock);
    is_known = false;
}

static void command_done(void *opaque, void *tag, uint32_t written)
{
    struct guest *guest = opaque;
    struct ticket *ticket = tag;
    pthread_mutex_lock(&guest->lock);
    guest->strangers += !is_known && !pthread_equal(pthread_self(), main_thread);
    ticket->done = true;
    ticket->order = ++guest->answers;
    ticket->answered_ns = now_ns();
    ticket->written = written;
    pthread_cond_broadcast(&guest->changed);
    pthread_mutex_unlock(&guest->lock);
}

static void scanout_changed(void *opaque, unsigned scanout, struct venus_gpu_frame *frame)
{
    struct guest *guest = opaque;
    pthread_mutex_lock(&guest->lock);
    struct venus_gpu_frame *old = guest->frames[scanout];
    guest->frames[scanout] = frame ? venus_gpu_frame_ref(frame) : NULL;
    pthread_mutex_unlock(&guest->lock);
    venus_gpu_frame_unref(old);
}

static void scanout_flush(void *opaque, unsigned scanout, const struct venus_gpu_rect *rect,
                          struct venus_gpu_flush *flush)
{
    struct guest *guest = opaque;
    (void)scanout, (void)rect;
    pthread_mutex_lock(&guest->lock);
    guest->flushes++;
    bool hold = guest->hold_flushes;
    if (hold)
        guest->flush = flush;
    pthread_cond_broadcast(&guest->changed);
    pthread_mutex_unlock(&guest->lock);
    if (!hold)
        venus_gpu_flush_done(flush);
}

/* The place of a region in the list, or of none; with the lock. */
static struct venus_gpu_region **find_region(struct guest *guest,
                                             const struct venus_gpu_region *region)
{
    for (unsigned i = 0; i < GUEST_MAX_REGIONS; i++) {
        if (guest->region_list[i] == region)
            return &guest->region_list[i];
    }
    return NULL;
}

/*
 * Where all blobs are regions (VENUS_GPU_WINDOW_REGIONS in the environment) the guest sees them over the window, as in a
 * machine. What is behind the memory is as good in the window as in the region.
 */
static bool all_lie_over_window(void)
{
    return getenv("VENUS_GPU_WINDOW_REGIONS");
}

static bool lay_over_window(struct guest *guest, const struct venus_gpu_region *region)
{
    uint64_t size = region->size;
    if (!all_lie_over_window())
        return true;
    if (region->handle && region->handle->size < size)
        size = region->handle->size;
    return platform_alias(region->ptr, size, guest->window + region->offset) == 0;
}

static void take_off_window(struct guest *guest, const struct venus_gpu_region *region)
{
    if (all_lie_over_window() &&
        mmap(guest->window + region->offset, region->size, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED)
        abort();
}

static void region_map(void *opaque, struct venus_gpu_region *region)
{
    struct guest *guest = opaque;
    pthread_mutex_lock(&guest->lock);
    struct venus_gpu_region **place = find_region(guest, NULL);
    bool listed = !all_lie_over_window(); /* the guest has to be told where its memory is */
    bool refuse = guest->no_regions || (listed && !place) || !lay_over_window(guest, region);
    if (!refuse) {
        guest->regions++;
        if (listed)
            *place = region;
        guest->region = region;
        region->user = guest;
    }
    pthread_mutex_unlock(&guest->lock);
    venus_gpu_region_mapped(guest->gpu, region, refuse ? -ENOTSUP : 0);
}

static void region_unmap(void *opaque, struct venus_gpu_region *region)
{
    struct guest *guest = opaque;
    pthread_mutex_lock(&guest->lock);
    if (region->user) { /* it was placed */
        guest->regions--;
        struct venus_gpu_region **listed = find_region(guest, region);
        if (listed)
            *listed = NULL;
        take_off_window(guest, region);
    }
    if (guest->region == region)
        guest->region = NULL;
    pthread_mutex_unlock(&guest->lock);
    venus_gpu_region_unmapped(guest->gpu, region);
}

static void keep_log(void *opaque, enum venus_gpu_log_level level, const char *message)
{
    struct guest *guest = opaque;
    size_t len = strlen(message);
    (void)level;
    pthread_mutex_lock(&guest->lock);
    if (guest->log_size + len + 2 > sizeof(guest->log))
        guest->log_size = 0;
    if (len + 2 <= sizeof(guest->log)) {
        memcpy(guest->log + guest->log_size, message, len);
        guest->log[guest->log_size + len] = '\n';
        guest->log[guest->log_size += len + 1] = '\0';
    }
    pthread_mutex_unlock(&guest->lock);
}

static const struct venus_gpu_ops ops = {
    .size = sizeof(ops),
    .map_guest = map_guest,
    .unmap_guest = unmap_guest,
    .command_done = command_done,
    .scanout_changed = scanout_changed,
    .scanout_flush = scanout_flush,
    .region_map = region_map,
    .region_unmap = region_unmap,
    .log = keep_log,
    .thread_begins = thread_begins,
    .thread_ends = thread_ends,
};

/* ---- its life -------------------------------------------------------------------------------- */

void guest_config(struct venus_gpu_config *config)
{
    venus_gpu_config_init(config);
    config->num_outputs = 2;
    config->window_size = GUEST_WINDOW_SIZE;
}

char *guest_try_start(struct guest *guest, const struct venus_gpu_config *config)
{
    struct venus_gpu_config defaults;
    char *error = NULL;

    assert_null(guest->gpu);
    guest_config(&defaults);
    guest->gpu = venus_gpu_create(config ? config : &defaults, &ops, guest, &error);
    if (!guest->gpu) {
        assert_non_null(error);
        return error;
    }
    assert_null(error);
    uint64_t size;
    guest->window = venus_gpu_window(guest->gpu, &size);
    return NULL;
}

void guest_start(struct guest *guest, const struct venus_gpu_config *config)
{
    char *error = guest_try_start(guest, config);
    if (error)
        print_error("%s\n", error);
    assert_null(error);
}

static void forget_tickets(struct guest *guest)
{
    while (!LIST_EMPTY(&guest->tickets)) {
        struct ticket *ticket = LIST_FIRST(&guest->tickets);
        LIST_REMOVE(ticket, link);
        free(ticket);
    }
}

void guest_reset(struct guest *guest)
{
    venus_gpu_reset(guest->gpu);
    forget_tickets(guest);
    guest->window_used = 0;
    guest->memory_used = 0;
    guest->last_resource = 0;
}

void guest_stop(struct guest *guest)
{
    if (!guest->gpu)
        return;
    venus_gpu_reset(guest->gpu);
    if (guest->flush)
        venus_gpu_flush_done(guest->flush);
    guest->flush = NULL;
    venus_gpu_destroy(guest->gpu);
    guest->gpu = NULL;
    assert_int_equal(guest->threads, 0);
    assert_int_equal(guest->strangers, 0);
    forget_tickets(guest);
    guest->window_used = 0;
    guest->memory_used = 0;
    guest->last_resource = 0;
}

/* The guest's memory begins with a page of what the host's are taken to be. */
static char *map_memory(int fd)
{
    char *range =
        mmap(NULL, GUEST_MEMORY_SIZE + PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(range != MAP_FAILED);
    size_t before = -(uintptr_t)range % PAGE;
    if (before)
        munmap(range, before);
    munmap(range + before + GUEST_MEMORY_SIZE, PAGE - before);
    return mmap(range + before, GUEST_MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
                fd, 0);
}

int guest_setup_without_device(void **state)
{
    struct guest *guest = calloc(1, sizeof(*guest));
    assert_non_null(guest);
    main_thread = pthread_self();
    int fd = platform_shared_memory(GUEST_MEMORY_SIZE);
    assert_true(fd >= 0);
    guest->memory = map_memory(fd);
    assert_true(guest->memory != MAP_FAILED);
    close(fd);
    pthread_mutex_init(&guest->lock, NULL);
    platform_cond_init(&guest->changed);
    LIST_INIT(&guest->tickets);
    *state = guest;
    return 0;
}

int guest_setup(void **state)
{
    guest_setup_without_device(state);
    guest_start(*state, NULL);
    return 0;
}

int guest_setup_by_linux_ways(void **state)
{
    linux_ways();
    return guest_setup(state);
}

int guest_teardown(void **state)
{
    struct guest *guest = *state;
    guest_stop(guest);
    usual_ways();
    munmap(guest->memory, GUEST_MEMORY_SIZE);
    pthread_cond_destroy(&guest->changed);
    pthread_mutex_destroy(&guest->lock);
    free(guest);
    return 0;
}

/* ---- commands -------------------------------------------------------------------------------- */

struct ticket *guest_send(struct guest *guest, const void *request, size_t request_size,
                          const void *more, size_t more_size, size_t answer_size)
{
    struct ticket *ticket = calloc(1, sizeof(*ticket) + request_size + more_size + answer_size);
    assert_non_null(ticket);
    char *data = (char *)(ticket + 1);
    memcpy(data, request, request_size);
    if (more_size)
        memcpy(data + request_size, more, more_size);
    ticket->guest = guest;
    ticket->out[0] = (struct iovec){ data, request_size };
    ticket->out[1] = (struct iovec){ data + request_size, more_size };
    ticket->in = (struct iovec){ data + request_size + more_size, answer_size };
    LIST_INSERT_HEAD(&guest->tickets, ticket, link);

    const struct venus_gpu_request command = {
        .out = ticket->out,
        .num_out = more_size ? 2 : 1,
        .in = &ticket->in,
        .num_in = 1,
        .tag = ticket,
    };
    assert_int_equal(venus_gpu_submit(guest->gpu, VENUS_GPU_QUEUE_CONTROL, &command), 0);
    return ticket;
}

bool guest_wait_for(struct ticket *ticket, unsigned milliseconds)
{
    struct guest *guest = ticket->guest;
    uint64_t end_ns = now_ns() + milliseconds * UINT64_C(1000000);
    int ret = 0;
    pthread_mutex_lock(&guest->lock);
    while (!ticket->done && ret == 0)
        ret = platform_cond_wait_until(&guest->changed, &guest->lock, end_ns);
    bool done = ticket->done;
    pthread_mutex_unlock(&guest->lock);
    return done;
}

uint32_t guest_finish(struct ticket *ticket, void *answer, size_t answer_size)
{
    struct virtio_gpu_ctrl_hdr hdr;
    if (!guest_wait_for(ticket, PATIENCE_MS))
        fail_msg("no answer");
    assert_uint_in_range(ticket->written, sizeof(hdr), ticket->in.iov_len);
    memcpy(&hdr, ticket->in.iov_base, sizeof(hdr));
    if (answer && hdr.type < VIRTIO_GPU_RESP_ERR_UNSPEC) {
        assert_int_equal(ticket->written, answer_size);
        memcpy(answer, ticket->in.iov_base, answer_size);
    }
    LIST_REMOVE(ticket, link);
    free(ticket);
    return hdr.type;
}

uint32_t guest_wait(struct ticket *ticket)
{
    return guest_finish(ticket, NULL, 0);
}

static uint32_t run(struct guest *guest, const void *request, size_t size)
{
    return guest_wait(
        guest_send(guest, request, size, NULL, 0, sizeof(struct virtio_gpu_ctrl_hdr)));
}

uint32_t guest_context_create(struct guest *guest, uint32_t context)
{
    const struct virtio_gpu_ctx_create request = {
        .hdr = { .type = VIRTIO_GPU_CMD_CTX_CREATE, .ctx_id = context },
        .nlen = 4,
        .context_init = VIRTIO_GPU_CAPSET_VENUS,
        .debug_name = "test",
    };
    return run(guest, &request, sizeof(request));
}

uint32_t guest_context_destroy(struct guest *guest, uint32_t context)
{
    const struct virtio_gpu_ctx_destroy request = {
        .hdr = { .type = VIRTIO_GPU_CMD_CTX_DESTROY, .ctx_id = context },
    };
    return run(guest, &request, sizeof(request));
}

static uint32_t context_resource(struct guest *guest, enum virtio_gpu_ctrl_type type,
                                 uint32_t context, uint32_t resource)
{
    const struct virtio_gpu_ctx_resource request = {
        .hdr = { .type = type, .ctx_id = context },
        .resource_id = resource,
    };
    return run(guest, &request, sizeof(request));
}

uint32_t guest_attach(struct guest *guest, uint32_t context, uint32_t resource)
{
    return context_resource(guest, VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE, context, resource);
}

uint32_t guest_detach(struct guest *guest, uint32_t context, uint32_t resource)
{
    return context_resource(guest, VIRTIO_GPU_CMD_CTX_DETACH_RESOURCE, context, resource);
}

static struct ticket *submit(struct guest *guest, uint32_t context, uint32_t flags, unsigned ring,
                             const void *data, size_t size)
{
    const struct virtio_gpu_cmd_submit request = {
        .hdr = { .type = VIRTIO_GPU_CMD_SUBMIT_3D,
                 .flags = flags,
                 .ctx_id = context,
                 .ring_idx = (uint8_t)ring },
        .size = (uint32_t)size,
    };
    return guest_send(guest, &request, sizeof(request), data, size,
                      sizeof(struct virtio_gpu_ctrl_hdr));
}

uint32_t guest_submit(struct guest *guest, uint32_t context, const void *data, size_t size)
{
    return guest_wait(submit(guest, context, 0, 0, data, size));
}

struct ticket *guest_submit_fenced(struct guest *guest, uint32_t context, unsigned ring,
                                   const void *data, size_t size)
{
    return submit(guest, context, VIRTIO_GPU_FLAG_FENCE | VIRTIO_GPU_FLAG_INFO_RING_IDX, ring, data,
                  size);
}

uint32_t guest_blob_create(struct guest *guest, uint32_t context, uint32_t resource, uint32_t mem,
                           uint64_t blob_id, uint64_t size,
                           const struct virtio_gpu_mem_entry *entries, unsigned num_entries)
{
    const struct virtio_gpu_resource_create_blob request = {
        .hdr = { .type = VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB, .ctx_id = context },
        .resource_id = resource,
        .blob_mem = mem,
        .blob_flags = VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE,
        .nr_entries = num_entries,
        .blob_id = blob_id,
        .size = size,
    };
    return guest_wait(guest_send(guest, &request, sizeof(request), entries,
                                 num_entries * sizeof(*entries),
                                 sizeof(struct virtio_gpu_ctrl_hdr)));
}

uint32_t guest_create_2d(struct guest *guest, uint32_t resource, uint32_t width, uint32_t height,
                         const struct virtio_gpu_mem_entry *entry)
{
    const struct virtio_gpu_resource_create_2d create = {
        .hdr = { .type = VIRTIO_GPU_CMD_RESOURCE_CREATE_2D },
        .resource_id = resource,
        .format = VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM,
        .width = width,
        .height = height,
    };
    const struct virtio_gpu_resource_attach_backing attach = {
        .hdr = { .type = VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING },
        .resource_id = resource,
        .nr_entries = 1,
    };
    assert_ok(run(guest, &create, sizeof(create)));
    return guest_wait(guest_send(guest, &attach, sizeof(attach), entry, sizeof(*entry),
                                 sizeof(struct virtio_gpu_ctrl_hdr)));
}

uint32_t guest_transfer(struct guest *guest, uint32_t resource, uint32_t width, uint32_t height)
{
    const struct virtio_gpu_transfer_to_host_2d request = {
        .hdr = { .type = VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D },
        .r = { 0, 0, width, height },
        .resource_id = resource,
    };
    return run(guest, &request, sizeof(request));
}

uint32_t guest_set_scanout(struct guest *guest, unsigned scanout, uint32_t resource, uint32_t width,
                           uint32_t height)
{
    const struct virtio_gpu_set_scanout request = {
        .hdr = { .type = VIRTIO_GPU_CMD_SET_SCANOUT },
        .r = { 0, 0, width, height },
        .scanout_id = scanout,
        .resource_id = resource,
    };
    return run(guest, &request, sizeof(request));
}

uint32_t guest_unref(struct guest *guest, uint32_t resource)
{
    const struct virtio_gpu_resource_unref request = {
        .hdr = { .type = VIRTIO_GPU_CMD_RESOURCE_UNREF },
        .resource_id = resource,
    };
    return run(guest, &request, sizeof(request));
}

uint32_t guest_map(struct guest *guest, uint32_t resource, uint64_t offset)
{
    const struct virtio_gpu_resource_map_blob request = {
        .hdr = { .type = VIRTIO_GPU_CMD_RESOURCE_MAP_BLOB },
        .resource_id = resource,
        .offset = offset,
    };
    struct virtio_gpu_resp_map_info answer;
    return guest_finish(guest_send(guest, &request, sizeof(request), NULL, 0, sizeof(answer)),
                        &answer, sizeof(answer));
}

uint32_t guest_unmap(struct guest *guest, uint32_t resource)
{
    const struct virtio_gpu_resource_unmap_blob request = {
        .hdr = { .type = VIRTIO_GPU_CMD_RESOURCE_UNMAP_BLOB },
        .resource_id = resource,
    };
    return run(guest, &request, sizeof(request));
}

uint32_t guest_set_scanout_blob(struct guest *guest, unsigned scanout, uint32_t resource,
                                uint32_t width, uint32_t height)
{
    const struct virtio_gpu_set_scanout_blob request = {
        .hdr = { .type = VIRTIO_GPU_CMD_SET_SCANOUT_BLOB },
        .r = { 0, 0, width, height },
        .scanout_id = scanout,
        .resource_id = resource,
        .width = width,
        .height = height,
        .format = VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM,
        .strides = { width * 4 },
    };
    return run(guest, &request, sizeof(request));
}

uint32_t guest_flush(struct guest *guest, uint32_t resource, uint32_t width, uint32_t height)
{
    const struct virtio_gpu_resource_flush request = {
        .hdr = { .type = VIRTIO_GPU_CMD_RESOURCE_FLUSH },
        .r = { 0, 0, width, height },
        .resource_id = resource,
    };
    return run(guest, &request, sizeof(request));
}

char *guest_map_anywhere(struct guest *guest, uint32_t resource, uint64_t size)
{
    uint64_t offset = guest_new_offset(guest, size);
    char *mapped = guest->window + offset;
    assert_int_equal(guest_map(guest, resource, offset), VIRTIO_GPU_RESP_OK_MAP_INFO);
    pthread_mutex_lock(&guest->lock);
    for (unsigned i = 0; i < GUEST_MAX_REGIONS; i++) {
        if (guest->region_list[i] && guest->region_list[i]->offset == offset)
            mapped = guest->region_list[i]->ptr;
    }
    pthread_mutex_unlock(&guest->lock);
    return mapped;
}

uint32_t guest_shm(struct guest *guest, uint32_t context, uint64_t size, char **mapped)
{
    uint32_t resource = guest_new_resource(guest);
    assert_ok(
        guest_blob_create(guest, context, resource, VIRTIO_GPU_BLOB_MEM_HOST3D, 0, size, NULL, 0));
    assert_ok(guest_attach(guest, context, resource));
    char *ptr = guest_map_anywhere(guest, resource, size);
    if (mapped)
        *mapped = ptr;
    return resource;
}

/* ---- what else there is ---------------------------------------------------------------------- */

uint32_t guest_new_resource(struct guest *guest)
{
    return ++guest->last_resource;
}

uint64_t guest_new_offset(struct guest *guest, uint64_t size)
{
    uint64_t offset = guest->window_used;
    guest->window_used += (size + PAGE - 1) / PAGE * PAGE;
    assert_true(guest->window_used <= GUEST_WINDOW_SIZE);
    return offset;
}

struct virtio_gpu_mem_entry guest_new_memory(struct guest *guest, uint32_t size)
{
    const struct virtio_gpu_mem_entry entry = { .addr = guest->memory_used, .length = size };
    guest->memory_used += (size + PAGE - 1) / PAGE * PAGE;
    assert_true(guest->memory_used <= GUEST_MEMORY_SIZE);
    return entry;
}

char *guest_memory(struct guest *guest, const struct virtio_gpu_mem_entry *entry)
{
    return guest->memory + entry->addr;
}

uint64_t guest_stat(struct guest *guest, const char *name)
{
    struct venus_gpu_stat stats[64];
    size_t count = venus_gpu_stats(guest->gpu, stats, 64);
    assert_uint_in_range(count, 1, 64);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(stats[i].name, name) == 0)
            return stats[i].value;
    }
    fail_msg("no statistic %s", name);
    return 0;
}

const struct venus_gpu_frame *guest_frame(struct guest *guest, unsigned scanout)
{
    pthread_mutex_lock(&guest->lock);
    const struct venus_gpu_frame *frame = guest->frames[scanout];
    pthread_mutex_unlock(&guest->lock);
    return frame;
}

struct venus_gpu_frame *guest_keep_frame(struct guest *guest, unsigned scanout)
{
    pthread_mutex_lock(&guest->lock);
    struct venus_gpu_frame *frame = guest->frames[scanout];
    if (frame)
        venus_gpu_frame_ref(frame);
    pthread_mutex_unlock(&guest->lock);
    assert_non_null(frame);
    return frame;
}

bool guest_logged(struct guest *guest, const char *text)
{
    pthread_mutex_lock(&guest->lock);
    bool found = strstr(guest->log, text);
    pthread_mutex_unlock(&guest->lock);
    return found;
}
