# SPDX-License-Identifier: MIT
"""Compares the new device with QEMU's OpenGL one, in turns, in the same QEMU, with the same guest.

usage: bench.py [--pairs N] [--only PART...] [--sides SIDE...] [--accel ACCEL] [--out DIRECTORY]

Each turn boots a guest with the old device, one with the new, the new once more to present with Vulkan,
and one with a device that does nothing, and runs on the host what runs there too; every other turn goes the
other way round, as a machine that has been busy for minutes is slower. Samples of all turns are put
together: p50 and p99 are of all of them (of frame rates, one sample a turn, p99 is the slowest turn). A turn
takes some six minutes; nothing else should run on the machine meanwhile. Writes bench.json and bench.svg and
prints a table. docs/performance.md says what the figures mean.
"""

import argparse
import json
import math
import statistics
import sys
import time
from pathlib import Path

from venusvm import guest as guests
from venusvm import surroundings
from venusvm.bench import measures, report, sides
from venusvm.bench.sides import Machine
from venusvm.guest import TOP

SIDES = ("old", "new", "presented", "nothing", "host")
FIGURES = ("old", "new", "host", "nothing")  # what a metric has; "presented" is new, in lines of its own


def guest_side(name, notes, arguments, environment):
    """Measures one machine. What fails is noted, and the rest is measured in a machine that works."""
    setting, parts = {
        "old": (sides.OLD, measures.WHOLE),
        "new": (sides.NEW, measures.WHOLE),
        "presented": (sides.PRESENTED, measures.PRESENTED),
        "nothing": (None, measures.FLOOR),
    }[name]
    parts = [part for part in parts
             if not arguments.only or any(word in part.__name__ for word in arguments.only)]
    while parts:
        with Machine(arguments.qemu, **(setting or sides.nothing()), accel=arguments.accel) as machine:
            good = True
            while parts and good:
                part = parts.pop(0)
                good = measured(name, part, machine, notes) or works(machine)
            if good:
                note_versions(name, machine, environment)
            if hasattr(machine, "clock_uncertainty"):
                seen = environment.get("guest's clock known to (ms)", 0)
                environment["guest's clock known to (ms)"] = round(max(seen, machine.clock_uncertainty), 3)


def measured(name, part, machine, notes):
    """Whether a part of the measurements came to its end."""
    words = part.__name__.replace("_", " ")
    progress(f"{name}: {words}")
    begin = time.monotonic()
    try:
        part(machine, notes)
        return True
    except (guests.GuestError, KeyError, ValueError) as error:
        text = str(error).splitlines()[0]
        print(f"\r{name}: {words}: {text}", file=sys.stderr)
        notes.failures.append(f"{words}: {text}")
        return False
    finally:
        notes.took[words] = time.monotonic() - begin


def works(machine):
    """Whether the guest still gets answers from its device."""
    try:
        for command in ("true", "fence_ring --rounds 3 --warmup 0"):
            machine.guest.run(command, timeout=10)
        return True
    except guests.GuestError:
        return False


def note_versions(name, machine, environment):
    if name == "new" and "renderer" not in environment:
        environment.update(surroundings.of_guest(machine.guest))
    else:
        environment["accelerator"] = machine.guest.accel_why
        environment["QEMU"] = machine.guest.qemu_version()


def host_side(notes, environment):
    progress("host")
    tools = guests.made_by("tools-disk.sh", "--dir")
    with sides.HostScreen(*sides.SIZE) as screen:
        measures.host(tools, screen, notes)
    environment["host driver"] = surroundings.driver_info(measures.on_host(["vulkaninfo", "--summary"]), "lavapipe")


def progress(text):
    if sys.stderr.isatty():
        print(f"\r{text:60}", end="", file=sys.stderr, flush=True)
    else:
        print(text, file=sys.stderr, flush=True)


class Side(measures.Notes):
    def __init__(self):
        super().__init__()
        self.failures, self.took = [], {}


def figure(notes, key, better):
    """p50, p99 and how many, or why not; None: this side has nothing to say to it."""
    found = sorted(notes.samples.get(key, ()), reverse=better == "higher")
    if found:
        rank = math.ceil(0.99 * len(found)) - 1
        return {"p50": round(statistics.median(found), 4), "p99": round(found[rank], 4), "n": len(found)}
    if key in notes.reasons:
        return {"why": notes.reasons[key]}
    return None


def ratio(old, new, better):
    if not (old and new and "p50" in old and "p50" in new and old["p50"] and new["p50"]):
        return None
    return round(old["p50"] / new["p50"] if better == "lower" else new["p50"] / old["p50"], 3)


def why_not(notes):
    return {"why": "; ".join(dict.fromkeys(notes.failures)) or "not measured"}


def compare(notes):
    """The metrics of the result, in their order."""
    metrics = []
    for key, metric in measures.catalogue().items():
        base = key.removesuffix("-presented")
        old = figure(notes["old"], "cube-fifo" if base == "cube" else base, metric.better)
        new = figure(notes["presented" if base != key else "new"], key, metric.better)
        if not old and not new:
            continue
        entry = {"name": metric.name.strip() if not metric.name.startswith(" ") else metric.name,
                 "group": metric.group, "unit": metric.unit, "better": metric.better,
                 "old": old or why_not(notes["old"]), "new": new or why_not(notes["new"]), "host": figure(notes["host"], key, metric.better),
                 "nothing": figure(notes["nothing"], key, metric.better)}
        entry["ratio"] = ratio(old, new, metric.better)
        if metric.target:
            entry["target"] = metric.target
        metrics.append(entry)
    return metrics


def growth(notes):
    """How the new device's cost grows with what is there already."""
    def median(key):
        found = notes["new"].samples.get(key)
        return statistics.median(found) if found else None

    lines = []
    for text, key, base, limit in (
            ("blob cycle with 4096 mapped, against none", "blob-4096", "blob-0", 1.2),
            ("opening one of 64 contexts, against 2", "open-64", "open-2", 1.5),
            ("switching between 64 contexts, against 2", "switch-64", "switch-2", 1.5)):
        if median(key) and median(base):
            lines.append({"name": text, "times": round(median(key) / median(base), 3), "at most": limit})
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pairs", type=int, default=5, help="turns (5)")
    parser.add_argument("--only", nargs="+", metavar="PART", help="only measurements with this in their name: " +
                        ", ".join(part.__name__ for part in measures.WHOLE))
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=SIDES, help="only these")
    parser.add_argument("--accel", help="kvm, hvf or tcg instead of what works")
    parser.add_argument("--out", type=Path, default=TOP / "out", help="where to write (out)")
    arguments = parser.parse_args()
    guests.end_on_signals()
    arguments.qemu = guests.made_by("build-qemu.sh", "--legacy")

    environment = {**surroundings.of_host(), "turns": arguments.pairs,
                   "started": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())}
    notes = {name: Side() for name in SIDES}
    for turn in range(arguments.pairs):
        for name in SIDES if turn % 2 == 0 else reversed(SIDES):
            if name not in arguments.sides:
                continue
            progress(f"turn {turn + 1} of {arguments.pairs}: {name}")
            try:
                if name == "host":
                    host_side(notes[name], environment)
                else:
                    guest_side(name, notes[name], arguments, environment)
            except guests.GuestError as error:
                print(f"\r{name}: {error}", file=sys.stderr)
                notes[name].failures.append(str(error).splitlines()[0])
    progress("")

    results = {"environment": environment, "metrics": compare(notes), "growth": growth(notes),
               "failures": {name: notes[name].failures for name in SIDES if notes[name].failures},
               "seconds": {name: {part: round(took, 1) for part, took in notes[name].took.items()}
                           for name in SIDES if notes[name].took}}
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "bench.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    (arguments.out / "bench.svg").write_text(report.svg(results), encoding="utf-8")
    print("\r" + report.table(results))
    for line in results["growth"]:
        print(f"{line['name']}: {line['times']:.2f} times (at most {line['at most']} is asked for)")
    print(arguments.out / "bench.json")
    return 0
