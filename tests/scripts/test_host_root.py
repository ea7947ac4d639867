# SPDX-License-Identifier: MIT
"""The root without OpenGL, once it is made, is there at once, whoever is making another root meanwhile."""

import contextlib
import fcntl
import os
import subprocess
import unittest
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "host-root.sh"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"), "virtio-gpu-venus")


def host_root(timeout):
    return subprocess.run([SCRIPT, "--without-egl"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                          timeout=timeout, check=True).stdout


class WithoutEgl(unittest.TestCase):
    def test_it_waits_for_nobody(self):
        made = host_root(1200)
        self.assertTrue(made.endswith("-without-egl\n"), made)
        with open(CACHE / "lock" / "host-root", "ab") as lock:
            with contextlib.suppress(BlockingIOError):  # then somebody is making one
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.assertEqual(host_root(120), made)


if __name__ == "__main__":
    unittest.main()
