# SPDX-License-Identifier: MIT
"""The units of venus-gpu-renderd are what systemd takes."""

import pathlib
import shutil
import subprocess
import tempfile
import unittest

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "tools" / "renderd"


class Units(unittest.TestCase):
    @unittest.skipUnless(shutil.which("systemd-analyze"), "there is no systemd-analyze")
    def test_systemd_takes_them(self):
        with tempfile.TemporaryDirectory() as folder:
            top = pathlib.Path(folder)
            program = top / "venus-gpu-renderd"
            program.write_text("#!/bin/sh\n", encoding="utf-8")
            program.chmod(0o755)
            text = (FOLDER / "venus-gpu-renderd.service.in").read_text(encoding="utf-8")
            (top / "venus-gpu-renderd.service").write_text(text.replace("@bindir@", folder), encoding="utf-8")
            shutil.copy(FOLDER / "venus-gpu-renderd.socket", top)
            units = [top / f"venus-gpu-renderd.{kind}" for kind in ("socket", "service")]
            done = subprocess.run(["systemd-analyze", "verify", "--man=no", *units], stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, check=False)
            self.assertEqual((done.returncode, done.stdout), (0, ""))


if __name__ == "__main__":
    unittest.main()
