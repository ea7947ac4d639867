#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs gcc's analyzer, which follows paths through functions, over the library and its tools; prints what it finds.

usage: analyze.py
The exit status is 0 if that is nothing. Each file is analyzed as build-lib.sh compiles it; nothing is compiled.
"""

import concurrent.futures
import json
import os
import re
import shlex
import subprocess
import sys

from venusvm.guest import TOP, made_by

# Without -O: optimized code has lost what is wrong with it. Of these it says too much: it does not see that a structure is freed through its first member, that close_range()
# closes, or that memset() sets padding. AddressSanitizer and the tests of descriptors watch over the first two.
WITHOUT = ("malloc-leak", "fd-leak", "use-of-uninitialized-value")
FOLDERS = ("src", "tools")


def commands(build):
    """How to analyze each file of ours, and its name in the tree."""
    for entry in json.loads((build / "compile_commands.json").read_text(encoding="utf-8")):
        name = re.sub(r"^(\.\./)+src/", "", entry["file"])
        if name.split("/")[0] not in FOLDERS or not name.endswith(".c") or not (TOP / name).exists():
            continue
        words, dropped = shlex.split(entry["command"]), {"-o": 2, "-MQ": 2, "-MF": 2, "-MD": 1, "-c": 1}
        kept = []
        while words:
            count = dropped.get(words[0], 0)
            if not count:
                kept.append(words[0])
            words = words[count or 1:]
        kept = [word for word in kept if word != "ccache" and not word.startswith("-O")]
        yield name, ["gcc", *kept[1:], "-O0", "-fanalyzer", "-fdiagnostics-plain-output",
                     *(f"-Wno-analyzer-{what}" for what in WITHOUT), "-c", "-o", "/dev/null"]


def analyze(build, command):
    done = subprocess.run([TOP / "scripts" / "in-root.sh", "--", *command], cwd=build, text=True, capture_output=True, check=False)
    found = [line for line in done.stderr.splitlines() if ": warning: " in line]
    return found or (done.stderr.splitlines() if done.returncode else [])


def main():
    if sys.argv[1:]:
        print(__doc__)
        return 0 if sys.argv[1:] == ["--help"] else 2
    build = made_by("build-lib.sh", "--build-dir")
    each = dict(commands(build))  # some are in two of meson's targets
    if not each:  # then it says nothing of ours
        raise AssertionError("the build names no file of the library")
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        found = [line for lines in pool.map(lambda command: analyze(build, command), each.values()) for line in lines]
    print("\n".join(found) or f"nothing in {len(each)} files")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
