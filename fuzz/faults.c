/* SPDX-License-Identifier: MIT */
/* See faults.h. What is random is counted from 1, so that an input gets the same each time. */
#include "faults.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct {
    unsigned after, times;
} faults[FAULTS];
static unsigned char random_numbers;

void faults_forget(void)
{
    memset(faults, 0, sizeof(faults));
    random_numbers = 0;
}

void faults_set(enum fault fault, unsigned after, unsigned times)
{
    faults[fault].after = after;
    faults[fault].times = times;
}

static bool happens(enum fault fault, int error)
{
    if (!faults[fault].times)
        return false;
    if (faults[fault].after) {
        faults[fault].after--;
        return false;
    }
    faults[fault].times--;
    errno = error;
    return true;
}

void *faults_malloc(size_t size)
{
    return happens(FAULT_MEMORY, ENOMEM) ? NULL : malloc(size);
}

void *faults_calloc(size_t count, size_t size)
{
    return happens(FAULT_MEMORY, ENOMEM) ? NULL : calloc(count, size);
}

void *faults_realloc(void *old, size_t size)
{
    return happens(FAULT_MEMORY, ENOMEM) ? NULL : realloc(old, size);
}

char *faults_strdup(const char *text)
{
    return happens(FAULT_MEMORY, ENOMEM) ? NULL : strdup(text);
}

int faults_vasprintf(char **text, const char *format, va_list args)
{
    return happens(FAULT_MEMORY, ENOMEM) ? -1 : vasprintf(text, format, args);
}

void *faults_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    return happens(FAULT_MAPPING, ENOMEM) ? MAP_FAILED
                                          : mmap(at, size, protection, flags, fd, offset);
}

void *faults_mremap(void *old, size_t old_size, size_t size, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    void *at = flags & MREMAP_FIXED ? va_arg(more, void *) : NULL;
    va_end(more);
    return happens(FAULT_MAPPING, ENOMEM) ? MAP_FAILED : mremap(old, old_size, size, flags, at);
}

int faults_mprotect(void *at, size_t size, int protection)
{
    return happens(FAULT_MAPPING, ENOMEM) ? -1 : mprotect(at, size, protection);
}

int faults_memfd_create(const char *name, unsigned flags)
{
    return happens(FAULT_DESCRIPTOR, EMFILE) ? -1 : memfd_create(name, flags);
}

int faults_fcntl(int fd, int command, ...)
{
    va_list args;
    va_start(args, command);
    long arg = va_arg(args, long);
    va_end(args);
    if (command == F_DUPFD_CLOEXEC && happens(FAULT_DESCRIPTOR, EMFILE))
        return -1;
    return fcntl(fd, command, arg);
}

int faults_pipe2(int fds[2], int flags)
{
    return happens(FAULT_DESCRIPTOR, EMFILE) ? -1 : pipe2(fds, flags);
}

int faults_getentropy(void *data, size_t size)
{
    if (happens(FAULT_RANDOM, EIO))
        return -1;
    memset(data, ++random_numbers, size);
    return 0;
}

int faults_thread(void)
{
    return happens(FAULT_THREAD, EAGAIN) ? EAGAIN : 0;
}

__attribute__((weak)) void *faults_dlopen(const char *name, int flags)
{
    (void)name, (void)flags;
    return NULL;
}

__attribute__((weak)) void *faults_dlsym(void *library, const char *name)
{
    (void)library, (void)name;
    return NULL;
}

__attribute__((weak)) int faults_dlclose(void *library)
{
    (void)library;
    return 0;
}
