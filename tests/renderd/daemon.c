/* SPDX-License-Identifier: MIT */
/* See daemon.h. */
#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../renderer/process.h"

enum { PATIENCE_MS = 20000, STEP_MS = 5 };

static void sleep_a_step(void)
{
    usleep(STEP_MS * 1000);
}

/* Another user's programs have to be where he can see them. */
static void copy_program(const char *from, const char *to)
{
    char data[65536];
    int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
    ssize_t size;
    assert_true(in >= 0 && out >= 0);
    while ((size = read(in, data, sizeof(data))) > 0)
        assert_int_equal(write(out, data, (size_t)size), size);
    close(in);
    close(out);
}

int daemon_setup(void **state)
{
    struct daemon *daemon = calloc(1, sizeof(*daemon));
    char path[100];
    assert_non_null(daemon);
    strcpy(daemon->folder, "/tmp/test-renderd-XXXXXX");
    assert_non_null(mkdtemp(daemon->folder));
    assert_int_equal(chmod(daemon->folder, 0777), 0);
    snprintf(daemon->socket, sizeof(daemon->socket), "%s/socket", daemon->folder);
    snprintf(path, sizeof(path), "%s/bin", daemon->folder);
    assert_int_equal(mkdir(path, 0755), 0);
    snprintf(daemon->probe, sizeof(daemon->probe), "%s/bin/probe", daemon->folder);
    copy_program(PROBE, daemon->probe);
    snprintf(path, sizeof(path), "%s/bin/renderd", daemon->folder);
    copy_program(RENDERD, path);
    *state = daemon;
    return 0;
}

int daemon_teardown(void **state)
{
    struct daemon *daemon = *state;
    static const char *const names[] = { "bin/probe",
                                         "bin/renderd",
                                         "bin/object.so",
                                         "bin/icd.json",
                                         "bin/libGLX_nvidia.so",
                                         "bin",
                                         "socket",
                                         "log",
                                         "" };
    daemon_stop(daemon);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[100];
        snprintf(path, sizeof(path), "%s/%s", daemon->folder, names[i]);
        remove(path);
    }
    free(daemon);
    return 0;
}

void daemon_add_driver(const struct daemon *daemon, const char *driver, const char *object)
{
    char path[200];
    snprintf(path, sizeof(path), "%s/bin/object.so", daemon->folder);
    copy_program(object, path);
    setenv("VENUS_GPU_LATE_DRIVER", path, 1);
    snprintf(path, sizeof(path), "%s/bin/icd.json", daemon->folder);
    setenv("VK_DRIVER_FILES", path, 1);
    FILE *manifest = fopen(path, "we");
    assert_non_null(manifest);
    snprintf(path, sizeof(path), "%s/bin/libGLX_nvidia.so", daemon->folder);
    copy_program(driver, path);
    fprintf(manifest,
            "{ \"file_format_version\": \"1.0.0\",\n"
            "  \"ICD\": { \"library_path\": \"%s\", \"api_version\": \"1.3.0\" } }\n",
            path);
    assert_int_equal(fclose(manifest), 0);
}

/* clone() that makes namespaces fails, as in a container. */
static void deny_namespaces(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args)),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_NEWPID, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
        _exit(126);
}

/* Nodes that are none of a GPU's but are called so. */
static void have_other_dev(void)
{
    static const char *const names[] = { "null", "tty",    "urandom",     "dri/card0",
                                         "kvm",  "random", "dri/by-path", "dri/renderD128" };
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("tmpfs", "/dev", "tmpfs", 0, "mode=755") < 0 || mkdir("/dev/dri", 0755) < 0)
        _exit(126);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[64];
        snprintf(path, sizeof(path), "/dev/%s", names[i]);
        if (mknod(path, S_IFCHR | 0666, makedev(1, 3)) < 0 || chmod(path, 0666) < 0)
            _exit(126);
    }
}

/* As systemd does it: descriptor 3, and who it is for. */
static void hand_over(int listener)
{
    char number[16];
    snprintf(number, sizeof(number), "%d", (int)getpid());
    setenv("LISTEN_PID", number, 1);
    setenv("LISTEN_FDS", "1", 1);
    if (listener == 3 ? fcntl(3, F_SETFD, 0) < 0 : dup2(listener, 3) < 0)
        _exit(126);
}

static void be_ordinary(void)
{
    const uid_t nobody = 65534;
    if (geteuid() == 0 &&
        (setresgid(nobody, nobody, nobody) < 0 || setresuid(nobody, nobody, nobody) < 0))
        _exit(126);
}

static int listen_at(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 8), 0);
    return fd;
}

static void be_daemon(const struct daemon *daemon, const struct daemon_options *options,
                      int listener)
{
    char program[100], keep[100], log[100];
    const char *argv[16] = { "venus-gpu-renderd", "--keep", keep };
    unsigned argc = 3;
    snprintf(program, sizeof(program), "%s/bin/renderd", daemon->folder);
    if (options->program)
        snprintf(program, sizeof(program), "%s", options->program);
    snprintf(keep, sizeof(keep), "%s/bin", daemon->folder);
    snprintf(log, sizeof(log), "%s/log", daemon->folder);
    if (!options->by_systemd) {
        argv[argc++] = "--socket";
        argv[argc++] = daemon->socket;
    }
    if (options->server) {
        argv[argc++] = "--render-server";
        argv[argc++] = options->server;
    }
    if (geteuid() == 0 && !options->is_ordinary) {
        argv[argc++] = "--user";
        argv[argc++] = "nobody";
    }
    for (unsigned i = 0; options->more[i]; i++)
        argv[argc++] = options->more[i];
    dup2(open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666), STDERR_FILENO);
    setenv("SECRET_OF_A_TEST", "kept-from-servers", 1);
    setenv("VK_OF_A_TEST", "shown-to-servers", 1);
    if (options->has_other_dev)
        have_other_dev();
    if (options->is_ordinary)
        be_ordinary();
    if (options->has_no_namespace)
        deny_namespaces();
    if (options->by_systemd)
        hand_over(listener);
    execv(program, (char *const *)argv);
    _exit(127);
}

static int try_to_connect(const struct daemon *daemon)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", daemon->socket);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    close(fd);
    return -1;
}

/* It answers what is no request, and nothing of that is left. */
static void wait_until_it_serves(const struct daemon *daemon)
{
    struct broker_reply reply;
    int fds[BROKER_DESCRIPTORS], connection = -1;
    for (int ms = 0; ms < PATIENCE_MS && connection < 0; ms += STEP_MS) {
        sleep_a_step();
        connection = try_to_connect(daemon);
    }
    assert_true(connection >= 0);
    send(connection, "?", 1, MSG_NOSIGNAL);
    client_hear(connection, &reply, fds);
    close(connection);
    process_wait_for_children(daemon->pid, 0);
}

void daemon_start(struct daemon *daemon, const struct daemon_options *options)
{
    struct daemon_options none = { .server = NULL };
    int listener = options && options->by_systemd ? listen_at(daemon->socket) : -1;
    daemon->pid = fork();
    assert_true(daemon->pid >= 0);
    if (daemon->pid == 0)
        be_daemon(daemon, options ? options : &none, listener);
    if (listener >= 0)
        close(listener);
    wait_until_it_serves(daemon);
}

void daemon_stop(struct daemon *daemon)
{
    if (!daemon->pid)
        return;
    kill(daemon->pid, SIGTERM);
    assert_int_equal(waitpid(daemon->pid, NULL, 0), daemon->pid);
    daemon->pid = 0;
}

bool daemon_logged(const struct daemon *daemon, const char *text)
{
    char path[100], log[16384];
    snprintf(path, sizeof(path), "%s/log", daemon->folder);
    for (int ms = 0; ms < PATIENCE_MS; ms += STEP_MS) {
        FILE *file = fopen(path, "re");
        size_t size = file ? fread(log, 1, sizeof(log) - 1, file) : 0;
        log[size] = '\0';
        if (file)
            fclose(file);
        if (strstr(log, text))
            return true;
        sleep_a_step();
    }
    print_message("# %s\n", log);
    return false;
}

pid_t child_of(pid_t pid)
{
    pid_t child = 0;
    process_wait_for_children(pid, 1);
    process_children(pid, &child, 1);
    return child;
}

int client_connect(const struct daemon *daemon)
{
    int fd = try_to_connect(daemon);
    assert_true(fd >= 0);
    return fd;
}

void client_say(int connection, uint32_t version, enum broker_what what, uint64_t bytes)
{
    const struct broker_request request = {
        .magic = BROKER_MAGIC, .version = version, .what = what, .bytes = bytes
    };
    ssize_t size = send(connection, &request, sizeof(request), MSG_NOSIGNAL);
    if (size < 0) /* the service may have answered and closed its end before */
        assert_int_equal(errno, EPIPE);
    else
        assert_int_equal(size, sizeof(request));
}

static void wait_until_readable(int connection)
{
    struct pollfd polled = { .fd = connection, .events = POLLIN };
    assert_int_equal(poll(&polled, 1, PATIENCE_MS), 1);
}

bool client_hear(int connection, struct broker_reply *reply, int *fds)
{
    char control[CMSG_SPACE(BROKER_DESCRIPTORS * sizeof(int))];
    struct iovec iov = { .iov_base = reply, .iov_len = sizeof(*reply) };
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
    };
    fds[BROKER_SERVER] = fds[BROKER_MESSAGES] = -1;
    wait_until_readable(connection);
    ssize_t size = recvmsg(connection, &msg, MSG_CMSG_CLOEXEC);
    if (size < 0)
        assert_int_equal(errno, ECONNRESET);
    if (size <= 0)
        return false;
    assert_int_equal(size, sizeof(*reply));
    assert_int_equal(reply->magic, BROKER_MAGIC);
    assert_int_equal(reply->version, BROKER_VERSION);
    const struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
    if (cmsg)
        memcpy(fds, CMSG_DATA(cmsg), BROKER_DESCRIPTORS * sizeof(int));
    return true;
}

int client_start(const struct daemon *daemon, int *fds)
{
    struct broker_reply reply;
    int connection = client_connect(daemon);
    client_say(connection, BROKER_VERSION, BROKER_START, 0);
    assert_true(client_hear(connection, &reply, fds));
    if (reply.status != BROKER_OK)
        fail_msg("%s", reply.text);
    assert_true(fds[BROKER_SERVER] >= 0 && fds[BROKER_MESSAGES] >= 0);
    return connection;
}

int client_read(const struct daemon *daemon, char *lines, size_t room, const char *until)
{
    size_t size = 1;
    int fds[BROKER_DESCRIPTORS];
    int connection = client_start(daemon, fds);
    strcpy(lines, "\n");
    while (!strstr(lines, until)) {
        struct pollfd polled = { .fd = fds[BROKER_MESSAGES], .events = POLLIN };
        assert_int_equal(poll(&polled, 1, 20000), 1);
        ssize_t got = read(fds[BROKER_MESSAGES], lines + size, room - 1 - size);
        if (got <= 0)
            fail_msg("it ended, after: %s", lines);
        size += (size_t)got;
        lines[size] = '\0';
    }
    close(fds[BROKER_SERVER]);
    close(fds[BROKER_MESSAGES]);
    return connection;
}

void client_wait_for_end(int connection)
{
    char byte;
    wait_until_readable(connection);
    assert_true(recv(connection, &byte, 1, 0) <= 0);
}
