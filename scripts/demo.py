#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Shows that it works: boots a guest with no window, runs Vulkan programs in it, takes a picture.

usage: demo.py [--micro] [--accel ACCEL] [--built | --qemu PROGRAM] [--frames N]

vulkaninfo says which device the guest sees; vkcube, as Debian ships it, draws under weston, and QEMU's
screendump shows what is then on the guest's display. The picture is out/demo/vkcube.png, everything that
was measured is in out/demo/demo.json. The exit status is 0 only if Vulkan came from our device and the
picture shows the cube.

With --micro the guest is the micro one, which has no weston: guest/vkcube_anim draws its cube on the display
itself, and QEMU's picture of that is to be the program's own. It is out/demo/micro.png, beside micro.json.
"""

import contextlib
import json
import os
import sys
import time

from venusvm import guest as guests
from venusvm import picture, which_qemu
from venusvm.expect import Failed
from venusvm.host_screen import BACKGROUND
from venusvm.launchers.common import Parser
from venusvm.program import run
from venusvm.screen import VENUS, Shown, dump, fetch
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


class Seen:
    """What a program left: the picture and what is wrong with it, the counters then, and how long it took."""

    def __init__(self, picture, wrong, stats, seconds, whole):
        self.picture, self.wrong, self.stats = picture, wrong, stats
        self.seconds, self.whole = seconds, whole  # from the first frame to the last, by the guest's clock; in all


def run_vkcube(guest, frames):
    """vkcube to its end, with a look at the display and the counters once the cube is there."""
    log = "/tmp/vkcube.json"
    job = guest.spawn(f"wl {guests.frames_environment(log=log)} vkcube --wsi wayland "
                      f"--width {SIZE} --height {SIZE} --c {frames}")
    begin = time.monotonic()
    while True:
        shown, busy = dump(guest), guest.stats()
        wrong = what_is_wrong(shown)
        if not wrong or job.ended.wait(0.5) or time.monotonic() - begin > 180:
            break
        guest.check_alive()
    job.wait(60)
    whole = time.monotonic() - begin
    if job.status != 0:
        raise guests.GuestError(f"vkcube ended with status {job.status}:\n"
                                f"{(job.output + job.errors)[-2000:]}")
    drawn = json.loads(guest.run(f"cat {log}").output)
    if drawn["frames"] != frames:
        raise guests.GuestError(f"vkcube drew {drawn['frames']} frames instead of {frames}")
    return Seen(shown, wrong, busy, drawn["seconds"], whole)


def run_vkcube_anim(guest, frames):
    """Our own cube, with no compositor: its last frame stays until we have seen it."""
    begin = time.monotonic()
    with Shown(guest, f"vkcube_anim --frames {frames}") as cube:
        shown, busy, whole = dump(guest), guest.stats(), time.monotonic() - begin
        drawn = picture.read_png(fetch(guest, cube.png, OUT / "micro.png"))
        wrong = None
        if drawn.colours() < 300:
            wrong = f"it has only {drawn.colours()} colours"
        elif (shown.width, shown.height, shown.rgb) != (drawn.width, drawn.height, drawn.rgb):
            wrong = "it is not what the program drew"
        return Seen(shown, wrong, busy, (frames - 1) / cube.result["fps"], whole)


def table(rows):
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"    {name:{width}}  {value}" for name, value in rows)


def demo(arguments):
    begin = time.monotonic()
    steps = Steps()
    name, program, run_program = ("micro", "vkcube_anim", run_vkcube_anim) if arguments.micro else \
        ("vkcube", "vkcube", run_vkcube)
    chosen = steps.run("QEMU and guest", lambda: which_qemu.choose(arguments, guest="micro" if arguments.micro else "small"))
    print(f"    QEMU: {chosen.words}")
    machine = guests.Guest(**chosen.options(), accel=arguments.accel)
    print(f"    {machine.accel_why}")
    with contextlib.closing(machine) as guest:
        steps.run("boot", lambda: guest.start().wait_for_agent())
        found = steps.run("vulkaninfo", lambda: vulkan_device(guest))
        if not arguments.micro:
            steps.run("weston", lambda: guest.run("wl"))
        seen = steps.run(f"{program}, {arguments.frames} frames", lambda: run_program(guest, arguments.frames))
        done, qemu_version = guest.stats(), guest.qemu_version()
    seen.picture.write_png(OUT / f"{name}.png")
    busy = seen.stats
    is_ours = found.get("driverID") == "DRIVER_ID_MESA_VENUS"
    result = {
        "device_name": found.get("deviceName"),
        "driver_name": found.get("driverName"),
        "driver_info": found.get("driverInfo"),
        "fps": round((arguments.frames - 1) / seen.seconds, 1),
        "fps_with_start": round(arguments.frames / seen.whole, 1),
        "frames": arguments.frames,
        "vkcube_seconds": round(seen.whole, 2),
        "picture_shows_cube": seen.wrong is None,
        "boot_seconds": round(steps.seconds["boot"], 1),
        "total_seconds": round(time.monotonic() - begin, 1),
        "accel": machine.accel,
        "qemu": chosen.kind,
        "qemu_version": qemu_version,
        "virglrenderer_version": virglrenderer(chosen.in_root),
        "stats_during": busy,
        "stats_after": done,
    }
    (OUT / ("micro.json" if arguments.micro else "demo.json")).write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")

    print("\n" + table([
        ("guest's device", result["device_name"]),
        ("driver", f"{result['driver_name']} ({result['driver_info']})"),
        ("QEMU", f"{qemu_version} ({chosen.words}) on {machine.accel}, "
                 f"virglrenderer {result['virglrenderer_version']}"),
        (program, f"{result['fps']} frames per second ({result['fps_with_start']} with its start and "
                   "end)"),
        ("contexts", f"{busy['contexts']} while it ran, {done['contexts-created']} made in all"),
        ("blobs", f"{busy['blobs']} while it ran ({busy['blob-bytes'] / 2**20:.1f} MiB), "
                  f"{done['blobs-created']} made in all"),
        ("mapped by", f"{done['maps-fixed']} placed, {done['maps-alias']} aliased, "
                      f"{done['maps-vulkan']} by Vulkan, {done['maps-region']} memory regions"),
        ("display", f"{done['flushes']} frames shown, {done['guest-copies']} of them copied, "
                    f"{done['transfers']} transfers"),
        *((name, f"{spent:.1f} s") for name, spent in steps.seconds.items()),
        ("total", f"{result['total_seconds']} s"),
        ("picture", os.path.relpath(OUT / f"{name}.png")),
    ]))
    if not is_ours:
        print(f"demo: the guest's Vulkan is not Venus but {found.get('driverID')}", file=sys.stderr)
    if seen.wrong:
        print(f"demo: the picture does not show the cube: {seen.wrong}", file=sys.stderr)
    return 0 if is_ours and not seen.wrong else 1


def main():
    parser = Parser(prog="demo.py", description=__doc__.split("\n")[0])
    parser.add_argument("--micro", action="store_true", help="the micro guest, in which our own cube draws on the display")
    parser.add_argument("--accel", help="kvm, hvf or tcg instead of what works")
    which_qemu.add_options(parser)
    parser.add_argument("--frames", type=int, default=600, help="how long the cube turns (600)")
    arguments = parser.parse_args()
    if arguments.frames < 100:
        parser.error("--frames must be 100 or more, or the cube is gone when the picture is taken")
    guests.end_on_signals()
    OUT.mkdir(parents=True, exist_ok=True)
    return demo(arguments)


if __name__ == "__main__":
    run(main, "demo", (guests.GuestError, Failed))
