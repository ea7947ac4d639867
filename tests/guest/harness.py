# SPDX-License-Identifier: MIT
"""What the guest tests share: expectations that say what they saw, and programs run on the host.

A test is a function with one argument, a Case. It returns if all is well; it raises Failed (mostly by
way of the expect functions) or Skipped.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "scripts"))

import guest as guests  # noqa: E402
import picture  # noqa: E402

OUT = TOP / "out" / "check" / "guest"
VENUS = "VK_DRIVER_FILES=/usr/share/vulkan/icd.d/virtio_icd.json"
LAVAPIPE = {"VK_DRIVER_FILES": "/usr/share/vulkan/icd.d/lvp_icd.json"}
IN_ROOT = [str(TOP / "scripts" / "in-root.sh"), "--die-with-parent", "--"]
# The OpenGL device that qemu/hw/display/legacy-virtio-gpu archives: its files and what they make, its names.
ARCHIVED = re.compile(r"legacy-virtio-gpu|virtio-(gpu-gl|gpu-virgl|gpu-pci-gl|vga-gl)\b")
ARCHIVED_DEVICES = {"virtio-gpu-gl-pci", "virtio-gpu-gl-device", "virtio-vga-gl"}


class Failed(Exception):
    """A test's expectation was not met: what was expected and what was seen."""


class Skipped(Exception):
    """A test cannot say anything here, and why."""


def expect(condition, expected, seen):
    if not condition:
        raise Failed(f"expected {expected}\n    seen {seen}")


class SharedGuest:
    """The guest that most tests run in: booted when the first one wants it, and again if it is gone."""

    def __init__(self, options):
        self.options, self.guest = options, None
        # Of the files that tests leave.
        self.prefix = "" if options["arch"] == "x86_64" else f"{options['arch']}-"

    def get(self):
        if not self.guest:
            begin = time.monotonic()
            guest = guests.Guest(qemu_args=["-d", "guest_errors"], **self.options)
            try:
                guest.start().wait_for_agent()
            except BaseException:
                guest.close()
                raise
            self.guest = guest
            print(f"# booted in {time.monotonic() - begin:.1f} s, {guest.accel}, "
                  f"QEMU {guest.qemu_version()}, {guest.renderer()}", flush=True)
        return self.guest

    def tidy(self):
        """Ends the programs that a test left running; says if the machine itself has ended."""
        guest = self.guest
        if not guest:
            return None
        if guest.process.poll() is None:
            running = [job for job in guest.jobs.values() if job.status is None]
            for job in running:
                job.signal(9)
            for job in running:
                job.wait(20)
            return None
        words = f"QEMU ended with status {guest.process.returncode}\n{guest.last_words()}"
        self.close()
        return words

    def close(self):
        if self.guest:
            self.guest.close()
            self.guest = None


class Case:
    """One test's surroundings: a guest, if it wants one, and where it may leave files."""

    def __init__(self, shared, name):
        self.shared, self.name, self.options = shared, name, shared.options
        OUT.mkdir(parents=True, exist_ok=True)

    @property
    def guest(self):
        return self.shared.get()

    def another_guest(self, **options):
        """A guest with other options, beside the one that all tests share; for a with statement."""
        return guests.Guest(**{**self.options, **options})

    def note(self, text):
        """A line for whoever reads the log."""
        for line in str(text).splitlines():
            print(f"# {line}", flush=True)

    def file(self, suffix):
        """A file that stays, for people to look at."""
        return OUT / f"{self.name}-{suffix}"

    def screen(self, suffix, guest=None, output=0):
        """What an output of the guest, or of another, shows; kept as a PNG too.

        Its width should be a multiple of 4: QEMU pads rows, which the PPM format does not know.
        """
        with tempfile.TemporaryDirectory(prefix="venus-test-") as folder:
            dump = (guest or self.guest).screendump(Path(folder, "screen.ppm"), form="ppm", output=output)
            shown = picture.read_ppm(dump)
        shown.write_png(self.file(suffix + ".png"))
        return shown

    def fetch(self, path, suffix):
        """Copies a file out of the guest."""
        target = self.file(suffix)
        target.write_bytes(self.guest.run(f"cat {path}").stdout)
        return target

    def wait_for(self, question, expected, timeout=30):
        """Asks until the answer is true; fails with the last answer's words if it never is.

        The question returns (answer, what was seen).
        """
        deadline = time.monotonic() + timeout
        while True:
            answer, seen = question()
            if answer:
                return
            if time.monotonic() > deadline:
                raise Failed(f"expected within {timeout} s: {expected}\n    seen {seen}")
            time.sleep(0.2)

    def wait_for_stat(self, name, value, timeout=30):
        def question():
            seen = self.guest.stat(name)
            return seen == value, f"stat-{name} = {seen}"
        self.wait_for(question, f"stat-{name} = {value}", timeout)


def host_tools():
    """Where the guest's programs are on the host."""
    return guests.made_by("tools-disk.sh", "--dir")


def on_host(command, timeout=120, **environment):
    """Runs a program in the host's root with lavapipe, and returns what it printed."""
    done = subprocess.run([*IN_ROOT, *map(str, command)], timeout=timeout, check=False,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, env={**os.environ, **LAVAPIPE, **environment})
    if done.returncode:
        raise Failed(f"expected {command[0]} to succeed on the host\n"
                     f"    seen status {done.returncode}: {(done.stdout + done.stderr)[-1500:]}")
    return done.stdout


def offered_devices(qemu):
    """The names of all devices that a QEMU program has."""
    return set(re.findall(r'^name "([^"]+)"', on_host([qemu, "-device", "help"]), re.MULTILINE))


def json_on_host(command, **options):
    return json.loads(on_host(command, **options).strip().splitlines()[-1])
