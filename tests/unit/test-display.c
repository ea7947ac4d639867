/* SPDX-License-Identifier: MIT */
/*
 * Tests of outputs as the guest is told of them: display information, configuration space, EDID.
 *
 * The EDID is read back by a decoder of our own, written from the standards' tables (EDID 1.4
 * section 3, DisplayID 1.3 section 4) and not from what writes it.
 */
#include <errno.h>
#include <stdio.h>

#include "harness.h"

/* ---- a decoder ------------------------------------------------------------------------------- */

struct mode {
    bool extension; /* it stood in a DisplayID extension */
    double clock;   /* hertz */
    unsigned width, hblank, hfront, hsync;
    unsigned height, vblank, vfront, vsync;
    unsigned width_mm, height_mm; /* the base block's detailed timing only */
    unsigned width_cm, height_cm;
    char name[14];
};

static void check_sum(const uint8_t *bytes, size_t size)
{
    uint8_t sum = 0;
    for (size_t i = 0; i < size; i++)
        sum = (uint8_t)(sum + bytes[i]);
    assert_int_equal(sum, 0);
}

static unsigned u16(const uint8_t *at)
{
    return (unsigned)at[0] | (unsigned)at[1] << 8;
}

static void decode_detailed(const uint8_t *d, struct mode *mode)
{
    mode->clock = u16(d) * 10000.0;
    mode->width = d[2] | (d[4] & 0xf0u) << 4;
    mode->hblank = d[3] | (d[4] & 0x0fu) << 8;
    mode->height = d[5] | (d[7] & 0xf0u) << 4;
    mode->vblank = d[6] | (d[7] & 0x0fu) << 8;
    mode->hfront = d[8] | (d[11] & 0xc0u) << 2;
    mode->hsync = d[9] | (d[11] & 0x30u) << 4;
    mode->vfront = d[10] >> 4 | (d[11] & 0x0cu) << 2;
    mode->vsync = (d[10] & 0x0fu) | (d[11] & 0x03u) << 4;
    mode->width_mm = d[12] | (d[14] & 0xf0u) << 4;
    mode->height_mm = d[13] | (d[14] & 0x0fu) << 8;
    assert_int_equal(d[15], 0); /* no border */
    assert_int_equal(d[16], 0);
    assert_int_equal(d[17] & 0x80, 0);    /* not interlaced */
    assert_int_equal(d[17] & 0x18, 0x18); /* digital separate sync */
}

static void decode_displayid(const uint8_t *e, struct mode *mode)
{
    assert_int_equal(e[0], 0x70);
    check_sum(e, 128);
    const uint8_t *section = e + 1;
    assert_int_equal(section[0] >> 4, 1); /* version 1.x */
    unsigned bytes = section[1];
    assert_true(bytes <= 121);
    assert_int_equal(section[3], 0); /* no extensions of its own */
    check_sum(section, bytes + 5);

    bool found = false;
    for (const uint8_t *block = section + 4; block < section + 4 + bytes && block[2];
         block += 3 + block[2]) {
        if (block[0] != 0x03)
            continue;
        assert_int_equal(block[2] % 20, 0);
        const uint8_t *d = block + 3;
        mode->clock = ((d[0] | d[1] << 8 | d[2] << 16) + 1) * 10000.0;
        assert_true(d[3] & 0x80);         /* preferred */
        assert_int_equal(d[3] & 0x10, 0); /* not interlaced */
        mode->width = u16(d + 4) + 1;
        mode->hblank = u16(d + 6) + 1;
        mode->hfront = (u16(d + 8) & 0x7fff) + 1;
        mode->hsync = u16(d + 10) + 1;
        mode->height = u16(d + 12) + 1;
        mode->vblank = u16(d + 14) + 1;
        mode->vfront = (u16(d + 16) & 0x7fff) + 1;
        mode->vsync = u16(d + 18) + 1;
        mode->extension = true;
        found = true;
    }
    assert_true(found);
}

/* Smaller and larger sizes are there to choose, all at 60 Hz. */
static void decode_common_modes(const uint8_t *e)
{
    static const unsigned ratios[4][2] = { { 16, 10 }, { 4, 3 }, { 5, 4 }, { 16, 9 } };
    static const char expected[] = "640x480 800x600 1024x768 1280x720 1280x800 1280x1024 1440x900 "
                                   "1600x900 1680x1050 1920x1080 1920x1200 ";
    char modes[256] = "";
    size_t used = 0;

    if (e[35] & 0x20)
        used += (size_t)snprintf(modes + used, sizeof(modes) - used, "640x480 ");
    if (e[35] & 0x01)
        used += (size_t)snprintf(modes + used, sizeof(modes) - used, "800x600 ");
    if (e[36] & 0x08)
        used += (size_t)snprintf(modes + used, sizeof(modes) - used, "1024x768 ");
    assert_int_equal(e[35] & ~0x21, 0);
    assert_int_equal(e[36] & ~0x08, 0);
    for (unsigned i = 38; i < 54; i += 2) {
        unsigned width = (e[i] + 31u) * 8, ratio = e[i + 1] >> 6;
        assert_int_equal(e[i + 1] & 0x3f, 0); /* 60 Hz */
        used += (size_t)snprintf(modes + used, sizeof(modes) - used, "%ux%u ", width,
                                 width * ratios[ratio][1] / ratios[ratio][0]);
    }
    assert_string_equal(modes, expected);
}

static void decode(const uint8_t *e, size_t size, struct mode *mode)
{
    static const uint8_t header[8] = { 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0 };
    memset(mode, 0, sizeof(*mode));
    assert_memory_equal(e, header, sizeof(header));
    check_sum(e, 128);
    unsigned maker = (unsigned)e[8] << 8 | e[9];
    assert_int_equal('A' - 1 + (maker >> 10 & 31), 'V');
    assert_int_equal('A' - 1 + (maker >> 5 & 31), 'N');
    assert_int_equal('A' - 1 + (maker & 31), 'S');
    assert_int_equal(e[18], 1);
    assert_int_equal(e[19], 4);
    assert_true(e[20] & 0x80); /* digital */
    mode->width_cm = e[21];
    mode->height_cm = e[22];
    decode_common_modes(e);
    assert_int_equal(size, 128u * (1 + e[126]));

    bool has_range = false;
    for (unsigned i = 54; i < 126; i += 18) {
        const uint8_t *d = e + i;
        if (d[0] || d[1]) {
            assert_int_equal(i, 54); /* the preferred timing is the first descriptor */
            decode_detailed(d, mode);
        } else if (d[3] == 0xfc) {
            memcpy(mode->name, d + 5, 13);
            char *end = strchr(mode->name, '\n');
            if (end)
                *end = '\0';
            for (const char *pad = end ? end + 1 : ""; *pad; pad++)
                assert_int_equal(*pad, ' ');
        } else if (d[3] == 0xfd) {
            has_range = true;
            assert_true(d[5] <= d[6] && d[7] <= d[8]);
        } else {
            assert_int_equal(d[3], 0x10);
        }
    }
    assert_true(has_range);
    if (size > 128)
        decode_displayid(e + 128, mode);
    assert_true(mode->hfront + mode->hsync < mode->hblank);
    assert_true(mode->vfront + mode->vsync < mode->vblank);
}

static uint32_t get_edid(uint32_t scanout, struct virtio_gpu_resp_edid *response)
{
    const struct virtio_gpu_get_edid request = { REQUEST(GET_EDID), .scanout = le32(scanout) };
    return run_command(&request, sizeof(request), response, sizeof(*response));
}

static struct mode get_mode(uint32_t scanout)
{
    struct virtio_gpu_resp_edid response;
    struct mode mode;
    assert_int_equal(get_edid(scanout, &response), VIRTIO_GPU_RESP_OK_EDID);
    uint32_t size = le32(response.size);
    assert_true(size == 128 || size == 256);
    for (unsigned i = size; i < sizeof(response.edid); i++)
        assert_int_equal(response.edid[i], 0);
    decode(response.edid, size, &mode);
    return mode;
}

static double refresh(const struct mode *mode)
{
    return mode->clock / ((double)(mode->width + mode->hblank) * (mode->height + mode->vblank));
}

/* ---- EDID ------------------------------------------------------------------------------------ */

static void set_output(unsigned index, uint32_t width, uint32_t height, uint32_t refresh_mhz)
{
    const struct venus_gpu_output output = {
        .enabled = true,
        .width = width,
        .height = height,
        .refresh_mhz = refresh_mhz,
    };
    assert_int_equal(venus_gpu_set_output(vm.gpu, index, &output), 0);
}

static void test_modes(void **state)
{
    (void)state;
    vm_start(NULL);
    static const struct {
        uint32_t width, height, refresh_mhz;
        bool extension;
    } modes[] = {
        { 640, 480, 60000, false },    { 800, 600, 0, false },        { 1024, 768, 75000, false },
        { 1280, 800, 0, false },       { 1366, 768, 59940, false },   { 1920, 1080, 60000, false },
        { 1920, 1080, 240000, false }, { 2560, 1440, 144000, false }, { 3840, 2160, 60000, false },
        { 3840, 2160, 75000, true },   { 3440, 1440, 120000, false }, { 4095, 2160, 60000, false },
        { 4096, 2160, 60000, true },   { 5120, 2880, 60000, true },   { 5120, 2880, 0, true },
        { 7680, 4320, 60000, true },   { 8192, 4320, 60000, true },   { 16384, 16384, 60000, true },
        { 1080, 1920, 60000, false },  { 100, 4096, 60000, true },    { 1921, 1081, 50001, false },
    };
    for (unsigned i = 0; i < COUNT(modes); i++) {
        set_output(0, modes[i].width, modes[i].height, modes[i].refresh_mhz);
        const struct mode mode = get_mode(0);
        assert_int_equal(mode.width, modes[i].width);
        assert_int_equal(mode.height, modes[i].height);
        assert_int_equal(mode.extension, modes[i].extension);
        double wanted = modes[i].refresh_mhz ? modes[i].refresh_mhz / 1000.0 : 75;
        /* The clock is a multiple of 10 kHz. */
        double step = 10000 / (mode.clock / refresh(&mode));
        assert_float_equal(refresh(&mode), wanted, step);
    }
}

/* Whatever the front end asks for, what comes out can be read. */
static void test_odd_modes(void **state)
{
    (void)state;
    vm_start(NULL);
    static const uint32_t sizes[] = { 0, 1, 2, 7, 639, 4095, 4096, 16384, 16385, UINT32_MAX };
    static const uint32_t rates[] = { 0, 1, 1000, 60000, 1000000, UINT32_MAX };
    for (unsigned i = 0; i < COUNT(sizes) * COUNT(sizes) * COUNT(rates); i++) {
        uint32_t width = sizes[i % COUNT(sizes)], height = sizes[i / COUNT(sizes) % COUNT(sizes)];
        set_output(0, width, height, rates[i / COUNT(sizes) / COUNT(sizes)]);
        const struct mode mode = get_mode(0);
        assert_int_equal(mode.width, !width ? 1 : width > 16384 ? 16384 : width);
        assert_int_equal(mode.height, !height ? 1 : height > 16384 ? 16384 : height);
        assert_true(mode.clock > 0);
    }
}

static void test_sizes_in_mm(void **state)
{
    (void)state;
    vm_start(NULL);
    set_output(0, 1920, 1080, 60000);
    struct mode mode = get_mode(0);
    assert_uint_in_range(mode.width_mm, 487, 488); /* 100 dots per inch */
    assert_uint_in_range(mode.height_mm, 274, 275);
    assert_int_equal(mode.width_cm, 48);
    assert_int_equal(mode.height_cm, 27);

    struct venus_gpu_output output = {
        .enabled = true,
        .width = 1920,
        .height = 1080,
        .width_mm = 600,
        .height_mm = 340,
    };
    assert_int_equal(venus_gpu_set_output(vm.gpu, 0, &output), 0);
    mode = get_mode(0);
    assert_int_equal(mode.width_mm, 600);
    assert_int_equal(mode.height_mm, 340);
    assert_int_equal(mode.width_cm, 60);
    /* Larger than the fields. */
    output.width_mm = output.height_mm = 100000;
    assert_int_equal(venus_gpu_set_output(vm.gpu, 0, &output), 0);
    mode = get_mode(0);
    assert_int_equal(mode.width_mm, 4095);
    assert_int_equal(mode.height_cm, 255);
}

static void test_names(void **state)
{
    (void)state;
    vm_start(NULL);
    static const struct {
        const char *name, *seen;
    } names[] = {
        { NULL, "Venus" },
        { "", "Venus" },
        { "x", "x" },
        { "left screen", "left screen" },
        { "twelve chars", "twelve chars" },
        { "more than twelve chars", "more than tw" },
    };
    for (unsigned i = 0; i < COUNT(names); i++) {
        const struct venus_gpu_output output = {
            .enabled = true,
            .width = 800,
            .height = 600,
            .name = names[i].name,
        };
        assert_int_equal(venus_gpu_set_output(vm.gpu, 0, &output), 0);
        assert_string_equal(get_mode(0).name, names[i].seen);
    }
}

static void test_edid_of_scanouts(void **state)
{
    (void)state;
    vm_start(&(struct vm_options){ .num_outputs = 16 });
    struct virtio_gpu_resp_edid response;
    for (unsigned i = 0; i < 16; i++)
        set_output(i, 1000 + i, 500 + i, 60000);
    for (unsigned i = 0; i < 16; i++)
        assert_int_equal(get_mode(i).width, 1000 + i);
    assert_error(get_edid(16, &response), INVALID_SCANOUT_ID);
    assert_error(get_edid(UINT32_MAX, &response), INVALID_SCANOUT_ID);
    vm_stop();

    vm_start(&(struct vm_options){ .num_outputs = 1 });
    assert_error(get_edid(1, &response), INVALID_SCANOUT_ID);
}

/* ---- display information and configuration space --------------------------------------------- */

static struct virtio_gpu_resp_display_info get_display_info(void)
{
    const struct virtio_gpu_ctrl_hdr request = { .type = le32(VIRTIO_GPU_CMD_GET_DISPLAY_INFO) };
    struct virtio_gpu_resp_display_info response;
    assert_int_equal(run_command(&request, sizeof(request), &response, sizeof(response)),
                     VIRTIO_GPU_RESP_OK_DISPLAY_INFO);
    return response;
}

static void check_pmode(const struct virtio_gpu_display_one *pmode, uint32_t enabled, uint32_t x,
                        uint32_t y, uint32_t width, uint32_t height)
{
    assert_int_equal(le32(pmode->enabled), enabled);
    assert_int_equal(le32(pmode->r.x), x);
    assert_int_equal(le32(pmode->r.y), y);
    assert_int_equal(le32(pmode->r.width), width);
    assert_int_equal(le32(pmode->r.height), height);
    assert_int_equal(pmode->flags, 0);
}

static void test_display_info(void **state)
{
    (void)state;
    vm_start(NULL);
    struct virtio_gpu_resp_display_info info = get_display_info();
    check_pmode(&info.pmodes[0], 1, 0, 0, 1280, 800);
    for (unsigned i = 1; i < 16; i++)
        check_pmode(&info.pmodes[i], 0, 0, 0, 0, 0);

    const struct venus_gpu_output output = {
        .enabled = true,
        .x = 1280,
        .y = 5,
        .width = 1920,
        .height = 1200,
    };
    assert_int_equal(venus_gpu_set_output(vm.gpu, 1, &output), 0);
    info = get_display_info();
    check_pmode(&info.pmodes[0], 1, 0, 0, 1280, 800);
    check_pmode(&info.pmodes[1], 1, 1280, 5, 1920, 1200);

    /* What is off has no size. */
    const struct venus_gpu_output off = { .width = 640, .height = 480 };
    assert_int_equal(venus_gpu_set_output(vm.gpu, 0, &off), 0);
    info = get_display_info();
    check_pmode(&info.pmodes[0], 0, 0, 0, 0, 0);
    check_pmode(&info.pmodes[1], 1, 1280, 5, 1920, 1200);

    assert_int_equal(venus_gpu_set_output(vm.gpu, 2, &output), -EINVAL);
    assert_int_equal(venus_gpu_set_output(vm.gpu, 16, &output), -EINVAL);
}

/* What a guest is told to show can be shown. */
static void test_size_has_a_bound(void **state)
{
    (void)state;
    enum { MOST = VENUS_GPU_MAX_SIDE };
    vm_start(NULL);
    set_output(0, UINT32_MAX, MOST + 1, 0);
    set_output(1, MOST, MOST, 0);
    const struct virtio_gpu_resp_display_info info = get_display_info();
    check_pmode(&info.pmodes[0], 1, 0, 0, MOST, MOST);
    check_pmode(&info.pmodes[1], 1, 0, 0, MOST, MOST);
}

static struct virtio_gpu_config read_config(void)
{
    struct virtio_gpu_config config;
    venus_gpu_read_config(vm.gpu, 0, &config, sizeof(config));
    return config;
}

static void write_config(size_t offset, uint32_t value)
{
    value = le32(value);
    venus_gpu_write_config(vm.gpu, offset, &value, sizeof(value));
}

static void test_config(void **state)
{
    (void)state;
    vm_start(&(struct vm_options){ .num_outputs = 3 });
    const struct virtio_gpu_config config = read_config();
    assert_int_equal(config.events_read, 0);
    assert_int_equal(config.events_clear, 0);
    assert_int_equal(le32(config.num_scanouts), 3);
    assert_int_equal(le32(config.num_capsets), 1);

    /* Parts, and reads that reach beyond it. */
    uint8_t bytes[40];
    for (size_t offset = 0; offset < 20; offset++) {
        for (size_t len = 0; len <= 24; len++) {
            memset(bytes, 0xee, sizeof(bytes));
            venus_gpu_read_config(vm.gpu, offset, bytes, len);
            for (size_t i = 0; i < len; i++)
                assert_int_equal(bytes[i], offset + i < sizeof(config)
                                               ? ((const uint8_t *)&config)[offset + i]
                                               : 0);
            assert_int_equal(bytes[len], 0xee);
        }
    }
    memset(bytes, 0xee, sizeof(bytes));
    venus_gpu_read_config(vm.gpu, SIZE_MAX, bytes, 4);
    assert_int_equal(bytes[0], 0);
}

static void test_events(void **state)
{
    (void)state;
    vm_start(NULL);
    enum { EVENTS_READ = 0, EVENTS_CLEAR = 4, NUM_SCANOUTS = 8 };
    assert_int_equal(vm.config_changes, 0);
    set_output(0, 1024, 768, 0);
    assert_int_equal(vm.config_changes, 1);
    assert_int_equal(le32(read_config().events_read), VIRTIO_GPU_EVENT_DISPLAY);
    set_output(0, 1024, 768, 0); /* no change */
    assert_int_equal(vm.config_changes, 1);

    /* Only events_clear can be written, and only what is said there is cleared. */
    write_config(EVENTS_READ, 0);
    write_config(NUM_SCANOUTS, 99);
    write_config(EVENTS_CLEAR, 0xfffffffe);
    write_config(sizeof(struct virtio_gpu_config), 1);
    write_config(SIZE_MAX - 1, 1);
    assert_int_equal(le32(read_config().events_read), VIRTIO_GPU_EVENT_DISPLAY);
    assert_int_equal(le32(read_config().num_scanouts), 2);
    write_config(EVENTS_CLEAR, VIRTIO_GPU_EVENT_DISPLAY);
    assert_int_equal(read_config().events_read, 0);
    assert_int_equal(read_config().events_clear, 0);

    /* A byte of it at a time, and the whole structure at once. */
    set_output(0, 1025, 768, 0);
    const uint8_t one = 1;
    venus_gpu_write_config(vm.gpu, EVENTS_CLEAR, &one, 1);
    assert_int_equal(read_config().events_read, 0);
    set_output(0, 1026, 768, 0);
    const struct virtio_gpu_config all = { .events_clear = le32(1) };
    venus_gpu_write_config(vm.gpu, 0, &all, sizeof(all));
    assert_int_equal(read_config().events_read, 0);
}

/* What changes between the guest's asking and its clearing of the event is not lost on it. */
static void test_late_events(void **state)
{
    (void)state;
    vm_start(NULL);
    enum { EVENTS_CLEAR = 4 };
    set_output(0, 1024, 768, 0);
    get_display_info();
    set_output(1, 640, 480, 0);
    assert_int_equal(vm.config_changes, 2);
    write_config(EVENTS_CLEAR, 0xfffffffe);
    assert_int_equal(vm.config_changes, 2);
    write_config(EVENTS_CLEAR, VIRTIO_GPU_EVENT_DISPLAY);
    assert_int_equal(vm.config_changes, 3);
    assert_int_equal(le32(read_config().events_read), VIRTIO_GPU_EVENT_DISPLAY);

    /* Once is enough, whether it asks or not. */
    write_config(EVENTS_CLEAR, VIRTIO_GPU_EVENT_DISPLAY);
    assert_int_equal(read_config().events_read, 0);
    assert_int_equal(vm.config_changes, 3);

    /* Nothing comes late if it asks once more, or only after clearing. */
    set_output(0, 1025, 768, 0);
    get_display_info();
    set_output(0, 1026, 768, 0);
    get_display_info();
    write_config(EVENTS_CLEAR, VIRTIO_GPU_EVENT_DISPLAY);
    assert_int_equal(read_config().events_read, 0);
    set_output(0, 1027, 768, 0);
    set_output(0, 1028, 768, 0);
    write_config(EVENTS_CLEAR, VIRTIO_GPU_EVENT_DISPLAY);
    assert_int_equal(read_config().events_read, 0);
    get_display_info();
    set_output(0, 1029, 768, 0);
    write_config(EVENTS_CLEAR, VIRTIO_GPU_EVENT_DISPLAY);
    assert_int_equal(read_config().events_read, 0);
    assert_int_equal(vm.config_changes, 8);
}

/* Each thing that can change. */
static void test_changes(void **state)
{
    (void)state;
    vm_start(NULL);
    char name[] = "one";
    struct venus_gpu_output output = { .name = name };
    assert_int_equal(venus_gpu_set_output(vm.gpu, 0, &output), 0);
    unsigned before = vm.config_changes;
    output.enabled = true;
    venus_gpu_set_output(vm.gpu, 0, &output);
    output.x = 1;
    venus_gpu_set_output(vm.gpu, 0, &output);
    output.y = 1;
    venus_gpu_set_output(vm.gpu, 0, &output);
    output.width = 1;
    venus_gpu_set_output(vm.gpu, 0, &output);
    output.height = 1;
    venus_gpu_set_output(vm.gpu, 0, &output);
    output.width_mm = 1;
    venus_gpu_set_output(vm.gpu, 0, &output);
    output.height_mm = 1;
    venus_gpu_set_output(vm.gpu, 0, &output);
    output.refresh_mhz = 1;
    venus_gpu_set_output(vm.gpu, 0, &output);
    output.name = NULL;
    venus_gpu_set_output(vm.gpu, 0, &output);
    /* The name was copied: what the caller does with its own does not matter. */
    output.name = name;
    venus_gpu_set_output(vm.gpu, 0, &output);
    name[0] = 'x';
    assert_string_equal(get_mode(0).name, "one");
    venus_gpu_set_output(vm.gpu, 0, &output);
    assert_int_equal(vm.config_changes, before + 11);
    venus_gpu_set_output(vm.gpu, 0, &output);
    assert_int_equal(vm.config_changes, before + 11);
}

/* Outputs are the host's: a reset does not touch them. */
static void test_reset_keeps_outputs(void **state)
{
    (void)state;
    vm_start(NULL);
    set_output(1, 999, 555, 0);
    vm_reset();
    const struct virtio_gpu_resp_display_info info = get_display_info();
    check_pmode(&info.pmodes[1], 1, 0, 0, 999, 555);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_modes),
        TEST(test_odd_modes),
        TEST(test_sizes_in_mm),
        TEST(test_names),
        TEST(test_edid_of_scanouts),
        TEST(test_display_info),
        TEST(test_size_has_a_bound),
        TEST(test_config),
        TEST(test_events),
        TEST(test_late_events),
        TEST(test_changes),
        TEST(test_reset_keeps_outputs),
    };
    return RUN_TESTS(tests);
}
