/* SPDX-License-Identifier: MIT */
/*
 * The guest kernel's display by its raw ioctls: one connector, one mode, and framebuffers made of
 * dma-bufs or of memory of the display's own, which are shown or flipped to. Every call dies with
 * a reason when the kernel refuses, but for those named kms_try_.
 */
#ifndef GUEST_KMS_H
#define GUEST_KMS_H

#include <drm/drm.h>
#include <drm/drm_mode.h>
#include <stdbool.h>
#include <stdint.h>

struct kms {
    int fd;
    uint32_t connector, crtc;
    struct drm_mode_modeinfo mode;
};

/* A picture in a dma-buf. */
struct kms_picture {
    int dma_buf;
    uint32_t fourcc; /* DRM_FORMAT_... */
    uint32_t width, height, stride, offset;
};

/* A picture in the display's own memory ("dumb buffer"), XRGB8888. */
struct kms_canvas {
    uint32_t framebuffer, stride;
    uint64_t size;
    uint32_t *pixels;
    uint32_t handle;
};

/*
 * Opens the first primary node that virtio_gpu drives, and picks its first connected connector with
 * a mode of this size, or with 0 the preferred one. Shows nothing yet. Nobody else may own the
 * display (no compositor).
 */
void kms_open(struct kms *kms, uint32_t width, uint32_t height);

/* What was shown goes dark and the framebuffers go too. */
void kms_close(struct kms *kms);

/* A framebuffer over the dma-buf's memory, without modifiers; the descriptor stays the caller's. */
uint32_t kms_add_framebuffer(const struct kms *kms, const struct kms_picture *picture);

/* The modes of the connector, for free(), and how many. */
struct drm_mode_modeinfo *kms_modes(const struct kms *kms, uint32_t *count);

/* A canvas of the mode's size, or of any, black at first. It goes with the display at the latest. */
struct kms_canvas kms_create_canvas(const struct kms *kms);
struct kms_canvas kms_create_canvas_of(const struct kms *kms, uint32_t width, uint32_t height);
void kms_destroy_canvas(const struct kms *kms, struct kms_canvas *canvas);

/* A framebuffer over a canvas's or a dma-buf's memory as the picture describes it, but for its
 * dma-buf; 0, or errno. */
int kms_try_framebuffer(const struct kms *kms, uint32_t handle, const struct kms_picture *picture,
                        uint32_t *framebuffer);
void kms_remove_framebuffer(const struct kms *kms, uint32_t framebuffer);

/* What the display calls a dma-buf's memory, until it is told to close that. */
uint32_t kms_import(const struct kms *kms, int dma_buf);
void kms_close_handle(const struct kms *kms, uint32_t handle);

/* Sets the mode with this framebuffer. */
void kms_show(const struct kms *kms, uint32_t framebuffer);
/* The same with the part of a larger framebuffer that begins there; 0, or errno. */
int kms_try_show(const struct kms *kms, uint32_t framebuffer, uint32_t x, uint32_t y);

/* Changes to this framebuffer and waits until the kernel says that it did. */
void kms_flip(const struct kms *kms, uint32_t framebuffer);
/* The same; false if the kernel refuses to flip. */
bool kms_try_flip(const struct kms *kms, uint32_t framebuffer);

#endif
