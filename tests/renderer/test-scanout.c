/* SPDX-License-Identifier: MIT */
/* Blobs on the screen: the memory that the GPU writes, mapped by the guest at the same time. */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "process.h"
#include "venus.h"

/* Two pages. */
enum { WIDTH = 64, HEIGHT = PAGE / 128, SIZE = WIDTH * HEIGHT * 4 };

/* What the tests below are about: a blob, by its kind, with a way to change its contents. */
struct picture {
    struct guest *guest;
    bool by_gpu;
    struct venus venus;
    uint64_t buffer;
    uint32_t resource;
    uint64_t offset;
};

static void picture_init(struct picture *picture, struct guest *guest, bool by_gpu)
{
    *picture = (struct picture){ .guest = guest, .by_gpu = by_gpu };
    if (by_gpu) {
        uint64_t memory;
        venus_open_all(&picture->venus, guest, 1);
        picture->resource = venus_blob(&picture->venus, SIZE, &memory);
        picture->buffer = venus_buffer(&picture->venus, memory, SIZE);
    } else {
        assert_ok(guest_context_create(guest, 1));
        picture->resource = guest_new_resource(guest);
        assert_ok(guest_blob_create(guest, 1, picture->resource, VIRTIO_GPU_BLOB_MEM_HOST3D, 0,
                                    SIZE, NULL, 0));
    }
    picture->offset = guest_new_offset(guest, SIZE);
}

static void map(struct picture *picture)
{
    assert_int_equal(guest_map(picture->guest, picture->resource, picture->offset),
                     VIRTIO_GPU_RESP_OK_MAP_INFO);
}

static void show(struct picture *picture)
{
    assert_ok(guest_set_scanout_blob(picture->guest, 0, picture->resource, WIDTH, HEIGHT));
    const struct venus_gpu_frame *frame = guest_frame(picture->guest, 0);
    assert_non_null(frame);
    assert_int_equal(frame->width, WIDTH);
    assert_int_equal(frame->height, HEIGHT);
    assert_int_equal(frame->stride, WIDTH * 4);
    assert_int_equal(frame->resource_id, picture->resource);
    assert_int_equal(frame->format->virtio, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM);
}

static void hide(struct picture *picture)
{
    assert_ok(guest_set_scanout_blob(picture->guest, 0, 0, 0, 0));
    assert_null(guest_frame(picture->guest, 0));
}

/* Where the guest sees it. */
static char *mapped(struct picture *picture)
{
    return picture->guest->region ? picture->guest->region->ptr
                                  : picture->guest->window + picture->offset;
}

static void assert_pixels(const void *pixels, uint32_t value)
{
    for (unsigned i = 0; i < WIDTH * HEIGHT; i++) {
        uint32_t found;
        memcpy(&found, (const char *)pixels + i * 4, 4);
        assert_int_equal(found, value);
    }
}

/* Change the picture, by the GPU or through the guest's mapping, and see it wherever it is now. */
static void change(struct picture *picture, uint32_t value, bool is_mapped, bool is_shown)
{
    if (picture->by_gpu) {
        assert_ok(guest_wait(venus_fill(&picture->venus, picture->buffer, value, 0)));
    } else if (is_mapped) {
        for (unsigned i = 0; i < WIDTH * HEIGHT; i++)
            memcpy(mapped(picture) + i * 4, &value, 4);
    } else {
        return;
    }
    if (is_mapped)
        assert_pixels(mapped(picture), value);
    if (is_shown) {
        assert_ok(guest_flush(picture->guest, picture->resource, WIDTH, HEIGHT));
        assert_pixels(guest_frame(picture->guest, 0)->pixels, value);
    }
}

/* virglrenderer maps a resource once; here it is mapped and shown in every order. */
static void in_every_order(struct guest *guest, bool by_gpu)
{
    struct picture picture;
    picture_init(&picture, guest, by_gpu);
    for (int order = 0; order < 4; order++) {
        if (order & 1) {
            map(&picture);
            change(&picture, 1, true, false);
            show(&picture);
        } else {
            show(&picture);
            change(&picture, 2, false, true);
            map(&picture);
        }
        change(&picture, 3, true, true);
        if (order & 2) {
            assert_ok(guest_unmap(guest, picture.resource));
            change(&picture, 4, false, true);
            hide(&picture);
        } else {
            hide(&picture);
            change(&picture, 5, true, false);
            assert_ok(guest_unmap(guest, picture.resource));
        }
        change(&picture, 6, false, false);
    }
    assert_ok(guest_unref(guest, picture.resource));
    guest_reset(guest);
}

static void mapped_and_shown_in_every_order(void **state)
{
    struct guest *guest = *state;
    in_every_order(guest, false);
    in_every_order(guest, true);
}

static void the_same_with_regions(void **state)
{
    struct guest *guest = *state;
    struct venus_gpu_config config;
    guest_config(&config);
    config.window_mode = VENUS_GPU_WINDOW_REGIONS;
    guest_start(guest, &config);

    /* Only the blob without a client: replies would be in a region of their own. */
    in_every_order(guest, false);
    assert_int_equal(guest->regions, 0);
}

static void frame_outlives_everything(void **state)
{
    struct guest *guest = *state;
    for (int by_gpu = 0; by_gpu < 2; by_gpu++) {
        struct picture picture;
        picture_init(&picture, guest, by_gpu);
        map(&picture);
        show(&picture);
        change(&picture, 0x1234, true, true);
        struct venus_gpu_frame *frame = guest_keep_frame(guest, 0);

        assert_ok(guest_unref(guest, picture.resource));
        assert_null(guest_frame(guest, 0));
        assert_pixels(frame->pixels, 0x1234);
        assert_ok(guest_context_destroy(guest, 1));
        assert_pixels(frame->pixels, 0x1234);
        guest_reset(guest);
        assert_pixels(frame->pixels, 0x1234);
        venus_gpu_frame_unref(frame);
    }
}

/* The descriptor outlives the resource with the frame, and shows the same bytes, where a processor can map it. */
static void frame_has_a_handle(void **state)
{
    struct guest *guest = *state;
    for (int by_gpu = 0; by_gpu < 2; by_gpu++) {
        struct picture picture;
        picture_init(&picture, guest, by_gpu);
        map(&picture);
        show(&picture);
        change(&picture, 0x4321, true, true);
        struct venus_gpu_frame *frame = guest_keep_frame(guest, 0);
        assert_ok(guest_unref(guest, picture.resource));
        const struct venus_gpu_handle *handle = frame->handle;
        assert_non_null(handle);
        assert_true(fcntl(handle->fd, F_GETFD) & FD_CLOEXEC);
        assert_int_equal(handle->offset, 0);
        assert_true(handle->size >= SIZE);
        if (!by_gpu)
            assert_int_equal(handle->kind, VENUS_GPU_HANDLE_SHM);
        if (handle->kind != VENUS_GPU_HANDLE_OPAQUE) {
            void *memory = mmap(NULL, handle->size, PROT_READ, MAP_SHARED, handle->fd, 0);
            assert_ptr_not_equal(memory, MAP_FAILED);
            assert_pixels(memory, 0x4321);
            munmap(memory, handle->size);
        } else {
            assert_true(!handle->device_uuid == !handle->driver_uuid);
        }
        venus_gpu_frame_unref(frame);
        assert_ok(guest_context_destroy(guest, 1));
    }
}

static void frame_s_id_can_be_used_again(void **state)
{
    struct guest *guest = *state;
    struct picture picture;
    picture_init(&picture, guest, false);
    map(&picture);
    show(&picture);
    change(&picture, 0xabcd, true, true);
    struct venus_gpu_frame *frame = guest_keep_frame(guest, 0);
    assert_ok(guest_unref(guest, picture.resource));
    assert_ok(guest_blob_create(guest, 1, picture.resource, VIRTIO_GPU_BLOB_MEM_HOST3D, 0, SIZE,
                                NULL, 0));
    map(&picture);
    assert_pixels(mapped(&picture), 0);
    assert_pixels(frame->pixels, 0xabcd);
    venus_gpu_frame_unref(frame);
}

static void two_scanouts_share_a_blob(void **state)
{
    struct guest *guest = *state;
    struct picture picture;
    picture_init(&picture, guest, true);
    show(&picture);
    assert_ok(guest_set_scanout_blob(guest, 1, picture.resource, WIDTH, HEIGHT));
    change(&picture, 0x77, false, true);
    assert_pixels(guest_frame(guest, 1)->pixels, 0x77);
    assert_ptr_equal(guest_frame(guest, 0)->pixels, guest_frame(guest, 1)->pixels);
    hide(&picture);
    assert_pixels(guest_frame(guest, 1)->pixels, 0x77);
    assert_ok(guest_unref(guest, picture.resource));
    assert_null(guest_frame(guest, 1));
}

/* A driver turns pages between two blobs at the pace of the screen, for days. */
static void page_flips_leave_nothing_behind(void **state)
{
    struct guest *guest = *state;
    struct venus venus;
    uint32_t resources[2];
    uint64_t buffers[2];
    unsigned fds = 0, maps = 0;

    venus_open_all(&venus, guest, 1);
    for (int i = 0; i < 2; i++) {
        uint64_t memory;
        resources[i] = venus_blob(&venus, SIZE, &memory);
        buffers[i] = venus_buffer(&venus, memory, SIZE);
    }
    for (uint32_t i = 0; i < 200; i++) {
        uint32_t resource = resources[i % 2];
        assert_ok(guest_wait(venus_fill(&venus, buffers[i % 2], i, 0)));
        assert_ok(guest_set_scanout_blob(guest, 0, resource, WIDTH, HEIGHT));
        assert_ok(guest_flush(guest, resource, WIDTH, HEIGHT));
        assert_pixels(guest_frame(guest, 0)->pixels, i);
        if (i == 10) {
            fds = process_fds();
            maps = process_maps();
        }
    }
    assert_int_equal(process_fds(), fds);
    assert_true(process_maps() < maps + PROCESS_MAPS_OF_HEAPS);
    assert_int_equal(guest->flushes, 200);
}

static void flush_is_answered_when_the_frame_was_read(void **state)
{
    struct guest *guest = *state;
    struct picture picture;
    picture_init(&picture, guest, true);
    show(&picture);

    guest->hold_flushes = true;
    const struct virtio_gpu_resource_flush request = {
        .hdr = { .type = VIRTIO_GPU_CMD_RESOURCE_FLUSH, .flags = VIRTIO_GPU_FLAG_FENCE },
        .r = { 0, 0, WIDTH, HEIGHT },
        .resource_id = picture.resource,
    };
    struct ticket *flush =
        guest_send(guest, &request, sizeof(request), NULL, 0, sizeof(struct virtio_gpu_ctrl_hdr));
    assert_false(guest_wait_for(flush, 30));
    /* The GPU draws the next picture meanwhile. */
    assert_ok(guest_wait(venus_fill(&picture.venus, picture.buffer, 9, 0)));
    assert_non_null(guest->flush);
    venus_gpu_flush_done(guest->flush);
    guest->flush = NULL;
    assert_ok(guest_wait(flush));
}

static void scattered_guest_blob_is_seen_in_place(void **state)
{
    struct guest *guest = *state;
    enum { PAGES = (SIZE + PAGE - 1) / PAGE };
    struct virtio_gpu_mem_entry entries[PAGES];

    /* Pages in reverse order, so that no two are in one run. */
    const struct virtio_gpu_mem_entry all = guest_new_memory(guest, PAGES * PAGE);
    for (unsigned i = 0; i < PAGES; i++)
        entries[i] = (struct virtio_gpu_mem_entry){ all.addr + (PAGES - 1 - i) * PAGE, PAGE, 0 };
    uint32_t resource = guest_new_resource(guest);
    assert_ok(
        guest_blob_create(guest, 0, resource, VIRTIO_GPU_BLOB_MEM_GUEST, 0, SIZE, entries, PAGES));
    assert_ok(guest_set_scanout_blob(guest, 0, resource, WIDTH, HEIGHT));
    assert_int_equal(guest_stat(guest, "guest-aliases"), 1);
    for (unsigned i = 0; i < PAGES; i++)
        memset(guest_memory(guest, &entries[i]), (int)i + 1, PAGE);
    const char *pixels = guest_frame(guest, 0)->pixels;
    for (unsigned i = 0; i < PAGES; i++) {
        unsigned end = (i + 1) * PAGE < SIZE ? (i + 1) * PAGE : SIZE;
        assert_int_equal(pixels[i * PAGE], i + 1);
        assert_int_equal(pixels[end - 1], i + 1);
    }
    assert_int_equal(guest_stat(guest, "guest-copies"), 0);

    struct venus_gpu_frame *frame = guest_keep_frame(guest, 0);
    assert_ok(guest_unref(guest, resource));
    assert_int_equal(((const char *)frame->pixels)[0], 1);
    venus_gpu_frame_unref(frame);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(mapped_and_shown_in_every_order, guest_setup,
                                        guest_teardown),
        cmocka_unit_test_setup_teardown(the_same_with_regions, guest_setup_without_device,
                                        guest_teardown),
        cmocka_unit_test_setup_teardown(frame_outlives_everything, guest_setup, guest_teardown),
        cmocka_unit_test_setup_teardown(frame_has_a_handle, guest_setup_by_linux_ways,
                                        guest_teardown),
        cmocka_unit_test_setup_teardown(frame_s_id_can_be_used_again, guest_setup, guest_teardown),
        cmocka_unit_test_setup_teardown(two_scanouts_share_a_blob, guest_setup, guest_teardown),
        cmocka_unit_test_setup_teardown(page_flips_leave_nothing_behind, guest_setup,
                                        guest_teardown),
        cmocka_unit_test_setup_teardown(flush_is_answered_when_the_frame_was_read, guest_setup,
                                        guest_teardown),
        cmocka_unit_test_setup_teardown(scattered_guest_blob_is_seen_in_place,
                                        guest_setup_by_linux_ways, guest_teardown),
    };
    return cmocka_run_group_tests_name("scanout", tests, NULL, NULL);
}
