# SPDX-License-Identifier: MIT
"""What vkcube draws on the host: lavapipe, an X server in memory, no guest and none of our device."""

import os
import subprocess
import tempfile
import time
from pathlib import Path

from harness import IN_ROOT, LAVAPIPE, Failed, host_tools, picture


def host_vkcube(frame, width, height):
    """The picture of vkcube's frame of that number, 1 being the first."""
    children = []
    with tempfile.TemporaryDirectory(prefix="venus-vkcube-") as folder:
        try:
            display = start_x(folder, width + 200, height + 200, children)
            log = Path(folder, "frames.json")
            environment = {**os.environ, **LAVAPIPE, "DISPLAY": f":{display}",
                           "VK_LAYER_PATH": str(host_tools()),
                           "VK_INSTANCE_LAYERS": "VK_LAYER_VENUS_frames",
                           "VENUS_FRAMES_HOLD": str(frame), "VENUS_FRAMES_LOG": str(log)}
            environment.pop("WAYLAND_DISPLAY", None)
            with open(Path(folder, "vkcube.log"), "wb") as output:
                cube = subprocess.Popen(
                    [*IN_ROOT, "vkcube", "--wsi", "xcb", "--width", str(width),
                     "--height", str(height), "--c", str(frame + 10)],
                    env=environment, stdin=subprocess.DEVNULL, stdout=output,
                    stderr=subprocess.STDOUT)
            children.append(cube)
            wait_until(log.exists, cube, Path(folder, "vkcube.log"), "vkcube's last frame")
            return window_of_vkcube(settled(Path(folder, "Xvfb_screen0")), width, height)
        finally:
            for child in reversed(children):
                child.terminate()
                child.wait()


def window_of_vkcube(screen, width, height):
    """The window on a screen: its first row is all of the colour that vkcube clears with."""
    at = screen.find_row((51, 51, 51), width)
    if not at:
        raise Failed(f"expected a row of {width} pixels of vkcube's background on the screen\n"
                     f"    seen none in {screen}")
    return screen.crop(*at, width, height)


def start_x(folder, width, height, children):
    """An X server whose screen is a file; returns its display's number."""
    read, write = os.pipe()
    log = Path(folder, "x.log")
    with open(log, "wb") as output:
        server = subprocess.Popen(
            [*IN_ROOT, "Xvfb", "-displayfd", str(write), "-screen", "0", f"{width}x{height}x24",
             "-fbdir", folder, "-nolisten", "tcp", "-noreset"],
            pass_fds=[write], stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
    children.append(server)
    os.close(write)
    with open(read, encoding="ascii") as pipe:
        number = pipe.readline().strip()
    if not number:
        raise Failed("expected Xvfb to start on the host\n"
                     f"    seen {log.read_text(encoding='utf-8', errors='replace')[-1500:]}")
    return number


def wait_until(condition, child, log, what, timeout=60):
    deadline = time.monotonic() + timeout
    while not condition():
        if child.poll() is not None or time.monotonic() > deadline:
            raise Failed(f"expected {what} on the host\n    seen status {child.poll()}: "
                         f"{log.read_text(encoding='utf-8', errors='replace')[-1500:]}")
        time.sleep(0.05)


def settled(screen, timeout=20):
    """The screen's picture, once it holds still and is not just black."""
    deadline, before = time.monotonic() + timeout, None
    while time.monotonic() < deadline:
        time.sleep(0.5)
        now = screen.read_bytes()
        if now == before:
            shown = picture.read_xwd(now)
            if shown.colours() > 1:
                return shown
        before = now
    raise Failed("expected the host's X screen to hold still and show something\n    seen neither")
