# SPDX-License-Identifier: MIT
"""What the documents tell a person to type is there, and what they refer to.

Each line of a block of commands is either tried here, without doing what it does (make -n, --help, a launcher's
options read), or in TRIED_ELSEWHERE, with the test that types it. Pages with other blocks are in OTHER_BLOCKS.
"""

import os
import re
import shlex
import subprocess
import sys
import unittest
from pathlib import Path
from unittest import mock

from venusvm.launchers import guest

TOP = Path(__file__).resolve().parents[2]
PAGES = sorted({*TOP.glob("*.md"), *TOP.glob("docs/*.md"), *(TOP / name for name in (
    "samples/README.md", "guest/README.md", "qemu/patches/README.md") if (TOP / name).exists())})
# A picture of structures, a letter, results, programs of the guest's: tests/guest/test_examples.py runs those.
OTHER_BLOCKS = {"design.md", "zero-copy.md", "qemu-upstream.md", "examples.md"}
# The beginning of a line, and what types it, or why nothing can.
TRIED_ELSEWHERE = {
    "apt ": "the suite packages",
    "venus-gpu-doctor": "the suite packages, tests/doctor",
    "qemu-system-x86_64": "the suite packages; tests/guest/test_qemu.py has its options",
    "virsh ": "the suite libvirt",
    "virt-install ": "the suite libvirt",
    "make bench": "half an hour",
}


def blocks(text):
    """The lines of each block that is indented by four, with lines that go on joined."""
    text = re.sub(r"(?ms)^```.*?^```", "", text)
    for block in re.findall(r"(?m)(?:^\n(?:    .*\n(?:\n(?=    ))?)+)", text):
        lines = [line[4:] for line in block.splitlines() if line.strip()]
        yield re.sub(r"\\\n *", "", "\n".join(lines)).splitlines()


def commands(page):
    for lines in blocks(page.read_text(encoding="utf-8")):
        yield from (line for line in lines if re.match(r"[\w./\"$]+", line))


def run(words):
    return subprocess.run(words, cwd=TOP, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)


class Documents(unittest.TestCase):
    def check_command(self, line):
        line = re.split(r" {3,}", line)[0]
        words = shlex.split(line)
        if words[0] == "make":
            done = run(["make", "-n", *(word for word in words[1:] if not word.startswith("-"))])
        elif words[0].startswith(("scripts/", "examples/", "bench/")):
            self.assertTrue(os.access(TOP / words[0], os.X_OK), line)
            done = run([words[0], "--help"])
            if words[0] == "scripts/run-guest.sh" and "--help" not in words:
                with mock.patch.object(sys, "argv", words), mock.patch.dict(os.environ, DISPLAY=":0"):
                    guest.parse()
        self.assertEqual(done.returncode, 0, f"{line}: {done.stderr}")

    def test_commands(self):
        tried = 0
        for page in PAGES:
            if page.name in OTHER_BLOCKS:
                continue
            for line in commands(page):
                with self.subTest(f"{page.name}: {line}"):
                    if line.startswith(tuple(TRIED_ELSEWHERE)):
                        continue
                    if re.match(r"(make |scripts/|examples/|bench/)", line):
                        self.check_command(line)
                        tried += 1
        self.assertGreater(tried, 15)

    def test_links(self):
        """Every link to a file of the tree is to one that is there, and to a heading that it has."""
        for page in PAGES:
            text = page.read_text(encoding="utf-8")
            for target in re.findall(r"\]\(([^)\s]+)\)", text):
                if re.match(r"[a-z]+:", target):
                    continue
                with self.subTest(f"{page.relative_to(TOP)}: {target}"):
                    path, _, heading = target.partition("#")
                    there = (page.parent / path).resolve() if path else page
                    self.assertTrue(there.exists())
                    if heading:
                        self.assertIn(heading, headings(there))


def headings(page):
    """As they are linked to: in small letters, without marks, with hyphens for spaces."""
    return {re.sub(r"[^\w\- ]", "", re.sub(r"[`*]", "", line)).strip().lower().replace(" ", "-")
            for line in re.findall(r"(?m)^#+ (.*)$", page.read_text(encoding="utf-8"))}


if __name__ == "__main__":
    unittest.main()
