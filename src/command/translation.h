/* SPDX-License-Identifier: MIT */
/* Guest addresses that the front end translates, as behind an IOMMU. */
#ifndef TRANSLATION_H
#define TRANSLATION_H

#include <stdint.h>

#include "base/services.h"

struct bell;

struct run {
    uint64_t addr, len;
};

/*
 * Have the front end translate runs of guest addresses, if it wants to, and wait for it. *runs, from malloc(), and
 * *num become what map_guest() is to be asked for. Returns 0; -EFAULT: an address is nowhere, and **runs is the first
 * such; -E2BIG: more than most pieces; -ENOMEM; -EINTR: the device is being reset. *runs stays the caller's to free.
 * Device thread.
 */
int translate(struct services *services, struct bell *bell, struct run **runs, unsigned *num,
              unsigned most);

#endif
