/*
 * virtio-gpu-venus: beside a device that pins all memory
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "driver.h"
#include "monitor.h"
#include "tests.h"
#include "vfio-user.h"

/* What QEMU says if there is such a device between these others */
static char *fail_with(const char *before, const char *after)
{
    VfioUser *s = vfio_user_start();
    g_autofree char *args = g_strdup_printf("%s %s %s", before,
                                            vfio_user_args(s), after);
    char *messages = start_and_fail(args);

    vfio_user_stop(s);
    return messages;
}

/* The pages of the window are replaced, which such a device does not notice. */
static void test_refused(void)
{
    /* Devices in JSON's form, as the other one, come after all that are not. */
    g_autofree char *last = fail_with("",
        "-device '{\"driver\":\"virtio-gpu-venus-pci\"}'");
    g_autofree char *first = fail_with("-device virtio-gpu-venus-pci", "");

    g_assert_nonnull(strstr(last, "has pinned memory: "
                                  "use x-window-regions=on"));
    g_assert_nonnull(strstr(first, "Cannot set discarding of RAM broken"));
}

/* It is told of regions as they come, and without a window there is nothing. */
static void test_regions(void)
{
    const uint64_t size = 3 * PAGE;
    VfioUser *s = vfio_user_start();
    Venus *v = venus_start_args(DEVICE REGIONS, vfio_user_args(s));
    unsigned maps = vfio_user_count_maps(s, size);

    assert_ok(create_context(v, 1, VIRTIO_GPU_CAPSET_VENUS));
    assert_ok(create_shm(v, 1, 10, size));
    assert_mapped(map_blob(v, 10, PAGE));
    g_assert_cmpuint(vfio_user_count_maps(s, size), ==, maps + 1);
    window_write(v, PAGE, "in both");
    assert_window(v, PAGE, "in both");
    venus_stop(v);
    vfio_user_stop(s);

    s = vfio_user_start();
    qtest_quit(qtest_initf("-M pc -m 64 -nodefaults "
                           "-device virtio-gpu-venus-pci,hostmem=0 %s",
                           vfio_user_args(s)));
    vfio_user_stop(s);
}

void venus_add_pinned_tests(void)
{
    if (!qtest_has_device("vfio-user-pci")) {
        return;                 /* before QEMU 10.1 */
    }
    qtest_add_func("virtio-gpu-venus/pinned/refused", test_refused);
    qtest_add_func("virtio-gpu-venus/pinned/regions", test_regions);
}
