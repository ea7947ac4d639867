/* SPDX-License-Identifier: MIT */
/*
 * The guest kernel's virtio-gpu device by its raw ioctls, with no Mesa in between: what the
 * programs that time the device itself use. Every call dies with a reason when the kernel refuses.
 */
#ifndef GUEST_VIRTGPU_H
#define GUEST_VIRTGPU_H

#include <stdint.h>

#define VIRTGPU_CAPSET_VENUS 4

/* A blob as this process knows it. */
struct virtgpu_blob {
    uint32_t handle;   /* the GEM handle */
    uint32_t resource; /* the device's resource id */
    uint64_t size;
};

/* Opens the first render node that virtio_gpu drives; the caller closes it. */
int virtgpu_open(void);
/* The same of the node that sets modes. */
int virtgpu_open_card(void);

/* Makes the open file a Venus context; its rings 0 to 63 can carry fences. */
void virtgpu_init_venus(int fd);

/* Memory that the host allocates and the guest may map (blob_id 0: plain shared memory). */
struct virtgpu_blob virtgpu_create_host_blob(int fd, uint64_t size, uint64_t blob_id);
void *virtgpu_map(int fd, const struct virtgpu_blob *blob);
void virtgpu_unmap(const struct virtgpu_blob *blob, void *address);
void virtgpu_close_blob(int fd, const struct virtgpu_blob *blob);

/* Submits nothing but a fence on the context's ring; returns its sync file, for the caller to close. */
int virtgpu_fence(int fd, uint32_t ring);

/* Waits for a sync file with poll(); dies after `timeout_ms`. */
void virtgpu_wait(int fence_fd, int timeout_ms);

#endif
