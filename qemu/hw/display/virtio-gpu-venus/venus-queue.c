/*
 * virtio-gpu-venus: the control and cursor virtqueues
 *
 * A kick pops every chain that is there and submits it to the library, which
 * executes it on its own thread.  A VenusCommand is what we remember of a chain
 * until it goes back to the guest: it is on the list in_flight from its
 * submission until it is pushed, and on the list done as well once the library
 * has finished it.  The library reports that on a thread of its own; the bottom
 * half then pushes everything that has finished meanwhile, with one
 * notification per queue.
 *
 * A reset ends all of it: the library drops the commands that it has not
 * finished, and whatever is still on in_flight is detached and freed.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "hw/virtio/virtio-bus.h"
#include "qemu/lockable.h"
#include "qemu/rcu.h"
#include "trace.h"
#include "venus-internal.h"

#define VENUS_NUM_QUEUES 2

struct VenusCommand {
    VirtQueueElement elem;      /* first: virtqueue_pop() allocates all of it */
    VirtQueue *vq;
    uint32_t written;           /* bytes; valid on the list done */
    QTAILQ_ENTRY(VenusCommand) in_flight_next;
    QSIMPLEQ_ENTRY(VenusCommand) done_next;
};

static bool venus_queue_submit(VirtIOGPUVenus *v, VenusCommand *cmd)
{
    int index = virtio_get_queue_index(cmd->vq);
    struct venus_gpu_request request = {
        .out = cmd->elem.out_sg,
        .num_out = cmd->elem.out_num,
        .in = cmd->elem.in_sg,
        .num_in = cmd->elem.in_num,
        .tag = cmd,
    };

    QTAILQ_INSERT_TAIL(&v->queues.in_flight, cmd, in_flight_next);
    trace_virtio_gpu_venus_submit(cmd, index, cmd->elem.out_num,
                                  cmd->elem.in_num);
    return venus_gpu_submit(v->gpu, index == 0 ? VENUS_GPU_QUEUE_CONTROL
                                               : VENUS_GPU_QUEUE_CURSOR,
                            &request) == 0;
}

static void venus_queue_drop(VirtIOGPUVenus *v, VenusCommand *cmd)
{
    QTAILQ_REMOVE(&v->queues.in_flight, cmd, in_flight_next);
    virtqueue_detach_element(cmd->vq, &cmd->elem, 0);
    g_free(cmd);
}

void venus_queue_kick(VirtIODevice *vdev, VirtQueue *vq)
{
    VirtIOGPUVenus *v = VIRTIO_GPU_VENUS(vdev);
    VenusCommand *cmd;

    if (!virtio_queue_ready(vq)) {
        return;
    }

    do {
        virtio_queue_set_notification(vq, 0);
        while ((cmd = virtqueue_pop(vq, sizeof(*cmd)))) {
            cmd->vq = vq;
            if (!venus_queue_submit(v, cmd)) {
                venus_queue_drop(v, cmd);
                virtio_error(vdev, "virtio-gpu-venus: no memory for a command");
                return;
            }
        }
        virtio_queue_set_notification(vq, 1);
    } while (!virtio_queue_empty(vq));
}

void venus_queue_command_done(void *opaque, void *tag, uint32_t written)
{
    VirtIOGPUVenus *v = opaque;
    VenusCommand *cmd = tag;
    bool first;

    trace_virtio_gpu_venus_done(cmd, written);
    cmd->written = written;
    WITH_QEMU_LOCK_GUARD(&v->queues.lock) {
        first = QSIMPLEQ_EMPTY(&v->queues.done);
        QSIMPLEQ_INSERT_TAIL(&v->queues.done, cmd, done_next);
        qemu_cond_signal(&v->queues.finished);
    }
    if (first) {
        qemu_bh_schedule(v->queues.bh);
    }
}

static void venus_queue_bh(void *opaque)
{
    VirtIOGPUVenus *v = opaque;
    VirtIODevice *vdev = VIRTIO_DEVICE(v);
    unsigned filled[VENUS_NUM_QUEUES] = { 0 };
    QSIMPLEQ_HEAD(, VenusCommand) done = QSIMPLEQ_HEAD_INITIALIZER(done);
    VenusCommand *cmd;
    int i;

    WITH_QEMU_LOCK_GUARD(&v->queues.lock) {
        QSIMPLEQ_CONCAT(&done, &v->queues.done);
    }

    RCU_READ_LOCK_GUARD();
    while ((cmd = QSIMPLEQ_FIRST(&done))) {
        QSIMPLEQ_REMOVE_HEAD(&done, done_next);
        QTAILQ_REMOVE(&v->queues.in_flight, cmd, in_flight_next);
        i = virtio_get_queue_index(cmd->vq);
        virtqueue_fill(cmd->vq, &cmd->elem, cmd->written, filled[i]++);
        g_free(cmd);
    }
    for (i = 0; i < VENUS_NUM_QUEUES; i++) {
        if (filled[i]) {
            VirtQueue *vq = virtio_get_queue(vdev, i);

            virtqueue_flush(vq, filled[i]);
            virtio_notify(vdev, vq);
        }
    }
}

bool venus_queue_is_idle(VirtIOGPUVenus *v)
{
    return QTAILQ_EMPTY(&v->queues.in_flight);
}

void venus_queue_flush(VirtIOGPUVenus *v)
{
    WITH_QEMU_LOCK_GUARD(&v->queues.lock) {
        if (QSIMPLEQ_EMPTY(&v->queues.done)) {
            qemu_cond_timedwait(&v->queues.finished, &v->queues.lock, 1);
        }
    }
    venus_queue_bh(v);
}

void venus_queue_reset(VirtIOGPUVenus *v)
{
    VenusCommand *cmd, *next;

    /* The library is quiet, so nothing is added to the list any more. */
    WITH_QEMU_LOCK_GUARD(&v->queues.lock) {
        QSIMPLEQ_INIT(&v->queues.done);
    }
    QTAILQ_FOREACH_SAFE(cmd, &v->queues.in_flight, in_flight_next, next) {
        venus_queue_drop(v, cmd);
    }
}

void venus_queue_init(VirtIOGPUVenus *v)
{
    QTAILQ_INIT(&v->queues.in_flight);
    QSIMPLEQ_INIT(&v->queues.done);
    qemu_mutex_init(&v->queues.lock);
    qemu_cond_init(&v->queues.finished);
    v->queues.bh = virtio_bh_new_guarded(DEVICE(v), venus_queue_bh, v);
}

void venus_queue_finish(VirtIOGPUVenus *v)
{
    qemu_bh_delete(v->queues.bh);
    qemu_cond_destroy(&v->queues.finished);
    qemu_mutex_destroy(&v->queues.lock);
}
