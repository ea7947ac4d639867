/* SPDX-License-Identifier: MIT */
/* A stand-in: see README.md. */
#ifndef STANDIN_FOUNDATION_H
#define STANDIN_FOUNDATION_H

#include <objc/NSObjCRuntime.h>
#include <objc/objc.h>

typedef double CGFloat;

typedef struct CGPoint {
    CGFloat x, y;
} CGPoint;

typedef struct CGSize {
    CGFloat width, height;
} CGSize;

typedef struct CGRect {
    CGPoint origin;
    CGSize size;
} CGRect;

typedef struct CGAffineTransform {
    CGFloat a, b, c, d, tx, ty;
} CGAffineTransform;

typedef CGPoint NSPoint;
typedef CGSize NSSize;
typedef CGRect NSRect;

static inline NSPoint NSMakePoint(CGFloat x, CGFloat y)
{
    return (NSPoint){ x, y };
}

static inline NSSize NSMakeSize(CGFloat width, CGFloat height)
{
    return (NSSize){ width, height };
}

static inline NSRect NSMakeRect(CGFloat x, CGFloat y, CGFloat width, CGFloat height)
{
    return (NSRect){ { x, y }, { width, height } };
}

__attribute__((objc_root_class))
@interface NSObject {
    Class isa;
}
+ (instancetype)alloc;
+ (Class)class;
- (instancetype)init;
- (instancetype)retain;
- (oneway void)release;
- (void)dealloc;
- (void)performSelectorOnMainThread:(SEL)selector withObject:(id)object waitUntilDone:(BOOL)wait;
@end

@interface NSString : NSObject
@end

@interface NSNumber : NSObject
+ (NSNumber *)numberWithUnsignedInt:(unsigned int)number;
@end

@interface NSDictionary : NSObject
+ (instancetype)dictionaryWithObjectsAndKeys:(id)first, ... __attribute__((sentinel));
@end

typedef NSString *NSNotificationName;

@interface NSNotification : NSObject
@property(readonly, retain) id object;
@end

@interface NSNotificationCenter : NSObject
@property(class, readonly, retain) NSNotificationCenter *defaultCenter;
- (void)addObserver:(id)observer
           selector:(SEL)selector
               name:(NSNotificationName)name
             object:(id)object;
- (void)removeObserver:(id)observer;
@end

@interface NSAutoreleasePool : NSObject
@end

#endif
