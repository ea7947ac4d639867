/* SPDX-License-Identifier: MIT */
/* A stand-in: see README.md. */
#ifndef STANDIN_CAMETALLAYER_H
#define STANDIN_CAMETALLAYER_H

#import <Foundation/Foundation.h>

@interface CALayer : NSObject
@property CGRect bounds;
@property CGPoint position, anchorPoint;
@property CGFloat contentsScale;
@property(getter=isHidden) BOOL hidden;
@property(getter=isOpaque) BOOL opaque;
@property(retain) id contents;
- (void)setAffineTransform:(CGAffineTransform)transform;
- (void)insertSublayer:(CALayer *)layer atIndex:(unsigned)index;
- (void)removeFromSuperlayer;
@end

@interface CAMetalLayer : CALayer
@property CGSize drawableSize;
@end

@interface CATransaction : NSObject
+ (void)begin;
+ (void)commit;
+ (void)setDisableActions:(BOOL)flag;
@end

#endif
