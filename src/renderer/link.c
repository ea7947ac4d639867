/* SPDX-License-Identifier: MIT */
/*
 * See link.h. A thread passes messages on, unread. It knows one thing about them: a socket that comes
 * from the server while a context is created is the one to the process of that context.
 *
 * Where a socket does not keep messages apart, as on macOS, virglrenderer and its server put the length of each before
 * it, as 4 bytes, and descriptors come with what follows. There the length is passed on first, and then the message as
 * it comes, so that descriptors stay with the bytes that they came with.
 */
#include "renderer/link.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/start-thread.h"
#include "base/table.h"
#include "platform/platform.h"

/* Far more than virglrenderer's largest request, and the descriptors that come with one. */
enum { MAX_MESSAGE = 4096, MAX_DESCRIPTORS = 16 };

/* One direction of a socket that does not keep messages apart. */
struct stream {
    uint32_t length, length_read; /* of the message that is being passed on: the length, and bytes of that itself */
    uint32_t left;                /* bytes of the message that have not come */
};

/* A socket to the process of a context. */
struct peer {
    uint32_t context_id;
    int fd;
    UT_hash_handle hh;
};

struct link {
    int server, renderer; /* our ends */
    int messages;         /* -1: there are none, or no more */
    int type;             /* SOCK_SEQPACKET, or SOCK_STREAM */
    struct stream from_server, from_renderer;
    int stop[2];          /* a pipe: its end is the order to stop */
    void (*log)(void *opaque, const char *line);
    void *opaque;
    pthread_t thread;

    char line[256]; /* what came of a message so far */
    size_t line_size;

    pthread_mutex_t lock; /* guards what follows */
    struct peer *peers;   /* by context */
    uint32_t expected;
};

static void close_all(const int *fds, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        close(fds[i]);
}

static void forget_locked(struct link *link, uint32_t context_id)
{
    struct peer *peer;
    HASH_FIND(hh, link->peers, &context_id, sizeof(context_id), peer);
    if (!peer)
        return;
    HASH_DEL(link->peers, peer);
    close(peer->fd);
    free(peer);
}

/* Remember a descriptor that the server sent, if it is what we wait for. Without memory, that context
 * cannot be cut off, only the server. */
static void remember(struct link *link, int fd)
{
    struct stat st;
    if (fstat(fd, &st) < 0 || !S_ISSOCK(st.st_mode))
        return;
    pthread_mutex_lock(&link->lock);
    struct peer *peer = link->expected ? calloc(1, sizeof(*peer)) : NULL;
    if (peer) {
        forget_locked(link, link->expected);
        peer->context_id = link->expected;
        peer->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        if (peer->fd >= 0)
            HASH_ADD(hh, link->peers, context_id, sizeof(peer->context_id), peer);
        if (peer->fd < 0 || !peer->hh.tbl) {
            if (peer->fd >= 0)
                close(peer->fd);
            free(peer);
        }
    }
    pthread_mutex_unlock(&link->lock);
}

/* The descriptors in a message that was received. */
static unsigned descriptors_of(struct msghdr *msg, int *fds)
{
    unsigned count = 0;
    for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
        if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
            continue;
        size_t size = cmsg->cmsg_len - CMSG_LEN(0);
        memcpy(fds + count, CMSG_DATA(cmsg), size);
        count += (unsigned)(size / sizeof(int));
    }
    return count;
}

/* Write all, however many pieces it takes, with the first piece what goes with it. */
static bool send_all(int to, struct msghdr *msg, size_t size)
{
    while (size) {
        ssize_t sent = sendmsg(to, msg, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
        size -= (size_t)sent;
        msg->msg_iov->iov_base = (char *)msg->msg_iov->iov_base + sent;
        msg->msg_iov->iov_len -= (size_t)sent;
        msg->msg_control = NULL;
        msg->msg_controllen = 0;
    }
    return true;
}

/* The length before a message, in as many pieces as it comes in. */
static bool pass_length(struct stream *stream, int from, int to)
{
    char *there = (char *)&stream->length;
    ssize_t size;
    do
        size = read(from, there + stream->length_read, sizeof(stream->length) - stream->length_read);
    while (size < 0 && errno == EINTR);
    if (size <= 0)
        return false;
    struct iovec iov = { .iov_base = there + stream->length_read, .iov_len = (size_t)size };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
    stream->length_read += (uint32_t)size;
    if (stream->length_read == sizeof(stream->length)) {
        stream->left = stream->length;
        stream->length_read = 0;
    }
    return send_all(to, &msg, (size_t)size);
}

/* Pass one message on, or a piece of one. False: that was the last one. */
static bool pass(struct link *link, int from, int to)
{
    struct stream *stream = from == link->server ? &link->from_server : &link->from_renderer;
    if (link->type == SOCK_STREAM && !stream->left)
        return pass_length(stream, from, to);
    char data[MAX_MESSAGE];
    union {
        char bytes[CMSG_SPACE(MAX_DESCRIPTORS * sizeof(int))];
        struct cmsghdr aligned;
    } control;
    struct iovec iov = { .iov_base = data, .iov_len = sizeof(data) };
    if (link->type == SOCK_STREAM && stream->left < sizeof(data))
        iov.iov_len = stream->left;
    struct msghdr msg = { .msg_iov = &iov,
                          .msg_iovlen = 1,
                          .msg_control = control.bytes,
                          .msg_controllen = sizeof(control.bytes) };
    ssize_t size;
    do
        size = platform_receive(from, &msg);
    while (size < 0 && errno == EINTR);
    if (size <= 0)
        return false;
    if (link->type == SOCK_STREAM)
        stream->left -= (uint32_t)size;

    int fds[MAX_DESCRIPTORS];
    unsigned count = descriptors_of(&msg, fds);
    bool whole = !(msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC));
    for (unsigned i = 0; i < count && from == link->server; i++)
        remember(link, fds[i]);
    iov.iov_len = (size_t)size;
    if (!msg.msg_controllen)
        msg.msg_control = NULL;
    msg.msg_flags = 0;
    bool sent = whole && send_all(to, &msg, (size_t)size);
    close_all(fds, count);
    return sent;
}

/* Hand on the lines in what has been read; one that is longer than its buffer comes in pieces. */
static void log_lines(struct link *link, const char *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (data[i] != '\n')
            link->line[link->line_size++] = data[i];
        if (link->line_size && (data[i] == '\n' || link->line_size == sizeof(link->line) - 1)) {
            link->line[link->line_size] = '\0';
            link->log(link->opaque, link->line);
            link->line_size = 0;
        }
    }
}

static bool read_messages(struct link *link)
{
    char data[1024];
    ssize_t size = read(link->messages, data, sizeof(data));
    if (size > 0)
        log_lines(link, data, (size_t)size);
    return size > 0 || (size < 0 && errno == EINTR);
}

/* Either end is gone: let the other one know. */
static void hang_up(struct link *link)
{
    shutdown(link->server, SHUT_RDWR);
    shutdown(link->renderer, SHUT_RDWR);
}

static void *run(void *opaque)
{
    struct link *link = opaque;
    platform_name_thread("venus-link");
    enum { SERVER, RENDERER, MESSAGES, STOP, COUNT };
    struct pollfd fds[COUNT] = {
        [SERVER] = { .fd = link->server, .events = POLLIN },
        [RENDERER] = { .fd = link->renderer, .events = POLLIN },
        [MESSAGES] = { .fd = link->messages, .events = POLLIN },
        [STOP] = { .fd = link->stop[0], .events = POLLIN },
    };
    while (!fds[STOP].revents) {
        if (poll(fds, COUNT, -1) < 0)
            continue;
        if ((fds[SERVER].revents && !pass(link, link->server, link->renderer)) ||
            (fds[RENDERER].revents && !pass(link, link->renderer, link->server))) {
            hang_up(link);
            fds[SERVER].fd = fds[RENDERER].fd = -1;
        }
        if (fds[MESSAGES].revents && !read_messages(link))
            fds[MESSAGES].fd = -1;
    }
    return NULL;
}

static void close_fd(int fd)
{
    if (fd >= 0)
        close(fd);
}

static void link_free(struct link *link)
{
    while (link->peers)
        forget_locked(link, link->peers->context_id);
    close_fd(link->server);
    close_fd(link->renderer);
    close_fd(link->messages);
    close_fd(link->stop[0]);
    close_fd(link->stop[1]);
    pthread_mutex_destroy(&link->lock);
    free(link);
}

struct link *link_start(int server, int messages, void (*log)(void *opaque, const char *line),
                        void *opaque, int *renderer)
{
    struct link *link = calloc(1, sizeof(*link));
    if (!link) {
        close_fd(server);
        close_fd(messages);
        return NULL;
    }
    *link = (struct link){ .server = server,
                           .renderer = -1,
                           .messages = messages,
                           .stop = { -1, -1 },
                           .log = log,
                           .opaque = opaque };
    pthread_mutex_init(&link->lock, NULL);
    socklen_t size = sizeof(link->type);
    int sockets[2];
    if (getsockopt(server, SOL_SOCKET, SO_TYPE, &link->type, &size) < 0 ||
        platform_socketpair(link->type, sockets) < 0) {
        link_free(link);
        return NULL;
    }
    link->renderer = sockets[0];
    if (platform_pipe(link->stop) < 0 || start_thread(&link->thread, run, link)) {
        close(sockets[1]);
        link_free(link);
        return NULL;
    }
    *renderer = sockets[1];
    return link;
}

void link_stop(struct link *link)
{
    if (!link)
        return;
    hang_up(link); /* in case it waits to pass something on */
    close(link->stop[1]);
    link->stop[1] = -1;
    pthread_join(link->thread, NULL);
    link_free(link);
}

void link_expect(struct link *link, uint32_t context_id)
{
    pthread_mutex_lock(&link->lock);
    link->expected = context_id;
    pthread_mutex_unlock(&link->lock);
}

void link_forget(struct link *link, uint32_t context_id)
{
    pthread_mutex_lock(&link->lock);
    forget_locked(link, context_id);
    pthread_mutex_unlock(&link->lock);
}

void link_cut(struct link *link, uint32_t context_id)
{
    struct peer *peer;

    pthread_mutex_lock(&link->lock);
    for (peer = link->peers; peer; peer = peer->hh.next) {
        if (!context_id || peer->context_id == context_id)
            shutdown(peer->fd, SHUT_RDWR);
    }
    pthread_mutex_unlock(&link->lock);
    if (!context_id)
        hang_up(link);
}
