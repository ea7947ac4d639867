/* SPDX-License-Identifier: MIT */
/* A stand-in: see README.md. */
#ifndef STANDIN_COREFOUNDATION_H
#define STANDIN_COREFOUNDATION_H

typedef const void *CFTypeRef, *CFPropertyListRef;
typedef const struct __CFString *CFStringRef;

void CFRelease(CFTypeRef object);

#endif
