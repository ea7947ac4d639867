# SPDX-License-Identifier: MIT
"""Guests that sleep (suspend to RAM) and wake up.

Waking up is a reset of the machine for QEMU. A device in a PCIe port that its driver has put to sleep is left
out of it, as it says that it needs no reset. A driver that believes it, as Linux 6.12's does, finds everything
as it was.
"""

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
