/* SPDX-License-Identifier: MIT */
/*
 * libvenusgpu: a virtio-gpu device that speaks Venus (Vulkan) and 2D, for any virtual machine monitor.
 *
 * The library is the device behind the queues. The virtual machine monitor, called the front end
 * here, owns the virtqueues, guest memory, interrupts and the screen, and lends them through
 * struct venus_gpu_ops. Words are those of the Virtual I/O Device (VIRTIO) specification 1.3, section
 * 5.7 "GPU Device", called the specification below.
 *
 * Threads. A device has one *device thread*: it runs commands in order and is the only one that calls
 * the renderer. Each scanout that the library presents has a presenter's thread. The library has helper
 * threads too, and the renderer has its own; they lead to no callback but command_done() and log(). In all
 * of these threads signals to the process are blocked, except those that a thread's own fault raises.
 * Each function and callback says where it may be called or where it runs:
 *
 *   "any thread"      from any thread, also from inside a callback unless it says otherwise;
 *   "front end"       from any thread of the front end but one call at a time, never from a callback;
 *   "device thread"   a callback that the library makes on its device thread. It must not wait for
 *                     a thread that may be inside a "front end" function.
 *
 * Numbers are native-endian, sizes and offsets are bytes, unless a comment says otherwise.
 * Functions that return int give 0 or a negative errno value.
 *
 * Versions. A program built for one release runs with every later one that has the same soname. Structures
 * grow at their end only; what a program does not know of is zero to it, and a new member does nothing
 * where it is zero. "Since" marks members that 0.1.0 did not have; docs/abi.md has the rules.
 *
 *   Structures of the front end's (config, ops, target, request, output, stat, context) come with their size where
 *   the front end is compiled: in a first member `size`, or as an argument, which the inline functions
 *   below fill in. A smaller one than the library's is of an older release: nothing beyond it is read or
 *   written. A larger one is of a newer: the library takes it if all that it does not know of is zero.
 *   Otherwise it does not, with -E2BIG and a line in the log or, in venus_gpu_create(), a message. Sizes
 *   that no release had are -EINVAL.
 *
 *   Structures of the library's (frame, region, cursor, input, rect, format) are lent by pointer. A program that
 *   may meet an older library than its header asks venus_gpu_version() before it looks at a member that is
 *   marked "Since".
 */
#ifndef VENUS_GPU_H
#define VENUS_GPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The release that this header is of. The library that runs may be another: see venus_gpu_version(). */
#define VENUS_GPU_MAJOR 0
#define VENUS_GPU_MINOR 2
#define VENUS_GPU_MICRO 0

/* VIRTIO_GPU_MAX_SCANOUTS of the specification. */
#define VENUS_GPU_MAX_SCANOUTS 16

/* Pixels on a side of the largest frame and of the largest output. */
#define VENUS_GPU_MAX_SIDE 16384

struct venus_gpu;

/* ---- what is shown -------------------------------------------------------------------------- */

/* One of the eight pixel formats of the specification (5.7.6.8, VIRTIO_GPU_FORMAT_*). */
struct venus_gpu_format {
    const char *name;          /* as the specification spells it, e.g. "B8G8R8A8_UNORM" */
    uint32_t virtio;           /* VIRTIO_GPU_FORMAT_* */
    uint32_t fourcc;           /* DRM_FORMAT_* (little-endian packed, as in drm_fourcc.h) */
    uint32_t vk;               /* VkFormat with the same bytes in memory; 0: none has them */
    uint32_t red, green, blue; /* masks in a pixel read as a little-endian 32-bit number */
    uint32_t alpha;            /* likewise; 0 where the fourth byte has no meaning */
    uint8_t bytes_per_pixel;
};

/* The format with that VIRTIO_GPU_FORMAT_* code, or NULL. Static storage. Any thread. */
const struct venus_gpu_format *venus_gpu_format_lookup(uint32_t virtio_format);

struct venus_gpu_rect {
    uint32_t x, y, width, height; /* pixels */
};

enum venus_gpu_handle_kind {
    VENUS_GPU_HANDLE_SHM,     /* a file that can be mapped, sealed so that it does not become shorter */
    VENUS_GPU_HANDLE_DMA_BUF, /* a dma-buf, of linear layout: virtio-gpu has no other */
    VENUS_GPU_HANDLE_OPAQUE,  /* VK_EXTERNAL_MEMORY_HANDLE_TYPE_OPAQUE_FD: for the device and driver named below */
};

/*
 * What memory is made of, for a front end that shows or maps it in another process, or with a GPU of its own. Owned by the
 * library, as long as what it belongs to; so is the descriptor: duplicate it to keep it. Whoever has it
 * can write the memory. Since 0.2.0.
 */
struct venus_gpu_handle {
    enum venus_gpu_handle_kind kind;
    int fd;
    uint64_t offset; /* of the frame's first pixel, or of the region's first byte, in the memory */
    uint64_t size;   /* of the memory, in bytes: whole pages */
    uint64_t modifier; /* of a dma-buf: DRM_FORMAT_MOD_LINEAR, which is 0 */
    /* VkPhysicalDeviceIDProperties of the device that the memory was allocated by, for OPAQUE; NULL: not known,
     * as there are several. 16 bytes each. */
    const uint8_t *device_uuid, *driver_uuid;
};

/*
 * What one scanout shows: the visible rectangle of a resource, in the very memory that the guest or
 * the GPU writes. Immutable and reference counted; holding one keeps the memory mapped, whatever
 * the guest does to its resource.
 *
 * A guest chooses the numbers, so they have bounds: no side is 0 or above VENUS_GPU_MAX_SIDE, a row's pixels
 * fit into the stride, and height * stride is at most INT32_MAX. Within a frame an int holds every
 * coordinate, and every distance in bytes.
 */
struct venus_gpu_frame {
    const void *pixels; /* the rectangle's first pixel; NULL: only a GPU can see them (see below) */
    uint32_t width, height;
    uint32_t stride; /* bytes from one row to the next */
    const struct venus_gpu_format *format;
    uint32_t resource_id;
    /* Since 0.2.0. NULL: there is but the pointer (pages of the guest, or no descriptor was left). */
    const struct venus_gpu_handle *handle;
};

/* Any thread. ref returns its argument; unref takes NULL. */
struct venus_gpu_frame *venus_gpu_frame_ref(struct venus_gpu_frame *frame);
void venus_gpu_frame_unref(struct venus_gpu_frame *frame);

/* A pointer image and place (5.7.6.10). */
struct venus_gpu_cursor {
    bool visible;
    bool image_changed;     /* false: only the place changed, and pixels is NULL */
    uint32_t x, y;          /* the hot spot's place on the scanout, in pixels; any number */
    uint32_t hot_x, hot_y;  /* the hot spot: a pixel of the image; 0, 0 where there is no image */
    uint32_t width, height; /* of the image */
    const uint32_t *pixels; /* premultiplied A8R8G8B8 words, in rows; valid during the callback */
};

/* How an output is laid out: the answer to GET_DISPLAY_INFO and GET_EDID (5.7.6.8). */
struct venus_gpu_output {
    bool enabled;
    uint32_t x, y, width, height; /* pixels; a side above VENUS_GPU_MAX_SIDE becomes that */
    uint32_t width_mm, height_mm; /* 0: derived from 100 dots per inch */
    uint32_t refresh_mhz;         /* millihertz; 0: 60 Hz, or less where the mode needs it */
    const char *name;             /* monitor name, up to 12 characters; NULL: a default. Copied. */
    bool fixed;                   /* it has this mode only, and no common ones beside it */
};

/* ---- what the front end lends ---------------------------------------------------------------- */

enum venus_gpu_log_level {
    /* What a guest can provoke does not fill a disk: of the first two there are 20 lines at once and then one
     * in ten seconds, of the third ten a second. What was left out is counted. */
    VENUS_GPU_LOG_ERROR,   /* something on the host is broken */
    VENUS_GPU_LOG_WARNING, /* something on the host is not as it should be; messages of the renderer */
    VENUS_GPU_LOG_GUEST,   /* the guest made a mistake */
    VENUS_GPU_LOG_INFO,
    VENUS_GPU_LOG_DEBUG,
};

struct venus_gpu_flush;

/* What a person does in a window of the library's own (VENUS_GPU_TARGET_WAYLAND). */
enum venus_gpu_input_type {
    VENUS_GPU_INPUT_KEY,    /* code: a key of linux/input-event-codes.h, KEY_* */
    VENUS_GPU_INPUT_BUTTON, /* code: likewise, BTN_* */
    VENUS_GPU_INPUT_MOTION, /* x, y: where the pointer is */
    VENUS_GPU_INPUT_SCROLL, /* x, y: steps to the right and down; may be negative */
};

struct venus_gpu_input {
    enum venus_gpu_input_type type;
    uint32_t code;
    bool pressed;
    int32_t x, y; /* motion: pixels of the frame that is shown, and inside it */
};

/*
 * Memory to be placed in the host-visible window by the front end itself, used where the library
 * cannot place it (see VENUS_GPU_WINDOW_REGIONS). Owned by the library; valid from region_map()
 * until venus_gpu_region_unmapped().
 */
struct venus_gpu_region {
    uint64_t offset; /* in the window; a multiple of the host's page size */
    uint64_t size;   /* likewise */
    void *ptr;       /* the host memory, page aligned, readable and writable */
    void *user;      /* the front end's own; NULL at first */
    const struct venus_gpu_handle *handle; /* of the same memory; NULL: there is but the pointer. Since 0.2.0 */
};

/*
 * Guest memory that a command names by addresses which the front end has to translate, as behind an IOMMU: what is to be
 * translated next. Owned by the library; valid from translate() until venus_gpu_translated() returns false.
 * Since 0.2.0.
 */
struct venus_gpu_translation {
    uint64_t addr, len; /* len: bytes, not 0. Both change with each answer */
    void *user;         /* the front end's own; NULL at first */
};

/* Which thread it is that calls back. */
enum venus_gpu_thread {
    VENUS_GPU_THREAD_DEVICE,    /* the device thread */
    VENUS_GPU_THREAD_PRESENTER, /* that of a scanout which is presented */
    VENUS_GPU_THREAD_RENDERER,  /* one of virglrenderer's, or of the library's that watches over it */
};

struct venus_gpu_ops {
    size_t size; /* sizeof(struct venus_gpu_ops): which members the caller knows */

    /*
     * Map guest-physical memory for reading: store in *len how much of the *len bytes at addr could
     * be mapped in one piece and return a pointer, or return NULL. Every mapping is undone with the
     * pointer and length that were returned. Device thread. Required.
     */
    void *(*map_guest)(void *opaque, uint64_t addr, uint64_t *len);
    void (*unmap_guest)(void *opaque, void *ptr, uint64_t len);

    /*
     * A command is done: its response has been written, `written` bytes of its writable iovec. The
     * iovecs are no longer used. Runs on any thread of the library or the renderer, and inside
     * venus_gpu_flush_done(), with the library's lock held: hand the tag over to your own thread, and call no function of this
     * library from here. Required.
     */
    void (*command_done)(void *opaque, void *tag, uint32_t written);

    /*
     * Scanout `scanout` now shows this frame; NULL: nothing. The frame is the caller's: take a
     * reference to keep it. Device thread. NULL where nothing is ever shown.
     */
    void (*scanout_changed)(void *opaque, unsigned scanout, struct venus_gpu_frame *frame);

    /*
     * The pixels in rect, relative to the frame, changed. The guest's flush is answered once
     * venus_gpu_flush_done() was called with the flush, on any thread, also from inside this
     * callback: call it when the pixels have been read. Device thread. NULL: answered at once.
     */
    void (*scanout_flush)(void *opaque, unsigned scanout, const struct venus_gpu_rect *rect,
                          struct venus_gpu_flush *flush);

    /* Device thread. May be NULL. */
    void (*cursor_changed)(void *opaque, unsigned scanout, const struct venus_gpu_cursor *cursor);

    /*
     * The configuration space changed: raise the configuration interrupt. Runs inside
     * venus_gpu_set_output() and venus_gpu_write_config(). May be NULL.
     */
    void (*config_changed)(void *opaque);

    /*
     * Place region->ptr at region->offset of the window, or take it away again. Both return at once
     * and the front end answers later, from any thread, also from inside the callback, with
     * venus_gpu_region_mapped() and venus_gpu_region_unmapped().
     *
     * Every region_map() is followed by exactly one region_unmap(), and both are answered, in that order,
     * also where the region could not be placed: then there is nothing to be taken away, and the second
     * answer ends the region as ever. Mostly region_unmap() comes after the answer to region_map(); when the device is
     * reset it may come before. It has come for every region once venus_gpu_reset() returns. Device
     * thread. Both NULL: such blobs cannot be mapped by the guest.
     */
    void (*region_map)(void *opaque, struct venus_gpu_region *region);
    void (*region_unmap)(void *opaque, struct venus_gpu_region *region);

    /* One line without a newline. Any thread, of the library or inside a call of it. May be NULL. */
    void (*log)(void *opaque, enum venus_gpu_log_level level, const char *message);

    /* First and last thing on the device thread, for front ends that register threads. May be NULL. */
    void (*thread_started)(void *opaque);
    void (*thread_stopping)(void *opaque);

    /*
     * For venus_gpu_present(). All of them run on the thread of the scanout's presenter, under the rule
     * of device thread callbacks, and may be NULL.
     *
     * The target can be presented to no more, or never could: from now on scanout_flush() gets the
     * scanout's flushes again. Show the last frame, all of which may have changed, and call
     * venus_gpu_present() when there is another target. why: one line without a newline, or NULL
     * if the window went while nothing was shown in it.
     */
    void (*present_ended)(void *opaque, unsigned scanout, const char *why);
    /* Of windows of the library's own. Their new size in pixels; a person wants it closed; input. */
    void (*window_resized)(void *opaque, unsigned scanout, uint32_t width, uint32_t height);
    void (*window_closed)(void *opaque, unsigned scanout);
    void (*input)(void *opaque, unsigned scanout, const struct venus_gpu_input *input);
    /* The monitor that such a window is on has that rate, in millihertz; see struct venus_gpu_output. */
    void (*window_refreshed)(void *opaque, unsigned scanout, uint32_t refresh_mhz);

    /*
     * For front ends that register threads: the first and the last callback on each thread that is not the
     * front end's own. Both come on the thread itself, with no lock of the library's held. Where thread_begins
     * is set, thread_started() and thread_stopping(), which tell of the device thread only, are not called.
     *
     * Threads that virglrenderer starts are seen when they have something to report, so thread_begins() comes
     * just before their first command_done() or log(), and not for those that never call. All have
     * ended when venus_gpu_destroy() returns, but for a presenter's thread that was left behind in its driver
     * (see venus_gpu_present()): of its end nothing is told. Both may be NULL. Since 0.2.0.
     */
    void (*thread_begins)(void *opaque, enum venus_gpu_thread kind);
    void (*thread_ends)(void *opaque, enum venus_gpu_thread kind);

    /*
     * Translate the addresses of a command's guest memory, for those of which map_guest() is called then. Returns at once,
     * and the front end answers, piece by piece, with venus_gpu_translated(), from any thread, also from inside the
     * callback: so an IOMMU may be asked under a lock that the front end holds, and as many times in one turn as
     * it likes. The next commands wait for the answers. Device thread. NULL: map_guest() takes the guest's
     * addresses. Since 0.2.0.
     */
    void (*translate)(void *opaque, struct venus_gpu_translation *translation);

    /* What venus_gpu_save_obstacle() says has changed. Device thread. May be NULL. Since 0.2.0. */
    void (*save_obstacle_changed)(void *opaque);
};

/* ---- the device ------------------------------------------------------------------------------- */

enum venus_gpu_present_mode {
    VENUS_GPU_PRESENT_FIFO,      /* each frame waits for the display's refresh */
    VENUS_GPU_PRESENT_MAILBOX,   /* at each refresh the newest frame; those in between are dropped */
    VENUS_GPU_PRESENT_IMMEDIATE, /* each frame at once, though the display may tear it */
};

enum venus_gpu_window_mode {
    VENUS_GPU_WINDOW_AUTO,    /* place memory by remapping host pages; regions where that fails */
    VENUS_GPU_WINDOW_REGIONS, /* always ask the front end (hypervisors that pin host pages) */
};

struct venus_gpu_config {
    size_t size;          /* sizeof(struct venus_gpu_config): which members the caller knows */
    unsigned num_outputs; /* 1 to VENUS_GPU_MAX_SCANOUTS */

    /*
     * Host-visible window in bytes, a multiple of the page size; 0: the guest cannot map blobs. It is a
     * range of addresses, which takes memory only as far as blobs are mapped, or a guest's kernel writes where
     * none is. A warning is logged, once until the next reset, when it is nearly full.
     */
    uint64_t window_size;
    enum venus_gpu_window_mode window_mode;

    /* Ceilings on what a guest can make the host allocate. 0: the default in parentheses. */
    uint32_t max_contexts;    /* (256) */
    uint32_t max_resources;   /* (65536) or fewer: each takes one to three descriptors, see RLIMIT_NOFILE */
    uint64_t max_memory;      /* bytes of 2D resources, copies of guest blobs, page lists (1 GiB) */
    uint64_t max_blob_memory; /* bytes of HOST3D and HOST3D_GUEST blobs (half of the host's memory) */
    /*
     * Bytes of memory that one context may have (as max_blob_memory). In blobs: a context that asks for more is ended,
     * and a line says so, since Venus does not look whether a blob came to be. And in Vulkan, mapped or not, besides what
     * its driver needs itself: this for Vulkan on a processor, by a server that the library starts. A GPU's
     * driver takes up address space that is no memory, and the kernel bounds what a GPU has of the host's.
     *
     * The processes of all contexts together may have as much memory as the larger of these two, or half of the host's
     * where that is more, and an eighth of the host's for what drivers need themselves. Over it, as it is seen once a
     * second, the context whose process has most is ended.
     */
    uint64_t max_context_memory;

    /*
     * How long, in milliseconds, a context's process may take to read what it was sent, and to answer (15000).
     * Meanwhile commands of that context wait, others do not. After that it is killed, and its context is lost.
     * Likewise the render server, with all contexts, but after 10 s at most once it has started; that is waited
     * for. A reset waits for neither.
     */
    uint32_t max_call_ms;

    /*
     * The render server: a program to start, or a SOCK_SEQPACKET socket connected to one that runs
     * already, which venus_gpu_create() takes over also when it fails, unless it refuses the size. NULL and
     * -1: the program that virglrenderer was built with. Both given is an error. The path is copied.
     * "unix:PATH" is no program, but the socket of venus-gpu-renderd, which starts the server for us, in a
     * sandbox: for a process that may start none. One that has died is started anew, as with a program.
     */
    const char *render_server;
    int render_server_fd;

    /*
     * For venus_gpu_present(): how (a driver that lacks the mode gets the one above it), and the Vulkan
     * device: a part of its name, or its number as vulkaninfo counts. NULL: the one that renders for the
     * guest, or else the fastest kind. The name is copied.
     */
    enum venus_gpu_present_mode present_mode;
    const char *vulkan_device;

    /*
     * Not 0: offer VIRTIO_GPU_F_BLOB_ALIGNMENT (feature bit 5; oasis-tcs/virtio-spec issue 223), which asks the driver for blobs
     * whose sizes, and places in the window, are multiples of the field blob_alignment. That is the fifth of the
     * configuration space, which then has 20 bytes. Its value is this one, a power of two, or the host's page
     * size where that is larger. What is no such multiple is refused only if it is none of the host's pages either.
     * Linux 7.2 and newer create no other blobs then, so a Mesa that does not round them has no Vulkan: offer it
     * only where the host's pages are larger than a guest's may be. Bytes. Since 0.2.0.
     */
    uint64_t blob_alignment;
};

/* Fills in the defaults, `size` included. */
static inline void venus_gpu_config_init(struct venus_gpu_config *config)
{
    memset(config, 0, sizeof(*config));
    config->size = sizeof(*config);
    config->num_outputs = 1;
    config->render_server_fd = -1;
}

/*
 * Create a device: starts the device thread and the render server, and checks that a Vulkan device
 * can be had there. opaque is passed to every callback; ops is copied. One device can live in a
 * process at a time, since virglrenderer has one state per process. On failure returns NULL and, if
 * error is not NULL, stores a message of one or two lines there, to be freed by the caller.
 */
struct venus_gpu *venus_gpu_create(const struct venus_gpu_config *config,
                                   const struct venus_gpu_ops *ops, void *opaque, char **error);

/*
 * Reset and free. Call venus_gpu_reset() first, then give back every frame, answer every flush and
 * every region_unmap(), then call this. Takes NULL. Front end.
 */
void venus_gpu_destroy(struct venus_gpu *gpu);

/*
 * Device reset (5.7.5): every context, resource, scanout and mapping goes away, commands in flight
 * are dropped and never reported. Waits for the command that is being executed, not for the GPU.
 * While it waits, the device thread may call region_unmap() and scanout_changed(). Front end.
 */
void venus_gpu_reset(struct venus_gpu *gpu);

enum venus_gpu_queue {
    VENUS_GPU_QUEUE_CONTROL, /* virtqueue 0, controlq */
    VENUS_GPU_QUEUE_CURSOR,  /* virtqueue 1, cursorq */
};

/* One descriptor chain. The arrays and what they point to stay the front end's, and must stay valid
 * until the command is done or the device was reset. */
struct venus_gpu_request {
    const struct iovec *out; /* device-readable */
    unsigned num_out;
    const struct iovec *in; /* device-writable */
    unsigned num_in;
    void *tag; /* for command_done() */
};

/*
 * Queue a command; never waits for its execution. On an error (-ENOMEM, or -E2BIG and -EINVAL for the size)
 * the request is not taken and command_done() is not called for it. request_size: sizeof(*request), which
 * venus_gpu_submit() fills in. Front end.
 */
int venus_gpu_submit_sized(struct venus_gpu *gpu, enum venus_gpu_queue queue,
                           const struct venus_gpu_request *request, size_t request_size);

static inline int venus_gpu_submit(struct venus_gpu *gpu, enum venus_gpu_queue queue,
                                   const struct venus_gpu_request *request)
{
    return venus_gpu_submit_sized(gpu, queue, request, sizeof(*request));
}

/* The feature bits to offer: bit n is VIRTIO_GPU_F_ number n (5.7.3). Any thread. */
uint64_t venus_gpu_features(const struct venus_gpu *gpu);

/* struct virtio_gpu_config (5.7.4), little-endian. Reads and writes beyond it are cut. Any thread. */
void venus_gpu_read_config(struct venus_gpu *gpu, size_t offset, void *data, size_t len);
void venus_gpu_write_config(struct venus_gpu *gpu, size_t offset, const void *data, size_t len);

/*
 * Describe an output. If anything changed, VIRTIO_GPU_EVENT_DISPLAY is raised and config_changed()
 * is called. -EINVAL: no such output, or no such size; -E2BIG. output_size: sizeof(*output), which
 * venus_gpu_set_output() fills in. Any thread, not from a callback.
 */
int venus_gpu_set_output_sized(struct venus_gpu *gpu, unsigned index,
                               const struct venus_gpu_output *output, size_t output_size);

static inline int venus_gpu_set_output(struct venus_gpu *gpu, unsigned index,
                                       const struct venus_gpu_output *output)
{
    return venus_gpu_set_output_sized(gpu, index, output, sizeof(*output));
}

/*
 * The host-visible window (shared memory region id 1, 5.7.4): one mapping of window_size bytes that
 * lives as long as the device. What is behind an address changes as blobs are mapped, the address
 * range never faults. NULL where window_size is 0. Any thread.
 */
void *venus_gpu_window(const struct venus_gpu *gpu, uint64_t *size);

/* Answers to the callbacks above. error: 0 or a negative errno value. Any thread. */
void venus_gpu_flush_done(struct venus_gpu_flush *flush);
void venus_gpu_region_mapped(struct venus_gpu *gpu, struct venus_gpu_region *region, int error);
void venus_gpu_region_unmapped(struct venus_gpu *gpu, struct venus_gpu_region *region);

/*
 * The first `len` bytes at translation->addr are at `addr`; len 0: nothing is there, and the command fails. Returns true
 * if there is more to be translated, now at translation->addr. Otherwise the translation is gone. A reset does
 * not wait for answers: go on, or answer 0, until this says false, before venus_gpu_destroy(). One call
 * at a time for a translation; any thread. Since 0.2.0.
 */
bool venus_gpu_translated(struct venus_gpu_translation *translation, uint64_t addr, uint64_t len);

/* ---- presenting with Vulkan --------------------------------------------------------------------- */

enum venus_gpu_target_kind {
    VENUS_GPU_TARGET_OFFSCREEN, /* images that nobody sees, for tests and measurements */
    VENUS_GPU_TARGET_HEADLESS,  /* VK_EXT_headless_surface; OFFSCREEN where the driver lacks it */
    VENUS_GPU_TARGET_X11,       /* a child that covers a window of the front end; input goes to that */
    VENUS_GPU_TARGET_WAYLAND,   /* a window of the library's own */
    VENUS_GPU_TARGET_METAL,     /* macOS: a layer over a view of the front end; input goes to that. Since 0.2.0 */
};

/* Where to present a scanout. Everything is copied, but for the view. */
struct venus_gpu_target {
    size_t size; /* sizeof(struct venus_gpu_target): which members the caller knows */
    enum venus_gpu_target_kind kind;
    const char *display;    /* X11: a display, ":0"; Wayland: a socket, "wayland-0" */
    uint32_t window;        /* X11: the window to cover */
    const char *title;      /* Wayland */
    uint32_t width, height; /* Wayland: at first; offscreen and headless: 0 x 0: the frame's size */
    bool draw_cursor;       /* draw the guest's pointer on top, as nobody else does */
    bool only_gpu;          /* end at once if no GPU but a processor would present */
    /*
     * Metal: the NSView to cover. It has to live until the scanout has another target or none; the library may hold
     * it for as long after that as the main thread takes to come back to its run loop. AppKit is used on the main
     * thread only, which has to run one; nothing waits for it. Since 0.2.0.
     */
    void *view;
};

/*
 * Present a scanout with the host's Vulkan: flushes no longer go to scanout_flush() but to a thread of the
 * library, which copies each frame, on the GPU, from the very memory that the guest or the GPU wrote into
 * an image of the target's. A flush is answered when the host has read the frame, or dropped it: because
 * a newer one came, or because nobody can see the window. scanout_changed() is called as ever. The
 * target stays when the scanout shows nothing; its window is hidden meanwhile. What the scanout shows
 * already is presented as soon as the target is open. The thread asks the system for a higher priority.
 *
 * Memory that no processor can map, as a GPU's own often is, can be shown this way and no other: while a
 * scanout is presented, its frames may have no pixels.
 *
 * Takes the place of what was there before; NULL: nothing. Opening the target happens later, on its
 * thread: if it fails, present_ended() says so. Waits for the former target's last frame, though not for
 * ever: a thread that does not come back from its Vulkan driver is left behind. -EINVAL: no
 * such scanout, or a target that makes no sense; -E2BIG: one that asks for what this library does not know;
 * -ENOTSUP: this library was built without that kind; -ENOMEM. Front end.
 */
int venus_gpu_present(struct venus_gpu *gpu, unsigned scanout,
                      const struct venus_gpu_target *target);

/* ---- saving and loading ------------------------------------------------------------------------ */

/*
 * Why the device cannot be saved now, for as long as that is: a sentence that names the programs of the guest which
 * have something in Vulkan, by their contexts, to be freed by the caller; NULL: nothing of the guest's is in the way.
 * What the renderer holds (Venus contexts, lost ones too, and blobs that have outlived theirs) cannot be saved. Any
 * thread. Since 0.2.0.
 */
char *venus_gpu_save_obstacle(struct venus_gpu *gpu);

/*
 * Save what the guest has in the device: pictures with their bytes, guest blobs, contexts of no capability set, what
 * each scanout shows, pointers, and what the guest was told of its outputs. No command may be in flight: stop the
 * guest, and wait until the last one is done. Nothing changes. *data, of *size bytes, is to be freed by the caller; what
 * stands in it begins with a version, is the same on every host, and is read by this release and later ones.
 *
 * Returns 0; -EBUSY: venus_gpu_save_obstacle(); -EAGAIN: commands are in flight; -ENOMEM. On an error *data stays as it
 * is, and *why, if why is not NULL, is a sentence to be freed by the caller. Waits for the device thread. Front end.
 * Since 0.2.0.
 */
int venus_gpu_save(struct venus_gpu *gpu, void **data, size_t *size, char **why);

/*
 * Load what venus_gpu_save() gave, into a device of the same outputs, window and blob_alignment, that was just created or
 * reset. Guest memory has to be there: it is mapped, at the addresses that map_guest() was asked for then, and where a
 * blob is shown by a copy it is read. scanout_changed() and cursor_changed() come meanwhile for all that is shown. What
 * outputs are like the front end says, as ever: where the guest was told something else, config_changed() is called,
 * inside this function.
 *
 * The bytes may come from anywhere. Returns 0; -EINVAL: they are wrong, or of another device; -ENOTSUP: of a newer
 * release; -ENOMEM, where it is limits too; -EBUSY: the guest uses the device. On an error the device is as after a reset,
 * and *why is as above. Waits for the device thread. Front end. Since 0.2.0.
 */
int venus_gpu_load(struct venus_gpu *gpu, const void *data, size_t size, char **why);

/* ---- statistics -------------------------------------------------------------------------------- */

/* Every counter, by its name, so that front ends can publish them without knowing them. */
struct venus_gpu_stat {
    const char *name; /* lower-case words joined by '-', static storage */
    const char *help; /* one sentence */
    uint64_t value;
};

/*
 * Fill in up to max counters and return how many there are. stat_size: sizeof(*stats), from one to the next,
 * which venus_gpu_stats() fills in; members that this library does not know become 0. Any thread.
 */
size_t venus_gpu_stats_sized(const struct venus_gpu *gpu, struct venus_gpu_stat *stats, size_t max,
                             size_t stat_size);

static inline size_t venus_gpu_stats(const struct venus_gpu *gpu, struct venus_gpu_stat *stats,
                                     size_t max)
{
    return venus_gpu_stats_sized(gpu, stats, max, sizeof(*stats));
}

/* What has become of a context (specification, 5.7.6.9). */
enum venus_gpu_context_state {
    VENUS_GPU_CONTEXT_RENDERS, /* a process of the render server serves it */
    VENUS_GPU_CONTEXT_LOST,    /* that process is gone, or was ended; the guest has not destroyed the context yet */
    VENUS_GPU_CONTEXT_PLAIN,   /* it is for no capability set */
    VENUS_GPU_CONTEXT_GONE,    /* destroyed, but not yet all of its resources */
};

/* What a context holds. */
struct venus_gpu_context {
    uint32_t id;            /* the guest's; 0: all that belongs to no context, as 2D resources */
    uint32_t state;         /* enum venus_gpu_context_state */
    char name[64];          /* as the guest calls it, in printable ASCII; mostly its program's */
    uint64_t resources;     /* that it created */
    uint64_t bytes;         /* of their memory; a guest blob has none of the host's */
    uint64_t process_id;    /* of the process that serves it, in this host's numbers; 0: not known, or there is none */
    uint64_t process_bytes; /* that this process has in the host's memory, blobs that it touched among them; or 0 */
};

/*
 * Fill in up to max contexts, that of id 0 first and the others as they were created, and return how many there
 * are. context_size: sizeof(*contexts), from one to the next, which venus_gpu_contexts() fills in; members that this
 * library does not know become 0. Any thread.
 */
size_t venus_gpu_contexts_sized(const struct venus_gpu *gpu, struct venus_gpu_context *contexts,
                                size_t max, size_t context_size);

static inline size_t venus_gpu_contexts(const struct venus_gpu *gpu,
                                        struct venus_gpu_context *contexts, size_t max)
{
    return venus_gpu_contexts_sized(gpu, contexts, max, sizeof(*contexts));
}

/* What renders: the first Vulkan device's name, as the render server reports it. Lives as long as the
 * device. Any thread. */
const char *venus_gpu_renderer_name(const struct venus_gpu *gpu);

/* What kind of device that is: Vulkan's VkPhysicalDeviceType (2 is a discrete GPU, 4 a processor). Any thread.
 * Since 0.2.0. */
unsigned venus_gpu_renderer_type(const struct venus_gpu *gpu);

/* The library's version, "major.minor.micro". */
const char *venus_gpu_version(void);

#ifdef __cplusplus
}
#endif

#endif
