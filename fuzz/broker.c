/* SPDX-License-Identifier: MIT */
/*
 * Target: both sides of the socket of venus-gpu-renderd, each against another one that says anything.
 *
 * The input is records (records.h), each a packet: which fields are as they must be, how long it is, and how many
 * descriptors come with it. Of the header, a says who is tested: the library's client (broker.c), or the service's keeper
 * (tools/renderd/keeper.c), which is included here, with its render server, its exit and its patience replaced.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "complain.h"
#include "faults.h"
#include "records.h"
#include "renderer/broker.h"
#include "steps.h"

static jmp_buf keeper_ends;
static int patient_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
static int no_kill(int pid, int signal);
static int no_line(FILE *file, const char *format, ...);

#define _exit(status) longjmp(keeper_ends, 1)
#define poll          patient_poll
#define kill          no_kill
#define fprintf       no_line
#include "../tools/renderd/keeper.c"
#undef _exit
#undef poll
#undef kill
#undef fprintf

enum { MOST_DESCRIPTORS = 12, MOST_PACKET = 600 };

static struct {
    unsigned started, killed;
    bool has_ended;
    uint64_t limit;
} render_server;

/* ---- what keeper.c calls ------------------------------------------------------------------------- */

/* Nothing more will come: the keeper would wait for ever, or until it has no patience left. */
static int patient_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    int ready = poll(fds, count, 0);
    if (ready == 0 && timeout_ms < 0)
        longjmp(keeper_ends, 1);
    return ready;
}

static int no_kill(int pid, int signal)
{
    (void)pid, (void)signal;
    return 0;
}

static int no_line(FILE *file, const char *format, ...)
{
    (void)file, (void)format;
    return 0;
}

int server_start(const char *path, struct server *server, int *messages)
{
    int fds[2];
    (void)path, (void)server;
    if (render_server.started++)
        complain("one client is given two servers");
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
        return -EMFILE;
    close(fds[1]);
    *messages = dup(fds[0]);
    return fds[0];
}

bool server_has_ended(const struct server *server, int *signal)
{
    (void)server;
    *signal = 0;
    return render_server.has_ended;
}

void server_kill(const struct server *server)
{
    (void)server;
    render_server.killed++;
}

void server_limit_memory(const struct server *server, uint64_t bytes)
{
    (void)server;
    render_server.limit = bytes;
}

pid_t sandbox_fork(int *lacks)
{
    (void)lacks;
    return -1;
}

char *sandbox_enter(const struct settings *settings, int lacks, int *calls)
{
    (void)settings, (void)lacks;
    *calls = -1;
    return NULL;
}

const char *filter_deny(int calls, struct filter_said *said)
{
    (void)calls, (void)said;
    return NULL;
}

/* ---- packets ------------------------------------------------------------------------------------- */

/* Both kinds begin with a magic number and a version; the third word is what is asked, or what became of it. */
static size_t make_packet(const struct record *r, size_t right_size, uint8_t *packet)
{
    uint32_t words[4] = { r->flags & 1 ? r->a : BROKER_MAGIC, r->flags & 2 ? r->b : BROKER_VERSION,
                          r->id & 7, 0 };
    size_t size = r->flags & 4 ? r->c % MOST_PACKET : right_size;
    memset(packet, r->flags & 8 ? 'x' : 0, MOST_PACKET);
    memcpy(packet, words, sizeof(words));
    memcpy(packet + sizeof(words), &r->a, sizeof(r->a));
    return size;
}

/* Say it, with so many descriptors, or close the end instead. */
static void say_packet(int *fd, const struct record *r, size_t right_size)
{
    uint8_t packet[MOST_PACKET];
    union {
        char bytes[CMSG_SPACE(MOST_DESCRIPTORS * sizeof(int))];
        struct cmsghdr aligned;
    } control;
    if (*fd < 0)
        return;
    if (r->kind % 4 == 3) {
        close(*fd);
        *fd = -1;
        return;
    }
    struct iovec iov = { .iov_base = packet, .iov_len = make_packet(r, right_size, packet) };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
    unsigned count = r->other % (MOST_DESCRIPTORS + 1);
    if (count) {
        msg.msg_control = control.bytes;
        msg.msg_controllen = CMSG_SPACE(count * sizeof(int));
        memset(&control, 0, sizeof(control));
        struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
        cmsg->cmsg_level = SOL_SOCKET;
        cmsg->cmsg_type = SCM_RIGHTS;
        cmsg->cmsg_len = CMSG_LEN(count * sizeof(int));
        for (unsigned i = 0; i < count; i++)
            memcpy(CMSG_DATA(cmsg) + i * sizeof(int), fd, sizeof(int));
    }
    sendmsg(*fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* ---- the client ---------------------------------------------------------------------------------- */

static void run_client(const struct record *records, size_t count)
{
    int fds[2], messages = -1;
    char *error = NULL;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
        abort();
    for (size_t i = 0; i < count; i++)
        say_packet(&fds[1], &records[i], sizeof(struct broker_reply));
    int server = broker_start_server(fds[0], &messages, &error);
    if (server >= 0) {
        if (error || messages < 0 || fcntl(server, F_GETFD) < 0 || fcntl(messages, F_GETFD) < 0)
            complain("a server without its descriptors");
        if (!(fcntl(server, F_GETFD) & fcntl(messages, F_GETFD) & FD_CLOEXEC))
            complain("a descriptor that programs inherit");
        close(server);
        close(messages);
        broker_limit_memory(fds[0], 1 << 20);
    } else if (!error) {
        complain("no server, and no message");
    }
    free(error);
    close(fds[0]);
    if (fds[1] >= 0)
        close(fds[1]);
}

/* Names of sockets. */
static void run_names(const struct record *header)
{
    char name[160] = "unix:/nowhere/at/all";
    size_t length = header->b % sizeof(name);
    if (header->flags & 1)
        memset(name + 5, 'a', sizeof(name) - 6);
    name[length < 5 ? 5 : length] = '\0';
    const char *path = broker_path(name);
    char *mistake = broker_path_mistake(path), *error = NULL;
    if (!mistake) {
        int fd = broker_connect(path, &error);
        if (fd >= 0 || !error)
            complain("connected to nowhere");
    }
    free(mistake);
    free(error);
}

/* ---- the keeper ---------------------------------------------------------------------------------- */

/* What the client was told: at most one thing, and descriptors with a server only. */
static void check_told(int fd)
{
    struct broker_reply reply;
    union {
        char bytes[CMSG_SPACE(MOST_DESCRIPTORS * sizeof(int))];
        struct cmsghdr aligned;
    } control;
    struct iovec iov = { .iov_base = &reply, .iov_len = sizeof(reply) };
    struct msghdr msg = { .msg_iov = &iov,
                          .msg_iovlen = 1,
                          .msg_control = control.bytes,
                          .msg_controllen = sizeof(control.bytes) };
    unsigned told = 0;
    while (recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) > 0) {
        const struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
        size_t count = cmsg ? (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int) : 0;
        for (size_t i = 0; i < count; i++) {
            int came;
            memcpy(&came, CMSG_DATA(cmsg) + i * sizeof(int), sizeof(came));
            close(came);
        }
        if (reply.magic != BROKER_MAGIC || reply.status > BROKER_FAILED || told++)
            complain("a client is told nonsense, or twice");
        if (count != (reply.status == BROKER_OK ? BROKER_DESCRIPTORS : 0))
            complain("a client is given %zu descriptors with status %u", count, reply.status);
        if (!memchr(reply.text, 0, sizeof(reply.text)))
            complain("a client is told a text without an end");
        msg.msg_controllen = sizeof(control.bytes);
    }
}

/* Where the keeper has its descriptors; ours from the start, before libFuzzer opens any. */
static void set_descriptor(int at, int fd)
{
    if (dup2(fd, at) < 0)
        abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    int null = open("/dev/null", O_RDWR);
    for (int at = CONNECTION; at < END; at++)
        set_descriptor(at, null);
    if (null >= END)
        close(null);
    freopen("/dev/null", "w", stdout);
    return 0;
}

static void run_keeper(const struct record *header, const struct record *records, size_t count)
{
    const struct settings settings = { .server = "a server" };
    static struct server server;
    static int fds[2], leash[2], children[2], null;
    memset(&render_server, 0, sizeof(render_server));
    render_server.has_ended = header->flags & 2;
    null = open("/dev/null", O_RDWR);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds) < 0 || pipe(leash) < 0 ||
        pipe2(children, O_NONBLOCK) < 0 ||
        (render_server.has_ended && write(children[1], "", 1) < 0))
        abort();
    set_descriptor(CHILDREN, children[0]);
    close(children[0]);
    set_descriptor(CONNECTION, fds[0]);
    set_descriptor(LEASH, leash[0]);
    close(fds[0]);
    close(leash[0]);
    for (size_t i = 0; i < count; i++)
        say_packet(&fds[1], &records[i], sizeof(struct broker_request));
    if (header->flags & 4) {
        close(leash[1]);
        leash[1] = -1;
    }
    if (setjmp(keeper_ends) == 0) {
        memset(&server, 0, sizeof(server));
        wait_for_request();
        start_server(&settings, &server);
        keep(&server, -1);
    }
    if (render_server.killed > render_server.started)
        complain("a server is ended that was not started");
    if (fds[1] >= 0) {
        check_told(fds[1]);
        close(fds[1]);
    } else if (render_server.started != render_server.killed) {
        complain("a server outlives its client");
    }
    if (leash[1] >= 0)
        close(leash[1]);
    close(children[1]);
    for (int at = CONNECTION; at < END; at++)
        set_descriptor(at, null);
    close(null);
}

static unsigned count_descriptors(void)
{
    unsigned count = 0;
    for (int fd = 0; fd < 64; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct record header, records[MOST_RECORDS];
    size_t count = records_read(data, size, &header, records);
    unsigned before = count_descriptors();
    faults_forget();
    if (header.a % 3 == 0) {
        run_keeper(&header, records, count);
    } else {
        steps_begin();
        if (header.a % 3 == 1)
            run_client(records, count);
        else
            run_names(&header);
        steps_end();
    }
    if (count_descriptors() != before)
        complain("%u descriptors are open, and were not before", count_descriptors() - before);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed)
{
    return records_mutate(data, size, most, seed, 4);
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *one, size_t one_size, const uint8_t *two,
                                 size_t two_size, uint8_t *out, size_t most, unsigned seed)
{
    return records_cross(one, one_size, two, two_size, out, most, seed);
}
