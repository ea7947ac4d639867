/* SPDX-License-Identifier: MIT */
/* What macOS' libproc and dynamic linker tell. See process.h. Of mappings they tell nothing that could be counted. */
#include "process.h"

#include <dirent.h>
#include <libproc.h>
#include <mach-o/dyld.h>
#include <stdio.h>
#include <string.h>
#include <sys/proc_info.h>
#include <unistd.h>

#include "guest.h"

unsigned process_fds(void)
{
    unsigned count = 0;
    DIR *dir = opendir("/dev/fd");
    assert_non_null(dir);
    for (const struct dirent *entry; (entry = readdir(dir));)
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count - 1; /* the folder itself, open while it is read */
}

unsigned process_threads(void)
{
    struct proc_taskinfo info;
    int size = proc_pidinfo(getpid(), PROC_PIDTASKINFO, 0, &info, sizeof(info));
    assert_int_equal(size, sizeof(info));
    return (unsigned)info.pti_threadnum;
}

unsigned process_maps(void)
{
    return 0;
}

unsigned process_libraries(const char *name)
{
    unsigned count = 0;
    for (uint32_t i = 0; i < _dyld_image_count(); i++) {
        const char *last = strrchr(_dyld_get_image_name(i), '/');
        count += last && strncmp(last + 1, name, strlen(name)) == 0;
    }
    return count;
}

bool process_is_dead(pid_t pid)
{
    struct proc_bsdinfo info;
    enum { ZOMBIE = 5 }; /* SZOMB of sys/proc.h */
    return proc_pidinfo(pid, PROC_PIDTBSDINFO, 0, &info, sizeof(info)) != sizeof(info) ||
           info.pbi_status == ZOMBIE;
}

void process_describe(pid_t pid, char *text, size_t size)
{
    if (proc_name(pid, text, (uint32_t)size) <= 0)
        snprintf(text, size, "without a name");
}

unsigned process_children(pid_t parent, pid_t *children, unsigned max)
{
    pid_t all[256];
    int there = proc_listchildpids(parent, all, sizeof(all));
    unsigned count = 0;
    for (int i = 0; i < there && count < max; i++) {
        if (!process_is_dead(all[i]))
            children[count++] = all[i];
    }
    return count;
}
