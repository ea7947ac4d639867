# SPDX-License-Identifier: MIT
"""What the guest tests share: expectations that say what they saw, and programs run on the host.

A test is a function with one argument, a Case. It returns if all is well; it raises Failed (mostly by
way of the expect functions) or Skipped.
"""

import contextlib
import re

from venusvm import expect as expectations
from venusvm import guest as guests
from venusvm import picture  # noqa: F401
from venusvm import screen as screens
from venusvm.expect import Failed, expect  # noqa: F401
from venusvm.guest import TOP
from venusvm.host import IN_ROOT, LAVAPIPE, STOCK_QEMU, host_tools, in_root, json_on_host, on_host  # noqa: F401
from venusvm.screen import VENUS  # noqa: F401

OUT = TOP / "out" / "check" / "guest"
# The OpenGL device that qemu/hw/display/legacy-virtio-gpu archives: its files and what they make, its names.
ARCHIVED = re.compile(r"legacy-virtio-gpu|virtio-(gpu-gl|gpu-virgl|gpu-pci-gl|vga-gl)\b")
ARCHIVED_DEVICES = {"virtio-gpu-gl-pci", "virtio-gpu-gl-device", "virtio-vga-gl"}


class Skipped(Exception):
    """A test cannot say anything here, and why."""


class Case:
    """One test's surroundings: a guest, if it wants one, and where it may leave files."""

    def __init__(self, shared, name):
        self.shared, self.name, self.options = shared, name, shared.options
        OUT.mkdir(parents=True, exist_ok=True)

    @property
    def guest(self):
        return self.shared.get()

    def need(self, program):
        """Skips the test if the guest's system does not have a program at all: forky has no vkmark."""
        if self.guest.run(f"command -v {program}", check=False).status:
            raise Skipped(f"the guest has no {program}")

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
        shown = screens.dump(guest or self.guest, output)
        shown.write_png(self.file(suffix + ".png"))
        return shown

    def fetch(self, path, suffix):
        """Copies a file out of the guest."""
        return screens.fetch(self.guest, path, self.file(suffix))

    def wait_for(self, question, expected, timeout=30):
        """Asks until the answer is true; fails with the last answer's words if it never is.

        The question returns (answer, what was seen).
        """
        expectations.wait_for(question, expected, timeout)

    def wait_for_stat(self, name, value, timeout=30):
        def question():
            seen = self.guest.stat(name)
            return seen == value, f"stat-{name} = {seen}"
        self.wait_for(question, f"stat-{name} = {value}", timeout)


def root_of(case):
    """Options of in-root.sh for the root that the QEMU runs in."""
    return case.options.get("in_root", [])


def is_stock(case):
    """Whether the QEMU is Debian's own, with the device as a module."""
    return STOCK_QEMU in root_of(case)


def need_patch(case, what):
    """Skips a test of what one of our patches of QEMU itself does, where QEMU has none of them."""
    if is_stock(case):
        raise Skipped(f"Debian's QEMU lacks the patch: {what}")


def without_egl(case):
    """Options of in-root.sh for a host with no OpenGL; makes that root, so that no QEMU waits for it."""
    if is_stock(case):
        raise Skipped("the root without OpenGL has no QEMU of Debian's")
    guests.made_by("host-root.sh", "--without-egl")
    return ["--without-egl"]


def own_qemu(case, *options):
    """QEMU as scripts/build-qemu.sh makes it, for tests that look at how it was built.

    Where another one was named there is none of that, and none is made.
    """
    if case.options.get("qemu"):
        raise Skipped("it looks at the QEMU that scripts/build-qemu.sh makes, and another was named")
    return guests.made_by("build-qemu.sh", *options)


def qemu_of(case, *options):
    """The QEMU to run: the one that was named, or ours."""
    return case.options.get("qemu") or own_qemu(case, *options)


# Linux 7.2 and newer tell a keyboard how fast keys repeat (20: EV_REP); QEMU's, which is no part of the device, knows
# of its lights only, and says so.
KEYBOARD = "virtio_input_hid_handle_status: unknown type 20"


# What the render server says is about programs of the guest, such as one that leaves Vulkan objects behind. There may
# be many such lines, which are then counted.
OF_PROGRAMS = re.compile(r"virtio-gpu-venus: (render server: |\d+ more lines like the next)")


def complaints(guest):
    """What QEMU has said so far of itself and the device, line by line."""
    return [line for line in guest.qemu_log().splitlines()
            if line.strip() and line != KEYBOARD and not OF_PROGRAMS.search(line)]


def offered_devices(qemu, root=()):
    """The names of all devices that a QEMU program has."""
    return set(re.findall(r'^name "([^"]+)"', on_host([qemu, "-device", "help"], root=root), re.MULTILINE))


# weston 16.0 aborts when a monitor is pulled out just before it draws for that: one without a head has no colour format.
WESTON_ABORTS = re.compile(r"kms-color\.c:\d+: Assertion weston_output_get_supported_color_formats\b")


@contextlib.contextmanager
def as_long_as_weston_runs(guest):
    """What fails after weston has ended fails for that, and says so. Of its own known fault we can say nothing."""
    try:
        yield
    except Failed as failure:
        last = guest.run("pgrep -x weston >/dev/null || tail -n 1 /run/weston.log", check=False).output.strip()
        if WESTON_ABORTS.search(last):
            raise Skipped(f"the guest's weston has ended by a fault of its own: {last}") from failure
        raise Failed(f"{failure}\n    weston has ended: {last}" if last else str(failure)) from failure
