# SPDX-License-Identifier: MIT
"""The catalogue as a page: docs/examples.md and its pictures, out of what the examples left in out/examples.

A result is a dictionary, as examples.py keeps it: the example's own words, its command, what came of it, and
where and when that was.
"""

import re
from pathlib import Path

from venusvm import picture

WIDTH = 400  # of a picture on the page, at most
HEAD = """\
<!-- Written by examples/examples.py (make examples), which is scripts/venusvm/examples: change that, not this. -->
# Examples

What runs on the device, each where it can with the same beside it on the host. `make examples` runs all of it and
writes this page; `make check-guest` runs short forms, and all of our programs under the validation layer. To run
one yourself, boot the guest with `scripts/run-guest.sh --shell` and type its command.
"""
DMABUF = ("Wants a host whose Vulkan exports dma-bufs. Here lavapipe did, with a stand-in for `/dev/udmabuf` "
          "(`tests/standin`) that QEMU preloads; with a real one `scripts/run-guest.sh` is all that it takes.")


def words(text):
    """Text that is no Markdown, in one line, for a cell or a paragraph."""
    return re.sub(r"([\\`*_<>|\[\]])", r"\\\1", " ".join(str(text).split()))


def anchor(title):
    """What a heading is called in links."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def brief(result):
    """A result in a few words."""
    if result["wrong"]:
        return "**does not work**"
    if not result["numbers"]:
        return "works"
    name, guest = result["numbers"][0][:2]
    return words(f"{name.split(' (')[0]}: {guest}")


def numbers(rows):
    with_host = any(len(row) > 2 for row in rows)
    lines = ["| | guest | host |", "|---|---|---|"] if with_host else ["| | guest |", "|---|---|"]
    for name, *sides in rows:
        cells = [words(name), *map(words, sides), *[""] * (2 - len(sides) if with_host else 0)]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def entry(result, common):
    lines = [f"### {words(result['title'])}", "", words(result["text"]), ""]
    if result["picture"]:
        lines += [f"![{words(result['title'])}](examples/{result['name']}.png)", ""]
    lines += [*(f"    {line}" for line in result["command"].splitlines()), ""]
    if result["guest"] == "dmabuf":
        lines += [DMABUF, ""]
    if result["numbers"]:
        lines += [*numbers(result["numbers"]), ""]
    if result["against_host"]:
        lines += [f"Checked: {words(result['against_host'])}.", ""]
    if result["wrong"]:
        lines += [f"**Does not work:** {words(result['wrong'])}", ""]
    if result["environment"]["commit"] != common["commit"]:
        lines += [f"Of another run: {result['date']}, commit {words(result['environment']['commit'])}.", ""]
    return lines


def markdown(groups):
    """The page: groups are (heading, results) in the order in which they are shown."""
    every = [result for _, results in groups for result in results]
    newest = max(every, key=lambda result: result["date"])
    common = newest["environment"]
    lines = [HEAD, "| | | |", "|---|---|---|"]
    for _, results in groups:
        for result in results:
            lines.append(f"| [{words(result['title'])}](#{anchor(result['title'])}) | "
                         f"`{result['command'].splitlines()[0]}` | {brief(result)} |")
    lines += ["", "Two times in a field are the median and the 99th percentile. What stands under \"host\" is the "
              "same program with the same options, run on the host.", "", "## Where", ""]
    lines += ["| | |", "|---|---|", f"| run | {newest['date']} |"]
    lines += [f"| {words(key)} | {words(value)} |" for key, value in common.items()]
    for heading, results in groups:
        lines += ["", f"## {heading}", ""]
        for result in results:
            lines += entry(result, common)
        lines.pop()
    return "\n".join(lines) + "\n"


def smaller(full, width=WIDTH):
    """A picture of at most this width: each pixel the mean of a square of the other's."""
    step = -(-full.width // width)
    if step <= 1:
        return full
    columns, rows = full.width // step, full.height // step
    out = bytearray()
    for y in range(rows):
        lines = [full.row(y * step + line) for line in range(step)]
        sums = [sum(column) for column in zip(*lines)]
        for x in range(columns):
            for channel in range(3):
                at = 3 * x * step + channel
                out.append(sum(sums[at:at + 3 * step:3]) // (step * step))
    return picture.Picture(columns, rows, out)


def write(groups, docs, pictures):
    """Writes docs/examples.md and docs/examples/NAME.png; pictures is where the full ones are."""
    docs = Path(docs)
    (docs / "examples").mkdir(parents=True, exist_ok=True)
    shown = {f"{result['name']}.png": result["picture"] for _, results in groups for result in results
             if result["picture"]}
    for name, source in shown.items():
        smaller(picture.read_png(Path(pictures, source))).write_png(docs / "examples" / name, smallest=True)
    for old in (docs / "examples").glob("*.png"):
        if old.name not in shown:
            old.unlink()
    (docs / "examples.md").write_text(markdown(groups), encoding="utf-8")
