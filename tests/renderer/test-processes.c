/* SPDX-License-Identifier: MIT */
/*
 * What contexts' processes have together of a host that has little memory, as this program tells the library: Vulkan
 * memory that is no blob, so that only the processes' own numbers show it.
 */
#include <string.h>
#include <unistd.h>

#include "process.h"
#include "venus.h"

enum { MODEST = 1, GREEDY = 2, PIECE = 64 << 20, PIECES = 12 };
static const long host_memory = 1 << 30; /* of which they may have five eighths */

/* glibc's, by its other name: ThreadSanitizer asks before there is a dlsym(). */
long __sysconf(int name);

/* The library asks this program's first. */
__attribute__((no_sanitize("thread"))) long sysconf(int name)
{
    return name == _SC_PHYS_PAGES ? host_memory / __sysconf(_SC_PAGESIZE) : __sysconf(name);
}

static void only_the_greedy_context_is_ended(void **state)
{
    struct guest *guest = *state;
    struct venus modest, greedy;
    struct ticket *tickets[PIECES];
    uint64_t buffers[PIECES];

    guest_start(guest, NULL);
    if (!strstr(venus_gpu_renderer_name(guest->gpu), "llvmpipe")) {
        print_message("# a GPU's memory is not its processes'\n");
        skip();
    }
    venus_open_all(&modest, guest, MODEST);
    venus_open_all(&greedy, guest, GREEDY);
    uint64_t buffer = venus_buffer(&modest, venus_allocate(&modest, PIECE), PIECE);
    assert_ok(guest_wait(venus_fill(&modest, buffer, 1, 0)));
    for (unsigned i = 0; i < PIECES; i++)
        buffers[i] = venus_buffer(&greedy, venus_allocate(&greedy, PIECE), PIECE);
    sleep_ms(1500);
    assert_int_equal(guest_stat(guest, "contexts-lost"), 0); /* nothing has been written there */

    /* All at once, since a context that is ended in the midst of it answers nothing more. */
    uint64_t event = venus_event(&greedy);
    for (unsigned i = 0; i < PIECES; i++)
        tickets[i] = venus_fill(&greedy, buffers[i], 2, event);
    venus_set_event(&greedy, event);
    for (unsigned i = 0; i < PIECES; i++)
        guest_wait(tickets[i]); /* all, or until it is ended */
    for (unsigned i = 0; i < 100 && !guest_stat(guest, "contexts-lost"); i++)
        sleep_ms(100);
    assert_true(guest_logged(guest, "context 2 ("));
    assert_true(guest_logged(guest, "bytes of memory that all contexts' processes have"));
    assert_ok(guest_wait(venus_fill(&modest, buffer, 3, 0)));
    sleep_ms(1500);
    assert_int_equal(guest_stat(guest, "contexts-lost"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(only_the_greedy_context_is_ended,
                                        guest_setup_without_device, guest_teardown),
    };
    return cmocka_run_group_tests_name("processes", tests, NULL, NULL);
}
