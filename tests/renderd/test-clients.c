/* SPDX-License-Identifier: MIT */
/* venus-gpu-renderd and clients that say nothing, or nonsense, or are too many; and ones that are right. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../renderer/process.h"
#include "daemon.h"

enum { WRONG_VERSION = 77 };

static void close_both(const int *fds)
{
    close(fds[BROKER_SERVER]);
    close(fds[BROKER_MESSAGES]);
}

static void start(struct daemon *daemon, const char *option, const char *value)
{
    daemon_start(daemon,
                 &(struct daemon_options){ .server = daemon->probe, .more = { option, value } });
}

/* The service goes on, whatever was before. */
static void assert_serves(struct daemon *daemon)
{
    int fds[BROKER_DESCRIPTORS];
    process_wait_for_children(daemon->pid, 0);
    int connection = client_start(daemon, fds);
    child_of(child_of(child_of(daemon->pid)));
    close(connection);
    close_both(fds);
    process_wait_for_children(daemon->pid, 0);
}

static void assert_refused(int connection, enum broker_status status, const char *text)
{
    struct broker_reply reply;
    int fds[BROKER_DESCRIPTORS];
    assert_true(client_hear(connection, &reply, fds));
    assert_int_equal(reply.status, status);
    if (!strstr(reply.text, text))
        fail_msg("no \"%s\" in \"%s\"", text, reply.text);
    assert_int_equal(fds[BROKER_SERVER], -1);
    assert_int_equal(fds[BROKER_MESSAGES], -1);
    client_wait_for_end(connection);
    close(connection);
}

static void nonsense(void **state)
{
    struct daemon *daemon = *state;
    static const char bytes[4096] = { 1, 2, 3 };
    static const size_t sizes[] = { 1, sizeof(struct broker_request) - 1,
                                    sizeof(struct broker_request),
                                    sizeof(struct broker_request) + 1, sizeof(bytes) };
    start(daemon, NULL, NULL);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        int connection = client_connect(daemon);
        assert_int_equal(send(connection, bytes, sizes[i], 0), (ssize_t)sizes[i]);
        assert_refused(connection, BROKER_FAILED, "no request");
    }
    int connection = client_connect(daemon);
    client_say(connection, WRONG_VERSION, BROKER_START, 0);
    assert_refused(connection, BROKER_WRONG_VERSION, "version");
    connection = client_connect(daemon);
    client_say(connection, BROKER_VERSION, BROKER_LIMIT, 0);
    assert_refused(connection, BROKER_FAILED, "first request");
    process_wait_for_children(daemon->pid, 0);
    connection = client_connect(daemon); /* nothing at all */
    child_of(daemon->pid);
    close(connection);
    assert_serves(daemon);
}

/* Later, what is not understood ends the server: nobody knows what was meant. */
static void nonsense_to_a_server(void **state)
{
    struct daemon *daemon = *state;
    int fds[BROKER_DESCRIPTORS];
    start(daemon, NULL, NULL);
    int connection = client_start(daemon, fds);
    pid_t server = child_of(child_of(daemon->pid));
    client_say(connection, BROKER_VERSION, BROKER_START, 0);
    client_wait_for_end(connection);
    process_wait_for_end(server);
    close(connection);
    close_both(fds);
    assert_serves(daemon);
}

/* Nobody waits for it, and it is dropped. */
static void silence(void **state)
{
    struct daemon *daemon = *state;
    int fds[BROKER_DESCRIPTORS];
    start(daemon, "--max", "2");
    int silent = client_connect(daemon);
    int connection = client_start(daemon, fds);
    assert_refused(silent, BROKER_FAILED, "said nothing");
    close(connection);
    close_both(fds);
    assert_serves(daemon);
}

static void too_many(void **state)
{
    struct daemon *daemon = *state;
    int fds[2][BROKER_DESCRIPTORS], connections[2];
    start(daemon, "--max", "2");
    for (unsigned i = 0; i < 2; i++)
        connections[i] = client_start(daemon, fds[i]);
    assert_refused(client_connect(daemon), BROKER_TOO_MANY, "as many servers as there may be");
    for (unsigned i = 0; i < 2; i++) {
        close(connections[i]);
        close_both(fds[i]);
    }
    assert_serves(daemon);
}

static uint64_t address_space(pid_t pid)
{
    char path[64], line[256];
    unsigned long long bytes = 0;
    snprintf(path, sizeof(path), "/proc/%d/limits", (int)pid);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file)) {
        if (sscanf(line, "Max address space %llu", &bytes) == 1)
            break;
    }
    fclose(file);
    return bytes;
}

static void memory_limit(void **state)
{
    struct daemon *daemon = *state;
    int fds[BROKER_DESCRIPTORS];
    const uint64_t bytes = UINT64_C(3) << 30, more = UINT64_C(8) << 30;
    start(daemon, NULL, NULL);
    int connection = client_start(daemon, fds);
    pid_t server = child_of(child_of(daemon->pid));
    assert_int_equal(address_space(server), 0); /* unlimited */
    client_say(connection, BROKER_VERSION, BROKER_LIMIT, bytes);
    for (int i = 0; i < 1000 && !address_space(server); i++)
        usleep(10 * 1000);
    uint64_t limit = address_space(server);
    assert_true(limit > bytes);
    /* It does not get more again, nor does the server end by the attempt. */
    client_say(connection, BROKER_VERSION, BROKER_LIMIT, more);
    client_say(connection, BROKER_VERSION, BROKER_LIMIT, bytes - 4096);
    for (int i = 0; i < 1000 && address_space(server) == limit; i++)
        usleep(10 * 1000);
    assert_int_equal(address_space(server), limit - 4096);
    close(connection);
    close_both(fds);
}

static void no_such_server(void **state)
{
    struct daemon *daemon = *state;
    char path[100];
    /* It is there when the service starts, and no program. */
    snprintf(path, sizeof(path), "%s/bin/probe", daemon->folder);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fputs("no program", file);
    fclose(file);
    start(daemon, NULL, NULL);
    int connection = client_connect(daemon);
    client_say(connection, BROKER_VERSION, BROKER_START, 0);
    assert_refused(connection, BROKER_FAILED, "cannot be started");
}

static void socket_mode(void **state)
{
    struct daemon *daemon = *state;
    struct stat stat_of;
    start(daemon, "--mode", "0600");
    assert_int_equal(stat(daemon->socket, &stat_of), 0);
    assert_int_equal(stat_of.st_mode & 07777, 0600);
    daemon_stop(daemon);
    assert_int_equal(access(daemon->socket, F_OK), -1); /* it takes its own away */
    start(daemon, NULL, NULL);
    assert_int_equal(stat(daemon->socket, &stat_of), 0);
    assert_int_equal(stat_of.st_mode & 07777, 0660);
}

static void socket_of_systemd(void **state)
{
    struct daemon *daemon = *state;
    daemon_start(daemon, &(struct daemon_options){ .server = daemon->probe, .by_systemd = true });
    assert_serves(daemon);
    daemon_stop(daemon);
    assert_int_equal(access(daemon->socket, F_OK), 0); /* it stays systemd's */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, daemon_setup, daemon_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nonsense),     TEST(nonsense_to_a_server), TEST(silence),     TEST(too_many),
        TEST(memory_limit), TEST(no_such_server),       TEST(socket_mode), TEST(socket_of_systemd),
    };
    return cmocka_run_group_tests_name("renderd-clients", tests, NULL, NULL);
}
