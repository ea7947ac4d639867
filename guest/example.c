/* SPDX-License-Identifier: MIT */
/* Options in, JSON out: see example.h. */
#define _GNU_SOURCE
#include "example.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#define MOST_FRAMES 100000000L
#define MOST_PIXELS 8192u /* a side; what every Vulkan driver can draw on and a PNG row can hold */

struct example example_options(int argc, char **argv, long frames)
{
    struct example e = {
        .program = program_invocation_short_name,
        .frames = option(argc, argv, "--frames", frames),
        .png = option_text(argc, argv, "--png", NULL),
        .json = option_text(argc, argv, "--json", NULL),
    };

    if (e.frames < 1 || e.frames > MOST_FRAMES)
        die("--frames is 1 to %ld", MOST_FRAMES);
    e.deadline = deadline_option(argc, argv);
    return e;
}

void example_size(struct example *e, int argc, char **argv, uint32_t width, uint32_t height)
{
    const char *size = option_text(argc, argv, "--size", NULL);
    char after;

    e->width = width;
    e->height = height;
    if (size && (sscanf(size, "%ux%u%c", &e->width, &e->height, &after) != 2 || e->width < 1 ||
                 e->height < 1 || e->width > MOST_PIXELS || e->height > MOST_PIXELS))
        die("--size is WIDTHxHEIGHT, each 1 to %u, not \"%s\"", MOST_PIXELS, size);
}

void example_without_picture(const struct example *example)
{
    if (example->png)
        die("there is no picture to write to %s", example->png);
}

bool example_goes_on(const struct example *example, long done)
{
    return done < example->frames && (done == 0 || !deadline_passed(&example->deadline));
}

void example_begin_report(const struct example *example, const struct vk *vk)
{
    if (example->json && !freopen(example->json, "w", stdout))
        die("cannot write %s: %s", example->json, strerror(errno));
    printf("{\"program\": \"%s\", ", example->program);
    vk_print_device(vk);
    if (example->width)
        printf(", \"width\": %u, \"height\": %u", example->width, example->height);
}

void example_end_report(void)
{
    printf("}\n");
    if (fflush(stdout))
        die("cannot write the report: %s", strerror(errno));
}

void example_hold(void)
{
    sigset_t ends;
    int which;

    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    sigwait(&ends, &which);
}
