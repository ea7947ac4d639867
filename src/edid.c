/* SPDX-License-Identifier: MIT */
/*
 * See edid.h. Sources: VESA Enhanced EDID standard, release A, revision 2 (EDID 1.4); for modes with
 * more than 4095 pixels or a pixel clock above 655.35 MHz, VESA DisplayID 1.3 in an extension block
 * (section code 0x70), whose detailed timing (type I) has room for them.
 *
 * The preferred mode is the output's size. Common ones are listed beside it, for a person or a program
 * that wants another: Linux' driver offers what stands here and nothing else. The host scales.
 */
#include "edid.h"

#include <string.h>

enum { BLOCK_SIZE = 128, DPI = 100, DEFAULT_REFRESH_MHZ = 75000 };

/* A detailed timing, in pixels, lines and kHz. */
struct timing {
    uint32_t clock_khz;
    uint32_t width, hblank, hfront, hsync;
    uint32_t height, vblank, vfront, vsync;
    uint32_t width_mm, height_mm;
};

static uint32_t size_mm(uint32_t pixels)
{
    return (uint32_t)((uint64_t)pixels * 254 / (DPI * 10));
}

/*
 * Nothing scans these lines out, so blanking is as short as the fields allow with plausible porches:
 * what counts is that clock and totals give the refresh rate.
 */
static struct timing make_timing(const struct venus_gpu_output *output)
{
    /* The largest that DisplayID can say, 24 bits of 10 kHz, keeps the sums below in range too. */
    uint32_t width = output->width ? output->width : 1;
    uint32_t height = output->height ? output->height : 1;
    if (width > VENUS_GPU_MAX_SIDE)
        width = VENUS_GPU_MAX_SIDE;
    if (height > VENUS_GPU_MAX_SIDE)
        height = VENUS_GPU_MAX_SIDE;

    struct timing t = {
        .width = width,
        .hblank = 160,
        .hfront = 48,
        .hsync = 32,
        .height = height,
        .vblank = height / 30 + 10,
        .vfront = 3,
        .vsync = 6,
        .width_mm = output->width_mm ? output->width_mm : size_mm(width),
        .height_mm = output->height_mm ? output->height_mm : size_mm(height),
    };
    uint64_t pixels = (uint64_t)(t.width + t.hblank) * (t.height + t.vblank);
    uint64_t refresh = output->refresh_mhz ? output->refresh_mhz : DEFAULT_REFRESH_MHZ;
    uint64_t khz = (pixels * refresh + 999999) / 1000000;
    /* Clocks are multiples of 10 kHz, and one of 0 would be no timing at all. */
    uint64_t least = 10, most = (uint64_t)10 << 24;
    t.clock_khz = (uint32_t)(khz < least ? least : khz < most ? khz : most - 10);
    return t;
}

static bool fits_base_block(const struct timing *t)
{
    return t->width <= 4095 && t->height <= 4095 && t->clock_khz / 10 <= 65535 && t->vblank <= 4095;
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
    uint32_t width_mm = t->width_mm < 4095 ? t->width_mm : 4095;
    uint32_t height_mm = t->height_mm < 4095 ? t->height_mm : 4095;

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
    d[12] = width_mm & 0xff;
    d[13] = height_mm & 0xff;
    d[14] = (uint8_t)((width_mm >> 8) << 4 | (height_mm >> 8));
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

/* Display range limits: any rate, since nothing here has a limit (EDID 1.4, 3.10.3.3). */
static void put_range_limits(uint8_t *d, const struct timing *t)
{
    uint32_t clock = (t->clock_khz + 9999) / 10000;
    memset(d, 0, 5);
    d[3] = 0xfd;
    d[5] = 1; /* Hz, vertical */
    d[6] = 240;
    d[7] = 1; /* kHz, horizontal */
    d[8] = 255;
    d[9] = (uint8_t)(clock < 255 ? clock : 255); /* 10 MHz */
    d[10] = 1;                                   /* range limits only */
    d[11] = '\n';
    memset(d + 12, ' ', 6);
}

/* 640x480, 800x600 and 1024x768 at 60 Hz (EDID 1.4, 3.8); then the eight for which there is room (3.9). */
static void put_common_modes(uint8_t *e)
{
    enum { RATIO_16_10, RATIO_4_3, RATIO_5_4, RATIO_16_9 };
    static const struct {
        uint16_t width;
        uint8_t ratio;
    } modes[8] = {
        { 1280, RATIO_16_9 },  /* 720 */
        { 1280, RATIO_16_10 }, /* 800 */
        { 1280, RATIO_5_4 },   /* 1024 */
        { 1440, RATIO_16_10 }, /* 900 */
        { 1600, RATIO_16_9 },  /* 900 */
        { 1680, RATIO_16_10 }, /* 1050 */
        { 1920, RATIO_16_9 },  /* 1080 */
        { 1920, RATIO_16_10 }, /* 1200 */
    };

    e[35] = 0x20 | 0x01;
    e[36] = 0x08;
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        e[38 + 2 * i] = (uint8_t)(modes[i].width / 8 - 31);
        e[39 + 2 * i] = (uint8_t)(modes[i].ratio << 6); /* and 60 Hz */
    }
}

static void put_base_block(uint8_t *e, const struct timing *t, const char *name, bool has_timing)
{
    static const uint8_t header[8] = { 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0 };
    /* sRGB primaries and white point (EDID 1.4, 3.7) */
    static const uint8_t chromaticity[10] = { 0xee, 0x91, 0xa3, 0x54, 0x4c,
                                              0x99, 0x26, 0x0f, 0x50, 0x54 };

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
    e[20] = 0xa0; /* digital, 8 bits a colour, no interface named */
    e[21] = (uint8_t)(t->width_mm / 10 < 255 ? t->width_mm / 10 : 255); /* cm */
    e[22] = (uint8_t)(t->height_mm / 10 < 255 ? t->height_mm / 10 : 255);
    e[23] = 120;  /* gamma 2.2 */
    e[24] = 0x06; /* sRGB, the first detailed timing is the native one */
    memcpy(e + 25, chromaticity, sizeof(chromaticity));
    put_common_modes(e);

    uint8_t *d = e + 54;
    if (has_timing)
        put_detailed_timing(d, t);
    else
        d[3] = 0x10; /* unused: the timing is in the extension block */
    put_range_limits(d + 18, t);
    put_text(d + 36, 0xfc, name ? name : "Venus");
    d[54 + 3] = 0x10;
}

/* DisplayID 1.3 section with one type I detailed timing (data block 0x03). */
static void put_displayid_block(uint8_t *e, const struct timing *t)
{
    memset(e, 0, BLOCK_SIZE);
    e[0] = 0x70;
    uint8_t *section = e + 1;
    section[0] = 0x13; /* version 1.3 */
    section[1] = 23;   /* bytes of data blocks */
    section[2] = 0;    /* extension of an EDID */
    uint8_t *block = section + 4;
    block[0] = 0x03;
    block[2] = 20;
    uint8_t *d = block + 3;
    uint32_t clock = t->clock_khz / 10 - 1;
    put16(d, clock);
    d[2] = (uint8_t)(clock >> 16);
    d[3] = 0x80 | 0x04; /* preferred; aspect ratio 16:9 is as close as it gets to "any" */
    put16(d + 4, t->width - 1);
    put16(d + 6, t->hblank - 1);
    put16(d + 8, t->hfront - 1);
    put16(d + 10, t->hsync - 1);
    put16(d + 12, t->height - 1);
    put16(d + 14, t->vblank - 1);
    put16(d + 16, t->vfront - 1);
    put16(d + 18, t->vsync - 1);
    put_checksum(section, 5 + 23);
    put_checksum(e, BLOCK_SIZE);
}

size_t edid_make(const struct venus_gpu_output *output, uint8_t data[EDID_SIZE_MAX])
{
    const struct timing timing = make_timing(output);
    bool fits = fits_base_block(&timing);

    put_base_block(data, &timing, output->name, fits);
    if (!fits) {
        data[126] = 1;
        put_displayid_block(data + BLOCK_SIZE, &timing);
    }
    put_checksum(data, BLOCK_SIZE);
    return fits ? BLOCK_SIZE : 2 * BLOCK_SIZE;
}
