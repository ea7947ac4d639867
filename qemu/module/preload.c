/*
 * virtio-gpu-venus: makes a QEMU that does not know of the device load it
 *
 * QEMU finds the module of a type in a table, which is compiled into it.  A
 * QEMU that somebody else has built does not have our types there.  This object
 * is preloaded into it (LD_PRELOAD), and asks for their modules by name, after
 * QEMU has registered its own types and before it reads its command line.
 *
 * What else is started with the same environment has none of QEMU's functions:
 * there it does nothing, as its references are weak, and needs no library but
 * libc.  In QEMU it takes itself out of the environment, so that it is not
 * loaded into what QEMU starts, such as the render server.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <dlfcn.h>
#include "qapi/error.h"
#include "qemu/module.h"

#pragma weak register_module_init
#pragma weak module_load
#pragma weak error_get_pretty

static const char *const modules[] = {
    "hw-display-virtio-gpu-venus",
    "hw-display-virtio-gpu-venus-pci",
    "hw-display-virtio-vga-venus",
};

static void load_modules(void)
{
    Error *error = NULL;
    int i;

    for (i = 0; i < ARRAY_SIZE(modules); i++) {
        if (module_load("", modules[i], &error) > 0) {
            continue;
        }
        fprintf(stderr, "virtio-gpu-venus: this QEMU does not take the module "
                "%s, which was built for %s: %s\n", modules[i],
                VENUS_QEMU_PACKAGE,
                error ? error_get_pretty(error) : "there is no such file");
        fprintf(stderr, "Install that QEMU, or build the module for this one: "
                "scripts/build-module.sh\n");
        exit(1);
    }
}

/* Take the file @name out of LD_PRELOAD's list @list, in place. */
static void remove_from_list(char *list, const char *name)
{
    char *from = list, *to = list;

    while (*from) {
        size_t len = strcspn(from, ": ");
        bool more = from[len];

        if (len != strlen(name) || strncmp(from, name, len)) {
            memmove(to, from, len + more);
            to += len + more;
        }
        from += len + more;
    }
    *to = '\0';
}

static void leave_environment(void)
{
    const char *value = getenv("LD_PRELOAD");
    char *list = value ? strdup(value) : NULL;
    Dl_info self;

    if (list && dladdr(leave_environment, &self)) {
        remove_from_list(list, self.dli_fname);
#ifdef VENUS_SANITIZER
        remove_from_list(list, VENUS_SANITIZER);
#endif
        if (*list) {
            setenv("LD_PRELOAD", list, true);
        } else {
            unsetenv("LD_PRELOAD");
        }
    }
    free(list);
}

static void __attribute__((constructor)) preloaded(void)
{
    if (!register_module_init || !module_load) {
        return;
    }
    leave_environment();
    /* Those of QOM are called once more for a module that is loaded by one. */
    register_module_init(load_modules, MODULE_INIT_MIGRATION);
}
