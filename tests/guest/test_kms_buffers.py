# SPDX-License-Identifier: MIT
"""Vulkan draws into buffers of the guest's window system: unmodified vkmark on the bare display.

vkmark --winsys kms has its buffers made by GBM, which without OpenGL are the kernel's dumb buffers: 2D
resources. Venus imports them, and the kernel shows them as it shows any 2D resource, with a transfer of
the guest's pages before each flush. Those pages are black, as Vulkan never writes them: a screen in the
scene's colour shows that they stay away from what was drawn.

This takes dma-bufs of the host: one test's QEMU has a stand-in for /dev/udmabuf (tests/standin/udmabuf.c).
The other test's has none unless the host has; then vkmark finds no device that it could use and says so. What
a program gets that imports a buffer all the same is tested in tests/renderer/test-share.c.
"""

import re

from venusvm.harness import VENUS, expect
from venusvm.screen import standin

SIZE = (800, 600)
COLOUR = (0.8, 0.4, 0.2)


def vkmark(seconds):
    colour = ",".join(map(str, COLOUR))
    return f"{VENUS} exec vkmark --winsys kms -b clear:color={colour}:duration={seconds}"


def colours(screen):
    return {screen.rgb[i:i + 3] for i in range(0, len(screen.rgb), 3)}


def test_vkmark_kms(case):
    """vkmark draws into the kernel's own buffers, and they are shown as it drew them"""
    case.need("vkmark")
    with case.another_guest(preload=standin(), resolution=SIZE) as guest:
        before = guest.stats()
        job = guest.spawn(vkmark(8))

        def question():
            guest.check_alive()
            flushes = guest.stat("flushes") - before["flushes"]
            return flushes > 50 or job.status is not None, f"{flushes} flushes"

        case.wait_for(question, "50 frames of vkmark's", timeout=60)
        early = guest.stats()
        screen = case.screen("vkmark", guest)
        job.wait(60)
        late = guest.stats()
        text = job.output + job.errors
        final = re.search(r"vkmark Score: *(\d+)", text)
        expect(job.status == 0 and final, "vkmark to end with a score", f"status {job.status}: {text[-1500:]}")
        case.note(f"score {final[1]}, {late['flushes'] - before['flushes']} flushes")

        seen = colours(screen)
        expect(len(seen) == 1, "one colour", f"{len(seen)} of them")
        # vkmark's images are sRGB, and its colours linear.
        wanted = [round(255 * (1.055 * part ** (1 / 2.4) - 0.055)) for part in COLOUR]
        expect(all(abs(a - b) <= 1 for a, b in zip(seen.pop(), wanted)), f"the colour {wanted}",
               case.file("vkmark.png"))
        shares = early["shares"] - before["shares"]
        expect(shares > 1, "several buffers in Vulkan's hands", shares)
        expect(late["shares-refused"] == 0 and late["contexts-lost"] == 0, "nothing refused or lost", late)


def test_vkmark_kms_without_dma_bufs(case):
    """where the host has no dma-bufs vkmark on the bare display says so, and others go on"""
    case.need("vkmark")
    before = case.guest.stat("contexts-lost")  # the guest is shared, and a hostile program was in it
    job = case.guest.run(vkmark(2), timeout=60, check=False)
    text = job.output + job.errors
    lost = case.guest.stat("contexts-lost") - before
    case.note(f"status {job.status}: {text.strip()[-300:]}")
    expect(lost == 0, "no context lost", lost)
    if not case.guest.stat("shares"):
        expect(job.status not in (0, 124), "vkmark to say that it cannot", text[-1500:])
    again = case.guest.run(f"{VENUS} frame --width 64 --height 64", timeout=60, check=False)
    expect(again.status == 0, "another program to draw", again.output + again.errors)
