# SPDX-License-Identifier: MIT
"""Times how long a change takes to reach the host's screen, by watching a pixel of it.

The screen is an X server's in memory, a file that is mapped here. The guest runs key_pixel, which flips
between a black and a white picture at each key. A key is pressed by QEMU's monitor.

When the guest flipped is told by the guest's clock, so the two clocks must be related. That a message
arrives after it was sent bounds the difference on both sides: of what the guest says (clock times that it
prints), and of what it hears (the times at which its kernel saw our keys). The middle is taken.
"""

import json
import mmap
import statistics
import struct
import threading
import time
from pathlib import Path

from venusvm import guest as guests
from venusvm.bench.sides import SIZE

STEP = 0.0002  # how often the pixel is looked at: seconds
PATIENCE = 5


class Pixel:
    """One pixel in the middle of the screen."""

    def __init__(self, screen):
        with open(Path(screen.folder.name, "Xvfb_screen0"), "rb") as file:
            self.map = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        fields = struct.unpack(">25I", self.map[:100])
        start, stride = fields[0] + 12 * fields[19], fields[12]
        self.at = start + SIZE[1] // 2 * stride + SIZE[0] // 2 * 4

    def get(self):
        return self.map[self.at:self.at + 3]

    def wait_for_change(self, before):
        """When it had another colour, or None if it kept this one."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if self.get() != before:
                return time.monotonic()
            time.sleep(STEP)
        return None

    def wait_for(self, colour):
        end = time.monotonic() + PATIENCE
        while self.get() != colour:
            if time.monotonic() > end:
                raise guests.GuestError(f"the host's screen is {self.get().hex()}, not {colour.hex()}")
            time.sleep(0.01)


class Lines:
    """What a program in the guest prints, each line with the time at which it came here."""

    def __init__(self, job):
        self.job, self.taken = job, 0

    def next(self):
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            head, newline, _ = self.job.stdout[self.taken:].partition(b"\n")
            if newline:
                came = time.monotonic()
                self.taken += len(head) + 1
                return json.loads(head), came
            if self.job.status is not None:
                break
            time.sleep(STEP)
        raise guests.GuestError(f"'{self.job.command}' in the guest said no more: {self.job.errors[-500:]}")


def heard(machine):
    """At most so many milliseconds is our clock ahead of the guest's: by what the guest says."""
    lines = Lines(machine.guest.spawn("key_pixel --clock 100"))
    return min(came * 1000 - line["clock_ms"] for line, came in (lines.next() for _ in range(100)))


def press(machine, down):
    key = {"type": "key", "data": {"down": down, "key": {"type": "qcode", "data": "spc"}}}
    machine.guest.monitor.ask("input-send-event", events=[key])


def press_keys(machine, count):
    """Returns milliseconds from key to pixel, and from the guest's flip to the pixel, a sample a key."""
    pixel = Pixel(machine.screen)
    most = heard(machine)
    job = machine.guest.spawn(f"exec key_pixel --presses {count}")
    lines, keys, flips, least = Lines(job), [], [], []
    lines.next()
    pixel.wait_for(b"\0\0\0")
    for _ in range(count):
        time.sleep(0.05)
        before = pixel.get()
        seen = []
        watch = threading.Thread(target=lambda: seen.append(pixel.wait_for_change(before)))
        watch.start()
        pressed = time.monotonic()
        press(machine, True)
        watch.join()
        press(machine, False)
        line, _ = lines.next()
        if seen[0] is None:
            raise guests.GuestError(f"the host's screen did not change {PATIENCE} s after a key")
        keys.append(1000 * (seen[0] - pressed))
        least.append(1000 * pressed - line["event_ms"])
        flips.append(1000 * seen[0] - line["flip_ms"])
    job.wait(20)
    ahead = (most + max(least)) / 2
    machine.clock_uncertainty = (most - max(least)) / 2
    if statistics.median(flips) < ahead:
        raise guests.GuestError("the guest's clock could not be related to the host's")
    return keys, [flip - ahead for flip in flips]
