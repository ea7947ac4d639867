/* SPDX-License-Identifier: MIT */
/*
 * A small Venus client: what a guest's Vulkan driver would send, for a handful of Vulkan commands.
 *
 * Every function fails the test that runs if the renderer does not do as told. Handles are the
 * numbers that the client gives to Vulkan objects.
 */
#ifndef VENUS_H
#define VENUS_H

#include "guest.h"

enum { VENUS_QUEUE_RING = 1 }; /* the ring that the queue's fences are on */

struct venus {
    struct guest *guest;
    uint32_t context;
    uint32_t reply_resource;
    char *reply; /* the shared memory where replies appear */

    uint64_t last_handle;
    uint64_t instance, physical_device, device, queue, command_pool;
    uint32_t memory_type;
};

/* Create a context in the guest, and in it an instance with its first physical device. */
void venus_open(struct venus *venus, struct guest *guest, uint32_t context);
/* A device with one queue, whose fences are on VENUS_QUEUE_RING. */
void venus_open_device(struct venus *venus);
/* The device alone. Returns the VkResult. */
int32_t venus_try_device(struct venus *venus);
/* Both. */
void venus_open_all(struct venus *venus, struct guest *guest, uint32_t context);
/* Destroy everything that was made here, and the context. */
void venus_close(struct venus *venus);

/* The physical device's name, as vkGetPhysicalDeviceProperties() has it. */
void venus_device_name(struct venus *venus, char name[256]);

/* Memory that the host can see. Its handle is also its blob_id. */
uint64_t venus_allocate(struct venus *venus, uint64_t size);
/* The same, which returns the VkResult. */
int32_t venus_try_allocate(struct venus *venus, uint64_t size, uint64_t *memory);
void venus_free(struct venus *venus, uint64_t memory);
/* The same as a blob that is attached to the context. */
uint32_t venus_blob(struct venus *venus, uint64_t size, uint64_t *memory);
/* The same, as a kernel makes it whose pages are larger. */
uint32_t venus_padded_blob(struct venus *venus, uint64_t size, uint64_t blob_size, uint64_t *memory);

/* A resource that is no memory of Vulkan's as such. Returns the VkResult of what failed, or VK_SUCCESS. */
int32_t venus_import(struct venus *venus, uint32_t resource, uint64_t size, uint64_t *memory);

/* A buffer all over that memory. */
uint64_t venus_buffer(struct venus *venus, uint64_t memory, uint64_t size);
/* A buffer with memory of its own, dedicated to it. *size: the buffer's, then what it requires of memory. */
uint64_t venus_dedicated_buffer(struct venus *venus, uint64_t *size, uint64_t *memory);
void venus_destroy_buffer(struct venus *venus, uint64_t buffer);

/* vkQueueSubmit of a batch without commands, with a fence on the queue's ring. */
struct ticket *venus_submit_nothing(struct venus *venus);

/*
 * Work for the GPU, with a fence on the queue's ring: fill the whole buffer, after waiting for an
 * event if it is not 0; copy a buffer from its start.
 */
struct ticket *venus_copy(struct venus *venus, uint64_t from, uint64_t to, uint64_t size);
struct ticket *venus_fill(struct venus *venus, uint64_t buffer, uint32_t value, uint64_t event);
uint64_t venus_event(struct venus *venus);
void venus_set_event(struct venus *venus, uint64_t event);

/*
 * Have two threads of the context's process wait for each other: that of a ring, in shared memory, for a
 * number on the virtqueue; and that of the virtqueue for the ring. It takes no driver to do so.
 */
void venus_deadlock(struct guest *guest, uint32_t context);

/* Send what is no command stream, without waiting. Returns the answer's type. */
uint32_t venus_send_garbage(struct guest *guest, uint32_t context);

#endif
