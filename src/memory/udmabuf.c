/* SPDX-License-Identifier: MIT */
/* See udmabuf.h. The device is opened each time: this happens once in a resource's life. */
#include "memory/udmabuf.h"

#include <errno.h>

#ifdef __linux__
#include <fcntl.h>
#include <linux/udmabuf.h>
#include <sys/ioctl.h>
#include <unistd.h>

int udmabuf_create(int memfd, uint64_t size)
{
    int device = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
    if (device < 0)
        return -errno;
    struct udmabuf_create create = {
        .memfd = (uint32_t)memfd,
        .flags = UDMABUF_FLAGS_CLOEXEC,
        .size = size,
    };
    int fd = ioctl(device, UDMABUF_CREATE, &create);
    int ret = fd < 0 ? -errno : fd;
    close(device);
    return ret;
}
#else
int udmabuf_create(int memfd, uint64_t size)
{
    (void)memfd, (void)size;
    return -ENOTSUP;
}
#endif
