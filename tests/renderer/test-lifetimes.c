/* SPDX-License-Identifier: MIT */
/* Everything goes in every order, and a reset or the end may come at any time. */
#include <stdatomic.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "process.h"
#include "venus.h"

enum { WIDTH = 32, HEIGHT = 32, SIZE = WIDTH * HEIGHT * 4 };

/* The ends of a blob that is mapped, shown and kept on the screen, and of its context. */
enum end { END_CONTEXT, END_RESOURCE, END_MAPPING, END_SCANOUT, END_FRAME, END_COUNT };

struct scene {
    struct guest *guest;
    uint32_t resource;
    char *window;
    struct venus_gpu_frame *frame;
    bool ended[END_COUNT];
};

static void assert_filled(const void *pixels, int value)
{
    for (unsigned i = 0; i < SIZE; i++)
        assert_int_equal(((const char *)pixels)[i], value);
}

static void scene_init(struct scene *scene, struct guest *guest, bool by_gpu)
{
    *scene = (struct scene){ .guest = guest };
    if (by_gpu) {
        struct venus venus;
        venus_open_all(&venus, guest, 1);
        scene->resource = venus_blob(&venus, SIZE, NULL);
        scene->window = guest_map_anywhere(guest, scene->resource, SIZE);
    } else {
        assert_ok(guest_context_create(guest, 1));
        scene->resource = guest_shm(guest, 1, SIZE, &scene->window);
    }
    assert_ok(guest_set_scanout_blob(guest, 0, scene->resource, WIDTH, HEIGHT));
    scene->frame = guest_keep_frame(guest, 0);
    memset(scene->window, 0x42, SIZE);
}

static void scene_end(struct scene *scene, enum end end)
{
    struct guest *guest = scene->guest;
    bool gone = scene->ended[END_RESOURCE];
    switch (end) {
    case END_CONTEXT:
        assert_ok(guest_context_destroy(guest, 1));
        break;
    case END_RESOURCE:
        assert_ok(guest_unref(guest, scene->resource));
        break;
    case END_MAPPING:
        assert_int_equal(guest_unmap(guest, scene->resource),
                         gone ? VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID
                              : VIRTIO_GPU_RESP_OK_NODATA);
        break;
    case END_SCANOUT:
        assert_ok(guest_set_scanout_blob(guest, 0, 0, 0, 0));
        break;
    case END_FRAME:
        venus_gpu_frame_unref(scene->frame);
        break;
    default:
        fail();
    }
    scene->ended[end] = true;
    gone = scene->ended[END_RESOURCE];

    /* What is not gone yet still shows what was drawn; the window never faults. */
    assert_filled(scene->window, gone || scene->ended[END_MAPPING] ? 0 : 0x42);
    if (!scene->ended[END_FRAME])
        assert_filled(scene->frame->pixels, 0x42);
    const struct venus_gpu_frame *shown = guest_frame(guest, 0);
    if (gone || scene->ended[END_SCANOUT])
        assert_null(shown);
    else
        assert_filled(shown->pixels, 0x42);
}

/* All orders of the ends that are left to be put at place and after, by exchanging (Heap). */
static void in_all_orders(struct guest *guest, bool by_gpu, enum end *order, int left, int *count)
{
    if (left == 1) {
        struct scene scene;
        scene_init(&scene, guest, by_gpu);
        for (int i = 0; i < END_COUNT; i++)
            scene_end(&scene, order[i]);
        guest_reset(guest);
        ++*count;
        return;
    }
    for (int i = 0; i < left; i++) {
        in_all_orders(guest, by_gpu, order, left - 1, count);
        int other = left % 2 ? 0 : i;
        enum end swap = order[other];
        order[other] = order[left - 1];
        order[left - 1] = swap;
    }
}

static void shared_memory_ends_in_all_orders(void **state)
{
    enum end order[] = { END_CONTEXT, END_RESOURCE, END_MAPPING, END_SCANOUT, END_FRAME };
    int count = 0;
    in_all_orders(*state, false, order, END_COUNT, &count);
    assert_int_equal(count, 120);
}

static void vulkan_memory_ends_in_all_orders(void **state)
{
    enum end order[] = { END_CONTEXT, END_RESOURCE, END_MAPPING, END_SCANOUT, END_FRAME };
    int count = 0;
    in_all_orders(*state, true, order, END_COUNT, &count);
    assert_int_equal(count, 120);
}

/* A GPU that waits for an event which nobody will set. */
static struct ticket *hang(struct guest *guest)
{
    struct venus venus;
    uint64_t memory;
    venus_open_all(&venus, guest, 1);
    uint32_t resource = venus_blob(&venus, SIZE, &memory);
    guest_map_anywhere(guest, resource, SIZE);
    assert_ok(guest_set_scanout_blob(guest, 0, resource, WIDTH, HEIGHT));
    uint64_t buffer = venus_buffer(&venus, memory, SIZE);
    return venus_fill(&venus, buffer, 1, venus_event(&venus));
}

static void assert_works(struct guest *guest)
{
    struct venus venus;
    venus_open_all(&venus, guest, 1);
    assert_ok(guest_wait(venus_submit_nothing(&venus)));
    venus_close(&venus);
}

static void reset_while_the_gpu_works(void **state)
{
    struct guest *guest = *state;
    pid_t server = process_server();
    for (int i = 0; i < 5; i++) {
        assert_false(guest_wait_for(hang(guest), 5));
        guest_reset(guest);
        assert_int_equal(guest_stat(guest, "fences-pending"), 0);
        assert_works(guest);
    }
    assert_int_equal(process_server(), server);
    process_wait_for_children(server, 0);
}

/* Commands are queued up, some executed, some not, when the reset comes. */
static void reset_while_commands_are_queued(void **state)
{
    struct guest *guest = *state;
    for (unsigned round = 0; round < 20; round++) {
        assert_ok(guest_context_create(guest, 1));
        uint32_t shm = guest_shm(guest, 1, SIZE, NULL);
        for (uint32_t i = 0; i < 100; i++) {
            const struct virtio_gpu_resource_create_blob create = {
                .hdr = { .type = VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB, .ctx_id = 1 },
                .resource_id = 1000 + i,
                .blob_mem = VIRTIO_GPU_BLOB_MEM_HOST3D,
                .blob_flags = VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE,
                .size = PAGE,
            };
            const struct virtio_gpu_resource_map_blob map = {
                .hdr.type = VIRTIO_GPU_CMD_RESOURCE_MAP_BLOB,
                .resource_id = 1000 + i,
                .offset = (uint64_t)(100 + i) * PAGE,
            };
            const struct virtio_gpu_set_scanout_blob show = {
                .hdr.type = VIRTIO_GPU_CMD_SET_SCANOUT_BLOB,
                .r = { 0, 0, WIDTH, HEIGHT },
                .resource_id = shm,
                .width = WIDTH,
                .height = HEIGHT,
                .format = VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM,
                .strides = { WIDTH * 4 },
            };
            guest_send(guest, &create, sizeof(create), NULL, 0, sizeof(struct virtio_gpu_ctrl_hdr));
            guest_send(guest, &map, sizeof(map), NULL, 0, sizeof(struct virtio_gpu_resp_map_info));
            guest_send(guest, &show, sizeof(show), NULL, 0, sizeof(struct virtio_gpu_ctrl_hdr));
            guest_submit_fenced(guest, 1, 0, NULL, 0);
        }
        if (round % 4)
            sleep_ms(round % 4);
        guest_reset(guest);
        assert_int_equal(guest_stat(guest, "resources"), 0);
        assert_int_equal(guest_stat(guest, "mapped"), 0);
        assert_null(guest_frame(guest, 0));
    }
    assert_works(guest);
}

static void end_while_the_gpu_works(void **state)
{
    struct guest *guest = *state;
    /* Processes whose parent is gone become children of this one. */
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    for (int i = 0; i < 5; i++) {
        guest_start(guest, NULL);
        assert_false(guest_wait_for(hang(guest), 5));
        guest_stop(guest);
        process_wait_for_children(getpid(), 0);
    }
    prctl(PR_SET_CHILD_SUBREAPER, 0);
}

static void frame_is_read_while_its_resource_goes(void **state)
{
    struct guest *guest = *state;
    struct scene scene;
    scene_init(&scene, guest, true);
    guest->hold_flushes = true;
    const struct virtio_gpu_resource_flush request = {
        .hdr = { .type = VIRTIO_GPU_CMD_RESOURCE_FLUSH, .flags = VIRTIO_GPU_FLAG_FENCE },
        .r = { 0, 0, WIDTH, HEIGHT },
        .resource_id = scene.resource,
    };
    struct ticket *flush =
        guest_send(guest, &request, sizeof(request), NULL, 0, sizeof(struct virtio_gpu_ctrl_hdr));
    scene_end(&scene, END_RESOURCE);
    assert_false(flush->done);
    scene_end(&scene, END_CONTEXT);
    guest_reset(guest);
    assert_filled(scene.frame->pixels, 0x42);
    assert_non_null(guest->flush);
    venus_gpu_flush_done(guest->flush);
    guest->flush = NULL;
    venus_gpu_frame_unref(scene.frame);
}

/* A screen of another thread, which takes frames and gives them back when it likes. */
struct screen {
    struct guest *guest;
    pthread_t thread;
    atomic_bool stop;
};

static void *screen_run(void *opaque)
{
    struct screen *screen = opaque;
    struct guest *guest = screen->guest;
    while (!atomic_load(&screen->stop)) {
        struct venus_gpu_frame *frame = NULL;
        pthread_mutex_lock(&guest->lock);
        if (guest->frames[0])
            frame = venus_gpu_frame_ref(guest->frames[0]);
        pthread_mutex_unlock(&guest->lock);
        if (!frame)
            continue;
        /* Whatever is there: that it can be read is the point. */
        uint32_t sum = 0;
        for (unsigned i = 0; i < SIZE; i += PAGE)
            sum += ((const volatile unsigned char *)frame->pixels)[i];
        (void)sum;
        venus_gpu_frame_unref(frame);
    }
    return NULL;
}

static void frames_are_read_by_another_thread(void **state)
{
    struct guest *guest = *state;
    struct screen screen = { .guest = guest };
    struct venus venus;

    venus_open_all(&venus, guest, 1);
    assert_int_equal(pthread_create(&screen.thread, NULL, screen_run, &screen), 0);
    for (unsigned i = 0; i < 200; i++) {
        uint64_t memory = venus_allocate(&venus, SIZE);
        uint32_t resource = 1000;
        guest_blob_create(guest, 1, resource, VIRTIO_GPU_BLOB_MEM_HOST3D, i % 2 ? memory : 0, SIZE,
                          NULL, 0);
        guest_map(guest, resource, 64 * PAGE);
        guest_set_scanout_blob(guest, 0, resource, WIDTH, HEIGHT);
        guest_flush(guest, resource, WIDTH, HEIGHT);
        if (i % 3)
            guest_unmap(guest, resource);
        guest_unref(guest, resource);
        venus_free(&venus, memory);
        if (i % 50 == 49) {
            guest_reset(guest);
            venus_open_all(&venus, guest, 1);
        }
    }
    atomic_store(&screen.stop, true);
    pthread_join(screen.thread, NULL);
    assert_int_equal(guest_stat(guest, "command-errors"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(shared_memory_ends_in_all_orders, guest_setup,
                                        guest_teardown),
        cmocka_unit_test_setup_teardown(vulkan_memory_ends_in_all_orders, guest_setup,
                                        guest_teardown),
        cmocka_unit_test_setup_teardown(reset_while_the_gpu_works, guest_setup, guest_teardown),
        cmocka_unit_test_setup_teardown(reset_while_commands_are_queued, guest_setup,
                                        guest_teardown),
        cmocka_unit_test_setup_teardown(end_while_the_gpu_works, guest_setup_without_device,
                                        guest_teardown),
        cmocka_unit_test_setup_teardown(frame_is_read_while_its_resource_goes, guest_setup,
                                        guest_teardown),
        cmocka_unit_test_setup_teardown(frames_are_read_by_another_thread, guest_setup,
                                        guest_teardown),
    };
    return cmocka_run_group_tests_name("lifetimes", tests, NULL, NULL);
}
