/* SPDX-License-Identifier: MIT */
/* See x-server.h. */
#include "x-server.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "screen.h"

struct x_server x_server;

void x_server_start(unsigned width, unsigned height)
{
    int fds[2];
    char size[32], descriptor[16], number[8] = "";
    assert_int_equal(pipe(fds), 0);
    snprintf(size, sizeof(size), "%ux%ux24", width, height);
    snprintf(descriptor, sizeof(descriptor), "%d", fds[1]);
    x_server.pid = fork();
    if (x_server.pid == 0) {
        if (!freopen("/dev/null", "w", stderr))
            _exit(126);
        execlp("Xvfb", "Xvfb", "-displayfd", descriptor, "-screen", "0", size, "-nolisten", "tcp",
               "-noreset", "-nocursor", NULL);
        _exit(127);
    }
    close(fds[1]);
    FILE *said = fdopen(fds[0], "r");
    bool started = fgets(number, sizeof(number), said);
    fclose(said);
    if (!started)
        fail_msg("Xvfb does not start");
    number[strcspn(number, "\n")] = '\0';
    snprintf(x_server.display, sizeof(x_server.display), ":%s", number);
    x_server.connection = xcb_connect(x_server.display, NULL);
    assert_int_equal(xcb_connection_has_error(x_server.connection), 0);
    x_server.screen = xcb_setup_roots_iterator(xcb_get_setup(x_server.connection)).data;
}

void x_server_kill(void)
{
    if (x_server.pid > 0) {
        kill(x_server.pid, SIGTERM); /* it removes its lock and socket */
        waitpid(x_server.pid, NULL, 0);
    }
    x_server.pid = 0;
}

void x_server_stop(void)
{
    if (x_server.connection)
        xcb_disconnect(x_server.connection);
    x_server.connection = NULL;
    x_server_kill();
}

void x_server_sync(void)
{
    xcb_connection_t *connection = x_server.connection;
    free(xcb_get_input_focus_reply(connection, xcb_get_input_focus(connection), NULL));
}

bool x_server_shows(int16_t x, int16_t y, uint32_t width, uint32_t height, uint32_t seed)
{
    xcb_get_image_reply_t *image = xcb_get_image_reply(
        x_server.connection,
        xcb_get_image(x_server.connection, XCB_IMAGE_FORMAT_Z_PIXMAP, x_server.screen->root, x, y,
                      (uint16_t)width, (uint16_t)height, UINT32_MAX),
        NULL);
    if (!image)
        return false;
    const uint32_t *pixels = (const uint32_t *)xcb_get_image_data(image);
    bool same = true;
    for (uint32_t row = 0; row < height && same; row++) {
        for (uint32_t i = 0; i < width && same; i++)
            same = (pixels[row * width + i] & 0xffffff) == (pattern(i, row, seed) & 0xffffff);
    }
    free(image);
    return same;
}
