# SPDX-License-Identifier: MIT
"""Which QEMU a person's guest runs in: Debian's own with the device as a module, one that is built, or another.

scripts/setup.sh decides between the first two, and makes what the guest needs besides. Tests and figures do not ask
here: they say what they want.
"""

from pathlib import Path

from venusvm.guest import made_by
from venusvm.host import STOCK_QEMU

WRAPPER = "qemu-system-x86_64-venus"  # what build-module.sh makes


class Qemu:
    """A program, and the options of in-root.sh for the root that it runs in."""

    def __init__(self, kind, program, root=()):
        self.kind, self.program, self.in_root = kind, Path(program), list(root)

    @property
    def words(self):
        """What it is, for a person."""
        return {"module": "Debian's own, with the device as a module", "built": "built with the device",
                "named": str(self.program)}[self.kind]

    def options(self):
        """Those of venusvm.guest's Guest."""
        return {"qemu": self.program, "in_root": self.in_root}


def add_options(group):
    """The options by which a person chooses; to an argparse parser or group."""
    which = group.add_mutually_exclusive_group()
    which.add_argument("--built", action="store_true",
                       help="a QEMU that is built with the device and our patches, minutes the first time, instead of "
                            "Debian's own with the device as a module")
    which.add_argument("--qemu", metavar="PROGRAM", help="another QEMU that has the device")


def choose(options, *setup):
    """The QEMU that options (see add_options) ask for, made if need be; setup: more options for setup.sh."""
    if options.qemu:
        return Qemu("named", options.qemu)
    program = made_by("setup.sh", *(["--built"] if options.built else []), *setup)
    if program.name == WRAPPER:
        return Qemu("module", program, [STOCK_QEMU])
    return Qemu("built", program)
