/* SPDX-License-Identifier: MIT */
/* GCC's Objective-C knows no _Atomic. Here the structures that have such members lie in memory as they do in C. */
#ifdef __OBJC__
typedef _Bool atomic_bool;
typedef unsigned atomic_uint;
#else
#include_next <stdatomic.h>
#endif
