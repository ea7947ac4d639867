/* SPDX-License-Identifier: MIT */
/*
 * See edid.h. Sources: VESA Enhanced EDID standard, release A, revision 2 (EDID 1.4); CTA-861 for its
 * extension block; for modes with more than 4095 pixels or a pixel clock above 655.35 MHz, VESA
 * DisplayID 1.3 in an extension block (section code 0x70), whose detailed timing (type I) has room for
 * them.
 *
 * The preferred mode is the output's size. Common ones are listed beside it, for a person or a program
 * that wants another: Linux' driver offers what stands here and nothing else. The host scales. A fixed
 * output has the preferred mode only.
 */
#include "base/edid.h"

#include <string.h>

enum { BLOCK_SIZE = 128, DPI = 100, DEFAULT_REFRESH_MHZ = 60000 };
/* Of an output that is off, or has no size: whoever asks all the same reads of a plain monitor. */
enum { DEFAULT_WIDTH = 1280, DEFAULT_HEIGHT = 800 };

/* A detailed timing, in pixels, lines and kHz. */
struct timing {
    uint32_t clock_khz;
    uint32_t width, hblank, hfront, hsync;
    uint32_t height, vblank, vfront, vsync;
    uint32_t width_mm, height_mm;
};

/* The size that was given, or that of so many pixels; as far as the base block can say it, in cm. */
static uint32_t size_mm(uint32_t given_mm, uint32_t pixels)
{
    uint32_t mm = given_mm ? given_mm : pixels * 254 / (DPI * 10);
    return mm < 10 ? 10 : mm < 2550 ? mm : 2550;
}

static uint64_t pixels_of_frame(const struct timing *t)
{
    return (uint64_t)(t->width + t->hblank) * (t->height + t->vblank);
}

/* Lines to add to a mode for a clock of 10 MHz: a lower one is taken for an error. */
static uint32_t lines_wanted(const struct timing *t, uint64_t refresh_mhz)
{
    enum { MOST = 4095 };
    uint64_t a_line = (t->width + t->hblank) * refresh_mhz;
    uint64_t lines = (10000000000 + a_line - 1) / a_line;
    return (uint32_t)(lines <= t->height ? 0 : lines < t->height + MOST ? lines - t->height : MOST);
}

/*
 * Nothing scans these lines out, so blanking is as short as the fields allow with plausible porches:
 * what counts is that clock and totals give the refresh rate.
 */
static struct timing make_timing(uint32_t width, uint32_t height, uint64_t refresh_mhz)
{
    struct timing t = {
        .width = width,
        .hblank = 160,
        .hfront = 48,
        .hsync = 32,
        .height = height,
        .vblank = height / 30 + 10,
        .vfront = 3,
        .vsync = 6,
    };
    uint32_t lines = lines_wanted(&t, refresh_mhz);
    if (t.vblank < lines)
        t.vblank = lines;
    /* The nearest multiple of 10 kHz; none at all would be no timing. */
    uint64_t clock = (pixels_of_frame(&t) * refresh_mhz + 5000000) / 10000000;
    uint64_t most = (1 << 24) - 1;
    t.clock_khz = 10 * (uint32_t)(clock < 1 ? 1 : clock < most ? clock : most);
    return t;
}

static struct timing preferred_timing(const struct venus_gpu_output *output)
{
    bool has_size = output->width && output->height;
    uint32_t width = has_size ? output->width : DEFAULT_WIDTH;
    uint32_t height = has_size ? output->height : DEFAULT_HEIGHT;
    struct timing t = make_timing(
        width, height, output->refresh_mhz ? output->refresh_mhz : DEFAULT_REFRESH_MHZ);
    t.width_mm = size_mm(output->width_mm, t.width);
    t.height_mm = size_mm(output->height_mm, t.height);
    return t;
}

static bool fits_base_block(const struct timing *t)
{
    return t->width <= 4095 && t->height <= 4095 && t->clock_khz / 10 <= 65535;
}

/*
 * The first descriptor is a timing, always. One that does not fit there gives way to one of its shape.
 */
static struct timing base_timing(const struct timing *preferred)
{
    struct timing t = *preferred;
    for (uint32_t part = 1; !fits_base_block(&t); part *= 2) {
        t = make_timing((preferred->width + part - 1) / part, (preferred->height + part - 1) / part,
                        DEFAULT_REFRESH_MHZ);
        t.width_mm = preferred->width_mm;
        t.height_mm = preferred->height_mm;
    }
    return t;
}

static void put_checksum(uint8_t *block, size_t size)
{
    uint8_t sum = 0;
    for (size_t i = 0; i < size - 1; i++)
        sum += block[i];
    block[size - 1] = (uint8_t)-sum;
}

static void put16(uint8_t *to, uint32_t value)
{
    to[0] = value & 0xff;
    to[1] = (value >> 8) & 0xff;
}

/* Detailed timing descriptor, 18 bytes (EDID 1.4, 3.10.2). */
static void put_detailed_timing(uint8_t *d, const struct timing *t)
{
    put16(d, t->clock_khz / 10);
    d[2] = t->width & 0xff;
    d[3] = t->hblank & 0xff;
    d[4] = (uint8_t)((t->width >> 8) << 4 | (t->hblank >> 8));
    d[5] = t->height & 0xff;
    d[6] = t->vblank & 0xff;
    d[7] = (uint8_t)((t->height >> 8) << 4 | (t->vblank >> 8));
    d[8] = t->hfront & 0xff;
    d[9] = t->hsync & 0xff;
    d[10] = (uint8_t)((t->vfront & 0xf) << 4 | (t->vsync & 0xf));
    d[11] = (uint8_t)((t->hfront >> 8) << 6 | (t->hsync >> 8) << 4 | (t->vfront >> 4) << 2 |
                      t->vsync >> 4);
    d[12] = t->width_mm & 0xff;
    d[13] = t->height_mm & 0xff;
    d[14] = (uint8_t)((t->width_mm >> 8) << 4 | (t->height_mm >> 8));
    d[17] = 0x18; /* digital separate sync, both negative */
}

/* Display descriptor with text, 18 bytes (EDID 1.4, 3.10.3). */
static void put_text(uint8_t *d, uint8_t tag, const char *text)
{
    size_t len = strlen(text);
    if (len > EDID_NAME_MAX)
        len = EDID_NAME_MAX;
    memset(d, 0, 5);
    d[3] = tag;
    memset(d + 5, ' ', 13);
    memcpy(d + 5, text, len);
    d[5 + len] = '\n';
}

/* Display descriptor without content (EDID 1.4, 3.10.3.11). */
static void put_dummy(uint8_t *d)
{
    memset(d, 0, 18);
    d[3] = 0x10;
}

/* What a monitor can do: kHz and Hz, rounded outwards. */
struct limits {
    uint32_t clock_khz;
    uint32_t least_khz, most_khz; /* horizontal */
    uint32_t least_hz, most_hz;   /* vertical */
};

static void limits_include(struct limits *limits, const struct timing *t)
{
    uint32_t khz = t->clock_khz / (t->width + t->hblank);
    uint32_t hz = (uint32_t)(t->clock_khz * 1000ull / pixels_of_frame(t));

    limits->clock_khz = t->clock_khz > limits->clock_khz ? t->clock_khz : limits->clock_khz;
    limits->least_khz = khz < limits->least_khz ? khz : limits->least_khz;
    limits->most_khz = khz + 1 > limits->most_khz ? khz + 1 : limits->most_khz;
    limits->least_hz = hz < limits->least_hz ? hz : limits->least_hz;
    limits->most_hz = hz + 1 > limits->most_hz ? hz + 1 : limits->most_hz;
}

/* Nothing here has a limit, but every mode that is listed has to be within: the common ones are. */
static struct limits make_limits(const struct timing *preferred, const struct timing *base)
{
    struct limits limits = {
        .clock_khz = 750000, /* 5120 x 2160 at 60 Hz has 742.5 MHz, and 135 kHz */
        .least_khz = 30,
        .most_khz = 160,
        .least_hz = 50,
        .most_hz = 125,
    };
    limits_include(&limits, preferred);
    limits_include(&limits, base);
    return limits;
}

/*
 * Display range limits (EDID 1.4, 3.10.3.3). The two upper ones can be 255 larger than their bytes.
 * Where a mode is beyond what can be said, nothing is: a limit would rule it out.
 */
static void put_range_limits(uint8_t *d, const struct limits *limits)
{
    enum { MORE_HZ = 0x02, MORE_KHZ = 0x08 };
    put_dummy(d);
    if (!limits->least_hz || !limits->least_khz || limits->most_hz > 510 ||
        limits->most_khz > 510 || limits->clock_khz > 2550000)
        return;
    d[3] = 0xfd;
    d[4] = (limits->most_hz > 255 ? MORE_HZ : 0) | (limits->most_khz > 255 ? MORE_KHZ : 0);
    d[5] = (uint8_t)(limits->least_hz < 255 ? limits->least_hz : 255);
    d[6] = (uint8_t)(limits->most_hz > 255 ? limits->most_hz - 255 : limits->most_hz);
    d[7] = (uint8_t)(limits->least_khz < 255 ? limits->least_khz : 255);
    d[8] = (uint8_t)(limits->most_khz > 255 ? limits->most_khz - 255 : limits->most_khz);
    d[9] = (uint8_t)((limits->clock_khz + 9999) / 10000); /* 10 MHz */
    d[10] = 1;                                            /* range limits only */
    d[11] = '\n';
    memset(d + 12, ' ', 6);
}

/* 640x480, 800x600 and 1024x768 at 60 Hz (EDID 1.4, 3.8). */
static void put_established_modes(uint8_t *e)
{
    e[35] = 0x20 | 0x01;
    e[36] = 0x08;
}

/* At most eight, at 60 Hz (EDID 1.4, 3.9); what is not used has ones. */
static void put_standard_modes(uint8_t *e, bool any)
{
    enum { RATIO_16_10, RATIO_4_3, RATIO_5_4, RATIO_16_9 };
    static const struct {
        uint16_t width;
        uint8_t ratio;
    } modes[] = {
        { 1280, RATIO_16_9 },  /* 720 */
        { 1280, RATIO_16_10 }, /* 800 */
        { 1600, RATIO_16_9 },  /* 900 */
        { 1920, RATIO_16_9 },  /* 1080 */
        { 2048, RATIO_16_9 },  /* 1152 */
    };

    memset(e + 38, 1, 16);
    for (size_t i = 0; any && i < sizeof(modes) / sizeof(modes[0]); i++) {
        e[38 + 2 * i] = (uint8_t)(modes[i].width / 8 - 31);
        e[39 + 2 * i] = (uint8_t)(modes[i].ratio << 6); /* and 60 Hz */
    }
}

/* Display descriptor with a bit for each mode of a list, all at 60 Hz (EDID 1.4, 3.10.3.9). */
static void put_more_modes(uint8_t *d)
{
    put_dummy(d);
    d[3] = 0xf7;
    d[5] = 10;                  /* version */
    d[6] = 0x08;                /* 848x480 */
    d[7] = 0x40 | 0x08 | 0x02;  /* 1280x768, 1280x960, 1280x1024 */
    d[8] = 0x80 | 0x20 | 0x02;  /* 1360x768, 1440x900, 1400x1050 */
    d[9] = 0x20 | 0x04;         /* 1680x1050, 1600x1200 */
    d[10] = 0x20 | 0x08 | 0x02; /* 1792x1344, 1856x1392, 1920x1200 */
    d[11] = 0x20;               /* 1920x1440 */
}

static void put_base_block(uint8_t *e, const struct venus_gpu_output *output,
                           const struct timing *preferred)
{
    static const uint8_t header[8] = { 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0 };
    /* sRGB primaries and white point (EDID 1.4, 3.7) */
    static const uint8_t chromaticity[10] = { 0xee, 0x91, 0xa3, 0x54, 0x4c,
                                              0x99, 0x26, 0x0f, 0x50, 0x54 };
    const struct timing t = base_timing(preferred);
    const struct limits limits = make_limits(preferred, &t);

    memset(e, 0, BLOCK_SIZE);
    memcpy(e, header, sizeof(header));
    e[8] = (uint8_t)(('V' - 'A' + 1) << 2 |
                     ('N' - 'A' + 1) >> 3); /* manufacturer "VNS", 5 bits a letter */
    e[9] = (uint8_t)(('N' - 'A' + 1) << 5 | ('S' - 'A' + 1));
    put16(e + 10, 1); /* product code */
    e[16] = 1;        /* week and year of manufacture: 2026 */
    e[17] = 2026 - 1990;
    e[18] = 1; /* EDID 1.4 */
    e[19] = 4;
    e[20] = 0xa0;                       /* digital, 8 bits a colour, no interface named */
    e[21] = (uint8_t)(t.width_mm / 10); /* cm */
    e[22] = (uint8_t)(t.height_mm / 10);
    e[23] = 120;  /* gamma 2.2 */
    e[24] = 0x04; /* sRGB */
    if (fits_base_block(preferred))
        e[24] |= 0x02; /* the first detailed timing is the native one */
    memcpy(e + 25, chromaticity, sizeof(chromaticity));
    if (!output->fixed)
        put_established_modes(e);
    put_standard_modes(e, !output->fixed);

    uint8_t *d = e + 54;
    put_detailed_timing(d, &t);
    put_range_limits(d + 18, &limits);
    put_text(d + 36, 0xfc, output->name ? output->name : "Venus");
    if (output->fixed)
        put_dummy(d + 54);
    else
        put_more_modes(d + 54);
}

/*
 * CTA-861, 7: what is larger, at 60 Hz; as numbers of that standard where it has one, otherwise as
 * detailed timings, in the size of the monitor.
 */
static void put_cta_block(uint8_t *e, const struct timing *preferred)
{
    static const uint8_t blocks[] = {
        0x44, 90,   97,   102, 126, /* video: 2560x1080, 3840x2160, 4096x2160, 5120x2160 */
        0xe2, 0x00, 0x4a, /* video capability: no overscan; a full range of colours on request */
        0xe2, 0x0d, 129,  /* what is preferred: the first detailed timing of all */
    };
    static const uint16_t sizes[][2] = { { 2560, 1440 }, { 2560, 1600 }, { 3440, 1440 } };

    memset(e, 0, BLOCK_SIZE);
    e[0] = 0x02;
    e[1] = 3; /* revision */
    e[2] = 4 + sizeof(blocks);
    e[3] = 0x80; /* no overscan */
    memcpy(e + 4, blocks, sizeof(blocks));
    uint8_t *d = e + 4 + sizeof(blocks);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++, d += 18) {
        struct timing t = make_timing(sizes[i][0], sizes[i][1], DEFAULT_REFRESH_MHZ);
        t.width_mm = preferred->width_mm;
        t.height_mm = preferred->height_mm;
        put_detailed_timing(d, &t);
    }
    put_checksum(e, BLOCK_SIZE);
}

/* Product identification (DisplayID 1.3, 4.1): the base block's once more. */
static uint8_t *put_product(uint8_t *block)
{
    block[2] = 12;
    memcpy(block + 3, "VNS", 3);
    put16(block + 6, 1); /* product code */
    block[12] = 1;       /* week and year of manufacture */
    block[13] = 2026 - 2000;
    return block + 15;
}

/* Display parameters (DisplayID 1.3, 4.2): once more what the base block says. */
static uint8_t *put_parameters(uint8_t *block, const struct timing *t)
{
    uint32_t longer = t->width > t->height ? t->width : t->height;
    uint32_t shorter = t->width > t->height ? t->height : t->width;
    uint32_t ratio = longer * 100 / shorter - 100;

    block[0] = 0x01;
    block[2] = 12;
    put16(block + 3, t->width_mm * 10);
    put16(block + 5, t->height_mm * 10);
    put16(block + 7, t->width);
    put16(block + 9, t->height);
    block[12] = 120; /* gamma 2.2 */
    block[13] = (uint8_t)(ratio < 255 ? ratio : 255);
    block[14] = 0x77; /* 8 bits a colour */
    return block + 15;
}

/* Display interface (DisplayID 1.3, 4.13): none of those that have a name. */
static uint8_t *put_interface(uint8_t *block)
{
    block[0] = 0x0f;
    block[2] = 10;
    block[3] = 0xb0; /* digital, of its own kind */
    block[5] = 0x02; /* RGB, 8 bits a colour */
    return block + 13;
}

/* Type I detailed timing (DisplayID 1.3, 4.4.1). */
static uint8_t *put_large_timing(uint8_t *block, const struct timing *t)
{
    uint32_t clock = t->clock_khz / 10 - 1;
    block[0] = 0x03;
    block[2] = 20;
    uint8_t *d = block + 3;
    put16(d, clock);
    d[2] = (uint8_t)(clock >> 16);
    d[3] = 0x80 | 0x08; /* preferred; aspect ratio not defined */
    put16(d + 4, t->width - 1);
    put16(d + 6, t->hblank - 1);
    put16(d + 8, t->hfront - 1);
    put16(d + 10, t->hsync - 1);
    put16(d + 12, t->height - 1);
    put16(d + 14, t->vblank - 1);
    put16(d + 16, t->vfront - 1);
    put16(d + 18, t->vsync - 1);
    return d + 20;
}

/* DisplayID 1.3 section with the preferred mode. */
static void put_displayid_block(uint8_t *e, const struct timing *preferred)
{
    memset(e, 0, BLOCK_SIZE);
    e[0] = 0x70;
    uint8_t *section = e + 1;
    uint8_t *blocks = section + 4;
    uint8_t *end = put_product(blocks);
    end = put_parameters(end, preferred);
    end = put_interface(end);
    end = put_large_timing(end, preferred);
    section[0] = 0x13; /* version 1.3 */
    section[1] = (uint8_t)(end - blocks);
    section[2] = 3; /* a monitor */
    put_checksum(section, (size_t)(end - section) + 1);
    put_checksum(e, BLOCK_SIZE);
}

size_t edid_make(const struct venus_gpu_output *output, uint8_t data[EDID_SIZE_MAX])
{
    const struct timing preferred = preferred_timing(output);
    uint8_t *end = data + BLOCK_SIZE;

    put_base_block(data, output, &preferred);
    if (!output->fixed) {
        put_cta_block(end, &preferred);
        end += BLOCK_SIZE;
    }
    if (!fits_base_block(&preferred)) {
        put_displayid_block(end, &preferred);
        end += BLOCK_SIZE;
    }
    data[126] = (uint8_t)((end - data) / BLOCK_SIZE - 1);
    put_checksum(data, BLOCK_SIZE);
    return (size_t)(end - data);
}
