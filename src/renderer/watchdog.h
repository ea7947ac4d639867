/* SPDX-License-Identifier: MIT */
/*
 * Bounds the calls of a renderer, which waits for processes that a guest can make hang, and for drivers.
 *
 * watchdog_start() gives a renderer whose calls are those of another one. Where one of them takes longer
 * than it may, a thread interrupts it (renderer.h), and it comes back with an error. There is one at a
 * time, as of the renderer.
 */
#ifndef WATCHDOG_H
#define WATCHDOG_H

#include <stdbool.h>

struct renderer;

struct watchdog_config {
    unsigned call_ms;            /* what a call may take */
    bool server_can_be_replaced; /* so that there is no need to be patient with it */
    /* A call was interrupted; 0: one to the render server. On the watchdog's thread. */
    void (*interrupted)(void *opaque, unsigned context_id);
    void *opaque;
};

/* Start the thread. NULL if it could not be started. */
const struct renderer *watchdog_start(const struct renderer *renderer,
                                      const struct watchdog_config *config);
/* Once the device thread has ended, or before it starts. */
void watchdog_stop(void);

/*
 * Somebody waits for the device thread, to reset or to stop the device: interrupt what takes long, at once
 * for contexts, which are about to be destroyed anyhow. Any thread.
 */
void watchdog_hurry(bool hurry);

#endif
