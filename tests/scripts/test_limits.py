# SPDX-License-Identifier: MIT
"""docs/limits.md: each limit names its tests, and these are there; each default that it states is the code's."""

import re
import unittest
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
ROWS = [[cell.strip() for cell in line.strip("|").split("|")]
        for line in (TOP / "docs/limits.md").read_text().splitlines() if re.match(r"\| (?!limit \|)[^-]", line)]


def text_of(name):
    return (TOP / name).read_text()


def missing(group, name):
    """Whether a test that is named so is nowhere."""
    if group == "renderer":
        return not any(f"static void {name}(" in path.read_text() for path in (TOP / "tests/renderer").glob("test-*.c"))
    if group == "guest":
        module, test = name.split(".")
        return f"def test_{test}(" not in text_of(f"tests/guest/test_{module}.py")
    return f"static void test_{name}(" not in text_of(f"tests/unit/test-{group}.c")


class Limits(unittest.TestCase):
    def test_each_has_tests(self):
        self.assertGreater(len(ROWS), 20)
        for row in ROWS:
            for part in row[-1].split(";"):
                with self.subTest(limit=row[0], tests=part):
                    words = re.fullmatch(r"\s*(\S+)(?: (test-\w+|(?:`[\w.]+`(?:, )?)+))?(?:\. .*)?", part)
                    self.assertTrue(words, part)
                    group, names = words.groups()
                    if names and names.startswith("test-"):
                        self.assertTrue((TOP / "tests" / group / f"{names}.c").exists())
                    elif not names:
                        self.assertTrue((TOP / f"tests/unit/test-{group}.c").exists())
                    else:
                        self.assertEqual([name for name in re.findall(r"`([\w.]+)`", names) if missing(group, name)], [])

    def test_each_option_is_there(self):
        header = text_of("include/venus-gpu.h")
        options = [name for row in ROWS for name in re.findall(r"^`(\w+)`", row[0])]
        self.assertGreater(len(options), 7)
        self.assertEqual([name for name in options if not re.search(rf"\b{name};", header)], [])

    def test_numbers_are_those_of_the_code(self):
        """Of limits in the code, which nobody's configuration shows."""
        numbers = {"262144": ("src/command/backing.c", "MAX_ENTRIES = 262144"),
                   "4096": ("src/memory/memory.c", "ALIAS_MAX_RUNS = 4096"),
                   "32768": ("src/base/budget.c", "MAX_RANGES = 32768"),
                   "64 GiB": ("src/base/budget.c", "max_address_space = (uint64_t)64 << 30"),
                   "1048576": ("src/base/budget.c", "MAX_ATTACHMENTS = 16 * DEFAULT_MAX_RESOURCES"),
                   "16384": ("src/base/budget.c", "MAX_PROCESS_THREADS = 16384"),
                   "16 MiB, in words": ("src/nouns/context.c", "MAX_STREAM_SIZE = 16 << 20"),
                   "128, for a second": ("src/device/places.h", "MOST_PLACES = 128, PLACES_HELD_MS = 1000"),
                   "96 KiB": ("src/command/inbox.h", "MOST_UNREAD = 96 << 10"),
                   "63": ("src/base/protocol.h", "VIRTIO_GPU_MAX_RING_IDX = 63")}
        for value, (file, code) in numbers.items():
            with self.subTest(value=value):
                self.assertTrue(any(row[1] == value for row in ROWS), "is no row's value")
                self.assertIn(code, text_of(file))


if __name__ == "__main__":
    unittest.main()
