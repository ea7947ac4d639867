# SPDX-License-Identifier: MIT
"""The check of docs/messages.md finds what is missing there, and scripts say what it has them say."""

import os
import subprocess
import unittest
from pathlib import Path

import messages

TOP = Path(__file__).resolve().parents[2]


class Sources(unittest.TestCase):
    def test_c(self):
        text = '''
            error_setg(errp, "a=%s is not a \\"b\\": use "
                       "%" PRIu64 " (or f(x))", given);
            log_line(log, VENUS_GPU_LOG_GUEST, "a guest's mistake");
            log_line(log, VENUS_GPU_LOG_ERROR, "%zu of 100%% are gone\\n", n);
            /* warn_report("not said"); */
            error_report("%s", message); say(p, LEVEL, "is shown by ", what); fprintf(file, "no message");
        '''
        self.assertEqual(messages.messages("a.c", text), {
            'a=… is not a "b": use … (or f(x))', "… of 100% are gone", "output … is shown by …"})

    def test_shell(self):
        text = '#!/bin/bash\ndie "no $1 in ${x:-y}; install $(missing "$@")"\ndie "one" \\\n    "two"\n# die "never"\n'
        self.assertEqual(messages.messages("a.sh", text.replace('# die "never"\n', "")),
                         {"no … in …; install …", "one two"})

    def test_python(self):
        text = 'parser.error(f"there is no {x} here")\nraise GuestError("two " "parts")\nsys.exit(main())\n'
        self.assertEqual(messages.messages("a.py", text), {"there is no … here", "two parts"})


class Page(unittest.TestCase):
    def test_both_ways(self):
        page = "| message |\n|---|\n| `said … here` | when | |\n| `old one` | | `try it` |\n"
        found = list(messages.mistakes({"said … here": ["a.c"], "new one": ["b.c"]}, page))
        self.assertEqual(len(found), 2)
        self.assertIn("b.c says `new one`", found[0])
        self.assertIn("lists `old one`", found[1])

    def test_tries(self):
        page = "# Page\n\n## One\n\n| `a …` | when | `x --y` |\n| `b` | | |\n\n## Two\n| `c` | | `z` |\n"
        self.assertEqual(messages.tries(page, "One"), [("a …", "x --y")])
        self.assertTrue(messages.pattern("a … c").search("before a 17\n  c"))


class Said(unittest.TestCase):
    """Scripts that are given what the page has say what the page says, in one or two lines, and do nothing else."""

    def test_scripts(self):
        page = messages.PAGE.read_text(encoding="utf-8")
        tries = messages.tries(page, "Setting up") + messages.tries(page, "The launchers and the demo")
        self.assertGreater(len(tries), 25)
        for message, command in tries:
            with self.subTest(command):
                done = subprocess.run(["bash", "-c", command], cwd=TOP, stdin=subprocess.DEVNULL, capture_output=True,
                                      text=True, timeout=60, check=False, env={**os.environ, "ACCEL": "tcg"})
                self.assertNotEqual(done.returncode, 0)
                self.assertRegex(done.stderr, messages.pattern(message))
                self.assertLessEqual(len(done.stderr.strip().splitlines()), 2, done.stderr)


if __name__ == "__main__":
    unittest.main()
