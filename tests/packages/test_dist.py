# SPDX-License-Identifier: MIT
"""The tarball of a release: one commit makes one, it builds with no network, and what it installs is listed here."""

import hashlib
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

from venusvm.guest import SCRIPTS, TOP

VERSION = re.search(r"version: '(.*)'", (TOP / "meson.build").read_text(encoding="utf-8"))[1]
# Of a plain "meson install", below its prefix, with --libdir=lib.
INSTALLED = {
    "bin/venus-gpu-doctor", "bin/venus-gpu-renderd", "include/venus-gpu.h", "lib/libvenusgpu.so",
    "lib/libvenusgpu.so.0", f"lib/libvenusgpu.so.{VERSION}", "lib/pkgconfig/venusgpu.pc",
    "lib/systemd/system/venus-gpu-renderd.service", "lib/systemd/system/venus-gpu-renderd.socket",
    "lib/sysusers.d/venus-gpu.conf", "lib/venus-gpu/venus-gpu-late-driver.so", "share/man/man1/venus-gpu-doctor.1", "share/man/man8/venus-gpu-renderd.8",
}


def make():
    made = subprocess.run([SCRIPTS / "dist.sh"], stdout=subprocess.PIPE, text=True, check=True)
    return Path(made.stdout.strip())


class Dist(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not (TOP / ".git").exists():
            raise unittest.SkipTest("a tarball is made of a commit, and this is no git repository")
        cls.tarball = make()
        folder = tempfile.TemporaryDirectory(dir=TOP / "out")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        subprocess.run(["tar", "-C", cls.folder, "-xf", cls.tarball], check=True)
        cls.source = cls.folder / f"virtio-gpu-venus-{VERSION}"

    def test_same_again(self):
        """made twice it is the same, to the last byte"""
        before = hashlib.sha256(self.tarball.read_bytes()).hexdigest()
        self.assertEqual(before, hashlib.sha256(make().read_bytes()).hexdigest())

    def test_holds_the_commit(self):
        """it has each file of the commit and no other"""
        listed = subprocess.run(["git", "-c", f"safe.directory={TOP}", "ls-tree", "-r", "--name-only", "-z", "HEAD"],
                                cwd=TOP, stdout=subprocess.PIPE, text=True, check=True).stdout.split("\0")[:-1]
        found = [str(path.relative_to(self.source)) for path in self.source.rglob("*")
                 if path.is_symlink() or not path.is_dir()]
        self.assertEqual(sorted(found), sorted(listed))

    def test_builds_offline(self):
        """with no network at all meson builds it, and installs what is listed into a directory of its own"""
        # A new network namespace has nothing but a loopback device, which is down.
        script = """set -e
            ! grep -qv '^ *lo:\\|^Inter\\|^ face' /proc/net/dev
            meson setup --prefix=/usr --libdir=lib ../build .
            meson compile -C ../build
            DESTDIR=$PWD/../staged meson install --no-rebuild -C ../build"""
        done = subprocess.run(["unshare", "--map-root-user", "--net", SCRIPTS / "in-root.sh", "sh", "-c", script],
                              cwd=self.source, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=600, check=False)
        self.assertEqual(done.returncode, 0, done.stdout[-3000:])
        staged = self.folder / "staged" / "usr"
        found = {str(path.relative_to(staged)) for path in staged.rglob("*") if path.is_symlink() or not path.is_dir()}
        self.assertEqual(found, INSTALLED)


if __name__ == "__main__":
    unittest.main()
