/* SPDX-License-Identifier: MIT */
/*
 * A whole front end, without a hypervisor: the commands of a guest's first frame, and the frame as a picture.
 *
 *     cc first-frame.c $(pkg-config --cflags --libs venusgpu) -o first-frame && ./first-frame first-frame.png
 *
 * "Guest memory" is an array, and the "guest" is a table of commands (VIRTIO 1.3, 5.7.6.8).
 */
#include <linux/virtio_gpu.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <venus-gpu.h>

enum { WIDTH = 320, HEIGHT = 200, RAM_ADDR = 0x100000 };

static uint32_t ram[HEIGHT][WIDTH];
static const char *path;
static bool saved;

/* ---- the picture: a PNG whose data is stored, not compressed, a block for each row ------------ */

struct png {
    FILE *file;
    uint32_t crc, adler_low, adler_high;
};

static void put(struct png *png, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        png->crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            png->crc = png->crc >> 1 ^ (png->crc & 1 ? 0xedb88320 : 0);
    }
    fwrite(bytes, 1, len, png->file);
}

static void put32(struct png *png, uint32_t number)
{
    put(png, (const uint8_t[]){ number >> 24, number >> 16, number >> 8, number }, 4);
}

static void begin_chunk(struct png *png, const char *type, uint32_t len)
{
    put32(png, len);
    png->crc = ~0u; /* it covers the type and the data */
    put(png, (const uint8_t *)type, 4);
}

static void end_chunk(struct png *png)
{
    put32(png, ~png->crc);
}

static void put_row(struct png *png, const uint8_t *row, unsigned len, bool last)
{
    put(png, (const uint8_t[]){ last, len, len >> 8, ~len, ~len >> 8 }, 5);
    put(png, row, len);
    for (unsigned i = 0; i < len; i++) {
        png->adler_low = (png->adler_low + row[i]) % 65521;
        png->adler_high = (png->adler_high + png->adler_low) % 65521;
    }
}

static unsigned channel(uint32_t pixel, uint32_t mask)
{
    return (pixel & mask) / (mask & -mask);
}

static bool save(const struct venus_gpu_frame *frame)
{
    static uint8_t row[1 + 3 * VENUS_GPU_MAX_SIDE]; /* the first byte: the row has no filter */
    struct png png = { .file = fopen(path, "wb"), .adler_low = 1 };
    unsigned len = 1 + 3 * frame->width;
    if (!png.file)
        return false;
    put(&png, (const uint8_t *)"\x89PNG\r\n\x1a\n", 8);
    begin_chunk(&png, "IHDR", 13);
    put32(&png, frame->width);
    put32(&png, frame->height);
    put(&png, (const uint8_t[]){ 8, 2, 0, 0, 0 }, 5); /* three channels of 8 bits */
    end_chunk(&png);
    begin_chunk(&png, "IDAT", 2 + frame->height * (5 + len) + 4);
    put(&png, (const uint8_t[]){ 0x78, 0x01 }, 2);
    for (unsigned y = 0; y < frame->height; y++) {
        const uint32_t *from =
            (const void *)((const char *)frame->pixels + (size_t)y * frame->stride);
        for (unsigned x = 0; x < frame->width; x++) {
            uint32_t pixel = from[x];
            row[1 + 3 * x] = channel(pixel, frame->format->red);
            row[2 + 3 * x] = channel(pixel, frame->format->green);
            row[3 + 3 * x] = channel(pixel, frame->format->blue);
        }
        put_row(&png, row, len, y == frame->height - 1);
    }
    put32(&png, png.adler_high << 16 | png.adler_low);
    end_chunk(&png);
    begin_chunk(&png, "IEND", 0);
    end_chunk(&png);
    bool failed = ferror(png.file);
    return fclose(png.file) == 0 && !failed;
}

/* ---- the front end: what the library asks of us ------------------------------------------------ */

static struct venus_gpu_frame *shown; /* the device thread's */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static void *map_guest(void *opaque, uint64_t addr, uint64_t *len)
{
    (void)opaque;
    if (addr < RAM_ADDR || addr - RAM_ADDR >= sizeof(ram))
        return NULL;
    uint64_t rest = sizeof(ram) - (addr - RAM_ADDR);
    *len = *len < rest ? *len : rest;
    return (char *)ram + (addr - RAM_ADDR);
}

static void unmap_guest(void *opaque, void *ptr, uint64_t len)
{
    (void)opaque, (void)ptr, (void)len;
}

static void command_done(void *opaque, void *tag, uint32_t written)
{
    (void)opaque;
    pthread_mutex_lock(&lock);
    *(uint32_t *)tag = written;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
}

static void scanout_changed(void *opaque, unsigned scanout, struct venus_gpu_frame *frame)
{
    (void)opaque, (void)scanout;
    venus_gpu_frame_unref(shown);
    shown = frame ? venus_gpu_frame_ref(frame) : NULL;
}

static void scanout_flush(void *opaque, unsigned scanout, const struct venus_gpu_rect *rect,
                          struct venus_gpu_flush *flush)
{
    (void)opaque, (void)scanout, (void)rect;
    saved = shown && shown->pixels && save(shown);
    venus_gpu_flush_done(flush);
}

/* ---- the guest: its commands ------------------------------------------------------------------- */

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "virtio's numbers are little-endian: swap them"
#endif
#define COMMAND(name) .hdr.type = VIRTIO_GPU_CMD_##name
#define WHOLE                            \
    {                                    \
        .width = WIDTH, .height = HEIGHT \
    }

static bool run(struct venus_gpu *gpu, const char *name, void *command, size_t size)
{
    struct virtio_gpu_ctrl_hdr answer = { 0 };
    uint32_t written = 0;
    const struct iovec out = { command, size }, in = { &answer, sizeof(answer) };
    const struct venus_gpu_request request = {
        .out = &out, .num_out = 1, .in = &in, .num_in = 1, .tag = &written
    };
    if (venus_gpu_submit(gpu, VENUS_GPU_QUEUE_CONTROL, &request) < 0)
        return false;
    pthread_mutex_lock(&lock);
    while (!written)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    printf("%-24s 0x%04x\n", name, answer.type);
    return answer.type == VIRTIO_GPU_RESP_OK_NODATA;
}

static bool first_frame(struct venus_gpu *gpu)
{
    struct virtio_gpu_resource_create_2d create = { COMMAND(RESOURCE_CREATE_2D), .resource_id = 1,
                                                    .format = VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM,
                                                    .width = WIDTH, .height = HEIGHT };
    struct {
        struct virtio_gpu_resource_attach_backing command;
        struct virtio_gpu_mem_entry entry;
    } attach = { { COMMAND(RESOURCE_ATTACH_BACKING), .resource_id = 1, .nr_entries = 1 },
                 { .addr = RAM_ADDR, .length = sizeof(ram) } };
    struct virtio_gpu_transfer_to_host_2d transfer = { COMMAND(TRANSFER_TO_HOST_2D), .r = WHOLE,
                                                       .resource_id = 1 };
    struct virtio_gpu_set_scanout scanout = { COMMAND(SET_SCANOUT), .r = WHOLE, .resource_id = 1 };
    struct virtio_gpu_resource_flush flush = { COMMAND(RESOURCE_FLUSH), .r = WHOLE,
                                               .resource_id = 1 };
    const struct {
        const char *name;
        void *command;
        size_t size;
    } commands[] = {
        { "RESOURCE_CREATE_2D", &create, sizeof(create) },
        { "RESOURCE_ATTACH_BACKING", &attach, sizeof(attach) },
        { "TRANSFER_TO_HOST_2D", &transfer, sizeof(transfer) },
        { "SET_SCANOUT", &scanout, sizeof(scanout) },
        { "RESOURCE_FLUSH", &flush, sizeof(flush) },
    };
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (!run(gpu, commands[i].name, commands[i].command, commands[i].size))
            return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    path = argc > 1 ? argv[1] : "first-frame.png";
    for (unsigned y = 0; y < HEIGHT; y++) {
        for (unsigned x = 0; x < WIDTH; x++)
            ram[y][x] =
                (x * 255 / (WIDTH - 1)) << 16 | (y * 255 / (HEIGHT - 1)) << 8 | (x ^ y) % 256;
    }

    const struct venus_gpu_ops ops = { .size = sizeof(ops),
                                       .map_guest = map_guest,
                                       .unmap_guest = unmap_guest,
                                       .command_done = command_done,
                                       .scanout_changed = scanout_changed,
                                       .scanout_flush = scanout_flush };
    struct venus_gpu_config config;
    char *error = NULL;
    venus_gpu_config_init(&config);
    struct venus_gpu *gpu = venus_gpu_create(&config, &ops, NULL, &error);
    if (!gpu) {
        fprintf(stderr, "first-frame: %s\n", error ? error : "no device");
        free(error);
        return 1;
    }
    bool done = first_frame(gpu);
    venus_gpu_reset(gpu); /* takes the frame back, by scanout_changed() */
    venus_gpu_destroy(gpu);
    if (done && !saved)
        fprintf(stderr, "first-frame: cannot write %s\n", path);
    return done && saved ? 0 : 1;
}
