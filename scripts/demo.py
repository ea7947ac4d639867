#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Shows that it works: boots a guest with no window, runs Vulkan programs in it, takes a picture.

usage: demo.py [--accel ACCEL] [--built | --qemu PROGRAM] [--frames N]

vulkaninfo says which device the guest sees; vkcube, as Debian ships it, draws under weston, and QEMU's
screendump shows what is then on the guest's display. The picture is out/demo/vkcube.png, everything that
was measured is in out/demo/demo.json. The exit status is 0 only if Vulkan came from our device and the
picture shows the cube.
"""

import argparse
import contextlib
import json
import os
import sys
import time

from venusvm import guest as guests
from venusvm import which_qemu
from venusvm.host_screen import BACKGROUND
from venusvm.program import run
from venusvm.screen import VENUS, dump
from venusvm.surroundings import summary_fields, virglrenderer

OUT = guests.TOP / "out" / "demo"
SIZE = 500  # the width and height of vkcube's window


class Steps:
    """The demo's steps: says what begins and how long it took."""

    def __init__(self):
        self.seconds = {}

    def run(self, name, work):
        print(f"==> {name} ...", flush=True)
        begin = time.monotonic()
        result = work()
        self.seconds[name] = time.monotonic() - begin
        print(f"    {self.seconds[name]:.1f} s", flush=True)
        return result


def vulkan_device(guest):
    """What vulkaninfo says of the one device: a dictionary of its lines."""
    return summary_fields(guest.run(f"{VENUS} vulkaninfo --summary").output)


def what_is_wrong(shown):
    """Whether the picture shows vkcube's textured cube: None, or why it does not."""
    if shown.colours() == 1:
        return "it is all one colour"
    at = shown.find_row(BACKGROUND, SIZE)
    if not at:
        return "vkcube's window is not in it"
    window = shown.crop(*at, SIZE, SIZE)
    cube = 1 - window.share(BACKGROUND)
    if not 0.1 < cube < 0.8:
        return f"the cube fills {100 * cube:.0f} % of the window"
    if window.colours() < 300:
        return f"the cube has only {window.colours()} colours, so there is no texture on it"
    return None


def run_vkcube(guest, frames):
    """vkcube to its end, with a look at the display and the counters once the cube is there.

    Returns the picture, the counters then, the seconds from its first frame to its last (by the guest's
    clock) and from its start to its end.
    """
    log = "/tmp/vkcube.json"
    job = guest.spawn(f"wl {guests.frames_environment(log=log)} vkcube --wsi wayland "
                      f"--width {SIZE} --height {SIZE} --c {frames}")
    begin = time.monotonic()
    while True:
        shown, busy = dump(guest), guest.stats()
        if not what_is_wrong(shown) or job.ended.wait(0.5) or time.monotonic() - begin > 180:
            break
        guest.check_alive()
    shown.write_png(OUT / "vkcube.png")
    job.wait(60)
    whole = time.monotonic() - begin
    if job.status != 0:
        raise guests.GuestError(f"vkcube ended with status {job.status}:\n"
                                f"{(job.output + job.errors)[-2000:]}")
    drawn = json.loads(guest.run(f"cat {log}").output)
    if drawn["frames"] != frames:
        raise guests.GuestError(f"vkcube drew {drawn['frames']} frames instead of {frames}")
    return shown, busy, drawn["seconds"], whole


def table(rows):
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"    {name:{width}}  {value}" for name, value in rows)


def demo(arguments):
    begin = time.monotonic()
    steps = Steps()
    qemu = steps.run("QEMU, guest image and programs", lambda: which_qemu.choose(arguments, "--small"))
    print(f"    QEMU: {qemu.words}")
    image = guests.made_by("guest-image.sh", "--variant", "small")
    machine = guests.Guest(**qemu.options(), image=image, accel=arguments.accel)
    print(f"    {machine.accel_why}")
    with contextlib.closing(machine) as guest:
        steps.run("boot", lambda: guest.start().wait_for_agent())
        found = steps.run("vulkaninfo", lambda: vulkan_device(guest))
        steps.run("weston", lambda: guest.run("wl"))
        shown, busy, seconds, whole = steps.run(f"vkcube, {arguments.frames} frames",
                                         lambda: run_vkcube(guest, arguments.frames))
        done, qemu_version = guest.stats(), guest.qemu_version()
    wrong = what_is_wrong(shown)
    is_ours = found.get("driverID") == "DRIVER_ID_MESA_VENUS"
    result = {
        "device_name": found.get("deviceName"),
        "driver_name": found.get("driverName"),
        "driver_info": found.get("driverInfo"),
        "fps": round((arguments.frames - 1) / seconds, 1),
        "fps_with_start": round(arguments.frames / whole, 1),
        "frames": arguments.frames,
        "vkcube_seconds": round(whole, 2),
        "picture_shows_cube": wrong is None,
        "boot_seconds": round(steps.seconds["boot"], 1),
        "total_seconds": round(time.monotonic() - begin, 1),
        "accel": machine.accel,
        "qemu": qemu.kind,
        "qemu_version": qemu_version,
        "virglrenderer_version": virglrenderer(qemu.in_root),
        "stats_during": busy,
        "stats_after": done,
    }
    (OUT / "demo.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")

    print("\n" + table([
        ("guest's device", result["device_name"]),
        ("driver", f"{result['driver_name']} ({result['driver_info']})"),
        ("QEMU", f"{qemu_version} ({qemu.words}) on {machine.accel}, "
                 f"virglrenderer {result['virglrenderer_version']}"),
        ("vkcube", f"{result['fps']} frames per second ({result['fps_with_start']} with its start and "
                   "end)"),
        ("contexts", f"{busy['contexts']} while it ran, {done['contexts-created']} made in all"),
        ("blobs", f"{busy['blobs']} while it ran ({busy['blob-bytes'] / 2**20:.1f} MiB), "
                  f"{done['blobs-created']} made in all"),
        ("mapped by", f"{done['maps-fixed']} placed, {done['maps-alias']} aliased, "
                      f"{done['maps-region']} memory regions"),
        ("display", f"{done['flushes']} frames shown, {done['guest-copies']} of them copied, "
                    f"{done['transfers']} transfers"),
        *((name, f"{spent:.1f} s") for name, spent in steps.seconds.items()),
        ("total", f"{result['total_seconds']} s"),
        ("picture", os.path.relpath(OUT / "vkcube.png")),
    ]))
    if not is_ours:
        print(f"demo: the guest's Vulkan is not Venus but {found.get('driverID')}", file=sys.stderr)
    if wrong:
        print(f"demo: the picture does not show the cube: {wrong}", file=sys.stderr)
    return 0 if is_ours and not wrong else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--accel", help="kvm, hvf or tcg instead of what works")
    which_qemu.add_options(parser)
    parser.add_argument("--frames", type=int, default=600, help="how long vkcube runs (600)")
    arguments = parser.parse_args()
    if arguments.frames < 100:
        parser.error("--frames must be 100 or more, or vkcube is gone when the picture is taken")
    guests.end_on_signals()
    OUT.mkdir(parents=True, exist_ok=True)
    return demo(arguments)


if __name__ == "__main__":
    run(main, "demo")
