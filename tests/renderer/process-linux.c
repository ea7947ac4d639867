/* SPDX-License-Identifier: MIT */
/* What /proc tells. See process.h. */
#include "process.h"

#include <dirent.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

bool process_is_dead(pid_t pid)
{
    char state;
    pid_t parent;
    return !read_stat(pid, &state, &parent) || state == 'Z';
}

static void read_line(pid_t pid, const char *name, char *line, size_t size)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    FILE *file = fopen(path, "r");
    size_t len = file ? fread(line, 1, size - 1, file) : 0;
    if (file)
        fclose(file);
    line[len] = '\0';
    line[strcspn(line, "\n")] = '\0';
}

void process_describe(pid_t pid, char *text, size_t size)
{
    char stat[200], wchan[64], call[200];
    read_line(pid, "stat", stat, sizeof(stat));
    read_line(pid, "wchan", wchan, sizeof(wchan));
    read_line(pid, "syscall", call, sizeof(call));
    snprintf(text, size, "%.60s, waits in %s, system call %s", stat, wchan, call);
}
