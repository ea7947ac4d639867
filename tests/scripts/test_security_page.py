# SPDX-License-Identifier: MIT
"""The tests and fuzz targets that docs/security.md names are there."""

import re
import unittest

from venusvm.guest import TOP

PAGE = (TOP / "docs" / "security.md").read_text(encoding="utf-8")
NAMED = re.compile(r"`(tests/[\w/.-]+)`(?:: ((?:`\w+`(?:, )?)+))?")


class SecurityPage(unittest.TestCase):
    def test_tests_are_there(self):
        found = 0
        for path, names in NAMED.findall(PAGE):
            text = (TOP / path).read_text(encoding="utf-8")
            for name in re.findall(r"\w+", names):
                self.assertRegex(text, rf"\b(static void|def) {name}\(", path)
                found += 1
        self.assertGreater(found, 30)

    def test_fuzz_targets_are_there(self):
        names = {name for line in re.findall(r"the fuzz targets? ([^|;]*)", PAGE) for name in re.findall(r"`(\w+)`", line)}
        self.assertGreaterEqual(len(names), 5)
        for name in names:
            self.assertTrue((TOP / "fuzz" / f"{name}.c").exists(), name)


if __name__ == "__main__":
    unittest.main()
