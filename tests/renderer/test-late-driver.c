/* SPDX-License-Identifier: MIT */
/*
 * A driver that does not survive a fork, as NVIDIA's, is loaded by none but the processes that use it; whether by the
 * render server's own doing or by ours. The driver is a stand-in (tests/standin/fork-shy-driver.c).
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "platform/platform.h"
#include "process.h"
#include "venus.h"

static char manifest[] = "/tmp/test-late-driver-XXXXXX.json";

/* Servers of these load drivers before they fork. */
static bool is_older_than_1_2(void)
{
    return !dlsym(RTLD_DEFAULT, "virgl_renderer_resource_map_fixed");
}

/* Whether the server was told to load the object first, by its environment as it was started. */
static bool server_has_object(void)
{
    char path[64], environment[1 << 16];
    snprintf(path, sizeof(path), "/proc/%d/environ", (int)process_server());
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    size_t size = fread(environment, 1, sizeof(environment) - 1, file);
    fclose(file);
    environment[size] = '\0';
    for (const char *entry = environment; entry < environment + size; entry += strlen(entry) + 1) {
        if (!strncmp(entry, "LD_PRELOAD=", 11))
            return strstr(entry, "venus-gpu-late-driver.so");
    }
    return false;
}

static int write_manifest(void **state)
{
    (void)state;
    int fd = mkstemps(manifest, 5);
    return fd < 0 ||
           dprintf(fd,
                   "{ \"file_format_version\": \"1.0.0\",\n"
                   "  \"ICD\": { \"library_path\": \"%s\", \"api_version\": \"1.3.0\" } }\n",
                   getenv("STANDIN_DRIVER")) < 0 ||
           close(fd) < 0;
}

static int remove_manifest(void **state)
{
    (void)state;
    return unlink(manifest);
}

/* A device whose host has that driver alone. */
static void start_with_standin(struct guest *guest)
{
    void *lavapipe = dlopen("libvulkan_lvp.so", RTLD_LAZY | RTLD_LOCAL); /* which it is made of */
    if (!lavapipe)
        skip();
    dlclose(lavapipe);
    setenv("VK_DRIVER_FILES", manifest, 1);
    guest_start(guest, NULL);
    unsetenv("VK_DRIVER_FILES");
}

static void contexts_create_devices(void **state)
{
    struct guest *guest = *state;
    start_with_standin(guest);
    assert_int_equal(server_has_object(), is_older_than_1_2());
    assert_true(guest_logged(guest, is_older_than_1_2()
                                        ? "virglrenderer 1.1; its render server is kept from "
                                          "loading NVIDIA's driver before it forks"
                                        : "virglrenderer 1.2 or newer; its render server loads no "
                                          "Vulkan driver before it forks"));
    for (uint32_t context = 1; context < 4; context++) {
        struct venus venus;
        venus_open_all(&venus, guest, context);
        assert_ok(guest_wait(venus_submit_nothing(&venus)));
        venus_close(&venus);
    }
}

/* The stand-in shows what it is for. */
static void without_the_object_they_do_not(void **state)
{
    struct guest *guest = *state;
    struct venus venus;
    if (!is_older_than_1_2())
        skip();
    char *object = strdup(getenv("VENUS_GPU_LATE_DRIVER"));
    setenv("VENUS_GPU_LATE_DRIVER", "", 1);
    start_with_standin(guest);
    setenv("VENUS_GPU_LATE_DRIVER", object, 1);
    free(object);
    assert_false(server_has_object());
    assert_true(guest_logged(guest, "which that does not survive: install"));
    venus_open(&venus, guest, 1);
    assert_int_not_equal(venus_try_device(&venus), 0);
    venus.device = 0;
    venus_close(&venus);
}

/* Others' drivers are better loaded once. What is logged says so, too. */
static void other_drivers_are_left_alone(void **state)
{
    struct guest *guest = *state;
    if (getenv("VK_DRIVER_FILES"))
        skip(); /* who knows which */
    setenv("VK_DRIVER_FILES", "/usr/share/vulkan/icd.d/lvp_icd.json", 1);
    char *error = guest_try_start(guest, NULL);
    unsetenv("VK_DRIVER_FILES");
    free(error);
    if (error)
        skip();
    assert_false(server_has_object());
    assert_true(guest_logged(
        guest, is_older_than_1_2() ? "loads the Vulkan drivers before it forks, which they survive"
                                   : "loads no Vulkan driver before it forks"));
    guest_reset(guest);
    assert_false(server_has_object());
}

/* Which server loads drivers first is seen in its file. */
static void programs_are_told_apart(void **state)
{
    (void)state;
    const char *self = "/proc/self/exe";
    char part[1 << 12], copy[] = "/tmp/test-late-driver-XXXXXX";
    assert_true(platform_program_uses(self, "unlink"));
    assert_false(platform_program_uses(self, "unlin")); /* a part of a name */
    assert_false(platform_program_uses(self, "vkEnumerateInstanceExtensionProperties"));

    /* Of what cannot be read nothing is known: a script, nothing, a program's first half. */
    assert_true(platform_program_uses(manifest, "vkEnumerateInstanceExtensionProperties"));
    assert_true(platform_program_uses("/nowhere", "unlink"));
    assert_true(platform_program_uses("/dev/null", "unlink"));
    FILE *file = fopen(self, "re");
    assert_non_null(file);
    size_t size = fread(part, 1, sizeof(part), file);
    fclose(file);
    int fd = mkstemp(copy);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, part, size), size);
    close(fd);
    for (size_t length = size; length; length /= 2) {
        assert_int_equal(truncate(copy, (off_t)length), 0);
        assert_true(platform_program_uses(copy, "vkEnumerateInstanceExtensionProperties"));
    }
    unlink(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(contexts_create_devices, guest_setup_without_device,
                                        guest_teardown),
        cmocka_unit_test_setup_teardown(without_the_object_they_do_not, guest_setup_without_device,
                                        guest_teardown),
        cmocka_unit_test_setup_teardown(other_drivers_are_left_alone, guest_setup_without_device,
                                        guest_teardown),
        cmocka_unit_test(programs_are_told_apart),
    };
    return cmocka_run_group_tests_name("late-driver", tests, write_manifest, remove_manifest);
}
