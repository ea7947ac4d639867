/* SPDX-License-Identifier: MIT */
/* See broker.h. */
#include "renderer/broker.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/message.h"
#include "platform/platform.h"
#include "renderer/broker-wire.h"

#define PREFIX "unix:"

/* A service that is started by systemd, or that has many connections at once, takes a moment. */
enum { STEP_MS = 10, CONNECT_STEPS = 200 };

const char *broker_path(const char *server)
{
    size_t length = strlen(PREFIX);
    return server && strncmp(server, PREFIX, length) == 0 ? server + length : NULL;
}

char *broker_path_mistake(const char *path)
{
    const size_t most = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;
    if (*path && strlen(path) <= most)
        return NULL;
    return message("The socket of the render server (unix:PATH) needs a path of 1 to %zu bytes.\n"
                   "Give the socket of venus-gpu-renderd, /run/venus-gpu/renderd.sock.",
                   most);
}

static int try_to_connect(int fd, const struct sockaddr_un *address)
{
    int ret = -EAGAIN;
    for (int i = 0; i < CONNECT_STEPS && (ret == -EAGAIN || ret == -EINTR); i++) {
        if (i)
            nanosleep(&(struct timespec){ .tv_nsec = STEP_MS * 1000000L }, NULL);
        ret = connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? -errno : 0;
    }
    return ret;
}

int broker_connect(const char *path, char **error)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    memcpy(address.sun_path, path, strnlen(path, sizeof(address.sun_path) - 1));
    /* Not to wait in connect() or in sendmsg(). */
    int fd = platform_socket(SOCK_SEQPACKET);
    int ret = fd < 0 ? fd : try_to_connect(fd, &address);
    if (ret == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    *error = message("Cannot reach the render server's service at %s: %s.\n"
                     "Start it (systemctl start venus-gpu-renderd.socket), and let this user write "
                     "to the socket.",
                     path, strerror(-ret));
    return ret;
}

static int say(int connection, enum broker_what what, uint64_t bytes)
{
    const struct broker_request request = {
        .magic = BROKER_MAGIC, .version = BROKER_VERSION, .what = what, .bytes = bytes
    };
    return send(connection, &request, sizeof(request), MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* Until something came, or the other end is closed. */
static int wait_for_answer(int connection)
{
    const uint64_t deadline = clock_now_ns() + BROKER_PATIENCE_MS * UINT64_C(1000000);
    for (;;) {
        struct pollfd polled = { .fd = connection, .events = POLLIN };
        uint64_t now = clock_now_ns();
        int left = now < deadline ? (int)((deadline - now) / 1000000) + 1 : 0;
        int ready = poll(&polled, 1, left);
        if (ready > 0)
            return 0;
        if (ready == 0 && !left)
            return -ETIMEDOUT;
        if (ready < 0 && errno != EINTR)
            return -errno;
    }
}

/* fds become what came with the answer, or -1. Whatever comes is closed, unless it is as it must be. */
static int receive(int connection, struct broker_reply *reply, int *fds)
{
    enum { MOST = 8 };
    union {
        char bytes[CMSG_SPACE(MOST * sizeof(int))];
        struct cmsghdr aligned;
    } control;
    struct iovec iov = { .iov_base = reply, .iov_len = sizeof(*reply) };
    struct msghdr msg = { .msg_iov = &iov,
                          .msg_iovlen = 1,
                          .msg_control = control.bytes,
                          .msg_controllen = sizeof(control.bytes) };
    ssize_t size = platform_receive(connection, &msg);
    if (size < 0 &&
        errno == ECONNRESET) /* it was closed with our request unread, after an answer */
        size = platform_receive(connection, &msg);
    if (size < 0)
        return -errno;
    int came[MOST];
    unsigned count = 0;
    for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg); cmsg; cmsg = CMSG_NXTHDR(&msg, cmsg)) {
        if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
            continue;
        size_t bytes = cmsg->cmsg_len - CMSG_LEN(0);
        memcpy(came + count, CMSG_DATA(cmsg), bytes);
        count += (unsigned)(bytes / sizeof(int));
    }
    bool is_reply = size == sizeof(*reply) && reply->magic == BROKER_MAGIC;
    bool is_whole = !(msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC));
    unsigned expected = is_reply && reply->status == BROKER_OK ? BROKER_DESCRIPTORS : 0;
    if (is_reply && is_whole && count == expected) {
        memcpy(fds, came, count * sizeof(int));
        return 0;
    }
    for (unsigned i = 0; i < count; i++)
        close(came[i]);
    return size ? -EPROTO : -ECONNRESET;
}

int broker_start_server(int connection, int *messages, char **error)
{
    struct broker_reply reply = { .status = BROKER_FAILED };
    int fds[BROKER_DESCRIPTORS] = { -1, -1 };
    int ret = say(connection, BROKER_START, 0);
    if (ret == 0 || ret == -EPIPE) /* it may have said why before it closed its end */
        ret = wait_for_answer(connection);
    if (ret == 0)
        ret = receive(connection, &reply, fds);
    if (ret < 0) {
        *error = message("The render server's service does not answer: %s.\n"
                         "Its log (journalctl -u venus-gpu-renderd) may say why.",
                         strerror(-ret));
        return ret;
    }
    reply.text[sizeof(reply.text) - 1] = '\0';
    if (reply.status == BROKER_OK) {
        *messages = fds[BROKER_MESSAGES];
        return fds[BROKER_SERVER];
    }
    *error = message("The render server's service started none: %s", reply.text);
    return reply.status == BROKER_TOO_MANY ? -EAGAIN : -EIO;
}

void broker_limit_memory(int connection, uint64_t bytes)
{
    say(connection, BROKER_LIMIT, bytes);
}
