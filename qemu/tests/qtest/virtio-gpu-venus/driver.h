/*
 * virtio-gpu-venus: the tests' guest driver
 *
 * It drives the device over its virtqueues.  Names are short, and commands are
 * named as virtio names them, since a test is a list of these.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef VENUS_TEST_DRIVER_H
#define VENUS_TEST_DRIVER_H

#include "libqtest.h"
#include "libqos/libqos-malloc.h"
#include "libqos/pci-pc.h"
#include "libqos/virtio.h"
#include "libqos/virtio-pci.h"
#include "qemu/bswap.h"
#include "qemu/units.h"
#include "standard-headers/linux/virtio_gpu.h"

#define TIMEOUT_US (30 * G_USEC_PER_SEC)
#define PAGE 4096
#define DEVICE "virtio-gpu-venus-pci,id=gpu,addr=04.0,hostmem=16M"

/* Options of the device: its window is made of regions, or */
#define REGIONS ",x-window-regions=on"
/* its addresses are the bus's, which are the physical ones in this machine. */
#define PLATFORM ",iommu_platform=on"

enum { CONTROL, CURSOR, NUM_QUEUES };

typedef struct Venus {
    QTestState *qts;
    QGuestAllocator alloc;
    QPCIBus *bus;
    QVirtioPCIDevice *dev;
    QVirtQueue *vq[NUM_QUEUES];
    QPCIBar window;
    uint64_t features;
} Venus;

/* A command on its way: where it is in guest memory. */
typedef struct Request {
    int queue;
    uint64_t out;
    uint64_t in;
    size_t in_size;
    uint32_t head;
} Request;

/*
 * The device, and its virtqueues
 */

void venus_start_driver(Venus *v);
void venus_stop_driver(Venus *v);
Venus *venus_start_args(const char *device, const char *args);
Venus *venus_start(const char *options);
void venus_stop(Venus *v);
/* Put a command into the queue.  No room for a response: in_size 0. */
Request venus_post(Venus *v, int queue, const void *out, size_t out_size,
                   size_t in_size);
/* Wait for the queue's next response, whatever it answers. */
uint32_t venus_wait_any(Venus *v, int queue, uint32_t *written);
/* Read a request's response, and release its memory. */
void venus_finish(Venus *v, Request *r, void *in);
/* All that was posted has been answered: use the descriptors again. */
void venus_queue_is_empty(Venus *v, int queue);
/* Post one command and wait for it.  Returns the bytes written. */
uint32_t venus_call(Venus *v, int queue, const void *out,
                    size_t out_size, void *in, size_t in_size);
/* The response's type, of a command that gets a header only. */
uint32_t run_sized(Venus *v, const void *cmd, size_t size);

#define run(v, cmd) run_sized(v, &(cmd), sizeof(cmd))

#define assert_ok(response) \
    g_assert_cmphex(response, ==, VIRTIO_GPU_RESP_OK_NODATA)
#define assert_error(error, response) \
    g_assert_cmphex(response, ==, VIRTIO_GPU_RESP_ERR_##error)

/*
 * Commands
 */

#define RECT(x_, y_, width_, height_) \
    ((struct virtio_gpu_rect) { \
        .x = (x_), .y = (y_), .width = (width_), .height = (height_) })

uint32_t create_2d(Venus *v, uint32_t id, uint32_t format,
                   uint32_t width, uint32_t height);
uint32_t unref(Venus *v, uint32_t id);
/* count entries, of which as many as fit into the command are there */
uint32_t attach_entries(Venus *v, uint32_t id, uint32_t count,
                        const struct virtio_gpu_mem_entry *entries,
                        uint32_t there);
uint32_t attach(Venus *v, uint32_t id, uint64_t addr, uint32_t size);
uint32_t detach(Venus *v, uint32_t id);
uint32_t set_scanout(Venus *v, uint32_t scanout, uint32_t id,
                     struct virtio_gpu_rect rect);
uint32_t transfer(Venus *v, uint32_t id, struct virtio_gpu_rect rect,
                  uint64_t offset);
uint32_t flush(Venus *v, uint32_t id, struct virtio_gpu_rect rect);
uint32_t create_context(Venus *v, uint32_t id, uint32_t capset);
/* A command that is nothing but a header with a context's id */
uint32_t header_only(Venus *v, uint32_t type, uint32_t context);
uint32_t destroy_context(Venus *v, uint32_t id);
uint32_t context_resource(Venus *v, uint32_t type, uint32_t context,
                          uint32_t id);
uint32_t create_blob(Venus *v, uint32_t context, uint32_t id,
                     uint32_t mem, uint64_t blob_id, uint64_t size,
                     uint64_t guest_addr);
/* A blob of shared memory, which needs no Vulkan object */
uint32_t create_shm(Venus *v, uint32_t context, uint32_t id,
                    uint64_t size);
uint32_t map_blob(Venus *v, uint32_t id, uint64_t offset);
uint32_t unmap_blob(Venus *v, uint32_t id);
/* Show the part at @rect of the picture that is in the blob. */
uint32_t set_scanout_blob_part(Venus *v, uint32_t id, uint32_t format,
                               uint32_t width, uint32_t height,
                               uint32_t stride, uint32_t offset,
                               struct virtio_gpu_rect rect);
uint32_t set_scanout_blob(Venus *v, uint32_t id, uint32_t format,
                          uint32_t width, uint32_t height,
                          uint32_t stride, uint32_t offset);
uint32_t attach_resource(Venus *v, uint32_t context, uint32_t id);
uint32_t submit(Venus *v, uint32_t context, const uint32_t *words,
                size_t count);

#define assert_mapped(response) \
    g_assert_cmphex(response, ==, VIRTIO_GPU_RESP_OK_MAP_INFO)

/*
 * The host-visible window
 */

void window_write(Venus *v, uint64_t offset, const char *text);
void assert_window(Venus *v, uint64_t offset, const char *text);

/*
 * Outputs
 */

/* The guest sees the output in that size; 0x0: disconnected. */
void assert_output(Venus *v, int output, uint32_t width, uint32_t height);
void clear_display_event(Venus *v);
/* The guest is told that outputs have changed, and acknowledges it. */
void wait_display_event(Venus *v);

#endif
