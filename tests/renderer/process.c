/* SPDX-License-Identifier: MIT */
/* See process.h: what is the same on every system. */
#include "process.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "guest.h"

uint64_t process_cpu_ms(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
           (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
}

void process_wait_for_children(pid_t parent, unsigned count)
{
    enum { MAX = 64, PATIENCE_MS = 20000, STEP_MS = 2 };
    pid_t children[MAX];
    for (int ms = 0; ms < PATIENCE_MS && process_children(parent, children, MAX) != count;
         ms += STEP_MS)
        sleep_ms(STEP_MS);
    assert_int_equal(process_children(parent, children, MAX), count);
}

void process_wait_for_threads(unsigned most)
{
    enum { PATIENCE_MS = 5000, STEP_MS = 2 };
    for (int ms = 0; ms < PATIENCE_MS && process_threads() > most; ms += STEP_MS)
        sleep_ms(STEP_MS);
    assert_true(process_threads() <= most);
}

pid_t process_server(void)
{
    pid_t children[2];
    assert_int_equal(process_children(getpid(), children, 2), 1);
    return children[0];
}

static bool is_known(pid_t pid, const pid_t *known, unsigned num_known)
{
    for (unsigned i = 0; i < num_known; i++) {
        if (known[i] == pid)
            return true;
    }
    return false;
}

pid_t process_new_worker(pid_t server, const pid_t *known, unsigned num_known)
{
    pid_t children[64], found = 0;
    unsigned count = process_children(server, children, 64);
    for (unsigned i = 0; i < count; i++) {
        if (!is_known(children[i], known, num_known)) {
            assert_int_equal(found, 0);
            found = children[i];
        }
    }
    assert_int_not_equal(found, 0);
    return found;
}

uint32_t process_soon_ms(void)
{
    const char *slower = getenv("VENUS_TEST_SLOWER");
    return 4000 * (slower ? (uint32_t)strtoul(slower, NULL, 10) : 1);
}

void process_wait_for_end(pid_t pid)
{
    enum { PATIENCE_MS = 60000, STEP_MS = 10 };
    for (int ms = 0; ms < PATIENCE_MS && !process_is_dead(pid); ms += STEP_MS)
        sleep_ms(STEP_MS);
    if (process_is_dead(pid))
        return;
    char text[512];
    process_describe(pid, text, sizeof(text));
    fail_msg("process %d is still there: %s", (int)pid, text);
}

void process_kill(pid_t pid)
{
    assert_int_equal(kill(pid, SIGKILL), 0);
    while (!process_is_dead(pid))
        sleep_ms(1);
}
