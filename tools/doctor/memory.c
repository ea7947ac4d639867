/* SPDX-License-Identifier: MIT */
/* What the kernel has for memory: shared memory that can be sealed and placed, dma-bufs of it, and descriptors. */
#include <errno.h>
#include <fcntl.h>
#include <linux/udmabuf.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "examine.h"
#include "report.h"
#include "rules.h"

/* A sealed memfd, put in the place of other pages, as the device does with a guest's blobs; or -1. */
static int try_memfd(size_t size)
{
    int fd = memfd_create("doctor", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0 || ftruncate(fd, (off_t)size) < 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) < 0)
        return -1;
    char *window =
        mmap(NULL, 2 * size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    char *placed = window == MAP_FAILED ? MAP_FAILED
                                        : mmap(window + size, size, PROT_READ | PROT_WRITE,
                                               MAP_SHARED | MAP_FIXED, fd, 0);
    if (placed == MAP_FAILED)
        return -1;
    *placed = 1;
    munmap(window, 2 * size);
    return fd;
}

static void examine_udmabuf(int memfd, size_t size)
{
    static const char effect[] = "without it no GPU reads a guest's screen buffers where they are";
    int device = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
    if (device < 0) {
        bool refused = errno == EACCES || errno == EPERM;
        report_finding(
            LEVEL_WARNING, "udmabuf", "",
            refused ? "Let this user open /dev/udmabuf (on many systems: the group kvm)"
                    : "Load the kernel's module udmabuf (modprobe udmabuf), if the kernel has it",
            "/dev/udmabuf: %s; %s", strerror(errno), effect);
        return;
    }
    struct udmabuf_create create = { .memfd = (uint32_t)memfd,
                                     .flags = UDMABUF_FLAGS_CLOEXEC,
                                     .size = size };
    if (ioctl(device, UDMABUF_CREATE, &create) < 0)
        report_finding(LEVEL_WARNING, "udmabuf", "", "The kernel's log (dmesg) may tell why",
                       "/dev/udmabuf makes no dma-buf: %s; %s", strerror(errno), effect);
    else
        report_finding(LEVEL_OK, "udmabuf", "", "", "shared memory can be a dma-buf");
}

static void examine_pages(void)
{
    long page = sysconf(_SC_PAGESIZE);
    if (page <= 4096)
        report_finding(LEVEL_OK, "pages", "", "", "pages of %ld bytes", page);
    else
        report_finding(
            LEVEL_WARNING, "pages", "",
            "Use a guest's kernel with pages of the same size, or Linux 7.2 or newer in the guest",
            "pages of %ld bytes: a guest with smaller ones cannot map every blob", page);
}

static void examine_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    if (limit.rlim_max == RLIM_INFINITY) {
        report_finding(LEVEL_OK, "descriptors", "", "", "no limit of descriptors");
        return;
    }
    /* QEMU raises its own limit to the hard one. */
    unsigned long room = rule_resources(limit.rlim_max);
    bool few = room < 16384;
    report_finding(
        few ? LEVEL_WARNING : LEVEL_OK, "descriptors", "",
        few ? "Raise the hard limit to 65536 or more (ulimit -Hn; LimitNOFILE= of a unit)" : "",
        "a hard limit of %lu descriptors has room for %lu pictures and blobs of a guest",
        (unsigned long)limit.rlim_max, room);
}

void examine_memory(void *unused)
{
    (void)unused;
    const size_t size = 1 << 20;
    int memfd = try_memfd(size);
    examine_pages();
    if (memfd < 0) {
        report_finding(LEVEL_ERROR, "shared-memory", "",
                       "Use Linux 3.17 or newer, in a sandbox that allows memfd_create()",
                       "no sealed shared memory: %s", strerror(errno));
    } else {
        report_fact("memfd", "yes");
        report_finding(LEVEL_OK, "shared-memory", "", "", "memfd can be made, sealed and placed");
        examine_udmabuf(memfd, size);
    }
    examine_descriptors();
}
