# SPDX-License-Identifier: MIT
"""Unmodified vkcube, standing still at a frame: in a guest, on the host, and how the two are compared.

vkcube turns by a fixed angle each frame, so a frame's number says what it looks like. The layer in
guest/frame_layer.c makes it stand still after one, in the guest and on the host. The host's is drawn by
lavapipe itself for an X server in memory; the guest's went through Venus, the guest's window system, the
compositor, the scanout and QEMU. Tolerance: a mean difference of at most 2/255, and 99.9 % of the pixels
within 8/255. (What is seen is no difference at all.)
"""

import shlex
import time
from pathlib import Path

import picture
from expect import Failed, expect, wait_for
from guest import frames_environment
from host import LAVAPIPE, host_tools
from host_screen import HostScreen

BACKGROUND = (51, 51, 51)  # what vkcube clears its window with
SIZE = 500
TOLERANCE = "within a mean of 2/255 and 99.9 % within 8/255"


def window_of_vkcube(screen, width, height):
    """The window on a screen: its first row is all of the colour that vkcube clears with."""
    at = screen.find_row(BACKGROUND, width)
    expect(at, f"a row of {width} pixels of vkcube's background on the screen", f"none in {screen}")
    return screen.crop(*at, width, height)


def host_vkcube(frame, width, height):
    """What vkcube draws as its frame of that number (1 is the first) on lavapipe, with no guest."""
    with HostScreen(width + 200, height + 200) as screen:
        log = Path(screen.folder.name, "frames.json")
        environment = {**LAVAPIPE, "DISPLAY": screen.display, "VK_LAYER_PATH": str(host_tools()),
                       "VK_INSTANCE_LAYERS": "VK_LAYER_VENUS_frames",
                       "VENUS_FRAMES_HOLD": str(frame), "VENUS_FRAMES_LOG": str(log)}
        cube = screen.run("vkcube", "--wsi", "xcb", "--width", width, "--height", height, "--c",
                          frame + 10, environment=environment)
        deadline = time.monotonic() + 60
        while not log.exists():
            expect(cube.poll() is None and time.monotonic() < deadline, f"vkcube's frame {frame}",
                   f"status {cube.poll()}: {screen.log('vkcube')}")
            time.sleep(0.05)
        return window_of_vkcube(screen.settled(), width, height)


def hold(guest, frame, wsi="wayland"):
    """Runs vkcube in the guest up to a frame; returns the job, which stands still."""
    log = f"/tmp/held-{wsi}-{frame}.json"
    job = guest.spawn(f"rm -f {log}; wl {frames_environment(log=log, hold=frame)} vkcube --wsi {wsi} "
                      f"--width {SIZE} --height {SIZE} --c {frame + 10}")

    def question():
        if job.status is not None:
            raise Failed(f"expected vkcube to stand still at frame {frame}\n    seen it end with "
                         f"status {job.status}: {(job.output + job.errors)[-1500:]}")
        there = guest.run(f"test -s {shlex.quote(log)}", check=False).status == 0
        return there, "none yet"

    wait_for(question, f"frame {frame}", timeout=60)
    return job


def compare(frame, job, screen, host_file):
    """Holds the guest's screen, which the function screen takes, against the host's frame; ends the job.

    Returns how the two differ and the guest's window.
    """
    wanted = host_vkcube(frame, SIZE, SIZE)
    wanted.write_png(host_file)
    seen = closest = None

    def question():
        # The frame is on its way through the compositor for a moment after vkcube has handed it over.
        nonlocal seen, closest
        seen = window_of_vkcube(screen(), SIZE, SIZE)
        closest = picture.Difference(seen, wanted)
        return closest.mean <= 2 and closest.share_near >= 0.999, closest

    expect(wanted.colours() > 500, "a picture with more than 500 colours on the host", wanted)
    wait_for(question, f"frame {frame} {TOLERANCE}, compared with {host_file}", timeout=10)
    job.signal(9)
    job.wait(20)
    return closest, seen
