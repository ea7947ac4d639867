# SPDX-License-Identifier: MIT
"""An X server in memory on the host, whose screen is a file: for QEMU's window, and for vkcube."""

import os
import subprocess
import tempfile
import time
from pathlib import Path

from venusvm import picture
from venusvm.expect import Failed, expect
from venusvm.host import IN_ROOT, LAVAPIPE, host_tools

SDL = {"SDL_VIDEODRIVER": "x11", "SDL_RENDER_DRIVER": "software"}  # QEMU's environment, for its window there
BACKGROUND = (51, 51, 51)  # what vkcube clears its window with


class HostScreen:
    """For a with statement. `display` is what DISPLAY should be."""

    def __init__(self, width, height):
        self.folder = tempfile.TemporaryDirectory(prefix="venus-screen-")
        self.children = []
        read, write = os.pipe()
        self.run("Xvfb", "-displayfd", write, "-screen", "0", f"{width}x{height}x24", "-fbdir",
                 self.folder.name, "-nolisten", "tcp", "-noreset", "-nocursor", pass_fds=[write])
        os.close(write)
        with open(read, encoding="ascii") as pipe:
            number = pipe.readline().strip()
        if not number:
            why = self.log("Xvfb")
            self.close()
            raise Failed(f"expected Xvfb to start on the host\n    seen {why}")
        self.display = f":{number}"

    def run(self, program, *arguments, environment=None, pass_fds=()):
        """Starts a program in the host's root; it ends with the screen."""
        with open(Path(self.folder.name, program + ".log"), "wb") as output:
            child = subprocess.Popen([*IN_ROOT, program, *map(str, arguments)],
                                     env={**os.environ, **(environment or {})}, pass_fds=pass_fds,
                                     stdin=subprocess.DEVNULL, stdout=output,
                                     stderr=subprocess.STDOUT)
        self.children.append(child)
        return child

    def log(self, program):
        """The end of what a program printed."""
        path = Path(self.folder.name, program + ".log")
        return path.read_text(encoding="utf-8", errors="replace")[-1500:]

    def picture(self):
        return picture.read_xwd(Path(self.folder.name, "Xvfb_screen0").read_bytes())

    def settled(self, timeout=20):
        """The picture, once it holds still and is of more than one colour."""
        deadline, before = time.monotonic() + timeout, None
        while time.monotonic() < deadline:
            time.sleep(0.3)
            now = self.picture()
            if before and now.rgb == before.rgb and now.colours() > 1:
                return now
            before = now
        raise Failed("expected the host's X screen to hold still and show something\n    seen neither")

    def close(self):
        for child in reversed(self.children):
            child.terminate()
            child.wait()
        self.folder.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


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
