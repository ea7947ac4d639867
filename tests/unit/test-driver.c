/* SPDX-License-Identifier: MIT */
/* Which Vulkan driver the render server is told of: places in a folder of the test's, as macOS has them. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alone.h"
#include "renderer/driver.h"

enum { MOST_PATH = 128, NUM_MANIFESTS = 3, NUM_FOLDERS = 2 };

static char top[32], manifests[NUM_MANIFESTS][MOST_PATH], folders[NUM_FOLDERS][MOST_PATH];
static const char *manifest_list[NUM_MANIFESTS + 1], *folder_list[NUM_FOLDERS + 1];
static const struct driver_places places = { manifest_list, folder_list };

/* What says where drivers are, or where a loader looks. */
static const char *const variables[] = { "VK_DRIVER_FILES",     "VK_ICD_FILENAMES",
                                         "VK_ADD_DRIVER_FILES", "XDG_CONFIG_HOME",
                                         "XDG_CONFIG_DIRS",     "XDG_DATA_HOME",
                                         "XDG_DATA_DIRS" };
enum { NUM_VARIABLES = sizeof(variables) / sizeof(variables[0]) };

static void make_file(const char *path)
{
    char folder[MOST_PATH];
    snprintf(folder, sizeof(folder), "%s", path);
    for (char *slash = folder + strlen(top) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = 0;
        mkdir(folder, 0755);
        *slash = '/';
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    close(fd);
}

static int setup(void **state)
{
    (void)state;
    snprintf(top, sizeof(top), "/tmp/venus-driver-XXXXXX");
    if (!mkdtemp(top))
        return -1;
    for (int i = 0; i < NUM_MANIFESTS; i++) {
        snprintf(manifests[i], MOST_PATH, "%s/brew/%d/vulkan/icd.d/driver.json", top, i);
        manifest_list[i] = manifests[i];
    }
    for (int i = 0; i < NUM_FOLDERS; i++) {
        snprintf(folders[i], MOST_PATH, "%s/system/%d/vulkan/icd.d", top, i);
        folder_list[i] = folders[i];
    }
    for (int i = 0; i < NUM_VARIABLES; i++)
        unsetenv(variables[i]);
    return setenv("HOME", top, 1);
}

static int teardown(void **state)
{
    (void)state;
    char command[MOST_PATH + 16];
    snprintf(command, sizeof(command), "rm -r %s", top);
    return system(command);
}

static void test_nothing_is_installed(void **state)
{
    (void)state;
    assert_null(driver_choose(&places));
    static const char *const none[] = { NULL };
    assert_null(driver_choose(&(struct driver_places){ none, none }));
}

static void test_the_first_that_is_there(void **state)
{
    (void)state;
    make_file(manifests[2]);
    assert_string_equal(driver_choose(&places), manifests[2]);
    make_file(manifests[1]);
    assert_string_equal(driver_choose(&places), manifests[1]);
}

/* Links of a package that was removed. */
static void test_one_that_leads_nowhere(void **state)
{
    (void)state;
    make_file(manifests[0]);
    assert_int_equal(unlink(manifests[0]), 0);
    assert_int_equal(symlink("/nowhere/driver.json", manifests[0]), 0);
    assert_null(driver_choose(&places));
}

static void test_somebody_has_chosen(void **state)
{
    (void)state;
    make_file(manifests[0]);
    for (int i = 0; i < 3; i++) {
        setenv(variables[i], "/nowhere/driver.json", 1);
        assert_null(driver_choose(&places));
        unsetenv(variables[i]);
    }
    assert_string_equal(driver_choose(&places), manifests[0]);
}

static void test_the_loader_finds_one(void **state)
{
    (void)state;
    char path[MOST_PATH + 32];
    make_file(manifests[0]);
    snprintf(path, sizeof(path), "%s/notes.txt", folders[1]);
    make_file(path);
    assert_string_equal(driver_choose(&places), manifests[0]);
    snprintf(path, sizeof(path), "%s/driver.json", folders[1]);
    make_file(path);
    assert_null(driver_choose(&places));
}

static void test_the_loader_finds_one_at_home(void **state)
{
    (void)state;
    char path[MOST_PATH];
    make_file(manifests[0]);
    snprintf(path, sizeof(path), "%s/.local/share/vulkan/icd.d/driver.json", top);
    make_file(path);
    assert_null(driver_choose(&places));
}

static void test_the_loader_is_sent_elsewhere(void **state)
{
    (void)state;
    char path[MOST_PATH], list[MOST_PATH];
    make_file(manifests[0]);
    snprintf(path, sizeof(path), "%s/else/where/vulkan/icd.d/driver.json", top);
    make_file(path);
    snprintf(list, sizeof(list), "/nowhere::%s/else/where", top);
    for (int i = 3; i < NUM_VARIABLES; i++) {
        setenv(variables[i], "/nowhere:", 1);
        assert_string_equal(driver_choose(&places), manifests[0]);
        setenv(variables[i], list, 1);
        assert_null(driver_choose(&places));
        unsetenv(variables[i]);
    }
}

static void write_manifest(const char *path, const char *library)
{
    make_file(path);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fprintf(file, "{ \"ICD\": { \"library_path\": \"%s\" } }\n", library);
    assert_int_equal(fclose(file), 0);
}

static void test_nvidias_is_known_by_its_library(void **state)
{
    (void)state;
    char path[MOST_PATH + 32];
    assert_false(driver_is_nvidias(&places));
    snprintf(path, sizeof(path), "%s/nvidia_icd.json", folders[0]);
    write_manifest(path, "libvulkan_nouveau.so"); /* what it is called says nothing */
    assert_false(driver_is_nvidias(&places));
    snprintf(path, sizeof(path), "%s/10_icd.json", folders[1]);
    write_manifest(path, "libGLX_nvidia.so.0");
    assert_true(driver_is_nvidias(&places));
    setenv("VK_DRIVER_FILES", "/nowhere/driver.json", 1); /* then the loader looks nowhere else */
    assert_false(driver_is_nvidias(&places));
    unsetenv("VK_DRIVER_FILES");
    assert_true(driver_is_nvidias(&places));
}

static void test_nvidias_is_asked_for(void **state)
{
    (void)state;
    char path[MOST_PATH], list[3 * MOST_PATH];
    snprintf(path, sizeof(path), "%s/icd/one.json", top);
    write_manifest(path, "/opt/libGLX_nvidia.so.0");
    snprintf(list, sizeof(list), "/nowhere/driver.json:%s", path);
    for (int i = 0; i < 3; i++) {
        setenv(variables[i], list, 1);
        assert_true(driver_is_nvidias(&places));
        unsetenv(variables[i]);
        assert_false(driver_is_nvidias(&places));
    }
    snprintf(list, sizeof(list), "%s/icd", top); /* a folder of manifests */
    setenv("VK_DRIVER_FILES", list, 1);
    assert_true(driver_is_nvidias(&places));
    unsetenv("VK_DRIVER_FILES");
}

int main(void)
{
#define IN_FOLDER(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        IN_FOLDER(test_nothing_is_installed),
        IN_FOLDER(test_the_first_that_is_there),
        IN_FOLDER(test_one_that_leads_nowhere),
        IN_FOLDER(test_somebody_has_chosen),
        IN_FOLDER(test_the_loader_finds_one),
        IN_FOLDER(test_the_loader_finds_one_at_home),
        IN_FOLDER(test_the_loader_is_sent_elsewhere),
        IN_FOLDER(test_nvidias_is_known_by_its_library),
        IN_FOLDER(test_nvidias_is_asked_for),
    };
    return cmocka_run_group_tests_name("driver", tests, NULL, NULL);
}
