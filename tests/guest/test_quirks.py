# SPDX-License-Identifier: MIT
"""Guests whose virtio is not as QEMU makes it by default: each boots, and draws what the host draws.

Each has a guest of its own. The driver must really have taken what the device offers; its feature bits, as
Linux shows them, say so.
"""

import re

from venusvm.harness import VENUS, Skipped, expect, host_tools, json_on_host, picture

EVENT_IDX, VERSION_1, PLATFORM, PACKED = 29, 32, 33, 34  # bits of virtio's feature word


def features(guest):
    """The feature bits that the guest's driver of our device has accepted."""
    text = guest.run("for device in /sys/bus/virtio/devices/*; do "
                     "[ $(cat $device/device) != 0x0010 ] || cat $device/features; done").output.strip()
    # Linux before 7.2 prints 64 of them, later ones 128.
    expect(re.fullmatch(r"[01]{64,}", text), "64 feature bits or more of one virtio-gpu", text)
    return {bit for bit, value in enumerate(text) if value == "1"}


def draws(case, guest):
    """Offscreen the guest draws the host's picture; on its display vkcube runs, and is shown."""
    ours, theirs = case.file("host.png"), "/tmp/quirks.png"
    host = json_on_host([host_tools() / "frame", "--out", ours])
    seen = guest.run_json(f"{VENUS} frame --out {theirs}")
    case.file("guest.png").write_bytes(guest.run(f"cat {theirs}").stdout)
    shown, wanted = picture.read_png(case.file("guest.png")), picture.read_png(ours)
    expect(wanted.colours() > 1000, "a frame with more than 1000 colours on the host", wanted)
    expect(shown.rgb == wanted.rgb and seen["crc32"] == host["crc32"], f"the host's frame ({ours})",
           picture.Difference(shown, wanted))
    before = guest.stat("flushes")
    guest.run("wl vkcube --wsi wayland --c 60")
    flushes = guest.stat("flushes") - before
    expect(flushes >= 30, "30 frames or more on the display", flushes)
    expect(guest.stat("command-errors") == 0, "no command that failed", guest.stats())


def test_packed_ring(case):
    """with packed virtqueues (packed=on)"""
    with case.another_guest(properties={"packed": "on"}) as guest:
        expect({VERSION_1, PACKED} <= features(guest), "packed rings", features(guest))
        draws(case, guest)


def test_no_event_idx(case):
    """without event indices (event_idx=off): each side tells the other by flags"""
    with case.another_guest(properties={"event_idx": "off"}) as guest:
        expect(EVENT_IDX not in features(guest), "no event indices", features(guest))
        draws(case, guest)


def test_packed_ring_no_event_idx(case):
    """with packed virtqueues and without event indices"""
    with case.another_guest(properties={"packed": "on", "event_idx": "off"}) as guest:
        found = features(guest)
        expect(PACKED in found and EVENT_IDX not in found, "packed rings, no event indices", found)
        draws(case, guest)


def test_memory_not_shared(case):
    """with guest memory that is not shared (share=off): its pages cannot be mapped a second time"""
    with case.another_guest(memory_share="off") as guest:
        draws(case, guest)
        expect(guest.stat("guest-aliases") == 0, "no pages of the guest seen in place", guest.stats())


IOMMU = ["-device", "intel-iommu,intremap=on"]


def expect_iommu(case, guest):
    expect("dmar" in guest.run("ls /sys/class/iommu").output, "an IOMMU that the guest uses",
           guest.run("ls /sys/class/iommu; dmesg | grep -i dmar").output)


def no_iommu_with_kvm(case):
    if case.guest.accel == "kvm":
        raise Skipped("QEMU wants another interrupt controller for an IOMMU with KVM")


def test_iommu_beside(case):
    """in a machine with an IOMMU that the device is not behind: Linux leaves its addresses alone"""
    no_iommu_with_kvm(case)
    with case.another_guest(qemu_args=IOMMU) as guest:
        expect(PLATFORM not in features(guest), "no IOMMU for this device", features(guest))
        expect_iommu(case, guest)
        draws(case, guest)


def test_iommu(case):
    """behind an IOMMU (iommu_platform=on): rings and pages are where it says"""
    no_iommu_with_kvm(case)
    with case.another_guest(properties={"iommu_platform": "on"}, qemu_args=IOMMU) as guest:
        expect({VERSION_1, PLATFORM} <= features(guest), "addresses of the bus", features(guest))
        expect_iommu(case, guest)
        group = guest.run("readlink -f /sys/class/drm/card0/device/iommu_group", check=False).output.strip()
        expect("/iommu_groups/" in group and "DMA" in guest.run(f"cat {group}/type").output,
               "the device in a group whose addresses are translated",
               group + guest.run(f"cat {group}/type", check=False).output)
        draws(case, guest)


def test_platform_without_iommu(case):
    """with iommu_platform=on in a machine without an IOMMU: addresses are what they were"""
    with case.another_guest(properties={"iommu_platform": "on"}) as guest:
        expect(PLATFORM in features(guest), "addresses of the bus", features(guest))
        draws(case, guest)
