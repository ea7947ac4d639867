# SPDX-License-Identifier: MIT
"""Which QEMU a person's guest runs in: Debian's own, unless it cannot be had or another is asked for, and a line says so.

scripts/setup.sh runs here beside scripts that only note that they were called.
"""

import contextlib
import io
import os
import platform
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from venusvm import guest as vm, which_qemu
from venusvm.guest import SCRIPTS
from venusvm.launchers import guest as launcher

STUB = """#!/bin/sh
echo "${0##*/} $*" >>"${0%/*}/called"
case ${0##*/} in
build-module.sh) [ ! -e "${0%/*}/refuse" ] || exit 3; echo /m/qemu-system-x86_64-venus ;;
build-qemu.sh) echo /q/qemu-system-x86_64 ;;
*) echo /other ;;
esac
"""
STUBS = ("build-module.sh", "build-qemu.sh", "guest-image.sh", "micro-guest.sh", "tools-disk.sh", "host-root.sh")


@unittest.skipUnless(platform.machine() == "x86_64", "the module is for x86_64 hosts")
class Setup(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="venus-setup-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name).resolve() / "scripts"
        self.folder.mkdir()
        for name in ("setup.sh", "lib.sh", "versions.sh"):
            shutil.copy(SCRIPTS / name, self.folder)
        for name in STUBS:
            (self.folder / name).write_text(STUB, encoding="utf-8")
            (self.folder / name).chmod(0o755)
        # What it needs of this machine is there.
        for name in ("dpkg-source", "mmdebstrap", "mke2fs", "xz", "patch", "apt-get", "dpkg-deb"):
            (self.folder / "bin" / name).parent.mkdir(exist_ok=True)
            (self.folder / "bin" / name).symlink_to("/bin/true")
        self.environment = {**os.environ, "XDG_CACHE_HOME": str(self.folder / "cache"),
                            "PATH": f"{os.environ['PATH']}:{self.folder}/bin"}
        for name in ("QEMU_SRC", "GUEST_IMAGE"):
            self.environment.pop(name, None)

    def run_it(self, *options):
        """What it prints, what it says, and what it called."""
        (self.folder / "called").unlink(missing_ok=True)
        done = subprocess.run([self.folder / "setup.sh", *options], env=self.environment, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.strip(), done.stderr, (self.folder / "called").read_text(encoding="utf-8")

    def test_debians_own(self):
        program, said, called = self.run_it()
        self.assertEqual((program, said), ("/m/qemu-system-x86_64-venus", ""))
        self.assertNotIn("build-qemu", called)
        self.assertIn("guest-image.sh --arch x86_64\n", called)

    def test_built(self):
        program, said, called = self.run_it("--built")
        self.assertEqual((program, said), ("/q/qemu-system-x86_64", ""))
        self.assertNotIn("build-module", called)

    def built_because(self, why, *options, module=False):
        program, said, called = self.run_it(*options)
        self.assertEqual(program, "/q/qemu-system-x86_64")
        self.assertEqual(said.count("\n"), 1, said)
        self.assertIn(why, said)
        self.assertEqual("build-module" in called, module)

    def test_no_module(self):
        self.built_because("the module is for x86_64 guests", "--arch", "aarch64")
        self.environment["QEMU_SRC"] = "/somewhere"
        self.built_because("QEMU_SRC is set")

    def test_it_cannot_be_had(self):
        (self.folder / "refuse").touch()
        self.built_because("cannot be had", module=True)

    def test_guests(self):
        called = self.run_it("--small")[2]
        self.assertIn("guest-image.sh --variant small", called)
        called = self.run_it("--micro")[2]
        self.assertIn("micro-guest.sh", called)
        self.assertNotIn("guest-image.sh", called)


class Launcher(unittest.TestCase):
    """run-guest.sh by its dry run."""

    def start(self, *words, program="/m/qemu-system-x86_64-venus"):
        """What is made, QEMU's command line, and what a person is told."""
        made = []

        def made_by(script, *options):
            made.append(" ".join((script, *options)))
            return Path(program if script in ("setup.sh", "build-qemu.sh") else "/images")

        output, errors = io.StringIO(), io.StringIO()
        with mock.patch.object(vm, "made_by", made_by), mock.patch.object(which_qemu, "made_by", made_by), \
                mock.patch.object(vm, "end_on_signals"), mock.patch.dict(os.environ, {"ACCEL": "tcg", "DISPLAY": ":9"}), \
                mock.patch("sys.argv", ["run-guest.sh", "--dry-run", *words]), \
                contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
            self.assertEqual(launcher.main(), 0)
        return made, output.getvalue(), errors.getvalue()

    def test_module(self):
        made, line, said = self.start()
        self.assertIn("setup.sh --arch x86_64", made)
        self.assertIn("--die-with-parent --stock-qemu -- /m/qemu-system-x86_64-venus", line)
        self.assertIn("QEMU: Debian's own, with the device as a module\n", said)

    def test_built(self):
        made, line, said = self.start("--built", program="/q/qemu-system-x86_64")
        self.assertIn("setup.sh --arch x86_64 --built", made)
        self.assertIn("--die-with-parent -- /q/qemu-system-x86_64", line)
        self.assertIn("QEMU: built with the device\n", said)

    def test_named(self):
        made, line, said = self.start("--qemu", "/n/qemu")
        self.assertFalse([words for words in made if words.startswith(("setup", "build"))])
        self.assertIn("-- /n/qemu", line)
        self.assertIn("QEMU: /n/qemu\n", said)

    def test_both_are_too_much(self):
        with self.assertRaises(SystemExit) as end:
            self.start("--built", "--qemu", "/n/qemu")
        self.assertIn("not allowed with", str(end.exception))

    def test_what_takes_a_patch(self):
        """windows of several outputs: Debian's SDL names the first one's only"""
        several = ("--window", "--outputs", "2")
        self.assertIn("--built can present them", self.start(*several)[2])
        self.assertNotIn("--built", self.start("--window")[2])
        self.assertNotIn("--built", self.start(*several, "--present", "surface")[2])
        self.assertNotIn("--built", self.start(*several, "--built", program="/q/qemu-system-x86_64")[2])

    def test_guests(self):
        made, line, _ = self.start("--micro")
        self.assertIn("setup.sh --arch x86_64 --micro", made)
        self.assertFalse([words for words in made if words.startswith(("guest-image", "tools-disk"))])
        self.assertNotIn("if=virtio", line)
        self.assertNotIn("root=", line)
        made, _, _ = self.start("--small")
        self.assertIn("guest-image.sh --variant small", made)
        for odd in (("--micro", "--small"), ("--micro", "--arch", "aarch64"), ("--small", "--image", __file__)):
            with self.assertRaises(SystemExit):
                self.start(*odd)


if __name__ == "__main__":
    unittest.main()
