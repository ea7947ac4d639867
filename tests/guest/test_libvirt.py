# SPDX-License-Identifier: MIT
"""Domains of Debian's libvirt, by both doors: the device by its own name, and as libvirt's "3D acceleration".

The commands of docs/libvirt.md are run here, word for word, where its files are those of packaging/libvirt with our
guest's disk, kernel and agent. The daemon is the real one, of the system; the sandbox, the namespaces and the settings
are Debian's, but for those that venusvm/libvirt.py and a test name.
"""

import re
import time
from pathlib import Path

from venusvm.harness import Failed, Skipped, expect, picture
from venusvm.host_screen import window_of_vkcube
from venusvm.libvirt import EMULATOR, PACKAGING, Libvirt, element
from venusvm.unmodified import Held, wanted_vkcube

SIZE = 500
DOORS = {"device": "virtio-vga-venus", "acceleration": "virtio-vga-gl"}
SUMMARY = "VK_DRIVER_FILES=/usr/share/vulkan/icd.d/virtio_icd.json vulkaninfo --summary"
# Without systemd nobody in the guest acts on its power button. This does as systemd would.
POWER_BUTTON = ("modprobe button && mkdir -p /tmp/acpi/PWRF && cd /tmp/acpi/PWRF && "
                "printf '#!/bin/sh\nsync; echo o >/proc/sysrq-trigger\n' >00000080 && chmod +x 00000080 && "
                "exec busybox acpid -d -c /tmp/acpi")


def is_venus(guest):
    said = guest.run(SUMMARY).output
    expect(re.search(r"driverName\s+= venus", said), "Venus as the guest's Vulkan driver", said[-1500:])
    return re.search(r"deviceName\s+= (.*)", said)[1]


def test_files(case):
    """both files are valid for libvirt as they are, and are defined"""
    libvirt = case.shared.get()
    for door in DOORS:
        file = libvirt.place(f"lib/{door}.xml")
        file.write_bytes((PACKAGING / file.name).read_bytes())
        libvirt.virsh("define", "--validate", libvirt.inside_path(file))
        said = libvirt.virsh("dumpxml", f"venus-{door}")
        expect("<source type='memfd'/>" in said and "<access mode='shared'/>" in said, "shared memory of a memfd", said)
        libvirt.virsh("undefine", f"venus-{door}")


def starts(case, door):
    begin = time.monotonic()
    guest = case.shared.domain(door)
    case.note(f"defined, started and booted in {time.monotonic() - begin:.1f} s: {is_venus(guest)}")
    line = Path(f"/proc/{guest.pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    expect(DOORS[door] in line, f"QEMU with {DOORS[door]}", line)


def test_device_starts(case):
    """by its own name: the domain starts, and the guest has Venus"""
    starts(case, "device")


def test_acceleration_starts(case):
    """as 3D acceleration: the domain starts, and the guest has Venus"""
    starts(case, "acceleration")


def vkcube(case, door, frame):
    guest = case.shared.domain(door)
    wanted = wanted_vkcube(guest, frame, SIZE)
    wanted.write_png(case.file(f"host-{frame}.png"))
    with Held(guest, "", f"vkcube --wsi wayland --width {SIZE} --height {SIZE} --c {frame + 10}", frame):
        def question():
            shown = guest.screenshot()
            shown.write_png(case.file(f"virsh-{frame}.png"))
            try:
                seen = picture.Difference(window_of_vkcube(shown, SIZE, SIZE), wanted)
            except Failed as failure:
                return False, failure
            case.seen = seen
            return seen.mean <= 2 and seen.share_near >= 0.999, seen

        case.wait_for(question, f"frame {frame} of vkcube, as {case.file(f'host-{frame}.png')}", timeout=30)
    case.note(f"frame {frame}: {case.seen}")


def test_device_vkcube(case):
    """by its own name: vkcube's 30th frame as virsh screenshot shows it is the one that the host draws"""
    vkcube(case, "device", 30)


def test_acceleration_vkcube(case):
    """as 3D acceleration: vkcube's 100th frame as virsh screenshot shows it is the one that the host draws"""
    vkcube(case, "acceleration", 100)


def test_two(case):
    """both domains at a time: each has its own device, render server and Venus"""
    guests = [case.shared.domain(door) for door in DOORS]
    jobs = [guest.spawn(SUMMARY) for guest in guests]
    for job in jobs:
        job.wait(120)
        expect(job.status == 0 and "venus" in job.output, "Venus in both", job.output + job.errors)
    for guest in guests:
        expect(guest.stat("contexts-created") > 0, "contexts in each device", guest.stats())


def test_memory(case):
    """all of the guest's memory is a memfd, mapped so that others may share it"""
    for door in DOORS:
        maps = Path(f"/proc/{case.shared.domain(door).pid}/maps").read_text(encoding="utf-8", errors="replace")
        sizes = [int(end, 16) - int(begin, 16) for begin, end, kind in
                 re.findall(r"^(\w+)-(\w+) rw-(.) .*/memfd:memory-backend-memfd", maps, re.MULTILINE) if kind == "s"]
        expect(sum(sizes) == 2 << 30, "2 GiB of a shared memfd", sizes or maps[-1500:])


def reboots(case, door):
    guest = case.shared.domain(door)
    button = guest.spawn(POWER_BUTTON)

    def listens():
        held = guest.run("ls -l /proc/$(pgrep -x busybox)/fd", check=False).output
        return "/dev/input/event" in held, held + button.output + button.errors

    case.wait_for(listens, "the guest to listen to its power button")
    pid = guest.pid
    begin = time.monotonic()
    guest.reboot()
    case.note(f"rebooted in {time.monotonic() - begin:.1f} s")
    expect(guest.find_process() == pid, "the same QEMU", guest.find_process())
    is_venus(guest)


def test_device_reboots(case):
    """by its own name: virsh reboot, and the guest has Venus again"""
    reboots(case, "device")


def test_acceleration_reboots(case):
    """as 3D acceleration: virsh reboot, and the guest has Venus again"""
    reboots(case, "acceleration")


def test_reset(case):
    """virsh reset, with a program drawing: the guest has Venus again"""
    guest = case.shared.domain("device")
    with Held(guest, "", "vkcube --wsi wayland --c 100", 10):
        guest.reset()
    is_venus(guest)


def test_destroy(case):
    """virsh destroy leaves no process and no file of a domain"""
    libvirt = case.shared.get()
    for door in DOORS:
        guest = case.shared.domain(door)
        others = libvirt.processes() - libvirt.processes_of(guest.pid)
        expect(len(libvirt.processes_of(guest.pid)) > 1, "QEMU with its render server", libvirt.processes_of(guest.pid))
        libvirt.virsh("destroy", guest.name)
        case.wait_for(lambda: (libvirt.processes() <= others, libvirt.processes() - others), "no process of it", 10)
        left = [path for folder in ("lib/qemu", "run/libvirt/qemu") for path in libvirt.place(folder).rglob("*")
                if guest.name in path.name]
        expect(not left, "no file of it", left)
        guest.close()
        del case.shared.domains[door]
