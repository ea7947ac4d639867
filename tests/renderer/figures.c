/* SPDX-License-Identifier: MIT */
/*
 * For a person, and for machines with a GPU: how long the life of a mapped blob takes, by how many others are mapped.
 *
 * All that a guest's Vulkan does for a piece of memory, but without a guest: allocated by the render server, made a
 * blob, mapped, written to, unmapped, freed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "venus.h"

enum { SIZE = 64 << 10, ROUNDS = 300 };

static const char *const steps[] = {
    "allocate", "create", "map", "touch", "unmap", "unref", "free"
};
enum { STEPS = sizeof(steps) / sizeof(steps[0]) };

static uint64_t took[STEPS + 1][ROUNDS]; /* ns; the last is all of it */

static int compare(const void *a, const void *b)
{
    const uint64_t *left = a, *right = b;
    return *left < *right ? -1 : *left > *right;
}

static void cycle(struct venus *venus, unsigned round)
{
    struct guest *guest = venus->guest;
    uint64_t offset = GUEST_WINDOW_SIZE - SIZE, at[STEPS + 1];
    uint32_t resource = guest_new_resource(guest);
    unsigned step = 0;

    at[step++] = now_ns();
    uint64_t memory = venus_allocate(venus, SIZE);
    at[step++] = now_ns();
    assert_ok(guest_blob_create(guest, venus->context, resource, VIRTIO_GPU_BLOB_MEM_HOST3D, memory,
                                SIZE, NULL, 0));
    at[step++] = now_ns();
    assert_int_equal(guest_map(guest, resource, offset), VIRTIO_GPU_RESP_OK_MAP_INFO);
    at[step++] = now_ns();
    memset(guest->window + offset, (int)round, SIZE);
    at[step++] = now_ns();
    assert_ok(guest_unmap(guest, resource));
    at[step++] = now_ns();
    assert_ok(guest_unref(guest, resource));
    at[step++] = now_ns();
    venus_free(venus, memory);
    at[step] = now_ns();
    for (step = 0; step < STEPS; step++)
        took[step][round] = at[step + 1] - at[step];
    took[STEPS][round] = at[STEPS] - at[0];
}

static void measure(struct venus *venus, unsigned mapped)
{
    for (unsigned i = 0; i < ROUNDS; i++)
        cycle(venus, i);
    printf("# %4u mapped: ", mapped);
    for (unsigned step = 0; step <= STEPS; step++) {
        qsort(took[step], ROUNDS, sizeof(took[0][0]), compare);
        printf("%s %.3f, ", step < STEPS ? steps[step] : "all",
               (double)took[step][ROUNDS / 2] / 1e6);
    }
    printf("99th percentile %.3f ms\n", (double)took[STEPS][ROUNDS * 99 / 100] / 1e6);
    fflush(stdout);
}

static void life_of_a_mapped_blob(void **state)
{
    static const unsigned levels[] = { 0, 1024, 4096 };
    struct guest *guest = *state;
    struct venus venus;
    unsigned mapped = 0;

    venus_open_all(&venus, guest, 1);
    printf("# %s, %d KiB, medians of %d in ms\n", venus_gpu_renderer_name(guest->gpu), SIZE >> 10,
           ROUNDS);
    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
        for (; mapped < levels[i]; mapped++) {
            char *window = guest_map_anywhere(guest, venus_blob(&venus, SIZE, NULL), SIZE);
            memset(window, (int)mapped, SIZE);
        }
        measure(&venus, mapped);
    }
    static const char *const ways[] = { "maps-fixed", "maps-alias", "maps-vulkan", "maps-region" };
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
        printf("# %s %llu\n", ways[i], (unsigned long long)guest_stat(guest, ways[i]));
}

int main(void)
{
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(life_of_a_mapped_blob, guest_setup, guest_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
