/* SPDX-License-Identifier: MIT */
/* Capability sets: what the guest is told of Venus. */
#ifndef CAPSET_H
#define CAPSET_H

struct stream;
struct venus_gpu;

/* Save what the guest has been told, which its kernel keeps; or load it, and log where it is told something else here.
 * Device thread. */
void capset_stream(struct venus_gpu *gpu, struct stream *stream);

#endif
