# SPDX-License-Identifier: MIT
"""The other ways in which a blob comes into the window, each in a guest of its own.

For hypervisors that do not see replaced pages each blob is a memory region of its own, chosen by hand here
(x-window-regions). Every blob changes QEMU's memory map then, while
the guest's processors, in threads of their own, notify virtqueues. TCG must not lose one of these: the guest
would stand still for good, with nothing in flight in the device (qemu/patches/ours/0007).

Memory of a GPU without dma-bufs is mapped by the host's Vulkan; lavapipe does that by a layer of the tests.
"""

import os

from venusvm.harness import VENUS, Skipped, expect, guests, host_tools, json_on_host, need_patch


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


def test_placed_by_vulkan(case):
    """so it does with memory that the host's Vulkan maps into the window, and none of it becomes a region"""
    if os.environ.get("VENUS_GPU_SHM_ONLY"):
        raise Skipped("where memory is shared memory only, as on macOS, there is no descriptor of a driver's to be mapped so")
    layers = guests.made_by("build-lib.sh", "--build-dir") / "tests" / "standin"
    if not (layers / "placed-memory.json").exists():
        raise Skipped("the host's headers of Vulkan do not know VK_EXT_map_memory_placed")
    environment = {"VENUS_GPU_PLACE": "vulkan", "VK_ADD_LAYER_PATH": str(layers),
                   "VK_INSTANCE_LAYERS": "VK_LAYER_VENUS_GPU_placed_memory"}
    # Not vkcube: it has memory of less than a page, which lavapipe imports as no whole page, so that it becomes a region.
    with case.another_guest(env=environment) as guest:
        cycle = guest.run_json(f"{VENUS} vk_memory --rounds 100")["cycle_ms"]
        case.note(f"allocate, map, touch, free: {cycle['median']:.2f} ms, 99th percentile {cycle['p99']:.2f}")
        guest.run_json(f"{VENUS} coherency --rounds 5", timeout=120)
        seen = guest.run_json(f"{VENUS} frame --loop 3")["crc32"]
        wanted = json_on_host([host_tools() / "frame"])["crc32"]
        expect(seen == wanted, f"the host's frame, checksum {wanted}", seen)
        stats = guest.stats()
        expect(stats["maps-vulkan"] >= 100 and not stats["maps-region"], "100 or more mapped by Vulkan, and no region",
               {name: value for name, value in stats.items() if name.startswith("maps-")})
