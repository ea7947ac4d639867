/* SPDX-License-Identifier: MIT */
/*
 * venus-gpu-renderd: starts render servers for virtual machines that may start no programs, each in a sandbox.
 *
 * This file is the process that is there all the time. It takes connections, starts a keeper for each (keeper.h), which
 * does all the rest, and ends what a keeper leaves behind. It reads nothing that a client sends, and waits for none.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keeper.h"
#include "listener.h"
#include "renderer/server.h"
#include "settings.h"

static const char usage[] =
    "usage: venus-gpu-renderd [OPTION]...\n"
    "Starts render servers, each in a sandbox of its own, for virtual machines that connect:\n"
    "  qemu-system-x86_64 -device virtio-vga-venus,render-server=unix:PATH ...\n"
    "\n"
    "  --socket PATH           listen there; left out, on the socket that systemd hands over\n"
    "  --mode MODE             who may connect: the socket's mode, in octal (0660)\n"
    "  --max N                 so many render servers at a time (64)\n"
    "  --user NAME             where we are root, whom servers run as (venus-gpu)\n"
    "  --render-server PROGRAM the render server (virglrenderer's)\n"
    "  --keep PATH             let servers see this file or folder too; may be repeated\n"
    "  --strict                start no server where a part of the sandbox cannot be had\n"
    "  --version, --help\n";

struct options {
    const char *socket, *user;
    mode_t mode;
    unsigned max;
};

static void __attribute__((noreturn, format(printf, 1, 2))) die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("venus-gpu-renderd: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

static unsigned long number(const char *option, const char *text, int base, unsigned long most)
{
    char *rest;
    unsigned long value = strtoul(text, &rest, base);
    if (!*text || *rest || value > most)
        die("%s takes a number up to %lu, not %s", option, most, text);
    return value;
}

static void keep_path(struct settings *settings, const char *path)
{
    unsigned count = 0;
    while (settings->keep[count])
        count++;
    char **more = realloc(settings->keep, (count + 2) * sizeof(*more));
    if (!more)
        die("out of memory");
    settings->keep = more;
    settings->keep[count] = realpath(path, NULL);
    settings->keep[count + 1] = NULL;
    if (!settings->keep[count])
        die("--keep %s: %s", path, strerror(errno));
}

static void read_options(int argc, char **argv, struct options *options, struct settings *settings)
{
    enum { SOCKET = 1, MODE, MAX, USER, SERVER, KEEP, STRICT, VERSION, HELP };
    static const struct option long_options[] = {
        { "socket", required_argument, NULL, SOCKET },
        { "mode", required_argument, NULL, MODE },
        { "max", required_argument, NULL, MAX },
        { "user", required_argument, NULL, USER },
        { "render-server", required_argument, NULL, SERVER },
        { "keep", required_argument, NULL, KEEP },
        { "strict", no_argument, NULL, STRICT },
        { "version", no_argument, NULL, VERSION },
        { "help", no_argument, NULL, HELP },
        { 0 },
    };
    for (int option; (option = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
        if (option == SOCKET)
            options->socket = optarg;
        else if (option == MODE)
            options->mode = (mode_t)number("--mode", optarg, 8, 0777);
        else if (option == MAX)
            options->max = (unsigned)number("--max", optarg, 10, 65536);
        else if (option == USER)
            options->user = optarg;
        else if (option == SERVER)
            settings->server = optarg;
        else if (option == KEEP)
            keep_path(settings, optarg);
        else if (option == STRICT)
            settings->strict = true;
        else if (option == VERSION)
            exit(puts("venus-gpu-renderd " VENUS_GPU_VERSION) < 0);
        else if (option == HELP)
            exit(fputs(usage, stdout) < 0);
        else
            exit(2);
    }
    if (optind < argc)
        die("%s is no option; see venus-gpu-renderd --help", argv[optind]);
}

/* The user's own groups, and those that GPUs' device nodes belong to; /dev/udmabuf to kvm. */
static void find_groups(struct settings *settings, const char *user)
{
    static const char *const names[] = { "render", "video", "kvm" };
    const int most = sizeof(settings->groups) / sizeof(settings->groups[0]);
    settings->num_groups = most - (int)(sizeof(names) / sizeof(names[0]));
    if (getgrouplist(user, settings->gid, settings->groups, &settings->num_groups) < 0)
        die("the user %s is in more than %d groups", user, most - 3);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const struct group *group = getgrnam(names[i]);
        if (group)
            settings->groups[settings->num_groups++] = group->gr_gid;
    }
}

static void find_user(struct settings *settings, const char *name)
{
    settings->change_user = geteuid() == 0;
    settings->uid = geteuid();
    settings->gid = getegid();
    if (!settings->change_user) {
        if (name)
            die("--user is for root: servers of yours run as you");
        return;
    }
    name = name ? name : "venus-gpu";
    const struct passwd *user = getpwnam(name);
    if (!user)
        die("there is no user %s for the servers to run as\n"
            "Create it (systemd-sysusers, or useradd --system %s), or name another with --user.",
            name, name);
    settings->uid = user->pw_uid;
    settings->gid = user->pw_gid;
    find_groups(settings, name);
}

static int open_listener(const struct options *options)
{
    int fd = options->socket ? listener_open(options->socket, options->mode) : listener_inherited();
    if (options->socket && fd < 0)
        die("cannot listen on %s: %s", options->socket,
            fd == -EADDRINUSE ? "somebody does, or it is no socket" : strerror(-fd));
    if (fd < 0)
        die("systemd handed over no socket: give one with --socket PATH");
    return fd;
}

/* Signals become readable here. */
static int open_signals(void)
{
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGCHLD);
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGINT);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    int fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        die("signalfd: %s", strerror(errno));
    return fd;
}

static void take_client(const struct settings *settings, int listener, int leash, unsigned *keepers,
                        unsigned max)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return;
    struct ucred client = { .pid = 0 };
    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &client, &(socklen_t){ sizeof(client) });
    pid_t pid = 0;
    if (*keepers >= max)
        keeper_refuse(fd, BROKER_TOO_MANY, "there are as many servers as there may be (--max)");
    else if ((pid = keeper_start(settings, fd, leash)) < 0)
        keeper_refuse(fd, BROKER_FAILED, strerror(-pid));
    else
        ++*keepers;
    close(fd);
    fprintf(stderr, "venus-gpu-renderd: process %d of user %d: %s %d\n", client.pid, client.uid,
            pid > 0   ? "served by"
            : pid < 0 ? "not served, error"
                      : "not served, there are",
            pid > 0   ? pid
            : pid < 0 ? -pid
                      : (int)*keepers);
}

/* A keeper that was killed may leave processes behind, of its group: its number is theirs until it is waited for. */
static void reap(unsigned *keepers)
{
    siginfo_t info = { 0 };
    while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid) {
        kill(-info.si_pid, SIGKILL);
        waitpid(info.si_pid, NULL, 0);
        --*keepers;
        info.si_pid = 0;
    }
}

/* False: one says that we are to end. */
static bool read_signals(int signals, unsigned *keepers)
{
    struct signalfd_siginfo info;
    while (read(signals, &info, sizeof(info)) == sizeof(info)) {
        if (info.ssi_signo != SIGCHLD)
            return false;
    }
    reap(keepers);
    return true;
}

static void serve(const struct settings *settings, int listener, unsigned max)
{
    int signals = open_signals(), leash[2];
    unsigned keepers = 0;
    if (pipe2(leash, O_CLOEXEC) < 0) /* its end is the keepers' order to end */
        die("pipe: %s", strerror(errno));
    struct pollfd fds[] = { { .fd = listener, .events = POLLIN },
                            { .fd = signals, .events = POLLIN } };
    for (;;) {
        if (poll(fds, 2, -1) < 0)
            continue;
        if (fds[1].revents && !read_signals(signals, &keepers))
            return;
        if (fds[0].revents)
            take_client(settings, listener, leash[0], &keepers, max);
    }
}

int main(int argc, char **argv)
{
    struct options options = { .mode = 0660, .max = 64 };
    char *nothing = NULL;
    struct settings settings = { .keep = calloc(1, sizeof(nothing)) };
    if (!settings.keep)
        die("out of memory");
    read_options(argc, argv, &options, &settings);
    if (!settings.server)
        settings.server = server_find();
    if (!settings.server)
        die("there is no virgl_render_server\nInstall it (on Debian: virgl-server), or name it "
            "with --render-server.");
    if (access(settings.server, X_OK) < 0)
        die("--render-server %s: %s", settings.server, strerror(errno));
    find_user(&settings, options.user);
    serve(&settings, open_listener(&options), options.max);
    if (options.socket)
        unlink(options.socket);
    return 0;
}
