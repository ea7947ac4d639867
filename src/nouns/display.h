/* SPDX-License-Identifier: MIT */
/* Outputs as the guest is told of them. */
#ifndef DISPLAY_H
#define DISPLAY_H

struct displays;

/* The first output of a device is there at first. NULL if there is no memory. */
struct displays *displays_create(void);
void displays_destroy(struct displays *displays); /* takes NULL */

#endif
