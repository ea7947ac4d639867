/* SPDX-License-Identifier: MIT */
/* The link between virglrenderer and its server by itself, over sockets that keep messages apart, and over streams. */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness.h"
#include "renderer/link.h"

enum { MANY = 100000 };

static struct link *link_;
static int type, server, renderer;

static void no_log(void *opaque, const char *line)
{
    (void)opaque, (void)line;
}

static void start(void **state)
{
    int pair[2];
    type = *(const int *)*state;
    assert_int_equal(socketpair(AF_UNIX, type, 0, pair), 0);
    server = pair[0];
    assert_non_null(link_ = link_start(pair[1], -1, no_log, NULL, &renderer));
}

static int finish(void **state)
{
    (void)state;
    link_stop(link_);
    close(server);
    close(renderer);
    return 0;
}

/* As virglrenderer does it: over a stream the length goes first, by itself. */
static void send_with(int socket, const void *data, uint32_t size, int fd)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr aligned;
    } control = { .aligned = { .cmsg_len = CMSG_LEN(sizeof(int)),
                               .cmsg_level = SOL_SOCKET,
                               .cmsg_type = SCM_RIGHTS } };
    struct iovec iov = { (void *)data, size };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
    if (fd >= 0) {
        memcpy(CMSG_DATA(&control.aligned), &fd, sizeof(fd));
        msg.msg_control = control.bytes;
        msg.msg_controllen = sizeof(control.bytes);
    }
    if (type == SOCK_STREAM)
        assert_int_equal(write(socket, &size, sizeof(size)), sizeof(size));
    assert_int_equal(sendmsg(socket, &msg, MSG_NOSIGNAL), size);
}

/* Returns the descriptor that came with it, or -1. */
static int receive(int socket, void *data, uint32_t size)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr aligned;
    } control;
    uint32_t length = size, got = 0;
    int fd = -1;
    if (type == SOCK_STREAM)
        assert_int_equal(recv(socket, &length, sizeof(length), MSG_WAITALL), sizeof(length));
    assert_int_equal(length, size);
    while (got < size) {
        struct iovec iov = { (char *)data + got, size - got };
        struct msghdr msg = { .msg_iov = &iov,
                              .msg_iovlen = 1,
                              .msg_control = control.bytes,
                              .msg_controllen = sizeof(control.bytes) };
        ssize_t piece = recvmsg(socket, &msg, 0);
        assert_true(piece > 0);
        if (CMSG_FIRSTHDR(&msg))
            memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
        got += (uint32_t)piece;
    }
    return fd;
}

static void test_messages_pass(void **state)
{
    char data[64];
    start(state);
    for (unsigned i = 1; i < sizeof(data); i++) {
        memset(data, (int)i, sizeof(data));
        send_with(renderer, data, i, -1);
        send_with(server, data, sizeof(data) - i, -1);
    }
    for (unsigned i = 1; i < sizeof(data); i++) {
        assert_int_equal(receive(server, data, i), -1);
        assert_int_equal(data[i - 1], i);
        assert_int_equal(receive(renderer, data, sizeof(data) - i), -1);
        assert_int_equal(data[0], i);
    }
}

/* A descriptor comes with the message that it was sent with, among others that have none. */
static void test_descriptors_pass(void **state)
{
    int pipes[2];
    char data[8] = "before", byte;
    start(state);
    assert_int_equal(pipe(pipes), 0);
    send_with(server, data, sizeof(data), -1);
    send_with(server, "with it", sizeof(data), pipes[1]);
    send_with(server, "after  ", sizeof(data), -1);
    close(pipes[1]);
    assert_int_equal(receive(renderer, data, sizeof(data)), -1);
    int fd = receive(renderer, data, sizeof(data));
    assert_true(fd >= 0);
    assert_string_equal(data, "with it");
    assert_int_equal(receive(renderer, data, sizeof(data)), -1);
    assert_string_equal(data, "after  ");
    assert_int_equal(write(fd, "x", 1), 1);
    assert_int_equal(read(pipes[0], &byte, 1), 1);
    close(fd);
    assert_int_equal(read(pipes[0], &byte, 1), 0); /* the link has kept none */
    close(pipes[0]);
}

static void test_long_messages_pass(void **state)
{
    static char data[MANY], came[MANY];
    start(state);
    if (type != SOCK_STREAM)
        return; /* virglrenderer sends none that are long */
    for (unsigned i = 0; i < MANY; i++)
        data[i] = (char)(i * 7);
    send_with(renderer, data, MANY, -1);
    send_with(renderer, "end", 4, -1);
    assert_int_equal(receive(server, came, MANY), -1);
    assert_memory_equal(data, came, MANY);
    assert_int_equal(receive(server, came, 4), -1);
    assert_string_equal(came, "end");
}

/* The socket that comes while a context is expected can be cut off, and others go on. */
static void test_cut(void **state)
{
    int pair[2], other[2];
    char data[8];
    start(state);
    assert_int_equal(socketpair(AF_UNIX, type, 0, pair), 0);
    assert_int_equal(socketpair(AF_UNIX, type, 0, other), 0);
    link_expect(link_, 7);
    send_with(server, "context", sizeof(data), pair[1]);
    int fd = receive(renderer, data, sizeof(data));
    assert_true(fd >= 0);
    link_expect(link_, 0);
    link_cut(link_, 8);
    assert_int_equal(write(fd, "x", 1), 1);
    assert_int_equal(read(pair[0], data, 1), 1);
    link_cut(link_, 7);
    assert_int_equal(read(fd, data, 1), 0);
    send_with(server, "goes on", sizeof(data), -1);
    assert_int_equal(receive(renderer, data, sizeof(data)), -1);
    link_cut(link_, 0);
    assert_int_equal(read(renderer, data, 1), 0);
    for (unsigned i = 0; i < 2; i++) {
        close(pair[i]);
        close(other[i]);
    }
    close(fd);
}

/* A server that ends in the middle of a message is gone all the same. */
static void test_end_in_the_middle(void **state)
{
    const uint32_t length = 100;
    char data[8];
    start(state);
    if (type == SOCK_STREAM) {
        assert_int_equal(write(server, &length, 2), 2);
        assert_int_equal(write(server, (const char *)&length + 2, 2), 2);
        assert_int_equal(write(server, "beginning", 9), 9);
    }
    shutdown(server, SHUT_RDWR);
    ssize_t size;
    do
        size = read(renderer, data, sizeof(data));
    while (size > 0);
    assert_int_equal(size, 0);
}

int main(void)
{
    static const int messages = SOCK_SEQPACKET, stream = SOCK_STREAM;
#define BOTH(test)                                                  \
    { #test "_kept_apart", test, NULL, finish, (void *)&messages }, \
    {                                                               \
#test "_in_a_stream", test, NULL, finish, (void *)&stream   \
    }
    const struct CMUnitTest tests[] = {
        BOTH(test_messages_pass), BOTH(test_descriptors_pass),  BOTH(test_long_messages_pass),
        BOTH(test_cut),           BOTH(test_end_in_the_middle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
