/*
 * virtio-gpu-venus: what the tests ask of QEMU itself
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef VENUS_TEST_MONITOR_H
#define VENUS_TEST_MONITOR_H

#include "driver.h"

#define QOM_PATH "/machine/peripheral/gpu/virtio-backend"

uint64_t get_stat(Venus *v, const char *name);
/* What a context holds, of the property `contexts`; the caller's. */
struct QDict *get_context(Venus *v, uint32_t id);
char *get_string(Venus *v, const char *property);
void set_string(Venus *v, const char *property, const char *value);
/* The property cannot be that, and the device says what it can be. */
void assert_refused(Venus *v, const char *property, const char *value,
                    const char *message);
void assert_string(Venus *v, const char *property, const char *value);
/* QEMU's messages when it is started with these arguments, and exits. */
char *start_and_fail(const char *args);
/* The same when it loads the state in that file, and cannot. */
char *load_and_fail(const char *args, const char *path);

#endif
