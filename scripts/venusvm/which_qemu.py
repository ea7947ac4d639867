# SPDX-License-Identifier: MIT
"""Which QEMU and which guest a person gets: Debian's QEMU with the device as a module, one that is built, or another.

scripts/setup.sh decides between the first two, and makes what the guest needs besides. Tests and figures do not ask
here: they say what they want.
"""

from pathlib import Path

from venusvm.guest import made_by
from venusvm.host import STOCK_QEMU

WRAPPER = "qemu-system-x86_64-venus"  # what build-module.sh makes
# Guests other than the one of the tests, which Guest has by itself.
IMAGES = {"small": ("guest-image.sh", "--variant", "small"), "micro": ("micro-guest.sh",)}


class Chosen:
    """A QEMU, the options of in-root.sh for the root that it runs in, and a guest's image."""

    def __init__(self, kind, program, in_root=(), image=None):
        self.kind, self.program, self.in_root, self.image = kind, Path(program), list(in_root), image

    @property
    def words(self):
        """Which QEMU it is, for a person."""
        return {"module": "Debian's own, with the device as a module", "built": "built with the device",
                "named": str(self.program)}[self.kind]

    def options(self):
        """Those of venusvm.guest's Guest."""
        return {"qemu": self.program, "in_root": self.in_root, "image": self.image}


def add_options(group):
    """The options by which a person chooses a QEMU; to an argparse parser or group."""
    which = group.add_mutually_exclusive_group()
    which.add_argument("--built", action="store_true",
                       help="a QEMU that is built with the device and our patches, minutes the first time, instead of "
                            "Debian's own with the device as a module")
    which.add_argument("--qemu", metavar="PROGRAM", help="another QEMU that has the device")


def choose(options, arch="x86_64", guest=None):
    """What options (see add_options) ask for, made if need be. guest: of IMAGES, or None for that of the tests."""
    program, kind, in_root = options.qemu, "named", []
    if not program:
        program = made_by("setup.sh", "--arch", arch, *(["--built"] if options.built else []),
                          *([f"--{guest}"] if guest else []))
        kind, in_root = ("module", [STOCK_QEMU]) if program.name == WRAPPER else ("built", [])
    return Chosen(kind, program, in_root, made_by(*IMAGES[guest]) if guest else None)
