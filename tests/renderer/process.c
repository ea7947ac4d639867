/* SPDX-License-Identifier: MIT */
/* See process.h. */
#include "process.h"

#include <dirent.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "guest.h"

static unsigned count_entries(const char *path)
{
    unsigned count = 0;
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (const struct dirent *entry; (entry = readdir(dir));)
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

unsigned process_fds(void)
{
    return count_entries("/proc/self/fd") - 1; /* the folder itself, open while it is read */
}

unsigned process_threads(void)
{
    return count_entries("/proc/self/task");
}

unsigned process_maps(void)
{
    unsigned count = 0;
    FILE *file = fopen("/proc/self/maps", "r");
    assert_non_null(file);
    for (int c; (c = getc(file)) != EOF;)
        count += c == '\n';
    fclose(file);
    return count;
}

unsigned process_libraries(const char *name)
{
    char line[PATH_MAX + 128];
    unsigned count = 0;
    FILE *file = fopen("/proc/self/maps", "r");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file)) {
        const char *last = strrchr(line, '/');
        /* Each has one mapping of its code. */
        count += last && strstr(line, " r-xp ") && strncmp(last + 1, name, strlen(name)) == 0;
    }
    fclose(file);
    return count;
}

uint64_t process_cpu_ms(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
           (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
}

/* Read a process' state and parent. False if there is no such process. */
static bool read_stat(pid_t pid, char *state, pid_t *parent)
{
    char path[64], line[512];
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    if (!file)
        return false;
    size_t len = fread(line, 1, sizeof(line) - 1, file);
    fclose(file);
    line[len] = '\0';
    /* After the name, which is in parentheses and may have some of its own. */
    const char *rest = strrchr(line, ')');
    int number;
    if (!rest || sscanf(rest + 1, " %c %d", state, &number) != 2)
        return false;
    *parent = number;
    return true;
}

unsigned process_children(pid_t parent, pid_t *children, unsigned max)
{
    unsigned count = 0;
    DIR *dir = opendir("/proc");
    assert_non_null(dir);
    for (const struct dirent *entry; (entry = readdir(dir)) && count < max;) {
        char state;
        pid_t pid = atoi(entry->d_name), its_parent;
        if (pid > 0 && read_stat(pid, &state, &its_parent) && its_parent == parent && state != 'Z')
            children[count++] = pid;
    }
    closedir(dir);
    return count;
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

static bool is_dead(pid_t pid)
{
    char state;
    pid_t parent;
    return !read_stat(pid, &state, &parent) || state == 'Z';
}

void process_wait_for_end(pid_t pid)
{
    enum { PATIENCE_MS = 60000, STEP_MS = 10 };
    for (int ms = 0; ms < PATIENCE_MS && !is_dead(pid); ms += STEP_MS)
        sleep_ms(STEP_MS);
    if (!is_dead(pid))
        fail_msg("process %d is still there", (int)pid);
}

void process_kill(pid_t pid)
{
    assert_int_equal(kill(pid, SIGKILL), 0);
    while (!is_dead(pid))
        sleep_ms(1);
}
