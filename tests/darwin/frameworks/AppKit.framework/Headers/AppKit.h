/* SPDX-License-Identifier: MIT */
/* A stand-in: see README.md. */
#ifndef STANDIN_APPKIT_H
#define STANDIN_APPKIT_H

#import <Foundation/Foundation.h>
#import <QuartzCore/CAMetalLayer.h>

typedef NSUInteger NSWindowOcclusionState;
enum { NSWindowOcclusionStateVisible = 1UL << 1 };

@interface NSWindow : NSObject
@property(readonly) CGFloat backingScaleFactor;
@property(readonly) NSWindowOcclusionState occlusionState;
@end

@interface NSView : NSObject
@property(readonly, assign) NSWindow *window;
@property NSRect bounds;
@property BOOL wantsLayer;
@property(retain) CALayer *layer;
- (NSSize)convertSizeToBacking:(NSSize)size;
@end

extern NSNotificationName const NSViewFrameDidChangeNotification, NSViewBoundsDidChangeNotification,
    NSWindowDidChangeBackingPropertiesNotification, NSWindowDidChangeOcclusionStateNotification;

#endif
