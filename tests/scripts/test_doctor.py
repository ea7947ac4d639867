# SPDX-License-Identifier: MIT
"""A launcher whose QEMU does not start says what the doctor found; docs/doctor.md has all that it can find."""

import contextlib
import io
import re
import subprocess
import unittest
from pathlib import Path
from unittest import mock

from venusvm import doctor, guest as vm, which_qemu
from venusvm.launchers import common, guest

TOP = Path(__file__).resolve().parents[2]
ERROR = {"id": "render-server", "subject": "/x", "status": "error", "reason": "gone", "remedy": "Install it"}
WARNING = {"id": "kvm", "subject": "", "status": "warning", "reason": "slow", "remedy": "Wait"}
FINE = {"id": "pages", "subject": "", "status": "ok", "reason": "pages", "remedy": ""}


class Advice(unittest.TestCase):
    def test_errors_hide_warnings(self):
        lines = doctor.advice([WARNING, FINE, ERROR])
        self.assertEqual(lines[1:], ["  render-server (/x): gone", "    Install it"])

    def test_warnings_alone_are_told(self):
        lines = doctor.advice([FINE, WARNING])
        self.assertEqual(lines[1:], ["  kvm: slow", "    Wait"])

    def test_a_healthy_host_is_not_talked_about(self):
        self.assertEqual(doctor.advice([FINE]), [])
        self.assertEqual(doctor.advice([]), [])

    def test_a_doctor_that_cannot_be_asked_hides_nothing(self):
        with mock.patch.object(doctor, "made_by", side_effect=vm.GuestError("no library")):
            self.assertEqual(doctor.findings("qemu"), [])
        with mock.patch.object(doctor, "made_by", return_value=Path("/nothing")), \
                mock.patch.object(subprocess, "run", side_effect=subprocess.TimeoutExpired("doctor", 1)):
            self.assertEqual(doctor.findings("qemu"), [])


class Launchers(unittest.TestCase):
    def test_run_guest(self):
        machine = mock.Mock(accel_why="tcg", qemu=Path("/q"), in_root=[])
        machine.start.side_effect = vm.GuestError("QEMU ended with status 1")
        errors = io.StringIO()
        with mock.patch.object(vm, "Guest", return_value=machine), mock.patch("sys.argv", ["run-guest.sh"]), \
                mock.patch.object(which_qemu, "made_by", return_value=Path("/q")), \
                mock.patch.object(vm, "end_on_signals"), contextlib.redirect_stderr(errors), \
                mock.patch.object(doctor, "findings", return_value=[ERROR]) as asked, \
                self.assertRaises(vm.GuestError):
            guest.main()
        asked.assert_called_once_with(Path("/q"), [])
        self.assertIn("render-server (/x): gone", errors.getvalue())

    def launch(self, command):
        """The status of a launch whose QEMU is that command, and what it said."""
        launch = common.Launch.__new__(common.Launch)
        launch.options = mock.Mock(dry_run=False, vnc=None)
        launch.why, launch.copies, launch.in_root, launch.qemu = "tcg", [], True, "/q"
        launch.arch = "x86_64"
        launch.command = lambda: command
        errors = io.StringIO()
        with contextlib.redirect_stderr(errors), mock.patch("signal.signal"), \
                mock.patch.object(doctor, "findings", return_value=[ERROR]):
            return launch.run("run-alpine.sh", Path("/tmp")), errors.getvalue()

    def test_other_systems(self):
        status, said = self.launch(["sh", "-c", "exit 1"])
        self.assertEqual(status, 1)
        self.assertIn("render-server (/x): gone", said)

    def test_a_guest_that_ends_is_no_fault(self):
        for command in (["true"], ["sh", "-c", "kill $$"]):
            self.assertNotIn("render-server", self.launch(command)[1])


class Page(unittest.TestCase):
    def test_every_finding_is_described(self):
        source = "".join(path.read_text(encoding="utf-8") for path in (TOP / "tools" / "doctor").glob("*.c"))
        ids = set(re.findall(r'report_finding\([^;]*?"([a-z][a-z-]+)",', source))
        ids |= set(re.findall(r'report_add\(report, verdict\.level, "([a-z-]+)"', source))
        self.assertLessEqual({"vulkan-device", "virglrenderer", "kvm", "qemu", "guest-memory-types"}, ids)
        page = (TOP / "docs" / "doctor.md").read_text(encoding="utf-8")
        table = page.split("## What it looks at\n")[1].split("\n## ")[0]
        self.assertEqual(set(re.findall(r"^\| `([a-z-]+)` \|", table, re.M)), ids)
