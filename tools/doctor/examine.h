/* SPDX-License-Identifier: MIT */
/* The examinations, each a file. They run in processes of their own: see bounded.h. */
#ifndef DOCTOR_EXAMINE_H
#define DOCTOR_EXAMINE_H

/* The Vulkan drivers, their devices and what those can do. Facts: "discrete", "nvidia". */
void examine_vulkan(void *unused);

/* virglrenderer, and what a guest's first commands meet. Facts: "virgl-*", "device-works". */
void examine_virglrenderer(void *unused);
void examine_server(void *unused);
void examine_device(void *unused);

/* The kernel and its limits. Facts: "kvm", "kvm-can-honor-pat", "intel", "memfd". */
void examine_kvm(void *unused);
void examine_memory(void *unused);

/* QEMU and the module. Facts: "qemu", "qemu-can-honor-pat". */
struct qemu_choice {
    const char *program; /* NULL: qemu-system-ARCH, and the wrapper before it */
    const char *modules; /* NULL: where they are installed */
};
void examine_qemu(void *choice);

#endif
