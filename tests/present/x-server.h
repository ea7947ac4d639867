/* SPDX-License-Identifier: MIT */
/*
 * An X server in memory (Xvfb) for tests, and what is on its screen. One at a time; it ends with
 * x_server_stop(), which takes one that has ended.
 */
#ifndef X_SERVER_H
#define X_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include <xcb/xcb.h>

/* Waits until an expression is true; X tells us nothing of what other clients draw. */
#define eventually(condition)                  \
    do {                                       \
        int tries = 0;                         \
        while (!(condition) && tries++ < 1500) \
            usleep(10000);                     \
        assert_true(condition);                \
    } while (0)

struct x_server {
    int pid; /* 0: it does not run */
    char display[16];
    xcb_connection_t *connection;
    xcb_screen_t *screen;
};

extern struct x_server x_server;

void x_server_start(unsigned width, unsigned height);
void x_server_kill(void);
void x_server_stop(void);

/* Wait until the server has done what it was told. */
void x_server_sync(void);

/* Whether its screen shows the pattern at (x, y). */
bool x_server_shows(int16_t x, int16_t y, uint32_t width, uint32_t height, uint32_t seed);

#endif
