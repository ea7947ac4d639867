/* SPDX-License-Identifier: MIT */
/*
 * See filter.h.
 *
 * A list of what is denied, not of what is allowed: drivers of vendors come with a system of their own in them, and what
 * they call changes with their releases. What is denied is what the kernel has for others than a program that computes:
 * parts that have had many holes, and ways to other processes. To make memory executable is allowed, as
 * drivers compile.
 */
#include "filter.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#endif

#ifdef ARCH
/* Newer than some systems' headers; they have the same number on all architectures. */
#ifndef SYS_open_tree_attr
#define SYS_open_tree_attr 467
#endif
#ifndef SYS_fsconfig
#define SYS_fsconfig 431
#endif

static const uint16_t denied[] = {
    /* other processes */
    SYS_ptrace,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_process_madvise,
    SYS_pidfd_getfd,
    /* to leave the process group, by which all of them are ended */
    SYS_setpgid,
    SYS_setsid,
    /* namespaces and mounts */
    SYS_unshare,
    SYS_setns,
    SYS_mount,
    SYS_umount2,
    SYS_pivot_root,
    SYS_chroot,
    SYS_open_tree,
    SYS_open_tree_attr,
    SYS_move_mount,
    SYS_fsopen,
    SYS_fsconfig,
    SYS_fsmount,
    SYS_fspick,
    SYS_mount_setattr,
    SYS_open_by_handle_at,
    SYS_mknodat,
    /* parts of the kernel with a language of their own, or that watch it */
    SYS_bpf,
    SYS_perf_event_open,
    SYS_userfaultfd,
    SYS_io_uring_setup,
    SYS_io_uring_enter,
    SYS_io_uring_register,
    SYS_fanotify_init,
    SYS_lookup_dcookie,
    SYS_syslog,
    /* keys */
    SYS_add_key,
    SYS_request_key,
    SYS_keyctl,
    /* the kernel itself, and the machine */
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_kexec_load,
    SYS_kexec_file_load,
    SYS_reboot,
    SYS_swapon,
    SYS_swapoff,
    SYS_acct,
    SYS_quotactl,
    SYS_settimeofday,
    SYS_clock_settime,
    SYS_clock_adjtime,
    SYS_adjtimex,
    SYS_sethostname,
    SYS_setdomainname,
    SYS_vhangup,
#ifdef __x86_64__
    SYS_iopl,
    SYS_ioperm,
    SYS_modify_ldt,
    SYS_mknod,
#endif
};

enum { NUM_DENIED = sizeof(denied) / sizeof(denied[0]), OTHERS = 24 };

struct program {
    struct sock_filter code[2 * NUM_DENIED + OTHERS];
    unsigned short length;
};

static void add(struct program *program, uint16_t code, uint8_t yes, uint8_t no, uint32_t k)
{
    program->code[program->length++] =
        (struct sock_filter){ .code = code, .jt = yes, .jf = no, .k = k };
}

static void load(struct program *program, size_t offset)
{
    add(program, BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)offset);
}

static void if_equal(struct program *program, uint8_t yes, uint8_t no, uint32_t value)
{
    add(program, BPF_JMP | BPF_JEQ | BPF_K, yes, no, value);
}

static void answer(struct program *program, uint32_t action)
{
    add(program, BPF_RET | BPF_K, 0, 0, action);
}

#define DENY        (SECCOMP_RET_ERRNO | EPERM)
#define NOT_THERE   (SECCOMP_RET_ERRNO | ENOSYS)
#define ARGUMENT(n) (offsetof(struct seccomp_data, args) + (n) * sizeof(uint64_t))

static const uint32_t new_namespaces = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET |
                                       CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "an argument's low half comes first");

static void make(struct program *program)
{
    load(program, offsetof(struct seccomp_data, arch));
    if_equal(program, 1, 0, ARCH); /* numbers are those of one architecture */
    answer(program, SECCOMP_RET_KILL_PROCESS);
    load(program, offsetof(struct seccomp_data, nr));
#ifdef __x86_64__
    const uint32_t x32 = UINT32_C(0x40000000); /* the same calls with other numbers */
    add(program, BPF_JMP | BPF_JGE | BPF_K, 0, 1, x32);
    answer(program, NOT_THERE);
#endif
    for (unsigned i = 0; i < NUM_DENIED; i++) {
        if_equal(program, 0, 1, denied[i]);
        answer(program, DENY);
    }
    if_equal(program, 0, 1,
             SYS_clone3); /* its flags are in memory; the C library then takes clone() */
    answer(program, NOT_THERE);
    if_equal(program, 0, 4, SYS_socket);
    load(program, ARGUMENT(0));
    if_equal(program, 1, 0, AF_UNIX);
    answer(program, DENY);
    answer(program, SECCOMP_RET_ALLOW);
    if_equal(program, 0, 3, SYS_clone);
    load(program, ARGUMENT(0));
    add(program, BPF_JMP | BPF_JSET | BPF_K, 0, 1, new_namespaces);
    answer(program, DENY);
    answer(program, SECCOMP_RET_ALLOW);
}

int filter_install(void)
{
    struct program program = { .length = 0 };
    make(&program);
    const struct sock_fprog fprog = { .len = program.length, .filter = program.code };
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &fprog, 0, 0) < 0 ? -errno : 0;
}
#else
int filter_install(void)
{
    return -ENOTSUP;
}
#endif
