# SPDX-License-Identifier: MIT
"""The guest is rebooted by QEMU's reset button while it draws, and everything works again."""

import time

from venusvm.harness import VENUS, expect

LIVE = ("contexts", "resources", "blobs", "mapped", "fences-pending")


def test_reset_while_drawing(case):
    """after a reset in mid-flight nothing of the old boot is left in the device"""
    guest = case.guest
    guest.run("wl")
    guest.spawn("wl vkcube --wsi wayland --width 300 --height 300 --c 100000")
    guest.spawn("blob_cycle --rounds 1000000 --others 64")
    case.wait_for(lambda: (guest.stat("contexts") >= 2 and guest.stat("mapped") >= 64,
                           guest.stats()), "contexts and mapped blobs")
    time.sleep(2)
    before, resets, boot = guest.stats(), guest.stat("resets"), guest.boot_id
    case.note(f"before: {before['contexts']} contexts, {before['resources']} resources, "
              f"{before['mapped']} blobs mapped")

    guest.press_reset()
    # The firmware and the new kernel take seconds before they make anything new.
    least = {name: before[name] for name in LIVE}
    deadline = time.monotonic() + 30
    while any(least.values()) and time.monotonic() < deadline:
        least = {name: min(least[name], guest.stat(name)) for name in LIVE}
        time.sleep(0.02)
    expect(not any(least.values()), "none of these alive at some time after the reset", least)
    guest.wait_for_agent()
    expect(guest.boot_id != boot, "another boot than before", guest.boot_id)
    expect(guest.stat("resets") > resets, "a reset that the device counted", guest.stat("resets"))


def test_works_after_reset(case):
    """and Vulkan works again after it"""
    text = case.guest.run(f"{VENUS} vulkaninfo --summary").output
    expect("DRIVER_ID_MESA_VENUS" in text, "Venus in vulkaninfo", text[-1500:])
    case.guest.run_json("blob_cycle --rounds 20 --others 16")
    case.guest.run_json("fence_ring --rounds 50")
