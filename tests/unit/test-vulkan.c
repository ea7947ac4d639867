/* SPDX-License-Identifier: MIT */
/* Which Vulkan the library presents with: where its loader is, and which devices that shows. */
#include <stdlib.h>

#include "fake-vulkan.h"
#include "harness.h"
#include "vk/vulkan.h"

/* The line that a person sees where none of these loaders does. */
static void assert_refused(const char *const *loaders, const char *line)
{
    const struct vulkan_choice choice = { .loaders = loaders };
    char *error = NULL;
    assert_null(vulkan_create(&choice, &error));
    assert_string_equal(error, line);
    free(error);
}

static const char none[] = "/nonexistent/libvulkan", nor_there[] = "/nonexistent/lib/libvulkan";
static const char taken[] = "The Vulkan loader lacks what every loader has.";

static void test_first_loader(void **state)
{
    (void)state;
    assert_refused((const char *const[]){ FAKE_LOADER, none, NULL }, taken);
}

/* As with Homebrew, whose folder is not one of those that dyld looks in. */
static void test_later_loader(void **state)
{
    (void)state;
    assert_refused((const char *const[]){ none, FAKE_LOADER, NULL }, taken);
    assert_refused((const char *const[]){ none, nor_there, FAKE_LOADER, NULL }, taken);
}

static void test_no_loader(void **state)
{
    (void)state;
    assert_refused((const char *const[]){ none, nor_there, NULL },
                   "There is no Vulkan loader (/nonexistent/libvulkan) to present with.");
}

static struct vulkan *make(enum vulkan_fault fault, char **error)
{
    const struct vulkan_choice choice = {
        .get_instance_proc_addr = fake_vulkan_get_instance_proc_addr,
    };
    fake_vulkan_start(fault);
    return vulkan_create(&choice, error);
}

/* All devices of macOS do: the instance has to ask for them, and the device has to be told that it is known. */
static void test_device_that_lacks_parts(void **state)
{
    (void)state;
    char *error = NULL;
    struct vulkan *vk = make(VULKAN_LACKS_PARTS, &error);
    assert_null(error);
    assert_non_null(vk);
    assert_true(vulkan_has_extension(vk, "VK_KHR_portability_subset"));
    vulkan_unref(vk);
    assert_null(fake_vulkan_complaint());
}

/* Neither is asked of a Vulkan that has none of this. */
static void test_device_that_is_whole(void **state)
{
    (void)state;
    char *error = NULL;
    struct vulkan *vk = make(VULKAN_WORKS, &error);
    assert_null(error);
    assert_non_null(vk);
    assert_false(vulkan_has_extension(vk, "VK_KHR_portability_subset"));
    vulkan_unref(vk);
    assert_null(fake_vulkan_complaint());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_loader),
        cmocka_unit_test(test_later_loader),
        cmocka_unit_test(test_no_loader),
        cmocka_unit_test(test_device_that_lacks_parts),
        cmocka_unit_test(test_device_that_is_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
