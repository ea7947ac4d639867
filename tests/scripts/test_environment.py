# SPDX-License-Identifier: MIT
"""The check of docs/environment.md finds the variable that is missing there."""

import unittest

import environment


class Reads(unittest.TestCase):
    def test_c(self):
        text = '#define PRELOADED "LD_PRELOAD"\nx = getenv(PRELOADED); y = g_getenv("DISPLAY"); z = getenv(name);\n'
        self.assertEqual(environment.reads("a.c", text), {"LD_PRELOAD", "DISPLAY"})

    def test_python(self):
        text = 'E.get("A")\nE["B"]\nE["C"] = "1"\nif "D" in E: pass\n'.replace("E", "os.environ")
        self.assertEqual(environment.reads("a.py", text), {"A", "B", "D"})

    def test_shell_does_not_count_what_the_script_sets(self):
        text = '#!/bin/bash\n# $COMMENT\nOUT=1\necho "$OUT" "$IN" "$BASH_SOURCE" "\\$LATER" "${lower}"\n'
        self.assertEqual(environment.reads("a", text), {"IN"})

    def test_shell_counts_what_has_a_default(self):
        self.assertEqual(environment.reads("a.sh", 'ROOT=x\necho "${ROOT:-auto}"\n'), {"ROOT"})

    def test_makefile(self):
        self.assertEqual(environment.reads("Makefile", "a := $(HOME) $(lower)\n"), {"HOME"})


class Page(unittest.TestCase):
    def test_the_same_on_both_sides(self):
        self.assertEqual(list(environment.mistakes({"A": ["x.c"]}, "| `A` | x.c |\n")), [])

    def test_not_listed(self):
        found = list(environment.mistakes({"A": ["x.c"]}, "A is in the text, `A`.\n"))
        self.assertEqual(len(found), 1)
        self.assertIn("A is read in x.c", found[0])

    def test_not_read(self):
        self.assertIn("lists B", list(environment.mistakes({}, "| `B` | nobody |\n"))[0])


if __name__ == "__main__":
    unittest.main()
