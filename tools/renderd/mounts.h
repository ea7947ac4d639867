/* SPDX-License-Identifier: MIT */
/* The files that a render server sees. */
#ifndef MOUNTS_H
#define MOUNTS_H

#include <stdbool.h>

/*
 * In a mount namespace of our own: make the root a new one, which has the system's programs and libraries, the GPUs' device
 * nodes and what is in keep, all read-only, and private folders for temporary files. Returns whether it is made; *step says
 * what failed, by errno. Nothing is changed then, or, where *half_made, nothing could run there. *all_processes is whether
 * /proc could not be one of our own, so that it shows those outside too.
 */
bool mounts_make(char *const *keep, const char **step, bool *half_made, bool *all_processes);

#endif
