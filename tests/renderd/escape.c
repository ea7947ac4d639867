/* SPDX-License-Identifier: MIT */
/*
 * A render server that somebody has taken over: it tries to reach what is outside of its sandbox, in each way that it knows.
 * For each it writes a line, "refused NAME: how", or "FAIL NAME: how", and at last "done: N". What is there to be reached, and
 * open to every user, is in the file "targets" beside the program (test-escape.c makes it). Then it stays until it is killed.
 *
 * A call counts as refused only with the error that its layer of the sandbox gives: the filter answers EPERM before the kernel looks at
 * arguments, so these are wrong where that gives another error than EPERM.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/kcmp.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <linux/userfaultfd.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* Newer than some systems' headers. */
#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif

enum { SERVER_SOCKET = 3 }; /* of src/renderer/server.c */

static struct {
    char folder[256]; /* where this program is: shown, and read-only */
    char secret[256]; /* a file that every user may read and write */
    char service[256], path_socket[256], abstract[64]; /* sockets that somebody listens on */
    char shared_file[256];                             /* in the other /dev/shm */
    int shared_id;                                     /* shared memory of System V */
    int port;                                          /* of 127.0.0.1 */
    int victim;                                        /* a process of the same user */
} target;

static unsigned tried;

static void say(bool refused, const char *name, const char *how)
{
    tried++;
    dprintf(STDERR_FILENO, "%s %s: %s\n", refused ? "refused" : "FAIL", name, how);
}

/* What became of a call that gives -1 and errno; the errors that it should give, with a space between. */
static void must_fail(const char *name, const char *errors, long ret)
{
    const char *error = ret >= 0 ? "allowed" : strerrorname_np(errno);
    char words[64], word[32];
    snprintf(words, sizeof(words), " %s ", errors);
    snprintf(word, sizeof(word), " %s ", error ? error : "?");
    say(strstr(words, word), name, error ? error : "?");
}

/* ---- files --------------------------------------------------------------------------------------- */

static void try_open(const char *name, const char *errors, const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0666);
    must_fail(name, errors, fd);
    if (fd >= 0)
        close(fd);
}

static void try_files(void)
{
    static const char *const hidden[] = { "/etc/shadow", "/etc/passwd", "/etc/ssh",  "/root",
                                          "/home",       "/run/user",   "/run/dbus", "/run/systemd",
                                          "/var",        "/boot",       "/mnt",      "/media",
                                          "/srv",        "/.old" };
    char path[512], name[64];
    for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
        snprintf(name, sizeof(name), "see-%s", hidden[i] + 1);
        try_open(name, "ENOENT", hidden[i], O_RDONLY | O_NOFOLLOW);
    }
    try_open("read-others-file", "ENOENT", target.secret, O_RDONLY);
    try_open("write-others-file", "ENOENT", target.secret, O_WRONLY);
    snprintf(path, sizeof(path), "/../../..%s", target.secret);
    try_open("read-above-root", "ENOENT", path, O_RDONLY);
    try_open("read-others-shared-memory", "ENOENT", target.shared_file, O_RDWR);
    snprintf(path, sizeof(path), "%s/writable", target.folder);
    try_open("write-shown-file", "EROFS", path, O_WRONLY);
    snprintf(path, sizeof(path), "%s/open/new", target.folder);
    try_open("create-in-shown-folder", "EROFS", path, O_WRONLY | O_CREAT);
    try_open("create-in-root", "EROFS", "/new", O_WRONLY | O_CREAT);
    try_open("create-in-usr", "EROFS", "/usr/new", O_WRONLY | O_CREAT);
    try_open("create-in-dev", "EROFS", "/dev/new", O_WRONLY | O_CREAT);
    try_open("write-sys", "EACCES EROFS ENOENT", "/sys/kernel/uevent_helper", O_WRONLY);
    try_open("write-proc", "EACCES EROFS", "/proc/sys/kernel/core_pattern", O_WRONLY);
    try_open("write-sysrq", "EACCES EROFS ENOENT", "/proc/sysrq-trigger", O_WRONLY);
    try_open("read-kernel-memory", "EACCES EPERM ENOENT", "/proc/kcore", O_RDONLY);
}

/* A program that the sandbox's own folders were given. */
static void try_own_program(void)
{
    static const char script[] = "#!/bin/true\n";
    const char *path = "/tmp/program";
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    if (fd < 0 || write(fd, script, sizeof(script) - 1) < 0)
        perror(path);
    close(fd);
    pid_t pid = fork();
    int status = 0;
    if (pid == 0) {
        execl(path, path, NULL);
        _exit(errno);
    }
    waitpid(pid, &status, 0);
    errno = WEXITSTATUS(status);
    must_fail("run-from-tmp", "EACCES", errno ? -1 : 0);
}

/* Whatever is in /dev must be one of those. */
static void try_devices(void)
{
    static const char *const known[] = { "null",    "zero",     "full",    "random", "urandom",
                                         "udmabuf", "dma_heap", "dri",     "shm",    "kgsl-3d0",
                                         "mali*",   "nvhost*",  "nvidia*", "nvmap" };
    char name[300];
    DIR *dir = opendir("/dev");
    for (const struct dirent *entry; dir && (entry = readdir(dir));) {
        bool is_known = entry->d_name[0] == '.';
        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
            is_known |= fnmatch(known[i], entry->d_name, 0) == 0;
        snprintf(name, sizeof(name), "device-%s", entry->d_name);
        if (!is_known)
            say(false, name, "seen");
    }
    say(dir, "other-devices", dir ? "none seen" : "no /dev");
    if (dir)
        closedir(dir);
    dir = opendir("/dev/dri");
    for (const struct dirent *entry; dir && (entry = readdir(dir));) {
        snprintf(name, sizeof(name), "device-dri/%s", entry->d_name);
        if (strncmp(entry->d_name, "renderD", 7) == 0)
            dprintf(STDERR_FILENO, "found /dev/dri/%s\n", entry->d_name);
        else if (entry->d_name[0] != '.')
            say(false, name, "seen");
    }
    if (dir)
        closedir(dir);
    static const char *const gone[] = { "tty", "ptmx", "console",     "mem",
                                        "kvm", "fuse", "vsock",       "input",
                                        "snd", "vfio", "userfaultfd", "dri/card0" };
    for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++) {
        char path[64];
        snprintf(name, sizeof(name), "open-%s", gone[i]);
        snprintf(path, sizeof(path), "/dev/%s", gone[i]);
        try_open(name, "ENOENT", path, O_RDWR);
    }
    must_fail("mknod", "EPERM", mknod("/tmp/kernel", S_IFCHR | 0666, makedev(1, 3)));
}

/* ---- network ------------------------------------------------------------------------------------- */

static void try_socket(const char *name, int family, int type)
{
    int fd = socket(family, type, 0);
    must_fail(name, "EPERM", fd);
    if (fd >= 0)
        close(fd);
}

static void try_unix(const char *name, const char *errors, const char *path, bool is_abstract,
                     int type)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    size_t length = strlen(path);
    memcpy(address.sun_path + is_abstract, path, length);
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    must_fail(name, errors,
              connect(fd, (struct sockaddr *)&address,
                      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + is_abstract + length)));
    close(fd);
}

static void try_interfaces(void)
{
    char line[300], *name;
    bool other = false, loopback = false;
    FILE *file = fopen("/proc/net/dev", "re");
    for (unsigned i = 0; file && fgets(line, sizeof(line), file); i++) {
        name = line + strspn(line, " ");
        loopback |= i >= 2 && strncmp(name, "lo:", 3) == 0;
        other |= i >= 2 && strncmp(name, "lo:", 3) != 0;
    }
    if (file)
        fclose(file);
    say(loopback && !other, "interfaces", other ? "others than lo" : loopback ? "only lo" : "?");
}

static void try_network(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)target.port),
                                   .sin_addr = { htonl(INADDR_LOOPBACK) } };
    int pair[2];
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    must_fail("inet", "EPERM", fd);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        say(false, "connect-inet", "connected");
    try_socket("inet6", AF_INET6, SOCK_DGRAM);
    try_socket("netlink", AF_NETLINK, SOCK_RAW);
    try_socket("vsock", AF_VSOCK, SOCK_STREAM);
    try_socket("alg", AF_ALG, SOCK_SEQPACKET);
    try_socket("packet", AF_PACKET, SOCK_RAW);
    must_fail("socketpair-of-tipc", "EPERM", socketpair(AF_TIPC, SOCK_STREAM, 0, pair));
    try_unix("others-socket", "ENOENT", target.path_socket, false, SOCK_STREAM);
    try_unix("services-socket", "ENOENT", target.service, false, SOCK_SEQPACKET);
    try_unix("others-abstract-socket", "ECONNREFUSED", target.abstract, true, SOCK_STREAM);
    try_interfaces();
}

/* ---- other processes ----------------------------------------------------------------------------- */

static void try_proc(const char *whose, int pid, const char *errors)
{
    static const char *const files[] = { "mem", "environ", "maps", "fd", "root", "cwd" };
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        char path[64], name[64];
        snprintf(path, sizeof(path), "/proc/%d/%s", pid, files[i]);
        snprintf(name, sizeof(name), "%s-%s", whose, files[i]);
        try_open(name, errors, path, O_RDONLY);
    }
}

static void try_calls_on(const char *whose, int pid)
{
    char name[64], byte = 0;
    struct iovec here = { &byte, 1 }, there = { &byte, 1 };
#define NAME(what) (snprintf(name, sizeof(name), "%s-" what, whose), name)
    must_fail(NAME("ptrace"), "EPERM", ptrace(PTRACE_SEIZE, pid, NULL, (void *)-1));
    must_fail(NAME("process_vm_readv"), "EPERM",
              syscall(SYS_process_vm_readv, pid, &here, 1, &there, 1, 1));
    must_fail(NAME("process_vm_writev"), "EPERM",
              syscall(SYS_process_vm_writev, pid, &here, 1, &there, 1, 1));
    must_fail(NAME("move_pages"), "EPERM", syscall(SYS_move_pages, pid, 1, -1L, NULL, -1L, 0));
    must_fail(NAME("migrate_pages"), "EPERM",
              syscall(SYS_migrate_pages, pid, 1L << 20, NULL, NULL));
#undef NAME
}

/* The first process of a namespace takes no signal from it. */
static void try_to_end_keeper(void)
{
    pid_t keeper = getppid();
    if (keeper != 1) {
        say(false, "end-keeper", "it is not the first process");
        return;
    }
    kill(keeper, SIGKILL);
    kill(keeper, SIGSTOP);
    usleep(20000);
    say(kill(keeper, 0) == 0 && getppid() == keeper, "end-keeper", "it lives");
}

static void try_processes(void)
{
    struct rlimit none = { 0, 0 };
    unsigned others = 0;
    char text[64];
    DIR *dir = opendir("/proc");
    for (const struct dirent *entry; dir && (entry = readdir(dir));) {
        int pid = atoi(entry->d_name);
        others += pid > 0 && pid != getpid() && pid != getppid();
    }
    if (dir)
        closedir(dir);
    snprintf(text, sizeof(text), "%u", others);
    say(dir && others == 0, "other-processes", text);
    must_fail("victim-kill", "ESRCH", kill(target.victim, SIGKILL));
    must_fail("victim-prlimit", "ESRCH",
              syscall(SYS_prlimit64, target.victim, RLIMIT_FSIZE, &none, NULL));
    must_fail("victim-pidfd_open", "ESRCH", syscall(SYS_pidfd_open, target.victim, 0));
    must_fail("victim-kcmp", "ESRCH", syscall(SYS_kcmp, getpid(), target.victim, KCMP_FILE, 0, 0));
    try_proc("victim", target.victim, "ENOENT");
    try_calls_on("victim", target.victim);
    /* The keeper is of the same user. */
    must_fail("keeper-kcmp", "EPERM", syscall(SYS_kcmp, getpid(), getppid(), KCMP_FILE, 0, 0));
    try_proc("keeper", getppid(), "EACCES");
    try_calls_on("keeper", getppid());
    try_to_end_keeper();
}

/* ---- the kernel ---------------------------------------------------------------------------------- */

static void try_clone(const char *name, unsigned long flags)
{
    long pid = syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0)
        _exit(0);
    must_fail(name, "EPERM", pid);
    if (pid > 0)
        waitpid((pid_t)pid, NULL, 0);
}

static void try_namespaces(void)
{
    must_fail("unshare-user", "EPERM", unshare(CLONE_NEWUSER));
    must_fail("unshare-mounts", "EPERM", unshare(CLONE_NEWNS));
    try_clone("clone-user", CLONE_NEWUSER);
    try_clone("clone-mounts", CLONE_NEWNS | CLONE_NEWUSER);
    must_fail("clone3", "ENOSYS", syscall(SYS_clone3, NULL, 0));
    int fd = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
    must_fail("setns", "EPERM", setns(fd, 0));
    close(fd);
    must_fail("mount-proc", "EPERM", mount("proc", "/tmp", "proc", 0, NULL));
    must_fail("mount-again-writable", "EPERM",
              mount("none", "/usr", NULL, MS_REMOUNT | MS_BIND, NULL));
}

/* With arguments that do harm to nobody where it is not denied. */
#define ALLOWED(name)
#define DENIED(name) \
    must_fail("call-" #name, "EPERM", syscall(SYS_##name, -1L, -1L, -1L, -1L, -1L, -1L));

static void try_kernel(void)
{
    char bytes[256] = { 0 };
#include "calls.h"
    must_fail("perf_event_open", "EPERM", syscall(SYS_perf_event_open, bytes, 0, -1, -1, 0));
    must_fail("userfaultfd", "EPERM", syscall(SYS_userfaultfd, UFFD_USER_MODE_ONLY));
    must_fail("io_uring_setup", "EPERM", syscall(SYS_io_uring_setup, 1, bytes));
    must_fail("keyctl", "EPERM",
              syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0));
    /* A terminal reads what is typed into it so. The upper half of a request is no part of it. */
    must_fail("TIOCSTI", "EPERM", syscall(SYS_ioctl, 0, TIOCSTI, ""));
    must_fail("TIOCSTI-large", "EPERM", syscall(SYS_ioctl, 0, TIOCSTI | 1UL << 32, ""));
    must_fail("TIOCLINUX", "EPERM", syscall(SYS_ioctl, 0, TIOCLINUX, ""));
    must_fail("unknown", "ENOSYS", syscall(1000));
#ifdef __x86_64__
    must_fail("x32", "ENOSYS", syscall(0x40000000 | SYS_getpid));
    pid_t pid = fork();
    int status = 0;
    if (pid == 0) {
        long ret;
        __asm__ volatile("int $0x80" : "=a"(ret) : "a"(20) : "memory"); /* getpid() */
        _exit(0);
    }
    waitpid(pid, &status, 0);
    say(WIFSIGNALED(status), "i386", WIFSIGNALED(status) ? "ended" : "allowed");
#endif
}

/* ---- rights -------------------------------------------------------------------------------------- */

/* A copy of this program that is root's and runs as its owner. */
static void try_setuid_program(void)
{
    char path[300];
    struct stat stat_of;
    snprintf(path, sizeof(path), "%s/setuid", target.folder);
    if (stat(path, &stat_of) < 0)
        return;
    pid_t pid = fork();
    int status = 0;
    if (pid == 0) {
        execl(path, path, "--who", NULL);
        _exit(2);
    }
    waitpid(pid, &status, 0);
    say(WIFEXITED(status) && WEXITSTATUS(status) == 0, "setuid-program",
        WEXITSTATUS(status) == 0   ? "it is who we are"
        : WEXITSTATUS(status) == 1 ? "it is root"
                                   : "?");
}

static void try_core(void)
{
    struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };
    int status = 0;
    must_fail("raise-core-limit", "EPERM", setrlimit(RLIMIT_CORE, &limit));
    /* 1, not 0: a program that the kernel starts to take a dump is not started either. */
    getrlimit(RLIMIT_CORE, &limit);
    say(limit.rlim_max == 1, "core-limit", limit.rlim_max == 1 ? "1" : "another");
    pid_t pid = fork();
    if (pid == 0) {
        if (chdir("/tmp") < 0)
            perror("/tmp");
        abort();
    }
    waitpid(pid, &status, 0);
    say(WIFSIGNALED(status) && !WCOREDUMP(status), "core-dump",
        WCOREDUMP(status) ? "written" : "none");
}

static void try_rights(void)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct all[_LINUX_CAPABILITY_U32S_3] = { { ~0U, ~0U, 0 }, { 0 } };
    static const struct {
        const char *name, *line;
    } status[] = {
        { "CapPrm", "CapPrm:\t0000000000000000" }, { "CapEff", "CapEff:\t0000000000000000" },
        { "CapBnd", "CapBnd:\t0000000000000000" }, { "CapAmb", "CapAmb:\t0000000000000000" },
        { "NoNewPrivs", "NoNewPrivs:\t1" },        { "Seccomp", "Seccomp:\t2" }
    };
    char text[8192];
    FILE *file = fopen("/proc/self/status", "re");
    text[file ? fread(text, 1, sizeof(text) - 1, file) : 0] = '\0';
    if (file)
        fclose(file);
    for (size_t i = 0; i < sizeof(status) / sizeof(status[0]); i++)
        say(strstr(text, status[i].line), status[i].name,
            strstr(text, status[i].line) ? "so" : "another");
    say(getuid() != 0 && geteuid() != 0, "root", getuid() ? "another user" : "root");
    must_fail("be-root", "EPERM", setresuid(0, 0, 0));
    must_fail("be-roots-group", "EPERM", setresgid(0, 0, 0));
    must_fail("capset", "EPERM", syscall(SYS_capset, &header, all));
    try_setuid_program();
    try_core();
}

/* ---- what it was given --------------------------------------------------------------------------- */

static void try_descriptors(void)
{
    char name[64], path[64], link[256] = "";
    DIR *dir = opendir("/proc/self/fd");
    for (const struct dirent *entry; dir && (entry = readdir(dir));) {
        int fd = atoi(entry->d_name);
        if (entry->d_name[0] == '.' || fd <= STDERR_FILENO || fd == SERVER_SOCKET ||
            fd == dirfd(dir))
            continue;
        snprintf(name, sizeof(name), "descriptor-%d", fd);
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        link[readlink(path, link, sizeof(link) - 1) > 0 ? strcspn(link, "\n") : 0] = '\0';
        say(false, name, link);
    }
    say(dir, "other-descriptors", "looked for");
    if (dir)
        closedir(dir);
    for (int fd = STDIN_FILENO; fd <= STDOUT_FILENO; fd++) {
        struct stat stat_of = { 0 };
        fstat(fd, &stat_of);
        snprintf(name, sizeof(name), "standard-%d", fd);
        say(S_ISCHR(stat_of.st_mode) && stat_of.st_rdev == makedev(1, 3), name, "/dev/null");
    }
}

static void try_environment(void)
{
    bool secret = false, driver = false;
    for (char **entry = environ; *entry; entry++) {
        secret |= strstr(*entry, "kept-from-servers") != NULL;
        driver |= strstr(*entry, "shown-to-servers") != NULL;
    }
    say(!secret, "environment", secret ? "a secret" : "no secret");
    say(driver, "environment-of-drivers", driver ? "there" : "not there");
}

/* System V's shared memory of the host, by its number. */
static void try_ipc(void)
{
    void *ptr = shmat(target.shared_id, NULL, SHM_RDONLY);
    must_fail("others-shmat", "EINVAL EIDRM", ptr == (void *)-1 ? -1 : 0);
}

/*
 * Another server of the same service and user, which does what we do: what it leaves must not be found. The first one finds
 * nothing in any case.
 */
static void try_peer(void)
{
    static const char name[] = "venus-gpu-escape-peer";
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    try_open("peers-temporary-file", "ENOENT", "/tmp/peer", O_RDONLY);
    try_open("peers-shared-memory", "ENOENT", "/dev/shm/peer", O_RDONLY);
    try_unix("peers-socket", "ECONNREFUSED", name, true, SOCK_STREAM);
    int key = 0x76677065;
    must_fail("peers-shmget", "ENOENT", shmget(key, 4096, 0));
    /* And now be the peer. */
    close(open("/tmp/peer", O_WRONLY | O_CREAT | O_CLOEXEC, 0666));
    close(open("/dev/shm/peer", O_WRONLY | O_CREAT | O_CLOEXEC, 0666));
    shmget(key, 4096, IPC_CREAT | 0666);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    memcpy(address.sun_path + 1, name, sizeof(name) - 1);
    if (bind(fd, (struct sockaddr *)&address,
             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + sizeof(name))) == 0)
        listen(fd, 1);
}

static bool read_targets(const char *program)
{
    char path[300];
    snprintf(target.folder, sizeof(target.folder), "%s", program);
    *strrchr(target.folder, '/') = '\0';
    snprintf(path, sizeof(path), "%s/targets", target.folder);
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    int count = fscanf(file, "%255s %255s %255s %63s %255s %d %d %d", target.secret, target.service,
                       target.path_socket, target.abstract, target.shared_file, &target.shared_id,
                       &target.port, &target.victim);
    fclose(file);
    return count == 8;
}

int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], "--who"))
        return geteuid() == 0;
    if (!read_targets(argv[0])) {
        fprintf(stderr, "FAIL targets: not to be read\ndone: 0\n");
        return 1;
    }
    try_descriptors();
    try_environment();
    try_files();
    try_own_program();
    try_devices();
    try_network();
    try_processes();
    try_namespaces();
    try_kernel();
    try_rights();
    try_ipc();
    try_peer();
    dprintf(STDERR_FILENO, "done: %u\n", tried);
    for (;;)
        pause();
}
