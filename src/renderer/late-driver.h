/* SPDX-License-Identifier: MIT */
/* Whether a render server has to be kept from loading Vulkan's drivers before it forks, and by what. */
#ifndef LATE_DRIVER_H
#define LATE_DRIVER_H

#include "renderer/driver.h"

enum late_driver {
    LATE_DRIVER_BY_ITSELF, /* it loads none before it forks */
    LATE_DRIVER_NOT,       /* it loads them, and this host's survive that */
    LATE_DRIVER_KEPT,      /* it would, NVIDIA's would not survive, and an object keeps it from that */
    LATE_DRIVER_MISSING,   /* the same, but that object is not there, or is not wanted */
};

/* Of the program server. *object: what to load into it first, LATE_DRIVER_KEPT; else NULL. */
enum late_driver late_driver_choose(const char *server, const struct driver_places *places,
                                    const char **object);

/* What that means, after the word "virglrenderer" and its release. */
const char *late_driver_words(enum late_driver late);

#endif
