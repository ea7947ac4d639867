# SPDX-License-Identifier: MIT
"""The device by the kernel's raw ioctls: blobs, fences and contexts do what they should.

Times are only noted here; scripts/figures.py is what measures.
"""

import os

from venusvm.harness import VENUS, expect


def test_blobs(case):
    """blobs hold what is written, start out zero, and go again; also with 1024 others mapped"""
    before = {name: case.guest.stat(name) for name in ("blobs", "mapped", "contexts")}
    # As regions (make check-darwin-ways) there may be fewer: they are pieces of QEMU's memory map.
    for others in (0, 64, 512 if os.environ.get("VENUS_GPU_WINDOW_REGIONS") else 1024):
        result = case.guest.run_json(f"blob_cycle --rounds 50 --others {others}", timeout=180)
        case.note(f"{others} others: {result['cycle_ms']['median']:.2f} ms a cycle")
        expect(result["cycle_ms"]["count"] == 50, "50 rounds", result)
    for name, value in before.items():
        # Fewer are right too: what an earlier program had may still have been going then.
        case.wait_for(lambda name=name, value=value: (case.guest.stat(name) <= value, case.guest.stat(name)),
                      f"stat-{name} <= {value}")


def test_blob_sizes(case):
    """blobs of one page and of 64 MiB"""
    for size in (4096, 64 << 20):
        result = case.guest.run_json(f"blob_cycle --rounds 3 --warmup 1 --size {size}", timeout=180)
        expect(result["cycle_ms"]["count"] == 3, "3 rounds", result)


def test_fences(case):
    """fences on ring 0 come back, in order, one at a time and 64 in flight"""
    for depth in (1, 64):
        result = case.guest.run_json(f"fence_ring --rounds 200 --depth {depth}", timeout=120)
        case.note(f"{depth} in flight: {result['round_trip_ms']['median']:.2f} ms")
        expect(result["round_trip_ms"]["count"] == 200, "200 rounds", result)


def test_contexts(case):
    """a hundred contexts come and go, and none stays behind"""
    before = case.guest.stat("contexts")
    made = case.guest.stat("contexts-created")
    case.guest.run_json("context_open --rounds 100", timeout=120)
    case.wait_for(lambda: (case.guest.stat("contexts") <= before, case.guest.stat("contexts")), f"stat-contexts <= {before}")
    expect(case.guest.stat("contexts-created") >= made + 100, "100 contexts more than before",
           case.guest.stat("contexts-created") - made)


def test_queue(case):
    """a queue's fences come back, waited for by Vulkan and as sync files"""
    result = case.guest.run_json(f"{VENUS} queue_sync --rounds 200", timeout=120)
    case.note(f"vkWaitForFences {result['wait_ms']['median']:.3f} ms, "
              f"sync file {result['sync_fd_ms'].get('median')} ms")
    expect(result["wait_ms"]["count"] == 200 and result["sync_fd_ms"]["count"] == 200,
           "200 rounds of both", result)
