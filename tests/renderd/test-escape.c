/* SPDX-License-Identifier: MIT */
/*
 * A server that tries to leave its sandbox (escape.c), among what it could reach outside: a process of its user, files and
 * sockets that are open to all, shared memory, a descriptor that its service inherited, and another server. It must be refused all.
 *
 * Then the same in services that lack one layer of the sandbox each (weaker.h): there it must find what is open, or this test could
 * not fail.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../renderer/process.h"
#include "daemon.h"

enum { LEAKED = 50, NOBODY = 65534, PEERS_KEY = 0x76677065 /* of escape.c */ };

/* What is outside, and a folder with what only the owner of a service's folder puts there. */
struct outside {
    struct daemon *daemon;
    int tcp, path_socket, abstract, leaked;
    int shared_id;
    pid_t victim;
    char secret[100], path[100], name[64], shared_file[80];
};

static char lines[65536];

static bool is_root(void)
{
    return geteuid() == 0;
}

static void in_folder(const struct outside *outside, char *path, size_t size, const char *name)
{
    snprintf(path, size, "%s/%s", outside->daemon->folder, name);
}

static void make_file(const char *path, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "secret\n", 7), 7);
    close(fd);
    assert_int_equal(chmod(path, mode), 0);
}

static int listen_on(int family, const void *address, socklen_t size)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, address, size), 0);
    assert_int_equal(listen(fd, 8), 0);
    return fd;
}

static int listen_unix(const char *path, bool is_abstract)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    memcpy(address.sun_path + is_abstract, path, strlen(path));
    return listen_on(
        AF_UNIX, &address,
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + is_abstract + strlen(path)));
}

static int listen_inet(int *port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t size = sizeof(address);
    int fd = listen_on(AF_INET, &address, size);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

/* A process of the servers' user, which nothing but the sandbox keeps from them. */
static pid_t start_victim(void)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid)
        return pid;
    if (is_root() &&
        (setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0))
        _exit(1);
    for (;;)
        pause();
}

static void copy(const char *from, const char *to, mode_t mode)
{
    char command[400];
    snprintf(command, sizeof(command), "cp '%s' '%s'", from, to);
    assert_int_equal(system(command), 0);
    assert_int_equal(chmod(to, mode), 0);
}

static void make_targets(struct outside *outside, int port)
{
    char path[100];
    in_folder(outside, path, sizeof(path), "bin/targets");
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fprintf(file, "%s %s %s %s %s %d %d %d\n", outside->secret, outside->daemon->socket,
            outside->path, outside->name, outside->shared_file, outside->shared_id, port,
            (int)outside->victim);
    assert_int_equal(fclose(file), 0);
}

static int setup(void **state)
{
    struct outside *outside = calloc(1, sizeof(*outside));
    void *daemon;
    char path[100];
    int port;
    daemon_setup(&daemon);
    outside->daemon = daemon;
    in_folder(outside, outside->secret, sizeof(outside->secret), "secret");
    make_file(outside->secret, 0666);
    in_folder(outside, path, sizeof(path), "bin/writable");
    make_file(path, 0666);
    in_folder(outside, path, sizeof(path), "bin/open");
    assert_int_equal(mkdir(path, 0755), 0);
    assert_int_equal(chmod(path, 0777), 0);
    in_folder(outside, path, sizeof(path), "bin/escape");
    copy(ESCAPE, path, 0755);
    in_folder(outside, path, sizeof(path), "bin/setuid");
    if (is_root())
        copy(ESCAPE, path, 04755);
    in_folder(outside, outside->path, sizeof(outside->path), "others");
    outside->path_socket = listen_unix(outside->path, false);
    assert_int_equal(chmod(outside->path, 0777), 0);
    snprintf(outside->name, sizeof(outside->name), "venus-gpu-escape-%d", (int)getpid());
    outside->abstract = listen_unix(outside->name, true);
    outside->tcp = listen_inet(&port);
    snprintf(outside->shared_file, sizeof(outside->shared_file), "/dev/shm/%s", outside->name);
    make_file(outside->shared_file, 0666);
    outside->shared_id = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0666);
    assert_true(outside->shared_id >= 0);
    outside->victim = start_victim();
    outside->leaked = dup2(open(outside->secret, O_RDWR | O_CLOEXEC), LEAKED); /* inheritable */
    assert_int_equal(outside->leaked, LEAKED);
    make_targets(outside, port);
    *state = outside;
    return 0;
}

static int teardown(void **state)
{
    struct outside *outside = *state;
    static const char *const names[] = { "secret",     "others",     "bin/writable", "bin/open/new",
                                         "bin/open",   "bin/escape", "bin/setuid",   "bin/targets",
                                         "bin/weaker", "bin/another" };
    void *daemon = outside->daemon;
    const int fds[] = { outside->tcp, outside->path_socket, outside->abstract, outside->leaked };
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
        close(fds[i]);
    kill(outside->victim, SIGKILL);
    waitpid(outside->victim, NULL, 0);
    unlink(outside->shared_file);
    shmctl(outside->shared_id, IPC_RMID, NULL);
    int peers = shmget(PEERS_KEY, 0, 0); /* of servers that had no namespace for it */
    if (peers >= 0)
        shmctl(peers, IPC_RMID, NULL);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[100];
        in_folder(outside, path, sizeof(path), names[i]);
        remove(path);
    }
    daemon_teardown(&daemon);
    free(outside);
    return 0;
}

/* Have a server try, and read what became of it. Returns the connection that keeps it. */
static int try_all(struct outside *outside)
{
    return client_read(outside->daemon, lines, sizeof(lines), "\ndone: ");
}

static void start(struct outside *outside, struct daemon_options options)
{
    char path[100];
    in_folder(outside, path, sizeof(path), "bin/escape");
    options.server = path;
    daemon_start(outside->daemon, &options);
}

static unsigned count(const char *begin)
{
    unsigned found = 0;
    for (const char *at = lines; (at = strstr(at, begin)); at += strlen(begin))
        found++;
    return found;
}

static void assert_refused_all(struct outside *outside)
{
    enum { AT_LEAST = 220 };
    const char *failure = strstr(lines, "\nFAIL ");
    if (failure)
        fail_msg("%u attempts are not refused as they should be: %s", count("\nFAIL "), failure);
    assert_true(count("\nrefused ") >= AT_LEAST);
    assert_int_equal(strtoul(strstr(lines, "\ndone: ") + 7, NULL, 10), count("\nrefused "));
    assert_int_equal(waitpid(outside->victim, NULL, WNOHANG), 0); /* it lives */
}

/* One server alone, and then a second one beside it. */
static void assert_holds(struct outside *outside, struct daemon_options options)
{
    int connections[2];
    options.more[0] = "--strict";
    start(outside, options);
    for (unsigned i = 0; i < 2; i++) {
        connections[i] = try_all(outside);
        assert_refused_all(outside);
    }
    print_message("# %u attempts are refused\n", count("\nrefused "));
    for (unsigned i = 0; i < 2; i++)
        close(connections[i]);
    process_wait_for_children(outside->daemon->pid, 0);
}

/* Some kernels, and filters that we are in already, give a process no say in others' calls. */
static bool may_listen_to_calls(void)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        struct sock_filter code = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
        const struct sock_fprog program = { 1, &code };
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        _exit(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
                      &program) >= 0);
    }
    waitpid(pid, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 1;
}

static void by_root(void **state)
{
    if (!is_root())
        skip();
    assert_holds(*state, (struct daemon_options){ 0 });
    assert_non_null(strstr(lines, "\nrefused setuid-program: "));
}

static void by_an_ordinary_user(void **state)
{
    struct outside *outside = *state;
    assert_holds(outside, (struct daemon_options){ .is_ordinary = true });
    if (may_listen_to_calls())
        assert_true(
            daemon_logged(outside->daemon, "denied a render server the system call ptrace\n"));
}

static bool may_make_nodes(const struct outside *outside)
{
    char path[100];
    in_folder(outside, path, sizeof(path), "another");
    int ret = is_root() ? mknod(path, S_IFCHR | 0600, makedev(1, 3)) : -1;
    unlink(path);
    return ret == 0;
}

/* A GPU's other node is for the screen. */
static void only_render_nodes(void **state)
{
    struct outside *outside = *state;
    if (!may_make_nodes(outside))
        skip();
    assert_holds(outside, (struct daemon_options){ .has_other_dev = true });
    assert_non_null(strstr(lines, "\nfound /dev/dri/renderD128\n"));
}

/* ---- services that lack a layer ------------------------------------------------------------------ */

/* Where the ordinary user's shows it and root's does not, or the other way round, that one is asked. */
enum who { ROOT, ORDINARY };

static void assert_finds(const char *layer, const char *const *names)
{
    for (; *names; names++) {
        char begin[64];
        snprintf(begin, sizeof(begin), "\nFAIL %s: ", *names);
        if (!strstr(lines, begin))
            fail_msg("with %s changed it does not find %s", layer, *names);
    }
}

/* Two servers, as one alone has no other to find. */
static void try_weaker(struct outside *outside, struct daemon_options options)
{
    int connections[2];
    start(outside, options);
    for (unsigned i = 0; i < 2; i++)
        connections[i] = try_all(outside);
    for (unsigned i = 0; i < 2; i++)
        close(connections[i]);
    daemon_stop(outside->daemon);
}

static void each_layer_matters(void **state)
{
    struct outside *outside = *state;
    static const struct {
        const char *layer;
        enum who who;
        const char *found[12];
    } weaker[] = {
        { "processes",
          ROOT,
          { "other-processes", "victim-prlimit", "victim-pidfd_open", "victim-mem" } },
        { "network", ROOT, { "others-abstract-socket", "peers-socket" } },
        { "ipc", ROOT, { "others-shmat", "peers-shmget" } },
        { "other_user", ROOT, { "root", "write-proc" } },
        { "bounding", ROOT, { "CapBnd" } },
        { "dumpable", ORDINARY, { "keeper-mem", "keeper-environ", "keeper-fd", "keeper-kcmp" } },
        { "environment", ROOT, { "environment" } },
        { "limits", ROOT, { "core-limit" } },
        { "filter",
          ROOT,
          { "Seccomp", "unshare-user", "inet", "vsock", "call-bpf", "io_uring_setup", "TIOCSTI",
            "clone3" } },
        { "new_root", ROOT, { "see-.old" } },
        { "read_only", ROOT, { "write-shown-file", "create-in-shown-folder", "create-in-root" } },
        { "noexec", ROOT, { "run-from-tmp" } },
        { "closing", ROOT, { "descriptor-50" } },
    };
    for (size_t i = 0; i < sizeof(weaker) / sizeof(weaker[0]); i++) {
        char program[100], from[400];
        if (weaker[i].who == ROOT && !is_root())
            continue;
        snprintf(from, sizeof(from), WEAKER "%s", weaker[i].layer);
        in_folder(outside, program, sizeof(program), "bin/weaker");
        unlink(program); /* the one before may not have ended yet */
        copy(from, program, 0755);
        try_weaker(outside, (struct daemon_options){ .program = program,
                                                     .is_ordinary = weaker[i].who == ORDINARY });
        assert_finds(weaker[i].layer, weaker[i].found);
    }
}

/* What is shown is found, so what is not found would be if it were. */
static void what_is_shown_matters(void **state)
{
    static const struct {
        const char *shown, *found[3];
    } more[] = {
        { "/etc", { "see-etc/passwd" } },
        { "/dev", { "open-tty", "open-ptmx" } },
        { "/var", { "see-var" } },
    };
    for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
        try_weaker(*state, (struct daemon_options){ .more = { "--keep", more[i].shown } });
        assert_finds(more[i].shown, more[i].found);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(by_root),
        TEST(by_an_ordinary_user),
        TEST(only_render_nodes),
        TEST(each_layer_matters),
        TEST(what_is_shown_matters),
    };
    return cmocka_run_group_tests_name("renderd-escape", tests, NULL, NULL);
}
