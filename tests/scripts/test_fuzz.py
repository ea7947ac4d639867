# SPDX-License-Identifier: MIT
"""What scripts/fuzz.py makes of libFuzzer's log and of llvm-cov's report, and that seeds stay few."""

import tempfile
import unittest
from pathlib import Path

import fuzz
from venusvm.guest import TOP

REPORT = """
Filename                  Regions  Missed Regions  Cover  Functions  Missed Functions  Executed  Lines  Missed Lines  Cover  Branches  Missed Branches  Cover
-----
fuzz/control.c                 10               5 50.00%          2                 1    50.00%     20            10 50.00%         4                2 50.00%
src/src/base/bell.c            10               0 100.00%         8                 0   100.00%     58             0 100.00%       24               12 50.00%
src/nouns/context.c            10               5 50.00%          8                 4    50.00%     42            21 50.00%         0                0      -
src/tests/unit/fake-renderer.c 10               5 50.00%          8                 4    50.00%     99            90 10.00%         0                0      -
TOTAL                          40              15 60.00%         26                 9    60.00%    219           121 40.00%        28               14 50.00%
"""
FOUND = """INFO: Seed: 1
#2 INITED cov: 2
complaint: scanout 1 still shows something
SUMMARY: libFuzzer: deadly signal
artifact_prefix='/somewhere/'; Test unit written to /somewhere/crash-123
stat::number_of_executed_units: 4711
"""


class FuzzTest(unittest.TestCase):
    def outcome(self, text, status):
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder) / "log"
            log.write_text(text, encoding="utf-8")
            return fuzz.Outcome("control", status, log, 1)

    def test_coverage_is_of_the_library_alone(self):
        lines = fuzz.table(REPORT).splitlines()
        self.assertEqual([line.split()[0] for line in lines], ["src/base/bell.c", "src/nouns/context.c", "src"])
        self.assertIn("79.0 % of   100 lines", lines[-1])
        self.assertIn("50.0 % of    24 branches", lines[-1])

    def test_a_find_is_told_with_its_input(self):
        outcome = self.outcome(FOUND, 77)
        self.assertTrue(outcome.failed)
        self.assertEqual(outcome.runs, 4711)
        self.assertEqual(outcome.failures, ["/somewhere/crash-123"])
        self.assertEqual(outcome.why, "complaint: scanout 1 still shows something")

    def test_none(self):
        outcome = self.outcome("stat::number_of_executed_units: 12\n", 0)
        self.assertFalse(outcome.failed)
        self.assertEqual((outcome.runs, outcome.failures), (12, []))

    def test_each_target_has_seeds_and_they_are_small(self):
        seeds = TOP / "fuzz" / "seeds"
        sizes = {path.name: sum(file.stat().st_size for file in path.iterdir()) for path in seeds.iterdir()}
        self.assertLess(sum(sizes.values()), 200_000)
        page = (TOP / "docs" / "fuzzing.md").read_text(encoding="utf-8")
        for name, size in sizes.items():
            self.assertTrue((TOP / "fuzz" / f"{name}.c").exists(), name)
            self.assertGreater(size, 0, name)
            self.assertIn(f"| `{name}` |", page)


if __name__ == "__main__":
    unittest.main()
