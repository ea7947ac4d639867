/* SPDX-License-Identifier: MIT */
/*
 * See harness.h.
 *
 * cmocka's assertions jump, so they are for the test's own thread: what a callback finds wrong is a
 * *complaint*, kept until the machine stops and raised there. Buffers are allocated at their exact
 * sizes, so that AddressSanitizer sees a byte too far.
 */
#include "harness.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "device/device.h"
#include "platform/platform.h"

enum { TIMEOUT_S = 20, UNTOUCHED = 0xee };

struct vm vm;

struct guest_mapping {
    void *ptr;
    uint64_t len;
    struct guest_mapping *next;
};

static void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* With the lock held. */
static void complain(const char *format, ...)
{
    if (vm.complaint[0])
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(vm.complaint, sizeof(vm.complaint), format, args);
    va_end(args);
}

static void lock(void)
{
    pthread_mutex_lock(&vm.lock);
}

static void unlock(void)
{
    pthread_mutex_unlock(&vm.lock);
}

/* Wait for a change of what the lock guards. False if there is none for too long. */
static bool wait_changed(void)
{
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += TIMEOUT_S;
    return pthread_cond_timedwait(&vm.changed, &vm.lock, &deadline) == 0;
}

static void wait_for_count(const unsigned *counter, unsigned count)
{
    bool in_time = true;
    lock();
    while (*counter < count && in_time)
        in_time = wait_changed();
    unlock();
    assert_true(in_time);
}

/* ---- the front end: callbacks ---------------------------------------------------------------- */

static void *map_guest(void *opaque, uint64_t addr, uint64_t *len)
{
    void *ptr = NULL;
    assert(opaque == &vm);
    lock();
    bool fails = vm.map_guest_fails_after == 0;
    if (vm.map_guest_fails_after > 0)
        vm.map_guest_fails_after--;
    if (*len == 0)
        complain("map_guest() of nothing");
    if (!fails && addr >= RAM_ADDR && addr - RAM_ADDR < RAM_SIZE) {
        uint64_t most = RAM_SIZE - (addr - RAM_ADDR);
        if (vm.map_piece && most > vm.map_piece)
            most = vm.map_piece;
        if (*len > most)
            *len = most;
        ptr = vm.ram + (addr - RAM_ADDR);
        struct guest_mapping *mapping = malloc(sizeof(*mapping));
        *mapping = (struct guest_mapping){ .ptr = ptr, .len = *len, .next = vm.mappings };
        vm.mappings = mapping;
        vm.num_mappings++;
    }
    unlock();
    return ptr;
}

static void unmap_guest(void *opaque, void *ptr, uint64_t len)
{
    assert(opaque == &vm);
    lock();
    struct guest_mapping **at = &vm.mappings;
    while (*at && ((*at)->ptr != ptr || (*at)->len != len))
        at = &(*at)->next;
    struct guest_mapping *mapping = *at;
    if (mapping) {
        *at = mapping->next;
        free(mapping);
        vm.num_mappings--;
    } else {
        complain("unmap_guest() of what was not mapped");
    }
    unlock();
}

static void command_done(void *opaque, void *tag, uint32_t written)
{
    struct sent *sent = tag;
    assert(opaque == &vm);
    lock();
    if (sent->done || sent->dropped)
        complain(sent->done ? "a command was done twice" : "a command was done after a reset");
    if (written > sent->in_size)
        complain("%u bytes written to room for %zu", written, sent->in_size);
    for (size_t i = written; i < sent->in_size; i++) {
        if (sent->in[i] != UNTOUCHED)
            complain("byte %zu of a response of %u was written", i, written);
    }
    sent->done = true;
    sent->written = written;
    sent->order = vm.done++;
    pthread_cond_broadcast(&vm.changed);
    unlock();
}

static void scanout_changed(void *opaque, unsigned scanout, struct venus_gpu_frame *frame)
{
    assert(opaque == &vm);
    lock();
    struct venus_gpu_frame *old = vm.frames[scanout];
    vm.frames[scanout] = frame ? venus_gpu_frame_ref(frame) : NULL;
    vm.frame_changes[scanout]++;
    if (vm.keep_frames && old && vm.num_kept < MAX_EVENTS) {
        vm.kept[vm.num_kept++] = old;
        old = NULL;
    }
    pthread_cond_broadcast(&vm.changed);
    unlock();
    venus_gpu_frame_unref(old);
}

static void scanout_flushed(void *opaque, unsigned scanout, const struct venus_gpu_rect *rect,
                            struct venus_gpu_flush *flush)
{
    assert(opaque == &vm);
    lock();
    bool hold = vm.hold_flushes && vm.num_flushes < MAX_EVENTS;
    if (vm.num_flushes < MAX_EVENTS)
        vm.flushes[vm.num_flushes] = (struct flush_event){ scanout, *rect, hold ? flush : NULL };
    vm.num_flushes++;
    const struct venus_gpu_frame *frame = vm.frames[scanout];
    if (!frame || !rect->width || !rect->height || rect->x + rect->width > frame->width ||
        rect->y + rect->height > frame->height)
        complain("a flush that is not within the frame of scanout %u", scanout);
    pthread_cond_broadcast(&vm.changed);
    unlock();
    if (!hold)
        venus_gpu_flush_done(flush);
}

static void cursor_changed(void *opaque, unsigned scanout, const struct venus_gpu_cursor *cursor)
{
    assert(opaque == &vm);
    lock();
    vm.cursor = *cursor;
    if (cursor->pixels) {
        memcpy(vm.cursor_pixels, cursor->pixels, sizeof(vm.cursor_pixels));
        vm.cursor.pixels = vm.cursor_pixels;
    }
    if (!cursor->image_changed && cursor->pixels)
        complain("a cursor with pixels that did not change");
    vm.cursor_scanout = scanout;
    vm.cursor_changes++;
    pthread_cond_broadcast(&vm.changed);
    unlock();
}

static void present_ended(void *opaque, unsigned scanout, const char *why)
{
    assert(opaque == &vm);
    lock();
    vm.present_ends[scanout]++;
    vm.num_present_ends++;
    snprintf(vm.present_why, sizeof(vm.present_why), "%s", why ? why : "-");
    pthread_cond_broadcast(&vm.changed);
    unlock();
}

static void window_resized(void *opaque, unsigned scanout, uint32_t width, uint32_t height)
{
    (void)scanout;
    assert(opaque == &vm);
    lock();
    vm.window_resizes++;
    vm.window_width = width;
    vm.window_height = height;
    pthread_cond_broadcast(&vm.changed);
    unlock();
}

static void window_refreshed(void *opaque, unsigned scanout, uint32_t refresh_mhz)
{
    (void)scanout;
    assert(opaque == &vm);
    lock();
    vm.window_refresh = refresh_mhz;
    pthread_cond_broadcast(&vm.changed);
    unlock();
}

static void config_changed(void *opaque)
{
    assert(opaque == &vm);
    lock();
    vm.config_changes++;
    unlock();
}

/* With the lock held. */
static void place_region(struct venus_gpu_region *region)
{
    for (unsigned i = 0; i < MAX_EVENTS; i++) {
        if (!vm.placed[i]) {
            vm.placed[i] = region;
            return;
        }
    }
}

static void take_region_away(struct venus_gpu_region *region)
{
    for (unsigned i = 0; i < MAX_EVENTS; i++) {
        if (vm.placed[i] == region)
            vm.placed[i] = NULL;
    }
}

static void answer(struct venus_gpu_region *region, bool map, int error)
{
    if (!map) {
        lock();
        take_region_away(region);
        unlock();
        venus_gpu_region_unmapped(vm.gpu, region);
        return;
    }
    if (error == 0) {
        lock();
        place_region(region);
        unlock();
    }
    venus_gpu_region_mapped(vm.gpu, region, error);
}

static void region_event_happened(struct venus_gpu_region *region, bool map)
{
    lock();
    bool now =
        vm.regions == REGIONS_NOW || vm.regions == REGIONS_FAIL || vm.num_regions >= MAX_EVENTS;
    int error = map && vm.regions == REGIONS_FAIL ? -EBUSY : 0;
    if (vm.num_regions < MAX_EVENTS)
        vm.regions_asked[vm.num_regions] =
            (struct region_event){ map, now ? NULL : region, region->offset, region->size,
                                   region->ptr };
    vm.num_regions++;
    if (region->offset % PAGE || region->size % PAGE || (uintptr_t)region->ptr % PAGE)
        complain("a region that is not made of whole pages");
    pthread_cond_broadcast(&vm.changed);
    unlock();
    if (now)
        answer(region, map, error);
}

static void region_map(void *opaque, struct venus_gpu_region *region)
{
    assert(opaque == &vm);
    if (region->user)
        complain("a new region with the front end's pointer set");
    region->user = &vm;
    region_event_happened(region, true);
}

static void region_unmap(void *opaque, struct venus_gpu_region *region)
{
    assert(opaque == &vm);
    if (region->user != &vm)
        complain("a region lost the front end's pointer");
    region_event_happened(region, false);
}

static void save_obstacle_changed(void *opaque)
{
    assert(opaque == &vm);
    lock();
    vm.obstacle_changes++;
    unlock();
}

static void log_callback(void *opaque, enum venus_gpu_log_level level, const char *message)
{
    assert(opaque == &vm);
    lock();
    if (vm.num_lines < MAX_LINES) {
        vm.lines[vm.num_lines].level = level;
        snprintf(vm.lines[vm.num_lines].text, sizeof(vm.lines[0].text), "%s", message);
    }
    vm.num_lines++;
    vm.lines_of[level]++;
    if (strchr(message, '\n') && level != VENUS_GPU_LOG_ERROR)
        complain("a log line with a newline: %s", message);
    unlock();
}

static void thread_started(void *opaque)
{
    assert(opaque == &vm);
    vm.threads_started++;
}

static void thread_stopping(void *opaque)
{
    assert(opaque == &vm);
    vm.threads_stopping++;
}

/* ---- power ----------------------------------------------------------------------------------- */

static unsigned count_open_files(void)
{
    unsigned count = 0;
    DIR *dir = opendir("/dev/fd");
    while (dir && readdir(dir))
        count++;
    if (dir)
        closedir(dir);
    return count;
}

void vm_prepare(const struct vm_options *options)
{
    static const struct vm_options usual;
    if (!options)
        options = &usual;

    memset(&vm, 0, sizeof(vm));
    pthread_mutex_init(&vm.lock, NULL);
    pthread_cond_init(&vm.changed, NULL);
    vm.map_guest_fails_after = -1;
    vm.regions = options->regions;
    fake_reset();

    if (options->private_ram) {
        vm.ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    } else {
        int fd = platform_shared_memory(RAM_SIZE);
        if (fd < 0)
            abort();
        vm.ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        close(fd);
    }
    if (vm.ram == MAP_FAILED)
        abort();

    venus_gpu_config_init(&vm.config);
    vm.config.num_outputs = options->num_outputs ? options->num_outputs : 2;
    vm.config.window_size = options->window_size ? options->window_size : WINDOW_SIZE;
    if (options->no_window)
        vm.config.window_size = 0;
    vm.config.window_mode = options->window_mode;
    vm.config.blob_alignment = options->blob_alignment;
    vm.config.max_contexts = options->max_contexts;
    vm.config.max_resources = options->max_resources;
    vm.config.max_memory = options->max_memory;
    vm.config.max_blob_memory = options->max_blob_memory;
    vm.config.max_context_memory = options->max_context_memory;
    vm.config.max_call_ms = options->max_call_ms;
    vm.config.render_server = options->render_server;
    vm.config.present_mode = options->present_mode;
    if (options->device)
        fake_set_device(options->device);

    vm.ops = (struct venus_gpu_ops){
        .size = sizeof(vm.ops),
        .map_guest = map_guest,
        .unmap_guest = unmap_guest,
        .command_done = command_done,
    };
    if (!options->no_callbacks) {
        vm.ops.scanout_changed = scanout_changed;
        vm.ops.scanout_flush = scanout_flushed;
        vm.ops.cursor_changed = cursor_changed;
        vm.ops.config_changed = config_changed;
        vm.ops.save_obstacle_changed = save_obstacle_changed;
        vm.ops.log = log_callback;
        vm.ops.present_ended = present_ended;
        vm.ops.window_resized = window_resized;
        vm.ops.window_refreshed = window_refreshed;
        vm.ops.thread_started = thread_started;
        vm.ops.thread_stopping = thread_stopping;
    }
    if (!options->no_callbacks && !options->no_regions) {
        vm.ops.region_map = region_map;
        vm.ops.region_unmap = region_unmap;
    }
    vm.open_files = count_open_files();
}

void vm_start(const struct vm_options *options)
{
    vm_prepare(options);
    char *error = NULL;
    vm.gpu = device_create(&vm.config, &vm.ops, &vm, &fake_renderer, &error);
    if (!vm.gpu)
        print_error("the device did not start: %s\n", error);
    assert_non_null(vm.gpu);
    uint64_t size;
    vm.window = venus_gpu_window(vm.gpu, &size);
    assert_int_equal(size, vm.config.window_size);
    fake_forget_calls();
}

void vm_reset(void)
{
    venus_gpu_reset(vm.gpu);
    lock();
    for (struct sent *sent = vm.sent; sent; sent = sent->next)
        sent->dropped = !sent->done;
    unlock();
}

static void give_everything_back(void)
{
    vm.hold_flushes = false;
    drop_frames();
    for (unsigned i = 0; i < count_flushes() && i < MAX_EVENTS; i++)
        answer_flush(i);
    for (unsigned i = 0; i < count_regions() && i < MAX_EVENTS; i++)
        answer_region(i, 0);
}

void vm_stop(void)
{
    if (!vm.ram)
        return;
    if (vm.gpu) {
        vm_reset();
        give_everything_back();
        venus_gpu_destroy(vm.gpu);
        vm.gpu = NULL;
    }
    lock();
    if (vm.num_mappings)
        complain("%u pieces of guest memory are left mapped", vm.num_mappings);
    for (unsigned i = 0; i < VENUS_GPU_MAX_SCANOUTS; i++) {
        if (vm.frames[i])
            complain("scanout %u still shows something", i);
    }
    if (vm.threads_started != vm.threads_stopping)
        complain("%u device threads started, %u stopped", vm.threads_started, vm.threads_stopping);
    unlock();

    while (vm.sent) {
        struct sent *sent = vm.sent;
        vm.sent = sent->next;
        free(sent->out);
        free(sent->in);
        free(sent->out_iov);
        free(sent->in_iov);
        free(sent);
    }
    while (vm.mappings) {
        struct guest_mapping *mapping = vm.mappings;
        vm.mappings = mapping->next;
        free(mapping);
    }
    munmap(vm.ram, RAM_SIZE);
    vm.ram = NULL;

    const char *complaint = vm.complaint[0] ? vm.complaint : fake_complaint();
    if (!complaint && !vm.leaves_files && count_open_files() != vm.open_files)
        complaint = "a file descriptor is left open";
    if (complaint)
        fail_msg("%s", complaint);
}

int vm_teardown(void **state)
{
    (void)state;
    usual_ways();
    vm_stop();
    return 0;
}

/* ---- commands -------------------------------------------------------------------------------- */

/* Cut a buffer into pieces, with an empty one in front of each where there is more than one. */
static struct iovec *make_iov(uint8_t *buffer, size_t size, size_t piece, unsigned *num)
{
    if (!piece || piece > size)
        piece = size;
    size_t count = piece ? (size + piece - 1) / piece : 0;
    struct iovec *iov = calloc(2 * count + 1, sizeof(*iov));
    *num = 0;
    for (size_t at = 0; at < size; at += piece) {
        if (count > 1)
            iov[(*num)++] = (struct iovec){ .iov_base = buffer + at, .iov_len = 0 };
        iov[(*num)++] = (struct iovec){ .iov_base = buffer + at,
                                        .iov_len = piece < size - at ? piece : size - at };
    }
    return iov;
}

struct sent *send_on(enum venus_gpu_queue queue, const void *request, size_t size, size_t in_size)
{
    struct sent *sent = calloc(1, sizeof(*sent));
    sent->out = malloc(size);
    sent->out_size = size;
    if (size)
        memcpy(sent->out, request, size);
    sent->in = malloc(in_size);
    sent->in_size = in_size;
    if (in_size)
        memset(sent->in, UNTOUCHED, in_size);

    struct venus_gpu_request req = { .tag = sent };
    req.out = sent->out_iov = make_iov(sent->out, size, vm.out_split, &req.num_out);
    req.in = sent->in_iov = make_iov(sent->in, in_size, vm.in_split, &req.num_in);
    lock();
    sent->next = vm.sent;
    vm.sent = sent;
    unlock();
    assert_int_equal(venus_gpu_submit(vm.gpu, queue, &req), 0);
    return sent;
}

struct sent *send_control(const void *request, size_t size, size_t in_size)
{
    return send_on(VENUS_GPU_QUEUE_CONTROL, request, size, in_size);
}

uint32_t wait_for(struct sent *sent)
{
    bool in_time = true;
    lock();
    while (!sent->done && in_time)
        in_time = wait_changed();
    unlock();
    assert_true(in_time);
    uint32_t type = 0;
    if (sent->written >= sizeof(type))
        memcpy(&type, sent->in, sizeof(type));
    return le32(type);
}

bool is_done(struct sent *sent)
{
    lock();
    bool done = sent->done;
    unlock();
    return done;
}

void settle(void)
{
    const struct virtio_gpu_get_capset_info request = { REQUEST(GET_CAPSET_INFO) };
    struct virtio_gpu_resp_capset_info response;
    run_command(&request, sizeof(request), &response, sizeof(response));
}

uint32_t run_command(const void *request, size_t size, void *response, size_t in_size)
{
    struct sent *sent = send_control(request, size, in_size);
    uint32_t type = wait_for(sent);
    if (response)
        memcpy(response, sent->in, in_size);
    return type;
}

uint32_t create_2d(uint32_t id, uint32_t format, uint32_t width, uint32_t height)
{
    const struct virtio_gpu_resource_create_2d request = {
        REQUEST(RESOURCE_CREATE_2D), .resource_id = le32(id), .format = le32(format),
        .width = le32(width),        .height = le32(height),
    };
    return run_request(request);
}

uint32_t unref(uint32_t id)
{
    const struct virtio_gpu_resource_unref request = {
        REQUEST(RESOURCE_UNREF),
        .resource_id = le32(id),
    };
    return run_request(request);
}

/* A command that is followed by memory entries. */
static uint32_t run_with_entries(const void *request, size_t size,
                                 const struct virtio_gpu_mem_entry *entries, uint32_t count)
{
    size_t total = size + count * sizeof(*entries);
    char *all = malloc(total);
    memcpy(all, request, size);
    if (count)
        memcpy(all + size, entries, count * sizeof(*entries));
    uint32_t type = run_command(all, total, NULL, sizeof(struct virtio_gpu_ctrl_hdr));
    free(all);
    return type;
}

uint32_t attach_backing(uint32_t id, const struct virtio_gpu_mem_entry *entries, uint32_t count)
{
    const struct virtio_gpu_resource_attach_backing request = {
        REQUEST(RESOURCE_ATTACH_BACKING),
        .resource_id = le32(id),
        .nr_entries = le32(count),
    };
    return run_with_entries(&request, sizeof(request), entries, count);
}

uint32_t attach_ram(uint32_t id, uint64_t addr, uint32_t length)
{
    const struct virtio_gpu_mem_entry one = entry(addr, length);
    return attach_backing(id, &one, 1);
}

uint32_t detach_backing(uint32_t id)
{
    const struct virtio_gpu_resource_detach_backing request = {
        REQUEST(RESOURCE_DETACH_BACKING),
        .resource_id = le32(id),
    };
    return run_request(request);
}

uint32_t transfer(uint32_t id, struct virtio_gpu_rect r, uint64_t offset)
{
    const struct virtio_gpu_transfer_to_host_2d request = {
        REQUEST(TRANSFER_TO_HOST_2D),
        .r = r,
        .offset = le64(offset),
        .resource_id = le32(id),
    };
    return run_request(request);
}

uint32_t set_scanout(uint32_t scanout, uint32_t id, struct virtio_gpu_rect r)
{
    const struct virtio_gpu_set_scanout request = {
        REQUEST(SET_SCANOUT),
        .r = r,
        .scanout_id = le32(scanout),
        .resource_id = le32(id),
    };
    return run_request(request);
}

struct sent *send_flush(uint32_t id, struct virtio_gpu_rect r, uint32_t flags, uint64_t fence_id)
{
    struct virtio_gpu_resource_flush request = {
        REQUEST(RESOURCE_FLUSH),
        .r = r,
        .resource_id = le32(id),
    };
    request.hdr.flags = le32(flags);
    request.hdr.fence_id = le64(fence_id);
    return send_control(&request, sizeof(request), sizeof(struct virtio_gpu_ctrl_hdr));
}

uint32_t flush(uint32_t id, struct virtio_gpu_rect r)
{
    return wait_for(send_flush(id, r, 0, 0));
}

uint32_t create_context(uint32_t context_id)
{
    struct virtio_gpu_ctx_create request = {
        REQUEST(CTX_CREATE),
        .nlen = le32(4),
        .context_init = le32(VIRTIO_GPU_CAPSET_VENUS),
        .debug_name = "test",
    };
    request.hdr.ctx_id = le32(context_id);
    return run_request(request);
}

uint32_t destroy_context(uint32_t context_id)
{
    struct virtio_gpu_ctx_destroy request = { REQUEST(CTX_DESTROY) };
    request.hdr.ctx_id = le32(context_id);
    return run_request(request);
}

static uint32_t context_resource(uint32_t type, uint32_t context_id, uint32_t id)
{
    struct virtio_gpu_ctx_resource request = { .resource_id = le32(id) };
    request.hdr.type = le32(type);
    request.hdr.ctx_id = le32(context_id);
    return run_request(request);
}

uint32_t attach_resource(uint32_t context_id, uint32_t id)
{
    return context_resource(VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE, context_id, id);
}

uint32_t detach_resource(uint32_t context_id, uint32_t id)
{
    return context_resource(VIRTIO_GPU_CMD_CTX_DETACH_RESOURCE, context_id, id);
}

uint32_t submit(uint32_t context_id, const void *data, uint32_t size)
{
    struct virtio_gpu_cmd_submit request = { REQUEST(SUBMIT_3D), .size = le32(size) };
    request.hdr.ctx_id = le32(context_id);
    char *all = malloc(sizeof(request) + size);
    memcpy(all, &request, sizeof(request));
    if (size)
        memcpy(all + sizeof(request), data, size);
    uint32_t type = run_command(all, sizeof(request) + size, NULL, sizeof(request.hdr));
    free(all);
    return type;
}

struct sent *send_submit(uint32_t context_id, uint32_t size, uint32_t flags)
{
    struct virtio_gpu_cmd_submit *request = calloc(1, sizeof(*request) + size);
    request->hdr.type = le32(VIRTIO_GPU_CMD_SUBMIT_3D);
    request->hdr.ctx_id = le32(context_id);
    request->hdr.flags = le32(flags);
    request->size = le32(size);
    struct sent *sent =
        send_control(request, sizeof(*request) + size, sizeof(struct virtio_gpu_ctrl_hdr));
    free(request);
    return sent;
}

struct sent *send_fence(uint32_t context_id, uint8_t ring_idx, uint64_t fence_id)
{
    struct virtio_gpu_cmd_submit request = { REQUEST(SUBMIT_3D) };
    request.hdr.flags = le32(VIRTIO_GPU_FLAG_FENCE | VIRTIO_GPU_FLAG_INFO_RING_IDX);
    request.hdr.fence_id = le64(fence_id);
    request.hdr.ctx_id = le32(context_id);
    request.hdr.ring_idx = ring_idx;
    return send_control(&request, sizeof(request), sizeof(request.hdr));
}

uint32_t map_blob(uint32_t id, uint64_t offset)
{
    const struct virtio_gpu_resource_map_blob request = {
        REQUEST(RESOURCE_MAP_BLOB),
        .resource_id = le32(id),
        .offset = le64(offset),
    };
    return run_command(&request, sizeof(request), NULL, sizeof(struct virtio_gpu_resp_map_info));
}

uint32_t unmap_blob(uint32_t id)
{
    const struct virtio_gpu_resource_unmap_blob request = {
        REQUEST(RESOURCE_UNMAP_BLOB),
        .resource_id = le32(id),
    };
    return run_request(request);
}

uint32_t create_blob(const struct virtio_gpu_resource_create_blob *request,
                     const struct virtio_gpu_mem_entry *entries, uint32_t count)
{
    return run_with_entries(request, sizeof(*request), entries, count);
}

uint32_t create_host_blob(uint32_t id, uint64_t size)
{
    struct virtio_gpu_resource_create_blob request = {
        REQUEST(RESOURCE_CREATE_BLOB),
        .resource_id = le32(id),
        .blob_mem = le32(VIRTIO_GPU_BLOB_MEM_HOST3D),
        .blob_flags = le32(VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE),
        .blob_id = le64(id),
        .size = le64(size),
    };
    request.hdr.ctx_id = le32(1);
    return create_blob(&request, NULL, 0);
}

uint32_t create_guest_blob(uint32_t id, uint64_t size, const struct virtio_gpu_mem_entry *entries,
                           uint32_t count)
{
    const struct virtio_gpu_resource_create_blob request = {
        REQUEST(RESOURCE_CREATE_BLOB),
        .resource_id = le32(id),
        .blob_mem = le32(VIRTIO_GPU_BLOB_MEM_GUEST),
        .nr_entries = le32(count),
        .size = le64(size),
    };
    return create_blob(&request, entries, count);
}

struct virtio_gpu_set_scanout_blob blob_scanout(uint32_t scanout, uint32_t id, uint32_t width,
                                                uint32_t height)
{
    return (struct virtio_gpu_set_scanout_blob){
        REQUEST(SET_SCANOUT_BLOB),
        .r = rect(0, 0, width, height),
        .scanout_id = le32(scanout),
        .resource_id = le32(id),
        .width = le32(width),
        .height = le32(height),
        .format = le32(VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM),
        .strides = { le32(width * 4) },
    };
}

uint32_t set_scanout_blob(const struct virtio_gpu_set_scanout_blob *request)
{
    return run_request(*request);
}

/* ---- what the front end was told ------------------------------------------------------------- */

struct venus_gpu_frame *shown(unsigned scanout)
{
    lock();
    struct venus_gpu_frame *frame = vm.frames[scanout];
    unlock();
    return frame;
}

void drop_frames(void)
{
    for (;;) {
        lock();
        struct venus_gpu_frame *frame = vm.num_kept ? vm.kept[--vm.num_kept] : NULL;
        unlock();
        if (!frame)
            break;
        venus_gpu_frame_unref(frame);
    }
}

unsigned count_flushes(void)
{
    lock();
    unsigned count = vm.num_flushes;
    unlock();
    return count;
}

struct flush_event flush_event(unsigned index)
{
    lock();
    struct flush_event event = vm.flushes[index];
    unlock();
    return event;
}

void answer_flush(unsigned index)
{
    lock();
    struct venus_gpu_flush *held = vm.flushes[index].flush;
    vm.flushes[index].flush = NULL;
    unlock();
    if (held)
        venus_gpu_flush_done(held);
}

void wait_for_flushes(unsigned count)
{
    wait_for_count(&vm.num_flushes, count);
}

void wait_for_present_ends(unsigned count)
{
    wait_for_count(&vm.num_present_ends, count);
}

unsigned count_present_ends(void)
{
    lock();
    unsigned count = vm.num_present_ends;
    unlock();
    return count;
}

unsigned count_regions(void)
{
    lock();
    unsigned count = vm.num_regions;
    unlock();
    return count;
}

void wait_for_regions(unsigned count)
{
    wait_for_count(&vm.num_regions, count);
}

struct region_event region_event(unsigned index)
{
    lock();
    struct region_event event = vm.regions_asked[index];
    unlock();
    return event;
}

void answer_region(unsigned index, int error)
{
    lock();
    struct region_event *event = &vm.regions_asked[index];
    struct venus_gpu_region *region = event->region;
    bool map = event->map;
    event->region = NULL;
    unlock();
    if (region)
        answer(region, map, error);
}

static volatile uint8_t *guest_address(uint64_t offset)
{
    volatile uint8_t *at = (volatile uint8_t *)vm.window + offset;
    lock();
    for (unsigned i = 0; i < MAX_EVENTS; i++) {
        const struct venus_gpu_region *region = vm.placed[i];
        if (region && offset >= region->offset && offset - region->offset < region->size)
            at = (volatile uint8_t *)region->ptr + (offset - region->offset);
    }
    unlock();
    return at;
}

uint8_t guest_sees(uint64_t offset)
{
    return *guest_address(offset);
}

void guest_writes(uint64_t offset, uint8_t value)
{
    *guest_address(offset) = value;
}

bool was_logged(enum venus_gpu_log_level level, const char *text)
{
    bool found = false;
    lock();
    for (unsigned i = 0; i < vm.num_lines && i < MAX_LINES; i++) {
        if (vm.lines[i].level == level && strstr(vm.lines[i].text, text))
            found = true;
    }
    unlock();
    return found;
}

unsigned lines_logged(enum venus_gpu_log_level level)
{
    lock();
    unsigned count = vm.lines_of[level];
    unlock();
    return count;
}

void forget_lines(void)
{
    lock();
    vm.num_lines = 0;
    memset(vm.lines_of, 0, sizeof(vm.lines_of));
    unlock();
}

uint64_t stat_value(const char *name)
{
    struct venus_gpu_stat stats[128];
    size_t count = venus_gpu_stats(vm.gpu, stats, COUNT(stats));
    for (size_t i = 0; i < count; i++) {
        if (!strcmp(stats[i].name, name))
            return stats[i].value;
    }
    fail_msg("there is no counter %s", name);
    return 0;
}

unsigned guest_mappings(void)
{
    lock();
    unsigned count = vm.num_mappings;
    unlock();
    return count;
}

/* ---- other helpers --------------------------------------------------------------------------- */

struct virtio_gpu_rect rect(uint32_t x, uint32_t y, uint32_t width, uint32_t height)
{
    return (struct virtio_gpu_rect){ le32(x), le32(y), le32(width), le32(height) };
}

struct virtio_gpu_mem_entry entry(uint64_t addr, uint32_t length)
{
    return (struct virtio_gpu_mem_entry){ .addr = le64(addr), .length = le32(length) };
}

void *ram_at(uint64_t addr)
{
    return vm.ram + (addr - RAM_ADDR);
}

enum { MAX_THREADS = 256 };

static struct {
    long id[MAX_THREADS];
    unsigned count;
} threads_before;

/* The threads of this process, up to so many. */
static unsigned list_threads(long *ids, unsigned max)
{
    unsigned count = 0;
    DIR *dir = opendir("/proc/self/task");
    for (struct dirent *entry; dir && (entry = readdir(dir)) && count < max;) {
        if (entry->d_name[0] != '.')
            ids[count++] = strtol(entry->d_name, NULL, 10);
    }
    if (dir)
        closedir(dir);
    return count;
}

void threads_mark(void)
{
    threads_before.count = list_threads(threads_before.id, MAX_THREADS);
}

static bool is_marked(long id)
{
    for (unsigned i = 0; i < threads_before.count; i++) {
        if (threads_before.id[i] == id)
            return true;
    }
    return false;
}

/* The signals that a thread blocks, one bit each; false: it has ended. */
static bool blocked_signals(long id, unsigned long long *set)
{
    char path[64], line[256];
    snprintf(path, sizeof(path), "/proc/self/task/%ld/status", id);
    FILE *file = fopen(path, "re");
    bool found = false;
    while (file && !found && fgets(line, sizeof(line), file))
        found = sscanf(line, "SigBlk: %llx", set) == 1;
    if (file)
        fclose(file);
    return found;
}

/* Whether every new thread has all of these signals blocked, or none of them. */
static bool new_threads_block(const int *signals, unsigned num_signals, bool blocked)
{
    long ids[MAX_THREADS];
    unsigned count = list_threads(ids, MAX_THREADS), looked_at = 0;
    for (unsigned i = 0; i < count; i++) {
        unsigned long long set;
        if (is_marked(ids[i]) || !blocked_signals(ids[i], &set))
            continue;
        looked_at++;
        for (unsigned k = 0; k < num_signals; k++) {
            if ((set >> (signals[k] - 1) & 1) != blocked)
                return false;
        }
    }
    return looked_at > 0;
}

bool threads_are_deaf(void)
{
    static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGALRM, SIGCHLD, SIGIO };
    return new_threads_block(signals, COUNT(signals), true);
}

bool threads_hear_faults(void)
{
    static const int signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL };
    /* A thread that starts or ends blocks all signals for a moment: the C library's doing. */
    for (unsigned i = 0; i < 200; i++) {
        if (new_threads_block(signals, COUNT(signals), false))
            return true;
        usleep(10 * 1000);
    }
    return false;
}

void *at_end_of_memory(const void *object, size_t size)
{
    char *pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED || mprotect(pages + PAGE, PAGE, PROT_NONE) < 0)
        abort();
    return memcpy(pages + PAGE - size, object, size);
}

void fill_ram(void)
{
    uint32_t *words = (uint32_t *)vm.ram;
    for (uint32_t i = 0; i < RAM_SIZE / sizeof(*words); i++)
        words[i] = i * UINT32_C(2654435761) + 1;
}
