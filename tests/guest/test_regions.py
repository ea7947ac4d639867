# SPDX-License-Identifier: MIT
"""The way for hypervisors that do not see replaced pages: each blob is a memory region of its own.

Chosen by hand here (x-window-regions), in a second guest. Every blob changes QEMU's memory map then, and
in that QEMU's multi-threaded TCG loses an interrupt or a notification now and then: the guest stands
still, its serial port too, with nothing in flight in the device. So this guest has its processors in one
thread.
"""

from harness import VENUS, expect, host_tools, json_on_host


def test_memory_regions(case):
    """with a memory region for each blob, everything works too, and the counters say which way it went"""
    accel = "tcg,thread=single" if case.guest.accel == "tcg" else case.guest.accel
    with case.another_guest(properties={"x-window-regions": "on"}, accel=accel) as guest:
        result = guest.run_json("blob_cycle --rounds 30 --others 256", timeout=180)
        case.note(f"256 others: {result['cycle_ms']['median']:.2f} ms a cycle")
        seen = guest.run_json(f"{VENUS} frame --loop 3")["crc32"]
        wanted = json_on_host([host_tools() / "frame"])["crc32"]
        expect(seen == wanted, f"the host's frame, checksum {wanted}", seen)
        guest.run("wl vkcube --wsi wayland --c 60")
        stats = guest.stats()
        expect(stats["maps-region"] >= 286 and not stats["maps-fixed"] and not stats["maps-alias"],
               "286 regions or more and nothing placed or aliased",
               {name: stats[name] for name in ("maps-region", "maps-fixed", "maps-alias")})
