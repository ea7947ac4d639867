/* SPDX-License-Identifier: MIT */
/*
 * What is asked of the operating system where systems differ: linux.c and darwin.c answer, one of which is built.
 * Everything else of the library keeps to POSIX. Functions that return int give 0, or what they say, or a negative
 * errno value; any thread may call them.
 */
#ifndef PLATFORM_H
#define PLATFORM_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

/* ---- memory ------------------------------------------------------------------------------------ */

/* A nameless file of that size, for ever where the system can see to that: whom it is given to cannot take pages from
 * under our mapping. Returns a descriptor. */
int platform_shared_memory(uint64_t size);

/*
 * Whether a file can become shorter, by somebody else who has it. What is no file, as a dma-buf, has its size for
 * good. A file that can be kept from it by whoever has it is.
 */
bool platform_can_be_cut(int fd);

/*
 * A dma-buf over the first size bytes, whole pages, of such shared memory: a new descriptor. -ENOENT or -EACCES: the
 * host has no /dev/udmabuf for us.
 */
int platform_dma_buf(int fd, uint64_t size);

/* Make dst show the pages at src too. Refused for what is no shared mapping of ordinary pages. */
int platform_alias(void *src, uint64_t size, void *dst);

/* Put the pages at src at dst instead, in one step for whoever reads there. */
int platform_move(void *src, uint64_t size, void *dst);

/* Map a descriptor's memory, from its start, in place of what is mapped at dst. */
int platform_map_fd(int fd, uint64_t size, void *dst);

/* Whether a page of a mapping is there, or would end the process. Where the system cannot tell, it is. */
bool platform_page_exists(void *page);

/* Whether the process locks what it maps from now on (mlockall()). */
bool platform_locks_memory(void);

/* ---- descriptors ------------------------------------------------------------------------------- */

/* None of these is inherited by a program that is started. */
int platform_pipe(int fds[2]);
int platform_socketpair(int type, int fds[2]);
/* Whether both are of one file that was opened once, as a duplicate is. false also if one is no descriptor. */
bool platform_same_file(int a, int b);
/* Of the local kind, and one that nobody waits in. Returns a descriptor. */
int platform_socket(int type);
/* recvmsg(); and so are those that come with the message. */
ssize_t platform_receive(int fd, struct msghdr *msg);

/* Whether virglrenderer's thread for fences works: it wants an eventfd. */
bool platform_has_fence_events(void);

/* What kind of socket virglrenderer speaks to its render server over. */
int platform_server_socket(void);

/* ---- threads ----------------------------------------------------------------------------------- */

/* Name the calling thread, for debuggers; at most 15 bytes. */
void platform_name_thread(const char *name);

/* Have the calling thread served before others, by a step of nice(). Without the privilege, it stays as it is. */
void platform_hurry_thread(int nice);

/* A condition that is waited for by the monotonic clock, in ns. Returns 0 or ETIMEDOUT. */
void platform_cond_init(pthread_cond_t *cond);
int platform_cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t time_ns);

/* ---- processes --------------------------------------------------------------------------------- */

/* Whether system calls of this process are filtered, so that some may end it. */
bool platform_is_in_sandbox(void);

/* Bound the address space of a child, and of what it starts. */
void platform_limit_address_space(pid_t pid, uint64_t bytes);

/* Have the kernel end a child, and what it starts, before others where memory runs out, and take no core dumps of them:
 * a guest can have them take memory, and crash, as often as it likes. */
void platform_expect_little_of(pid_t pid);

/* Kill the children of a process that is stopped. */
void platform_kill_children(pid_t pid);

/* The child that a process started last; 0: it has none, or the system does not tell. */
pid_t platform_newest_child(pid_t pid);

/* Bytes that a process has in memory; 0: there is none, or the system does not tell. */
uint64_t platform_process_memory(pid_t pid);

/* What a process has of the host: bytes of memory but for those of files; threads; descriptors. */
struct platform_usage {
    uint64_t memory, threads, descriptors;
};

/* false: there is no such process, or the system does not tell. */
bool platform_process_usage(pid_t pid, struct platform_usage *usage);

/* Whether a program is linked to a function of a library's by that name. So is what is no program of this machine's, as
 * a script that runs one. */
bool platform_program_uses(const char *path, const char *function);

/* ---- names ------------------------------------------------------------------------------------- */

/* Vulkan's loader as dlopen() takes it, the one to be tried first; the last one is NULL. */
extern const char *const platform_vulkan_loaders[];

/* Where render servers are, the last one being NULL. */
extern const char *const platform_server_places[];

/*
 * Manifests of Vulkan drivers as their packages install them, where a loader of another package does not look, the one
 * to be taken first; and the folders where every loader looks. The last one of each is NULL.
 */
extern const char *const platform_driver_manifests[];
extern const char *const platform_loader_folders[];

/* What a person is to do where the host has no Vulkan device: one line. */
extern const char platform_driver_advice[];

/* The variable that names libraries to load before others, and the one that lavapipe needs in the render server. NULL:
 * nothing is needed. */
extern const char *const platform_preload_variable, *const platform_preload;

#endif
