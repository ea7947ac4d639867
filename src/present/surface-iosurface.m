/* SPDX-License-Identifier: MIT */
/*
 * A place on a screen (surface.h) for macOS: IOSurfaces as the contents of a layer over a view (surface-layer.h). Vulkan
 * paints in them (VK_EXT_metal_objects), and the window server shows them from where they are: no drawable is waited
 * for, and no swapchain is in between. They are the sheets of sheets.h.
 *
 * A layer's contents are the main thread's to set. The newest IOSurface waits for it in the cover; the main thread is
 * asked once for however many come meanwhile. From then on until another one is the layer's, and for as long as the
 * window server says that it is in use, it is not painted in.
 */
#import "present/surface-layer.h"
#import <CoreGraphics/CoreGraphics.h>
#import <IOSurface/IOSurface.h>

#include "present/images.h"
#include "present/sheets.h"

#include <vulkan/vulkan_metal.h>

enum { PIXEL_BGRA = 0x42475241 /* 'BGRA' */ };

@interface VenusGPUSurfaceCover : VenusGPUCover {
@private
    /* Under the lock; each is a reference. */
    IOSurface *waiting; /* for the main thread */
    IOSurface *taken;   /* the main thread is about to make it the layer's contents */
    IOSurface *current; /* the layer's contents */
    BOOL asked;         /* the main thread is, and has not come yet */
}
/* The surface's thread. Returns whether the main thread is to be asked. */
- (BOOL)leave:(IOSurface *)surface;
- (BOOL)isWaiting;
- (BOOL)has:(IOSurface *)surface;
/* The main thread. */
- (void)take;
@end

@implementation VenusGPUSurfaceCover

- (void)dealloc
{
    [waiting release];
    [current release];
    [super dealloc];
}

- (BOOL)leave:(IOSurface *)surface
{
    pthread_mutex_lock(&lock);
    IOSurface *former = waiting;
    waiting = [surface retain];
    BOOL ask = !asked;
    asked = YES;
    pthread_mutex_unlock(&lock);
    [former release];
    return ask;
}

- (BOOL)isWaiting
{
    pthread_mutex_lock(&lock);
    BOOL is = waiting || taken;
    pthread_mutex_unlock(&lock);
    return is;
}

- (BOOL)has:(IOSurface *)surface
{
    pthread_mutex_lock(&lock);
    BOOL is = surface == waiting || surface == taken || surface == current;
    pthread_mutex_unlock(&lock);
    return is;
}

- (void)take
{
    pthread_mutex_lock(&lock);
    asked = NO;
    taken = waiting;
    waiting = nil;
    pthread_mutex_unlock(&lock);
    if (!taken)
        return;

    /* One picture does not fade into the next. */
    [CATransaction begin];
    [CATransaction setDisableActions:YES];
    [layer setContents:taken];
    [CATransaction commit];

    pthread_mutex_lock(&lock);
    IOSurface *former = current;
    current = taken;
    taken = nil;
    pthread_mutex_unlock(&lock);
    [former release];
}

@end

static VenusGPUSurfaceCover *cover_of(struct surface *surface)
{
    return (VenusGPUSurfaceCover *)((struct surface_in_layer *)surface)->cover;
}

/* As a swapchain's images are; without it the display's own colours are meant. */
static void set_colour_space(IOSurface *surface)
{
    CGColorSpaceRef space = CGColorSpaceCreateWithName(kCGColorSpaceSRGB);
    CFPropertyListRef list = space ? CGColorSpaceCopyPropertyList(space) : NULL;
    if (list) {
        IOSurfaceSetValue((IOSurfaceRef)surface, kIOSurfaceColorSpace, list);
        CFRelease(list);
    }
    CGColorSpaceRelease(space);
}

static struct sheet *create_sheet(uint32_t width, uint32_t height)
{
    NSAutoreleasePool *pool = [[NSAutoreleasePool alloc] init];
    NSDictionary *properties = [NSDictionary
        dictionaryWithObjectsAndKeys:[NSNumber numberWithUnsignedInt:width],
                                     IOSurfacePropertyKeyWidth,
                                     [NSNumber numberWithUnsignedInt:height],
                                     IOSurfacePropertyKeyHeight,
                                     [NSNumber numberWithUnsignedInt:4],
                                     IOSurfacePropertyKeyBytesPerElement,
                                     [NSNumber numberWithUnsignedInt:PIXEL_BGRA],
                                     IOSurfacePropertyKeyPixelFormat, nil];
    IOSurface *surface = [[IOSurface alloc] initWithProperties:properties];
    if (surface)
        set_colour_space(surface);
    [pool release];
    return (struct sheet *)surface;
}

static void destroy_sheet(struct sheet *sheet)
{
    [(IOSurface *)sheet release];
}

/* The memory is the IOSurface's. Vulkan wants some to be bound all the same; dedicated, it costs MoltenVK nothing. */
static VkResult create_image(struct sheet *sheet, const struct vulkan *vk,
                             const VkImageCreateInfo *info, VkImage *image, VkDeviceMemory *memory)
{
    const VkImportMetalIOSurfaceInfoEXT import = {
        .sType = VK_STRUCTURE_TYPE_IMPORT_METAL_IO_SURFACE_INFO_EXT,
        .ioSurface = (IOSurfaceRef)sheet,
    };
    VkImageCreateInfo over_sheet = *info;
    over_sheet.pNext = &import;
    VkResult result = vk->CreateImage(vk->device, &over_sheet, NULL, image);
    if (result != VK_SUCCESS) {
        *image = VK_NULL_HANDLE;
        return result;
    }
    const VkMemoryDedicatedAllocateInfo dedicated = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_DEDICATED_ALLOCATE_INFO,
        .image = *image,
    };
    return images_add_memory(vk, *image, &dedicated, memory);
}

static void show_sheet(struct surface *surface, struct sheet *sheet)
{
    VenusGPUSurfaceCover *cover = cover_of(surface);
    if ([cover leave:(IOSurface *)sheet])
        layer_ask(cover, @selector(take));
}

static bool is_waiting(struct surface *surface)
{
    return [cover_of(surface) isWaiting];
}

static bool in_use(struct surface *surface, struct sheet *sheet)
{
    return [cover_of(surface) has:(IOSurface *)sheet] || [(IOSurface *)sheet isInUse];
}

static const struct sheet_kind iosurfaces = {
    .extension = "VK_EXT_metal_objects",
    .create = create_sheet,
    .destroy = destroy_sheet,
    .create_image = create_image,
    .show = show_sheet,
    .is_waiting = is_waiting,
    .in_use = in_use,
};

static struct surface *create(const struct venus_gpu_target *target, char **error)
{
    return layer_create(&surface_iosurface, [VenusGPUSurfaceCover class], target, error);
}

const struct surface_kind surface_iosurface = {
    .name = "IOSurfaces in a view of macOS",
    .sheets = &iosurfaces,
    .create = create,
    .destroy = layer_destroy,
    .fd = layer_fd,
    .dispatch = layer_dispatch,
    .show = layer_show,
};
