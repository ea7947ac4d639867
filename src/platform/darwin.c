/* SPDX-License-Identifier: MIT */
/*
 * macOS' answers. See platform.h. What is here was compiled for macOS, and run on no Mac yet: docs/macos.md.
 *
 * There is no way to have the pages of one mapping at a second address that QEMU's hypervisor is known to follow, no
 * seal, no dma-buf and no socket that keeps messages apart and hands over descriptors.
 */
#include "platform/platform.h"

#include <errno.h>
#include <fcntl.h>
#include <libproc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static void close_on_exec(int fd)
{
    fcntl(fd, F_SETFD, FD_CLOEXEC);
}

int platform_shared_memory(uint64_t size)
{
    char name[] = "/tmp/venus-gpu-XXXXXX";
    int fd = mkstemp(name);
    if (fd < 0)
        return -errno;
    close_on_exec(fd);
    unlink(name);
    if (ftruncate(fd, (off_t)size) < 0) {
        int ret = -errno;
        close(fd);
        return ret;
    }
    return fd;
}

/* It can, always, and everything is such a file: so it is no reason not to map one. */
bool platform_can_be_cut(int fd)
{
    (void)fd;
    return false;
}

int platform_dma_buf(int fd, uint64_t size)
{
    (void)fd, (void)size;
    return -ENOTSUP;
}

int platform_alias(void *src, uint64_t size, void *dst)
{
    (void)src, (void)size, (void)dst;
    return -ENOTSUP;
}

int platform_map_fd(int fd, uint64_t size, void *dst)
{
    void *ptr = mmap(dst, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
    return ptr == MAP_FAILED ? -errno : 0;
}

int platform_move(void *src, uint64_t size, void *dst)
{
    (void)src, (void)size, (void)dst;
    return -ENOTSUP;
}

bool platform_page_exists(void *page)
{
    (void)page;
    return true;
}

bool platform_locks_memory(void)
{
    return false;
}

int platform_pipe(int fds[2])
{
    if (pipe(fds) < 0)
        return -errno;
    close_on_exec(fds[0]);
    close_on_exec(fds[1]);
    return 0;
}

int platform_socketpair(int type, int fds[2])
{
    if (socketpair(AF_UNIX, type, 0, fds) < 0)
        return -errno;
    close_on_exec(fds[0]);
    close_on_exec(fds[1]);
    return 0;
}

/* No driver there is given descriptors. */
bool platform_same_file(int a, int b)
{
    return fcntl(a, F_GETFD) >= 0 && fcntl(b, F_GETFD) >= 0;
}

int platform_socket(int type)
{
    int fd = socket(AF_UNIX, type, 0);
    if (fd < 0)
        return -errno;
    close_on_exec(fd);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

/* A program that is started between the two gets them; there is no way to have both at once. */
ssize_t platform_receive(int fd, struct msghdr *msg)
{
    ssize_t size = recvmsg(fd, msg, 0);
    for (struct cmsghdr *cmsg = size < 0 ? NULL : CMSG_FIRSTHDR(msg); cmsg;
         cmsg = CMSG_NXTHDR(msg, cmsg)) {
        if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
            continue;
        const int *fds = (const int *)(const void *)CMSG_DATA(cmsg);
        for (size_t i = 0; i < (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(*fds); i++)
            close_on_exec(fds[i]);
    }
    return size;
}

bool platform_has_fence_events(void)
{
    return false;
}

int platform_server_socket(void)
{
    return SOCK_STREAM;
}

void platform_name_thread(const char *name)
{
    pthread_setname_np(name);
}

/* nice() is the whole process's here. */
void platform_hurry_thread(int nice)
{
    (void)nice;
}

void platform_cond_init(pthread_cond_t *cond)
{
    pthread_cond_init(cond, NULL);
}

int platform_cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t time_ns)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t now_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
    uint64_t left = time_ns > now_ns ? time_ns - now_ns : 0;
    const struct timespec time = { .tv_sec = (time_t)(left / 1000000000),
                                   .tv_nsec = (long)(left % 1000000000) };
    return pthread_cond_timedwait_relative_np(cond, lock, &time);
}

bool platform_is_in_sandbox(void)
{
    return false;
}

/* The limit of another process cannot be set. */
void platform_limit_address_space(pid_t pid, uint64_t bytes)
{
    (void)pid, (void)bytes;
}

void platform_kill_children(pid_t pid)
{
    pid_t children[1024];
    int count = proc_listchildpids(pid, children, sizeof(children));
    for (int i = 0; i < count; i++)
        kill(children[i], SIGKILL);
}

/* They are listed in no order that is promised. */
pid_t platform_newest_child(pid_t pid)
{
    (void)pid;
    return 0;
}

uint64_t platform_process_memory(pid_t pid)
{
    struct proc_taskinfo info;
    if (proc_pidinfo(pid, PROC_PIDTASKINFO, 0, &info, sizeof(info)) != sizeof(info))
        return 0;
    return info.pti_resident_size;
}

/* There is no such order, and core files are off unless somebody wants them. */
void platform_expect_little_of(pid_t pid)
{
    (void)pid;
}

/* Nobody knows which process serves a context there: see platform_newest_child(). */
bool platform_process_usage(pid_t pid, struct platform_usage *usage)
{
    (void)pid, (void)usage;
    return false;
}

/* Nothing is asked of the answer where nothing is loaded before other libraries. */
bool platform_program_uses(const char *path, const char *function)
{
    (void)path, (void)function;
    return true;
}

/* Homebrew's folders, on Apple's processors and on Intel's: dyld does not look there for a bare name. */
const char *const platform_vulkan_loaders[] = { "libvulkan.1.dylib",
                                                "/opt/homebrew/lib/libvulkan.1.dylib",
                                                "/usr/local/lib/libvulkan.1.dylib", NULL };

const char *const platform_server_places[] = { "/opt/homebrew/libexec/virgl_render_server",
                                               "/usr/local/libexec/virgl_render_server", NULL };

/*
 * Homebrew's, on Apple's processors and on Intel's, linked and not. KosmicKrisp before MoltenVK: it is a whole Vulkan, and
 * virglrenderer does not ask for one that lacks parts. Homebrew's own loader finds them too; LunarG's, or one that
 * was built by hand, does not.
 */
const char *const platform_driver_manifests[] = {
    "/opt/homebrew/share/vulkan/icd.d/kosmickrisp_mesa_icd.aarch64.json",
    "/opt/homebrew/opt/mesa/share/vulkan/icd.d/kosmickrisp_mesa_icd.aarch64.json",
    "/usr/local/share/vulkan/icd.d/kosmickrisp_mesa_icd.aarch64.json",
    "/opt/homebrew/etc/vulkan/icd.d/MoltenVK_icd.json",
    "/opt/homebrew/share/vulkan/icd.d/MoltenVK_icd.json",
    "/usr/local/etc/vulkan/icd.d/MoltenVK_icd.json",
    "/usr/local/share/vulkan/icd.d/MoltenVK_icd.json",
    "/opt/homebrew/opt/molten-vk/etc/vulkan/icd.d/MoltenVK_icd.json",
    "/opt/homebrew/opt/molten-vk/share/vulkan/icd.d/MoltenVK_icd.json",
    "/usr/local/opt/molten-vk/etc/vulkan/icd.d/MoltenVK_icd.json",
    "/usr/local/opt/molten-vk/share/vulkan/icd.d/MoltenVK_icd.json",
    "/opt/homebrew/share/vulkan/icd.d/lvp_icd.aarch64.json",
    NULL,
};

const char *const platform_loader_folders[] = { "/etc/xdg/vulkan/icd.d", "/etc/vulkan/icd.d",
                                                "/usr/local/share/vulkan/icd.d",
                                                "/usr/share/vulkan/icd.d", NULL };

const char platform_driver_advice[] =
    "Install one: brew install vulkan-loader molten-vk (macOS 26: mesa, which has KosmicKrisp, too). vulkaninfo of brew's "
    "vulkan-tools tells what there is.";

const char *const platform_preload_variable = NULL, *const platform_preload = NULL;
