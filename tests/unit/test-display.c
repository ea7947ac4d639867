/* SPDX-License-Identifier: MIT */
/*
 * Tests of outputs as the guest is told of them: display information, configuration space, EDID.
 *
 * The EDID is read back by a decoder of our own, written from the standards' tables (EDID 1.4
 * section 3, CTA-861 section 7, DisplayID 1.3 section 4) and not from what writes it; and by
 * edid-decode, where there is one, which knows what else these standards want.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "harness.h"

/* ---- a decoder ------------------------------------------------------------------------------- */

struct mode {
    bool extension; /* it stood in a DisplayID extension */
    bool has_range; /* the monitor has limits */
    char list[512]; /* modes that stand beside it */
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

/* What a monitor says that it can do; has_range is false where it says nothing. */
struct range {
    double clock, least_khz, most_khz, least_hz, most_hz;
};

static struct range decode_range(const uint8_t *d)
{
    assert_int_equal(d[0] | d[1] | d[2], 0);
    assert_int_equal(d[4] & ~0x0a, 0); /* only the upper ones have 255 more */
    assert_int_equal(d[10], 1);        /* bare limits: no formula to make others by */
    assert_int_equal(d[11], '\n');
    for (unsigned i = 12; i < 18; i++)
        assert_int_equal(d[i], ' ');
    const struct range range = {
        .clock = d[9] * 10e6,
        .least_hz = d[5],
        .most_hz = d[6] + (d[4] & 0x02 ? 255 : 0),
        .least_khz = d[7],
        .most_khz = d[8] + (d[4] & 0x08 ? 255 : 0),
    };
    assert_true(range.least_hz >= 1 && range.least_hz < range.most_hz);
    assert_true(range.least_khz >= 1 && range.least_khz < range.most_khz);
    return range;
}

static void check_in_range(const struct range *range, double clock, double khz, double hz)
{
    assert_true(clock <= range->clock);
    assert_true(khz >= range->least_khz && khz <= range->most_khz);
    assert_true(hz >= range->least_hz && hz <= range->most_hz);
}

static void check_mode_in_range(const struct range *range, const struct mode *mode)
{
    double lines = mode->clock / (mode->width + mode->hblank);
    check_in_range(range, mode->clock, lines / 1000, lines / (mode->height + mode->vblank));
}

/* Common modes at 60 Hz as VESA's DMT and CTA-861 have them: MHz, kHz and Hz. */
static const struct common {
    unsigned width, height;
    double mhz, khz, hz;
} common[] = {
    { 640, 480, 25.175, 31.469, 59.940 },
    { 800, 600, 40, 37.879, 60.317 },
    { 1024, 768, 65, 48.363, 60.004 },
    { 1280, 720, 74.25, 45, 60 },
    { 1280, 800, 83.5, 49.702, 59.810 },
    { 1600, 900, 108, 60, 60 },
    { 1920, 1080, 148.5, 67.5, 60 },
    { 2048, 1152, 162, 72, 60 },
    { 848, 480, 33.75, 31.020, 60 },
    { 1280, 768, 79.5, 47.776, 59.870 },
    { 1280, 960, 108, 60, 60 },
    { 1280, 1024, 108, 63.981, 60.020 },
    { 1360, 768, 85.5, 47.712, 60.015 },
    { 1440, 900, 106.5, 55.935, 59.887 },
    { 1400, 1050, 121.75, 65.317, 59.978 },
    { 1680, 1050, 146.25, 65.290, 59.954 },
    { 1600, 1200, 162, 75, 60 },
    { 1792, 1344, 204.75, 83.640, 60 },
    { 1856, 1392, 218.25, 86.333, 59.995 },
    { 1920, 1200, 154, 74.038, 59.950 },
    { 1920, 1440, 234, 90, 60 },
    { 2560, 1080, 198, 66, 60 },
    { 3840, 2160, 594, 135, 60 },
    { 4096, 2160, 594, 135, 60 },
    { 5120, 2160, 742.5, 135, 60 },
};

/* A mode that is listed by no more than a bit or a number. */
static void add_common(struct mode *mode, const struct range *range, unsigned width,
                       unsigned height)
{
    size_t i = 0;
    while (i < COUNT(common) && (common[i].width != width || common[i].height != height))
        i++;
    assert_true(i < COUNT(common));
    if (mode->has_range)
        check_in_range(range, common[i].mhz * 1e6, common[i].khz, common[i].hz);
    size_t used = strlen(mode->list);
    snprintf(mode->list + used, sizeof(mode->list) - used, "%ux%u ", width, height);
}

static void decode_established(const uint8_t *e, const struct range *range, struct mode *mode)
{
    assert_int_equal(e[35] & ~0x21, 0);
    assert_int_equal(e[36] & ~0x08, 0);
    assert_int_equal(e[37], 0);
    if (e[35] & 0x20)
        add_common(mode, range, 640, 480);
    if (e[35] & 0x01)
        add_common(mode, range, 800, 600);
    if (e[36] & 0x08)
        add_common(mode, range, 1024, 768);
}

static void decode_standard(const uint8_t *e, const struct range *range, struct mode *mode)
{
    static const unsigned ratios[4][2] = { { 16, 10 }, { 4, 3 }, { 5, 4 }, { 16, 9 } };
    for (unsigned i = 38; i < 54; i += 2) {
        unsigned width = (e[i] + 31u) * 8, ratio = e[i + 1] >> 6;
        if (e[i] == 1 && e[i + 1] == 1)
            continue;
        assert_int_equal(e[i + 1] & 0x3f, 0); /* 60 Hz */
        add_common(mode, range, width, width * ratios[ratio][1] / ratios[ratio][0]);
    }
}

/* Established timings III: those that are at 60 Hz. */
static void decode_more(const uint8_t *d, const struct range *range, struct mode *mode)
{
    static const struct {
        unsigned byte, bit, width, height;
    } bits[] = {
        { 6, 3, 848, 480 },    { 7, 6, 1280, 768 },   { 7, 3, 1280, 960 },   { 7, 1, 1280, 1024 },
        { 8, 7, 1360, 768 },   { 8, 5, 1440, 900 },   { 8, 1, 1400, 1050 },  { 9, 5, 1680, 1050 },
        { 9, 2, 1600, 1200 },  { 10, 5, 1792, 1344 }, { 10, 3, 1856, 1392 }, { 10, 1, 1920, 1200 },
        { 11, 5, 1920, 1440 },
    };
    uint8_t rest[18];
    memcpy(rest, d, sizeof(rest));
    assert_int_equal(d[5], 10);
    for (size_t i = 0; i < COUNT(bits); i++) {
        if (d[bits[i].byte] & 1 << bits[i].bit)
            add_common(mode, range, bits[i].width, bits[i].height);
        rest[bits[i].byte] &= (uint8_t) ~(1 << bits[i].bit);
    }
    for (unsigned i = 6; i < 18; i++)
        assert_int_equal(rest[i], 0);
}

static void decode_cta(const uint8_t *e, const struct range *range, struct mode *mode)
{
    static const unsigned numbers[][3] = {
        { 90, 2560, 1080 }, { 97, 3840, 2160 }, { 102, 4096, 2160 }, { 126, 5120, 2160 }
    };
    check_sum(e, 128);
    assert_int_equal(e[1], 3);
    for (const uint8_t *block = e + 4; block < e + e[2]; block += 1 + (*block & 31)) {
        for (unsigned at = 1; *block >> 5 == 2 && at <= (*block & 31u); at++)
            for (size_t i = 0; i < COUNT(numbers); i++)
                if (block[at] == numbers[i][0])
                    add_common(mode, range, numbers[i][1], numbers[i][2]);
    }
    for (const uint8_t *d = e + e[2]; d + 18 < e + 128 && (d[0] || d[1]); d += 18) {
        struct mode detailed = { .extension = false };
        decode_detailed(d, &detailed);
        assert_int_equal(detailed.width_mm, mode->width_mm);
        assert_int_equal(detailed.height_mm, mode->height_mm);
        if (mode->has_range)
            check_mode_in_range(range, &detailed);
        size_t used = strlen(mode->list);
        snprintf(mode->list + used, sizeof(mode->list) - used, "%ux%u ", detailed.width,
                 detailed.height);
    }
}

static void decode_type_1(const uint8_t *d, struct mode *mode)
{
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
}

static void decode_displayid(const uint8_t *e, struct mode *mode)
{
    check_sum(e, 128);
    const uint8_t *section = e + 1;
    assert_int_equal(section[0] >> 4, 1); /* version 1.x */
    unsigned bytes = section[1];
    assert_true(bytes <= 121);
    assert_int_equal(section[3], 0); /* no extensions of its own */
    check_sum(section, bytes + 5);

    const uint8_t *block = section + 4;
    for (; block < section + 4 + bytes; block += 3 + block[2]) {
        if (block[0] == 0x01) {
            assert_int_equal(u16(block + 3), mode->width_mm * 10);
            assert_int_equal(u16(block + 5), mode->height_mm * 10);
        } else if (block[0] == 0x03) {
            assert_int_equal(block[2], 20);
            decode_type_1(block + 3, mode);
        }
    }
    assert_ptr_equal(block, section + 4 + bytes);
    assert_true(mode->extension);
}

static void decode_descriptors(const uint8_t *e, struct range *range, struct mode *mode)
{
    decode_detailed(e + 54, mode); /* the first one is a timing, always */
    for (const uint8_t *d = e + 72; d < e + 126; d += 18) {
        assert_int_equal(d[0] | d[1], 0);
        if (d[3] == 0xfc) {
            memcpy(mode->name, d + 5, 13);
            char *end = strchr(mode->name, '\n');
            if (end)
                *end = '\0';
            for (const char *pad = end ? end + 1 : ""; *pad; pad++)
                assert_int_equal(*pad, ' ');
        } else if (d[3] == 0xfd) {
            *range = decode_range(d);
            mode->has_range = true;
            check_mode_in_range(range, mode);
        } else if (d[3] == 0xf7) {
            decode_more(d, range, mode);
        } else {
            assert_int_equal(d[3], 0x10);
        }
    }
}

static void decode(const uint8_t *e, size_t size, struct mode *mode)
{
    static const uint8_t header[8] = { 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0 };
    struct range range;
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
    assert_int_equal(size, 128u * (1 + e[126]));
    decode_descriptors(e, &range, mode);
    decode_established(e, &range, mode);
    decode_standard(e, &range, mode);
    for (const uint8_t *block = e + 128; block < e + size; block += 128) {
        if (block[0] == 0x02) {
            decode_cta(block, &range, mode);
        } else {
            assert_int_equal(block[0], 0x70);
            decode_displayid(block, mode);
        }
    }
    if (mode->has_range)
        check_mode_in_range(&range, mode);
    assert_int_equal(!!(e[24] & 0x02), !mode->extension); /* the first timing is the native one */
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
    assert_true(size && size <= 384 && size % 128 == 0);
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
        { 4096, 2160, 60000, true },   { 5120, 2880, 60000, true },   { 5120, 2160, 0, true },
        { 7680, 4320, 60000, true },   { 8192, 4320, 60000, true },   { 16384, 16384, 60000, true },
        { 1080, 1920, 60000, false },  { 100, 4096, 60000, true },    { 1921, 1081, 50001, false },
    };
    for (unsigned i = 0; i < COUNT(modes); i++) {
        set_output(0, modes[i].width, modes[i].height, modes[i].refresh_mhz);
        const struct mode mode = get_mode(0);
        assert_int_equal(mode.width, modes[i].width);
        assert_int_equal(mode.height, modes[i].height);
        assert_int_equal(mode.extension, modes[i].extension);
        double wanted = modes[i].refresh_mhz ? modes[i].refresh_mhz / 1000.0 : 60;
        /* The clock is a multiple of 10 kHz. */
        double step = 10000 / (mode.clock / refresh(&mode));
        assert_float_equal(refresh(&mode), wanted, step);
    }
}

/* Smaller and larger sizes are there to choose, all at 60 Hz; but for an output whose size is fixed. */
static void test_common_modes(void **state)
{
    (void)state;
    vm_start(NULL);
    set_output(0, 1280, 800, 0);
    assert_string_equal(
        get_mode(0).list,
        "848x480 1280x768 1280x960 1280x1024 1360x768 1440x900 1400x1050 1680x1050 "
        "1600x1200 1792x1344 1856x1392 1920x1200 1920x1440 640x480 800x600 1024x768 "
        "1280x720 1280x800 1600x900 1920x1080 2048x1152 2560x1080 3840x2160 "
        "4096x2160 5120x2160 2560x1440 2560x1600 3440x1440 ");
    static const uint32_t sizes[][2] = { { 1280, 800 }, { 7680, 4320 } };
    for (unsigned i = 0; i < COUNT(sizes); i++) {
        const struct venus_gpu_output output = {
            .enabled = true,
            .width = sizes[i][0],
            .height = sizes[i][1],
            .fixed = true,
        };
        assert_int_equal(venus_gpu_set_output(vm.gpu, 0, &output), 0);
        const struct mode mode = get_mode(0);
        assert_int_equal(mode.width, sizes[i][0]);
        assert_int_equal(mode.height, sizes[i][1]);
        assert_string_equal(mode.list, "");
    }
}

/* No limit rules out a mode: whatever can be said of it is said, and what cannot is no limit. */
static void test_range_limits(void **state)
{
    (void)state;
    vm_start(NULL);
    static const struct {
        uint32_t width, height, refresh_mhz;
        bool has_range;
    } modes[] = {
        { 1280, 800, 0, true },        { 1280, 800, 24000, true },     { 800, 600, 360000, true },
        { 1920, 1080, 240000, true },  { 7680, 4320, 60000, true },    { 5120, 2880, 75000, true },
        { 7680, 4320, 120000, false }, { 16384, 16384, 60000, false }, { 640, 480, 600000, false },
        { 100, 16384, 60000, false },
    };
    for (unsigned i = 0; i < COUNT(modes); i++) {
        set_output(0, modes[i].width, modes[i].height, modes[i].refresh_mhz);
        assert_int_equal(get_mode(0).has_range, modes[i].has_range);
    }
}

/* What is no monitor reads like any: nobody is to find one with a single pixel. */
static void test_edid_when_off(void **state)
{
    (void)state;
    vm_start(NULL);
    static const struct venus_gpu_output outputs[] = {
        { .enabled = false },
        { .enabled = true },
        { .enabled = true, .width = 1024 },
        { .enabled = true, .height = 768 },
    };
    for (unsigned i = 0; i < COUNT(outputs); i++) {
        assert_int_equal(venus_gpu_set_output(vm.gpu, 1, &outputs[i]), 0);
        const struct mode mode = get_mode(1);
        assert_int_equal(mode.width, 1280);
        assert_int_equal(mode.height, 800);
    }
}

/* Whatever the front end asks for, what comes out can be read. */
static void test_odd_modes(void **state)
{
    (void)state;
    vm_start(NULL);
    static const uint32_t sizes[] = { 1, 2, 7, 639, 4095, 4096, 16384, 16385, UINT32_MAX };
    static const uint32_t rates[] = { 0, 1, 1000, 60000, 1000000, UINT32_MAX };
    for (unsigned i = 0; i < COUNT(sizes) * COUNT(sizes) * COUNT(rates); i++) {
        uint32_t width = sizes[i % COUNT(sizes)], height = sizes[i / COUNT(sizes) % COUNT(sizes)];
        set_output(0, width, height, rates[i / COUNT(sizes) / COUNT(sizes)]);
        const struct mode mode = get_mode(0);
        assert_int_equal(mode.width, width > 16384 ? 16384 : width);
        assert_int_equal(mode.height, height > 16384 ? 16384 : height);
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
    assert_int_equal(mode.width_mm, 2550);
    assert_int_equal(mode.height_cm, 255);
    output.width_mm = output.height_mm = 1;
    assert_int_equal(venus_gpu_set_output(vm.gpu, 0, &output), 0);
    mode = get_mode(0);
    assert_int_equal(mode.width_mm, 10);
    assert_int_equal(mode.height_cm, 1);
}

/* edid-decode finds nothing that a standard forbids. */
static void check_conformity(const struct venus_gpu_output *output)
{
    struct virtio_gpu_resp_edid response;
    char command[] = "edid-decode --check - >edid-decode.XXXXXX 2>&1", line[256];
    char *name = strstr(command, "edid-decode.");
    char *end = strchr(name, ' ');

    assert_int_equal(venus_gpu_set_output(vm.gpu, 0, output), 0);
    assert_int_equal(get_edid(0, &response), VIRTIO_GPU_RESP_OK_EDID);
    *end = '\0';
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    FILE *said = fdopen(fd, "r");
    assert_non_null(said);
    *end = ' ';
    FILE *checker = popen(command, "w");
    assert_non_null(checker);
    size_t size = le32(response.size);
    assert_int_equal(fwrite(response.edid, 1, size, checker), size);
    int status = pclose(checker);
    while (status && fgets(line, sizeof(line), said))
        print_message("%s", line);
    fclose(said);
    *end = '\0';
    remove(name);
    assert_int_equal(status, 0);
}

static void test_conformity(void **state)
{
    (void)state;
    static const uint32_t sizes[][2] = {
        { 800, 600 },   { 1280, 800 },    { 2560, 1440 }, { 5120, 2160 }, { 1366, 768 },
        { 641, 479 },   { 7680, 4320 },   { 3840, 2160 }, { 4096, 2160 }, { 320, 200 },
        { 1080, 1920 }, { 16384, 16384 }, { 1, 1 },       { 16384, 1 },   { 1, 16384 },
    };
    static const uint32_t rates[] = { 0, 59940, 75000, 144000, 360000 };
    if (system("command -v edid-decode >/dev/null"))
        skip();
    vm_start(NULL);
    for (unsigned i = 0; i < 2 * COUNT(sizes) * COUNT(rates); i++) {
        const uint32_t *size = sizes[i / 2 % COUNT(sizes)];
        check_conformity(&(struct venus_gpu_output){
            .enabled = true,
            .width = size[0],
            .height = size[1],
            .refresh_mhz = rates[i / 2 / COUNT(sizes)],
            .fixed = i % 2,
        });
    }
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

/* The host's pages, or what is larger; and nothing where it was not asked for. */
static void test_blob_alignment(void **state)
{
    (void)state;
    static const struct {
        uint64_t asked, offered;
    } cases[] = { { 0, 0 }, { 1, PAGE }, { PAGE, PAGE }, { 16 * PAGE, 16 * PAGE } };
    for (unsigned i = 0; i < COUNT(cases); i++) {
        vm_start(&(struct vm_options){ .blob_alignment = cases[i].asked });
        assert_int_equal(le32(read_config().blob_alignment), cases[i].offered);
        /* The driver keeps to it; the device needs no more than its own pages, so others still work. */
        assert_ok(create_context(1));
        assert_ok(create_host_blob(1, PAGE / 2));
        assert_int_equal(map_blob(1, PAGE), VIRTIO_GPU_RESP_OK_MAP_INFO);
        vm_stop();
    }
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
    output.fixed = true;
    venus_gpu_set_output(vm.gpu, 0, &output);
    output.name = NULL;
    venus_gpu_set_output(vm.gpu, 0, &output);
    /* The name was copied: what the caller does with its own does not matter. */
    output.name = name;
    venus_gpu_set_output(vm.gpu, 0, &output);
    name[0] = 'x';
    assert_string_equal(get_mode(0).name, "one");
    venus_gpu_set_output(vm.gpu, 0, &output);
    assert_int_equal(vm.config_changes, before + 12);
    venus_gpu_set_output(vm.gpu, 0, &output);
    assert_int_equal(vm.config_changes, before + 12);
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
        TEST(test_common_modes),
        TEST(test_range_limits),
        TEST(test_edid_when_off),
        TEST(test_odd_modes),
        TEST(test_sizes_in_mm),
        TEST(test_conformity),
        TEST(test_names),
        TEST(test_edid_of_scanouts),
        TEST(test_display_info),
        TEST(test_config),
        TEST(test_blob_alignment),
        TEST(test_events),
        TEST(test_late_events),
        TEST(test_changes),
        TEST(test_reset_keeps_outputs),
        TEST(test_size_has_a_bound),
    };
    return RUN_TESTS(tests);
}
