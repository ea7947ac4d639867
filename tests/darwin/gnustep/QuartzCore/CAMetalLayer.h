/* SPDX-License-Identifier: MIT */
/*
 * Stand-ins for what GNUstep has nothing of: layers that show nothing but remember what was done to them, a view
 * that has one, and a window whose scale and whose visibility a test chooses. Of layers only what the presenter
 * uses; NSView, NSWindow and all else are GNUstep's own.
 */
#ifndef STANDIN_CAMETALLAYER_H
#define STANDIN_CAMETALLAYER_H

#import <AppKit/AppKit.h>

/* What broke a rule, in the whole process. A layer may be made on any thread, but nothing else. */
extern unsigned standin_off_main; /* calls of layers, views and windows on another thread than the main one */
extern unsigned standin_animated; /* changes of a layer that would be seen to move */
extern unsigned standin_layers;   /* that are alive */
extern unsigned standin_views;

@interface CALayer : NSObject {
    CALayer *superlayer; /* not owned */
    NSMutableArray *sublayers;
    CGRect bounds;
    CGPoint position, anchor;
    CGFloat scale;
    CGAffineTransform transform;
    BOOL hidden, opaque;
    id contents;
    unsigned contents_set;
}
- (CALayer *)superlayer;
- (NSArray *)sublayers; /* the lowest first */
- (void)insertSublayer:(CALayer *)layer atIndex:(unsigned)index;
- (void)addSublayer:(CALayer *)layer;
- (void)removeFromSuperlayer;
- (CGRect)bounds;
- (void)setBounds:(CGRect)rect;
- (CGPoint)position;
- (void)setPosition:(CGPoint)point;
- (CGPoint)anchorPoint;
- (void)setAnchorPoint:(CGPoint)point;
- (CGFloat)contentsScale;
- (void)setContentsScale:(CGFloat)number;
- (CGAffineTransform)affineTransform;
- (void)setAffineTransform:(CGAffineTransform)matrix;
- (BOOL)isHidden;
- (void)setHidden:(BOOL)flag;
- (BOOL)isOpaque;
- (void)setOpaque:(BOOL)flag;
- (id)contents;
- (void)setContents:(id)object;
- (unsigned)contentsSet; /* how often */
@end

@interface CAMetalLayer : CALayer {
    CGSize drawable_size;
}
- (CGSize)drawableSize;
- (void)setDrawableSize:(CGSize)size;
@end

@interface CATransaction : NSObject
+ (void)begin;
+ (void)setDisableActions:(BOOL)flag;
+ (void)commit;
@end

/* What macOS' AppKit has besides. */
extern NSString *const NSWindowDidChangeBackingPropertiesNotification;
extern NSString *const NSWindowDidChangeOcclusionStateNotification;

enum { NSWindowOcclusionStateVisible = 1 << 1 };

@interface NSView (Layers)
- (void)setWantsLayer:(BOOL)flag;
- (CALayer *)layer;
- (NSSize)convertSizeToBacking:(NSSize)size;
@end

@interface NSWindow (Occlusion)
- (NSUInteger)occlusionState;
@end

/* They have it. */
@interface LayerView : NSView {
    CALayer *layer;
}
@end

@interface LayerWindow : NSWindow {
    CGFloat scale;
    BOOL covered;
}
/* Both tell as macOS does. */
- (void)moveToScreenOfScale:(CGFloat)number;
- (void)cover:(BOOL)flag;
@end

#endif
