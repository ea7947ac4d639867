/* SPDX-License-Identifier: MIT */
/*
 * A CAMetalLayer that covers a view of the front end's, for macOS.
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
 * Drivers (MoltenVK, KosmicKrisp) take the size of a surface from the layer's bounds and contentsScale, older ones of
 * Mesa's from its drawableSize. So all of these say the same, in whole pixels of the display's; a surface whose extent is
 * never what dispatch() says would be made anew without end.
 *
 * A driver waits for a drawable of a layer that nobody sees, though a second at most (allowsNextDrawableTimeout); and
 * unlike Wayland, the window server says when it is seen no more. So this kind does not pace frames: it is presented to
 * in FIFO mode, and not at all while it is not visible.
 *
 * References are counted by hand, as in QEMU's Objective-C.
 */
#import <AppKit/AppKit.h>
#import <QuartzCore/CAMetalLayer.h>

#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/message.h"
#include "platform/platform.h"
#include "present/surface.h"

#include <vulkan/vulkan_metal.h>

/* What both threads have in common. */
@interface VenusGPUCover : NSObject {
@public
    CAMetalLayer *layer; /* owned, as the view, until detach */

@private
    NSView *view; /* the main thread's */
    pthread_mutex_t lock;
    int tell; /* the pipe's end to write to; -1 once the surface is gone */
    BOOL told, shown, visible;
    uint32_t width, height; /* pixels */
}
- (id)initWithView:(NSView *)covered pipe:(int)fd;
/* The surface's thread. */
- (void)show:(BOOL)show;
- (BOOL)takeWidth:(uint32_t *)w height:(uint32_t *)h;
- (void)close;
/* The main thread. */
- (void)attach;
- (void)update;
- (void)detach;
@end

@implementation VenusGPUCover

/* A new layer is in no view, so this is no matter of the main thread's yet. */
- (id)initWithView:(NSView *)covered pipe:(int)fd
{
    self = [super init];
    if (!self)
        return nil;
    layer = [[CAMetalLayer alloc] init];
    view = [covered retain];
    pthread_mutex_init(&lock, NULL);
    tell = fd;
    return self;
}

- (void)dealloc
{
    pthread_mutex_destroy(&lock);
    [super dealloc];
}

- (void)show:(BOOL)show
{
    pthread_mutex_lock(&lock);
    shown = show;
    pthread_mutex_unlock(&lock);
}

/* Returns whether it can be seen. */
- (BOOL)takeWidth:(uint32_t *)w height:(uint32_t *)h
{
    pthread_mutex_lock(&lock);
    told = NO;
    *w = width;
    *h = height;
    BOOL seen = visible;
    pthread_mutex_unlock(&lock);
    return seen;
}

- (void)close
{
    pthread_mutex_lock(&lock);
    close(tell);
    tell = -1;
    pthread_mutex_unlock(&lock);
}

- (BOOL)isShown
{
    pthread_mutex_lock(&lock);
    BOOL is = shown;
    pthread_mutex_unlock(&lock);
    return is;
}

- (void)tellWidth:(uint32_t)w height:(uint32_t)h visible:(BOOL)seen
{
    pthread_mutex_lock(&lock);
    width = w;
    height = h;
    visible = seen;
    if (tell >= 0 && !told)
        told = write(tell, "", 1) == 1;
    pthread_mutex_unlock(&lock);
}

- (void)attach
{
    NSNotificationCenter *center = [NSNotificationCenter defaultCenter];
    /* The view may come to be in another window, so these are asked for of every one. */
    NSString *const of_windows[] = { NSWindowDidChangeBackingPropertiesNotification,
                                     NSWindowDidChangeOcclusionStateNotification };
    NSString *const of_view[] = { NSViewFrameDidChangeNotification,
                                  NSViewBoundsDidChangeNotification };
    for (int i = 0; i < 2; i++) {
        [center addObserver:self selector:@selector(windowChanged:) name:of_windows[i] object:nil];
        [center addObserver:self selector:@selector(viewChanged:) name:of_view[i] object:view];
    }
    [view setWantsLayer:YES];
    [layer setOpaque:YES];
    [layer setAnchorPoint:NSMakePoint(0, 0)];
    [[view layer] insertSublayer:layer atIndex:0];
    [self update];
}

- (void)windowChanged:(NSNotification *)notification
{
    if ([notification object] == [view window])
        [self update];
}

- (void)viewChanged:(NSNotification *)notification
{
    (void)notification;
    [self update];
}

/* Cover all of the view, in pixels of the display that it is on, and say how many these are and who sees them. */
- (void)update
{
    NSWindow *window = [view window];
    CGFloat scale = window ? [window backingScaleFactor] : 1;
    NSSize pixels = [view convertSizeToBacking:[view bounds].size];
    pixels = NSMakeSize(round(fabs(pixels.width)), round(fabs(pixels.height)));
    CGRect room = [[view layer] bounds];
    CGRect bounds = NSMakeRect(0, 0, pixels.width / scale, pixels.height / scale);
    BOOL empty = !pixels.width || !pixels.height || !room.size.width || !room.size.height;
    BOOL is_shown = [self isShown];

    /* A layer of a view's changes at once by itself; one below it would take a moment, in steps. */
    [CATransaction begin];
    [CATransaction setDisableActions:YES];
    [layer setHidden:empty || !is_shown];
    if (!empty) {
        [layer setContentsScale:scale];
        [layer setBounds:bounds];
        [layer setPosition:room.origin];
        /* The view's coordinates need not be the window's: QEMU gives it the guest's. */
        CGAffineTransform stretch = { .a = room.size.width / bounds.size.width,
                                      .d = room.size.height / bounds.size.height };
        [layer setAffineTransform:stretch];
        [layer setDrawableSize:NSMakeSize(pixels.width, pixels.height)];
    }
    [CATransaction commit];
    BOOL seen = window && ([window occlusionState] & NSWindowOcclusionStateVisible);
    [self tellWidth:(uint32_t)pixels.width
             height:(uint32_t)pixels.height
            visible:seen && is_shown && !empty];
}

- (void)detach
{
    [[NSNotificationCenter defaultCenter] removeObserver:self];
    [layer removeFromSuperlayer];
    [layer release];
    layer = nil;
    [view release];
    view = nil;
}

@end

struct surface_in_layer {
    struct surface base;
    VenusGPUCover *cover;
    int fd; /* the pipe's end to read from */
    bool shown;
};

/* Have the main thread do that, and go on. */
static void ask(VenusGPUCover *cover, SEL what)
{
    NSAutoreleasePool *pool = [[NSAutoreleasePool alloc] init];
    [cover performSelectorOnMainThread:what withObject:nil waitUntilDone:NO];
    [pool release];
}

static void destroy(struct surface *base)
{
    struct surface_in_layer *surface = (struct surface_in_layer *)base;
    [surface->cover close];
    ask(surface->cover, @selector(detach));
    [surface->cover release];
    close(surface->fd);
    free(surface);
}

static struct surface *create(const struct venus_gpu_target *target, char **error)
{
    struct surface_in_layer *surface = calloc(1, sizeof(*surface));
    if (!surface)
        return NULL;
    int fds[2];
    if (platform_pipe(fds) < 0) {
        *error = message("There is no descriptor left to hear of the view by: "
                         "raise RLIMIT_NOFILE (ulimit -n).");
        free(surface);
        return NULL;
    }
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    fcntl(fds[1], F_SETFL, O_NONBLOCK);
    surface->base.kind = &surface_metal;
    surface->fd = fds[0];
    NSAutoreleasePool *pool = [[NSAutoreleasePool alloc] init];
    surface->cover = [[VenusGPUCover alloc] initWithView:target->view pipe:fds[1]];
    [pool release];
    ask(surface->cover, @selector(attach));
    return &surface->base;
}

static VkResult create_vulkan(struct surface *base, const struct vulkan *vk,
                              VkSurfaceKHR *vk_surface)
{
    PFN_vkCreateMetalSurfaceEXT create_surface =
        (PFN_vkCreateMetalSurfaceEXT)vk->GetInstanceProcAddr(vk->instance,
                                                             "vkCreateMetalSurfaceEXT");
    if (!create_surface)
        return VK_ERROR_EXTENSION_NOT_PRESENT;
    const VkMetalSurfaceCreateInfoEXT info = {
        .sType = VK_STRUCTURE_TYPE_METAL_SURFACE_CREATE_INFO_EXT,
        .pLayer = ((struct surface_in_layer *)base)->cover->layer,
    };
    return create_surface(vk->instance, &info, NULL, vk_surface);
}

static int fd(struct surface *base)
{
    return ((struct surface_in_layer *)base)->fd;
}

static void dispatch(struct surface *base)
{
    struct surface_in_layer *surface = (struct surface_in_layer *)base;
    char bytes[16];
    while (read(surface->fd, bytes, sizeof(bytes)) > 0)
        ;
    bool seen = [surface->cover takeWidth:&base->width height:&base->height];
    base->visible = surface->shown && seen;
}

static void show(struct surface *base, bool shown)
{
    struct surface_in_layer *surface = (struct surface_in_layer *)base;
    surface->shown = shown;
    [surface->cover show:shown];
    ask(surface->cover, @selector(update));
    base->visible = base->visible && shown;
}

const struct surface_kind surface_metal = {
    .name = "a view of macOS",
    .extension = "VK_EXT_metal_surface",
    .create = create,
    .destroy = destroy,
    .create_vulkan = create_vulkan,
    .fd = fd,
    .dispatch = dispatch,
    .show = show,
};
