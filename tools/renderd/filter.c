/* SPDX-License-Identifier: MIT */
/*
 * See filter.h.
 *
 * calls.h says what is allowed, and why. What the kernel has for others than a program that computes is denied: parts that have
 * had many holes, and ways to other processes. To make memory executable is allowed, as drivers compile. Requests of ioctl() are not
 * looked at but for two: each GPU's driver has its own, which change with its releases, and what they may reach is bounded by the nodes
 * in /dev.
 *
 * What is denied is answered by the process that installed the filter, so that it can say so; where the kernel does not let it, by the
 * kernel.
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
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#endif

#ifdef ARCH
static const uint16_t allowed[] = {
#define ALLOWED(name) SYS_##name,
#define DENIED(name)
#include "calls.h"
#undef ALLOWED
#undef DENIED
};

static const struct {
    uint16_t number;
    const char *name;
} denied[] = {
#define ALLOWED(name)
#define DENIED(name) { SYS_##name, #name },
#include "calls.h"
};

enum {
    NUM_ALLOWED = sizeof(allowed) / sizeof(allowed[0]),
    NUM_DENIED = sizeof(denied) / sizeof(denied[0]),
    OTHERS = 40,
};

struct program {
    struct sock_filter code[2 * (NUM_ALLOWED + NUM_DENIED) + OTHERS];
    unsigned short length;
    uint32_t deny;
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

#define NOT_THERE   (SECCOMP_RET_ERRNO | ENOSYS)
#define ARGUMENT(n) (offsetof(struct seccomp_data, args) + (n) * sizeof(uint64_t))

static const uint32_t new_namespaces = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET |
                                       CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "an argument's low half comes first");

/* Those whose arguments matter. The kernel takes the low half of each that is looked at. */
static void make_special(struct program *program)
{
    if_equal(program, 0, 1, SYS_clone3); /* flags are in memory; the C library then takes clone() */
    answer(program, NOT_THERE);
    if_equal(program, 1, 0, SYS_socket);
    if_equal(program, 0, 4, SYS_socketpair);
    load(program, ARGUMENT(0));
    if_equal(program, 1, 0, AF_UNIX);
    answer(program, program->deny);
    answer(program, SECCOMP_RET_ALLOW);
    if_equal(program, 0, 4, SYS_clone);
    load(program, ARGUMENT(0));
    add(program, BPF_JMP | BPF_JSET | BPF_K, 0, 1, new_namespaces);
    answer(program, program->deny);
    answer(program, SECCOMP_RET_ALLOW);
    if_equal(program, 0, 5, SYS_ioctl); /* to type into a terminal, as somebody there */
    load(program, ARGUMENT(1));
    if_equal(program, 1, 0, TIOCSTI);
    if_equal(program, 0, 1, TIOCLINUX);
    answer(program, program->deny);
    answer(program, SECCOMP_RET_ALLOW);
}

static void make(struct program *program)
{
    load(program, offsetof(struct seccomp_data, arch));
    if_equal(program, 1, 0, ARCH); /* numbers are those of one architecture */
    answer(program, SECCOMP_RET_KILL_PROCESS);
    load(program, offsetof(struct seccomp_data, nr));
    make_special(program);
    for (unsigned i = 0; i < NUM_ALLOWED; i++) {
        if_equal(program, 0, 1, allowed[i]);
        answer(program, SECCOMP_RET_ALLOW);
    }
    for (unsigned i = 0; i < NUM_DENIED; i++) {
        if_equal(program, 0, 1, denied[i].number);
        answer(program, program->deny);
    }
    answer(program, NOT_THERE); /* x32's are among these */
}

int filter_install(int *calls)
{
    struct program program = { .deny = SECCOMP_RET_USER_NOTIF };
    make(&program);
    struct sock_fprog fprog = { .len = program.length, .filter = program.code };
    *calls = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
                          &fprog);
    if (*calls >= 0)
        return 0;
    program = (struct program){ .deny = SECCOMP_RET_ERRNO | EPERM };
    make(&program);
    fprog.len = program.length;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &fprog, 0, 0) < 0 ? -errno : 0;
}

static const char *name_of(int number)
{
    for (unsigned i = 0; i < NUM_DENIED; i++) {
        if (denied[i].number == number)
            return denied[i].name;
    }
    return number == SYS_clone        ? "clone"
           : number == SYS_socket     ? "socket"
           : number == SYS_socketpair ? "socketpair"
                                      : "ioctl";
}

const char *filter_deny(int calls, struct filter_said *said)
{
    struct seccomp_notif call = { 0 };
    if (ioctl(calls, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0)
        return NULL; /* who called is gone */
    struct seccomp_notif_resp response = { .id = call.id, .error = -EPERM };
    ioctl(calls, SECCOMP_IOCTL_NOTIF_SEND, &response);
    unsigned number = (unsigned)call.data.nr;
    if (number >= sizeof(said->calls) || said->calls[number])
        return NULL;
    said->calls[number] = true;
    return name_of(call.data.nr);
}
#else
int filter_install(int *calls)
{
    *calls = -1;
    return -ENOTSUP;
}

const char *filter_deny(int calls, struct filter_said *said)
{
    (void)calls;
    (void)said;
    return NULL;
}
#endif
