/* SPDX-License-Identifier: MIT */
/* A stand-in: see README.md. */
#ifndef STANDIN_COREGRAPHICS_H
#define STANDIN_COREGRAPHICS_H

#include <CoreFoundation/CoreFoundation.h>

typedef struct CGColorSpace *CGColorSpaceRef;

extern const CFStringRef kCGColorSpaceSRGB;
CGColorSpaceRef CGColorSpaceCreateWithName(CFStringRef name);
CFPropertyListRef CGColorSpaceCopyPropertyList(CGColorSpaceRef space);
void CGColorSpaceRelease(CGColorSpaceRef space); /* takes NULL */

#endif
