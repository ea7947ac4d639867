/* SPDX-License-Identifier: MIT */
/*
 * Counts the system calls of a program and of all that it starts: seen FILE PROGRAM [ARGUMENT...]. The counts are added to
 * FILE, which is struct seen, so that several can run at a time. It needs no rights: a filter of its own asks a process of ours about
 * each call, which counts it and lets it go on. For scripts/renderd_calls.py.
 *
 * The program takes the place of the process that was started, and who counts is no child of it: whoever started it and ends it
 * notices nothing but that it is slow.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CALLS = 1024, REQUESTS = 64 };

/* The file: little-endian numbers. */
struct seen {
    _Atomic uint32_t calls[CALLS];       /* by their number */
    _Atomic uint32_t requests[REQUESTS]; /* of ioctl(), each once, without order */
};

/* What both processes see before the program is there. */
static _Atomic int *listener;

static void __attribute__((noreturn)) fail(const char *what)
{
    fprintf(stderr, "seen: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void *map(int fd, size_t size)
{
    void *ptr =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);
    if (ptr == MAP_FAILED)
        fail("mmap");
    return ptr;
}

static void count_request(struct seen *seen, uint32_t request)
{
    for (unsigned i = 0; i < REQUESTS; i++) {
        uint32_t free = 0;
        if (atomic_compare_exchange_strong(&seen->requests[i], &free, request) || free == request)
            return;
    }
}

/* Until nobody is left whom the filter asks about. */
static void __attribute__((noreturn)) count(struct seen *seen, int fd)
{
    struct pollfd polled = { .fd = fd, .events = POLLIN };
    while (poll(&polled, 1, -1) < 0 || !(polled.revents & POLLHUP)) {
        struct seccomp_notif call = { 0 };
        if (!(polled.revents & POLLIN) || ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0)
            continue;
        if (call.data.nr >= 0 && call.data.nr < CALLS)
            atomic_fetch_add(&seen->calls[call.data.nr], 1);
        if (call.data.nr == SYS_ioctl)
            count_request(seen, (uint32_t)call.data.args[1]);
        struct seccomp_notif_resp answer = { .id = call.id,
                                             .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };
        ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &answer);
    }
    exit(0);
}

/* It has the descriptors of the program-to-be, until it has found the listener among them. */
static void __attribute__((noreturn)) wait_and_count(struct seen *seen)
{
    setsid();
    while (*listener == 0)
        usleep(200);
    if (syscall(SYS_unshare, CLONE_FILES) < 0)
        fail("unshare");
    int fd = *listener;
    syscall(SYS_close_range, 0, fd - 1, 0);
    syscall(SYS_close_range, fd + 1, ~0U, 0);
    count(seen, fd);
}

static long clone_with_files(void)
{
    return syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
}

int main(int argc, char **argv)
{
    struct sock_filter ask = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
    const struct sock_fprog program = { 1, &ask };
    if (argc < 3) {
        fprintf(stderr, "usage: seen FILE PROGRAM [ARGUMENT...]\n");
        return 2;
    }
    int file = open(argv[1], O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (file < 0 || ftruncate(file, sizeof(struct seen)) < 0)
        fail(argv[1]);
    struct seen *seen = map(file, sizeof(*seen));
    listener = map(-1, sizeof(*listener));
    long child = clone_with_files();
    if (child == 0) {
        if (clone_with_files() == 0)
            wait_and_count(seen);
        _exit(0);
    }
    waitpid((pid_t)child, NULL, 0);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        fail("no_new_privs");
    *listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
                             &program);
    execv(argv[2], argv + 2); /* from here on each call is counted */
    fail(argv[2]);
}
