/* SPDX-License-Identifier: MIT */
/*
 * Target: the link between virglrenderer and the render server, which somebody may have taken over.
 *
 * The input is records (records.h), each a message of one side, of any length and with descriptors, text that the server
 * prints, or what the library asks of the link: to expect a context, to forget or to cut one. Of the header, a says
 * whether the socket keeps messages apart. What goes in on one side comes out on the other, unchanged and with as many
 * descriptors, until one side is gone, or says more than any side may.
 */
#include "renderer/link.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "complain.h"
#include "faults.h"
#include "records.h"
#include "steps.h"

enum kind { SERVER_SAYS, RENDERER_SAYS, EXPECT, FORGET, CUT, PRINT, SERVER_ENDS, FAIL, KINDS };
enum { SERVER, RENDERER };
enum {
    MOST_MESSAGE = 6000,
    MOST_PASSED = 4096,
    MOST_STRAY = 400, /* each word of it may pass by itself, and nobody reads before all has */
    MOST_DESCRIPTORS = 20,
    MOST_PASSED_DESCRIPTORS = 16,
};

static struct {
    struct link *link;
    int type, ends[2], messages;
    bool alive; /* else: nobody is promised anything */
    size_t printed, logged;
} test;

static void write_line(void *opaque, const char *line)
{
    (void)opaque;
    if (!*line || strchr(line, '\n'))
        complain("a line of the server's that is none: '%s'", line);
    test.logged += strlen(line);
}

static unsigned count_descriptors(void)
{
    unsigned count = 0;
    for (int fd = 0; fd < 128; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* ---- messages ------------------------------------------------------------------------------------ */

/* So many descriptors, of sockets or not; those of a message are the receiver's. */
static void send_message(int end, const char *data, size_t size, unsigned num_fds, bool sockets)
{
    union {
        char bytes[CMSG_SPACE(MOST_DESCRIPTORS * sizeof(int))];
        struct cmsghdr aligned;
    } control;
    struct iovec iov = { .iov_base = (char *)data, .iov_len = size };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
        abort();
    int given = sockets || test.messages < 0 ? pair[0] : test.messages;
    if (num_fds) {
        memset(&control, 0, sizeof(control));
        msg.msg_control = control.bytes;
        msg.msg_controllen = CMSG_SPACE(num_fds * sizeof(int));
        struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
        cmsg->cmsg_level = SOL_SOCKET;
        cmsg->cmsg_type = SCM_RIGHTS;
        cmsg->cmsg_len = CMSG_LEN(num_fds * sizeof(int));
        for (unsigned i = 0; i < num_fds; i++)
            memcpy(CMSG_DATA(cmsg) + i * sizeof(int), &given, sizeof(int));
    }
    if (sendmsg(end, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        test.alive = false;
    close(pair[0]);
    close(pair[1]);
}

/* All that has come. Returns how much; over sockets that keep messages apart it is one message. */
static size_t receive(int end, char *data, size_t room, unsigned *num_fds)
{
    union {
        char bytes[CMSG_SPACE(MOST_DESCRIPTORS * sizeof(int))];
        struct cmsghdr aligned;
    } control;
    size_t got = 0;
    *num_fds = 0;
    for (;;) {
        struct iovec iov = { .iov_base = data + got, .iov_len = room - got };
        struct msghdr msg = { .msg_iov = &iov,
                              .msg_iovlen = 1,
                              .msg_control = control.bytes,
                              .msg_controllen = sizeof(control.bytes) };
        ssize_t size = recvmsg(end, &msg, MSG_DONTWAIT);
        if (size <= 0)
            return got;
        got += (size_t)size;
        for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg); cmsg; cmsg = CMSG_NXTHDR(&msg, cmsg)) {
            for (size_t at = 0; at < cmsg->cmsg_len - CMSG_LEN(0); at += sizeof(int)) {
                int fd;
                memcpy(&fd, CMSG_DATA(cmsg) + at, sizeof(fd));
                close(fd);
                ++*num_fds;
            }
        }
    }
}

static void say(const struct record *r)
{
    static char data[MOST_MESSAGE + 4], came[2 * MOST_MESSAGE];
    int from = r->kind % KINDS == SERVER_SAYS ? SERVER : RENDERER;
    uint32_t size = r->c % MOST_MESSAGE;
    unsigned num_fds = r->other % (MOST_DESCRIPTORS + 1), came_fds;
    if (test.type == SOCK_STREAM && (!test.alive || !(r->flags & 2)))
        size %= MOST_STRAY;
    memset(data, (int)r->b, sizeof(data));
    if (test.type == SOCK_STREAM &&
        r->flags & 2) { /* as virglrenderer says it: how long it is, first */
        memcpy(data, &size, sizeof(size));
        send_message(test.ends[from], data, sizeof(size), 0, false);
        steps_settle();
        if (receive(test.ends[!from], came, sizeof(came), &came_fds) != sizeof(size) && test.alive)
            complain("a length does not pass");
    } else if (test.type == SOCK_STREAM) {
        memcpy(data, &r->a, sizeof(r->a));
        test.alive = false; /* lengths mean nothing from now on; all else goes on */
    }
    if (num_fds > MOST_PASSED_DESCRIPTORS ||
        (test.type == SOCK_SEQPACKET && (size > MOST_PASSED || !size)))
        test.alive = false;
    if (size)
        send_message(test.ends[from], data, size, num_fds, r->flags & 1);
    steps_settle();
    size_t passed = receive(test.ends[!from], came, sizeof(came), &came_fds);
    if (test.alive &&
        (passed != size || memcmp(data, came, size) != 0 || (size && came_fds != num_fds)))
        complain("of %u bytes and %u descriptors %zu and %u pass", size, num_fds, passed, came_fds);
    receive(test.ends[from], came, sizeof(came), &came_fds);
}

static void print(const struct record *r)
{
    char text[512];
    size_t size = r->c % sizeof(text);
    memset(text, 'a' + (int)(r->b % 26), sizeof(text));
    for (size_t i = r->a % 64 + 1; r->flags & 1 && i < size; i += r->a % 64 + 1)
        text[i] = '\n';
    if (test.messages < 0 || write(test.messages, text, size) != (ssize_t)size)
        return;
    for (size_t i = 0; i < size; i++)
        test.printed += text[i] != '\n';
    steps_settle();
    /* What has no end yet is kept, but not for ever. */
    if (test.logged > test.printed || test.printed - test.logged > 256)
        complain("%zu of %zu bytes that were printed are logged", test.logged, test.printed);
}

static void run_record(const struct record *r)
{
    switch ((enum kind)(r->kind % KINDS)) {
    case SERVER_SAYS:
    case RENDERER_SAYS:
        say(r);
        break;
    case EXPECT:
        link_expect(test.link, r->id & 7);
        break;
    case FORGET:
        link_forget(test.link, r->id & 7);
        break;
    case CUT:
        if (!(r->id & 7))
            test.alive = false;
        link_cut(test.link, r->id & 7);
        break;
    case PRINT:
        print(r);
        break;
    case SERVER_ENDS:
        if (r->a % 4 == 0) {
            shutdown(test.ends[r->b & 1], SHUT_RDWR);
            test.alive = false;
        } else if (r->a % 4 == 1 && test.messages >= 0) {
            close(test.messages);
            test.messages = -1;
        }
        break;
    case FAIL:
        faults_set(r->a & 1 ? FAULT_MEMORY : FAULT_DESCRIPTOR, r->b & 7, 1);
        break;
    case KINDS:
        break;
    }
    steps_settle();
}

static void run(const struct record *header, const struct record *records, size_t count)
{
    int pair[2], pipes[2];
    memset(&test, 0, sizeof(test));
    test.type = header->a & 1 ? SOCK_STREAM : SOCK_SEQPACKET;
    test.alive = true;
    if (socketpair(AF_UNIX, test.type | SOCK_CLOEXEC, 0, pair) < 0 || pipe2(pipes, O_CLOEXEC) < 0)
        abort();
    test.messages = pipes[1];
    test.ends[SERVER] = pair[0];
    if (header->a & 2)
        faults_set((enum fault)(header->b % FAULTS), header->c & 7, 1);
    test.link = link_start(pair[1], pipes[0], write_line, NULL, &test.ends[RENDERER]);
    for (size_t i = 0; test.link && i < count; i++)
        run_record(&records[i]);
    if (test.link)
        close(test.ends[RENDERER]);
    link_stop(test.link);
    close(test.ends[SERVER]);
    if (test.messages >= 0)
        close(test.messages);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct record header, records[MOST_RECORDS];
    size_t count = records_read(data, size, &header, records);
    unsigned before = count_descriptors();
    steps_begin();
    faults_forget();
    run(&header, records, count);
    steps_end();
    if (count_descriptors() != before)
        complain("%d descriptors are open, and were not before",
                 (int)(count_descriptors() - before));
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed)
{
    return records_mutate(data, size, most, seed, KINDS);
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *one, size_t one_size, const uint8_t *two,
                                 size_t two_size, uint8_t *out, size_t most, unsigned seed)
{
    return records_cross(one, one_size, two, two_size, out, most, seed);
}
