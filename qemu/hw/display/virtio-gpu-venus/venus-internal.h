/*
 * virtio-gpu-venus: what its files share with each other
 *
 * Threads.  Everything runs under the BQL, except for the functions below that
 * take a void *opaque: these are callbacks of libvenusgpu, and run on its
 * device thread or (venus_queue_command_done() only) on threads of the
 * renderer.  They must not wait for the BQL, because its holder may be inside
 * venus_gpu_reset(), waiting for the very thread that runs the callback.  So
 * they post what is to be done and schedule a bottom half.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef VENUS_INTERNAL_H
#define VENUS_INTERNAL_H

#include "hw/virtio/virtio-gpu-venus.h"

/* The two virtqueues: venus-queue.c */
void venus_queue_init(VirtIOGPUVenus *v);
void venus_queue_finish(VirtIOGPUVenus *v);
void venus_queue_kick(VirtIODevice *vdev, VirtQueue *vq);
/* After venus_gpu_reset(): forget every command. */
void venus_queue_reset(VirtIOGPUVenus *v);
void venus_queue_command_done(void *opaque, void *tag, uint32_t written);

/* Consoles, their surfaces and cursors: venus-display.c */
void venus_display_init(VirtIOGPUVenus *v);
/* Once there are consoles and @v->gpu. */
void venus_display_attach(VirtIOGPUVenus *v);
void venus_display_finish(VirtIOGPUVenus *v);
/* After venus_gpu_reset(): apply what is pending, then show nothing. */
void venus_display_reset(VirtIOGPUVenus *v);
void venus_display_scanout_changed(void *opaque, unsigned scanout,
                                   struct venus_gpu_frame *frame);
void venus_display_scanout_flush(void *opaque, unsigned scanout,
                                 const struct venus_gpu_rect *rect,
                                 struct venus_gpu_flush *flush);
void venus_display_cursor_changed(void *opaque, unsigned scanout,
                                  const struct venus_gpu_cursor *cursor);

/* The host-visible window: venus-window.c */
void venus_window_init(VirtIOGPUVenus *v);
/* Once there is @v->gpu. */
void venus_window_attach(VirtIOGPUVenus *v);
/* Before @v->gpu goes away. */
void venus_window_detach(VirtIOGPUVenus *v);
void venus_window_finish(VirtIOGPUVenus *v);
/* Do now what was posted. */
void venus_window_flush(VirtIOGPUVenus *v);
/* Whether @mr is (part of) the window.  Any thread. */
bool venus_window_contains(VirtIOGPUVenus *v, MemoryRegion *mr);
void venus_window_region_map(void *opaque, struct venus_gpu_region *region);
void venus_window_region_unmap(void *opaque, struct venus_gpu_region *region);

/* QOM properties that only tell: venus-stats.c */
void venus_stats_add_properties(VirtIOGPUVenus *v);

#endif
