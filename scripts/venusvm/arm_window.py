# SPDX-License-Identifier: MIT
"""How large the window for blobs can be in QEMU's arm machine on this host.

The window is a PCI BAR. QEMU has 512 GiB of addresses for large ones, from 512 GiB on, and leaves them out where a guest's
addresses are shorter than 40 bits: they are 36 bits long on a Mac before macOS 15, and on one with an M1. What is left is
below the guest's memory, and 256 MiB of it. QEMU says nothing where a window does not fit; the guest finds no Vulkan.
"""

import subprocess

SMALL = "256M"  # the largest power of two that fits below the memory
LARGE_PLACE = "pcie-mmio-high"  # as QEMU calls those addresses
LIMIT = 60  # seconds


def is_large(qemu, machine, accel, cpu):
    """Whether there is a place for a window of more than SMALL. A QEMU that does not start is taken to have one.

    qemu: the words that start it.
    """
    try:
        done = subprocess.run([*(str(word) for word in qemu), "-nodefaults", "-no-user-config", "-M", machine, "-accel", accel,
                               "-cpu", cpu, "-m", "64M", "-display", "none", "-S", "-monitor", "stdio"],
                              input="info mtree\nquit\n", text=True, capture_output=True, timeout=LIMIT, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return True
    return bool(done.returncode) or "pcie-mmio" not in done.stdout or LARGE_PLACE in done.stdout
