# SPDX-License-Identifier: MIT
"""The way for hypervisors that do not see replaced pages: each blob is a memory region of its own.

Chosen by hand here (x-window-regions), in a second guest. Every blob changes QEMU's memory map then, while
the guest's processors, in threads of their own, notify virtqueues. TCG must not lose one of these: the guest
would stand still for good, with nothing in flight in the device (qemu/patches/ours/0007).
"""

from venusvm.harness import VENUS, expect, host_tools, json_on_host, need_patch


def test_memory_regions(case):
    """with a memory region for each blob, everything works too, and the counters say which way it went"""
    need_patch(case, "accel/tcg: keep the section of an I/O access in the TLB entry")
    with case.another_guest(properties={"x-window-regions": "on"}) as guest:
        result = guest.run_json("blob_cycle --rounds 30 --others 256", timeout=120)
        case.note(f"256 others: {result['cycle_ms']['median']:.2f} ms a cycle")
        seen = guest.run_json(f"{VENUS} frame --loop 3")["crc32"]
        wanted = json_on_host([host_tools() / "frame"])["crc32"]
        expect(seen == wanted, f"the host's frame, checksum {wanted}", seen)
        cube = guest.spawn("wl vkcube --wsi wayland --c 300")
        for _ in range(5):
            guest.run("blob_cycle --rounds 30 --others 256", timeout=120)
        status = cube.wait(120).status
        expect(status == 0, "vkcube ends after 300 frames", f"status {status}: {cube.errors[-300:]}")
        stats = guest.stats()
        expect(stats["maps-region"] >= 6 * 286 and not stats["maps-fixed"] and not stats["maps-alias"],
               "1716 regions or more and nothing placed or aliased",
               {name: stats[name] for name in ("maps-region", "maps-fixed", "maps-alias")})
