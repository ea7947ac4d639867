# SPDX-License-Identifier: MIT
"""Shows the results of the benchmark: a table for the terminal, a picture for everything else.

usage: report.py out/bench.json [--svg out/bench.svg]

Units differ from line to line, so the picture compares what they have in common: how many times better than
the old device's median something is, on a logarithmic axis where the old device stands at 1. There twice as
good and half as good are equally far away. The absolute medians stand beside it. What could not be measured
has no mark, but the reason in its place.
"""

import argparse
import json
import math
import re
import sys
import textwrap
from pathlib import Path
from xml.sax.saxutils import escape

COLUMNS = 110  # of the terminal
NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


# --- what both show ------------------------------------------------------------------------------------


def number(value, digits=3):
    """With so many significant digits, and without an exponent where that can be read."""
    if not value or not math.isfinite(value):
        return f"{value:.0f}"
    value = float(f"{value:.{digits}g}")
    if not 1e-4 <= abs(value) < 1e7:
        return f"{value:g}"
    return f"{value:.{max(0, digits - 1 - math.floor(math.log10(abs(value))))}f}"


def times(metric, sign="x"):
    """The ratio. One that just misses what was asked for gets the digits that show it."""
    ratio, target = metric.get("ratio"), metric.get("target")
    if ratio is None:
        return "-"
    digits = 3
    while digits < 9 and any(ratio < limit <= float(number(ratio, digits)) for limit in (1, target or 1)):
        digits += 1
    text = number(ratio, digits)
    return (text.rstrip("0").rstrip(".") if 0 < ratio < 1 and "." in text else text) + sign


def met(metric):
    """Whether it is as much better as was asked for; None: not asked for, or not known."""
    if metric.get("target") is None or metric.get("ratio") is None:
        return None
    return metric["ratio"] >= metric["target"]


def figure(metric, side):
    """A side's p50, p99 and n, or the reason why there are none; None for a side that is left out."""
    found = metric.get(side)
    if found is None and side in ("old", "new"):
        return {"why": "not measured"}
    return found


def median(metric, side):
    """As text."""
    found = figure(metric, side)
    return number(found["p50"]) if found and "p50" in found else "-"


def by_group(metrics):
    """The metrics of each group, the groups in the order in which they first come."""
    groups = {}
    for metric in metrics:
        groups.setdefault(metric["group"], []).append(metric)
    return groups


def has(metrics, side):
    return any(metric.get(side) and "p50" in metric[side] for metric in metrics)


def printable(text):
    """On one line, and without what a terminal would obey or XML cannot hold."""
    return "".join(letter if letter.isprintable() else " " for letter in NOT_XML.sub(" ", str(text)))


def indented(name):
    """A name that begins with spaces goes on from the one above it: (how far it is indented, the rest)."""
    name = printable(name)
    return len(name) - len(name.lstrip()), name.strip()


def described(environment):
    return [f"{printable(key)}: {printable(value)}" for key, value in environment.items()]


# --- the table -----------------------------------------------------------------------------------------


class Footnotes:
    def __init__(self):
        self.texts = []

    def mark(self, text):
        """What stands in the table for this text; the same text has the same mark."""
        if text not in self.texts:
            self.texts.append(text)
        return f"[{self.texts.index(text) + 1}]"


def cells(metric, sides, notes):
    """What stands right of the name."""
    row = [printable(metric["unit"])]
    for side, ranks in sides:
        found = figure(metric, side)
        if not found:
            row += ["-"] + [""] * (len(ranks) - 1)
        elif "p50" in found:
            row += [number(found[rank]) if rank in found else "-" for rank in ranks]
        else:
            row += [notes.mark(printable(found.get("why", "not measured")))] + [""] * (len(ranks) - 1)
    asked = ""
    if metric.get("target") is not None:
        verdict = {True: " met", False: " MISSED", None: ""}[met(metric)]
        asked = f"{metric['target']:g}x{verdict}"
    return row + [times(metric), asked]


def paragraph(text, hanging=0):
    return textwrap.wrap(text, COLUMNS, subsequent_indent=" " * hanging, break_on_hyphens=False)


def table(results):
    """All metrics as text of at most COLUMNS columns."""
    metrics, notes = results["metrics"], Footnotes()
    sides = [("old", ("p50", "p99")), ("new", ("p50", "p99")), ("host", ("p50",))]
    if has(metrics, "nothing"):
        sides.append(("nothing", ("p50",)))

    titles = ["unit"] + [f"{side} {rank}" for side, ranks in sides for rank in ranks] + ["better", "asked"]
    heads = [[""] + [side if rank == "p50" else "" for side, ranks in sides for rank in ranks] + ["times", ""],
             [title.split()[-1] for title in titles]]
    groups = {group: [(metric, cells(metric, sides, notes)) for metric in members]
              for group, members in by_group(metrics).items()}
    rows = heads + [row for members in groups.values() for _, row in members]
    widths = [max(len(row[at]) for row in rows) for at in range(len(titles))]
    longest = max([len("what")] + [2 + len(printable(metric["name"]).rstrip()) for metric in metrics])
    first = min(longest, max(24, COLUMNS - sum(2 + width for width in widths)))

    def line(name, row):
        left = {0, len(row) - 1}  # the unit, and what was asked for
        padded = (cell.ljust(width) if at in left else cell.rjust(width)
                  for at, (cell, width) in enumerate(zip(row, widths)))
        return "  ".join([name.ljust(first), *padded]).rstrip()

    lines = [line("", heads[0]), line("what", heads[1])]
    for group, members in groups.items():
        lines += ["", printable(group)]
        for metric, row in members:
            indent, name = indented(metric["name"])
            start = " " * (2 + indent)
            wrapped = textwrap.wrap(name, first, initial_indent=start, subsequent_indent=start + "  ",
                                    break_on_hyphens=False) or [start]
            lines += wrapped[:-1] + [line(wrapped[-1], row)]
    if not metrics:
        lines += ["", "nothing was measured"]

    lines.append("")
    for text in notes.texts:
        lines += paragraph(f"{notes.mark(text)} {text}", 4)
    lines += paragraph("p50: the median. p99: 99 of 100 samples are this good or better."
                       + (" nothing: a device that does nothing, which is what the rest costs."
                          if has(metrics, "nothing") else ""))
    bounds = [metric for metric in metrics if metric.get("bound")]
    if bounds:
        lines += ["", "What bounds the new device now:"]
        for metric in bounds:
            lines += paragraph(f"  {printable(metric['group'])}, {indented(metric['name'])[1]}: "
                               f"{printable(metric['bound'])}", 4)
    if results.get("environment"):
        lines += [""] + paragraph("; ".join(described(results["environment"])))
    return "\n".join(lines) + "\n"


# --- the picture ---------------------------------------------------------------------------------------

WIDTH, MARGIN = 1000, 20
PLOT = (356, 678)  # where the axis begins and ends
EDGES = {"old": 742, "new": 806, "host": 870, "times": 932, "asked": WIDTH - MARGIN}  # right ones of columns
TEXT, SMALL, LINE = 12, 10.5, 15  # sizes, and from one line of a text to the next
ROW = 23  # of one line
BEYOND = 3  # so many times past the outermost median the axis still goes for a tail, or for the host

INK, FAINT, GRID, BAND = "#1f2328", "#59636e", "#d8dee4", "#f6f8fa"
OLD, NEW, WORSE, HOST, NOTHING = "#818b98", "#0969da", "#cf222e", "#1a7f37", "#8250df"
FONTS = "'DejaVu Sans', Verdana, 'Segoe UI', Helvetica, Arial, sans-serif"


def text_width(text, size, bold=False):
    """About as wide as DejaVu Sans sets it, which is wider than most."""
    def ems(letter):
        if letter in "ijlI.,:;'|!()[]/ ":
            return 0.36
        if letter in "mwMW@%—" or ord(letter) > 0x2e80:
            return 1.0
        return 0.72 if letter.isupper() else 0.62

    return size * sum(map(ems, text)) * (1.1 if bold else 1)


def fold(text, width, size):
    """The text in lines of at most this width; a word that is wider than that is cut."""
    lines = [""]
    for word in text.split():
        if lines[-1] and text_width(f"{lines[-1]} {word}", size) > width:
            lines.append("")
        lines[-1] += (" " if lines[-1] else "") + word
        while text_width(lines[-1], size) > width and len(lines[-1]) > 1:
            keep = len(lines[-1]) - 1
            while keep > 1 and text_width(lines[-1][:keep], size) > width:
                keep -= 1
            lines[-1:] = [lines[-1][:keep], lines[-1][keep:]]
    return lines


class Drawing:
    """Elements of an SVG, from back to front."""

    def __init__(self):
        self.elements = []

    def add(self, element, **attributes):
        said = "".join(f' {name.replace("_", "-")}="{round(value, 1) if isinstance(value, float) else value}"'
                       for name, value in attributes.items())
        self.elements.append(f"<{element}{said}/>")

    def text(self, x, y, text, size=TEXT, fill=INK, anchor="start", bold=False):
        weight = ' font-weight="bold"' if bold else ""
        end = f' text-anchor="{anchor}"' if anchor != "start" else ""
        self.elements.append(f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{fill}"{end}{weight}>'
                             f"{escape(printable(text))}</text>")

    def line(self, x1, y1, x2, y2, stroke, width=1.0, **more):
        self.add("line", x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2), stroke=stroke,
                 stroke_width=width, **more)

    def path(self, points, fill, **more):
        joined = "L".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.add("path", d=f"M{joined}Z", fill=fill, **more)

    def diamond(self, x, y, fill, **more):
        self.path([(x - 4.5, y), (x, y - 4.5), (x + 4.5, y), (x, y + 4.5)], fill, **more)

    def arrow(self, x, y, towards, fill):
        """What is farther away than the axis goes, to the left (-1) or to the right (1)."""
        self.path([(x, y), (x - 6 * towards, y - 4), (x - 6 * towards, y + 4)], fill)

    def group(self, title):
        """Opens one; its title shows under the pointer."""
        self.elements.append(f"<g><title>{escape(title)}</title>")

    def end(self):
        self.elements.append("</g>")


def scaled(metric, value):
    """How many times better than the old device's median a value is."""
    old = metric["old"]["p50"]
    return old / value if metric["better"] == "lower" else value / old


def plotted(metric):
    """Whether it has a place on the axis."""
    return all(figure(metric, side).get("p50") for side in ("old", "new"))


def spots(metric):
    """Where each figure of the metric is on the axis, by side and rank."""
    return {(side, rank): scaled(metric, metric[side][rank])
            for side in ("old", "new", "host", "nothing") for rank in ("p50", "p99")
            if metric.get(side) and metric[side].get(rank)}


class Axis:
    """From ratios to places; long tails and hosts that are far away do not squeeze what is compared."""

    def __init__(self, metrics):
        medians, others = [0.8, 2], []
        for metric in filter(plotted, metrics):
            found = spots(metric)
            medians += [found.pop(("old", "p50")), found.pop(("new", "p50"))]
            medians += [metric["target"]] if metric.get("target") else []
            others += found.values()
        low, high = min(medians), max(medians)
        low = max(low / BEYOND, min([low, *others])) / 1.12
        high = min(high * BEYOND, max([high, *others])) * 1.12
        self.low, self.decades = math.log10(low), math.log10(high / low)

    def place(self, ratio):
        """Where the ratio is, and -1 or 1 where that is past the axis' left or right end."""
        part = (math.log10(ratio) - self.low) / self.decades
        beyond = -1 if part < 0 else 1 if part > 1 else 0
        return PLOT[0] + min(1, max(0, part)) * (PLOT[1] - PLOT[0]), beyond

    def ticks(self):
        """As many as there can be without their labels touching: (place, label)."""
        powers = range(math.floor(self.low), math.ceil(self.low + self.decades) + 1)
        for steps, every in ((1, 2, 5), 1), ((1, 3), 1), ((1,), 1), ((1,), 2), ((1,), 4):
            ratios = [step * 10.0 ** power for power in powers if power % every == 0 for step in steps]
            ticks = [(self.place(ratio)[0], f"{ratio:.10g}×") for ratio in ratios if not self.place(ratio)[1]]
            room = [(right[0] - left[0], text_width(left[1] + right[1], SMALL) / 2 + 5)
                    for left, right in zip(ticks, ticks[1:])]
            if all(there > needed for there, needed in room):
                break
        return ticks


def reasons(metric):
    """What stands in the place of the marks."""
    missing = [(side, figure(metric, side).get("why", "not measured")) for side in ("old", "new")
               if "p50" not in figure(metric, side)]
    if len(missing) == 2 and missing[0][1] == missing[1][1]:
        return [f"both: {printable(missing[0][1])}"]
    return [f"{side}: {printable(why)}" for side, why in missing] or ["no ratio: a median is 0"]


def tooltip(metric):
    """All that is known of a metric."""
    lines = [f"{indented(metric['name'])[1]} ({printable(metric['unit'])}, {metric['better']} is better)"]
    for side in ("old", "new", "host", "nothing"):
        found = figure(metric, side)
        if found and "p50" in found:
            lines.append(f"{side}: " + ", ".join(f"{key} {number(found[key])}" for key in ("p50", "p99")
                                                 if key in found) + f", {found.get('n', '?')} samples")
        elif found:
            lines.append(f"{side}: {printable(found.get('why', 'not measured'))}")
    if metric.get("bound"):
        lines.append(f"bound by: {printable(metric['bound'])}")
    return "\n".join(lines)


def marks(drawing, axis, metric, y):
    """A metric's figures on the axis."""
    found = spots(metric)
    base, new = axis.place(1)[0], axis.place(found["new", "p50"])[0]
    colour = NEW if found["new", "p50"] >= 1 else WORSE
    drawing.add("rect", x=float(min(base, new)), y=y - 4.5, width=abs(new - base), height=9, fill=colour,
                fill_opacity=0.3)
    if metric.get("target"):
        x = axis.place(metric["target"])[0]
        drawing.line(x, y - 8, x, y + 8, INK, 1.6)
    for side, rest, stroke in (("old", base, OLD), ("new", new, colour)):
        if (side, "p99") in found:
            lift = y + (2 if side == "old" else -2)  # the two may run over one another
            x, beyond = axis.place(found[side, "p99"])
            drawing.line(rest, lift, x, lift, stroke, 1.6)
            if beyond:
                drawing.arrow(x, lift, beyond, stroke)
            else:
                drawing.line(x, lift - 3.5, x, lift + 3.5, stroke, 1.6)
    drawing.add("circle", cx=base, cy=float(y), r=4, fill=OLD, stroke="#fff")
    drawing.add("circle", cx=new, cy=float(y), r=5, fill=colour, stroke="#fff")
    for side, fill, more in (("nothing", "#fff", {"stroke": NOTHING, "stroke_width": 1.5}), ("host", HOST, {})):
        if (side, "p50") in found:
            x, beyond = axis.place(found[side, "p50"])
            if beyond:
                drawing.arrow(x, y, beyond, HOST if side == "host" else NOTHING)
            else:
                drawing.diamond(x, y, fill, **more)


def draw_row(drawing, axis, metric, y, sides):
    """One metric, from y on; returns where the next one begins."""
    indent, name = indented(metric["name"])
    left = MARGIN + 10 + 5 * indent
    names = fold(name, PLOT[0] - 48 - left, TEXT)
    whys = [] if plotted(metric) else [part for why in reasons(metric)
                                       for part in fold(why, PLOT[1] - PLOT[0] - 12, SMALL)]
    height = ROW + LINE * (max(len(names), len(whys)) - 1)
    middle = y + height / 2

    drawing.group(tooltip(metric))
    drawing.add("rect", x=MARGIN, y=float(y), width=WIDTH - 2 * MARGIN, height=height, fill="#fff",
                fill_opacity=0)  # for the pointer to be over
    top = middle + 4 - LINE * (len(names) - 1) / 2
    for at, part in enumerate(names):
        drawing.text(left, top + LINE * at, part)
    drawing.text(PLOT[0] - 20, middle + 4, metric["unit"], SMALL, FAINT, "end")
    if whys:
        widest = max(text_width(part, SMALL) for part in whys)
        drawing.add("rect", x=PLOT[0] + 2, y=y + 3.0, width=min(widest + 10, PLOT[1] - PLOT[0] - 2),
                    height=height - 6, fill="#fff8c5")
        top = middle + 4 - LINE * (len(whys) - 1) / 2
        for at, part in enumerate(whys):
            drawing.text(PLOT[0] + 6, top + LINE * at, part, SMALL, "#7d4e00")
    else:
        marks(drawing, axis, metric, middle)
    for side in sides:
        fill = INK if side == "new" else FAINT
        drawing.text(EDGES[side], middle + 4, median(metric, side), TEXT, fill, "end")
    worse = metric.get("ratio") is not None and metric["ratio"] < 1
    drawing.text(EDGES["times"], middle + 4, times(metric, "×"), TEXT, WORSE if worse else INK, "end", True)
    if metric.get("target") is not None:
        mark, fill = {True: (" ✓", HOST), False: (" ✗", WORSE), None: ("", FAINT)}[met(metric)]
        drawing.text(EDGES["asked"], middle + 4, f"{metric['target']:g}×{mark}", SMALL, fill, "end")
    drawing.end()
    return y + height


def legend(drawing, axis, y, metrics):
    """What the marks mean; only those that there are. Returns where it ends."""
    def dot(fill):
        return lambda x: (drawing.line(x - 16, y, x, y, fill, 1.6),
                          drawing.line(x - 16, y - 3.5, x - 16, y + 3.5, fill, 1.6),
                          drawing.add("circle", cx=float(x), cy=float(y), r=4.5, fill=fill))

    entries = [("old device: median to p99", dot(OLD)), ("new device", dot(NEW))]
    if any(scaled(metric, metric["new"]["p50"]) < 1 for metric in filter(plotted, metrics)):
        entries.append(("new where it is worse", dot(WORSE)))
    if has(metrics, "host"):
        entries.append(("the host itself", lambda x: drawing.diamond(x - 6, y, HOST)))
    if has(metrics, "nothing"):
        entries.append(("one that does nothing", lambda x: drawing.diamond(
            x - 6, y, "#fff", stroke=NOTHING, stroke_width=1.5)))
    if any(axis.place(spot)[1] for metric in filter(plotted, metrics) for spot in spots(metric).values()):
        entries.append(("beyond the axis", lambda x: drawing.arrow(x - 3, y, 1, FAINT)))
    if any(metric.get("target") for metric in metrics):
        entries.append(("asked for", lambda x: drawing.line(x - 4, y - 7, x - 4, y + 7, INK, 1.6)))
    x = MARGIN
    for text, draw in entries:
        lead = 17 if text.startswith(("old", "new")) else 10  # what the mark takes left of where it is drawn
        if x + lead + 9 + text_width(text, SMALL) > WIDTH - MARGIN:
            x, y = MARGIN, y + 18
        draw(x + lead)
        drawing.text(x + lead + 9, y + 4, text, SMALL, FAINT)
        x += lead + text_width(text, SMALL) + 24
    return y + 12


def scale(drawing, axis, y):
    for x, label in axis.ticks():
        drawing.text(x, y, label, SMALL, FAINT, "middle")


def footer(drawing, results, y):
    """How the new device's cost grows, and what was measured on what."""
    for entry in results.get("growth", ()):
        over = entry["times"] > entry["at most"]
        text = (f"{printable(entry['name'])}: {entry['times']:.2f} times "
                f"(at most {entry['at most']:g} is asked for{', missed' if over else ''})")
        for part in fold(text, WIDTH - 2 * MARGIN, TEXT):
            drawing.text(MARGIN, y, part, TEXT, WORSE if over else INK)
            y += LINE + 1
    y += 4
    for part in fold(" · ".join(described(results.get("environment", {}))), WIDTH - 2 * MARGIN, SMALL):
        drawing.text(MARGIN, y, part, SMALL, FAINT)
        y += LINE
    return y


def svg(results):
    """All metrics as a picture that stands by itself."""
    metrics, drawing = results["metrics"], Drawing()
    axis = Axis(metrics)
    sides = [side for side in ("old", "new", "host") if side != "host" or has(metrics, side)]

    title = "Venus in a guest: the new device against QEMU's OpenGL one"
    drawing.text(MARGIN, 32, title, 17, INK, bold=True)
    drawing.text(MARGIN, 51, "How many times better than the old device's median: shorter times, less memory, "
                 "more frames. Right of 1× is better.", TEXT, FAINT)
    y = legend(drawing, axis, 72, metrics) + 28

    drawing.text(PLOT[0] - 20, y, "unit", SMALL, FAINT, "end")
    scale(drawing, axis, y)
    for side in sides:
        drawing.text(EDGES[side], y, side, SMALL, FAINT, "end")
    drawing.text((EDGES["old"] + EDGES[sides[-1]] - 24) / 2, y - 15, "medians", SMALL, FAINT, "middle")
    drawing.text(EDGES["times"], y - 15, "times", SMALL, FAINT, "end")
    drawing.text(EDGES["times"], y, "better", SMALL, FAINT, "end")
    drawing.text(EDGES["asked"], y, "asked", SMALL, FAINT, "end")
    y += 6
    top, under = y, len(drawing.elements)
    bands = []
    for group, members in by_group(metrics).items():
        drawing.text(MARGIN, y + 19, fold(printable(group), PLOT[0] - 2 * MARGIN, TEXT)[0], TEXT, INK, bold=True)
        bands.append(y)
        y += 27
        for metric in members:
            y = draw_row(drawing, axis, metric, y, sides)
        y += 4
    if not metrics:
        drawing.text(WIDTH / 2, y + 30, "nothing was measured", TEXT, FAINT, "middle")
        y += 50
    bottom = y

    front, drawing.elements = drawing.elements[under:], drawing.elements[:under]
    for band in bands:
        drawing.add("rect", x=MARGIN - 6, y=band + 4, width=WIDTH - 2 * MARGIN + 12, height=21, fill=BAND)
    for x, _ in axis.ticks():
        drawing.line(x, top, x, bottom, GRID)
    base = axis.place(1)[0]
    drawing.line(base, top, base, bottom, OLD, 1.4)
    drawing.elements += front
    scale(drawing, axis, bottom + 14)
    drawing.text(sum(PLOT) / 2, bottom + 31, "← worse · 1×: the old device's median · better →", SMALL, FAINT,
                 "middle")
    height = math.ceil(footer(drawing, results, bottom + 58)) + 4

    head = (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
            f'viewBox="0 0 {WIDTH} {height}" role="img" font-family="{FONTS}">')
    paper = f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>'
    return "\n".join([head, f"<title>{escape(title)}</title>", paper, *drawing.elements, "</svg>"]) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("results", type=Path, help="what bench.py wrote: out/bench.json")
    parser.add_argument("--svg", type=Path, help="also draw the picture, into this file")
    arguments = parser.parse_args()
    try:
        results = json.loads(arguments.results.read_text(encoding="utf-8"))
        if arguments.svg:
            arguments.svg.parent.mkdir(parents=True, exist_ok=True)
            arguments.svg.write_text(svg(results), encoding="utf-8")
    except (OSError, ValueError) as error:
        sys.exit(f"report.py: {error}")
    print(table(results), end="")
    return 0
