/* SPDX-License-Identifier: MIT */
/* The budget by itself: each item at, below and over its limit, and from several threads. */
#include "base/budget.h"

#include <pthread.h>

#include "harness.h"

static struct budget budget;

static void start(void)
{
    struct venus_gpu_config config;
    venus_gpu_config_init(&config);
    config.max_contexts = 3;
    config.max_resources = 5;
    config.max_memory = 4096;
    config.max_blob_memory = UINT64_MAX;
    budget_init(&budget, &config);
    assert_int_equal(config.max_call_ms, 15000); /* what has no limit gets the default */
    assert_true(config.max_context_memory);
}

static void test_at_below_and_over(void **state)
{
    (void)state;
    start();
    for (enum budget_item item = 0; item < BUDGET_ITEMS; item++) {
        uint64_t most = budget.most[item];
        assert_true(most > 1);
        assert_true(budget_take(&budget, item, most - 1));
        assert_false(budget_take(&budget, item, 2));
        assert_int_equal(budget_taken(&budget, item), most - 1); /* nothing was taken */
        assert_true(budget_take(&budget, item, 1));
        assert_false(budget_take(&budget, item, 1));
        assert_true(budget_take(&budget, item, 0));
        budget_give_back(&budget, item, most);
        assert_int_equal(budget_taken(&budget, item), 0);
        assert_true(budget_take(&budget, item, most));
        budget_give_back(&budget, item, most);
    }
    assert_int_equal(budget.most[BUDGET_CONTEXTS], 3);
    assert_int_equal(budget.most[BUDGET_RESOURCES], 5);
    assert_int_equal(budget.most[BUDGET_MEMORY], 4096);
}

/* A guest's number may be any; sums must not overflow. */
static void test_no_overflow(void **state)
{
    (void)state;
    start();
    assert_false(budget_take(&budget, BUDGET_MEMORY, UINT64_MAX));
    assert_true(budget_take(&budget, BUDGET_MEMORY, 4096));
    assert_false(budget_take(&budget, BUDGET_MEMORY, UINT64_MAX - 4095));
    assert_true(budget_take(&budget, BUDGET_BLOB_MEMORY, UINT64_MAX));
    assert_false(budget_take(&budget, BUDGET_BLOB_MEMORY, 1));
}

static void *take_and_give_back(void *opaque)
{
    bool *too_many = opaque;
    for (unsigned i = 0; i < 100000; i++) {
        if (!budget_take(&budget, BUDGET_CONTEXTS, 2))
            continue;
        if (budget_taken(&budget, BUDGET_CONTEXTS) > 3)
            *too_many = true;
        budget_give_back(&budget, BUDGET_CONTEXTS, 2);
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    bool too_many[THREADS] = { false };
    start();
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_give_back, &too_many[i]), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_false(too_many[i]);
    }
    assert_int_equal(budget_taken(&budget, BUDGET_CONTEXTS), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_at_below_and_over),
        cmocka_unit_test(test_no_overflow),
        cmocka_unit_test(test_threads),
    };
    return RUN_TESTS(tests);
}
