/* SPDX-License-Identifier: MIT */
/*
 * The doctor, run on this machine, and on this machine with something taken from it: the driver, the render server,
 * a virglrenderer that is new enough, KVM. The meson variables name the doctor and what stands in for what is broken.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static char folder[] = "/tmp/test-doctor-XXXXXX";

/* What is done to the doctor's process before it starts; returns whether it could be. */
typedef bool (*preparation)(void);

struct run {
    char *text;
    int status; /* of its end; -1: the preparation could not be made here */
};

/* A status that the doctor has not. */
enum { NOT_PREPARED = 77 };

static void write_file(const char *name, const char *text, mode_t mode)
{
    char path[200];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static const char *in_folder(const char *name)
{
    static char paths[8][200];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

/* Runs it with --json and more words, up to a NULL, and with a variable of the environment or NULL. */
static struct run doctor_prepared(preparation prepare, const char *variable, const char *value, ...)
{
    const char *argv[10] = { DOCTOR, "--json" };
    va_list args;
    va_start(args, value);
    for (unsigned i = 2; i < 9 && (argv[i] = va_arg(args, const char *)); i++)
        ;
    va_end(args);
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(pipes[1], STDOUT_FILENO);
        close(pipes[0]);
        close(pipes[1]);
        if (variable)
            setenv(variable, value, 1);
        if (prepare && !prepare())
            _exit(NOT_PREPARED);
        execv(DOCTOR, (char *const *)argv);
        _exit(127);
    }
    close(pipes[1]);
    struct run run = { .text = calloc(1, 65536) };
    size_t len = 0;
    ssize_t got;
    assert_non_null(run.text);
    while ((got = read(pipes[0], run.text + len, 65535 - len)) > 0)
        len += (size_t)got;
    close(pipes[0]);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    run.status = WEXITSTATUS(status) == NOT_PREPARED ? -1 : WEXITSTATUS(status);
    return run;
}

/* With a QEMU that has the device, so that it is not what is missing. */
#define doctor(variable, value) \
    doctor_prepared(NULL, variable, value, "--qemu", in_folder("qemu"), NULL)

/* The finding with that id and status: its text from the id on, or NULL. */
static const char *finding(const struct run *run, const char *id, const char *status)
{
    char begin[100], words[100];
    snprintf(begin, sizeof(begin), "{\"id\": \"%s\",", id);
    snprintf(words, sizeof(words), "\"status\": \"%s\"", status);
    for (const char *at = run->text; (at = strstr(at, begin)); at++) {
        const char *end = strchr(at, '\n'), *found = strstr(at, words);
        if (end && found && found < end)
            return at;
    }
    return NULL;
}

/* What the doctor said, as comments of TAP. */
static void show(const struct run *run)
{
    for (const char *line = run->text; *line; line += strcspn(line, "\n"), line += *line == '\n')
        print_message("# %.*s\n", (int)strcspn(line, "\n"), line);
}

static void assert_finding(const struct run *run, const char *id, const char *status,
                           const char *word)
{
    /* Its own three lines, not those of the next. */
    const char *found = finding(run, id, status), *end = found ? strstr(found, "\"}") : NULL;
    const char *at = found ? strstr(found, word) : NULL;
    if (!at || !end || at > end)
        show(run);
    assert_true(at && end && at <= end);
}

static void test_this_machine(void **state)
{
    (void)state;
    struct run run = doctor(NULL, NULL);
    assert_true(run.status == 0 || run.status == 1);
    assert_finding(&run, "device", "ok", "and a context in ");
    assert_finding(&run, "virglrenderer", "ok", "release 1.");
    assert_finding(&run, "render-server", "ok", "libm.so.6");
    assert_finding(&run, "external-memory-fd", "ok", "can be shared");
    assert_finding(&run, "shared-memory", "ok", "memfd");
    assert_finding(&run, "qemu", "ok", "built with the device");
    assert_non_null(strstr(run.text, "-device virtio-"));
    assert_null(strstr(run.text, "\"status\": \"error\""));
    free(run.text);
}

static void test_no_driver(void **state)
{
    (void)state;
    struct run run = doctor("VK_DRIVER_FILES", "/dev/null");
    assert_int_equal(run.status, 2);
    assert_finding(&run, "vulkan-device", "error", "mesa-vulkan-drivers");
    assert_finding(&run, "device", "error", "no Vulkan device");
    free(run.text);
}

/* The loader's own reason, and the driver that it is about. */
static void test_broken_driver(void **state)
{
    (void)state;
    struct run run = doctor("VK_DRIVER_FILES", in_folder("broken.json"));
    assert_int_equal(run.status, 2);
    assert_finding(&run, "vulkan-driver", "warning",
                   "libgone-for-good.so: cannot open shared object file");
    assert_finding(&run, "vulkan-device", "error", "Mend the driver above");
    free(run.text);
}

static void test_crashing_driver(void **state)
{
    (void)state;
    struct run run = doctor("VK_DRIVER_FILES", in_folder("crashing.json"));
    assert_int_equal(run.status, 2);
    assert_finding(&run, "vulkan-driver", "error", "signal 6");
    assert_finding(&run, "vulkan-driver", "error", "the driver's last words");
    assert_finding(&run, "device", "error", "");
    assert_finding(&run, "shared-memory", "ok", ""); /* it goes on */
    free(run.text);
}

static void test_no_server(void **state)
{
    (void)state;
    struct run run = doctor("RENDER_SERVER_EXEC_PATH", "/nothing/server");
    assert_int_equal(run.status, 2);
    assert_finding(&run, "render-server", "error", "No such file");
    assert_finding(&run, "device", "error", "/nothing/server");
    free(run.text);
}

/* A program that is there, and is no server. */
static void test_no_such_server(void **state)
{
    (void)state;
    struct run run = doctor("RENDER_SERVER_EXEC_PATH", "/bin/true");
    assert_int_equal(run.status, 2);
    assert_finding(&run, "render-server", "ok", "/bin/true");
    assert_finding(&run, "device", "error", "does not start");
    free(run.text);
}

static void test_old_virglrenderer(void **state)
{
    (void)state;
    struct run run = doctor("LD_LIBRARY_PATH", OLD_VIRGLRENDERER ":" LIBRARY);
    assert_int_equal(run.status, 2);
    assert_finding(&run, "virglrenderer", "error", "older than release 1.0");
    assert_finding(&run, "device", "error", "undefined symbol");
    free(run.text);
}

static bool own_mounts(void)
{
    return (unshare(CLONE_NEWNS) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0) &&
           mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

/* A /dev with nothing in it but null. */
static bool without_devices(void)
{
    return own_mounts() && mount("/dev/null", in_folder("dev/null"), NULL, MS_BIND, NULL) == 0 &&
           mount(in_folder("dev"), "/dev", NULL, MS_BIND | MS_REC, NULL) == 0;
}

/* A file that may not even be opened by its owner. */
static bool kvm_of_others(void)
{
    return access("/dev/kvm", F_OK) == 0 && own_mounts() &&
           mount(in_folder("closed"), "/dev/kvm", NULL, MS_BIND, NULL) == 0 &&
           prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0) == 0;
}

/* A file that is no KVM. */
static bool kvm_of_nobody(void)
{
    return access("/dev/kvm", F_OK) == 0 && own_mounts() &&
           mount(in_folder("qemu"), "/dev/kvm", NULL, MS_BIND, NULL) == 0;
}

static void check_kvm(preparation prepare, const char *word)
{
    struct run run = doctor_prepared(prepare, NULL, NULL, "--qemu", in_folder("qemu"), NULL);
    if (run.status == -1) {
        free(run.text);
        skip(); /* no namespaces here, or no /dev/kvm */
    }
    assert_int_equal(run.status, 1); /* it works without */
    assert_finding(&run, "kvm", "warning", word);
    assert_non_null(strstr(run.text, "-accel tcg"));
    free(run.text);
}

static void test_no_kvm(void **state)
{
    (void)state;
    check_kvm(without_devices, "/dev/kvm: No such file or directory");
}

static void test_kvm_refused(void **state)
{
    (void)state;
    check_kvm(kvm_of_others, "Add this user to the group kvm");
}

static void test_kvm_is_none(void **state)
{
    (void)state;
    check_kvm(kvm_of_nobody, "not KVM's version");
}

static void test_qemu_and_modules(void **state)
{
    (void)state;
    struct run run = doctor_prepared(NULL, NULL, NULL, "--qemu", in_folder("stock"), "--modules",
                                     in_folder("modules"), NULL);
    assert_finding(&run, "qemu", "ok", "for which the module was built");
    free(run.text);
    run = doctor_prepared(NULL, NULL, NULL, "--qemu", in_folder("other"), "--modules",
                          in_folder("modules"), NULL);
    assert_int_equal(run.status, 2);
    assert_finding(&run, "qemu", "error", "built for another");
    free(run.text);
    run = doctor_prepared(NULL, NULL, NULL, "--qemu", "/nothing/qemu", NULL);
    assert_int_equal(run.status, 2);
    assert_finding(&run, "qemu", "error", "/nothing/qemu");
    free(run.text);
    run = doctor_prepared(NULL, NULL, NULL, "--qemu", "/bin/true", NULL);
    assert_finding(&run, "qemu", "error", "does not say its version");
    free(run.text);
}

/* It is to be found from where Debian's packages have the modules, too. */
static void test_wrapper(void **state)
{
    static const char *const places[] = { "lib/qemu-venus", "lib/x86_64-linux-gnu/qemu-venus" };
    char command[sizeof(folder) + 64];
    (void)state;
    snprintf(command, sizeof(command), "%s/bin/qemu-system-x86_64-venus -M", folder);
    for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        struct run run = doctor_prepared(NULL, NULL, NULL, "--qemu", in_folder("stock"),
                                         "--modules", in_folder(places[i]), NULL);
        assert_non_null(strstr(run.text, command));
        free(run.text);
    }
}

static void test_wrong_option(void **state)
{
    (void)state;
    struct run run = doctor_prepared(NULL, NULL, NULL, "--no-such-option", NULL);
    assert_int_equal(run.status, 3);
    free(run.text);
}

static const char *const folders[] = { "dev",
                                       "modules",
                                       "bin",
                                       "lib",
                                       "lib/qemu-venus",
                                       "lib/x86_64-linux-gnu",
                                       "lib/x86_64-linux-gnu/qemu-venus" };
enum { FOLDERS = sizeof(folders) / sizeof(folders[0]) };

static int set_up(void **state)
{
    (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    setenv("LD_LIBRARY_PATH", LIBRARY, 1); /* its dlopen() does not look where the program says */
#else
    unsetenv("LD_LIBRARY_PATH"); /* meson may have set it: the doctor finds its library by itself */
#endif
    if (!mkdtemp(folder))
        return -1;
    for (unsigned i = 0; i < FOLDERS; i++)
        if (mkdir(in_folder(folders[i]), 0755) < 0)
            return -1;
    write_file("dev/null", "", 0666);
    write_file("closed", "", 0);
    write_file("qemu", "#!/bin/sh\n# virtio-gpu-venus-pci\necho QEMU emulator version 10.2.2\n",
               0755);
    write_file("stock", "#!/bin/sh\n# qemu_stamp_0123\necho QEMU emulator version 10.0.13\n", 0755);
    write_file("other", "#!/bin/sh\n# qemu_stamp_4567\necho QEMU emulator version 10.0.13\n", 0755);
    write_file("modules/hw-display-virtio-gpu-venus.so", "x qemu_stamp_0123 y", 0644);
    write_file("lib/qemu-venus/hw-display-virtio-gpu-venus.so", "qemu_stamp_0123", 0644);
    write_file("lib/x86_64-linux-gnu/qemu-venus/hw-display-virtio-gpu-venus.so", "qemu_stamp_0123",
               0644);
    write_file("bin/qemu-system-x86_64-venus", "#!/bin/sh\n", 0755);
    write_file(
        "broken.json",
        "{\"file_format_version\": \"1.0.0\", \"ICD\": {\"library_path\": \"libgone-for-good.so\", "
        "\"api_version\": \"1.3.0\"}}",
        0644);
    write_file("crashing.json",
               "{\"file_format_version\": \"1.0.0\", \"ICD\": {\"library_path\": \"" CRASHING_DRIVER
               "\", "
               "\"api_version\": \"1.3.0\"}}",
               0644);
    return 0;
}

static int tear_down(void **state)
{
    static const char *const names[] = { "dev/null",
                                         "closed",
                                         "qemu",
                                         "stock",
                                         "other",
                                         "modules/hw-display-virtio-gpu-venus.so",
                                         "broken.json",
                                         "crashing.json",
                                         "bin/qemu-system-x86_64-venus",
                                         "lib/qemu-venus/hw-display-virtio-gpu-venus.so",
                                         ("lib/x86_64-linux-gnu/qemu-venus/"
                                          "hw-display-virtio-gpu-venus.so") };
    (void)state;
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        unlink(in_folder(names[i]));
    for (unsigned i = FOLDERS; i-- > 0;)
        rmdir(in_folder(folders[i]));
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_this_machine),      cmocka_unit_test(test_no_driver),
        cmocka_unit_test(test_broken_driver),     cmocka_unit_test(test_crashing_driver),
        cmocka_unit_test(test_no_server),         cmocka_unit_test(test_no_such_server),
        cmocka_unit_test(test_old_virglrenderer), cmocka_unit_test(test_no_kvm),
        cmocka_unit_test(test_kvm_refused),       cmocka_unit_test(test_kvm_is_none),
        cmocka_unit_test(test_qemu_and_modules),  cmocka_unit_test(test_wrapper),
        cmocka_unit_test(test_wrong_option),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
