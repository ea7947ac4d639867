/* SPDX-License-Identifier: MIT */
/* What the doctor concludes about machines that are not here, how it prints that, and that nothing hangs it. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "bounded.h"
#include "report.h"
#include "rules.h"

static struct verdict verdict;

static void test_virglrenderer(void **state)
{
    (void)state;
    struct virglrenderer_seen seen = { .has_submit_cmd2 = false };
    rule_virglrenderer(&seen, false, &verdict);
    assert_int_equal(verdict.level, LEVEL_ERROR);
    assert_non_null(strstr(verdict.reason, "older than release 1.0"));
    seen =
        (struct virglrenderer_seen){ .works = true }; /* what works is not refused by its looks */
    rule_virglrenderer(&seen, false, &verdict);
    assert_int_equal(verdict.level, LEVEL_OK);
    seen = (struct virglrenderer_seen){ .has_submit_cmd2 = true, .has_log_callback = true };
    rule_virglrenderer(&seen, false, &verdict);
    assert_int_equal(verdict.level, LEVEL_OK);
    assert_string_equal(verdict.reason,
                        "release 1.1; its render server loads the driver before it forks");
    rule_virglrenderer(&seen, true, &verdict); /* the device does not let it */
    assert_int_equal(verdict.level, LEVEL_OK);
    assert_string_equal(verdict.reason, "release 1.1");
    seen.works = true; /* and was looked at */
    seen.is_kept = true;
    rule_virglrenderer(&seen, true, &verdict);
    assert_int_equal(verdict.level, LEVEL_OK);
    assert_string_equal(verdict.reason, "release 1.1; the device keeps its render server from "
                                        "loading the driver before it forks");
    seen.is_kept = false;
    seen.has_driver = true;
    rule_virglrenderer(&seen, true, &verdict);
    assert_int_equal(verdict.level, LEVEL_ERROR);
    assert_non_null(strstr(verdict.remedy, "1.2 or newer"));
    rule_virglrenderer(&seen, false, &verdict);
    assert_int_equal(verdict.level, LEVEL_OK);
    assert_string_equal(verdict.remedy, "");
    seen = (struct virglrenderer_seen){ .has_submit_cmd2 = true, .has_map_fixed = true };
    rule_virglrenderer(&seen, true, &verdict);
    assert_int_equal(verdict.level, LEVEL_OK);
}

static void test_qemu(void **state)
{
    (void)state;
    struct qemu_seen seen = { .version = NULL };
    assert_int_equal(rule_qemu(&seen, &verdict), QEMU_NONE);
    assert_int_equal(verdict.level, LEVEL_ERROR);
    seen.version = "QEMU emulator version 10.0.13 (Debian 1:10.0.13+ds-0+deb13u1)";
    assert_int_equal(rule_qemu(&seen, &verdict), QEMU_NONE);
    assert_non_null(strstr(verdict.remedy, "build-module.sh"));
    seen.module_stamp = "qemu_stamp_1";
    assert_int_equal(rule_qemu(&seen, &verdict), QEMU_NONE);
    assert_non_null(strstr(verdict.reason, "built for another"));
    seen.has_stamp = true;
    assert_int_equal(rule_qemu(&seen, &verdict), QEMU_MODULE);
    assert_int_equal(verdict.level, LEVEL_OK);
    seen = (struct qemu_seen){ .version = "QEMU emulator version 9.1.0" };
    assert_int_equal(rule_qemu(&seen, &verdict), QEMU_NONE);
    assert_non_null(strstr(verdict.remedy, "build-qemu.sh"));
    seen.has_device = true;
    assert_int_equal(rule_qemu(&seen, &verdict), QEMU_BUILT_IN);
}

static void test_guest_pat(void **state)
{
    (void)state;
    struct pat_seen seen = { .has_discrete = true, .kvm_runs = true };
    assert_false(rule_guest_pat(&seen, &verdict)); /* AMD's */
    assert_int_equal(verdict.level, LEVEL_OK);
    seen.is_intel = true;
    assert_false(rule_guest_pat(&seen, &verdict));
    assert_int_equal(verdict.level, LEVEL_WARNING);
    assert_non_null(strstr(verdict.remedy, "Linux 6.16"));
    seen.kvm_can_honor = true;
    assert_false(rule_guest_pat(&seen, &verdict));
    assert_int_equal(verdict.level, LEVEL_WARNING);
    assert_null(strstr(verdict.remedy, "Linux"));
    seen.qemu_can_honor = true;
    assert_true(rule_guest_pat(&seen, &verdict));
    assert_int_equal(verdict.level, LEVEL_OK);
    seen.has_discrete = false;
    assert_false(rule_guest_pat(&seen, &verdict));
    assert_int_equal(verdict.level, LEVEL_OK);
}

static void test_resources(void **state)
{
    (void)state;
    assert_int_equal(rule_resources(1024), 512);
    assert_int_equal(rule_resources(20000), 20000 - 256 - 9 * 256);
}

static void test_command_line(void **state)
{
    (void)state;
    struct command_line line = { .qemu = "/opt/qemu",
                                 .arch = "x86_64",
                                 .kvm = true,
                                 .honor_guest_pat = true,
                                 .memfd = true,
                                 .window = true };
    char *text = rule_command_line(&line);
    assert_string_equal(text,
                        "/opt/qemu -M q35 -accel kvm,honor-guest-pat=on -cpu host -smp 2 -m 4G "
                        "-object memory-backend-memfd,id=mem,size=4G,share=on "
                        "-machine memory-backend=mem -device virtio-vga-venus -display sdl "
                        "-drive if=virtio,file=guest.qcow2");
    free(text);
    line = (struct command_line){ .arch = "aarch64" };
    text = rule_command_line(&line);
    assert_string_equal(text,
                        "qemu-system-aarch64 -M virt -accel tcg,thread=multi -cpu max -smp 2 -m 4G "
                        "-device virtio-gpu-venus-pci -display none -vnc 127.0.0.1:0 "
                        "-drive if=virtio,file=guest.qcow2");
    free(text);
}

/* What is printed, in a buffer of its own; to be freed. */
static char *printed(const struct report *report, bool json, bool utf8)
{
    char *text;
    size_t size;
    FILE *file = open_memstream(&text, &size);
    assert_non_null(file);
    if (json)
        report_print_json(report, "qemu", file);
    else
        report_print(report, "qemu", utf8, file);
    fclose(file);
    return text;
}

static void test_printing(void **state)
{
    (void)state;
    struct report report = { .num_findings = 0 };
    report_add(&report, LEVEL_WARNING, "vulkan-device", "Caf\xc3\xa9 \xff",
               "a \"slow\"\nback\\slash\033[2J", "buy");
    char *text = printed(&report, true, true);
    assert_non_null(strstr(text, "\"subject\": \"Caf\xc3\xa9 \\ufffd\""));
    assert_non_null(strstr(text, "\"reason\": \"a \\\"slow\\\" back\\\\slash [2J\""));
    assert_non_null(strstr(text, "\"status\": \"warning\""));
    free(text);
    text = printed(&report, false, false);
    for (const char *byte = text; *byte; byte++)
        assert_true((unsigned char)*byte < 0x80);
    assert_non_null(strstr(text, "warn vulkan-device (Caf? ?): "));
    assert_non_null(strstr(text, "     -> buy\n"));
    free(text);
    text = printed(&report, false, true);
    assert_non_null(strstr(text, "! vulkan-device (Caf\xc3\xa9"));
    assert_non_null(strstr(text, "  \xe2\x86\x92 buy\n"));
    free(text);
    assert_int_equal(report_worst(&report), 1);
    report_add(&report, LEVEL_ERROR, "qemu", "", "none", "some");
    assert_int_equal(report_worst(&report), 2);
    report_free(&report);
}

static void hang(void *pid_file)
{
    (void)pid_file;
    report_finding(LEVEL_OK, "before", "", "", "still alive");
    pid_t child = fork();
    if (child == 0) { /* in a group of its own, as a render server is */
        setpgid(0, 0);
        for (;;)
            pause();
    }
    char number[16];
    snprintf(number, sizeof(number), "%d", (int)child);
    report_fact("child", number);
    fputs("waiting for a GPU\n", stderr);
    for (;;)
        pause();
}

static void crash(void *unused)
{
    (void)unused;
    fputs("first\nlast words\n\n", stderr);
    abort();
}

static void chatter(void *unused)
{
    (void)unused;
    for (int i = 0; i < 500; i++)
        report_finding(LEVEL_OK, "many", "", "", "%0600d", i);
}

static void test_what_hangs_is_ended(void **state)
{
    (void)state;
    const struct examination examination = { "vulkan-driver", "asking", "another", 1, hang };
    struct report report = { .num_findings = 0 };
    time_t begin = time(NULL);
    bounded_run(&report, &examination, NULL);
    assert_true(time(NULL) - begin <= 4);
    assert_int_equal(report.num_findings, 2); /* what it found before is kept */
    assert_string_equal(report.findings[0].id, "before");
    assert_string_equal(report.findings[1].id, "vulkan-driver");
    assert_int_equal(report.findings[1].level, LEVEL_ERROR);
    assert_string_equal(report.findings[1].reason,
                        "asking did not end in 1 s; it said last: waiting for a GPU");
    assert_string_equal(report.findings[1].remedy, "another");
    pid_t child = atoi(report_get_fact(&report, "child"));
    assert_true(child > 0);
    assert_int_equal(kill(child, 0), -1); /* and what it had started is gone */
    report_free(&report);
}

static void test_what_crashes_is_a_finding(void **state)
{
    (void)state;
    const struct examination examination = { "device", "starting", "another", 5, crash };
    struct report report = { .num_findings = 0 };
    bounded_run(&report, &examination, NULL);
    assert_int_equal(report.num_findings, 1);
    assert_string_equal(report.findings[0].reason,
                        "starting was ended by signal 6 (Aborted); it said last: last words");
    report_free(&report);
}

static void test_many_findings(void **state)
{
    (void)state;
    const struct examination examination = { "many", "counting", "", 10, chatter };
    struct report report = { .num_findings = 0 };
    bounded_run(&report, &examination, NULL);
    assert_int_equal(report.num_findings, 500);
    for (int i = 0; i < 500; i++)
        assert_int_equal(atoi(report.findings[i].reason), i);
    report_free(&report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_virglrenderer),
        cmocka_unit_test(test_qemu),
        cmocka_unit_test(test_guest_pat),
        cmocka_unit_test(test_resources),
        cmocka_unit_test(test_command_line),
        cmocka_unit_test(test_printing),
        cmocka_unit_test(test_what_hangs_is_ended),
        cmocka_unit_test(test_what_crashes_is_a_finding),
        cmocka_unit_test(test_many_findings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
