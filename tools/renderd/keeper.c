/* SPDX-License-Identifier: MIT */
/*
 * See keeper.h.
 *
 * A keeper goes into the sandbox first and reads what its client says there. Where it has a namespace of processes it is the
 * first one in it, so that the kernel ends all others when it ends, however that comes. Where it has none, it ends its
 * process group, which the filter keeps them from leaving.
 */
#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/message.h"
#include "filter.h"
#include "renderer/server.h"
#include "sandbox.h"
#include "settings.h"

/* Where the child's descriptors are; all others are closed. */
enum { CONNECTION = 3, LEASH, CHILDREN, END };

static int answer(int connection, enum broker_status status, const char *text, const int *fds)
{
    struct broker_reply reply = { .magic = BROKER_MAGIC,
                                  .version = BROKER_VERSION,
                                  .status = status };
    union {
        char bytes[CMSG_SPACE(BROKER_DESCRIPTORS * sizeof(int))];
        struct cmsghdr aligned;
    } control;
    struct iovec iov = { .iov_base = &reply, .iov_len = sizeof(reply) };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
    snprintf(reply.text, sizeof(reply.text), "%s", text);
    if (fds) {
        memset(&control, 0, sizeof(control));
        msg.msg_control = control.bytes;
        msg.msg_controllen = sizeof(control.bytes);
        struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
        cmsg->cmsg_level = SOL_SOCKET;
        cmsg->cmsg_type = SCM_RIGHTS;
        cmsg->cmsg_len = CMSG_LEN(BROKER_DESCRIPTORS * sizeof(int));
        memcpy(CMSG_DATA(cmsg), fds, BROKER_DESCRIPTORS * sizeof(int));
    }
    return sendmsg(connection, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

void keeper_refuse(int connection, enum broker_status status, const char *text)
{
    answer(connection, status, text, NULL);
}

/* ---- in the child -------------------------------------------------------------------------------- */

static void __attribute__((noreturn)) end(struct server *server)
{
    server_kill(server);
    kill(0, SIGKILL); /* the group; not us, where we are the first process of a namespace */
    _exit(0);
}

static void __attribute__((noreturn)) turn_away(enum broker_status status, char *text)
{
    fprintf(stderr, "venus-gpu-renderd: %s\n", text);
    keeper_refuse(CONNECTION, status, text);
    _exit(1);
}

/* Everything but stderr, the connection and the leash. */
static void arrange_descriptors(int connection, int leash)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    connection = fcntl(connection, F_DUPFD_CLOEXEC, END);
    leash = fcntl(leash, F_DUPFD_CLOEXEC, END);
    if (null < 0 || connection < 0 || leash < 0) {
        perror("venus-gpu-renderd: no descriptors for a client");
        _exit(1);
    }
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    dup3(connection, CONNECTION, O_CLOEXEC);
    dup3(leash, LEASH, O_CLOEXEC);
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGCHLD); /* is blocked already */
    int children = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
    if (children != CHILDREN)
        dup3(children, CHILDREN, O_CLOEXEC);
    syscall(SYS_close_range, END, ~0U, 0);
}

/* False: the client is gone, or does not say what it may say. */
static bool read_request(struct broker_request *request)
{
    ssize_t size = recv(CONNECTION, request, sizeof(*request), MSG_DONTWAIT | MSG_TRUNC);
    return size == sizeof(*request) && request->magic == BROKER_MAGIC;
}

static void wait_for_request(void)
{
    struct pollfd fds[] = { { .fd = CONNECTION, .events = POLLIN }, { .fd = LEASH } };
    struct broker_request request;
    int ready = poll(fds, 2, BROKER_PATIENCE_MS);
    if (ready == 0)
        turn_away(BROKER_FAILED, "the client said nothing");
    if (ready < 0 || fds[1].revents)
        _exit(0);
    if (!read_request(&request))
        turn_away(BROKER_FAILED, "what the client said is no request");
    if (request.version != BROKER_VERSION)
        turn_away(BROKER_WRONG_VERSION, "the client is of another version");
    if (request.what != BROKER_START)
        turn_away(BROKER_FAILED, "the client's first request is not for a server");
}

static void start_server(const struct settings *settings, struct server *server)
{
    int fds[BROKER_DESCRIPTORS];
    fds[BROKER_SERVER] = server_start(settings->server, server, &fds[BROKER_MESSAGES]);
    if (fds[BROKER_SERVER] < 0)
        turn_away(BROKER_FAILED, message("%s cannot be started: %s", settings->server,
                                         strerror(-fds[BROKER_SERVER])));
    if (server->late == LATE_DRIVER_MISSING || server->late == LATE_DRIVER_KEPT)
        fprintf(stderr, "venus-gpu-renderd: virglrenderer is older than 1.2; %s\n",
                late_driver_words(server->late));
    int ret = answer(CONNECTION, BROKER_OK, "", fds);
    close(fds[BROKER_SERVER]);
    close(fds[BROKER_MESSAGES]);
    if (ret < 0)
        end(server);
}

/* True: the server has ended. Others are children of processes that have ended themselves. */
static bool children_ended(const struct server *server)
{
    struct signalfd_siginfo info;
    int signal;
    while (read(CHILDREN, &info, sizeof(info)) > 0)
        ;
    if (!server_has_ended(server, &signal)) {
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
        return false;
    }
    if (signal)
        fprintf(stderr, "venus-gpu-renderd: a render server was ended by signal %d (%s)\n", signal,
                strsignal(signal));
    return true;
}

static void deny_call(int calls, struct filter_said *said)
{
    const char *name = filter_deny(calls, said);
    if (name)
        fprintf(stderr, "venus-gpu-renderd: the filter denied a render server the system call %s\n",
                name);
}

static void __attribute__((noreturn)) keep(struct server *server, int calls)
{
    struct filter_said said = { { false } };
    struct pollfd fds[] = { { .fd = CONNECTION, .events = POLLIN },
                            { .fd = LEASH },
                            { .fd = CHILDREN, .events = POLLIN },
                            { .fd = calls, .events = POLLIN } };
    for (;;) {
        if (poll(fds, 4, -1) < 0)
            continue;
        struct broker_request request;
        if (fds[0].revents && (!read_request(&request) || request.what != BROKER_LIMIT))
            break;
        if (fds[0].revents)
            server_limit_memory(server, request.bytes);
        if (fds[1].revents || (fds[2].revents && children_ended(server)))
            break;
        if (fds[3].revents & POLLIN)
            deny_call(calls, &said);
    }
    end(server);
}

static void __attribute__((noreturn))
be_keeper(const struct settings *settings, int lacks, int connection, int leash)
{
    struct server server = { .pid = 0 };
    int calls = -1;
    setpgid(0, 0);
    arrange_descriptors(connection, leash);
    char *error = sandbox_enter(settings, lacks, &calls);
    if (error)
        turn_away(BROKER_FAILED, error);
    wait_for_request();
    start_server(settings, &server);
    keep(&server, calls);
}

pid_t keeper_start(const struct settings *settings, int connection, int leash)
{
    int lacks;
    pid_t pid = sandbox_fork(&lacks);
    if (pid == 0)
        be_keeper(settings, lacks, connection, leash);
    if (pid < 0)
        return -errno;
    setpgid(pid, pid); /* whoever is first: it may be killed by its group from now on */
    return pid;
}
