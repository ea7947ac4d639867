/* SPDX-License-Identifier: MIT */
/*
 * What stands in ui/cocoa.m around the lines that our patch adds there, as far as they use it. cocoa.m itself needs more
 * of macOS' headers than there are here. added-1.h to -3.h are those lines; scripts/build-darwin-qemu.py makes them.
 */
#include "qemu/osdep.h"
#import <AppKit/AppKit.h>
#include "added-1.h"

static DisplayChangeListener dcl;

@interface QemuCocoaView : NSView
- (void)selectConsoleLocked:(QemuConsole *)con;
@end

QemuCocoaView *cocoaView;

#include "added-2.h"

@implementation QemuCocoaView

- (void)selectConsoleLocked:(QemuConsole *)con
{
    dcl.con = con;
#include "added-3.h"
}

@end
