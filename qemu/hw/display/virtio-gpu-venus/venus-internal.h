/*
 * virtio-gpu-venus: what its files share with each other
 *
 * Threads.  Everything runs under the BQL, except for the functions below that
 * take a void *opaque: these are callbacks of libvenusgpu, and run on its
 * device thread, on threads of the renderer (venus_queue_command_done() only)
 * or of a presenter (those of venus-present.c).  They must not wait for the
 * BQL, because its holder may be inside venus_gpu_reset() or
 * venus_gpu_present(), waiting for the very thread that runs the callback.  So
 * they post what is to be done and schedule a bottom half.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef VENUS_INTERNAL_H
#define VENUS_INTERNAL_H

#include "hw/virtio/virtio-gpu-venus.h"
#include "venus-compat.h"

/* The two virtqueues: venus-queue.c */
void venus_queue_init(VirtIOGPUVenus *v);
void venus_queue_finish(VirtIOGPUVenus *v);
void venus_queue_kick(VirtIODevice *vdev, VirtQueue *vq);
/* After venus_gpu_reset(): forget every command. */
void venus_queue_reset(VirtIOGPUVenus *v);
/* Whether no command is with the library. */
bool venus_queue_is_idle(VirtIOGPUVenus *v);
/* Wait a moment for commands that end, and answer them. */
void venus_queue_flush(VirtIOGPUVenus *v);
void venus_queue_command_done(void *opaque, void *tag, uint32_t written);

/* Guest addresses behind an IOMMU: venus-iommu.c */
void venus_iommu_init(VirtIOGPUVenus *v);
void venus_iommu_finish(VirtIOGPUVenus *v);
/* Whether there may be one: without, nothing is to be translated. */
bool venus_iommu_is_wanted(VirtIOGPUVenus *v);
/* After venus_gpu_reset(): nobody waits for answers any more. */
void venus_iommu_reset(VirtIOGPUVenus *v);
/* Answer now what the library has asked. */
void venus_iommu_flush(VirtIOGPUVenus *v);
void venus_iommu_translate(void *opaque,
                           struct venus_gpu_translation *translation);

/* Consoles, their surfaces and cursors: venus-display.c */
void venus_display_init(VirtIOGPUVenus *v);
/* Once there are consoles and @v->gpu. */
void venus_display_attach(VirtIOGPUVenus *v);
void venus_display_finish(VirtIOGPUVenus *v);
/* After venus_gpu_reset(): apply what is pending, then show nothing. */
void venus_display_reset(VirtIOGPUVenus *v);
/* Apply now what is pending. */
void venus_display_flush(VirtIOGPUVenus *v);
/* QEMU's displays have missed what an output has shown for a while. */
void venus_display_show_again(VirtIOGPUVenus *v, unsigned index);
void venus_display_scanout_changed(void *opaque, unsigned scanout,
                                   struct venus_gpu_frame *frame);
void venus_display_scanout_flush(void *opaque, unsigned scanout,
                                 const struct venus_gpu_rect *rect,
                                 struct venus_gpu_flush *flush);
void venus_display_cursor_changed(void *opaque, unsigned scanout,
                                  const struct venus_gpu_cursor *cursor);

/* Which outputs are connected, and how large they are: venus-outputs.c */
bool venus_outputs_check_conf(VirtIOGPUVenus *v, Error **errp);
/* Once the consoles are ours. */
void venus_outputs_attach(VirtIOGPUVenus *v);
/* A display has, or wants, output @index in another size; 0x0: not at all. */
void venus_outputs_ui_info(void *opaque, uint32_t index, QemuUIInfo *info);

extern const PropertyInfo venus_output_property;

/* Properties whose values have names: venus-properties.c */
extern const QEnumLookup venus_present_policy_names;
extern const QEnumLookup venus_present_target_names;
extern const PropertyInfo venus_prop_present_policy;
extern const PropertyInfo venus_prop_present_mode;
extern const PropertyInfo venus_prop_present_target;

/* Which output is presented where: venus-present.c */
bool venus_present_check_conf(VirtIOGPUVenus *v, Error **errp);
void venus_present_init(VirtIOGPUVenus *v);
/* Once @v->gpu is gone. */
void venus_present_finish(VirtIOGPUVenus *v);
/* After an output's surface has come, changed or gone. */
void venus_present_update(VirtIOGPUVenus *v, unsigned index);
/* Before it goes. */
void venus_present_prepare_off(VirtIOGPUVenus *v, unsigned index);
bool venus_present_is_on(VirtIOGPUVenus *v, unsigned index);
/* Stop presenting; once no output has a frame any more. */
void venus_present_reset(VirtIOGPUVenus *v);
void venus_present_ended(void *opaque, unsigned scanout, const char *why);
void venus_present_window_resized(void *opaque, unsigned scanout,
                                  uint32_t width, uint32_t height);
void venus_present_window_refreshed(void *opaque, unsigned scanout,
                                    uint32_t refresh_mhz);
void venus_present_window_closed(void *opaque, unsigned scanout);
void venus_present_input(void *opaque, unsigned scanout,
                         const struct venus_gpu_input *input);

/* Snapshots and migration: venus-state.c */
extern const VMStateDescription vmstate_virtio_gpu_venus;
bool venus_state_init(VirtIOGPUVenus *v, Error **errp);
/* Once @v->gpu is gone. */
void venus_state_finish(VirtIOGPUVenus *v);
/* The machine has stopped: let the guest's last commands end. */
void venus_state_drain(VirtIOGPUVenus *v);
void venus_state_obstacle_changed(void *opaque);

/* The host-visible window: venus-window.c */
bool venus_window_init(VirtIOGPUVenus *v, Error **errp);
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

/* Warn where the guest sees the GPU's memory wrongly: venus-memory-types.c */
void venus_check_memory_types(VirtIOGPUVenus *v);

/* QOM properties that only tell: venus-stats.c */
void venus_stats_add_properties(VirtIOGPUVenus *v);
/* A counter of the library; 0 if it has none of that name. */
uint64_t venus_stats_counter(VirtIOGPUVenus *v, const char *name);

#endif
