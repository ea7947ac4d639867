#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures presenting: vkcube in a guest, on every target, then the presenter by itself. Writes
out/figures-present.json.

usage: figures_present.py [--seconds N] [--runs N]

vkcube renders at 1280x800 on all of the guest's processors. From a frame's RESOURCE_FLUSH until it was
read and presented, in milliseconds: median and 99th percentile of the middle run; frames per second. The
surface sink, which QEMU's display uploads, stands beside it with its frame rate only. Then
tests/present/figures.c, which needs no guest. Nothing else should run on the machine meanwhile.
"""

import argparse
import json
import sys
import time

from venusvm import guest as guests
from venusvm.guest import TOP
from venusvm.host import LAVAPIPE, on_host
from venusvm.host_screen import SDL, HostScreen
from venusvm.program import run as run_program

SIZE = (1280, 800)
CASES = {
    "X11, immediate": {"present": "swapchain", "present-mode": "immediate"},
    "X11, mailbox": {"present": "swapchain", "present-mode": "mailbox"},
    "X11, fifo": {"present": "swapchain", "present-mode": "fifo"},
    "headless, mailbox": {"present": "swapchain", "present-mode": "mailbox", "present-target": "headless"},
    "QEMU's display": {"present": "surface"},
}


def measure(properties, seconds):
    """One guest: frames per second, median and 99th percentile."""
    with HostScreen(SIZE[0] + 100, SIZE[1] + 100) as host:
        with guests.Guest(resolution=SIZE, display="sdl,gl=off", properties=properties,
                          env={"DISPLAY": host.display, **SDL}) as guest:
            guest.spawn("wl --kiosk vkcube --wsi wayland --width 1280 --height 800 --c 1000000")
            deadline = time.monotonic() + 60
            while guest.stat("flushes") < 100:
                guest.check_alive()
                if time.monotonic() > deadline:
                    raise guests.GuestError("vkcube showed fewer than 100 frames in 60 s")
                time.sleep(0.1)
            before, begin = guest.stats(), time.monotonic()
            time.sleep(seconds)
            after, passed = guest.stats(), time.monotonic() - begin
    frames = "present-frames" if properties["present"] == "swapchain" else "flushes"
    latency = {f"{name}_ms": guests.latency_percentile(before, after, share)
               for name, share in (("median", 0.5), ("p99", 0.99))}
    return {"frames_per_s": (after[frames] - before[frames]) / passed,
            "dropped": after["present-dropped"] - before["present-dropped"],
            "staging": after["present-staging"] - before["present-staging"],
            **{name: value / 1000 if value else None for name, value in latency.items()}}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=15, help="of each run (15)")
    parser.add_argument("--runs", type=int, default=3, help="of each case, in turn (3)")
    arguments = parser.parse_args()
    guests.end_on_signals()
    runs = {name: [] for name in CASES}
    for turn in range(arguments.runs):
        for name, properties in CASES.items():
            print(f"\rrun {turn + 1} of {arguments.runs}: {name:20}", end="", file=sys.stderr, flush=True)
            runs[name].append(measure(properties, arguments.seconds))
    print("\r" + 40 * " " + "\r", end="", file=sys.stderr)

    print(f"{'vkcube at 1280x800':20}  frames/s    median      99 %   dropped")
    figures = {}
    for name, seen in runs.items():
        figures[name] = sorted(seen, key=lambda run: run["median_ms"] or 0)[len(seen) // 2]
        run = figures[name]
        latency = ("       -         -" if run["median_ms"] is None else
                   f"{run['median_ms']:8.3f}  {run['p99_ms']:8.3f}")
        print(f"{name:20}  {run['frames_per_s']:8.1f}  {latency}  {run['dropped']:8}")
    build = guests.made_by("build-lib.sh", "--build-dir")
    alone = on_host([build / "tests" / "present" / "present-figures"], **LAVAPIPE)
    lines = [line for line in alone.splitlines() if " ms " in line]
    print("the presenter by itself:\n" + "\n".join(lines))
    path = TOP / "out" / "figures-present.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"vkcube": runs, "alone": lines}, indent=2) + "\n", encoding="utf-8")
    print(path)
    return 0


if __name__ == "__main__":
    run_program(main)
