/* SPDX-License-Identifier: MIT */
/* See QuartzCore/CAMetalLayer.h. */
#import <QuartzCore/CAMetalLayer.h>

unsigned standin_off_main, standin_animated, standin_layers, standin_views;

NSString *const NSWindowDidChangeBackingPropertiesNotification =
    @"NSWindowDidChangeBackingPropertiesNotification";
NSString *const NSWindowDidChangeOcclusionStateNotification =
    @"NSWindowDidChangeOcclusionStateNotification";

static unsigned transactions;
static BOOL actions_disabled;

static void touch(const char *what)
{
    if ([NSThread isMainThread])
        return;
    __atomic_add_fetch(&standin_off_main, 1, __ATOMIC_SEQ_CST);
    fprintf(stderr, "# not on the main thread: %s\n", what);
}

/* A layer that is in a tree moves by itself unless it is told not to. */
static void change(CALayer *layer, const char *what)
{
    touch(what);
    if ([layer superlayer] && !(transactions && actions_disabled)) {
        standin_animated++;
        fprintf(stderr, "# animated: %s\n", what);
    }
}

@implementation CATransaction

+ (void)begin
{
    touch("begin");
    transactions++;
}

+ (void)setDisableActions:(BOOL)flag
{
    touch("setDisableActions");
    actions_disabled = flag;
}

+ (void)commit
{
    touch("commit");
    if (!--transactions)
        actions_disabled = NO;
}

@end

@implementation CALayer

- (id)init
{
    self = [super init];
    sublayers = [[NSMutableArray alloc] init];
    anchor = NSMakePoint(0.5, 0.5);
    scale = 1;
    transform.a = transform.d = 1;
    __atomic_add_fetch(&standin_layers, 1, __ATOMIC_SEQ_CST);
    return self;
}

- (void)dealloc
{
    touch("dealloc of a layer");
    [sublayers makeObjectsPerformSelector:@selector(forgetSuperlayer)];
    [sublayers release];
    [contents release];
    __atomic_sub_fetch(&standin_layers, 1, __ATOMIC_SEQ_CST);
    [super dealloc];
}

- (void)forgetSuperlayer
{
    superlayer = nil;
}

- (CALayer *)superlayer
{
    return superlayer;
}

- (NSArray *)sublayers
{
    return sublayers;
}

- (void)setSuperlayer:(CALayer *)layer
{
    superlayer = layer;
}

- (void)insertSublayer:(CALayer *)layer atIndex:(unsigned)index
{
    touch("insertSublayer");
    [layer removeFromSuperlayer];
    [sublayers insertObject:layer atIndex:index];
    [layer setSuperlayer:self];
}

- (void)addSublayer:(CALayer *)layer
{
    [self insertSublayer:layer atIndex:[sublayers count]];
}

- (void)takeOut:(CALayer *)layer
{
    [layer setSuperlayer:nil];
    [sublayers removeObjectIdenticalTo:layer];
}

- (void)removeFromSuperlayer
{
    touch("removeFromSuperlayer");
    [superlayer takeOut:self];
}

- (CGRect)bounds
{
    touch("bounds");
    return bounds;
}

- (void)setBounds:(CGRect)rect
{
    change(self, "setBounds");
    bounds = rect;
}

- (CGPoint)position
{
    return position;
}

- (void)setPosition:(CGPoint)point
{
    change(self, "setPosition");
    position = point;
}

- (CGPoint)anchorPoint
{
    return anchor;
}

- (void)setAnchorPoint:(CGPoint)point
{
    change(self, "setAnchorPoint");
    anchor = point;
}

- (CGFloat)contentsScale
{
    return scale;
}

- (void)setContentsScale:(CGFloat)number
{
    change(self, "setContentsScale");
    scale = number;
}

- (CGAffineTransform)affineTransform
{
    return transform;
}

- (void)setAffineTransform:(CGAffineTransform)matrix
{
    change(self, "setAffineTransform");
    transform = matrix;
}

- (BOOL)isHidden
{
    return hidden;
}

- (void)setHidden:(BOOL)flag
{
    change(self, "setHidden");
    hidden = flag;
}

- (BOOL)isOpaque
{
    return opaque;
}

- (void)setOpaque:(BOOL)flag
{
    change(self, "setOpaque");
    opaque = flag;
}

- (id)contents
{
    return contents;
}

- (void)setContents:(id)object
{
    change(self, "setContents");
    [contents autorelease];
    contents = [object retain];
    contents_set++;
}

- (unsigned)contentsSet
{
    return contents_set;
}

@end

@implementation CAMetalLayer

- (CGSize)drawableSize
{
    return drawable_size;
}

- (void)setDrawableSize:(CGSize)size
{
    change(self, "setDrawableSize");
    drawable_size = size;
}

@end

@implementation LayerView

- (id)initWithFrame:(NSRect)frame
{
    self = [super initWithFrame:frame];
    __atomic_add_fetch(&standin_views, 1, __ATOMIC_SEQ_CST);
    return self;
}

- (void)dealloc
{
    touch("dealloc of a view");
    [layer release];
    __atomic_sub_fetch(&standin_views, 1, __ATOMIC_SEQ_CST);
    [super dealloc];
}

- (void)setWantsLayer:(BOOL)flag
{
    touch("setWantsLayer");
    if (flag && !layer)
        layer = [[CALayer alloc] init];
}

/* It has the view's coordinates. */
- (CALayer *)layer
{
    touch("layer");
    [CATransaction begin];
    [CATransaction setDisableActions:YES];
    [layer setBounds:[super bounds]];
    [CATransaction commit];
    return layer;
}

- (NSWindow *)window
{
    touch("window");
    return [super window];
}

- (NSRect)bounds
{
    touch("bounds of a view");
    return [super bounds];
}

- (NSSize)convertSizeToBacking:(NSSize)size
{
    touch("convertSizeToBacking");
    CGFloat scale = [self window] ? [[self window] backingScaleFactor] : 1;
    NSSize points = [self convertSize:size toView:nil];
    return NSMakeSize(points.width * scale, points.height * scale);
}

@end

@implementation LayerWindow

- (CGFloat)backingScaleFactor
{
    return scale ? scale : 1;
}

- (NSUInteger)occlusionState
{
    touch("occlusionState");
    return covered ? 0 : NSWindowOcclusionStateVisible;
}

- (void)moveToScreenOfScale:(CGFloat)number
{
    scale = number;
    [[NSNotificationCenter defaultCenter]
        postNotificationName:NSWindowDidChangeBackingPropertiesNotification
                      object:self];
}

- (void)cover:(BOOL)flag
{
    covered = flag;
    [[NSNotificationCenter defaultCenter]
        postNotificationName:NSWindowDidChangeOcclusionStateNotification
                      object:self];
}

@end
