/* SPDX-License-Identifier: MIT */
/*
 * See venus.h.
 *
 * A command is its number and its flags, then its arguments in their order. A pointer to one thing
 * is a 64-bit 1, or 0 for NULL, and the thing; an array is its length in 64 bits and its elements;
 * a handle that is created is a number of our choice. The numbers are those of the protocol's
 * VkCommandTypeEXT. A reply, where one is asked for, is written to the memory named before by
 * vkSetReplyCommandStreamMESA: the command's number, the result if it has one, then its outputs.
 */
#include "venus.h"

#include <string.h>
#include <vulkan/vulkan_core.h>

enum {
    CREATE_INSTANCE = 0,
    DESTROY_INSTANCE = 1,
    ENUMERATE_PHYSICAL_DEVICES = 2,
    GET_PHYSICAL_DEVICE_PROPERTIES = 6,
    GET_PHYSICAL_DEVICE_MEMORY_PROPERTIES = 8,
    CREATE_DEVICE = 11,
    DESTROY_DEVICE = 12,
    QUEUE_SUBMIT = 18,
    ALLOCATE_MEMORY = 21,
    FREE_MEMORY = 22,
    BIND_BUFFER_MEMORY = 28,
    GET_BUFFER_MEMORY_REQUIREMENTS = 30,
    CREATE_EVENT = 42,
    SET_EVENT = 45,
    CREATE_BUFFER = 50,
    DESTROY_BUFFER = 51,
    CREATE_COMMAND_POOL = 85,
    DESTROY_COMMAND_POOL = 86,
    ALLOCATE_COMMAND_BUFFERS = 88,
    BEGIN_COMMAND_BUFFER = 90,
    END_COMMAND_BUFFER = 91,
    CMD_COPY_BUFFER = 112,
    CMD_FILL_BUFFER = 118,
    CMD_WAIT_EVENTS = 125,
    GET_DEVICE_QUEUE_2 = 155,
    SET_REPLY_COMMAND_STREAM = 178,
    CREATE_RING = 188,
    GET_MEMORY_RESOURCE_PROPERTIES = 192,
    WAIT_VIRTQUEUE_SEQNO = 252,
    WAIT_RING_SEQNO = 253,

    GENERATE_REPLY = 1, /* a flag */
    /* VK_STRUCTURE_TYPE_..._MESA */
    RING_CREATE_INFO = 1000384000,
    MEMORY_RESOURCE_PROPERTIES = 1000384001,
    IMPORT_MEMORY_RESOURCE_INFO = 1000384002,
    DEVICE_QUEUE_TIMELINE_INFO = 1000384005,
    REPLY_SIZE = 4096,
};

struct stream {
    size_t size;
    char data[1024];
};

static void put32(struct stream *stream, uint32_t value)
{
    assert_true(stream->size + sizeof(value) <= sizeof(stream->data));
    memcpy(stream->data + stream->size, &value, sizeof(value));
    stream->size += sizeof(value);
}

static void put64(struct stream *stream, uint64_t value)
{
    put32(stream, (uint32_t)value);
    put32(stream, (uint32_t)(value >> 32));
}

static void put_null(struct stream *stream)
{
    put64(stream, 0);
}

/* What follows is pointed to. */
static void put_pointer(struct stream *stream)
{
    put64(stream, 1);
}

static void put_command(struct stream *stream, uint32_t command)
{
    put32(stream, command);
    put32(stream, 0);
}

/* A pointer to a structure without further ones in its chain: its type and pNext. */
static void put_structure(struct stream *stream, uint32_t type)
{
    put_pointer(stream);
    put32(stream, type);
    put_null(stream);
}

/* Start a stream whose only reply is the one to this command. */
static void start(const struct venus *venus, struct stream *stream, uint32_t command)
{
    stream->size = 0;
    put_command(stream, SET_REPLY_COMMAND_STREAM);
    put_pointer(stream);
    put32(stream, venus->reply_resource);
    put64(stream, 0);
    put64(stream, REPLY_SIZE);
    put32(stream, command);
    put32(stream, GENERATE_REPLY);
}

static uint32_t reply32(const struct venus *venus, size_t offset)
{
    uint32_t value;
    memcpy(&value, venus->reply + offset, sizeof(value));
    return value;
}

/* Send it and wait until it was executed. */
static void finish(struct venus *venus, const struct stream *stream)
{
    struct ticket *ticket =
        guest_submit_fenced(venus->guest, venus->context, 0, stream->data, stream->size);
    assert_ok(guest_wait(ticket));
}

/* The same for a command that the stream was started with, and its VkResult. */
static int32_t finish_and_tell(struct venus *venus, const struct stream *stream, uint32_t command)
{
    memset(venus->reply, 0xff, 8);
    finish(venus, stream);
    assert_int_equal(reply32(venus, 0), command);
    return (int32_t)reply32(venus, 4);
}

static void finish_with_result(struct venus *venus, const struct stream *stream, uint32_t command)
{
    assert_int_equal(finish_and_tell(venus, stream, command), VK_SUCCESS);
}

static uint64_t new_handle(struct venus *venus)
{
    return ++venus->last_handle;
}

static void create_instance(struct venus *venus)
{
    struct stream stream;
    venus->instance = new_handle(venus);
    start(venus, &stream, CREATE_INSTANCE);
    put_structure(&stream, VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO);
    put32(&stream, 0); /* flags */
    put_pointer(&stream);
    put32(&stream, VK_STRUCTURE_TYPE_APPLICATION_INFO);
    put_null(&stream);
    put_null(&stream); /* pApplicationName */
    put32(&stream, 0); /* applicationVersion */
    put_null(&stream); /* pEngineName */
    put32(&stream, 0); /* engineVersion */
    put32(&stream, VK_API_VERSION_1_1);
    put32(&stream, 0); /* layers */
    put_null(&stream);
    put32(&stream, 0); /* extensions */
    put_null(&stream);
    put_null(&stream); /* pAllocator */
    put_pointer(&stream);
    put64(&stream, venus->instance);
    finish_with_result(venus, &stream, CREATE_INSTANCE);
}

static void enumerate_physical_devices(struct venus *venus)
{
    struct stream stream;
    /* How many there are; then all, since fewer would be VK_INCOMPLETE. */
    start(venus, &stream, ENUMERATE_PHYSICAL_DEVICES);
    put64(&stream, venus->instance);
    put_pointer(&stream);
    put32(&stream, 0);
    put_null(&stream); /* pPhysicalDevices */
    finish_with_result(venus, &stream, ENUMERATE_PHYSICAL_DEVICES);
    uint32_t count = reply32(venus, 16);
    assert_uint_in_range(count, 1, 16);

    venus->physical_device = venus->last_handle + 1;
    start(venus, &stream, ENUMERATE_PHYSICAL_DEVICES);
    put64(&stream, venus->instance);
    put_pointer(&stream);
    put32(&stream, count);
    put64(&stream, count);
    for (uint32_t i = 0; i < count; i++)
        put64(&stream, new_handle(venus));
    finish_with_result(venus, &stream, ENUMERATE_PHYSICAL_DEVICES);
}

/* The first memory type that the host can see, without flushes. */
static void choose_memory_type(struct venus *venus)
{
    const uint32_t wanted =
        VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    struct stream stream;
    start(venus, &stream, GET_PHYSICAL_DEVICE_MEMORY_PROPERTIES);
    put64(&stream, venus->physical_device);
    put_pointer(&stream);
    put64(&stream, VK_MAX_MEMORY_TYPES); /* outputs: only how long the arrays are */
    put64(&stream, VK_MAX_MEMORY_HEAPS);
    finish(venus, &stream);
    assert_int_equal(reply32(venus, 0), GET_PHYSICAL_DEVICE_MEMORY_PROPERTIES);
    uint32_t count = reply32(venus, 12);
    for (uint32_t i = 0; i < count; i++) {
        /* propertyFlags and heapIndex, after the count and the array's length */
        if ((reply32(venus, 24 + 8 * i) & wanted) == wanted) {
            venus->memory_type = i;
            return;
        }
    }
    fail_msg("no memory that the host can see");
}

void venus_open(struct venus *venus, struct guest *guest, uint32_t context)
{
    *venus = (struct venus){ .guest = guest, .context = context };
    assert_ok(guest_context_create(guest, context));
    venus->reply_resource = guest_shm(guest, context, REPLY_SIZE, &venus->reply);
    create_instance(venus);
    enumerate_physical_devices(venus);
    choose_memory_type(venus);
}

int32_t venus_try_device(struct venus *venus)
{
    struct stream stream;
    const float priority = 1;
    uint32_t bits;
    memcpy(&bits, &priority, sizeof(bits));

    venus->device = new_handle(venus);
    start(venus, &stream, CREATE_DEVICE);
    put64(&stream, venus->physical_device);
    put_structure(&stream, VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO);
    put32(&stream, 0); /* flags */
    put32(&stream, 1); /* queueCreateInfoCount */
    put64(&stream, 1);
    put32(&stream, VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO);
    put_null(&stream);
    put32(&stream, 0); /* flags */
    put32(&stream, 0); /* queueFamilyIndex */
    put32(&stream, 1); /* queueCount */
    put64(&stream, 1);
    put32(&stream, bits);
    put32(&stream, 0); /* layers */
    put_null(&stream);
    put32(&stream, 0); /* extensions */
    put_null(&stream);
    put_null(&stream); /* pEnabledFeatures */
    put_null(&stream); /* pAllocator */
    put_pointer(&stream);
    put64(&stream, venus->device);
    return finish_and_tell(venus, &stream, CREATE_DEVICE);
}

static void get_queue(struct venus *venus)
{
    struct stream stream;
    venus->queue = new_handle(venus);
    start(venus, &stream, GET_DEVICE_QUEUE_2);
    put64(&stream, venus->device);
    put_pointer(&stream);
    put32(&stream, VK_STRUCTURE_TYPE_DEVICE_QUEUE_INFO_2);
    put_pointer(&stream); /* pNext */
    put32(&stream, DEVICE_QUEUE_TIMELINE_INFO);
    put_null(&stream);
    put32(&stream, VENUS_QUEUE_RING);
    put32(&stream, 0); /* flags */
    put32(&stream, 0); /* queueFamilyIndex */
    put32(&stream, 0); /* queueIndex */
    put_pointer(&stream);
    put64(&stream, venus->queue);
    finish(venus, &stream);
    assert_int_equal(reply32(venus, 0), GET_DEVICE_QUEUE_2);
}

static void create_command_pool(struct venus *venus)
{
    struct stream stream;
    venus->command_pool = new_handle(venus);
    start(venus, &stream, CREATE_COMMAND_POOL);
    put64(&stream, venus->device);
    put_structure(&stream, VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO);
    put32(&stream, 0); /* flags */
    put32(&stream, 0); /* queueFamilyIndex */
    put_null(&stream); /* pAllocator */
    put_pointer(&stream);
    put64(&stream, venus->command_pool);
    finish_with_result(venus, &stream, CREATE_COMMAND_POOL);
}

void venus_open_device(struct venus *venus)
{
    assert_int_equal(venus_try_device(venus), VK_SUCCESS);
    get_queue(venus);
    create_command_pool(venus);
}

void venus_open_all(struct venus *venus, struct guest *guest, uint32_t context)
{
    venus_open(venus, guest, context);
    venus_open_device(venus);
}

/* Commands of the form vkDestroy...(owner, object, NULL). */
static void destroy(struct venus *venus, uint32_t command, uint64_t owner, uint64_t object)
{
    struct stream stream;
    start(venus, &stream, command);
    put64(&stream, owner);
    put64(&stream, object);
    put_null(&stream); /* pAllocator */
    finish(venus, &stream);
    assert_int_equal(reply32(venus, 0), command);
}

/* Commands of the form vkDestroy...(object, NULL). */
static void destroy_owner(struct venus *venus, uint32_t command, uint64_t object)
{
    struct stream stream;
    start(venus, &stream, command);
    put64(&stream, object);
    put_null(&stream); /* pAllocator */
    finish(venus, &stream);
    assert_int_equal(reply32(venus, 0), command);
}

void venus_close(struct venus *venus)
{
    if (venus->device) {
        destroy(venus, DESTROY_COMMAND_POOL, venus->device, venus->command_pool);
        destroy_owner(venus, DESTROY_DEVICE, venus->device);
    }
    destroy_owner(venus, DESTROY_INSTANCE, venus->instance);
    assert_ok(guest_unmap(venus->guest, venus->reply_resource));
    assert_ok(guest_unref(venus->guest, venus->reply_resource));
    assert_ok(guest_context_destroy(venus->guest, venus->context));
}

void venus_device_name(struct venus *venus, char name[256])
{
    struct stream stream;
    start(venus, &stream, GET_PHYSICAL_DEVICE_PROPERTIES);
    put64(&stream, venus->physical_device);
    put_pointer(&stream); /* an output, of which nothing is sent */
    finish(venus, &stream);
    assert_int_equal(reply32(venus, 0), GET_PHYSICAL_DEVICE_PROPERTIES);
    /* The number, the pointer, five numbers and the name's length come before it. */
    memcpy(name, venus->reply + 4 + 8 + 5 * 4 + 8, 256);
    name[255] = '\0';
}

int32_t venus_try_allocate(struct venus *venus, uint64_t size, uint64_t *memory)
{
    struct stream stream;
    *memory = new_handle(venus);
    start(venus, &stream, ALLOCATE_MEMORY);
    put64(&stream, venus->device);
    put_structure(&stream, VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO);
    put64(&stream, size);
    put32(&stream, venus->memory_type);
    put_null(&stream); /* pAllocator */
    put_pointer(&stream);
    put64(&stream, *memory);
    return finish_and_tell(venus, &stream, ALLOCATE_MEMORY);
}

uint64_t venus_allocate(struct venus *venus, uint64_t size)
{
    uint64_t memory;
    assert_int_equal(venus_try_allocate(venus, size, &memory), VK_SUCCESS);
    return memory;
}

void venus_free(struct venus *venus, uint64_t memory)
{
    destroy(venus, FREE_MEMORY, venus->device, memory);
}

int32_t venus_import(struct venus *venus, uint32_t resource, uint64_t size, uint64_t *memory)
{
    struct stream stream;
    start(venus, &stream, GET_MEMORY_RESOURCE_PROPERTIES);
    put64(&stream, venus->device);
    put32(&stream, resource);
    put_structure(&stream, MEMORY_RESOURCE_PROPERTIES); /* an output */
    int32_t result = finish_and_tell(venus, &stream, GET_MEMORY_RESOURCE_PROPERTIES);
    if (result != VK_SUCCESS)
        return result;
    /* The number, the result, the pointer and the structure's head come before it. */
    assert_true(reply32(venus, 4 + 4 + 8 + 4 + 8) & UINT32_C(1) << venus->memory_type);

    *memory = new_handle(venus);
    start(venus, &stream, ALLOCATE_MEMORY);
    put64(&stream, venus->device);
    put_pointer(&stream);
    put32(&stream, VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO);
    put_structure(&stream, IMPORT_MEMORY_RESOURCE_INFO); /* pNext */
    put32(&stream, resource);
    put64(&stream, size);
    put32(&stream, venus->memory_type);
    put_null(&stream); /* pAllocator */
    put_pointer(&stream);
    put64(&stream, *memory);
    return finish_and_tell(venus, &stream, ALLOCATE_MEMORY);
}

uint32_t venus_blob(struct venus *venus, uint64_t size, uint64_t *memory)
{
    return venus_padded_blob(venus, size, size, memory);
}

uint32_t venus_padded_blob(struct venus *venus, uint64_t size, uint64_t blob_size, uint64_t *memory)
{
    uint64_t handle = venus_allocate(venus, size);
    uint32_t resource = guest_new_resource(venus->guest);
    assert_ok(guest_blob_create(venus->guest, venus->context, resource, VIRTIO_GPU_BLOB_MEM_HOST3D,
                                handle, blob_size, NULL, 0));
    assert_ok(guest_attach(venus->guest, venus->context, resource));
    if (memory)
        *memory = handle;
    return resource;
}

static uint64_t create_buffer(struct venus *venus, uint64_t size)
{
    struct stream stream;
    uint64_t buffer = new_handle(venus);
    start(venus, &stream, CREATE_BUFFER);
    put64(&stream, venus->device);
    put_structure(&stream, VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO);
    put32(&stream, 0); /* flags */
    put64(&stream, size);
    put32(&stream, VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT);
    put32(&stream, VK_SHARING_MODE_EXCLUSIVE);
    put32(&stream, 0); /* queue families */
    put_null(&stream);
    put_null(&stream); /* pAllocator */
    put_pointer(&stream);
    put64(&stream, buffer);
    finish_with_result(venus, &stream, CREATE_BUFFER);
    return buffer;
}

static void bind_buffer(struct venus *venus, uint64_t buffer, uint64_t memory)
{
    struct stream stream;
    start(venus, &stream, BIND_BUFFER_MEMORY);
    put64(&stream, venus->device);
    put64(&stream, buffer);
    put64(&stream, memory);
    put64(&stream, 0);
    finish_with_result(venus, &stream, BIND_BUFFER_MEMORY);
}

uint64_t venus_buffer(struct venus *venus, uint64_t memory, uint64_t size)
{
    uint64_t buffer = create_buffer(venus, size);
    bind_buffer(venus, buffer, memory);
    return buffer;
}

uint64_t venus_dedicated_buffer(struct venus *venus, uint64_t *size, uint64_t *memory)
{
    struct stream stream;
    uint64_t buffer = create_buffer(venus, *size);
    start(venus, &stream, GET_BUFFER_MEMORY_REQUIREMENTS);
    put64(&stream, venus->device);
    put64(&stream, buffer);
    put_pointer(&stream); /* an output, of which nothing is sent */
    finish(venus, &stream);
    assert_int_equal(reply32(venus, 0), GET_BUFFER_MEMORY_REQUIREMENTS);
    /* The number and the pointer come before the size; the alignment is between it and the types. */
    memcpy(size, venus->reply + 4 + 8, sizeof(*size));
    assert_true(reply32(venus, 4 + 8 + 8 + 8) & UINT32_C(1) << venus->memory_type);

    *memory = new_handle(venus);
    start(venus, &stream, ALLOCATE_MEMORY);
    put64(&stream, venus->device);
    put_pointer(&stream);
    put32(&stream, VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO);
    put_structure(&stream, VK_STRUCTURE_TYPE_MEMORY_DEDICATED_ALLOCATE_INFO);
    put64(&stream, 0); /* image */
    put64(&stream, buffer);
    put64(&stream, *size);
    put32(&stream, venus->memory_type);
    put_null(&stream); /* pAllocator */
    put_pointer(&stream);
    put64(&stream, *memory);
    finish_with_result(venus, &stream, ALLOCATE_MEMORY);
    bind_buffer(venus, buffer, *memory);
    return buffer;
}

void venus_destroy_buffer(struct venus *venus, uint64_t buffer)
{
    destroy(venus, DESTROY_BUFFER, venus->device, buffer);
}

/* vkQueueSubmit of one batch with up to one command buffer. */
static void put_queue_submit(struct venus *venus, struct stream *stream, uint64_t command_buffer)
{
    put_command(stream, QUEUE_SUBMIT);
    put64(stream, venus->queue);
    put32(stream, 1); /* submitCount */
    put64(stream, 1);
    put32(stream, VK_STRUCTURE_TYPE_SUBMIT_INFO);
    put_null(stream);
    put32(stream, 0); /* semaphores to wait for */
    put_null(stream);
    put_null(stream); /* pWaitDstStageMask */
    put32(stream, command_buffer ? 1 : 0);
    put64(stream, command_buffer ? 1 : 0);
    if (command_buffer)
        put64(stream, command_buffer);
    put32(stream, 0); /* semaphores to signal */
    put_null(stream);
    put64(stream, 0); /* fence */
}

struct ticket *venus_submit_nothing(struct venus *venus)
{
    struct stream stream = { .size = 0 };
    put_queue_submit(venus, &stream, 0);
    return guest_submit_fenced(venus->guest, venus->context, VENUS_QUEUE_RING, stream.data,
                               stream.size);
}

static uint64_t new_command_buffer(struct venus *venus)
{
    struct stream stream;
    uint64_t command_buffer = new_handle(venus);
    start(venus, &stream, ALLOCATE_COMMAND_BUFFERS);
    put64(&stream, venus->device);
    put_structure(&stream, VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO);
    put64(&stream, venus->command_pool);
    put32(&stream, VK_COMMAND_BUFFER_LEVEL_PRIMARY);
    put32(&stream, 1);
    put64(&stream, 1);
    put64(&stream, command_buffer);
    finish_with_result(venus, &stream, ALLOCATE_COMMAND_BUFFERS);
    return command_buffer;
}

/* Start a stream that begins a new command buffer. */
static uint64_t begin_work(struct venus *venus, struct stream *stream)
{
    uint64_t command_buffer = new_command_buffer(venus);
    stream->size = 0;
    put_command(stream, BEGIN_COMMAND_BUFFER);
    put64(stream, command_buffer);
    put_structure(stream, VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO);
    put32(stream, VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT);
    put_null(stream); /* pInheritanceInfo */
    return command_buffer;
}

static struct ticket *submit_work(struct venus *venus, struct stream *stream,
                                  uint64_t command_buffer)
{
    put_command(stream, END_COMMAND_BUFFER);
    put64(stream, command_buffer);
    put_queue_submit(venus, stream, command_buffer);
    return guest_submit_fenced(venus->guest, venus->context, VENUS_QUEUE_RING, stream->data,
                               stream->size);
}

struct ticket *venus_fill(struct venus *venus, uint64_t buffer, uint32_t value, uint64_t event)
{
    struct stream stream;
    uint64_t command_buffer = begin_work(venus, &stream);
    if (event) {
        put_command(&stream, CMD_WAIT_EVENTS);
        put64(&stream, command_buffer);
        put32(&stream, 1);
        put64(&stream, 1);
        put64(&stream, event);
        put32(&stream, VK_PIPELINE_STAGE_HOST_BIT);
        put32(&stream, VK_PIPELINE_STAGE_TRANSFER_BIT);
        for (int i = 0; i < 3; i++) { /* barriers: memory, buffers, images */
            put32(&stream, 0);
            put_null(&stream);
        }
    }
    put_command(&stream, CMD_FILL_BUFFER);
    put64(&stream, command_buffer);
    put64(&stream, buffer);
    put64(&stream, 0);
    put64(&stream, VK_WHOLE_SIZE);
    put32(&stream, value);
    return submit_work(venus, &stream, command_buffer);
}

struct ticket *venus_copy(struct venus *venus, uint64_t from, uint64_t to, uint64_t size)
{
    struct stream stream;
    uint64_t command_buffer = begin_work(venus, &stream);
    put_command(&stream, CMD_COPY_BUFFER);
    put64(&stream, command_buffer);
    put64(&stream, from);
    put64(&stream, to);
    put32(&stream, 1);
    put64(&stream, 1);
    put64(&stream, 0); /* from its start */
    put64(&stream, 0); /* to its start */
    put64(&stream, size);
    return submit_work(venus, &stream, command_buffer);
}

uint64_t venus_event(struct venus *venus)
{
    struct stream stream;
    uint64_t event = new_handle(venus);
    start(venus, &stream, CREATE_EVENT);
    put64(&stream, venus->device);
    put_structure(&stream, VK_STRUCTURE_TYPE_EVENT_CREATE_INFO);
    put32(&stream, 0); /* flags */
    put_null(&stream); /* pAllocator */
    put_pointer(&stream);
    put64(&stream, event);
    finish_with_result(venus, &stream, CREATE_EVENT);
    return event;
}

void venus_set_event(struct venus *venus, uint64_t event)
{
    struct stream stream;
    start(venus, &stream, SET_EVENT);
    put64(&stream, venus->device);
    put64(&stream, event);
    finish_with_result(venus, &stream, SET_EVENT);
}

uint32_t venus_send_garbage(struct guest *guest, uint32_t context)
{
    uint32_t garbage[64];
    memset(garbage, 0xee, sizeof(garbage));
    return guest_submit(guest, context, garbage, sizeof(garbage));
}

/* Where what is in the shared memory of the ring. */
enum {
    RING_HEAD = 0,
    RING_TAIL = 64,
    RING_STATUS = 128,
    RING_BUFFER = PAGE,
    RING_BUFFER_SIZE = PAGE,
    RING_EXTRA = 2 * PAGE,
    RING_EXTRA_SIZE = PAGE,
    RING_SIZE = 16 * PAGE,
    RING_ID = 7,
    RING_IDLE_US = 1000000,
};

static void create_ring(struct guest *guest, uint32_t context, uint32_t resource)
{
    struct stream stream = { .size = 0 };
    put_command(&stream, CREATE_RING);
    put64(&stream, RING_ID);
    put_structure(&stream, RING_CREATE_INFO);
    put32(&stream, 0); /* flags */
    put32(&stream, resource);
    put64(&stream, 0); /* offset */
    put64(&stream, RING_SIZE);
    put64(&stream, RING_IDLE_US);
    put64(&stream, RING_HEAD);
    put64(&stream, RING_TAIL);
    put64(&stream, RING_STATUS);
    put64(&stream, RING_BUFFER);
    put64(&stream, RING_BUFFER_SIZE);
    put64(&stream, RING_EXTRA);
    put64(&stream, RING_EXTRA_SIZE);
    assert_ok(guest_submit(guest, context, stream.data, stream.size));
    /* Once this is answered, the ring has its thread. */
    assert_ok(guest_wait(guest_submit_fenced(guest, context, 0, NULL, 0)));
}

void venus_deadlock(struct guest *guest, uint32_t context)
{
    struct stream stream = { .size = 0 };
    char *ring;
    create_ring(guest, context, guest_shm(guest, context, RING_SIZE, &ring));

    put_command(&stream, WAIT_VIRTQUEUE_SEQNO);
    put64(&stream, 1);
    memcpy(ring + RING_BUFFER, stream.data, stream.size);
    __atomic_store_n((uint32_t *)(void *)(ring + RING_TAIL), (uint32_t)stream.size,
                     __ATOMIC_SEQ_CST);

    uint64_t end = stream.size;
    stream.size = 0;
    put_command(&stream, WAIT_RING_SEQNO);
    put64(&stream, RING_ID);
    put64(&stream, end);
    assert_ok(guest_submit(guest, context, stream.data, stream.size));
}
