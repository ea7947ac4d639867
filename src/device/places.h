/* SPDX-License-Identifier: MIT */
/*
 * Places in the guest's control queue.
 *
 * A command keeps its descriptors until it is answered, and a queue has so many. Two kinds of commands can wait
 * for as long as a guest's program likes: those that wait for a fence of a context, and those that are
 * parked for a context. A program that sends nothing else would fill the queue and stop everybody. So when
 * such commands hold many places, and for long, the context that holds most of them is ended; of those that hold but a
 * few, the newest.
 */
#ifndef PLACES_H
#define PLACES_H

#include <stdbool.h>

struct venus_gpu;

/* How many places may be held, half of a queue of 256; and for how long if they are more. */
enum { MOST_PLACES = 128, PLACES_HELD_MS = 1000 };

/* Whether it is to be looked for contexts that hold too many. With the device's lock held. */
bool places_are_few_locked(const struct venus_gpu *gpu);

/* Look for them, and end the one that holds most. Device thread. */
void places_check(struct venus_gpu *gpu);

#endif
