/* SPDX-License-Identifier: MIT */
/* See machine.h. Callbacks run on threads of the library's, but one thread runs at a time: nothing here is locked. */
#include "machine.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/queue.h>
#include <unistd.h>

#include "../tests/unit/fake-renderer.h"
#include "device/device.h"
#include "faults.h"
#include "steps.h"

enum { UNTOUCHED = 0xee, WINDOW_PAGES = 64 };

struct machine machine;

struct sent {
    bool done;
    struct iovec *out, *in;
    unsigned num_out, num_in;
    size_t room;
    LIST_ENTRY(sent) link;
};

struct mapping {
    void *ptr;
    uint64_t len;
    LIST_ENTRY(mapping) link;
};

struct held_region {
    bool map; /* else: to be taken away */
    struct venus_gpu_region *region;
};

static struct {
    struct venus_gpu_ops ops;
    size_t window_size;
    LIST_HEAD(, sent) sent;
    LIST_HEAD(, mapping) mappings;
    uint32_t response;
    struct venus_gpu_frame *shown[VENUS_GPU_MAX_SCANOUTS];
    struct venus_gpu_frame *frames[MOST_HELD];
    struct venus_gpu_flush *flushes[MOST_HELD];
    struct held_region regions[MOST_HELD];
    struct venus_gpu_region *placed[MOST_HELD];
    struct venus_gpu_translation *translations[MOST_HELD];
    unsigned num_frames, num_flushes, num_regions, num_placed, num_translations;
    unsigned regions_alive;
    unsigned threads_begun, threads_ended;
    unsigned open_files;
} vm;

/* ---- callbacks ----------------------------------------------------------------------------------- */

static void *map_guest(void *opaque, uint64_t addr, uint64_t *len)
{
    if (opaque != &machine)
        complain("map_guest() with another opaque");
    if (!*len)
        complain("map_guest() of nothing");
    if (machine.map_fails) {
        if (!machine.map_fails_after) {
            machine.map_fails--;
            return NULL;
        }
        machine.map_fails_after--;
    }
    if (addr < RAM_ADDR || addr - RAM_ADDR >= RAM_SIZE)
        return NULL;
    uint64_t most = RAM_SIZE - (addr - RAM_ADDR);
    if (machine.map_piece && most > machine.map_piece)
        most = machine.map_piece;
    if (*len > most)
        *len = most;
    struct mapping *mapping = malloc(sizeof(*mapping));
    *mapping = (struct mapping){ .ptr = machine.ram + (addr - RAM_ADDR), .len = *len };
    LIST_INSERT_HEAD(&vm.mappings, mapping, link);
    return mapping->ptr;
}

static void unmap_guest(void *opaque, void *ptr, uint64_t len)
{
    (void)opaque;
    struct mapping *mapping;
    LIST_FOREACH(mapping, &vm.mappings, link) {
        if (mapping->ptr == ptr && mapping->len == len) {
            LIST_REMOVE(mapping, link);
            free(mapping);
            return;
        }
    }
    complain("unmap_guest() of what was not mapped");
}

static void free_pieces(struct iovec *iov, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        free(iov[i].iov_base);
    free(iov);
}

static void free_sent(struct sent *sent)
{
    LIST_REMOVE(sent, link);
    free_pieces(sent->out, sent->num_out);
    free_pieces(sent->in, sent->num_in);
    free(sent);
}

static void command_done(void *opaque, void *tag, uint32_t written)
{
    (void)opaque;
    struct sent *sent;
    LIST_FOREACH(sent, &vm.sent, link) {
        if (sent == tag)
            break;
    }
    if (!sent)
        complain("command_done() of what is not in flight");
    if (written > sent->room)
        complain("%u bytes written to room for %zu", written, sent->room);
    uint32_t type = 0;
    size_t at = 0;
    for (unsigned i = 0; i < sent->num_in; i++) {
        const uint8_t *bytes = sent->in[i].iov_base;
        for (size_t k = 0; k < sent->in[i].iov_len; k++, at++) {
            if (at < sizeof(type))
                ((uint8_t *)&type)[at] = bytes[k];
            if (at >= written && bytes[k] != UNTOUCHED)
                complain("byte %zu of a response of %u was written", at, written);
        }
    }
    if (written && written < 24 && written < sent->room)
        complain("a response of %u bytes", written);
    if (written >= sizeof(type) && (type < 0x1100 || type > 0x1205))
        complain("a response of type 0x%x", type);
    vm.response = type;
    free_sent(sent);
}

static void check_frame(const struct venus_gpu_frame *frame)
{
    if (!frame->width || !frame->height || frame->width > VENUS_GPU_MAX_SIDE ||
        frame->height > VENUS_GPU_MAX_SIDE)
        complain("a frame of %u x %u", frame->width, frame->height);
    uint64_t row = (uint64_t)frame->width * frame->format->bytes_per_pixel;
    if (row > frame->stride || (uint64_t)frame->stride * frame->height > INT32_MAX)
        complain("a frame of stride %u", frame->stride);
    if (frame->pixels) {
        const volatile char *pixels = frame->pixels;
        (void)pixels[0];
        (void)pixels[(uint64_t)frame->stride * (frame->height - 1) + row - 1];
    }
    if (frame->handle &&
        frame->handle->offset + (uint64_t)frame->stride * (frame->height - 1) + row >
            frame->handle->size)
        complain("a frame ends beyond its memory");
}

static void scanout_changed(void *opaque, unsigned scanout, struct venus_gpu_frame *frame)
{
    (void)opaque;
    struct venus_gpu_frame *old = vm.shown[scanout];
    if (frame)
        check_frame(frame);
    vm.shown[scanout] = frame ? venus_gpu_frame_ref(frame) : NULL;
    if (old && machine.hold & HOLD_FRAMES && vm.num_frames < MOST_HELD)
        vm.frames[vm.num_frames++] = old;
    else
        venus_gpu_frame_unref(old);
}

static void scanout_flush(void *opaque, unsigned scanout, const struct venus_gpu_rect *rect,
                          struct venus_gpu_flush *flush)
{
    (void)opaque;
    const struct venus_gpu_frame *frame = vm.shown[scanout];
    if (!frame || !rect->width || !rect->height || (uint64_t)rect->x + rect->width > frame->width ||
        (uint64_t)rect->y + rect->height > frame->height)
        complain("a flush that is not within the frame of scanout %u", scanout);
    check_frame(frame);
    if (machine.hold & HOLD_FLUSHES && vm.num_flushes < MOST_HELD)
        vm.flushes[vm.num_flushes++] = flush;
    else
        venus_gpu_flush_done(flush);
}

static void cursor_changed(void *opaque, unsigned scanout, const struct venus_gpu_cursor *cursor)
{
    (void)opaque;
    if (scanout >= VENUS_GPU_MAX_SCANOUTS)
        complain("a pointer on scanout %u", scanout);
    if (cursor->pixels && !cursor->image_changed)
        complain("a pointer's image that did not change");
    if (cursor->pixels)
        (void)*(
            const volatile uint32_t *)&cursor->pixels[(size_t)cursor->width * cursor->height - 1];
}

static void config_changed(void *opaque)
{
    (void)opaque;
}

#define TAKE(list, count, index) \
    (list)[index];               \
    memmove(&(list)[index], &(list)[(index) + 1], (--(count) - (index)) * sizeof((list)[0]))

/* Takes what is held of a region's being placed. The two answers of a region come in order, whatever is held. */
static bool take_held_map(const struct venus_gpu_region *region, struct held_region *held)
{
    for (unsigned i = 0; i < vm.num_regions; i++) {
        if (vm.regions[i].region == region && vm.regions[i].map) {
            *held = TAKE(vm.regions, vm.num_regions, i);
            return true;
        }
    }
    return false;
}

static void answer(struct held_region held, int error)
{
    struct held_region before;
    if (!held.map && take_held_map(held.region, &before))
        answer(before, 0);
    if (!held.map) {
        for (unsigned i = 0; i < vm.num_placed; i++) {
            if (vm.placed[i] == held.region)
                vm.placed[i] = vm.placed[--vm.num_placed];
        }
        vm.regions_alive--;
        venus_gpu_region_unmapped(machine.gpu, held.region);
        return;
    }
    if (!error && vm.num_placed < MOST_HELD)
        vm.placed[vm.num_placed++] = held.region;
    venus_gpu_region_mapped(machine.gpu, held.region, error);
}

static void region_event(struct held_region held)
{
    const struct venus_gpu_region *region = held.region;
    if (region->offset % PAGE || region->size % PAGE || (uintptr_t)region->ptr % PAGE ||
        !region->size || region->offset + region->size > vm.window_size)
        complain("a region that is not made of whole pages of the window");
    if (machine.hold & HOLD_REGIONS && vm.num_regions < MOST_HELD)
        vm.regions[vm.num_regions++] = held;
    else
        answer(held, machine.hold & FAIL_REGIONS ? -EBUSY : 0);
}

static void region_map(void *opaque, struct venus_gpu_region *region)
{
    if (region->user)
        complain("a new region with the front end's pointer set");
    region->user = opaque;
    vm.regions_alive++;
    region_event((struct held_region){ true, region });
}

static void region_unmap(void *opaque, struct venus_gpu_region *region)
{
    if (region->user != opaque)
        complain("a region lost the front end's pointer");
    region_event((struct held_region){ false, region });
}

static void write_line(void *opaque, enum venus_gpu_log_level level, const char *message)
{
    (void)opaque;
    if (strchr(message, '\n') && level != VENUS_GPU_LOG_ERROR)
        complain("a log line with a newline: %s", message);
    if (getenv("FUZZ_LOG"))
        fprintf(stderr, "log %d: %s\n", level, message);
}

static void present_ended(void *opaque, unsigned scanout, const char *why)
{
    (void)opaque, (void)scanout, (void)why;
}

static void thread_began(void *opaque, enum venus_gpu_thread kind)
{
    (void)opaque, (void)kind;
    __atomic_add_fetch(&vm.threads_begun, 1, __ATOMIC_RELAXED);
}

/* This one may run while others do: it is a destructor of the thread's. */
static void thread_ended(void *opaque, enum venus_gpu_thread kind)
{
    (void)opaque, (void)kind;
    __atomic_add_fetch(&vm.threads_ended, 1, __ATOMIC_RELAXED);
}

static void thread_started(void *opaque)
{
    thread_began(opaque, VENUS_GPU_THREAD_DEVICE);
}

static void thread_stopping(void *opaque)
{
    thread_ended(opaque, VENUS_GPU_THREAD_DEVICE);
}

/* Addresses of the bus are those of memory, and as much again above them. */
static bool answer_translation(struct venus_gpu_translation *translation, uint64_t pages)
{
    uint64_t len = translation->len;
    if (!len)
        complain("nothing is to be translated");
    if (pages && len > pages * PAGE)
        len = pages * PAGE;
    bool nowhere = translation->addr < RAM_ADDR || translation->addr - RAM_ADDR >= 2 * RAM_SIZE;
    uint64_t addr = nowhere ? 0 : RAM_ADDR + (translation->addr - RAM_ADDR) % RAM_SIZE;
    return venus_gpu_translated(translation, addr, nowhere ? 0 : len);
}

static void translate(void *opaque, struct venus_gpu_translation *translation)
{
    (void)opaque;
    if (machine.hold & HOLD_TRANSLATIONS && vm.num_translations < MOST_HELD) {
        vm.translations[vm.num_translations++] = translation;
        return;
    }
    while (answer_translation(translation, machine.translate_piece))
        ;
}

/* ---- power --------------------------------------------------------------------------------------- */

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

static char *make_ram(bool private)
{
    static char *rams[2]; /* of both kinds, made once */
    char *ram = rams[private];
    if (!ram) {
        int fd = private ? -1 : memfd_create("ram", MFD_CLOEXEC);
        if (!private && ftruncate(fd, RAM_SIZE) < 0)
            abort();
        int flags = private ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
        ram = rams[private] = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, flags, fd, 0);
        if (ram == MAP_FAILED)
            abort();
        if (!private)
            close(fd);
    }
    for (size_t i = 0; i < RAM_SIZE / sizeof(uint32_t); i += 64)
        ((uint32_t *)(void *)ram)[i] = (uint32_t)i;
    return ram;
}

void machine_describe(struct machine_options *options)
{
    memset(options, 0, sizeof(*options));
    venus_gpu_config_init(&options->config);
    options->config.num_outputs = 2;
    options->config.window_size = WINDOW_PAGES * PAGE;
    options->config.max_memory = 16 << 20;
    options->config.max_blob_memory = 16 << 20;
}

static void take_callbacks(const struct machine_options *options)
{
    vm.ops = (struct venus_gpu_ops){
        .size = sizeof(vm.ops),
        .map_guest = map_guest,
        .unmap_guest = unmap_guest,
        .command_done = command_done,
    };
    if (options->translates)
        vm.ops.translate = translate;
    if (options->no_callbacks)
        return;
    vm.ops.scanout_changed = scanout_changed;
    vm.ops.scanout_flush = scanout_flush;
    vm.ops.cursor_changed = cursor_changed;
    vm.ops.config_changed = config_changed;
    vm.ops.log = write_line;
    vm.ops.present_ended = present_ended;
    vm.ops.thread_started = thread_started;
    vm.ops.thread_stopping = thread_stopping;
    if (options->tells_threads) {
        vm.ops.thread_begins = thread_began;
        vm.ops.thread_ends = thread_ended;
    }
    if (!options->no_regions) {
        vm.ops.region_map = region_map;
        vm.ops.region_unmap = region_unmap;
    }
}

/* What is left of a machine that is off. */
static void check_off(void)
{
    if (!LIST_EMPTY(&vm.mappings))
        complain("guest memory is left mapped");
    if (vm.regions_alive)
        complain("%u regions are left", vm.regions_alive);
    if (__atomic_load_n(&vm.threads_begun, __ATOMIC_RELAXED) !=
        __atomic_load_n(&vm.threads_ended, __ATOMIC_RELAXED))
        complain("%u threads began, %u ended", vm.threads_begun, vm.threads_ended);
    for (unsigned i = 0; i < VENUS_GPU_MAX_SCANOUTS; i++) {
        if (vm.shown[i])
            complain("scanout %u still shows something", i);
    }
    const char *complaint = fake_complaint();
    if (complaint)
        complain("%s", complaint);
    fake_reset();
    if (!machine.gpu_hangs && count_open_files() != vm.open_files)
        complain("%u descriptors are open that were not before",
                 count_open_files() - vm.open_files);
}

bool machine_start(const struct machine_options *options)
{
    static bool looked;
    memset(&machine, 0, sizeof(machine));
    memset(&vm, 0, sizeof(vm));
    LIST_INIT(&vm.sent);
    LIST_INIT(&vm.mappings);
    if (!looked)
        count_open_files(); /* the first time opens more */
    looked = true;
    vm.open_files = count_open_files();
    machine.ram = make_ram(options->private_ram);
    vm.window_size = options->config.window_size;
    take_callbacks(options);
    char *error = NULL;
    machine.gpu = device_create(&options->config, &vm.ops, &machine, &fake_renderer, &error);
    if (machine.gpu)
        return true;
    free(error);
    faults_forget();
    check_off();
    return false;
}

void machine_reset(void)
{
    venus_gpu_reset(machine.gpu);
    while (!LIST_EMPTY(&vm.sent))
        free_sent(LIST_FIRST(&vm.sent));
}

static void give_everything_back(void)
{
    machine.hold = 0;
    while (vm.num_frames)
        machine_drop_frame(0);
    while (vm.num_flushes)
        machine_answer_flush(0);
    while (vm.num_regions)
        machine_answer_region(0, 0);
    while (vm.num_translations)
        machine_answer_translation(0, 0);
}

static uint64_t stat_value(const char *name)
{
    struct venus_gpu_stat stats[128];
    size_t count = venus_gpu_stats(machine.gpu, stats, 128);
    for (size_t i = 0; i < count && i < 128; i++) {
        if (!strcmp(stats[i].name, name))
            return stats[i].value;
    }
    complain("there is no counter %s", name);
}

/* After a reset, and with nothing held, the guest has nothing. */
static void check_nothing_counted(void)
{
    static const char *const gauges[] = {
        "contexts",       "resources",      "resources-2d",       "blobs",  "memory-bytes",
        "blob-bytes",     "address-ranges", "descriptors",        "mapped", "mapped-bytes",
        "fences-pending", "attachments",    "address-space-bytes"
    };
    for (size_t i = 0; !machine.gpu_hangs && i < sizeof(gauges) / sizeof(gauges[0]); i++) {
        if (stat_value(gauges[i]))
            complain("after a reset the counter %s is %llu", gauges[i],
                     (unsigned long long)stat_value(gauges[i]));
    }
}

void machine_stop(void)
{
    faults_forget();
    machine_reset();
    for (unsigned i = 0; i < VENUS_GPU_MAX_SCANOUTS; i++)
        venus_gpu_present(machine.gpu, i, NULL);
    give_everything_back();
    steps_settle();
    check_nothing_counted();
    venus_gpu_destroy(machine.gpu);
    machine.gpu = NULL;
    check_off();
}

/* ---- commands ------------------------------------------------------------------------------------ */

/* Each piece is an allocation of its own, so that a byte too far is seen. */
static struct iovec *make_pieces(const uint8_t *bytes, size_t size, size_t piece, unsigned *count)
{
    if (!piece || piece > size)
        piece = size;
    *count = piece ? (unsigned)((size + piece - 1) / piece) : 0;
    struct iovec *iov = calloc(*count + 1, sizeof(*iov));
    for (unsigned i = 0; i < *count; i++) {
        size_t at = i * piece;
        iov[i].iov_len = piece < size - at ? piece : size - at;
        iov[i].iov_base = malloc(iov[i].iov_len);
        if (bytes)
            memcpy(iov[i].iov_base, bytes + at, iov[i].iov_len);
        else
            memset(iov[i].iov_base, UNTOUCHED, iov[i].iov_len);
    }
    return iov;
}

void machine_send(enum venus_gpu_queue queue, const void *request, size_t size, size_t room,
                  unsigned out_piece, unsigned in_piece)
{
    struct sent *sent = calloc(1, sizeof(*sent));
    sent->out = make_pieces(request, size, out_piece, &sent->num_out);
    sent->in = make_pieces(NULL, room, in_piece, &sent->num_in);
    sent->room = room;
    LIST_INSERT_HEAD(&vm.sent, sent, link);
    const struct venus_gpu_request submitted = { .out = sent->out,
                                                 .num_out = sent->num_out,
                                                 .in = sent->in,
                                                 .num_in = sent->num_in,
                                                 .tag = sent };
    if (venus_gpu_submit(machine.gpu, queue, &submitted) < 0)
        free_sent(sent);
}

unsigned machine_pending(void)
{
    unsigned count = 0;
    struct sent *sent;
    LIST_FOREACH(sent, &vm.sent, link)
        count++;
    return count;
}

uint32_t machine_response(void)
{
    return vm.response;
}

const struct venus_gpu_frame *machine_shown(unsigned scanout)
{
    return vm.shown[scanout];
}

/* ---- what is held -------------------------------------------------------------------------------- */

void machine_answer_flush(unsigned index)
{
    if (index >= vm.num_flushes)
        return;
    struct venus_gpu_flush *flush = TAKE(vm.flushes, vm.num_flushes, index);
    venus_gpu_flush_done(flush);
}

/* The answers about one region keep their order. */
void machine_answer_region(unsigned index, int error)
{
    if (index >= vm.num_regions)
        return;
    struct held_region held = TAKE(vm.regions, vm.num_regions, index);
    answer(held, error);
}

void machine_answer_translation(unsigned index, unsigned pages)
{
    if (index >= vm.num_translations)
        return;
    struct venus_gpu_translation *translation = vm.translations[index];
    if (!answer_translation(translation, pages)) {
        memmove(&vm.translations[index], &vm.translations[index + 1],
                (--vm.num_translations - index) * sizeof(vm.translations[0]));
    }
}

void machine_drop_frame(unsigned index)
{
    if (index >= vm.num_frames)
        return;
    struct venus_gpu_frame *frame = TAKE(vm.frames, vm.num_frames, index);
    venus_gpu_frame_unref(frame);
}

void machine_look(void)
{
    uint64_t size;
    const volatile char *window = venus_gpu_window(machine.gpu, &size);
    for (uint64_t at = 0; at < size; at += PAGE)
        (void)window[at];
    for (unsigned i = 0; i < vm.num_placed; i++) {
        const volatile char *ptr = vm.placed[i]->ptr;
        for (uint64_t at = 0; at < vm.placed[i]->size; at += PAGE)
            (void)ptr[at];
    }
    for (unsigned i = 0; i < VENUS_GPU_MAX_SCANOUTS; i++) {
        if (vm.shown[i])
            check_frame(vm.shown[i]);
    }
    for (unsigned i = 0; i < vm.num_frames; i++)
        check_frame(vm.frames[i]);
}
