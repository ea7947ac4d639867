# SPDX-License-Identifier: MIT
"""Debian's packages: built, looked through by lintian, installed by apt in a fresh Debian 13, and tried there.

That Debian has apt and what is essential, and then what apt brings for the packages. How long each step took is in
out/check/packages-times.txt; what the guest in it showed is in out/check/guest.
"""

import re
import shutil
import subprocess
import sys
import time
import unittest
from pathlib import Path

from venusvm.guest import SCRIPTS, TOP

PACKAGING = TOP / "packaging" / "debian"
VERSION = re.search(r"version: '(.*)'", (TOP / "meson.build").read_text(encoding="utf-8"))[1]
PACKAGES = re.findall(r"^Package: (.*)$", (PACKAGING / "control").read_text(encoding="utf-8"), re.MULTILINE)
WRAPPER = "/usr/bin/qemu-system-x86_64-venus"
# What makes programs: a compiler of any kind, and what they cannot do without.
COMPILERS = re.compile(r"(cc|c\+\+|gcc|g\+\+|cpp|c89|c99|clang|clang\+\+|tcc|ld|as|make|meson|ninja|rustc|go|"
                       r"x86_64-linux-gnu-.*|(gcc|g\+\+|clang|cpp)-\d+)$")
OUT = TOP / "out" / "check"
ROOT = OUT / "packages-root"


def run(*command, **options):
    return subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=900, check=False, **options)


class Timed:
    """Writes down how long what is in a with statement took."""

    def __init__(self, what):
        self.what = what

    def __enter__(self):
        self.begin = time.monotonic()

    def __exit__(self, *_):
        note(f"{self.what}: {time.monotonic() - self.begin:.0f} s")


def note(line):
    with open(OUT / "packages-times.txt", "a", encoding="utf-8") as file:
        file.write(line + "\n")


class Packages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        OUT.mkdir(parents=True, exist_ok=True)
        (OUT / "packages-times.txt").unlink(missing_ok=True)
        with Timed("packages, if they had to be built"):
            built = subprocess.run([SCRIPTS / "build-packages.sh"], stdout=subprocess.PIPE, text=True, check=True)
        cls.debs = Path(built.stdout.strip())
        shutil.rmtree(ROOT, ignore_errors=True)
        cls.addClassCleanup(shutil.rmtree, ROOT, ignore_errors=True)
        with Timed("a fresh Debian 13 with the packages"):
            made = subprocess.run([SCRIPTS / "packages-root.sh", ROOT], stdout=subprocess.PIPE, text=True, check=True)
        note("of that, apt for the packages: {} s, apt for the newer Mesa: {} s".format(*made.stdout.split()))

    def in_root(self, *command):
        return run(SCRIPTS / "in-root.sh", "--root", ROOT, *command)

    def field(self, package, name):
        status = run("dpkg-query", f"--admindir={ROOT}/var/lib/dpkg", "-W", "-f", f"${{{name}}}", package)
        return status.stdout

    def test_built(self):
        """each package of the control file is there"""
        found = {path.name.split("_")[0] for path in self.debs.glob("*.deb") if "-dbgsym_" not in path.name}
        self.assertEqual(found, set(PACKAGES))

    def test_lintian(self):
        """lintian has no remark, from errors down to hints; those that are overridden are explained"""
        done = run(SCRIPTS / "in-root.sh", "--packages", "lintian", "--allow-root", "--no-cfg", "--display-info", "--pedantic",
                   "--display-experimental", *self.debs.glob("*.changes"))
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)
        for path in PACKAGING.glob("*lintian-overrides"):
            lines = path.read_text(encoding="utf-8").splitlines()
            for before, line in zip(["", *lines], lines):
                self.assertTrue(line.startswith("#") or before.startswith("#"), f"{path.name} does not explain {line}")

    def test_no_compiler(self):
        """nothing that makes programs was installed"""
        found = [path for folder in ("usr/bin", "usr/sbin", "usr/local/bin") for path in (ROOT / folder).iterdir()
                 if COMPILERS.match(path.name)]
        self.assertEqual(found, [])
        listed = run("dpkg-query", f"--admindir={ROOT}/var/lib/dpkg", "-W", "-f", "${Package}\\n").stdout.split()
        self.assertIn("qemu-system-venus", listed)
        self.assertEqual([name for name in listed if name.endswith("-dev") or name.startswith("build-essential")], [])

    def test_fits_qemu(self):
        """the module's package depends on the very QEMU that apt has installed"""
        depends = self.field("qemu-system-venus", "Depends")
        self.assertIn(f"qemu-system-x86 (= {self.field('qemu-system-x86', 'Version')})", depends)

    def test_doctor(self):
        """the doctor is of this release, finds the module fit, and says to run the wrapper"""
        done = self.in_root("venus-gpu-doctor", "--version")
        self.assertEqual((done.returncode, done.stdout.strip()), (0, VERSION))
        done = self.in_root("venus-gpu-doctor")
        self.assertIn(done.returncode, (0, 1), done.stdout)
        self.assertIn("for which the module was built", done.stdout)
        self.assertIn(f"{WRAPPER} -M", done.stdout)

    def test_service(self):
        """venus-gpu-renderd is of this release, has its user, and is started when somebody connects to its socket"""
        done = self.in_root("venus-gpu-renderd", "--version")
        self.assertEqual((done.returncode, done.stdout.split()[-1:]), (0, [VERSION]), done.stderr)
        self.assertRegex((ROOT / "etc/passwd").read_text(encoding="utf-8"), r"(?m)^venus-gpu:")
        self.assertTrue((ROOT / "etc/systemd/system/sockets.target.wants/venus-gpu-renderd.socket").is_symlink())
        self.assertFalse(list((ROOT / "etc/systemd/system").rglob("*.service.wants/venus-gpu-renderd.service")))

    def test_masked(self):
        """by the modules' directory alone, as libvirt would have it, virtio-vga-gl is this device"""
        done = self.in_root("env", "QEMU_MODULE_DIR=/usr/lib/x86_64-linux-gnu/qemu-venus", "qemu-system-x86_64",
                            "-device", "virtio-vga-gl,help")
        self.assertIn("present-target=", done.stdout, done.stderr)

    def test_guest(self):
        """a guest of the wrapper has Venus, and shows vkcube's pictures as the host draws them"""
        with Timed("a guest, from its start to vkcube's 30th and 100th frame"):
            done = run(sys.executable, TOP / "tests" / "guest" / "run.py", "--root", ROOT, "--qemu", WRAPPER,
                       "vulkaninfo.", "vkcube.")
        for line in done.stdout.splitlines():
            if line.startswith("# booted"):
                note(line[2:])
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(len(re.findall(r"^ok \d+ - vkcube\.(?!.*# SKIP)", done.stdout, re.MULTILINE)), 2, done.stdout)


if __name__ == "__main__":
    unittest.main()
