/* SPDX-License-Identifier: MIT */
/* Which Vulkan driver the render server loads: the one that it is told to, where the loader would find none by itself. */
#ifndef DRIVER_H
#define DRIVER_H

#include <stdbool.h>

/* Lists of paths, the last one being NULL. */
struct driver_places {
    const char *const *manifests; /* of drivers, the one to be taken first */
    const char *const *folders;   /* where every loader looks for manifests */
};

/*
 * A manifest for VK_DRIVER_FILES: the first of places that is there. NULL: leave it to the loader, since somebody has
 * chosen (VK_DRIVER_FILES, VK_ICD_FILENAMES, VK_ADD_DRIVER_FILES), or it finds one, or there is none.
 */
const char *driver_choose(const struct driver_places *places);

/* Whether NVIDIA's own is among those that the loader would load. */
bool driver_is_nvidias(const struct driver_places *places);

#endif
