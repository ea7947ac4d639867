# SPDX-License-Identifier: MIT
"""A guest for another processor than the host's: Arm's, on QEMU's virt machine, in a QEMU built for it.

What it is made of is checked here. That Venus works in it is then seen by the tests of other modules, which
run in it as they are: what the guest draws is compared with what this machine's own programs draw.
"""

import re

from venusvm import arm_window
from venusvm.guest import SCRIPTS
from venusvm.harness import ARCHIVED_DEVICES, VENUS, Skipped, expect, offered_devices

GIB = 1 << 30


def test_machine(case):
    """the kernel and the programs are aarch64's, on the virt machine, with pages of 4 KiB or, in the guest for it, 16"""
    guest = case.guest
    page = "16384" if guest.run("uname -r").output.strip().endswith("-16k") else "4096"
    seen = guest.run("uname -sm; getconf PAGESIZE; od -An -tu2 -j18 -N2 /opt/venus/frame").output.split()
    expect(seen == ["Linux", "aarch64", page, "183"],  # 183: EM_AARCH64 in the program's ELF header
           f"Linux aarch64, {page} and programs for machine 183", seen)
    target = guest.monitor.ask("query-target")["arch"]
    expect(target == "aarch64", "a QEMU for aarch64", target)
    machine = guest.run("tr '\\0' '\\n' </proc/device-tree/compatible").output.split()
    expect("linux,dummy-virt" in machine, "linux,dummy-virt", machine)
    case.note(guest.run("uname -r").output)


def test_devices(case):
    """that QEMU has our device and nothing of the archived one"""
    offered = offered_devices(case.guest.qemu)
    expect("virtio-gpu-venus-pci" in offered and not offered & ARCHIVED_DEVICES,
           "virtio-gpu-venus-pci and none of the archived devices",
           sorted(name for name in offered if name.startswith("virtio-")))


def test_window(case):
    """the window for the host's Vulkan memory is where 64-bit addresses are, as large as asked for"""
    said = case.guest.run("dmesg").output
    found = re.search(r"Host memory window: (0x[0-9a-f]+) \+(0x[0-9a-f]+)", said)
    expect(found, "the kernel's line about the window", said[-1500:])
    begin, size = (int(number, 16) for number in found.groups())
    case.note(found[0])
    expect(begin >= 4 * GIB and size == GIB, "1 GiB above 4 GiB", found[0])


def test_short_addresses(case):
    """QEMU says whether it has a place for a large window, as on a Mac it may not"""
    qemu = [SCRIPTS / "in-root.sh", "--die-with-parent", "--", case.guest.qemu]
    seen = [arm_window.is_large(qemu, machine, "tcg", "max") for machine in ("virt", "virt,highmem-mmio=off")]
    expect(seen == [True, False], "one where 64-bit addresses are, and none without those", seen)


def test_larger_pages(case):
    """blobs of a kernel with pages of 16 KiB end behind their memory, and fences, which are in such blobs, work"""
    if not case.guest.run("uname -r").output.strip().endswith("-16k"):
        raise Skipped("the guest's pages are the host's")
    before = case.guest.stats()["maps-padded"]
    case.guest.run(f"{VENUS} frame --step 0 --out /tmp/padded.png")
    padded = case.guest.stats()["maps-padded"] - before
    case.note(f"{padded} blobs were padded")
    expect(padded > 0, "blobs of less than a page of the guest's", padded)
