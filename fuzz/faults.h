/* SPDX-License-Identifier: MIT */
/*
 * What the system does not have: memory, mappings, descriptors and threads that the library asks for, and gets or not,
 * as an input says. The library is compiled to call these instead of the C library's (redirect.h).
 */
#ifndef FAULTS_H
#define FAULTS_H

#include <stdarg.h>
#include <stddef.h>
#include <sys/types.h>

enum fault {
    FAULT_MEMORY,     /* malloc() and its kin */
    FAULT_MAPPING,    /* mmap(), mremap(), mprotect() */
    FAULT_DESCRIPTOR, /* memfd_create(), fcntl() to duplicate, pipe2(), socketpair() */
    FAULT_THREAD,     /* pthread_create() */
    FAULT_RANDOM,     /* getentropy() */
    FAULTS,
};

void faults_forget(void);
/* The `after`th of that kind from now (0: the next), and `times` in all, fail. */
void faults_set(enum fault fault, unsigned after, unsigned times);

void *faults_malloc(size_t size);
void *faults_calloc(size_t count, size_t size);
void *faults_realloc(void *old, size_t size);
char *faults_strdup(const char *text);
int faults_vasprintf(char **text, const char *format, va_list args) __attribute__((format(printf, 2, 0)));
void *faults_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);
void *faults_mremap(void *old, size_t old_size, size_t size, int flags, ...);
int faults_mprotect(void *at, size_t size, int protection);
int faults_memfd_create(const char *name, unsigned flags);
int faults_fcntl(int fd, int command, ...);
int faults_pipe2(int fds[2], int flags);
int faults_getentropy(void *data, size_t size);
/* There is no Vulkan loader, unless a target has one of its own. */
void *faults_dlopen(const char *name, int flags);
void *faults_dlsym(void *library, const char *name);
int faults_dlclose(void *library);
/* For threads; see redirect.h. */
int faults_thread(void);

#endif
