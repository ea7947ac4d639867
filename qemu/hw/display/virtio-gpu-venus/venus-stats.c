/*
 * virtio-gpu-venus: read-only QOM properties, for qom-get
 *
 * Each of the library's counters is a property stat-NAME, whatever counters
 * there are; contexts lists what each context holds; renderer and
 * library-version say what does the work.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/visitor.h"
#include "venus-internal.h"

/* All counters; free with g_free(). */
static struct venus_gpu_stat *venus_stats_read(VirtIOGPUVenus *v, size_t *count)
{
    size_t max = venus_gpu_stats(v->gpu, NULL, 0);
    struct venus_gpu_stat *stats = g_new0(struct venus_gpu_stat, max);

    *count = MIN(venus_gpu_stats(v->gpu, stats, max), max);
    return stats;
}

uint64_t venus_stats_counter(VirtIOGPUVenus *v, const char *name)
{
    size_t i, count;
    g_autofree struct venus_gpu_stat *stats = venus_stats_read(v, &count);

    for (i = 0; i < count; i++) {
        if (!strcmp(stats[i].name, name)) {
            return stats[i].value;
        }
    }
    return 0;
}

/* @opaque is the counter's place among all counters. */
static void venus_get_stat(Object *obj, Visitor *visitor, const char *name,
                           void *opaque, Error **errp)
{
    size_t count, index = (uintptr_t)opaque;
    g_autofree struct venus_gpu_stat *stats =
        venus_stats_read(VIRTIO_GPU_VENUS(obj), &count);

    if (index >= count) {
        error_setg(errp, "there is no counter '%s' any more", name);
        return;
    }
    visit_type_uint64(visitor, name, &stats[index].value, errp);
}

static const char *const venus_context_states[] = {
    [VENUS_GPU_CONTEXT_RENDERS] = "renders",
    [VENUS_GPU_CONTEXT_LOST] = "lost",
    [VENUS_GPU_CONTEXT_PLAIN] = "plain",
    [VENUS_GPU_CONTEXT_GONE] = "gone",
};

static void venus_visit_context(Visitor *visitor,
                                struct venus_gpu_context *context, Error **errp)
{
    const char *known = context->state < ARRAY_SIZE(venus_context_states) ?
                        venus_context_states[context->state] : "unknown";
    g_autofree char *state = g_strdup(known);
    g_autofree char *program = g_strdup(context->name);

    if (!visit_start_struct(visitor, NULL, NULL, 0, errp)) {
        return;
    }
    if (visit_type_uint32(visitor, "id", &context->id, errp) &&
        visit_type_str(visitor, "name", &program, errp) &&
        visit_type_str(visitor, "state", &state, errp) &&
        visit_type_uint64(visitor, "resources", &context->resources, errp) &&
        visit_type_uint64(visitor, "bytes", &context->bytes, errp) &&
        visit_type_uint64(visitor, "process", &context->process_id, errp) &&
        visit_type_uint64(visitor, "process-bytes", &context->process_bytes,
                          errp)) {
        visit_check_struct(visitor, errp);
    }
    visit_end_struct(visitor, NULL);
}

static void venus_get_contexts(Object *obj, Visitor *visitor, const char *name,
                               void *opaque, Error **errp)
{
    ERRP_GUARD();
    struct venus_gpu *gpu = VIRTIO_GPU_VENUS(obj)->gpu;
    size_t i, max = venus_gpu_contexts(gpu, NULL, 0);
    g_autofree struct venus_gpu_context *contexts =
        g_new0(struct venus_gpu_context, max);
    size_t count = MIN(venus_gpu_contexts(gpu, contexts, max), max);

    if (!visit_start_list(visitor, name, NULL, 0, errp)) {
        return;
    }
    for (i = 0; i < count && !*errp; i++) {
        venus_visit_context(visitor, &contexts[i], errp);
    }
    if (!*errp) {
        visit_check_list(visitor, errp);
    }
    visit_end_list(visitor, NULL);
}

static char *venus_get_renderer(Object *obj, Error **errp)
{
    return g_strdup(venus_gpu_renderer_name(VIRTIO_GPU_VENUS(obj)->gpu));
}

static char *venus_get_library_version(Object *obj, Error **errp)
{
    return g_strdup(venus_gpu_version());
}

void venus_stats_add_properties(VirtIOGPUVenus *v)
{
    Object *obj = OBJECT(v);
    size_t i, count;
    g_autofree struct venus_gpu_stat *stats = venus_stats_read(v, &count);

    for (i = 0; i < count; i++) {
        g_autofree char *name = g_strdup_printf("stat-%s", stats[i].name);

        object_property_add(obj, name, "uint64", venus_get_stat, NULL, NULL,
                            (void *)(uintptr_t)i);
        object_property_set_description(obj, name, stats[i].help);
    }
    object_property_add(obj, "contexts", "list", venus_get_contexts, NULL, NULL,
                        NULL);
    object_property_set_description(obj, "contexts",
                                    "What each context of the guest's holds; "
                                    "0 has what belongs to none");
    object_property_add_str(obj, "renderer", venus_get_renderer, NULL);
    object_property_set_description(obj, "renderer",
                                    "Name of the host's Vulkan device");
    object_property_add_str(obj, "library-version", venus_get_library_version,
                            NULL);
    object_property_set_description(obj, "library-version",
                                    "Version of libvenusgpu");
}
