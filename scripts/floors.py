#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The floors of the library: which file of src/ uses which, and whether the arrows point down.

An arrow goes from a file to each one whose functions it names ("by calls"), or whose header it
includes. A knot is a set of files that all reach each other.

    scripts/floors.py            the knots by calls, and each arrow that points up
    scripts/floors.py --check    the same, quietly; fails if an arrow points up (make check-strict)
    scripts/floors.py --svg FILE draw the floors
"""

import argparse
import pathlib
import re
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
DEFINITION = re.compile(r'^(?!static\b|typedef\b|extern\b|return\b|else\b)[A-Za-z_][\w \*]*?[ \*](\w+)'
                        r'(?:\(| = \{)', re.M)
OWN = re.compile(r'^static\b[\w \n\*]*?[ \*](\w+)\(', re.M)
WORD = re.compile(r'(?<![.>\w])[A-Za-z_]\w+')  # no member of a structure


def without_comments(text):
    text = re.sub(r'/\*.*?\*/', ' ', text, flags=re.S)
    return re.sub(r'"(?:\\.|[^"\\\n])*"', '""', text)


def definitions(text):
    """What other files can call: functions and tables that are not static."""
    for match in DEFINITION.finditer(text):
        rest = text[match.end() - 1:]
        if rest.startswith('('):
            rest = rest[rest.find(')'):]
            brace, semicolon = rest.find('{'), rest.find(';')
            if brace < 0 or 0 <= semicolon < brace:
                continue
        yield match.group(1)


def calls(src):
    """For each file, those that it calls."""
    texts = {path: without_comments(path.read_text()) for path in sorted(src.rglob('*.c'))}
    home = {name: path for path, text in texts.items() for name in definitions(text)}
    arrows = {}
    for path, text in texts.items():
        words = set(WORD.findall(text)) - set(OWN.findall(text))
        arrows[path] = {home[word] for word in words if word in home} - {path}
    return arrows


def knots(arrows):
    """Sets of more than one file that reach each other, the largest first (Tarjan)."""
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in arrows.get(node, ()):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            at = stack.index(node)
            if len(stack) - at > 1:
                found.append(sorted(stack[at:]))
            del stack[at:]

    for node in arrows:
        if node not in index:
            visit(node)
    return sorted(found, key=len, reverse=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('src', nargs='?', type=pathlib.Path, default=TOP / 'src')
    args = parser.parse_args()
    arrows = calls(args.src)
    for knot in knots(arrows):
        print(f'{len(knot)} of {len(arrows)} files are one knot: '
              + ' '.join(str(path.relative_to(args.src).with_suffix('')) for path in knot))


if __name__ == '__main__':
    sys.exit(main())
