/*
 * virtio-gpu-venus: a virtio-gpu device for Vulkan, without OpenGL
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_VIRTIO_GPU_VENUS_H
#define HW_VIRTIO_GPU_VENUS_H

#include <venus-gpu.h>

#include "hw/virtio/virtio-gpu.h"
#include "qemu/notify.h"
#include "qemu/thread.h"
#include "qemu/timer.h"
#include "ui/native-input.h"

#define TYPE_VIRTIO_GPU_VENUS "virtio-gpu-venus-device"
OBJECT_DECLARE_SIMPLE_TYPE(VirtIOGPUVenus, VIRTIO_GPU_VENUS)

typedef struct VenusCommand VenusCommand;
typedef struct VenusPresentEvent VenusPresentEvent;
typedef struct VenusRegionJob VenusRegionJob;

/* Commands on their way through the library: venus-queue.c */
typedef struct VenusQueues {
    QEMUBH *bh;
    QTAILQ_HEAD(, VenusCommand) in_flight;  /* under the BQL */

    QemuMutex lock;
    QemuCond finished;                      /* @done is not empty */
    QSIMPLEQ_HEAD(, VenusCommand) done;     /* under @lock */
} VenusQueues;

typedef struct VenusIommu {
    QEMUBH *bh;
    QemuMutex lock;
    GQueue asked;   /* struct venus_gpu_translation; under @lock */
} VenusIommu;

/* What the library wants one output to show: venus-display.c */
typedef struct VenusPending {
    bool changed;                       /* @frame replaces what is shown */
    struct venus_gpu_frame *frame;      /* ours; NULL: nothing is shown */
    struct venus_gpu_rect damage;       /* empty where the width is 0 */
    GPtrArray *flushes;                 /* to be answered; NULL: none */

    bool cursor_changed;
    struct venus_gpu_cursor cursor;     /* its place; the image is @image */
    QEMUCursor *image;                  /* ours; NULL: unchanged */
} VenusPending;

typedef struct VenusDisplay {
    QEMUBH *bh;

    /*
     * While an output is presented: the image that QEMU's displays know, where
     * its surface has got another one since.  Under the BQL.
     */
    pixman_image_t *known[VENUS_GPU_MAX_SCANOUTS];

    QemuMutex lock;
    VenusPending pending[VENUS_GPU_MAX_SCANOUTS];   /* under @lock */
} VenusDisplay;

/* What the user wants an output to be: venus-outputs.c */
typedef struct VenusOutput {
    bool given;                         /* by a property of its own */
    uint32_t width, height;             /* 0x0: not connected */
    uint32_t refresh_mhz;               /* 0: its display's */
} VenusOutput;

/* Which output is presented where: venus-present.c */
typedef enum VenusPresentPolicy {
    VENUS_PRESENT_AUTO,         /* in QEMU's window, where a GPU can do it */
    VENUS_PRESENT_SURFACE,      /* never: QEMU's displays draw all frames */
    VENUS_PRESENT_SWAPCHAIN,    /* always */
    VENUS_PRESENT_OFF,          /* nothing is shown at all */
} VenusPresentPolicy;

/* One of the library's kinds of targets, or any of them */
typedef int VenusPresentTarget;
#define VENUS_PRESENT_ANY_TARGET 0
#define VENUS_PRESENT_TARGET(kind) ((kind) + 1)
#define VENUS_PRESENT_KIND(target) ((enum venus_gpu_target_kind)((target) - 1))

typedef struct VenusPlace {
    bool somewhere;                     /* else the rest means nothing */
    enum venus_gpu_target_kind kind;
    uint32_t window;                    /* of X11, else 0 */
    void *view;                         /* of Cocoa, else NULL */
} VenusPlace;

typedef struct VenusPresentOutput {
    VenusPlace place;                   /* where it is presented */
    VenusPlace refused;                 /* where that has ended by itself */
    uint64_t frames;                    /* how many there were at its start */
    NativeInput *input;                 /* in the library's window, or NULL */
} VenusPresentOutput;

typedef struct VenusPresent {
    VenusPresentPolicy policy;
    enum venus_gpu_present_mode mode;
    VenusPresentTarget target;

    QEMUBH *bh;
    Notifier shutdown;
    Notifier windows;
    bool over;                          /* QEMU is about to exit */
    bool warned;
    VenusPresentOutput outputs[VENUS_GPU_MAX_SCANOUTS]; /* under the BQL */

    QemuMutex lock;
    QSIMPLEQ_HEAD(, VenusPresentEvent) events;          /* under @lock */
} VenusPresent;

/* The host-visible window: venus-window.c */
typedef struct VenusWindow {
    MemoryRegion ram;
    bool claims_pages;                              /* nobody may pin them */
    QEMUBH *bh;
    unsigned num_regions;                           /* mapped over @ram */

    QemuMutex lock;
    QSIMPLEQ_HEAD(, VenusRegionJob) jobs;           /* under @lock */
} VenusWindow;

/* Snapshots and migration: venus-state.c */
typedef struct VenusState {
    QEMUBH *bh;
    QEMUTimer *timer;                   /* until a blocker can be added */
    Error *blocker;
    NotifierWithReturn postcopy;
    bool loading;
    bool notify;                        /* of the configuration, when it runs */
    void *data;                         /* while it is being saved; malloc'ed */
    uint64_t size;
} VenusState;

struct VirtIOGPUVenus {
    VirtIOGPUBase parent_obj;

    struct venus_gpu *gpu;
    VenusQueues queues;
    VenusIommu iommu;
    VenusDisplay display;
    VenusPresent present;
    VenusWindow window;
    VenusState state;

    /* properties */
    uint32_t max_contexts;
    uint32_t max_resources;
    uint64_t max_memory;
    uint64_t max_blob_memory;
    uint64_t max_context_memory;
    uint32_t render_timeout;                        /* ms */
    char *render_server;
    char *vulkan_device;
    VenusOutput outputs[VENUS_GPU_MAX_SCANOUTS];
    bool resize;
    bool window_regions;
    OnOffAuto blob_alignment;
    uint32_t max_regions; /* at a time; 0: as many as the accelerator can */
};

/*
 * Check what the user asked for, as far as it has to be right before the
 * transport makes a PCI BAR of it.
 */
bool virtio_gpu_venus_check_conf(VirtIOGPUVenus *v, Error **errp);

#endif
