/* SPDX-License-Identifier: MIT */
/*
 * KVM, tried: that /dev/kvm opens says little. A machine is made, with one processor that runs a few
 * instructions in 64-bit mode, as a guest's kernel does.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "examine.h"
#include "report.h"

static const char slow[] =
    "Without KVM the guest's processors are emulated: it works, slowly (-accel tcg)";

#ifdef __x86_64__
#ifndef KVM_CAP_DISABLE_QUIRKS2
#define KVM_CAP_DISABLE_QUIRKS2 213
#endif
/* KVM_X86_QUIRK_IGNORE_GUEST_PAT, since Linux 6.16. */
enum { QUIRK_IGNORE_GUEST_PAT = 1 << 9 };

enum { MEMORY = 0x10000, PML4 = 0x1000, PDPT = 0x2000, PD = 0x3000, CODE = 0x4000 };

/* mov $42, %al; out %al, $0x10; hlt */
static const uint8_t code[] = { 0xb0, 42, 0xe6, 0x10, 0xf4 };

static void fill_memory(uint8_t *memory)
{
    uint64_t *pml4 = (void *)(memory + PML4), *pdpt = (void *)(memory + PDPT),
             *pd = (void *)(memory + PD);
    pml4[0] = PDPT | 3; /* present, writable */
    pdpt[0] = PD | 3;
    pd[0] = 0 | 3 | 0x80; /* 2 MiB at 0 */
    memcpy(memory + CODE, code, sizeof(code));
}

static int start_in_64_bit(int vcpu)
{
    struct kvm_sregs sregs;
    struct kvm_regs regs = { .rip = CODE, .rsp = MEMORY, .rflags = 2 };
    if (ioctl(vcpu, KVM_GET_SREGS, &sregs) < 0)
        return -1;
    struct kvm_segment segment = {
        .limit = 0xffffffff, .selector = 8, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1
    };
    sregs.cs = segment;
    segment.type = 3;
    segment.selector = 16;
    segment.l = 0;
    segment.db = 1;
    sregs.ds = sregs.es = sregs.ss = sregs.fs = sregs.gs = segment;
    sregs.cr3 = PML4;
    sregs.cr4 = 1 << 5;                   /* PAE */
    sregs.cr0 = 0x80000001 | 0x10 | 0x20; /* PG, PE, ET, NE */
    sregs.efer = 0x500;                   /* LME, LMA */
    return ioctl(vcpu, KVM_SET_SREGS, &sregs) < 0 || ioctl(vcpu, KVM_SET_REGS, &regs) < 0 ? -1 : 0;
}

/* NULL: it did what it should; otherwise what went wrong. */
static const char *run_guest(int kvm, int vm)
{
    static char text[200];
    void *memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct kvm_userspace_memory_region region = { .memory_size = MEMORY,
                                                  .userspace_addr = (uintptr_t)memory };
    if (memory == MAP_FAILED || ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) < 0)
        return "it takes no memory for a guest";
    fill_memory(memory);
    int vcpu = ioctl(vm, KVM_CREATE_VCPU, 0), size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
    if (vcpu < 0 || size <= 0)
        return "it makes no processor";
    struct kvm_run *run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
    if (run == MAP_FAILED || start_in_64_bit(vcpu) < 0)
        return "its processor does not go into 64-bit mode";
    if (ioctl(vcpu, KVM_RUN, 0) < 0) {
        snprintf(text, sizeof(text), "its processor does not run: %s", strerror(errno));
        return text;
    }
    if (run->exit_reason == KVM_EXIT_IO && run->io.port == 0x10 &&
        *((uint8_t *)run + run->io.data_offset) == 42)
        return NULL;
    snprintf(text, sizeof(text), "its processor stops at once (KVM exit %u)", run->exit_reason);
    return text;
}

/* A KVM of another kind runs what it was made for, and often not an ordinary kernel. */
static const char *other_kind(void)
{
    if (access("/sys/module/kvm_pvm", F_OK) == 0)
        return "it is a paravirtual one (kvm_pvm), which does not run an ordinary guest's kernel";
    return NULL;
}
#else
static const char *run_guest(int kvm, int vm)
{
    (void)kvm, (void)vm;
    return NULL;
}

static const char *other_kind(void)
{
    return NULL;
}
#endif

static void find_vendor(void)
{
    char text[4096];
    FILE *file = fopen("/proc/cpuinfo", "re");
    size_t len = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
    text[len] = '\0';
    if (strstr(text, "GenuineIntel"))
        report_fact("intel", "yes");
    if (file)
        fclose(file);
}

void examine_kvm(void *unused)
{
    (void)unused;
    find_vendor();
    int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (kvm < 0) {
        int error = errno;
        char remedy[300];
        snprintf(
            remedy, sizeof(remedy), "%s. %s",
            error == EACCES || error == EPERM
                ? "Add this user to the group kvm, and log in again"
                : "Turn virtualization on in the firmware, or nested virtualization on the host's host, and "
                  "load kvm_intel or kvm_amd",
            slow);
        report_finding(LEVEL_WARNING, "kvm", "", remedy, "/dev/kvm: %s", strerror(error));
        return;
    }
    int version = ioctl(kvm, KVM_GET_API_VERSION, 0);
    if (version != KVM_API_VERSION) {
        report_finding(LEVEL_WARNING, "kvm", "", slow, "/dev/kvm is not KVM's version %d",
                       KVM_API_VERSION);
        return;
    }
    int vm = ioctl(kvm, KVM_CREATE_VM, 0);
    if (vm < 0) {
        report_finding(LEVEL_WARNING, "kvm", "", slow, "KVM makes no machine: %s", strerror(errno));
        return;
    }
#ifdef __x86_64__
    if (ioctl(vm, KVM_CHECK_EXTENSION, KVM_CAP_DISABLE_QUIRKS2) & QUIRK_IGNORE_GUEST_PAT)
        report_fact("kvm-can-honor-pat", "yes");
#endif
    const char *why = other_kind();
    if (!why)
        why = run_guest(kvm, vm);
    if (why) {
        report_finding(LEVEL_WARNING, "kvm", "", slow, "KVM is there, but %s", why);
        return;
    }
    report_fact("kvm", "yes");
    report_finding(LEVEL_OK, "kvm", "", "", "KVM runs a guest's instructions");
}
