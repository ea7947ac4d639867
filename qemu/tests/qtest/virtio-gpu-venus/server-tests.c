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

#ifdef CONFIG_SECCOMP
/* The only child of a process, once it is there */
static pid_t child_of(pid_t pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/task/%d/children",
                                            (int)pid, (int)pid);
    g_autofree char *children = NULL;
    int i, child;

    for (i = 0; i < 2000; i++) {
        g_clear_pointer(&children, g_free);
        if (g_file_get_contents(path, &children, NULL, NULL) &&
            sscanf(children, "%d", &child) == 1) {
            return child;
        }
        g_usleep(10 * 1000);
    }
    g_assert_not_reached();
}

static void wait_for_end(pid_t pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d", (int)pid);
    int i;

    for (i = 0; i < 2000 && g_file_test(path, G_FILE_TEST_EXISTS); i++) {
        g_usleep(10 * 1000);
    }
    g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
}

static pid_t start_renderd(const char *renderd, const char *path)
{
    pid_t pid = fork();
    int i;

    if (pid == 0) {
        if (geteuid() == 0) {
            execl(renderd, renderd, "--socket", path, "--user", "nobody", NULL);
        } else {
            execl(renderd, renderd, "--socket", path, NULL);
        }
        _exit(127);
    }
    for (i = 0; i < 2000 && !g_file_test(path, G_FILE_TEST_EXISTS); i++) {
        g_usleep(10 * 1000);
    }
    return pid;
}

/* A context that works, and nothing of it left */
static void use_context(Venus *v, uint32_t id)
{
    assert_ok(create_context(v, id, VIRTIO_GPU_CAPSET_VENUS));
    assert_ok(create_shm(v, id, 10, PAGE));
    assert_mapped(map_blob(v, 10, 0));
    window_write(v, 0, "by a service");
    assert_window(v, 0, "by a service");
    assert_ok(unmap_blob(v, 10));
    assert_ok(unref(v, 10));
    assert_ok(destroy_context(v, id));
}
#endif

/*
 * libvirt's sandbox, which lets QEMU start nothing: a service starts the server
 * outside, and another one when that is killed, or what keeps it
 */
static void test_render_server_unix(void)
{
#ifdef CONFIG_SECCOMP
    const char *renderd = getenv("VENUS_RENDERD");
    g_autofree char *dir = g_dir_make_tmp("venus-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "socket", NULL);
    g_autofree char *device = g_strdup_printf(DEVICE ",render-server=unix:%s",
                                              path);
    g_autofree char *missing = NULL;
    pid_t service, keeper, server;
    Venus *v;
    int i;

    if (!renderd) {
        g_test_skip("no venus-gpu-renderd: set VENUS_RENDERD to its path");
        g_rmdir(dir);
        return;
    }
    missing = start_and_fail("-device virtio-gpu-venus-pci,"
                             "render-server=unix:/nowhere/socket");
    g_assert_nonnull(strstr(missing, "Cannot reach the render server's service"
                                     " at /nowhere/socket"));

    service = start_renderd(renderd, path);
    v = venus_start_args(device, "-sandbox on,obsolete=deny,"
                                 "elevateprivileges=deny,spawn=deny,"
                                 "resourcecontrol=deny");
    use_context(v, 1);
    for (i = 0; i < 2; i++) {
        keeper = child_of(service);
        server = child_of(keeper);
        assert_ok(create_context(v, 2, VIRTIO_GPU_CAPSET_VENUS));
        g_assert_cmpint(kill(i ? keeper : server, SIGKILL), ==, 0);
        wait_for_end(server);
        assert_ok(destroy_context(v, 2));
        use_context(v, 3);
    }
    venus_stop(v);
    kill(service, SIGTERM);
    g_assert_cmpint(waitpid(service, NULL, 0), ==, service);
    g_rmdir(dir);
#else
    g_test_skip("this QEMU has no -sandbox");
#endif
}

void venus_add_server_tests(void)
{
    qtest_add_func("virtio-gpu-venus/render-server-fd", test_render_server_fd);
    qtest_add_func("virtio-gpu-venus/render-server-unix",
                   test_render_server_unix);
    qtest_add_func("virtio-gpu-venus/no-server", test_no_server);
    qtest_add_func("virtio-gpu-venus/sandbox", test_sandbox);
}
