/* SPDX-License-Identifier: MIT */
/*
 * A stand-in for IOSurfaces: memory of this process that nobody shows. A test is the window server, and says which
 * ones that uses.
 */
#ifndef STANDIN_IOSURFACE_H
#define STANDIN_IOSURFACE_H

#import <CoreGraphics/CoreGraphics.h>
#import <Foundation/Foundation.h>

typedef struct __IOSurface *IOSurfaceRef;

extern const CFStringRef kIOSurfaceColorSpace;
void IOSurfaceSetValue(IOSurfaceRef surface, CFStringRef key, CFTypeRef value);

extern NSString *const IOSurfacePropertyKeyWidth, *const IOSurfacePropertyKeyHeight,
    *const IOSurfacePropertyKeyBytesPerElement, *const IOSurfacePropertyKeyPixelFormat;

/* Of the whole process. */
extern unsigned standin_surfaces;      /* that are alive */
extern unsigned standin_surfaces_left; /* that there is memory for */

@interface IOSurface : NSObject {
    void *memory;
    unsigned width, height;
    BOOL used, coloured;
}
- (id)initWithProperties:(NSDictionary *)properties;
- (BOOL)isInUse;
- (unsigned)width;
- (unsigned)height;
- (BOOL)isColoured; /* in sRGB */
- (void)use:(BOOL)flag;
@end

#endif
