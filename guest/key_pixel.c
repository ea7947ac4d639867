/* SPDX-License-Identifier: MIT */
/*
 * The guest's part of the way from a key to a pixel: the screen is black, and each key that is
 * pressed turns it white or black again. The host presses keys and watches the screen.
 *
 *   key_pixel [--presses 0] [--seconds 0]    until that many presses, that time, or SIGTERM
 *   key_pixel --clock N                      only says what the guest's clock reads
 *
 * It prints one JSON object a line, each at once: {"ready": true, "width", "height"} when the black
 * is up and keys are listened to; for each press
 *
 *   {"key": 1, "event_ms": when the kernel saw the key, "flip_ms": when the flip was asked for,
 *    "flipped_ms": when the kernel said it was done, "by": "flip" or, where the kernel refuses
 *    flips, "setcrtc", "white": whether it is white now}
 *
 * and at the end what every program prints, with how many presses there were. All times are of the
 * guest's monotonic clock. To tell the host how that relates to its own, --clock prints N lines
 * {"clock_ms"}, 5 ms apart: the host's time at their arrival less theirs is the clocks' difference
 * and the line's way; the smallest of many is the best.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/input.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "common.h"
#include "kms.h"

#define MAX_KEYBOARDS  16
#define CLOCK_PAUSE_NS 5000000
#define WORD_BITS      (8 * sizeof(unsigned long))

static volatile sig_atomic_t ended;

static void end(int number)
{
    (void)number;
    ended = 1;
}

static void print_clock(long lines)
{
    for (long i = 0; i < lines; i++) {
        nanosleep(&(struct timespec){ .tv_nsec = CLOCK_PAUSE_NS }, NULL);
        printf("{\"clock_ms\": %.4f}\n", now_ms());
        fflush(stdout);
    }
}

static bool has_space_bar(int fd)
{
    unsigned long keys[KEY_CNT / WORD_BITS + 1] = { 0 };

    return ioctl(fd, EVIOCGBIT(EV_KEY, sizeof keys), keys) >= 0 &&
           keys[KEY_SPACE / WORD_BITS] >> (KEY_SPACE % WORD_BITS) & 1;
}

/* Opens what can send a space bar's events, and has its events carry the clock of now_ms(). */
static nfds_t open_keyboards(struct pollfd *keyboards)
{
    nfds_t count = 0;

    for (int i = 0; i < 64 && count < MAX_KEYBOARDS; i++) {
        char path[32];
        int clock = CLOCK_MONOTONIC;

        snprintf(path, sizeof path, "/dev/input/event%d", i);
        int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0)
            continue;
        if (!has_space_bar(fd)) {
            close(fd);
            continue;
        }
        if (ioctl(fd, EVIOCSCLOCKID, &clock))
            die("%s: EVIOCSCLOCKID: %s", path, strerror(errno));
        keyboards[count++] = (struct pollfd){ .fd = fd, .events = POLLIN };
    }
    if (!count)
        die("no keyboard under /dev/input");
    return count;
}

struct screen {
    struct kms kms;
    struct kms_canvas canvases[2]; /* black, white */
    long presses;
};

static void open_screen(struct screen *s)
{
    kms_open(&s->kms, 0, 0);
    for (int i = 0; i < 2; i++)
        s->canvases[i] = kms_create_canvas(&s->kms);
    memset(s->canvases[1].pixels, 0xff, s->canvases[1].size);
    kms_show(&s->kms, s->canvases[0].framebuffer);
}

static void press(struct screen *s, const struct input_event *event)
{
    double event_ms = (double)event->input_event_sec * 1e3 + (double)event->input_event_usec / 1e3;
    bool white = ++s->presses % 2;
    uint32_t framebuffer = s->canvases[white].framebuffer;
    double flip_ms = now_ms();
    bool flipped = kms_try_flip(&s->kms, framebuffer);

    if (!flipped)
        kms_show(&s->kms, framebuffer);
    double flipped_ms = now_ms();
    printf("{\"key\": %ld, \"event_ms\": %.4f, \"flip_ms\": %.4f, \"flipped_ms\": %.4f, "
           "\"by\": \"%s\", \"white\": %s}\n",
           s->presses, event_ms, flip_ms, flipped_ms, flipped ? "flip" : "setcrtc",
           white ? "true" : "false");
    fflush(stdout);
}

/* Serves what the keyboard has to say now, up to so many presses (0: no limit). */
static void serve(struct screen *s, int fd, long presses)
{
    struct input_event event;

    while (!ended && (!presses || s->presses < presses) &&
           read(fd, &event, sizeof event) == sizeof event) {
        if (event.type == EV_KEY && event.value == 1) /* 0 is its release, 2 a repetition */
            press(s, &event);
    }
}

int main(int argc, char **argv)
{
    struct pollfd keyboards[MAX_KEYBOARDS];
    long presses = option(argc, argv, "--presses", 0);
    long clock = option(argc, argv, "--clock", 0);
    struct screen screen = { 0 };
    sigset_t ends, others;

    if (presses < 0 || clock < 0)
        die("--presses and --clock must not be negative");
    if (clock) {
        print_clock(clock);
        return 0;
    }
    /* Both signals come only while ppoll() waits, so that none is missed between look and wait. */
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigprocmask(SIG_BLOCK, &ends, &others);
    sigaction(SIGTERM, &(struct sigaction){ .sa_handler = end }, NULL);
    sigaction(SIGINT, &(struct sigaction){ .sa_handler = end }, NULL);

    open_screen(&screen);
    nfds_t count = open_keyboards(keyboards);
    printf("{\"ready\": true, \"width\": %u, \"height\": %u}\n", screen.kms.mode.hdisplay,
           screen.kms.mode.vdisplay);
    fflush(stdout);
    struct deadline deadline = deadline_option(argc, argv);
    const char *stopped = NULL;
    while (!ended && !stopped && (!presses || screen.presses < presses)) {
        const struct timespec tick = { .tv_nsec = 100000000 }; /* how exactly --seconds is kept */

        if (ppoll(keyboards, count, &tick, &others) < 0 && errno != EINTR)
            die("poll: %s", strerror(errno));
        for (nfds_t i = 0; i < count && !ended; i++) {
            if (keyboards[i].revents & (POLLERR | POLLHUP))
                die("a keyboard is gone");
            if (keyboards[i].revents & POLLIN)
                serve(&screen, keyboards[i].fd, presses);
        }
        if (deadline_passed(&deadline))
            stopped = "rounds";
    }
    printf("{\"program\": \"key_pixel\", \"presses\": %ld, ", screen.presses);
    deadline_print(&deadline, stopped);
    printf("}\n");
    for (nfds_t i = 0; i < count; i++)
        close(keyboards[i].fd);
    kms_close(&screen.kms);
    return 0;
}
