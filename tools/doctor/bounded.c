/* SPDX-License-Identifier: MIT */
/*
 * See bounded.h. The doctor makes itself the parent of whatever its examinations leave behind (a render
 * server is in a process group of its own), so that it can end that too.
 */
#include "bounded.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <fcntl.h>

static long long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* Everything in a file that several processes write to. */
static char *contents(int fd)
{
    off_t size = lseek(fd, 0, SEEK_END);
    char *text = size < 0 ? NULL : malloc((size_t)size + 1);
    ssize_t len = text ? pread(fd, text, (size_t)size, 0) : -1;
    if (len < 0) {
        free(text);
        return NULL;
    }
    text[len] = '\0';
    return text;
}

char *bounded_errors(void)
{
    fflush(stderr);
    return contents(STDERR_FILENO);
}

/* The lines that are whole become findings and facts; the rest is kept. */
struct lines {
    char text[16384];
    size_t len;
};

static void take_lines(struct report *report, struct lines *lines)
{
    char *end;
    lines->text[lines->len] = '\0';
    while ((end = strchr(lines->text, '\n'))) {
        *end = '\0';
        report_read_line(report, lines->text);
        lines->len -= (size_t)(end + 1 - lines->text);
        memmove(lines->text, end + 1, lines->len + 1);
    }
    if (lines->len == sizeof(lines->text) - 1)
        lines->len = 0; /* no line of ours is so long */
}

/* Reads until the other end is closed; false: the time is up. */
static bool read_findings(struct report *report, int fd, long long deadline)
{
    struct lines lines = { .len = 0 };
    for (;;) {
        struct pollfd polled = { .fd = fd, .events = POLLIN };
        long long left = deadline - now_ms();
        int ready = left > 0 ? poll(&polled, 1, (int)left) : 0;
        if (ready == 0)
            return false;
        if (ready < 0)
            continue;
        ssize_t len = read(fd, lines.text + lines.len, sizeof(lines.text) - 1 - lines.len);
        if (len < 0 && errno == EINTR)
            continue;
        if (len <= 0)
            return true;
        lines.len += (size_t)len;
        take_lines(report, &lines);
    }
}

static void kill_children(void)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
    FILE *file = fopen(path, "re");
    int child;
    while (file && fscanf(file, "%d", &child) == 1)
        kill(child, SIGKILL);
    if (file)
        fclose(file);
}

/* One that is stuck in a driver's kernel part does not end even so: it is left behind. */
static void end_all(pid_t pid, bool is_hanging, int *status)
{
    long long deadline = now_ms() + 2000;
    *status = 0;
    if (is_hanging) {
        kill(-pid, SIGKILL);
        kill(pid, SIGKILL); /* should it not have got as far as to have a group */
    }
    for (bool is_over = false;;) {
        int ended_status;
        pid_t ended = waitpid(-1, &ended_status, WNOHANG);
        if (ended == pid) {
            *status = ended_status;
            is_over = true;
            kill(-pid, SIGKILL); /* what it has started, if that is still there */
        }
        if ((ended < 0 && errno == ECHILD) || now_ms() > deadline)
            return;
        if (ended > 0)
            continue;
        if (is_over || is_hanging)
            kill_children();
        nanosleep(&(struct timespec){ .tv_nsec = 5 * 1000 * 1000 }, NULL);
    }
}

/* The last line that is not empty, cut to what fits into one of ours. */
static void last_line(const char *text, char *line, size_t size)
{
    const char *end = text + strlen(text);
    while (end > text && (end[-1] == '\n' || end[-1] == ' '))
        end--;
    const char *begin = end;
    while (begin > text && begin[-1] != '\n')
        begin--;
    snprintf(line, size, "%.*s", (int)(end - begin), begin);
}

static void add_failure(struct report *report, const struct examination *examination,
                        bool is_hanging, int status, const char *errors)
{
    char last[400] = "", reason[700];
    if (errors)
        last_line(errors, last, sizeof(last));
    const char *before = *last ? "; it said last: " : "";
    if (is_hanging)
        snprintf(reason, sizeof(reason), "%s did not end in %u s%s%s", examination->what,
                 examination->seconds, before, last);
    else if (WIFSIGNALED(status))
        snprintf(reason, sizeof(reason), "%s was ended by signal %d (%s)%s%s", examination->what,
                 WTERMSIG(status), strsignal(WTERMSIG(status)), before, last);
    else
        snprintf(reason, sizeof(reason), "%s ended with status %d%s%s", examination->what,
                 WEXITSTATUS(status), before, last);
    report_add(report, LEVEL_ERROR, examination->id, "", reason, examination->remedy);
}

static void __attribute__((noreturn))
run_here(const struct examination *examination, void *arg, int findings, int errors)
{
    int nothing = open("/dev/null", O_RDWR);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* the doctor itself may be killed */
    if (nothing >= 0) {
        dup2(nothing, STDIN_FILENO);
        dup2(nothing, STDOUT_FILENO);
    }
    dup2(errors, STDERR_FILENO);
    report_to(findings);
    examination->run(arg);
    _exit(0);
}

void bounded_run(struct report *report, const struct examination *examination, void *arg)
{
    int pipes[2], errors = memfd_create("errors", MFD_CLOEXEC);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    if (errors < 0)
        errors = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (errors < 0 || pipe2(pipes, O_CLOEXEC) < 0) {
        report_add(report, LEVEL_ERROR, examination->id, "", strerror(errno),
                   "The doctor needs a few descriptors: raise the limit (ulimit -n)");
        if (errors >= 0)
            close(errors);
        return;
    }
    fcntl(errors, F_SETFL, O_APPEND | O_RDWR);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        run_here(examination, arg, pipes[1], errors);
    close(pipes[1]);
    if (pid < 0) {
        report_add(report, LEVEL_ERROR, examination->id, "", strerror(errno),
                   "The doctor needs a few processes: raise the limit (ulimit -u)");
    } else {
        int status;
        bool is_hanging =
            !read_findings(report, pipes[0], now_ms() + examination->seconds * 1000LL);
        end_all(pid, is_hanging, &status);
        char *text = contents(errors);
        if (is_hanging || status)
            add_failure(report, examination, is_hanging, status, text);
        free(text);
    }
    close(pipes[0]);
    close(errors);
}

char *bounded_output(const char *const *argv)
{
    int pipes[2];
    if (pipe2(pipes, O_CLOEXEC) < 0)
        return NULL;
    pid_t pid = fork();
    if (pid == 0) {
        dup2(pipes[1], STDOUT_FILENO);
        execvp(argv[0], (char *const *)argv);
        _exit(127);
    }
    close(pipes[1]);
    char *text = calloc(1, 65536);
    size_t len = 0;
    ssize_t got;
    while (text && len < 65535 && (got = read(pipes[0], text + len, 65535 - len)) > 0)
        len += (size_t)got;
    close(pipes[0]);
    int status = -1;
    if (pid < 0 || waitpid(pid, &status, 0) < 0 || status != 0) {
        free(text);
        return NULL;
    }
    return text;
}
