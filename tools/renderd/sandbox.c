/* SPDX-License-Identifier: MIT */
/*
 * See sandbox.h.
 *
 * The order is given: mounts need the rights of root, or of a user namespace; the other user is known by what is not
 * mounted there any more, so settings have numbers; the filter comes last, as it denies the calls before it. A
 * part that cannot be had is missing, unless settings are strict: a container may have no namespaces to give,
 * and is itself one. To stay root is no such part.
 */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/message.h"
#include "filter.h"
#include "mounts.h"
#include "settings.h"

pid_t sandbox_fork(int *lacks)
{
    unsigned long namespaces =
        CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNS;
    if (geteuid() != 0)
        namespaces |= CLONE_NEWUSER;
    /* The C library has no fork() with flags. Its other arguments are 0, in whatever order. */
    long pid = syscall(SYS_clone, namespaces | SIGCHLD, 0, 0, 0, 0);
    *lacks = pid < 0 ? errno : 0;
    return pid >= 0 ? (pid_t)pid : fork();
}

/* Says what cannot be had; in a strict world it is the message. */
static char *missing(const struct settings *settings, const char *what, int error)
{
    if (settings->strict)
        return message("a part of the sandbox cannot be had: %s (%s)", what, strerror(error));
    fprintf(stderr, "venus-gpu-renderd: the sandbox lacks %s: %s\n", what, strerror(error));
    return NULL;
}

static bool write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    int error = errno;
    if (fd >= 0)
        close(fd);
    errno = error;
    return written;
}

/* In a user namespace: be who we were. */
static bool map_user(const struct settings *settings)
{
    char users[32], groups[32];
    snprintf(users, sizeof(users), "%u %u 1", settings->uid, settings->uid);
    snprintf(groups, sizeof(groups), "%u %u 1", settings->gid, settings->gid);
    return write_file("/proc/self/setgroups", "deny") && write_file("/proc/self/gid_map", groups) &&
           write_file("/proc/self/uid_map", users);
}

/* Be the other user, and have no capability: not now, and not by what a program's file has, or by being root's. */
static bool drop_rights(const struct settings *settings)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { { 0 } };
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    for (int i = 0; prctl(PR_CAPBSET_READ, i) >= 0; i++)
        prctl(PR_CAPBSET_DROP, i); /* without CAP_SETPCAP it fails, and there is none to lose */
    if (settings->change_user && (setgroups((size_t)settings->num_groups, settings->groups) < 0 ||
                                  setresgid(settings->gid, settings->gid, settings->gid) < 0 ||
                                  setresuid(settings->uid, settings->uid, settings->uid) < 0))
        return false;
    /* The server is of the same user, and could write into our memory. */
    return syscall(SYS_capset, &header, none) == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 &&
           prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

/* How the variables begin that Vulkan's loader, drivers, the C library and sanitizers read. Servers see these; the rest may have
 * secrets of whoever started us. */
static const char *const kept_variables[] = {
    "AMD",        "ANV_",       "ASAN_",    "CUDA_",  "DISABLE_", "DRI_",        "ENABLE_",
    "FD_",        "FREEDRENO_", "GALLIUM_", "GLIBC_", "HOME",     "INTEL_",      "IR3_",
    "LANG",       "LC_",        "LD_",      "LIBGL_", "LLVM_",    "LP_",         "LSAN_",
    "LVP_",       "MALI_",      "MALLOC_",  "MESA_",  "NIR_",     "NOUVEAU_",    "NVIDIA_",
    "NVK_",       "PAN_",       "PANVK_",   "PATH",   "PVR_",     "RADV_",       "RENDER_SERVER",
    "STANDIN_",   "TMPDIR",     "TSAN_",    "TU_",    "TZ",       "UBSAN_",      "V3D",
    "VENUS_GPU_", "VIRGL",      "VKR_",     "VK_",    "VN_",      "XDG_CONFIG_", "XDG_DATA_",
    "ZINK_",      "__GL",       "__NV",
};

static bool is_kept(const char *entry)
{
    for (size_t i = 0; i < sizeof(kept_variables) / sizeof(kept_variables[0]); i++) {
        if (strncmp(entry, kept_variables[i], strlen(kept_variables[i])) == 0)
            return true;
    }
    return false;
}

static void clean_environment(void)
{
    char **to = environ;
    for (char **from = environ; from && *from; from++) {
        if (is_kept(*from))
            *to++ = *from;
    }
    if (to)
        *to = NULL;
}

/* A driver's cache goes where the others' temporary files go, or is not: one for all would be a way to all. */
static void set_environment(bool has_private_folders)
{
    clean_environment();
    if (has_private_folders) {
        setenv("HOME", "/tmp", 1);
        unsetenv("TMPDIR");
    } else {
        setenv("MESA_SHADER_CACHE_DISABLE", "true", 1);
    }
}

static void set_limits(void)
{
    /* Not 0: that stops no program which the kernel starts to take a core dump, as root and outside of the sandbox. */
    const struct rlimit no_core = { 1, 1 };
    struct rlimit files;
    setrlimit(RLIMIT_CORE, &no_core);
    /* A descriptor for each piece of memory. Nothing in there calls select(). */
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

/* Returns a message, or NULL with *made being whether it could be done. */
static char *make_files(const struct settings *settings, int lacks, bool *made)
{
    const char *step = "namespaces (processes, network, IPC, mounts)";
    bool half_made = false, all_processes = false;
    *made = false;
    if (lacks)
        return missing(settings, step, lacks);
    *made = (settings->change_user || map_user(settings)) &&
            mounts_make(settings->keep, &step, &half_made, &all_processes);
    if (*made) /* processes of the same user could be reached by it */
        return all_processes ? missing(settings, "a /proc of its own", EPERM) : NULL;
    return half_made ? message("the sandbox cannot have %s: %s", step, strerror(errno))
                     : missing(settings, step, errno);
}

char *sandbox_enter(const struct settings *settings, int lacks, int *calls)
{
    bool has_private_folders;
    char *error = make_files(settings, lacks, &has_private_folders);
    if (error)
        return error;
    set_environment(has_private_folders);
    set_limits();
    if (!drop_rights(settings))
        return message("the server would keep rights of ours: %s", strerror(errno));
    int ret = filter_install(calls);
    return ret < 0 ? missing(settings, "a filter of system calls", -ret) : NULL;
}
