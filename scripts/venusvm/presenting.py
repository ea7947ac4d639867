# SPDX-License-Identifier: MIT
"""What tests of presenting share: a still picture in the guest, and the screens of the host that it must be on."""

import os
import subprocess
import tempfile
import time
from pathlib import Path

from venusvm import guest as guests
from venusvm import picture
from venusvm.expect import expect
from venusvm.harness import complaints
from venusvm.host import IN_ROOT

SIZE = (800, 600)
SWAPCHAIN = {"present": "swapchain", "present-mode": "immediate"}


def xdotool(host, *arguments):
    """What xdotool says; "" where it finds nothing."""
    done = subprocess.run([*IN_ROOT, "xdotool", *map(str, arguments)], check=False, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30,
                          env={**os.environ, "DISPLAY": host.display})
    return done.stdout.strip()


def present_counts(guest):
    return {name: value for name, value in guest.stats().items() if name.startswith("present-")}


def hold_cube(case, guest, frame, size=SIZE):
    """vkcube, full screen, standing still after that frame."""
    log = f"/tmp/held-{frame}.json"
    layer = guests.frames_environment(log=log, hold=frame)
    job = guest.spawn(f"rm -f {log}; wl --kiosk {layer} vkcube --wsi wayland --width {size[0]} "
                      f"--height {size[1]} --c {frame + 10}")
    case.wait_for(lambda: (guest.run(f"test -s {log}", check=False).status == 0,
                           f"{job.output}{job.errors}"), f"vkcube's frame {frame}", timeout=120)
    return job


def expect_no_complaint(guest):
    """QEMU has said nothing."""
    lines = complaints(guest)
    expect(not lines, "no line of QEMU's", "\n".join(lines))


def wait_until_shown(case, look, guest, suffix, at=None, output=0, colours=100):
    """The host's screen shows an output's scanout, to the bit, at that place or anywhere."""
    dump = None

    def question():
        nonlocal dump
        dump = case.screen(f"{suffix}-scanout", guest, output)
        screen = look()
        screen.write_png(case.file(f"{suffix}-screen.png"))
        if at:
            same = screen.crop(*at, dump.width, dump.height).rgb == dump.rgb
            return same, picture.Difference(screen.crop(*at, dump.width, dump.height), dump)
        return screen.find(dump), f"it nowhere in {screen}"

    case.wait_for(question, f"the scanout on the host's screen ({case.file(suffix + '-screen.png')})",
                  timeout=20)
    expect(dump.colours() >= colours, f"a picture of {colours} colours or more", dump)
    return dump


class Weston:
    """A compositor on the host, for a with statement; `environment` is for its clients.

    It has no display and no input; or, given an X server, that one's.
    """

    def __init__(self, width, height, screen=None, hertz=None):
        self.folder = tempfile.TemporaryDirectory(prefix="venus-weston-")
        self.environment = {"XDG_RUNTIME_DIR": self.folder.name, "WAYLAND_DISPLAY": "venus-test"}
        Path(self.folder.name).chmod(0o700)
        config = Path(self.folder.name, "weston.ini")
        config.write_text("[core]\nidle-time=0\nrequire-input=false\n[shell]\nlocking=false\n"
                          "startup-animation=none\npanel-position=none\n", encoding="ascii")
        with open(Path(self.folder.name, "weston.log"), "wb") as log:
            self.child = subprocess.Popen(
                [*IN_ROOT, "weston", f"--backend={'x11' if screen else 'headless'}",
                 "--renderer=pixman", f"--width={width}",
                 f"--height={height}", f"--config={config}", "--socket=venus-test", "--debug",
                 "--shell=kiosk", *([f"--refresh-rate={1000 * hertz}"] if hertz else [])],
                env={**os.environ, **self.environment,
                     **({"DISPLAY": screen.display} if screen else {})},
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + 20
        while not Path(self.folder.name, "venus-test").exists():
            expect(self.child.poll() is None and time.monotonic() < deadline, "weston to start",
                   Path(self.folder.name, "weston.log").read_text(errors="replace")[-1500:])
            time.sleep(0.05)

    def picture(self):
        for old in Path(self.folder.name).glob("wayland-screenshot*"):
            old.unlink()
        done = subprocess.run([*IN_ROOT, "weston-screenshooter"], cwd=self.folder.name, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30,
                              env={**os.environ, **self.environment,
                                   "XDG_PICTURES_DIR": self.folder.name})
        shots = list(Path(self.folder.name).glob("wayland-screenshot*"))
        expect(shots, "a screenshot of weston", done.stdout)
        return picture.read_png(shots[0])

    def end(self):
        self.child.terminate()
        self.child.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()
        self.folder.cleanup()
