# SPDX-License-Identifier: MIT
"""The host's side of comparisons: the same programs, on the host's own Vulkan driver, with no guest."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
import guest as vm  # noqa: E402
import picture  # noqa: E402

# Where vkcube puts its window on a display without a window manager.
VKCUBE_X, VKCUBE_Y = 100, 100


def tools():
    return vm.made_by("tools-disk.sh", "--dir")


def in_root(*command, **options):
    """Runs a command in the root that QEMU runs in, so with the Vulkan driver that the guest gets."""
    return subprocess.Popen([str(word) for word in
                             (vm.SCRIPTS / "in-root.sh", "--die-with-parent", "--", *command)],
                            start_new_session=True, **options)


def end(child):
    """Ends a process that in_root() started, with all it started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, number)
            child.wait(5)
            return
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


class Xvfb:
    """A display without a window manager, whose picture is a file."""

    def __init__(self, width, height):
        self.folder = tempfile.TemporaryDirectory(prefix="venus-xvfb-")
        read_end, write_end = os.pipe()
        self.process = in_root("Xvfb", "-displayfd", write_end, "-screen", "0", f"{width}x{height}x24",
                               "-fbdir", self.folder.name, "-nolisten", "tcp", "-nocursor",
                               pass_fds=(write_end,), stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
        os.close(write_end)
        with os.fdopen(read_end) as numbers:
            self.display = ":" + numbers.readline().strip()
        if self.display == ":":
            raise vm.GuestError("Xvfb did not start")

    def picture(self):
        return picture.read_xwd(Path(self.folder.name, "Xvfb_screen0"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end(self.process)
        self.folder.cleanup()


def wait_for_file(path, process, timeout):
    deadline = time.monotonic() + timeout
    while not (path.exists() and path.stat().st_size):
        if process.poll() is not None or time.monotonic() > deadline:
            raise vm.GuestError(f"the program on the host ended or hung before {path.name} was written")
        time.sleep(0.05)


def vkcube(width, height, frame):
    """What vkcube shows at that frame."""
    with Xvfb(width + VKCUBE_X, height + VKCUBE_Y) as screen, tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "frames")
        env = dict(os.environ, DISPLAY=screen.display, VK_LAYER_PATH=str(tools()),
                   VK_INSTANCE_LAYERS="VK_LAYER_VENUS_frames", VENUS_FRAMES_HOLD=str(frame),
                   VENUS_FRAMES_LOG=str(log))
        child = in_root("vkcube", "--wsi", "xcb", "--width", width, "--height", height, env=env,
                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for_file(log, child, 60)
            time.sleep(0.5)  # the X server may still be drawing what it was sent
            return screen.picture().crop(VKCUBE_X, VKCUBE_Y, width, height)
        finally:
            end(child)


def program(name, *options):
    """What a program of guest/ prints on the host: its JSON object."""
    child = in_root(tools() / name, *options, stdout=subprocess.PIPE)
    printed = child.communicate(timeout=120)[0]
    if child.returncode:
        raise vm.GuestError(f"the program {name} failed on the host")
    return json.loads(printed.splitlines()[-1])
