# SPDX-License-Identifier: MIT
"""Where QEMU's source comes from once a mirror has moved on from the versions that we know."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "qemu-source.sh"


class MirrorMovedOn(unittest.TestCase):
    """A mirror that has nothing, and what an earlier run has found instead."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="venus-source-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.newest = self.folder / "cache/virtio-gpu-venus/qemu-source/trixie/newest"
        self.newest.mkdir(parents=True)

    def run_script(self, *arguments):
        environment = {name: value for name, value in os.environ.items() if name != "QEMU_SRC"}
        return subprocess.run([SCRIPT, *arguments], capture_output=True, text=True, timeout=300, check=False,
                              env={**environment, "XDG_CACHE_HOME": str(self.folder / "cache"),
                                   "DEBIAN_MIRROR": f"file:{self.folder}/nothing"})

    def test_what_the_release_has_is_used(self):
        done = self.run_script()
        self.assertEqual((done.returncode, done.stdout), (0, f"{self.newest}\n"), done.stderr)

    def test_a_version_that_was_asked_for_is_that_or_none(self):
        done = self.run_script("10.0.13")
        self.assertEqual((done.returncode, done.stdout), (3, ""), done.stderr)
        self.assertIn("no source package of QEMU 10.0.13", done.stderr)


if __name__ == "__main__":
    unittest.main()
