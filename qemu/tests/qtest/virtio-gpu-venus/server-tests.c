/*
 * virtio-gpu-venus: the render server, however it is started
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <glib/gstdio.h>
#include "driver.h"
#include "monitor.h"
#include "tests.h"

/* A render server that somebody else started, as a sandbox needs it */
static void test_render_server_fd(void)
{
    const char *server = getenv("VENUS_RENDER_SERVER");
    g_autofree char *options = NULL;
    g_autofree char *number = NULL;
    Venus *v;
    int fds[2];
    pid_t pid;

    server = server ?: "/usr/libexec/virgl_render_server";
    if (access(server, X_OK) < 0) {
        g_test_skip("no render server: set VENUS_RENDER_SERVER to its path");
        return;
    }
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), ==, 0);
    number = g_strdup_printf("%d", fds[1]);
    pid = fork();
    if (pid == 0) {
        close(fds[0]);
        execl(server, server, "--socket-fd", number, NULL);
        _exit(127);
    }
    close(fds[1]);

    options = g_strdup_printf(",render-server=fd:%d", fds[0]);
    v = venus_start(options);
    close(fds[0]);
    assert_ok(create_context(v, 1, VIRTIO_GPU_CAPSET_VENUS));
    assert_ok(create_shm(v, 1, 10, PAGE));
    assert_mapped(map_blob(v, 10, 0));
    window_write(v, 0, "handed over");
    assert_window(v, 0, "handed over");
    venus_stop(v);
    g_assert_cmpint(waitpid(pid, NULL, 0), ==, pid);
}

/* A server that never answers, and a sandbox that does not let one start */
static void test_no_server(void)
{
    g_autofree char *dir = g_dir_make_tmp("venus-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "server", NULL);
    g_autofree char *args = g_strdup_printf(
        "-device virtio-gpu-venus-pci,render-timeout=1000,render-server=%s",
        path);
    g_autofree char *hung = NULL;
    g_autofree char *denied = NULL;

    g_assert_true(g_file_set_contents(path, "#!/bin/sh\nexec sleep 100000\n",
                                      -1, NULL));
    g_assert_cmpint(g_chmod(path, 0700), ==, 0);
    hung = start_and_fail(args);
    g_assert_nonnull(strstr(hung, "The render server does not answer"));
    g_unlink(path);
    g_rmdir(dir);

#ifdef CONFIG_SECCOMP
    denied = start_and_fail("-sandbox on,spawn=deny "
                            "-device virtio-gpu-venus-pci");
    g_assert_nonnull(strstr(denied, "This process is in a sandbox"));
#endif
}

/* Where only privileges are denied, it starts. */
static void test_sandbox(void)
{
#ifdef CONFIG_SECCOMP
    Venus *v = venus_start_args(DEVICE, "-sandbox on,elevateprivileges=deny,"
                                        "obsolete=deny,resourcecontrol=deny");

    assert_ok(create_context(v, 1, VIRTIO_GPU_CAPSET_VENUS));
    assert_ok(create_shm(v, 1, 10, PAGE));
    venus_stop(v);
#else
    g_test_skip("this QEMU has no -sandbox");
#endif
}

void venus_add_server_tests(void)
{
    qtest_add_func("virtio-gpu-venus/render-server-fd", test_render_server_fd);
    qtest_add_func("virtio-gpu-venus/no-server", test_no_server);
    qtest_add_func("virtio-gpu-venus/sandbox", test_sandbox);
}
