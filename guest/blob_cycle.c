/* SPDX-License-Identifier: MIT */
/*
 * Times one blob's life as the guest sees it: create, map, touch every page, unmap, close.
 *
 *   blob_cycle [--rounds 200] [--others 0] [--size 65536] [--warmup 10] [--seconds 0] [--dirty]
 *
 * `others` blobs of the same size stay mapped all the while, because what this shows is whether the
 * cost grows with them. Contents are checked: each page is written and read back, every mapping of
 * a new blob is seen to start out zero (not with --dirty), and at the end the others still hold what
 * they were given.
 *
 * After --seconds the setup or the rounds stop where they are and what was seen so far is printed;
 * the others are then neither looked at nor closed one by one, which could take as long again.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common.h"
#include "virtgpu.h"

#define PAGE 4096u

struct other {
    struct virtgpu_blob blob;
    uint64_t *words;
};

/* A value that no other page of any other blob has. */
static uint64_t pattern(uint64_t blob, uint64_t page)
{
    return (blob << 32 | page) * UINT64_C(0x9e3779b97f4a7c15) + 1;
}

static void fill(uint64_t *words, uint64_t size, uint64_t blob, bool must_be_zero)
{
    for (uint64_t page = 0; page < size / PAGE; page++) {
        uint64_t *word = words + page * (PAGE / sizeof *words);
        if (must_be_zero && *word)
            die("page %llu of a new blob is not zero", (unsigned long long)page);
        *word = pattern(blob, page);
    }
}

static void check(const uint64_t *words, uint64_t size, uint64_t blob)
{
    for (uint64_t page = 0; page < size / PAGE; page++) {
        uint64_t seen = words[page * (PAGE / sizeof *words)];
        if (seen != pattern(blob, page))
            die("page %llu of blob %llu holds %#llx where %#llx was written",
                (unsigned long long)page, (unsigned long long)blob, (unsigned long long)seen,
                (unsigned long long)pattern(blob, page));
    }
}

int main(int argc, char **argv)
{
    long rounds = option(argc, argv, "--rounds", 200);
    long warmup = option(argc, argv, "--warmup", 10);
    long count = option(argc, argv, "--others", 0);
    uint64_t size = (uint64_t)option(argc, argv, "--size", 65536);
    struct samples cycle = { 0 }, create = { 0 }, map = { 0 }, touch = { 0 }, unmap = { 0 };
    struct samples setup = { 0 }, teardown = { 0 };
    bool dirty = option_flag(argc, argv, "--dirty");
    const char *stopped = NULL;
    long mapped = 0;

    if (rounds < 1 || warmup < 0 || count < 0 || size < PAGE || size % PAGE)
        die("--rounds must be at least 1 and --size a multiple of %u", PAGE);
    struct deadline deadline = deadline_option(argc, argv);
    int fd = virtgpu_open();
    virtgpu_init_venus(fd);
    struct other *others = calloc((size_t)count + 1, sizeof *others);
    if (!others)
        die("no memory for %ld blobs", count);
    for (; mapped < count; mapped++) {
        if (deadline_passed(&deadline)) {
            stopped = "setup";
            break;
        }
        struct other *other = &others[mapped];
        double start = now_ms();
        other->blob = virtgpu_create_host_blob(fd, size, 0);
        other->words = virtgpu_map(fd, &other->blob);
        fill(other->words, size, (uint64_t)mapped, !dirty);
        samples_add(&setup, now_ms() - start);
    }

    for (long i = -warmup; i < rounds && !stopped; i++) {
        if (deadline_passed(&deadline)) {
            stopped = "rounds";
            break;
        }
        uint64_t id = (uint64_t)(count + warmup + i);
        double t0 = now_ms();
        struct virtgpu_blob blob = virtgpu_create_host_blob(fd, size, 0);
        double t1 = now_ms();
        uint64_t *words = virtgpu_map(fd, &blob);
        double t2 = now_ms();
        fill(words, size, id, !dirty);
        check(words, size, id);
        double t3 = now_ms();
        virtgpu_unmap(&blob, words);
        virtgpu_close_blob(fd, &blob);
        double t4 = now_ms();
        if (i >= 0) {
            samples_add(&cycle, t4 - t0);
            samples_add(&create, t1 - t0);
            samples_add(&map, t2 - t1);
            samples_add(&touch, t3 - t2);
            samples_add(&unmap, t4 - t3);
        }
    }

    for (long i = 0; i < mapped && !stopped; i++) {
        check(others[i].words, size, (uint64_t)i);
        double start = now_ms();
        virtgpu_unmap(&others[i].blob, others[i].words);
        virtgpu_close_blob(fd, &others[i].blob);
        samples_add(&teardown, now_ms() - start);
    }
    printf(
        "{\"program\": \"blob_cycle\", \"others\": %ld, \"others_mapped\": %ld, \"size\": %llu, ",
        count, mapped, (unsigned long long)size);
    deadline_print(&deadline, stopped);
    printf(", ");
    samples_print(&cycle, "cycle_ms");
    printf(", ");
    samples_print(&create, "create_ms");
    printf(", ");
    samples_print(&map, "map_ms");
    printf(", ");
    samples_print(&touch, "touch_ms");
    printf(", ");
    samples_print(&unmap, "unmap_close_ms");
    printf(", ");
    samples_print(&setup, "other_open_ms");
    printf(", ");
    samples_print(&teardown, "other_close_ms");
    printf("}\n");
    struct samples *all[] = { &cycle, &create, &map, &touch, &unmap, &setup, &teardown };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        samples_finish(all[i]);
    free(others);
    close(fd);
    return 0;
}
