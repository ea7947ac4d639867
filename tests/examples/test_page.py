# SPDX-License-Identifier: MIT
"""The examples' page out of given results, and what holds memory."""

import random
import tempfile
import types
import unittest
from pathlib import Path
from unittest import mock

from venusvm import picture, processes
from venusvm.examples import catalogue, page
from venusvm.examples.entry import Entry, Result
from venusvm.expect import Failed
from venusvm.guest import TOP

PLACE = {"machine": "two cores", "commit": "abc", "QEMU": "10.2.2"}


def result(name, **more):
    return {"name": name, "title": f"The {name}", "text": "What it shows.", "command": f"{name} --frames 5",
            "guest": "plain", "numbers": [["frames per second (as asked)", "50", "60"], ["flips", "7"]],
            "picture": None, "against_host": "the same picture", "wrong": "", "date": "2026-01-02 03:04 UTC",
            "environment": PLACE, **more}


def section(text, title):
    """What stands beneath an example's heading."""
    return text.split(f"### {title}\n")[1].split("\n##")[0]


class Page(unittest.TestCase):
    def test_first_line_says_what_wrote_it(self):
        text = page.markdown([("Ours", [result("cube")])])
        self.assertIn("examples/examples.py", text.splitlines()[0])
        self.assertTrue((TOP / "examples" / "examples.py").exists())

    def test_same_results_same_page(self):
        groups = [("Ours", [result("cube"), result("gears")]), ("Others'", [result("mpv")])]
        self.assertEqual(page.markdown(groups), page.markdown(groups))
        text = page.markdown(groups)
        self.assertLess(text.index("### The cube"), text.index("### The gears"))
        self.assertLess(text.index("### The gears"), text.index("## Others'"))

    def test_table_up_front_links_to_each(self):
        text = page.markdown([("Ours", [result("cube"), result("mpv", title="mpv, the player")])])
        self.assertIn("| [The cube](#the-cube) | `cube --frames 5` | frames per second: 50 |", text)
        self.assertIn("(#mpv-the-player)", text)

    def test_numbers_with_and_without_host(self):
        both = section(page.markdown([("Ours", [result("cube")])]), "The cube")
        self.assertIn("| | guest | host |", both)
        self.assertIn("| frames per second (as asked) | 50 | 60 |", both)
        self.assertIn("| flips | 7 |  |", both)
        alone = section(page.markdown([("Ours", [result("cube", numbers=[["flips", "7"]])])]), "The cube")
        self.assertIn("| | guest |\n|---|---|\n| flips | 7 |", alone)

    def test_what_does_not_work_says_why(self):
        text = page.markdown([("Ours", [result("cube", wrong="no *dma-buf*\n    seen | nothing", numbers=[])])])
        self.assertIn("| **does not work** |", text)
        self.assertIn(r"**Does not work:** no \*dma-buf\* seen \| nothing", section(text, "The cube"))

    def test_other_run_is_told(self):
        old = result("gears", date="2026-01-01 00:00 UTC", environment={**PLACE, "commit": "old"})
        text = page.markdown([("Ours", [result("cube"), old])])
        self.assertIn("2026-01-01 00:00 UTC, commit old", section(text, "The gears"))
        self.assertNotIn("Of another run", section(text, "The cube"))
        self.assertIn("| commit | abc |", text)

    def test_standin_is_told(self):
        text = page.markdown([("Ours", [result("cube", guest="dmabuf"), result("gears")])])
        self.assertIn("tests/standin", section(text, "The cube"))
        self.assertNotIn("tests/standin", section(text, "The gears"))

    def test_pictures_are_small_and_old_ones_go(self):
        with tempfile.TemporaryDirectory(prefix="venus-page-") as folder:
            docs, out = Path(folder, "docs"), Path(folder, "out")
            picture.Picture(1280, 800, bytes([10, 20, 30]) * 1280 * 800).write_png(out / "cube.png")
            (docs / "examples").mkdir(parents=True)
            (docs / "examples" / "gone.png").write_bytes(b"")
            page.write([("Ours", [result("cube", picture="cube.png"), result("gears")])], docs, out)
            self.assertEqual([path.name for path in (docs / "examples").iterdir()], ["cube.png"])
            shown = picture.read_png(docs / "examples" / "cube.png")
            self.assertEqual((shown.width, shown.height, shown.pixel(7, 7)), (320, 200, (10, 20, 30)))
            text = (docs / "examples.md").read_text(encoding="utf-8")
            self.assertIn("![The cube](examples/cube.png)", text)
            self.assertNotIn("examples/gears.png", text)


class Pictures(unittest.TestCase):
    def test_smaller_takes_means(self):
        full = picture.Picture(4, 2, bytes([0, 0, 0, 40, 0, 0, 1, 2, 3, 1, 2, 3,
                                            80, 8, 0, 0, 0, 0, 1, 2, 3, 1, 2, 3]))
        half = page.smaller(full, 2)
        self.assertEqual((half.width, half.height), (2, 1))
        self.assertEqual((half.pixel(0, 0), half.pixel(1, 0)), ((30, 2, 0), (1, 2, 3)))
        self.assertIs(page.smaller(full, 4), full)

    def test_smallest_png_is_the_same_picture(self):
        chance = random.Random(1)
        for rgb in (chance.randbytes(3 * 31 * 17), bytes(x & 255 for x in range(3 * 31 * 17))):
            shown = picture.Picture(31, 17, rgb)
            with tempfile.TemporaryDirectory(prefix="venus-page-") as folder:
                for smallest in (False, True):
                    shown.write_png(Path(folder, "a.png"), smallest)
                    self.assertEqual(picture.read_png(Path(folder, "a.png")).rgb, rgb)


class Catalogue(unittest.TestCase):
    def test_names_and_titles_are_unique(self):
        for what in ("name", "title"):
            seen = [getattr(entry, what) for entry in catalogue.ENTRIES]
            self.assertEqual(len(seen), len(set(seen)), what)

    def test_guests_are_known(self):
        self.assertLessEqual({entry.guest for entry in catalogue.ENTRIES}, {"plain", "dmabuf"})


class Running(unittest.TestCase):
    """What the catalogue makes of an example that works, fails or breaks down, with no guest."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="venus-page-")
        self.addCleanup(folder.cleanup)
        self.out = Path(folder.name)
        for name, value in (("OUT", self.out), ("TOP", self.out), ("GROUPS", ())):
            patch = mock.patch.object(catalogue, name, value)
            patch.start()
            self.addCleanup(patch.stop)
        self.stage = types.SimpleNamespace(file=lambda name: self.out / name, environment=PLACE, tidy=lambda: None)

    def run_entry(self, function, name="cube"):
        entry = Entry(name, f"The {name}", "What it shows.", name, function)
        return entry, catalogue.keep(self.stage, entry, catalogue.run(self.stage, entry))

    def test_what_works_is_kept(self):
        entry, kept = self.run_entry(lambda _: Result([("flips", 7, 8)], self.out / "cube.png", "the same"))
        self.assertEqual((kept["numbers"], kept["picture"], kept["wrong"]), ([["flips", "7", "8"]], "cube.png", ""))
        self.assertEqual(catalogue.load(entry), kept)

    def test_what_fails_says_why(self):
        def fail(_):
            raise Failed("expected a cube")

        self.assertEqual(self.run_entry(fail)[1]["wrong"], "expected a cube")

    def test_what_breaks_down_does_not_end_the_others(self):
        self.assertIn("ZeroDivisionError", self.run_entry(lambda _: 1 / 0)[1]["wrong"])

    def test_qemu_that_ends_is_told(self):
        self.stage.tidy = lambda: "QEMU ended with status 1"
        self.assertIn("QEMU ended", self.run_entry(lambda _: Result())[1]["wrong"])

    def test_page_waits_for_every_result(self):
        one, two = (self.run_entry(lambda _: Result(), name)[0] for name in ("cube", "gears"))
        with mock.patch.object(catalogue, "GROUPS", (("Ours", [one, two]),)), \
                mock.patch.object(catalogue, "ENTRIES", [one, two]):
            (self.out / "gears.json").unlink()
            self.assertIn("no result yet of gears", catalogue.write_page())
            self.assertFalse((self.out / "docs").exists())
            self.run_entry(lambda _: Result(), "gears")
            catalogue.write_page()
            self.assertIn("### The gears", (self.out / "docs" / "examples.md").read_text(encoding="utf-8"))


class Memory(unittest.TestCase):
    SMAPS = """\
7f0000000000-7f0000100000 rw-s 00000000 00:01 1 /memfd:memory-backend-memfd (deleted)
Pss:                1000 kB
Anonymous:             0 kB
7f0000200000-7f0000300000 rwxp 00000000 00:00 0
Pss:                 300 kB
Anonymous:           300 kB
55a000000000-55a000100000 rw-p 00000000 00:00 0                          [heap]
Pss:                  40 kB
Anonymous:            40 kB
7f0000400000-7f0000500000 rw-p 00000000 08:01 5 /usr/lib/libc.so.6
Pss:                  20 kB
Anonymous:             8 kB
7f0000600000-7f0000700000 rw-s 00000000 00:01 9 /memfd:allocation fd (deleted)
Pss:                   5 kB
Anonymous:             0 kB
"""

    def test_kinds(self):
        self.assertEqual(dict(processes.kinds_of_memory(self.SMAPS)),
                         {"guest": 1000, "translated": 300, "private": 48, "files": 12, "shared": 5})


if __name__ == "__main__":
    unittest.main()
