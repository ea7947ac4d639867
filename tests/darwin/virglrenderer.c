/* SPDX-License-Identifier: MIT */
/* The names of virglrenderer's functions, to link the library for macOS where there is no virglrenderer of macOS'. */
#define NAME(function)  \
    int function(void); \
    int function(void)  \
    {                   \
        return -1;      \
    }

NAME(virgl_renderer_cleanup)
NAME(virgl_renderer_context_create_fence)
NAME(virgl_renderer_context_create_with_flags)
NAME(virgl_renderer_context_destroy)
NAME(virgl_renderer_ctx_attach_resource)
NAME(virgl_renderer_ctx_detach_resource)
NAME(virgl_renderer_fill_caps)
NAME(virgl_renderer_get_cap_set)
NAME(virgl_renderer_init)
NAME(virgl_renderer_poll)
NAME(virgl_renderer_resource_create_blob)
NAME(virgl_renderer_resource_export_blob)
NAME(virgl_renderer_resource_get_map_info)
NAME(virgl_renderer_resource_import_blob)
NAME(virgl_renderer_resource_map)
NAME(virgl_renderer_resource_unmap)
NAME(virgl_renderer_resource_unref)
NAME(virgl_renderer_submit_cmd)
NAME(virgl_set_log_callback)
