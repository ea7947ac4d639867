/* SPDX-License-Identifier: MIT */
/*
 * venus-gpu-doctor: says whether this host can run the device, how well, what to do about what is missing, and with
 * which command line. docs/doctor.md describes it, and its --json.
 */
#include <getopt.h>
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "bounded.h"
#include "examine.h"
#include "report.h"
#include "rules.h"

static const char usage[] =
    "usage: venus-gpu-doctor [--json] [--ascii] [--qemu PROGRAM] [--modules DIRECTORY]\n"
    "\n"
    "Says whether this host can run the device virtio-gpu-venus, and how well.\n"
    "\n"
    "  --json               for programs (docs/doctor.md)\n"
    "  --ascii              no marks beyond ASCII, as on a terminal that is not UTF-8\n"
    "  --qemu PROGRAM       this QEMU, not the one on the search path\n"
    "  --modules DIRECTORY  where the device's modules for QEMU are\n"
    "  --version            the doctor's release\n"
    "\n"
    "Exit status: 0 all is well, 1 something could be better, 2 the device cannot run, 3 a wrong option.\n";

enum { STATUS_USAGE = 3 };

static const struct examination vulkan = {
    "vulkan-driver", "asking the Vulkan drivers",
    "VK_DRIVER_FILES=MANIFEST tries one driver alone; remove or "
    "update the one that fails",
    20, examine_vulkan
};
static const struct examination virglrenderer = { "virglrenderer", "loading virglrenderer",
                                                  "Install virglrenderer again", 5,
                                                  examine_virglrenderer };
static const struct examination server = { "render-server", "looking for the render server",
                                           "Install virglrenderer's render server again", 5,
                                           examine_server };
static const struct examination device = {
    "device", "starting the device",
    "Try another Vulkan driver (VK_DRIVER_FILES=MANIFEST), or a "
    "newer virglrenderer",
    40, examine_device
};
static const struct examination kvm = { "kvm", "trying KVM",
                                        "Run QEMU with -accel tcg, and update the host's kernel", 5,
                                        examine_kvm };
static const struct examination memory = { "shared-memory", "trying shared memory",
                                           "Update the host's kernel", 5, examine_memory };
static const struct examination qemu = { "qemu", "asking QEMU its version",
                                         "Install QEMU again, or name another: --qemu PROGRAM", 10,
                                         examine_qemu };

static bool is(const struct report *report, const char *fact)
{
    return report_get_fact(report, fact) != NULL;
}

static void judge_virglrenderer(struct report *report)
{
    const char *file = report_get_fact(report, "virgl-file");
    struct verdict verdict;
    struct virglrenderer_seen seen = { .has_submit_cmd2 = is(report, "virgl-submit-cmd2"),
                                       .has_log_callback = is(report, "virgl-log-callback"),
                                       .has_map_fixed = is(report, "virgl-map-fixed"),
                                       .works = is(report, "device-works"),
                                       .has_driver = is(report, "server-has-driver"),
                                       .is_kept = is(report, "server-is-kept") };
    if (!file)
        return; /* there is none, and that has been said */
    rule_virglrenderer(&seen, is(report, "nvidia"), &verdict);
    report_add(report, verdict.level, "virglrenderer", file, verdict.reason, verdict.remedy);
}

static bool judge_guest_pat(struct report *report)
{
    struct verdict verdict;
    struct pat_seen seen = { .is_intel = is(report, "intel"),
                             .has_discrete = is(report, "discrete"),
                             .kvm_runs = is(report, "kvm"),
                             .kvm_can_honor = is(report, "kvm-can-honor-pat"),
                             .qemu_can_honor = is(report, "qemu-can-honor-pat") };
    bool use = rule_guest_pat(&seen, &verdict);
    report_add(report, verdict.level, "guest-memory-types", "", verdict.reason, verdict.remedy);
    return use;
}

static char *examine_all(struct report *report, struct qemu_choice *choice)
{
    struct utsname system;
    uname(&system);
    bounded_run(report, &vulkan, NULL);
    bounded_run(report, &virglrenderer, NULL);
    bounded_run(report, &server, NULL);
    bounded_run(report, &device, NULL);
    judge_virglrenderer(report);
    bounded_run(report, &kvm, NULL);
    bounded_run(report, &memory, NULL);
    bounded_run(report, &qemu, choice);
    bool honor = judge_guest_pat(report);
    const char *display = getenv("DISPLAY"), *wayland = getenv("WAYLAND_DISPLAY");
    struct command_line line = { .qemu = report_get_fact(report, "qemu"),
                                 .arch = system.machine,
                                 .kvm = is(report, "kvm"),
                                 .honor_guest_pat = honor,
                                 .memfd = is(report, "memfd"),
                                 .window = (display && *display) || (wayland && *wayland) };
    return rule_command_line(&line);
}

int main(int argc, char **argv)
{
    enum { JSON = 256, ASCII, QEMU, MODULES, HELP, VERSION };
    static const struct option options[] = {
        { "json", no_argument, NULL, JSON },
        { "ascii", no_argument, NULL, ASCII },
        { "qemu", required_argument, NULL, QEMU },
        { "modules", required_argument, NULL, MODULES },
        { "help", no_argument, NULL, HELP },
        { "version", no_argument, NULL, VERSION },
        { NULL, 0, NULL, 0 },
    };
    struct report report = { NULL, 0, NULL, 0 };
    struct qemu_choice choice = { NULL, NULL };
    bool json = false;
    setlocale(LC_CTYPE, "");
    bool utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case JSON:
            json = true;
            break;
        case ASCII:
            utf8 = false;
            break;
        case QEMU:
            choice.program = optarg;
            break;
        case MODULES:
            choice.modules = optarg;
            break;
        case HELP:
            fputs(usage, stdout);
            return 0;
        case VERSION:
            puts(VENUS_GPU_VERSION);
            return 0;
        default:
            fputs("See venus-gpu-doctor --help\n", stderr);
            return STATUS_USAGE;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "venus-gpu-doctor: %s is no option; see --help\n", argv[optind]);
        return STATUS_USAGE;
    }
    char *command = examine_all(&report, &choice);
    if (json)
        report_print_json(&report, command ? command : "", stdout);
    else
        report_print(&report, command ? command : "", utf8, stdout);
    int status = (int)report_worst(&report);
    free(command);
    report_free(&report);
    return fflush(stdout) == 0 ? status : STATUS_USAGE;
}
