# SPDX-License-Identifier: MIT
"""Snapshots of a guest, and its way into another QEMU: what it shows in 2D goes with it, and Vulkan works after that.

What a program has in Vulkan cannot be saved: while there is one, QEMU says so and names it.
"""

import contextlib
import tempfile
from pathlib import Path

from test_faults import works
from venusvm.expect import Failed
from venusvm.guest import GuestError, made_by
from venusvm.harness import VENUS, expect
from venusvm.screen import dump, same

CANNOT = "What programs of the guest have in Vulkan cannot be saved: "
BYTES = 1280 * 800 * 4


def draw(case, guest, seed):
    """Fills the console's frame buffer, by the guest's processor, and returns what is shown then."""
    guest.run("echo 0 >/sys/class/graphics/fbcon/cursor_blink")
    # Numbers as text: no two rows are the same.
    guest.run(f"seq {seed * 10000000} {seed * 10000000 + BYTES} | head -c {BYTES} >/dev/fb0")
    text = "\n".join(map(str, range(seed * 10000000, seed * 10000000 + BYTES // 8))).encode()[:BYTES]
    last = bytearray(3 * 1024)  # a page of pixels
    for channel in range(3):  # blue, green and red in memory
        last[2 - channel::3] = text[channel - 4096::4]

    # The console is shown some time after it was written, its last page by itself.
    def drawn():
        return dump(guest).rgb.endswith(bytes(last)), "another picture"
    case.wait_for(drawn, "the last of the numbers")
    shown = dump(guest)

    def settled():
        nonlocal shown
        before, shown = shown, dump(guest)
        return shown.rgb == before.rgb, "a picture that changes"
    case.wait_for(settled, "a picture that stays")
    return shown


def do_job(case, guest, command, **arguments):
    """Has QEMU do a job to its end, and fails with its error."""
    guest.monitor.ask(command, **{"job-id": "job", **arguments})

    def question():
        job = next(job for job in guest.monitor.ask("query-jobs") if job["id"] == "job")
        return job["status"] == "concluded", job
    case.wait_for(question, f"{command} to end", timeout=120)
    job = guest.monitor.ask("query-jobs")[0]
    guest.monitor.ask("job-dismiss", id="job")
    if "error" in job:
        raise GuestError(job["error"])


def make_disk(case, guest, path):
    """A disk for snapshots: an image that no program has to have made."""
    path.write_bytes(b"")
    guest.monitor.ask("blockdev-add", **{"driver": "file", "node-name": "file", "filename": str(path)})
    do_job(case, guest, "blockdev-create", options={"driver": "qcow2", "file": "file", "size": 1 << 20})
    guest.monitor.ask("blockdev-add", **{"driver": "qcow2", "node-name": "disk", "file": "file"})


def snapshot(case, guest, command):
    do_job(case, guest, command, tag="one", vmstate="disk", devices=["disk"])


@contextlib.contextmanager
def program(case, guest):
    """A program of the guest's that uses Vulkan."""
    job = guest.spawn(f"{VENUS} compute --matrix 32 --count 2000 --size 1 --frames 1000000 --seconds 300")
    case.wait_for(lambda: (guest.stat("submits"), job.output + job.errors), "a program that uses Vulkan")
    yield
    job.signal(15)
    job.wait(60)
    # Its last resources go a moment after it.
    case.wait_for(lambda: (not guest.monitor.ask("query-migrate").get("blocked-reasons"),
                           guest.monitor.ask("query-migrate")), "nothing in the way any more")


def refused(guest, command, **arguments):
    try:
        guest.monitor.ask(command, **arguments)
    except GuestError as error:
        return str(error)
    raise Failed(f"expected {command} to be refused")


def micro(case, **options):
    return case.another_guest(image=made_by("micro-guest.sh"), memory="1G", hostmem="256M", **options)


def test_snapshot(case):
    """a snapshot brings back what was shown, and Vulkan works after it; a program that uses Vulkan is in its way, by name"""
    with tempfile.TemporaryDirectory(prefix="venus-state-") as folder, micro(case) as guest:
        make_disk(case, guest, Path(folder, "disk.qcow2"))
        wanted = draw(case, guest, 1)
        wanted.write_png(case.file("wanted.png"))
        with program(case, guest):
            said = refused(guest, "migrate", uri=f"file:{folder}/never")
            expect(f"{CANNOT}compute (context " in said, f"'{CANNOT}compute'", said)
        snapshot(case, guest, "snapshot-save")
        same(dump(guest), wanted, "the picture while it goes on")
        works(guest)
        draw(case, guest, 2)
        snapshot(case, guest, "snapshot-load")
        guest.monitor.ask("cont")
        same(case.screen("loaded", guest), wanted, "the picture of the snapshot")
        works(guest)
        draw(case, guest, 3)


def test_migration(case):
    """a guest that moves into another QEMU by way of a file shows what it showed, and Vulkan works there"""
    with tempfile.TemporaryDirectory(prefix="venus-state-") as folder:
        state = Path(folder, "state")
        with micro(case) as guest:
            works(guest)
            wanted = draw(case, guest, 1)
            wanted.write_png(case.file("wanted.png"))
            case.wait_for(lambda: (not guest.monitor.ask("query-migrate").get("blocked-reasons"),
                                   guest.monitor.ask("query-migrate")), "nothing in the way")
            guest.monitor.ask("migrate", uri=f"file:{state}")

            def question():
                status = guest.monitor.ask("query-migrate")
                return status.get("status") in ("completed", "failed"), status
            case.wait_for(question, "an end of the migration", timeout=120)
            expect(question()[1]["status"] == "completed", "a migration that is completed",
                   f"{question()[1]}\n{guest.qemu_log()}")
        case.note(f"the state: {state.stat().st_size / 1e6:.1f} MB")
        moved = micro(case, qemu_args=["-incoming", f"file:{state}"])
        with contextlib.closing(moved):
            moved.start()
            case.wait_for(lambda: (moved.monitor.ask("query-status")["running"], moved.qemu_log()),
                          "a guest that goes on", timeout=120)
            moved.wait_for_agent(booted=True)
            same(case.screen("moved", moved), wanted, "the picture in the other QEMU")
            works(moved)
            draw(case, moved, 2)
            expect(moved.stat("command-errors") == 0, "no command that failed", moved.stats())
