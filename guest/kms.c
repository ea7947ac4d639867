/* SPDX-License-Identifier: MIT */
/* The display's ioctls, one function each: see kms.h. */
#define _GNU_SOURCE
#include "kms.h"

#include <drm/drm_fourcc.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common.h"
#include "virtgpu.h"

#define FLIP_TIMEOUT_MS 10000

static int try_call(int fd, unsigned long request, void *arg)
{
    int ret;

    do {
        ret = ioctl(fd, request, arg);
    } while (ret < 0 && (errno == EINTR || errno == EAGAIN));
    return ret;
}

static void call(int fd, unsigned long request, void *arg, const char *what)
{
    if (try_call(fd, request, arg) < 0)
        die("%s: %s", what, strerror(errno));
}

static void *array(uint32_t count, size_t size)
{
    void *items = calloc(count + 1, size);

    if (!items)
        die("no memory for %u things", count);
    return items;
}

/* The mode of this size, or the preferred one, or else the first; false if it has none. */
static bool pick_mode(const struct drm_mode_modeinfo *modes, uint32_t count, uint32_t width,
                      uint32_t height, struct drm_mode_modeinfo *out)
{
    for (uint32_t i = 0; i < count; i++) {
        if (width ? modes[i].hdisplay == width && modes[i].vdisplay == height
                  : modes[i].type & DRM_MODE_TYPE_PREFERRED) {
            *out = modes[i];
            return true;
        }
    }
    if (width || !count)
        return false;
    *out = modes[0];
    return true;
}

struct drm_mode_modeinfo *kms_modes(const struct kms *kms, uint32_t *count)
{
    struct drm_mode_get_connector size = { .connector_id = kms->connector };

    /* With no room for modes the kernel looks anew which there are. */
    call(kms->fd, DRM_IOCTL_MODE_GETCONNECTOR, &size, "GETCONNECTOR");
    struct drm_mode_modeinfo *modes = array(size.count_modes, sizeof *modes);
    struct drm_mode_get_connector got = {
        .connector_id = kms->connector,
        .modes_ptr = (uintptr_t)modes,
        .count_modes = size.count_modes,
    };
    call(kms->fd, DRM_IOCTL_MODE_GETCONNECTOR, &got, "GETCONNECTOR");
    *count = got.count_modes < size.count_modes ? got.count_modes : size.count_modes;
    if (got.connection != 1)
        *count = 0;
    return modes;
}

/* Whether the connector is connected and has such a mode. */
static bool use_connector(struct kms *kms, uint32_t id, uint32_t width, uint32_t height)
{
    uint32_t count;

    kms->connector = id;
    struct drm_mode_modeinfo *modes = kms_modes(kms, &count);
    bool found = pick_mode(modes, count, width, height, &kms->mode);
    free(modes);
    return found;
}

/* virtio_gpu has one CRTC for each connector, in the same order. */
void kms_open(struct kms *kms, uint32_t width, uint32_t height)
{
    struct drm_mode_card_res count = { 0 };

    *kms = (struct kms){ .fd = virtgpu_open_card() };
    if (try_call(kms->fd, DRM_IOCTL_SET_MASTER, NULL) < 0)
        die("the display belongs to somebody else: %s", strerror(errno));
    call(kms->fd, DRM_IOCTL_MODE_GETRESOURCES, &count, "GETRESOURCES");
    uint32_t *connectors = array(count.count_connectors, sizeof *connectors);
    uint32_t *crtcs = array(count.count_crtcs, sizeof *crtcs);
    struct drm_mode_card_res got = {
        .connector_id_ptr = (uintptr_t)connectors,
        .crtc_id_ptr = (uintptr_t)crtcs,
        .count_connectors = count.count_connectors,
        .count_crtcs = count.count_crtcs,
    };
    call(kms->fd, DRM_IOCTL_MODE_GETRESOURCES, &got, "GETRESOURCES");
    for (uint32_t i = 0; i < count.count_connectors && i < count.count_crtcs && !kms->crtc; i++) {
        if (use_connector(kms, connectors[i], width, height))
            kms->crtc = crtcs[i];
    }
    free(connectors);
    free(crtcs);
    if (!kms->crtc && width)
        die("no connected display has a mode of %ux%u", width, height);
    if (!kms->crtc)
        die("no display is connected");
}

void kms_close(struct kms *kms)
{
    close(kms->fd);
    *kms = (struct kms){ .fd = -1 };
}

uint32_t kms_import(const struct kms *kms, int dma_buf)
{
    struct drm_prime_handle prime = { .fd = dma_buf };

    call(kms->fd, DRM_IOCTL_PRIME_FD_TO_HANDLE, &prime, "importing a dma-buf to the display");
    return prime.handle;
}

void kms_close_handle(const struct kms *kms, uint32_t handle)
{
    struct drm_gem_close gem = { .handle = handle };

    call(kms->fd, DRM_IOCTL_GEM_CLOSE, &gem, "GEM_CLOSE");
}

int kms_try_framebuffer(const struct kms *kms, uint32_t handle, const struct kms_picture *picture,
                        uint32_t *framebuffer)
{
    struct drm_mode_fb_cmd2 add = {
        .width = picture->width,
        .height = picture->height,
        .pixel_format = picture->fourcc,
        .handles = { handle },
        .pitches = { picture->stride },
        .offsets = { picture->offset },
    };

    if (try_call(kms->fd, DRM_IOCTL_MODE_ADDFB2, &add) < 0)
        return errno;
    *framebuffer = add.fb_id;
    return 0;
}

void kms_remove_framebuffer(const struct kms *kms, uint32_t framebuffer)
{
    unsigned int id = framebuffer;

    call(kms->fd, DRM_IOCTL_MODE_RMFB, &id, "RMFB");
}

uint32_t kms_add_framebuffer(const struct kms *kms, const struct kms_picture *picture)
{
    uint32_t handle = kms_import(kms, picture->dma_buf), framebuffer;
    int error = kms_try_framebuffer(kms, handle, picture, &framebuffer);

    if (error)
        die("the kernel makes no framebuffer of %ux%u, stride %u, format %.4s: %s", picture->width,
            picture->height, picture->stride, (const char *)&picture->fourcc, strerror(error));
    kms_close_handle(kms, handle); /* the framebuffer holds on to the memory */
    return framebuffer;
}

struct kms_canvas kms_create_canvas_of(const struct kms *kms, uint32_t width, uint32_t height)
{
    struct drm_mode_create_dumb create = { .width = width, .height = height, .bpp = 32 };

    call(kms->fd, DRM_IOCTL_MODE_CREATE_DUMB, &create, "CREATE_DUMB");
    struct kms_canvas canvas = { .stride = create.pitch,
                                 .size = create.size,
                                 .handle = create.handle };
    int error = kms_try_framebuffer(kms, create.handle,
                                    &(struct kms_picture){ .fourcc = DRM_FORMAT_XRGB8888,
                                                           .width = width,
                                                           .height = height,
                                                           .stride = create.pitch },
                                    &canvas.framebuffer);
    if (error)
        die("ADDFB2: %s", strerror(error));
    struct drm_mode_map_dumb map = { .handle = create.handle };
    call(kms->fd, DRM_IOCTL_MODE_MAP_DUMB, &map, "MAP_DUMB");
    canvas.pixels =
        mmap(NULL, create.size, PROT_READ | PROT_WRITE, MAP_SHARED, kms->fd, (off_t)map.offset);
    if (canvas.pixels == MAP_FAILED)
        die("mmap of a canvas of %llu bytes: %s", (unsigned long long)create.size, strerror(errno));
    memset(canvas.pixels, 0, create.size);
    return canvas;
}

struct kms_canvas kms_create_canvas(const struct kms *kms)
{
    return kms_create_canvas_of(kms, kms->mode.hdisplay, kms->mode.vdisplay);
}

void kms_destroy_canvas(const struct kms *kms, struct kms_canvas *canvas)
{
    kms_remove_framebuffer(kms, canvas->framebuffer);
    munmap(canvas->pixels, canvas->size);
    kms_close_handle(kms, canvas->handle);
    *canvas = (struct kms_canvas){ 0 };
}

int kms_try_show(const struct kms *kms, uint32_t framebuffer, uint32_t x, uint32_t y)
{
    struct drm_mode_crtc set = {
        .crtc_id = kms->crtc,
        .fb_id = framebuffer,
        .x = x,
        .y = y,
        .set_connectors_ptr = (uintptr_t)&kms->connector,
        .count_connectors = 1,
        .mode_valid = 1,
        .mode = kms->mode,
    };

    return try_call(kms->fd, DRM_IOCTL_MODE_SETCRTC, &set) < 0 ? errno : 0;
}

void kms_show(const struct kms *kms, uint32_t framebuffer)
{
    int error = kms_try_show(kms, framebuffer, 0, 0);

    if (error)
        die("the kernel does not show the framebuffer in mode %s: %s", kms->mode.name,
            strerror(error));
}

/* Reads events until one says that a flip is done. */
static void wait_for_flip(const struct kms *kms)
{
    union {
        char bytes[1024];
        struct drm_event event;
    } buffer;

    for (;;) {
        struct pollfd p = { .fd = kms->fd, .events = POLLIN };
        int ret = poll(&p, 1, FLIP_TIMEOUT_MS);
        if (ret == 0)
            die("a page flip was not done within %d ms", FLIP_TIMEOUT_MS);
        if (ret < 0 && errno == EINTR)
            continue;
        ssize_t size = read(kms->fd, &buffer, sizeof buffer);
        if (size < 0)
            die("waiting for a page flip: %s", strerror(errno));
        /* Only one flip is ever under way, and nothing else was asked for. */
        if (size >= (ssize_t)sizeof buffer.event && buffer.event.type == DRM_EVENT_FLIP_COMPLETE)
            return;
    }
}

bool kms_try_flip(const struct kms *kms, uint32_t framebuffer)
{
    struct drm_mode_crtc_page_flip flip = {
        .crtc_id = kms->crtc,
        .fb_id = framebuffer,
        .flags = DRM_MODE_PAGE_FLIP_EVENT,
    };

    if (try_call(kms->fd, DRM_IOCTL_MODE_PAGE_FLIP, &flip) < 0)
        return false;
    wait_for_flip(kms);
    return true;
}

void kms_flip(const struct kms *kms, uint32_t framebuffer)
{
    if (!kms_try_flip(kms, framebuffer))
        die("PAGE_FLIP: %s", strerror(errno));
}
