#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Fails if an environment variable is read in the tree and is not in docs/environment.md, or the reverse.

C is searched for getenv(), Python for os.environ, shell for names in capitals that the script does not set
itself, the Makefile for $(NAME). Only rows of tables count on the page, and only their first column.
"""

import argparse
import pathlib
import re
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
PAGE = TOP / "docs" / "environment.md"
FOLDERS = ("src", "include", "qemu", "guest", "scripts", "tests", "bench", "tools", "examples", "samples", "fuzz", ".ci")
OTHER_FILES = ("Makefile",)
# Those of bash and make themselves.
BUILT_IN = {"BASH_SOURCE", "BASH_COMMAND", "BASHPID", "SECONDS", "LINENO", "PIPESTATUS", "IFS", "REPLY", "RANDOM",
            "OPTARG", "OPTIND", "EUID", "UID", "PWD", "FUNCNAME", "MAKEFILE_LIST", "SHELL"}

NAME = r"([A-Z][A-Z0-9_]*)"
C_READS = re.compile(r"\b(?:g_|secure_)?getenv\(\s*(?:\"(\w+)\"|(\w+))\s*\)")
C_DEFINES = re.compile(r'^\s*#\s*define\s+(\w+)\s+"(\w+)"', re.M)
PYTHON_READS = re.compile(r'(?:\bos\.environ(?:\.get\(|\.pop\(|\[)|\bgetenv\()\s*["\'](\w+)["\'](?!\]\s*=[^=])'
                          r'|["\'](\w+)["\'] (?:not )?in os\.environ')
SHELL_READS = re.compile(r"(?<![\\$])\$(?:\{[#!]?)?" + NAME + r"\b")
SHELL_DEFAULTS = re.compile(r"\$\{" + NAME + r":?[-?=+]")  # read from outside, whatever is set later
SHELL_SETS = re.compile(r"(?:^|[\s;(|&\"'])" + NAME + r"\+?=|\bread (?:-\w+ )*" + NAME + r"\b|\bfor " + NAME + r" in", re.M)
MAKE_READS = re.compile(r"\$[({]" + NAME + r"[)}]")
ROW = re.compile(r"^\| *`(\w+)`", re.M)


def without_shell_comments(text):
    return re.sub(r"(?m)(^|\s)#.*$", r"\1", text)


def reads(name, text):
    """The names of the variables that a file reads from its environment."""
    first = text.split("\n", 1)[0]
    found = set()
    if name.endswith((".c", ".h")):
        macros = dict(C_DEFINES.findall(text))
        for literal, word in C_READS.findall(text):
            if literal or word in macros:
                found.add(literal or macros[word])
    elif name.endswith(".py"):
        found |= {a or b for a, b in PYTHON_READS.findall(text)}
    elif name.endswith("Makefile"):
        found |= set(MAKE_READS.findall(text))
    elif name.endswith(".sh") or first.startswith("#!") and "sh" in first:
        code = without_shell_comments(text)
        mine = {word for words in SHELL_SETS.findall(code) for word in words}
        found |= (set(SHELL_READS.findall(code)) - mine) | set(SHELL_DEFAULTS.findall(code))
    return found - BUILT_IN


def read_in_tree(top):
    """For each variable, the files that read it."""
    files = [path for folder in FOLDERS for path in sorted((top / folder).rglob("*")) if path.is_file()]
    files += [top / name for name in OTHER_FILES if (top / name).is_file()]
    where = {}
    for path in files:
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for name in reads(path.name, text):
            where.setdefault(name, []).append(str(path.relative_to(top)))
    return where


def mistakes(where, page):
    """A line for each variable that is on one side only."""
    listed = set(ROW.findall(page))
    for name in sorted(set(where) - listed):
        yield f"{name} is read in {', '.join(where[name])}: say in docs/environment.md what it is for"
    for name in sorted(listed - set(where)):
        yield f"docs/environment.md lists {name}, which nothing reads: take it out"


def main():
    argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0]).parse_args()
    found = list(mistakes(read_in_tree(TOP), PAGE.read_text(encoding="utf-8")))
    for mistake in found:
        print(mistake)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
