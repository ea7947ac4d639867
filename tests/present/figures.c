/* SPDX-License-Identifier: MIT */
/*
 * Measures the presenter by itself: from RESOURCE_FLUSH to its answer, and so until the GPU has read the
 * frame and the image is presented. Frames come from a 2D resource (host pointer) and from memory that
 * another Vulkan device exported (opaque descriptor); they go to images that nobody sees.
 *
 * usage: present-figures [FRAMES]      prints a line for each case, and one JSON object at the end
 *
 * VENUS_TEST_DEVICE chooses the Vulkan device by a part of its name. It checks what it measures: the
 * last frame of each case is read back and compared.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "device/device.h"
#include "exporter.h"
#include "present/present.h"
#include "vk/shared-vulkan.h"
#include "screen.h"

static unsigned frames = 1000;
static const char *separator = "";

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Flush `frames` times and say how long it took. json: where to gather the results. */
static void measure(const char *name, const char *tier, uint32_t width, uint32_t height, FILE *json)
{
    double *times = calloc(frames, sizeof(*times));
    flush(1, rect(0, 0, width, height)); /* the import, the images, the pipeline */
    uint64_t before = stat_value(tier), copies = stat_value("present-gpu-copies");
    for (unsigned i = 0; i < frames; i++) {
        double begin = now_ms();
        assert_ok(flush(1, rect(0, 0, width, height)));
        times[i] = now_ms() - begin;
    }
    assert_int_equal(stat_value(tier) - before, frames);
    assert_int_equal(stat_value("present-gpu-copies") - copies, frames);
    assert_int_equal(stat_value("present-staging"), 0);
    assert_shows_pattern(0, width, height, 0, 0, 7);
    qsort(times, frames, sizeof(*times), compare);
    double median = times[frames / 2], p99 = times[frames * 99 / 100], worst = times[frames - 1];
    double rate = (double)width * height * 4 / median / 1e6;
    printf("%-32s %4u x %-4u  median %6.3f ms  99 %% %6.3f ms  worst %6.3f ms  %5.1f GB/s\n", name,
           width, height, median, p99, worst, rate);
    fprintf(
        json,
        "%s{\"name\": \"%s\", \"width\": %u, \"height\": %u, \"frames\": %u, \"median_ms\": %.4f, "
        "\"p99_ms\": %.4f, \"worst_ms\": %.4f, \"gigabytes_per_s\": %.2f}",
        separator, name, width, height, frames, median, p99, worst, rate);
    separator = ", ";
    free(times);
}

static void start(struct exporter *exporter)
{
    const struct vm_options options = {
        .window_size = 64 << 20,
        .present_mode = VENUS_GPU_PRESENT_IMMEDIATE,
        .device = &exporter->device,
    };
    present_start(&options);
    present_shared_vulkan(vm.gpu->present)->name = getenv("VENUS_TEST_DEVICE");
    present_offscreen(0, 0, 0, false);
}

static void measure_2d(struct exporter *exporter, uint32_t width, uint32_t height, FILE *json)
{
    start(exporter);
    assert_ok(create_2d(1, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, width, height));
    assert_ok(set_scanout(0, 1, rect(0, 0, width, height)));
    const struct venus_gpu_frame *frame = shown(0);
    fill_pattern((void *)frame->pixels, frame->format, width, height, frame->stride, 0, 0, 7);
    measure("2D resource, host pointer", "present-host-pointer", width, height, json);
    vm_stop();
}

static void measure_opaque(struct exporter *exporter, const char *name,
                           VkMemoryPropertyFlags wanted, VkMemoryPropertyFlags unwanted,
                           uint32_t width, uint32_t height, FILE *json)
{
    struct exported exported;
    size_t size = ((size_t)width * height * 4 + PAGE - 1) / PAGE * PAGE;
    if (!exporter_allocate_with(exporter, size, RENDERER_FD_OPAQUE, wanted, unwanted, &exported)) {
        printf("%-32s the driver exports no such memory\n", name);
        return;
    }
    fill_pattern(exported.ptr, venus_gpu_format_lookup(VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM), width,
                 height, width * 4, 0, 0, 7);
    start(exporter);
    fake_lend(RENDERER_FD_OPAQUE, exported.fd, exported.ptr);
    VkMemoryPropertyFlags flags =
        exporter->vk->memory.memoryTypes[exported.memory_type].propertyFlags;
    fake_set_map_info(flags & VK_MEMORY_PROPERTY_HOST_CACHED_BIT ? VIRTIO_GPU_MAP_CACHE_CACHED
                                                                 : VIRTIO_GPU_MAP_CACHE_WC);
    assert_ok(create_context(1));
    assert_ok(create_host_blob(1, size));
    struct virtio_gpu_set_scanout_blob request = blob_scanout(0, 1, width, height);
    assert_ok(set_scanout_blob(&request));
    measure(name, "present-opaque-fd", width, height, json);
    vm_stop();
    exporter_free(exporter, &exported);
}

static void run(void **state)
{
    static const uint32_t sizes[][2] = { { 1280, 800 }, { 3840, 2160 } };
    struct exporter exporter;
    char *results = NULL;
    size_t size;
    (void)state;
    FILE *json = open_memstream(&results, &size);
    if (!exporter_init(&exporter))
        fail_msg("there is no Vulkan to measure");
    printf("%s, %u frames each\n", exporter.vk->properties.deviceName, frames);
    for (size_t i = 0; i < COUNT(sizes); i++) {
        uint32_t width = sizes[i][0], height = sizes[i][1];
        measure_2d(&exporter, width, height, json);
        measure_opaque(&exporter, "opaque fd, host cached", VK_MEMORY_PROPERTY_HOST_CACHED_BIT, 0,
                       width, height, json);
        measure_opaque(&exporter, "opaque fd, host uncached", 0,
                       VK_MEMORY_PROPERTY_HOST_CACHED_BIT | VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT,
                       width, height, json);
        measure_opaque(&exporter, "opaque fd, on the device", VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT,
                       0, width, height, json);
    }
    fclose(json);
    printf("{\"device\": \"%s\", \"results\": [%s]}\n", exporter.vk->properties.deviceName,
           results);
    free(results);
    exporter_finish(&exporter);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        frames = (unsigned)atoi(argv[1]);
    const struct CMUnitTest tests[] = { TEST(run) };
    return RUN_TESTS(tests);
}
