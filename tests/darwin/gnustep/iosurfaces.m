/* SPDX-License-Identifier: MIT */
/* See IOSurface/IOSurface.h and CoreGraphics/CoreGraphics.h. */
#import <IOSurface/IOSurface.h>

#include <stdlib.h>
#include <string.h>

unsigned standin_spaces, standin_surfaces, standin_surfaces_left = ~0u;

const CFStringRef kCGColorSpaceSRGB = "sRGB", kIOSurfaceColorSpace = "colour space";
NSString *const IOSurfacePropertyKeyWidth = @"width";
NSString *const IOSurfacePropertyKeyHeight = @"height";
NSString *const IOSurfacePropertyKeyBytesPerElement = @"bytes per element";
NSString *const IOSurfacePropertyKeyPixelFormat = @"pixel format";

/* Spaces and their lists are their names. */
CGColorSpaceRef CGColorSpaceCreateWithName(CFStringRef name)
{
    standin_spaces++;
    return (CGColorSpaceRef)strdup(name);
}

CFPropertyListRef CGColorSpaceCopyPropertyList(CGColorSpaceRef space)
{
    standin_spaces++;
    return strdup((const char *)space);
}

void CGColorSpaceRelease(CGColorSpaceRef space)
{
    standin_spaces -= space != NULL;
    free(space);
}

void CFRelease(CFTypeRef list)
{
    standin_spaces--;
    free((void *)list);
}

@interface IOSurface (Standin)
- (void)colour:(const char *)space;
@end

void IOSurfaceSetValue(IOSurfaceRef surface, CFStringRef key, CFTypeRef value)
{
    if (key == kIOSurfaceColorSpace)
        [(IOSurface *)surface colour:value];
}

@implementation IOSurface

- (id)initWithProperties:(NSDictionary *)properties
{
    self = [super init];
    width = [[properties objectForKey:IOSurfacePropertyKeyWidth] unsignedIntValue];
    height = [[properties objectForKey:IOSurfacePropertyKeyHeight] unsignedIntValue];
    unsigned pixel = [[properties objectForKey:IOSurfacePropertyKeyBytesPerElement] unsignedIntValue];
    unsigned format = [[properties objectForKey:IOSurfacePropertyKeyPixelFormat] unsignedIntValue];
    __atomic_add_fetch(&standin_surfaces, 1, __ATOMIC_SEQ_CST);
    if (!standin_surfaces_left || !width || !height || pixel != 4 || format != 0x42475241) {
        [self release];
        return nil;
    }
    standin_surfaces_left--;
    memory = calloc(height, (size_t)width * pixel);
    return self;
}

- (void)dealloc
{
    free(memory);
    __atomic_sub_fetch(&standin_surfaces, 1, __ATOMIC_SEQ_CST);
    [super dealloc];
}

- (BOOL)isInUse
{
    return __atomic_load_n(&used, __ATOMIC_SEQ_CST);
}

- (void)use:(BOOL)flag
{
    __atomic_store_n(&used, flag, __ATOMIC_SEQ_CST);
}

- (unsigned)width
{
    return width;
}

- (unsigned)height
{
    return height;
}

- (BOOL)isColoured
{
    return coloured;
}

- (void)colour:(const char *)space
{
    coloured = !strcmp(space, kCGColorSpaceSRGB);
}

@end
