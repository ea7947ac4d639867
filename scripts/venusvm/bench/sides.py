# SPDX-License-Identifier: MIT
"""What is compared: a guest with the old device, one with the new, and what else stands beside them.

All are the same QEMU, which holds both devices, the same guest and the same X server in memory for QEMU's
window. What differs is the device, and that the old one cannot do without a display with OpenGL.
"""

import re
import time

from venusvm import guest as guests
from venusvm import processes
from venusvm.host_screen import SDL, HostScreen

SIZE = (1280, 800)
# Without gl=on, QEMU leaves it to SDL how to draw, which would use OpenGL too if it were not told otherwise.
SDL_ALONE = {**SDL, "SDL_FRAMEBUFFER_ACCELERATION": "0"}
OLD = {"device": "virtio-gpu-gl-pci", "display": "sdl,gl=on", "properties": {"blob": "on", "venus": "on"}}
NEW = {"device": "virtio-gpu-venus-pci", "display": "sdl,gl=off"}
PRESENTED = {**NEW, "properties": {"present": "swapchain", "present-mode": "mailbox"}}


def nothing():
    """The new device with all that costs taken out: see nothing.c."""
    build = guests.made_by("build-lib.sh", "--build-dir")
    return {**NEW, "preload": build / "bench" / "libvenusgpu-nothing.so"}


class Machine:
    """A guest on a screen of its own, for a with statement; knows when it was started."""

    def __init__(self, qemu, device, display, properties=None, preload=None, accel=None):
        self.screen = HostScreen(*SIZE)
        env = {"DISPLAY": self.screen.display, **SDL_ALONE}
        self.guest = guests.Guest(qemu=qemu, device=device, display=display, properties=properties,
                                  preload=preload, accel=accel, env=env, resolution=SIZE)
        self.started = self.answered = None

    def __enter__(self):
        try:
            self.started = time.monotonic()
            self.guest.start()
            self.answered = time.monotonic()  # the monitor did, so the device is there
            self.guest.wait_for_agent()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.guest.close()
        self.screen.close()

    def capset_query(self):
        """Seconds from the start of QEMU until the guest's kernel had its first capability set described.

        The kernel says so in its log; its clock is related to ours by asking it for the time.
        """
        log = self.guest.run("dmesg").output
        line = re.search(r"^\[ *(\d+\.\d+)\].*\bcap set 0\b", log, re.MULTILINE)
        if not line:
            raise guests.GuestError("the guest's kernel did not say when it had a capability set")
        before = time.monotonic()
        uptime = float(self.guest.run("cat /proc/uptime").output.split()[0])
        boot = (before + time.monotonic()) / 2 - uptime
        return boot + float(line[1]) - self.started

    def memory(self):
        """MiB that QEMU and the processes that it started take, less the guest's own memory.

        What processes share is counted once (PSS).
        """
        return processes.memory(self.guest.process.pid)
