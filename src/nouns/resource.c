/* SPDX-License-Identifier: MIT */
/*
 * See resource.h. Commands RESOURCE_CREATE_2D, RESOURCE_CREATE_BLOB, RESOURCE_UNREF,
 * RESOURCE_ATTACH_BACKING, RESOURCE_DETACH_BACKING and RESOURCE_ASSIGN_UUID (specification, 5.7.6.8).
 *
 * The renderer knows resources whose memory is its own: HOST3D and HOST3D_GUEST blobs. 2D resources
 * live in shared memory of ours, of which it hears once a Venus context has one (share.h), guest blobs
 * in the guest's pages.
 */
#include "nouns/resource.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/pages.h"
#include "base/stream.h"
#include "command/backing.h"
#include "memory/blob-memory.h"
#include "memory/memory.h"
#include "memory/pinned.h"
#include "memory/placement.h"
#include "nouns/context.h"
#include "nouns/handlers.h"
#include "nouns/ledger.h"
#include "nouns/parts.h"
#include "nouns/scanout.h"
#include "nouns/share.h"

struct resources {
    struct resource *by_id;
};

struct resources *resources_create(void)
{
    return calloc(1, sizeof(struct resources));
}

void resources_destroy(struct resources *resources)
{
    free(resources);
}

struct resource *resource_next(struct venus_gpu *gpu, struct resource *resource)
{
    assert_device_thread(&gpu->services);
    return resource ? resource->hh.next : gpu->resources->by_id;
}

struct resource *resource_find(struct venus_gpu *gpu, uint32_t id)
{
    assert_device_thread(&gpu->services);
    struct resource *resource;
    HASH_FIND(hh, gpu->resources->by_id, &id, sizeof(id), resource);
    return resource;
}

struct resource *resource_find_or_refuse(struct venus_gpu *gpu, struct command *cmd, uint32_t id)
{
    struct resource *resource = resource_find(gpu, id);
    if (!resource)
        command_error(cmd, VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID, "no resource %u", id);
    return resource;
}

/* A new resource in the table, which the budget has room for. NULL if there is no memory. */
static struct resource *put_into_table(struct venus_gpu *gpu, uint32_t id)
{
    struct resource *resource = calloc(1, sizeof(*resource));
    if (!resource)
        return NULL;
    resource->id = id;
    LIST_INIT(&resource->attachments);
    HASH_ADD(hh, gpu->resources->by_id, id, sizeof(resource->id), resource);
    if (resource->hh.tbl)
        return resource;
    free(resource);
    return NULL;
}

/* A new resource in the table, or NULL with *error set and logged. */
static struct resource *resource_new(struct venus_gpu *gpu, struct command *cmd, uint32_t id,
                                     enum virtio_gpu_ctrl_type *error)
{
    *error = VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
    if (id == 0 || resource_find(gpu, id)) {
        command_error(cmd, *error, id ? "resource %u exists" : "resource %u is reserved", id);
        return NULL;
    }
    *error = VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
    if (!budget_take(&gpu->services.budget, BUDGET_RESOURCES, 1)) {
        command_error(cmd, *error, "%u resources are all it may have (max_resources)",
                      gpu->services.config.max_resources);
        return NULL;
    }
    if (!budget_take(&gpu->services.budget, BUDGET_DESCRIPTORS, 1)) {
        command_error(cmd, *error,
                      "resources take up the %llu descriptors that they may have already "
                      "(RLIMIT_NOFILE)",
                      (unsigned long long)gpu->services.budget.most[BUDGET_DESCRIPTORS]);
        budget_give_back(&gpu->services.budget, BUDGET_RESOURCES, 1);
        return NULL;
    }
    struct resource *resource = put_into_table(gpu, id);
    if (resource)
        return resource;
    budget_give_back(&gpu->services.budget, BUDGET_DESCRIPTORS, 1);
    budget_give_back(&gpu->services.budget, BUDGET_RESOURCES, 1);
    command_error(cmd, *error, "out of memory");
    return NULL;
}

static bool counts_as_blob_memory(const struct resource *resource)
{
    return resource->in_renderer && resource->mem != RESOURCE_2D;
}

static void enter(struct venus_gpu *gpu, struct resource *resource, struct account *account,
                  uint64_t bytes)
{
    resource->account = account;
    resource->held = bytes;
    ledger_put(gpu->ledger, account, bytes);
}

static void destroy(struct venus_gpu *gpu, struct resource *resource)
{
    scanout_forget_resource(gpu, resource);
    window_unmap(gpu, resource);
    context_detach_everywhere(gpu, resource);

    memory_unref(resource->memory);
    if (resource->in_renderer && !pins_take_over(gpu->pins, resource->id))
        gpu->services.renderer->resource_unref(resource->id);
    if (resource->in_renderer && resource->mem == RESOURCE_2D)
        budget_give_back(&gpu->services.budget, BUDGET_DESCRIPTORS, 1);
    share_end(gpu, resource);
    backing_destroy(&gpu->services, resource->backing);

    budget_give_back(&gpu->services.budget, BUDGET_DESCRIPTORS, 1);
    budget_give_back(&gpu->services.budget, BUDGET_RESOURCES, 1);
    if (counts_as_blob_memory(resource))
        budget_give_back(&gpu->services.budget, BUDGET_BLOB_MEMORY, resource->held);
    if (resource->mem == RESOURCE_2D && resource->format)
        stat_sub(&gpu->services.stats, STAT_RESOURCES_2D, 1);
    else if (resource->mem != RESOURCE_2D)
        stat_sub(&gpu->services.stats, STAT_BLOBS, 1);

    ledger_take_off(gpu->ledger, resource->account, resource->held);
    HASH_DEL(gpu->resources->by_id, resource);
    free(resource);
}

/* false: no picture has such a size. */
static bool describe_2d(struct resource *resource, const struct venus_gpu_format *format,
                        uint32_t width, uint32_t height)
{
    if (!width || !height || width > UINT32_MAX / format->bytes_per_pixel)
        return false;
    resource->format = format;
    resource->width = width;
    resource->height = height;
    resource->stride = width * format->bytes_per_pixel;
    resource->size = (uint64_t)resource->stride * height;
    return true;
}

enum virtio_gpu_ctrl_type resource_create_2d(struct venus_gpu *gpu, struct command *cmd,
                                             const void *request)
{
    const struct virtio_gpu_resource_create_2d *req = request;
    uint32_t width = le32(req->width), height = le32(req->height);

    const struct venus_gpu_format *format = venus_gpu_format_lookup(le32(req->format));
    if (!format)
        return command_error(cmd, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER, "no format %u",
                             le32(req->format));
    struct resource picture;
    if (!describe_2d(&picture, format, width, height))
        return command_error(cmd, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER, "a size of %u x %u", width,
                             height);

    enum virtio_gpu_ctrl_type error;
    struct resource *resource = resource_new(gpu, cmd, le32(req->resource_id), &error);
    if (!resource)
        return error;

    describe_2d(resource, format, width, height);
    stat_add(&gpu->services.stats, STAT_RESOURCES_2D, 1);
    resource->memory = memory_create(&gpu->services, resource->size);
    if (!resource->memory) {
        error =
            command_error(cmd, VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY,
                          "no memory for %u x %u pixels, of which it may have %llu MiB in all "
                          "(max_memory)",
                          width, height, (unsigned long long)gpu->services.config.max_memory >> 20);
        destroy(gpu, resource);
        return error;
    }
    enter(gpu, resource, ledger_common(gpu->ledger), resource->size);
    return VIRTIO_GPU_RESP_OK_NODATA;
}

/* What is wrong with the fields of a RESOURCE_CREATE_BLOB, or NULL. */
static const char *blob_mistake(const struct virtio_gpu_resource_create_blob *req)
{
    uint32_t mem = le32(req->blob_mem);
    uint32_t known = VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE | VIRTIO_GPU_BLOB_FLAG_USE_SHAREABLE |
                     VIRTIO_GPU_BLOB_FLAG_USE_CROSS_DEVICE;

    if (mem < VIRTIO_GPU_BLOB_MEM_GUEST || mem > VIRTIO_GPU_BLOB_MEM_HOST3D_GUEST)
        return "an unknown kind of blob memory";
    if (le32(req->blob_flags) & ~known)
        return "unknown flags";
    if (!page_round(le64(req->size)) || page_round(le64(req->size)) > SIZE_MAX / 2)
        return "an impossible size";
    if (mem == VIRTIO_GPU_BLOB_MEM_HOST3D && le32(req->nr_entries))
        return "guest memory for a HOST3D blob";
    if (mem != VIRTIO_GPU_BLOB_MEM_HOST3D && !le32(req->nr_entries))
        return "no guest memory";
    return NULL;
}

/* So much more is on the way to its context's account. */
static bool take_blob_memory(struct venus_gpu *gpu, struct command *cmd, struct context *context,
                             struct resource *resource, uint64_t size)
{
    if (!budget_take(&gpu->services.budget, BUDGET_BLOB_MEMORY, size)) {
        command_error(cmd, VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY,
                      "%llu bytes more than it may have (max_blob_memory)",
                      (unsigned long long)size);
        return false;
    }
    if (!context_may_hold(gpu, context, resource->held + size)) {
        budget_give_back(&gpu->services.budget, BUDGET_BLOB_MEMORY, size);
        return false;
    }
    resource->held += size;
    return true;
}

static void give_back_blob_memory(struct venus_gpu *gpu, struct resource *resource)
{
    budget_give_back(&gpu->services.budget, BUDGET_BLOB_MEMORY, resource->held);
    resource->held = 0;
}

/*
 * A blob may be smaller than the Vulkan memory that it is made of, and hold all of that after the guest's program has
 * freed it. So it counts with what is there, as far as its descriptor says.
 */
static enum virtio_gpu_ctrl_type create_in_renderer(struct venus_gpu *gpu, struct command *cmd,
                                                    struct resource *resource, uint64_t blob_id)
{
    struct context *context = context_find(gpu, cmd->hdr.ctx_id);
    if (!context)
        return command_error(cmd, VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID, "no such context");
    if (!context->renders)
        return command_error(cmd, VIRTIO_GPU_RESP_ERR_UNSPEC,
                             "the context is not for Venus, or lost");
    if (pins_have(gpu->pins, resource->id, true))
        return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID; /* while the device is being reset, or for good */
    if (!take_blob_memory(gpu, cmd, context, resource, resource->size))
        return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;

    struct renderer_blob blob = {
        .resource_id = resource->id,
        .context_id = context->id,
        .mem = resource->mem,
        .flags = resource->blob_flags,
        .id = blob_id,
        .size = resource->size,
        .iov = resource->backing ? resource->backing->iov : NULL,
        .num_iov = resource->backing ? resource->backing->num_iov : 0,
    };
    int ret = gpu->services.renderer->blob_create(&blob);
    /* Of a dma-buf virglrenderer gives no more than there is, and a guest's kernel rounds up to its own pages. What is
     * really there is seen when it is mapped. */
    if (ret < 0 && blob_id && !blob.num_iov && placement_least(blob.size) < blob.size) {
        blob.size = placement_least(blob.size);
        ret = gpu->services.renderer->blob_create(&blob);
    }
    inbox_answered(&context->inbox);
    if (ret < 0) {
        give_back_blob_memory(gpu, resource);
        context_check(gpu, context);
        return command_error(cmd, VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY,
                             "the renderer has no blob %llu of %llu bytes",
                             (unsigned long long)blob_id, (unsigned long long)resource->size);
    }
    uint64_t behind = blob_id ? placement_memory_size(gpu->services.renderer, resource->id) : 0;
    if (behind > resource->size &&
        !take_blob_memory(gpu, cmd, context, resource, behind - resource->size)) {
        gpu->services.renderer->resource_unref(resource->id);
        give_back_blob_memory(gpu, resource);
        return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
    }
    resource->in_renderer = true;
    resource->context_id = context->id;
    enter(gpu, resource, context->account, resource->held);
    if (resource->blob_flags & VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE)
        window_expect(gpu, resource->size);
    return VIRTIO_GPU_RESP_OK_NODATA;
}

enum virtio_gpu_ctrl_type resource_create_blob(struct venus_gpu *gpu, struct command *cmd,
                                               const void *request)
{
    const struct virtio_gpu_resource_create_blob *req = request;
    const char *mistake = blob_mistake(req);
    if (mistake)
        return command_error(cmd, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER, "%s", mistake);

    enum virtio_gpu_ctrl_type error;
    struct resource *resource = resource_new(gpu, cmd, le32(req->resource_id), &error);
    if (!resource)
        return error;
    resource->mem = le32(req->blob_mem);
    resource->blob_flags = le32(req->blob_flags);
    resource->size = le64(req->size);
    stat_add(&gpu->services.stats, STAT_BLOBS, 1);

    error = VIRTIO_GPU_RESP_OK_NODATA;
    if (resource->mem != VIRTIO_GPU_BLOB_MEM_HOST3D) {
        resource->backing = backing_create(&gpu->services, &gpu->bell, cmd, sizeof(*req),
                                           le32(req->nr_entries), &error);
        if (!resource->backing)
            goto fail;
        error = VIRTIO_GPU_RESP_OK_NODATA;
        if (resource->backing->size < resource->size) {
            error = command_error(cmd, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
                                  "%llu bytes of guest memory for a blob of %llu",
                                  (unsigned long long)resource->backing->size,
                                  (unsigned long long)resource->size);
            goto fail;
        }
    }
    if (resource->mem != VIRTIO_GPU_BLOB_MEM_GUEST)
        error = create_in_renderer(gpu, cmd, resource, le64(req->blob_id));
    if (error != VIRTIO_GPU_RESP_OK_NODATA)
        goto fail;
    if (!resource->account)
        enter(gpu, resource, ledger_common(gpu->ledger), 0);
    stat_add(&gpu->services.stats, STAT_BLOBS_CREATED, 1);
    return VIRTIO_GPU_RESP_OK_NODATA;

fail:
    destroy(gpu, resource);
    return error;
}

enum virtio_gpu_ctrl_type resource_unref(struct venus_gpu *gpu, struct command *cmd,
                                         const void *request)
{
    const struct virtio_gpu_resource_unref *req = request;
    struct resource *resource = resource_find_or_refuse(gpu, cmd, le32(req->resource_id));
    if (!resource)
        return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
    destroy(gpu, resource);
    return VIRTIO_GPU_RESP_OK_NODATA;
}

void resource_destroy_all(struct venus_gpu *gpu)
{
    assert_device_thread(&gpu->services);
    struct resource *resource, *next;
    HASH_ITER(hh, gpu->resources->by_id, resource, next) {
        destroy(gpu, resource);
    }
}

enum virtio_gpu_ctrl_type resource_attach_backing(struct venus_gpu *gpu, struct command *cmd,
                                                  const void *request)
{
    const struct virtio_gpu_resource_attach_backing *req = request;
    struct resource *resource = resource_find_or_refuse(gpu, cmd, le32(req->resource_id));
    if (!resource)
        return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
    if (resource->mem != RESOURCE_2D)
        return command_error(cmd, VIRTIO_GPU_RESP_ERR_UNSPEC,
                             "resource %u is a blob, which gets its memory when it is created",
                             resource->id);
    if (resource->backing)
        return command_error(cmd, VIRTIO_GPU_RESP_ERR_UNSPEC, "resource %u has a backing",
                             resource->id);

    enum virtio_gpu_ctrl_type error;
    resource->backing = backing_create(&gpu->services, &gpu->bell, cmd, sizeof(*req),
                                       le32(req->nr_entries), &error);
    return resource->backing ? VIRTIO_GPU_RESP_OK_NODATA : error;
}

enum virtio_gpu_ctrl_type resource_detach_backing(struct venus_gpu *gpu, struct command *cmd,
                                                  const void *request)
{
    const struct virtio_gpu_resource_detach_backing *req = request;
    struct resource *resource = resource_find_or_refuse(gpu, cmd, le32(req->resource_id));
    if (!resource)
        return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
    if (resource->mem != RESOURCE_2D || !resource->backing)
        return command_error(cmd, VIRTIO_GPU_RESP_ERR_UNSPEC,
                             "resource %u has no backing that could be detached", resource->id);
    backing_destroy(&gpu->services, resource->backing);
    resource->backing = NULL;
    return VIRTIO_GPU_RESP_OK_NODATA;
}

enum virtio_gpu_ctrl_type resource_assign_uuid(struct venus_gpu *gpu, struct command *cmd,
                                               const void *request)
{
    const struct virtio_gpu_resource_assign_uuid *req = request;
    struct resource *resource = resource_find_or_refuse(gpu, cmd, le32(req->resource_id));
    if (!resource)
        return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;

    if (!resource->has_uuid) {
        if (getentropy(resource->uuid, sizeof(resource->uuid)) < 0)
            return command_error(cmd, VIRTIO_GPU_RESP_ERR_UNSPEC, "the host has no random numbers");
        resource->uuid[6] = (resource->uuid[6] & 0x0f) | 0x40; /* version 4: random (RFC 9562) */
        resource->uuid[8] = (resource->uuid[8] & 0x3f) | 0x80; /* variant of that RFC */
        resource->has_uuid = true;
    }
    memcpy(cmd->response.uuid.uuid, resource->uuid, sizeof(resource->uuid));
    cmd->response_size = sizeof(cmd->response.uuid);
    return VIRTIO_GPU_RESP_OK_RESOURCE_UUID;
}

struct memory *resource_mapping(struct venus_gpu *gpu, struct resource *resource,
                                bool placed_in_vain)
{
    assert_device_thread(&gpu->services);
    if (resource->memory)
        return resource->memory->ptr ? resource->memory : NULL;

    if (resource->in_renderer) {
        if (resource->blob_flags & VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE)
            resource->memory = blob_memory_create(&gpu->services, gpu->pins, resource->id,
                                                  resource->size, placed_in_vain);
    } else if (resource->backing) {
        resource->memory = memory_alias_pages(&gpu->services, resource->backing->iov,
                                              resource->backing->num_iov, resource->size);
        if (resource->memory) {
            stat_add(&gpu->services.stats, STAT_GUEST_ALIASES, 1);
        } else {
            resource->memory = memory_create(&gpu->services, resource->size);
            resource->memory_is_copy = resource->memory;
        }
    }
    return resource->memory;
}

struct memory *resource_memory(struct venus_gpu *gpu, struct resource *resource)
{
    return resource_mapping(gpu, resource, false);
}

struct memory *resource_gpu_memory(struct venus_gpu *gpu, struct resource *resource)
{
    assert_device_thread(&gpu->services);
    if (!resource->memory && resource->in_renderer &&
        !(resource->blob_flags & VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE))
        resource->memory =
            blob_memory_create_unmapped(&gpu->services, resource->id, resource->size);
    return resource->memory ? resource->memory : resource_memory(gpu, resource);
}

void resource_refresh(struct venus_gpu *gpu, struct resource *resource, uint64_t offset,
                      uint64_t size)
{
    assert_device_thread(&gpu->services);
    if (!resource->memory_is_copy || offset > resource->size || size > resource->size - offset)
        return;
    struct backing_cursor cursor = { .backing = resource->backing };
    backing_read(&cursor, offset, (char *)resource->memory->ptr + offset, size);
    stat_add(&gpu->services.stats, STAT_GUEST_COPIES, 1);
    stat_add(&gpu->services.stats, STAT_GUEST_COPY_BYTES, size);
}

/* ---- saving and loading -------------------------------------------------------------------------- */

/* A picture's format, size and bytes, for which there has to be room in the budget. */
static void stream_picture(struct venus_gpu *gpu, struct resource *resource, struct stream *stream)
{
    uint32_t format = resource->format ? resource->format->virtio : 0;
    uint32_t width = resource->width, height = resource->height;
    stream_u32(stream, &format);
    stream_u32(stream, &width);
    stream_u32(stream, &height);
    if (!stream->saves) {
        const struct venus_gpu_format *known = venus_gpu_format_lookup(format);
        if (!known || !describe_2d(resource, known, width, height)) {
            stream_fail(stream, -EINVAL, "a picture of %u x %u pixels of format %u", width, height,
                        format);
            return;
        }
        stat_add(&gpu->services.stats, STAT_RESOURCES_2D, 1);
        if (!stream_holds(stream, resource->size, 1))
            return;
        resource->memory = memory_create(&gpu->services, resource->size);
        if (!resource->memory) {
            stream_fail(stream, -ENOMEM, "there is no memory for %u x %u pixels (max_memory)",
                        width, height);
            return;
        }
    }
    stream_bytes(stream, resource->memory->ptr, resource->size);
    share_stream(gpu, resource, stream);
}

static void stream_blob(struct venus_gpu *gpu, struct resource *resource, struct stream *stream)
{
    stream_u32(stream, &resource->blob_flags);
    stream_u64(stream, &resource->size);
    if (stream->saves)
        return;
    stat_add(&gpu->services.stats, STAT_BLOBS, 1);
    const struct virtio_gpu_resource_create_blob req = {
        .blob_mem = le32(resource->mem),
        .blob_flags = le32(resource->blob_flags),
        .size = le64(resource->size),
        .nr_entries = le32(1),
    };
    const char *mistake = blob_mistake(&req);
    if (mistake)
        stream_fail(stream, -EINVAL, "a blob with %s", mistake);
}

static void stream_one(struct venus_gpu *gpu, struct resource *resource, struct stream *stream)
{
    stream_u32(stream, &resource->mem);
    if (resource->mem != RESOURCE_2D && resource->mem != VIRTIO_GPU_BLOB_MEM_GUEST)
        stream_fail(stream, -EINVAL, "a resource with memory of kind %u", resource->mem);
    stream_bool(stream, &resource->has_uuid);
    stream_bytes(stream, resource->uuid, sizeof(resource->uuid));
    if (stream->error && !stream->saves)
        resource->mem = RESOURCE_2D; /* nothing of it has been counted */
    if (stream->error)
        return;
    if (resource->mem == RESOURCE_2D)
        stream_picture(gpu, resource, stream);
    else
        stream_blob(gpu, resource, stream);

    bool has_backing = resource->backing;
    stream_bool(stream, &has_backing);
    if (has_backing && !stream->error)
        resource->backing = backing_stream(&gpu->services, resource->backing, stream);
    if (!stream->error && resource->mem != RESOURCE_2D &&
        (!resource->backing || resource->backing->size < resource->size))
        stream_fail(stream, -EINVAL, "a blob that is larger than its memory");
    context_stream_attachments(gpu, resource, stream);
}

static struct resource *load_new(struct venus_gpu *gpu, uint32_t id, struct stream *stream)
{
    if (id == 0 || resource_find(gpu, id)) {
        stream_fail(stream, -EINVAL, "a resource %u%s", id, id ? " for the second time" : "");
        return NULL;
    }
    struct budget *budget = &gpu->services.budget;
    if (!budget_take(budget, BUDGET_RESOURCES, 1)) {
        stream_fail(stream, -ENOMEM, "there are more resources than there may be (max_resources)");
        return NULL;
    }
    struct resource *resource = NULL;
    if (!budget_take(budget, BUDGET_DESCRIPTORS, 1)) {
        stream_fail(stream, -ENOMEM, "there are no descriptors left (RLIMIT_NOFILE)");
    } else {
        resource = put_into_table(gpu, id);
        if (resource)
            return resource;
        budget_give_back(budget, BUDGET_DESCRIPTORS, 1);
        stream_fail(stream, -ENOMEM, "out of memory");
    }
    budget_give_back(budget, BUDGET_RESOURCES, 1);
    return NULL;
}

static void load_one(struct venus_gpu *gpu, struct stream *stream)
{
    uint32_t id = 0;
    stream_u32(stream, &id);
    struct resource *resource = stream->error ? NULL : load_new(gpu, id, stream);
    if (!resource)
        return;
    stream_one(gpu, resource, stream);
    if (stream->error)
        destroy(gpu, resource);
    else
        enter(gpu, resource, ledger_common(gpu->ledger),
              resource->mem == RESOURCE_2D ? resource->size : 0);
}

void resource_stream(struct venus_gpu *gpu, struct stream *stream)
{
    assert_device_thread(&gpu->services);
    uint32_t count = HASH_COUNT(gpu->resources->by_id);
    stream_u32(stream, &count);
    struct resource *resource;
    if (stream->saves) {
        for (resource = gpu->resources->by_id; resource; resource = resource->hh.next) {
            stream_u32(stream, &resource->id);
            stream_one(gpu, resource, stream);
        }
        return;
    }
    for (uint32_t i = 0; i < count && !stream->error; i++)
        load_one(gpu, stream);
}
