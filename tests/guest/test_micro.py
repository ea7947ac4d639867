# SPDX-License-Identifier: MIT
"""The micro guest: a kernel and one initrd with Mesa's Venus driver, vulkaninfo and our programs; no disk."""

import time

from test_examples import check_cube, compare
from venusvm.harness import VENUS, expect, guests

MOST = 24 << 20  # bytes of kernel and initrd; it is to be carried and loaded in no time


def test_micro(case):
    """the micro guest boots to Venus, and what its programs draw is what the host draws"""
    image = guests.made_by("micro-guest.sh")
    size = sum((image / name).stat().st_size for name in ("vmlinuz", "initrd.img"))
    expect(size < MOST, f"less than {MOST >> 20} MiB", f"{size / 2**20:.1f} MiB")
    begin = time.monotonic()
    with case.another_guest(image=image) as guest:
        booted = time.monotonic() - begin
        expect(guest.micro and not any("disk.img" in str(word) for word in guest.command_line()), "no disk",
               guest.command_line())
        summary = guest.run(f"{VENUS} vulkaninfo --summary").output
        case.note(f"{size / 1e6:.1f} MB; the agent after {booted:.1f} s, a Vulkan device after {time.monotonic() - begin:.1f} s")
        expect("DRIVER_ID_MESA_VENUS" in summary and guest.renderer() in summary, f"Venus over {guest.renderer()}",
               summary[-1500:])
        compare(case, "triangle", "--frames 60", guest=guest)
        check_cube(case, "dumb", guest)
