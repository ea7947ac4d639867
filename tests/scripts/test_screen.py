# SPDX-License-Identifier: MIT
"""What the checks of pictures say of screens that are made up here: both windows, wherever a compositor puts them."""

import random
import unittest

from venusvm.picture import Picture
from venusvm.screen import both_shown, pattern

WIDTH, HEIGHT, PANEL = 200, 100, 8
LARGE, SMALL = (32, 48, 72), (72, 48, 32)  # colours behind the cubes


def window(width, height, colour, seed):
    """A window of one colour with something in its middle, as wl_cube's."""
    rows, noise = [], random.Random(seed)
    for y in range(height):
        row = bytearray(bytes(colour) * width)
        if height // 3 <= y < 2 * height // 3:
            row[3 * (width // 3):3 * (2 * width // 3)] = noise.randbytes(3 * (2 * width // 3 - width // 3))
        rows.append(bytes(row))
    return Picture(width, height, b"".join(rows))


def put(rows, picture, at):
    """Draws a picture onto rows, as far as it is inside them."""
    left, end = at[0], min(WIDTH, at[0] + picture.width)
    for y in range(max(0, at[1]), min(HEIGHT, at[1] + picture.height)):
        rows[y][3 * left:3 * end] = picture.row(y - at[1])[:3 * (end - left)]


def screen(large, begin, small, at, panel=PANEL):
    rows = [bytearray(3 * WIDTH) for _ in range(HEIGHT)]
    put(rows, large, (0, begin))
    if small:
        put(rows, small, at)
    put(rows, Picture(WIDTH, panel, bytes((90, 90, 90)) * WIDTH * panel), (0, 0))
    return Picture(WIDTH, HEIGHT, b"".join(rows))


class BothShown(unittest.TestCase):
    small = window(60, 40, SMALL, 1)

    def test_where_the_compositor_puts_them_is_its_affair(self):
        for height, begin in ((HEIGHT - PANEL, PANEL),   # it knew how much is left
                              (HEIGHT, 0),               # it did not: the panel covers it
                              (HEIGHT, PANEL),           # or it reaches beyond the screen
                              (HEIGHT - PANEL, 0)):      # or something is left below
            large = window(WIDTH, height, LARGE, 2)
            for at in ((0, PANEL), (70, 30), (WIDTH - 60, HEIGHT - 40), (3, 57)):
                with self.subTest(height=height, begin=begin, at=at):
                    self.assertIs(both_shown(screen(large, begin, self.small, at), large, self.small), True)

    def test_each_must_be_there(self):
        large, other = window(WIDTH, HEIGHT, LARGE, 2), window(WIDTH, HEIGHT, LARGE, 3)
        at = (3, 57)
        for shown, says in ((screen(large, 0, None, at), "the small window nowhere"),
                            (screen(large, 0, window(60, 40, SMALL, 4), at), "the small window nowhere"),
                            (screen(large, 0, self.small, (WIDTH - 50, 10)), "the small window nowhere"),
                            (screen(other, 0, self.small, at), "the large window nowhere"),
                            (screen(large, 0, self.small, at, panel=40), "the large window nowhere"),
                            (screen(large, 40, self.small, at), "the large window nowhere")):
            with self.subTest(says=says):
                self.assertIn(says, str(both_shown(shown, large, self.small)))

    def test_a_window_that_is_too_small_is_not_the_large_one(self):
        large = window(WIDTH, 20, LARGE, 2)
        self.assertIn("only 200x20", str(both_shown(screen(large, PANEL, self.small, (3, 57)), large, self.small)))


class Find(unittest.TestCase):
    def test_a_picture_is_found_where_it_is(self):
        small = window(60, 40, SMALL, 1)
        for at in ((0, 0), (140, 60), (1, 59)):
            shown = screen(window(WIDTH, HEIGHT, SMALL, 2), 0, small, at, panel=0)
            self.assertEqual(shown.find(small), at)
        self.assertIsNone(screen(window(WIDTH, HEIGHT, SMALL, 2), 0, None, None).find(small))

    def test_one_colour_is_found_at_its_first_place(self):
        self.assertEqual(Picture(9, 9, bytes(243)).find(Picture(3, 3, bytes(27))), (0, 0))
        self.assertIsNone(pattern(9, 9, 0).find(Picture(3, 3, bytes(27))))


if __name__ == "__main__":
    unittest.main()
