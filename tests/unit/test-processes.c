/* SPDX-License-Identifier: MIT */
/* Contexts' processes that have too much of the host together: the context whose process has most of it is ended. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "device/device.h"
#include "harness.h"
#include "platform/platform.h"

enum { MODEST = 1, GREEDY = 2 };

static pid_t children[2];

static void *sleep_for_ever(void *unused)
{
    for (;;)
        pause();
    return unused;
}

static void take(size_t bytes, unsigned threads, unsigned descriptors)
{
    char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        _exit(1);
    memset(memory, 1, bytes);
    for (unsigned i = 0; i < threads; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, sleep_for_ever, NULL))
            _exit(1);
    }
    for (unsigned i = 0; i < descriptors; i++) {
        if (open("/dev/null", O_RDONLY) < 0)
            _exit(1);
    }
}

/* A process that has so much, and some of its own. */
static pid_t start_child(size_t bytes, unsigned threads, unsigned descriptors)
{
    int pipes[2];
    assert_int_equal(platform_pipe(pipes), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        take(bytes, threads, descriptors);
        if (write(pipes[1], "", 1) != 1)
            _exit(1);
        sleep_for_ever(NULL);
    }
    close(pipes[1]);
    char byte;
    assert_int_equal(read(pipes[0], &byte, 1), 1);
    close(pipes[0]);
    return child;
}

/* There are no threads here yet, so that the children may start some. */
static int start_children(void **state)
{
    (void)state;
    children[0] = start_child(1 << 20, 1, 8);
    children[1] = start_child(32 << 20, 4, 64);
    return 0;
}

static int end_children(void **state)
{
    (void)state;
    for (unsigned i = 0; i < COUNT(children); i++) {
        kill(children[i], SIGKILL);
        waitpid(children[i], NULL, 0);
    }
    return 0;
}

/* A context for each child, where all may have that much more of an item than they have. */
static void start(enum process_item item, int64_t more)
{
    uint64_t have = 0;
    for (unsigned i = 0; i < COUNT(children); i++) {
        struct platform_usage usage;
        assert_true(platform_process_usage(children[i], &usage));
        have += item == PROCESS_MEMORY    ? usage.memory
                : item == PROCESS_THREADS ? usage.threads
                                          : usage.descriptors;
    }
    vm_start(NULL);
    vm.gpu->services.budget.most_of_processes[item] = have + (uint64_t)more;
    for (uint32_t id = MODEST; id <= GREEDY; id++) {
        fake_set_process(children[id - MODEST]);
        assert_ok(create_context(id));
    }
}

static void sleep_ms(unsigned ms)
{
    nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L }, NULL);
}

/* The kernel's count of a process's pages follows by some. */
static int64_t margin(enum process_item item)
{
    return item == PROCESS_MEMORY ? 1 << 20 : 0;
}

static void check(enum process_item item, const char *name)
{
    static const uint32_t data;
    start(item, margin(item)); /* all that they may have */
    sleep_ms(1500);
    assert_int_equal(stat_value("contexts-lost"), 0);
    vm_stop();

    start(item, -1 - margin(item));
    for (unsigned i = 0; i < 100 && !stat_value("contexts-lost"); i++)
        sleep_ms(100);
    assert_true(was_logged(VENUS_GPU_LOG_WARNING, name));
    assert_error(submit(GREEDY, &data, sizeof(data)), UNSPEC);
    assert_ok(submit(MODEST, &data, sizeof(data)));
    sleep_ms(1500); /* the other one has few enough */
    assert_int_equal(stat_value("contexts-lost"), 1);
}

static void test_memory(void **state)
{
    (void)state;
    check(PROCESS_MEMORY, "bytes of memory");
}

static void test_threads(void **state)
{
    (void)state;
    check(PROCESS_THREADS, "threads that all contexts' processes have");
}

static void test_descriptors(void **state)
{
    (void)state;
    check(PROCESS_DESCRIPTORS, "descriptors that all contexts' processes have");
}

/* Of what the children have above all. */
static void test_usage(void **state)
{
    (void)state;
    struct platform_usage modest, greedy;
    assert_true(platform_process_usage(children[0], &modest));
    assert_true(platform_process_usage(children[1], &greedy));
    /* Or more: ThreadSanitizer keeps notes of each byte. */
    assert_true(greedy.memory - modest.memory >= 30 << 20);
    assert_int_equal(greedy.threads - modest.threads, 3);
    assert_int_equal(greedy.descriptors - modest.descriptors, 56);
    assert_false(platform_process_usage(0, &modest));
}

/* With the defaults three eighths of the host's memory are left, whatever contexts do; who has given more has given it. */
static void test_defaults(void **state)
{
    (void)state;
    uint64_t half = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE) / 2;
    vm_start(NULL);
    const uint64_t *most = vm.gpu->services.budget.most_of_processes;
    assert_int_equal(most[PROCESS_MEMORY], half + half / 4);
    assert_int_equal(most[PROCESS_THREADS], 16384);
    assert_int_equal(most[PROCESS_DESCRIPTORS], 262144);
    vm_stop();
    vm_start(&(struct vm_options){ .max_blob_memory = 1 << 20 });
    assert_int_equal(vm.gpu->services.budget.most_of_processes[PROCESS_MEMORY], half + half / 4);
    vm_stop();
    vm_start(&(struct vm_options){ .max_blob_memory = half + 4096 });
    assert_int_equal(vm.gpu->services.budget.most_of_processes[PROCESS_MEMORY],
                     5 * half / 4 + 4096);
    vm_stop();
    vm_start(&(struct vm_options){ .max_context_memory = UINT64_MAX });
    assert_int_equal(vm.gpu->services.budget.most_of_processes[PROCESS_MEMORY], UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_usage),       TEST(test_memory),   TEST(test_threads),
        TEST(test_descriptors), TEST(test_defaults),
    };
    return cmocka_run_group_tests(tests, start_children, end_children);
}
