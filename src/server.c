/* SPDX-License-Identifier: MIT */
/*
 * See server.h. virglrenderer starts a render server by itself only at the path that it was built
 * with; any other is started here, in the same way: one SOCK_SEQPACKET socket, handed over as
 * --socket-fd.
 */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

int server_start(const char *path, int *pid)
{
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
        return -errno;

    /* dup2() clears close-on-exec in the child, and does nothing if it is given the same number. */
    int child_fd = fcntl(fds[1], F_DUPFD_CLOEXEC, 64);
    if (child_fd < 0) {
        int ret = -errno;
        close(fds[0]);
        close(fds[1]);
        return ret;
    }
    char number[16];
    snprintf(number, sizeof(number), "%d", fds[1]);
    char *argv[] = { (char *)path, (char *)"--socket-fd", number, NULL };

    /* A process group of its own, so that Ctrl-C in the terminal is for the front end alone. */
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, child_fd, fds[1]);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP);
    pid_t child;
    int ret = posix_spawn(&child, path, &actions, &attr, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attr);
    close(child_fd);
    close(fds[1]);
    if (ret) {
        close(fds[0]);
        return -ret;
    }
    *pid = child;
    return fds[0];
}

void server_stop(int pid)
{
    if (!pid)
        return;
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}
