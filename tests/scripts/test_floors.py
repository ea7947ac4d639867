# SPDX-License-Identifier: MIT
"""The check of the library's floors names the arrow that points up."""

import tempfile
import unittest
from pathlib import Path

import floors

GOOD = {
    "base/log.h": "void log_line(void);\n",
    "base/log.c": '#include "base/log.h"\n\nvoid log_line(void)\n{\n}\n',
    "nouns/context.c": '#include "base/log.h"\n\nvoid context_find(void)\n{\n    log_line();\n}\n',
}


class Floors(unittest.TestCase):
    def mistakes(self, files):
        with tempfile.TemporaryDirectory() as folder:
            src = Path(folder)
            for name, text in {**GOOD, **files}.items():
                (src / name).parent.mkdir(exist_ok=True)
                (src / name).write_text(text, encoding="utf-8")
            return list(floors.mistakes(src, floors.calls(src)))

    def test_arrows_that_point_down_are_fine(self):
        self.assertEqual(self.mistakes({}), [])

    def test_an_include_that_points_up(self):
        found = self.mistakes({"base/stats.h": '#include "nouns/context.h"\n'})
        self.assertEqual(found, ['src/base/stats.h: #include "nouns/context.h" points up, from base to nouns'])

    def test_a_call_that_points_up(self):
        found = self.mistakes({"base/stats.c": "void stats(void)\n{\n    context_find();\n}\n"})
        self.assertEqual(found, ["src/base/stats.c calls src/nouns/context.c, which is above it"])

    def test_a_knot(self):
        found = self.mistakes({"base/a.c": "void a(void)\n{\n    b();\n}\n",
                               "base/b.c": "void b(void)\n{\n    a();\n}\n"})
        self.assertEqual(found, ["these reach each other: base/a base/b"])

    def test_nouns_may_be_one(self):
        self.assertEqual(self.mistakes({"nouns/a.c": "void a(void)\n{\n    b();\n}\n",
                                        "nouns/b.c": "void b(void)\n{\n    a();\n}\n"}), [])

    def test_what_is_no_call(self):
        self.assertEqual(self.mistakes({
            "base/a.c": "/* context_find() */\nstatic void context_find(int)\n{\n}\n"
                        "void a(void)\n{\n    context_find(1);\n    table->log_line();\n}\n"}), [])

    def test_a_folder_that_is_no_floor(self):
        found = self.mistakes({"attic/old.c": "void old(void)\n{\n    log_line();\n}\n"})
        self.assertEqual(len(found), 1)
        self.assertIn("src/attic/old.c is on no floor", found[0])

    def test_virglrenderer(self):
        found = self.mistakes({"nouns/x.c": "#include <virglrenderer.h>\n"})
        self.assertEqual(found, ["src/nouns/x.c includes virglrenderer.h, which is for src/renderer/renderer.c"])


if __name__ == "__main__":
    unittest.main()
