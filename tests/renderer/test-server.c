/* SPDX-License-Identifier: MIT */
/* Where the render server comes from, and what is said when it, or a driver, is not there. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/platform.h"
#include "process.h"
#include "venus.h"

extern char **environ;

/* Where the device finds it too. Distributions put it in different places. NULL: it is in none of them. */
static const char *server_path(void)
{
    static const char *const paths[] = {
        "/usr/libexec/virgl_render_server",
        "/usr/lib/virgl_render_server",
        "/usr/local/libexec/virgl_render_server",
    };
    const char *asked = getenv("RENDER_SERVER_EXEC_PATH");

    if (asked)
        return asked;
    for (unsigned i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        if (access(paths[i], X_OK) == 0)
            return paths[i];
    }
    return NULL;
}

static void assert_works(struct guest *guest)
{
    struct venus venus;
    venus_open_all(&venus, guest, 1);
    assert_ok(guest_wait(venus_submit_nothing(&venus)));
    venus_close(&venus);
}

/* The message of a device that does not start. It leaves nothing open and nothing running. */
static void assert_fails(struct guest *guest, const struct venus_gpu_config *config,
                         const char *message)
{
    unsigned fds = process_fds(), threads = process_threads();
    int closed = config->render_server_fd >= 0 ? 1 : 0; /* taken over */
    char *error = guest_try_start(guest, config);
    if (!error)
        fail_msg("it started");
    bool found = strstr(error, message);
    print_message("# %s\n", strtok(error, "\n"));
    if (!found)
        fail_msg("no \"%s\" in it", message);
    free(error);
    assert_int_equal(process_fds(), fds - closed);
    process_wait_for_threads(threads);
    process_wait_for_children(getpid(), 0);
}

static void server_by_its_path(void **state)
{
    struct guest *guest = *state;
    struct venus_gpu_config config;
    guest_config(&config);
    config.render_server = server_path();
    if (!config.render_server)
        skip();
    for (int i = 0; i < 3; i++) {
        unsigned fds = process_fds();
        guest_start(guest, &config);
        assert_works(guest);
        guest_stop(guest);
        process_wait_for_children(getpid(), 0);
        if (i) /* the first one loads the driver, which keeps what it opens */
            assert_int_equal(process_fds(), fds);
    }

    /* A killed server is started from it again, when its owner has forgotten the path. */
    char *path = strdup(config.render_server);
    assert_non_null(path);
    config.render_server = path;
    guest_start(guest, &config);
    free(path);
    process_kill(process_server());
    guest_reset(guest);
    assert_works(guest);
}

#ifdef __GLIBC__
#if __GLIBC_PREREQ(2, 34)
#define HAS_CLOSEFROM
#endif
#endif
#ifdef HAS_CLOSEFROM
/* Of those that front ends forget to keep for themselves, or get from others. */
static void server_has_no_other_descriptor(void **state)
{
    struct guest *guest = *state;
    char folder[64], path[400], link[256];
    int leaked = memfd_create("leaked", 0); /* not close-on-exec */
    assert_true(leaked >= 0);
    guest_start(guest, NULL);
    assert_works(guest);
    snprintf(folder, sizeof(folder), "/proc/%d/fd", (int)process_server());
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (const struct dirent *entry; (entry = readdir(dir));) {
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        ssize_t length = readlink(path, link, sizeof(link) - 1);
        link[length > 0 ? length : 0] = '\0';
        if (strstr(link, "leaked"))
            fail_msg("%s is %s", path, link);
    }
    closedir(dir);
    close(leaked);
}
#endif

static void assert_first_to_go(pid_t process)
{
    char path[64], line[128];
    int adjustment = 0;
    bool no_cores = false;
    snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int)process);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%d", &adjustment), 1);
    fclose(file);
    assert_true(adjustment >= 500);
    snprintf(path, sizeof(path), "/proc/%d/limits", (int)process);
    file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file)) {
        unsigned long soft, hard;
        if (sscanf(line, "Max core file size %lu %lu", &soft, &hard) == 2)
            no_cores = soft == 1 && hard == 1; /* 0 stops no program that takes them */
    }
    fclose(file);
    assert_true(no_cores);
}

/* Where memory runs out the kernel ends what a guest has most to do with; and a guest that crashes it fills no disk. */
static void server_is_the_first_to_go(void **state)
{
    struct guest *guest = *state;
    if (access("/proc/self/oom_score_adj", W_OK) < 0) {
        print_message("# the system has no such order\n");
        skip();
    }
    guest_start(guest, NULL);
    pid_t server = process_server();
    process_wait_for_children(server, 0); /* who looked for Vulkan may still be there */
    assert_ok(guest_context_create(guest, 1));
    assert_first_to_go(server);
    assert_first_to_go(process_new_worker(server, NULL, 0));
}

/* As while its package is being replaced. */
static void server_that_is_away_for_a_while(void **state)
{
    struct guest *guest = *state;
    struct venus_gpu_config config;
    char path[] = "/tmp/test-server-XXXXXX";
    if (!server_path())
        skip();
    close(mkstemp(path));
    unlink(path);
    assert_int_equal(symlink(server_path(), path), 0);
    guest_config(&config);
    config.render_server = path;
    guest_start(guest, &config);
    unlink(path);
    process_kill(process_server());
    for (uint32_t i = 1; i < 4; i++)
        assert_int_equal(guest_context_create(guest, i), VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
    assert_int_equal(symlink(server_path(), path), 0);
    assert_works(guest);
    unlink(path);
}

/* Set a variable for the servers that are started, and set it back. */
static char *exchange_env(const char *name, const char *value)
{
    const char *old = getenv(name);
    char *copy = old ? strdup(old) : NULL;
    if (value)
        setenv(name, value, 1);
    else
        unsetenv(name);
    return copy;
}

static void restore_env(const char *name, char *value)
{
    free(exchange_env(name, value));
    free(value);
}

static bool has_mapped(pid_t pid, const char *name)
{
    char path[64], line[512];
    bool found = false;
    snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    while (!found && fgets(line, sizeof(line), file))
        found = strstr(line, name);
    fclose(file);
    return found;
}

/* A shader that lavapipe has compiled calls it. What others preload stays. */
static void server_has_libm(void **state)
{
    struct guest *guest = *state;
    if (!platform_preload) /* nothing is needed here */
        skip();
    guest_start(guest, NULL);
    assert_true(has_mapped(process_server(), "/libm.so.6"));
    guest_stop(guest);

    char *old = exchange_env("LD_PRELOAD", "libdl.so.2");
    guest_start(guest, NULL);
    restore_env("LD_PRELOAD", old);
    assert_true(has_mapped(process_server(), "/libm.so.6"));
    assert_true(has_mapped(process_server(), "/libdl.so.2"));
}

/* As for a monitor that may start no processes itself: its parent opened the descriptor. */
static int start_server(const char *path, pid_t *pid)
{
    int fds[2];
    assert_int_equal(platform_socketpair(platform_server_socket(), fds), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, fds[1], 30);
    char *argv[] = { (char *)path, (char *)"--socket-fd", (char *)"30", NULL };
    assert_int_equal(posix_spawn(pid, path, &actions, NULL, argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(fds[1]);
    return fds[0];
}

static void server_by_a_descriptor(void **state)
{
    struct guest *guest = *state;
    struct venus_gpu_config config;
    pid_t pid;
    if (!server_path())
        skip();
    guest_config(&config);
    config.render_server_fd = start_server(server_path(), &pid);
    guest_start(guest, &config);
    assert_int_equal(process_server(), pid); /* no other one was started */
    assert_works(guest);
    guest_reset(guest);
    assert_works(guest);
    guest_stop(guest);
    /* It was ours to start, so it is ours to reap; it ends when it is left alone. */
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* There is no way to start another one: contexts fail, and no more than that. */
static void killed_server_of_a_descriptor(void **state)
{
    struct guest *guest = *state;
    struct venus_gpu_config config;
    pid_t pid;
    if (!server_path())
        skip();
    guest_config(&config);
    config.render_server_fd = start_server(server_path(), &pid);
    guest_start(guest, &config);
    assert_ok(guest_context_create(guest, 1));
    process_kill(pid);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_ok(guest_wait(guest_submit_fenced(guest, 1, 0, NULL, 0)));
    guest_reset(guest);
    assert_int_equal(guest_context_create(guest, 1), VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
    process_wait_for_children(getpid(), 0);
}

static void wrong_server(void **state)
{
    struct guest *guest = *state;
    struct venus_gpu_config config;

    guest_config(&config);
    config.render_server = "/nowhere/virgl_render_server";
    assert_fails(guest, &config, "/nowhere/virgl_render_server");
    config.render_server = "/"; /* nothing that could be run */
    assert_fails(guest, &config, "Cannot start the render server /");
    config.render_server = "/dev/null";
    assert_fails(guest, &config, "/dev/null");
    config.render_server =
        "/bin/true"; /* no render server; when that shows depends on how fast it ends */
    assert_fails(guest, &config, "Is virgl_render_server");

    guest_start(guest, NULL);
    assert_works(guest);
}

static void wrong_descriptor(void **state)
{
    struct guest *guest = *state;
    struct venus_gpu_config config;
    int fds[2];

    guest_config(&config);
    config.render_server_fd = open("/dev/null", O_RDWR | O_CLOEXEC); /* no socket */
    assert_fails(guest, &config, "no socket");
    assert_int_equal(platform_socketpair(platform_server_socket(), fds), 0);
    close(fds[1]); /* nobody there */
    config.render_server_fd = fds[0];
    assert_fails(guest, &config, "render_server");
    config.render_server_fd = dup(2);
    config.render_server = "/bin/true";
    assert_fails(guest, &config, "not both");
    config.render_server = NULL;
    config.render_server_fd = -1;
    guest_start(guest, &config);
    assert_works(guest);
}

static void no_vulkan_driver(void **state)
{
    struct guest *guest = *state;
    struct venus_gpu_config config;

    guest_config(&config);
    /* The server inherits it. The loader looks nowhere else then. */
    char *old = exchange_env("VK_DRIVER_FILES", "/nowhere/driver.json");
    assert_fails(guest, &config, "The host has no Vulkan device for the guest.");
    restore_env("VK_DRIVER_FILES", old);
    guest_start(guest, &config);
    assert_works(guest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(server_by_its_path, guest_setup_without_device,
                                        guest_teardown),
#ifdef HAS_CLOSEFROM
        cmocka_unit_test_setup_teardown(server_has_no_other_descriptor, guest_setup_without_device,
                                        guest_teardown),
#endif
        cmocka_unit_test_setup_teardown(server_is_the_first_to_go, guest_setup_without_device,
                                        guest_teardown),
        cmocka_unit_test_setup_teardown(server_that_is_away_for_a_while, guest_setup_without_device,
                                        guest_teardown),
        cmocka_unit_test_setup_teardown(server_has_libm, guest_setup_without_device,
                                        guest_teardown),
        cmocka_unit_test_setup_teardown(server_by_a_descriptor, guest_setup_without_device,
                                        guest_teardown),
        cmocka_unit_test_setup_teardown(killed_server_of_a_descriptor, guest_setup_without_device,
                                        guest_teardown),
        cmocka_unit_test_setup_teardown(wrong_server, guest_setup_without_device, guest_teardown),
        cmocka_unit_test_setup_teardown(wrong_descriptor, guest_setup_without_device,
                                        guest_teardown),
        cmocka_unit_test_setup_teardown(no_vulkan_driver, guest_setup_without_device,
                                        guest_teardown),
    };
    return cmocka_run_group_tests_name("server", tests, NULL, NULL);
}
