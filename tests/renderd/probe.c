/* SPDX-License-Identifier: MIT */
/*
 * A render server that renders nothing: it tries what its sandbox should keep it from, and writes a line for each, "name:
 * result", to stderr, and "done" at last. Then it has a child, as a server has for a context, and both stay until they
 * are killed. What is denied, and what is not, have words of their own, so that a test can look for them.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(const char *name, const char *result)
{
    dprintf(STDERR_FILENO, "%s: %s\n", name, result);
}

/* What became of a call that gives -1 and errno. */
static void say_call(const char *name, long ret)
{
    say(name, ret >= 0 ? "allowed" : errno == EPERM ? "denied" : strerrorname_np(errno));
}

static void try_calls(void)
{
    char bytes[256] = { 0 };
    say_call("ptrace", ptrace(PTRACE_TRACEME, 0, NULL, NULL));
    say_call("unshare", unshare(CLONE_NEWUSER));
    say_call("mount", mount("tmpfs", "/tmp", "tmpfs", 0, NULL));
    say_call("keyctl", syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0));
    say_call("bpf", syscall(SYS_bpf, 0, bytes, sizeof(bytes)));
    say_call("perf_event_open", syscall(SYS_perf_event_open, bytes, 0, -1, -1, 0));
    say_call("userfaultfd", syscall(SYS_userfaultfd, 1));
    say_call("io_uring_setup", syscall(SYS_io_uring_setup, 1, bytes));
    say_call("setsid", setsid());
    say_call("setpgid", setpgid(0, 0));
    say_call("inet", socket(AF_INET, SOCK_STREAM, 0));
    say_call("netlink", socket(AF_NETLINK, SOCK_RAW, 0));
    say_call("unix", socket(AF_UNIX, SOCK_STREAM, 0));
    say_call("clone3", syscall(SYS_clone3, NULL, 0));
    long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0)
        _exit(0);
    say_call("clone-namespace", pid);
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    say_call("executable-memory", mprotect(page, 4096, PROT_READ | PROT_EXEC));
}

#ifdef __x86_64__
/* The calls of other architectures that the processor has: the same ones, with other numbers. */
static void try_other_numbers(void)
{
    say_call("x32", syscall(0x40000000 | SYS_getpid));
    pid_t pid = fork();
    int status = 0;
    if (pid == 0) {
        long ret;
        __asm__ volatile("int $0x80" : "=a"(ret) : "a"(20) : "memory"); /* getpid() */
        _exit(0);
    }
    waitpid(pid, &status, 0);
    say("i386", WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "allowed");
}
#endif

static void *wait_for_pipe(void *arg)
{
    char byte;
    (void)!read(*(int *)arg, &byte, 1);
    return NULL;
}

/* Another thread's name is written in /proc. */
static void try_thread(void)
{
    pthread_t thread;
    int pipes[2];
    if (pipe(pipes) < 0 || pthread_create(&thread, NULL, wait_for_pipe, pipes) != 0)
        return;
    int ret = pthread_setname_np(thread, "named");
    say("thread-name", ret == 0 ? "allowed" : strerrorname_np(ret));
    close(pipes[1]);
    say("thread", pthread_join(thread, NULL) == 0 ? "allowed" : "not there");
}

static void try_write(const char *name, const char *folder)
{
    char path[300];
    snprintf(path, sizeof(path), "%s/written-by-a-test", folder);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    say(name, fd >= 0 ? "written" : strerrorname_np(errno));
    if (fd >= 0)
        unlink(path);
}

static void try_files(const char *program)
{
    char own[300];
    snprintf(own, sizeof(own), "%s", program);
    *strrchr(own, '/') = '\0';
    try_write("write-own-folder", own);
    try_write("write-root", "");
    try_write("write-usr", "/usr");
    try_write("write-tmp", "/tmp");
    try_write("write-shm", "/dev/shm");
    *strrchr(own, '/') = '\0';
    strcat(own, "/socket"); /* that of the service */
    say("see-socket", access(own, F_OK) == 0 ? "yes" : "no");
    say("see-run", access("/run", F_OK) == 0 ? "yes" : "no");
    say("see-passwd", access("/etc/passwd", F_OK) == 0 ? "yes" : "no");
}

static void say_file(const char *prefix, const char *path, unsigned skip)
{
    char line[300], name[100];
    FILE *file = fopen(path, "re");
    for (unsigned i = 0; file && fgets(line, sizeof(line), file); i++) {
        line[strcspn(line, "\n")] = '\0';
        snprintf(name, sizeof(name), "%s", prefix);
        if (i >= skip)
            say(name, line);
    }
    if (file)
        fclose(file);
}

static void say_processes(void)
{
    char text[32];
    unsigned count = 0;
    DIR *dir = opendir("/proc");
    for (const struct dirent *entry; dir && (entry = readdir(dir));)
        count += entry->d_name[0] >= '1' && entry->d_name[0] <= '9';
    if (dir)
        closedir(dir);
    snprintf(text, sizeof(text), "%u", count);
    say("processes", text);
}

static void say_user(void)
{
    char text[200];
    gid_t groups[64];
    int count = getgroups(64, groups);
    snprintf(text, sizeof(text), "%u %u", getuid(), getgid());
    say("user", text);
    for (int i = 0; i < count; i++) {
        snprintf(text, sizeof(text), "%u", groups[i]);
        say("group", text);
    }
}

static void say_limits(void)
{
    char text[32];
    struct rlimit limit;
    getrlimit(RLIMIT_CORE, &limit);
    snprintf(text, sizeof(text), "%llu", (unsigned long long)limit.rlim_max);
    say("core", text);
}

int main(int argc, char **argv)
{
    (void)argc;
    say_user();
    say_limits();
    say_processes();
    say_file("interface", "/proc/net/dev", 2);
    say_file("status", "/proc/self/status", 0);
    say("home", getenv("HOME") ? getenv("HOME") : "none");
    say("preload", getenv("LD_PRELOAD") ? getenv("LD_PRELOAD") : "none");
    say("cache-disabled", getenv("MESA_SHADER_CACHE_DISABLE") ? "yes" : "no");
    try_files(argv[0]);
    try_thread();
    try_calls();
#ifdef __x86_64__
    try_other_numbers();
#endif
    say("done", "yes");
    signal(SIGTERM, SIG_IGN);
    fork();
    for (;;)
        pause();
}
