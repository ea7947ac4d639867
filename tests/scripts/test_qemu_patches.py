# SPDX-License-Identifier: MIT
"""The patches for QEMU: in which order they are applied, and what those for QEMU itself look like."""

import re
import subprocess
import unittest
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
PATCHES = TOP / "qemu" / "patches"


class Patches(unittest.TestCase):
    def numbers(self, folder):
        return [int(path.name[:4]) for path in sorted((PATCHES / folder).glob("*.patch"))]

    def test_those_for_qemu_come_first_and_each_folder_by_name(self):
        done = subprocess.run(["bash", "-c", '. "$0"; qemu_patches', TOP / "scripts" / "lib.sh"],
                              capture_output=True, text=True, timeout=60, check=True)
        wanted = [str(path) for folder in ("upstream", "ours") for path in sorted((PATCHES / folder).glob("*.patch"))]
        self.assertEqual(done.stdout.splitlines(), wanted)

    def test_none_is_forgotten(self):
        """A patch in no folder, or in another one, would not be applied."""
        known = {path for folder in ("upstream", "ours", "macos") for path in (PATCHES / folder).glob("*.patch")}
        self.assertEqual(set(PATCHES.rglob("*.patch")), known)

    def test_they_are_numbered(self):
        for folder in ("upstream", "ours", "macos"):
            numbers = self.numbers(folder)
            self.assertEqual(numbers, list(range(1, len(numbers) + 1)), folder)

    def test_those_for_qemu_are_mails(self):
        for path in sorted((PATCHES / "upstream").glob("*.patch")):
            with self.subTest(path.name):
                text = path.read_text(encoding="utf-8")
                head = text.split("\n---\n")[0]
                self.assertRegex(text, r"^From 0{40} ")
                self.assertRegex(head, r"(?m)^Subject: \[PATCH\] [a-z0-9/-]+: \w")
                author = re.search(r"(?m)^From: ((?:.|\n )*)$", head)[1].replace("\n ", " ")
                self.assertIn(f"\nSigned-off-by: {author}", head)

    def test_the_table_names_all(self):
        """README.md lists each patch for QEMU by its number and subject."""
        table = (PATCHES / "README.md").read_text(encoding="utf-8")
        for path in sorted((PATCHES / "upstream").glob("*.patch")):
            subject = re.search(r"(?m)^Subject: \[PATCH\] ((?:.|\n )*?)\n\n", path.read_text(encoding="utf-8"))[1]
            self.assertIn(f"| {path.name[:4]} {' '.join(subject.split())} |", table)


if __name__ == "__main__":
    unittest.main()
