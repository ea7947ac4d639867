# SPDX-License-Identifier: MIT
"""Guests that sleep (suspend to RAM) and wake up; and guests that would hibernate.

Waking up is a reset of the machine for QEMU. A device in a PCIe port that its driver has put to sleep is left
out of it, as it says that it needs no reset. A driver that believes it, as Linux 6.12's does, finds everything
as it was.

Hibernation resets the device in any case. A driver has to set it up again, or not to let it come to that.
"""

from venusvm.guest import made_by
from venusvm.harness import VENUS, Skipped, expect, host_tools, json_on_host
from venusvm.screen import Shown, same

PORT = {"properties": {"bus": "socket"}, "devices_before": ["pcie-root-port,id=socket,chassis=1"]}
KEPT = ("resets", "contexts", "blobs", "mapped", "mapped-bytes", "resources", "memory-bytes")


def fall_asleep(case, guest):
    """The guest sleeps; returns the command that ends when it has woken up."""
    if "mem" not in guest.run("cat /sys/power/state").output.split():
        raise Skipped("this guest's kernel cannot sleep")
    job = guest.spawn("echo mem >/sys/power/state")

    def question():
        status = guest.monitor.ask("query-status")["status"]
        return status == "suspended", status + job.errors

    case.wait_for(question, "a machine that sleeps", timeout=120)
    return job


def draws(guest):
    seen = guest.run_json(f"{VENUS} frame")["crc32"]
    wanted = json_on_host([host_tools() / "frame"])["crc32"]
    expect(seen == wanted, f"the host's frame, checksum {wanted}", seen)


def test_sleep(case):
    """a guest that sleeps and wakes up has its contexts, its memory and its picture, and draws on"""
    with case.another_guest(**PORT) as guest:
        with Shown(guest, "vkcube_anim --frames 20") as shown:
            wanted = shown.picture(case.file("wanted.png"))
            same(case.screen("before", guest), wanted, "the last frame")
            before = guest.stats()
            job = fall_asleep(case, guest)
            guest.monitor.ask("system_wakeup")
            expect(job.wait(120).status == 0, "the guest to wake up", job.errors)
            after = guest.stats()
            changed = {name: (before[name], after[name]) for name in KEPT if before[name] != after[name]}
            expect(not changed, "everything in the device as it was", changed)
            same(case.screen("after", guest), wanted, "the same frame after its sleep")
        draws(guest)
        with Shown(guest, "vkcube_anim --frames 10") as shown:
            wanted = shown.picture(case.file("wanted-later.png"))
            same(case.screen("later", guest), wanted, "another program's frame")
        expect(guest.stat("command-errors") == 0, "no command that failed", guest.stats())


NO_QUEUES = "has reset the device and set up no queues, as after hibernation"
HIBERNATE = "echo devices >/sys/power/pm_test && echo shutdown >/sys/power/disk && echo disk >/sys/power/state"


def hibernate(case, *image):
    """The first part of hibernation, up to where devices are frozen, and its end without an image. Returns whether the
    guest lives on; if it does not, QEMU has said so."""
    with case.another_guest(image=made_by("micro-guest.sh", *image), memory="1G", hostmem="256M") as guest:
        if guest.run("test -w /sys/power/pm_test", check=False).status:
            raise Skipped("this guest's kernel has no test of hibernation")
        draws(guest)
        job = guest.spawn(HIBERNATE)

        def question():
            return job.status is not None or NO_QUEUES in guest.qemu_log(), "neither"
        case.wait_for(question, "hibernation to be refused or survived, or a line that says what is to be done", timeout=180)
        if NO_QUEUES in guest.qemu_log():
            case.note(f"lost: {guest.qemu_log().strip().splitlines()[-1]}")
            return False
        case.note(f"{'refused' if job.status else 'survived'}: {job.errors.strip()}")
        draws(guest)
        return True


def test_hibernation(case):
    """a guest that would hibernate goes on, or QEMU says that it has to be rebooted"""
    hibernate(case)


def test_hibernation_newest(case):
    """one with Debian's newest kernel goes on, and draws"""
    expect(hibernate(case, "--newest"), "a guest that lives on", "one that has lost its device")
