/* SPDX-License-Identifier: MIT */
/*
 * For tests only: stands in for /dev/udmabuf on machines without it, for who preloads or links this.
 *
 * lavapipe exports dma-bufs and knows DRM format modifiers only where it can open /dev/udmabuf.
 * Here that device makes no dma-buf: it returns another descriptor of the same memfd. Whoever maps
 * that sees the same bytes, so what is drawn there can be shown in place, and that path is what
 * tests can look at. What they cannot look at: any real dma-buf. Nothing here has DMA, attachments,
 * implicit fences or caches to keep in step, no device can import it, and fstat() says that it is a
 * file.
 *
 * Answered are open() and openat() of the path, UDMABUF_CREATE, UDMABUF_CREATE_LIST with one item,
 * and DMA_BUF_IOCTL_SYNC on a memfd. All else, and all about other files, goes to the kernel. No
 * state is kept: the device is known by its name, in children and after dup() too.
 */
/* open() and open64() are two functions here; else the headers make them one. */
#undef _FILE_OFFSET_BITS
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/udmabuf.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* For who links it: there is no such device. */
bool standin_udmabuf_missing;

#define DEVICE_PATH "/dev/udmabuf"
#define DEVICE_NAME "standin-udmabuf" /* of the memfd that open() returns */

/* Whether the descriptor is a memfd whose name starts like this. */
static bool is_memfd(int fd, const char *name)
{
    char path[64], link[256], wanted[64];

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    snprintf(wanted, sizeof wanted, "/memfd:%s", name);
    ssize_t length = readlink(path, link, sizeof link - 1);
    if (length < 0)
        return false;
    link[length] = '\0';
    return strncmp(link, wanted, strlen(wanted)) == 0;
}

static int refuse(int error)
{
    errno = error;
    return -1;
}

/* Checks what the kernel checks; the new descriptor is of the whole memfd. */
static int create(int memfd, unsigned int flags, unsigned long long offset, unsigned long long size)
{
    struct stat file;
    int seals = fcntl(memfd, F_GET_SEALS);

    if (seals < 0 || fstat(memfd, &file))
        return refuse(EBADFD);
    if (!(seals & F_SEAL_SHRINK) || seals & F_SEAL_WRITE)
        return refuse(EINVAL);
    /* A part of a memfd cannot be had by another descriptor of it. */
    if (offset || !size || size != (unsigned long long)file.st_size ||
        size % (unsigned)getpagesize())
        return refuse(EINVAL);
    return fcntl(memfd, flags & UDMABUF_FLAGS_CLOEXEC ? F_DUPFD_CLOEXEC : F_DUPFD, 0);
}

static int create_from_list(const struct udmabuf_create_list *list)
{
    if (list->count != 1)
        return refuse(EINVAL);
    return create((int)list->list[0].memfd, list->flags, list->list[0].offset, list->list[0].size);
}

int ioctl(int fd, unsigned long request, ...)
{
    static int (*real)(int, unsigned long, ...);
    va_list args;

    va_start(args, request);
    void *arg = va_arg(args, void *);
    va_end(args);
    if (request == UDMABUF_CREATE && is_memfd(fd, DEVICE_NAME)) {
        const struct udmabuf_create *c = arg;
        return create((int)c->memfd, c->flags, c->offset, c->size);
    }
    if (request == UDMABUF_CREATE_LIST && is_memfd(fd, DEVICE_NAME))
        return create_from_list(arg);
    if (request == DMA_BUF_IOCTL_SYNC && is_memfd(fd, ""))
        return 0;
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "ioctl");
    return real(fd, request, arg);
}

static int open_at(int directory, const char *path, int flags, va_list args)
{
    mode_t mode = flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(args, mode_t) : 0;

    if (path && strcmp(path, DEVICE_PATH) == 0 && standin_udmabuf_missing)
        return refuse(ENOENT);
    if (path && strcmp(path, DEVICE_PATH) == 0)
        return memfd_create(DEVICE_NAME, flags & O_CLOEXEC ? MFD_CLOEXEC : 0);
    return (int)syscall(SYS_openat, directory, path, flags, mode);
}

/* The C library's names for one thing. */
#define OPEN(name)                                     \
    int name(const char *path, int flags, ...)         \
    {                                                  \
        va_list args;                                  \
                                                       \
        va_start(args, flags);                         \
        int fd = open_at(AT_FDCWD, path, flags, args); \
        va_end(args);                                  \
        return fd;                                     \
    }
#define OPENAT(name)                                          \
    int name(int directory, const char *path, int flags, ...) \
    {                                                         \
        va_list args;                                         \
                                                              \
        va_start(args, flags);                                \
        int fd = open_at(directory, path, flags, args);       \
        va_end(args);                                         \
        return fd;                                            \
    }

OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)
