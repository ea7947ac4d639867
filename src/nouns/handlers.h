/* SPDX-License-Identifier: MIT */
/* What executes commands: one function for each, in the file of the noun that it is about. */
#ifndef HANDLERS_H
#define HANDLERS_H

#include "command/command.h"

struct venus_gpu;

/*
 * A handler executes a command that has been read whole and checked for length, and returns the
 * response's type. On success it may have filled in cmd->response (beyond hdr) and response_size;
 * on failure it has changed nothing and logged why. Device thread.
 */
typedef enum virtio_gpu_ctrl_type command_handler(struct venus_gpu *gpu, struct command *cmd,
                                                  const void *request);

/* In the file of their noun. */
command_handler display_get_info, display_get_edid;
command_handler resource_create_2d, resource_create_blob, resource_unref, resource_assign_uuid;
command_handler resource_attach_backing, resource_detach_backing;
command_handler scanout_set, scanout_set_blob, scanout_flush;
command_handler transfer_to_host_2d;
command_handler capset_get_info, capset_get;
command_handler context_create, context_destroy, context_attach_resource, context_detach_resource;
command_handler context_submit;
command_handler window_map_blob, window_unmap_blob;
command_handler cursor_update, cursor_move;

#endif
