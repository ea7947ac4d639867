/* SPDX-License-Identifier: MIT */
/* See rules.h. */
#include "rules.h"

#include <string.h>

static void say(struct verdict *verdict, enum level level, const char *reason, const char *remedy)
{
    verdict->level = level;
    snprintf(verdict->reason, sizeof(verdict->reason), "%s", reason);
    snprintf(verdict->remedy, sizeof(verdict->remedy), "%s", remedy);
}

void rule_virglrenderer(const struct virglrenderer_seen *seen, bool has_nvidia,
                        struct verdict *verdict)
{
    if (!seen->has_submit_cmd2 && !seen->works) {
        say(verdict, LEVEL_ERROR, "older than release 1.0, the first that the device can use",
            "Install virglrenderer 1.0 or newer with its render server (Debian 13: libvirglrenderer1 and "
            "virgl-server)");
        return;
    }
    const char *release = seen->has_map_fixed      ? "release 1.2 or newer"
                          : seen->has_log_callback ? "release 1.1"
                                                   : "release 1.0";
    /* Where the device does not start, nobody has looked: 1.1 loads it, but where the device keeps it from that. */
    bool loads_first = seen->works ? seen->has_driver : !seen->has_map_fixed && !has_nvidia;
    bool is_fatal = has_nvidia && loads_first;
    verdict->level = is_fatal ? LEVEL_ERROR : LEVEL_OK;
    snprintf(verdict->reason, sizeof(verdict->reason), "%s%s%s", release,
             seen->is_kept
                 ? "; the device keeps its render server from loading the driver before it forks"
             : loads_first ? "; its render server loads the driver before it forks"
                           : "",
             is_fatal ? ", which NVIDIA's does not survive" : "");
    snprintf(
        verdict->remedy, sizeof(verdict->remedy), "%s",
        is_fatal
            ? "Install libvenusgpu again, which has what keeps it from that, or virglrenderer 1.2 or "
              "newer"
            : "");
}

enum qemu_way rule_qemu(const struct qemu_seen *seen, struct verdict *verdict)
{
    if (!seen->version) {
        say(verdict, LEVEL_ERROR, "there is no such program",
            "Install QEMU (Debian 13: qemu-system-x86 and the device's module), or name one: --qemu PROGRAM");
        return QEMU_NONE;
    }
    if (seen->has_device) {
        say(verdict, LEVEL_OK, "", "");
        snprintf(verdict->reason, sizeof(verdict->reason),
                 "%.200s, which was built with the device", seen->version);
        return QEMU_BUILT_IN;
    }
    if (seen->module_stamp && seen->has_stamp) {
        say(verdict, LEVEL_OK, "", "");
        snprintf(verdict->reason, sizeof(verdict->reason), "%.200s, for which the module was built",
                 seen->version);
        return QEMU_MODULE;
    }
    verdict->level = LEVEL_ERROR;
    if (seen->module_stamp) {
        snprintf(verdict->reason, sizeof(verdict->reason),
                 "%.200s, and the module that is here was built for another", seen->version);
        snprintf(
            verdict->remedy, sizeof(verdict->remedy),
            "Install the module for this QEMU; scripts/build-module.sh makes the one for Debian 13's");
    } else {
        snprintf(verdict->reason, sizeof(verdict->reason),
                 "%.200s, without the device or its module", seen->version);
        snprintf(
            verdict->remedy, sizeof(verdict->remedy), "%s",
            strstr(seen->version, "version 10.0.") && strstr(seen->version, "(Debian 1:")
                ? "scripts/build-module.sh makes the module for it, in a minute; then --modules DIRECTORY"
                : "scripts/build-qemu.sh builds one that has the device; then --qemu PROGRAM");
    }
    return QEMU_NONE;
}

bool rule_guest_pat(const struct pat_seen *seen, struct verdict *verdict)
{
    if (!seen->is_intel) {
        say(verdict, LEVEL_OK, "the processor is not Intel's: KVM follows the guest's memory types",
            "");
        return false;
    }
    if (!seen->kvm_runs || !seen->has_discrete) {
        say(verdict, LEVEL_OK,
            seen->kvm_runs
                ? "no GPU with memory of its own: KVM need not follow the guest's memory types"
                : "without KVM nothing overrides the guest's memory types",
            "");
        return false;
    }
    if (seen->kvm_can_honor && seen->qemu_can_honor) {
        say(verdict, LEVEL_OK,
            "KVM can be told to follow the guest's memory types: the command line does", "");
        return true;
    }
    say(verdict, LEVEL_WARNING,
        "on an Intel processor KVM ignores the guest's memory types, so a guest may see stale memory of a "
        "discrete GPU",
        seen->kvm_can_honor
            ? "Use QEMU 11.0 or newer with -accel kvm,honor-guest-pat=on"
            : "Use Linux 6.16 or newer on the host, and QEMU 11.0 or newer with -accel kvm,honor-guest-pat=on");
    return false;
}

unsigned long rule_resources(unsigned long descriptors)
{
    const unsigned long kept = 256 + 9 * 256; /* for 256 contexts, the default */
    return descriptors > 2 * kept ? descriptors - kept : descriptors / 2;
}

char *rule_command_line(const struct command_line *line)
{
    bool is_arm = !strcmp(line->arch, "aarch64");
    char fallback[64], *text;
    size_t size;
    snprintf(fallback, sizeof(fallback), "qemu-system-%s", is_arm ? "aarch64" : "x86_64");
    FILE *file = open_memstream(&text, &size);
    if (!file)
        return NULL;
    fprintf(file, "%s -M %s", line->qemu ? line->qemu : fallback, is_arm ? "virt" : "q35");
    if (line->kvm)
        fprintf(file, " -accel kvm%s -cpu host",
                line->honor_guest_pat ? ",honor-guest-pat=on" : "");
    else
        fprintf(file, " -accel tcg,thread=multi -cpu max");
    fprintf(file, " -smp 2 -m 4G");
    if (line->memfd)
        fprintf(
            file,
            " -object memory-backend-memfd,id=mem,size=4G,share=on -machine memory-backend=mem");
    fprintf(file, " -device %s", is_arm ? "virtio-gpu-venus-pci" : "virtio-vga-venus");
    fprintf(file, " -display %s", line->window ? "sdl" : "none -vnc 127.0.0.1:0");
    fprintf(file, " -drive if=virtio,file=guest.qcow2");
    if (fclose(file) != 0)
        return NULL;
    return text;
}
