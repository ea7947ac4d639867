# SPDX-License-Identifier: MIT
"""The micro guest: a kernel and one initrd with Mesa's Venus driver, vulkaninfo and our programs; no disk."""

import re
import time

from test_examples import check_cube, compare, run
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


def test_blob_alignment(case):
    """one with the newest kernel, where blobs are to be multiples of 16 KiB as on a Mac: QEMU says what its Vulkan needs"""
    image = guests.made_by("micro-guest.sh", "--newest")
    for option, page, warns in (("on", 16384, True), ("off", 16384, False), ("on", 4096, False)):
        with case.another_guest(image=image, properties={"blob-alignment": option},
                                env={"VENUS_GPU_PAGE_SIZE": str(page)}) as guest:
            said = re.findall(r"takes blobs in multiples of (\d+) KiB only", guest.qemu_log())
            expect(said == (["16"] if warns else []), f"{'one line' if warns else 'none'} with {option} and pages of {page}",
                   guest.qemu_log()[-1500:])
            summary = guest.run(f"{VENUS} vulkaninfo --summary", check=False).output
            if option == "on":  # else a blob may be at no place that such a host could map
                expect("DRIVER_ID_MESA_VENUS" in summary, "Venus", summary[-1500:])
                compare(case, "triangle", "--frames 60", guest=guest)
                run(case, "vk_memory --rounds 50", guest)


def test_newest(case):
    """so does one with the newest kernel and Mesa that Debian has today, whose fences are the device's or not"""
    image = guests.made_by("micro-guest.sh", "--newest")
    with case.another_guest(image=image) as guest:
        summary = guest.run(f"{VENUS} vulkaninfo --summary").output
        expect("DRIVER_ID_MESA_VENUS" in summary and guest.renderer() in summary, f"Venus over {guest.renderer()}",
               summary[-1500:])
        mesa = re.search(r"driverInfo\s*= (.*)", summary)
        case.note(f"Linux {guest.run('uname -r').output.strip()}, {mesa[1] if mesa else summary}")
        compare(case, "triangle", "--frames 60", guest=guest)
        run(case, "compute --size 16 --matrix 128 --count 300001", guest)
        check_cube(case, "dumb", guest)
        run(case, "vk_memory --rounds 50", guest)
        # Newer Mesa waits for a queue by virtio-gpu's fences; before, and with this variable, by memory that the host writes.
        for setting in ("", "VN_PERF=no_timeline_sync "):
            result = guest.run_json(f"{setting}{VENUS} queue_sync --rounds 200", timeout=120)
            case.note(f"{setting or 'by default '}submit and wait {result['wait_ms']['median']:.3f} ms (99th percentile "
                      f"{result['wait_ms']['p99']:.3f}), sync file {result['sync_fd_ms']['median']:.3f} "
                      f"({result['sync_fd_ms']['p99']:.3f})")
