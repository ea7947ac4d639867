/* SPDX-License-Identifier: MIT */
/*
 * A layer that covers a view of the front end's, for macOS: what there is to it whoever paints in it, which is a
 * CAMetalLayer's swapchain (surface-metal.m) or IOSurfaces (surface-iosurface.m).
 *
 * A layer takes no events, so keyboard and mouse are the view's, as if we were not there. Ours is the lowest of the
 * view's: what the front end has put over its picture, as a pointer, stays over ours.
 *
 * AppKit and the layer's place in the view belong to the main thread, and we are never on it. It may wait for us,
 * or have stopped for good, so nothing here waits for it: the two leave each other notes. What we want of it goes to
 * the main thread's run loop, in order (attach, update, detach); what it finds is written down in the cover, under its
 * lock, and a byte in a pipe, whose end is fd(), tells us to look. Until it has found anything, the surface has no size
 * and is not visible, so nothing is presented.
 *
 * The run loop holds the cover until it has done what was asked, so it outlives the surface, and with it the view and
 * the layer, which are let go of where they were taken: on the main thread. A run loop that never comes back leaves
 * them be.
 *
 * References are counted by hand, as in QEMU's Objective-C.
 */
#ifndef PRESENT_SURFACE_LAYER_H
#define PRESENT_SURFACE_LAYER_H

#import <AppKit/AppKit.h>
#import <QuartzCore/CAMetalLayer.h>

#include <pthread.h>

#include "present/surface.h"

/* What both threads have in common. */
@interface VenusGPUCover : NSObject {
@public
    CALayer *layer; /* owned, as the view, until detach */

@protected
    pthread_mutex_t lock; /* guards what is not the main thread's */

@private
    NSView *view; /* the main thread's */
    int tell; /* the pipe's end to write to; -1 once the surface is gone */
    BOOL told, shown, visible;
    uint32_t width, height; /* pixels */
}
- (id)initWithView:(NSView *)covered pipe:(int)fd;
/* The layer: a kind's own, or one that shows nothing by itself. */
- (CALayer *)newLayer;
/* The surface's thread. */
- (void)show:(BOOL)show;
- (BOOL)takeWidth:(uint32_t *)w height:(uint32_t *)h;
- (void)close;
/* The main thread. */
- (void)attach;
- (void)update;
/* The layer has so many pixels now; a kind's own matter. */
- (void)resizedTo:(NSSize)pixels;
- (void)detach;
@end

struct surface_in_layer {
    struct surface base;
    VenusGPUCover *cover;
    int fd; /* the pipe's end to read from */
    bool shown;
};

/* Have the main thread do that, and go on. */
void layer_ask(VenusGPUCover *cover, SEL what);

/* For the kinds' tables. `cover` is the class, VenusGPUCover or one of it. */
struct surface *layer_create(const struct surface_kind *kind, Class cover,
                             const struct venus_gpu_target *target, char **error);
void layer_destroy(struct surface *base);
int layer_fd(struct surface *base);
void layer_dispatch(struct surface *base);
void layer_show(struct surface *base, bool shown);

#endif
