/* SPDX-License-Identifier: MIT */
/*
 * See fake-renderer.h.
 *
 * A blob's memory is a memfd, seen through up to two mappings: the GPU's, which lives as long as
 * the blob and is the test's, and the renderer's, which lives from map() to unmap() and is the
 * library's. Only pinned memory is different: one private mapping, which is both.
 */
#include "fake-renderer.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/queue.h>
#include <unistd.h>

#include "base/protocol.h"
#include "../memory-file.h"

enum { CAPSET_VERSION = 2, CAPSET_SIZE = 160, MAX_CALLS = 256 };

struct fake_context {
    uint32_t id;
    LIST_ENTRY(fake_context) link;
};

struct fake_blob {
    uint32_t id;
    enum fake_memory memory;
    size_t size;              /* whole pages */
    int fd;                   /* -1: pinned */
    enum renderer_fd fd_type; /* LENT only */
    char *gpu;                /* the GPU's mapping */
    char *mapping;            /* the renderer's, or NULL */
    LIST_ENTRY(fake_blob) link;
};

struct fake_attachment {
    uint32_t context_id, resource_id;
    LIST_ENTRY(fake_attachment) link;
};

struct fake_fence {
    uint32_t context_id, ring_idx;
    uint64_t id;
    TAILQ_ENTRY(fake_fence) link;
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;     /* the fence thread waits here */
    pthread_cond_t interrupted; /* a call that hangs waits here */

    bool running, blobs_may_be_left;
    struct renderer_events events;
    void *opaque;
    LIST_HEAD(, fake_context) contexts;
    LIST_HEAD(, fake_blob) blobs;
    LIST_HEAD(, fake_attachment) attachments;
    TAILQ_HEAD(, fake_fence) fences;

    bool polls;       /* there is no such thread */
    pthread_t thread; /* signals fences; runs while `running` */

    char misuse[256]; /* the first one, or "" */
    enum fake_memory memory;
    size_t missing;        /* 0: a page */
    uint64_t refused_from; /* larger blobs are refused; 0: none */
    struct {
        enum renderer_fd type;
        int fd;
        void *ptr;
    } lent;
    struct renderer_device device;
    uint32_t map_info;
    enum fake_fences fence_mode;
    struct {
        int error;
        unsigned after, times;
    } fail[FAKE_CALLS];

    pid_t process;         /* 0: this one */
    uint32_t busy_context; /* 0: none */
    enum fake_call hang;   /* FAKE_CALLS: none */
    bool hanging;          /* a call waits to be interrupted */
    uint32_t hanging_context;

    unsigned count[FAKE_CALLS];
    struct fake_record last[FAKE_CALLS];
    enum fake_call calls[MAX_CALLS];
    size_t num_calls;
    char *submitted;
    size_t submitted_size;
} fake = { .lock = PTHREAD_MUTEX_INITIALIZER,
           .changed = PTHREAD_COND_INITIALIZER,
           .interrupted = PTHREAD_COND_INITIALIZER };

static void misuse(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void misuse(const char *format, ...)
{
    if (fake.misuse[0])
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(fake.misuse, sizeof(fake.misuse), format, args);
    va_end(args);
}

static size_t round_up(size_t size)
{
    size_t mask = (size_t)sysconf(_SC_PAGESIZE) - 1;
    return (size + mask) & ~mask;
}

/* Wait to be interrupted if this call is to hang. With the lock held. */
static int hang(const struct fake_record *call)
{
    if (fake.hang != call->call)
        return 0;
    fake.hang = FAKE_CALLS;
    fake.hanging = true;
    fake.hanging_context = call->context_id;
    while (fake.hanging)
        pthread_cond_wait(&fake.interrupted, &fake.lock);
    return -EIO;
}

static void interrupt(uint32_t context_id)
{
    pthread_mutex_lock(&fake.lock);
    fake.count[FAKE_INTERRUPT]++;
    fake.last[FAKE_INTERRUPT] =
        (struct fake_record){ .call = FAKE_INTERRUPT, .context_id = context_id };
    if (fake.hanging && (!context_id || context_id == fake.hanging_context)) {
        fake.hanging = false;
        pthread_cond_broadcast(&fake.interrupted);
    }
    pthread_mutex_unlock(&fake.lock);
}

/* Note a call. Returns the error that it is to fail with, or 0. With the lock held. */
static int record(const struct fake_record *call)
{
    enum fake_call kind = call->call;
    fake.count[kind]++;
    fake.last[kind] = *call;
    if (fake.num_calls < MAX_CALLS)
        fake.calls[fake.num_calls++] = kind;
    if (!fake.running && kind != FAKE_INIT && kind != FAKE_CONTEXT_CREATE)
        misuse("call %d while the renderer does not run", kind);

    int interrupted = hang(call);
    if (interrupted)
        return interrupted;
    if (!fake.fail[kind].times)
        return 0;
    if (fake.fail[kind].after) {
        fake.fail[kind].after--;
        return 0;
    }
    fake.fail[kind].times--;
    return fake.fail[kind].error;
}

static struct fake_context *find_context(uint32_t id)
{
    struct fake_context *context;
    LIST_FOREACH(context, &fake.contexts, link) {
        if (context->id == id)
            return context;
    }
    return NULL;
}

static struct fake_blob *find_blob(uint32_t id)
{
    struct fake_blob *blob;
    LIST_FOREACH(blob, &fake.blobs, link) {
        if (blob->id == id)
            return blob;
    }
    return NULL;
}

static struct fake_attachment *find_attachment(uint32_t context_id, uint32_t resource_id)
{
    struct fake_attachment *attachment;
    LIST_FOREACH(attachment, &fake.attachments, link) {
        if (attachment->context_id == context_id && attachment->resource_id == resource_id)
            return attachment;
    }
    return NULL;
}

/* Take the oldest fence of a ring off the list. */
static struct fake_fence *take_fence(uint32_t context_id, uint32_t ring_idx)
{
    struct fake_fence *fence;
    TAILQ_FOREACH(fence, &fake.fences, link) {
        if (fence->context_id == context_id && fence->ring_idx == ring_idx) {
            TAILQ_REMOVE(&fake.fences, fence, link);
            return fence;
        }
    }
    return NULL;
}

/* Take the oldest fence off the list that is to signal by itself. */
static struct fake_fence *take_due_fence(void)
{
    struct fake_fence *fence;
    TAILQ_FOREACH(fence, &fake.fences, link) {
        if (fence->ring_idx == 0 && fence->context_id == fake.busy_context)
            continue;
        if (fake.fence_mode != FAKE_FENCES_WHEN_SAID || fence->ring_idx == 0) {
            TAILQ_REMOVE(&fake.fences, fence, link);
            return fence;
        }
    }
    return NULL;
}

/* Report a fence, without the lock, as a renderer's thread would. */
static void report_id(uint64_t fence_id)
{
    pthread_mutex_lock(&fake.lock);
    const struct renderer_events events = fake.events;
    void *opaque = fake.opaque;
    pthread_mutex_unlock(&fake.lock);
    events.fence(opaque, fence_id);
}

static void report(struct fake_fence *fence)
{
    report_id(fence->id);
    free(fence);
}

static void *fence_thread(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&fake.lock);
    while (fake.running) {
        struct fake_fence *fence = take_due_fence();
        if (fence) {
            pthread_mutex_unlock(&fake.lock);
            report(fence);
            pthread_mutex_lock(&fake.lock);
        } else {
            pthread_cond_wait(&fake.changed, &fake.lock);
        }
    }
    pthread_mutex_unlock(&fake.lock);
    return NULL;
}

/* ---- struct renderer ------------------------------------------------------------------------- */

static void poll_fences(void)
{
    struct fake_fence *fence;
    if (!fake.polls)
        misuse("polled, though it reports by itself");
    do {
        pthread_mutex_lock(&fake.lock);
        fence = take_due_fence();
        pthread_mutex_unlock(&fake.lock);
        if (fence)
            report(fence);
    } while (fence);
}

static int init(const struct renderer_config *config, char **error)
{
    (void)error;
    pthread_mutex_lock(&fake.lock);
    int ret = record(&(struct fake_record){ .call = FAKE_INIT });
    if (fake.running)
        misuse("started while it runs");
    if (ret == 0) {
        fake.events = *config->events;
        fake.opaque = config->opaque;
        fake.running = true;
        fake.polls = config->polls_fences;
        if (!fake.polls && pthread_create(&fake.thread, NULL, fence_thread, NULL))
            abort();
    }
    pthread_mutex_unlock(&fake.lock);
    if (config->server_fd >= 0)
        close(config->server_fd);
    return ret;
}

void fake_set_process(pid_t process)
{
    pthread_mutex_lock(&fake.lock);
    fake.process = process;
    pthread_mutex_unlock(&fake.lock);
}

void fake_let_blobs_be_left(void)
{
    fake.blobs_may_be_left = true;
}

static void fini(void)
{
    pthread_mutex_lock(&fake.lock);
    record(&(struct fake_record){ .call = FAKE_FINI });
    bool was_running = fake.running;
    if (!LIST_EMPTY(&fake.contexts))
        misuse("ended while context %u lives", LIST_FIRST(&fake.contexts)->id);
    if (!LIST_EMPTY(&fake.blobs) && !fake.blobs_may_be_left)
        misuse("ended while blob %u lives", LIST_FIRST(&fake.blobs)->id);
    fake.running = false;
    pthread_cond_signal(&fake.changed);
    pthread_mutex_unlock(&fake.lock);
    if (was_running && !fake.polls)
        pthread_join(fake.thread, NULL);
}

static int first_device(struct renderer_device *device, char **error)
{
    (void)error;
    pthread_mutex_lock(&fake.lock);
    int ret = record(&(struct fake_record){ .call = FAKE_DEVICE_NAME });
    if (ret == 0)
        *device = fake.device;
    pthread_mutex_unlock(&fake.lock);
    return ret;
}

static void limit_memory(uint64_t bytes)
{
    pthread_mutex_lock(&fake.lock);
    record(&(struct fake_record){ .call = FAKE_LIMIT_MEMORY, .size = bytes });
    pthread_mutex_unlock(&fake.lock);
}

static int capset_info(uint32_t *max_version, uint32_t *max_size)
{
    pthread_mutex_lock(&fake.lock);
    int ret = record(&(struct fake_record){ .call = FAKE_CAPSET_INFO });
    pthread_mutex_unlock(&fake.lock);
    *max_version = CAPSET_VERSION;
    *max_size = CAPSET_SIZE;
    return ret;
}

static void capset_fill(uint32_t version, void *data)
{
    pthread_mutex_lock(&fake.lock);
    record(&(struct fake_record){ .call = FAKE_CAPSET_FILL });
    if (version > CAPSET_VERSION)
        misuse("capability set of version %u", version);
    pthread_mutex_unlock(&fake.lock);
    for (unsigned i = 0; i < CAPSET_SIZE; i++)
        ((uint8_t *)data)[i] = (uint8_t)(version * 16 + i);
}

static int context_create(uint32_t context_id, const char *name, uint32_t name_len)
{
    struct fake_record call = { .call = FAKE_CONTEXT_CREATE,
                                .context_id = context_id,
                                .size = name_len };
    memcpy(call.name, name, name_len < 64 ? name_len : 64);
    pthread_mutex_lock(&fake.lock);
    int ret = record(&call);
    if (name_len > 64)
        misuse("a context's name of %u bytes", name_len);
    if (context_id == 0 || find_context(context_id))
        misuse("context %u created twice", context_id);
    if (!fake.running)
        ret = -EIO;
    if (ret == 0) {
        struct fake_context *context = calloc(1, sizeof(*context));
        context->id = context_id;
        LIST_INSERT_HEAD(&fake.contexts, context, link);
    }
    pthread_mutex_unlock(&fake.lock);
    return ret;
}

/* All are served by this one, unless a test has another. */
static pid_t newest_process(void)
{
    pthread_mutex_lock(&fake.lock);
    pid_t process = fake.process ? fake.process : getpid();
    pthread_mutex_unlock(&fake.lock);
    return process;
}

static void context_destroy(uint32_t context_id)
{
    struct fake_fence *fence, *next_fence;
    struct fake_attachment *attachment, *next;

    pthread_mutex_lock(&fake.lock);
    record(&(struct fake_record){ .call = FAKE_CONTEXT_DESTROY, .context_id = context_id });
    struct fake_context *context = find_context(context_id);
    if (context) {
        LIST_REMOVE(context, link);
        free(context);
    } else {
        misuse("destroyed context %u, which does not exist", context_id);
    }
    /* Its fences are never heard of again. */
    for (fence = TAILQ_FIRST(&fake.fences); fence; fence = next_fence) {
        next_fence = TAILQ_NEXT(fence, link);
        if (fence->context_id == context_id) {
            TAILQ_REMOVE(&fake.fences, fence, link);
            free(fence);
        }
    }
    for (attachment = LIST_FIRST(&fake.attachments); attachment; attachment = next) {
        next = LIST_NEXT(attachment, link);
        if (attachment->context_id == context_id) {
            LIST_REMOVE(attachment, link);
            free(attachment);
        }
    }
    pthread_mutex_unlock(&fake.lock);
}

static int submit(uint32_t context_id, void *data, size_t size)
{
    pthread_mutex_lock(&fake.lock);
    int ret = record(
        &(struct fake_record){ .call = FAKE_SUBMIT, .context_id = context_id, .size = size });
    if (!find_context(context_id))
        misuse("submitted to context %u, which does not exist", context_id);
    if ((uintptr_t)data % 8 || size % 4)
        misuse("a command stream of %zu bytes at %p", size, data);
    free(fake.submitted);
    fake.submitted = malloc(size);
    memcpy(fake.submitted, data, size);
    fake.submitted_size = size;
    pthread_mutex_unlock(&fake.lock);
    return ret;
}

static int fence(uint32_t context_id, uint32_t ring_idx, uint64_t fence_id)
{
    struct fake_fence *new = NULL;

    pthread_mutex_lock(&fake.lock);
    int ret = record(&(struct fake_record){ .call = ring_idx ? FAKE_FENCE : FAKE_FENCE_0,
                                            .context_id = context_id,
                                            .ring_idx = ring_idx,
                                            .id = fence_id });
    if (!find_context(context_id))
        misuse("a fence of context %u, which does not exist", context_id);
    if (ring_idx > VIRTIO_GPU_MAX_RING_IDX)
        misuse("a fence on ring %u", ring_idx);
    if (ret == 0) {
        new = calloc(1, sizeof(*new));
        *new =
            (struct fake_fence){ .context_id = context_id, .ring_idx = ring_idx, .id = fence_id };
        if (fake.fence_mode != FAKE_FENCES_AT_ONCE) {
            TAILQ_INSERT_TAIL(&fake.fences, new, link);
            new = NULL;
            pthread_cond_signal(&fake.changed);
        }
    }
    pthread_mutex_unlock(&fake.lock);
    if (new)
        report(new);
    return ret;
}

static bool is_pinned(const struct fake_blob *blob)
{
    return blob->memory == FAKE_PINNED || blob->memory == FAKE_SMALL_PINNED;
}

/* How much less than the blob there is of it. */
static size_t missing(const struct fake_blob *blob)
{
    if (blob->memory < FAKE_SHORT || blob->memory > FAKE_SMALL_PINNED)
        return 0;
    return fake.missing ? fake.missing : (size_t)sysconf(_SC_PAGESIZE);
}

/* A guest may ask for more than there is. */
static int blob_memory(struct fake_blob *blob)
{
    int flags = MAP_SHARED;
    size_t file_size = blob->size - missing(blob);

    blob->fd = -1;
    if (blob->memory == FAKE_LENT) {
        blob->fd = fcntl(fake.lent.fd, F_DUPFD_CLOEXEC, 0);
        blob->fd_type = fake.lent.type;
        blob->gpu = fake.lent.ptr;
        return blob->fd < 0 ? -ENOMEM : 0;
    }
    if (is_pinned(blob)) {
        flags = MAP_PRIVATE | MAP_ANONYMOUS;
    } else {
        blob->fd = memory_file(blob->memory != FAKE_UNSEALABLE);
        if (blob->fd < 0)
            return -ENOMEM;
        if (ftruncate(blob->fd, (off_t)file_size) < 0)
            goto fail;
    }
    blob->gpu = mmap(NULL, blob->size, PROT_READ | PROT_WRITE, flags | MAP_NORESERVE, blob->fd, 0);
    if (blob->gpu != MAP_FAILED)
        return 0;
fail:
    if (blob->fd >= 0)
        close(blob->fd);
    return -ENOMEM;
}

static int blob_create(const struct renderer_blob *args)
{
    pthread_mutex_lock(&fake.lock);
    int ret = record(&(struct fake_record){ .call = FAKE_BLOB_CREATE,
                                            .context_id = args->context_id,
                                            .resource_id = args->resource_id,
                                            .mem = args->mem,
                                            .flags = args->flags,
                                            .id = args->id,
                                            .size = args->size,
                                            .num_iov = args->num_iov });
    if (!find_context(args->context_id))
        misuse("a blob of context %u, which does not exist", args->context_id);
    if (find_blob(args->resource_id))
        misuse("blob %u created twice", args->resource_id);
    if ((args->mem == VIRTIO_GPU_BLOB_MEM_HOST3D_GUEST) != (args->num_iov > 0))
        misuse("blob %u of kind %u with %u pieces of guest memory", args->resource_id, args->mem,
               args->num_iov);
    if (fake.refused_from && args->size > fake.refused_from)
        ret = -EIO;
    if (ret == 0) {
        struct fake_blob *blob = calloc(1, sizeof(*blob));
        blob->id = args->resource_id;
        blob->memory = fake.memory;
        blob->size = round_up(fake.refused_from ? fake.refused_from : args->size);
        ret = blob_memory(blob);
        if (ret == 0)
            LIST_INSERT_HEAD(&fake.blobs, blob, link);
        else
            free(blob);
    }
    pthread_mutex_unlock(&fake.lock);
    return ret;
}

static int import_fd(uint32_t resource_id, enum renderer_fd type, int fd, uint64_t size)
{
    pthread_mutex_lock(&fake.lock);
    int ret = record(&(struct fake_record){
        .call = FAKE_IMPORT, .resource_id = resource_id, .fd = type, .size = size });
    if (find_blob(resource_id))
        misuse("imported blob %u, which exists", resource_id);
    if (size != round_up(size) || lseek(fd, 0, SEEK_END) != (off_t)size)
        misuse("imported %zu bytes that are not there as blob %u", (size_t)size, resource_id);
    if (ret == 0) {
        struct fake_blob *blob = calloc(1, sizeof(*blob));
        *blob = (struct fake_blob){ .id = resource_id, .size = size, .fd = fd };
        blob->memory = type == RENDERER_FD_DMABUF ? FAKE_DMABUF : FAKE_SHM;
        blob->gpu = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (blob->gpu == MAP_FAILED)
            abort();
        LIST_INSERT_HEAD(&fake.blobs, blob, link);
    }
    pthread_mutex_unlock(&fake.lock);
    return ret;
}

static void free_blob(struct fake_blob *blob)
{
    if (blob->mapping && blob->mapping != blob->gpu)
        munmap(blob->mapping, blob->size);
    if (blob->memory != FAKE_LENT)
        munmap(blob->gpu, blob->size);
    if (blob->fd >= 0)
        close(blob->fd);
    LIST_REMOVE(blob, link);
    free(blob);
}

static void resource_unref(uint32_t resource_id)
{
    pthread_mutex_lock(&fake.lock);
    record(&(struct fake_record){ .call = FAKE_RESOURCE_UNREF, .resource_id = resource_id });
    struct fake_blob *blob = find_blob(resource_id);
    struct fake_attachment *attachment, *next;
    if (!blob) {
        misuse("unreferenced blob %u, which does not exist", resource_id);
    } else {
        if (blob->mapping)
            misuse("unreferenced blob %u while it is mapped", resource_id);
        free_blob(blob);
    }
    for (attachment = LIST_FIRST(&fake.attachments); attachment; attachment = next) {
        next = LIST_NEXT(attachment, link);
        if (attachment->resource_id == resource_id) {
            misuse("unreferenced blob %u while context %u has it", resource_id,
                   attachment->context_id);
            LIST_REMOVE(attachment, link);
            free(attachment);
        }
    }
    pthread_mutex_unlock(&fake.lock);
}

static void attach(uint32_t context_id, uint32_t resource_id)
{
    pthread_mutex_lock(&fake.lock);
    record(&(struct fake_record){
        .call = FAKE_ATTACH, .context_id = context_id, .resource_id = resource_id });
    if (!find_context(context_id) || !find_blob(resource_id) ||
        find_attachment(context_id, resource_id)) {
        misuse("attached blob %u to context %u", resource_id, context_id);
    } else {
        struct fake_attachment *attachment = calloc(1, sizeof(*attachment));
        attachment->context_id = context_id;
        attachment->resource_id = resource_id;
        LIST_INSERT_HEAD(&fake.attachments, attachment, link);
    }
    pthread_mutex_unlock(&fake.lock);
}

static void detach(uint32_t context_id, uint32_t resource_id)
{
    pthread_mutex_lock(&fake.lock);
    record(&(struct fake_record){
        .call = FAKE_DETACH, .context_id = context_id, .resource_id = resource_id });
    struct fake_attachment *attachment = find_attachment(context_id, resource_id);
    if (attachment) {
        LIST_REMOVE(attachment, link);
        free(attachment);
    } else {
        misuse("detached blob %u from context %u", resource_id, context_id);
    }
    pthread_mutex_unlock(&fake.lock);
}

static int map(uint32_t resource_id, void **ptr, uint64_t *size)
{
    pthread_mutex_lock(&fake.lock);
    int ret = record(&(struct fake_record){ .call = FAKE_MAP, .resource_id = resource_id });
    struct fake_blob *blob = find_blob(resource_id);
    if (!blob) {
        misuse("mapped blob %u, which does not exist", resource_id);
        ret = -EINVAL;
    } else if (blob->mapping) {
        misuse("mapped blob %u while it is mapped", resource_id);
        ret = -EINVAL;
    }
    if (ret == 0) {
        blob->mapping = blob->gpu;
        if (!is_pinned(blob) && blob->memory != FAKE_LENT)
            blob->mapping = mmap(NULL, blob->size, PROT_READ | PROT_WRITE, MAP_SHARED, blob->fd, 0);
        *ptr = blob->mapping;
        *size = blob->size;
        if (blob->memory == FAKE_SMALL || blob->memory == FAKE_SMALL_PINNED)
            *size -= missing(blob);
        if (blob->mapping == MAP_FAILED) {
            blob->mapping = NULL;
            ret = -ENOMEM;
        }
    }
    pthread_mutex_unlock(&fake.lock);
    return ret;
}

static void unmap(uint32_t resource_id)
{
    pthread_mutex_lock(&fake.lock);
    record(&(struct fake_record){ .call = FAKE_UNMAP, .resource_id = resource_id });
    struct fake_blob *blob = find_blob(resource_id);
    if (!blob || !blob->mapping) {
        misuse("unmapped blob %u, which is not mapped", resource_id);
    } else {
        if (blob->mapping != blob->gpu)
            munmap(blob->mapping, blob->size);
        blob->mapping = NULL;
    }
    pthread_mutex_unlock(&fake.lock);
}

static int map_info(uint32_t resource_id, uint32_t *info)
{
    pthread_mutex_lock(&fake.lock);
    int ret = record(&(struct fake_record){ .call = FAKE_MAP_INFO, .resource_id = resource_id });
    if (!find_blob(resource_id))
        misuse("asked how blob %u is mapped, which does not exist", resource_id);
    if (ret == 0)
        *info = fake.map_info;
    pthread_mutex_unlock(&fake.lock);
    return ret;
}

static int export_fd(uint32_t resource_id, enum renderer_fd *type, int *fd)
{
    pthread_mutex_lock(&fake.lock);
    int ret = record(&(struct fake_record){ .call = FAKE_EXPORT, .resource_id = resource_id });
    struct fake_blob *blob = find_blob(resource_id);
    if (!blob) {
        misuse("exported blob %u, which does not exist", resource_id);
        ret = -EINVAL;
    }
    if (ret == 0) {
        switch (blob->memory) {
        case FAKE_SHM:
        case FAKE_UNSEALABLE:
        case FAKE_SHORT:
            *type = RENDERER_FD_SHM;
            *fd = fcntl(blob->fd, F_DUPFD_CLOEXEC, 0);
            break;
        case FAKE_LENT:
            *type = blob->fd_type;
            *fd = fcntl(blob->fd, F_DUPFD_CLOEXEC, 0);
            break;
        case FAKE_DMABUF:
            *type = RENDERER_FD_DMABUF;
            *fd = fcntl(blob->fd, F_DUPFD_CLOEXEC, 0);
            break;
        case FAKE_OPAQUE:
        case FAKE_PINNED:
        case FAKE_SMALL:
        case FAKE_SMALL_PINNED:
        case FAKE_HOLE:
            *type = RENDERER_FD_OPAQUE;
            *fd = open("/dev/null", O_RDWR | O_CLOEXEC);
            break;
        }
    }
    pthread_mutex_unlock(&fake.lock);
    return ret;
}

const struct renderer fake_renderer = {
    .init = init,
    .fini = fini,
    .interrupt = interrupt,
    .first_device = first_device,
    .limit_memory = limit_memory,
    .capset_info = capset_info,
    .capset_fill = capset_fill,
    .context_create = context_create,
    .newest_process = newest_process,
    .context_destroy = context_destroy,
    .submit = submit,
    .fence = fence,
    .poll = poll_fences,
    .blob_create = blob_create,
    .import_fd = import_fd,
    .resource_unref = resource_unref,
    .attach = attach,
    .detach = detach,
    .map = map,
    .unmap = unmap,
    .map_info = map_info,
    .export_fd = export_fd,
};

/* ---- for tests ------------------------------------------------------------------------------- */

void fake_reset(void)
{
    pthread_mutex_lock(&fake.lock);
    while (!LIST_EMPTY(&fake.contexts)) {
        struct fake_context *context = LIST_FIRST(&fake.contexts);
        LIST_REMOVE(context, link);
        free(context);
    }
    while (!LIST_EMPTY(&fake.blobs))
        free_blob(LIST_FIRST(&fake.blobs));
    while (!LIST_EMPTY(&fake.attachments)) {
        struct fake_attachment *attachment = LIST_FIRST(&fake.attachments);
        LIST_REMOVE(attachment, link);
        free(attachment);
    }
    TAILQ_INIT(&fake.fences);
    fake.misuse[0] = '\0';
    fake.blobs_may_be_left = false;
    fake.memory = FAKE_SHM;
    fake.missing = 0;
    fake.refused_from = 0;
    fake.device = (struct renderer_device){ .name = "a renderer in memory", .type = 3 };
    fake.map_info = 1;
    fake.fence_mode = FAKE_FENCES_SOON;
    memset(fake.fail, 0, sizeof(fake.fail));
    fake.hang = FAKE_CALLS;
    fake.busy_context = 0;
    fake.process = 0;
    memset(fake.count, 0, sizeof(fake.count));
    memset(fake.last, 0, sizeof(fake.last));
    fake.num_calls = 0;
    free(fake.submitted);
    fake.submitted = NULL;
    fake.submitted_size = 0;
    pthread_mutex_unlock(&fake.lock);
}

const char *fake_complaint(void)
{
    static char text[320];

    pthread_mutex_lock(&fake.lock);
    if (fake.running)
        misuse("it still runs");
    if (!TAILQ_EMPTY(&fake.fences))
        misuse("a fence of context %u is left", TAILQ_FIRST(&fake.fences)->context_id);
    snprintf(text, sizeof(text), "the fake renderer: %s", fake.misuse);
    const char *complaint = fake.misuse[0] ? text : NULL;
    pthread_mutex_unlock(&fake.lock);
    return complaint;
}

void fake_keep_busy(uint32_t context_id)
{
    pthread_mutex_lock(&fake.lock);
    fake.busy_context = context_id;
    pthread_cond_signal(&fake.changed);
    pthread_mutex_unlock(&fake.lock);
}

void fake_hang(enum fake_call call)
{
    pthread_mutex_lock(&fake.lock);
    fake.hang = call;
    pthread_mutex_unlock(&fake.lock);
}

void fake_lend(enum renderer_fd type, int fd, void *ptr)
{
    pthread_mutex_lock(&fake.lock);
    fake.memory = FAKE_LENT;
    fake.lent.type = type;
    fake.lent.fd = fd;
    fake.lent.ptr = ptr;
    pthread_mutex_unlock(&fake.lock);
}

void fake_set_device(const struct renderer_device *device)
{
    pthread_mutex_lock(&fake.lock);
    fake.device = *device;
    pthread_mutex_unlock(&fake.lock);
}

void fake_set_memory(enum fake_memory memory)
{
    pthread_mutex_lock(&fake.lock);
    fake.memory = memory;
    pthread_mutex_unlock(&fake.lock);
}

void fake_set_missing(size_t size)
{
    pthread_mutex_lock(&fake.lock);
    fake.missing = size;
    pthread_mutex_unlock(&fake.lock);
}

void fake_refuse_larger(uint64_t size)
{
    pthread_mutex_lock(&fake.lock);
    fake.refused_from = size;
    pthread_mutex_unlock(&fake.lock);
}

void fake_set_map_info(uint32_t info)
{
    pthread_mutex_lock(&fake.lock);
    fake.map_info = info;
    pthread_mutex_unlock(&fake.lock);
}

void fake_set_fences(enum fake_fences fences)
{
    pthread_mutex_lock(&fake.lock);
    fake.fence_mode = fences;
    pthread_cond_signal(&fake.changed);
    pthread_mutex_unlock(&fake.lock);
}

void fake_fail(enum fake_call call, int error, unsigned after, unsigned times)
{
    pthread_mutex_lock(&fake.lock);
    fake.fail[call].error = error;
    fake.fail[call].after = after;
    fake.fail[call].times = times;
    pthread_mutex_unlock(&fake.lock);
}

unsigned fake_count(enum fake_call call)
{
    pthread_mutex_lock(&fake.lock);
    unsigned count = fake.count[call];
    pthread_mutex_unlock(&fake.lock);
    return count;
}

struct fake_record fake_last(enum fake_call call)
{
    pthread_mutex_lock(&fake.lock);
    struct fake_record last = fake.last[call];
    pthread_mutex_unlock(&fake.lock);
    return last;
}

size_t fake_calls(enum fake_call *calls, size_t max)
{
    pthread_mutex_lock(&fake.lock);
    size_t count = fake.num_calls;
    memcpy(calls, fake.calls, (count < max ? count : max) * sizeof(*calls));
    pthread_mutex_unlock(&fake.lock);
    return count;
}

void fake_forget_calls(void)
{
    pthread_mutex_lock(&fake.lock);
    fake.num_calls = 0;
    pthread_mutex_unlock(&fake.lock);
}

size_t fake_submitted(void *data, size_t max)
{
    pthread_mutex_lock(&fake.lock);
    size_t size = fake.submitted_size;
    if (size)
        memcpy(data, fake.submitted, size < max ? size : max);
    pthread_mutex_unlock(&fake.lock);
    return size;
}

bool fake_signal(uint32_t context_id, uint32_t ring_idx)
{
    pthread_mutex_lock(&fake.lock);
    struct fake_fence *fence = take_fence(context_id, ring_idx);
    pthread_mutex_unlock(&fake.lock);
    if (fence)
        report(fence);
    return fence;
}

void fake_signal_id(uint64_t fence_id)
{
    report_id(fence_id);
}

void fake_log(bool is_error, const char *line)
{
    pthread_mutex_lock(&fake.lock);
    const struct renderer_events events = fake.events;
    void *opaque = fake.opaque;
    pthread_mutex_unlock(&fake.lock);
    events.log(opaque, is_error, line);
}

bool fake_cut(uint32_t resource_id)
{
    pthread_mutex_lock(&fake.lock);
    struct fake_blob *blob = find_blob(resource_id);
    bool could = blob && blob->fd >= 0 && ftruncate(blob->fd, sysconf(_SC_PAGESIZE)) == 0;
    pthread_mutex_unlock(&fake.lock);
    return could;
}

void *fake_blob(uint32_t resource_id)
{
    pthread_mutex_lock(&fake.lock);
    struct fake_blob *blob = find_blob(resource_id);
    pthread_mutex_unlock(&fake.lock);
    return blob ? blob->gpu : NULL;
}

unsigned fake_blobs(void)
{
    unsigned count = 0;
    struct fake_blob *blob;
    pthread_mutex_lock(&fake.lock);
    LIST_FOREACH(blob, &fake.blobs, link)
        count++;
    pthread_mutex_unlock(&fake.lock);
    return count;
}

unsigned fake_contexts(void)
{
    unsigned count = 0;
    struct fake_context *context;
    pthread_mutex_lock(&fake.lock);
    LIST_FOREACH(context, &fake.contexts, link)
        count++;
    pthread_mutex_unlock(&fake.lock);
    return count;
}

bool fake_attached(uint32_t context_id, uint32_t resource_id)
{
    pthread_mutex_lock(&fake.lock);
    bool attached = find_attachment(context_id, resource_id);
    pthread_mutex_unlock(&fake.lock);
    return attached;
}
