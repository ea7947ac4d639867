/*
 * virtio-gpu-venus: a device that pins memory, for the tests
 *
 * It is at the other end of a socket, so that it needs none of the host's
 * hardware, and does nothing at all.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef VENUS_TEST_VFIO_USER_H
#define VENUS_TEST_VFIO_USER_H

typedef struct VfioUser VfioUser;

VfioUser *vfio_user_start(void);
/* Once QEMU has ended. */
void vfio_user_stop(VfioUser *s);
/* What to start QEMU with.  Not to be freed. */
const char *vfio_user_args(VfioUser *s);
/* How often QEMU has said that memory of @size bytes is there */
unsigned vfio_user_count_maps(VfioUser *s, uint64_t size);

#endif
