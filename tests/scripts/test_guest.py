# SPDX-License-Identifier: MIT
"""What the guest tests have made before a guest boots: only what they need, and nothing goes on when they are ended."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from venusvm import harness
from venusvm.expect import wait_for
from venusvm.guest import TOP

GUEST_TESTS = TOP / "tests" / "guest"

# As build-qemu.sh, which waits for build-lib.sh, whose step runs a compiler.
OUTER = """#!/bin/bash
set -euo pipefail
. "{scripts}/lib.sh"
made=$("${{0%/*}}/inner.sh")
echo "$made"
"""
INNER = """#!/bin/bash
set -euo pipefail
. "{scripts}/lib.sh"
step() {{
    echo $BASHPID >"${{0%/*}}/step"
    exec sleep 600
}}
run_step slow step
"""
PROGRAM = """
from pathlib import Path
from venusvm import guest
guest.SCRIPTS = Path("{folder}")
guest.end_on_signals()
guest.made_by("outer.sh")
"""


def runs(pid):
    """Whether there is such a process, and not only its remains."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class MadeBy(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="venus-made-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        for name, text in (("outer.sh", OUTER), ("inner.sh", INNER)):
            path = self.folder / name
            path.write_text(text.format(scripts=TOP / "scripts"), encoding="utf-8")
            path.chmod(0o755)

    def step(self):
        try:
            return int((self.folder / "step").read_text(encoding="ascii"))
        except (OSError, ValueError):
            return None

    def end_step(self):
        if self.step() and runs(self.step()):
            os.kill(self.step(), signal.SIGKILL)

    def check(self, signum):
        with subprocess.Popen([sys.executable, "-c", PROGRAM.format(folder=self.folder)],
                              env={**os.environ, "PYTHONPATH": str(TOP / "scripts"),
                                   "XDG_CACHE_HOME": str(self.folder / "cache")},
                              stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as program:
            self.addCleanup(self.end_step)
            wait_for(lambda: (self.step(), "none"), "a step that runs", 60)
            self.assertTrue(runs(self.step()))
            program.send_signal(signum)
            program.wait(60)
            wait_for(lambda: (not runs(self.step()), "it run"), "the end of the step", 20)

    def test_sigterm_ends_what_is_being_made(self):
        self.check(signal.SIGTERM)

    def test_sigint_ends_what_is_being_made(self):
        self.check(signal.SIGINT)


class AnotherQemu(unittest.TestCase):
    """run.py --qemu: no QEMU is built beside the one that was named."""

    def made(self, function, options):
        case = harness.Case(mock.Mock(options=options, prefix=""), "some")
        with mock.patch.object(harness.guests, "made_by", side_effect=lambda *words: " ".join(words)) as made_by:
            return function(case, "--legacy"), made_by.called

    def test_ours_is_made_unless_another_was_named(self):
        for options in ({"qemu": None}, {}):
            for function in (harness.own_qemu, harness.qemu_of):
                self.assertEqual(self.made(function, options), ("build-qemu.sh --legacy", True))
        self.assertEqual(self.made(harness.qemu_of, {"qemu": "/theirs"}), ("/theirs", False))

    def test_who_looks_at_our_build_is_skipped(self):
        with self.assertRaises(harness.Skipped), mock.patch.object(harness.guests, "made_by") as made_by:
            harness.own_qemu(harness.Case(mock.Mock(options={"qemu": "/theirs"}), "some"))
        made_by.assert_not_called()

    def test_no_test_builds_it_by_itself(self):
        for path in GUEST_TESTS.glob("test_*.py"):
            self.assertFalse(re.search(r"made_by\(\s*.build-qemu", path.read_text(encoding="utf-8")), path)


class Complaints(unittest.TestCase):
    """A log that should be empty: a line of QEMU's keyboard, or of the render server, is no word about the device."""

    def test_what_may_be_said(self):
        for log, lines in (("", 0), (f"{harness.KEYBOARD}\n{harness.KEYBOARD}\n", 0),
                           ("virtio_input_hid_handle_status: unknown type 4\n", 1),
                           ("warning: virtio-gpu-venus: render server: vkr: nonsense\n", 0),
                           (f"{harness.KEYBOARD}\nvirtio-gpu-venus: something\n", 1)):
            self.assertEqual(len(harness.complaints(mock.Mock(**{"qemu_log.return_value": log}))), lines, log)


class WestonEnds(unittest.TestCase):
    """What fails once the guest's compositor has ended, for its own known fault, for another, or not at all."""

    def fails_with(self, last):
        guest = mock.Mock(**{"run.return_value": mock.Mock(output=last)})
        try:
            with harness.as_long_as_weston_runs(guest):
                raise harness.Failed("expected a size")
        except (harness.Failed, harness.Skipped) as outcome:
            return type(outcome), str(outcome)

    def test_its_own_fault_is_none_of_ours(self):
        last = ("../libweston/backend-drm/kms-color.c:206: Assertion weston_output_get_supported_color_formats(output) "
                "& color_format == true (0 == 1) failed!\n")
        kind, why = self.fails_with(last)
        self.assertIs(kind, harness.Skipped)
        self.assertIn("kms-color.c:206", why)

    def test_another_one_may_be(self):
        self.assertEqual(self.fails_with("assertion of drm failed\n"),
                         (harness.Failed, "expected a size\n    weston has ended: assertion of drm failed"))
        self.assertEqual(self.fails_with(""), (harness.Failed, "expected a size"))


if __name__ == "__main__":
    unittest.main()
