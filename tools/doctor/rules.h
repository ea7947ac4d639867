/* SPDX-License-Identifier: MIT */
/*
 * What follows from what was found: each rule is one function without side effects, so that tests can ask it
 * about machines that are not there.
 */
#ifndef DOCTOR_RULES_H
#define DOCTOR_RULES_H

#include "report.h"

/* What a rule says. reason and remedy are static or in text. */
struct verdict {
    enum level level;
    char reason[500], remedy[300];
};

/* Which virglrenderer it is. It does not say so, but each release has had functions that those before had not. */
struct virglrenderer_seen {
    bool has_submit_cmd2;  /* virgl_renderer_submit_cmd2: 1.0 and newer */
    bool has_log_callback; /* virgl_set_log_callback: 1.1 and newer */
    bool has_map_fixed;    /* virgl_renderer_resource_map_fixed: 1.2 and newer */
    bool works;            /* the device has started with it */
    bool has_driver;       /* its render server has the driver loaded, before it forks a context's process */
    bool is_kept;          /* from that, by what the device has it load (src/renderer/late-driver.c) */
};
void rule_virglrenderer(const struct virglrenderer_seen *seen, bool has_nvidia, struct verdict *verdict);

/* Whether a QEMU can have the device, and how. */
struct qemu_seen {
    const char *version;      /* the first line of --version; NULL: there is no QEMU */
    bool has_device;          /* it was built with the device */
    const char *module_stamp; /* the stamp of the QEMU that the module here is for; NULL: no module */
    bool has_stamp;           /* that QEMU is this one */
};
enum qemu_way { QEMU_NONE, QEMU_BUILT_IN, QEMU_MODULE };
enum qemu_way rule_qemu(const struct qemu_seen *seen, struct verdict *verdict);

/* Whether a guest sees memory of the GPU as the GPU's driver does. */
struct pat_seen {
    bool is_intel;       /* the host's processor */
    bool has_discrete;   /* a GPU with memory of its own */
    bool kvm_runs;       /* without KVM nothing ignores the guest */
    bool kvm_can_honor;  /* the kernel: Linux 6.16 and newer, on processors that can */
    bool qemu_can_honor; /* -accel kvm,honor-guest-pat=on */
};
/* Returns whether the property is to be given. */
bool rule_guest_pat(const struct pat_seen *seen, struct verdict *verdict);

/* How many 2D pictures and blobs a limit of descriptors leaves room for, as src/base/budget.c counts. */
unsigned long rule_resources(unsigned long descriptors);

/* The command line to use. To be freed. */
struct command_line {
    const char *qemu;   /* NULL: there is none yet */
    const char *arch;   /* as uname has it */
    bool kvm, honor_guest_pat, memfd, window;
};
char *rule_command_line(const struct command_line *line);

#endif
