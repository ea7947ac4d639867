/* SPDX-License-Identifier: MIT */
/* A stand-in for as much of colour spaces as the presenter uses: there is one, which is counted. See layers.m. */
#ifndef STANDIN_COREGRAPHICS_H
#define STANDIN_COREGRAPHICS_H

typedef const void *CFTypeRef, *CFPropertyListRef;
typedef const char *CFStringRef;
typedef struct standin_space *CGColorSpaceRef;

extern unsigned standin_spaces; /* that are alive, and property lists of them */

extern const CFStringRef kCGColorSpaceSRGB;
CGColorSpaceRef CGColorSpaceCreateWithName(CFStringRef name);
CFPropertyListRef CGColorSpaceCopyPropertyList(CGColorSpaceRef space);
void CGColorSpaceRelease(CGColorSpaceRef space);
void CFRelease(CFTypeRef list);

#endif
