# SPDX-License-Identifier: MIT
"""What the benchmark's report shows, and that it can be read."""

import contextlib
import io
import json
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from unittest import mock

from venusvm.bench import report

SVG = "{http://www.w3.org/2000/svg}"


def metric(name, old, new, group="blobs", **more):
    """One whose sides are a median, a median and a p99, or a reason."""
    def side(given):
        if isinstance(given, str):
            return {"why": given}
        median, tail = given if isinstance(given, tuple) else (given, given)
        return {"p50": median, "p99": tail, "n": 100}

    entry = {"name": name, "group": group, "unit": "ms", "better": "lower", "old": side(old), "new": side(new),
             "host": None, "ratio": None}
    if not isinstance(old, str) and not isinstance(new, str) and entry["new"]["p50"]:
        entry["ratio"] = round(entry["old"]["p50"] / entry["new"]["p50"], 3)
    entry.update(more)
    if entry["better"] == "higher" and entry["ratio"]:
        entry["ratio"] = round(entry["new"]["p50"] / entry["old"]["p50"], 3)
    return entry


def results(*metrics):
    return {"environment": {"machine": "two cores", "QEMU": "10.2.2", "turns": 5}, "metrics": list(metrics)}


WHOLE = results(
    metric("vkcube under weston", (60, 51), (55.8, 50), "frames", unit="fps", better="higher", target=1,
           host={"p50": 240, "p99": 200, "n": 5}),
    metric("64 KiB blob: create, map, touch, unmap, destroy", (11.6, 14.2), (0.648, 0.9), target=12,
           nothing={"p50": 0.4, "p99": 0.5, "n": 100}, bound="two page faults."),
    metric("  with 1024 others mapped", "stopped after 20 s with 41 of 64 mapped", (0.231, 0.3), target=20),
    metric("  with 4096 others mapped", "it ended", "it ended as well"),
    metric("  with all others mapped", 3, "it ended"),
    metric("a fence whose name is long enough that it does not fit beside its figures in the table or the "
           "picture", (8.1, 800), (0.9, 1), "fences", target=8, host={"p50": 0.0002, "p99": 0.01, "n": 9}),
    metric("a fence that is slow", 1240, 1237.4, "fences"),
    metric("idle <all> & \"sundry\" <&>", 180.2, 200, "memory & more", unit="MiB"),
    metric("start", 0, 0, "start"))


def flat(text):
    return " ".join(text.split())


def texts(picture):
    return [element for element in ElementTree.fromstring(picture).iter(f"{SVG}text")]


def seen(picture):
    return flat(" ".join(element.text or "" for element in texts(picture)))


def box(element):
    """Where a text is, if letters and digits are about as wide as wide sans-serif fonts have them."""
    size = float(element.get("font-size"))
    width = size * sum(0.64 if letter.isdigit() else 0.32 if letter in "., " else 0.59 for letter in element.text)
    left = float(element.get("x")) - {"end": width, "middle": width / 2}.get(element.get("text-anchor"), 0)
    base = float(element.get("y"))
    return left, base - 0.75 * size, left + width, base + 0.22 * size


class Numbers(unittest.TestCase):
    def test_three_digits(self):
        for value, text in ((0.2314, "0.231"), (11.57, "11.6"), (1237.4, "1240"), (9.996, "10.0"), (2, "2.00"),
                            (0, "0"), (0.00123, "0.00123"), (99.96, "100"), (48.0, "48.0")):
            self.assertEqual(report.number(value), text)

    def test_times(self):
        for ratio, target, text in ((17.9, None, "17.9x"), (0.93, None, "0.93x"), (120.4, 12, "120x"),
                                    (None, 12, "-"), (0.996, 1, "0.996x"), (1.0, 1, "1.00x")):
            self.assertEqual(report.times({"ratio": ratio, "target": target}), text)

    def test_a_near_miss_does_not_look_like_the_target(self):
        self.assertEqual(report.times({"ratio": 19.97, "target": 20}), "19.97x")
        self.assertEqual(report.times({"ratio": 0.9996}), "0.9996x")


class Table(unittest.TestCase):
    def setUp(self):
        self.text = report.table(WHOLE)

    def row(self, start):
        return next(line for line in self.text.splitlines() if line.strip().startswith(start)).split()

    def test_every_name(self):
        for entry in WHOLE["metrics"]:
            self.assertIn(flat(entry["name"]), flat(self.text))

    def test_groups_once_and_in_order(self):
        lines = self.text.splitlines()
        at = [lines.index(group) for group in ("frames", "blobs", "fences", "memory & more", "start")]
        self.assertEqual(at, sorted(at))
        self.assertEqual(lines.count("blobs"), 1)

    def test_width(self):
        for line in self.text.splitlines():
            self.assertLessEqual(len(line), 110, line)

    def test_width_of_what_does_not_break(self):
        text = report.table(results(metric("x" * 300, "y" * 300, 1e-9, bound="z" * 300, target=123456)))
        self.assertLessEqual(max(map(len, text.splitlines())), 110)
        self.assertIn("x" * 20, text)

    def test_figures_of_a_row(self):
        self.assertEqual(self.row("vkcube under weston")[3:],
                         ["fps", "60.0", "51.0", "55.8", "50.0", "240", "-", "0.93x", "1x", "MISSED"])

    def test_host_null(self):
        self.assertEqual(self.row("a fence that is slow")[5:],
                         ["ms", "1240", "1240", "1240", "1240", "-", "-", "1.00x"])

    def test_target_met(self):
        self.assertIn("17.9x  12x met", self.text)

    def test_footnotes(self):
        self.assertIn("[1]", self.row("with 1024 others"))
        self.assertIn("\n[1] stopped after 20 s with 41 of 64 mapped\n", self.text)
        self.assertEqual([cell for cell in self.row("with 4096 others") if cell[0] == "["], ["[2]", "[3]"])
        self.assertIn("\n[2] it ended\n[3] it ended as well\n", self.text)

    def test_the_same_reason_is_one_footnote(self):
        self.assertIn("[2]", self.row("with all others"))
        self.assertNotIn("[4]", self.text)

    def test_unknown_ratio_is_neither_met_nor_missed(self):
        self.assertEqual(self.row("with 1024 others")[-2:], ["-", "20x"])

    def test_the_rest(self):
        self.assertIn("two page faults.", self.text)
        self.assertIn("QEMU: 10.2.2", self.text)

    def test_no_column_for_what_is_nowhere(self):
        self.assertNotIn("nothing", report.table(results(metric("one", 2, 1))))

    def test_empty(self):
        self.assertIn("nothing was measured", report.table(results()))


class Picture(unittest.TestCase):
    def setUp(self):
        self.picture = report.svg(WHOLE)

    def test_every_name(self):
        for entry in WHOLE["metrics"]:
            self.assertIn(flat(entry["name"]), seen(self.picture))

    def test_figures_reasons_and_environment(self):
        for text in ("17.9×", "0.93×", "12× ✓", "1× ✗", "0.648", "QEMU: 10.2.2",
                     "old: stopped after 20 s with 41 of 64 mapped", "new: it ended as well"):
            self.assertIn(text, seen(self.picture))

    def test_stands_by_itself(self):
        self.assertNotIn("href", self.picture)
        self.assertNotIn("url(", self.picture)

    def overlaps(self, picture):
        boxes = [(box(element), element.text) for element in texts(picture) if element.text]
        for at, (one, text) in enumerate(boxes):
            for other, more in boxes[at + 1:]:
                if one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]:
                    yield text, more

    def test_no_text_on_another(self):
        crowded = results(*(metric("a name that goes on and on and has another few words to it " * 2, old, new,
                                   "a group " * 20, target=12.5, host={"p50": host, "p99": host, "n": 1})
                            for old, new, host in ((11234.5, 1234.5, 0.00012), (1, 4e6, 3e-5),
                                                   ("words " * 60, "Other Words " * 30, 1), (0.01, 0.012, 5))))
        for picture in (self.picture, report.svg(crowded), report.svg(results()),
                        report.svg(results(metric("one", 2, 1)))):
            self.assertEqual(list(self.overlaps(picture)), [])

    def test_no_tick_on_another(self):
        for ratio in (10 ** (exponent / 5) for exponent in range(-30, 31)):
            picture = report.svg(results(metric("one", 1, 1 / ratio)))
            self.assertEqual(list(self.overlaps(picture)), [], ratio)

    def test_overlaps_are_found(self):
        drawing = report.Drawing()
        drawing.text(10, 10, "one")
        drawing.text(20, 14, "another")
        picture = f'<svg xmlns="{SVG[1:-1]}">{"".join(drawing.elements)}</svg>'
        self.assertEqual(list(self.overlaps(picture)), [("one", "another")])

    def test_everything_inside(self):
        for picture in (self.picture, report.svg(results(metric("one", 1, 1e6), metric("two", 1e6, 1)))):
            root = ElementTree.fromstring(picture)
            width, height = float(root.get("width")), float(root.get("height"))
            for element in texts(picture):
                left, top, right, bottom = box(element)
                self.assertTrue(left >= 0 and top >= 0 and right <= width and bottom <= height, element.text)
            for element in root.iter(f"{SVG}line"):
                for name in ("x1", "x2"):
                    self.assertTrue(0 <= float(element.get(name)) <= width)

    def test_better_is_right_of_the_old_one(self):
        """Both where less is better and where more is; and as far for half as for twice."""
        def dots(**more):
            picture = report.svg(results(metric("one", 100, 50, **more), metric("two", 100, 200, **more)))
            circles = [float(circle.get("cx")) for circle in ElementTree.fromstring(picture).iter(f"{SVG}circle")]
            return circles[-4:]  # after the legend's: old, new, old, new

        old, new, same, other = dots()
        self.assertEqual(old, same)
        self.assertGreater(new, old)
        self.assertAlmostEqual(new - old, old - other, delta=0.2)
        old, new, _, other = dots(better="higher")
        self.assertLess(new, old)
        self.assertGreater(other, old)

    def test_ticks(self):
        labels = [element.text for element in texts(self.picture)]
        for label in ("1×", "10×"):
            self.assertEqual(labels.count(label), 2)  # above and below
        near = [element.text for element in texts(report.svg(results(metric("one", (20, 41), 1))))]
        for label in ("0.5×", "1×", "2×", "5×", "10×", "20×"):
            self.assertIn(label, near)

    def test_what_cannot_be_printed(self):
        broken = results(metric("bell \x07 and \x1b[31m red \ud800", "nul \0 </text>", 1))
        ElementTree.fromstring(report.svg(broken).encode("utf-8"))
        self.assertNotIn("\x1b", report.table(broken))

    def test_empty(self):
        self.assertIn("nothing was measured", seen(report.svg(results())))

    def test_growth(self):
        grown = results(metric("one", 2, 1))
        grown["growth"] = [{"name": "64 against 2", "times": 1.71, "at most": 1.5}]
        self.assertIn("64 against 2: 1.71 times (at most 1.5 is asked for, missed)", seen(report.svg(grown)))


class CommandLine(unittest.TestCase):
    def call(self, *arguments):
        with mock.patch.object(sys, "argv", ["report.py", *map(str, arguments)]), \
             contextlib.redirect_stdout(io.StringIO()) as printed:
            report.main()
        return printed.getvalue()

    def test_table_and_picture(self):
        with tempfile.TemporaryDirectory() as directory:
            source, picture = Path(directory, "bench.json"), Path(directory, "new", "bench.svg")
            source.write_text(json.dumps(WHOLE), encoding="utf-8")
            self.assertEqual(self.call(source, "--svg", picture), report.table(WHOLE))
            self.assertEqual(picture.read_text(encoding="utf-8"), report.svg(WHOLE))

    def test_no_results(self):
        with self.assertRaisesRegex(SystemExit, "report.py: .*nowhere.json"):
            self.call("/nowhere.json")


if __name__ == "__main__":
    unittest.main()
