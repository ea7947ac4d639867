/* SPDX-License-Identifier: MIT */
/* See listener.h. */
#include "listener.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { FIRST_INHERITED = 3, WAITING = 64 };

int listener_inherited(void)
{
    const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
    if (!pid || !count || atol(pid) != (long)getpid() || atoi(count) < 1)
        return -1;
    fcntl(FIRST_INHERITED, F_SETFD, FD_CLOEXEC);
    fcntl(FIRST_INHERITED, F_SETFL, O_NONBLOCK);
    return FIRST_INHERITED;
}

/* Whether it is a socket that nobody listens on. */
static bool is_left_behind(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool refused = connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 &&
                   errno == ECONNREFUSED;
    close(fd);
    return refused;
}

static int bind_at(int fd, const struct sockaddr_un *address, mode_t mode)
{
    mode_t mask = umask(0777 & ~mode); /* from the first moment */
    int ret = bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? -errno : 0;
    umask(mask);
    return ret;
}

int listener_open(const char *path, mode_t mode)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    if (strlen(path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    int ret = bind_at(fd, &address, mode);
    if (ret == -EADDRINUSE && is_left_behind(&address) && unlink(path) == 0)
        ret = bind_at(fd, &address, mode);
    if (ret == 0 && listen(fd, WAITING) < 0)
        ret = -errno;
    if (ret == 0)
        return fd;
    close(fd);
    return ret;
}
