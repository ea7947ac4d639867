/* SPDX-License-Identifier: MIT */
/*
 * See probe.h.
 *
 * A person who has no Vulkan driver, or no render server, should hear so when the virtual machine
 * starts and not from an application in the guest. So before the guest runs we are a guest ourselves:
 * create a context and a shared-memory blob for replies, send the Venus encoding of vkCreateInstance,
 * vkEnumeratePhysicalDevices and vkGetPhysicalDeviceProperties2, wait for a fence, and read. This also
 * takes the start of the render server, some tens of milliseconds, out of the guest's first context.
 *
 * The encoding (Venus protocol, vk.xml order): a command is its type and its flags as 32-bit numbers,
 * then its arguments. A pointer is a 64-bit number, 0 or 1, followed by what it points to; an array
 * is its length as a 64-bit number and its elements; handles are 64-bit ids that the client makes up.
 */
#include "renderer/probe.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/protocol.h"
#include "renderer/renderer.h"

enum {
    CMD_CREATE_INSTANCE = 0,
    CMD_DESTROY_INSTANCE = 1,
    CMD_ENUMERATE_PHYSICAL_DEVICES = 2,
    CMD_GET_PHYSICAL_DEVICE_PROPERTIES2 = 148,
    CMD_SET_REPLY_COMMAND_STREAM = 178,
    GENERATE_REPLY = 1,

    STRUCTURE_TYPE_INSTANCE_CREATE_INFO = 1,
    STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2 = 1000059001,
    STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES = 1000071004,
    INSTANCE_ID = 1, /* handles */
    DEVICE_ID = 2,

    PHYSICAL_DEVICE_TYPE_CPU = 4,

    /* A device that the guest cannot have touched yet: any ids do. */
    CONTEXT = 1,
    RESOURCE = 1,
    REPLY_SIZE = 4096,

    /* A render server that has not answered by then hangs in a driver. */
    TIMEOUT_S = 20,
    POLL_NS = 200 * 1000,
};

/* Fence ids count up from 1 in the device; this one will not be met. */
#define PROBE_FENCE_ID UINT64_MAX

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool signalled;
    bool polls; /* nobody says so who was not asked */
} fence = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void set_signalled(bool signalled)
{
    pthread_mutex_lock(&fence.lock);
    fence.signalled = signalled;
    pthread_cond_signal(&fence.changed);
    pthread_mutex_unlock(&fence.lock);
}

bool probe_fence(uint64_t fence_id)
{
    if (fence_id != PROBE_FENCE_ID)
        return false;
    set_signalled(true);
    return true;
}

struct stream {
    uint64_t words[64]; /* aligned as the renderer likes it */
    size_t size;        /* bytes used */
};

static void put32(struct stream *stream, uint32_t value)
{
    value = le32(value);
    memcpy((char *)stream->words + stream->size, &value, sizeof(value));
    stream->size += sizeof(value);
}

static void put64(struct stream *stream, uint64_t value)
{
    put32(stream, (uint32_t)value);
    put32(stream, (uint32_t)(value >> 32));
}

static uint32_t get32(const char *reply, size_t offset)
{
    uint32_t value;
    memcpy(&value, reply + offset, sizeof(value));
    return le32(value);
}

/* What follows in the stream replies at the start of the reply blob. */
static void put_reply_stream(struct stream *stream)
{
    put32(stream, CMD_SET_REPLY_COMMAND_STREAM);
    put32(stream, 0);
    put64(stream, 1); /* pStream */
    put32(stream, RESOURCE);
    put64(stream, 0); /* offset */
    put64(stream, REPLY_SIZE);
}

/* Submit, and wait until it has been executed. */
static int run(const struct renderer *renderer, struct stream *stream)
{
    uint64_t deadline = clock_now_ns() + TIMEOUT_S * UINT64_C(1000000000);

    set_signalled(false);
    if (renderer->submit(CONTEXT, stream->words, stream->size) < 0 ||
        renderer->fence(CONTEXT, 0, PROBE_FENCE_ID) < 0)
        return -EIO;

    int ret = 0;
    pthread_mutex_lock(&fence.lock);
    while (!fence.signalled && ret == 0) {
        if (fence.polls) {
            pthread_mutex_unlock(&fence.lock);
            renderer->poll();
            nanosleep(&(struct timespec){ .tv_nsec = POLL_NS }, NULL);
            ret = clock_now_ns() < deadline ? 0 : ETIMEDOUT;
            pthread_mutex_lock(&fence.lock);
        } else {
            ret = clock_wait_until(&fence.changed, &fence.lock, deadline);
        }
    }
    pthread_mutex_unlock(&fence.lock);
    return ret ? -EIO : 0;
}

/*
 * The reply to vkGetPhysicalDeviceProperties2 that was asked for VkPhysicalDeviceIDProperties too, which
 * comes first, as all that is chained to a structure.
 */
enum {
    REPLY_TYPE = 0,
    REPLY_ID_TYPE = 4 + 8 + 4 + 8,             /* type, pProperties, sType, pNext */
    REPLY_DEVICE_UUID = REPLY_ID_TYPE + 4 + 8, /* sType, pNext; all three with their lengths */
    REPLY_DRIVER_UUID = REPLY_DEVICE_UUID + 8 + 16,
    REPLY_LUID = REPLY_DRIVER_UUID + 8 + 16,
    REPLY_PROPERTIES = REPLY_LUID + 8 + 8 + 4 + 4, /* deviceNodeMask, deviceLUIDValid */
    REPLY_DEVICE_TYPE = REPLY_PROPERTIES + 4 * 4,  /* after apiVersion to deviceID */
    REPLY_NAME = REPLY_DEVICE_TYPE + 4 + 8,        /* deviceName's length */
};

static int read_device(const char *reply, struct renderer_device *device)
{
    if (get32(reply, REPLY_TYPE) != CMD_GET_PHYSICAL_DEVICE_PROPERTIES2 ||
        get32(reply, REPLY_ID_TYPE) != STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES ||
        get32(reply, REPLY_DEVICE_UUID) != sizeof(device->device_uuid) ||
        get32(reply, REPLY_DRIVER_UUID) != sizeof(device->driver_uuid))
        return -EIO;
    memcpy(device->device_uuid, reply + REPLY_DEVICE_UUID + 8, sizeof(device->device_uuid));
    memcpy(device->driver_uuid, reply + REPLY_DRIVER_UUID + 8, sizeof(device->driver_uuid));
    device->type = get32(reply, REPLY_DEVICE_TYPE);
    device->is_processor = device->type == PHYSICAL_DEVICE_TYPE_CPU;
    memcpy(device->name, reply + REPLY_NAME, sizeof(device->name));
    device->name[sizeof(device->name) - 1] = '\0';
    return 0;
}

static int ask(const struct renderer *renderer, const volatile char *shared,
               struct renderer_device *device)
{
    char reply[REPLY_SIZE];

    struct stream stream = { .size = 0 };
    put_reply_stream(&stream);
    put32(&stream, CMD_CREATE_INSTANCE);
    put32(&stream, GENERATE_REPLY);
    put64(&stream, 1); /* pCreateInfo */
    put32(&stream, STRUCTURE_TYPE_INSTANCE_CREATE_INFO);
    put64(&stream, 0); /* pNext */
    put32(&stream, 0); /* flags */
    put64(&stream, 0); /* pApplicationInfo */
    put32(&stream, 0); /* enabledLayerCount */
    put64(&stream, 0);
    put32(&stream, 0); /* enabledExtensionCount */
    put64(&stream, 0);
    put64(&stream, 0); /* pAllocator */
    put64(&stream, 1); /* pInstance */
    put64(&stream, INSTANCE_ID);
    if (run(renderer, &stream) < 0)
        return -EIO;
    memcpy(reply, (const char *)shared, sizeof(reply));
    /* The reply: type, VkResult, pInstance. The type is 0, so look at the pointer for an answer. */
    if (get32(reply, 4) != 0 || get32(reply, 8) != 1)
        return -ENODEV;

    stream.size = 0;
    put_reply_stream(&stream);
    put32(&stream, CMD_ENUMERATE_PHYSICAL_DEVICES);
    put32(&stream, GENERATE_REPLY);
    put64(&stream, INSTANCE_ID);
    put64(&stream, 1); /* pPhysicalDeviceCount */
    put32(&stream, 1);
    put64(&stream, 1); /* pPhysicalDevices */
    put64(&stream, DEVICE_ID);
    if (run(renderer, &stream) < 0)
        return -EIO;
    memcpy(reply, (const char *)shared, sizeof(reply));
    /* The reply: type, VkResult (VK_INCOMPLETE if there are more), pPhysicalDeviceCount, ... */
    if (get32(reply, 0) != CMD_ENUMERATE_PHYSICAL_DEVICES || (int32_t)get32(reply, 4) < 0 ||
        get32(reply, 16) == 0)
        return -ENODEV;
    device->is_only = get32(reply, 4) == 0;

    stream.size = 0;
    put_reply_stream(&stream);
    put32(&stream, CMD_GET_PHYSICAL_DEVICE_PROPERTIES2);
    put32(&stream, GENERATE_REPLY);
    put64(&stream, DEVICE_ID);
    put64(&stream, 1); /* pProperties: an output, of which only types and chain are sent */
    put32(&stream, STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2);
    put64(&stream, 1); /* pNext */
    put32(&stream, STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES);
    put64(&stream, 0); /* pNext */
    if (run(renderer, &stream) < 0)
        return -EIO;
    memcpy(reply, (const char *)shared, sizeof(reply));
    return read_device(reply, device);
}

/* A render server that finds an instance in a context at its end says so on the terminal. */
static int destroy_instance(const struct renderer *renderer)
{
    struct stream stream = { .size = 0 };
    put32(&stream, CMD_DESTROY_INSTANCE);
    put32(&stream, 0);
    put64(&stream, INSTANCE_ID);
    put64(&stream, 0); /* pAllocator */
    return run(renderer, &stream);
}

static int probe(const struct renderer *renderer, struct renderer_device *device)
{
    static const char context_name[] = "virtio-gpu-venus probe";
    const struct renderer_blob blob = {
        .resource_id = RESOURCE,
        .context_id = CONTEXT,
        .mem = VIRTIO_GPU_BLOB_MEM_HOST3D,
        .flags = VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE,
        .size = REPLY_SIZE,
    };
    void *reply;
    uint64_t reply_size;

    if (renderer->context_create(CONTEXT, context_name, sizeof(context_name) - 1) < 0)
        return -EIO;
    int ret = -EIO;
    if (renderer->blob_create(&blob) == 0) {
        renderer->attach(CONTEXT, RESOURCE);
        if (renderer->map(RESOURCE, &reply, &reply_size) == 0) {
            ret = ask(renderer, reply, device);
            if (ret == 0)
                ret = destroy_instance(renderer);
            renderer->unmap(RESOURCE);
        }
        renderer->resource_unref(RESOURCE);
    }
    renderer->context_destroy(CONTEXT);
    return ret;
}

int probe_first_device(const struct renderer *renderer, bool polls, struct renderer_device *device)
{
    clock_cond_init(&fence.changed);
    fence.polls = polls;
    int ret = probe(renderer, device);
    pthread_cond_destroy(&fence.changed); /* with its context, the fence is gone */
    return ret;
}
