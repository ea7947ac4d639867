/* SPDX-License-Identifier: MIT */
/*
 * Which QEMU there is, and whether it can have the device. A QEMU loads modules that have its own stamp, which is the
 * name of a function and so a string in both files; a QEMU that was built with the device has its name.
 */
#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bounded.h"
#include "examine.h"
#include "rules.h"

struct file {
    void *bytes;
    size_t size;
};

static bool map_file(const char *path, struct file *file)
{
    struct stat stat;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    file->bytes = MAP_FAILED;
    if (fd >= 0 && fstat(fd, &stat) == 0 && S_ISREG(stat.st_mode) && stat.st_size > 0) {
        file->size = (size_t)stat.st_size;
        file->bytes = mmap(NULL, file->size, PROT_READ, MAP_PRIVATE, fd, 0);
    }
    if (fd >= 0)
        close(fd);
    return file->bytes != MAP_FAILED;
}

static const char *find(const struct file *file, const char *text)
{
    return memmem(file->bytes, file->size, text, strlen(text));
}

/* The stamp that a module asks for, "qemu_stamp_" and 40 digits; NULL: there is no such file, or no stamp in it. */
static char *stamp_of(const char *directory)
{
    static char stamp[64];
    char path[PATH_MAX];
    struct file file;
    snprintf(path, sizeof(path), "%s/hw-display-virtio-gpu-venus.so", directory);
    if (!map_file(path, &file))
        return NULL;
    const char *found = find(&file, "qemu_stamp_"), *end = (char *)file.bytes + file.size;
    size_t len = 0;
    for (; found && found + len < end && len < sizeof(stamp) - 1 &&
           (isalnum((unsigned char)found[len]) || found[len] == '_');
         len++)
        stamp[len] = found[len];
    stamp[len] = '\0';
    munmap(file.bytes, file.size);
    return len ? stamp : NULL;
}

/* A program's file, as a shell finds it; to be freed. */
static char *find_program(const char *name)
{
    const char *path = getenv("PATH");
    if (strchr(name, '/'))
        return realpath(name, NULL);
    char *list = strdup(path ? path : "/usr/local/bin:/usr/bin:/bin"), *rest = list, *found = NULL;
    for (char *directory; !found && (directory = strsep(&rest, ":"));) {
        char candidate[PATH_MAX];
        snprintf(candidate, sizeof(candidate), "%s/%s", *directory ? directory : ".", name);
        if (access(candidate, X_OK) == 0)
            found = strdup(candidate);
    }
    free(list);
    return found;
}

static char *first_line(char *text)
{
    if (text)
        text[strcspn(text, "\n")] = '\0';
    return text;
}

/* The wrapper that the module comes with, where it is installed: it is what a person is to run. The modules are in
 * lib/qemu-venus, or in Debian's lib/x86_64-linux-gnu/qemu-venus. */
static const char *wrapper_for(const char *modules)
{
    static const char *const ways[] = { "../../bin", "../../../bin" };
    static char path[PATH_MAX];
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s/qemu-system-x86_64-venus", modules, ways[i]);
        char *real = realpath(path, NULL);
        snprintf(path, sizeof(path), "%s", real ? real : "");
        free(real);
        if (*path && access(path, X_OK) == 0)
            return path;
    }
    return NULL;
}

void examine_qemu(void *arg)
{
    const struct qemu_choice *choice = arg;
    struct utsname system;
    char name[64];
    uname(&system);
    snprintf(name, sizeof(name), "qemu-system-%s",
             strcmp(system.machine, "aarch64") ? "x86_64" : "aarch64");
    const char *modules = choice->modules ? choice->modules : MODULES_DIR;
    char *program = find_program(choice->program ? choice->program : name);
    const char *const asked[] = { program, "--version", NULL };
    struct qemu_seen seen = { .module_stamp = stamp_of(modules) };
    struct file file;
    if (program) {
        char *version = first_line(bounded_output(asked));
        if (!version || !strstr(version, "QEMU")) {
            report_finding(LEVEL_ERROR, "qemu", program,
                           "Install QEMU again, or name another: --qemu PROGRAM",
                           "it does not say its version: it does not run, or is none of QEMU's");
            return;
        }
        seen.version = version;
        if (map_file(program, &file)) {
            seen.has_device = find(&file, "virtio-gpu-venus-pci") != NULL;
            seen.has_stamp = seen.module_stamp && find(&file, seen.module_stamp);
            if (find(&file, "honor-guest-pat"))
                report_fact("qemu-can-honor-pat", "yes");
        }
    }
    struct verdict verdict;
    enum qemu_way way = rule_qemu(&seen, &verdict);
    report_finding(verdict.level, "qemu",
                   program           ? program
                   : choice->program ? choice->program
                                     : name,
                   verdict.remedy, "%s", verdict.reason);
    const char *wrapper = way == QEMU_MODULE ? wrapper_for(modules) : NULL;
    if (way == QEMU_BUILT_IN || (way == QEMU_MODULE && !wrapper))
        report_fact("qemu", program);
    if (wrapper)
        report_fact("qemu", wrapper);
}
