/* SPDX-License-Identifier: MIT */
/* Which Vulkan the library presents with: where its loader is. */
#include <stdlib.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_loader),
        cmocka_unit_test(test_later_loader),
        cmocka_unit_test(test_no_loader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
