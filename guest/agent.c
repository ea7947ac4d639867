/* SPDX-License-Identifier: MIT */
/*
 * The guest's end of the conversation with scripts/venusvm/guest.py: runs commands the host asks for.
 *
 * The two talk over a virtio-serial port in frames: a 12-byte header (payload length, job id,
 * frame kind; little-endian u32 each) and the payload. The host names its jobs itself.
 *
 *   host to guest                              guest to host
 *   RUN    u32 length of the command, the      HELLO   the boot's id: sent at start and for PING
 *          command, bytes for its stdin        OUTPUT  bytes the job wrote to stdout
 *   SIGNAL u32 signal number, for the job's    ERRORS  bytes the job wrote to stderr
 *          whole process group                 EXIT    u32 wait status, the job's last frame
 *   PING   (empty)
 *
 * A command runs under /bin/sh in a session of its own. A job ends when its shell ends, even if a
 * child it left behind still holds its pipes. Everything happens in one poll loop; writes to the
 * port block, which is what slows a job down that prints faster than the host reads.
 *
 * The agent is usually process 1 of the guest, so it also reaps whatever orphans come its way.
 */
#define _GNU_SOURCE
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum frame_kind {
    FRAME_RUN = 1,
    FRAME_SIGNAL = 2,
    FRAME_PING = 3,
    FRAME_HELLO = 16,
    FRAME_OUTPUT = 17,
    FRAME_ERRORS = 18,
    FRAME_EXIT = 19,
};

struct header {
    uint32_t length; /* of the payload, bytes */
    uint32_t job;
    uint32_t kind;
};

/* Far above what a test needs at once; a fixed table keeps poll's array and the jobs in step. */
#define MAX_JOBS 64
/* A program sent over as stdin has to fit; a longer frame means that the stream is out of step. */
#define MAX_PAYLOAD (256u << 20)

struct job {
    uint32_t id;
    pid_t pid;      /* 0: a free slot */
    int pipes[2];   /* stdout and stderr of the job, -1 once closed */
};

static struct job jobs[MAX_JOBS];
static int port = -1;

static void die(const char *what)
{
    fprintf(stderr, "venus-agent: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* The port reads 0 bytes and writes fail while nobody is connected on the host; wait for that. */
static void read_port(void *data, size_t size)
{
    for (uint8_t *p = data; size;) {
        ssize_t n = read(port, p, size);
        if (n > 0) {
            p += n;
            size -= (size_t)n;
        } else if (n == 0 || errno == EAGAIN || errno == EPIPE) {
            usleep(20000);
        } else if (errno != EINTR) {
            die("read from the port");
        }
    }
}

static void write_port(const void *data, size_t size)
{
    for (const uint8_t *p = data; size;) {
        ssize_t n = write(port, p, size);
        if (n > 0) {
            p += n;
            size -= (size_t)n;
        } else if (n == 0 || errno == EAGAIN || errno == EPIPE) {
            usleep(20000);
        } else if (errno != EINTR) {
            die("write to the port");
        }
    }
}

static void send_frame(enum frame_kind kind, uint32_t job, const void *payload, size_t size)
{
    struct header h = { htole32((uint32_t)size), htole32(job), htole32(kind) };

    write_port(&h, sizeof h);
    write_port(payload, size);
}

/* The kernel's boot id tells the host one boot from the next across a reset. */
static void send_hello(void)
{
    char id[64] = "";
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, id, sizeof id);

    if (fd >= 0)
        close(fd);
    send_frame(FRAME_HELLO, 0, id, n > 0 ? (size_t)n : 0);
}

/* Sends on what the pipe holds now; closes it at its end. Returns whether it stays open. */
static bool forward(struct job *job, int which)
{
    static uint8_t buffer[32768]; /* what the port takes in one write */

    for (;;) {
        ssize_t n = read(job->pipes[which], buffer, sizeof buffer);
        if (n > 0) {
            send_frame(which ? FRAME_ERRORS : FRAME_OUTPUT, job->id, buffer, (size_t)n);
            if (n == sizeof buffer)
                continue;
            return true;
        }
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return true;
        close(job->pipes[which]);
        job->pipes[which] = -1;
        return false;
    }
}

static void end_job(struct job *job, int status)
{
    uint32_t wire = htole32((uint32_t)status);

    for (int i = 0; i < 2; i++) {
        if (job->pipes[i] >= 0 && forward(job, i))
            close(job->pipes[i]);
    }
    send_frame(FRAME_EXIT, job->id, &wire, sizeof wire);
    job->pid = 0;
}

/* A memfd as stdin: the job can read it whenever it likes and nothing here can block on it. */
static int stdin_of(const uint8_t *bytes, size_t size)
{
    int fd = size ? memfd_create("stdin", MFD_CLOEXEC) : open("/dev/null", O_RDONLY | O_CLOEXEC);

    for (size_t done = 0; fd >= 0 && done < size;) {
        ssize_t n = write(fd, bytes + done, size - done);
        if (n < 0)
            die("write to a memfd");
        done += (size_t)n;
    }
    if (fd >= 0 && size)
        lseek(fd, 0, SEEK_SET);
    return fd;
}

static void run(uint32_t id, const uint8_t *payload, size_t size)
{
    uint32_t length = 0;
    struct job *job = NULL;
    int out[2], err[2], in;
    uint32_t refused = htole32(126u << 8);

    if (size >= sizeof length) {
        memcpy(&length, payload, sizeof length);
        length = le32toh(length);
    }
    for (size_t i = 0; i < MAX_JOBS && !job; i++) {
        if (!jobs[i].pid)
            job = &jobs[i];
    }
    if (size < sizeof length || length > size - sizeof length || !job) {
        static const char why[] = "venus-agent: malformed RUN frame or too many jobs\n";
        send_frame(FRAME_ERRORS, id, why, sizeof why - 1);
        send_frame(FRAME_EXIT, id, &refused, sizeof refused);
        return;
    }

    char *command = strndup((const char *)payload + sizeof length, length);
    in = stdin_of(payload + sizeof length + length, size - sizeof length - length);
    if (!command || in < 0 || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC))
        die("start a job");
    pid_t pid = fork();
    if (pid < 0)
        die("fork");
    if (pid == 0) {
        sigset_t none;

        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        setsid();
        dup2(in, 0);
        dup2(out[1], 1);
        dup2(err[1], 2);
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    free(command);
    close(in);
    close(out[1]);
    close(err[1]);
    fcntl(out[0], F_SETFL, O_NONBLOCK);
    fcntl(err[0], F_SETFL, O_NONBLOCK);
    *job = (struct job){ .id = id, .pid = pid, .pipes = { out[0], err[0] } };
}

static void send_signal(uint32_t id, const uint8_t *payload, size_t size)
{
    uint32_t number = 0;

    if (size >= sizeof number)
        memcpy(&number, payload, sizeof number);
    for (size_t i = 0; i < MAX_JOBS; i++) {
        /* A child that was only just forked is no group's leader yet. */
        if (jobs[i].pid && jobs[i].id == id && kill(-jobs[i].pid, (int)le32toh(number)))
            kill(jobs[i].pid, (int)le32toh(number));
    }
}

static void take_frame(void)
{
    struct header h;

    read_port(&h, sizeof h);
    size_t size = le32toh(h.length);
    uint32_t id = le32toh(h.job);
    if (size > MAX_PAYLOAD) {
        errno = EPROTO;
        die("a frame from the host");
    }
    uint8_t *payload = malloc(size + 1);
    if (!payload)
        die("memory for a frame");
    read_port(payload, size);
    switch (le32toh(h.kind)) {
    case FRAME_RUN:
        run(id, payload, size);
        break;
    case FRAME_SIGNAL:
        send_signal(id, payload, size);
        break;
    case FRAME_PING:
        send_hello();
        break;
    }
    free(payload);
}

static void reap(int signals)
{
    struct signalfd_siginfo drained;
    int status;
    pid_t pid;

    if (read(signals, &drained, sizeof drained) < 0 && errno != EAGAIN)
        die("read a signal");
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        for (size_t i = 0; i < MAX_JOBS; i++) {
            if (jobs[i].pid == pid)
                end_job(&jobs[i], status);
        }
    }
}

int main(int argc, char **argv)
{
    struct pollfd polled[2 + 2 * MAX_JOBS];
    sigset_t set;

    if (argc != 2) {
        fprintf(stderr, "usage: %s /dev/vportNpM\n", argv[0]);
        return 2;
    }
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    port = open(argv[1], O_RDWR | O_CLOEXEC);
    if (signals < 0 || port < 0)
        die(argv[1]);
    send_hello();

    for (;;) {
        polled[0] = (struct pollfd){ .fd = port, .events = POLLIN };
        polled[1] = (struct pollfd){ .fd = signals, .events = POLLIN };
        for (size_t i = 0; i < 2 * MAX_JOBS; i++) {
            struct job *job = &jobs[i / 2];
            polled[2 + i].fd = job->pid ? job->pipes[i % 2] : -1;
            polled[2 + i].events = POLLIN;
            polled[2 + i].revents = 0;
        }
        if (poll(polled, 2 + 2 * MAX_JOBS, -1) < 0 && errno != EINTR)
            die("poll");
        /* Output first: a job's last words must be on their way before its slot is reused. */
        for (size_t i = 0; i < 2 * MAX_JOBS; i++) {
            if (polled[2 + i].revents)
                forward(&jobs[i / 2], (int)(i % 2));
        }
        if (polled[1].revents)
            reap(signals);
        if (polled[0].revents & POLLIN)
            take_frame();
        else if (polled[0].revents & (POLLHUP | POLLERR))
            usleep(20000); /* nobody on the host's end */
    }
}
