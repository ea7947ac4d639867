/* SPDX-License-Identifier: MIT */
/*
 * Before files of tools/renderd: one layer of the sandbox less, by the name that meson.build gives. For a test that test-escape
 * finds it; no line of tools/renderd knows of it.
 */
#ifndef WEAKER_H
#define WEAKER_H

#include <linux/sched.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "filter.h"
#include "platform/platform.h"

#if defined(WITHOUT_processes)
#undef CLONE_NEWPID
#define CLONE_NEWPID 0
#elif defined(WITHOUT_network)
#undef CLONE_NEWNET
#define CLONE_NEWNET 0
#elif defined(WITHOUT_ipc)
#undef CLONE_NEWIPC
#define CLONE_NEWIPC 0
#elif defined(WITHOUT_filter)
#define filter_install(calls) ((void)(calls), 0)
#elif defined(WITHOUT_environment)
#define strncmp(a, b, length) ((void)(a), (void)(b), 0)
#elif defined(WITHOUT_limits)
static inline int set_no_limit(const struct rlimit *limit)
{
    (void)limit;
    return 0;
}
#define setrlimit(what, limit)         set_no_limit(limit)
#define platform_expect_little_of(pid) ((void)(pid))
#elif defined(WITHOUT_other_user)
#define setresuid(a, b, c) 0
#elif defined(WITHOUT_dumpable)
#undef PR_SET_DUMPABLE
#define PR_SET_DUMPABLE PR_GET_KEEPCAPS /* which is 0 */
#elif defined(WITHOUT_bounding)
#undef PR_CAPBSET_DROP
#define PR_CAPBSET_DROP PR_CAPBSET_READ
#elif defined(WITHOUT_read_only)
#undef MOUNT_ATTR_RDONLY
#define MOUNT_ATTR_RDONLY 0
#elif defined(WITHOUT_noexec)
#undef MS_NOEXEC
#define MS_NOEXEC 0
#elif defined(WITHOUT_new_root)
#define umount2(path, flags) 0
#define rmdir(path)          0
#elif defined(WITHOUT_closing)
#undef SYS_close_range
#define SYS_close_range SYS_getpid
#undef HAVE_CLOSEFROM
#endif

#endif
