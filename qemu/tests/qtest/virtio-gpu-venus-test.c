/*
 * virtio-gpu-venus, driven over its virtqueues
 *
 * These tests run the device with its real library and render server, on
 * whatever Vulkan driver the host has; they are skipped where it has none. What
 * they know of a picture comes from screendump, or from VNC.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "virtio-gpu-venus/monitor.h"
#include "virtio-gpu-venus/tests.h"

static void test_skipped(const void *messages)
{
    g_test_skip(messages);
}

int main(int argc, char **argv)
{
    g_autofree char *messages = NULL;

    g_test_init(&argc, &argv, NULL);

    /* Is it the device that fails? */
    messages = start_and_fail("-device virtio-gpu-venus-pci");
    if (HOST_BIG_ENDIAN || !strstr(messages, "'nothing' is not a valid")) {
        qtest_add_data_func("virtio-gpu-venus/skipped", messages, test_skipped);
        return g_test_run();
    }

    venus_add_config_tests();
    venus_add_outputs_tests();
    venus_add_2d_tests();
    venus_add_context_tests();
    venus_add_blob_tests();
    venus_add_scanout_blob_tests();
    venus_add_queue_tests();
    venus_add_machine_tests();
    venus_add_pinned_tests();
    venus_add_server_tests();
    venus_add_state_tests();
#ifdef CONFIG_VNC
    venus_add_vnc_tests();
#endif
    return g_test_run();
}
