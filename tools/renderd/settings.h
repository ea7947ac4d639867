/* SPDX-License-Identifier: MIT */
/* What the command line asked for, as the parts of venus-gpu-renderd need it. */
#ifndef SETTINGS_H
#define SETTINGS_H

#include <stdbool.h>
#include <sys/types.h>

struct settings {
    const char *server; /* the program */
    bool strict;        /* no server where a part of the sandbox cannot be had */

    /* Paths that servers see besides the system's own, real and absolute, with a NULL at the end. */
    char **keep;

    /* Who the servers are: others than we where we are root. */
    bool change_user;
    uid_t uid;
    gid_t gid, groups[64];
    int num_groups;
};

#endif
