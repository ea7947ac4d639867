/* SPDX-License-Identifier: MIT */
/* See surface-layer.h. */
#import "present/surface-layer.h"

#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/message.h"
#include "platform/platform.h"

@implementation VenusGPUCover

/* A new layer is in no view, so this is no matter of the main thread's yet. */
- (id)initWithView:(NSView *)covered pipe:(int)fd
{
    self = [super init];
    if (!self)
        return nil;
    layer = [self newLayer];
    view = [covered retain];
    pthread_mutex_init(&lock, NULL);
    tell = fd;
    return self;
}

- (CALayer *)newLayer
{
    return [[CALayer alloc] init];
}

- (void)resizedTo:(NSSize)pixels
{
    (void)pixels;
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
        [self resizedTo:pixels];
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

void layer_ask(VenusGPUCover *cover, SEL what)
{
    NSAutoreleasePool *pool = [[NSAutoreleasePool alloc] init];
    [cover performSelectorOnMainThread:what withObject:nil waitUntilDone:NO];
    [pool release];
}

void layer_destroy(struct surface *base)
{
    struct surface_in_layer *surface = (struct surface_in_layer *)base;
    [surface->cover close];
    layer_ask(surface->cover, @selector(detach));
    [surface->cover release];
    close(surface->fd);
    free(surface);
}

struct surface *layer_create(const struct surface_kind *kind, Class cover,
                             const struct venus_gpu_target *target, char **error)
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
    surface->base.kind = kind;
    surface->fd = fds[0];
    NSAutoreleasePool *pool = [[NSAutoreleasePool alloc] init];
    surface->cover = [[cover alloc] initWithView:target->view pipe:fds[1]];
    [pool release];
    layer_ask(surface->cover, @selector(attach));
    return &surface->base;
}

int layer_fd(struct surface *base)
{
    return ((struct surface_in_layer *)base)->fd;
}

void layer_dispatch(struct surface *base)
{
    struct surface_in_layer *surface = (struct surface_in_layer *)base;
    char bytes[16];
    while (read(surface->fd, bytes, sizeof(bytes)) > 0)
        ;
    bool seen = [surface->cover takeWidth:&base->width height:&base->height];
    base->visible = surface->shown && seen;
}

void layer_show(struct surface *base, bool shown)
{
    struct surface_in_layer *surface = (struct surface_in_layer *)base;
    surface->shown = shown;
    [surface->cover show:shown];
    layer_ask(surface->cover, @selector(update));
    base->visible = base->visible && shown;
}
