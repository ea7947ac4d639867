#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Fails if a message to a person is in the sources and is not in docs/messages.md, or the reverse.

In C it is the text of the calls in C_CALLS, but for what is said of a guest's mistake; in shell that of die and lacks, in Python
that of an error. What differs from time to time is three dots: in the page, and here whatever stands for it.
Only rows of tables count on the page, and only their first column.

usage: messages.py [--list]     --list: print what is in the sources
"""

import argparse
import ast
import pathlib
import re
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
PAGE = TOP / "docs" / "messages.md"
FOLDERS = ("src", "qemu/hw", "qemu/ui", "qemu/module", "tools", "scripts")
# What it finds is in docs/doctor.md; and who measures or checks sees more than a line.
LEFT_OUT = ("tools/doctor/rules.c", "scripts/venusvm/bench/", "scripts/venusvm/libvirt.py",
            "scripts/figures", "scripts/check.py", "scripts/fuzz.py", "scripts/tidy.sh")
C_CALLS = re.compile(r"\b(error_setg|error_append_hint|error_report|warn_report|warn_report_once|info_report|message|refuse|"
                     r"log_line|say|fprintf)\s*\(")
STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"(?:\s*(?:PRI\w+\s*)?"(?:[^"\\]|\\.)*")*')
CONVERSION = re.compile(r"%[-+ #0]*[\d*]*(?:\.[\d*]+)?(?:hh|h|ll|l|z|j|t)?[a-zA-Z]")
SHELL_STRING = r'"((?:[^"\\$]|\\.|\$\([^)]*\)|\$\{[^}]*\}|\$)*)"'
DIE = re.compile(rf'\b(?:die|lacks) {SHELL_STRING}(?:\s*\\\n\s*{SHELL_STRING})?')
SHELL_VARIABLE = re.compile(r"\$\{[^}]*\}|\$\([^)]*\)|\$\w+|\$[@*#]")
PYTHON_CALLS = {"error", "exit", "GuestError", "Refused"}
ROW = re.compile(r"^\| *`(.+?)` *\|", re.M)
TRY = re.compile(r"^\| *`(.+?)` *\|.*\| *`([^`]+)` *\|$", re.M)
# What others say is passed on by these.
PASSED_ON = {"virtio-gpu-venus: …", "output … …", "… in …", "… failed", "…: …; see … --help", "…: …"}
ESCAPES = {r"\n": " ", r"\"": '"', r"\\": "\\", r"\t": " "}


def tidy(text):
    """One line; what is nothing but what differs is no message."""
    text = re.sub(r"\s+", " ", re.sub("…+", "…", text)).strip()
    return text if re.search(r"[a-z]{2}", text) else None


def arguments(text, begin):
    """A call's arguments, from behind its bracket to the one that closes it."""
    depth, at = 1, begin
    while depth and at < len(text):
        string = STRING.match(text, at)
        if string:
            at = string.end()
            continue
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        at += 1
    return text[begin:at - 1]


def in_c(text):
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
    for call in C_CALLS.finditer(text):
        given = arguments(text, call.end())
        strings = STRINGS.search(given)
        said_of_guest = "LOG_GUEST" in given.split('"', 1)[0]
        if not strings or said_of_guest or (call[1] == "fprintf" and not given.lstrip().startswith("stderr")):
            continue
        words = "".join(STRING.findall(re.sub(r'"\s*PRI\w+\s*"', "d", strings[0])))
        words = CONVERSION.sub("…", words.replace("%%", "\0")).replace("\0", "%")
        words = re.sub(r'\\["nt\\]', lambda found: ESCAPES[found[0]], words)
        yield tidy(f"output … {words}…" if call[1] == "say" else words)


def in_shell(text):
    for found in DIE.finditer(text):
        words = " ".join(filter(None, found.groups()))
        yield tidy(SHELL_VARIABLE.sub("…", words).replace('\\"', '"'))


def words_of(node):
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(value.value if isinstance(value, ast.Constant) else "…" for value in node.values)
    return ""


def in_python(text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and node.args:
            name = getattr(node.func, "attr", getattr(node.func, "id", None))
            if name in PYTHON_CALLS:
                yield tidy(words_of(node.args[0]))


def messages(name, text):
    """The messages of a file, each once."""
    first = text.split("\n", 1)[0]
    if name.endswith((".c", ".h", ".m")):
        found = in_c(text)
    elif name.endswith(".py"):
        found = in_python(text)
    elif name.endswith((".sh", ".in")) or first.startswith("#!") and "sh" in first:
        found = in_shell(text)
    else:
        found = ()
    return set(found) - {None} - PASSED_ON


def in_tree(top):
    """For each message, the files that say it."""
    where = {}
    for path in (path for folder in FOLDERS for path in sorted((top / folder).rglob("*")) if path.is_file()):
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        file = str(path.relative_to(top))
        for message in () if file.startswith(LEFT_OUT) else messages(path.name, text):
            where.setdefault(message, []).append(file)
    return where


def mistakes(where, page):
    """A line for each message that is on one side only."""
    listed = set(ROW.findall(page))
    for message in sorted(set(where) - listed):
        yield f"{', '.join(where[message])} says `{message}`: say in docs/messages.md when, and what to do"
    for message in sorted(listed - set(where)):
        yield f"docs/messages.md lists `{message}`, which nothing says: take it out"


def tries(page, heading):
    """Of the section with that heading, the messages and what they are to be tried with."""
    section = page.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return TRY.findall(section)


def pattern(message):
    """What finds a message in what was printed, however its lines are broken."""
    return re.compile(".*".join(map(re.escape, message.split("…"))).replace(r"\ ", r"\s+"), re.S)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--list", action="store_true", help="print what is in the sources")
    where = in_tree(TOP)
    if parser.parse_args().list:
        for message, files in sorted(where.items(), key=lambda item: (item[1], item[0])):
            print(f"{','.join(files)}\t{message}")
        return 0
    found = list(mistakes(where, PAGE.read_text(encoding="utf-8")))
    for mistake in found:
        print(mistake)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
