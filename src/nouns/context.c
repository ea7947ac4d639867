/* SPDX-License-Identifier: MIT */
/*
 * See context.h. Commands CTX_CREATE, CTX_DESTROY, CTX_ATTACH_RESOURCE, CTX_DETACH_RESOURCE and
 * SUBMIT_3D (specification, 5.7.6.9).
 *
 * A context is for Venus, or for nothing: Linux makes a context that names no capability set for each
 * client of the display that has only 2D buffers, such as its own console. It is an id that resources
 * can be attached to; the renderer does not hear of it, and it takes no command streams.
 *
 * A Venus context whose render server process is gone is *lost*: what it submits is refused, its fences
 * signal, and everything else in the device goes on. It stays until the guest destroys it.
 */
#include "nouns/context.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/stream.h"
#include "command/fence.h"
#include "memory/pinned.h"
#include "nouns/handlers.h"
#include "nouns/ledger.h"
#include "nouns/parts.h"
#include "nouns/resource.h"
#include "nouns/share.h"
#include "renderer/session.h"

struct contexts {
    struct context *by_id;
    void *scratch; /* for command streams, grows to what was needed */
    size_t scratch_size;
};

struct contexts *contexts_create(void)
{
    return calloc(1, sizeof(struct contexts));
}

void contexts_destroy(struct contexts *contexts)
{
    if (contexts)
        free(contexts->scratch);
    free(contexts);
}

struct context *context_next(struct venus_gpu *gpu, struct context *context)
{
    assert_device_thread(&gpu->services);
    return context ? context->hh.next : gpu->contexts->by_id;
}

struct context *context_find(struct venus_gpu *gpu, uint32_t id)
{
    assert_device_thread(&gpu->services);
    struct context *context;
    HASH_FIND(hh, gpu->contexts->by_id, &id, sizeof(id), context);
    return context;
}

static struct context *find_or_refuse(struct venus_gpu *gpu, struct command *cmd)
{
    struct context *context = context_find(gpu, cmd->hdr.ctx_id);
    if (!context)
        command_error(cmd, VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID, "no such context");
    return context;
}

static bool has_rendering_context(const struct venus_gpu *gpu)
{
    const struct context *context;
    for (context = gpu->contexts->by_id; context; context = context->hh.next) {
        if (context->renders)
            return true;
    }
    return false;
}

/*
 * Start the renderer anew if its server is gone and nothing of it is in use, so that the next
 * context can be created. Contexts that are lost, or not for Venus, do not use it. Returns whether
 * it did.
 */
static bool revive_renderer(struct venus_gpu *gpu)
{
    /* If it was the server that went, contexts went with it that we have not asked since. */
    context_check_all(gpu);
    /* Only the program can be started anew, not a connection that was handed to us. */
    if (has_rendering_context(gpu) || budget_taken(&gpu->services.budget, BUDGET_BLOB_MEMORY) ||
        pins_have_any(gpu->pins) || !session_can_be_renewed(gpu->session))
        return false;

    log_line(&gpu->services.log, VENUS_GPU_LOG_WARNING,
             "the render server is gone: starting a new one");
    char *error = NULL;
    struct resource *resource = NULL;
    while ((resource = resource_next(gpu, resource)))
        share_take_back(gpu, resource);
    session_stop(gpu->session);
    if (session_start(gpu->session, &error) == 0)
        return true;
    log_line(&gpu->services.log, VENUS_GPU_LOG_ERROR, "%s",
             error ? error : "it could not be started");
    free(error);
    return false;
}

static int create_in_renderer(struct venus_gpu *gpu, uint32_t id, const char *name, uint32_t nlen)
{
    session_learn_capset(gpu->session);
    int ret = gpu->services.renderer->context_create(id, name, nlen);
    if (ret < 0 && revive_renderer(gpu))
        ret = gpu->services.renderer->context_create(id, name, nlen);
    return ret;
}

/* The checks are done, and there is room for one more. */
static enum virtio_gpu_ctrl_type create(struct venus_gpu *gpu, struct command *cmd, bool renders,
                                        const char *name, uint32_t nlen)
{
    uint32_t id = cmd->hdr.ctx_id;
    struct context *context = calloc(1, sizeof(*context));
    if (!context)
        return command_error(cmd, VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY, "out of memory");
    context->id = context->inbox.context_id = id;
    context->renders = renders;
    LIST_INIT(&context->attachments);

    if (renders && create_in_renderer(gpu, id, name, nlen) < 0) {
        free(context);
        log_line(&gpu->services.log, VENUS_GPU_LOG_ERROR,
                 "the render server could not start a process for context %u", id);
        return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
    }
    context->account = ledger_open(gpu->ledger, id, name, nlen,
                                   renders ? VENUS_GPU_CONTEXT_RENDERS : VENUS_GPU_CONTEXT_PLAIN,
                                   renders ? gpu->services.renderer->newest_process() : 0);
    if (context->account)
        HASH_ADD(hh, gpu->contexts->by_id, id, sizeof(context->id), context);
    if (!context->hh.tbl) {
        if (context->account)
            ledger_close(gpu->ledger, context->account);
        if (renders)
            gpu->services.renderer->context_destroy(id);
        free(context);
        return command_error(cmd, VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY, "out of memory");
    }
    stat_add(&gpu->services.stats, STAT_CONTEXTS_CREATED, 1);
    return VIRTIO_GPU_RESP_OK_NODATA;
}

enum virtio_gpu_ctrl_type context_create(struct venus_gpu *gpu, struct command *cmd,
                                         const void *request)
{
    const struct virtio_gpu_ctx_create *req = request;
    uint32_t id = cmd->hdr.ctx_id;
    uint32_t nlen = le32(req->nlen);
    uint32_t capset = le32(req->context_init) & VIRTIO_GPU_CONTEXT_INIT_CAPSET_ID_MASK;

    if (id == 0 || context_find(gpu, id))
        return command_error(cmd, VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID,
                             id ? "the context exists" : "context 0 is reserved");
    if (capset != VIRTIO_GPU_CAPSET_VENUS && capset != 0)
        return command_error(cmd, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
                             "capability set %u is not Venus (%u)", capset,
                             VIRTIO_GPU_CAPSET_VENUS);
    if (nlen > sizeof(req->debug_name))
        return command_error(cmd, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER, "a name of %u bytes",
                             nlen);
    if (!budget_take(&gpu->services.budget, BUDGET_CONTEXTS, 1))
        return command_error(cmd, VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY,
                             "%u contexts are all it may have (max_contexts)",
                             gpu->services.config.max_contexts);
    enum virtio_gpu_ctrl_type result =
        create(gpu, cmd, capset == VIRTIO_GPU_CAPSET_VENUS, req->debug_name, nlen);
    if (result != VIRTIO_GPU_RESP_OK_NODATA)
        budget_give_back(&gpu->services.budget, BUDGET_CONTEXTS, 1);
    return result;
}

/* NULL: there is no memory, or there are enough. */
static struct attachment *attachment_new(struct venus_gpu *gpu)
{
    if (!budget_take(&gpu->services.budget, BUDGET_ATTACHMENTS, 1))
        return NULL;
    struct attachment *attachment = malloc(sizeof(*attachment));
    if (!attachment)
        budget_give_back(&gpu->services.budget, BUDGET_ATTACHMENTS, 1);
    return attachment;
}

static void attachment_free(struct venus_gpu *gpu, struct attachment *attachment)
{
    free(attachment);
    budget_give_back(&gpu->services.budget, BUDGET_ATTACHMENTS, 1);
}

/* in_renderer: the renderer is to be told, since the context lives on. */
static void detach(struct venus_gpu *gpu, struct attachment *attachment, bool in_renderer)
{
    struct context *context = attachment->context;
    if (in_renderer && attachment->resource->in_renderer && context->renders) {
        gpu->services.renderer->detach(context->id, attachment->resource->id);
        context_sent(gpu, context, 0);
    }
    LIST_REMOVE(attachment, in_context);
    LIST_REMOVE(attachment, in_resource);
    attachment_free(gpu, attachment);
}

static void destroy(struct venus_gpu *gpu, struct context *context)
{
    if (context->renders)
        gpu->services.renderer->context_destroy(context->id);
    fence_signal_context(gpu->fences, context->id);
    struct attachment *attachment, *next;
    for (attachment = LIST_FIRST(&context->attachments); attachment; attachment = next) {
        next = LIST_NEXT(attachment, in_context);
        detach(gpu, attachment, false);
    }
    HASH_DEL(gpu->contexts->by_id, context);
    ledger_close(gpu->ledger, context->account);
    free(context);
    budget_give_back(&gpu->services.budget, BUDGET_CONTEXTS, 1);
}

enum virtio_gpu_ctrl_type context_destroy(struct venus_gpu *gpu, struct command *cmd,
                                          const void *request)
{
    (void)request;
    struct context *context = find_or_refuse(gpu, cmd);
    if (!context)
        return VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID;
    destroy(gpu, context);
    return VIRTIO_GPU_RESP_OK_NODATA;
}

void context_destroy_all(struct venus_gpu *gpu)
{
    assert_device_thread(&gpu->services);
    struct context *context, *next;
    HASH_ITER(hh, gpu->contexts->by_id, context, next) {
        destroy(gpu, context);
    }
}

static struct attachment *find_attachment(struct context *context, struct resource *resource)
{
    struct attachment *attachment;
    /* A resource belongs to one or two contexts; a context has thousands of resources. */
    LIST_FOREACH(attachment, &resource->attachments, in_resource) {
        if (attachment->context == context)
            return attachment;
    }
    return NULL;
}

static void attach_in_renderer(struct venus_gpu *gpu, struct context *context, uint32_t resource_id)
{
    gpu->services.renderer->attach(context->id, resource_id);
    context_sent(gpu, context, 0);
}

enum virtio_gpu_ctrl_type context_attach_resource(struct venus_gpu *gpu, struct command *cmd,
                                                  const void *request)
{
    const struct virtio_gpu_ctx_resource *req = request;
    struct context *context = find_or_refuse(gpu, cmd);
    if (!context)
        return VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID;
    struct resource *resource = resource_find_or_refuse(gpu, cmd, le32(req->resource_id));
    if (!resource)
        return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;

    struct attachment *attachment = find_attachment(context, resource);
    if (attachment) {
        attachment->count++;
        return VIRTIO_GPU_RESP_OK_NODATA;
    }
    attachment = attachment_new(gpu);
    if (!attachment)
        return command_error(cmd, VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY,
                             "contexts may have resources %llu times, and there must be memory",
                             (unsigned long long)gpu->services.budget.most[BUDGET_ATTACHMENTS]);
    if (context->renders && resource->mem == RESOURCE_2D && !resource->in_renderer &&
        share_with_renderer(gpu, resource) < 0) {
        attachment_free(gpu, attachment);
        return command_error(cmd, VIRTIO_GPU_RESP_ERR_UNSPEC,
                             "the renderer does not take the memory of resource %u", resource->id);
    }
    *attachment = (struct attachment){ .context = context, .resource = resource, .count = 1 };
    LIST_INSERT_HEAD(&context->attachments, attachment, in_context);
    LIST_INSERT_HEAD(&resource->attachments, attachment, in_resource);
    if (resource->in_renderer && context->renders)
        attach_in_renderer(gpu, context, resource->id);
    return VIRTIO_GPU_RESP_OK_NODATA;
}

enum virtio_gpu_ctrl_type context_detach_resource(struct venus_gpu *gpu, struct command *cmd,
                                                  const void *request)
{
    const struct virtio_gpu_ctx_resource *req = request;
    struct context *context = find_or_refuse(gpu, cmd);
    if (!context)
        return VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID;
    struct resource *resource = resource_find_or_refuse(gpu, cmd, le32(req->resource_id));
    if (!resource)
        return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;

    struct attachment *attachment = find_attachment(context, resource);
    if (!attachment)
        return command_error(cmd, VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID,
                             "resource %u is not attached", resource->id);
    if (--attachment->count == 0)
        detach(gpu, attachment, true);
    return VIRTIO_GPU_RESP_OK_NODATA;
}

void context_detach_everywhere(struct venus_gpu *gpu, struct resource *resource)
{
    assert_device_thread(&gpu->services);
    while (!LIST_EMPTY(&resource->attachments))
        detach(gpu, LIST_FIRST(&resource->attachments), true);
}

void context_sent(struct venus_gpu *gpu, struct context *context, uint32_t size)
{
    assert_device_thread(&gpu->services);
    if (context->renders && !inbox_sent(&context->inbox, gpu->fences, size))
        context_failed(gpu, context);
}

void context_end(struct venus_gpu *gpu, struct context *context)
{
    assert_device_thread(&gpu->services);
    context->renders = false;
    ledger_lose(gpu->ledger, context->account);
    gpu->services.renderer->context_destroy(context->id);
    fence_signal_context(gpu->fences, context->id);
}

bool context_may_hold(struct venus_gpu *gpu, struct context *context, uint64_t size)
{
    assert_device_thread(&gpu->services);
    uint64_t most = gpu->services.config.max_context_memory;
    uint64_t held = account_bytes(context->account);
    if (size <= most && held <= most - size)
        return true;
    stat_add(&gpu->services.stats, STAT_CONTEXTS_LOST, 1);
    log_line(
        &gpu->services.log, VENUS_GPU_LOG_ERROR,
        "context %u (%s) is ended: with %llu bytes in blobs it asks for %llu more than it may have "
        "(max_context_memory, %llu)",
        context->id, account_name(context->account), (unsigned long long)held,
        (unsigned long long)size, (unsigned long long)most);
    context_end(gpu, context);
    return false;
}

void context_failed(struct venus_gpu *gpu, struct context *context)
{
    assert_device_thread(&gpu->services);
    stat_add(&gpu->services.stats, STAT_CONTEXTS_LOST, 1);
    log_line(&gpu->services.log, VENUS_GPU_LOG_ERROR,
             "context %u is lost: its render server process is gone or refused what it was sent",
             context->id);
    context_end(gpu, context);
}

void context_check(struct venus_gpu *gpu, struct context *context)
{
    assert_device_thread(&gpu->services);
    if (context->renders && !fence_can_be_made(gpu->fences, context->id, &context->inbox.asked))
        context_failed(gpu, context);
}

void context_check_all(struct venus_gpu *gpu)
{
    struct context *context;
    for (context = gpu->contexts->by_id; context; context = context->hh.next)
        context_check(gpu, context);
}

/*
 * Venus sends most commands over rings in shared memory, and here some kilobytes at a time. The buffer
 * that they are copied to is kept.
 */
enum { MAX_STREAM_SIZE = 16 << 20 };

/* A buffer of at least that size, kept for the next command stream. */
static void *scratch(struct contexts *contexts, size_t size)
{
    if (size > contexts->scratch_size) {
        void *buffer = realloc(contexts->scratch, size);
        if (!buffer)
            return NULL;
        contexts->scratch = buffer;
        contexts->scratch_size = size;
    }
    return contexts->scratch;
}

enum virtio_gpu_ctrl_type context_submit(struct venus_gpu *gpu, struct command *cmd,
                                         const void *request)
{
    const struct virtio_gpu_cmd_submit *req = request;
    uint32_t size = le32(req->size);

    struct context *context = find_or_refuse(gpu, cmd);
    if (!context)
        return VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID;
    if (!context->renders)
        return command_error(cmd, VIRTIO_GPU_RESP_ERR_UNSPEC,
                             "the context is not for Venus, or lost");
    if (size % 4 || size > cmd->readable - sizeof(*req) || size > MAX_STREAM_SIZE)
        return command_error(cmd, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
                             "a command stream of %u bytes in a command of %zu", size,
                             cmd->readable);
    stat_add(&gpu->services.stats, STAT_SUBMITS, 1);
    stat_add(&gpu->services.stats, STAT_SUBMIT_BYTES, size);
    if (size == 0)
        return VIRTIO_GPU_RESP_OK_NODATA;

    void *data = scratch(gpu->contexts, size);
    if (!data)
        return command_error(cmd, VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY, "out of memory");
    command_read(cmd, sizeof(*req), data, size);
    if (gpu->services.renderer->submit(context->id, data, size) < 0) {
        context_failed(gpu, context);
        return VIRTIO_GPU_RESP_ERR_UNSPEC;
    }
    context_sent(gpu, context, size);
    return VIRTIO_GPU_RESP_OK_NODATA;
}

/* ---- saving and loading -------------------------------------------------------------------------- */

static void load_one(struct venus_gpu *gpu, uint32_t id, const char *name, size_t len,
                     struct stream *stream)
{
    if (id == 0 || context_find(gpu, id)) {
        stream_fail(stream, -EINVAL, "a context %u%s", id, id ? " for the second time" : "");
        return;
    }
    if (!budget_take(&gpu->services.budget, BUDGET_CONTEXTS, 1)) {
        stream_fail(stream, -ENOMEM, "there are more contexts than there may be (max_contexts)");
        return;
    }
    struct context *context = calloc(1, sizeof(*context));
    if (context) {
        context->id = context->inbox.context_id = id;
        LIST_INIT(&context->attachments);
        context->account =
            ledger_open(gpu->ledger, id, name, (uint32_t)len, VENUS_GPU_CONTEXT_PLAIN, 0);
        if (context->account)
            HASH_ADD(hh, gpu->contexts->by_id, id, sizeof(context->id), context);
        if (context->hh.tbl)
            return;
        if (context->account)
            ledger_close(gpu->ledger, context->account);
    }
    free(context);
    budget_give_back(&gpu->services.budget, BUDGET_CONTEXTS, 1);
    stream_fail(stream, -ENOMEM, "out of memory");
}

void context_stream(struct venus_gpu *gpu, struct stream *stream)
{
    assert_device_thread(&gpu->services);
    uint32_t count = HASH_COUNT(gpu->contexts->by_id);
    stream_u32(stream, &count);
    const struct context *context = gpu->contexts->by_id;
    for (uint32_t i = 0; i < count && !stream->error; i++) {
        char name[sizeof(((struct venus_gpu_context *)NULL)->name)] = "";
        uint32_t id = 0;
        if (stream->saves) {
            id = context->id;
            memcpy(name, account_name(context->account), sizeof(name));
            context = context->hh.next;
        }
        stream_u32(stream, &id);
        stream_bytes(stream, name, sizeof(name));
        if (!stream->saves && !stream->error)
            load_one(gpu, id, name, sizeof(name), stream);
    }
}

static void load_attachment(struct venus_gpu *gpu, struct resource *resource, struct stream *stream)
{
    uint32_t id = 0;
    uint64_t count = 0;
    stream_u32(stream, &id);
    stream_u64(stream, &count);
    if (stream->error)
        return;
    struct context *context = context_find(gpu, id);
    if (!context || !count || find_attachment(context, resource)) {
        stream_fail(stream, -EINVAL, "resource %u is attached to context %u in a wrong way",
                    resource->id, id);
        return;
    }
    struct attachment *attachment = attachment_new(gpu);
    if (!attachment) {
        stream_fail(stream, -ENOMEM, "out of memory, or of attachments");
        return;
    }
    *attachment = (struct attachment){ .context = context, .resource = resource, .count = count };
    LIST_INSERT_HEAD(&context->attachments, attachment, in_context);
    LIST_INSERT_HEAD(&resource->attachments, attachment, in_resource);
}

void context_stream_attachments(struct venus_gpu *gpu, struct resource *resource,
                                struct stream *stream)
{
    assert_device_thread(&gpu->services);
    uint32_t num = 0;
    struct attachment *attachment;
    LIST_FOREACH(attachment, &resource->attachments, in_resource) {
        num++;
    }
    stream_u32(stream, &num);
    if (stream->saves) {
        LIST_FOREACH(attachment, &resource->attachments, in_resource) {
            stream_u32(stream, &attachment->context->id);
            stream_u64(stream, &attachment->count);
        }
        return;
    }
    for (uint32_t i = 0; i < num && !stream->error; i++)
        load_attachment(gpu, resource, stream);
}
