/* SPDX-License-Identifier: MIT */
/* What a server that venus-gpu-renderd starts can see and do: probe.c tries, here is what it must find. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../renderer/process.h"
#include "daemon.h"

static char lines[65536];

/* Start a probe and read what it finds. Returns the connection that keeps it. */
static int start_probe(struct daemon *daemon, struct daemon_options options)
{
    options.server = daemon->probe;
    daemon_start(daemon, &options);
    return client_read(daemon, lines, sizeof(lines), "\ndone: yes\n");
}

static bool found(const char *name, const char *result)
{
    char line[400];
    snprintf(line, sizeof(line), "\n%s: %s\n", name, result);
    return strstr(lines, line);
}

static void assert_found(const char *name, const char *result)
{
    if (found(name, result))
        return;
    char begin[100];
    snprintf(begin, sizeof(begin), "\n%s: ", name);
    const char *line = strstr(lines, begin);
    fail_msg("not %s: %s, but%.*s", name, result, line ? (int)strcspn(line + 1, "\n") + 1 : 8,
             line ? line : " nothing");
}

static void assert_filter(void)
{
    static const char *const denied[] = {
        "ptrace",          "unshare",        "mount",           "keyctl",  "bpf",
        "perf_event_open", "userfaultfd",    "setsid",          "setpgid", "inet",
        "netlink",         "io_uring_setup", "clone-namespace",
    };
    for (size_t i = 0; i < sizeof(denied) / sizeof(denied[0]); i++)
        assert_found(denied[i], "denied");
    assert_found("unix", "allowed");
    assert_found("clone3", "ENOSYS");
    assert_found("executable-memory", "allowed");
    assert_found("thread", "allowed");
    assert_found("thread-name", "allowed");
#ifdef __x86_64__
    assert_found("x32", "ENOSYS");
    assert_found("i386", "Bad system call");
#endif
}

/* What holds with namespaces and without. */
static void assert_rights(bool is_nobody)
{
    char text[64];
    snprintf(text, sizeof(text), "%u %u", is_nobody ? 65534 : getuid(),
             is_nobody ? 65534 : getgid());
    assert_found("user", text);
    static const char *const sets[] = { "CapInh", "CapPrm", "CapEff", "CapAmb" };
    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
        snprintf(text, sizeof(text), "%s:\t0000000000000000", sets[i]);
        assert_found("status", text);
    }
    assert_found("status", "NoNewPrivs:\t1");
    assert_found("status", "Seccomp:\t2");
    assert_found("core", "1");
    assert_non_null(strstr(lines, "\npreload: "));
    assert_non_null(strstr(lines, "libm.so.6"));
    assert_filter();
}

static void assert_isolated(void)
{
    assert_found("processes", "2"); /* the keeper and itself */
    const char *interface = strstr(lines, "\ninterface: ");
    assert_non_null(interface);
    assert_non_null(strstr(interface, " lo:"));
    assert_null(strstr(interface + 1, "\ninterface: ")); /* and no other */
    assert_found("write-own-folder", "EROFS");
    assert_found("write-root", "EROFS");
    assert_found("write-usr", "EROFS");
    assert_found("write-tmp", "written");
    assert_found("write-shm", "written");
    assert_found("see-socket", "no");
    assert_found("see-run", "no");
    assert_found("see-passwd", "no");
    assert_found("home", "/tmp");
    assert_found("cache-disabled", "no");
}

/* All of it is gone when the client is, also what ignores SIGTERM. */
static void assert_ends(const struct daemon *daemon, int connection)
{
    pid_t keeper = child_of(daemon->pid), server = child_of(keeper), worker = child_of(server);
    close(connection);
    process_wait_for_end(worker);
    process_wait_for_end(server);
    process_wait_for_end(keeper);
    process_wait_for_children(daemon->pid, 0);
}

static bool is_root(void)
{
    return geteuid() == 0;
}

static void by_root(void **state)
{
    struct daemon *daemon = *state;
    if (!is_root())
        skip();
    int connection = start_probe(daemon, (struct daemon_options){ .more = { "--strict" } });
    assert_rights(true);
    assert_found("status", "CapBnd:\t0000000000000000");
    assert_false(found("group", "0"));
    assert_isolated();
    assert_ends(daemon, connection);
}

static void by_an_ordinary_user(void **state)
{
    struct daemon *daemon = *state;
    int connection =
        start_probe(daemon, (struct daemon_options){ .more = { "--strict" }, .is_ordinary = true });
    assert_rights(is_root());
    assert_isolated();
    assert_ends(daemon, connection);
}

/* As in a container: the rest of the sandbox holds, and it is said what is missing. */
static void without_namespaces(void **state)
{
    struct daemon *daemon = *state;
    int connection = start_probe(daemon, (struct daemon_options){ .has_no_namespace = true });
    assert_true(daemon_logged(daemon, "the sandbox lacks namespaces"));
    assert_rights(is_root());
    assert_found("cache-disabled", "yes");
    assert_ends(daemon, connection);

    /* Whom the keeper leaves behind, its parent ends. */
    int fds[BROKER_DESCRIPTORS];
    connection = client_start(daemon, fds);
    pid_t keeper = child_of(daemon->pid), server = child_of(keeper), worker = child_of(server);
    process_kill(keeper);
    process_wait_for_end(worker);
    process_wait_for_end(server);
    client_wait_for_end(connection);
    process_wait_for_children(daemon->pid, 0);
    close(connection);
    close(fds[BROKER_SERVER]);
    close(fds[BROKER_MESSAGES]);
}

static void strictly_without_namespaces(void **state)
{
    struct daemon *daemon = *state;
    struct broker_reply reply;
    int fds[BROKER_DESCRIPTORS];
    daemon_start(daemon, &(struct daemon_options){ .server = daemon->probe,
                                                   .more = { "--strict" },
                                                   .has_no_namespace = true });
    int connection = client_connect(daemon);
    client_say(connection, BROKER_VERSION, BROKER_START, 0);
    bool heard = client_hear(connection, &reply, fds);
    if (!heard) /* our request was not read: the answer is behind that */
        heard = client_hear(connection, &reply, fds);
    assert_true(heard);
    assert_int_equal(reply.status, BROKER_FAILED);
    assert_non_null(strstr(reply.text, "namespaces"));
    assert_int_equal(fds[BROKER_SERVER], -1);
    close(connection);
    process_wait_for_children(daemon->pid, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, daemon_setup, daemon_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(by_root),
        TEST(by_an_ordinary_user),
        TEST(without_namespaces),
        TEST(strictly_without_namespaces),
    };
    return cmocka_run_group_tests_name("renderd-sandbox", tests, NULL, NULL);
}
