#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The floors of the library: which file of src/ uses which, and whether the arrows point down.

An arrow goes from a file to each one whose functions it names ("by calls"), or whose header it
includes. A knot is a set of files that all reach each other.
"""

import argparse
import pathlib
import re
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
PICTURE = TOP / 'docs' / 'floors.svg'

# From the top to the bottom, each a folder of src/, with what it is.
FLOORS = {
    'device': 'one virtio-gpu: its thread, and the way of a command',
    'nouns': 'what a guest makes: a file each, with its commands',
    'present': 'frames on a screen, by the host\'s Vulkan',
    'command': 'commands in flight, and what their answers wait for',
    'memory': 'bytes of a resource as a range of addresses',
    'vk': 'the host\'s Vulkan, loaded at run time',
    'renderer': 'virglrenderer, and the processes behind it',
    'base': 'small parts, and what every part uses',
    'platform': 'what systems differ in: Linux, macOS',
}
MAY_BE_A_KNOT = {'nouns'}  # resources know their contexts, and contexts their resources

DEFINITION = re.compile(r'^(?!static\b|typedef\b|extern\b|return\b|else\b)[A-Za-z_][\w \*]*?[ \*](\w+)'
                        r'(?:\(| = \{)', re.M)
OWN = re.compile(r'^static\b[\w \n\*]*?[ \*](\w+)\(', re.M)
WORD = re.compile(r'(?<![.>\w])[A-Za-z_]\w*')  # no member of a structure
INCLUDE = re.compile(r'^\s*#include "([\w-]+)/[^"]+"', re.M)


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
    """For each file, those that it calls. Names of files have no ending."""
    texts = {str(path.relative_to(src).with_suffix('')): without_comments(path.read_text())
             for path in sorted(src.rglob('*.[cm]'))}
    home = {name: file for file, text in texts.items() for name in definitions(text)}
    arrows = {}
    for file, text in texts.items():
        words = set(WORD.findall(text)) - set(OWN.findall(text))
        arrows[file] = {home[word] for word in words if word in home} - {file}
    return arrows


def knots(arrows):
    """Sets of more than one file that reach each other, the largest first (Tarjan)."""
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(arrows.get(node, ())):
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


def floor_of(name):
    return name.split('/')[0]


def height_of(floor):
    return len(FLOORS) - list(FLOORS).index(floor)


def mistakes(src, arrows):
    """A line for each thing that is not as this file says."""
    for path in sorted(src.rglob('*.[chm]')):
        name = str(path.relative_to(src))
        floor = floor_of(name)
        if floor not in FLOORS:
            yield f'src/{name} is on no floor: {", ".join(FLOORS)}'
            continue
        text = path.read_text()
        for match in INCLUDE.finditer(text):
            other = match.group(1)
            if other in FLOORS and height_of(other) > height_of(floor):
                yield f'src/{name}: {match.group(0).strip()} points up, from {floor} to {other}'
        if 'virglrenderer.h' in without_comments(text) or '<virgl' in text:
            if name != 'renderer/renderer.c':
                yield f'src/{name} includes virglrenderer.h, which is for src/renderer/renderer.c'
    for file, others in arrows.items():
        for other in sorted(others):
            if not {floor_of(file), floor_of(other)} <= set(FLOORS):
                continue  # said already
            if height_of(floor_of(other)) > height_of(floor_of(file)):
                yield f'src/{file}.c calls src/{other}.c, which is above it'
    for knot in knots(arrows):
        floors = {floor_of(file) for file in knot}
        if not floors <= MAY_BE_A_KNOT:
            yield f'these reach each other: {" ".join(knot)}'


# ---- the picture ---------------------------------------------------------------------------------

WIDTH, BAND, GAP, LEFT, FONT = 960, 66, 26, 220, 'font-family="sans-serif"'


def rows_of(files):
    """The names of a floor's files, in lines that fit."""
    rows, room = [[]], 0
    for file in files:
        wide = 8 * len(file) + 22
        if room + wide > WIDTH - LEFT - 30:
            rows.append([])
            room = 0
        rows[-1].append((room, wide, file))
        room += wide + 6
    return rows


def draw(arrows):
    """The floors as an SVG: a band each, and which uses which."""
    bands, lines, boxes, tops, y = [], [], [], {}, 20
    for floor, what in FLOORS.items():
        files = sorted(file.split('/', 1)[1] for file in arrows if floor_of(file) == floor)
        rows = rows_of(files)
        height = max(BAND, 24 + 28 * len(rows))
        tops[floor] = (y, height)
        bands.append(f'<rect x="{LEFT - 10}" y="{y}" width="{WIDTH - LEFT}" height="{height}" rx="6" '
                     'fill="#eef2f7" stroke="#8090a8"/>')
        bands.append(f'<text x="14" y="{y + 20}" {FONT} font-size="16" font-weight="bold">'
                     f'src/{floor}</text>')
        words, line, at = what.split(), '', y + 38
        for word in words + [None]:
            if word is None or len(line) + len(word) > 24:
                bands.append(f'<text x="14" y="{at}" {FONT} font-size="12">{line.strip()}</text>')
                line, at = '', at + 15
            line += (word or '') + ' '
        for row, names in enumerate(rows):
            for x, wide, name in names:
                top = y + 12 + 28 * row
                boxes.append(f'<rect x="{LEFT + x}" y="{top}" width="{wide}" height="22" rx="4" '
                             'fill="white" stroke="#8090a8"/>')
                boxes.append(f'<text x="{LEFT + x + wide / 2}" y="{top + 15}" {FONT} '
                             f'font-size="12" text-anchor="middle">{name}</text>')
        y += height + GAP
    pairs = {(floor_of(file), floor_of(other)) for file, others in arrows.items() for other in others}
    lane = LEFT + 10
    for upper, lower in sorted(pairs, key=lambda pair: (-height_of(pair[0]), -height_of(pair[1]))):
        if upper == lower:
            continue
        start = tops[upper][0] + tops[upper][1]
        lines.append(f'<path d="M{lane} {start} V{tops[lower][0] - 3}" stroke="#3b5b8c" fill="none" '
                     'stroke-width="1.5" marker-end="url(#down)"/>')
        lane += 32
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y - GAP + 20}" '
            f'viewBox="0 0 {WIDTH} {y - GAP + 20}">\n'
            '<!-- SPDX-License-Identifier: MIT. Drawn by scripts/floors.py: draw. -->\n'
            '<defs><marker id="down" markerWidth="8" markerHeight="8" refX="4" refY="5" '
            'markerUnits="userSpaceOnUse"><path d="M0 0 L8 0 L4 7 z" fill="#3b5b8c"/></marker></defs>\n'
            f'<rect width="100%" height="100%" fill="white"/>\n' + '\n'.join(bands + lines + boxes) + '\n</svg>\n')


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('what', nargs='?', choices=['knots', 'check', 'draw'], default='knots',
                        help='print the knots by calls (default); print each arrow that points up '
                             'and fail if there is one; draw docs/floors.svg')
    parser.add_argument('--src', type=pathlib.Path, default=TOP / 'src',
                        help='of another tree, for knots')
    args = parser.parse_args()
    arrows = calls(args.src)
    if args.what == 'draw':
        PICTURE.write_text(draw(arrows))
    elif args.what == 'check':
        found = list(mistakes(args.src, arrows))
        if not found and (not PICTURE.exists() or PICTURE.read_text() != draw(arrows)):
            found.append('docs/floors.svg is of another tree: scripts/floors.py draw')
        for mistake in found:
            print(mistake)
        return 1 if found else 0
    else:
        for knot in knots(arrows):
            print(f'{len(knot)} of {len(arrows)} files are one knot: {" ".join(knot)}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
