/*
 * virtio-gpu-venus: its tests by subject, each in a file of that name
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef VENUS_TEST_TESTS_H
#define VENUS_TEST_TESTS_H

void venus_add_config_tests(void);
void venus_add_outputs_tests(void);
void venus_add_2d_tests(void);
void venus_add_context_tests(void);
void venus_add_blob_tests(void);
void venus_add_scanout_blob_tests(void);
void venus_add_queue_tests(void);
void venus_add_machine_tests(void);
void venus_add_pinned_tests(void);
void venus_add_server_tests(void);
void venus_add_state_tests(void);
void venus_add_vnc_tests(void);

#endif
