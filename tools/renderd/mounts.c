/* SPDX-License-Identifier: MIT */
/*
 * See mounts.h.
 *
 * The new root is a tmpfs. Sockets are files: a folder that is not there is one with no service to connect to, which a
 * read-only one is not. So what is there is listed, and everything else is not.
 */
#include "mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Where Vulkan's loader and drivers look, and the devices that they open. */
static const char *const shown[] = {
    "/usr",
    "/bin",
    "/sbin",
    "/lib*",
    "/opt",
    "/nix/store",
    "/gnu/store",
    "/run/opengl-driver*",
    "/etc/alternatives",
    "/etc/drirc",
    "/etc/glvnd",
    "/etc/ld.so.*",
    "/etc/localtime",
    "/etc/nvidia",
    "/etc/static",
    "/etc/vulkan",
    "/sys",
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
    "/dev/udmabuf",
    "/dev/dma_heap",
    "/dev/dri/renderD*", /* not the others: who opens one may have the screen */
    "/dev/kgsl-3d0",
    "/dev/mali*",
    "/dev/nvhost*",
    "/dev/nvidia*",
    "/dev/nvmap",
};

#define OLD "/.old"

/* Temporary files, of a driver's compiler or its cache: bounded, since they are memory. */
static const char temporary_size[] = "mode=1777,size=256m";

static int make_parents(const char *path)
{
    char copy[PATH_MAX];
    snprintf(copy, sizeof(copy), "%s", path);
    for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(copy, 0755) < 0 && errno != EEXIST)
            return -1;
        *slash = '/';
    }
    return 0;
}

/* What is at that path of the old root, at the same of the new one. A link is copied: what it leads to is shown or not. */
static int show(const char *path)
{
    char old[PATH_MAX], target[PATH_MAX];
    struct stat stat;
    snprintf(old, sizeof(old), OLD "%s", path);
    if (lstat(old, &stat) < 0)
        return errno == ENOENT ? 0 : -1;
    if (make_parents(path) < 0)
        return -1;
    if (S_ISLNK(stat.st_mode)) {
        ssize_t length = readlink(old, target, sizeof(target) - 1);
        if (length < 0)
            return -1;
        target[length] = '\0';
        return symlink(target, path);
    }
    if (S_ISDIR(stat.st_mode)) {
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
            return -1;
    } else if (access(path, F_OK) < 0) {
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        if (fd < 0)
            return -1;
        close(fd);
    }
    return mount(old, path, NULL, MS_BIND | MS_REC, NULL);
}

static int show_pattern(const char *pattern)
{
    char old[PATH_MAX];
    glob_t found;
    int ret = 0;
    snprintf(old, sizeof(old), OLD "%s", pattern);
    if (glob(old, GLOB_NOSORT, NULL, &found) != 0)
        return 0;
    for (size_t i = 0; i < found.gl_pathc && ret == 0; i++)
        ret = show(found.gl_pathv[i] + strlen(OLD));
    globfree(&found);
    return ret;
}

static int show_all(char *const *keep)
{
    for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
        if (show_pattern(shown[i]) < 0)
            return -1;
    }
    for (; *keep; keep++) {
        if (show(*keep) < 0)
            return -1;
    }
    return 0;
}

/* That of the processes that there are here; where the kernel lets us mount none, as in some containers, the old one. */
static int show_processes(bool *all)
{
    const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
    if (mkdir("/proc", 0755) < 0)
        return -1;
    *all = mount("proc", "/proc", "proc", flags, NULL) < 0;
    return *all ? mount(OLD "/proc", "/proc", NULL, MS_BIND | MS_REC, NULL) : 0;
}

static const char *const temporary[] = { "/tmp", "/dev/shm" };
enum { NUM_TEMPORARY = sizeof(temporary) / sizeof(temporary[0]) };

static int make_temporary(void)
{
    const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
    for (size_t i = 0; i < NUM_TEMPORARY; i++) {
        if (make_parents(temporary[i]) < 0 || mkdir(temporary[i], 0755) < 0 ||
            mount("tmpfs", temporary[i], "tmpfs", flags, temporary_size) < 0)
            return -1;
    }
    return 0;
}

static int set_attributes(const char *path, unsigned flags, uint64_t set, uint64_t clear)
{
    struct mount_attr attr = { .attr_set = set, .attr_clr = clear };
    return (int)syscall(SYS_mount_setattr, AT_FDCWD, path, flags, &attr, sizeof(attr));
}

/*
 * All but the temporary files, with what else is shown among them, and our own /proc: the names of threads are written
 * there, without which NVIDIA's driver does not start. What else could be is root's.
 */
static int make_read_only(bool all_processes)
{
    int ret = set_attributes("/", AT_RECURSIVE, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID, 0);
    for (size_t i = 0; i < NUM_TEMPORARY && ret == 0; i++)
        ret = set_attributes(temporary[i], 0, 0, MOUNT_ATTR_RDONLY);
    if (ret == 0 && !all_processes)
        ret = set_attributes("/proc", 0, 0, MOUNT_ATTR_RDONLY);
    return ret;
}

bool mounts_make(char *const *keep, const char **step, bool *half_made, bool *all_processes)
{
    *half_made = *all_processes = false;
    umask(022);
    *step = "a file system of its own";
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("tmpfs", "/tmp", "tmpfs", MS_NOSUID, "mode=755") < 0)
        return false;
    *half_made = true;
    if (chdir("/tmp") < 0 || mkdir("." OLD, 0755) < 0 ||
        syscall(SYS_pivot_root, ".", "." OLD) < 0 || chdir("/") < 0)
        return false;
    *step = "private folders";
    if (make_temporary() < 0)
        return false;
    *step = "the system's files";
    if (show_all(keep) < 0)
        return false;
    *step = "its /proc";
    if (show_processes(all_processes) < 0)
        return false;
    *step = "a root without the old one";
    if (umount2(OLD, MNT_DETACH) < 0 || rmdir(OLD) < 0)
        return false;
    *step = "files that are read-only";
    return make_read_only(*all_processes) == 0;
}
