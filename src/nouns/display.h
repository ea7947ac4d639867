/* SPDX-License-Identifier: MIT */
/* Outputs as the guest is told of them. */
#ifndef DISPLAY_H
#define DISPLAY_H

struct displays;
struct stream;
struct venus_gpu;

/* The first output of a device is there at first. NULL if there is no memory. */
struct displays *displays_create(void);
void displays_destroy(struct displays *displays); /* takes NULL */

/*
 * Save what the guest has been told of its outputs, or load it: what these are the front end says, and where that is
 * something else the guest gets an event. Device thread.
 */
void display_stream(struct venus_gpu *gpu, struct stream *stream);
/* Raise the configuration interrupt if it does. Front end. */
void display_tell(struct venus_gpu *gpu);

#endif
