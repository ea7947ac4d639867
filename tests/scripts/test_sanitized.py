# SPDX-License-Identifier: MIT
"""What of the sanitizers' files is a report, and that each is told once."""

import tempfile
import unittest
from pathlib import Path

from venusvm.sanitized import MOST, Reports

WARNING = """==1==WARNING: ASan doesn't fully support makecontext/swapcontext functions
==1==WARNING: ASan is ignoring requested __asan_handle_no_return: stack type: default
False positive error reports may follow
"""
OVERFLOW = "==2==ERROR: AddressSanitizer: heap-buffer-overflow on address 0x602000000018\n" + "    #0 0x7f in f\n" * 100
LEAK = "\n=====\n==3==ERROR: LeakSanitizer: detected memory leaks\n\nDirect leak of 90 byte(s)\n"
ABORT = "AddressSanitizer:DEADLYSIGNAL\n=====\n==4==ERROR: AddressSanitizer: ABRT on unknown address\n    #9 0x7f in f\n"


class Told(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="venus-sanitized-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def write(self, number, text):
        (self.folder / f"report.{number}").write_text(text, encoding="utf-8")

    def test_nothing(self):
        self.assertIsNone(Reports(self.folder).new())

    def test_a_warning_is_no_report(self):
        reports = Reports(self.folder)
        self.write(1, WARNING)
        self.assertIsNone(reports.new())

    def test_each_kind_is_told_once(self):
        reports = Reports(self.folder)
        for number, (text, words) in enumerate(((WARNING + OVERFLOW, "heap-buffer-overflow"), (WARNING + LEAK, "Direct leak"),
                                                (ABORT, "ABRT on"))):
            self.write(number, text)
            told = reports.new()
            self.assertIn(words, told)
            self.assertNotIn("WARNING", told)
            self.assertLessEqual(len(told.splitlines()), 1 + MOST)
            self.assertIsNone(reports.new())

    def test_a_report_after_a_warning_that_was_there_before(self):
        reports = Reports(self.folder)
        self.write(1, WARNING)
        self.assertIsNone(reports.new())
        self.write(1, WARNING + OVERFLOW)
        self.assertIn("heap-buffer-overflow", reports.new())

    def test_those_of_an_earlier_run_are_gone(self):
        self.write(1, OVERFLOW)
        self.assertIsNone(Reports(self.folder).new())

    def test_sanitizers_write_where_it_looks(self):
        self.assertIn(f"log_path={self.folder}/report:", Reports(self.folder).environment()["ASAN_OPTIONS"])


if __name__ == "__main__":
    unittest.main()
