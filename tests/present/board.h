/* SPDX-License-Identifier: MIT */
/*
 * A stand-in for a window system that shows memory as it is, as macOS shows IOSurfaces: a board that sheets are pinned
 * to. Its sheets are memory of this process that any Vulkan with VK_EXT_external_memory_host paints in, so what is
 * painted is painted; but nobody sees it. A test is what macOS' main thread and its window server are: it says when a
 * sheet is taken, and for how long it is read.
 */
#ifndef TESTS_PRESENT_BOARD_H
#define TESTS_PRESENT_BOARD_H

#include "present/surface.h"

/* A headless surface, which for who asks for sheets is the board. */
extern const struct surface_kind board_or_swapchain;

/* Before each test: of that size in pixels, it takes every sheet at once, and reads the newest one only. */
void board_reset(uint32_t width, uint32_t height);
/* As the window changes. The presenter, if there is one, has heard of it then. */
void board_resize(uint32_t width, uint32_t height);
void board_show(bool visible);
void board_lose(void);

/* Whether the main thread runs: if not, what is shown waits. */
void board_take(bool takes);
/* Whether the window server stops reading what it was given before the newest one. */
void board_let_go(bool lets_go);
/* From now on there is no memory for sheets but for so many; -1: there is. */
void board_limit(int sheets);

/* What nobody frees any more, as a GPU hangs, is forgotten. */
void board_forget(void);

/* Fails the test unless it shows that pattern (screen.h), opaque, as large as the board. */
void board_assert_shows(uint32_t seed);

/* Counts since board_reset(). */
unsigned board_shown(void); /* sheets that it was given to show */
unsigned board_taken(void); /* and took */
unsigned board_torn(void);  /* that were painted in, or shown anew, while it had them */
unsigned board_made(void);
unsigned board_alive(void); /* sheets that somebody has still: those that it shows are among them */
unsigned board_surfaces(void);

#endif
