/* SPDX-License-Identifier: MIT */
/* A stand-in: see README.md. */
#ifndef STANDIN_IOSURFACE_H
#define STANDIN_IOSURFACE_H

#import <CoreFoundation/CoreFoundation.h>
#import <Foundation/Foundation.h>

typedef struct __IOSurface *IOSurfaceRef;
typedef NSString *IOSurfacePropertyKey;

extern const CFStringRef kIOSurfaceColorSpace;
void IOSurfaceSetValue(IOSurfaceRef surface, CFStringRef key, CFTypeRef value);

extern IOSurfacePropertyKey IOSurfacePropertyKeyWidth, IOSurfacePropertyKeyHeight,
    IOSurfacePropertyKeyBytesPerElement, IOSurfacePropertyKeyPixelFormat;

/* The same as an IOSurfaceRef. */
@interface IOSurface : NSObject
- (instancetype)initWithProperties:(NSDictionary *)properties;
@property(readonly, getter=isInUse) BOOL inUse;
@end

#endif
