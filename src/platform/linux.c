/* SPDX-License-Identifier: MIT */
/* Linux' answers. See platform.h. */
#include "platform/platform.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <linux/kcmp.h>
#include <linux/udmabuf.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int platform_shared_memory(uint64_t size)
{
    int fd = memfd_create("venus-gpu", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -errno;
    if (ftruncate(fd, (off_t)size) < 0) {
        int ret = -errno;
        close(fd);
        return ret;
    }
    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    return fd;
}

/* What is no memory but a file of a disk, say, cannot be sealed. */
bool platform_can_be_cut(int fd)
{
    struct stat st;
    int seals = fcntl(fd, F_GET_SEALS);
    if ((seals >= 0 && seals & F_SEAL_SHRINK) || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) == 0)
        return false;
    return fstat(fd, &st) < 0 || S_ISREG(st.st_mode);
}

/* The device is opened each time: this happens once in a resource's life. */
int platform_dma_buf(int fd, uint64_t size)
{
    int device = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
    if (device < 0)
        return -errno;
    struct udmabuf_create create = {
        .memfd = (uint32_t)fd,
        .flags = UDMABUF_FLAGS_CLOEXEC,
        .size = size,
    };
    int buffer = ioctl(device, UDMABUF_CREATE, &create);
    int ret = buffer < 0 ? -errno : buffer;
    close(device);
    return ret;
}

int platform_move(void *src, uint64_t size, void *dst)
{
    void *ptr = mremap(src, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, dst);
    return ptr == MAP_FAILED ? -errno : 0;
}

/* Not at dst to begin with: where a driver's mmap() failed, Linux had emptied that, as in platform_alias(). */
int platform_map_fd(int fd, uint64_t size, void *dst)
{
    void *mapped = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (mapped == MAP_FAILED)
        return -errno;
    int ret = platform_move(mapped, size, dst);
    if (ret < 0)
        munmap(mapped, size);
    return ret;
}

/*
 * mremap() of nothing gives a second mapping of the same pages. Of pages that have none it fails; and where it is told a
 * place, Linux up to 6.16 has emptied that by then. A guest that touches the window there would end a virtual machine. So
 * the mapping comes first.
 */
int platform_alias(void *src, uint64_t size, void *dst)
{
    void *twin = mremap(src, 0, size, MREMAP_MAYMOVE);
    if (twin == MAP_FAILED)
        return -errno;
    int ret = platform_move(twin, size, dst);
    if (ret < 0)
        munmap(twin, size);
    return ret;
}

bool platform_page_exists(void *page)
{
#ifdef MADV_POPULATE_READ
    return madvise(page, (size_t)sysconf(_SC_PAGESIZE), MADV_POPULATE_READ) == 0 || errno != EFAULT;
#else
    (void)page;
    return true;
#endif
}

/* A page that is mapped now is there before anybody has touched it. */
bool platform_locks_memory(void)
{
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    unsigned char there = 0;
    void *page = mmap(NULL, size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (page != MAP_FAILED) {
        mincore(page, size, &there);
        munmap(page, size);
    }
    return there & 1;
}

int platform_pipe(int fds[2])
{
    return pipe2(fds, O_CLOEXEC) < 0 ? -errno : 0;
}

int platform_socketpair(int type, int fds[2])
{
    return socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds) < 0 ? -errno : 0;
}

static bool looks_the_same(int a, int b)
{
    struct stat left, right;
    return fstat(a, &left) == 0 && fstat(b, &right) == 0 && left.st_dev == right.st_dev &&
           left.st_ino == right.st_ino && left.st_rdev == right.st_rdev;
}

/* Not every kernel has kcmp(), nor lets every process use it. */
bool platform_same_file(int a, int b)
{
    long order = syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, a, b);
    return order < 0 && errno != EBADF ? looks_the_same(a, b) : order == 0;
}

int platform_socket(int type)
{
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return fd < 0 ? -errno : fd;
}

ssize_t platform_receive(int fd, struct msghdr *msg)
{
    return recvmsg(fd, msg, MSG_CMSG_CLOEXEC);
}

bool platform_has_fence_events(void)
{
    return true;
}

int platform_server_socket(void)
{
    return SOCK_SEQPACKET;
}

void platform_name_thread(const char *name)
{
    prctl(PR_SET_NAME, name);
}

void platform_hurry_thread(int nice)
{
    setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), nice);
}

void platform_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
}

int platform_cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t time_ns)
{
    const struct timespec time = { .tv_sec = (time_t)(time_ns / 1000000000),
                                   .tv_nsec = (long)(time_ns % 1000000000) };
    return pthread_cond_timedwait(cond, lock, &time);
}

bool platform_is_in_sandbox(void)
{
    return prctl(PR_GET_SECCOMP) > 0;
}

void platform_limit_address_space(pid_t pid, uint64_t bytes)
{
    const struct rlimit limit = { .rlim_cur = bytes, .rlim_max = bytes };
    prlimit(pid, RLIMIT_AS, &limit, NULL);
}

/* As if it had half of the memory more than it has. To be taken for less than before is a privilege. */
enum { HALF_OF_MEMORY = 500 };

void platform_expect_little_of(pid_t pid)
{
    /* Not 0: that stops no program which the kernel starts to take a core dump. */
    const struct rlimit no_core = { 1, 1 };
    char path[64], text[16] = "";
    prlimit(pid, RLIMIT_CORE, &no_core, NULL);
    snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int)pid);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return;
    bool more = read(fd, text, sizeof(text) - 1) > 0 && strtol(text, NULL, 10) >= HALF_OF_MEMORY;
    snprintf(text, sizeof(text), "%d", HALF_OF_MEMORY);
    if (!more && pwrite(fd, text, strlen(text), 0) < 0)
        errno = 0; /* then it is not the first to go */
    close(fd);
}

/* Its children, in the order in which they were started. NULL if it is gone. */
static FILE *open_children(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
    return fopen(path, "re");
}

void platform_kill_children(pid_t pid)
{
    FILE *file = open_children(pid);
    int child;
    while (file && fscanf(file, "%d", &child) == 1)
        kill(child, SIGKILL);
    if (file)
        fclose(file);
}

pid_t platform_newest_child(pid_t pid)
{
    FILE *file = open_children(pid);
    int child = 0;
    while (file && fscanf(file, "%d", &child) == 1)
        ;
    if (file)
        fclose(file);
    return child;
}

uint64_t platform_process_memory(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
    FILE *file = fopen(path, "re");
    unsigned long long pages = 0;
    if (file && fscanf(file, "%*u %llu", &pages) != 1)
        pages = 0;
    if (file)
        fclose(file);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Since Linux 6.2 the size of that folder is how many there are. */
static uint64_t count_descriptors(pid_t pid)
{
    char path[64];
    struct stat st;
    snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    if (stat(path, &st) == 0 && st.st_size > 0)
        return (uint64_t)st.st_size;
    uint64_t count = 0;
    DIR *folder = opendir(path);
    while (folder && readdir(folder))
        count++;
    if (folder)
        closedir(folder);
    return count > 2 ? count - 2 : 0; /* . and .. */
}

bool platform_process_usage(pid_t pid, struct platform_usage *usage)
{
    char path[64], line[128];
    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    *usage = (struct platform_usage){ .descriptors = count_descriptors(pid) };
    while (fgets(line, sizeof(line), file)) {
        unsigned long long value;
        if (sscanf(line, "RssAnon: %llu", &value) == 1 ||
            sscanf(line, "RssShmem: %llu", &value) == 1)
            usage->memory += value << 10; /* KiB */
        else if (sscanf(line, "Threads: %llu", &value) == 1)
            usage->threads = value;
    }
    fclose(file);
    return usage->threads > 0;
}

/* Whether a table of strings has that one, with the zero byte before it and the one at its end. */
static bool has_string(const char *table, size_t size, const char *string)
{
    size_t length = strlen(string) + 1;
    for (const char *at = table; size - (size_t)(at - table) > length; at++) {
        at = memchr(at, '\0', size - (size_t)(at - table) - length);
        if (!at)
            return false;
        if (!memcmp(at + 1, string, length))
            return true;
    }
    return false;
}

/* The names that an ELF file is linked to are in the one table of strings that is loaded with it. */
static bool elf_uses(const char *file, size_t size, const char *function)
{
    const ElfW(Ehdr) *header = (const void *)file;
    if (size < sizeof(*header) || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
        header->e_ident[EI_CLASS] != (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32) ||
        header->e_shentsize != sizeof(ElfW(Shdr)) || header->e_shoff % sizeof(void *) ||
        header->e_shoff > size || header->e_shnum > (size - header->e_shoff) / sizeof(ElfW(Shdr)))
        return true;
    const ElfW(Shdr) *sections = (const void *)(file + header->e_shoff);
    for (unsigned i = 0; i < header->e_shnum; i++) {
        const ElfW(Shdr) *section = &sections[i];
        if (section->sh_type == SHT_STRTAB && section->sh_flags & SHF_ALLOC &&
            section->sh_offset <= size && section->sh_size <= size - section->sh_offset &&
            has_string(file + section->sh_offset, section->sh_size, function))
            return true;
    }
    return false;
}

bool platform_program_uses(const char *path, const char *function)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    void *file = MAP_FAILED;
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
        file = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (fd >= 0)
        close(fd);
    if (file == MAP_FAILED)
        return true;
    bool uses = elf_uses(file, (size_t)st.st_size, function);
    munmap(file, (size_t)st.st_size);
    return uses;
}

const char *const platform_vulkan_loaders[] = { "libvulkan.so.1", NULL };

const char *const platform_server_places[] = { "/usr/libexec/virgl_render_server",
                                               "/usr/lib/virgl_render_server",
                                               "/usr/local/libexec/virgl_render_server", NULL };

/* Distributions' loaders look where their drivers are. */
const char *const platform_driver_manifests[] = { NULL };
const char *const platform_loader_folders[] = { "/etc/xdg/vulkan/icd.d",
                                                "/usr/local/etc/vulkan/icd.d",
                                                "/etc/vulkan/icd.d",
                                                "/usr/local/share/vulkan/icd.d",
                                                "/usr/share/vulkan/icd.d",
                                                "/run/opengl-driver/share/vulkan/icd.d",
                                                NULL };

const char platform_driver_advice[] =
    "Install a Vulkan driver; mesa-vulkan-drivers has lavapipe for any processor. vulkaninfo tells what "
    "there is.";

/*
 * Lavapipe looks up functions of libm in what the whole program is linked to, which not every distribution's
 * server is to libm: a guest's shader that calls pow() would end its context.
 */
const char *const platform_preload_variable = "LD_PRELOAD", *const platform_preload = "libm.so.6";
