# SPDX-License-Identifier: MIT
"""After all that ran before in this guest: nothing is left of it, and nobody complained."""

from venusvm.harness import complaints, expect

LIVE = ("blobs", "mapped", "fences-pending", "blob-bytes", "mapped-bytes")


def test_nothing_left(case):
    """the programs before left no blob, mapping or fence in the device, and lost no context"""
    case.wait_for(lambda: (not any(case.guest.stat(name) for name in LIVE), case.guest.stats()),
                  f"0 of each of {', '.join(LIVE)}")
    stats = case.guest.stats()
    case.note(f"{stats['commands']} commands, {stats['contexts-created']} contexts, "
              f"{stats['blobs-created']} blobs, {stats['fences']} fences, {stats['flushes']} flushes")
    seen = {name: stats[name] for name in ("command-errors", "contexts-lost", "guest-copies")}
    expect(not any(seen.values()), "no errors, lost contexts or copies", seen)


def test_no_complaints(case):
    """neither the guest's kernel nor the device has logged a complaint"""
    lines = case.guest.run("dmesg --level=emerg,alert,crit,err,warn").output.splitlines()
    ours = [line for line in lines if any(word in line for word in ("drm", "virtio", "BUG", "WARN"))]
    expect(not ours, "no kernel message about drm or virtio", "\n".join(ours))
    said = [line for line in complaints(case.guest) if "venus" in line]
    expect(not said, "nothing about the device in QEMU's output", "\n".join(said))
