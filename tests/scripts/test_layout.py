# SPDX-License-Identifier: MIT
"""Every program is found and finds the package, wherever it is started from and with nothing installed."""

import os
import re
import subprocess
import sys
import unittest

from venusvm.guest import TOP

# Those that say where the package is; programs of scripts/ are beside it.
ELSEWHERE = {"bench/bench.py", "bench/report.py", "examples/examples.py", "tests/guest/run.py"}
LINE = r'sys\.path\.insert\(0, str\(Path\(__file__\)\.resolve\(\)\.parents\[[12]\] / "scripts"\)\)'


def sources():
    """Our Python files and shell scripts by their names below the top."""
    for folder in ("bench", "examples", "scripts", "tests"):
        for path in (TOP / folder).rglob("*"):
            if path.suffix in (".py", ".sh"):
                yield path.relative_to(TOP).as_posix(), path


class Layout(unittest.TestCase):
    def test_only_programs_say_where_the_package_is(self):
        this = "tests/scripts/test_layout.py"
        said = {name: re.findall(r".*sys\.path.*", path.read_text(encoding="utf-8"))
                for name, path in sources() if name != this}
        said = {name: lines for name, lines in said.items() if lines}
        self.assertEqual(set(said), ELSEWHERE)
        for name, lines in said.items():
            self.assertEqual(len(lines), 1, name)
            self.assertRegex(lines[0], rf"\A{LINE}\Z", name)

    def test_no_name_has_two_spellings(self):
        seen = {}
        for name, path in sources():
            seen.setdefault((path.parent, path.stem.replace("-", "_")), set()).add(path.stem)
        self.assertEqual([names for names in seen.values() if len(names) > 1], [])

    def test_every_program_starts_anywhere(self):
        programs = [(name, path) for name, path in sources()
                    if path.suffix == ".py" and os.access(path, os.X_OK) and name != "scripts/launch.py"]
        self.assertLessEqual(ELSEWHERE | {"scripts/check.py"}, {name for name, _ in programs})
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        for name, path in programs:
            with self.subTest(name):
                done = subprocess.run([sys.executable, path, "--help"], cwd="/", env=environment, capture_output=True,
                                      text=True, timeout=60, check=False)
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertIn(f"usage: {path.name}", done.stdout)


if __name__ == "__main__":
    unittest.main()
