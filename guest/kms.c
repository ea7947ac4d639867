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

/* Whether the connector is connected and has such a mode. */
static bool use_connector(struct kms *kms, uint32_t id, uint32_t width, uint32_t height)
{
    struct drm_mode_get_connector count = { .connector_id = id };

    /* With no room for modes the kernel looks anew which there are. */
    call(kms->fd, DRM_IOCTL_MODE_GETCONNECTOR, &count, "GETCONNECTOR");
    if (count.connection != 1)
        return false;
    struct drm_mode_modeinfo *modes = array(count.count_modes, sizeof *modes);
    struct drm_mode_get_connector got = {
        .connector_id = id,
        .modes_ptr = (uintptr_t)modes,
        .count_modes = count.count_modes,
    };
    call(kms->fd, DRM_IOCTL_MODE_GETCONNECTOR, &got, "GETCONNECTOR");
    uint32_t have = got.count_modes < count.count_modes ? got.count_modes : count.count_modes;
    bool found = pick_mode(modes, have, width, height, &kms->mode);
    free(modes);
    kms->connector = id;
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

uint32_t kms_add_framebuffer(const struct kms *kms, const struct kms_picture *picture)
{
    struct drm_prime_handle prime = { .fd = picture->dma_buf };

    call(kms->fd, DRM_IOCTL_PRIME_FD_TO_HANDLE, &prime, "importing a dma-buf to the display");
    struct drm_mode_fb_cmd2 add = {
        .width = picture->width,
        .height = picture->height,
        .pixel_format = picture->fourcc,
        .handles = { prime.handle },
        .pitches = { picture->stride },
        .offsets = { picture->offset },
    };
    if (try_call(kms->fd, DRM_IOCTL_MODE_ADDFB2, &add) < 0)
        die("the kernel makes no framebuffer of %ux%u, stride %u, format %.4s: %s", add.width,
            add.height, add.pitches[0], (const char *)&add.pixel_format, strerror(errno));
    /* The framebuffer holds on to the memory. */
    struct drm_gem_close gem = { .handle = prime.handle };
    call(kms->fd, DRM_IOCTL_GEM_CLOSE, &gem, "GEM_CLOSE");
    return add.fb_id;
}

struct kms_canvas kms_create_canvas(const struct kms *kms)
{
    struct drm_mode_create_dumb create = {
        .width = kms->mode.hdisplay,
        .height = kms->mode.vdisplay,
        .bpp = 32,
    };

    call(kms->fd, DRM_IOCTL_MODE_CREATE_DUMB, &create, "CREATE_DUMB");
    struct drm_mode_fb_cmd2 add = {
        .width = create.width,
        .height = create.height,
        .pixel_format = DRM_FORMAT_XRGB8888,
        .handles = { create.handle },
        .pitches = { create.pitch },
    };
    call(kms->fd, DRM_IOCTL_MODE_ADDFB2, &add, "ADDFB2");
    struct drm_mode_map_dumb map = { .handle = create.handle };
    call(kms->fd, DRM_IOCTL_MODE_MAP_DUMB, &map, "MAP_DUMB");
    void *pixels =
        mmap(NULL, create.size, PROT_READ | PROT_WRITE, MAP_SHARED, kms->fd, (off_t)map.offset);
    if (pixels == MAP_FAILED)
        die("mmap of a canvas of %llu bytes: %s", (unsigned long long)create.size, strerror(errno));
    memset(pixels, 0, create.size);
    return (struct kms_canvas){ add.fb_id, create.pitch, create.size, pixels };
}

void kms_show(const struct kms *kms, uint32_t framebuffer)
{
    struct drm_mode_crtc set = {
        .crtc_id = kms->crtc,
        .fb_id = framebuffer,
        .set_connectors_ptr = (uintptr_t)&kms->connector,
        .count_connectors = 1,
        .mode_valid = 1,
        .mode = kms->mode,
    };

    if (try_call(kms->fd, DRM_IOCTL_MODE_SETCRTC, &set) < 0)
        die("the kernel does not show the framebuffer in mode %s: %s", kms->mode.name,
            strerror(errno));
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
