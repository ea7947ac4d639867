/* SPDX-License-Identifier: MIT */
/*
 * Tests of saving and loading a device: that nothing is lost, what is in the way, and that a stream can be anything.
 *
 * states/ has a stream of each version, which every later release reads. This program makes one:
 * test-state FILE writes what draw_all() leaves behind.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "harness.h"

enum { WIDTH = 20, HEIGHT = 10, STRIDE = WIDTH * 4, SIZE = STRIDE * HEIGHT, SIDE = 8 };
enum { STATE_WINDOW = 16 << 20 }; /* whatever a page is */

static const uint32_t format = VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM;
static const struct vm_options options = { .num_outputs = 2, .window_size = STATE_WINDOW };

/* ---- a guest ------------------------------------------------------------------------------------- */

static uint32_t create_plain_context(uint32_t id)
{
    struct virtio_gpu_ctx_create request = {
        REQUEST(CTX_CREATE),
        .nlen = le32(5),
        .debug_name = "Xorg",
    };
    request.hdr.ctx_id = le32(id);
    return run_request(request);
}

static uint32_t create_named(uint32_t id, const char *name)
{
    struct virtio_gpu_ctx_create request = {
        REQUEST(CTX_CREATE),
        .nlen = le32((uint32_t)strlen(name)),
        .context_init = le32(VIRTIO_GPU_CAPSET_VENUS),
    };
    strncpy(request.debug_name, name, sizeof(request.debug_name));
    request.hdr.ctx_id = le32(id);
    return run_request(request);
}

static uint32_t update_cursor(uint32_t scanout, uint32_t id)
{
    const struct virtio_gpu_update_cursor request = {
        REQUEST(UPDATE_CURSOR),
        .pos = { .scanout_id = le32(scanout), .x = le32(100), .y = le32(200) },
        .resource_id = le32(id),
        .hot_x = le32(5),
        .hot_y = le32(6),
    };
    return wait_for(send_on(VENUS_GPU_QUEUE_CURSOR, &request, sizeof(request), 24));
}

static void get_uuid(uint32_t id, uint8_t uuid[16])
{
    const struct virtio_gpu_resource_assign_uuid request = {
        REQUEST(RESOURCE_ASSIGN_UUID),
        .resource_id = le32(id),
    };
    struct virtio_gpu_resp_resource_uuid response;
    assert_int_equal(run_command(&request, sizeof(request), &response, sizeof(response)),
                     VIRTIO_GPU_RESP_OK_RESOURCE_UUID);
    memcpy(uuid, response.uuid, 16);
}

static uint32_t events(void)
{
    struct virtio_gpu_config config;
    venus_gpu_read_config(vm.gpu, 0, &config, sizeof(config));
    return le32(config.events_read);
}

static uint32_t get_display_info(void)
{
    const struct virtio_gpu_ctrl_hdr request = { .type = le32(VIRTIO_GPU_CMD_GET_DISPLAY_INFO) };
    struct virtio_gpu_resp_display_info response;
    return run_command(&request, sizeof(request), &response, sizeof(response));
}

/* Of page and processor it is nothing that the guest's memory holds and the addresses depend on. */
static void fill_guest(void)
{
    for (uint32_t i = 0; i < (256 << 10) / sizeof(uint32_t); i++)
        ((uint32_t *)vm.ram)[i] = i * 2654435761u;
}

/* Resource 3: a picture that scanout 0 shows a part of, of two pieces of memory. 4: a guest blob, on scanout 1. 5: the
 * pointer. 6: a picture with nothing. Context 7 has 3, twice. */
static void draw_all(void)
{
    fill_guest();
    const struct virtio_gpu_mem_entry pieces[] = {
        entry(RAM_ADDR + 64, 3 * STRIDE),
        entry(RAM_ADDR + 0x10000, SIZE - 3 * STRIDE),
    };
    assert_ok(create_2d(3, format, WIDTH, HEIGHT));
    assert_ok(attach_backing(3, pieces, COUNT(pieces)));
    assert_ok(transfer(3, rect(0, 0, WIDTH, HEIGHT), 0));
    assert_ok(set_scanout(0, 3, rect(2, 1, WIDTH - 3, HEIGHT - 2)));

    const struct virtio_gpu_mem_entry blob = entry(RAM_ADDR + 0x20000, 0x10000);
    assert_ok(create_guest_blob(4, 0x10000, &blob, 1));
    const struct virtio_gpu_set_scanout_blob show = blob_scanout(1, 4, 32, 16);
    assert_ok(set_scanout_blob(&show));

    assert_ok(create_2d(5, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, SIDE, SIDE));
    assert_ok(attach_ram(5, RAM_ADDR + 4, SIDE * SIDE * 4));
    assert_ok(transfer(5, rect(0, 0, SIDE, SIDE), 0));
    assert_ok(update_cursor(0, 5));

    assert_ok(create_2d(6, VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM, 3, 2));
    assert_ok(create_plain_context(7));
    assert_ok(attach_resource(7, 3));
    assert_ok(attach_resource(7, 3));
}

/* What draw_all() left is there. */
static void assert_all(void)
{
    assert_int_equal(stat_value("resources"), 4);
    assert_int_equal(stat_value("resources-2d"), 3);
    assert_int_equal(stat_value("blobs"), 1);
    assert_int_equal(stat_value("contexts"), 1);

    const struct venus_gpu_frame *frame = shown(0);
    assert_non_null(frame);
    assert_int_equal(frame->resource_id, 3);
    assert_int_equal(frame->width, WIDTH - 3);
    assert_int_equal(frame->height, HEIGHT - 2);
    assert_int_equal(frame->stride, STRIDE);
    assert_int_equal(frame->format->virtio, format);
    const uint32_t *first = (const uint32_t *)frame->pixels - WIDTH - 2;
    for (uint32_t i = 0; i < WIDTH * HEIGHT; i++) {
        uint32_t at = i < 3 * WIDTH ? 16 + i : 0x4000 + i - 3 * WIDTH;
        assert_int_equal(first[i], at * 2654435761u);
    }
    frame = shown(1);
    assert_non_null(frame);
    assert_int_equal(frame->width, 32);
    assert_int_equal(*(const uint32_t *)frame->pixels, 0x8000 * 2654435761u);

    assert_true(vm.cursor.visible);
    assert_int_equal(vm.cursor.x, 100);
    assert_int_equal(vm.cursor.y, 200);
    assert_int_equal(vm.cursor.hot_x, 5);
    assert_int_equal(vm.cursor.hot_y, 6);
    assert_int_equal(vm.cursor_pixels[64 + 5], (1 + SIDE + 5) * 2654435761u);

    struct venus_gpu_context list[4];
    assert_int_equal(venus_gpu_contexts(vm.gpu, list, COUNT(list)), 2);
    assert_int_equal(list[1].id, 7);
    assert_string_equal(list[1].name, "Xorg");
}

/* The guest goes on as if nothing had been. */
static void assert_goes_on(void)
{
    ((uint32_t *)vm.ram)[16] = 0x12345678;
    assert_ok(transfer(3, rect(0, 0, WIDTH, HEIGHT), 0));
    assert_int_equal(((const uint32_t *)shown(0)->pixels - WIDTH - 2)[0], 0x12345678);
    assert_ok(flush(3, rect(0, 0, WIDTH, HEIGHT)));
    assert_error(attach_ram(3, RAM_ADDR, PAGE), UNSPEC);    /* it has a backing */
    assert_error(transfer(6, rect(0, 0, 3, 2), 0), UNSPEC); /* this one has none */
    assert_error(create_2d(4, format, 8, 8), INVALID_RESOURCE_ID);
    assert_ok(detach_resource(7, 3));
    assert_ok(detach_resource(7, 3));
    assert_error(detach_resource(7, 3), INVALID_RESOURCE_ID);
    assert_ok(unref(3));
    assert_null(shown(0));
    assert_ok(unref(4));
    assert_ok(unref(5));
    assert_ok(unref(6));
    assert_ok(destroy_context(7));
    assert_int_equal(guest_mappings(), 0);
    assert_int_equal(stat_value("memory-bytes"), 0);
    assert_ok(create_context(1)); /* Vulkan */
    assert_ok(create_host_blob(3, PAGE));
}

/* ---- streams ------------------------------------------------------------------------------------- */

static uint8_t *state;
static size_t state_size;

static void save(void)
{
    void *data = NULL;
    char *why = NULL;
    free(state);
    state = NULL;
    int ret = venus_gpu_save(vm.gpu, &data, &state_size, &why);
    if (ret)
        print_error("%s\n", why);
    assert_int_equal(ret, 0);
    assert_null(why);
    state = data;
}

static void load(void)
{
    char *why = NULL;
    int ret = venus_gpu_load(vm.gpu, state, state_size, &why);
    if (ret)
        print_error("%s\n", why);
    assert_int_equal(ret, 0);
    assert_null(why);
}

/* A copy behind which nothing can be read; the next one takes its place. */
static const void *at_edge(const void *data, size_t size)
{
    enum { ROOM = 1 << 20 };
    static char *room;
    if (!room) {
        room = mmap(NULL, ROOM + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        assert_true(room != MAP_FAILED && mprotect(room + ROOM, PAGE, PROT_NONE) == 0);
    }
    assert_true(size <= ROOM);
    return memcpy(room + ROOM - size, data, size);
}

/* A load of these bytes fails so and leaves nothing. */
static void assert_refused(const void *data, size_t size, int error, const char *text)
{
    char *why = NULL;
    assert_int_equal(venus_gpu_load(vm.gpu, at_edge(data, size), size, &why), error);
    assert_non_null(why);
    if (!strstr(why, text))
        print_error("%s\n", why);
    assert_non_null(strstr(why, text));
    free(why);
}

static void assert_empty(void)
{
    assert_int_equal(stat_value("resources"), 0);
    assert_int_equal(stat_value("resources-2d"), 0);
    assert_int_equal(stat_value("blobs"), 0);
    assert_int_equal(stat_value("contexts"), 0);
    assert_int_equal(stat_value("memory-bytes"), 0);
    assert_int_equal(guest_mappings(), 0);
    assert_null(shown(0));
    assert_null(shown(1));
}

static int teardown(void **unused)
{
    free(state);
    state = NULL;
    return vm_teardown(unused);
}

/* ---- tests --------------------------------------------------------------------------------------- */

static void test_reset_between(void **unused)
{
    (void)unused;
    vm_start(&options);
    draw_all();
    assert_all();
    uint8_t uuid[16], later[16];
    get_uuid(4, uuid);
    save();
    assert_all(); /* nothing has changed */
    uint64_t bytes = stat_value("memory-bytes");
    vm_reset();
    assert_empty();
    load();
    assert_all();
    assert_int_equal(stat_value("memory-bytes"), bytes);
    get_uuid(4, later);
    assert_memory_equal(uuid, later, 16);

    uint8_t *first = state;
    size_t size = state_size;
    state = NULL;
    save();
    assert_int_equal(state_size, size);
    assert_memory_equal(state, first, size);
    free(first);
    assert_goes_on();
}

/* Where guest memory cannot be seen in place, blobs are read when they are shown. */
static void test_another_device(void **unused)
{
    (void)unused;
    vm_start(&options);
    draw_all();
    save();
    vm_stop();
    const struct vm_options other = { .num_outputs = 2,
                                      .window_size = STATE_WINDOW,
                                      .private_ram = true };
    vm_start(&other);
    fill_guest();
    vm.map_piece = 5 * STRIDE;
    load();
    vm.map_piece = 0;
    assert_all();
    assert_goes_on();
}

static void test_nothing(void **unused)
{
    (void)unused;
    vm_start(&options);
    save();
    load();
    assert_empty();
    load();
    assert_ok(create_2d(1, format, 8, 8));
}

static void test_hidden_pointer(void **unused)
{
    (void)unused;
    vm_start(&options);
    draw_all();
    const struct virtio_gpu_update_cursor hide = {
        REQUEST(MOVE_CURSOR),
        .pos = { .x = le32(7), .y = le32(8) },
    };
    const struct virtio_gpu_update_cursor named = {
        REQUEST(MOVE_CURSOR),
        .pos = { .x = le32(7), .y = le32(8) },
        .resource_id = le32(5),
    };
    assert_ok(wait_for(send_on(VENUS_GPU_QUEUE_CURSOR, &named, sizeof(named), 24)));
    assert_ok(wait_for(send_on(VENUS_GPU_QUEUE_CURSOR, &hide, sizeof(hide), 24)));
    assert_false(vm.cursor.visible);
    save();
    vm_reset();
    load();
    assert_false(vm.cursor.visible);
    assert_int_equal(vm.cursor.x, 7);
    assert_ok(wait_for(send_on(VENUS_GPU_QUEUE_CURSOR, &named, sizeof(named), 24)));
    assert_true(vm.cursor.visible); /* its image is there */
    assert_ok(wait_for(send_on(VENUS_GPU_QUEUE_CURSOR, &hide, sizeof(hide), 24)));
    assert_false(vm.cursor.visible); /* and how this driver hides it is known */
}

static void set_size(unsigned index, uint32_t width, uint32_t height)
{
    const struct venus_gpu_output output = { .enabled = true, .width = width, .height = height };
    assert_int_equal(venus_gpu_set_output(vm.gpu, index, &output), 0);
}

static void clear_events(void)
{
    const struct virtio_gpu_config clear = { .events_clear = le32(VIRTIO_GPU_EVENT_DISPLAY) };
    venus_gpu_write_config(vm.gpu, 0, &clear, sizeof(clear));
}

/* What the guest was told is compared with what there is now. */
static void test_outputs(void **unused)
{
    (void)unused;
    vm_start(&options);
    set_size(0, 800, 600);
    assert_int_equal(get_display_info(), VIRTIO_GPU_RESP_OK_DISPLAY_INFO);
    clear_events();
    save();
    unsigned changes = vm.config_changes;
    load();
    assert_int_equal(vm.config_changes, changes);
    assert_int_equal(events(), 0);

    set_size(0, 1024, 768);
    clear_events();
    changes = vm.config_changes;
    load();
    assert_int_equal(vm.config_changes, changes + 1);
    assert_int_equal(events(), VIRTIO_GPU_EVENT_DISPLAY);

    /* An event that it had not cleared yet. */
    set_size(0, 1000, 500);
    save();
    clear_events();
    assert_int_equal(events(), 0);
    load();
    assert_int_equal(events(), VIRTIO_GPU_EVENT_DISPLAY);
}

static void assert_obstacle(const char *text)
{
    void *data = &data, *before = data;
    size_t size = 1;
    char *obstacle = venus_gpu_save_obstacle(vm.gpu), *why = NULL;
    int ret = venus_gpu_save(vm.gpu, &data, &size, &why);
    if (!text) {
        assert_null(obstacle);
        assert_int_equal(ret, 0);
        free(data);
        return;
    }
    assert_non_null(obstacle);
    assert_string_equal(obstacle, text);
    assert_int_equal(ret, -EBUSY);
    assert_string_equal(why, text);
    assert_ptr_equal(data, before);
    assert_int_equal(venus_gpu_save(vm.gpu, &data, &size, NULL), -EBUSY);
    free(obstacle);
    free(why);
}

#define CANNOT "What programs of the guest have in Vulkan cannot be saved: "

static void test_obstacles(void **unused)
{
    (void)unused;
    vm_start(&options);
    assert_obstacle(NULL);
    assert_ok(create_plain_context(1));
    assert_obstacle(NULL);
    assert_int_equal(vm.obstacle_changes, 0);

    assert_ok(create_named(2, "vkcube"));
    assert_obstacle(CANNOT "vkcube (context 2).");
    assert_int_equal(vm.obstacle_changes, 1);
    assert_ok(create_named(3, ""));
    assert_obstacle(CANNOT "vkcube (context 2), without a name (context 3).");
    assert_ok(destroy_context(1));
    assert_int_equal(vm.obstacle_changes, 2);

    /* A blob outlives its context, and a lost context is one. */
    const struct virtio_gpu_resource_create_blob blob = {
        .hdr = { .type = le32(VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB), .ctx_id = le32(3) },
        .resource_id = le32(9),
        .blob_mem = le32(VIRTIO_GPU_BLOB_MEM_HOST3D),
        .size = le64(PAGE),
    };
    assert_ok(create_blob(&blob, NULL, 0));
    assert_ok(destroy_context(2));
    assert_ok(destroy_context(3));
    assert_obstacle(CANNOT "without a name (context 3).");
    assert_int_equal(vm.obstacle_changes, 3);
    assert_ok(unref(9));
    assert_obstacle(NULL);
    assert_int_equal(vm.obstacle_changes, 4);
}

static void test_many_obstacles(void **unused)
{
    (void)unused;
    vm_start(&options);
    static const char longest[] = "123456789012345678901234567890123456789012345678901234567890123";
    for (uint32_t id = 1; id <= 10; id++)
        assert_ok(create_named(UINT32_MAX - 10 + id, longest));
    char *obstacle = venus_gpu_save_obstacle(vm.gpu);
    assert_non_null(strstr(obstacle, "(context 4294967293) and 2 more."));
    free(obstacle);
    vm_reset();
    assert_obstacle(NULL);
    assert_int_equal(vm.obstacle_changes, 20);
}

static void test_in_flight(void **unused)
{
    (void)unused;
    vm_start(&options);
    draw_all();
    vm.hold_flushes = true;
    struct sent *sent = send_flush(3, rect(0, 0, WIDTH, HEIGHT), 0, 0);
    wait_for_flushes(1);
    void *data = NULL;
    size_t size;
    char *why = NULL;
    assert_int_equal(venus_gpu_save(vm.gpu, &data, &size, &why), -EAGAIN);
    assert_string_equal(why, "Commands of the guest are still being executed.");
    free(why);
    answer_flush(0);
    assert_ok(wait_for(sent));
    save();
}

static void test_in_use(void **unused)
{
    (void)unused;
    vm_start(&options);
    draw_all();
    save();
    assert_refused(state, state_size, -EBUSY, "uses the device already: reset it first.");
    assert_all();
    vm_reset();
    assert_ok(create_context(1));
    assert_refused(state, state_size, -EBUSY, "reset it first");
    assert_ok(destroy_context(1));
    load();
}

static void test_other_devices(void **unused)
{
    (void)unused;
    static const struct {
        struct vm_options options;
        int error;
        const char *text;
    } devices[] = {
        { { .num_outputs = 1, .window_size = STATE_WINDOW },
          -EINVAL,
          "device: it is of a device with 2 outputs, and this one has 1." },
        { { .num_outputs = 2, .window_size = 2 * STATE_WINDOW },
          -EINVAL,
          "it is of a device with a window of 16 MiB, and this one has 32 MiB." },
        { { .num_outputs = 2, .window_size = STATE_WINDOW, .blob_alignment = 1 },
          -EINVAL,
          "it is of a device with blob_alignment 0, and this one has " },
        { { .num_outputs = 2, .window_size = STATE_WINDOW, .max_resources = 3 },
          -ENOMEM,
          "(max_resources)" },
        { { .num_outputs = 2, .window_size = STATE_WINDOW, .max_memory = 1 },
          -ENOMEM,
          "(max_memory)" },
    };
    vm_start(&options);
    draw_all();
    save();
    for (unsigned i = 0; i < COUNT(devices); i++) {
        vm_stop();
        vm_start(&devices[i].options);
        assert_refused(state, state_size, devices[i].error, devices[i].text);
        assert_empty();
    }
    vm_stop();
    vm_start(&options);
    vm.map_guest_fails_after = 2;
    assert_refused(state, state_size, -EINVAL, "this machine has no memory at 0x4");
    vm.map_guest_fails_after = -1;
    assert_empty();
    load();
}

/* A Venus of another virglrenderer's: the guest cannot be told. */
static void test_other_capset(void **unused)
{
    (void)unused;
    vm_start(&options);
    save();
    load();
    assert_int_equal(lines_logged(VENUS_GPU_LOG_WARNING), 0);
    /* Behind the mark and the version: a section of 16 bytes, and this one's header, version and size. */
    state[12 + 16 + 16 + 16 + 8] ^= 1;
    load();
    assert_true(was_logged(VENUS_GPU_LOG_WARNING, "knows another virglrenderer's Venus"));
    assert_int_equal(lines_logged(VENUS_GPU_LOG_WARNING), 1);
}

static void test_versions(void **unused)
{
    (void)unused;
    vm_start(&options);
    draw_all();
    save();
    vm_reset();
    state[8] = 2;
    char text[100];
    snprintf(text, sizeof(text), "it is of version 2, and libvenusgpu %s reads up to 1.",
             venus_gpu_version());
    assert_refused(state, state_size, -ENOTSUP, text);
    state[8] = 0;
    assert_refused(state, state_size, -ENOTSUP, "version 0");
    state[8] = 1;
    state[0] = 'w';
    assert_refused(state, state_size, -EINVAL, "it is none of this device");
    state[0] = 'v';

    /* A section that is not known, in front of all others. */
    uint8_t more[] = { 'n', 'e', 'w', ' ', 1, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 'a', 'b', 'c' };
    uint8_t *longer = malloc(state_size + sizeof(more));
    memcpy(longer, state, 12);
    memcpy(longer + 12, more, sizeof(more));
    memcpy(longer + 12 + sizeof(more), state + 12, state_size - 12);
    free(state);
    state = longer;
    state_size += sizeof(more);
    load();
    assert_all();
    vm_reset();
    state[12 + 4] = 0; /* it may not be left out */
    assert_refused(state, state_size, -ENOTSUP, "knows nothing of a section 0x2077656e there");
    assert_empty();
}

static void test_truncated(void **unused)
{
    (void)unused;
    vm_start(&options);
    draw_all();
    save();
    vm_reset();
    for (size_t size = 0; size < state_size;
         size += size < 2000 || size > state_size - 2000 ? 1 : 97)
        assert_refused(state, size, -EINVAL, "ends too early");
    assert_empty();
    uint8_t *longer = realloc(state, state_size + 1);
    longer[state_size] = 0;
    state = longer;
    assert_refused(state, state_size + 1, -EINVAL, "something stands behind its end");
    assert_empty();
    load();
}

/* Whatever stands there, it is loaded or nothing is. */
static void load_anything(void)
{
    char *why = NULL;
    int ret = venus_gpu_load(vm.gpu, at_edge(state, state_size), state_size, &why);
    if (ret == 0) {
        assert_null(why);
        venus_gpu_reset(vm.gpu);
    } else {
        assert_true(ret == -EINVAL || ret == -ENOTSUP || ret == -ENOMEM);
        assert_non_null(why);
        assert_int_equal(stat_value("resources"), 0);
        free(why);
    }
}

/* Small, and something of everything. */
static void draw_little(void)
{
    fill_guest();
    assert_ok(create_2d(3, format, 2, 2));
    assert_ok(attach_ram(3, RAM_ADDR, 64));
    assert_ok(set_scanout(0, 3, rect(0, 1, 2, 1)));
    const struct virtio_gpu_mem_entry blob = entry(RAM_ADDR + 0x20000, 0x10000);
    assert_ok(create_guest_blob(4, 0x10000, &blob, 1));
    const struct virtio_gpu_set_scanout_blob show = blob_scanout(1, 4, 32, 16);
    assert_ok(set_scanout_blob(&show));
    assert_ok(create_plain_context(7));
    assert_ok(attach_resource(7, 3));
}

static void test_damaged(void **unused)
{
    (void)unused;
    static const uint8_t masks[] = { 0x01, 0x80, 0xff };
    vm_start(&options);
    draw_little();
    save();
    vm_reset();
    for (size_t at = 0; at < state_size; at++) {
        for (unsigned i = 0; i < COUNT(masks); i++) {
            state[at] ^= masks[i];
            load_anything();
            state[at] ^= masks[i];
        }
    }
    for (size_t at = 0; at + 4 <= state_size; at++) {
        uint32_t was;
        memcpy(&was, state + at, 4);
        memset(state + at, 0, 4);
        load_anything();
        memset(state + at, 0x7f, 4);
        load_anything();
        memcpy(state + at, &was, 4);
    }
    assert_empty();
    load();
    assert_int_equal(shown(0)->resource_id, 3);
}

/* One that has the pages of a guest, and more memory than it says. */
static void test_mistakes(void **unused)
{
    (void)unused;
    vm_start(&options);
    draw_little();
    save();
    vm_reset();
    /* Find the pieces by what stands there. */
    static const uint8_t scan[] = { 's', 'c', 'a', 'n' }, reso[] = { 'r', 'e', 's', 'o' };
    uint8_t *scanouts = memmem(state, state_size, scan, sizeof(scan)),
            *resources = memmem(state, state_size, reso, sizeof(reso));
    assert_non_null(scanouts);
    assert_non_null(resources);
    scanouts += 16;
    resources += 16 + 4;
    const struct {
        uint8_t *at;
        uint8_t value;
        const char *text;
    } mistakes[] = {
        { scanouts, 9, "scanouts: output 0 shows what cannot be shown of resource 9" },
        { scanouts + 8, 2, "output 0 shows what cannot be shown" },          /* y */
        { scanouts + 12, 3, "output 0 shows what cannot be shown" },         /* width */
        { scanouts + 16, 0, "output 0 shows what cannot be shown" },         /* height */
        { scanouts + 20, 4, "output 0 shows what cannot be shown" },         /* offset */
        { scanouts + 28, 4, "output 0 shows what cannot be shown" },         /* stride */
        { scanouts + 32, 1, "output 0 shows what cannot be shown" },         /* another format */
        { scanouts + 32, 99, "output 0 shows what cannot be shown" },        /* none */
        { scanouts + 36 + 19, 0x7f, "output 1 shows what cannot be shown" }, /* height */
        { scanouts + 36 + 17, 0x3f, "output 1 shows more of resource 4 than there is" },
        { resources, 0, "resources: a resource 0" },
        { resources + 4, 2, "a resource with memory of kind 2" },
        { resources + 8, 2, "2 stands where only 0 or 1 can" },
        { resources + 28, 99, "a picture of 2 x 2 pixels of format 99" },
        { resources + 32, 0, "a picture of 0 x 2 pixels" },
    };
    for (unsigned i = 0; i < COUNT(mistakes); i++) {
        uint8_t was = *mistakes[i].at;
        *mistakes[i].at = mistakes[i].value;
        assert_refused(state, state_size, -EINVAL, mistakes[i].text);
        *mistakes[i].at = was;
        assert_empty();
    }
    load();
}

/* ---- streams of former releases ------------------------------------------------------------------- */

static void read_state(const char *name)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", STATES, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    state = malloc(1 << 20);
    state_size = fread(state, 1, 1 << 20, file);
    fclose(file);
    assert_true(state_size > 1000);
}

static void test_version_1(void **unused)
{
    (void)unused;
    vm_start(&options);
    fill_guest();
    read_state("1");
    load();
    assert_all();
    assert_goes_on();
}

static void test_writing(void **unused)
{
    vm_start(&options);
    set_size(0, 1280, 800);
    clear_events();
    draw_all();
    save();
    FILE *file = fopen(*unused, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(state, 1, state_size, file), state_size);
    assert_int_equal(fclose(file), 0);
}

#define STATE_TEST(function) cmocka_unit_test_teardown(function, teardown)

int main(int argc, char **argv)
{
    const struct CMUnitTest writing[] = {
        cmocka_unit_test_prestate_setup_teardown(test_writing, NULL, teardown, argv[argc > 1]),
    };
    if (argc > 1)
        return cmocka_run_group_tests(writing, NULL, NULL);
    const struct CMUnitTest tests[] = {
        STATE_TEST(test_reset_between),  STATE_TEST(test_another_device),
        STATE_TEST(test_nothing),        STATE_TEST(test_hidden_pointer),
        STATE_TEST(test_outputs),        STATE_TEST(test_obstacles),
        STATE_TEST(test_many_obstacles), STATE_TEST(test_in_flight),
        STATE_TEST(test_in_use),         STATE_TEST(test_other_devices),
        STATE_TEST(test_other_capset),   STATE_TEST(test_versions),
        STATE_TEST(test_truncated),      STATE_TEST(test_damaged),
        STATE_TEST(test_mistakes),       STATE_TEST(test_version_1),
    };
    return RUN_TESTS(tests);
}
