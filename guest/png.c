/* SPDX-License-Identifier: MIT */
/*
 * A PNG file is a signature and chunks (length, type, data, CRC, big-endian). The picture is one
 * zlib stream in IDAT chunks; here each row is one IDAT chunk holding one stored deflate block, so
 * nothing has to be gathered first.
 */
#include "png.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"

uint32_t png_crc(uint32_t crc, const uint8_t *bytes, uint64_t size)
{
    static uint32_t table[256];

    if (!table[1]) {
        for (uint32_t i = 0; i < 256; i++) {
            uint32_t c = i;
            for (int bit = 0; bit < 8; bit++)
                c = c & 1 ? UINT32_C(0xedb88320) ^ c >> 1 : c >> 1;
            table[i] = c;
        }
    }
    crc = ~crc;
    for (uint64_t i = 0; i < size; i++)
        crc = table[(crc ^ bytes[i]) & 0xff] ^ crc >> 8;
    return ~crc;
}

static void put32(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 24);
    at[1] = (uint8_t)(value >> 16);
    at[2] = (uint8_t)(value >> 8);
    at[3] = (uint8_t)value;
}

static void put_chunk(FILE *f, const char *type, const uint8_t *data, uint32_t size)
{
    uint8_t head[8], tail[4];

    put32(head, size);
    memcpy(head + 4, type, 4);
    put32(tail, png_crc(png_crc(0, head + 4, 4), data, size));
    fwrite(head, 1, sizeof head, f);
    fwrite(data, 1, size, f);
    fwrite(tail, 1, sizeof tail, f);
}

/* Adler-32, the checksum at the end of a zlib stream. */
static uint32_t adler(uint32_t sum, const uint8_t *bytes, size_t size)
{
    uint32_t a = sum & 0xffff, b = sum >> 16;

    for (size_t i = 0; i < size; i++) {
        a = (a + bytes[i]) % 65521;
        b = (b + a) % 65521;
    }
    return b << 16 | a;
}

void png_write(const char *path, const uint8_t *rgba, uint32_t width, uint32_t height)
{
    const uint32_t row = 1 + 3 * width; /* the filter byte, then R, G, B */
    const uint32_t prefix = 2 + 5;      /* the zlib header (first row only) and a block header */
    uint32_t sum = 1;
    uint8_t header[13] = { 0 };
    FILE *f = fopen(path, "wb");
    uint8_t *buffer = calloc(1, prefix + row + 4);

    if (!f || !buffer)
        die("cannot write %s: %s", path, strerror(errno));
    if (row > 0xffff)
        die("cannot write %s: %u pixels are too wide for one stored block", path, width);
    fwrite("\x89PNG\r\n\x1a\n", 1, 8, f);
    put32(header, width);
    put32(header + 4, height);
    header[8] = 8; /* bits per channel */
    header[9] = 2; /* RGB */
    put_chunk(f, "IHDR", header, sizeof header);
    for (uint32_t y = 0; y < height; y++) {
        uint8_t *block = buffer + 2, *pixels = block + 5;
        bool first = y == 0, last = y == height - 1;

        buffer[0] = 0x78;
        buffer[1] = 0x01;
        block[0] = last;
        block[1] = (uint8_t)row;
        block[2] = (uint8_t)(row >> 8);
        block[3] = (uint8_t)~row;
        block[4] = (uint8_t)(~row >> 8);
        pixels[0] = 0; /* no filter */
        for (uint32_t x = 0; x < width; x++)
            memcpy(pixels + 1 + 3 * x, rgba + 4 * ((size_t)y * width + x), 3);
        sum = adler(sum, pixels, row);
        put32(pixels + row, sum);
        put_chunk(f, "IDAT", first ? buffer : block, (first ? 2 : 0) + 5 + row + (last ? 4 : 0));
    }
    put_chunk(f, "IEND", buffer, 0);
    free(buffer);
    if (ferror(f) || fclose(f))
        die("cannot write %s: %s", path, strerror(errno));
}
