# SPDX-License-Identifier: MIT
"""What the summary of all tests takes from a program's output in the Test Anything Protocol."""

import contextlib
import io
import os
import re
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import check
from venusvm.guest import TOP

OUTPUT = """1..4
# booted in 8.9 s
ok 1 - regions.map: maps
# 2.0 s
not ok 2 - regions.unmap: unmaps
#   expected: 3 regions
#   seen: 4
# 7.5 s
ok 3 - regions.never # SKIP no such host
not ok 4 - quirks.packed
"""


class Tap(unittest.TestCase):
    def test_each_point_is_a_result_and_a_failure_has_its_words(self):
        results, is_tap = check.tap_results(OUTPUT)
        self.assertTrue(is_tap)
        self.assertEqual([(result.status, result.details) for result in results],
                         [("passed", []), ("failed", ["expected: 3 regions", "seen: 4", "7.5 s"]),
                          ("skipped", []), ("failed", [])])

    def test_tests_that_did_not_run_have_failed(self):
        results, _ = check.tap_results("1..3\nok 1 - one\n")
        self.assertEqual([result.status for result in results], ["passed", "failed"])
        self.assertEqual(results[1].name, "2 planned tests did not run")

    def test_what_is_no_tap_is_told_apart(self):
        self.assertEqual(check.tap_results("hello\n"), ([], False))


class Limits(unittest.TestCase):
    """How long a program may run: as long as it prints something now and then, but not for ever."""

    def status(self, script):
        with tempfile.TemporaryDirectory(prefix="venus-check-") as folder:
            return check.run(["sh", "-c", script], Path(folder, "log"), 2)

    def test_what_goes_on_goes_on(self):
        self.assertEqual(self.status("for i in 1 2 3 4 5 6; do sleep 0.6; echo ok; done; exit 7"), 7)

    def test_what_stands_still_is_ended(self):
        self.assertEqual(self.status("echo ok; sleep 1000"), 124)

    def test_what_never_ends_is_ended(self):
        self.assertEqual(self.status("while :; do sleep 0.2; echo ok; done"), 124)


class Summary(unittest.TestCase):
    def summary(self, output):
        folder = tempfile.TemporaryDirectory(prefix="venus-check-")
        self.addCleanup(folder.cleanup)
        suite = {"some": lambda _log: check.tap_results(output)[0]}
        printed = io.StringIO()
        with mock.patch.object(check, "OUT", Path(folder.name)), mock.patch.object(check, "SUITES", suite), \
                contextlib.redirect_stdout(printed):
            self.count = check.check("some")
        self.log = Path(folder.name, "some.log").read_text(encoding="utf-8")
        return printed.getvalue()

    def test_it_says_why_a_test_failed(self):
        printed = self.summary(OUTPUT)
        self.assertIn("    some: 1 passed, 2 failed, 1 skipped in ", printed)
        self.assertIn("    FAILED regions.unmap: unmaps\n        expected: 3 regions\n        seen: 4\n", printed)
        self.assertEqual(self.count, {"passed": 1, "failed": 2, "skipped": 1})

    def test_a_long_failure_is_cut(self):
        printed = self.summary("1..1\nnot ok 1 - long\n" + "".join(f"# line {i}\n" for i in range(100)))
        self.assertEqual(printed.count("        line "), check.MOST_DETAILS)

    def test_a_suite_without_tests_has_failed(self):
        self.assertIn("FAILED the suite itself (it ran no test)", self.summary("hello\n"))

    def test_the_log_says_what_machine_it_was(self):
        self.summary(OUTPUT)
        self.assertRegex(self.log, rf"\Aon .+, {os.cpu_count()} cores\n")


class NextVirglrenderer(unittest.TestCase):
    """What does not install is skipped in plain sight; what goes wrong in any other way has failed."""

    def results(self, script, version="1.9.0-1"):
        folder = tempfile.TemporaryDirectory(prefix="venus-check-")
        self.addCleanup(folder.cleanup)
        Path(folder.name, "virglrenderer-version").write_text(version + "\n", encoding="utf-8")
        Path(folder.name, "host-root.sh").write_text(f"#!/bin/sh\necho {folder.name}\n{script}\n", encoding="utf-8")
        Path(folder.name, "host-root.sh").chmod(0o755)
        with mock.patch.object(check, "SCRIPTS", Path(folder.name)):
            return [(result.name, result.status) for result in check.with_next_virglrenderer(
                lambda root: [check.Result(f"blobs in {root == Path(folder.name)}", check.PASSED)])]

    def test_names_say_which_it_was(self):
        self.assertEqual(self.results("exit 0"), [("with virglrenderer 1.9.0-1: blobs in True", "passed")])

    def test_one_that_does_not_install_is_skipped(self):
        self.assertEqual(self.results("exit 4"), [("with the next virglrenderer: the whole suite", "skipped")])

    def test_a_script_that_fails_has_failed(self):
        self.assertEqual(self.results("exit 1"), [("with the next virglrenderer: the whole suite", "failed")])


class AnEmulatedHost(unittest.TestCase):
    """What its machine told, also if it did not come to the end."""

    MACHINE = '{"kernel": "6.12-16k", "processor": "aarch64", "page_size": 16384, "tests": 2}'
    BLOB = '{"name": "blob", "result": "OK", "returncode": 0, "stdout": "1..2\\nok 1 - a\\nok 2 - b\\n", "stderr": ""}'
    HANG = '{"name": "hang", "result": "TIMEOUT", "returncode": -9, "stdout": "1..2\\nok 1 - c\\n", "stderr": ""}'

    def results(self, *lines, status=0):
        with tempfile.NamedTemporaryFile() as log:
            return [(result.name, result.status) for result in check.host_16k_results(lines, status, Path(log.name))]

    def test_each_test_by_its_name(self):
        seen = self.results(self.MACHINE, self.BLOB, self.HANG, '{"ended": true}')
        self.assertEqual(seen, [("pages of 16 KiB on aarch64, by 6.12-16k", "passed"), ("blob: a", "passed"),
                                ("blob: b", "passed"), ("hang: c", "passed"), ("hang: 1 planned tests did not run", "failed")])

    def test_a_machine_with_other_pages(self):
        seen = self.results(self.MACHINE.replace("16384", "4096"), self.BLOB, self.BLOB)
        self.assertEqual([status for _, status in seen], ["failed"] + 4 * ["passed"])

    def test_what_did_not_run_has_failed(self):
        seen = self.results(self.MACHINE, self.BLOB, self.HANG[:40], status=124)
        self.assertEqual(seen[-1], ("all tests ran", "failed"))

    def test_a_machine_that_tells_nothing(self):
        for lines in ((), (self.MACHINE[:20],)):
            with self.assertRaises(check.CannotStart):
                self.results(*lines, status=3)


class EverySuiteRuns(unittest.TestCase):
    """A suite that nobody runs says nothing of what has changed elsewhere."""

    def test_what_is_not_part_of_check_is_in_the_weekly_run(self):
        text = (TOP / ".github" / "workflows" / "check.yml").read_text(encoding="utf-8")
        named = re.split(r",\s+", re.search(r"suite: \[([^]]*)\]", text)[1])
        self.assertEqual(set(named), check.ON_REQUEST)

    def test_each_has_its_target(self):
        makefile = (TOP / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ")
        self.assertEqual(set(re.search(r"suites := (.*)", makefile)[1].split()), set(check.SUITES))
